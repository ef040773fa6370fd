//! Clipping, and the weighted merge of deltas.
//!
//! With `n_i = weight_i * clip_i * change_i` (clip in Q16), `N = sum n_i` and `W = sum weight_i`
//! the merge is `D = round_div(N, W << 16)` for every parameter: a weighted mean, in which a
//! delta in two halves of the same weight counts as it did whole.
//!
//! Bounds: a weight is at most 2^20, a clip 2^16, a change below 2^15, so `|n_i| < 2^51`, and of
//! 2^10 reveals `|N| < 2^61`: i64 does.

use crate::arith::{clamp_master, round_div};
use crate::delta::Delta;
use crate::CHUNK;
use alloc::vec::Vec;

/// Most reveals of a round.
pub const MAX_REVEALS: usize = 1024;
/// Largest weight of a reveal.
pub const MAX_WEIGHT: u32 = 1 << 20;
/// A clip of 1.
pub const CLIP_ONE: u32 = 1 << 16;

/// The clip of a delta of this norm: `min(1, median / norm)` in Q16, rounded down, and 1 for a norm of 0. Both are below
/// 2^32.
pub fn clip(median: u64, norm: u64) -> u32 {
    let ratio = median.saturating_mul(1 << 16).checked_div(norm);
    ratio.map_or(CLIP_ONE, |ratio| ratio.min(CLIP_ONE.into()) as u32)
}

/// A delta as it enters a merge.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The delta.
    pub delta: &'a Delta,
    /// Its weight, at most [`MAX_WEIGHT`].
    pub weight: u32,
    /// Its clip, Q16.
    pub clip_q16: u32,
}

impl Part<'_> {
    /// Position and `n_i` of each entry.
    fn terms(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        let scale = i64::from(self.weight) * i64::from(self.clip_q16);
        let entries = self.delta.entries().iter();
        entries.map(move |entry| (entry.position as usize, scale * i64::from(entry.change)))
    }
}

/// A merge of at most [`MAX_REVEALS`] deltas on weights that all of them are deltas to.
#[derive(Clone, Debug)]
pub struct Merge<'a> {
    base: &'a [i16],
    /// Position and `N` of every parameter that is moved, positions rising.
    moves: Vec<(usize, i64)>,
    /// `W`.
    weight: u64,
}

impl<'a> Merge<'a> {
    /// Of these parts on `base`. Entries past the base are passed over.
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

    fn part(delta: &Delta, weight: u32, clip_q16: u32) -> Part<'_> {
        Part {
            delta,
            weight,
            clip_q16,
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
    fn norms_are_clipped_to_the_median() {
        assert_eq!(
            [8, 2, 1, 4].map(|norm| clip(2, norm)),
            [1 << 14, CLIP_ONE, CLIP_ONE, 1 << 15]
        );
        assert_eq!(
            [clip(0, 0), clip(1, u64::from(u32::MAX)), clip(1, 0)],
            [CLIP_ONE, 0, CLIP_ONE]
        );
    }

    #[test]
    fn the_merge_is_the_weighted_mean() {
        let (a, b) = (delta([(0, 100), (1, 100)]), delta([(1, -50), (2, -50)]));
        let base = [7, 7, -32_500, 7];
        let parts = [part(&a, 3, CLIP_ONE), part(&b, 1, CLIP_ONE / 2)];
        let merge = Merge::new(&base, &parts);
        // 75; 75 - 25/4 = 68.75; -6.25 = -6.
        assert_eq!(merge.merged(), [82, 76, -32_506, 7]);
        // 37.5 away from zero; 34.375; -3.125.
        assert_eq!(merge.midpoint(), [45, 41, -32_503, 7]);
    }

    #[test]
    fn sums_hold_at_the_extremes() {
        let most = delta([(0, i16::MAX), (1, -i16::MAX)]);
        let parts = vec![part(&most, MAX_WEIGHT, CLIP_ONE); MAX_REVEALS];
        let merge = Merge::new(&[0, 0], &parts);
        assert_eq!(merge.merged(), [32_512, -32_512]);
        assert_eq!(merge.midpoint(), [16_384, -16_384]);
    }

    #[test]
    fn entries_past_the_base_change_nothing() {
        let merge_of = delta([(1, 5)]);
        let parts = [part(&merge_of, 1, CLIP_ONE)];
        let merge = Merge::new(&[3], &parts);
        assert_eq!((merge.midpoint(), merge.merged()), (vec![3], vec![3]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_order_does_not_matter(
            deltas in any_vec((any_delta(), 1..=MAX_WEIGHT, 0..=CLIP_ONE), 1..6),
            base in any_vec(-32_512i16..=32_512, PARAMETERS as usize),
        ) {
            let mut parts: Vec<Part> = deltas.iter().map(|(delta, weight, clip)| part(delta, *weight, *clip)).collect();
            let merged = Merge::new(&base, &parts).merged();
            prop_assert!(merged.iter().all(|w| w.unsigned_abs() <= 32_512));
            parts.reverse();
            prop_assert_eq!(Merge::new(&base, &parts).merged(), merged);
        }

        #[test]
        fn two_halves_count_as_the_whole(
            a in any_delta(), b in any_delta(), half in 1..=MAX_WEIGHT / 2, clip in 0..=CLIP_ONE
        ) {
            let (base, other) = ([0; PARAMETERS as usize], part(&b, 77, CLIP_ONE));
            let whole = [part(&a, 2 * half, clip), other];
            let halves = [part(&a, half, clip), part(&a, half, clip), other];
            prop_assert_eq!(Merge::new(&base, &whole).merged(), Merge::new(&base, &halves).merged());
        }
    }
}
