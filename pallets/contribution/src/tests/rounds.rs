use super::lab::*;
use crate::{mock::*, Contributors, Error, Event, HoldReason, Schedule, SeatsPromised};
use frame_support::{
    assert_noop, assert_ok,
    traits::{fungible::InspectHold, Hooks},
};
use gotong_protocol::{view::DutyKind, Outcome, Phase, Roles, RoundId, TaskId, TaskState};

#[test]
fn the_constants_fit_together() {
    Contribution::integrity_test();
}

#[test]
fn a_round_without_commits_rolls_on() {
    ExtBuilder::default().build_and_execute(|| {
        let id = Lab::default().open();
        events();
        run_blocks(5);
        let again = Event::PhaseEntered {
            task: id,
            round: RoundId(0),
            phase: Phase::Commit,
            ends_at: 11,
        };
        assert_eq!(events(), [again]);
        run_blocks(50);
        assert_eq!(task(id).round, RoundId(0));
    });
}

#[test]
fn phases_end_in_the_block_after_the_last_act() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        assert_eq!(current(id).phase, Phase::Commit);
        next_block();
        assert_eq!(current(id).phase, Phase::Reveal);
        assert_ok!(reveal(&contributor(1), id, &lab.delta(1)));
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        assert_ok!(lab.publish(id));
        next_block();
        assert_eq!(
            (current(id).phase, current(id).seed),
            (Phase::AttestCommit, None)
        );
        next_block();
        assert!(current(id).seed.is_some());
        let score = lab.score(id);
        for seat in current(id).seats {
            assert_ok!(commit_attestation(&seat.account, id, &score));
        }
        next_block();
        assert_eq!(current(id).phase, Phase::AttestReveal);
        for seat in current(id).seats {
            assert_ok!(reveal_attestation(&seat.account, id, &score));
        }
        next_block();
        assert_eq!(
            (current(id).phase, current(id).audit_seed),
            (Phase::Challenge, None)
        );
        next_block();
        // This holds even if all duties are done, because others may still open disputes.
        for seat in current(id).seats {
            assert_ok!(answer_audits(&seat.account, id, &score));
        }
        run_blocks(2);
        assert_eq!(current(id).phase, Phase::Challenge);
        next_block();
        assert_eq!(task(id).round, RoundId(1));
        assert_eq!(System::block_number(), 10);
    });
}

#[test]
fn a_window_does_not_run_out_while_blocks_are_full() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let view = || Contribution::round(id, RoundId(0)).unwrap();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        run_blocks(4);
        // The last block of the window lasts as long as it is full.
        assert_eq!((view().phase, view().ends_at), (Phase::Commit, 6));
        run_full_blocks(30);
        assert_eq!((view().phase, view().ends_at), (Phase::Commit, 36));
        let duty = &Contribution::duties(contributor(1), TaskId(0)).items[0];
        assert_eq!((duty.what, duty.ends_at), (DutyKind::Commit, 36));
        assert_ok!(commit(&contributor(1), id, &lab.delta(1)));
        // A phase that waits for nobody ends all the same.
        events();
        run_full_blocks(1);
        let entered = Event::PhaseEntered {
            task: id,
            round: RoundId(0),
            phase: Phase::Reveal,
            ends_at: view().ends_at,
        };
        assert_eq!(events(), [entered]);
        assert_eq!(System::block_number(), 36);
        assert_eq!((view().started_at, view().phase_started_at), (1, 36));
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        // Half of the window, in blocks that have room.
        let half = lab.terms().windows.reveal_blocks / 2;
        run_full_blocks(20);
        run_blocks(half - 1);
        assert_eq!(view().phase_started_at, 56);
        assert_noop!(lab.publish(id), Error::<Test>::ShardTooEarly);
        next_block();
        assert_ok!(lab.publish(id));
        let published_at = view().shard.unwrap().published_at;
        assert_eq!(published_at, System::block_number());
        run_full_blocks(1);
        assert_eq!((view().phase, view().seed), (Phase::AttestCommit, None));
        run_full_blocks(1);
        assert!(view().seed.is_some());
        // The hook continues right after that. Nobody reveals a table, and the block of the end does not change.
        let wait = || {
            run_blocks(lab.terms().windows.attest_blocks - 1);
            run_full_blocks(20);
        };
        wait();
        assert_eq!(view().phase, Phase::AttestCommit);
        commit_tables(id, &lab.score(id));
        wait();
        assert_eq!(view().phase, Phase::AttestReveal);
        next_block();
        let ended = System::block_number();
        assert_eq!((view().phase, view().ends_at), (Phase::Ended, ended));
        run_full_blocks(5);
        assert_eq!((view().phase_started_at, view().ends_at), (ended, ended));
    });
}

