//! Dispatch of the ops to their families.

use burn::tensor::{Device, Int, Tensor};
use gotong_scoring::Op;

use super::{
    activation,
    adjoint::{Backwards, Pulled},
    attention::{Mix, Scores, Softmax},
    embed::Embed,
    image::{Im2col, MaxPool, SumPool},
    linear::Linear,
    loss,
    norm::RmsNorm,
    requant::Requant,
    residual::Residual,
    Context,
};

/// An op with its parameters on the device.
pub(super) enum PreparedOp {
    Embed(Box<Embed>),
    RmsNorm(RmsNorm),
    /// Also `Unembed`.
    Linear(Box<Linear>),
    Requant(Requant),
    Relu,
    SquaredRelu,
    Scores(Scores),
    Softmax(Softmax),
    Mix(Mix),
    Residual(Residual),
    CrossEntropy,
    Total,
    Im2col(Im2col),
    MaxPool(MaxPool),
    SumPool(SumPool),
    Flatten,
}

impl PreparedOp {
    /// Prepares an op with the weights that it reads.
    pub fn new(op: &Op, weights: &[i16], device: &Device) -> Self {
        match *op {
            Op::Embed {
                tokens,
                width,
                shift,
                ..
            } => Self::Embed(Box::new(Embed::new(tokens, width, shift, weights, device))),
            Op::RmsNorm { unit_bits, .. } => Self::RmsNorm(RmsNorm::new(unit_bits)),
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => {
                let linear = Linear::new(inputs, outputs, bias_shift, weights, device);
                Self::Linear(Box::new(linear))
            }
            Op::Unembed { vocab, width } => {
                Self::Linear(Box::new(Linear::unembed(vocab, width, weights, device)))
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Self::Requant(Requant::new(shift_in, multiplier, shift_out, width)),
            Op::Relu => Self::Relu,
            Op::SquaredRelu => Self::SquaredRelu,
            Op::Scores { heads, head_width } => Self::Scores(Scores::new(heads, head_width)),
            Op::Softmax { heads, .. } => Self::Softmax(Softmax::new(heads)),
            Op::Mix {
                from,
                heads,
                head_width,
            } => Self::Mix(Mix::new(from, heads, head_width)),
            Op::Residual { from } => Self::Residual(Residual::new(from)),
            Op::CrossEntropy { .. } => Self::CrossEntropy,
            Op::Total { .. } => Self::Total,
            Op::Im2col { image, window } => Self::Im2col(Im2col::new(&image, &window)),
            Op::MaxPool { image, window } => Self::MaxPool(MaxPool::new(&image, &window)),
            Op::SumPool { image, window } => Self::SumPool(SumPool::new(&image, &window)),
            Op::Flatten => Self::Flatten,
        }
    }

    /// Turns what the op before gave, `[samples * tokens, width]`, into what this one gives.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        match self {
            Self::Embed(op) => op.forward(values, context),
            Self::RmsNorm(op) => op.forward(values, context),
            Self::Linear(op) => op.forward(values),
            Self::Requant(op) => op.forward(values),
            Self::Relu => activation::relu(values),
            Self::SquaredRelu => activation::squared_relu(values),
            Self::Scores(op) => op.forward(values, context),
            Self::Softmax(op) => op.forward(values, context),
            Self::Mix(op) => op.forward(values, context),
            Self::Residual(op) => op.forward(values, context),
            Self::CrossEntropy => loss::cross_entropy(values, context),
            Self::Total => loss::total(values, context),
            Self::Im2col(op) => op.forward(values, context),
            Self::MaxPool(op) => op.forward(values, context),
            Self::SumPool(op) => op.forward(values, context),
            Self::Flatten => values.reshape([context.samples(), context.width]),
        }
    }

    /// Runs the op backwards.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        match self {
            Self::Embed(op) => op.backward(here),
            Self::RmsNorm(op) => op.backward(here),
            Self::Linear(op) => op.backward(here),
            Self::Requant(op) => op.backward(here),
            Self::Relu => activation::relu_backward(here),
            Self::SquaredRelu => activation::squared_relu_backward(here),
            Self::Scores(op) => op.backward(here),
            Self::Softmax(op) => op.backward(here),
            Self::Mix(op) => op.backward(here),
            Self::Residual(op) => op.backward(here),
            Self::CrossEntropy => loss::cross_entropy_backward(here),
            Self::Total => loss::total_backward(here),
            Self::Im2col(op) => op.backward(here),
            Self::MaxPool(op) => op.backward(here),
            Self::SumPool(op) => op.backward(here),
            Self::Flatten => here.pull(here.rows(), 0),
        }
    }
}
