//! An architecture as data: the ops of the machine, in order.

use crate::arith::MASTER_BOUND;
use crate::hash::{blake2_256, Hash};
use crate::image::{Image, Window, MAX_POOL_SPAN};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::Range;
use scale_info::TypeInfo;
use thiserror::Error;

/// Most ops of a graph.
pub const MAX_OPS: usize = 256;
/// Most parameters of a graph.
pub const MAX_PARAMETERS: usize = 1 << 27;
/// Most classes: a label is a byte.
pub const MAX_CLASSES: u32 = 256;
/// Most tokens of a sample.
pub const MAX_TOKENS: u32 = 1024;
/// Widest row of a norm: so many squares fit 32 bits.
pub const MAX_NORM_WIDTH: u32 = 2048;
/// Widest head of an attention: so many products are below 2^24.
pub const MAX_HEAD_WIDTH: u32 = 1024;
/// Most values that an op gives: 66 times as many words of a trace fit 32 bits.
pub const MAX_VALUES: u32 = 1 << 25;

/// Most values that all ops give: a party to a dispute hashes so many.
pub const MAX_ALL_VALUES: u64 = 1 << 30;
/// Most products of a sample, of a hundred million parameters and 1024 tokens; a referee's party
/// computes them one by one.
pub const MAX_PRODUCTS: u64 = 1 << 37;

/// Products that cost as much as a value that a pool takes: many are multiplied at once, and it is
/// loaded by itself.
pub const POOL_COST: u64 = 64;

/// Products that cost as much as giving a value, with its rounding.
pub const VALUE_COST: u64 = 16;

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

/// One op of the machine, on one sample. A tensor has a row for every token of a text, or for every
/// pixel of an image, or one row. `[n]` is the length of a row. An op takes what the op before it
/// gives, and the first the sample; some take what an earlier op gave, too.
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
    /// biases, which are used as they are and not through the int8 view.
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
    /// label of a token is the next one; of a sample without tokens its last byte.
    CrossEntropy {
        /// Length of the logits, 2..=256.
        classes: u32,
    },
    /// `bytes of the sample -> i16[width]`: `clamp(rs(e[token][c] + p[place][c], shift), +-32767)`.
    /// Only the first op can be one. Parameters: `vocab * width` for the tokens, `[token][c]`, then
    /// `tokens * width` for their places.
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
    /// ([`crate::machine::Norm`]), in units of `2^-unit_bits`.
    RmsNorm {
        /// Length of a row, at most 2048.
        width: u32,
        /// 0..=7.
        unit_bits: u8,
    },
    /// `i8[3 * heads * head_width] -> i32[heads * tokens]`: a row is the queries of all heads, then
    /// their keys, then their values; gives, for every head and every token, the product of the
    /// own query and that token's key. The op before it is a requant; a wide requant and a softmax
    /// come after it, and nothing else takes what only the softmax hides, later tokens.
    Scores {
        /// Heads, at least 1.
        heads: u32,
        /// Length of a query, 1..=1024.
        head_width: u32,
    },
    /// `i16[heads * tokens] -> shares[heads * tokens]`: for every head, how much of every token
    /// this one takes in ([`crate::machine::shares`]); 0 of the later ones. Scores are in 1/64 log2
    /// units.
    Softmax {
        /// Heads, at least 1.
        heads: u32,
        /// Tokens of a sample.
        tokens: u32,
    },
    /// `shares[heads * tokens] -> i32[heads * head_width]`: the means of the values by these shares
    /// ([`crate::machine::mean`]), in 1/16 of the values' units.
    Mix {
        /// The op whose rows the values are in: the one before a [`Op::Scores`] of the same shape.
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
    /// `u32 of every token -> u32`: the sum of the tokens' losses, of which each counts for less
    /// than 32 bits ([`crate::machine::total`]).
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
        /// Its span is at most [`MAX_POOL_SPAN`].
        window: Window,
    },
    /// `i8[channels] of every pixel -> i32[channels] of every place of the window`: the sum of the
    /// place. A requant makes it a mean.
    SumPool {
        /// What comes to it.
        image: Image,
        /// Its span is at most [`MAX_POOL_SPAN`].
        window: Window,
    },
    /// `i8 -> i8`: all rows as one, one after another.
    Flatten,
}