#[test]
fn leaving_after_a_commit_does_not_end_the_phase_for_others() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        let id = lab.open();
        for number in 0..2 {
            let who = contributor(number);
            assert_ok!(commit(&who, id, &lab.delta(number)));
            assert_ok!(Contribution::unstake(signed(&who), 500));
        }
        assert_eq!(Contributors::<Test>::get().active, 2);
        next_block();
        assert_eq!(current(id).phase, Phase::Commit);
        assert_ok!(commit(&contributor(2), id, &lab.delta(2)));
        assert_ok!(commit(&contributor(3), id, &lab.delta(3)));
        next_block();
        assert_eq!(current(id).phase, Phase::Reveal);
    });
}

#[test]
fn the_sponsor_is_not_waited_for_in_commit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let origin = signed(&sponsor());
        assert_ok!(Contribution::register(origin, Roles::CONTRIBUTOR, 500));
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        next_block();
        assert_eq!(current(id).phase, Phase::Reveal);
    });
}

#[test]
fn a_newcomer_in_the_same_block_is_waited_for() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        let origin = signed(&contributor(1));
        assert_ok!(Contribution::register(origin, Roles::CONTRIBUTOR, 500));
        next_block();
        assert_eq!(current(id).phase, Phase::Commit);
        run_blocks(4);
        assert_eq!(current(id).phase, Phase::Reveal);
    });
}

#[test]
fn only_the_right_shard_is_published() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert_noop!(lab.publish(id), Error::<Test>::NotInRevealPhase);
        run_to_phase(id, Phase::Reveal);
        assert_noop!(lab.publish(id), Error::<Test>::ShardTooEarly);
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        let publish = |who: AccountId, round, key, records: &[u8], shard| {
            let records = records.to_vec().try_into().unwrap();
            let (origin, proof) = (signed(&who), lab.proof(shard));
            Contribution::publish_shard(origin, id, RoundId(round), key, records, proof)
        };
        let records = lab.records[0].clone();
        let key = lab.keys[0];
        assert_noop!(
            publish(account(2), 0, key, &records, 0),
            Error::<Test>::NotSponsor
        );
        assert_noop!(
            publish(sponsor(), 1, key, &records, 0),
            Error::<Test>::RoundNotCurrent
        );
        for length in [0, 319, 321, 325] {
            let records: Vec<u8> = records.iter().copied().cycle().take(length).collect();
            assert_noop!(
                publish(sponsor(), 0, key, &records, 0),
                Error::<Test>::ShardSizeMismatch
            );
        }
        let mut mislabelled = records.clone();
        mislabelled[4] = 2;
        assert_noop!(
            publish(sponsor(), 0, key, &mislabelled, 0),
            Error::<Test>::ShardLabelInvalid
        );
        let mut altered = records.clone();
        altered[0] ^= 1;
        assert_noop!(
            publish(sponsor(), 0, key, &altered, 0),
            Error::<Test>::ShardMismatch
        );
        assert_noop!(
            publish(sponsor(), 0, [99; 32], &records, 0),
            Error::<Test>::ShardMismatch
        );
        // It is a real shard of the task, but not the next one.
        assert_noop!(
            publish(sponsor(), 0, lab.keys[1], &lab.records[1], 1),
            Error::<Test>::ShardMismatch
        );
        assert_ok!(publish(sponsor(), 0, key, &records, 0));
        assert_noop!(
            publish(sponsor(), 0, key, &records, 0),
            Error::<Test>::ShardAlreadyPublished
        );
        assert_eq!(task(id).next_shard, 1);
    });
}

