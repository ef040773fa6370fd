//! What settled rounds are worth, and how their claims are credited and paid.

use super::lab::*;
use crate::{
    ledgers::Account, mock::*, rewards::Settlement, Error, Event, HoldReason, Ledgers, Rounds,
};
use frame_support::{
    assert_noop, assert_ok,
    traits::{
        fungible::{InspectHold, Mutate},
        tokens::Preservation,
    },
};
use gotong_protocol::{
    bounds, claim::Claimed, pay, ClaimItem, Credit, Ledger, Outcome, Phase, Roles, RoundId, TaskId,
    TaskState, TaskTerms,
};
use gotong_scoring::{share::table::Parts, MasterWeights, ShareTable};

const TASK: TaskId = TaskId(0);
const FIRST: RoundId = RoundId(0);
const SECOND: RoundId = RoundId(1);

fn settlement(round: RoundId) -> Settlement {
    let round = Rounds::<Test>::get(TASK, round).unwrap();
    round.settlement.unwrap()
}

fn claimed(round: RoundId, who: &AccountId) -> Claimed<Balance> {
    submission(TASK, round, who).claimed.unwrap()
}

/// What a table credits its entrant number `row`.
fn credit(round: RoundId, table: &ShareTable, row: u32) -> Credit {
    let claim = settlement(round).claim;
    let proof = table.prove_credit(row).unwrap();
    proof.verify(&claim).unwrap().credit
}

/// What contributors of the lab's terms are owed for what they proved.
fn worth(proved: u64) -> Balance {
    pay::worth(20, proved, PAYING, 899).unwrap()
}

fn held(reason: HoldReason) -> Balance {
    Balances::balance_on_hold(&reason.into(), &sponsor())
}

fn release(round: RoundId) -> sp_runtime::DispatchResult {
    Contribution::release(signed(&account(50)), TASK, round)
}

/// Plays a round of these contributors that settles on an [`invented`] table.
fn play_invented(lab: &mut Lab, parts: Vec<Vec<i64>>, gain: i64) -> ShareTable {
    lab.play_to_attestation(TASK, parts.len() as u8);
    let score = invented(lab, TASK, parts, gain);
    settle(TASK, &score);
    score.table
}

#[test]
fn a_round_credits_its_gain_to_the_unit_and_pays_what_is_proved() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        lab.open();
        let issuance = Balances::total_issuance();
        let table = lab.play(TASK, 4);
        let settlement = settlement(FIRST);
        let merged = settlement.claim.merged.unwrap();
        assert!(merged.gain > 0 && merged.most_credits >= merged.gain as u64);

        let fees = pay::worth(20, merged.gain as u64, PAYING, 101).unwrap();
        // There is one planck for each reveal, because each account's pay is rounded separately.
        let pot = worth(merged.most_credits) + 4;
        assert_eq!((settlement.pot, settlement.fees), (pot, fees));
        assert_eq!(settlement.rate_q32, pay::WHOLE_Q32);
        assert_eq!(
            (task(TASK).purse.pool, task(TASK).purse.reserved),
            (POOL - pot - fees, pot)
        );
        assert!(events().contains(&Event::RoundSettled {
            task: TASK,
            round: FIRST,
            claim: settlement.claim,
            rate_q32: pay::WHOLE_Q32,
            pot,
            fees,
        }));
        let paid_to_attesters: Balance = (0..3)
            .map(|number| Balances::free_balance(attester(number)) + 500 - ENDOWMENT)
            .sum();
        assert_eq!(paid_to_attesters, fees);

        let mut sum = 0;
        for number in 0..4 {
            let who = contributor(number);
            let credit = credit(FIRST, &table, number.into());
            let mut ledger = Ledger::default();
            let proved = ledger.add(&credit, 512);
            assert_ok!(claim(&who, TASK, FIRST, &table, number.into()));
            let expected = Claimed {
                credit: credit.credit,
                proved,
                paid: worth(proved),
            };
            assert_eq!(claimed(FIRST, &who), expected);
            assert_eq!(
                Balances::free_balance(&who) + 500 - ENDOWMENT,
                expected.paid
            );
            assert_eq!(super::lab::ledger(TASK, &who).ledger, ledger);
            // The first two did good, and one round proves it; the others were not merged.
            assert_eq!(expected.paid > 0, number < 2);
            assert_eq!(expected.credit == 0, number >= 2);
            let told = Event::Claimed {
                task: TASK,
                round: FIRST,
                who,
                claimed: expected,
            };
            assert!(events().contains(&told));
            sum += expected.credit;
        }
        assert_eq!(sum, merged.gain);
        let purse = task(TASK).purse;
        assert_eq!(purse.reserved, 0);
        assert_eq!(purse.pool, POOL - fees - purse.claimed);
        assert_eq!(Balances::total_issuance(), issuance);
        // The next round starts from the merged weights.
        let merged = MasterWeights::new(lab.weights.clone()).unwrap().root();
        assert_eq!(task(TASK).master_root, merged);
        assert_eq!(current(TASK).base_root, merged);
    });
}