impl Op {
    /// The image that a pool takes, and its window; none of another op.
    pub fn pool(&self) -> Option<(&Image, &Window)> {
        match self {
            Op::MaxPool { image, window } | Op::SumPool { image, window } => Some((image, window)),
            _ => None,
        }
    }

    /// Parameters the op takes from the weights.
    pub fn parameters(&self) -> u64 {
        match *self {
            Op::Linear {
                inputs, outputs, ..
            } => u64::from(outputs) * (u64::from(inputs) + 1),
            Op::Embed {
                vocab,
                tokens,
                width,
                ..
            } => (u64::from(vocab) + u64::from(tokens)) * u64::from(width),
            _ => 0,
        }
    }

    /// Parameters the op reads: its own, or those that an unembedding shares.
    pub fn parameters_read(&self) -> u64 {
        match *self {
            Op::Unembed { vocab, width } => u64::from(vocab) * u64::from(width),
            _ => self.parameters(),
        }
    }

    /// Products that are added up in what it gives of a sample, if it gives `flow`; of a pool
    /// [`POOL_COST`] for every value that it takes, as often as a place has it.
    fn products(&self, flow: &Flow) -> u64 {
        let each = match *self {
            Op::Linear { inputs, .. } => inputs.into(),
            Op::Unembed { width, .. } => width.into(),
            Op::Scores { head_width, .. } => head_width.into(),
            Op::Mix { .. } => flow.tokens.into(),
            Op::MaxPool { window, .. } | Op::SumPool { window, .. } => {
                POOL_COST.saturating_mul(window.pixels().into())
            }
            _ => 0,
        };
        flow.values().saturating_mul(each)
    }
}

/// A model's architecture. A sample is `inputs` bytes and a label byte. The first op takes
/// `byte >> 1` of the inputs as activations, or the bytes as tokens if it is an embedding; then the
/// label is the last token.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Graph {
    /// Bytes of a sample, without its label.
    pub inputs: u32,
    /// The ops, first to last.
    pub ops: Vec<Op>,
}

/// Why a graph is refused; `op` is the index of the op at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GraphError {
    /// The bytes are not the SCALE encoding of a graph.
    #[error("the bytes are not a graph")]
    Malformed,
    /// More than [`MAX_OPS`] ops.
    #[error("a graph has at most {MAX_OPS} ops")]
    TooManyOps,
    /// More than [`MAX_PARAMETERS`] parameters.
    #[error("op {op}: more than {MAX_PARAMETERS} parameters")]
    TooManyParameters {
        /// Index of the op.
        op: u32,
    },
    /// The op does not take the kind of tensor that comes to it.
    #[error("op {op} does not take what the op before it gives")]
    WrongKind {
        /// Index of the op.
        op: u32,
    },
    /// The op does not take the length of tensor that comes to it.
    #[error("op {op} does not take the length that the op before it gives")]
    WrongLength {
        /// Index of the op.
        op: u32,
    },
    /// A field of the op is out of its bounds.
    #[error("op {op}: a field is out of bounds")]
    FieldOutOfBounds {
        /// Index of the op.
        op: u32,
    },
    /// With extreme weights the op's accumulator could pass 32 bits.
    #[error("op {op}: the accumulator could overflow")]
    AccumulatorOverflow {
        /// Index of the op.
        op: u32,
    },
    /// The graph does not end with its one loss.
    #[error("a graph ends with a cross-entropy, or with the total of one")]
    NoLoss,
    /// What the op refers to is not an earlier op of the kind that it needs.
    #[error("op {op} refers to an op that it cannot take")]
    WrongReference {
        /// Index of the op.
        op: u32,
    },
    /// More than [`MAX_VALUES`] values, or with the ops before it more than [`MAX_ALL_VALUES`].
    #[error(
        "op {op} gives more than {MAX_VALUES} values, or all up to it more than {MAX_ALL_VALUES}"
    )]
    TooManyValues {
        /// Index of the op.
        op: u32,
    },
    /// With the ops before it more than [`MAX_PRODUCTS`] products.
    #[error("op {op}: more than {MAX_PRODUCTS} products of a sample")]
    TooManyProducts {
        /// Index of the op.
        op: u32,
    },
}

