//! Published credits: what accounts see of what they are owed, and who could gain by publishing.

use super::lab::*;
use crate::{ledgers::Account, mock::*, Credits, Error, Event, Rounds, Submissions, Tasks};
use frame_support::{
    assert_noop, assert_ok,
    dispatch::{DispatchResultWithPostInfo, Pays},
};
use gotong_protocol::{
    bounds,
    view::{ClaimableView, Duty, DutyKind, RewardState},
    ClaimItem, CreditProof, Phase, RoundId, TaskId,
};
use gotong_scoring::ShareTable;

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);
const SECOND: RoundId = RoundId(1);
const THIRD: RoundId = RoundId(2);
/// A credit that is large enough for one round to prove something.
const BIG: i64 = 1 << 18;

fn proofs(table: &ShareTable, rows: &[u32]) -> Vec<CreditProof> {
    let proof = |row: &u32| table.prove_credit(*row).unwrap();
    rows.iter().map(proof).collect()
}

fn publish(round: RoundId, table: &ShareTable, rows: &[u32]) -> DispatchResultWithPostInfo {
    publish_credits(TASK, round, proofs(table, rows))
}

/// What somebody has to pay for publishing.
fn fee(published: DispatchResultWithPostInfo) -> Pays {
    published.unwrap().pays_fee
}

/// Claims as a wallet does: with no more than the view says.
fn claim_known(who: &AccountId) -> sp_runtime::DispatchResult {
    let view = claimable(who).unwrap();
    let bare = |round| ClaimItem {
        task: TASK,
        round,
        proof: None,
    };
    claim_all(who, view.rounds.into_iter().map(bare).collect())
}

fn claimable(who: &AccountId) -> Option<ClaimableView> {
    let view = Contribution::claimable(TASK, who.clone());
    let listed = Contribution::claimables(who.clone(), TASK);
    assert_eq!(
        (listed.items, listed.next),
        (Vec::from_iter(view.clone()), None)
    );
    view
}

fn claim_duty(who: &AccountId) -> Option<Duty> {
    let duties = Contribution::duties(who.clone(), TASK).items;
    duties.into_iter().find(|duty| duty.what == DutyKind::Claim)
}

fn expiry(round: RoundId) -> u32 {
    let round = Rounds::<Test>::get(TASK, round).unwrap();
    round.settlement.unwrap().expires_at
}

fn known_credits() -> usize {
    Credits::<Test>::iter().count()
}

/// A round in which these credits are certain.
fn play_certain<const N: usize>(lab: &mut Lab, credits: [i64; N]) -> ShareTable {
    lab.play_to_attestation(TASK, N as u8);
    let score = invented(lab, TASK, credits.map(sure).to_vec(), credits.iter().sum());
    settle(TASK, &score);
    score.table
}

#[test]
fn a_wallet_sees_what_it_is_owed_and_claims_it_without_a_proof() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let (who, other) = (contributor(0), contributor(1));
        assert_eq!(claimable(&who), None);
        let table = lab.play(TASK, 2);
        // Until somebody publishes a credit, its amount is unknown, and nothing is promised.
        let unknown = ClaimableView {
            task: TASK,
            rounds: vec![],
            pays: 0,
            until: None,
            unknown: vec![FIRST],
            unknown_until: Some(expiry(FIRST)),
        };
        assert_eq!(claimable(&who), Some(unknown));
        assert_eq!(claim_duty(&who), None);
        let state = |who: &AccountId| {
            let page = Contribution::task_rewards(TASK, who.clone(), FIRST);
            page.items[0].state
        };
        assert_eq!(state(&who), RewardState::Claimable { credit: None });

        events();
        assert_eq!(fee(publish(FIRST, &table, &[0, 1])), Pays::No);
        let published = events();
        assert_eq!(published.len(), 2);
        let claim = claim_of_round(FIRST);
        let credit = |row| {
            table
                .prove_credit(row)
                .unwrap()
                .verify(&claim)
                .unwrap()
                .credit
        };
        for (who, row) in [(&who, 0), (&other, 1)] {
            let told = Event::CreditPublished {
                task: TASK,
                round: FIRST,
                who: who.clone(),
                credit: credit(row),
            };
            assert!(published.contains(&told));
            let credit = Some(credit(row));
            assert_eq!(state(who), RewardState::Claimable { credit });
            let submission = Contribution::submissions(TASK, FIRST, row).items.remove(0);
            assert_eq!(submission.credit, credit);
            // Nobody can claim for another account.
            assert_eq!(ledger(TASK, who).next, Some(FIRST));
            let (view, free) = (claimable(who).unwrap(), Balances::free_balance(who));
            assert_eq!(
                (view.rounds.as_slice(), view.unknown.len()),
                ([FIRST].as_slice(), 0)
            );
            assert_eq!(view.until, Some(expiry(FIRST)));
            let duty = claim_duty(who).unwrap();
            assert_eq!((duty.round, duty.ends_at), (FIRST, expiry(FIRST)));
            assert_eq!(duty.phase, Phase::Ended);
            assert_ok!(claim_known(who));
            assert!(view.pays > 0);
            assert_eq!(Balances::free_balance(who) - free, view.pays);
            assert_eq!((claimable(who), claim_duty(who)), (None, None));
        }
        assert_eq!(known_credits(), 0);
    });
}

