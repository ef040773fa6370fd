//! How much memory the evaluation of one sample takes, as it follows from the graph alone.
//!
//! Forward, a tensor is held from the op that gives it to the last one that takes it. Backward, what the ops gave is held to the
//! end, and so is what a later op gave back for an earlier one until that one's turn. Implementations may take less; they also hold
//! the weights and the operands of the current product.

use crate::graph::{Flow, Graph, Kind};
use crate::op::{Op, Width};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Most bytes that both passes of one sample take.
pub const MAX_SAMPLE_BYTES: u64 = 1 << 31;

/// Sums are computed in rows of a multiple of this many, whatever the width of a tensor.
const COLUMNS: u64 = 32;

/// The most memory that the evaluation of one sample takes at any one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of the forward pass.
    pub forward: u64,
    /// Bytes of both passes; at most [`MAX_SAMPLE_BYTES`] in a valid graph.
    pub backward: u64,
    /// Values of the forward pass, for devices on which all values have the same size.
    pub values: u64,
}

impl Memory {
    /// The memory of a sample in a graph whose ops give `flows`.
    pub(crate) fn of_sample(graph: &Graph, flows: &[Flow]) -> Self {
        let values = flows.iter().map(Flow::values);
        let largest = values.fold(graph.inputs.into(), u64::max);
        let at_hand = at_hand(graph, flows);
        let forward = sum([at_hand, earlier_peak(graph, flows, Flow::bytes)]);
        let backward = sum([
            at_hand,
            kept_for_backwards(graph, flows),
            waiting_peak(graph, flows),
            // For a tensor: the adjoint, what is given back for what the op took, and as much again to add and divide them.
            largest.saturating_mul(16),
            product_bytes(graph, flows).max(largest.saturating_mul(4)),
        ]);
        Self {
            forward,
            backward: backward.max(forward),
            values: sum([
                largest.saturating_mul(2),
                earlier_peak(graph, flows, Flow::values),
            ]),
        }
    }
}

/// For each op, the last one that takes what it gives, besides the op that follows it.
pub fn last_references(graph: &Graph) -> Vec<Option<usize>> {
    let mut last = vec![None; graph.ops.len()];
    for (index, op) in graph.ops.iter().enumerate() {
        let from = op.refers_to().and_then(|from| last.get_mut(from as usize));
        if let Some(from) = from {
            *from = Some(index);
        }
    }
    last
}

/// Whether the backward pass takes what an op gave.
pub fn is_taken_backwards(op: &Op, given: &Flow) -> bool {
    match given.kind {
        Kind::Narrow | Kind::Wide | Kind::Shares => true,
        Kind::Acc => matches!(op, Op::Mix { .. }),
        Kind::Loss => false,
    }
}

/// The width of every tensor of a [`residual_chain`] but the first and the last.
pub const RESIDUAL_CHAIN_WIDTH: u32 = 2048;

/// A legal model of 24,586 parameters whose samples are a byte with ten classes. It has 246 residuals: op `n` takes what the wide
/// op `from(n)` gave, from 1 to `n - 1`. So a model with few parameters can hold a lot at one time, which is what tests of memory
/// need.
pub fn residual_chain(from: impl Fn(u32) -> u32) -> Graph {
    let width = RESIDUAL_CHAIN_WIDTH;
    let requant = Op::Requant {
        shift_in: 6,
        multiplier: 128,
        shift_out: 7,
        width: Width::Wide,
    };
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 0,
    };
    let norm = Op::RmsNorm {
        width,
        unit_bits: 4,
    };
    let residuals = (2..248).map(|index| Op::Residual { from: from(index) });
    Graph {
        inputs: 1,
        ops: [linear(1, width), requant]
            .into_iter()
            .chain(residuals)
            .chain([norm, linear(width, 10), requant])
            .chain([Op::CrossEntropy { classes: 10 }])
            .collect(),
    }
}

fn sum<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

