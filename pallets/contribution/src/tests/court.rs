//! What disputes do to a round: convictions, seats drawn anew, and a window that waits. The referee
//! is played by hand; see [`Court`].

use super::lab::*;
use crate::{mock::*, rounds::Round, Error, Event, HoldReason, Rounds, SlashReason};
use crate::{stakes::Stakes, UnexpectedKind};
use frame_support::{
    assert_noop, assert_ok,
    traits::{
        fungible::{Inspect, InspectHold},
        Hooks,
    },
};
use gotong_protocol::{
    bounds, Court, Graph, Outcome, Phase, Roles, RoundId, SeatState, ShareClaim, TaskId,
};
use gotong_scoring::{share::entrants_tree, HoldOut, RoundFacts};
use std::collections::BTreeSet;

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);

/// A task with one contributor and this many attesters, who may attest now.
fn attesting(attesters: u8) -> Lab {
    let mut lab = Lab::default();
    register(1, attesters);
    lab.open();
    lab.play_to_attestation(TASK, 1);
    lab
}

/// The same, in the challenge window: attester 0 is honest, all others tell the same lie; all have
/// answered their audits.
fn challenged(attesters: u8) -> (Lab, Score) {
    let lab = attesting(attesters);
    let truth = lab.score(TASK);
    play_lies(&truth);
    (lab, truth)
}

fn play_lies(truth: &Score) {
    let says = |who: &AccountId| match *who == attester(0) {
        true => Some(truth.clone()),
        false => Some(bent(truth)),
    };
    attest(TASK, says);
    audit(TASK, says);
}

/// A dispute about the table of `accused` that `winner` wins in the same block.
fn convict(accused: &AccountId, winner: &AccountId) -> Balance {
    Contribution::dispute_opened(TASK, FIRST);
    let rewarded = Contribution::convict(TASK, FIRST, accused, winner);
    Contribution::dispute_closed(TASK, FIRST, None);
    rewarded
}

fn first() -> Round<AccountId> {
    Rounds::<Test>::get(TASK, FIRST).unwrap()
}

/// What a table claims about a round of the task.
fn claim_in(round: RoundId, score: &Score) -> ShareClaim {
    let base_root = Rounds::<Test>::get(TASK, round).unwrap().base_root;
    score.table.summary().claim(&base_root)
}

fn staked(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

/// Everything that an account owns.
fn wealth(who: &AccountId) -> Balance {
    Balances::total_balance(who)
}

fn fee(who: &AccountId) -> Balance {
    first().seat_mut(who).unwrap().fee
}

#[test]
fn the_facts_are_what_disputes_stand_on() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let facts = || Contribution::facts(TASK, FIRST);
        assert_eq!(facts(), None);
        lab.play_to_attestation(TASK, 2);
        let shard = current(TASK).shard.unwrap();
        let expected = RoundFacts {
            graph: Graph::mlp(&[4, 3, 2]),
            terms: lab.terms().share,
            base_root: task(TASK).master_root,
            hold_out: HoldOut::Sealed {
                key: lab.keys[0],
                root: shard.root,
            },
            samples: SAMPLES,
            half_seed: current(TASK).seed.unwrap(),
            entrants_root: entrants_tree(&records(TASK, FIRST)).root().hash,
            entrants: 2,
        };
        assert_eq!(facts(), Some(expected.clone()));
        let truth = lab.play_attestation(TASK);
        assert!(expected.allow(&truth.table.summary()));
        run_blocks(3);
        // The round has settled, and the task has other weights; the facts of the round stay.
        assert_eq!(first().outcome, Some(Outcome::Settled));
        assert_ne!(task(TASK).master_root, expected.base_root);
        assert_eq!(facts(), Some(expected));
        assert_eq!(Contribution::facts(TASK, RoundId(1)), None);
        assert_eq!(Contribution::facts(TaskId(1), FIRST), None);
    });
}

