//! An architecture as data: the ops of the machine, in order.

use crate::arith::MASTER_BOUND;
use crate::hash::{blake2_256, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeAll, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// Most ops of a graph.
pub const MAX_OPS: usize = 64;
/// Most parameters of a graph.
pub const MAX_PARAMETERS: usize = 1 << 27;
/// Most classes: a label is a byte.
pub const MAX_CLASSES: u32 = 256;

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

/// One op of the machine, on one sample.
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
    /// `i16[classes] -> u32`: loss of the label in Q16 bits, from logits in 1/64 log2 units.
    CrossEntropy {
        /// Length of the logits, 2..=256.
        classes: u32,
    },
}

impl Op {
    /// Parameters the op takes from the weights.
    pub fn parameters(&self) -> u64 {
        match *self {
            Op::Linear {
                inputs, outputs, ..
            } => u64::from(outputs) * (u64::from(inputs) + 1),
            _ => 0,
        }
    }
}

/// A model's architecture. A sample is `inputs` bytes and a label byte; the first activation is
/// `byte >> 1`.
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
    /// The graph does not end with its one cross-entropy.
    #[error("a graph ends with a cross-entropy")]
    NoLoss,
}

/// What flows between two ops, and how long it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Narrow(u32),
    Acc(u32),
    Wide(u32),
    Loss,
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
            let (unit_bits, bias_shift) = if first { (15, 2) } else { (12, 0) };
            ops.push(Op::Linear {
                inputs: pair[0],
                outputs: pair[1],
                bias_shift,
            });
            ops.push(Op::Requant {
                shift_in: unit_bits - if last { 6 } else { 4 },
                multiplier: 128,
                shift_out: 7,
                width: if last { Width::Wide } else { Width::Narrow },
            });
            ops.push(if last {
                Op::CrossEntropy { classes: pair[1] }
            } else {
                Op::Relu
            });
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
        if self.ops.len() > MAX_OPS {
            return Err(GraphError::TooManyOps);
        }
        // A sample's bytes are read by a linear op, whose leaves in a dispute can open them.
        if !matches!(self.ops.first(), None | Some(Op::Linear { .. })) {
            return Err(GraphError::WrongKind { op: 0 });
        }
        let (mut flow, mut parameters) = (Flow::Narrow(self.inputs), 0);
        for (op, index) in self.ops.iter().zip(0..) {
            flow = op.check(flow, index)?;
            parameters += op.parameters();
            if parameters > MAX_PARAMETERS as u64 {
                return Err(GraphError::TooManyParameters { op: index });
            }
        }
        if flow == Flow::Loss {
            Ok(())
        } else {
            Err(GraphError::NoLoss)
        }
    }

    /// Parameters of all ops; at most [`MAX_PARAMETERS`] in a valid graph.
    pub fn parameters(&self) -> usize {
        let sum = self.ops.iter().map(Op::parameters);
        sum.fold(0u64, u64::saturating_add) as usize
    }

    /// Classes of the loss; 0 if there is none.
    pub fn classes(&self) -> u32 {
        match self.ops.last() {
            Some(Op::CrossEntropy { classes }) => *classes,
            _ => 0,
        }
    }

    /// `H("gotong:graph" | SCALE)`.
    pub fn hash(&self) -> Hash {
        blake2_256(&[b"gotong:graph", &self.encode()])
    }
}

impl MaxEncodedLen for Graph {
    /// Of a valid graph: the inputs, a two-byte length, [`MAX_OPS`] ops.
    fn max_encoded_len() -> usize {
        4 + 2 + MAX_OPS * Op::max_encoded_len()
    }
}

impl Op {
    /// What the op gives when it takes `flow`; `op` is its index.
    fn check(&self, flow: Flow, op: u32) -> Result<Flow, GraphError> {
        let given = match (self, flow) {
            (Op::Linear { inputs, .. }, Flow::Narrow(length)) if *inputs != length => {
                return Err(GraphError::WrongLength { op });
            }
            (Op::CrossEntropy { classes }, Flow::Wide(length)) if *classes != length => {
                return Err(GraphError::WrongLength { op });
            }
            (Op::Linear { outputs, .. }, Flow::Narrow(_)) => Flow::Acc(*outputs),
            (Op::Requant { width, .. }, Flow::Acc(length)) => match width {
                Width::Narrow => Flow::Narrow(length),
                Width::Wide => Flow::Wide(length),
            },
            (Op::Relu, Flow::Narrow(length)) => Flow::Narrow(length),
            (Op::CrossEntropy { .. }, Flow::Wide(_)) => Flow::Loss,
            _ => return Err(GraphError::WrongKind { op }),
        };
        self.check_fields(op)?;
        Ok(given)
    }