/// What an op takes and what it gives: two tensors of every kind, each as large as the largest. Their memory is reused.
fn at_hand(graph: &Graph, flows: &[Flow]) -> u64 {
    let kinds = [Kind::Narrow, Kind::Wide, Kind::Shares, Kind::Loss];
    let largest = kinds.map(|kind| {
        let of_kind = flows.iter().filter(|flow| flow.kind == kind);
        of_kind.map(Flow::bytes).max().unwrap_or(0)
    });
    let accumulators = graph.ops.iter().zip(flows);
    let accumulators = accumulators.map(|(op, flow)| accumulator_bytes(op, flow));
    let all = sum([
        sum(largest),
        graph.inputs.into(),
        accumulators.max().unwrap_or(0),
    ]);
    all.saturating_mul(2)
}

/// Bytes of the accumulators that an op gives, with what pads their rows.
fn accumulator_bytes(op: &Op, flow: &Flow) -> u64 {
    if flow.kind != Kind::Acc {
        return 0;
    }
    let heads = match op {
        Op::Scores { heads, .. } | Op::Mix { heads, .. } => (*heads).max(1),
        _ => 1,
    };
    let rows = u64::from(flow.tokens).saturating_mul(heads.into());
    padded(rows, flow.width / heads)
}

/// Bytes of this number of rows of sums.
fn padded(rows: u64, width: u32) -> u64 {
    let width = u64::from(width).div_ceil(COLUMNS).saturating_mul(COLUMNS);
    rows.saturating_mul(width).saturating_mul(4)
}

/// Most bytes of the sums that a linear op or a head gives back for what it took.
fn product_bytes(graph: &Graph, flows: &[Flow]) -> u64 {
    let of_op = graph.ops.iter().zip(flows).map(|(op, flow)| match op {
        Op::Linear { inputs: width, .. } | Op::Unembed { width, .. } => {
            padded(flow.tokens.into(), *width)
        }
        Op::Scores { head_width, .. } => padded(flow.tokens.into(), *head_width),
        Op::Mix { head_width, .. } => padded(flow.tokens.into(), (*head_width).max(flow.tokens)),
        _ => 0,
    });
    of_op.max().unwrap_or(0)
}

/// The most that later ops wait for, in the forward pass.
fn earlier_peak(graph: &Graph, flows: &[Flow], size: fn(&Flow) -> u64) -> u64 {
    let last = last_references(graph).into_iter().zip(flows);
    let held = last.enumerate().filter_map(|(at, (last, flow))| {
        let after_last = last?.saturating_add(1);
        Some((at.saturating_add(1)..after_last, size(flow)))
    });
    peak(graph.ops.len(), held)
}

/// All that the backward pass takes of the forward pass.
fn kept_for_backwards(graph: &Graph, flows: &[Flow]) -> u64 {
    let ops = graph.ops.iter().zip(flows);
    let taken = ops.filter(|(op, flow)| is_taken_backwards(op, flow));
    let bytes = taken.map(|(_, flow)| flow.bytes());
    bytes.fold(graph.inputs.into(), u64::saturating_add)
}

/// The most that ops gave back for earlier ones whose turn has not come: sums of 32 bits.
fn waiting_peak(graph: &Graph, flows: &[Flow]) -> u64 {
    let held = graph.ops.iter().enumerate().filter_map(|(at, op)| {
        let from = op.refers_to()? as usize;
        Some((from..at, flows.get(from)?.values().saturating_mul(4)))
    });
    peak(graph.ops.len(), held)
}