#[test]
fn a_table_is_disputable_while_it_is_challenged_and_counts() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let truth = lab.score(TASK);
        let disputable = |number| Contribution::disputable(TASK, FIRST, &attester(number));
        assert_ok!(commit_attestation(&attester(0), TASK, &truth));
        assert_ok!(commit_attestation(&attester(1), TASK, &truth));
        run_to_phase(TASK, Phase::AttestReveal);
        assert_ok!(reveal_attestation(&attester(0), TASK, &truth));
        assert_eq!(disputable(0), None);
        assert_ok!(reveal_attestation(&attester(1), TASK, &truth));
        run_to_phase(TASK, Phase::Challenge);
        // It makes no difference whether the accused answered its audits. But it must have a seat.
        assert_ok!(answer_audits(&attester(0), TASK, &truth));
        assert_eq!(disputable(0), Some(truth.table.summary()));
        assert_eq!(disputable(1), Some(truth.table.summary()));
        assert_eq!(disputable(2), None);
        assert_eq!(disputable(9), None);
        let other = Contribution::disputable(TASK, RoundId(1), &attester(0));
        assert_eq!(other, None);
        convict(&attester(1), &attester(0));
        assert_eq!(disputable(1), None);
        assert_eq!(disputable(0), Some(truth.table.summary()));
        System::set_block_number(current(TASK).ends_at);
        assert_eq!(disputable(0), None);
    });
}

#[test]
fn a_conviction_takes_all_half_for_the_winner_half_burned() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, _) = challenged(3);
        let (liar, winner) = (attester(1), account(50));
        assert_ok!(Contribution::add_stake(signed(&liar), 101));
        assert_ok!(Contribution::unstake(signed(&liar), 400));
        assert_eq!(staked(&liar), 601);
        let issuance = Balances::total_issuance();
        let (free, before) = (Balances::free_balance(&liar), wealth(&winner));
        events();
        assert_eq!(convict(&liar, &winner), 300);
        assert_eq!((staked(&liar), wealth(&liar)), (0, free));
        assert_eq!(wealth(&winner), before + 300);
        assert_eq!(Balances::total_issuance(), issuance - 301);
        let told = [
            Event::Slashed {
                who: liar.clone(),
                amount: 301,
                reason: SlashReason::WrongTable,
            },
            Event::Convicted {
                task: TASK,
                round: FIRST,
                who: liar.clone(),
                winner,
                rewarded: 300,
                burned: 301,
            },
        ];
        assert_eq!(events(), told);
        assert_eq!(states(TASK, FIRST)[&liar], SeatState::Convicted);
        // It is no longer registered: it has nothing to withdraw, and is not drawn.
        assert_eq!(Contribution::stake(liar.clone()), None);
        assert!(listed().iter().all(|(who, _)| *who != liar));
        assert_noop!(
            Contribution::withdraw(signed(&liar)),
            Error::<Test>::NotRegistered
        );
    });
}

#[test]
fn the_convicted_count_no_more_and_are_paid_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let truth = lab.score(TASK);
        let liar = attester(2);
        let says = |who: &AccountId| match *who == liar {
            true => Some(bent(&truth)),
            false => Some(truth.clone()),
        };
        attest(TASK, says);
        audit(TASK, |who| says(who).filter(|_| *who != liar));
        convict(&liar, &attester(0));
        assert_noop!(
            answer_audits(&liar, TASK, &bent(&truth)),
            Error::<Test>::SeatLost
        );
        events();
        run_blocks(3);
        let round = first();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        assert_eq!(round.settlement.unwrap().claim, claim_in(FIRST, &truth));
        assert_eq!(fee(&liar), 0);
        assert!(fee(&attester(0)) > 0 && fee(&attester(1)) > 0);
        // It did not answer its audits, and no longer has to.
        let slashed = |event: &Event<Test>| matches!(event, Event::Slashed { .. });
        assert!(!events().iter().any(slashed));
    });
}

#[test]
fn a_colluding_majority_is_convicted_and_one_honest_left_settles() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, truth) = challenged(3);
        let honest = attester(0);
        let issuance = Balances::total_issuance();
        for liar in [attester(1), attester(2)] {
            assert_eq!(convict(&liar, &honest), 250);
        }
        run_blocks(3);
        let round = first();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        // There was nobody to draw.
        assert_eq!(round.redraws, bounds::MAX_REDRAWS);
        let settlement = round.settlement.unwrap();
        assert_eq!(settlement.claim, claim_in(FIRST, &truth));
        assert_eq!(fee(&honest), settlement.fees);
        assert!(settlement.fees > 0);
        assert_eq!(wealth(&honest), ENDOWMENT + 500 + settlement.fees);
        assert_eq!(Balances::total_issuance(), issuance - 500);
        for liar in [attester(1), attester(2)] {
            assert_eq!(wealth(&liar), ENDOWMENT - 500);
        }
    });
}

