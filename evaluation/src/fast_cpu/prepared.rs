//! Dispatch of the ops to their families.

use gotong_scoring::{EvalError, Op};

use super::{
    activation,
    attention::{Mix, Scores, Softmax},
    embed::Embed,
    image::{Im2col, MaxPool, SumPool},
    kernel::Part,
    linear::Linear,
    loss::{self, CrossEntropy},
    norm::RmsNorm,
    requant::Requant,
    residual::Residual,
    Backwards, Block, Kernel, Shape,
};

/// An op, prepared once for all blocks.
pub(super) enum PreparedOp {
    Embed(Embed),
    RmsNorm(RmsNorm),
    /// Also `Unembed`.
    Linear(Linear),
    Requant(Requant),
    Relu,
    SquaredRelu,
    Scores(Scores),
    Softmax(Softmax),
    Mix(Mix),
    Residual(Residual),
    CrossEntropy(CrossEntropy),
    /// The total over this many tokens.
    Total(usize),
    Im2col(Im2col),
    MaxPool(MaxPool),
    SumPool(SumPool),
    Flatten,
}

impl PreparedOp {
    /// Prepares an op with the weights that it reads; `scores` says which scores are wanted.
    pub fn new(op: &Op, weights: &[i16], scores: Part) -> Self {
        match *op {
            Op::Embed { width, shift, .. } => Self::Embed(Embed::new(width, shift, weights)),
            Op::RmsNorm { width, unit_bits } => Self::RmsNorm(RmsNorm::new(width, unit_bits)),
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => Self::Linear(Linear::new(inputs, outputs, bias_shift, weights)),
            Op::Unembed { vocab, width } => Self::Linear(Linear::unembed(vocab, width, weights)),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Self::Requant(Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            }),
            Op::Relu => Self::Relu,
            Op::SquaredRelu => Self::SquaredRelu,
            Op::Scores { heads, head_width } => {
                Self::Scores(Scores::new(heads, head_width, scores))
            }
            Op::Softmax { heads, tokens } => Self::Softmax(Softmax::new(heads, tokens)),
            Op::Mix {
                from,
                heads,
                head_width,
            } => Self::Mix(Mix::new(from, heads, head_width)),
            Op::Residual { from } => Self::Residual(Residual::new(from)),
            Op::CrossEntropy { classes } => Self::CrossEntropy(CrossEntropy::new(classes)),
            Op::Total { tokens } => Self::Total(tokens as usize),
            Op::Im2col { image, window } => Self::Im2col(Im2col::new(&image, &window)),
            Op::MaxPool { image, window } => Self::MaxPool(MaxPool::new(&image, &window)),
            Op::SumPool { image, window } => Self::SumPool(SumPool::new(&image, &window)),
            Op::Flatten => Self::Flatten,
        }
    }

    /// Runs the op on a block; `shape` is the shape of what it gives.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) -> Result<(), EvalError> {
        match self {
            Self::Embed(op) => op.forward::<K>(block, shape),
            Self::RmsNorm(op) => op.forward::<K>(block, shape),
            Self::Linear(op) => op.forward::<K>(block, shape),
            Self::Requant(op) => op.forward::<K>(block, shape),
            Self::Relu => activation::relu::<K>(block),
            Self::SquaredRelu => activation::squared_relu::<K>(block),
            Self::Scores(op) => op.forward::<K>(block, shape),
            Self::Softmax(op) => op.forward::<K>(block, shape),
            Self::Mix(op) => op.forward::<K>(block, shape),
            Self::Residual(op) => op.forward::<K>(block),
            Self::CrossEntropy(op) => op.forward::<K>(block, shape)?,
            Self::Total(_) => loss::total::<K>(block),
            Self::Im2col(op) => op.forward::<K>(block, shape),
            Self::MaxPool(op) => op.forward::<K>(block, shape),
            Self::SumPool(op) => op.forward::<K>(block, shape),
            // The rows of a sample already follow one another.
            Self::Flatten => {}
        }
        Ok(())
    }

    /// Turns the adjoint of what the op gave into that of what it took, and adds up the gradient of its parameters.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        match self {
            Self::Embed(op) => op.backward::<K>(here),
            Self::RmsNorm(op) => op.backward::<K>(here),
            Self::Linear(op) => op.backward::<K>(here),
            Self::Requant(op) => op.backward::<K>(here),
            Self::Relu => activation::relu_backward::<K>(here),
            Self::SquaredRelu => activation::squared_relu_backward::<K>(here),
            Self::Scores(op) => op.backward::<K>(here),
            Self::Softmax(op) => op.backward::<K>(here),
            Self::Mix(op) => op.backward::<K>(here),
            Self::Residual(op) => op.backward::<K>(here),
            Self::CrossEntropy(op) => op.backward::<K>(here),
            Self::Total(tokens) => loss::total_backward::<K>(here, *tokens),
            Self::Im2col(op) => op.backward::<K>(here),
            Self::MaxPool(op) => op.backward::<K>(here),
            Self::SumPool(op) => op.backward::<K>(here),
            Self::Flatten => here.pass(),
        }
    }
}
