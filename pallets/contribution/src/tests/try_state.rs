//! Tests that each invariant fails on a state that breaks it.

use super::lab::*;
use crate::{
    attestation::CandidateList, ledgers::Account, mock::*, offers::Registry, rewards::Settlement,
    rounds::Draw, tasks::Task, Attesters, Candidates, Contributors, Credits, DeltaAuthors, Graphs,
    HoldReason, Ledgers, NextTask, Registrations, Rounds, Schedule, SeatsPromised, Submissions,
    Tables, Tasks,
};
use frame_support::{assert_ok, traits::fungible::UnbalancedHold};
use gotong_protocol::{
    Credit, EntrantRecord, Hash, HoldOutTerms, Outcome, Phase, Roles, RoundId, SeatState,
    TableSummary, TaskId, TaskState,
};
use gotong_scoring::ShareTable;
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
    breaks_later(number, play_on_to_challenge, corrupt);
}

fn play_on_to_challenge(lab: &Lab) {
    run_blocks(3);
    assert_ok!(lab.publish(TASK));
    run_to_phase(TASK, Phase::AttestCommit);
    lab.play_to_challenge(TASK);
}

/// The same as [`breaks`] when all have claimed the first round.
fn breaks_claimed(number: u32, corrupt: impl FnOnce()) {
    let claim_last = |_: &Lab, first: &ShareTable| {
        assert_ok!(claim(&contributor(1), TASK, FIRST, first, 1));
    };
    breaks_after(Lab::default(), number, claim_last, corrupt);
}

fn breaks_later(number: u32, play_on: impl FnOnce(&Lab), corrupt: impl FnOnce()) {
    breaks_in(Lab::default(), number, play_on, corrupt);
}

/// [`breaks`] of a task whose samples are drawn from a pool.
fn breaks_drawn(number: u32, corrupt: impl FnOnce()) {
    breaks_in(Lab::drawn(), number, |_| {}, corrupt);
}

fn breaks_in(lab: Lab, number: u32, play_on: impl FnOnce(&Lab), corrupt: impl FnOnce()) {
    breaks_after(lab, number, |lab, _| play_on(lab), corrupt);
}