#[test]
fn a_low_cap_scales_credits_and_their_error() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        terms.price_per_millibit = terms.cap_per_round;
        assert_ok!(lab.open_with(terms, POOL));
        let table = lab.play(TASK, 2);
        let settlement = settlement(FIRST);
        let rate = settlement.rate_q32;
        assert!(rate > 0 && rate < pay::WHOLE_Q32);
        let owed = settlement.pot + settlement.fees;
        assert!(owed <= 10_000 && owed > 9_990, "{owed}");
        for number in 0..2u8 {
            let who = contributor(number);
            let exact = credit(FIRST, &table, number.into());
            assert_ok!(claim(&who, TASK, FIRST, &table, number.into()));
            // The event has the credit before the rate is applied.
            assert_eq!(claimed(FIRST, &who).credit, exact.credit);
            let ledger = ledger(TASK, &who).ledger;
            let scaled = (i128::from(exact.credit) * i128::from(rate)) >> 32;
            assert_eq!(i128::from(ledger.sum), scaled);
            let square = u128::from(rate) * u128::from(rate);
            let variance = pay::mul_div(exact.variance, square, 1 << 64).unwrap();
            assert!(exact.variance > 0);
            assert!((variance..=variance + 3).contains(&ledger.variance));
            let proved = pay::worth(10_000, ledger.proved, PAYING, 899).unwrap();
            assert!(proved > 0);
            assert_eq!(claimed(FIRST, &who).paid, proved);
        }
    });
}

/// This holds even if the budget has no more than that.
#[test]
fn a_round_pays_at_most_its_cap() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        (terms.price_per_millibit, terms.cap_per_round) = (4_096, 4_096);
        assert_ok!(lab.open_with(terms, 4_096));
        play_invented(&mut lab, vec![sure(1 << 24); 2], 1 << 25);
        let purse = task(TASK).purse;
        assert!(purse.pool < 4, "{purse:?}");
        assert!(purse.fees > 0 && purse.reserved > purse.fees);
    });
}

#[test]
fn a_harmful_delta_is_dropped_and_claimed_without_a_proof() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 3);
        lab.open();
        let root = task(TASK).master_root;
        let who = contributor(2);
        let delta = lab.delta(2);
        lab.submit(TASK, &[(who.clone(), delta)]);
        let table = lab.finish(TASK);
        assert_eq!(table.merge, None);
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Settled));
        assert_eq!(round.settlement.unwrap().claim.merged, None);
        assert_eq!(
            (task(TASK).purse.pool, task(TASK).master_root),
            (POOL, root)
        );
        assert_eq!(item(TASK, FIRST, &table, 0).proof, None);
        assert_ok!(claim(&who, TASK, FIRST, &table, 0));
        assert_eq!(claimed(FIRST, &who), Claimed::default());
        assert_eq!(ledger(TASK, &who).ledger, Ledger::default());
    });
}

#[test]
fn one_contributor_is_credited_all_of_the_gain() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        lab.open();
        let table = lab.play(TASK, 1);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        let merged = settlement(FIRST).claim.merged.unwrap();
        assert!(merged.gain > 0);
        assert_eq!(claimed(FIRST, &contributor(0)).credit, merged.gain);
    });
}

/// A useless delta is sometimes merged by luck on A, and then does harm on B.
#[test]
fn a_merge_that_harms_on_b_is_credited_and_pays_nobody() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::trained();
        register(1, 3);
        lab.open();
        let who = contributor(0);
        let delta = lab.noise(0);
        assert_ok!(commit(&who, TASK, &delta));
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&who, TASK, &delta));
        assert_ok!(lab.publish(TASK));
        run_to_phase(TASK, Phase::AttestCommit);
        // The draw of the halves decides, so the test searches for a suitable draw.
        let unlucky = (0..500u64).find_map(|seed| {
            let drawn = gotong_scoring::blake2_256(&[&seed.to_le_bytes()]);
            Rounds::<Test>::mutate(TASK, FIRST, |round| {
                round.as_mut().unwrap().seed = Some(drawn)
            });
            let score = lab.score(TASK);
            let merged = claim_of(TASK, &score.table).merged?;
            (merged.gain < 0).then_some(score)
        });
        let score = unlucky.unwrap();
        settle(TASK, &score);
        let settlement = settlement(FIRST);
        let gain = settlement.claim.merged.unwrap().gain;
        assert_eq!(settlement.fees, 0);
        assert_ok!(claim(&who, TASK, FIRST, &score.table, 0));
        let expected = Claimed {
            credit: gain,
            ..Claimed::default()
        };
        assert_eq!(claimed(FIRST, &who), expected);
        assert_eq!(ledger(TASK, &who).ledger.sum, gain);
        assert_eq!(task(TASK).purse.pool, POOL);
    });
}

#[test]
fn harm_is_made_good_before_more_is_paid() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let big = 1i64 << 18;
        // Values add up to the gain, so they are the credits.
        let rounds = [[big, big], [-big, big], [big, big], [big / 2, big]];
        for (number, credits) in (0..).zip(rounds) {
            let parts = credits.map(sure).to_vec();
            let table = play_invented(&mut lab, parts, credits.iter().sum());
            for (row, credit) in (0..).zip(credits) {
                let who = contributor(row as u8);
                assert_ok!(claim(&who, TASK, RoundId(number), &table, row));
                assert_eq!(claimed(RoundId(number), &who).credit, credit);
            }
        }
        let paid = |number: u8| {
            let paid = (0..4).map(|round| claimed(RoundId(round), &contributor(number)).paid);
            paid.collect::<Vec<_>>()
        };
        let one = worth(big as u64);
        assert!(one > 100);
        // Its harm is not taken back, so it has to make up for it.
        assert_eq!(paid(0), [one, 0, 0, worth(big as u64 * 3 / 2) - one]);
        let two: Balance = paid(1).iter().sum();
        assert_eq!(two, worth(4 * big as u64));
        assert_eq!(paid(1)[0], one);
    });
}

