//! The worst cases that a device must get right before its attestations are worth a stake.

use std::time::{Duration, Instant};

use gotong_scoring::{
    arith::MASTER_BOUND, Cnn, Convolution, EvalError, Evaluator, Graph, Image, Op, Pool, Reference,
    Samples, SamplesError, Transformer, Width, Window,
};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// What an evaluator that passed was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestReport {
    /// Models evaluated.
    pub models: usize,
    /// Losses compared with the reference, all equal.
    pub words: usize,
    /// Time that the tested evaluator took.
    pub took: Duration,
}

/// Why an evaluator must not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestFailure {
    /// It gave other losses than the reference.
    #[error("{case}: {wrong} of {words} losses differ from the reference; do not attest from this device")]
    Mismatch {
        case: String,
        wrong: usize,
        words: usize,
    },
    /// It could not evaluate.
    #[error("{case}: {error}")]
    Failed { case: String, error: EvalError },
    /// The test's own samples were refused.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

/// Compares `evaluator` with the reference: sums of 1023, 1024 and 1025 products (one f32 chunk is
/// 1024), all weights and inputs at their extremes, shapes that fill no tile, negative activations,
/// transformers, one of as many tokens as there can be, convolutions and pools, random models.
///
/// # Errors
/// The first case in which a loss differs, or that could not be evaluated.
pub fn self_test(evaluator: &mut dyn Evaluator) -> Result<SelfTestReport, SelfTestFailure> {
    let mut report = SelfTestReport {
        models: 0,
        words: 0,
        took: Duration::ZERO,
    };
    let mlps = SHAPES
        .iter()
        .flat_map(|layers| [Graph::mlp(layers), signed(layers)]);
    let transformers = TRANSFORMERS.iter().map(Graph::transformer);
    for (graph, seed) in mlps.chain(transformers).chain(networks()).zip(0..) {
        let samples = samples(&graph, seed)?;
        for (name, fill) in FILLS {
            let case = || format!("{name} weights, {} inputs, graph {seed}", graph.inputs);
            let failed = |error| SelfTestFailure::Failed {
                case: case(),
                error,
            };
            let weights = weights(&graph, seed, fill);
            let expected = Reference
                .losses(&graph, &weights, &samples)
                .map_err(failed)?;
            let start = Instant::now();
            let found = evaluator
                .losses(&graph, &weights, &samples)
                .map_err(failed)?;
            report.took += start.elapsed();
            let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
            let wrong = differ + expected.len().abs_diff(found.len());
            if wrong > 0 {
                return Err(SelfTestFailure::Mismatch {
                    case: case(),
                    wrong,
                    words: expected.len(),
                });
            }
            report.models += 1;
            report.words += expected.len();
        }
    }
    Ok(report)
}

const SHAPES: [&[u32]; 6] = [
    &[1023, 9, 3],
    &[1024, 8, 4],
    &[1025, 33, 10],
    &[2049, 5, 2],
    &[1, 1, 2],
    &[37, 65, 31, 11],
];

const TRANSFORMERS: [Transformer; 3] = [
    Transformer {
        vocab: 11,
        tokens: 37,
        width: 36,
        heads: 3,
        hidden: 70,
        layers: 2,
        tied: true,
    },
    Transformer {
        vocab: 256,
        tokens: 7,
        width: 33,
        heads: 1,
        hidden: 65,
        layers: 1,
        tied: false,
    },
    // The longest sums of shares.
    Transformer {
        vocab: 2,
        tokens: 1024,
        width: 2,
        heads: 1,
        hidden: 3,
        layers: 1,
        tied: true,
    },
];