#[test]
fn seats_are_drawn_anew_and_who_stands_keeps_its_claim() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(5);
        let truth = lab.score(TASK);
        let old: Vec<_> = states(TASK, FIRST).into_keys().collect();
        let honest = old[0].clone();
        let says = |who: &AccountId| match old[1..].contains(who) {
            true => Some(bent(&truth)),
            false => Some(truth.clone()),
        };
        attest(TASK, says);
        audit(TASK, says);
        let kept = current(TASK).seat_mut(&honest).unwrap().clone();
        let seed = current(TASK).audit_seed;
        for liar in &old[1..] {
            convict(liar, &honest);
        }
        run_to_phase(TASK, Phase::AttestCommit);
        let round = current(TASK);
        assert_eq!((round.phase, round.redraws), (Phase::AttestCommit, 1));
        let all: BTreeSet<_> = states(TASK, FIRST).into_keys().collect();
        assert_eq!(all, (0..5).map(attester).collect());
        assert_eq!(round.clone().seat_mut(&honest), Some(&mut kept.clone()));
        // Only the new attesters have duties.
        assert_noop!(
            commit_attestation(&honest, TASK, &truth),
            Error::<Test>::AlreadyAttested
        );
        assert_noop!(
            commit_attestation(&old[1], TASK, &truth),
            Error::<Test>::SeatLost
        );
        attest(TASK, says);
        assert_ne!(current(TASK).audit_seed, seed);
        assert_noop!(
            answer_audits(&honest, TASK, &truth),
            Error::<Test>::AlreadyAudited
        );
        // It may still be disputed.
        assert!(Contribution::disputable(TASK, FIRST, &honest).is_some());
        audit(TASK, says);
        run_blocks(3);
        assert_eq!(first().outcome, Some(Outcome::Settled));
        for who in &all {
            assert_eq!(fee(who) > 0, !old[1..].contains(who));
        }
    });
}

#[test]
fn sponsor_and_contributors_are_not_drawn_anew_either() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(0, 3);
        for who in [contributor(0), sponsor()] {
            register_attester(&who, Roles::BOTH, 500);
        }
        lab.open();
        lab.play_to_attestation(TASK, 1);
        play_lies(&lab.score(TASK));
        convict(&attester(1), &attester(0));
        convict(&attester(2), &attester(0));
        run_blocks(3);
        let round = first();
        assert_eq!(round.seats.len(), 3);
        assert_eq!(round.outcome, Some(Outcome::Settled));
    });
}

#[test]
fn liars_in_every_draw_are_all_convicted_until_no_draw_is_left() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 12);
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (3, 3);
        assert_ok!(lab.open_with(terms, POOL));
        lab.play_to_attestation(TASK, 1);
        let truth = lab.score(TASK);
        let honest = current(TASK).seats[0].account.clone();
        let says = |who: &AccountId| match *who == honest {
            true => Some(truth.clone()),
            false => Some(bent(&truth)),
        };
        for draw in 0..=bounds::MAX_REDRAWS {
            assert_eq!(current(TASK).redraws, draw);
            attest(TASK, says);
            audit(TASK, says);
            for seat in current(TASK).seats {
                if seat.sits() && seat.account != honest {
                    convict(&seat.account, &honest);
                }
            }
            run_blocks(4);
        }
        let round = first();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        assert_eq!(round.settlement.unwrap().claim, claim_in(FIRST, &truth));
        assert_eq!(round.seats.len(), 9);
        assert_eq!(wealth(&honest), ENDOWMENT + 8 * 250 + fee(&honest));
    });
}

#[test]
fn without_a_conviction_draws_that_run_out_leave_a_round_unattested() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(12);
        let truth = lab.score(TASK);
        let diligent = current(TASK).seats[0].account.clone();
        for draw in 0..=bounds::MAX_REDRAWS {
            assert_eq!(current(TASK).redraws, draw);
            attest(TASK, |_| Some(truth.clone()));
            audit(TASK, |who| (*who == diligent).then(|| truth.clone()));
            run_blocks(4);
        }
        let round = first();
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        assert_eq!(task(TASK).purse.pool, POOL);
        // Each lost its seat and was slashed once, however many challenges followed.
        let told = events();
        let slashed = |who: &AccountId| {
            let slashed = Event::Slashed {
                who: who.clone(),
                amount: MissedAuditSlash::get(),
                reason: SlashReason::MissedAudit,
            };
            told.iter().filter(|event| **event == slashed).count()
        };
        assert_eq!(round.seats.len(), 9);
        for seat in &round.seats {
            let silent = seat.account != diligent;
            assert_eq!(slashed(&seat.account), usize::from(silent));
            assert_eq!(seat.state == SeatState::Unaudited, silent);
        }
    });
}