fn claim_of_round(round: RoundId) -> gotong_protocol::ShareClaim {
    Contribution::round(TASK, round).unwrap().claim.unwrap()
}

/// An account that did not reveal, or never took part, has nothing to claim at all.
#[test]
fn who_earned_nothing_is_promised_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(5, 3);
        lab.open();
        for number in 0..5 {
            assert_ok!(commit(&contributor(number), TASK, &lab.delta(number)));
        }
        run_to_phase(TASK, Phase::Reveal);
        for number in 0..4 {
            assert_ok!(reveal(&contributor(number), TASK, &lab.delta(number)));
        }
        run_blocks(3);
        assert_ok!(lab.publish(TASK));
        run_to_phase(TASK, Phase::AttestCommit);
        // The third did harm, and the fourth nothing.
        let credits = [BIG, 2 * BIG, -BIG, 0].map(sure).to_vec();
        let score = invented(&lab, TASK, credits, 2 * BIG);
        settle(TASK, &score);
        assert_ok!(publish(FIRST, &score.table, &[0, 1, 2, 3]));
        for number in [2, 3] {
            let who = contributor(number);
            let view = claimable(&who).unwrap();
            assert_eq!((view.pays, view.until), (0, None));
            assert!(view.unknown.is_empty());
            assert_eq!(claim_duty(&who), None);
        }
        for who in [contributor(4), attester(0), sponsor(), account(50)] {
            assert_eq!(claimable(&who), None);
            assert_eq!(claim_duty(&who), None);
        }
        // Two accounts that earned something each see their own pay.
        let pays = |number| claimable(&contributor(number)).unwrap().pays;
        assert!(pays(0) > 0 && pays(1) > 0 && pays(0) != pays(1));
    });
}

/// This holds from the first round whose credit is not known; and negative credits count.
#[test]
fn what_several_rounds_pay_is_exact_or_not_known() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let rounds = [[BIG, BIG], [-BIG, BIG], [2 * BIG, BIG]];
        let tables = rounds.map(|credits| play_certain(&mut lab, credits));
        let who = contributor(0);
        let seen = || {
            let view = claimable(&who).unwrap();
            let numbers = |rounds: Vec<RoundId>| rounds.iter().map(|one| one.0).collect();
            let [known, unknown]: [Vec<u32>; 2] = [numbers(view.rounds), numbers(view.unknown)];
            (known, unknown, view.pays)
        };
        // This is out of order: nothing follows from it, and nothing is claimed.
        assert_ok!(publish(THIRD, &tables[2], &[0]));
        assert_eq!(seen(), (vec![], vec![0, 1, 2], 0));
        let item = ClaimItem {
            task: TASK,
            round: THIRD,
            proof: None,
        };
        assert_noop!(claim_all(&who, vec![item]), Error::<Test>::NotNextClaim);
        assert_ok!(publish(FIRST, &tables[0], &[0]));
        let (known, unknown, first) = seen();
        assert_eq!((known, unknown), (vec![0], vec![1, 2]));
        assert!(first > 0);
        assert_ok!(publish(SECOND, &tables[1], &[0]));
        let (known, unknown, all) = seen();
        assert_eq!((known, unknown), (vec![0, 1, 2], vec![]));
        // The third makes up for the harm of the second before more is paid.
        let view = Contribution::ledger(TASK, who.clone()).unwrap();
        assert_eq!((view.ledger.sum, view.paid), (0, 0));
        let free = Balances::free_balance(&who);
        assert_ok!(claim_known(&who));
        assert_eq!(Balances::free_balance(&who) - free, all);
        assert_eq!(ledger(TASK, &who).ledger.sum, 2 * BIG);
        let paid = |round| submission(TASK, round, &who).claimed.unwrap().paid;
        assert_eq!((paid(FIRST), paid(SECOND)), (first, 0));
        assert_eq!(first + paid(THIRD), all);
        // Half of what it is credited, except for rounding.
        assert!(paid(THIRD).abs_diff(first) <= 1);
    });
}

