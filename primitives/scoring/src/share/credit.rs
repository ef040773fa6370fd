//! What each merged delta is credited: values that add up to the exact gain.

use super::{floor_div, Value, MOST_VARIANCE};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What a round says of one merged delta.
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
    /// Its part of the gain, Q16 bits summed over B's samples; negative if it did harm.
    pub credit: i64,
    /// The variance of that, rounded up.
    pub variance: u128,
}

/// Splits `gain` by values: all are scaled so that they add up to it, by at least 1/2 and at most 2. What is then
/// left is split by the values' magnitudes, and counts as doubt.
///
/// With `T` the sum of the values, `a = max(|value|, 1)` of each, and `U` their sum: `s = gain * 2^16 / T`, limited to
/// `2^15..=2^17` (`2^16` if `T` is 0), and `R = gain - (s * T >> 16)`. With `P` and `A` the sums of values and of `a` over
/// the rows so far, all up to one are credited `(s * P >> 16) + R * A / U`, and it what this grew by. The
/// variance is that of the value times `(s / 2^16)^2`, and the square of `R * a / U`. All divisions round down
/// but that of the variance. So the credits add up to `gain` to the last unit, whatever the values.
pub fn credits(values: &[Value], gain: i64) -> Vec<Credit> {
    let gain = i128::from(gain);
    // At most 2^10 values below 2^44: no product here passes 2^112.
    let total: i128 = values.iter().map(|value| i128::from(value.sum)).sum();
    let magnitude = |value: &Value| i128::from(value.sum).abs().max(1);
    let magnitudes: i128 = values.iter().map(magnitude).sum();
    let scale = match total {
        0 => 1 << 16,
        total => floor_div(gain << 16, total).clamp(1 << 15, 1 << 17),
    };
    let rest = gain - ((scale * total) >> 16);
    let (mut value_so_far, mut magnitude_so_far, mut credited) = (0, 0, 0);
    let mut credit = |value: &Value| {
        value_so_far += i128::from(value.sum);
        magnitude_so_far += magnitude(value);
        let upto = ((scale * value_so_far) >> 16) + floor_div(rest * magnitude_so_far, magnitudes);
        let credit = upto - credited;
        credited = upto;
        let own = floor_div(rest * magnitude(value), magnitudes).unsigned_abs();
        let scaled =
            (scale.unsigned_abs().pow(2)).saturating_mul(value.variance.min(MOST_VARIANCE >> 14));
        let variance = scaled
            .div_ceil(1 << 32)
            .saturating_add(own.saturating_pow(2));
        Credit {
            credit: credit as i64,
            variance: variance.min(MOST_VARIANCE),
        }
    };
    values.iter().map(&mut credit).collect()
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
        // 0.75 squared of 100.
        assert_eq!(credits[0].variance, 57);
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
        }
    }
}
