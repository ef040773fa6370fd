//! `RmsNorm`: rows divided by the root of their mean square.

use burn::tensor::{Int, Tensor};

use super::{
    arith::{count, rs},
    Context,
};

pub(super) struct RmsNorm {
    pub unit_bits: i32,
}

impl RmsNorm {
    pub fn new(unit_bits: u8) -> Self {
        Self {
            unit_bits: unit_bits.into(),
        }
    }

    /// As `gotong_scoring::machine::Norm`, of every row.
    pub fn forward(&self, h: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let [rows, width] = h.dims();
        let most = h.clone().abs().max_dim(1);
        // The rows are shifted up until the largest magnitude has 15 bits.
        let is_below = (0..15).map(|bits| count(most.clone().lower_elem(1 << bits)));
        let up = is_below.fold(most.zeros_like(), |up, more| up + more);
        let g = h * most.ones_like().bitwise_left_shift(up);

        let log_width = width.next_power_of_two().ilog2() as i32;
        let s = log_width + log_width % 2;
        let sum = rs(g.clone() * g.clone(), s).sum_dim(1);
        // Half of its logarithm, rounded down.
        let passed = (1..=15).map(|half| count(sum.clone().greater_equal_elem(1 << (2 * half))));
        let e = passed.fold(sum.zeros_like(), |e, more| e + more);
        let down = e.clone().mul_scalar(2).sub_scalar(6).clamp_min(0);
        let at = sum.bitwise_right_shift(down).sub_scalar(64).clamp(0, 191);
        // A row of zeros stays one, whatever it is multiplied with.
        let reciprocal = context.tables().rsqrt.clone().select(0, at.reshape([rows]));

        let t = rs(g * reciprocal.reshape([rows, 1]), 15);
        let root_of_width = ((width as u64) << 16).isqrt() as i32;
        let scaled = t.mul_scalar(root_of_width);
        // At least 1.
        let down = e.add_scalar(8 + s / 2 - self.unit_bits);
        let down = down.expand([rows, width]);
        let half = scaled
            .clone()
            .bitwise_right_shift(down.clone().sub_scalar(1))
            .bitwise_and_scalar(1);
        (scaled.bitwise_right_shift(down) + half).clamp(-127, 127)
    }
}