/// What an op gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `i8` in +-127: activations.
    Narrow,
    /// `i32`: accumulators.
    Acc,
    /// `i16` in +-32767: logits, scores, the residual stream.
    Wide,
    /// `i16`, not negative: what [`Op::Softmax`] gives.
    Shares,
    /// `u32`: losses.
    Loss,
}

/// What flows between two ops: a row for every token, or for every pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What it is.
    pub kind: Kind,
    /// Number of rows.
    pub tokens: u32,
    /// Length of a row.
    pub width: u32,
}

impl Flow {
    fn of(kind: Kind, tokens: u32, width: u32) -> Self {
        Self {
            kind,
            tokens,
            width,
        }
    }

    fn values(&self) -> u64 {
        u64::from(self.tokens) * u64::from(self.width)
    }
}

impl Graph {
    /// An MLP with these layer widths, first the inputs and last the classes, e.g.
    /// `[784, 128, 10]`. [`Graph::validate`] says whether such an MLP can be.
    ///
    /// Units: input 2^-7 (of a pixel in 0..=1), hidden activation 2^-4, logit 2^-6 (log2), weight
    /// view 2^-8. So an accumulator is in 2^-15 after the first linear and in 2^-12 after others;
    /// a bias in 2^-13 and 2^-12.
    pub fn mlp(layers: &[u32]) -> Self {
        let mut ops = Vec::new();
        for (index, pair) in layers.windows(2).enumerate() {
            let (first, last) = (index == 0, index + 2 == layers.len());
            ops.extend(layer(pair[0], pair[1], first, last));
        }
        Self {
            inputs: layers.first().copied().unwrap_or(0),
            ops,
        }
    }

