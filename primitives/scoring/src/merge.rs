//! Clipping, and the weighted merge of deltas.
//!
//! With `n_i = weight_i * factor_i * change_i` ([`factor`], in Q16), `N = sum n_i` and `W = sum weight_i`
//! the merge is `D = round_div(N, W << 16)` for every parameter: a weighted mean times an outer rate, in which a
//! delta in two halves of the same weight counts as it did whole.
//!
//! The outer rate is that of DiLoCo (arXiv:2311.08105). A mean of sparse deltas is short: a parameter that only one contributor of
//! three moves goes a third of its way. A rate above 1 makes up for it.
//!
//! Bounds: a weight is at most 2^20, a factor 2^17, a change below 2^15, so `|n_i| < 2^52`, and with 2^10 reveals `|N| < 2^62`: i64
//! is enough.

use crate::arith::{clamp_master, round_div};
use crate::delta::Delta;
use crate::CHUNK;
use alloc::vec::Vec;

/// Most reveals of a round.
pub const MAX_REVEALS: usize = 1024;
/// Largest weight of a reveal.
pub const MAX_WEIGHT: u32 = 1 << 20;
/// A factor of 1.
pub const FACTOR_ONE: u32 = 1 << 16;
/// An outer rate of 1.
pub const OUTER_RATE_ONE: u16 = 1 << 8;
/// Smallest outer rate, Q8: less would merge little of what was learned, and so hide what a price pays.
pub const MIN_OUTER_RATE: u16 = 1 << 7;
/// Largest outer rate, Q8. For deltas that are all alike the mean is the best step, and at twice the mean nothing is gained: a
/// larger rate would let a sponsor see deltas that are never merged.
pub const MAX_OUTER_RATE: u16 = 2 << 8;
/// Largest factor, Q16.
pub const MAX_FACTOR: u32 = (MAX_OUTER_RATE as u32) << 8;

/// What a delta of this norm is multiplied with: the outer rate (Q8) times its clip, `rate * min(1, median / norm)` in
/// Q16, rounded down. The clip of a norm of 0 is 1. Norms are below 2^32; a rate above [`MAX_OUTER_RATE`] counts as that.
pub fn factor(outer_rate_q8: u16, median: u64, norm: u64) -> u32 {
    let unclipped = u64::from(outer_rate_q8.min(MAX_OUTER_RATE)) << 8;
    let clipped = median.saturating_mul(unclipped).checked_div(norm);
    clipped.map_or(unclipped, |clipped| clipped.min(unclipped)) as u32
}

/// A delta as it enters a merge.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The delta.
    pub delta: &'a Delta,
    /// Its weight, at most [`MAX_WEIGHT`].
    pub weight: u32,
    /// Its [`factor`], Q16, at most [`MAX_FACTOR`].
    pub factor_q16: u32,
}

impl Part<'_> {
    /// Position and `n_i` of each entry.
    fn terms(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        let scale = i64::from(self.weight) * i64::from(self.factor_q16);
        let entries = self.delta.entries().iter();
        entries.map(move |entry| (entry.position as usize, scale * i64::from(entry.change)))
    }
}

/// A merge of at most [`MAX_REVEALS`] deltas, all to the same weights.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    base: &'a [i16],
    /// Position and `N` of every parameter that is moved, positions rising.
    moves: Vec<(usize, i64)>,
    /// `W`.
    weight: u64,
}

impl<'a> Merge<'a> {
    /// A merge of these parts on `base`. Entries past the base are skipped.
    pub fn new(base: &'a [i16], parts: &[Part]) -> Self {
        let mut terms: Vec<_> = parts.iter().map(|part| part.terms().peekable()).collect();
        let mut moves = Vec::new();
        // Chunk by chunk: what is summed stays in the processor's cache, whatever the model's size.
        let mut sums = [0; CHUNK];
        for (start, chunk) in (0..).step_by(CHUNK).zip(base.chunks(CHUNK)) {
            let sums = &mut sums[..chunk.len()];
            sums.fill(0);
            for terms in &mut terms {
                while let Some((position, term)) =
                    terms.next_if(|(position, _)| *position < start + chunk.len())
                {
                    sums[position - start] += term;
                }
            }
            let moved = sums.iter().enumerate().filter(|(_, sum)| **sum != 0);
            moves.extend(moved.map(|(at, sum)| (start + at, *sum)));
        }
        let weight = parts.iter().map(|part| u64::from(part.weight)).sum();
        Self {
            base,
            moves,
            weight,
        }
    }

    /// `base + D`, clamped to the range of master weights.
    pub fn merged(&self) -> Vec<i16> {
        self.plus(self.weight << 16)
    }

    /// `base + D / 2`.
    pub fn midpoint(&self) -> Vec<i16> {
        self.plus(self.weight << 17)
    }

    fn plus(&self, divisor: u64) -> Vec<i16> {
        let base = self.base.iter().map(|base| clamp_master((*base).into()));
        let mut weights: Vec<i16> = base.collect();
        for (position, sum) in &self.moves {
            if let (Some(weight), Some(base)) =
                (weights.get_mut(*position), self.base.get(*position))
            {
                *weight = moved(*base, *sum, divisor);
            }
        }
        weights
    }
}

fn moved(base: i16, numerator: i64, divisor: u64) -> i16 {
    moved_exactly(base, numerator.into(), divisor.into())
}

