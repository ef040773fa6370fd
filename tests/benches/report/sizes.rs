//! What evaluation and deltas cost by the size of a model: the costs should be linear in it.

use crate::{
    language::{least, LARGE, MODEL},
    worker::rounded,
};
use anyhow::Result;
use gotong_evaluation::FastCpu;
use gotong_scoring::{
    merge::{Merge, Part, FACTOR_ONE},
    Delta, Evaluator, Graph, Samples, Transformer,
};
use gotong_training::initial_weights;
use serde_json::{Map, Value};
use std::{hint::black_box, time::Instant};

/// The costs that are measured for a model of some size.
const COSTS: [&str; 5] = ["evaluation", "compress", "encode", "decode", "merge"];
/// Samples of an evaluation, of 128 tokens each.
const SAMPLES: usize = 4;
/// Parameters in a delta, in thousandths.
const KEEP_PERMILLE: u32 = 10;
/// Deltas of a merge.
const DELTAS: usize = 4;

/// Milliseconds at four sizes, and the exponents of growth: 1 is linear, 2 quadratic.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let shape = |width, hidden, heads, layers| Transformer {
        width,
        hidden,
        heads,
        layers,
        ..MODEL
    };
    let mut points = [const { Vec::new() }; COSTS.len()];
    println!("parameters    ms of: {}", COSTS.join(", "));
    for (name, shape) in [
        ("0_1m", shape(64, 256, 2, 2)),
        ("1m", MODEL),
        ("10m", LARGE),
        ("100m", shape(1_024, 4_096, 16, 8)),
    ] {
        let graph = Graph::transformer(&shape);
        let seconds = costs(&graph)?;
        let milliseconds = seconds.map(|s| format!("{:.2}", s * 1e3));
        println!("{:>10}    {}", graph.parameters(), milliseconds.join(", "));
        for ((cost, seconds), points) in COSTS.iter().zip(seconds).zip(&mut points) {
            report.insert(format!("size_{name}_{cost}_ms"), rounded(seconds * 1e3));
            points.push(((graph.parameters() as f64).ln(), seconds.ln()));
        }
    }
    for (cost, points) in COSTS.iter().zip(&points) {
        report.insert(format!("size_exponent_{cost}"), rounded(slope(points)));
    }
    Ok(())
}

/// Seconds for each of [`COSTS`]; each is the best of several measurements.
fn costs(graph: &Graph) -> Result<[f64; COSTS.len()]> {
    let weights = initial_weights(graph, 1);
    let record = |byte: usize| (byte * 31 % MODEL.vocab as usize) as u8;
    let records: Vec<u8> = (0..SAMPLES * (graph.inputs as usize + 1))
        .map(record)
        .collect();
    let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
    let parameters = u32::try_from(weights.len())?;
    let mut best = [f64::INFINITY; COSTS.len()];
    for _ in 0..3 {
        let start = Instant::now();
        black_box(FastCpu.losses(graph, &weights, &samples)?);
        least(&mut best[0], start.elapsed().as_secs_f64());
    }
    // A change like another model's weights: with all magnitudes, and in other places in every
    // delta.
    let change = initial_weights(graph, 2);
    let mut change: Vec<i32> = change.into_iter().map(i32::from).collect();
    let mut deltas = Vec::new();
    for number in 1..=DELTAS {
        change.rotate_left(number);
        let start = Instant::now();
        let delta = Delta::compress(&change, KEEP_PERMILLE);
        least(&mut best[1], start.elapsed().as_secs_f64());
        let start = Instant::now();
        let bytes = delta.encode();
        least(&mut best[2], start.elapsed().as_secs_f64());
        let start = Instant::now();
        let decoded = Delta::decode(&bytes, parameters)?;
        least(&mut best[3], start.elapsed().as_secs_f64());
        deltas.push(decoded);
    }
    let part = |delta| Part {
        delta,
        weight: 100,
        factor_q16: FACTOR_ONE,
    };
    let parts: Vec<Part> = deltas.iter().map(part).collect();
    for _ in 0..3 {
        let start = Instant::now();
        black_box(Merge::new(&weights, &parts).merged());
        least(&mut best[4], start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The slope of the straight line nearest to the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x) * (x - mean_x);
    }
    over / under
}