    fn check_fields(&self, op: u32) -> Result<(), GraphError> {
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
            Op::Relu => true,
            Op::CrossEntropy { classes } => (2..=MAX_CLASSES).contains(&classes),
        };
        if !in_bounds {
            return Err(GraphError::FieldOutOfBounds { op });
        }
        if let Op::Linear {
            inputs, bias_shift, ..
        } = *self
        {
            let most = u64::from(inputs) * 127 * 127
                + (u64::from(MASTER_BOUND.unsigned_abs()) << bias_shift);
            if most > i32::MAX as u64 {
                return Err(GraphError::AccumulatorOverflow { op });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn with(ops: impl IntoIterator<Item = Op>) -> Graph {
        Graph {
            inputs: 4,
            ops: ops.into_iter().collect(),
        }
    }

    fn linear(inputs: u32, outputs: u32) -> Op {
        Op::Linear {
            inputs,
            outputs,
            bias_shift: 0,
        }
    }

    fn requant(shift_in: u8, multiplier: u8, shift_out: u8, width: Width) -> Op {
        Op::Requant {
            shift_in,
            multiplier,
            shift_out,
            width,
        }
    }

    #[test]
    fn mlp_is_what_the_protocol_says() {
        let expected = vec![
            Op::Linear {
                inputs: 784,
                outputs: 128,
                bias_shift: 2,
            },
            requant(11, 128, 7, Width::Narrow),
            Op::Relu,
            linear(128, 10),
            requant(6, 128, 7, Width::Wide),
            Op::CrossEntropy { classes: 10 },
        ];
        let graph = Graph::mlp(&[784, 128, 10]);
        assert_eq!(graph.ops, expected);
        assert_eq!(graph.validate(), Ok(()));
        assert_eq!((graph.parameters(), graph.classes()), (101_770, 10));
        assert_eq!(
            Graph::mlp(&[784, 64, 32, 10]).ops[4],
            requant(8, 128, 7, Width::Narrow)
        );
        assert_eq!(
            Graph::mlp(&[784, 10]).ops[1],
            requant(9, 128, 7, Width::Wide)
        );
        assert_eq!(Graph::mlp(&[784, 64, 32, 10]).validate(), Ok(()));
    }

    #[test]
    fn bytes_and_hash_are_golden() {
        let graph = Graph::mlp(&[784, 128, 10]);
        let bytes =
            "100300001800100300008000000002010b8007000200800000000a000000000106800701030a0000\
            00";
        assert_eq!(hex::encode(graph.encode()), bytes);
        let hash = "5be320b05d01053dc1f02258af7d7082c45e8c0791c20f809000ad5c03f914f8";
        assert_eq!(hex::encode(graph.hash()), hash);
    }

    #[test]
    fn faults_are_named() {
        let wide = requant(6, 128, 7, Width::Wide);
        let narrow = requant(8, 128, 7, Width::Narrow);
        let loss = Op::CrossEntropy { classes: 3 };
        let faults = [
            (with([]), GraphError::NoLoss),
            (Graph::mlp(&[4]), GraphError::NoLoss),
            (with([linear(4, 3), wide]), GraphError::NoLoss),
            (with([linear(5, 3)]), GraphError::WrongLength { op: 0 }),
            (
                with([linear(4, 2), wide, loss]),
                GraphError::WrongLength { op: 2 },
            ),
            (with([wide]), GraphError::WrongKind { op: 0 }),
            (
                with([Op::Relu, linear(4, 3), wide, loss]),
                GraphError::WrongKind { op: 0 },
            ),
            (
                with([linear(4, 3), Op::Relu]),
                GraphError::WrongKind { op: 1 },
            ),
            (
                with([linear(4, 3), wide, Op::Relu]),
                GraphError::WrongKind { op: 2 },
            ),
            (
                with([linear(4, 3), wide, loss, loss]),
                GraphError::WrongKind { op: 3 },
            ),
            (
                with([linear(4, 3), narrow, loss]),
                GraphError::WrongKind { op: 2 },
            ),
            (with([linear(4, 0)]), GraphError::FieldOutOfBounds { op: 0 }),
            (
                with([linear(4, 3), requant(32, 1, 0, Width::Wide)]),
                GraphError::FieldOutOfBounds { op: 1 },
            ),
            (
                with([linear(4, 3), requant(0, 0, 0, Width::Wide)]),
                GraphError::FieldOutOfBounds { op: 1 },
            ),
            (
                with([linear(4, 3), requant(0, 1, 32, Width::Wide)]),
                GraphError::FieldOutOfBounds { op: 1 },
            ),
            (Graph::mlp(&[4, 1]), GraphError::FieldOutOfBounds { op: 2 }),
            (
                Graph::mlp(&[4, 257]),
                GraphError::FieldOutOfBounds { op: 2 },
            ),
            (Graph::mlp(&[0, 2]), GraphError::FieldOutOfBounds { op: 0 }),
            (
                Graph::mlp(&[4, 1 << 25, 2]),
                GraphError::TooManyParameters { op: 0 },
            ),
            (
                Graph::mlp(&[u32::MAX, u32::MAX, 2]),
                GraphError::AccumulatorOverflow { op: 0 },
            ),
            (with([Op::Relu; MAX_OPS + 1]), GraphError::TooManyOps),
        ];
        for (graph, error) in faults {
            assert_eq!(graph.validate(), Err(error), "{graph:?}");
        }
    }

    #[test]
    fn accumulators_stay_in_32_bits() {
        // 133142 * 127^2 + 32512 <= i32::MAX, and one more is not.
        let wide = requant(6, 128, 7, Width::Wide);
        let graph = |inputs| Graph {
            inputs,
            ops: vec![linear(inputs, 2), wide, Op::CrossEntropy { classes: 2 }],
        };
        assert_eq!(graph(133_142).validate(), Ok(()));
        assert_eq!(
            graph(133_143).validate(),
            Err(GraphError::AccumulatorOverflow { op: 0 })
        );
    }

    #[test]
    fn the_longest_graph_has_the_longest_encoding() {
        let graph = with([linear(4, 4); MAX_OPS]);
        assert_eq!(graph.encode().len(), Graph::max_encoded_len());
        assert!(Graph::max_encoded_len() <= 1024);
    }

    #[test]
    fn bytes_after_a_graph_are_refused() {
        let mut bytes = Graph::mlp(&[4, 3]).encode();
        assert_eq!(Graph::from_bytes(&bytes), Ok(Graph::mlp(&[4, 3])));
        bytes.push(0);
        assert_eq!(Graph::from_bytes(&bytes), Err(GraphError::Malformed));
    }

    proptest! {
        #[test]
        fn from_bytes_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(graph) = Graph::from_bytes(&bytes) {
                prop_assert_eq!(graph.encode(), bytes);
            }
        }
    }
}
