//! `Requant`: sums back to activations.

use gotong_scoring::{arith::clamp_i8, machine::requant, Width};

use super::{block::Sums, Block, Kernel, Shape};

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
