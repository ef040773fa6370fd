//! Rounds whose samples are drawn from a public pool.

use super::lab::*;
use crate::{mock::*, Error, Event, HoldReason, SlashReason};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use gotong_protocol::{view::DutyKind, Outcome, Phase, RoundId, TaskId, TaskState};
use gotong_scoring::{HoldOut, RoundFacts};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);

fn bond() -> Balance {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &sponsor())
}

fn seed() -> Option<[u8; 32]> {
    current(TASK).seed
}

fn duties(who: AccountId) -> Vec<DutyKind> {
    let duties = Contribution::duties(who, TaskId(0)).items.into_iter();
    duties.map(|duty| duty.what).collect()
}

/// A round in its Reveal phase, with two contributors who have committed.
fn committed() -> Lab {
    let mut lab = Lab::drawn();
    register(2, 3);
    lab.open();
    for number in 0..2 {
        assert_ok!(commit(&contributor(number), TASK, &lab.delta(number)));
    }
    run_to_phase(TASK, Phase::Reveal);
    lab
}

#[test]
fn a_round_goes_on_without_its_sponsor() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = committed();
        assert_ok!(reveal(&contributor(1), TASK, &lab.delta(1)));
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        assert_eq!(duties(sponsor()), []);
        next_block();
        assert_eq!((current(TASK).phase, seed()), (Phase::AttestCommit, None));
        events();
        next_block();
        let drawn = Event::SeedDrawn {
            task: TASK,
            round: FIRST,
            seed: seed().unwrap(),
        };
        // The window to evaluate begins with the samples.
        let ends_at = System::block_number() + task(TASK).terms.windows.of(Phase::AttestCommit);
        let begun = Event::PhaseEntered {
            task: TASK,
            round: FIRST,
            phase: Phase::AttestCommit,
            ends_at,
        };
        let told = events();
        assert_eq!((&told[0], told.last()), (&drawn, Some(&begun)));
        assert_eq!(current(TASK).ends_at, ends_at);
        let view = Contribution::round(TASK, FIRST).unwrap();
        assert_eq!((view.seed, view.shard), (seed(), None));
        lab.play_attestation(TASK);
        run_blocks(3);
        let round = Contribution::round(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        assert!(round.pot > 0 && round.fees > 0);
        assert_eq!(task(TASK).round, RoundId(1));
    });
}

/// Nobody may know which samples score a delta while its author can still choose whether to reveal it. That includes the author of
/// the block with the last reveal, who knows everything that the next block's hook draws from. Only an author who also makes that
/// next block knows what it brings.
#[test]
fn samples_are_drawn_a_block_after_the_last_reveal() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = committed();
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        // Deltas may be revealed in the whole window.
        run_blocks(5);
        assert_eq!((current(TASK).phase, seed()), (Phase::Reveal, None));
        let delta = lab.delta(1);
        next_block();
        assert_eq!((current(TASK).phase, seed()), (Phase::AttestCommit, None));
        assert_ok!(reveal(&contributor(1), TASK, &delta));
        assert_eq!(current(TASK).reveals, 1);
        Contribution::do_try_state().unwrap();
        Seed::set(9);
        next_block();
        let drawn = seed();
        assert!(drawn.is_some());
        // It is drawn once.
        Seed::set(10);
        lab.finish(TASK);
        assert_eq!(Contribution::round(TASK, FIRST).unwrap().seed, drawn);
    });
}

#[test]
fn what_draws_samples_is_of_chance_task_and_round() {
    let seeds = |chance: u64, tasks: u8| {
        let mut seeds = Vec::new();
        ExtBuilder::default().build_and_execute(|| {
            Seed::set(chance);
            register(2, 3);
            for _ in 0..tasks {
                let mut lab = Lab::drawn();
                let id = lab.open();
                for _ in 0..2 {
                    lab.play_to_attestation(id, 1);
                    seeds.push(current(id).seed.unwrap());
                    lab.finish(id);
                }
            }
        });
        seeds
    };
    let mut all = [seeds(0, 2), seeds(1, 2)].concat();
    assert_eq!(all.len(), 8);
    assert_eq!(seeds(0, 2), all[..4]);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn there_is_nothing_to_publish_and_the_bond_comes_back() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = committed();
        let least = TaskBond::get();
        assert_eq!((bond(), task(TASK).purse.bond), (least, least));
        let other = Lab::default();
        let publish = || {
            Contribution::publish_shard(
                signed(&sponsor()),
                TASK,
                FIRST,
                other.keys[0],
                other.records[0].clone().try_into().unwrap(),
                other.proof(0),
            )
        };
        assert_noop!(publish(), Error::<Test>::NothingSealed);
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        run_blocks(3);
        assert_noop!(publish(), Error::<Test>::NothingSealed);
        assert_ok!(Contribution::close_task(signed(&sponsor()), TASK));
        run_to_phase(TASK, Phase::AttestCommit);
        commit_tables(TASK, &lab.score(TASK));
        // Nobody shows its table.
        while !task(TASK).state.is_over() {
            next_block();
        }
        assert_eq!(task(TASK).state, TaskState::Closed);
        assert_eq!(Balances::free_balance(sponsor()), ENDOWMENT);
    });
}

