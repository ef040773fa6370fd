//! What a delta weighs in merges when it enters a round.

use crate::merge::MAX_WEIGHT;
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// How many times the stake of a proven account counts; a newcomer's counts once. So a crowd of new accounts cannot dilute the
/// work of proven ones.
pub const PROVEN_TIMES: u32 = 64;
/// The most that a stake can weigh, so that no weight passes [`MAX_WEIGHT`].
pub const MAX_STAKE_WEIGHT: u32 = MAX_WEIGHT / PROVEN_TIMES;
/// All newcomers of a round together weigh at most what its proven accounts weigh, divided by this; or 1 each, if that is
/// more. So a crowd with much stake dilutes no more than a small one.
pub const NEWCOMERS_DIVISOR: u64 = 32;

/// The weight of a delta in merges, from that of its account's stake: at least 1, at most [`MAX_WEIGHT`].
pub fn entry_weight(stake_weight: u32, is_proven: bool) -> u32 {
    let times = if is_proven { PROVEN_TIMES } else { 1 };
    stake_weight.clamp(1, MAX_STAKE_WEIGHT) * times
}

/// The summed weights of everybody who revealed in a round, each by [`entry_weight`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen)]
pub struct EntryWeights {
    /// Sum of the weights of proven accounts.
    pub proven: u64,
    /// Sum of the weights of newcomers.
    pub newcomers: u64,
}

impl EntryWeights {
    /// Adds one of them.
    pub fn add(&mut self, weight: u32, is_proven: bool) {
        let sum = if is_proven {
            &mut self.proven
        } else {
            &mut self.newcomers
        };
        *sum = sum.saturating_add(weight.into());
    }

    /// What one of them weighs in the merge. Where newcomers weigh more than their share of what the proven weigh, each is scaled
    /// down: `weight * proven / (32 * newcomers)`, rounded down, but at least 1. Where nobody has proved anything, nobody is
    /// scaled.
    pub fn limited(&self, weight: u32, is_proven: bool) -> u32 {
        let most = u128::from(self.proven);
        let all = u128::from(self.newcomers).saturating_mul(NEWCOMERS_DIVISOR.into());
        if is_proven || most == 0 || all <= most {
            return weight;
        }
        let scaled = u128::from(weight)
            .saturating_mul(most)
            .checked_div(all)
            .unwrap_or(0);
        u32::try_from(scaled).map_or(weight, |scaled| scaled.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn what_was_proved_weighs_more() {
        assert_eq!(entry_weight(1, false), 1);
        assert_eq!(entry_weight(1, true), PROVEN_TIMES);
        assert_eq!(entry_weight(0, false), 1);
        assert_eq!(entry_weight(u32::MAX, true), MAX_WEIGHT);
        assert_eq!(entry_weight(u32::MAX, false), MAX_STAKE_WEIGHT);
    }

    fn weights(entries: &[(u32, bool)]) -> EntryWeights {
        let mut weights = EntryWeights::default();
        for (weight, is_proven) in entries {
            weights.add(*weight, *is_proven);
        }
        weights
    }

    #[test]
    fn a_few_newcomers_weigh_what_they_are() {
        let few = weights(&[(64_000, true), (1_000, false), (1_000, false)]);
        assert_eq!(few.limited(1_000, false), 1_000);
        assert_eq!(few.limited(64_000, true), 64_000);
        let all_new = weights(&[(5, false), (70_000, false)]);
        assert_eq!(all_new.limited(70_000, false), 70_000);
    }

    #[test]
    fn a_crowd_weighs_its_part_and_no_more() {
        let mut crowd = vec![(1_000, false); 500];
        crowd.push((64_000, true));
        let weights = weights(&crowd);
        assert_eq!(weights.limited(1_000, false), 4);
        assert_eq!(weights.limited(64_000, true), 64_000);
        assert_eq!(weights.limited(1, false), 1);
    }

    #[test]
    fn extremes_are_defined() {
        let most = EntryWeights {
            proven: u64::MAX,
            newcomers: u64::MAX,
        };
        assert_eq!(most.limited(u32::MAX, false), u32::MAX / 32);
        assert_eq!(EntryWeights::default().limited(7, false), 7);
    }

    proptest! {
        #[test]
        fn a_crowd_stays_within_its_part(
            proven in proptest::collection::vec(64u32..=MAX_WEIGHT, 1..20),
            newcomers in proptest::collection::vec(1u32..=MAX_STAKE_WEIGHT, 1..200),
        ) {
            let entries: Vec<_> = (proven.iter().map(|weight| (*weight, true)))
                .chain(newcomers.iter().map(|weight| (*weight, false)))
                .collect();
            let weights = weights(&entries);
            let limited: u64 = newcomers.iter().map(|weight| u64::from(weights.limited(*weight, false))).sum();
            // None weighs nothing, so each may add up to 1 to the share.
            let part = weights.proven / NEWCOMERS_DIVISOR + newcomers.len() as u64;
            prop_assert!(limited <= weights.newcomers && limited <= part);
            prop_assert!(newcomers.iter().all(|weight| weights.limited(*weight, false) >= 1));
        }
    }
}
