//! `Requant`: sums back to activations.

use burn::tensor::{Int, Tensor};
use gotong_scoring::Width;

use super::{
    adjoint::{Backwards, Pulled},
    arith::rs,
};

pub(super) struct Requant {
    pub shift_in: i32,
    pub multiplier: i32,
    pub shift_out: i32,
    /// Largest magnitude of the result.
    pub bound: i32,
}

impl Requant {
    pub fn new(shift_in: u8, multiplier: u8, shift_out: u8, width: Width) -> Self {
        Self {
            shift_in: shift_in.into(),
            multiplier: multiplier.into(),
            shift_out: shift_out.into(),
            bound: match width {
                Width::Narrow => 127,
                Width::Wide => 32_767,
            },
        }
    }

    /// Sums to narrow activations or wide values.
    pub fn forward(&self, values: Tensor<2, Int>) -> Tensor<2, Int> {
        let t = rs(values, self.shift_in);
        if self.multiplier == 1 << self.shift_out {
            return t.clamp(-self.bound, self.bound);
        }
        let t = t.clamp(-32_767, 32_767);
        rs(t.mul_scalar(self.multiplier), self.shift_out).clamp(-self.bound, self.bound)
    }

    /// Passes the adjoint times the multiplier, in `2^-(shift_in + shift_out)`, where the result is inside
    /// its bounds.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let dy = here.rows_inside(self.bound).mul_scalar(self.multiplier);
        here.pull(dy, -self.shift_in - self.shift_out)
    }
}