/// Convolutions: of rows longer than one f32 chunk, with padding, strides and both pools.
fn networks() -> [Graph; 2] {
    let image = |height, width, channels| Image {
        height,
        width,
        channels,
    };
    let convolution = |channels, (size, stride, padding), pool| Convolution {
        channels,
        window: Window {
            size,
            stride,
            padding,
        },
        pool,
    };
    let padded = Cnn {
        image: image(9, 11, 3),
        convolutions: vec![
            convolution(7, (3, 1, 1), Pool::Max(2)),
            convolution(5, (2, 1, 1), Pool::Mean(3)),
        ],
        hidden: vec![6],
        classes: 4,
    };
    let long = Cnn {
        image: image(6, 5, 41),
        convolutions: vec![convolution(33, (5, 2, 2), Pool::None)],
        hidden: vec![],
        classes: 3,
    };
    [Graph::cnn(&padded), Graph::cnn(&long)]
}

/// How a weight comes from its index and a random master weight.
type Fill = fn(usize, i16) -> i16;

const FILLS: [(&str, Fill); 5] = [
    ("random", |_, random| random),
    ("largest", |_, _| MASTER_BOUND),
    ("smallest", |_, _| -MASTER_BOUND),
    ("alternating", |index, _| match index % 2 {
        0 => MASTER_BOUND,
        _ => -MASTER_BOUND,
    }),
    // Masters half-way between two views, where rounding decides.
    ("half-way", |_, random| random & !0xff | 0x80),
];

fn weights(graph: &Graph, seed: u64, fill: Fill) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..graph.parameters())
        .map(|index| fill(index, random.random_range(-MASTER_BOUND..=MASTER_BOUND)))
        .map(|weight| weight.clamp(-MASTER_BOUND, MASTER_BOUND))
        .collect()
}

/// Nine samples, which fill no tile: all bytes or tokens greatest, all least, the rest random. Three of
/// long ones.
fn samples(graph: &Graph, seed: u64) -> Result<Samples, SamplesError> {
    let mut random = StdRng::seed_from_u64(!seed);
    let most = graph.vocab().map_or(u8::MAX, |vocab| (vocab - 1) as u8);
    let is_long = graph.vocab().is_some() && graph.inputs > 512;
    let mut records = Vec::new();
    for sample in 0..if is_long { 3 } else { 9 } {
        records.extend((0..graph.inputs).map(|_| match sample {
            0 => most,
            1 => 0,
            _ => random.random_range(0..=most),
        }));
        records.push(random.random_range(0..graph.classes()) as u8);
    }
    Samples::new(graph.inputs, graph.classes(), &records)
}

/// An MLP without ReLU, so that activations are negative too, with multipliers that are no powers
/// of two and shifts at their ends.
fn signed(layers: &[u32]) -> Graph {
    let mut graph = Graph::mlp(layers);
    graph.ops.retain(|op| !matches!(op, Op::Relu));
    for op in &mut graph.ops {
        match op {
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: Width::Narrow,
            } => (*shift_in, *multiplier, *shift_out) = (9, 77, 8),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: Width::Wide,
            } => (*shift_in, *multiplier, *shift_out) = (0, 255, 10),
            Op::Linear { bias_shift, .. } => *bias_shift = 8,
            _ => {}
        }
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{BurnEvaluator, FastCpu};

    #[test]
    fn both_evaluators_pass() {
        let fast = self_test(&mut FastCpu).unwrap();
        let device = burn::tensor::Device::flex();
        let burn = self_test(&mut BurnEvaluator::new(&device)).unwrap();
        assert_eq!((fast.models, fast.words), (85, 735));
        assert_eq!(burn.words, fast.words);
    }

    /// Right but for the last bit of one sample.
    struct OneBitOff;

    impl Evaluator for OneBitOff {
        fn losses(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &Samples,
        ) -> Result<Vec<u32>, EvalError> {
            let mut losses = Reference.losses(graph, weights, samples)?;
            losses[7] ^= 1;
            Ok(losses)
        }
    }

    #[test]
    fn a_device_that_is_one_bit_off_is_refused() {
        let failure = self_test(&mut OneBitOff).unwrap_err();
        assert!(matches!(
            failure,
            SelfTestFailure::Mismatch { wrong: 1, .. }
        ));
    }
}
