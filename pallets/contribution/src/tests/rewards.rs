use super::lab::*;
use crate::{mock::*, Error, Event, HoldReason, Rounds};
use frame_support::{
    assert_noop, assert_ok,
    traits::{
        fungible::{InspectHold, Mutate},
        tokens::Preservation,
    },
};
use gotong_protocol::{pay, ClaimItem, Outcome, RoundId, TaskId};
use gotong_scoring::{MasterWeights, Standing};

const FIRST: RoundId = RoundId(0);

#[test]
fn a_settled_round_pays_what_it_owes_to_the_last_planck() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        let id = lab.open();
        let issuance = Balances::total_issuance();
        let table = lab.play(id, 4);
        assert_eq!(table.rows[0].standing, Standing::Admitted);
        assert_eq!(table.rows[1].standing, Standing::Admitted);
        assert_eq!(table.rows[2].standing, Standing::BelowFloor);

        let terms = task(id).terms;
        let owed = pay::owed(100, table.header.paid_gain, SAMPLES, terms.cap_per_round).unwrap();
        assert!(owed > 0);
        let fees = pay::fees(owed, 101).unwrap();
        let settlement = Rounds::<Test>::get(id, FIRST).unwrap().settlement.unwrap();
        assert_eq!(settlement.claim, table.claim());
        assert_eq!((settlement.pot, settlement.fees), (owed - fees, fees));
        assert!(events().contains(&Event::RoundSettled {
            task: id,
            round: FIRST,
            claim: table.claim(),
            owed,
            fees,
        }));
        let paid_to_attesters: Balance = (0..3)
            .map(|number| Balances::free_balance(attester(number)) + 500 - ENDOWMENT)
            .sum();
        assert_eq!(paid_to_attesters, fees);

        for number in 0..2 {
            assert_ok!(claim(
                &contributor(number),
                id,
                FIRST,
                &table,
                number.into()
            ));
        }
        let paid: Balance = (0..4)
            .map(|number| Balances::free_balance(contributor(number)) + 500 - ENDOWMENT)
            .sum();
        assert_eq!(paid + fees, owed);
        assert_eq!(task(id).purse.unclaimed, 0);
        assert_eq!(task(id).purse.pool, POOL - owed);
        assert_eq!(Balances::total_issuance(), issuance);
        // The next round starts from the merged weights.
        let merged = MasterWeights::new(lab.weights.clone()).unwrap().root();
        assert_eq!(task(id).master_root, merged);
        assert_eq!(current(id).base_root, merged);
    });
}

#[test]
fn a_round_pays_at_most_its_cap() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        terms.price_per_millibit = Balance::MAX;
        assert_ok!(lab.open_with(terms, POOL));
        lab.play(TaskId(0), 2);
        assert_eq!(task(TaskId(0)).purse.pool, POOL - 10_000);
    });
}

#[test]
fn a_round_without_gain_pays_nothing_and_changes_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 3);
        let id = lab.open();
        let root = task(id).master_root;
        let harmful = lab.delta(2);
        let who = contributor(2);
        assert_ok!(commit(&who, id, &harmful));
        run_to_phase(id, gotong_protocol::Phase::Reveal);
        assert_ok!(reveal(&who, id, &harmful));
        assert_ok!(lab.publish(id));
        next_block();
        let table = lab.play_attestation(id).table;
        run_blocks(3);
        assert_eq!(table.header.paid_gain, 0);
        let round = Rounds::<Test>::get(id, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        assert_eq!(task(id).purse.pool, POOL);
        assert_eq!(task(id).master_root, root);
        assert_noop!(
            claim(&who, id, FIRST, &table, 0),
            Error::<Test>::NothingToClaim
        );
    });
}

