//! What an exact gradient costs, compared with an exact evaluation of the same samples.

use crate::{
    language::{least, MODEL},
    worker::rounded,
};
use anyhow::Result;
use gotong_evaluation::FastCpu;
use gotong_scoring::{gradient::Differentiator, Evaluator, Graph, Samples};
use gotong_training::initial_weights;
use serde_json::{Map, Value};
use std::{hint::black_box, ops::Range, time::Instant};

/// Groups of samples, each with a gradient of its own.
const GROUPS: usize = 16;
/// How often every measurement is repeated; the best counts.
const REPEATS: usize = 9;

/// The time of a gradient pass divided by the time of an evaluation, with the first weights.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    for (name, graph, samples) in [
        ("lm", Graph::transformer(&MODEL), 64),
        ("mlp", Graph::mlp(&[784, 128, 10]), 800),
    ] {
        let [evaluation, gradient] = seconds(&graph, samples)?;
        let ratio = rounded(gradient / evaluation);
        report.insert(format!("gradient_over_evaluation_{name}"), ratio);
        report.insert(format!("gradient_{name}_ms"), rounded(gradient * 1e3));
    }
    Ok(())
}

/// Seconds that an evaluation of `count` samples takes, and that their gradients take.
fn seconds(graph: &Graph, count: usize) -> Result<[f64; 2]> {
    let weights = initial_weights(graph, 1);
    let length = graph.inputs as usize + 1;
    let bytes: Vec<u8> = (0..count * length)
        .map(|at| (at * at % 8_191 * 31) as u8)
        .collect();
    let records = match graph.vocab() {
        Some(vocab) => bytes
            .iter()
            .map(|byte| (u32::from(*byte) % vocab) as u8)
            .collect(),
        None => graph.samples(&bytes),
    };
    let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
    let group = |number: usize| number * count / GROUPS..(number + 1) * count / GROUPS;
    let groups: Vec<Range<usize>> = (0..GROUPS).map(group).collect();
    let mut best = [f64::INFINITY; 2];
    for _ in 0..REPEATS {
        let start = Instant::now();
        black_box(FastCpu.losses(graph, &weights, &samples)?);
        least(&mut best[0], start.elapsed().as_secs_f64());
        let start = Instant::now();
        let see = &mut |_, gradient: &[i64]| {
            black_box(gradient);
        };
        FastCpu.gradients(graph, &weights, &samples, &groups, see)?;
        least(&mut best[1], start.elapsed().as_secs_f64());
    }
    Ok(best)
}