fn breaks_after(
    mut lab: Lab,
    number: u32,
    play_on: impl FnOnce(&Lab, &ShareTable),
    corrupt: impl FnOnce(),
) {
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
        play_on(&lab, &table);
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

/// Hash of the delta that a contributor revealed in the first round.
fn delta_of(who: &AccountId) -> Hash {
    let revealed = submission(TASK, FIRST, who).revealed;
    revealed.unwrap().record.delta_hash
}

fn no_table() -> TableSummary {
    TableSummary {
        passes: vec![].into(),
        merge: None,
    }
}

fn with_account(who: AccountId, change: impl FnOnce(&mut Account)) {
    Ledgers::<Test>::mutate(TASK, who, |account| change(account.as_mut().unwrap()));
}

fn with_settlement(change: impl FnOnce(&mut Settlement)) {
    with_round(FIRST, |round| change(round.settlement.as_mut().unwrap()));
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
fn candidates_of_draws() {
    breaks(33, || {
        Candidates::<Test>::insert(TASK, CandidateList::<Test>::default());
    });
    let play_on = |lab: &Lab| {
        DrawBlocks::set(2);
        run_blocks(3);
        assert_ok!(lab.publish(TASK));
        next_block();
        assert!(current(TASK).draw.is_some());
    };
    breaks_later(33, play_on, || {
        Candidates::<Test>::remove(TASK);
        let forget = |registry: &mut Registry<Test>| {
            registry.iter_mut().for_each(|one| one.candidacies = 0);
        };
        Attesters::<Test>::mutate(forget);
    });
    breaks_later(35, play_on, || {
        Attesters::<Test>::mutate(|registry| registry[0].candidacies -= 1);
    });
    breaks(35, || {
        Attesters::<Test>::mutate(|registry| registry[0].candidacies += 1);
    });
}

#[test]
fn registry_and_registrations() {
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| registry[0].stake += 1);
    });
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| registry.as_mut().reverse())
    });
    breaks(1, || {
        Attesters::<Test>::mutate(|registry| registry[0].offer.seats = 0)
    });
    breaks(1, || {
        Registrations::<Test>::mutate(attester(0), |registration| {
            registration.as_mut().unwrap().roles = Roles::CONTRIBUTOR;
        });
        Contributors::<Test>::mutate(|count| count.active += 1)
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
fn seats_that_are_held() {
    breaks(34, || {
        Attesters::<Test>::mutate(|registry| registry[0].held.seats += 1);
    });
    breaks_challenge(34, || {
        let seated = |registry: &mut Registry<Test>| {
            let listed = registry.iter_mut().find(|listed| listed.held.seats > 0);
            listed.unwrap().held.load += 1;
        };
        Attesters::<Test>::mutate(seated);
    });
    breaks_challenge(34, || {
        let without = |registry: &mut Registry<Test>| {
            registry.retain(|listed| listed.held.seats == 0);
        };
        Attesters::<Test>::mutate(without);
    });
}

#[test]
fn seats_that_are_promised() {
    breaks(37, || SeatsPromised::<Test>::put(0));
    breaks(37, || SeatsPromised::<Test>::put(3));
    breaks_challenge(37, || SeatsPromised::<Test>::put(2));
}

/// The second round waits for attesters, all of whom have stepped back.
fn wait(lab: &Lab) {
    for number in 0..4 {
        assert_ok!(offer(&attester(number), 0));
    }
    run_blocks(3);
    assert_ok!(lab.publish(TASK));
    next_block();
    assert!(current(TASK).is_unattended());
}

#[test]
fn rounds_that_wait_for_attesters() {
    breaks_later(37, wait, || SeatsPromised::<Test>::put(2));
    // It is looked at only after the window is over.
    breaks_later(39, wait, || {
        let ends_at = current(TASK).ends_at;
        Schedule::<Test>::mutate(|schedule| schedule[0].1 = ends_at);
    });
    // As if seats had been drawn anew.
    breaks_later(39, wait, || {
        with_round(SECOND, |round| round.redraws = 1);
    });
    // The window began too late.
    breaks_later(39, wait, || {
        with_round(SECOND, |round| round.phase_started_at -= 1);
        IdleBlocks::set(1);
    });
}

#[test]
fn rounds_that_may_have_to_wait() {
    breaks(40, || {
        with_task(|task| task.idle_since = 0);
        IdleBlocks::set(1);
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
        DeltaAuthors::<Test>::insert(TaskId(3), [0; 32], contributor(0));
    });
    breaks(6, || {
        Ledgers::<Test>::insert(TaskId(3), contributor(0), Account::default());
    });
    breaks(6, || {
        let one = submission(TASK, FIRST, &contributor(0));
        Submissions::<Test>::insert((TASK, RoundId(9)), contributor(0), one);
    });
    breaks(6, || {
        Tables::<Test>::insert((TASK, RoundId(9)), attester(0), no_table());
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
    breaks(8, || {
        with_task(|task| {
            task.purse.pool -= 1;
            task.purse.reserved += 1;
        });
    });
    breaks(8, || with_settlement(|settlement| settlement.paid += 1));
    breaks(8, || with_settlement(|settlement| settlement.released += 1));
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
fn idle_tasks() {
    breaks(36, || with_task(|task| task.idle_since = u32::MAX));
    let play_on = |lab: &Lab| {
        run_to_phase(TASK, Phase::AttestCommit);
        settle(TASK, &lab.score(TASK));
    };
    breaks_in(Lab::drawn(), 36, play_on, || {
        let started_at = current(TASK).phase_started_at;
        with_task(|task| task.idle_since = started_at - 1);
        IdleBlocks::set(1);
    });
}

#[test]
fn submissions() {
    breaks(14, || with_round(SECOND, |round| round.commits += 1));
    breaks(14, || {
        with_submission(SECOND, contributor(1), |one| one.index = 0);
    });
    breaks(14, || {
        with_round(FIRST, |round| round.weights.newcomers += 1)
    });
    breaks(14, || {
        with_round(FIRST, |round| {
            core::mem::swap(&mut round.weights.newcomers, &mut round.weights.proven);
        });
    });
    breaks(15, || with_round(SECOND, |round| round.reveals += 1));
    breaks(15, || {
        DeltaAuthors::<Test>::remove(TASK, delta_of(&contributor(0)));
    });
    breaks(15, || {
        DeltaAuthors::<Test>::insert(TASK, delta_of(&contributor(0)), contributor(2));
    });
    breaks(15, || {
        let hash = delta_of(&contributor(1));
        with_submission(FIRST, contributor(0), |one| {
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
        let mut seats = Rounds::<Test>::get(TASK, FIRST).unwrap().seats;
        seats.iter_mut().for_each(|seat| seat.revealed = None);
        with_round(SECOND, |round| round.seats = seats);
    });
    breaks(17, || {
        with_round(FIRST, |round| round.seats[0].account = contributor(1));
    });
    breaks_challenge(17, || {
        with_round(SECOND, |round| {
            for seat in round.seats.drain(1..) {
                Tables::<Test>::remove((TASK, SECOND), seat.account);
            }
        });
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
    breaks(20, || {
        with_submission(FIRST, contributor(0), |one| {
            one.claimed.as_mut().unwrap().credit += 1;
        });
    });
    breaks(20, || {
        with_submission(FIRST, contributor(0), |one| {
            one.claimed.as_mut().unwrap().paid += 1;
        });
    });
    breaks(20, || with_settlement(|settlement| settlement.claims += 1));
    breaks(20, || {
        with_settlement(|settlement| settlement.credited += 1)
    });
    breaks(20, || {
        // Less was set aside than was paid.
        with_task(|task| task.purse.pool += core::mem::take(&mut task.purse.reserved));
        with_settlement(|settlement| settlement.pot = 0);
    });
    breaks_claimed(20, || {
        // The credits do not add up to the gain.
        with_settlement(|settlement| settlement.claim.merged.as_mut().unwrap().gain += 1);
    });
    breaks_claimed(20, || {
        // All have claimed, and something is set aside.
        with_settlement(|settlement| settlement.released -= 1);
        with_task(|task| {
            task.purse.pool -= 1;
            task.purse.reserved += 1;
        });
    });
    breaks(21, || with_round(FIRST, |round| round.seats[0].fee += 1));
    breaks(21, || {
        with_round(FIRST, |round| round.seats[0].state = SeatState::Convicted);
    });
    breaks(26, || {
        with_round(FIRST, |round| {
            let revealed = round.seats[0].revealed.as_mut().unwrap();
            revealed.claim.table_root = [66; 32];
        });
    });
}

#[test]
fn seeds_and_drawn_samples() {
    for lab in [Lab::default, Lab::drawn] {
        let nothing = |_: &Lab| ();
        breaks_in(lab(), 28, nothing, || {
            with_round(FIRST, |round| round.seed = None);
        });
        breaks_in(lab(), 28, nothing, || {
            with_round(SECOND, |round| round.seed = Some([0; 32]));
        });
        breaks_in(lab(), 28, play_on_to_challenge, || {
            with_round(SECOND, |round| round.seed = None);
        });
    }
    // A draw before its phase, and one that should be over.
    breaks(28, || {
        with_round(SECOND, |round| round.draw = Some(Draw::default()));
    });
    breaks_challenge(28, || {
        with_round(SECOND, |round| {
            round.draw = Some(Draw {
                blocks: DrawBlocks::get(),
                entropy: [0; 32],
            });
        });
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
fn entrants_and_challenges() {
    breaks(22, || with_round(FIRST, |round| round.entrants_root = None));
    breaks(22, || {
        with_round(FIRST, |round| round.entrants_root = Some([1; 32]));
    });
    breaks(22, || {
        let root = Rounds::<Test>::get(TASK, FIRST).unwrap().entrants_root;
        with_round(SECOND, |round| round.entrants_root = root);
    });
    let changes: [fn(&mut EntrantRecord); 4] = [
        |record| record.square_norm += 1,
        |record| record.weight += 1,
        |record| record.is_proven = true,
        |record| record.delta_root = [0; 32],
    ];
    for change in changes {
        breaks(22, || {
            with_submission(FIRST, contributor(0), |one| {
                change(&mut one.revealed.as_mut().unwrap().record);
            });
        });
    }
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
            Tables::<Test>::remove((TASK, SECOND), &round.seats[0].account);
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

#[test]
fn credits() {
    let shown = || Credit {
        credit: 1,
        variance: 1,
    };
    let put =
        move |round, who: AccountId| move || Credits::<Test>::insert((TASK, round), who, shown());
    // The credit belongs to somebody who took no part, or who has claimed; to a round that is not over; or it makes the sum wrong.
    breaks(38, put(FIRST, contributor(2)));
    breaks(38, put(FIRST, contributor(0)));
    breaks(38, put(SECOND, contributor(0)));
    breaks(38, put(FIRST, contributor(1)));
    breaks(6, put(RoundId(9), contributor(0)));
}

#[test]
fn tables() {
    breaks(29, || {
        Tables::<Test>::insert((TASK, FIRST), attester(0), no_table());
    });
    breaks(29, || {
        Tables::<Test>::insert((TASK, SECOND), attester(0), no_table());
    });
    let first_seat = || current(TASK).seats[0].account.clone();
    breaks_challenge(29, || {
        Tables::<Test>::remove((TASK, SECOND), first_seat());
    });
    breaks_challenge(29, || {
        Tables::<Test>::insert((TASK, SECOND), first_seat(), no_table());
    });
    breaks_challenge(29, || {
        Tables::<Test>::insert((TASK, SECOND), account(50), no_table());
    });
    breaks_challenge(29, || {
        with_round(SECOND, |round| {
            let revealed = round.seats[0].revealed.as_mut().unwrap();
            revealed.claim.master_root = [66; 32];
        });
    });
}

#[test]
fn ledgers() {
    let with_claimed = |change: fn(&mut gotong_protocol::claim::Claimed<Balance>)| {
        with_submission(FIRST, contributor(0), |one| {
            change(one.claimed.as_mut().unwrap());
        });
    };
    breaks(30, || {
        with_account(contributor(0), |account| account.ledger.sum += 1)
    });
    breaks(30, || {
        with_account(contributor(0), |account| account.ledger.proved += 1)
    });
    breaks(30, || {
        with_account(contributor(1), |account| account.ledger.sum = -1)
    });
    breaks(30, || with_claimed(|claimed| claimed.proved += 1));
    breaks(30, || {
        with_settlement(|settlement| settlement.rate_q32 /= 2)
    });

    breaks(31, || {
        with_account(contributor(0), |account| account.paid += 1)
    });
    // The account was paid less than what is proved, or more.
    breaks(31, || {
        with_claimed(|claimed| claimed.proved += 1 << 20);
        with_account(contributor(0), |account| account.ledger.proved += 1 << 20);
    });
    breaks(31, || {
        with_claimed(|claimed| claimed.proved = 0);
        with_account(contributor(0), |account| account.ledger.proved = 0);
    });

    // Claims count that do not belong to its ledger.
    breaks(30, || {
        with_account(contributor(0), |account| account.forfeited = Some(FIRST));
    });
    breaks(31, || {
        with_account(contributor(0), |account| {
            account.forfeited = Some(FIRST);
            account.ledger = Default::default();
            account.paid -= 1;
        });
    });

    breaks(32, || {
        with_account(contributor(0), |account| account.next = None)
    });
    breaks(32, || {
        with_account(contributor(0), |account| account.next = Some(FIRST));
    });
    breaks(32, || {
        with_account(contributor(0), |account| account.last = FIRST)
    });
    breaks(32, || {
        with_account(contributor(1), |account| account.next = None)
    });
    breaks(32, || {
        with_submission(FIRST, contributor(1), |one| one.next = Some(SECOND));
    });
    // A round that is not over is claimed.
    breaks(32, || {
        with_submission(SECOND, contributor(0), |one| {
            one.claimed = Some(Default::default())
        });
    });
}
