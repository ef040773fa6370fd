//! Clipping, similarity, and the weighted merge of deltas.
//!
//! With `n_i = weight_i * clip_i * change_i` (clip in Q16), `N = sum n_i` and `W = sum weight_i`
//! the merge is `D = round_div(N, W << 16)` for every parameter: a weighted mean, in which a
//! delta in two halves of the same weight counts as it did whole.
//!
//! Bounds: a weight is at most 2^20, a clip 2^16, a change below 2^15, so `|n_i| < 2^51`, and of
//! 2^10 reveals `|N| < 2^61`. With a central difference of 255, `|N +- c * n_i| < 2^62`: i64 does.

use crate::arith::{clamp_master, round_div};
use crate::delta::{Delta, Entry};
use crate::CHUNK;
use alloc::vec::Vec;

/// Most reveals of a round.
pub const MAX_REVEALS: usize = 1024;
/// Largest weight of a reveal.
pub const MAX_WEIGHT: u32 = 1 << 20;
/// A clip of 1.
pub const CLIP_ONE: u32 = 1 << 16;

/// The Q16 factor for each delta that clips its norm to the median (of an even number the lower):
/// `min(1, median / norm)`, rounded down.
pub fn clips(deltas: &[&Delta]) -> Vec<u32> {
    let norms: Vec<u64> = deltas.iter().map(|delta| delta.norm()).collect();
    let median = median(norms.clone());
    norms.iter().map(|norm| clip(median, *norm)).collect()
}

/// The median; of an even number of values the lower, of none 0.
pub fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0)
}

/// The clip of a delta of this norm; both are below 2^32.
pub fn clip(median: u64, norm: u64) -> u32 {
    let ratio = median.saturating_mul(1 << 16).checked_div(norm);
    ratio.map_or(CLIP_ONE, |ratio| ratio.min(CLIP_ONE.into()) as u32)
}

/// For each delta, in the order of their commits, the first one before it that it is similar to,
/// of those that are themselves similar to none.
pub fn similar(deltas: &[&Delta]) -> Vec<Option<u32>> {
    let mut similar = Vec::with_capacity(deltas.len());
    for delta in deltas {
        let earlier = (0..).zip(deltas).zip(&similar);
        let mut kept = earlier.filter(|(_, to): &(_, &Option<u32>)| to.is_none());
        let first = kept.find(|((_, earlier), _)| {
            let (a, b) = (earlier.square_norm(), delta.square_norm());
            cosine_over_0_7(dot(earlier.entries(), delta.entries()), a, b)
        });
        let to = first.map(|((index, _), _)| index);
        similar.push(to);
    }
    similar
}

/// Whether the cosine of two changes is over 0.7, from their product and square norms: `dot > 0` and
/// `100 dot^2 > 49 |a|^2 |b|^2`.
pub fn cosine_over_0_7(dot: i64, square_norm_a: u64, square_norm_b: u64) -> bool {
    let square = u128::from(dot.unsigned_abs()).pow(2);
    let norms = u128::from(square_norm_a) * u128::from(square_norm_b);
    // Of 2^27 parameters a square norm is at most 2^57 and by Cauchy-Schwarz so is the dot: the
    // products are below 2^121 and nothing saturates.
    dot > 0 && square.saturating_mul(100) > norms.saturating_mul(49)
}

