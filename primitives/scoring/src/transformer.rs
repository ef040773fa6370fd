//! A decoder-only transformer as a graph.

use crate::graph::{Graph, MAX_OPS};
use crate::op::{Op, Width};
use alloc::vec::Vec;

/// The shape of a decoder-only transformer: a norm before each attention and each pair of linear
/// layers, and a residual around each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transformer {
    /// Number of different tokens, which are bytes.
    pub vocab: u32,
    /// Tokens that a prediction sees.
    pub tokens: u32,
    /// Length of a row of the residual stream; a multiple of `heads`.
    pub width: u32,
    /// Heads of every attention.
    pub heads: u32,
    /// Length of what is between the two linear layers, often `4 * width`.
    pub hidden: u32,
    /// Attentions, and pairs of linear layers.
    pub layers: u32,
    /// Whether the head has the weights of the embedding, and no others.
    pub tied: bool,
}

// Bits after the point of what flows: a stream value `h` means `h / 2^STREAM`.
const STREAM: u8 = 10;
const NORMED: u8 = 5;
const ATTENDED: u8 = 4;
const MIXED: u8 = 5;
const HIDDEN: u8 = 5;
const SQUARED: u8 = 3;
const LOGIT: u8 = 6;
/// Bits after the point of the int8 view of a weight, and of a master weight.
const VIEW: u8 = 8;
const MASTER: u8 = 16;

impl Graph {
    /// A transformer of this shape. [`Graph::validate`] says whether it is valid.
    ///
    /// Units: residual stream 2^-10, norm 2^-5, queries, keys and values 2^-4, means of values 2^-5,
    /// hidden activation 2^-5 and squared 2^-3, scores and logits 2^-6 (log2), weight view 2^-8. So a
    /// bias is in 2^-13, and in 2^-11 after the hidden activations. A score is `q * k * log2(e) /
    /// sqrt(head width)`, its constant in 8 bits.
    pub fn transformer(shape: &Transformer) -> Self {
        let Transformer {
            vocab,
            tokens,
            width,
            hidden,
            layers,
            tied,
            ..
        } = *shape;
        let mut ops = Ops(Vec::new());
        let mut stream = ops.push(Op::Embed {
            vocab,
            tokens,
            width,
            shift: MASTER - STREAM,
        });
        // `validate` refuses more than fit.
        for _ in 0..layers.min(MAX_OPS as u32) {
            let mixed = ops.attention(shape);
            stream = ops.add(stream, (width, width), mixed);
            ops.norm(width);
            ops.linear(width, hidden);
            ops.scale(NORMED + VIEW, HIDDEN, Width::Narrow);
            ops.push(Op::SquaredRelu);
            stream = ops.add(stream, (hidden, width), SQUARED);
        }
        ops.norm(width);
        if tied {
            ops.push(Op::Unembed { vocab, width });
        } else {
            ops.linear(width, vocab);
        }
        ops.scale(NORMED + VIEW, LOGIT, Width::Wide);
        ops.push(Op::CrossEntropy { classes: vocab });
        ops.push(Op::Total { tokens });
        Self {
            inputs: tokens,
            ops: ops.0,
        }
    }
}

impl Transformer {
    /// The shape of a graph that [`Graph::transformer`] makes.
    pub fn of(graph: &Graph) -> Option<Self> {
        let Some(&Op::Embed {
            vocab,
            tokens,
            width,
            ..
        }) = graph.ops.first()
        else {
            return None;
        };
        let mut heads = graph.ops.iter().filter_map(|op| match op {
            Op::Scores { heads, .. } => Some(*heads),
            _ => None,
        });
        // The linear op before a squared ReLU gives what is hidden.
        let hidden = graph.ops.windows(3).find_map(|ops| match ops {
            [Op::Linear { outputs, .. }, _, Op::SquaredRelu] => Some(*outputs),
            _ => None,
        });
        let shape = Self {
            vocab,
            tokens,
            width,
            layers: heads.clone().count() as u32,
            heads: heads.next()?,
            hidden: hidden?,
            tied: graph.ops.iter().any(|op| matches!(op, Op::Unembed { .. })),
        };
        (Graph::transformer(&shape) == *graph).then_some(shape)
    }
}

