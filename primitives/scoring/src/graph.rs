//! An architecture as data: the ops of the machine, in order.

use crate::hash::{blake2_256, Hash};
use crate::memory::{Memory, MAX_SAMPLE_BYTES};
use crate::op::definition::Incoming;
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::Range;
use scale_info::TypeInfo;
use thiserror::Error;

pub use crate::op::attention::MAX_HEAD_WIDTH;
pub use crate::op::image::POOL_COST;
pub use crate::op::norm::MAX_NORM_WIDTH;
pub use crate::op::{Op, Width};

/// Most ops that a graph can have.
pub const MAX_OPS: usize = 256;
/// Most parameters that a graph can have.
pub const MAX_PARAMETERS: usize = 1 << 27;
/// Most classes that a graph can have: a label is a byte.
pub const MAX_CLASSES: u32 = 256;
/// Most tokens of a sample.
pub const MAX_TOKENS: u32 = 1024;
/// Most values that an op gives: 66 times as many words of a trace still fit into 32 bits.
pub const MAX_VALUES: u32 = 1 << 25;

/// Most values that all ops give together: a party to a dispute has to hash this many.
pub const MAX_ALL_VALUES: u64 = 1 << 30;
/// Most products for a sample, as with a hundred million parameters and 1024 tokens; a party to a dispute computes them one by one.
pub const MAX_PRODUCTS: u64 = 1 << 37;

/// Products that cost as much as giving a value, with its rounding.
pub const VALUE_COST: u64 = 16;

/// A model's architecture. A sample is `inputs` bytes and a label byte. The first op takes
/// `byte >> 1` of the inputs as activations, or the bytes as tokens if it is an embedding; then the
/// label is the last token.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Graph {
    /// Number of bytes of a sample, without its label.
    pub inputs: u32,
    /// The ops, first to last.
    pub ops: Vec<Op>,
}

/// Why a graph is refused; `op` is the index of the offending op.
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
    /// The op does not accept the kind of tensor that the op before it gives.
    #[error("op {op} does not accept what the op before it gives")]
    WrongKind {
        /// Index of the op.
        op: u32,
    },
    /// The op does not accept the length of the tensor that the op before it gives.
    #[error("op {op} does not accept a tensor of the length that the op before it gives")]
    WrongLength {
        /// Index of the op.
        op: u32,
    },
    /// A field of the op is out of bounds.
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
    /// The graph does not end with its only loss.
    #[error("a graph has to end with a cross-entropy, or with the total of one")]
    NoLoss,
    /// The op refers to something that is not an earlier op of the kind it needs.
    #[error("op {op} refers to an op whose result it cannot use")]
    WrongReference {
        /// Index of the op.
        op: u32,
    },
    /// The op gives more than [`MAX_VALUES`] values, or more than [`MAX_ALL_VALUES`] together with the ops before it.
    #[error(
        "op {op} gives more than {MAX_VALUES} values, or the ops up to it give more than {MAX_ALL_VALUES} together"
    )]
    TooManyValues {
        /// Index of the op.
        op: u32,
    },
    /// The op takes more than [`MAX_PRODUCTS`] products together with the ops before it.
    #[error("op {op}: more than {MAX_PRODUCTS} products for a sample")]
    TooManyProducts {
        /// Index of the op.
        op: u32,
    },
    /// A sample takes more than [`MAX_SAMPLE_BYTES`].
    #[error("a sample takes {bytes} bytes of memory; at most {MAX_SAMPLE_BYTES} are allowed")]
    TooMuchMemory {
        /// What both passes of a sample take.
        bytes: u64,
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

impl Kind {
    /// Bytes of a value.
    fn bytes(self) -> u64 {
        match self {
            Self::Narrow => 1,
            Self::Wide | Self::Shares => 2,
            Self::Acc | Self::Loss => 4,
        }
    }
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
    pub(crate) fn of(kind: Kind, tokens: u32, width: u32) -> Self {
        Self {
            kind,
            tokens,
            width,
        }
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        u64::from(self.tokens) * u64::from(self.width)
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> u64 {
        self.values().saturating_mul(self.kind.bytes())
    }
}

impl Graph {
    /// An MLP with these layer widths, first the inputs and last the classes, e.g. `[784, 128, 10]`. [`Graph::validate`] says
    /// whether it is valid.
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

    /// Decodes a graph from its SCALE encoding and validates it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GraphError> {
        let graph = Self::decode_all(&mut &*bytes).map_err(|_| GraphError::Malformed)?;
        graph.validate()?;
        Ok(graph)
    }

    /// Checks that the ops fit together, that every field is in its bounds, that no accumulator can
    /// overflow whatever the weights, and that a sample takes at most [`MAX_SAMPLE_BYTES`].
    pub fn validate(&self) -> Result<(), GraphError> {
        let flows = self.flows()?;
        match flows.last() {
            Some(flow) if flow.kind == Kind::Loss && flow.tokens == 1 => {}
            _ => return Err(GraphError::NoLoss),
        }
        match Memory::of_sample(self, &flows).backward {
            ..=MAX_SAMPLE_BYTES => Ok(()),
            bytes => Err(GraphError::TooMuchMemory { bytes }),
        }
    }

    /// What the evaluation of one sample takes. Fails as [`Graph::flows`] does.
    pub fn memory(&self) -> Result<Memory, GraphError> {
        Ok(Memory::of_sample(self, &self.flows()?))
    }

    /// What every op gives. Checks all that [`Graph::validate`] does except the memory, and that the graph ends with a loss.
    pub fn flows(&self) -> Result<Vec<Flow>, GraphError> {
        if self.ops.len() > MAX_OPS {
            return Err(GraphError::TooManyOps);
        }
        let mut flows = Vec::with_capacity(self.ops.len());
        let (mut parameters, mut values, mut products) = (0, 0u64, 0u64);
        for (op, index) in self.ops.iter().zip(0..) {
            let flow = op.flow(&Incoming::of(self, &flows, index))?;
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
            let start = if op.definition().reads_embedding() {
                0
            } else {
                own
            };
            Some(start..start.saturating_add(op.parameters_read() as usize))
        })
    }

    /// Whether a later op takes what this one gives, besides the op that follows it.
    pub fn is_taken_later(&self, op: u32) -> bool {
        self.ops.iter().any(|later| later.refers_to() == Some(op))
    }

    pub(crate) fn op_after(&self, op: u32) -> Option<&Op> {
        self.ops.get(op.checked_add(1)? as usize)
    }

    pub(crate) fn op_before(&self, op: u32) -> Option<&Op> {
        self.ops.get(op.checked_sub(1)? as usize)
    }

    /// Products that are added up in the evaluation of one sample, including those of masked tokens, and what pools take. At most
    /// [`MAX_PRODUCTS`] in a valid graph; 0 for an invalid one.
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

    /// Records, one after another, as the machine takes them: a byte that is not a token, or a label that is not a class, counts as
    /// the last one. So any record that a sponsor gives can be evaluated.
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
    /// The length for a valid graph: the inputs, a two-byte length, [`MAX_OPS`] ops.
    fn max_encoded_len() -> usize {
        4 + 2 + MAX_OPS * Op::max_encoded_len()
    }
}

#[cfg(test)]
mod tests;