/// Product of two changes.
pub fn dot(a: &[Entry], b: &[Entry]) -> i64 {
    let mut others = b.iter().peekable();
    let mut sum = 0;
    for entry in a {
        while others
            .next_if(|other| other.position < entry.position)
            .is_some()
        {}
        if let Some(other) = others.next_if(|other| other.position == entry.position) {
            sum += i64::from(entry.change) * i64::from(other.change);
        }
    }
    sum
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

    /// The midpoint with `c` times half of a part's own share of `D` more: `base + round_div(N +
    /// c * n_i, 2 W << 16)`, where `c` may be negative. `midpoint` is [`Merge::midpoint`].
    pub fn beside_midpoint(&self, midpoint: &[i16], part: &Part, c: i16) -> Vec<i16> {
        let mut weights = midpoint.to_vec();
        let mut moves = self.moves.as_slice();
        for (position, term) in part.terms() {
            moves = &moves[moves.partition_point(|(moved, _)| *moved < position)..];
            let sum = match moves.first() {
                Some((moved, sum)) if *moved == position => *sum,
                _ => 0,
            };
            if let (Some(weight), Some(base)) = (weights.get_mut(position), self.base.get(position))
            {
                *weight = moved(*base, sum + i64::from(c) * term, self.weight << 17);
            }
        }
        weights
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
    fn norms_are_clipped_to_the_lower_median() {
        let deltas = [8, 2, 1, 4].map(|change| delta([(0, change)]));
        assert_eq!(
            clips(&deltas.each_ref()),
            [1 << 14, 1 << 16, 1 << 16, 1 << 15]
        );
        assert_eq!(clips(&[&deltas[0]]), [CLIP_ONE]);
        // A norm of 32767 * sqrt(40) against one of 1.
        let large = delta((0..PARAMETERS).map(|position| (position, i16::MAX)));
        assert_eq!(clips(&[&large, &deltas[2]]), [0, CLIP_ONE]);
    }

    #[test]
    fn the_later_of_two_similar_is_similar() {
        let a = delta([(0, 10), (1, 10)]);
        // Cosines to a: 1, -1, 1/sqrt(2), 0; 1/sqrt(2) is over 0.7.
        let others = [
            a.clone(),
            delta([(0, -5), (1, -5)]),
            delta([(0, 10)]),
            delta([(2, 10)]),
        ];
        for (other, expected) in others.iter().zip([true, false, true, false]) {
            let expected = expected.then_some(0);
            assert_eq!(similar(&[&a, other]), [None, expected]);
            assert_eq!(similar(&[other, &a]), [None, expected]);
        }
        // Exactly 0.7 is not over: 7 of 10 entries are the same, the others apart.
        let first = delta((0..10).map(|p| (p, 3)));
        let second = delta((3..13).map(|p| (p, 3)));
        assert_eq!(similar(&[&first, &second]), [None, None]);
        // What is similar only to one that is itself out, stays.
        let (x, xy, y) = (delta([(0, 9)]), delta([(0, 9), (1, 9)]), delta([(1, 9)]));
        assert_eq!(similar(&[&x, &xy, &y]), [None, Some(0), None]);
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
        let midpoint = merge.midpoint();
        assert_eq!(midpoint, [45, 41, -32_503, 7]);
        // With 2 * 75 / 2 more and less.
        assert_eq!(
            merge.beside_midpoint(&midpoint, &parts[0], 2),
            [7 + 113, 7 + 109, -32_503, 7]
        );
        assert_eq!(
            merge.beside_midpoint(&midpoint, &parts[0], -2),
            [7 - 38, 7 - 41, -32_503, 7]
        );
    }

    #[test]
    fn sums_hold_at_the_extremes() {
        let most = delta([(0, i16::MAX), (1, -i16::MAX)]);
        let parts = vec![part(&most, MAX_WEIGHT, CLIP_ONE); MAX_REVEALS];
        let merge = Merge::new(&[0, 0], &parts);
        assert_eq!(merge.merged(), [32_512, -32_512]);
        let midpoint = merge.midpoint();
        assert_eq!(midpoint, [16_384, -16_384]);
        assert_eq!(
            merge.beside_midpoint(&midpoint, &parts[0], 255),
            [20_463, -20_463]
        );
    }

    #[test]
    fn entries_past_the_base_change_nothing() {
        let merge_of = delta([(1, 5)]);
        let parts = [part(&merge_of, 1, CLIP_ONE)];
        let merge = Merge::new(&[3], &parts);
        assert_eq!(merge.beside_midpoint(&merge.midpoint(), &parts[0], 1), [3]);
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

        #[test]
        fn the_cosine_is_that_of_wide_integers(a in any_delta(), b in any_delta()) {
            let dense = |delta: &Delta| {
                let mut values = [0i128; PARAMETERS as usize];
                for entry in delta.entries() {
                    values[entry.position as usize] = entry.change.into();
                }
                values
            };
            let (x, y) = (dense(&a), dense(&b));
            let wide = |x: &[i128], y: &[i128]| x.iter().zip(y).map(|(x, y)| x * y).sum::<i128>();
            let over = wide(&x, &y) > 0 && wide(&x, &y).pow(2) * 100 > wide(&x, &x) * wide(&y, &y) * 49;
            let product = dot(a.entries(), b.entries());
            prop_assert_eq!(cosine_over_0_7(product, a.square_norm(), b.square_norm()), over);
            prop_assert_eq!(similar(&[&a, &b]), similar(&[&b, &a]));
        }
    }
}
