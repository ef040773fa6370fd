//! Who earned what: which deltas of a round are merged, and which credit each of them gets.
//!
//! The joint gain of a round is a fact. This module splits it:
//!
//! 1. [`mod@halves`]: the exam is split in two at random. *A decides, B pays*: every choice is made on A, and every number that
//!    money follows from is measured on B. So nobody is paid for a lucky choice.
//! 2. [`company`]: all deltas start in one company. Those that do harm among the others are dropped, the worst first, and the
//!    best of the resulting companies is merged.
//! 3. [`credit`]: what each merged delta is worth on B, signed. The credits add up to the exact gain, to the last unit.
//! 4. [`ledger`]: what an account has proved in all of its rounds together, which is what it is paid for.
//!
//! [`table`] commits to all of this, so that every single number can be disputed; [`trial`] is how. [`claim`] is what the chain
//! keeps of it, and [`work`] is how an attester shows that it computed the table itself.
//!
//! What a delta is worth is `-<g, part>`: the gradient `g` of the loss at the middle between base and merge,
//! times the delta's own part of the merge. It is the Aumann-Shapley value of the merge by one midpoint. Values are
//! linear in the parts: a delta in ten pieces earns what it earned whole, and two equal deltas share.
//!
//! A value is the sum of its parts over [`GROUPS`] groups of samples. Its variance is estimated from these parts.
//!
//! Sources: Aumann and Shapley, *Values of Non-Atomic Games* (1974); Wang et al., *Data Shapley in One
//! Training Run* (arXiv:2406.11011).

pub mod claim;
pub mod company;
pub mod credit;
mod entry;
#[cfg(test)]
pub(crate) mod fixture;
pub mod halves;
pub mod ledger;
mod lists;
pub mod record;
mod round;
mod sums;
pub mod table;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod work;

pub use claim::{CreditError, CreditProof, MergedGain, ProvedCredit, ShareClaim};
pub use company::{Company, Entrant, Pass};
pub use credit::{credits, most_credits, Credit};
pub use entry::{entry_weight, EntryWeights, MAX_STAKE_WEIGHT, NEWCOMERS_DIVISOR, PROVEN_TIMES};
pub use halves::{can_decide, halves, Half};
pub use ledger::Ledger;
pub use record::{entrants_tree, EntrantRecord};
pub use round::{share_round, share_table, ScoreError, ShareRound};
pub use table::{ShareTable, Stage, TableSummary};
pub use trial::RoundFacts;
pub use work::{audits, work_root, Audit, AuditAnswer, AuditError, Audited};

use crate::merge::{MAX_OUTER_RATE, MIN_OUTER_RATE, OUTER_RATE_ONE};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::Range;
use scale_info::TypeInfo;

/// Groups of samples that a value's variance is estimated from.
pub const GROUPS: usize = 16;
/// Largest part of a value from one group, in magnitude: Q16 bits summed over the group's samples.
pub const MOST_OF_A_GROUP: i64 = 1 << 40;
/// Largest variance.
pub const MOST_VARIANCE: u128 = 1 << 106;

/// The terms of the share rule that a task may choose.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct ShareTerms {
    /// A newcomer's delta is bad in a company if its value is not above this many of its standard errors, Q8.
    pub newcomer_floor_q8: u16,
    /// The same for a proven account; not above a newcomer's.
    pub proven_floor_q8: u16,
    /// A company is merged if its gain on A is above this many standard errors, Q8.
    pub gain_floor_q8: u16,
    /// The doubt: an account is paid for the sum of its credits minus this many standard errors, Q8.
    pub doubt_q8: u16,
    /// The outer rate: the mean of the deltas is multiplied by this in the merge, Q8 ([`crate::merge::factor`]).
    pub outer_rate_q8: u16,
}

impl Default for ShareTerms {
    fn default() -> Self {
        Self {
            newcomer_floor_q8: 1 << 8,
            proven_floor_q8: 0,
            gain_floor_q8: 1 << 7,
            doubt_q8: 2 << 8,
            outer_rate_q8: OUTER_RATE_ONE,
        }
    }
}

impl ShareTerms {
    /// Whether each term is within its bounds. In standard errors, the floor is 1/2 to 3 for newcomers, 0 to 1 and not above
    /// that for others, and 0 to 2 for the gain; the doubt is 1 to 4. Lower values let noise in, or pay for it. Higher ones
    /// shut newcomers out, or let a sponsor see all deltas and merge none, or merge them and pay for none. The outer rate is
    /// 1/2 to 2: a lower one merges little of what was learned, and a higher one goes too far, so nothing is merged.
    pub fn are_valid(&self) -> bool {
        (1 << 7..=3 << 8).contains(&self.newcomer_floor_q8)
            && self.proven_floor_q8 <= self.newcomer_floor_q8.min(1 << 8)
            && self.gain_floor_q8 <= 2 << 8
            && (1 << 8..=4 << 8).contains(&self.doubt_q8)
            && (MIN_OUTER_RATE..=MAX_OUTER_RATE).contains(&self.outer_rate_q8)
    }

    /// The floor of one account.
    pub fn floor_q8(&self, is_proven: bool) -> u16 {
        if is_proven {
            self.proven_floor_q8
        } else {
            self.newcomer_floor_q8
        }
    }
}

/// A value measured in groups of samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The sum over the groups, Q16 bits summed over samples.
    pub sum: i64,
    /// The variance of that sum, at most [`MOST_VARIANCE`].
    pub variance: u128,
}