#[test]
fn a_draw_that_finds_too_few_seats_nobody() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 4);
        let mut terms = lab.terms();
        (terms.seats, terms.quorum) = (3, 3);
        assert_ok!(lab.open_with(terms, POOL));
        lab.play_to_attestation(TASK, 1);
        let truth = lab.play_to_challenge(TASK);
        let diligent = current(TASK).seats[0].account.clone();
        audit(TASK, |who| (*who == diligent).then(|| truth.clone()));
        run_blocks(3);
        // One more could be drawn, but two are not a quorum.
        assert_eq!(first().outcome, Some(Outcome::Unattested));
        assert_eq!(first().seats.len(), 3);
        assert_eq!(first().redraws, bounds::MAX_REDRAWS);
    });
}

/// All attesters of a task can be replaced only once.
#[test]
fn when_every_seat_is_taken_none_is_drawn_anew() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 16);
        let mut terms = lab.terms();
        terms.seats = bounds::MAX_TASK_SEATS as u8 + 1;
        assert_noop!(
            lab.open_with(terms.clone(), POOL),
            Error::<Test>::TermsSeatsInvalid
        );
        (terms.seats, terms.quorum) = (8, 8);
        assert_ok!(lab.open_with(terms, POOL));
        lab.play_to_attestation(TASK, 1);
        let truth = lab.score(TASK);
        for redraws in 0..2 {
            assert_eq!(current(TASK).redraws, redraws);
            attest(TASK, |_| Some(truth.clone()));
            audit(TASK, |_| None);
            run_blocks(4);
        }
        assert_eq!(first().outcome, Some(Outcome::Unattested));
        assert_eq!(first().seats.len(), bounds::MAX_SEATS as usize);
    });
}

#[test]
fn new_seats_that_stay_away_do_not_undo_who_withstood() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(5);
        let truth = lab.score(TASK);
        let honest = current(TASK).seats[0].account.clone();
        let says = |who: &AccountId| match *who == honest {
            true => Some(truth.clone()),
            false => Some(bent(&truth)),
        };
        attest(TASK, says);
        audit(TASK, says);
        for liar in states(TASK, FIRST).into_keys().filter(|who| *who != honest) {
            convict(&liar, &honest);
        }
        run_to_phase(TASK, Phase::AttestCommit);
        // All attesters have revealed: there are no new ones, and those who stand had done so before.
        run_to_phase(TASK, Phase::Challenge);
        run_blocks(3);
        assert_eq!(first().outcome, Some(Outcome::Settled));
        let missed = states(TASK, FIRST).into_values();
        assert_eq!(missed.filter(|one| *one == SeatState::Missed).count(), 2);
    });
}

#[test]
fn an_open_dispute_holds_the_challenge_open_and_its_end_ends_it() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let truth = lab.play_to_challenge(TASK);
        audit(TASK, |who| (*who != attester(2)).then(|| truth.clone()));
        Contribution::dispute_opened(TASK, FIRST);
        Contribution::dispute_opened(TASK, FIRST);
        let ends_at = current(TASK).ends_at;
        run_blocks(9);
        assert_eq!(current(TASK).phase, Phase::Challenge);
        assert_eq!(current(TASK).open_disputes, 2);
        assert_ok!(Contribution::do_try_state());
        // The window is over all the same, so nothing new can be disputed.
        assert!(System::block_number() > ends_at);
        assert_eq!(Contribution::disputable(TASK, FIRST, &attester(0)), None);
        assert_noop!(
            answer_audits(&attester(2), TASK, &truth),
            Error::<Test>::NotInChallengePhase
        );
        Contribution::dispute_closed(TASK, FIRST, None);
        run_blocks(2);
        assert_eq!(current(TASK).phase, Phase::Challenge);
        Contribution::dispute_closed(TASK, FIRST, None);
        assert_eq!(first().outcome, None);
        next_block();
        assert_eq!(first().outcome, Some(Outcome::Settled));
        assert_eq!(states(TASK, FIRST)[&attester(2)], SeatState::Unaudited);
    });
}

