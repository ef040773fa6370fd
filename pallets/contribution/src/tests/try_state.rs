//! Each invariant is seen to fail on a state that breaks it.

use super::lab::*;
use crate::{
    mock::*, tasks::Task, Attesters, Contributors, Graphs, HoldReason, NextTask, Registrations,
    RevealedDeltas, Rounds, Schedule, Submissions, Tasks,
};
use frame_support::{assert_ok, traits::fungible::UnbalancedHold};
use gotong_protocol::{Hash, HoldOutTerms, Outcome, Phase, RoundId, SeatState, TaskId, TaskState};
use sp_runtime::{DispatchError, TryRuntimeError};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);
const SECOND: RoundId = RoundId(1);

/// After a settled round, one claim, and a second round with two commits and one reveal, `corrupt`
/// breaks invariant number `number`.
fn breaks(number: u32, corrupt: impl FnOnce()) {
    breaks_later(number, |_| {}, corrupt);
}

/// The same when the second round is being challenged.
fn breaks_challenge(number: u32, corrupt: impl FnOnce()) {
    let play_on = |lab: &Lab| {
        run_blocks(3);
        assert_ok!(lab.publish(TASK));
        run_to_phase(TASK, Phase::AttestCommit);
        lab.play_to_challenge(TASK);
    };
    breaks_later(number, play_on, corrupt);
}

fn breaks_later(number: u32, play_on: impl FnOnce(&Lab), corrupt: impl FnOnce()) {
    breaks_in(Lab::default(), number, play_on, corrupt);
}

/// [`breaks`] of a task whose samples are drawn from a pool.
fn breaks_drawn(number: u32, corrupt: impl FnOnce()) {
    breaks_in(Lab::drawn(), number, |_| {}, corrupt);
}

fn breaks_in(mut lab: Lab, number: u32, play_on: impl FnOnce(&Lab), corrupt: impl FnOnce()) {
    ExtBuilder::default().build().execute_with(|| {
        register(3, 4);
        lab.open();
        let table = lab.play(TASK, 2);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        for number in 0..2 {
            assert_ok!(commit(&contributor(number), TASK, &lab.delta(number)));
        }
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&contributor(0), TASK, &lab.delta(0)));
        play_on(&lab);
        assert_ok!(Contribution::do_try_state());
        corrupt();
        let Err(TryRuntimeError::Other(message)) = Contribution::do_try_state() else {
            panic!("invariant {number} did not fail");
        };
        assert!(
            message.starts_with(&format!("{number}: ")),
            "instead of {number}: {message}"
        );
    });
}

/// Hash of the delta of the second contributor.
fn second_delta(round: RoundId) -> Hash {
    let submission = Submissions::<Test>::get((TASK, round), contributor(1)).unwrap();
    submission.revealed.unwrap().record.delta_hash
}

fn with_task(change: impl FnOnce(&mut Task<AccountId>)) {
    Tasks::<Test>::mutate(TASK, |task| change(task.as_mut().unwrap()));
}

fn with_round(round: RoundId, change: impl FnOnce(&mut crate::rounds::Round<AccountId>)) {
    Rounds::<Test>::mutate(TASK, round, |round| change(round.as_mut().unwrap()));
}

fn with_submission(
    round: RoundId,
    who: AccountId,
    change: impl FnOnce(&mut crate::submissions::Submission),
) {
    Submissions::<Test>::mutate((TASK, round), who, |one| change(one.as_mut().unwrap()));
}

fn set_hold(reason: HoldReason, who: AccountId, amount: Balance) -> Result<(), DispatchError> {
    <Balances as UnbalancedHold<_>>::set_balance_on_hold(&reason.into(), &who, amount)
}

#[test]
fn registry_and_registrations() {
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| registry[0].1 += 1);
    });
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| {
            registry.remove(0);
        });
    });
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| registry.as_mut().reverse())
    });
    breaks(2, || {
        Contributors::<Test>::mutate(|count| count.active += 1)
    });
    breaks(3, || {
        Registrations::<Test>::mutate(contributor(2), |registration| {
            registration.as_mut().unwrap().roles.contributor = false;
        });
        Contributors::<Test>::mutate(|count| count.active -= 1);
    });
}

