//! The worst cases that a device must get right before its attestations are worth a stake.

mod cases;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use gotong_scoring::{
    gradient::Differentiator, EvalError, Graph, Reference, Samples, SamplesError,
};

use super::{compare, Traced};
use cases::{graphs, samples, weights};

/// What an evaluator that passed was tested with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestReport {
    /// Models evaluated.
    pub models: usize,
    /// Words that were compared with the reference, all equal.
    pub words: u64,
    /// Values of gradients that were compared, all equal.
    pub gradient_values: u64,
    /// Time that the tested evaluator took, comparison included.
    pub took: Duration,
}

/// Why an evaluator must not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestFailure {
    /// Its words differ from the reference's.
    #[error(
        "{case}: {wrong} of {words} words differ from the reference, the first in {place}; do not attest on this device: leave \
         `--device` out to evaluate on the processor"
    )]
    Mismatch {
        /// The model.
        case: String,
        /// Words that differ.
        wrong: u64,
        /// Words that were compared.
        words: u64,
        /// Op and sample.
        place: String,
    },
    /// Its gradient differs from the reference's.
    #[error(
        "{case}: {wrong} of {values} values of the gradient differ from the reference, the first for \
         parameter {parameter}; do not attest on this device: leave `--device` out to evaluate on the processor"
    )]
    Gradient {
        /// The model.
        case: String,
        /// Values that differ.
        wrong: u64,
        /// Values that were compared.
        values: u64,
        /// The first parameter whose value differs.
        parameter: usize,
    },
    /// It could not evaluate.
    #[error("{case}: {error}; leave `--device` out to evaluate on the processor")]
    Failed {
        /// The model.
        case: String,
        /// Why not.
        error: EvalError,
    },
    /// The test's own samples were refused.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

/// Compares every word of `evaluator`, and every value of its gradients, with the reference's: sums of 1023, 1024 and 1025 products
/// (one f32 chunk is 1024), all weights and inputs at their extremes, shapes that fill no tile, negative activations, transformers,
/// one of them with as many tokens as there can be, convolutions and pools, the widest head and norm, all shifts, gradients at
/// their limit, random models.
///
/// # Errors
/// The first model with a word or a gradient that differs, or that could not be evaluated.
pub fn self_test(evaluator: &mut dyn Traced) -> Result<SelfTestReport, SelfTestFailure> {
    let mut report = SelfTestReport {
        models: 0,
        words: 0,
        gradient_values: 0,
        took: Duration::ZERO,
    };
    for ((graph, fills), seed) in graphs().zip(0..) {
        let samples = samples(&graph, seed)?;
        for (name, fill) in fills {
            let case = || format!("{name} weights, {} inputs, graph {seed}", graph.inputs);
            let failed = |error| SelfTestFailure::Failed {
                case: case(),
                error,
            };
            let weights = weights(&graph, seed, *fill);
            let expected = Reference.tensors(&graph, &weights, &samples);
            let expected = expected.map_err(failed)?;
            let start = Instant::now();
            let found =
                compare(evaluator, &expected, &graph, &weights, &samples).map_err(failed)?;
            report.took += start.elapsed();
            if let Some((sample, op)) = found.first {
                let of_op = |op| format!("{op:?}");
                let op = graph.ops.get(op).map_or("the loss".to_owned(), of_op);
                return Err(SelfTestFailure::Mismatch {
                    case: case(),
                    wrong: found.wrong,
                    words: found.words,
                    place: format!("{op} of sample {sample}"),
                });
            }
            let expected = gradient(&mut Reference, &graph, &weights, &samples).map_err(failed)?;
            let start = Instant::now();
            let given = gradient(evaluator, &graph, &weights, &samples).map_err(failed)?;
            report.took += start.elapsed();
            if given.len() != expected.len() {
                return Err(failed(EvalError::WrongCount {
                    expected: expected.len(),
                    found: given.len(),
                }));
            }
            let pairs = expected.iter().zip(&given).enumerate();
            let mut wrong = pairs.filter(|(_, (a, b))| a != b).map(|(at, _)| at);
            if let Some(parameter) = wrong.next() {
                return Err(SelfTestFailure::Gradient {
                    case: case(),
                    wrong: 1 + wrong.count() as u64,
                    values: given.len() as u64,
                    parameter,
                });
            }
            report.models += 1;
            report.words += found.words;
            report.gradient_values += given.len() as u64;
        }
    }
    Ok(report)
}

/// The gradient of all samples.
pub(super) fn gradient<D: Differentiator + ?Sized>(
    differentiator: &mut D,
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<Vec<i64>, EvalError> {
    let (groups, mut all) = ([0..samples.len()], Vec::new());
    let see = &mut |_, gradient: &[i64]| all.extend_from_slice(gradient);
    differentiator.gradients(graph, weights, samples, &groups, see)?;
    Ok(all)
}