#[test]
fn so_many_rounds_advance_in_a_block_and_the_rest_in_the_next() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let tasks = [lab.open(), lab.open(), lab.open()];
        run_blocks(4);
        let started = |id: &TaskId| current(*id).phase_started_at;
        next_block();
        assert_eq!(tasks.each_ref().map(started), [6, 6, 1]);
        next_block();
        assert_eq!(tasks.each_ref().map(started), [6, 6, 7]);
        // The round that has been due for longest goes first, whatever its place in the schedule.
        run_blocks(5);
        assert_eq!(tasks.each_ref().map(started), [11, 11, 12]);
        assert_eq!(Schedule::<Test>::get().len(), 3);
    });
}

#[test]
fn the_hook_tells_what_it_costs() {
    ExtBuilder::default().build_and_execute(|| {
        use crate::WeightInfo;
        type Weights = crate::weights::SubstrateWeight<Test>;
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        assert_eq!(next_block(), Weights::look());
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        run_blocks(3);
        assert_eq!(next_block(), Weights::look() + Weights::end_commit(0));
        run_blocks(5);
        assert_eq!(next_block(), Weights::look() + Weights::end_reveal(1));
    });
}

#[test]
fn a_challenge_costs_a_draw_and_a_settlement() {
    ExtBuilder::default().build_and_execute(|| {
        use crate::WeightInfo;
        type Weights = crate::weights::SubstrateWeight<Test>;
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 1);
        lab.play_attestation(id);
        run_blocks(2);
        let most = Weights::look() + Weights::redraw() + Weights::settle();
        assert_eq!(next_block(), most);
        assert_eq!(task(id).round, RoundId(1));
    });
}

#[test]
fn the_hook_takes_a_quarter_of_a_block_but_always_advances_one() {
    ExtBuilder::default().build_and_execute(|| {
        use crate::WeightInfo;
        type Weights = crate::weights::SubstrateWeight<Test>;
        let both = Weights::look() + Weights::end_commit(0) + Weights::end_commit(0);
        let lab = Lab::default();
        let tasks = [lab.open(), lab.open()];
        let started = || tasks.map(|id| current(id).phase_started_at);
        // There is room for two, then for fewer than two, and then for less than one.
        BlockTime::set(4 * both.ref_time());
        run_blocks(5);
        assert_eq!(started(), [6, 6]);
        BlockTime::set(4 * both.ref_time() - 4);
        run_blocks(5);
        assert_eq!(started(), [11, 6]);
        run_blocks(1);
        assert_eq!(started(), [11, 12]);
        BlockTime::set(1);
        run_blocks(4);
        assert_eq!(started(), [16, 12]);
    });
}

/// Not even the sponsor, who knows its shard, can choose when to publish it by what pays.
#[test]
fn the_halves_of_a_shard_are_drawn_a_block_after_it_is_published() {
    let drawn = |chance| {
        let mut drawn = None;
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = Lab::default();
            register(1, 3);
            let id = lab.open();
            let seed = || current(id).seed;
            assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
            run_to_phase(id, Phase::Reveal);
            assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
            assert_ok!(lab.publish(id));
            assert_eq!(seed(), None);
            next_block();
            assert_eq!((current(id).phase, seed()), (Phase::AttestCommit, None));
            assert_eq!(Contribution::facts(id, RoundId(0)), None);
            Seed::set(chance);
            events();
            next_block();
            let facts = Contribution::facts(id, RoundId(0)).unwrap();
            assert_eq!(seed(), Some(facts.half_seed));
            let told = [
                Event::SeedDrawn {
                    task: id,
                    round: RoundId(0),
                    seed: facts.half_seed,
                },
                Event::PhaseEntered {
                    task: id,
                    round: RoundId(0),
                    phase: Phase::AttestCommit,
                    ends_at: System::block_number() + lab.terms().windows.attest_blocks,
                },
            ];
            let all = events();
            assert_eq!((&all[0], all.last()), (&told[0], Some(&told[1])));
            Seed::set(0);
            run_blocks(2);
            assert_eq!(seed(), Some(facts.half_seed));
            drawn = seed();
        });
        drawn.unwrap()
    };
    assert_eq!(drawn(9), drawn(9));
    assert_ne!(drawn(9), drawn(10));
}

