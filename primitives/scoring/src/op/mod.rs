//! The ops of the machine, one file per family: to understand an op, read one file.
//!
//! | file | ops |
//! | --- | --- |
//! | [`linear`] | [`Op::Linear`], [`Op::Unembed`] |
//! | [`requant`] | [`Op::Requant`] |
//! | [`activation`] | [`Op::Relu`], [`Op::SquaredRelu`] |
//! | [`norm`] | [`Op::RmsNorm`] |
//! | [`attention`] | [`Op::Scores`], [`Op::Softmax`], [`Op::Mix`] |
//! | [`embed`] | [`Op::Embed`] |
//! | [`residual`] | [`Op::Residual`] |
//! | [`loss`] | [`Op::CrossEntropy`], [`Op::Total`] |
//! | [`image`] | [`Op::Im2col`], [`Op::MaxPool`], [`Op::SumPool`], [`Op::Flatten`] |
//! | [`window`] | [`Image`] and [`Window`], which convolutions and pools are made of |
//!
//! An op is defined by its `Definition`: its bounds, what it gives, what it costs, how it runs on a
//! sample, what one word of its trace reads, and how a referee executes that word; and how it runs
//! backwards, as a whole and word by word ([`crate::trial::backward`]). [`Op`] is only its
//! encoding, and `Op::definition` the one place that maps the one to the other.
//!
//! Sources: integer-only inference after Jacob et al. (2018), with powers of two for scales; the
//! norm after Zhang and Sennrich (2019), without a gain, which the next weights can be; attention
//! after Vaswani et al. (2017). Roots, exponentials and logarithms are tables.

pub mod activation;
pub mod attention;
pub(crate) mod definition;
pub mod embed;
pub mod image;
pub mod linear;
pub mod loss;
pub mod norm;
pub mod requant;
pub mod residual;
pub mod window;

use crate::graph::{Flow, GraphError};
use alloc::boxed::Box;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use definition::{Definition, Incoming};
use scale_info::TypeInfo;
use window::{Image, Window};

/// Width of what [`Op::Requant`] gives.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub enum Width {
    /// `i8` in +-127: an activation.
    Narrow,
    /// `i16` in +-32767: logits.
    Wide,
}

/// One op of the machine, on one sample. A tensor has a row for every token of a text or for every
/// pixel of an image, or a single row. `[n]` is the length of a row. The input of an op is the result
/// of the op before it, or the sample for the first op; some ops also use the result of an earlier op.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub enum Op {
    /// `i8[inputs] -> i32[outputs]`: `acc[o] = sum_i view(w[o][i]) * x[i] + (b[o] << bias_shift)`.
    /// Parameters: `outputs * inputs` master weights, row-major `[out][in]`, then `outputs`
    /// biases, which are used as they are, not through the int8 view.
    Linear {
        /// Length of the input.
        inputs: u32,
        /// Length of the output.
        outputs: u32,
        /// Left shift of the bias, at most 8.
        bias_shift: u8,
    },
    /// `i32 -> i8 | i16`: `t = clamp(rs(acc, shift_in), +-32767)`, then
    /// `clamp(rs(t * multiplier, shift_out), +-127 | +-32767)`.
    Requant {
        /// Rounding shift of the accumulator, at most 31.
        shift_in: u8,
        /// 1..=255.
        multiplier: u8,
        /// Rounding shift of the product, at most 31.
        shift_out: u8,
        /// Width of the result.
        width: Width,
    },
    /// `i8 -> i8`: `max(x, 0)`.
    Relu,
    /// `i16[classes] -> u32`: loss of the label in Q16 bits, from logits in 1/64 log2 units. The
    /// label of a token is the next token; the label of a sample without tokens is its last byte.
    CrossEntropy {
        /// Length of the logits, 2..=256.
        classes: u32,
    },
    /// `bytes of the sample -> i16[width]`: `clamp(rs(e[token][c] + p[place][c], shift), +-32767)`.
    /// Only the first op can be an embedding. Parameters: `vocab * width` for the tokens, `[token][c]`,
    /// then `tokens * width` for their places.
    Embed {
        /// Number of different tokens, the classes of the loss.
        vocab: u32,
        /// Tokens of a sample: the graph's inputs, 2..=1024.
        tokens: u32,
        /// Length of a row.
        width: u32,
        /// Rounding shift of the sum, at most 15.
        shift: u8,
    },
    /// `i16[width] -> i8[width]`: the row divided by the root of its mean square
    /// ([`norm::Norm`]), in units of `2^-unit_bits`.
    RmsNorm {
        /// Length of a row, at most 2048.
        width: u32,
        /// 0..=7.
        unit_bits: u8,
    },
    /// `i8[3 * heads * head_width] -> i32[heads * tokens]`: a row is the queries of all heads, then
    /// their keys, then their values; gives, for every head and every token, the product of the
    /// own query and that token's key. The op before it is a requant. A wide requant and a softmax
    /// come after it, and no other op uses its result, because only the softmax hides later tokens.
    Scores {
        /// Heads, at least 1.
        heads: u32,
        /// Length of a query, 1..=1024.
        head_width: u32,
    },
    /// `i16[heads * tokens] -> shares[heads * tokens]`: for every head, how much this token attends to
    /// every token ([`attention::shares`]); 0 for later ones. Scores are in 1/64 log2 units.
    Softmax {
        /// Heads, at least 1.
        heads: u32,
        /// Tokens of a sample.
        tokens: u32,
    },
    /// `shares[heads * tokens] -> i32[heads * head_width]`: the means of the values by these shares
    /// ([`attention::mean`]), in 1/16 of the values' units.
    Mix {
        /// The op whose rows contain the values: the one before an [`Op::Scores`] of the same shape.
        from: u32,
        /// Heads, at least 1.
        heads: u32,
        /// Length of a value.
        head_width: u32,
    },
    /// `i16 -> i16`: `clamp(a + b, +-32767)` with what an earlier op gave.
    Residual {
        /// Index of the earlier op.
        from: u32,
    },
    /// `i8 -> i8`: `rs(u * u, 7)` of `u = max(x, 0)`.
    SquaredRelu,
    /// `i8[width] -> i32[vocab]`: a linear op without biases whose weights are those that the
    /// embedding has for the tokens. No parameters of its own.
    Unembed {
        /// Number of different tokens.
        vocab: u32,
        /// Length of a row of the embedding.
        width: u32,
    },
    /// `u32 of every token -> u32`: the sum of the tokens' losses, each counted as less than 32 bits
    /// ([`loss::total`]).
    Total {
        /// Tokens of a sample.
        tokens: u32,
    },
    /// `i8[channels] of every pixel -> i8[size * size * channels] of every place of the window`: the
    /// pixels of the place one after another, line by line, zeros where they are padding. A linear op
    /// after it is a convolution. As the first op it takes the sample as an image.
    Im2col {
        /// What comes to it.
        image: Image,
        /// What is laid in a row.
        window: Window,
    },
    /// `i8[channels] of every pixel -> i8[channels] of every place of the window`: the largest of the
    /// place, where padding is 0.
    MaxPool {
        /// What comes to it.
        image: Image,
        /// Its span is at most [`window::MAX_POOL_SPAN`].
        window: Window,
    },
    /// `i8[channels] of every pixel -> i32[channels] of every place of the window`: the sum of the
    /// place. A requant makes it a mean.
    SumPool {
        /// What comes to it.
        image: Image,
        /// Its span is at most [`window::MAX_POOL_SPAN`].
        window: Window,
    },
    /// `i8 -> i8`: all rows as one, one after another.
    Flatten,
}