#[test]
fn a_dispute_that_ends_early_does_not_shorten_the_window() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, _) = challenged(3);
        convict(&attester(1), &attester(0));
        run_blocks(2);
        assert_eq!(current(TASK).phase, Phase::Challenge);
        assert_eq!(first().outcome, None);
    });
}

#[test]
fn a_challenge_waits_while_blocks_are_full() {
    ExtBuilder::default().build_and_execute(|| {
        let truth = attesting(3).play_to_challenge(TASK);
        run_blocks(2);
        run_full_blocks(40);
        for number in 0..3 {
            assert_ok!(answer_audits(&attester(number), TASK, &truth));
        }
        assert!(Contribution::disputable(TASK, FIRST, &attester(0)).is_some());
        Contribution::dispute_opened(TASK, FIRST);
        next_block();
        assert!(Contribution::disputable(TASK, FIRST, &attester(0)).is_none());
        // The window is over, and the round waits for its dispute.
        run_full_blocks(40);
        assert_eq!(first().outcome, None);
        events();
        Contribution::dispute_closed(TASK, FIRST, Some(2));
        let extended = Event::ChallengeExtended {
            task: TASK,
            round: FIRST,
            ends_at: System::block_number() + 2,
        };
        assert_eq!(events(), [extended]);
        run_blocks(1);
        run_full_blocks(40);
        assert_eq!(first().outcome, None);
        next_block();
        assert_eq!(first().outcome, Some(Outcome::Settled));
    });
}

#[test]
fn a_window_stays_open_for_who_found_no_room_but_not_for_ever() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        lab.play_attestation(TASK);
        let started = current(TASK).phase_started_at;
        let ends_at = || current(TASK).ends_at;
        assert_eq!(ends_at(), started + 3);
        let close = |stay_open| {
            Contribution::dispute_opened(TASK, FIRST);
            Contribution::dispute_closed(TASK, FIRST, stay_open);
        };
        // Within the current window.
        events();
        close(Some(2));
        assert_eq!((ends_at(), events().len()), (started + 3, 0));
        close(Some(5));
        assert_eq!(ends_at(), started + 5);
        let extended = Event::ChallengeExtended {
            task: TASK,
            round: FIRST,
            ends_at: started + 5,
        };
        assert_eq!(events(), [extended]);
        run_blocks(4);
        assert!(Contribution::disputable(TASK, FIRST, &attester(0)).is_some());
        // The window is over, and the last of the disputes opens it again.
        Contribution::dispute_opened(TASK, FIRST);
        run_blocks(3);
        assert!(Contribution::disputable(TASK, FIRST, &attester(0)).is_none());
        Contribution::dispute_closed(TASK, FIRST, Some(4));
        assert_eq!(ends_at(), started + 11);
        assert!(Contribution::disputable(TASK, FIRST, &attester(0)).is_some());
        assert_ok!(Contribution::do_try_state());
        // Only for a limited time after the window in the terms. Then the round does not settle, because
        // somebody may not have found room for a dispute.
        close(Some(u32::MAX));
        assert_eq!(ends_at(), started + 3 + MaxDisputeBlocks::get());
        run_blocks(5);
        assert_eq!(first().outcome, None);
        run_blocks(1);
        assert_eq!(first().outcome, Some(Outcome::Disputed));
    });
}

#[test]
fn who_has_a_friend_dispute_its_own_lie_loses_by_it() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, _) = challenged(3);
        let (liar, friend) = (attester(1), account(50));
        let before = wealth(&liar) + wealth(&friend);
        convict(&liar, &friend);
        run_blocks(3);
        assert_eq!(wealth(&liar) + wealth(&friend), before - 250);
    });
}