fn awaits_attesters(id: TaskId) -> bool {
    let round = Contribution::round(id, task(id).round).unwrap();
    round.awaits_attesters
}

fn deposit(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::CommitDeposit.into(), who)
}

/// Whatever is revealed is used up: the sponsor's shard, and the contributors' deltas.
#[test]
fn nothing_is_revealed_before_there_are_attesters() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 1);
        let id = lab.open();
        assert!(!awaits_attesters(id), "for whom?");
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert!(awaits_attesters(id));
        events();
        run_blocks(5);
        let round = RoundId(0);
        let told = [
            Event::AttestersAwaited { task: id, round },
            Event::PhaseEntered {
                task: id,
                round,
                phase: Phase::Commit,
                ends_at: 11,
            },
        ];
        assert_eq!(events(), told);
        assert_noop!(lab.publish(id), Error::<Test>::NotInRevealPhase);
        // More may commit meanwhile.
        assert_ok!(commit(&contributor(1), id, &lab.delta(1)));
        assert_eq!((current(id).commits, deposit(&contributor(0))), (2, 50));
        register_attester(&attester(1), Roles::ATTESTER, 500);
        assert!(!awaits_attesters(id));
        run_blocks(4);
        assert_eq!(current(id).phase, Phase::Commit);
        run_blocks(1);
        assert_eq!(current(id).phase, Phase::Reveal);
        for number in 0..2 {
            let who = contributor(number);
            assert_ok!(reveal(&who, id, &lab.delta(number)));
            assert_eq!(deposit(&who), 0);
        }
        assert_ok!(lab.publish(id));
        run_to_phase(id, Phase::AttestCommit);
        lab.finish(id);
        assert_eq!(task(id).next_shard, 1);
    });
}

/// Attesters do not count if they contribute to the round, or if other rounds have taken all that they offered.
#[test]
fn attesters_are_counted_as_they_could_be_drawn() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 2);
        register_attester(&contributor(1), Roles::BOTH, 500);
        let (first, second) = (lab.open(), lab.open());
        assert_ok!(offer(&attester(0), 1));
        assert_ok!(offer(&contributor(1), 1));
        for id in [first, second] {
            assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        }
        assert!(!awaits_attesters(first) && !awaits_attesters(second));
        assert_ok!(commit(&contributor(1), second, &lab.delta(1)));
        assert!(!awaits_attesters(second), "two others are left");
        assert_ok!(offer(&attester(0), 0));
        assert!(awaits_attesters(second), "who contributes does not attest");
        assert!(!awaits_attesters(first));
        assert_ok!(offer(&attester(0), 1));
        run_to_phase(first, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), first, &lab.delta(0)));
        assert_ok!(lab.publish(first));
        run_to_phase(first, Phase::AttestCommit);
        assert_eq!(current(first).seats.len(), 3);
        let third = lab.open();
        assert_ok!(commit(&contributor(0), third, &lab.delta(0)));
        assert!(awaits_attesters(third), "two have no seat left");
        let score = lab.score(first);
        settle(first, &score);
        assert!(!awaits_attesters(third));
    });
}

/// Otherwise the same seats would let in all rounds that wait, and all but one would spend their shards for nothing.
#[test]
fn a_free_seat_lets_one_round_in() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        for number in 0..3 {
            assert_ok!(offer(&attester(number), 1));
        }
        let ids = [lab.open(), lab.open(), lab.open()];
        let (who, delta) = (contributor(0), lab.delta(0));
        for id in ids {
            assert_ok!(commit(&who, id, &delta));
        }
        let revealing = || {
            let ids = ids.iter().copied();
            ids.filter(|id| current(*id).phase == Phase::Reveal)
                .collect::<Vec<_>>()
        };
        run_blocks(3);
        for _ in ids {
            for _ in 0..10 {
                if revealing().is_empty() {
                    next_block();
                }
            }
            assert_eq!(revealing().len(), 1);
            assert_eq!(SeatsPromised::<Test>::get(), 2);
            let id = revealing()[0];
            assert_ok!(reveal(&who, id, &delta));
            assert_ok!(lab.publish(id));
            run_to_phase(id, Phase::AttestCommit);
            // The seats are no longer promised but held, by three attesters.
            assert_eq!(SeatsPromised::<Test>::get(), 0);
            assert_eq!(current(id).seats.len(), 3);
            assert!(revealing().is_empty());
            let score = lab.score(id);
            settle(id, &score);
        }
        for id in ids {
            let first = Contribution::round(id, RoundId(0)).unwrap();
            assert_eq!(first.outcome, Some(Outcome::Settled));
        }
    });
}