impl Op {
    /// All that the op is.
    pub(crate) fn definition(&self) -> Box<dyn Definition> {
        match *self {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => Box::new(linear::Linear {
                inputs,
                outputs,
                bias_shift,
            }),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => Box::new(requant::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            }),
            Op::Relu => Box::new(activation::Relu),
            Op::CrossEntropy { classes } => Box::new(loss::CrossEntropy { classes }),
            Op::Embed {
                vocab,
                tokens,
                width,
                shift,
            } => Box::new(embed::Embed {
                vocab,
                tokens,
                width,
                shift,
            }),
            Op::RmsNorm { width, unit_bits } => Box::new(norm::RmsNorm { width, unit_bits }),
            Op::Scores { heads, head_width } => Box::new(attention::Scores { heads, head_width }),
            Op::Softmax { heads, tokens } => Box::new(attention::Softmax { heads, tokens }),
            Op::Mix {
                from,
                heads,
                head_width,
            } => Box::new(attention::Mix {
                from,
                heads,
                head_width,
            }),
            Op::Residual { from } => Box::new(residual::Residual { from }),
            Op::SquaredRelu => Box::new(activation::SquaredRelu),
            Op::Unembed { vocab, width } => Box::new(linear::Unembed { vocab, width }),
            Op::Total { tokens } => Box::new(loss::Total { tokens }),
            Op::Im2col { image, window } => Box::new(image::Im2col { image, window }),
            Op::MaxPool { image, window } => Box::new(image::MaxPool { image, window }),
            Op::SumPool { image, window } => Box::new(image::SumPool { image, window }),
            Op::Flatten => Box::new(image::Flatten),
        }
    }

    /// What the op gives, if it is valid where it stands.
    pub(crate) fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let (op, own) = (incoming.op, self.definition());
        if !own.is_in_bounds() {
            return Err(GraphError::FieldOutOfBounds { op });
        }
        if own.most_accumulated() > i32::MAX as u64 {
            return Err(GraphError::AccumulatorOverflow { op });
        }
        own.flow(incoming)
    }

    /// The earlier op whose result it takes besides that of the op before it.
    pub fn refers_to(&self) -> Option<u32> {
        self.definition().refers_to()
    }

    /// The image that a pool takes, and its window; none of another op.
    pub fn pool(&self) -> Option<(&Image, &Window)> {
        match self {
            Op::MaxPool { image, window } | Op::SumPool { image, window } => Some((image, window)),
            _ => None,
        }
    }

    /// Parameters the op takes from the weights.
    pub fn parameters(&self) -> u64 {
        self.definition().parameters()
    }

    /// Parameters the op reads: its own, or those that an unembedding shares.
    pub fn parameters_read(&self) -> u64 {
        self.definition().parameters_read()
    }

    /// Products that are added up in what it gives of a sample, if it gives `flow`.
    pub(crate) fn products(&self, flow: &Flow) -> u64 {
        let each = self.definition().products_of_value(flow);
        flow.values().saturating_mul(each)
    }
}
