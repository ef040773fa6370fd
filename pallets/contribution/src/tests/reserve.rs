//! Every claim that is due is paid in full, whatever the rounds, the terms and the order of claims are.

use super::lab::*;
use crate::mock::*;
use frame_support::assert_ok;
use gotong_protocol::{pay, ClaimItem, Credit, Ledger, RoundId, ShareTerms, TaskId};
use gotong_scoring::ShareTable;
use proptest::prelude::*;
use std::collections::BTreeMap;

const TASK: TaskId = TaskId(0);

/// A round of some contributors: the parts of their values on B, and the gain there.
#[derive(Clone, Debug)]
struct Invented {
    parts: Vec<Vec<i64>>,
    gain: i64,
}

#[derive(Clone, Debug)]
struct Case {
    rounds: Vec<Invented>,
    price: Balance,
    cap: Balance,
    fee_permille: u16,
    doubt_q8: u16,
    stakes: Vec<Balance>,
    /// Who claims next, modulo the number of those who can.
    order: Vec<u8>,
}

/// Parts of any size: mostly similar to each other, like those of an honest delta, or arbitrary.
fn parts() -> impl Strategy<Value = Vec<i64>> {
    let size = (8u32..30, any::<i64>(), prop::bool::weighted(0.7));
    let alike = (size, prop::collection::vec(-20i64..20, 16)).prop_map(
        |((bits, seed, is_good), jitter)| {
            let seed = if is_good { seed.saturating_abs() } else { seed };
            let base = seed >> (63 - bits);
            let part = |one: i64| base.saturating_add(base / 50 * one);
            jitter.into_iter().map(part).collect()
        },
    );
    let any_part = (0u32..41, any::<i64>()).prop_map(|(bits, seed)| seed >> (63 - bits));
    prop_oneof![6 => alike, 1 => prop::collection::vec(any_part, 16)]
}

fn round() -> impl Strategy<Value = Invented> {
    let gain = (0u32..36, any::<i64>(), prop::bool::weighted(0.3))
        .prop_map(|(bits, seed, is_any)| is_any.then_some(seed >> (63 - bits)));
    (prop::collection::vec(parts(), 1..5), gain).prop_map(|(parts, gain)| {
        // The sum of the values, which is what a merge of honest deltas gains, or any other number.
        let sum: i64 = parts.iter().flatten().sum();
        let most = 1i64 << 36;
        let gain = gain.unwrap_or(sum).clamp(-most, most);
        Invented { parts, gain }
    })
}

fn case() -> impl Strategy<Value = Case> {
    let price = (0..16u32, 1..4u128).prop_map(|(bits, more)| more << bits);
    let fee = prop_oneof![4 => 0..=300u16, 1 => 300..=1_000u16];
    let terms = (price, 0..1_000_000u128, fee, 256..=1_024u16);
    let stakes = prop::collection::vec(100..9_000u128, 4);
    let order = prop::collection::vec(any::<u8>(), 32);
    (prop::collection::vec(round(), 1..4), terms, stakes, order).prop_map(
        |(rounds, (price, more, fee_permille, doubt_q8), stakes, order)| Case {
            rounds,
            price,
            cap: price.max(4_096) + more,
            fee_permille,
            doubt_q8,
            stakes,
            order,
        },
    )
}

/// Plays the rounds; returns their tables.
fn play(case: &Case) -> Vec<ShareTable> {
    register(0, 3);
    for (number, stake) in (0..).zip(&case.stakes) {
        let origin = signed(&contributor(number));
        let roles = gotong_protocol::Roles::CONTRIBUTOR;
        assert_ok!(Contribution::register(origin, roles, *stake));
    }
    let mut lab = Lab::default();
    let mut terms = lab.terms();
    terms.price_per_millibit = case.price;
    terms.cap_per_round = case.cap;
    terms.attester_fee_permille = case.fee_permille;
    terms.share = ShareTerms {
        doubt_q8: case.doubt_q8,
        ..ShareTerms::default()
    };
    // Enough for any price, or too little for a second round.
    <Balances as frame_support::traits::fungible::Mutate<_>>::set_balance(&sponsor(), 1 << 40);
    assert_ok!(lab.open_with(terms, 3 * case.cap));
    let play = |round: &Invented| {
        lab.play_to_attestation(TASK, round.parts.len() as u8);
        let score = invented(&lab, TASK, round.parts.clone(), round.gain);
        settle(TASK, &score);
        assert_ok!(Contribution::do_try_state());
        score.table
    };
    case.rounds.iter().map(play).collect()
}

/// What the ledger of an account should be, without the pallet.
#[derive(Default)]
struct Expected {
    ledger: Ledger,
    paid: Balance,
}