#[test]
fn holds_and_books() {
    for (reason, who) in [
        (HoldReason::Stake, contributor(2)),
        (HoldReason::Pool, sponsor()),
        (HoldReason::Bond, sponsor()),
        (HoldReason::CommitDeposit, contributor(1)),
        (HoldReason::CommitDeposit, contributor(0)),
        (HoldReason::Stake, account(60)),
    ] {
        breaks(4, || set_hold(reason, who, 7).unwrap());
    }
}

#[test]
fn schedule_and_history() {
    breaks(5, Schedule::<Test>::kill);
    breaks(5, || {
        Schedule::<Test>::mutate(|schedule| schedule.try_push((TASK, 9)).unwrap());
    });
    breaks(5, || with_task(|task| task.state = TaskState::Paused));
    breaks(6, || NextTask::<Test>::put(TASK));
    breaks(6, || Graphs::<Test>::remove(TASK));
    breaks(6, || {
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        Rounds::<Test>::insert(TaskId(3), FIRST, round);
    });
    breaks(6, || {
        RevealedDeltas::<Test>::insert((TASK, RoundId(9)), [0; 32], ());
    });
    breaks(27, || {
        Schedule::<Test>::mutate(|schedule| schedule[0].1 = u32::MAX);
    });
}

#[test]
fn money() {
    breaks(7, || with_task(|task| task.purse.deposited += 1));
    breaks(7, || with_task(|task| task.purse.claimed += 1));
    breaks(8, || {
        with_task(|task| {
            task.purse.fees += 1;
            task.purse.claimed -= 1;
        });
    });
    breaks(9, || with_task(|task| task.terms.cap_per_round = POOL));
    breaks(13, || {
        with_task(|task| task.purse.bond -= 1);
        set_hold(HoldReason::Bond, sponsor(), 9_999).unwrap();
    });
}

#[test]
fn rounds() {
    breaks(10, || {
        with_round(SECOND, |round| round.phase = Phase::Ended)
    });
    breaks(10, || with_round(FIRST, |round| round.outcome = None));
    breaks(11, || {
        let mut round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        round.shard = None;
        round.settlement = None;
        Rounds::<Test>::insert(TASK, RoundId(2), round);
    });
    breaks(12, || with_task(|task| task.next_shard += 1));
    breaks(12, || {
        with_round(FIRST, |round| round.shard.as_mut().unwrap().index = 2);
    });
    breaks(13, || {
        with_task(|task| task.state = TaskState::Closed);
        Schedule::<Test>::kill();
        with_round(SECOND, |round| {
            round.phase = Phase::Ended;
            round.outcome = Some(Outcome::NoReveals);
        });
    });
}

#[test]
fn submissions() {
    breaks(14, || with_round(SECOND, |round| round.commits += 1));
    breaks(14, || {
        with_submission(SECOND, contributor(1), |one| one.index = 0);
    });
    breaks(15, || with_round(SECOND, |round| round.reveals += 1));
    for round in [FIRST, SECOND] {
        breaks(15, || {
            RevealedDeltas::<Test>::insert((TASK, round), [0; 32], ());
        });
    }
    breaks(15, || {
        with_submission(FIRST, contributor(0), |one| {
            let hash = second_delta(FIRST);
            one.revealed.as_mut().unwrap().record.delta_hash = hash;
        });
    });
    breaks(16, || {
        with_submission(FIRST, contributor(1), |one| one.deposit = 50);
        set_hold(HoldReason::CommitDeposit, contributor(1), 100).unwrap();
    });
}