/// A liar that unstakes as soon as it is drawn cannot take its stake out before the last block in
/// which a dispute can convict it: the longest windows, disputes at the last moment that take as
/// long as they can, and all redraws.
#[test]
fn stake_cannot_leave_before_the_longest_round_is_over() {
    ExtBuilder::default().build_and_execute(|| {
        // The least that the constants allow; see below.
        UnbondingBlocks::set(384);
        Contribution::integrity_test();
        let mut lab = Lab::default();
        register(1, 13);
        let mut terms = lab.terms();
        let longest = MaxWindowBlocks::get();
        terms.windows.attest_blocks = longest;
        terms.windows.challenge_blocks = longest;
        (terms.seats, terms.quorum) = (4, 3);
        assert_ok!(lab.open_with(terms, POOL));
        lab.play_to_attestation(TASK, 1);
        let truth = lab.score(TASK);
        let liar = current(TASK).seats[0].account.clone();
        assert_ok!(Contribution::unstake(signed(&liar), 500));
        let unstaked_at = System::block_number();
        let to_last_block = || run_blocks(current(TASK).ends_at - System::block_number() - 1);
        for draw in 0..=bounds::MAX_REDRAWS {
            assert_eq!(current(TASK).redraws, draw);
            let new: Vec<_> = current(TASK)
                .seats
                .into_iter()
                .filter(|seat| seat.sits() && seat.commitment.is_none())
                .map(|seat| seat.account)
                .collect();
            // The last one acts in the last block of a window, and nobody but the liar answers audits, so that every window
            // lasts.
            let (last, others) = new.split_last().unwrap();
            for who in others {
                assert_ok!(commit_attestation(who, TASK, &truth));
            }
            to_last_block();
            assert_ok!(commit_attestation(last, TASK, &truth));
            next_block();
            for who in others {
                assert_ok!(reveal_attestation(who, TASK, &truth));
            }
            to_last_block();
            assert_ok!(reveal_attestation(last, TASK, &truth));
            run_to_phase(TASK, Phase::Challenge);
            audit(TASK, |who| (*who == liar).then(|| truth.clone()));
            // Twice, a dispute is opened in the last block: that of the window, and that of the extended one.
            to_last_block();
            Contribution::dispute_opened(TASK, FIRST);
            let latest = current(TASK).phase_started_at + longest + MaxDisputeBlocks::get();
            let stay_open = latest - System::block_number();
            Contribution::dispute_closed(TASK, FIRST, Some(stay_open));
            to_last_block();
            assert!(Contribution::disputable(TASK, FIRST, &liar).is_some());
            Contribution::dispute_opened(TASK, FIRST);
            run_blocks(MaxDisputeBlocks::get());
            assert_eq!(current(TASK).phase, Phase::Challenge);
            if draw < bounds::MAX_REDRAWS {
                Contribution::dispute_closed(TASK, FIRST, None);
                run_to_phase(TASK, Phase::AttestCommit);
            }
        }
        assert!(System::block_number() - unstaked_at > 4 * 3 * (longest - 1));
        assert_noop!(
            Contribution::withdraw(signed(&liar)),
            Error::<Test>::NotYetWithdrawable
        );
        let rewarded = Contribution::convict(TASK, FIRST, &liar, &account(50));
        Contribution::dispute_closed(TASK, FIRST, None);
        assert_eq!((rewarded, staked(&liar)), (250, 0));
    });
}

#[test]
#[should_panic(expected = "stake could leave before the round that it answers for is over")]
fn stake_that_unbonds_too_soon_is_not_a_configuration() {
    // Four draws, each with three phases of 20 blocks that are late by up to 3, disputes for 20 blocks, and draws of seats and
    // audits that are each late by 3; and once more 3 blocks late.
    UnbondingBlocks::set(4 * (3 * 23 + 20 + 2 * 3) + 3);
    Contribution::integrity_test();
}

/// Two tasks at the same time, both with their attesters drawn, and their scores.
fn two_tasks() -> ([TaskId; 2], [Score; 2]) {
    let mut labs = [Lab::default(), Lab::default()];
    register(1, 3);
    let ids = labs.each_ref().map(Lab::open);
    for (lab, id) in labs.iter_mut().zip(ids) {
        assert_ok!(commit(&contributor(0), id, &lab.delta(0)));
    }
    for id in ids {
        run_to_phase(id, Phase::Reveal);
    }
    for (lab, id) in labs.iter_mut().zip(ids) {
        assert_ok!(reveal(&contributor(0), id, &lab.delta(0)));
        assert_ok!(lab.publish(id));
    }
    for id in ids {
        run_to_phase(id, Phase::AttestCommit);
    }
    let truth = [0, 1].map(|at| labs[at].score(ids[at]));
    (ids, truth)
}

#[test]
fn who_lost_its_stake_in_one_round_can_do_nothing_in_another() {
    ExtBuilder::default().build_and_execute(|| {
        let ([first, other], [truth, other_truth]) = two_tasks();
        for act in [commit_attestation, reveal_attestation] {
            for number in 0..3 {
                assert_ok!(act(&attester(number), first, &truth));
            }
            next_block();
        }
        run_to_phase(first, Phase::Challenge);
        let liar = attester(1);
        Contribution::dispute_opened(first, FIRST);
        Contribution::convict(first, FIRST, &liar, &account(50));
        Contribution::dispute_closed(first, FIRST, None);

        assert_eq!(current(other).phase, Phase::AttestCommit);
        assert_noop!(
            commit_attestation(&liar, other, &other_truth),
            Error::<Test>::SeatLost
        );
        assert_ok!(commit_attestation(&attester(0), other, &other_truth));
    });
}