impl Value {
    /// The value of these parts, one for each group. The variance of `k` parts with moments `S1` and `S2` is
    /// `(k * S2 - S1^2) / (k - 1)`, rounded up. A single part says nothing about its error, so the variance is its square.
    pub fn of(parts: &[i64]) -> Self {
        let limited = parts
            .iter()
            .map(|part| i128::from((*part).clamp(-MOST_OF_A_GROUP, MOST_OF_A_GROUP)));
        let (sum, squares) = limited.fold((0i128, 0u128), |(sum, squares), part| {
            (sum + part, squares + part.unsigned_abs().pow(2))
        });
        let (count, square) = (parts.len() as u128, sum.unsigned_abs().pow(2));
        // Not negative, by Cauchy-Schwarz; below 2^88 for at most 16 parts.
        let spread = (count * squares).saturating_sub(square);
        let variance = match count.checked_sub(1) {
            None | Some(0) => square,
            Some(free) => spread.div_ceil(free),
        };
        Self {
            sum: sum as i64,
            variance: variance.min(MOST_VARIANCE),
        }
    }

    /// Whether it is positive and above this many of its standard errors, Q8.
    pub fn is_above(&self, floor_q8: u16) -> bool {
        let square = u128::from(self.sum.unsigned_abs())
            .saturating_pow(2)
            .saturating_mul(1 << 16);
        let floor = u128::from(floor_q8).pow(2).saturating_mul(self.variance);
        self.sum > 0 && square > floor
    }
}

/// `samples` in at most [`GROUPS`] groups, as equal as they can be, none empty.
pub fn groups(samples: usize) -> impl Iterator<Item = Range<usize>> {
    let count = group_count(samples);
    let start = move |group: usize| samples * group / count;
    (0..count).map(move |group| start(group)..start(group + 1))
}

/// The number of groups for this number of samples.
pub fn group_count(samples: usize) -> usize {
    samples.clamp(1, GROUPS)
}

/// The largest integer that is not above `n / d`; 0 for a `d` of 0.
pub(crate) fn floor_div(n: i128, d: i128) -> i128 {
    let whole = n.checked_div(d).unwrap_or(0);
    let rest = n.checked_rem(d).unwrap_or(0);
    whole - i128::from(rest != 0 && (rest < 0) != (d < 0))
}

#[cfg(test)]
mod value_tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_value_knows_its_error() {
        assert_eq!(
            Value::of(&[5]),
            Value {
                sum: 5,
                variance: 25
            }
        );
        assert_eq!(Value::of(&[]), Value::default());
        assert_eq!(
            Value::of(&[1, 1]),
            Value {
                sum: 2,
                variance: 0
            }
        );
        // Parts 1 and 4: (2 * 17 - 25) / 1.
        assert_eq!(
            Value::of(&[1, 4]),
            Value {
                sum: 5,
                variance: 9
            }
        );
        let is_above = |sum, variance, floor| Value { sum, variance }.is_above(floor);
        assert!(is_above(1, 0, 512) && !is_above(0, 0, 0) && !is_above(-9, 1, 0));
        assert!(!is_above(2, 1, 512) && is_above(3, 1, 512));
        let most = Value::of(&[i64::MAX; GROUPS]);
        assert_eq!((most.sum, most.variance), (16 << 40, 0));
        let spread: Vec<i64> = (0..16)
            .map(|at| if at % 2 == 0 { i64::MAX } else { i64::MIN })
            .collect();
        assert_eq!(Value::of(&spread).sum, 0);
        assert!(!is_above(i64::MAX, MOST_VARIANCE, u16::MAX));
    }

    #[test]
    fn samples_fall_into_groups() {
        assert_eq!(groups(1).next(), Some(0..1));
        assert_eq!(groups(1).count(), 1);
        assert_eq!(groups(3).collect::<Vec<_>>(), [0..1, 1..2, 2..3]);
        let sizes: Vec<usize> = groups(2048).map(|group| group.len()).collect();
        assert_eq!(sizes, [128; 16]);
    }

    #[test]
    fn terms_have_bounds() {
        assert!(ShareTerms::default().are_valid());
        let with = |change: &dyn Fn(&mut ShareTerms)| {
            let mut terms = ShareTerms::default();
            change(&mut terms);
            terms.are_valid()
        };
        assert!(!with(&|terms| terms.doubt_q8 = 255) && !with(&|terms| terms.doubt_q8 = 1025));
        assert!(
            !with(&|terms| terms.newcomer_floor_q8 = 0)
                && !with(&|terms| terms.newcomer_floor_q8 = 769)
        );
        assert!(!with(&|terms| terms.gain_floor_q8 = 513));
        assert!(!with(&|terms| terms.proven_floor_q8 = 257));
        for (rate, is_valid) in [
            (0, false),
            (127, false),
            (128, true),
            (512, true),
            (513, false),
        ] {
            assert_eq!(with(&|terms| terms.outer_rate_q8 = rate), is_valid);
        }
        assert!(!with(&|terms| (
            terms.newcomer_floor_q8,
            terms.proven_floor_q8
        ) = (128, 129)));
    }

    proptest! {
        #[test]
        fn groups_cover_all_samples(samples in 1usize..5000) {
            let groups: Vec<_> = groups(samples).collect();
            prop_assert_eq!((groups[0].start, groups[groups.len() - 1].end), (0, samples));
            prop_assert!(groups.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(groups.iter().all(|group| !group.is_empty() && group.len() <= samples.div_ceil(groups.len())));
        }

        #[test]
        fn floors_are_below(n in -1000i128..1000, d in -50i128..50) {
            prop_assume!(d != 0);
            let floor = floor_div(n, d);
            let rest = n - floor * d;
            prop_assert!(rest == 0 || ((rest < 0) == (d < 0) && rest.abs() < d.abs()));
        }
    }
}
