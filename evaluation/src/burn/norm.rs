//! `RmsNorm`: rows divided by the root of their mean square.

use burn::tensor::{Int, Tensor};
use gotong_scoring::machine::Norm;

use super::{
    adjoint::{round_div, Backwards, Pulled},
    arith::{count, rs, rs_by},
    Context,
};

pub(super) struct RmsNorm {
    pub unit_bits: i32,
}

/// `gotong_scoring::machine::Norm` of every row: each `[rows, 1]`.
struct Norms {
    up: Tensor<2, Int>,
    reciprocal: Tensor<2, Int>,
    down: Tensor<2, Int>,
    root_of_width: i32,
}

impl Norms {
    fn of(h: &Tensor<2, Int>, unit_bits: i32, context: &Context) -> Self {
        let [rows, width] = h.dims();
        let most = h.clone().abs().max_dim(1);
        // The rows are shifted up until the largest magnitude has 15 bits.
        let is_below = (0..15).map(|bits| count(most.clone().lower_elem(1 << bits)));
        let up = is_below.fold(most.zeros_like(), |up, more| up + more);
        let g = raised(h.clone(), up.clone());

        let log_width = width.next_power_of_two().ilog2() as i32;
        let s = log_width + log_width % 2;
        let sum = rs(g.clone() * g, s).sum_dim(1);
        // Half of its logarithm, rounded down.
        let passed = (1..=15).map(|half| count(sum.clone().greater_equal_elem(1 << (2 * half))));
        let e = passed.fold(sum.zeros_like(), |e, more| e + more);
        let down = e.clone().mul_scalar(2).sub_scalar(6).clamp_min(0);
        let at = sum.bitwise_right_shift(down).sub_scalar(64).clamp(0, 191);
        let reciprocal = context.tables().rsqrt.clone().select(0, at.reshape([rows]));
        Self {
            up,
            // A row of zeros has no reciprocal.
            reciprocal: reciprocal
                .reshape([rows, 1])
                .mask_fill(most.equal_elem(0), 0),
            // At least 1.
            down: e.add_scalar(8 + s / 2 - unit_bits),
            root_of_width: ((width as u64) << 16).isqrt() as i32,
        }
    }

    /// Like `Norm::apply`, for all values.
    fn apply(self, h: Tensor<2, Int>) -> Tensor<2, Int> {
        let t = rs(raised(h, self.up) * self.reciprocal, 15);
        rs_by(t.mul_scalar(self.root_of_width), self.down).clamp(-127, 127)
    }

    /// Like `Norm::pull`, for all values.
    fn pull(self, d: Tensor<2, Int>) -> Tensor<2, Int> {
        let t = rs(d * self.reciprocal, 15);
        let product = t.mul_scalar(self.root_of_width);
        let down = self.down - self.up;
        let down = down.sub_scalar(i32::from(Norm::PULL_BITS));
        let up = down.clone().neg().clamp(0, 30);
        // Where there is no shift up, the bound is more than any product.
        let most = full_of(&up, 1 << 30).bitwise_right_shift(up.clone());
        let most = most.expand(product.dims());
        let limited = product.min_pair(most.clone()).max_pair(most.neg());
        raised(rs_by(limited, down.clamp_min(0)), up)
    }
}

/// `h << up`, by shifts of rows, `[rows, 1]`.
fn raised(h: Tensor<2, Int>, up: Tensor<2, Int>) -> Tensor<2, Int> {
    h * full_of(&up, 1).bitwise_left_shift(up)
}

fn full_of(like: &Tensor<2, Int>, value: i32) -> Tensor<2, Int> {
    like.zeros_like().add_scalar(value)
}

impl RmsNorm {
    pub fn new(unit_bits: u8) -> Self {
        Self {
            unit_bits: unit_bits.into(),
        }
    }

    /// Like `gotong_scoring::machine::Norm`, for every row.
    pub fn forward(&self, h: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        Norms::of(&h, self.unit_bits, context).apply(h)
    }

    /// With `y = h * s`, `s = 2^unit_bits / rms(h)`: `dh[c] = s * (dy[c] - y[c] * mean(dy * y) / 2^(2 * unit_bits))`, where `dy` is
    /// 0 for values on the bound.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (h, y, dy) = (here.before, here.own.clone(), here.rows_inside(127));
        let [_, width] = h.dims();
        let sum = (dy.clone() * y.clone()).sum_dim(1);
        let widths = full_of(&sum, width as i32);
        // Below 2^22.
        let mean = round_div(sum, widths);
        let along = rs(y * mean, 2 * self.unit_bits);
        let across = (dy - along).clamp(-32_767, 32_767);
        let norms = Norms::of(h, self.unit_bits, &here.context);
        here.pull(norms.pull(across), -i32::from(Norm::PULL_BITS))
    }
}
