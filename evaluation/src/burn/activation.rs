//! `Relu` and `SquaredRelu`, of narrow activations.

use burn::tensor::{Int, Tensor};

use super::{
    adjoint::{Backwards, Pulled},
    arith::rs,
};

pub(super) fn relu(values: Tensor<2, Int>) -> Tensor<2, Int> {
    values.clamp_min(0)
}

pub(super) fn squared_relu(values: Tensor<2, Int>) -> Tensor<2, Int> {
    let u = values.clamp_min(0);
    rs(u.clone() * u, 7)
}

/// Passes the adjoint where the activation is above 0.
pub(super) fn relu_backward(here: &Backwards) -> Pulled {
    here.pass_unless(here.own.clone().lower_equal_elem(0))
}

/// The backward pass of `u^2 / 128`: `dy * u` in `2^-6`.
pub(super) fn squared_relu_backward(here: &Backwards) -> Pulled {
    here.pull(here.rows() * here.before.clone().clamp_min(0), -6)
}
