//! A chain of residuals, each of which takes what an earlier one gave.

use burn::tensor::Device;
use gotong_scoring::{memory::residual_chain, Evaluator, Graph, Reference, Samples};
use proptest::test_runner::TestCaseResult;

use super::gradients::all_equal;
use crate::{BurnEvaluator, FastCpu};

/// Weights of the chain, none of them large.
pub(crate) fn weights(graph: &Graph) -> Vec<i16> {
    let weight = |at: usize| (at * 7_919 % 2_001) as i16 - 1_000;
    (0..graph.parameters()).map(weight).collect()
}

/// Nothing that is freed is used later, and nothing is lost where samples are cut into blocks.
#[test]
fn what_is_freed_is_not_missed() -> TestCaseResult {
    // Each takes as late a one as possible, the last two, or the first ones from the middle on.
    let chains: [fn(u32) -> u32; 3] = [
        |_| 1,
        |op| op.saturating_sub(2).max(1),
        |op| if op < 125 { op - 1 } else { 249 - op },
    ];
    for from in chains {
        let graph = residual_chain(from);
        let weights = weights(&graph);
        let records: Vec<u8> = (0..12u8).flat_map(|at| [at * 8, at % 10]).collect();
        let samples = Samples::new(1, 10, &records).unwrap();
        let expected = Reference.losses(&graph, &weights, &samples);
        assert_eq!(FastCpu.losses(&graph, &weights, &samples), expected);
        let mut burn = BurnEvaluator::new(&Device::flex());
        assert_eq!(burn.losses(&graph, &weights, &samples), expected);
        all_equal(&graph, &weights, &samples)?;
    }
    Ok(())
}
