use super::lab::*;
use crate::{mock::*, Call, Contributors, Error, Event, HoldReason, Registrations, SlashReason};
use frame_support::{
    assert_noop, assert_ok, dispatch::CheckIfFeeless, traits::fungible::InspectHold,
};
use gotong_protocol::{Phase, Roles};

fn staked(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Stake.into(), who)
}

#[test]
fn registering_holds_the_stake_and_enters_no_registry() {
    ExtBuilder::default().build_and_execute(|| {
        let who = account(5);
        assert_ok!(Contribution::register(signed(&who), Roles::BOTH, 300));
        assert_eq!(staked(&who), 300);
        assert_eq!(listed(), [], "attesters volunteer");
        assert_eq!(Contributors::<Test>::get().active, 1);
        let registered = Event::Registered {
            who,
            roles: Roles::BOTH,
            stake: 300,
        };
        assert_eq!(events(), [registered]);
    });
}

#[test]
fn bad_registrations_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let who = account(5);
        let register = |roles, stake| Contribution::register(signed(&who), roles, stake);
        let none = Roles {
            contributor: false,
            attester: false,
        };
        assert_noop!(register(none, 300), Error::<Test>::NoRoles);
        assert_noop!(register(Roles::CONTRIBUTOR, 0), Error::<Test>::StakeTooLow);
        assert_noop!(register(Roles::CONTRIBUTOR, 99), Error::<Test>::StakeTooLow);
        assert_noop!(register(Roles::ATTESTER, 199), Error::<Test>::StakeTooLow);
        assert_noop!(register(Roles::BOTH, 199), Error::<Test>::StakeTooLow);
        assert_noop!(register(Roles::BOTH, ENDOWMENT), Error::<Test>::FundsTooLow);
        assert_noop!(
            register(Roles::BOTH, Balance::MAX),
            Error::<Test>::FundsTooLow
        );
        assert_ok!(register(Roles::CONTRIBUTOR, 100));
        assert_noop!(
            register(Roles::ATTESTER, 300),
            Error::<Test>::AlreadyRegistered
        );
    });
}

#[test]
fn stake_is_added() {
    ExtBuilder::default().build_and_execute(|| {
        let who = attester(0);
        let add = |amount| Contribution::add_stake(signed(&who), amount);
        assert_noop!(add(1), Error::<Test>::NotRegistered);
        register(0, 1);
        assert_noop!(add(0), Error::<Test>::ZeroAmount);
        assert_noop!(add(Balance::MAX), Error::<Test>::Overflow);
        assert_noop!(add(ENDOWMENT), Error::<Test>::FundsTooLow);
        assert_ok!(add(7));
        assert_eq!(staked(&who), 507);
        assert_eq!(listed(), [(who.clone(), 507)]);
    });
}

#[test]
fn unstaking_waits_and_then_frees() {
    ExtBuilder::default().build_and_execute(|| {
        let who = contributor(0);
        let unstake = |amount| Contribution::unstake(signed(&who), amount);
        let withdraw = || Contribution::withdraw(signed(&who));
        assert_noop!(unstake(1), Error::<Test>::NotRegistered);
        assert_noop!(withdraw(), Error::<Test>::NotRegistered);
        register(1, 0);
        assert_noop!(withdraw(), Error::<Test>::NothingUnbonding);
        assert_noop!(unstake(0), Error::<Test>::ZeroAmount);
        assert_noop!(unstake(501), Error::<Test>::NotEnoughStake);
        assert_noop!(unstake(401), Error::<Test>::StakeTooLow);
        assert_ok!(unstake(400));
        assert_eq!(Contributors::<Test>::get().active, 1);
        assert_noop!(unstake(100), Error::<Test>::UnbondingPending);
        run_blocks(UnbondingBlocks::get() - 1);
        assert_noop!(withdraw(), Error::<Test>::NotYetWithdrawable);
        run_blocks(1);
        assert_ok!(withdraw());
        assert_eq!(staked(&who), 100);

        assert_ok!(unstake(100));
        let count = Contributors::<Test>::get();
        assert_eq!((count.active, count.departures), (0, 1));
        run_blocks(UnbondingBlocks::get());
        assert_ok!(withdraw());
        assert_eq!(Balances::free_balance(&who), ENDOWMENT);
        assert!(!Registrations::<Test>::contains_key(&who));
        assert_ok!(Contribution::register(signed(&who), Roles::ATTESTER, 200));
    });
}