/// A round on weights that nothing can improve, although something may be merged by luck.
#[test]
fn noise_proves_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::trained();
        register(12, 3);
        let mut terms = lab.terms();
        // These are the lowest floors possible.
        terms.share.newcomer_floor_q8 = 128;
        terms.share.gain_floor_q8 = 0;
        assert_ok!(lab.open_with(terms, POOL));
        let mut merged = 0;
        for round in 0..SHARDS as u8 {
            let deltas: Vec<_> = (0..12u8)
                .map(|number| (contributor(number), lab.noise(number + 20 * round)))
                .collect();
            lab.submit(TASK, &deltas);
            let table = lab.finish(TASK);
            for number in 0..12u8 {
                let who = contributor(number);
                assert_ok!(claim(
                    &who,
                    TASK,
                    RoundId(round.into()),
                    &table,
                    number.into()
                ));
                let credit = claimed(RoundId(round.into()), &who).credit;
                merged += u32::from(credit != 0);
            }
        }
        assert!(merged > 0);
        for number in 0..12u8 {
            let Account { ledger, paid, .. } = ledger(TASK, &contributor(number));
            assert_eq!((ledger.proved, paid), (0, 0), "{number}: {ledger:?}");
        }
        assert_eq!(task(TASK).purse.claimed, 0);
    });
}

#[test]
fn bad_claims_are_refused_by_name() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(4, 3);
        lab.open();
        let table = lab.play(TASK, 4);
        let second = lab.play(TASK, 4);
        let who = contributor(0);
        let at = |who: &AccountId, task, round, row| claim(who, task, RoundId(round), &table, row);
        assert_noop!(at(&who, TaskId(9), 0, 0), Error::<Test>::NoSuchTask);
        assert_noop!(at(&who, TASK, 9, 0), Error::<Test>::NothingToClaim);
        assert_noop!(at(&account(50), TASK, 0, 0), Error::<Test>::NothingToClaim);
        assert_noop!(at(&who, TASK, 0, 1), Error::<Test>::ForeignRow);
        let next = || claim(&who, TASK, SECOND, &second, 0);
        assert_noop!(next(), Error::<Test>::NotNextClaim);
        let refused = |change: &dyn Fn(&mut ClaimItem), error: Error<Test>| {
            let mut item = item(TASK, FIRST, &table, 0);
            change(&mut item);
            assert_noop!(claim_all(&who, vec![item]), error);
        };
        refused(&|item| item.proof = None, Error::ProofMissing);
        let proof = |change: &dyn Fn(&mut gotong_protocol::CreditProof)| {
            refused(
                &|item| change(item.proof.as_mut().unwrap()),
                Error::ProofInvalid,
            );
        };
        proof(&|proof| proof.row.parts = Parts::from(vec![1 << 30; 16]));
        proof(&|proof| proof.row.parts = Parts::default());
        proof(&|proof| proof.proof.siblings.truncate(1));
        proof(&|proof| proof.passes_hash = [0; 32]);
        proof(&|proof| proof.merge = None);
        proof(&|proof| {
            let merge = proof.merge.as_mut().unwrap();
            merge.pay.as_mut().unwrap().on_b.before.sum += 1;
        });
        // The table of another round.
        let mut other = item(TASK, FIRST, &second, 0);
        assert_noop!(
            claim_all(&who, vec![other.clone()]),
            Error::<Test>::ProofInvalid
        );
        other.round = SECOND;
        // A delta that was not merged is claimed, too, with its own proof.
        assert_noop!(at(&contributor(2), TASK, 0, 3), Error::<Test>::ForeignRow);
        assert_ok!(at(&contributor(2), TASK, 0, 2));
        assert_ok!(at(&who, TASK, 0, 0));
        assert_noop!(at(&who, TASK, 0, 0), Error::<Test>::AlreadyClaimed);
        assert_ok!(claim_all(&who, vec![other]));
        assert_noop!(next(), Error::<Test>::AlreadyClaimed);
        // The round under way.
        assert_noop!(at(&who, TASK, 2, 0), Error::<Test>::NothingToClaim);
        assert_ok!(commit(&who, TASK, &lab.delta(0)));
        assert_noop!(at(&who, TASK, 2, 0), Error::<Test>::NothingToClaim);
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&who, TASK, &lab.delta(0)));
        assert_noop!(at(&who, TASK, 2, 0), Error::<Test>::NothingToClaim);
    });
}