/// Rounds that merged nothing are known to pay nothing. They are claimed in their order, and nobody publishes them.
#[test]
fn void_rounds_need_nothing_published() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let who = contributor(0);
        let delta = lab.delta(7);
        lab.submit(TASK, &[(who.clone(), delta)]);
        let void = lab.finish(TASK);
        assert_eq!(void.merge, None);
        let view = claimable(&who).unwrap();
        assert_eq!((view.rounds, view.pays), (vec![FIRST], 0));
        assert_eq!(claim_duty(&who), None);
        let second = lab.play(TASK, 2);
        let foreign = proofs(&second, &[0]);
        assert_noop!(
            publish_credits(TASK, FIRST, foreign),
            Error::<Test>::NothingToPublish
        );
        assert_ok!(publish(SECOND, &second, &[0]));
        let duty = claim_duty(&who).unwrap();
        assert_eq!((duty.round, duty.ends_at), (SECOND, expiry(SECOND)));
        assert_ok!(claim_known(&who));
        assert_eq!(claimable(&who), None);
    });
}

/// Later a claim pays what nobody has released, but it is no longer a duty.
#[test]
fn the_duty_to_claim_ends_with_its_window() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let table = lab.play(TASK, 2);
        let who = contributor(0);
        assert_ok!(publish(FIRST, &table, &[0, 1]));
        let end = expiry(FIRST);
        run_blocks(end - System::block_number() - 1);
        let duty = claim_duty(&who).unwrap();
        assert_eq!(duty.ends_at, end);
        // Full blocks are not counted.
        run_full_blocks(2);
        assert_eq!(claim_duty(&who).unwrap().ends_at, end + 2);
        next_block();
        assert_eq!(claim_duty(&who), None);
        assert!(claimable(&who).unwrap().pays > 0);
        assert_ok!(Contribution::release(signed(&account(50)), TASK, FIRST));
        let view = claimable(&who).unwrap();
        assert_eq!((view.rounds, view.pays, view.until), (vec![FIRST], 0, None));
        assert_ok!(claim_known(&who));
        assert!(ledger(TASK, &who).ledger.proved > 0);
    });
}

/// Each credit is published once, and a call is free only if all its credits are new. So the number of free calls is bounded by the
/// reveals, which were paid for.
#[test]
fn publishing_again_costs_a_fee_and_does_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        lab.open();
        let table = lab.play(TASK, 4);
        let nothing = Error::<Test>::NothingToPublish;
        assert_noop!(publish(FIRST, &table, &[]), nothing);
        assert_eq!(fee(publish(FIRST, &table, &[0])), Pays::No);
        assert_noop!(
            publish(FIRST, &table, &[0, 0]),
            Error::<Test>::NothingToPublish
        );
        // The call is padded with known credits, from the same call or from before.
        assert_eq!(fee(publish(FIRST, &table, &[0, 1])), Pays::Yes);
        assert_eq!(fee(publish(FIRST, &table, &[2, 2])), Pays::Yes);
        assert_eq!(known_credits(), 3);
        // What is claimed is not stored any more.
        assert_ok!(claim(&contributor(3), TASK, FIRST, &table, 3));
        assert_noop!(
            publish(FIRST, &table, &[3]),
            Error::<Test>::NothingToPublish
        );
        assert_ok!(claim_known(&contributor(0)));
        assert_noop!(
            publish(FIRST, &table, &[0]),
            Error::<Test>::NothingToPublish
        );
        assert_eq!(known_credits(), 2);
        let many = vec![table.prove_credit(0).unwrap(); bounds::MAX_PUBLISHED as usize + 1];
        assert!(crate::CreditProofs::try_from(many).is_err());
    });
}

