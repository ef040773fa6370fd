//! A difference of losses on the same samples, and its standard error.

/// A difference between two losses of the same samples, summed over the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paired {
    pub sum: i64,
    pub standard_error: u64,
}

impl Paired {
    /// By how much the losses fall. The standard error of a sum over `N` samples with first and
    /// second moments `S1`, `S2` is `isqrt((N * S2 - S1^2) / (N - 1))`, both rounded down.
    ///
    /// The square of a difference of two `u32` fits 64 bits, and the sum of the squares of all
    /// samples fits 128.
    pub fn fall(before: &[u32], after: &[u32]) -> Self {
        let pairs = before.iter().zip(after);
        let (sum, squares) = pairs.fold((0i64, 0u128), |(sum, squares), (before, after)| {
            let fall = i64::from(*before) - i64::from(*after);
            let square = fall.unsigned_abs() * fall.unsigned_abs();
            (sum + fall, squares + u128::from(square))
        });
        let n = before.len() as u128;
        // Not negative, by Cauchy-Schwarz. A loss is below 2^31 and there are at most 2^31 of them:
        // no product passes 2^124.
        let variance = (n * squares)
            .saturating_sub(u128::from(sum.unsigned_abs()).pow(2))
            .checked_div(n.saturating_sub(1).max(1))
            .unwrap_or(0);
        Self {
            sum,
            standard_error: variance.isqrt() as u64,
        }
    }

    /// Whether it is positive and above this many of its standard errors, Q8.
    pub fn is_above(&self, floor_q8: u16) -> bool {
        let floor = i128::from(floor_q8) * i128::from(self.standard_error);
        self.sum > 0 && i128::from(self.sum) * 256 > floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_knows_its_error() {
        // Falls of 3 and 1: (2 * 10 - 16) / 1 is 4.
        let fall = Paired::fall(&[5, 5], &[2, 4]);
        assert_eq!((fall.sum, fall.standard_error), (4, 2));
        assert!(fall.is_above(511) && !fall.is_above(512));
        let rise = Paired::fall(&[2, 4], &[5, 5]);
        assert_eq!((rise.sum, rise.standard_error), (-4, 2));
        assert!(!rise.is_above(0));
        let most = Paired::fall(&[u32::MAX; 3], &[0; 3]);
        assert_eq!(
            (most.sum, most.standard_error),
            (3 * i64::from(u32::MAX), 0)
        );
        assert!(most.is_above(u16::MAX) && !Paired::fall(&[], &[]).is_above(0));
    }
}
