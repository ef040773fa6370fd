//! Activation functions: [`Op::Relu`](super::Op::Relu) and [`Op::SquaredRelu`](super::Op::SquaredRelu).

use super::definition::{Definition, Incoming, Operands};
use crate::arith::{clamp_i8, rs};
use crate::graph::{Flow, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;

/// [`Op::Relu`](super::Op::Relu).
pub(super) struct Relu;

/// [`Op::SquaredRelu`](super::Op::SquaredRelu).
pub(super) struct SquaredRelu;

impl Definition for Relu {
    fn is_in_bounds(&self) -> bool {
        true
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        incoming.take(Kind::Narrow)
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let x = operands.narrow()?.iter();
        Some(Tensor::Narrow(x.copied().map(relu).collect()))
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads::same_place(word))
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(relu(inputs.activation(word)?).into())
    }
}

impl Definition for SquaredRelu {
    fn is_in_bounds(&self) -> bool {
        true
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        incoming.take(Kind::Narrow)
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let x = operands.narrow()?.iter();
        Some(Tensor::Narrow(x.copied().map(squared_relu).collect()))
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads::same_place(word))
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(squared_relu(inputs.activation(word)?).into())
    }
}

/// `max(x, 0)`.
#[inline]
fn relu(x: i8) -> i8 {
    x.max(0)
}

/// `rs(u * u, 7)` of `u = max(x, 0)`: at most 126.
#[inline]
pub fn squared_relu(x: i8) -> i8 {
    let u = i32::from(x.max(0));
    clamp_i8(rs(u.wrapping_mul(u), 7))
}
