//! The arithmetic of pay: exact, checked, and adding up to the last planck.
//!
//! Every division rounds down. What is split is split by differences of rounded prefixes, so
//! that the parts of a pot sum to the pot whatever the rounding of each part.

/// Q16 bits of one sample in a bit.
const Q16: u128 = 1 << 16;
const MILLIBITS_PER_BIT: u128 = 1000;
const PERMILLE: u128 = 1000;

/// What a round owes: `price_per_millibit` planck for each millibit a sample of improvement,
/// `paid_gain` being Q16 bits summed over `samples`; rounded down, at most `cap`.
///
/// `None` when there are no samples.
pub fn owed(price_per_millibit: u128, paid_gain: u64, samples: u32, cap: u128) -> Option<u128> {
    if samples == 0 {
        return None;
    }
    // Below 2^64 * 1000, and below 2^48: neither product can overflow.
    let gain = u128::from(paid_gain).checked_mul(MILLIBITS_PER_BIT)?;
    let unit = u128::from(samples).checked_mul(Q16)?;
    // A price that does not fit 128 bits is above any cap.
    Some(mul_div(price_per_millibit, gain, unit).map_or(cap, |price| price.min(cap)))
}

/// The attesters' part of `owed`, rounded down. `None` when `fee_permille` is over 1000.
pub fn fees(owed: u128, fee_permille: u16) -> Option<u128> {
    let permille = u128::from(fee_permille);
    if permille > PERMILLE {
        return None;
    }
    mul_div(owed, permille, PERMILLE)
}

/// The part of `pot` that belongs to `share` out of `total`, where `prefix` is the sum of all
/// shares before it: `floor(pot * (prefix + share) / total) - floor(pot * prefix / total)`.
///
/// The slices of consecutive shares that fill `total` add up to `pot` exactly. `None` when
/// `total` is 0 or `prefix + share` goes beyond it.
pub fn slice(pot: u128, total: u128, prefix: u128, share: u128) -> Option<u128> {
    let end = prefix.checked_add(share)?;
    if end > total {
        return None;
    }
    mul_div(pot, end, total)?.checked_sub(mul_div(pot, prefix, total)?)
}

/// `floor(a * b / divisor)` with a 256-bit product. `None` when `divisor` is 0 or the quotient
/// does not fit 128 bits.
pub fn mul_div(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (high, low) = widening_mul(a, b);
    if high >= divisor {
        // Also the case of divisor == 0.
        return None;
    }
    if high == 0 {
        return low.checked_div(divisor);
    }
    // Schoolbook long division, a bit at a time; `remainder < divisor` holds throughout.
    let mut remainder = high;
    let mut quotient = 0u128;
    for bit in (0..u128::BITS).rev() {
        let carry = remainder >> (u128::BITS - 1);
        remainder = (remainder << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carry == 1 || remainder >= divisor {
            // With a carry the true remainder is 2^128 + remainder, and wrapping subtracts right.
            remainder = remainder.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    Some(quotient)
}

/// The 256-bit product as (high, low) halves, from four 64-bit products (Knuth, TAOCP 4.3.1, M).
fn widening_mul(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    // No step overflows: a product of halves is at most 2^128 - 2^65 + 1, which leaves room for
    // two more halves.
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let cross = a_low * b_high + (middle & LOW);
    let high = a_high * b_high + (middle >> 64) + (cross >> 64);
    (high, (cross << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bit_over_every_sample_is_a_thousand_millibits() {
        assert_eq!(owed(7, 1000 << 16, 1000, u128::MAX), Some(7_000));
        assert_eq!(owed(7, 1000 << 16, 1000, 6_999), Some(6_999));
        assert_eq!(owed(7, 0, 1000, 6_999), Some(0));
        assert_eq!(owed(7, 1, 0, 6_999), None);
        assert_eq!(owed(u128::MAX, u64::MAX, 1, 5), Some(5));
    }

    #[test]
    fn fees_are_permille() {
        assert_eq!(fees(1999, 100), Some(199));
        assert_eq!(fees(u128::MAX, 1000), Some(u128::MAX));
        assert_eq!(fees(1, 1001), None);
    }

    #[test]
    fn nothing_is_sliced_beyond_the_total() {
        assert_eq!(slice(100, 0, 0, 0), None);
        assert_eq!(slice(100, 3, 2, 2), None);
        assert_eq!(slice(100, u128::MAX, u128::MAX, 1), None);
        assert_eq!(slice(100, 3, 2, 1), Some(34));
    }

    #[test]
    fn division_by_zero_and_overflow_are_none() {
        assert_eq!(mul_div(1, 1, 0), None);
        assert_eq!(mul_div(u128::MAX, u128::MAX, 0), None);
        assert_eq!(mul_div(u128::MAX, 2, 1), None);
        assert_eq!(mul_div(u128::MAX, u128::MAX, u128::MAX), Some(u128::MAX));
    }

    proptest! {
        #[test]
        fn mul_div_agrees_with_narrow_arithmetic(a: u64, b: u64, divisor in 1..=u128::MAX) {
            let product = u128::from(a) * u128::from(b);
            prop_assert_eq!(mul_div(a.into(), b.into(), divisor), Some(product / divisor));
        }

        /// quotient * divisor <= a * b < (quotient + 1) * divisor, in 256 bits.
        #[test]
        fn mul_div_is_the_floor(a: u128, b: u128, divisor in 1..=u128::MAX) {
            let product = widening_mul(a, b);
            match mul_div(a, b, divisor) {
                None => prop_assert!(product.0 >= divisor),
                Some(quotient) => {
                    let floor = widening_mul(quotient, divisor);
                    prop_assert!(floor <= product);
                    let (low, borrow) = product.1.overflowing_sub(floor.1);
                    let high = product.0 - floor.0 - u128::from(borrow);
                    prop_assert_eq!(high, 0);
                    prop_assert!(low < divisor);
                }
            }
        }

        #[test]
        fn slices_add_up(pot: u128, shares in prop::collection::vec(any::<u64>(), 1..64)) {
            let total: u128 = shares.iter().copied().map(u128::from).sum();
            prop_assume!(total > 0);
            let mut prefix = 0;
            let mut paid = 0;
            for share in shares.iter().copied().map(u128::from) {
                paid += slice(pot, total, prefix, share).unwrap();
                prefix += share;
            }
            prop_assert_eq!(paid, pot);
        }

        #[test]
        fn owed_never_exceeds_cap_and_grows_with_gain(
            price: u128, gain in 0..u64::MAX, samples in 1..=u32::MAX, cap: u128,
        ) {
            let now = owed(price, gain, samples, cap).unwrap();
            prop_assert!(now <= cap);
            prop_assert!(now <= owed(price, gain + 1, samples, cap).unwrap());
            prop_assert!(fees(now, 300).unwrap() <= now);
        }
    }
}
