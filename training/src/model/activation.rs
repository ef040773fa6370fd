//! `Relu` and `SquaredRelu`, of narrow activations.

use burn::tensor::activation;

use super::{
    rounding::{nearest, with_value, Rounding},
    Output, Pass,
};

pub(super) fn relu(input: Output) -> Output {
    Output::Rows(activation::relu(input.rows()))
}

/// `u * u / 128` of `u = max(x, 0)`, rounded if the machine's rounding is imitated.
pub(super) fn squared_relu(input: Output, pass: &Pass) -> Output {
    let x = input.rows();
    let slope = x.clone().inner().clamp_min(0.0).mul_scalar(1.0 / 64.0);
    // Linear in `x`, with the gradient of the square, and twice its value.
    let surrogate = x * slope.autodiff();
    let half = surrogate.clone().inner().mul_scalar(0.5);
    Output::Rows(match pass.rounding() {
        Rounding::AsMachine => with_value(surrogate, nearest(half)),
        Rounding::ClampsOnly => surrogate - half.autodiff(),
    })
}