/// A graph in the making.
struct Ops(Vec<Op>);

impl Ops {
    /// Returns the index of the op.
    fn push(&mut self, op: Op) -> u32 {
        self.0.push(op);
        self.0.len() as u32 - 1
    }

    fn norm(&mut self, width: u32) {
        self.push(Op::RmsNorm {
            width,
            unit_bits: NORMED,
        });
    }

    fn linear(&mut self, inputs: u32, outputs: u32) {
        self.push(Op::Linear {
            inputs,
            outputs,
            bias_shift: 0,
        });
    }

    /// Requantises from one unit to another that is not finer.
    fn scale(&mut self, from: u8, to: u8, width: Width) -> u32 {
        self.push(Op::Requant {
            shift_in: from - to,
            multiplier: 128,
            shift_out: 7,
            width,
        })
    }

    /// Adds the ops up to the means of the values; returns their unit.
    fn attention(&mut self, shape: &Transformer) -> u8 {
        let Transformer {
            tokens,
            width,
            heads,
            ..
        } = *shape;
        let head_width = width.checked_div(heads).unwrap_or(0);
        self.norm(width);
        self.linear(width, width.saturating_mul(3));
        let from = self.scale(NORMED + VIEW, ATTENDED, Width::Narrow);
        self.push(Op::Scores { heads, head_width });
        self.push(score_scale(head_width));
        self.push(Op::Softmax { heads, tokens });
        self.push(Op::Mix {
            from,
            heads,
            head_width,
        });
        self.scale(ATTENDED + 4, MIXED, Width::Narrow);
        MIXED
    }

    /// Adds a linear op with this many inputs and outputs to the stream; it takes activations in
    /// `unit`.
    fn add(&mut self, stream: u32, (inputs, outputs): (u32, u32), unit: u8) -> u32 {
        self.linear(inputs, outputs);
        self.scale(unit + VIEW, STREAM, Width::Wide);
        self.push(Op::Residual { from: stream })
    }
}