#[test]
fn a_seat_without_stake_neither_counts_nor_is_paid() {
    ExtBuilder::default().build_and_execute(|| {
        let ([first, other], truth) = two_tasks();
        for act in [commit_attestation, reveal_attestation] {
            for (id, score) in [first, other].into_iter().zip(&truth) {
                for number in 0..3 {
                    assert_ok!(act(&attester(number), id, score));
                }
            }
            next_block();
        }
        next_block();
        for (id, score) in [first, other].into_iter().zip(&truth) {
            audit(id, |_| Some(score.clone()));
        }
        let liar = attester(1);
        Contribution::dispute_opened(first, FIRST);
        Contribution::convict(first, FIRST, &liar, &account(50));
        Contribution::dispute_closed(first, FIRST, None);
        assert!(states(other, FIRST)[&liar] == SeatState::Sitting);
        run_blocks(current(other).ends_at - System::block_number());
        let round = Rounds::<Test>::get(other, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        for seat in &round.seats {
            let lost = seat.account == liar;
            assert_eq!(seat.state == SeatState::Unaudited, lost);
            assert_eq!(seat.fee == 0, lost);
        }
    });
}

#[test]
fn one_stake_is_lost_once_and_every_seat_that_lied() {
    ExtBuilder::default().build_and_execute(|| {
        let (ids, truth) = two_tasks();
        for act in [commit_attestation, reveal_attestation] {
            for (id, score) in ids.into_iter().zip(&truth) {
                for number in 0..3 {
                    assert_ok!(act(&attester(number), id, score));
                }
            }
            next_block();
        }
        next_block();
        let liar = attester(1);
        let mut rewards = vec![];
        for id in ids {
            assert_eq!(current(id).phase, Phase::Challenge);
            Contribution::dispute_opened(id, FIRST);
            rewards.push(Contribution::convict(id, FIRST, &liar, &account(50)));
            Contribution::dispute_closed(id, FIRST, None);
            assert_eq!(states(id, FIRST)[&liar], SeatState::Convicted);
        }
        assert_eq!(rewards, [250, 0]);
        assert_eq!(wealth(&liar), ENDOWMENT - 500);
    });
}

#[test]
fn a_reward_that_nobody_can_be_paid_is_burned() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, _) = challenged(3);
        let liar = attester(1);
        Stakes::<Test>::slash(&liar, 485, SlashReason::MissedAttestation);
        let issuance = Balances::total_issuance();
        // Half of 15 is below the existential deposit of 10, and the account does not exist.
        assert_eq!(convict(&liar, &account(99)), 0);
        assert_eq!(Balances::total_issuance(), issuance - 15);
        assert_eq!(staked(&liar), 0);
    });
}

#[test]
fn a_court_that_is_not_in_session_changes_nothing_and_says_so() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = attesting(3);
        let unexpected = Event::Unexpected {
            kind: UnexpectedKind::NotChallenged(TASK),
        };
        let ignored = |act: &dyn Fn()| {
            let (before, issuance) = (current(TASK), Balances::total_issuance());
            events();
            act();
            assert_eq!(current(TASK), before);
            assert_eq!(Balances::total_issuance(), issuance);
            assert_eq!(events(), std::slice::from_ref(&unexpected));
        };
        let judge = |round, who: AccountId| {
            let rewarded = Contribution::convict(TASK, round, &who, &account(50));
            assert_eq!(rewarded, 0);
        };
        ignored(&|| Contribution::dispute_opened(TASK, FIRST));
        ignored(&|| Contribution::dispute_closed(TASK, FIRST, Some(5)));
        ignored(&|| judge(FIRST, attester(0)));
        lab.play_attestation(TASK);
        ignored(&|| Contribution::dispute_opened(TASK, RoundId(1)));
        // An account without a seat, and one whose seat is already lost.
        ignored(&|| judge(FIRST, account(50)));
        convict(&attester(1), &attester(0));
        ignored(&|| judge(FIRST, attester(1)));
    });
}
