//! `Requant`: sums back to activations.

use gotong_scoring::{arith::clamp_i8, machine::requant, Width};

use super::{adjoint::if_passes, block::Sums, Backwards, Block, Kernel, Shape};

/// A factor `multiplier / 2^(shift_in + shift_out)`, and the width of the result.
pub(super) struct Requant {
    pub shift_in: u8,
    pub multiplier: u8,
    pub shift_out: u8,
    pub width: Width,
}

impl Requant {
    /// Sums to narrow activations or wide values.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let Self {
            shift_in,
            multiplier,
            shift_out,
            width,
        } = *self;
        let requant = |sum: &i32| requant(*sum, shift_in, multiplier, shift_out);
        let values = shape.rows * shape.width;
        match width {
            Width::Narrow => {
                block.narrow.resize(values, 0);
                let narrow = |given: &mut i8, sum: &i32| *given = clamp_i8(requant(sum).into());
                for_each_sum(&mut block.narrow, &block.sums, narrow);
            }
            Width::Wide => {
                block.wide.resize(values, 0);
                let wide = |given: &mut i16, sum: &i32| *given = requant(sum);
                for_each_sum(&mut block.wide, &block.sums, wide);
            }
        }
    }

    /// Passes the adjoint times the multiplier, in `2^-(shift_in + shift_out)`, where the result is inside
    /// its bounds.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let Backwards { own, adjoints, .. } = here;
        let down = i32::from(self.shift_in) + i32::from(self.shift_out);
        here.previous.start(adjoints.values.len(), adjoints, -down);
        let multiplier = i32::from(self.multiplier);
        let by = |dy, is_inside| if_passes(dy, is_inside).wrapping_mul(multiplier);
        let sums = here.previous.values.iter_mut().zip(&adjoints.values);
        match self.width {
            Width::Narrow => {
                for ((sum, dy), y) in sums.zip(&own.narrow) {
                    *sum = by(*dy, y.unsigned_abs() < 127);
                }
            }
            Width::Wide => {
                for ((sum, dy), y) in sums.zip(&own.wide) {
                    *sum = by(*dy, y.unsigned_abs() < 32_767);
                }
            }
        }
    }
}

/// Calls `put` with every value and the sum that it comes from.
#[inline(always)]
fn for_each_sum<T>(values: &mut [T], sums: &Sums, put: impl Fn(&mut T, &i32)) {
    let given = values.chunks_exact_mut(sums.length);
    for (given, run) in given.zip(sums.runs()) {
        for (given, sum) in given.iter_mut().zip(run) {
            put(given, sum);
        }
    }
}