/// Rounds that settled without a merge, or did not settle, are claimed without a proof, and in their order.
#[test]
fn void_rounds_are_claimed_in_their_order_without_a_proof() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::drawn();
        register(2, 3);
        let mut terms = lab.terms();
        if let gotong_protocol::HoldOutTerms::Drawn { rounds, .. } = &mut terms.hold_out {
            *rounds = 9;
        }
        assert_ok!(lab.open_with(terms, POOL));
        let who = contributor(0);
        // Nobody shows a table; claims differ; everything is dropped; and then a good one.
        lab.play_to_attestation(TASK, 2);
        withhold_tables(TASK, &lab.score(TASK));
        lab.play_to_attestation(TASK, 2);
        let truth = lab.score(TASK);
        let says = |who: &AccountId| match *who == attester(0) {
            true => Some(bent(&truth)),
            false => Some(truth.clone()),
        };
        attest(TASK, says);
        audit(TASK, says);
        run_to_phase(TASK, Phase::Commit);
        let delta = lab.delta(7);
        lab.submit(TASK, &[(who.clone(), delta)]);
        lab.finish(TASK);
        let table = lab.play(TASK, 2);
        let outcome = |round| Rounds::<Test>::get(TASK, RoundId(round)).unwrap().outcome;
        let outcomes: Vec<_> = (0..4).map(|round| outcome(round).unwrap()).collect();
        assert_eq!(outcomes[..2], [Outcome::Unattested, Outcome::Disputed]);
        assert_eq!(outcomes[2..], [Outcome::Settled, Outcome::Settled]);

        let bare = |round| ClaimItem {
            task: TASK,
            round: RoundId(round),
            proof: None,
        };
        let good = item(TASK, RoundId(3), &table, 0);
        for proved in 0..3 {
            assert_noop!(
                claim_all(&who, vec![good.clone()]),
                Error::<Test>::NotNextClaim
            );
            let mut with_proof = bare(proved);
            with_proof.proof = good.proof.clone();
            assert_noop!(
                claim_all(&who, vec![with_proof]),
                Error::<Test>::ProofInvalid
            );
            assert_ok!(claim_all(&who, vec![bare(proved)]));
            assert_eq!(claimed(RoundId(proved), &who), Claimed::default());
        }
        assert_noop!(claim_all(&who, vec![bare(3)]), Error::<Test>::ProofMissing);
        assert_ok!(claim_all(&who, vec![good]));
        assert!(claimed(RoundId(3), &who).paid > 0);
        // The other account took no part in the third round.
        let other = contributor(1);
        let last = item(TASK, RoundId(3), &table, 1);
        assert_noop!(
            claim_all(&other, vec![bare(0), bare(1), bare(2)]),
            Error::<Test>::NothingToClaim
        );
        assert_ok!(claim_all(&other, vec![bare(0), bare(1), last]));
    });
}

#[test]
fn who_did_not_reveal_has_nothing_to_claim_and_nothing_in_the_way() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        assert_ok!(commit(&contributor(0), TASK, &lab.delta(0)));
        assert_ok!(commit(&contributor(1), TASK, &lab.delta(1)));
        run_to_phase(TASK, Phase::Reveal);
        assert_ok!(reveal(&contributor(1), TASK, &lab.delta(1)));
        run_blocks(3);
        assert_ok!(lab.publish(TASK));
        run_to_phase(TASK, Phase::AttestCommit);
        let first = lab.finish(TASK);
        let second = lab.play(TASK, 2);
        // Row 0 of the first table belongs to the second contributor.
        assert_noop!(
            claim(&contributor(0), TASK, FIRST, &first, 0),
            Error::<Test>::NothingToClaim
        );
        assert_ok!(claim(&contributor(0), TASK, SECOND, &second, 0));
        assert_ok!(claim(&contributor(1), TASK, FIRST, &first, 0));
        assert_ok!(claim(&contributor(1), TASK, SECOND, &second, 1));
    });
}

#[test]
fn a_batch_is_paid_whole_or_not_at_all() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let tables = [lab.play(TASK, 2), lab.play(TASK, 2)];
        let who = contributor(0);
        let item = |round: u32| item(TASK, RoundId(round), &tables[round as usize], 0);
        assert_noop!(
            claim_all(&who, vec![item(0), item(1), item(0)]),
            Error::<Test>::AlreadyClaimed
        );
        assert_noop!(
            claim_all(&who, vec![item(1), item(0)]),
            Error::<Test>::NotNextClaim
        );
        assert_eq!(ledger(TASK, &who).next, Some(FIRST));
        assert_ok!(claim_all(&who, vec![item(0), item(1)]));
        assert_eq!(ledger(TASK, &who).next, None);
        assert!(crate::ClaimItems::try_from(vec![item(0); 33]).is_err());
    });
}

#[test]
fn an_account_that_is_gone_cannot_be_paid_below_the_existential_deposit() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        // Worth 8 planck.
        let small = 16 * (32 * 65_536 / 1_000 / 16 / 2 - 1);
        assert_eq!(worth(small as u64), 8);
        let table = play_invented(&mut lab, vec![sure(small); 2], 2 * small);
        let who = contributor(0);
        assert_ok!(Contribution::unstake(signed(&who), 500));
        run_blocks(UnbondingBlocks::get());
        assert_ok!(Contribution::withdraw(signed(&who)));
        let all = Balances::free_balance(&who);
        let transfer = |from: &AccountId, to: &AccountId, amount| {
            Balances::transfer(from, to, amount, Preservation::Expendable)
        };
        assert_ok!(transfer(&who, &account(60), all));
        assert_noop!(
            claim(&who, TASK, FIRST, &table, 0),
            Error::<Test>::PayeeBelowExistentialDeposit
        );
        assert_ok!(transfer(&account(60), &who, 10));
        assert_ok!(claim(&who, TASK, FIRST, &table, 0));
        assert_eq!(Balances::free_balance(&who), 18);
    });
}