#[test]
fn a_round_that_draws_no_seats_keeps_none_from_others() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        run_to_phase(id, Phase::Reveal);
        assert_eq!(SeatsPromised::<Test>::get(), 2);
        run_to_phase(id, Phase::Commit);
        let first = Contribution::round(id, RoundId(0)).unwrap();
        assert_eq!(first.outcome, Some(Outcome::NoReveals));
        assert_eq!(SeatsPromised::<Test>::get(), 0);
    });
}

/// Somebody who commits noise from many accounts makes a round's load larger than any room that is left.
#[test]
fn commits_hold_a_round_up_for_one_window() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 2);
        let id = lab.open();
        for number in 0..2 {
            let (origin, capacity) = (signed(&attester(number)), task(id).load(1));
            let tasks = Default::default();
            assert_ok!(Contribution::offer(origin, 1, capacity, true, tasks));
        }
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        assert!(!awaits_attesters(id));
        assert_ok!(commit(&contributor(1), id, &lab.noise(1)));
        assert!(awaits_attesters(id));
        let started_at = current(id).phase_started_at;
        run_blocks(5);
        assert_eq!(current(id).phase, Phase::Commit);
        // It is still the same phase.
        assert_eq!(current(id).phase_started_at, started_at);
        assert!(!awaits_attesters(id));
        run_blocks(4);
        assert_eq!(current(id).phase, Phase::Commit);
        run_blocks(1);
        assert_eq!(current(id).phase, Phase::Reveal);
        // A delta that is not revealed adds no load.
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        run_blocks(3);
        assert_ok!(lab.publish(id));
        run_to_phase(id, Phase::AttestCommit);
        assert_eq!(current(id).seats.len(), 2);
        lab.finish(id);
    });
}

/// When everybody has committed, nobody has to wait for a window to end, because the chain looks at offers from time to time.
#[test]
fn attesters_are_asked_for_at_a_bounded_pace() {
    ExtBuilder::default().build_and_execute(|| {
        use crate::WeightInfo;
        type Weights = crate::weights::SubstrateWeight<Test>;
        let mut lab = Lab::default();
        register(1, 1);
        let id = lab.open();
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
        let looked = Weights::look() + Weights::end_commit(0);
        let costs: Vec<_> = (0..12).map(|_| next_block() == looked).collect();
        // It looks in the next block, then every two blocks, which is the shortest window, and when a window of five is over.
        let (yes, no) = (true, false);
        assert_eq!(
            costs,
            [yes, no, yes, no, yes, no, yes, no, yes, yes, no, yes]
        );
        register_attester(&attester(1), Roles::ATTESTER, 500);
        run_blocks(2);
        assert_eq!(current(id).phase, Phase::Reveal);
    });
}

#[test]
fn who_committed_to_a_round_without_attesters_loses_nothing_when_it_is_closed() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 1);
        let id = lab.open();
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), id, &lab.delta(number)));
        }
        next_block();
        assert_ok!(Contribution::close_task(signed(&sponsor()), id));
        assert_eq!(task(id).state, TaskState::Closing);
        run_blocks(3);
        assert_eq!(current(id).phase, Phase::Commit);
        run_blocks(1);
        assert_eq!(task(id).state, TaskState::Closed);
        assert_eq!(current(id).outcome, Some(Outcome::NoReveals));
        for number in 0..2 {
            let who = contributor(number);
            assert_eq!(Balances::free_balance(who), ENDOWMENT - 500);
        }
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
    });
}
