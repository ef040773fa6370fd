//! `Relu` and `SquaredRelu`, of narrow activations.

use burn::tensor::activation;

use super::{
    rounding::{nearest, with_value},
    Output,
};

pub(super) fn relu(input: Output) -> Output {
    Output::Rows(activation::relu(input.rows()))
}

/// `u * u / 128` of `u = max(x, 0)`, rounded.
pub(super) fn squared_relu(input: Output) -> Output {
    let x = input.rows();
    let positive = x.clone().inner().clamp_min(0.0);
    let value = nearest(positive.clone().square().mul_scalar(1.0 / 128.0));
    let surrogate = x * positive.mul_scalar(1.0 / 64.0).autodiff();
    Output::Rows(with_value(surrogate, value))
}
