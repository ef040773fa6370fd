//! [`Op::Requant`](super::Op::Requant): accumulators scaled down to activations or logits.

use super::definition::{Definition, Incoming, Operands};
use super::Width;
use crate::arith::{clamp_i16, clamp_i8, rs};
use crate::gradient::{times, Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::backward::{Here, PulledStages, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;

/// The fields of [`Op::Requant`](super::Op::Requant).
pub(super) struct Requant {
    pub shift_in: u8,
    pub multiplier: u8,
    pub shift_out: u8,
    pub width: Width,
}

impl Requant {
    /// The value before it is narrowed.
    fn scale(&self, acc: i32) -> i16 {
        requant(acc, self.shift_in, self.multiplier, self.shift_out)
    }
}

impl Definition for Requant {
    fn is_in_bounds(&self) -> bool {
        self.shift_in <= 31 && self.multiplier > 0 && self.shift_out <= 31
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let kind = match self.width {
            Width::Narrow => Kind::Narrow,
            Width::Wide => Kind::Wide,
        };
        Ok(Flow {
            kind,
            ..incoming.take(Kind::Acc)?
        })
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let Tensor::Acc(acc) = operands.taken else {
            return None;
        };
        let scaled = acc.iter().map(|acc| self.scale(*acc));
        Some(match self.width {
            Width::Wide => Tensor::Wide(scaled.collect()),
            Width::Narrow => Tensor::Narrow(scaled.map(|y| clamp_i8(y.into())).collect()),
        })
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads::same_place(word))
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let wide = i32::from(self.scale(inputs.first()?));
        Ok(match self.width {
            Width::Wide => wide,
            Width::Narrow => clamp_i8(wide).into(),
        })
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        requant_backward(
            here,
            self.shift_in,
            self.multiplier,
            self.shift_out,
            self.width,
        )
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let multiplier = i32::from(self.multiplier);
        let most = match self.width {
            Width::Narrow => 127,
            Width::Wide => 32_767,
        };
        let passes = move |dy: i32, y: i32| {
            if y.unsigned_abs() < most {
                dy.wrapping_mul(multiplier)
            } else {
                0
            }
        };
        let down = i32::from(self.shift_in) + i32::from(self.shift_out);
        let exponent = here.adjoint.exponent.plus(-down);
        PulledStages::previous(stages.pointwise(here, here.own, exponent, passes))
    }
}

/// `clamp(rs(clamp(rs(acc, shift_in), +-32767) * multiplier, shift_out), +-32767)`; a narrow
/// requant further clamps the result to +-127.
#[inline]
pub fn requant(acc: i32, shift_in: u8, multiplier: u8, shift_out: u8) -> i16 {
    let t = clamp_i16(rs(acc, shift_in.into()));
    // Below 2^23.
    let product = i32::from(t).wrapping_mul(multiplier.into());
    clamp_i16(rs(product, shift_out.into()))
}

/// `dacc = dy * multiplier` in `2^-(shift_in + shift_out)`, where the result is inside its bounds.
fn requant_backward(
    here: &Backwards,
    shift_in: u8,
    multiplier: u8,
    shift_out: u8,
    width: Width,
) -> Option<Pulled> {
    let by = |dy: &i16, is_inside: bool| {
        if is_inside {
            times((*dy).into(), multiplier.into())
        } else {
            0
        }
    };
    let dy = here.adjoint.values.iter();
    let values = match (width, here.own) {
        (Width::Narrow, Tensor::Narrow(y)) => dy
            .zip(y)
            .map(|(dy, y)| by(dy, y.unsigned_abs() < 127))
            .collect(),
        (Width::Wide, Tensor::Wide(y)) => dy
            .zip(y)
            .map(|(dy, y)| by(dy, y.unsigned_abs() < 32_767))
            .collect(),
        _ => return None,
    };
    let down = i32::from(shift_in) + i32::from(shift_out);
    Some(here.pull(values, here.adjoint.exponent.saturating_sub(down)))
}