/// `base + round_div(numerator, divisor)`, clamped: what a merge makes of one parameter.
pub(crate) fn moved_exactly(base: i16, numerator: i128, divisor: i128) -> i16 {
    clamp_master(i128::from(base).saturating_add(round_div(numerator, divisor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;
    use alloc::vec;
    use proptest::collection::{btree_map, vec as any_vec};
    use proptest::prelude::*;

    const PARAMETERS: u32 = 40;

    fn delta(entries: impl IntoIterator<Item = (u32, i16)>) -> Delta {
        let entries = entries.into_iter();
        let entry = |(position, change)| Entry { position, change };
        Delta::new(PARAMETERS, entries.map(entry).collect()).unwrap()
    }

    fn part(delta: &Delta, weight: u32, factor_q16: u32) -> Part<'_> {
        Part {
            delta,
            weight,
            factor_q16,
        }
    }

    fn any_delta() -> impl Strategy<Value = Delta> {
        let signs = btree_map(0..PARAMETERS, any::<bool>(), 1..20);
        (1i16..=i16::MAX, signs).prop_map(|(m, signs)| {
            delta(
                signs
                    .into_iter()
                    .map(|(p, negative)| (p, if negative { -m } else { m })),
            )
        })
    }

    #[test]
    fn norms_are_clipped_to_the_median_and_multiplied_with_the_outer_rate() {
        let clip = |median, norm| factor(OUTER_RATE_ONE, median, norm);
        assert_eq!(
            [8, 2, 1, 4].map(|norm| clip(2, norm)),
            [1 << 14, FACTOR_ONE, FACTOR_ONE, 1 << 15]
        );
        assert_eq!(
            [clip(0, 0), clip(1, u64::from(u32::MAX)), clip(1, 0)],
            [FACTOR_ONE, 0, FACTOR_ONE]
        );
        assert_eq!(
            [8, 2, 0].map(|norm| factor(3 << 7, 2, norm)),
            [3 << 13, 3 << 15, 3 << 15]
        );
        let longest = u64::from(u32::MAX);
        for rate in [MAX_OUTER_RATE, u16::MAX] {
            assert_eq!(factor(rate, longest, longest), MAX_FACTOR);
            assert_eq!(factor(rate, longest, 1), MAX_FACTOR);
        }
        assert_eq!(factor(0, 1, 1), 0);
    }

    #[test]
    fn the_merge_is_the_weighted_mean() {
        let (a, b) = (delta([(0, 100), (1, 100)]), delta([(1, -50), (2, -50)]));
        let base = [7, 7, -32_500, 7];
        let parts = [part(&a, 3, FACTOR_ONE), part(&b, 1, FACTOR_ONE / 2)];
        let merge = Merge::new(&base, &parts);
        // 75; 75 - 25/4 = 68.75; -6.25 = -6.
        assert_eq!(merge.merged(), [82, 76, -32_506, 7]);
        // 37.5 away from zero; 34.375; -3.125.
        assert_eq!(merge.midpoint(), [45, 41, -32_503, 7]);
        // Twice as far: 150; 137.5 away from zero; -12.5.
        let parts = [part(&a, 3, 2 * FACTOR_ONE), part(&b, 1, FACTOR_ONE)];
        let merge = Merge::new(&base, &parts);
        assert_eq!(merge.merged(), [157, 145, -32_512, 7]);
        assert_eq!(merge.midpoint(), [82, 76, -32_506, 7]);
    }

    #[test]
    fn sums_hold_at_the_extremes() {
        let most = delta([(0, i16::MAX), (1, -i16::MAX)]);
        let parts = vec![part(&most, MAX_WEIGHT, MAX_FACTOR); MAX_REVEALS];
        let merge = Merge::new(&[0, 0], &parts);
        assert_eq!(merge.merged(), [32_512, -32_512]);
        assert_eq!(merge.midpoint(), [32_512, -32_512]);
    }

    #[test]
    fn entries_past_the_base_change_nothing() {
        let merge_of = delta([(1, 5)]);
        let parts = [part(&merge_of, 1, FACTOR_ONE)];
        let merge = Merge::new(&[3], &parts);
        assert_eq!((merge.midpoint(), merge.merged()), (vec![3], vec![3]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_order_does_not_matter(
            deltas in any_vec((any_delta(), 1..=MAX_WEIGHT, 0..=MAX_FACTOR), 1..6),
            base in any_vec(-32_512i16..=32_512, PARAMETERS as usize),
        ) {
            let mut parts: Vec<Part> = deltas.iter().map(|(delta, weight, factor)| part(delta, *weight, *factor)).collect();
            let merged = Merge::new(&base, &parts).merged();
            prop_assert!(merged.iter().all(|w| w.unsigned_abs() <= 32_512));
            parts.reverse();
            prop_assert_eq!(Merge::new(&base, &parts).merged(), merged);
        }

        #[test]
        fn two_halves_count_as_the_whole(
            a in any_delta(), b in any_delta(), half in 1..=MAX_WEIGHT / 2, factor in 0..=MAX_FACTOR
        ) {
            let (base, other) = ([0; PARAMETERS as usize], part(&b, 77, FACTOR_ONE));
            let whole = [part(&a, 2 * half, factor), other];
            let halves = [part(&a, half, factor), part(&a, half, factor), other];
            prop_assert_eq!(Merge::new(&base, &whole).merged(), Merge::new(&base, &halves).merged());
        }
    }
}
