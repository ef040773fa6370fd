//! `Relu` and `SquaredRelu`, of narrow activations.

use burn::tensor::{Int, Tensor};

use super::arith::rs;

pub(super) fn relu(values: Tensor<2, Int>) -> Tensor<2, Int> {
    values.clamp_min(0)
}

pub(super) fn squared_relu(values: Tensor<2, Int>) -> Tensor<2, Int> {
    let u = values.clamp_min(0);
    rs(u.clone() * u, 7)
}
