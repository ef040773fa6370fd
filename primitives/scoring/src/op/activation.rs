//! Activation functions: [`Op::Relu`](super::Op::Relu) and [`Op::SquaredRelu`](super::Op::SquaredRelu).

use super::definition::{Definition, Incoming, Operands};
use crate::arith::{clamp_i8, rs};
use crate::gradient::{times, Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind};
use crate::machine::Tensor;
use crate::trial::backward::{Here, PulledStages, Stages};
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

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        relu_backward(here)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let passes = |dy, y| if y > 0 { dy } else { 0 };
        let exponent = here.adjoint.exponent;
        PulledStages::previous(stages.pointwise(here, here.own, exponent, passes))
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

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        squared_relu_backward(here)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let slope = |dy: i32, x: i32| dy.wrapping_mul(x.max(0));
        let exponent = here.adjoint.exponent.plus(-6);
        PulledStages::previous(stages.pointwise(here, here.taken, exponent, slope))
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

fn relu_backward(here: &Backwards) -> Option<Pulled> {
    let Tensor::Narrow(y) = here.own else {
        return None;
    };
    Some(here.pass(|at| y.get(at).is_some_and(|y| *y > 0)))
}

/// The backward pass of `u^2 / 128`: `dy * u` in `2^-6`.
fn squared_relu_backward(here: &Backwards) -> Option<Pulled> {
    let x = here.narrow()?;
    let values = here.adjoint.values.iter().zip(&x);
    let values = values.map(|(dy, x)| times((*dy).into(), (*x).max(0).into()));
    Some(here.pull(values.collect(), here.adjoint.exponent.saturating_sub(6)))
}
