//! Speed of evaluation and size of deltas, on the demo's model and data.

use anyhow::Result;
use burn::tensor::{activation, Device, Int, Tensor, TensorData};
use gotong_evaluation::{BurnEvaluator, FastCpu};
use gotong_scoring::{Delta, Evaluator, Graph, Samples};
use gotong_training::{
    data::{FashionMnist, Labelled},
    initial_weights, train, TrainingConfig,
};
use serde_json::{json, Map, Value};
use std::{sync::atomic::AtomicBool, time::Instant};

/// How often every measurement is repeated; the peers take turns, and the median counts.
const REPEATS: usize = 15;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let set = FashionMnist::load(&FashionMnist::directory())?;
    let graph = Graph::mlp(&[784, 128, 10]);
    let master = initial_weights(&graph, 1);
    evaluation(&graph, &master, &set.test, report)?;
    compression(&graph, &master, &set.train.part(0, 4), report)
}

/// Samples per second of the fast exact evaluator, of the exact evaluator on Burn, and of a plain
/// f32 evaluation of the same model by Burn's CPU backend. The float peer gets its samples as
/// tensors that already exist, and the better of two batch sizes; the exact ones start from bytes.
fn evaluation(
    graph: &Graph,
    master: &[i16],
    test: &Labelled,
    report: &mut Map<String, Value>,
) -> Result<()> {
    let device = Device::flex();
    let samples = Samples::new(graph.inputs, graph.classes(), &test.records())?;
    let (large, small) = (
        FloatPeer::new(master, test, test.len(), &device),
        FloatPeer::new(master, test, 1_000, &device),
    );
    let mut burn = BurnEvaluator::new(&device);
    let mut seconds = [const { Vec::new() }; 4];
    for _ in 0..REPEATS {
        seconds[0].push(time(|| FastCpu.losses(graph, master, &samples))?);
        seconds[1].push(time(|| large.losses())?);
        seconds[2].push(time(|| small.losses())?);
        seconds[3].push(time(|| burn.losses(graph, master, &samples))?);
    }
    let [exact, large, small, burn] = seconds.map(|s| test.len() as f64 / median(s));
    let flex = large.max(small);
    report.insert("exact_over_flex".into(), rounded(exact / flex));
    report.insert("exact_samples_per_second".into(), json!(exact.round()));
    report.insert("flex_samples_per_second".into(), json!(flex.round()));
    report.insert(
        "exact_on_burn_samples_per_second".into(),
        json!(burn.round()),
    );
    Ok(())
}

/// Seconds of one training run, and the size of its delta at two densities: 10 %, the default of
/// `gotong contribute`, and 1 %.
fn compression(
    graph: &Graph,
    master: &[i16],
    data: &Labelled,
    report: &mut Map<String, Value>,
) -> Result<()> {
    let config = TrainingConfig::default();
    let (device, stop) = (Device::flex(), AtomicBool::new(false));
    let start = Instant::now();
    let change = train(graph, master, data, &config, &device, &mut |_| {}, &stop)?;
    report.insert(
        "training_seconds".into(),
        rounded(start.elapsed().as_secs_f64()),
    );
    for (keep_permille, suffix) in [(100, ""), (10, "_at_1_percent")] {
        let delta = Delta::compress_evenly(&change, keep_permille);
        let bits = 8.0 * delta.encode().len() as f64 / change.len() as f64;
        report.insert(format!("delta_bits_per_parameter{suffix}"), rounded(bits));
        report.insert(
            format!("compression_over_fp32{suffix}"),
            rounded(32.0 / bits),
        );
    }
    Ok(())
}

/// The same two-layer model in plain f32.
struct FloatPeer {
    weights: [Tensor<2>; 2],
    biases: [Tensor<2>; 2],
    batches: Vec<(Tensor<2>, Tensor<2, Int>)>,
}

impl FloatPeer {
    fn new(master: &[i16], test: &Labelled, batch: usize, device: &Device) -> Self {
        let real: Vec<f32> = master.iter().map(|&w| f32::from(w) / 65_536.0).collect();
        let tensor = |start: usize, shape: [usize; 2]| {
            let values = real[start..start + shape[0] * shape[1]].to_vec();
            Tensor::<2>::from_data(TensorData::new(values, shape), device)
        };
        let second = 128 * 785;
        let batches = (0..test.len()).step_by(batch).map(|start| {
            let part = test.slice(start..start + batch);
            let inputs = part.pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
            let inputs = TensorData::new::<f32, _>(inputs, [part.len(), part.inputs]);
            let labels = part.labels.iter().map(|&l| l.into()).collect();
            let labels = TensorData::new::<i32, _>(labels, [part.len(), 1]);
            (
                Tensor::from_data(inputs, device),
                Tensor::from_data(labels, device),
            )
        });
        Self {
            weights: [
                tensor(0, [128, 784]).transpose(),
                tensor(second, [10, 128]).transpose(),
            ],
            biases: [tensor(128 * 784, [1, 128]), tensor(second + 1280, [1, 10])],
            batches: batches.collect(),
        }
    }

    /// Loss of every sample in nats.
    fn losses(&self) -> Result<Vec<f32>> {
        let mut losses = Vec::new();
        for (inputs, labels) in &self.batches {
            let [first, second] = &self.weights;
            let hidden = inputs.clone().matmul(first.clone()) + self.biases[0].clone();
            let logits = activation::relu(hidden).matmul(second.clone()) + self.biases[1].clone();
            let chosen = activation::log_softmax(logits, 1).gather(1, labels.clone());
            losses.extend(chosen.neg().try_into_vec_as::<f32>()?);
        }
        Ok(losses)
    }
}

fn time<T, E: Into<anyhow::Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<f64> {
    let start = Instant::now();
    std::hint::black_box(work().map_err(Into::into)?);
    Ok(start.elapsed().as_secs_f64())
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn rounded(value: f64) -> Value {
    json!((value * 1_000.0).round() / 1_000.0)
}
