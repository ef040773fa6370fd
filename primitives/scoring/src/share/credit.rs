//! What each merged delta is credited: values that add up to the exact gain.

use super::{floor_div, Value, MOST_VARIANCE};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The credit of one merged delta in a round.
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
pub struct Credit {
    /// The delta's part of the gain, Q16 bits summed over B's samples; negative if it did harm.
    pub credit: i64,
    /// The variance of that part, rounded up.
    pub variance: u128,
}

/// Splits `gain` by values: all are scaled so that they add up to it, by at least 1/2 and at most 2. What is then left over is
/// split by the values' magnitudes, and counts as doubt. The errors of values are scaled down with them, but not up: where values
/// happen to add up to about nothing, they are all error, and what is scaled up is only luck.
///
/// With `T` the sum of the values, `a = max(|value|, 1)` of each, and `U` their sum: `s = gain * 2^16 / T`, limited to
/// `2^15..=2^17` (`2^16` if `T` is 0), and `R = gain - (s * T >> 16)`. With `P` and `A` the sums of values and of `a` over the rows
/// so far, the rows up to and including one are credited `(s * P >> 16) + R * A / U` together; its own credit is the increase. The
/// variance is that of the value times the square of `min(s / 2^16, 1)`, and the square of `R * a / U`. All divisions round down,
/// except those of the variance. So the credits add up to `gain` to the last unit, whatever the values.
pub fn credits(values: &[Value], gain: i64) -> Vec<Credit> {
    let mut all = Sums::default();
    values.iter().for_each(|value| all = all.with(value));
    let (split, mut before) = (Split::of(gain, all), Sums::default());
    let credit = |value: &Value| {
        let credit = split.credit(before, value);
        before = before.with(value);
        credit
    };
    values.iter().map(credit).collect()
}

/// Sums over the values of some rows, each below 2^56.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sum of the values.
    pub values: i64,
    /// The sum of `max(|value|, 1)`.
    pub magnitudes: u64,
}

impl Sums {
    fn with(self, value: &Value) -> Self {
        Self {
            values: self.values.saturating_add(value.sum),
            magnitudes: self.magnitudes.saturating_add(magnitude(value)),
        }
    }
}

/// What a value counts for when a remainder is split: `max(|value|, 1)`.
pub fn magnitude(value: &Value) -> u64 {
    value.sum.unsigned_abs().max(1)
}

/// How a gain is split, from the sums over all values: one credit can be computed without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    scale: i128,
    rest: i128,
    magnitudes: i128,
}

impl Split {
    /// Splits a gain below 2^44 in magnitude.
    pub fn of(gain: i64, all: Sums) -> Self {
        // Values are below 2^56: no product here or below passes 2^120.
        let (gain, total) = (i128::from(gain), i128::from(all.values));
        let scale = match total {
            0 => 1 << 16,
            total => floor_div(gain << 16, total).clamp(1 << 15, 1 << 17),
        };
        Self {
            scale,
            rest: gain - ((scale * total) >> 16),
            magnitudes: all.magnitudes.into(),
        }
    }

    /// The credit of a value, by the sums over the rows before it.
    pub fn credit(&self, before: Sums, value: &Value) -> Credit {
        let credit = self.upto(before.with(value)) - self.upto(before);
        let own = self.rest_of(magnitude(value)).unsigned_abs();
        let scale = self.scale.unsigned_abs().min(1 << 16);
        let scaled = (scale.pow(2)).saturating_mul(value.variance.min(MOST_VARIANCE >> 14));
        let variance = scaled
            .div_ceil(1 << 32)
            .saturating_add(own.saturating_pow(2));
        Credit {
            credit: credit as i64,
            variance: variance.min(MOST_VARIANCE),
        }
    }

    /// What all rows up to these sums are credited together; 0 without rows.
    fn upto(&self, sums: Sums) -> i128 {
        ((self.scale * i128::from(sums.values)) >> 16) + self.rest_of(sums.magnitudes)
    }

    fn rest_of(&self, magnitude: u64) -> i128 {
        floor_div(self.rest * i128::from(magnitude), self.magnitudes)
    }
}