#[test]
fn false_credits_are_refused() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let first = lab.play(TASK, 2);
        let second = play_certain(&mut lab, [BIG, BIG]);
        let refused = |round, proof, error: Error<Test>| {
            // It makes no difference if a good one comes with it.
            let good = proofs(&first, &[1]).remove(0);
            assert_noop!(publish_credits(TASK, round, vec![good, proof]), error);
        };
        let mut more = proofs(&first, &[0]).remove(0);
        more.row.parts = vec![1 << 30; 16].into();
        refused(FIRST, more, Error::ProofInvalid);
        let mut foreign = proofs(&first, &[0]).remove(0);
        foreign.row.delta_hash = [9; 32];
        refused(FIRST, foreign, Error::ProofInvalid);
        refused(FIRST, proofs(&second, &[0]).remove(0), Error::ProofInvalid);
        // A round under way, and one that is not there.
        for round in [THIRD, RoundId(9)] {
            refused(
                round,
                proofs(&first, &[0]).remove(0),
                Error::NothingToPublish,
            );
        }
        let origin = RuntimeOrigin::none();
        let bounded = proofs(&first, &[0]).try_into().unwrap();
        let unsigned = Contribution::publish_credits(origin, TASK, FIRST, bounded);
        assert_eq!(unsigned, Err(sp_runtime::DispatchError::BadOrigin.into()));
        assert_eq!(known_credits(), 0);
    });
}

/// A false table that nobody disputed names a delta that nobody revealed in the round: one of another round, or none at all.
#[test]
fn rows_of_no_entrant_are_nobodys_credit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let first = lab.play(TASK, 2);
        let of_before = first.records[0].delta_hash;
        let deltas = [0, 1].map(|number| (contributor(number), lab.delta(5 + number)));
        lab.submit(TASK, &deltas);
        let mut score = invented(&lab, TASK, vec![sure(BIG), sure(BIG)], 2 * BIG);
        let pay = score.table.merge.as_mut().unwrap().pay.as_mut().unwrap();
        pay.rows[0].delta_hash = of_before;
        pay.rows[1].delta_hash = [66; 32];
        settle(TASK, &score);
        for row in [0, 1] {
            assert_noop!(
                publish(SECOND, &score.table, &[row]),
                Error::<Test>::ForeignRow
            );
        }
        // The round's accounts see that nothing is known about it, and can still give up their credits.
        let who = contributor(0);
        assert_ok!(publish(FIRST, &first, &[0, 1]));
        assert_ok!(claim_known(&who));
        let view = claimable(&who).unwrap();
        assert_eq!((view.rounds, view.unknown), (vec![], vec![SECOND]));
        assert_ok!(Contribution::forfeit(signed(&who), TASK, SECOND));
        assert_eq!(claimable(&who), None);
    });
}

/// A false table has two rows for the same delta, and its author's friend publishes the worse one. The account claims with a proof
/// of its own.
#[test]
fn a_proof_that_is_given_counts_for_more_than_what_was_published() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        lab.play_to_attestation(TASK, 2);
        let mut score = invented(&lab, TASK, vec![sure(BIG), sure(-BIG)], 0);
        let pay = score.table.merge.as_mut().unwrap().pay.as_mut().unwrap();
        pay.rows[1].delta_hash = pay.rows[0].delta_hash;
        settle(TASK, &score);
        let who = contributor(0);
        assert_ok!(publish(FIRST, &score.table, &[1]));
        assert_eq!(claimable(&who).unwrap().pays, 0);
        assert_ok!(claim(&who, TASK, FIRST, &score.table, 0));
        assert!(submission(TASK, FIRST, &who).claimed.unwrap().credit > 0);
        assert_eq!(known_credits(), 0);
    });
}