/// The largest sum of the sizes held at any one op; each is held while the ops of its range run.
fn peak(ops: usize, held: impl Iterator<Item = (Range<usize>, u64)>) -> u64 {
    let mut changes = vec![(0u64, 0u64); ops.saturating_add(1)];
    for (range, size) in held {
        if let Some((begins, _)) = changes.get_mut(range.start) {
            *begins = begins.saturating_add(size);
        }
        if let Some((_, ends)) = changes.get_mut(range.end) {
            *ends = ends.saturating_add(size);
        }
    }
    let (mut now, mut most) = (0u64, 0u64);
    for (begins, ends) in changes {
        now = now.saturating_add(begins).saturating_sub(ends);
        most = most.max(now);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GraphError, Transformer};
    use proptest::prelude::*;

    const WIDTH: u32 = RESIDUAL_CHAIN_WIDTH;

    /// What is held besides what an op takes and gives.
    fn earlier(graph: &Graph) -> u64 {
        earlier_peak(graph, &graph.flows().unwrap(), Flow::bytes)
    }

    #[test]
    fn tensors_are_held_until_their_last_use() {
        let tensor = u64::from(WIDTH) * 2;
        let last_two = residual_chain(|index| (index - 2).max(1));
        assert_eq!(last_two.validate(), Ok(()));
        assert_eq!(last_two.parameters(), 24_586);
        assert_eq!(earlier(&last_two), 2 * tensor);
        assert_eq!(earlier(&residual_chain(|_| 1)), tensor);
        // The first 123 are taken by the last 123, the last of them first.
        let nested = residual_chain(|index| if index < 125 { 1 } else { 249 - index });
        assert_eq!(nested.validate(), Ok(()));
        assert_eq!(earlier(&nested), 123 * tensor);
    }

    #[test]
    fn the_backward_pass_waits_for_earlier_ops() {
        let flows = |graph: &Graph| graph.flows().unwrap();
        let (first, before) = (residual_chain(|_| 1), residual_chain(|index| index - 1));
        let sums = u64::from(WIDTH) * 4;
        assert_eq!(waiting_peak(&first, &flows(&first)), 246 * sums);
        assert_eq!(waiting_peak(&before, &flows(&before)), sums);
        let memory = first.memory().unwrap();
        assert!(memory.forward < 64 << 10, "{memory:?}");
        assert!((2 << 20..3 << 20).contains(&memory.backward), "{memory:?}");
    }

    #[test]
    fn a_graph_that_needs_too_much_is_refused() {
        // 1024 tokens of 2048 values each; all residuals give back to the first op.
        let graph = |layers| {
            let mut graph = Graph::transformer(&Transformer {
                vocab: 2,
                tokens: 1024,
                width: 2048,
                heads: 1,
                hidden: 1,
                layers: 0,
                tied: true,
            });
            let rest = graph.ops.split_off(1);
            graph.ops.extend(vec![Op::Residual { from: 0 }; layers]);
            graph.ops.extend(rest);
            graph
        };
        assert_eq!(graph(100).validate(), Ok(()));
        let error = graph(246).validate().unwrap_err();
        let GraphError::TooMuchMemory { bytes } = error else {
            panic!("{error}");
        };
        assert!(bytes > MAX_SAMPLE_BYTES);
        // It is refused for its memory alone.
        assert!(graph(246).flows().is_ok());
    }

    /// About the size of the smallest GPT-2, with 1024 tokens.
    #[test]
    fn a_hundred_million_parameters_are_legal() {
        let graph = Graph::transformer(&Transformer {
            vocab: 256,
            tokens: 1024,
            width: 768,
            heads: 12,
            hidden: 3072,
            layers: 12,
            tied: true,
        });
        assert_eq!(graph.validate(), Ok(()));
    }

    proptest! {
        #[test]
        fn a_peak_is_the_largest_sum(
            held in proptest::collection::vec((0..20usize, 0..20usize, 0..1u64 << 40), 0..40),
        ) {
            let held: Vec<_> = held
                .into_iter()
                .map(|(start, length, size)| (start..(start + length).min(20), size))
                .collect();
            let at = |op| {
                let now = held.iter().filter(|(range, _)| range.contains(&op));
                now.map(|(_, size)| size).sum::<u64>()
            };
            prop_assert_eq!(peak(20, held.iter().cloned()), (0..20).map(at).max().unwrap());
        }

        #[test]
        fn nothing_is_let_go_that_is_taken_later(from in proptest::collection::vec(0..1000u32, 246)) {
            let graph = residual_chain(|index| 1 + from[index as usize - 2] % (index - 1));
            let last = last_references(&graph);
            for (at, last) in last.iter().enumerate() {
                let takes = |op: &Op| op.refers_to() == Some(at as u32);
                prop_assert_eq!(*last, graph.ops.iter().rposition(takes));
            }
            let memory = graph.memory().unwrap();
            prop_assert!(memory.forward <= memory.backward);
            prop_assert!(memory.backward <= MAX_SAMPLE_BYTES);
        }
    }
}