/// The most that all positive credits of a round with `members` members can add up to: `ceil(s * (U + T) / 2 / 2^16) + max(R, 0) +
/// 2 * members`, in the symbols of [`credits`].
pub fn most_credits(gain: i64, all: Sums, members: u32) -> u64 {
    // A credit is a difference of two roundings, each of which adds less than 1. So it is below
    // `s * v / 2^16 + R * a / U + 2`, and its positive part is below `s * max(v, 0) / 2^16 + max(R, 0) * a / U + 2`. Over all
    // members, `max(v, 0) <= (a + v) / 2` adds up to at most `(U + T) / 2`, and `a / U` to 1.
    let split = Split::of(gain, all);
    // Below 2^57, so the product is below 2^74.
    let positive = i128::from(all.magnitudes).saturating_add(all.values.into());
    let scaled = split.scale.saturating_mul(positive.max(0));
    let most =
        -floor_div(scaled.saturating_neg(), 1 << 17) + split.rest.max(0) + 2 * i128::from(members);
    u64::try_from(most).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;

    fn value(sum: i64, variance: u128) -> Value {
        Value { sum, variance }
    }

    fn sum(credits: &[Credit]) -> i64 {
        credits.iter().map(|credit| credit.credit).sum()
    }

    #[test]
    fn values_are_scaled_to_the_gain() {
        let credits = credits(&[value(1000, 100), value(3000, 400)], 3000);
        let got: Vec<i64> = credits.iter().map(|credit| credit.credit).collect();
        assert_eq!(got, [750, 2250]);
        // 0.75 squared times 100.
        assert_eq!(credits[0].variance, 57);
    }

    #[test]
    fn errors_do_not_grow_with_a_gain_above_the_values() {
        let credits = credits(&[value(100, 10_000), value(300, 40_000)], 800);
        let got: Vec<_> = credits
            .iter()
            .map(|own| (own.credit, own.variance))
            .collect();
        assert_eq!(got, [(200, 10_000), (600, 40_000)]);
    }

    #[test]
    fn a_scale_out_of_bounds_leaves_a_rest_that_is_doubted() {
        // Values add up to 10 of a gain of 1000: doubled, and 980 split over the magnitudes.
        let credits = credits(&[value(110, 1), value(-100, 1)], 1000);
        assert_eq!(sum(&credits), 1000);
        assert!(credits[1].credit > 0 && credits[1].variance > 200_000);
        assert_eq!(super::credits(&[], 5), vec![]);
        assert_eq!(sum(&super::credits(&[value(0, 0)], -7)), -7);
    }

    #[test]
    fn ten_tenths_are_credited_as_the_whole() {
        let (tenth, whole, other) = (
            value(1 << 30, 1 << 40),
            value(10 << 30, 100 << 40),
            value(3 << 33, 1 << 46),
        );
        let mut split = vec![tenth; 10];
        split.push(other.clone());
        let gain = 33 << 30;
        let (split, whole) = (credits(&split, gain), credits(&[whole, other], gain));
        assert!((sum(&split[..10]) - whole[0].credit).abs() <= 10);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        (0u32..=44, any::<i64>(), any::<u128>()).prop_map(|(bits, sum, variance)| {
            value(sum >> (63 - bits), variance >> (127 - 2 * bits.min(53)))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn credits_add_up_to_the_gain(values in any_vec(any_value(), 1..60), bits in 0u32..=43, gain in any::<i64>()) {
            let gain = gain >> (63 - bits);
            let credits = credits(&values, gain);
            prop_assert_eq!(sum(&credits), gain);
            prop_assert!(credits.iter().all(|credit| credit.variance <= MOST_VARIANCE));
            let mut all = Sums::default();
            values.iter().for_each(|value| all = all.with(value));
            let positive: i64 = credits.iter().map(|credit| credit.credit.max(0)).sum();
            let most = most_credits(gain, all, values.len() as u32);
            prop_assert!(positive as u64 <= most);
            // And not much more than that.
            let rest = Split::of(gain, all).rest.unsigned_abs() as u64;
            prop_assert!(most <= positive as u64 + rest + 5 * values.len() as u64, "{} {}", most, positive);
        }
    }
}
