//! Credits that are given up.

use super::lab::*;
use crate::{mock::*, Error, Event, Rounds};
use frame_support::{assert_noop, assert_ok};
use gotong_protocol::{claim::Claimed, ClaimItem, Hash, Ledger, Outcome, RoundId, TaskId};

const TASK: TaskId = TaskId(0);

fn forfeit(who: &AccountId, round: u32) -> sp_runtime::DispatchResult {
    Contribution::forfeit(signed(who), TASK, RoundId(round))
}

fn settlement(round: u32) -> crate::rewards::Settlement {
    let round = Rounds::<Test>::get(TASK, RoundId(round)).unwrap();
    round.settlement.unwrap()
}

/// A false table that nobody disputed names another delta in the row of contributor 0, so that contributor cannot show its credit.
/// It can still continue in the task.
#[test]
fn a_false_table_does_not_stop_claims_for_ever() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let (victim, other) = (contributor(0), contributor(1));
        let first = lab.play(TASK, 2);
        assert_ok!(claim(&victim, TASK, RoundId(0), &first, 0));
        let paid = ledger(TASK, &victim).paid;
        assert!(paid > 0);
        lab.play_to_attestation(TASK, 2);
        let mut score = lab.score(TASK);
        let foreign: Hash = [66; 32];
        let merge = score.table.merge.as_mut().unwrap();
        for row in merge.pay.as_mut().unwrap().rows.iter_mut().take(1) {
            row.delta_hash = foreign;
        }
        lab.weights = score.weights.clone();
        settle(TASK, &score);
        lab.play_to_attestation(TASK, 2);
        let credit = 1i64 << 16;
        let last = invented(&lab, TASK, vec![sure(credit); 2], 2 * credit);
        settle(TASK, &last);
        let third = last.table;
        assert_noop!(
            claim(&victim, TASK, RoundId(1), &score.table, 0),
            Error::<Test>::ForeignRow
        );
        assert_noop!(
            claim(&victim, TASK, RoundId(2), &third, 0),
            Error::<Test>::NotNextClaim
        );
        assert_noop!(forfeit(&victim, 2), Error::<Test>::NotNextClaim);
        assert_noop!(forfeit(&account(50), 1), Error::<Test>::NothingToClaim);
        events();
        assert_ok!(forfeit(&victim, 1));
        let told = Event::Forfeited {
            task: TASK,
            round: RoundId(1),
            who: victim.clone(),
        };
        assert!(events().contains(&told));
        // It begins anew, and keeps what it was paid.
        let account = ledger(TASK, &victim);
        assert_eq!((account.ledger, account.paid), (Ledger::default(), paid));
        assert_eq!(account.forfeited, Some(RoundId(1)));
        assert!(!Contribution::ledgers(victim.clone(), TASK).items[0].is_proven);
        assert_eq!(
            submission(TASK, RoundId(1), &victim).claimed,
            Some(Claimed::default())
        );
        assert_noop!(forfeit(&victim, 1), Error::<Test>::AlreadyClaimed);
        assert_eq!((settlement(1).claims, settlement(1).forfeits), (1, 1));
        Contribution::do_try_state().unwrap();

        assert_ok!(claim(&victim, TASK, RoundId(2), &third, 0));
        let account = ledger(TASK, &victim);
        assert_eq!(account.ledger.sum, credit);
        assert!(account.paid > paid);
        // What the other is owed was kept, and what nobody can be owed any more goes back.
        for (round, table) in [(0, &first), (1, &score.table), (2, &third)] {
            assert_ok!(claim(&other, TASK, RoundId(round), table, 1));
            assert_eq!(settlement(round).reserved(), 0);
        }
    });
}

/// Leaving out a credit below zero is not free: everything before it is lost, too.
#[test]
fn who_forfeits_harm_begins_anew() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let big = 1i64 << 18;
        let who = contributor(0);
        let mut play = |credits: [i64; 2]| {
            lab.play_to_attestation(TASK, 2);
            let score = invented(&lab, TASK, credits.map(sure).to_vec(), credits.iter().sum());
            settle(TASK, &score);
            score.table
        };
        let rounds = [[big, big], [-big, 2 * big], [big, big]].map(&mut play);
        assert_ok!(claim(&who, TASK, RoundId(0), &rounds[0], 0));
        let paid = ledger(TASK, &who).paid;
        assert_ok!(forfeit(&who, 1));
        assert_ok!(claim(&who, TASK, RoundId(2), &rounds[2], 0));
        // A new account would have been paid as much for the third, and would not have had to stake again.
        let account = ledger(TASK, &who);
        assert_eq!((account.ledger.sum, account.paid), (big, 2 * paid));
    });
}

#[test]
fn only_a_credit_can_be_forfeited() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        lab.open();
        let who = contributor(0);
        assert_noop!(forfeit(&who, 0), Error::<Test>::NothingToClaim);
        lab.play_to_attestation(TASK, 1);
        assert_noop!(forfeit(&who, 0), Error::<Test>::NothingToClaim);
        withhold_tables(TASK, &lab.score(TASK));
        let round = Rounds::<Test>::get(TASK, RoundId(0)).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        assert_noop!(forfeit(&who, 0), Error::<Test>::NothingToForfeit);
        let bare = ClaimItem {
            task: TASK,
            round: RoundId(0),
            proof: None,
        };
        assert_ok!(claim_all(&who, vec![bare]));
    });
}
