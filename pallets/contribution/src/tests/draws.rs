//! Draws of seats and audits: who can influence them, and what happens to a round whose attesters stay away.

use super::lab::*;
use crate::{mock::*, rounds::Round, Event, Registrations, Rounds};
use frame_support::assert_ok;
use gotong_protocol::{Hash, Outcome, Phase, RoundId, SeatState, TaskId};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);
/// How many blocks a draw mixes in these tests.
const BLOCKS: u32 = 3;

fn first() -> Round<AccountId> {
    Rounds::<Test>::get(TASK, FIRST).unwrap()
}

/// A round whose seats are drawn once its shard is published.
fn about_to_draw() -> Lab {
    DrawBlocks::set(BLOCKS);
    let mut lab = Lab::default();
    register(1, 16);
    lab.open();
    assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
    run_to_phase(TASK, Phase::Reveal);
    assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
    lab
}

/// What a round draws if its blocks bring these numbers: first the block of the last act before the draw, then the blocks of the
/// draw.
fn drawn(numbers: [u64; 1 + BLOCKS as usize]) -> (Hash, Vec<AccountId>, Hash) {
    let mut drawn = None;
    ExtBuilder::default().build_and_execute(|| {
        let lab = about_to_draw();
        let draw = |phase| {
            for number in numbers {
                Seed::set(number);
                next_block();
                assert_eq!(current(TASK).phase, phase);
                assert_ok!(Contribution::do_try_state());
            }
            assert_eq!(current(TASK).draw, None);
        };
        assert_ok!(lab.publish(TASK));
        draw(Phase::AttestCommit);
        let seed = current(TASK).seed.unwrap();
        let seats: Vec<_> = current(TASK).seats.into_iter().collect();
        // The window begins when the draw ends.
        let window = lab.terms().windows.attest_blocks;
        assert_eq!(current(TASK).ends_at, System::block_number() + window);
        let score = lab.score(TASK);
        for seat in &seats {
            assert_ok!(commit_attestation(&seat.account, TASK, &score));
        }
        next_block();
        for seat in &seats {
            assert_ok!(reveal_attestation(&seat.account, TASK, &score));
        }
        draw(Phase::Challenge);
        let window = lab.terms().windows.challenge_blocks;
        assert_eq!(current(TASK).ends_at, System::block_number() + window);
        let audits = current(TASK).audit_seed.unwrap();
        let seats = seats.into_iter().map(|seat| seat.account);
        drawn = Some((seed, seats.collect(), audits));
        Seed::set(0);
    });
    drawn.unwrap()
}

/// The author of the block with the last reveal, the shard or the last table knows what that block brings, and could choose among
/// blocks. That influences nothing. Neither does making some blocks of the draw, but not all of them.
#[test]
fn every_block_of_a_draw_counts_and_none_before() {
    let usual = drawn([1, 2, 3, 4]);
    assert_eq!(drawn([99, 2, 3, 4]), usual);
    for block in 1..=BLOCKS as usize {
        let mut numbers = [1, 2, 3, 4];
        numbers[block] = 99;
        let other = drawn(numbers);
        assert_ne!(other.0, usual.0);
        assert_ne!(other.1, usual.1);
        assert_ne!(other.2, usual.2);
    }
    // The order counts, too.
    assert_ne!(drawn([1, 3, 2, 4]).0, usual.0);
}

/// The accounts that get seats if `act` is done in every block while seats are drawn.
fn seats_when(act: impl Fn()) -> Vec<AccountId> {
    let mut seats = Vec::new();
    ExtBuilder::default().build_and_execute(|| {
        let lab = about_to_draw();
        assert_ok!(lab.publish(TASK));
        for number in 0..=BLOCKS {
            Seed::set(number.into());
            next_block();
            if current(TASK).draw.is_some() {
                act();
            }
        }
        assert_eq!(current(TASK).draw, None);
        seats = current(TASK)
            .seats
            .into_iter()
            .map(|seat| seat.account)
            .collect();
        Seed::set(0);
    });
    seats
}

/// The author of the last block of a draw knows its whole result. If stake that is added then counted, it would change who gets
/// every seat, and the author could try until it likes the result.
#[test]
fn stake_that_comes_while_seats_are_drawn_counts_in_the_next_draw() {
    let usual = seats_when(|| ());
    assert_eq!(usual.len(), 3);
    for number in 0..16 {
        let who = attester(number);
        let add = || {
            assert_ok!(Contribution::add_stake(signed(&who), 1));
        };
        assert_eq!(seats_when(add), usual);
    }
    // An attester that has left gets no seat, and nobody could foresee who would replace it.
    let leave = || {
        let stake = Registrations::<Test>::get(&usual[1]).unwrap().stake;
        if stake > 0 {
            assert_ok!(Contribution::unstake(signed(&usual[1]), stake));
        }
    };
    let others = seats_when(leave);
    assert_eq!(others[..2], [usual[0].clone(), usual[2].clone()]);
    assert!(others.len() == 3 && !usual.contains(&others[2]));
}

/// While a draw is under way, nobody can attest, answer or dispute, and no window ends.
#[test]
fn a_draw_is_waited_for() {
    ExtBuilder::default().build_and_execute(|| {
        DrawBlocks::set(BLOCKS);
        let mut lab = Lab::default();
        register(1, 3);
        lab.open();
        lab.play_to_attestation(TASK, 1);
        let score = lab.score(TASK);
        for act in [commit_attestation, reveal_attestation] {
            for number in 0..3 {
                assert_ok!(act(&attester(number), TASK, &score));
            }
            next_block();
        }
        let duties = || Contribution::duties(attester(0), TaskId(0)).items.len();
        for _ in 0..BLOCKS {
            assert_eq!(current(TASK).phase, Phase::Challenge);
            assert_eq!(Contribution::round(TASK, FIRST).unwrap().audit_seed, None);
            assert_eq!(duties(), 0);
            assert!(send_answers(&attester(0), TASK, vec![]).is_err());
            let disputable =
                <Contribution as gotong_protocol::Court<_>>::disputable(TASK, FIRST, &attester(0));
            assert_eq!(disputable, None);
            next_block();
        }
        assert_eq!(duties(), 1);
        assert_ok!(answer_audits(&attester(0), TASK, &score));
    });
}

