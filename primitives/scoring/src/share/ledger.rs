//! What an account proved in all of its rounds together.

use super::{Credit, MOST_VARIANCE};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Largest sum of an account's credits, in magnitude.
const MOST: i64 = 1 << 62;

/// An account's credits in one task. What is *proved* is the highest lower bound so far of their sum,
/// `sum - k * sqrt(variance + largest)`, which is `k` standard errors below it. `largest` is the largest variance of a single
/// round. It adds one more round of doubt, so that an account that is new in every round proves next to nothing by luck.
///
/// Every round in which the account's delta was merged counts, in order. None can be skipped, so bad luck counts too, and noise
/// proves almost nothing, however many accounts make it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Ledger {
    /// The sum of all credits, Q16 bits summed over samples.
    pub sum: i64,
    /// The sum of their variances.
    pub variance: u128,
    /// The largest of these variances.
    pub largest: u128,
    /// The highest lower bound of the sum so far, which is what is paid.
    pub proved: u64,
}

impl Ledger {
    /// Adds a round. Returns what it proves: at most the credit, and 0 if that is negative.
    pub fn add(&mut self, credit: &Credit, doubt_q8: u16) -> u64 {
        self.sum = self.sum.saturating_add(credit.credit).clamp(-MOST, MOST);
        self.variance = self
            .variance
            .saturating_add(credit.variance)
            .min(MOST_VARIANCE);
        self.largest = self.largest.max(credit.variance).min(MOST_VARIANCE);
        let proved = self
            .proved
            .max(u64::try_from(self.lower_bound(doubt_q8)).unwrap_or(0));
        let more = proved.saturating_sub(self.proved);
        self.proved = proved;
        more
    }

    /// `sum - k * sqrt(variance + largest)`, with `k` in Q8; the root is rounded up.
    pub fn lower_bound(&self, doubt_q8: u16) -> i128 {
        i128::from(self.sum).saturating_sub(self.doubt(doubt_q8) as i128)
    }

    /// `k * sqrt(variance + largest)`, rounded up.
    pub fn doubt(&self, doubt_q8: u16) -> u128 {
        // Below 2^107; a k below 2^10 leaves 2^127.
        let variance = self.variance.saturating_add(self.largest);
        let square = variance
            .saturating_mul(u128::from(doubt_q8).pow(2))
            .div_ceil(1 << 16);
        let root = square.isqrt();
        root.saturating_add(u128::from(root.saturating_mul(root) < square))
    }

    /// Whether its credits are above doubt now: then the account is not a newcomer to the task.
    pub fn is_proven(&self, doubt_q8: u16) -> bool {
        self.lower_bound(doubt_q8) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;

    const K: u16 = 512;

    fn credit(credit: i64, variance: u128) -> Credit {
        Credit { credit, variance }
    }

    #[test]
    fn what_is_proved_grows_with_evidence() {
        let mut ledger = Ledger::default();
        // 100 -+ 50: 100 - 2 * sqrt(5000) is below 0.
        assert_eq!(ledger.add(&credit(100, 2500), K), 0);
        assert!(!ledger.is_proven(K));
        // 200 - 2 * sqrt(7500), rounded up.
        assert_eq!(ledger.add(&credit(100, 2500), K), 200 - 174);
        assert!(ledger.is_proven(K));
        // Harm is taken off what is to be proved next, not off what was.
        assert_eq!(ledger.add(&credit(-100, 2500), K), 0);
        assert_eq!((ledger.sum, ledger.proved), (100, 26));
        assert!(!ledger.is_proven(K));
    }

    #[test]
    fn ledgers_stop_at_their_maximum() {
        let mut ledger = Ledger::default();
        for credits in [i64::MAX, i64::MAX, i64::MIN, i64::MIN, i64::MIN] {
            ledger.add(&credit(credits, u128::MAX), u16::MAX);
        }
        assert_eq!(
            (ledger.sum, ledger.variance, ledger.largest),
            (-MOST, MOST_VARIANCE, MOST_VARIANCE)
        );
        let mut sure = Ledger::default();
        assert_eq!(sure.add(&credit(i64::MAX, 0), 1023), MOST as u64);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_round_proves_more_than_its_credit(
            rounds in any_vec((-1000i64..3000, 0u128..4_000_000), 1..40), k in 256u16..=768
        ) {
            let (mut ledger, mut proved) = (Ledger::default(), 0);
            for (own, variance) in rounds {
                let more = ledger.add(&credit(own, variance), k);
                prop_assert!(more <= own.max(0) as u64);
                proved += more;
            }
            prop_assert_eq!(proved, ledger.proved);
            prop_assert!(i128::from(ledger.proved) >= ledger.lower_bound(k));
        }
    }
}