/// Turns products in 2^-8 into scores in 2^-6 log2 units: a shift by 2, and `log2(e) / sqrt(width)`
/// as a multiplier of 8 bits.
fn score_scale(head_width: u32) -> Op {
    // log2(e)^2 in Q16.
    const SQUARE: u64 = 136_405;
    let multiplier = |shift: u8| {
        let square = (SQUARE << (2 * shift)) / u64::from(head_width.max(1));
        (square >> 16).isqrt()
    };
    // At 7 bits it is below 256 for every width, and it doubles from one shift to the next.
    let shift = (7..=15).rev().find(|shift| multiplier(*shift) <= 255);
    let shift_out = shift.unwrap_or(7);
    Op::Requant {
        shift_in: 2 * ATTENDED - LOGIT,
        multiplier: multiplier(shift_out) as u8,
        shift_out,
        width: Width::Wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::GraphError;
    use alloc::vec;

    fn small(tied: bool) -> Transformer {
        Transformer {
            vocab: 65,
            tokens: 64,
            width: 64,
            heads: 4,
            hidden: 256,
            layers: 2,
            tied,
        }
    }

    #[test]
    fn it_is_a_valid_graph() {
        let graph = Graph::transformer(&small(false));
        assert_eq!(graph.validate(), Ok(()));
        let layer = (64 + 1) * 192 + (64 + 1) * 64 + (64 + 1) * 256 + (256 + 1) * 64;
        let parameters = (65 + 64) * 64 + 2 * layer + (64 + 1) * 65;
        assert_eq!(graph.parameters(), parameters);
        assert_eq!((graph.classes(), graph.vocab()), (65, Some(65)));
        let tied = Graph::transformer(&small(true));
        assert_eq!(tied.validate(), Ok(()));
        assert_eq!(tied.parameters(), parameters - (64 + 1) * 65);
        assert_eq!(Graph::from_bytes(&codec::Encode::encode(&tied)), Ok(tied));
    }

    #[test]
    fn its_shape_is_found_again() {
        for shape in [small(false), small(true)] {
            let mut graph = Graph::transformer(&shape);
            assert_eq!(Transformer::of(&graph), Some(shape));
            graph.ops.remove(1);
            assert_eq!(Transformer::of(&graph), None);
        }
        assert_eq!(Transformer::of(&Graph::mlp(&[64, 64, 65])), None);
    }

    #[test]
    fn the_layers_are_in_order() {
        let shape = Transformer {
            layers: 1,
            ..small(false)
        };
        let ops = Graph::transformer(&shape).ops;
        let requant = |shift_in, width| Op::Requant {
            shift_in,
            multiplier: 128,
            shift_out: 7,
            width,
        };
        let linear = |inputs, outputs| Op::Linear {
            inputs,
            outputs,
            bias_shift: 0,
        };
        let norm = Op::RmsNorm {
            width: 64,
            unit_bits: 5,
        };
        let expected = vec![
            Op::Embed {
                vocab: 65,
                tokens: 64,
                width: 64,
                shift: 6,
            },
            norm,
            linear(64, 192),
            requant(9, Width::Narrow),
            Op::Scores {
                heads: 4,
                head_width: 16,
            },
            // 184/512 is log2(e) / 4, less 0.4 %.
            Op::Requant {
                shift_in: 2,
                multiplier: 184,
                shift_out: 9,
                width: Width::Wide,
            },
            Op::Softmax {
                heads: 4,
                tokens: 64,
            },
            Op::Mix {
                from: 3,
                heads: 4,
                head_width: 16,
            },
            requant(3, Width::Narrow),
            linear(64, 64),
            requant(3, Width::Wide),
            Op::Residual { from: 0 },
            norm,
            linear(64, 256),
            requant(8, Width::Narrow),
            Op::SquaredRelu,
            linear(256, 64),
            requant(1, Width::Wide),
            Op::Residual { from: 11 },
            norm,
            linear(64, 65),
            requant(7, Width::Wide),
            Op::CrossEntropy { classes: 65 },
            Op::Total { tokens: 64 },
        ];
        assert_eq!(ops, expected);
    }

    #[test]
    fn every_width_of_a_head_has_its_scale() {
        for head_width in 1..=1024u32 {
            let Op::Requant {
                multiplier,
                shift_out,
                ..
            } = score_scale(head_width)
            else {
                panic!("a requant");
            };
            assert!(multiplier >= 127, "{head_width}: {multiplier}");
            let scale = u64::from(multiplier).pow(2) * u64::from(head_width) * 65_536;
            let exact = 136_405u64 << (2 * shift_out);
            // Its square is below the true one by less than 2 parts of 127.
            assert!(
                scale <= exact && (exact - scale) * 63 < exact,
                "{head_width}"
            );
        }
    }

    #[test]
    fn the_largest_that_is_meant_is_valid() {
        let shape = Transformer {
            vocab: 256,
            tokens: 1024,
            width: 1024,
            heads: 16,
            hidden: 4096,
            layers: 8,
            tied: true,
        };
        let graph = Graph::transformer(&shape);
        assert_eq!(graph.validate(), Ok(()));
        assert!(graph.parameters() > 100_000_000);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = [
            (
                Transformer {
                    heads: 0,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 4 },
            ),
            (
                Transformer {
                    heads: 3,
                    ..small(true)
                },
                GraphError::WrongLength { op: 4 },
            ),
            (
                Transformer {
                    tokens: 1,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 0 },
            ),
            (
                Transformer {
                    tokens: 1025,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 0 },
            ),
            (
                Transformer {
                    vocab: 257,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 0 },
            ),
            (
                Transformer {
                    width: 2052,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 1 },
            ),
            (
                Transformer {
                    hidden: 0,
                    ..small(true)
                },
                GraphError::FieldOutOfBounds { op: 13 },
            ),
            (
                Transformer {
                    hidden: 1 << 24,
                    ..small(true)
                },
                GraphError::AccumulatorOverflow { op: 13 },
            ),
            (
                Transformer {
                    layers: u32::MAX,
                    ..small(true)
                },
                GraphError::TooManyOps,
            ),
        ];
        for (shape, error) in refused {
            assert_eq!(
                Graph::transformer(&shape).validate(),
                Err(error),
                "{shape:?}"
            );
        }
    }
}