#[test]
fn fees_alone_leave_contributors_nothing_but_their_ledgers() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = lab.terms();
        terms.attester_fee_permille = 1_000;
        assert_ok!(lab.open_with(terms, POOL));
        let table = lab.play(TASK, 2);
        assert!(task(TASK).purse.fees > 0);
        assert_eq!(task(TASK).purse.reserved, 2);
        for number in 0..2 {
            let who = contributor(number);
            assert_ok!(claim(&who, TASK, FIRST, &table, number.into()));
            let claimed = claimed(FIRST, &who);
            assert!(claimed.paid == 0 && claimed.proved > 0);
        }
        assert_eq!(task(TASK).purse.reserved, 0);
    });
}

#[test]
fn what_is_not_claimed_in_time_can_be_released_by_anybody() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let table = lab.play(TASK, 2);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        let settlement = settlement(FIRST);
        let ended = Rounds::<Test>::get(TASK, FIRST).unwrap().ends_at;
        assert_eq!(settlement.expires_at, ended + ClaimBlocks::get());
        let view = Contribution::round(TASK, FIRST).unwrap();
        assert_eq!(view.expires_at, Some(settlement.expires_at));
        run_blocks(settlement.expires_at - System::block_number() - 1);
        assert_noop!(release(FIRST), Error::<Test>::NotExpired);
        // Full blocks do not count.
        run_full_blocks(3);
        assert_noop!(release(FIRST), Error::<Test>::NotExpired);
        next_block();
        assert_noop!(release(RoundId(9)), Error::<Test>::NothingToRelease);
        assert_noop!(release(SECOND), Error::<Test>::NothingToRelease);
        let (left, pool) = (settlement.reserved(), task(TASK).purse.pool);
        assert!(left > 0);
        events();
        assert_ok!(release(FIRST));
        let released = Event::Released {
            task: TASK,
            round: FIRST,
            amount: left,
        };
        assert_eq!(events(), [released]);
        assert_eq!(
            (task(TASK).purse.pool, task(TASK).purse.reserved),
            (pool + left, 0)
        );
        assert_noop!(release(FIRST), Error::<Test>::NothingToRelease);
        assert_ok!(Contribution::do_try_state());
        // It still counts.
        let late = contributor(1);
        assert_ok!(claim(&late, TASK, FIRST, &table, 1));
        let claimed = claimed(FIRST, &late);
        assert!(claimed.proved > 0 && claimed.paid == 0);
        assert!(ledger(TASK, &late).is_proven(SECOND, 512));
        assert_eq!(Balances::free_balance(&late), ENDOWMENT - 500);
        // And what it proves later is paid.
        let second = lab.play(TASK, 2);
        assert_ok!(claim(&late, TASK, SECOND, &second, 1));
        let Account { ledger, paid, .. } = ledger(TASK, &late);
        assert_eq!(paid, worth(ledger.proved) - worth(claimed.proved));
    });
}

/// Nobody has to release the reserve. Until somebody does, everything is paid, however late.
#[test]
fn a_late_claim_is_paid_as_long_as_the_money_is_there() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        lab.open();
        let table = lab.play(TASK, 2);
        assert_ok!(Contribution::close_task(signed(&sponsor()), TASK));
        run_blocks(1_000);
        for number in 0..2 {
            let who = contributor(number);
            assert_ok!(claim(&who, TASK, FIRST, &table, number.into()));
            let claimed = claimed(FIRST, &who);
            assert!(claimed.paid > 0 && claimed.paid == worth(claimed.proved));
        }
        assert_eq!(held(HoldReason::Pool), 0);
    });
}

#[test]
fn what_nobody_can_be_owed_goes_back_to_the_pool_at_each_claim() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(3, 3);
        lab.open();
        // The first is credited but proves nothing: all of its value comes from one of its groups.
        let mut unsure = vec![0; 16];
        unsure[0] = 1 << 16;
        let parts = vec![unsure, sure(1 << 16), sure(1 << 16)];
        let table = play_invented(&mut lab, parts, 3 << 16);
        let one = worth(1 << 16);
        let before = settlement(FIRST);
        events();
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        assert_eq!(claimed(FIRST, &contributor(0)).paid, 0);
        let after = settlement(FIRST);
        assert_eq!(after.most_credits, before.most_credits - (1 << 16));
        let left = worth(after.most_credits) + 2;
        assert_eq!(
            (after.reserved(), after.released),
            (left, before.pot - left)
        );
        assert!(after.released >= one && left >= 2 * one);
        let told = Event::Released {
            task: TASK,
            round: FIRST,
            amount: after.released,
        };
        assert!(events().contains(&told));
        for number in 1..3u8 {
            assert_ok!(claim(
                &contributor(number),
                TASK,
                FIRST,
                &table,
                number.into()
            ));
            assert_eq!(claimed(FIRST, &contributor(number)).paid, one);
        }
        let purse = task(TASK).purse;
        assert_eq!((purse.reserved, purse.claimed), (0, 2 * one));
        assert_eq!(purse.pool, POOL - purse.fees - 2 * one);
    });
}

