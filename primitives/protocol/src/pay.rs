//! The arithmetic of pay: exact, checked, and adding up to the last planck.
//!
//! Every division rounds down. What is split is split by differences of rounded prefixes, so
//! that the parts of a pot sum to the pot whatever the rounding of each part.

use gotong_scoring::Credit;

/// Q16 bits of one sample in a bit.
const Q16: u128 = 1 << 16;
const PERMILLE: u128 = 1000;
/// One, as a rate.
pub const WHOLE_Q32: u64 = 1 << 32;

/// What `units`, in Q16 bits summed over `samples`, are worth at `price_per_millibit` planck for each millibit per sample;
/// `permille` thousandths of that, rounded down.
///
/// Contributors get `1000 - fee` thousandths of what they prove, and attesters get `fee` thousandths of the gain.
///
/// `None` when there are no samples, `permille` is over 1000, or the pay does not fit 128 bits.
pub fn worth(price_per_millibit: u128, units: u64, samples: u32, permille: u16) -> Option<u128> {
    if u128::from(permille) > PERMILLE {
        return None;
    }
    // A thousand millibits are a bit, and a thousand thousandths the whole. The products are below 2^64 * 1000 and below 2^48.
    let parts = u128::from(units).checked_mul(permille.into())?;
    let bit = u128::from(samples).checked_mul(Q16)?;
    mul_div(price_per_millibit, parts, bit)
}

/// The rate, Q32 and rounded down, at which `owed` is no more than `cap`.
pub fn rate_q32(owed: u128, cap: u128) -> u64 {
    if owed <= cap {
        return WHOLE_Q32;
    }
    let rate = mul_div(cap, WHOLE_Q32.into(), owed).unwrap_or(0);
    u64::try_from(rate).unwrap_or(0)
}

/// `amount` at a rate, rounded down.
pub fn at_rate(amount: u128, rate_q32: u64) -> u128 {
    mul_div(amount, rate_q32.into(), WHOLE_Q32.into()).unwrap_or(amount)
}

/// A credit at a rate: the credit rounded down, its variance (at the rate's square) up.
pub fn credit_at_rate(credit: &Credit, rate_q32: u64) -> Credit {
    if rate_q32 >= WHOLE_Q32 {
        return *credit;
    }
    let scaled = i128::from(credit.credit).saturating_mul(rate_q32.into()) >> 32;
    let rounded_up = |variance| at_rate(variance, rate_q32).saturating_add(1);
    Credit {
        credit: i64::try_from(scaled).unwrap_or(credit.credit),
        variance: rounded_up(rounded_up(credit.variance)),
    }
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
        // This is also the case of divisor == 0.
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
        assert_eq!(worth(7, 1000 << 16, 1000, 1000), Some(7_000));
        assert_eq!(worth(7, 1000 << 16, 1000, 101), Some(707));
        assert_eq!(worth(7, 0, 1000, 1000), Some(0));
        assert_eq!(worth(7, 1, 0, 1000), None);
        assert_eq!(worth(7, 1, 1, 1001), None);
        assert_eq!(worth(u128::MAX, u64::MAX, 1, 1000), None);
        // The highest price of a millibit for the largest ledger of the smallest exam.
        assert!(worth(crate::bounds::MAX_PRICE, 1 << 62, 32, 1000).is_some());
    }

    #[test]
    fn rates_keep_to_the_cap() {
        assert_eq!(rate_q32(5, 5), WHOLE_Q32);
        assert_eq!(rate_q32(10, 5), WHOLE_Q32 / 2);
        assert_eq!(rate_q32(u128::MAX, 0), 0);
        assert_eq!(at_rate(10, WHOLE_Q32 / 2), 5);
        assert_eq!(at_rate(u128::MAX, WHOLE_Q32), u128::MAX);
    }

    #[test]
    fn a_credit_at_a_rate_is_as_uncertain_as_before() {
        let credit = |credit, variance| Credit { credit, variance };
        let whole = credit(-1001, 1 << 100);
        assert_eq!(credit_at_rate(&whole, WHOLE_Q32), whole);
        let half = credit_at_rate(&whole, WHOLE_Q32 / 2);
        // -500.5 rounded down; a quarter of the variance, and at most 2 more.
        assert_eq!(half.credit, -501);
        assert_eq!(half.variance, (1 << 98) + 1);
        assert_eq!(credit_at_rate(&whole, 0), credit(0, 1));
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
        fn a_capped_sum_is_within_the_cap(owed: u128, cap: u128) {
            prop_assert!(at_rate(owed, rate_q32(owed, cap)) <= cap);
        }

        #[test]
        fn more_is_worth_more(
            price in 0..1u128 << 76, units in 0u64..1 << 62, samples in 32..=4096u32, fee in 0..=1000u16,
        ) {
            let now = worth(price, units, samples, fee).unwrap();
            prop_assert!(now <= worth(price, units + 1, samples, fee).unwrap());
            // What is split between contributors and attesters is no more than the whole.
            let rest = worth(price, units, samples, 1000 - fee).unwrap();
            prop_assert!(now + rest <= worth(price, units, samples, 1000).unwrap());
        }
    }
}
