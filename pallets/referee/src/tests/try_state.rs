//! Tests that each invariant fails on a state that breaks it.

use super::lab::*;
use crate::{
    disputes::Dispute, mock::*, Deadlines, Disputes, HoldReason, NextDispute, Parties, Verdicts,
};
use frame_support::{assert_ok, traits::fungible::UnbalancedHold};
use gotong_protocol::{id::DisputeId, RoundId, TaskId};
use sp_runtime::TryRuntimeError;

const FIRST: DisputeId = DisputeId(1);
const SECOND: DisputeId = DisputeId(2);

/// After a verdict, with two open disputes of which one is answered, `corrupt` breaks invariant
/// number `number`.
fn breaks(number: u32, corrupt: impl FnOnce()) {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    new_chain().execute_with(|| {
        seat(ID, &[(accused(), &honest), (account(5), &liar)]);
        let over = accuse(&challenger(), &honest, &account(5));
        play_alone(over, &liar, &honest);
        assert_ok!(open(&challenger(), &accused(), ROWS));
        next_block();
        assert_ok!(open(&account(3), &accused(), ROWS));
        next_block();
        assert!(step(FIRST, &honest, &liar));
        assert_ok!(Referee::do_try_state());
        corrupt();
        let Err(TryRuntimeError::Other(message)) = Referee::do_try_state() else {
            panic!("invariant {number} did not fail");
        };
        assert!(
            message.starts_with(&format!("{number}: ")),
            "instead of {number}: {message}"
        );
    });
}

fn with(id: DisputeId, change: impl FnOnce(&mut Dispute<AccountId>)) {
    Disputes::<Test>::mutate(id, |dispute| change(dispute.as_mut().unwrap()));
}

fn hold(who: AccountId, amount: Balance) {
    let reason = HoldReason::DisputeBond.into();
    assert_ok!(<Balances as UnbalancedHold<_>>::set_balance_on_hold(
        &reason, &who, amount
    ));
}

#[test]
fn deadlines() {
    breaks(1, || with(FIRST, |dispute| dispute.deadline += 1));
    breaks(1, || {
        Deadlines::<Test>::mutate(|list| list.as_mut().reverse())
    });
    breaks(1, || {
        Deadlines::<Test>::mutate(|list| {
            list.pop();
        });
    });
    breaks(1, || {
        Deadlines::<Test>::mutate(|list| list.try_push((DisputeId(0), 99)).unwrap());
    });
    breaks(1, || {
        // The same dispute instead of another one.
        Deadlines::<Test>::mutate(|list| list[0] = list[1]);
    });
}

#[test]
fn parties() {
    let parties = |change: &dyn Fn(&mut Vec<_>)| {
        Parties::<Test>::mutate(TASK, ROUND, |parties| {
            let mut all = parties.clone().into_inner();
            change(&mut all);
            *parties = all.try_into().unwrap();
        });
    };
    breaks(2, || {
        parties(&|parties| {
            parties.pop();
        });
    });
    breaks(2, || parties(&|parties| parties.reverse()));
    breaks(2, || parties(&|parties| parties[0].challenger = account(9)));
    breaks(2, || {
        parties(&|parties| {
            let again = parties[0].clone();
            parties.push(again);
        });
    });
    // An empty list.
    breaks(2, || {
        Parties::<Test>::insert(TaskId(8), ROUND, frame_support::BoundedVec::default());
    });
    breaks(2, || with(FIRST, |dispute| dispute.round = RoundId(8)));
    // One challenger disputes the same table twice.
    breaks(2, || {
        with(SECOND, |dispute| dispute.challenger = challenger());
        parties(&|parties| parties[1].challenger = challenger());
    });
}

#[test]
fn bonds() {
    breaks(3, || hold(challenger(), bond_of(1) - 1));
    breaks(3, || hold(account(3), bond_of(2) + 1));
    breaks(3, || hold(account(40), 1));
    breaks(3, || with(FIRST, |dispute| dispute.bond += 1));
    breaks(3, || {
        with(FIRST, |dispute| dispute.bond = Balance::MAX);
        with(SECOND, |dispute| {
            dispute.bond = Balance::MAX;
            dispute.challenger = challenger();
            dispute.accused = account(5);
        });
        Parties::<Test>::mutate(TASK, ROUND, |parties| {
            parties[1].challenger = challenger();
            parties[1].accused = account(5);
        });
    });
}

#[test]
fn disputes() {
    breaks(4, || NextDispute::<Test>::put(SECOND));
    breaks(5, || {
        let accused_of_itself = accused();
        hold(account(3), 0);
        hold(accused_of_itself.clone(), bond_of(2));
        with(SECOND, |dispute| {
            dispute.challenger = accused_of_itself.clone()
        });
        Parties::<Test>::mutate(TASK, ROUND, |parties| {
            parties[1].challenger = accused_of_itself;
        });
    });
    breaks(5, || {
        hold(challenger(), 1);
        with(FIRST, |dispute| dispute.bond = 1);
    });
    breaks(6, || with(FIRST, |dispute| dispute.picks += 1));
    breaks(6, || with(SECOND, |dispute| dispute.answers += 1));
    breaks(6, || with(FIRST, |dispute| dispute.trial.shown = None));
    breaks(6, || {
        with(SECOND, |dispute| {
            (dispute.answers, dispute.picks) = (20, 20);
        });
    });
    breaks(7, || with_round(ID, |round| round.facts = None));
}

#[test]
fn verdicts() {
    breaks(8, || {
        Verdicts::<Test>::mutate(|verdicts| verdicts[0].id = FIRST);
    });
    breaks(8, || {
        Verdicts::<Test>::mutate(|verdicts| verdicts[0].id = DisputeId(3));
    });
    breaks(8, || {
        Verdicts::<Test>::mutate(|verdicts| {
            let again = verdicts[0].clone();
            verdicts.try_push(again).unwrap();
        });
    });
}