/// A task in which one round costs everything except its pool, and the round's table, in which all contributors except the first
/// prove everything.
fn paused(lab: &mut Lab) -> ShareTable {
    let mut terms = lab.terms();
    terms.cap_per_round = 4_096;
    assert_ok!(lab.open_with(terms, 4_096));
    let mut unsure = vec![0; 16];
    unsure[0] = 1 << 22;
    let table = play_invented(lab, vec![unsure, sure(0)], 1 << 22);
    assert_eq!(task(TASK).state, TaskState::Paused);
    table
}

#[test]
fn a_paused_task_goes_on_when_a_claim_leaves_its_pool_enough() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let table = paused(&mut lab);
        let fees = task(TASK).purse.fees;
        assert_ok!(Contribution::top_up(signed(&sponsor()), TASK, fees));
        assert_eq!(task(TASK).state, TaskState::Paused);
        assert_ok!(claim(&contributor(0), TASK, FIRST, &table, 0));
        // One planck is there for the rounding of the other account's pay.
        assert_eq!(task(TASK).state, TaskState::Paused);
        events();
        assert_ok!(claim(&contributor(1), TASK, FIRST, &table, 1));
        assert_eq!(
            (task(TASK).state, task(TASK).round),
            (TaskState::Running, SECOND)
        );
        assert!(events().contains(&Event::RoundStarted {
            task: TASK,
            round: SECOND,
        }));
        assert_eq!(task(TASK).purse.pool, 4_096);
        lab.play_to_attestation(TASK, 2);
    });
}

#[test]
fn a_paused_task_goes_on_when_it_is_released_enough() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        paused(&mut lab);
        let fees = task(TASK).purse.fees;
        assert_ok!(Contribution::top_up(signed(&sponsor()), TASK, fees));
        run_blocks(ClaimBlocks::get());
        assert_eq!(task(TASK).state, TaskState::Paused);
        assert_ok!(release(FIRST));
        assert_eq!(
            (task(TASK).state, task(TASK).round),
            (TaskState::Running, SECOND)
        );
    });
}

/// The claim is paid all the same, and the next attempt finds a place.
#[test]
fn a_claim_does_not_fail_for_want_of_a_place_to_go_on() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let table = paused(&mut lab);
        let fees = task(TASK).purse.fees;
        assert_ok!(Contribution::top_up(signed(&sponsor()), TASK, fees));
        let other = Lab::default();
        let places = [other.open(), other.open(), other.open()];
        for number in 0..2 {
            assert_ok!(claim(
                &contributor(number),
                TASK,
                FIRST,
                &table,
                number.into()
            ));
        }
        assert_eq!(task(TASK).state, TaskState::Paused);
        assert_eq!(task(TASK).purse.pool, 4_096);
        assert_ok!(Contribution::close_task(signed(&sponsor()), places[1]));
        assert_ok!(Contribution::top_up(signed(&sponsor()), TASK, 1));
        assert_eq!(task(TASK).state, TaskState::Running);
    });
}

#[test]
fn what_a_closed_task_does_not_owe_goes_to_its_sponsor() {
    for by_claims in [true, false] {
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = Lab::default();
            register(2, 3);
            lab.open();
            let table = lab.play(TASK, 2);
            assert_ok!(Contribution::close_task(signed(&sponsor()), TASK));
            let (purse, free) = (task(TASK).purse, Balances::free_balance(sponsor()));
            assert_eq!(held(HoldReason::Pool), purse.reserved);
            if by_claims {
                for number in 0..2 {
                    let who = contributor(number);
                    assert_ok!(claim(&who, TASK, FIRST, &table, number.into()));
                }
            } else {
                run_blocks(ClaimBlocks::get());
                assert_ok!(release(FIRST));
            }
            let after = task(TASK).purse;
            let back = purse.reserved - after.claimed;
            assert_eq!((after.reserved, after.returned), (0, purse.returned + back));
            assert_eq!(Balances::free_balance(sponsor()), free + back);
            assert_eq!(held(HoldReason::Pool), 0);
            assert_eq!(after.claimed > 0, by_claims);
        });
    }
}

