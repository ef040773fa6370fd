//! [`Op::RmsNorm`](super::Op::RmsNorm): rows divided by the root of their mean square.

use super::definition::{rows, Definition, Incoming, Operands};
use crate::arith::{clamp_i16, clamp_i8, round_div, rs};
use crate::gradient::{log2_ceil, plus, sum_bits, times, Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind};
use crate::lut::RSQRT;
use crate::machine::Tensor;
use crate::trial::backward::{first, row_and_column, Here, PulledStages, Read, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

/// Widest row of a norm: the sum of that many squares fits 32 bits.
pub const MAX_NORM_WIDTH: u32 = 2048;

/// The fields of [`Op::RmsNorm`](super::Op::RmsNorm).
pub(super) struct RmsNorm {
    pub width: u32,
    pub unit_bits: u8,
}

impl Definition for RmsNorm {
    fn is_in_bounds(&self) -> bool {
        (1..=MAX_NORM_WIDTH).contains(&self.width) && self.unit_bits <= 7
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let taken = incoming.take(Kind::Wide)?;
        incoming.check_width(self.width)?;
        Ok(Flow::of(Kind::Narrow, taken.tokens, self.width))
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let rows = rows(operands.wide()?, self.width)?;
        let normed = rows.flat_map(|row| {
            let norm = Norm::of(row, self.unit_bits);
            row.iter().map(move |h| norm.apply(*h))
        });
        Some(Tensor::Narrow(normed.collect()))
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads {
            inputs: word.input(0, self.width),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let h = inputs.wide();
        let own = h.get(word.column as usize).ok_or(Refusal::WrongShape)?;
        Ok(Norm::of(&h, self.unit_bits).apply(*own).into())
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        norm_bits(self.width)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        rms_norm_backward(here, self.width, self.unit_bits)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        rms_norm_stages(here, stages, self.width, self.unit_bits)
    }
}

/// What divides a row by the root of its mean square.
///
/// The row is shifted up until its largest magnitude has 15 bits: `g = h << up`. Its squares are
/// below 2^30, and `rs(g * g, s)` summed over the row is at most 2^30, where `s` is the least even
/// number with `width <= 2^s`. The sum's even exponent `2e` and 8 bits of mantissa give the reciprocal
/// of its root by [`RSQRT`]; the root of the width, `isqrt(width << 16)`, makes the sum a mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Norm {
    up: u32,
    /// Q15.
    reciprocal: i32,
    /// Q8, below 2^14.
    root_of_width: i32,
    down: u32,
}

impl Norm {
    /// The norm of a row of at most 2048 values; the result is in units of `2^-unit_bits`.
    #[inline(always)]
    pub fn of(row: &[i16], unit_bits: u8) -> Self {
        let most = row.iter().map(|h| magnitude(*h)).max().unwrap_or(0);
        let up = most.leading_zeros().saturating_sub(17);
        let log_width = row.len().max(1).next_power_of_two().ilog2();
        let s = log_width + log_width % 2;
        let squares = row.iter().map(|h| {
            let g = magnitude(*h) << up;
            rs(g.wrapping_mul(g) as i32, s)
        });
        // At least 2^(28-s), from the largest magnitude alone; 0 only for a row of zeros.
        let sum = squares.fold(0, i32::wrapping_add) as u32;
        let e = sum.max(1).ilog2() / 2;
        let mantissa = (sum >> (2 * e).saturating_sub(6)) as usize;
        let reciprocal = mantissa.checked_sub(64).and_then(|at| RSQRT.get(at));
        Self {
            up,
            reciprocal: reciprocal.copied().unwrap_or(0).into(),
            root_of_width: ((row.len() as u64) << 16).isqrt() as i32,
            down: (8 + e + s / 2).saturating_sub(unit_bits.into()),
        }
    }

    /// One value of the row: `t = rs(g * reciprocal, 15)`, then `clamp(rs(t * root, down), +-127)`.
    /// The products are below 2^30.
    #[inline]
    pub fn apply(&self, h: i16) -> i8 {
        let g = i32::from(clamp_i16(h.into())).wrapping_shl(self.up);
        let t = rs(g.wrapping_mul(self.reciprocal), 15);
        clamp_i8(rs(t.wrapping_mul(self.root_of_width), self.down))
    }

    /// Bits after the point of what [`Self::pull`] gives.
    pub const PULL_BITS: u8 = 10;

    /// What divides the row, times `d`, in `2^-10`: `rs(rs(d * reciprocal, 15) * root, down - up - 10)`. Where
    /// that is a shift to the left, the product is clamped first so that it stays within `+-2^30`: only for
    /// rows with hardly anything in them.
    #[inline]
    pub fn pull(&self, d: i16) -> i32 {
        let t = rs(i32::from(d).wrapping_mul(self.reciprocal), 15);
        // Below 2^29.
        let product = t.wrapping_mul(self.root_of_width);
        let down = self.down as i32 - self.up as i32 - i32::from(Self::PULL_BITS);
        if down >= 0 {
            return rs(product, down.unsigned_abs());
        }
        let up = down.unsigned_abs().min(30);
        let most = (1i32 << 30) >> up;
        product.clamp(-most, most) << up
    }
}

/// At most 32767.
#[inline]
fn magnitude(h: i16) -> u32 {
    clamp_i16(h.into()).unsigned_abs().into()
}

/// The sum over a row of products with 7 bits.
fn norm_bits(width: u32) -> u8 {
    sum_bits(7 + log2_ceil(width))
}

/// With `y = h * s`, `s = 2^unit_bits / rms(h)`, and `n` the width: `dh[c] = s * (dy[c] - y[c] * mean(dy * y) / 2^(2 *
/// unit_bits))`, where `dy` is 0 for values on the bound. `mean` is rounded to nearest, halves away from zero; the difference is
/// clamped to 16 bits.
fn rms_norm_backward(here: &Backwards, width: u32, unit_bits: u8) -> Option<Pulled> {
    let (Some(Tensor::Wide(h)), Tensor::Narrow(y)) = (here.before.last(), here.own) else {
        return None;
    };
    let n = i32::try_from(width).ok()?;
    let width = (width as usize).max(1);
    let mut values = Vec::with_capacity(h.len());
    for ((h, y), dy) in h
        .chunks_exact(width)
        .zip(y.chunks_exact(width))
        .zip(here.adjoint.values.chunks_exact(width))
    {
        let scale = Norm::of(h, unit_bits);
        let dy: Vec<i32> = dy
            .iter()
            .zip(y)
            .map(|(dy, y)| {
                if y.unsigned_abs() < 127 {
                    (*dy).into()
                } else {
                    0
                }
            })
            .collect();
        let products = dy.iter().zip(y).map(|(dy, y)| times(*dy, (*y).into()));
        let sum = products.fold(0, plus);
        // Below 2^22.
        let mean = round_div(sum.into(), n.into()) as i32;
        for (dy, y) in dy.iter().zip(y) {
            let along = rs(times(mean, (*y).into()), 2 * u32::from(unit_bits));
            let across = clamp_i16(plus(*dy, -along));
            values.push(scale.pull(across));
        }
    }
    Some(
        here.pull(
            values,
            here.adjoint
                .exponent
                .saturating_sub(i32::from(Norm::PULL_BITS)),
        ),
    )
}

/// [`rms_norm_backward`] word by word: `mean` of every row, then the sums. What the op gave is computed from the
/// row again.
fn rms_norm_stages(
    here: &Here,
    stages: &mut Stages,
    width: u32,
    unit_bits: u8,
) -> Option<PulledStages> {
    let (taken, dy, exponent) = (here.taken, here.adjoint.values, here.adjoint.exponent);
    let wide = |row: &[i32]| row.iter().map(|h| *h as i16).collect::<Vec<i16>>();
    // The part of the adjoint that passes, and what the op gave.
    let passed = |scale: &Norm, h: i16, dy: i32| {
        let y = i32::from(scale.apply(h));
        (if y.unsigned_abs() < 127 { dy } else { 0 }, y)
    };
    let reads = move |row: u64| {
        let start = row.checked_mul(width.into())?;
        let taken = taken.row(u32::try_from(row).ok()?, 0, width)?;
        Some(alloc::vec![taken, Read::stage(dy, start, width.into())])
    };
    let means = stages.each(4, here.rows(), reads, move |_, inputs| {
        let h = wide(inputs.first()?);
        let scale = Norm::of(&h, unit_bits);
        let products = h.iter().zip(inputs.get(1)?.iter()).map(|(h, dy)| {
            let (dy, y) = passed(&scale, *h, *dy);
            dy.wrapping_mul(y)
        });
        let sum = products.fold(0, i32::wrapping_add);
        Some(round_div(sum.into(), width.into()) as i32)
    });
    let reads = move |at: u64| {
        let (row, _) = row_and_column(at, width)?;
        Some(alloc::vec![
            taken.row(row, 0, width)?,
            Read::stage(dy, at, 1),
            Read::stage(means, row.into(), 1),
        ])
    };
    let execute = move |at, inputs: &[&[i32]]| {
        let (_, column) = row_and_column(at, width)?;
        let h = wide(inputs.first()?);
        let scale = Norm::of(&h, unit_bits);
        let (dy, y) = passed(&scale, *h.get(column as usize)?, first(inputs, 1)?);
        let along = rs(first(inputs, 2)?.wrapping_mul(y), 2 * u32::from(unit_bits));
        Some(scale.pull(clamp_i16(dy.wrapping_sub(along))))
    };
    let exponent = exponent.plus(-i32::from(Norm::PULL_BITS));
    PulledStages::previous(stages.sums(here.values(), exponent, reads, execute))
}
