//! What a bond costs, and where it goes.

use super::lab::*;
use crate::{asset::Bonds, mock::*, Error, Event, HoldReason, UnexpectedKind};
use frame_support::{
    assert_noop, assert_ok,
    traits::{
        fungible::{Mutate, UnbalancedHold},
        tokens::Preservation,
    },
};
use gotong_protocol::{dispute::Verdict, id::DisputeId};

fn held(who: &AccountId) -> Balance {
    Bonds::<Test>::held(who)
}

/// Challenger number `number` of many.
fn one_of_many(number: usize) -> AccountId {
    account(10 + number as u8)
}

/// `count` challengers dispute an honest table, one after another.
fn crowd(count: usize) {
    seat(ID, &[(accused(), &Lab::get().honest())]);
    for number in 0..count {
        assert_ok!(open(&one_of_many(number), &accused(), ROWS));
    }
}

#[test]
fn a_bond_grows_with_the_open_disputes_of_the_round() {
    execute(|| {
        let most = MaxDisputesPerRound::get() as usize;
        crowd(most);
        for number in 0..most {
            let bond = bond_of(number + 1);
            assert_eq!(held(&one_of_many(number)), bond);
            assert_eq!(get(DisputeId(number as u32)).unwrap().bond, bond);
        }
        // In another round it starts anew.
        let other = (TASK, gotong_protocol::RoundId(9));
        seat(other, &[(accused(), &Lab::get().honest())]);
        assert_ok!(Referee::open(
            signed(&challenger()),
            other.0,
            other.1,
            accused(),
            ROWS
        ));
        assert_eq!(held(&challenger()), bond_of(1));
        run_blocks(3 * MoveBlocks::get());
        // Nobody answered, so all of them disputed a table that is convicted.
        assert_eq!(open_disputes(), 0);
    });
}

#[test]
fn a_bond_shrinks_with_them_too() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &honest), (account(5), &liar)]);
        for number in 0..3 {
            assert_ok!(open(&one_of_many(number), &accused(), LOSSES));
        }
        let id = accuse(&challenger(), &honest, &account(5));
        assert_eq!(held(&challenger()), bond_of(4));
        let mut moves = 0;
        // The honest answers, then everybody else is silent.
        for other in 0..3 {
            assert!(step(DisputeId(other), &honest, &liar));
        }
        while get(id).is_some() {
            assert!(step(id, &liar, &honest));
            moves += 1;
        }
        assert!(moves > 5);
        assert_eq!(held(&challenger()), 0);
        assert_ok!(open(&challenger(), &accused(), ROWS));
        assert_eq!(held(&challenger()), bond_of(4));
        run_blocks(MoveBlocks::get() + 1);
    });
}

#[test]
fn a_bond_cannot_be_spent_while_it_is_on_hold() {
    execute(|| {
        crowd(1);
        let who = one_of_many(0);
        assert_eq!(free(&who), ENDOWMENT - bond_of(1));
        let all = ENDOWMENT - bond_of(1) + 1;
        assert!(Balances::transfer(&who, &account(2), all, Preservation::Expendable).is_err());
    });
}

#[test]
fn who_cannot_pay_a_bond_opens_nothing() {
    execute(|| {
        crowd(2);
        let poor = account(61);
        Balances::set_balance(&poor, bond_of(3));
        // The existential deposit cannot be held.
        assert_noop!(open(&poor, &accused(), ROWS), Error::<Test>::FundsTooLow);
        Balances::set_balance(&poor, bond_of(3) + ExistentialDeposit::get());
        assert_ok!(open(&poor, &accused(), ROWS));
        assert_eq!(held(&poor), bond_of(3));
    });
}

#[test]
fn one_account_has_a_bond_for_each_of_its_disputes() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    execute(|| {
        seat(ID, &[(accused(), &honest), (account(5), &liar)]);
        assert_ok!(open(&challenger(), &accused(), ROWS));
        let second = accuse(&challenger(), &honest, &account(5));
        assert_eq!(held(&challenger()), bond_of(1) + bond_of(2));
        assert!(play(second, &liar, &honest).verdict.convicts());
        // The first was not answered in time.
        assert_eq!(verdict(DisputeId(0)), Some(Verdict::Unanswered));
        assert_eq!(held(&challenger()), 0);
        assert_eq!(change(&challenger()), 2 * REWARD);
    });
}

#[test]
fn a_bond_that_is_lost_is_halved_exactly() {
    let (honest, liar) = (Lab::get().honest(), Lab::get().a_liar());
    for place in 1..=4 {
        execute(|| {
            crowd(place - 1);
            let issued = Balances::total_issuance();
            let id = accuse(&challenger(), &liar, &accused());
            let bond = bond_of(place);
            assert_eq!(held(&challenger()), bond);
            let closed = play_alone(id, &honest, &liar);
            assert!(!closed.verdict.convicts());
            assert_eq!(closed.reward, bond / 2);
            assert_eq!(change(&challenger()), -(bond as i128));
            assert_eq!(held(&challenger()), 0);
            assert_eq!(change(&accused()), (bond / 2) as i128);
            assert_eq!(Balances::total_issuance(), issued - bond.div_ceil(2));
        });
    }
}

#[test]
fn a_bond_that_cannot_be_paid_is_burned() {
    execute(|| {
        let (loser, nobody) = (challenger(), account(61));
        let issued = Balances::total_issuance();
        // Half of it is less than the smallest balance that an account can have.
        let bond = 2 * ExistentialDeposit::get() - 1;
        assert_ok!(Bonds::<Test>::hold(&loser, bond));
        assert_eq!(Bonds::<Test>::forfeit(&loser, &nobody, bond), 0);
        assert_eq!(Balances::total_issuance(), issued - bond);
        assert_eq!((held(&loser), free(&nobody)), (0, 0));
        assert_eq!(events(), []);
    });
}

#[test]
fn a_hold_that_is_too_small_is_told() {
    execute(|| {
        crowd(2);
        let (first, second) = (one_of_many(0), one_of_many(1));
        let reason = HoldReason::DisputeBond;
        for who in [&first, &second] {
            assert_ok!(<Balances as UnbalancedHold<_>>::set_balance_on_hold(
                &reason.into(),
                who,
                60
            ));
        }
        events();
        Bonds::<Test>::release(&first, bond_of(1));
        assert_eq!(held(&first), 60);
        // 101 of 202 cannot be paid, so all of it has to be burned.
        assert_eq!(Bonds::<Test>::forfeit(&second, &accused(), bond_of(2)), 0);
        assert_eq!(held(&second), 0);
        let told = [
            UnexpectedKind::ReleaseFailed(reason),
            UnexpectedKind::HoldTooSmall(reason),
        ];
        assert_eq!(events(), told.map(|kind| Event::Unexpected { kind }));
        // Restored, so that the books agree.
        for (number, who) in [first, second].into_iter().enumerate() {
            assert_ok!(<Balances as UnbalancedHold<_>>::set_balance_on_hold(
                &reason.into(),
                &who,
                bond_of(number + 1)
            ));
        }
    });
}
