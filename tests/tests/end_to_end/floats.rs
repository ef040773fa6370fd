//! The case by which programs that run models in floats, onnxruntime and PyTorch, are compared with the exact machine.

use anyhow::{ensure, Result};
use gotong_evaluation::FastCpu;
use gotong_scoring::{arith::MASTER_BOUND, Evaluator, Graph, Samples, Transformer};
use gotong_tests::equality::Case;
use gotong_training::initial_weights;

/// Tokens of a sample of [`bold`].
const TOKENS: u32 = 64;
/// Heads of [`bold`].
pub const HEADS: u32 = 4;

/// By how much a plain model in f32 may differ from the exact machine: in the mean of all samples, and in any single one; in bits
/// per token.
pub const PLAIN_BOUNDS: (f64, f64) = (0.02, 0.08);

/// The text of a licence as records for [`bold`]. Its tokens are bytes less 32.
pub fn records() -> Vec<u8> {
    let text = include_bytes!("../../../LICENSE");
    let tokens = TOKENS as usize;
    let windows = text.windows(tokens + 1).step_by(tokens / 2).take(24);
    windows.flatten().map(|c| c.saturating_sub(32)).collect()
}

/// A language model that has biases, and whose weights are bolder than at the start of a training run, so that a wrong layer would
/// show.
pub fn bold(tied: bool) -> Result<Case> {
    let graph = Graph::transformer(&Transformer {
        vocab: 96,
        tokens: TOKENS,
        width: 64,
        heads: HEADS,
        hidden: 256,
        layers: 2,
        tied,
    });
    let first = initial_weights(&graph, 1).into_iter();
    let bolder = |(place, w): (usize, i16)| {
        let most = i32::from(MASTER_BOUND);
        let bias = (place as i32 * 7_919).rem_euclid(2_001) - 1_000;
        let w = if w == 0 { bias } else { i32::from(w) * 3 / 2 };
        w.clamp(-most, most) as i16
    };
    let weights = first.enumerate().map(bolder).collect();
    let samples = Samples::new(graph.inputs, graph.classes(), &records())?;
    Ok(Case {
        name: format!("bold, tied {tied}"),
        graph,
        weights,
        samples,
    })
}

/// How many losses a sample has: one, or for text one per token.
pub fn losses_of_sample(graph: &Graph) -> usize {
    graph.vocab().map_or(1, |_| graph.inputs as usize)
}

/// How far the bits in floats are from the exact losses: the mean of all samples, and the maximum of any; in bits per token.
pub fn apart(case: &Case, bits: &[f64]) -> Result<(f64, f64)> {
    let exact = FastCpu.losses(&case.graph, &case.weights, &case.samples)?;
    ensure!(bits.len() == exact.len(), "{} samples", bits.len());
    let tokens = losses_of_sample(&case.graph) as f64;
    let apart = |(exact, bits): (&u32, &f64)| (f64::from(*exact) / 65_536.0 - bits) / tokens;
    let apart: Vec<f64> = exact.iter().zip(bits).map(apart).collect();
    let mean = apart.iter().sum::<f64>() / apart.len() as f64;
    let most = apart.iter().fold(0.0, |most: f64, a| most.max(a.abs()));
    Ok((mean, most))
}