    /// From its SCALE encoding, and validated.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GraphError> {
        let graph = Self::decode_all(&mut &*bytes).map_err(|_| GraphError::Malformed)?;
        graph.validate()?;
        Ok(graph)
    }

    /// Checks that the ops fit together, that every field is in its bounds, and that no
    /// accumulator can overflow whatever the weights.
    pub fn validate(&self) -> Result<(), GraphError> {
        let flows = self.flows()?;
        match flows.last() {
            Some(flow) if flow.kind == Kind::Loss && flow.tokens == 1 => Ok(()),
            _ => Err(GraphError::NoLoss),
        }
    }

    /// What every op gives. Checks all that [`Graph::validate`] does but that it ends with a loss.
    pub fn flows(&self) -> Result<Vec<Flow>, GraphError> {
        if self.ops.len() > MAX_OPS {
            return Err(GraphError::TooManyOps);
        }
        let mut flows = Vec::with_capacity(self.ops.len());
        let (mut parameters, mut values, mut products) = (0, 0u64, 0u64);
        for (op, index) in self.ops.iter().zip(0..) {
            let flow = op.gives(self, &flows, index)?;
            parameters += op.parameters();
            if parameters > MAX_PARAMETERS as u64 {
                return Err(GraphError::TooManyParameters { op: index });
            }
            values += flow.values();
            if flow.values() > MAX_VALUES.into() || values > MAX_ALL_VALUES {
                return Err(GraphError::TooManyValues { op: index });
            }
            products = products.saturating_add(op.products(&flow));
            if products > MAX_PRODUCTS {
                return Err(GraphError::TooManyProducts { op: index });
            }
            flows.push(flow);
        }
        Ok(flows)
    }

    /// The parameters that every op reads, by their places in the weights.
    pub fn parameters_read(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.ops.iter().scan(0usize, |before, op| {
            let own = *before;
            *before = own.saturating_add(op.parameters() as usize);
            let start = if matches!(op, Op::Unembed { .. }) {
                0
            } else {
                own
            };
            Some(start..start.saturating_add(op.parameters_read() as usize))
        })
    }

    fn op_after(&self, op: u32) -> Option<&Op> {
        self.ops.get(op.checked_add(1)? as usize)
    }

    fn op_before(&self, op: u32) -> Option<&Op> {
        self.ops.get(op.checked_sub(1)? as usize)
    }

    /// Products that are added up in the evaluation of one sample, of masked tokens too, and what pools
    /// take. At most [`MAX_PRODUCTS`] in a valid graph, 0 of another.
    pub fn products(&self) -> u64 {
        let flows = self.flows().unwrap_or_default();
        let products = self.ops.iter().zip(&flows);
        products.map(|(op, flow)| op.products(flow)).sum()
    }

    /// What the evaluation of one sample costs, in products: [`Self::products`], and [`VALUE_COST`] for
    /// every value that an op gives.
    pub fn cost(&self) -> u64 {
        let flows = self.flows().unwrap_or_default();
        let values: u64 = flows.iter().map(Flow::values).sum();
        self.products()
            .saturating_add(values.saturating_mul(VALUE_COST))
    }

    /// Records, one after another, as the machine takes them: a byte that is no token, or a label that
    /// is no class, counts as the last one. So no sponsor's record is one that nobody can evaluate.
    pub fn samples(&self, records: &[u8]) -> Vec<u8> {
        let most = self.classes().saturating_sub(1).min(255) as u8;
        let length = (self.inputs as usize).saturating_add(1);
        let first_limited = match self.vocab() {
            Some(_) => 0,
            None => length - 1,
        };
        let limited = |(at, byte): (usize, &u8)| match at % length {
            at if at >= first_limited => *byte.min(&most),
            _ => *byte,
        };
        records.iter().enumerate().map(limited).collect()
    }

    /// Parameters of all ops; at most [`MAX_PARAMETERS`] in a valid graph.
    pub fn parameters(&self) -> usize {
        let sum = self.ops.iter().map(Op::parameters);
        sum.fold(0u64, u64::saturating_add) as usize
    }

    /// Classes of the loss; 0 if there is none.
    pub fn classes(&self) -> u32 {
        let classes = self.ops.iter().rev().find_map(|op| match op {
            Op::CrossEntropy { classes } => Some(*classes),
            _ => None,
        });
        classes.unwrap_or(0)
    }

    /// The number of different tokens; none if the graph does not begin with an embedding.
    pub fn vocab(&self) -> Option<u32> {
        match self.ops.first() {
            Some(Op::Embed { vocab, .. }) => Some(*vocab),
            _ => None,
        }
    }

    /// `H("gotong:graph" | SCALE)`.
    pub fn hash(&self) -> Hash {
        blake2_256(&[b"gotong:graph", &self.encode()])
    }
}

/// A linear op of a [`Graph::mlp`] and what comes after it, in its units. `first` takes the sample,
/// `last` gives the loss.
pub(crate) fn layer(inputs: u32, outputs: u32, first: bool, last: bool) -> [Op; 3] {
    let (unit_bits, bias_shift) = if first { (15, 2) } else { (12, 0) };
    let linear = Op::Linear {
        inputs,
        outputs,
        bias_shift,
    };
    let scale = |bits: u8, width| Op::Requant {
        shift_in: unit_bits - bits,
        multiplier: 128,
        shift_out: 7,
        width,
    };
    if last {
        let loss = Op::CrossEntropy { classes: outputs };
        [linear, scale(6, Width::Wide), loss]
    } else {
        [linear, scale(4, Width::Narrow), Op::Relu]
    }
}

impl MaxEncodedLen for Graph {
    /// Of a valid graph: the inputs, a two-byte length, [`MAX_OPS`] ops.
    fn max_encoded_len() -> usize {
        4 + 2 + MAX_OPS * Op::max_encoded_len()
    }
}

