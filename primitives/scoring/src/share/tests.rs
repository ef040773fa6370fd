//! The table commits to the result of a round, and proves every credit in it.

use super::fixture::Fixture;
use super::table::{Members, RowSums};
use super::*;
use crate::blake2_256;
use crate::merge::MAX_REVEALS;
use crate::merkle::Carry;
use crate::Reference;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn any_fixture() -> impl Strategy<Value = Fixture> {
    (
        1u32..20,
        1u32..12,
        2u32..6,
        2u32..60,
        1u32..12,
        any::<u64>(),
    )
        .prop_map(|(inputs, hidden, classes, samples, entrants, seed)| {
            Fixture::mlp(&[inputs, hidden, classes], samples, entrants, seed)
        })
}

#[test]
fn the_table_and_its_claim_are_golden() {
    let fixture = Fixture::mlp(&[6, 5, 3], 40, 9, 16);
    let summary = fixture.table.summary();
    assert!(
        summary.pay().is_some() && summary.passes.len() > 1,
        "{fixture:?}"
    );
    let bits = |bytes: &[u8]| hex::encode(&blake2_256(&[bytes])[..8]);
    let claim = summary.claim(&fixture.facts.base_root);
    let index = fixture.round.credits.iter().position(Option::is_some);
    let proof = fixture.table.prove_credit(index.unwrap() as u32).unwrap();
    let found = [
        bits(&summary.encode()),
        bits(&claim.encode()),
        bits(&proof.encode()),
        bits(&fixture.facts.encode()),
    ];
    let golden = [
        "c1aad5cfa782b4e0",
        "a3729529abad3867",
        "1399c03e536a68d7",
        "5049a1603f2c7885",
    ];
    assert_eq!(found, golden);
    assert_eq!(
        TableSummary::decode(&mut &summary.encode()[..]),
        Ok(summary)
    );
    assert_eq!(CreditProof::decode(&mut &proof.encode()[..]), Ok(proof));
}

#[test]
fn what_is_stored_is_bounded() {
    assert!(TableSummary::max_encoded_len() < 4096);
    assert!(CreditProof::max_encoded_len() < 4096);
    assert_eq!(ShareClaim::max_encoded_len(), 81);
    let all = Members::all(MAX_REVEALS as u32);
    assert_eq!(all.encoded_size(), Members::max_encoded_len());
    assert_eq!(all.count(), 1024);
    let mut longer = vec![0u8; 129].encode();
    assert!(Members::decode(&mut &longer[..]).is_err());
    longer = vec![0i64; 17].encode();
    assert!(table::Parts::decode(&mut &longer[..]).is_err());
}

#[test]
fn sums_that_leave_their_bounds_stay_unsound() {
    let huge = RowSums {
        value: 1 << 57,
        magnitude: 1 << 57,
        ..RowSums::default()
    };
    let back = RowSums {
        value: -(1 << 57),
        ..huge
    };
    assert!(!huge.is_sound() && !huge.join(back).is_sound());
    assert!(!huge.join(back).join(RowSums::default()).is_sound());
    let most = RowSums {
        value: 1 << 56,
        magnitude: 1 << 56,
        ..RowSums::default()
    };
    assert!(most.is_sound() && !most.join(most).is_sound());
    // Values that exceed their magnitudes.
    let hidden = RowSums {
        value: -2,
        magnitude: 1,
        ..RowSums::default()
    };
    assert!(!hidden.is_sound() && !hidden.join(RowSums::default()).is_sound());
}

#[test]
fn bad_rounds_have_tables() {
    // One entrant, an exam of two.
    for (samples, entrants, seed) in [(2, 1, 0), (2, 1, 4), (3, 7, 4), (40, 1, 1), (33, 9, 9)] {
        let fixture = Fixture::mlp(&[5, 4, 3], samples, entrants, seed);
        let summary = fixture.table.summary();
        assert!(fixture.facts.allow(&summary), "{fixture:?}");
    }
    // All of them bad.
    let mut all_bad = (0..).map(|seed| Fixture::mlp(&[5, 4, 3], 40, 5, 5 * seed + 4));
    let all_bad = all_bad
        .find(|fixture| fixture.table.merge.is_none())
        .unwrap();
    let summary = all_bad.table.summary();
    assert!(all_bad.facts.allow(&summary) && summary.passes.len() > 2);
    let claim = ShareClaim {
        table_root: summary.root(),
        master_root: [1; 32],
        merged: None,
    };
    assert_eq!(summary.claim(&[1; 32]), claim);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn a_table_says_what_a_round_comes_to(fixture in any_fixture()) {
        let facts = &fixture.facts;
        let plain = share_round(
            &mut Reference,
            &facts.graph,
            &fixture.base,
            &fixture.samples,
            &facts.half_seed,
            &fixture.entrants(),
            &facts.terms,
        );
        prop_assert_eq!(plain.as_ref(), Ok(&fixture.round));
        let summary = fixture.table.summary();
        prop_assert!(facts.allow(&summary), "{:?}", fixture);
        let claim = summary.claim(&facts.base_root);
        prop_assert_eq!(claim.merged.map_or(0, |merged| merged.gain), fixture.round.gain);
        let positive = fixture.round.credits.iter().flatten().map(|credit| credit.credit.max(0));
        prop_assert!(positive.sum::<i64>() as u64 <= claim.merged.map_or(0, |merged| merged.most_credits));
        let weights = crate::MasterWeights::new(fixture.round.weights.clone()).unwrap();
        prop_assert_eq!(claim.master_root, weights.root());
        let merged = summary.pay().and(summary.candidate()).map(usize::from);
        prop_assert_eq!(merged, fixture.round.merged_pass);
        for (index, credit) in (0u32..).zip(&fixture.round.credits) {
            let proof = fixture.table.prove_credit(index);
            prop_assert_eq!(proof.is_some(), claim.merged.is_some());
            let Some(proof) = proof else { continue };
            // An entrant that was not merged proves that it is credited nothing.
            let credit = credit.unwrap_or_default();
            let proved = ProvedCredit { index, delta_hash: fixture.hashes[index as usize], credit };
            prop_assert_eq!(proof.verify(&claim), Ok(proved));
            let mut empty = proof.clone();
            empty.row.parts = Vec::new().into();
            prop_assert!(empty == proof || empty.verify(&claim) == Err(CreditError::OtherTable));
            let other = ShareClaim { table_root: [0; 32], ..claim };
            prop_assert_eq!(proof.verify(&other), Err(CreditError::OtherTable));
        }
        prop_assert_eq!(fixture.table.prove_credit(facts.entrants), None);
    }

    #[test]
    fn a_changed_proof_is_refused(fixture in any_fixture(), at in any::<Index>(), bits in proptest::collection::vec(any::<Index>(), 40)) {
        let claim = fixture.table.summary().claim(&fixture.facts.base_root);
        let proof = fixture.table.prove_credit(at.index(fixture.deltas.len()) as u32);
        let Some(proof) = proof else { return Ok(()) };
        for bit in bits {
            let mut bytes = proof.encode();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = CreditProof::decode(&mut &bytes[..]) {
                prop_assert!(changed.verify(&claim).is_err());
            }
        }
    }
}