#[test]
fn the_proven_weigh_more_as_long_as_they_claim() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::drawn();
        register(2, 3);
        let mut terms = lab.terms();
        if let gotong_protocol::HoldOutTerms::Drawn { rounds, .. } = &mut terms.hold_out {
            *rounds = 30;
        }
        assert_ok!(lab.open_with(terms, POOL));
        let who = contributor(0);
        let weight = |round: u32| {
            let one = submission(TASK, RoundId(round), &who);
            (one.weight, one.is_proven)
        };
        let first = lab.play(TASK, 1);
        assert_eq!(weight(0), (50, false));
        // Without its claim nothing is proved.
        let second = lab.play(TASK, 1);
        assert_eq!(weight(1), (50, false));
        assert_ok!(claim(&who, TASK, FIRST, &first, 0));
        assert_ok!(claim(&who, TASK, SECOND, &second, 0));
        lab.play_to_attestation(TASK, 1);
        assert_eq!(weight(2), (50 * 64, true));
        // The attested table has this weight, and so do the entrants.
        let record = &lab.score(TASK).table.records[0];
        assert_eq!((record.weight, record.is_proven), (50 * 64, true));
        let third = lab.finish(TASK);
        // It has not claimed the third, and reveals no more.
        let pass_by = |last: u32| {
            while task(TASK).round.0 < last {
                assert_ok!(commit(&contributor(1), TASK, &lab_delta()));
                let before = task(TASK).round;
                while task(TASK).round == before {
                    next_block();
                }
            }
        };
        pass_by(2 + bounds::CLAIM_ROUNDS);
        let is_proven = || Contribution::ledgers(who.clone(), TaskId(0)).items[0].is_proven;
        assert!(is_proven());
        assert_ok!(commit(&who, TASK, &lab_delta()));
        assert_eq!(weight(2 + bounds::CLAIM_ROUNDS), (50 * 64, true));
        pass_by_one();
        assert!(!is_proven());
        assert_ok!(commit(&who, TASK, &lab_delta()));
        assert_eq!(weight(3 + bounds::CLAIM_ROUNDS), (50, false));
        pass_by_one();
        assert_ok!(claim(&who, TASK, RoundId(2), &third, 0));
        assert!(is_proven());
        assert_ok!(commit(&who, TASK, &lab_delta()));
        assert_eq!(weight(4 + bounds::CLAIM_ROUNDS), (50 * 64, true));
    });
}

/// A delta that is committed and never revealed.
fn lab_delta() -> Vec<u8> {
    vec![1]
}

/// Runs to the next round.
fn pass_by_one() {
    let before = task(TASK).round;
    while task(TASK).round == before {
        next_block();
    }
}

#[test]
fn ledgers_at_their_maximum_are_credited_and_paid_without_an_overflow() {
    ExtBuilder::default().build().execute_with(|| {
        let mut lab = Lab::default();
        register(2, 3);
        Balances::set_balance(&sponsor(), 1 << 90);
        let mut terms = lab.terms();
        (terms.price_per_millibit, terms.cap_per_round) = (bounds::MAX_PRICE, bounds::MAX_PRICE);
        terms.attester_fee_permille = 0;
        assert_ok!(lab.open_with(terms, 1 << 80));
        let most = 1i64 << 62;
        let sure_of_all = Ledger {
            sum: most,
            variance: 0,
            largest: 0,
            proved: most as u64,
        };
        let doubtful = Ledger {
            sum: -most,
            variance: u128::MAX >> 22,
            largest: u128::MAX >> 22,
            proved: most as u64,
        };
        lab.play_to_attestation(TASK, 2);
        for (number, ledger) in (0..).zip([sure_of_all, doubtful]) {
            Ledgers::<Test>::mutate(TASK, contributor(number), |account| {
                account.as_mut().unwrap().ledger = ledger;
            });
        }
        // The largest parts and losses that there are.
        let parts = vec![vec![1 << 40; 16], vec![-(1 << 40); 16]];
        let score = invented(&lab, TASK, parts, 32 * i64::from(u32::MAX));
        settle(TASK, &score);
        let settlement = settlement(FIRST);
        assert!(settlement.pot > 0 && settlement.pot <= bounds::MAX_PRICE);
        for number in 0..2 {
            assert_ok!(claim(
                &contributor(number),
                TASK,
                FIRST,
                &score.table,
                number.into()
            ));
            assert_eq!(claimed(FIRST, &contributor(number)).paid, 0);
        }
        assert_eq!(ledger(TASK, &contributor(0)).ledger.sum, most);
        let view = Contribution::ledgers(contributor(1), TaskId(0)).items[0].clone();
        assert_eq!(view.open, 0);
        assert_eq!(task(TASK).purse.pool, 1 << 80);
    });
}

/// What attesters share for their work in [`pays_for_work`].
const WORK: Balance = 1_001;

/// Terms under which a round that settles also pays [`WORK`].
fn pays_for_work(lab: &Lab) -> TaskTerms<Balance> {
    let terms = lab.terms();
    let evaluations = Balance::from(terms.evaluations(lab.graph.cost()));
    TaskTerms {
        work_fee: (WORK << 30) / evaluations + 1,
        ..terms
    }
}

/// What each seat of a round was paid, with its stake.
fn fees_of(round: RoundId) -> Vec<(Balance, Balance)> {
    let seats = Rounds::<Test>::get(TASK, round).unwrap().seats;
    seats.iter().map(|seat| (seat.stake, seat.fee)).collect()
}

fn sum_of_fees(round: RoundId) -> Balance {
    fees_of(round).iter().map(|(_, fee)| fee).sum()
}