impl Op {
    /// What op number `op` of `graph` gives after the ops that gave `before`.
    fn gives(&self, graph: &Graph, before: &[Flow], op: u32) -> Result<Flow, GraphError> {
        use Kind::{Acc, Loss, Narrow, Shares, Wide};
        let first = Flow::of(Narrow, 1, graph.inputs);
        let Flow {
            kind,
            tokens,
            width: length,
        } = before.last().copied().unwrap_or(first);
        self.check_fields(op)?;
        let (length_taken, given) = match (*self, kind) {
            (
                Op::Embed {
                    tokens: own, width, ..
                },
                Narrow,
            ) if op == 0 => (own.into(), Flow::of(Wide, own, width)),
            (
                Op::Linear {
                    inputs, outputs, ..
                },
                Narrow,
            ) => (inputs.into(), Flow::of(Acc, tokens, outputs)),
            (Op::Requant { width, .. }, Acc) => {
                let kind = match width {
                    Width::Narrow => Narrow,
                    Width::Wide => Wide,
                };
                (length.into(), Flow::of(kind, tokens, length))
            }
            (Op::Relu | Op::SquaredRelu, Narrow) => {
                (length.into(), Flow::of(Narrow, tokens, length))
            }
            (Op::RmsNorm { width, .. }, Wide) => (width.into(), Flow::of(Narrow, tokens, width)),
            (Op::Scores { heads, head_width }, Narrow) => {
                let is_requant = matches!(graph.op_before(op), Some(Op::Requant { .. }));
                let then = graph.ops.get(op as usize + 1..).unwrap_or_default();
                let is_hidden = matches!(
                    then,
                    [
                        Op::Requant {
                            width: Width::Wide,
                            ..
                        },
                        Op::Softmax { .. },
                        ..
                    ]
                );
                if !is_requant || !is_hidden {
                    return Err(GraphError::WrongKind { op });
                }
                let scores = heads.saturating_mul(tokens);
                (
                    3 * u64::from(heads) * u64::from(head_width),
                    Flow::of(Acc, tokens, scores),
                )
            }
            (Op::Softmax { heads, tokens: own }, Wide) if own == tokens => (
                u64::from(heads) * u64::from(tokens),
                Flow::of(Shares, tokens, length),
            ),
            (
                Op::Mix {
                    from,
                    heads,
                    head_width,
                },
                Shares,
            ) => {
                // What scores are made of is `3 * heads * head_width` long, and has a row for every share.
                let scores = Op::Scores { heads, head_width };
                let is_as_many = |values: &Flow| values.tokens == tokens;
                let fits = before.get(from as usize).is_some_and(is_as_many);
                if from.checked_add(1) >= Some(op) || graph.op_after(from) != Some(&scores) || !fits
                {
                    return Err(GraphError::WrongReference { op });
                }
                let values = heads.saturating_mul(head_width);
                (
                    u64::from(heads) * u64::from(tokens),
                    Flow::of(Acc, tokens, values),
                )
            }
            (Op::Residual { from }, Wide) => {
                let given = Flow::of(Wide, tokens, length);
                let is_scores = matches!(graph.op_after(from), Some(Op::Softmax { .. }));
                if is_scores || before.get(from as usize) != Some(&given) {
                    return Err(GraphError::WrongReference { op });
                }
                (length.into(), given)
            }
            (Op::Unembed { vocab, width }, Narrow) => {
                let is_shared = matches!(
                    graph.ops.first(),
                    Some(Op::Embed { vocab: own, width: length, .. }) if (*own, *length) == (vocab, width)
                );
                if !is_shared {
                    return Err(GraphError::WrongReference { op });
                }
                (width.into(), Flow::of(Acc, tokens, vocab))
            }
            (Op::CrossEntropy { classes }, Wide) => {
                // A token is a label, and what has no tokens has one.
                if graph.vocab().is_none() && tokens > 1 {
                    return Err(GraphError::WrongKind { op });
                }
                if graph.vocab().is_some_and(|vocab| vocab != classes) {
                    return Err(GraphError::WrongLength { op });
                }
                (classes.into(), Flow::of(Loss, tokens, 1))
            }
            (Op::Total { tokens: own }, Loss) if own == tokens && tokens > 1 => {
                (1, Flow::of(Loss, 1, 1))
            }
            // Not of tokens: each may take in only those before it.
            (Op::Flatten, Narrow) if graph.vocab().is_none() => {
                let values = u64::from(tokens) * u64::from(length);
                let width = u32::try_from(values).unwrap_or(u32::MAX);
                (length.into(), Flow::of(Narrow, 1, width))
            }
            (
                Op::Im2col { image, window }
                | Op::MaxPool { image, window }
                | Op::SumPool { image, window },
                Narrow,
            ) if graph.vocab().is_none() => {
                let is_sample = op == 0 && matches!(self, Op::Im2col { .. });
                if !is_sample && (op == 0 || tokens != image.pixels()) {
                    return Err(GraphError::WrongLength { op });
                }
                let places = window.places(&image);
                let (down, across) = places.ok_or(GraphError::FieldOutOfBounds { op })?;
                let (kind, width) = match self {
                    Op::Im2col { .. } => (Narrow, window.pixels().saturating_mul(image.channels)),
                    Op::MaxPool { .. } => (Narrow, image.channels),
                    _ => (Acc, image.channels),
                };
                let taken = if is_sample {
                    image.values()
                } else {
                    image.channels.into()
                };
                (taken, Flow::of(kind, down.saturating_mul(across), width))
            }
            _ => return Err(GraphError::WrongKind { op }),
        };
        if length_taken == u64::from(length) {
            Ok(given)
        } else {
            Err(GraphError::WrongLength { op })
        }
    }