#[test]
fn only_the_way_out_may_be_free_and_only_once() {
    ExtBuilder::default().build_and_execute(|| {
        let who = contributor(0);
        let unstake = |amount| Call::<Test>::unstake { amount }.is_feeless(&signed(&who));
        let withdraw = || Call::<Test>::withdraw {}.is_feeless(&signed(&who));
        assert!(!unstake(500) && !withdraw(), "not registered");
        register(1, 0);
        assert!(unstake(500) && !withdraw());
        for refused in [0, 400, 401, 499, 501, Balance::MAX] {
            assert!(!unstake(refused), "{refused}");
        }
        let other = signed(&contributor(1));
        assert!(!Call::<Test>::unstake { amount: 500 }.is_feeless(&other));
        assert!(!Call::<Test>::unstake { amount: 500 }.is_feeless(&RuntimeOrigin::root()));
        assert!(!Call::<Test>::add_stake { amount: 1 }.is_feeless(&signed(&who)));

        assert_ok!(Contribution::unstake(signed(&who), 500));
        assert!(!unstake(500) && !unstake(1) && !withdraw());
        run_blocks(UnbondingBlocks::get() - 1);
        assert!(!withdraw(), "it is too early");
        run_blocks(1);
        assert!(withdraw() && !unstake(500));
        assert_ok!(Contribution::withdraw(signed(&who)));
        assert!(!unstake(500) && !withdraw(), "not registered any more");
    });
}

#[test]
fn what_left_can_come_back_only_with_the_least_stake() {
    ExtBuilder::default().build_and_execute(|| {
        register(0, 1);
        let who = attester(0);
        assert_ok!(Contribution::unstake(signed(&who), 500));
        assert_eq!(listed(), []);
        assert_noop!(
            Contribution::add_stake(signed(&who), 199),
            Error::<Test>::StakeTooLow
        );
        assert_ok!(Contribution::add_stake(signed(&who), 200));
        assert_eq!(listed(), [], "it has to offer again");
        assert_ok!(offer(&who, 1));
        assert_eq!(listed(), [(who.clone(), 200)]);
    });
}

#[test]
fn stake_that_is_unbonding_is_slashed_for_a_missed_seat() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        lab.play_to_attestation(id, 2);
        let leaver = current(id).seats[0].account.clone();
        assert_ok!(Contribution::unstake(signed(&leaver), 500));
        let score = lab.score(id);
        for seat in &current(id).seats[1..] {
            assert_ok!(commit_attestation(&seat.account, id, &score));
        }
        run_blocks(4);
        assert_eq!(staked(&leaver), 470);
        let registration = Registrations::<Test>::get(&leaver).unwrap();
        assert_eq!(registration.stake, 0);
        assert_eq!(registration.unbonding.unwrap().amount, 470);
        assert!(events().contains(&Event::Slashed {
            who: leaver.clone(),
            amount: 30,
            reason: SlashReason::MissedAttestation,
        }));
        run_blocks(UnbondingBlocks::get());
        assert_ok!(Contribution::withdraw(signed(&leaver)));
        assert_eq!(Balances::free_balance(&leaver), ENDOWMENT - 30);
    });
}

#[test]
fn slashed_below_the_least_stake_an_attester_is_not_drawn() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 0);
        for number in 0..2 {
            let who = attester(number);
            register_attester(&who, Roles::ATTESTER, 210);
        }
        let id = lab.open();
        lab.play_to_attestation(id, 2);
        assert_eq!(current(id).seats.len(), 2);
        let score = lab.score(id);
        for number in 0..2 {
            assert_ok!(commit_attestation(&attester(number), id, &score));
        }
        run_to_phase(id, Phase::Commit);
        assert_eq!(listed(), []);
        assert!(!Contribution::stake(attester(0)).unwrap().active);
        assert_ok!(Contribution::add_stake(signed(&attester(0)), 190));
        assert!(Contribution::stake(attester(0)).unwrap().active);
    });
}

#[test]
fn full_blocks_do_not_count_for_unbonding() {
    ExtBuilder::default().build_and_execute(|| {
        register(1, 0);
        let who = contributor(0);
        run_full_blocks(7);
        assert_ok!(Contribution::unstake(signed(&who), 500));
        let until = || Contribution::stake(who.clone()).unwrap().unbonding.unwrap().1;
        assert_eq!(until(), System::block_number() + UnbondingBlocks::get());
        let told = |event: &Event<Test>| matches!(event, Event::Unstaking { until: at, .. } if *at == until());
        assert!(events().iter().any(told));
        run_blocks(UnbondingBlocks::get() - 1);
        run_full_blocks(50);
        assert_eq!(until(), System::block_number() + 1);
        assert_noop!(
            Contribution::withdraw(signed(&who)),
            Error::<Test>::NotYetWithdrawable
        );
        next_block();
        assert_ok!(Contribution::withdraw(signed(&who)));
    });
}