#[test]
fn attesters_are_paid_for_their_work_whatever_a_round_gains() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        assert_ok!(lab.open_with(pays_for_work(&lab), POOL));
        assert_eq!(held(HoldReason::Bond), 10_000 + WORK);
        let harmful = lab.delta(2);
        lab.submit(TASK, &[(contributor(0), harmful)]);
        lab.finish(TASK);
        assert_eq!(settlement(FIRST).claim.merged, None);
        // To the last planck.
        assert_eq!((settlement(FIRST).fees, sum_of_fees(FIRST)), (WORK, WORK));
        let mut each: Vec<_> = fees_of(FIRST).iter().map(|(_, fee)| *fee).collect();
        each.sort_unstable();
        assert_eq!(each, [333, 334, 334]);
        let purse = task(TASK).purse;
        assert_eq!((purse.fees, purse.pool), (WORK, POOL - WORK));

        lab.play(TASK, 2);
        let settlement = settlement(SECOND);
        let gain = settlement.claim.merged.unwrap().gain;
        let of_gain = pay::worth(20, gain as u64, PAYING, 101).unwrap();
        assert!(of_gain > 0);
        assert_eq!(settlement.fees, of_gain + WORK);
        assert_eq!(sum_of_fees(SECOND), of_gain + WORK);
        let pot = worth(settlement.claim.merged.unwrap().most_credits) + 2;
        assert_eq!(settlement.pot, pot);
        assert_eq!(task(TASK).purse.pool, POOL - 2 * WORK - of_gain - pot);
    });
}

/// Otherwise somebody who sends noise and attests it would be paid for each delta.
#[test]
fn more_deltas_are_no_more_work_to_be_paid() {
    for contributors in [1, 5] {
        ExtBuilder::default().build_and_execute(|| {
            let mut lab = Lab::default();
            register(5, 3);
            assert_ok!(lab.open_with(pays_for_work(&lab), POOL));
            let harmful: Vec<_> = (0..contributors)
                .map(|number| (contributor(number), lab.delta(2 + 5 * number)))
                .collect();
            lab.submit(TASK, &harmful);
            lab.finish(TASK);
            assert_eq!(settlement(FIRST).claim.merged, None);
            assert_eq!(task(TASK).purse.fees, WORK);
        });
    }
}

#[test]
fn rounds_that_do_not_settle_pay_for_no_work() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        assert_ok!(lab.open_with(pays_for_work(&lab), POOL));
        lab.play_to_attestation(TASK, 1);
        withhold_tables(TASK, &lab.score(TASK));
        let round = Rounds::<Test>::get(TASK, FIRST).unwrap();
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        assert_eq!((task(TASK).purse.pool, sum_of_fees(FIRST)), (POOL, 0));
    });
}

/// Their stakes already counted in the draw.
#[test]
fn fees_are_split_evenly_whatever_the_stakes() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 0);
        for (number, stake) in [(0, 400), (1, 600), (2, 4_000)] {
            register_attester(&attester(number), Roles::ATTESTER, stake);
        }
        assert_ok!(lab.open_with(pays_for_work(&lab), POOL));
        let harmful = lab.delta(2);
        lab.submit(TASK, &[(contributor(0), harmful)]);
        lab.finish(TASK);
        let (mut stakes, fees): (Vec<_>, Vec<_>) = fees_of(FIRST).into_iter().unzip();
        stakes.sort_unstable();
        assert_eq!(stakes, [400, 600, 4_000]);
        // In the order of the seats, and to the last planck.
        assert_eq!(fees, [333, 334, 334]);
        assert_eq!(settlement(FIRST).fees, WORK);
    });
}

#[test]
fn a_round_starts_only_if_the_pool_covers_its_work_besides_its_cap() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(1, 3);
        let terms = pays_for_work(&lab);
        let short = lab.open_with(terms.clone(), 10_000 + WORK - 1);
        assert_eq!(short, Err(Error::<Test>::PoolTooSmall.into()));
        assert_ok!(lab.open_with(terms, 10_000 + WORK));
        let harmful = lab.delta(2);
        lab.submit(TASK, &[(contributor(0), harmful)]);
        lab.finish(TASK);
        // The whole cap is there.
        assert_eq!(task(TASK).purse.pool, 10_000);
        assert_eq!(task(TASK).state, TaskState::Paused);
        let top_up = |amount| Contribution::top_up(signed(&sponsor()), TASK, amount);
        assert_ok!(top_up(WORK - 1));
        assert_eq!(task(TASK).state, TaskState::Paused);
        assert_ok!(top_up(1));
        assert_eq!(task(TASK).state, TaskState::Running);
    });
}

/// The whole cap is left for the gain, even if the pool has no more than cap and work together.
#[test]
fn a_round_pays_at_most_its_cap_and_its_work() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 3);
        let mut terms = pays_for_work(&lab);
        (terms.price_per_millibit, terms.cap_per_round) = (4_096, 4_096);
        assert_ok!(lab.open_with(terms, 4_096 + WORK));
        play_invented(&mut lab, vec![sure(1 << 24); 2], 1 << 25);
        let purse = task(TASK).purse;
        assert!(purse.pool < 4, "{purse:?}");
        assert!(purse.fees > WORK && purse.reserved > purse.fees - WORK);
    });
}

#[test]
fn work_is_worth_at_most_the_cap_of_a_round() {
    ExtBuilder::default().build_and_execute(|| {
        let lab = Lab::default();
        let mut terms = pays_for_work(&lab);
        for (work_fee, is_taken) in [
            (terms.work_fee * 9, true),
            (terms.work_fee * 12, false),
            (Balance::MAX, false),
        ] {
            terms.work_fee = work_fee;
            let opened = lab.open_with(terms.clone(), POOL);
            let refused: sp_runtime::DispatchResult =
                Err(Error::<Test>::TermsWorkFeeTooHigh.into());
            assert_eq!(opened, if is_taken { Ok(()) } else { refused });
        }
    });
}