    fn check_fields(&self, op: u32) -> Result<(), GraphError> {
        let is_attention = |heads: u32, head_width: u32| {
            // As many as a row can have: the rest follows from what comes to the op.
            (1..=MAX_VALUES).contains(&heads) && (1..=MAX_HEAD_WIDTH).contains(&head_width)
        };
        let is_within = |image: &Image, window: &Window| {
            image.values() <= MAX_VALUES.into() && window.places(image).is_some()
        };
        let in_bounds = match *self {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => inputs > 0 && outputs > 0 && bias_shift <= 8,
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                ..
            } => shift_in <= 31 && multiplier > 0 && shift_out <= 31,
            Op::Relu | Op::SquaredRelu | Op::Residual { .. } | Op::Total { .. } | Op::Flatten => {
                true
            }
            Op::CrossEntropy { classes } => (2..=MAX_CLASSES).contains(&classes),
            Op::Embed {
                vocab,
                tokens,
                width,
                shift,
            } => {
                (2..=MAX_CLASSES).contains(&vocab)
                    && (2..=MAX_TOKENS).contains(&tokens)
                    && width > 0
                    && shift <= 15
            }
            Op::RmsNorm { width, unit_bits } => {
                (1..=MAX_NORM_WIDTH).contains(&width) && unit_bits <= 7
            }
            Op::Scores { heads, head_width } => is_attention(heads, head_width),
            Op::Softmax { heads, tokens } => heads > 0 && (1..=MAX_TOKENS).contains(&tokens),
            Op::Mix {
                heads, head_width, ..
            } => is_attention(heads, head_width),
            Op::Unembed { width, .. } => width > 0,
            Op::Im2col { image, window } => is_within(&image, &window),
            Op::MaxPool { image, window } | Op::SumPool { image, window } => {
                is_within(&image, &window) && window.span(&image) <= MAX_POOL_SPAN
            }
        };
        if !in_bounds {
            return Err(GraphError::FieldOutOfBounds { op });
        }
        let (inputs, bias_shift) = match *self {
            Op::Linear {
                inputs, bias_shift, ..
            } => (inputs, bias_shift),
            Op::Unembed { width, .. } => (width, 0),
            _ => return Ok(()),
        };
        let most =
            u64::from(inputs) * 127 * 127 + (u64::from(MASTER_BOUND.unsigned_abs()) << bias_shift);
        if most > i32::MAX as u64 {
            return Err(GraphError::AccumulatorOverflow { op });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
