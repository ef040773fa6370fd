//! Rounding and clamping, as every implementation of the machine must do them; powers and
//! logarithms from tables.

use crate::lut::{EXP2, LOG2};

/// Bound of a master weight: its int8 view, `rs(w, 8)`, then never passes 127.
pub const MASTER_BOUND: i16 = 32_512;

/// Shift right, rounding to nearest, halves towards plus infinity: `(a + ((1 << s) >> 1)) >> s`.
///
/// Any shift of 32 or more acts as 32, whose result is 0.
#[inline]
pub fn rs(a: i32, s: u32) -> i32 {
    if s > 31 {
        return 0;
    }
    // Half of the dropped bits' range is the highest of them: it is added after the shift, where
    // nothing overflows. A check for that would keep loops from vectorising.
    let is_shifted = i32::from(s > 0);
    (a >> s).wrapping_add((a >> s.saturating_sub(1)) & is_shifted)
}

/// `n / d` rounded to nearest, halves away from zero. A divisor of zero gives zero.
pub fn round_div(n: i128, d: i128) -> i128 {
    let magnitude = {
        let (n, d) = (n.unsigned_abs(), d.unsigned_abs());
        let Some(whole) = n.checked_div(d) else {
            return 0;
        };
        let rest = n - whole * d;
        // `rest >= d - rest` is `2 * rest >= d` without the overflow.
        whole + u128::from(rest >= d - rest)
    };
    if (n < 0) == (d < 0) {
        magnitude as i128
    } else {
        (magnitude as i128).wrapping_neg()
    }
}

/// Clamp to `-127..=127`: -128 is not a value of the machine.
#[inline]
pub fn clamp_i8(a: i32) -> i8 {
    a.clamp(-127, 127) as i8
}

/// Clamp to `-32767..=32767`.
#[inline]
pub fn clamp_i16(a: i32) -> i16 {
    a.clamp(-32_767, 32_767) as i16
}

/// Clamp to the range of a master weight.
pub fn clamp_master(a: i128) -> i16 {
    a.clamp(-i128::from(MASTER_BOUND), i128::from(MASTER_BOUND)) as i16
}

/// `2^(-d/64)` in Q14, cut off; `d >= 0`.
#[inline]
pub fn exp2_q14(d: i32) -> u32 {
    let mantissa = u32::from(EXP2[(d & 63) as usize]);
    mantissa.checked_shr((d >> 6) as u32).unwrap_or(0)
}

/// `log2(s)` in Q16 from 10 bits after the leading one; `2^10 <= s`.
#[inline]
pub(crate) fn log2_q16(s: u32) -> u32 {
    let whole = s.ilog2();
    (whole << 16) + u32::from(LOG2[((s >> (whole - 10)) & 1023) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rs_rounds_halves_up() {
        assert_eq!(
            [-3, -2, -1, 0, 1, 2, 3].map(|a| rs(a, 1)),
            [-1, -1, 0, 0, 1, 1, 2]
        );
        assert_eq!(rs(i32::MAX, 0), i32::MAX);
        assert_eq!(rs(i32::MAX, 1), 1 << 30);
        assert_eq!(rs(i32::MIN, 31), -1);
        assert_eq!(rs(i32::MAX, 31), 1);
        assert_eq!([rs(i32::MAX, 40), rs(i32::MIN, 40)], [0, 0]);
        // The definition, for values where nothing overflows.
        for a in [i32::MIN, -32_768, -3, -2, -1, 0, 1, 2, 3, 1 << 20, i32::MAX] {
            for s in 0..=33 {
                let defined = (i64::from(a) + ((1 << s) >> 1)) >> s;
                assert_eq!(i64::from(rs(a, s)), defined, "{a} by {s}");
            }
        }
    }

    #[test]
    fn round_div_rounds_halves_away_from_zero() {
        assert_eq!(
            [(5, 2), (-5, 2), (5, -2), (-5, -2)].map(|(n, d)| round_div(n, d)),
            [3, -3, -3, 3]
        );
        assert_eq!(
            [(4, 3), (-4, 3), (0, 7), (7, 0)].map(|(n, d)| round_div(n, d)),
            [1, -1, 0, 0]
        );
        assert_eq!(round_div(i128::MAX, 1), i128::MAX);
        assert_eq!(round_div(i128::MIN, 1), i128::MIN);
        assert_eq!(round_div(i128::MAX, i128::MIN), -1);
    }

    #[test]
    fn clamps_are_symmetric() {
        assert_eq!(
            [i32::MIN, -128, 127, i32::MAX].map(clamp_i8),
            [-127, -127, 127, 127]
        );
        assert_eq!(
            [i32::MIN, -32_768, 32_767].map(clamp_i16),
            [-32_767, -32_767, 32_767]
        );
        assert_eq!([i128::MIN, 32_513].map(clamp_master), [-32_512, 32_512]);
    }

    proptest! {
        #[test]
        fn round_div_is_nearest(n in any::<i64>(), d in any::<i64>().prop_filter("zero", |d| *d != 0)) {
            let (n, d) = (i128::from(n), i128::from(d));
            let error = (n - round_div(n, d) * d).abs() * 2;
            prop_assert!(error <= d.abs());
            prop_assert_eq!(round_div(-n, d), -round_div(n, d));
        }
    }
}