impl Expected {
    /// Adds a credit, and returns the pay that is due.
    fn add(&mut self, case: &Case, credit: Credit, rate: u64) -> Balance {
        let scaled = |amount: u128| pay::mul_div(amount, rate.into(), 1 << 32).unwrap();
        let counted = match rate == pay::WHOLE_Q32 {
            true => credit,
            false => Credit {
                credit: ((i128::from(credit.credit) * i128::from(rate)) >> 32) as i64,
                variance: scaled(scaled(credit.variance) + 1) + 1,
            },
        };
        self.ledger.add(&counted, case.doubt_q8);
        let proved = self.ledger.proved;
        let worth = pay::worth(case.price, proved, PAYING, 1_000 - case.fee_permille).unwrap();
        let due = worth - self.paid;
        self.paid = worth;
        due
    }
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let tables = play(case);
    let rounds: Vec<_> = (0..tables.len() as u32)
        .map(|round| Contribution::round(TASK, RoundId(round)).unwrap())
        .collect();
    for round in &rounds {
        prop_assert!(round.pot + round.fees <= case.cap);
        let gain = round.claim.unwrap().merged.unwrap().gain.max(0) as u64;
        let fees = pay::worth(case.price, gain, PAYING, case.fee_permille).unwrap();
        prop_assert_eq!(round.fees, pay::at_rate(fees, round.rate_q32));
    }
    let mut expected: BTreeMap<u8, Expected> = BTreeMap::new();
    let mut order = case.order.iter().cycle();
    loop {
        let waiting: Vec<u8> = (0..4)
            .filter(|number| ledger(TASK, &contributor(*number)).next.is_some())
            .collect();
        let Some(at) = usize::from(*order.next().unwrap()).checked_rem(waiting.len()) else {
            break;
        };
        let number = waiting[at];
        let who = contributor(number);
        let round_id = ledger(TASK, &who).next.unwrap();
        let (table, round) = (&tables[round_id.0 as usize], &rounds[round_id.0 as usize]);
        let proof = table.prove_credit(number.into()).unwrap();
        let credit = proof.verify(&round.claim.unwrap()).unwrap().credit;
        let due = expected
            .entry(number)
            .or_default()
            .add(case, credit, round.rate_q32);
        let before = Balances::free_balance(&who);
        // Some are published first: then the chain says what is due, and needs no proof.
        let is_published = (u32::from(number) + round_id.0).is_multiple_of(2);
        if is_published {
            assert_ok!(publish_credits(TASK, round_id, vec![proof.clone()]));
            let view = Contribution::claimable(TASK, who.clone()).unwrap();
            prop_assert_eq!((view.rounds, view.pays), (vec![round_id], due));
        }
        let item = ClaimItem {
            task: TASK,
            round: round_id,
            proof: (!is_published).then_some(proof),
        };
        assert_ok!(claim_all(&who, vec![item]));
        prop_assert_eq!(Balances::free_balance(&who) - before, due);
        prop_assert_eq!(Contribution::do_try_state(), Ok(()));
    }
    for (number, expected) in &expected {
        let account = ledger(TASK, &contributor(*number));
        prop_assert_eq!(account.ledger, expected.ledger);
        prop_assert_eq!(account.paid, expected.paid);
    }
    // Credits of each round add up to its gain, and what is not paid is back in the pool.
    for (round, invented) in (0..).zip(&case.rounds) {
        let all = Contribution::submissions(TASK, RoundId(round), 0).items;
        let sum: i64 = all.iter().map(|one| one.claimed.unwrap().credit).sum();
        prop_assert_eq!(sum, invented.gain);
    }
    let purse = task(TASK).purse;
    prop_assert_eq!(purse.reserved, 0);
    let paid: Balance = expected.values().map(|one| one.paid).sum();
    prop_assert_eq!(purse.claimed, paid);
    prop_assert_eq!(purse.pool, 3 * case.cap - paid - purse.fees);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_claim_is_paid_in_full_in_any_order(case in case()) {
        ExtBuilder::default().build().execute_with(|| check(&case))?;
    }
}

/// The cases are useful only if they reach the situations that they are about.
#[test]
fn the_cases_have_low_caps_negative_credits_and_payments() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut scaled, mut whole, mut negative, mut paid) = (0, 0, 0, 0);
    for _ in 0..16 {
        let case = case().new_tree(&mut runner).unwrap().current();
        ExtBuilder::default().build().execute_with(|| {
            check(&case).unwrap();
            for round in 0..case.rounds.len() as u32 {
                let view = Contribution::round(TASK, RoundId(round)).unwrap();
                scaled += u32::from(view.rate_q32 < pay::WHOLE_Q32);
                whole += u32::from(view.rate_q32 == pay::WHOLE_Q32);
                for one in Contribution::submissions(TASK, RoundId(round), 0).items {
                    let claimed = one.claimed.unwrap();
                    negative += u32::from(claimed.credit < 0);
                    paid += u32::from(claimed.paid > 0);
                }
            }
        });
    }
    assert!(
        scaled > 3 && whole > 3 && negative > 3 && paid > 3,
        "{scaled} {whole} {negative} {paid}"
    );
}
