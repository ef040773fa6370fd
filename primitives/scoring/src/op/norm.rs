//! [`Op::RmsNorm`](super::Op::RmsNorm): rows divided by the root of their mean square.

use super::definition::{rows, Definition, Incoming, Operands};
use crate::arith::{clamp_i16, clamp_i8, rs};
use crate::graph::{Flow, GraphError, Kind};
use crate::lut::RSQRT;
use crate::machine::Tensor;
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;

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
    /// Of a row of at most 2048 values; the result is in units of `2^-unit_bits`.
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
        // At least 2^(28-s), for the largest magnitude alone; 0 only for a row of zeros.
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
}

/// At most 32767.
#[inline]
fn magnitude(h: i16) -> u32 {
    clamp_i16(h.into()).unsigned_abs().into()
}