/// An account that did harm may still give that credit up, together with everything that it had gathered. It changes nothing that
/// others know about it.
#[test]
fn what_is_published_is_not_claimed_for_anybody() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let first = play_certain(&mut lab, [BIG, BIG]);
        let who = contributor(0);
        assert_ok!(claim(&who, TASK, FIRST, &first, 0));
        let before: Account = ledger(TASK, &who);
        let second = play_certain(&mut lab, [-BIG, 2 * BIG]);
        let unclaimed = ledger(TASK, &who);
        assert_ok!(publish(SECOND, &second, &[0, 1]));
        assert_eq!(ledger(TASK, &who), unclaimed);
        assert_eq!(unclaimed.ledger, before.ledger);
        assert_eq!(claim_duty(&who), None);
        assert_ok!(Contribution::forfeit(signed(&who), TASK, SECOND));
        assert_eq!(ledger(TASK, &who).ledger, Default::default());
        assert_eq!(known_credits(), 1);
        assert_noop!(
            publish(SECOND, &second, &[0]),
            Error::<Test>::NothingToPublish
        );
    });
}

#[test]
fn what_grows_comes_in_pages() {
    ExtBuilder::default().build().execute_with(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        lab.play(TASK, 2);
        let (who, seated) = (contributor(0), attester(0));
        let most = bounds::MAX_PAGE;
        let last = RoundId(2 * most + 5);
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        let own = submission(TASK, FIRST, &who);
        for number in 1..=last.0 {
            let id = RoundId(number);
            Rounds::<Test>::insert(TASK, id, &round);
            let mut one = own.clone();
            one.next = Some(RoundId(number + 1)).filter(|next| *next <= last);
            Submissions::<Test>::insert((TASK, id), &who, &one);
        }
        Submissions::<Test>::mutate((TASK, FIRST), &who, |one| {
            one.as_mut().unwrap().next = Some(SECOND);
        });
        Tasks::<Test>::mutate(TASK, |task| task.as_mut().unwrap().round = last);
        for (who, is_paid) in [(&who, false), (&seated, true)] {
            let mut start = Some((TASK, FIRST));
            let mut seen = Vec::new();
            while let Some(from) = start {
                let page = Contribution::rewards(who.clone(), from);
                assert!(page.items.len() <= most as usize);
                seen.extend(page.items);
                start = page.next;
            }
            let rounds = seen.iter().map(|reward| reward.round.0);
            assert!(rounds.eq(0..=last.0));
            let paid = |reward: &gotong_protocol::view::RewardView| {
                matches!(reward.state, RewardState::Paid(_))
            };
            assert!(seen.iter().all(|reward| paid(reward) == is_paid));
            let page = Contribution::task_rewards(TASK, who.clone(), RoundId(most));
            assert_eq!(page.items[..], seen[most as usize..2 * most as usize]);
            assert_eq!(page.next, Some(RoundId(2 * most)));
        }
        // They are the first of the waiting ones.
        let view = Contribution::claimable(TASK, who).unwrap();
        assert_eq!(view.rounds.len() + view.unknown.len(), most as usize);

        for index in 2..most + 7 {
            let mut one = own.clone();
            one.index = index;
            let [low, high, ..] = index.to_le_bytes();
            let mut raw = [200; 32];
            (raw[0], raw[1]) = (low, high);
            Submissions::<Test>::insert((TASK, FIRST), AccountId::new(raw), &one);
        }
        let first = Contribution::submissions(TASK, FIRST, 0);
        assert!(first.items.iter().map(|one| one.index).eq(0..most));
        let rest = Contribution::submissions(TASK, FIRST, first.next.unwrap());
        assert!(rest.items.iter().map(|one| one.index).eq(most..most + 7));
        assert_eq!(rest.next, None);
    });
}