/// A task with one contributor, which needs three of these attesters.
fn attesting(attesters: u8) -> (Lab, Score) {
    let mut lab = Lab::default();
    register(1, attesters);
    let mut terms = lab.terms();
    (terms.seats, terms.quorum) = (3, 3);
    assert_ok!(lab.open_with(terms, POOL));
    lab.play_to_attestation(TASK, 1);
    let score = lab.score(TASK);
    (lab, score)
}

/// Attests for everybody who has a duty, except for these.
fn attest_without(away: &[AccountId], score: &Score) {
    let sits = |seat: &crate::attestation::Seat<AccountId>| seat.sits();
    for seat in current(TASK).seats.iter().filter(|seat| sits(seat)) {
        if seat.commitment.is_none() && !away.contains(&seat.account) {
            assert_ok!(commit_attestation(&seat.account, TASK, score));
        }
    }
}

/// What was revealed is public. So a round whose attesters stay away is not over. Otherwise anybody could change a word of a delta
/// that it sees, and be paid for it in the next round.
#[test]
fn a_round_goes_on_when_an_attester_does_not_commit() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, score) = attesting(4);
        let away = current(TASK).seats[0].account.clone();
        let seed = current(TASK).seed;
        attest_without(std::slice::from_ref(&away), &score);
        events();
        run_blocks(4);
        assert_eq!(
            (current(TASK).phase, current(TASK).redraws),
            (Phase::AttestCommit, 1)
        );
        run_to_phase(TASK, Phase::AttestCommit);
        let slashed = |event: &Event<Test>| matches!(event, Event::Slashed { .. });
        assert!(!events().iter().any(slashed));
        // It is the same round: the same deltas, the same exam.
        assert_eq!((current(TASK).seed, current(TASK).reveals), (seed, 1));
        assert_eq!(states(TASK, FIRST)[&away], SeatState::Missed);
        assert_eq!(current(TASK).seats.len(), 4);
        settle(TASK, &score);
        assert_eq!(first().outcome, Some(Outcome::Settled));
        for seat in first().seats {
            assert_eq!(seat.fee > 0, seat.account != away);
        }
    });
}

#[test]
fn a_round_goes_on_when_an_attester_does_not_reveal() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, score) = attesting(4);
        attest_without(&[], &score);
        run_to_phase(TASK, Phase::AttestReveal);
        let away = current(TASK).seats[2].account.clone();
        for seat in &current(TASK).seats[..2] {
            assert_ok!(reveal_attestation(&seat.account, TASK, &score));
        }
        run_blocks(4);
        assert_eq!(
            (current(TASK).phase, current(TASK).redraws),
            (Phase::AttestCommit, 1)
        );
        run_to_phase(TASK, Phase::AttestCommit);
        // An attester that did not reveal its table is slashed, and is not drawn again.
        assert_eq!(states(TASK, FIRST)[&away], SeatState::Missed);
        settle(TASK, &score);
        assert_eq!(first().outcome, Some(Outcome::Settled));
        assert_eq!(first().seats.len(), 4);
    });
}

/// The attesters who did nothing may be accomplices of somebody who wants the round to end.
#[test]
fn a_round_begins_again_when_there_is_nobody_left_to_draw() {
    ExtBuilder::default().build_and_execute(|| {
        let (_lab, score) = attesting(4);
        for draw in 0..2 {
            assert_eq!(current(TASK).redraws, draw);
            let away = current(TASK).seats.last().unwrap().account.clone();
            attest_without(&[away], &score);
            run_blocks(5);
        }
        assert!(first().is_unattended());
        assert_ok!(Contribution::do_try_state());
        // All are free, and may be drawn again.
        run_to_phase(TASK, Phase::AttestCommit);
        assert_eq!((first().redraws, first().seats.len()), (0, 3));
        settle(TASK, &score);
        assert_eq!(first().outcome, Some(Outcome::Settled));
    });
}

/// If a proven account has committed a delta, a crowd of newcomers with much stake does not thin it out.
#[test]
fn newcomers_together_weigh_a_part_of_the_proven() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        lab.open();
        let table = lab.play(TASK, 1);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        let deltas: Vec<_> = (0..4u8)
            .map(|number| (contributor(number), lab.delta(5 + number)))
            .collect();
        lab.submit(TASK, &deltas);
        // 50 each by themselves; a thirty-second of 3,200 for all three of them.
        let round = current(TASK);
        assert_eq!(
            (round.weights.proven, round.weights.newcomers),
            (3_200, 150)
        );
        let weights = records(TASK, RoundId(1))
            .into_iter()
            .map(|record| record.weight);
        assert_eq!(weights.collect::<Vec<_>>(), [3_200, 33, 33, 33]);
        assert_eq!(submission(TASK, RoundId(1), &contributor(1)).weight, 50);
        // Attesters, disputes and claims are about the same.
        let score = lab.score(TASK);
        let root = gotong_scoring::share::entrants_tree(&score.table.records)
            .root()
            .hash;
        assert_eq!(round.entrants_root, Some(root));
        settle(TASK, &score);
        let who = contributor(1);
        assert_ok!(claim(&who, TASK, RoundId(1), &score.table, 1));
    });
}