#[test]
fn bad_claims_are_refused_by_name() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        let id = lab.open();
        let table = lab.play(id, 4);
        let who = contributor(0);
        let at = |who: &AccountId, task, round, row| claim(who, task, RoundId(round), &table, row);
        assert_noop!(at(&who, TaskId(9), 0, 0), Error::<Test>::NoSuchTask);
        assert_noop!(at(&who, id, 9, 0), Error::<Test>::NothingToClaim);
        // The next round is under way, and has no settlement.
        assert_noop!(at(&who, id, 1, 0), Error::<Test>::NothingToClaim);
        assert_noop!(at(&account(50), id, 0, 0), Error::<Test>::NothingToClaim);
        assert_noop!(at(&who, id, 0, 1), Error::<Test>::ForeignRow);
        // A delta that was not admitted has no share.
        assert_noop!(at(&contributor(2), id, 0, 2), Error::<Test>::NothingToClaim);
        let mut inflated = table.clone();
        inflated.rows[0].share *= 2;
        assert_noop!(
            claim(&who, id, FIRST, &inflated, 0),
            Error::<Test>::ProofInvalid
        );
        let mut item = ClaimItem {
            task: id,
            round: FIRST,
            proof: table.prove_share(0).unwrap(),
        };
        item.proof.proof.siblings.pop();
        let items = vec![item].try_into().unwrap();
        assert_noop!(
            Contribution::claim(signed(&who), items),
            Error::<Test>::ProofInvalid
        );
        assert_ok!(at(&who, id, 0, 0));
        assert_noop!(at(&who, id, 0, 0), Error::<Test>::AlreadyClaimed);
    });
}

#[test]
fn a_batch_is_paid_whole_or_not_at_all() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let tables = [lab.play(id, 2), lab.play(id, 2)];
        let who = contributor(0);
        let item = |round: u32| ClaimItem {
            task: id,
            round: RoundId(round),
            proof: tables[round as usize].prove_share(0).unwrap(),
        };
        let batch =
            |items: Vec<ClaimItem>| Contribution::claim(signed(&who), items.try_into().unwrap());
        assert_noop!(
            batch(vec![item(0), item(1), item(0)]),
            Error::<Test>::AlreadyClaimed
        );
        assert_ok!(batch(vec![item(1), item(0)]));
        assert!(crate::ClaimItems::try_from(vec![item(0); 33]).is_err());
    });
}

#[test]
fn an_account_that_is_gone_cannot_be_paid_below_the_existential_deposit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        terms.cap_per_round = 12;
        assert_ok!(lab.open_with(terms, POOL));
        let table = lab.play(TaskId(0), 2);
        let who = contributor(0);
        assert_ok!(Contribution::unstake(signed(&who), 500));
        run_blocks(UnbondingBlocks::get());
        assert_ok!(Contribution::withdraw(signed(&who)));
        let all = Balances::free_balance(&who);
        assert_ok!(Balances::transfer(
            &who,
            &account(60),
            all,
            Preservation::Expendable
        ));
        assert_noop!(
            claim(&who, TaskId(0), FIRST, &table, 0),
            Error::<Test>::PayeeBelowExistentialDeposit
        );
        assert_ok!(Balances::transfer(
            &account(60),
            &who,
            10,
            Preservation::Expendable
        ));
        assert_ok!(claim(&who, TaskId(0), FIRST, &table, 0));
    });
}

#[test]
fn fees_alone_leave_no_pot() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        terms.attester_fee_permille = 1_000;
        assert_ok!(lab.open_with(terms, POOL));
        let table = lab.play(TaskId(0), 2);
        assert_eq!(task(TaskId(0)).purse.unclaimed, 0);
        assert!(task(TaskId(0)).purse.fees > 0);
        assert_noop!(
            claim(&contributor(0), TaskId(0), FIRST, &table, 0),
            Error::<Test>::NothingToClaim
        );
    });
}

#[test]
fn claims_have_no_deadline() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let id = lab.open();
        let table = lab.play(id, 2);
        assert_ok!(Contribution::close_task(signed(&sponsor()), id));
        run_blocks(1_000);
        for number in 0..2 {
            let who = contributor(number);
            assert_ok!(claim(&who, id, FIRST, &table, number.into()));
        }
        let pool = HoldReason::Pool.into();
        assert_eq!(Balances::balance_on_hold(&pool, &sponsor()), 0);
    });
}