#[test]
fn seats_and_settlements() {
    breaks(17, || {
        with_task(|task| task.terms.seats = 1);
    });
    breaks(17, || {
        with_round(FIRST, |round| round.seats[0].account = sponsor());
    });
    breaks(17, || {
        with_round(FIRST, |round| {
            round.seats[0].account = round.seats[1].account.clone();
        });
    });
    breaks(17, || {
        let seats = Rounds::<Test>::get(TASK, FIRST).unwrap().seats;
        with_round(SECOND, |round| round.seats = seats);
    });
    breaks(17, || {
        with_round(FIRST, |round| round.seats[0].account = contributor(1));
    });
    breaks_challenge(17, || {
        with_round(SECOND, |round| round.seats.truncate(1));
    });
    breaks(18, || with_round(FIRST, |round| round.audit_seed = None));
    breaks(18, || {
        with_round(FIRST, |round| round.seats[0].commitment = None);
    });
    breaks(18, || {
        with_round(FIRST, |round| round.seats[0].state = SeatState::Missed);
    });
    breaks(18, || {
        with_round(FIRST, |round| {
            round.seats[0].state = SeatState::Unaudited;
            round.seats[0].revealed = None;
        });
    });
    breaks(18, || {
        with_round(FIRST, |round| {
            round.seats[0].state = SeatState::Convicted;
            round.seats[0].revealed = None;
        });
    });
    breaks(19, || {
        with_round(FIRST, |round| round.outcome = Some(Outcome::Disputed));
    });
    breaks(19, || with_task(|task| task.terms.cap_per_round = 1));
    breaks(20, || {
        with_submission(FIRST, contributor(0), |one| one.claimed = None);
    });
    breaks(21, || with_round(FIRST, |round| round.seats[0].fee += 1));
    breaks(21, || {
        with_round(FIRST, |round| round.seats[0].state = SeatState::Convicted);
    });
    breaks(26, || {
        with_round(FIRST, |round| {
            let revealed = round.seats[0].revealed.as_mut().unwrap();
            revealed.opening.header.similar_root = [66; 32];
        });
    });
}

#[test]
fn drawn_samples() {
    breaks(28, || {
        with_round(FIRST, |round| round.sample_seed = Some([0; 32]))
    });
    breaks_drawn(28, || with_round(FIRST, |round| round.sample_seed = None));
    breaks_drawn(28, || {
        with_round(SECOND, |round| round.sample_seed = Some([0; 32]))
    });
    let challenged = |lab: &Lab| {
        run_to_phase(TASK, Phase::AttestCommit);
        next_block();
        lab.play_to_challenge(TASK);
    };
    breaks_in(Lab::drawn(), 28, challenged, || {
        with_round(SECOND, |round| round.sample_seed = None);
    });
    breaks_drawn(12, || with_task(|task| task.next_shard = 1));
    breaks_drawn(12, || {
        with_round(FIRST, |round| {
            round.shard = Some(crate::rounds::Shard {
                index: 0,
                published_at: 1,
                key: [0; 32],
                root: [0; 32],
            });
        });
    });
    breaks_drawn(12, || {
        with_task(|task| {
            if let HoldOutTerms::Drawn { rounds, .. } = &mut task.terms.hold_out {
                *rounds = 1;
            }
        });
    });
    breaks_drawn(13, || {
        with_task(|task| task.purse.bond = 0);
        set_hold(HoldReason::Bond, sponsor(), 0).unwrap();
    });
}

#[test]
fn inputs_and_challenges() {
    breaks(22, || with_round(FIRST, |round| round.inputs = None));
    breaks(22, || {
        with_round(FIRST, |round| {
            round.inputs.as_mut().unwrap().median_norm += 1
        });
    });
    breaks(22, || {
        let inputs = Rounds::<Test>::get(TASK, FIRST).unwrap().inputs;
        with_round(SECOND, |round| round.inputs = inputs);
    });
    breaks(22, || {
        with_submission(FIRST, contributor(0), |one| {
            one.revealed.as_mut().unwrap().record.square_norm += 1;
        });
    });
    breaks(23, || with_round(FIRST, |round| round.open_disputes = 1));
    breaks(23, || with_round(SECOND, |round| round.open_disputes = 1));
    breaks(24, || with_round(FIRST, |round| round.redraws = 4));
    breaks(24, || with_round(SECOND, |round| round.redraws = 1));
    breaks(24, || {
        with_round(SECOND, |round| round.audit_seed = Some([0; 32]));
    });
    breaks_challenge(24, || with_round(SECOND, |round| round.audit_seed = None));
    breaks_challenge(25, || {
        with_round(SECOND, |round| {
            round.seats[0].revealed = None;
        });
    });
    breaks_challenge(27, || {
        Schedule::<Test>::mutate(|schedule| schedule[0].1 = u32::MAX);
    });
    breaks_challenge(27, || {
        // The window is not over: there is no dispute to wait for yet.
        with_round(SECOND, |round| round.open_disputes = 1);
        Schedule::<Test>::mutate(|schedule| schedule[0].1 = u32::MAX);
    });
}