#[test]
fn a_round_without_reveals_draws_nothing_and_costs_its_sponsor_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        committed();
        run_blocks(6);
        let round = Contribution::round(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::NoReveals));
        assert_eq!((round.seed, round.shard), (None, None));
        assert_eq!(task(TASK).state, TaskState::Running);
        run_blocks(20);
        assert_eq!(seed(), None);
    });
}

#[test]
fn there_are_as_many_rounds_as_the_terms_have() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::drawn();
        register(2, 3);
        lab.open();
        for round in 0..ROUNDS {
            assert_eq!(task(TASK).round, RoundId(round));
            lab.play(TASK, 2);
        }
        assert_eq!(task(TASK).state, TaskState::Exhausted);
        assert_eq!(task(TASK).next_shard, 0);
    });
}

#[test]
fn the_referee_is_told_what_draws_the_samples() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = committed();
        for number in 0..2 {
            assert_ok!(reveal(&contributor(number), TASK, &lab.delta(number)));
        }
        next_block();
        // Nothing can be disputed before the samples are known.
        assert_eq!(Contribution::facts(TASK, FIRST), None);
        next_block();
        let Some(RoundFacts {
            hold_out,
            samples,
            half_seed,
            ..
        }) = Contribution::facts(TASK, FIRST)
        else {
            panic!("facts");
        };
        let expected = HoldOut::Drawn {
            salt: SALT,
            root: *lab.hold_out().root(),
            records: RECORDS,
            seed: seed().unwrap(),
        };
        assert_eq!((hold_out, samples), (expected, SAMPLES));
        assert_eq!(Some(half_seed), seed());
    });
}

/// Nobody attests before there is an exam.
#[test]
fn attesters_wait_for_the_exam() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = committed();
        for number in 0..2 {
            assert_ok!(reveal(&contributor(number), TASK, &lab.delta(number)));
        }
        next_block();
        assert_eq!(duties(attester(0)), []);
        for number in 0..3 {
            let who = signed(&attester(number));
            assert_noop!(
                Contribution::commit_attestation(who, TASK, FIRST, [1; 32], [2; 32]),
                Error::<Test>::NotInAttestCommitPhase
            );
        }
        next_block();
        assert_eq!(current(TASK).phase, Phase::AttestCommit);
        assert!(seed().is_some());
        let (who, inputs) = (signed(&attester(0)), current(TASK).inputs(TASK, FIRST));
        assert_ok!(Contribution::commit_attestation(
            who, TASK, FIRST, [1; 32], inputs
        ));
    });
}

/// The chain does not know who has the pool.
#[test]
fn who_has_no_pool_loses_its_seat_and_its_offer_and_no_stake() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::drawn();
        register(1, 3);
        lab.open();
        lab.play_to_attestation(TASK, 1);
        assert_eq!(duties(attester(2)), [DutyKind::CommitAttestation]);
        let score = lab.score(TASK);
        events();
        attest(TASK, |who| (*who != attester(2)).then(|| score.clone()));
        let slashed = |event: &Event<Test>| matches!(event, Event::Slashed { .. });
        assert!(!events().iter().any(slashed));
        audit(TASK, |_| Some(score.clone()));
        run_blocks(3);
        let round = Contribution::round(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        // It is not drawn again until it makes a new offer.
        assert!(listed().iter().all(|(who, _)| *who != attester(2)));
        assert_ok!(offer(&attester(2), 9));
        // An attester that commits to a table must have the pool, and answers for the table.
        lab.weights = score.weights;
        lab.play_to_attestation(TASK, 1);
        let score = lab.score(TASK);
        for number in 0..3 {
            assert_ok!(commit_attestation(&attester(number), TASK, &score));
        }
        run_blocks(1);
        for number in 0..2 {
            assert_ok!(reveal_attestation(&attester(number), TASK, &score));
        }
        events();
        run_blocks(4);
        let withheld = |event: &Event<Test>| {
            let reason = SlashReason::WithheldTable;
            matches!(event, Event::Slashed { reason: other, .. } if *other == reason)
        };
        assert!(events().iter().any(withheld));
    });
}
