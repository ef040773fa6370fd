//! Exactness of every device of this build, and the speed of exact evaluation on a GPU.

use anyhow::{ensure, Result};
use burn::tensor::{
    activation::{log_softmax, softmax},
    DType, Device, Int, Tensor, TensorData,
};
use gotong_evaluation::{bits, BurnEvaluator, FastCpu};
use gotong_scoring::{Evaluator, Graph, Samples, Transformer};
use gotong_tests::equality::{random_cases, Candidates, Tally};
use gotong_training::{data::Labelled, initial_weights, train, DeviceChoice, TrainingConfig};
use rand::{rngs::StdRng, Rng, SeedableRng};
use serde_json::{json, Map, Value};
use std::{
    f32::consts::{LN_2, LOG2_E},
    hint::black_box,
    sync::atomic::AtomicBool,
    time::Instant,
};

use crate::worker::rounded;

/// About ten million parameters: the size that a GPU is for.
const ON_GPU: (Transformer, usize) = (
    Transformer {
        vocab: 256,
        tokens: 128,
        width: 384,
        heads: 6,
        hidden: 1_536,
        layers: 6,
        tied: false,
    },
    512,
);
/// What a driver in software gets, so that the measurement itself is tried on every machine.
const IN_SOFTWARE: (Transformer, usize) = (
    Transformer {
        vocab: 64,
        tokens: 32,
        width: 64,
        heads: 2,
        hidden: 256,
        layers: 2,
        tied: false,
    },
    32,
);
/// Samples on the device at a time, for the float peer; the best of them counts.
const BATCHES: [usize; 3] = [16, 64, 256];
/// How often every measurement is repeated; the peers take turns, and the best counts.
const REPEATS: usize = 7;
/// Updates of a measured training run, their samples, and the number of its repetitions.
const TRAINING_STEPS: usize = 5;
const TRAINING_SAMPLES: usize = 128;
const TRAINING_REPEATS: usize = 2;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let devices: Vec<_> = DeviceChoice::built().collect();
    let (mut candidates, mut tally) = (Candidates::new(&devices)?, Tally::default());
    for case in random_cases(5)? {
        candidates.compare(&case, &mut tally)?;
    }
    report.insert("compared_words".into(), json!(tally.words));
    report.insert("mismatched_words".into(), json!(tally.mismatched_words));

    report.insert("gpu_exact_over_f32".into(), Value::Null);
    report.insert("gpu_exact_over_cpu".into(), Value::Null);
    for choice in devices {
        if choice == DeviceChoice::Flex {
            continue;
        }
        let (device, adapter) = choice.open_adapter()?;
        let ((shape, samples), mut prefix) = match adapter.is_gpu {
            true => (ON_GPU, "gpu".to_owned()),
            false => (IN_SOFTWARE, "software_gpu".to_owned()),
        };
        if choice != DeviceChoice::Wgpu {
            prefix = format!("{prefix}_{choice}");
        }
        let [exact, float, cpu] = speeds(&shape, samples, &device)?;
        let [trained, trained_by_cpu] = training_speeds(&shape, &device)?;
        report.insert(format!("{prefix}_device"), json!(adapter.name));
        for (key, value) in [
            ("exact_over_f32", rounded(exact / float)),
            ("exact_over_cpu", rounded(exact / cpu)),
            ("exact_tokens_per_second", json!(exact.round())),
            ("f32_tokens_per_second", json!(float.round())),
            ("train_over_cpu", rounded(trained / trained_by_cpu)),
            ("train_tokens_per_second", json!(trained.round())),
        ] {
            report.insert(format!("{prefix}_{key}"), value);
        }
    }
    Ok(())
}

/// Tokens per second of the exact evaluator on the device, of the same model in f32 by Burn on the
/// same device, and of the exact evaluator on the processor. The exact ones start from bytes; the
/// float one already has its samples on the device.
fn speeds(shape: &Transformer, count: usize, device: &Device) -> Result<[f64; 3]> {
    let graph = Graph::transformer(shape);
    let weights = initial_weights(&graph, 1);
    let mut random = StdRng::seed_from_u64(1);
    let length = count * (shape.tokens as usize + 1);
    let records: Vec<u8> = (0..length)
        .map(|_| random.random_range(0..shape.vocab) as u8)
        .collect();
    let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
    let mut burn = BurnEvaluator::new(device);
    let peer = FloatPeer::new(shape, &weights, device);
    let batches = BATCHES.map(|size| peer.batches(&records, size));

    // The models are the same, and from now on their kernels are compiled.
    let tokens = (count * shape.tokens as usize) as f64;
    let exact = bits(&burn.losses(&graph, &weights, &samples)?) / tokens;
    for batches in &batches {
        let float = peer.loss(batches)? / tokens;
        ensure!(
            (exact - float).abs() < 0.05,
            "a loss of {exact} bits exactly and {float} in f32: not the same model"
        );
    }

    let mut seconds = [f64::INFINITY; 3];
    for _ in 0..REPEATS {
        least(&mut seconds[0], || burn.losses(&graph, &weights, &samples))?;
        for batches in &batches {
            least(&mut seconds[1], || peer.loss(batches))?;
        }
        least(&mut seconds[2], || {
            FastCpu.losses(&graph, &weights, &samples)
        })?;
    }
    Ok(seconds.map(|seconds| tokens / seconds))
}

/// Tokens per second of training as `contribute` trains, on the device and on the processor.
fn training_speeds(shape: &Transformer, device: &Device) -> Result<[f64; 2]> {
    let graph = Graph::transformer(shape);
    let weights = initial_weights(&graph, 1);
    let mut random = StdRng::seed_from_u64(2);
    let mut tokens = |count: usize| -> Vec<u8> {
        let token = |_| random.random_range(0..shape.vocab) as u8;
        (0..count).map(token).collect()
    };
    let inputs = shape.tokens as usize;
    let data = Labelled {
        pixels: tokens(TRAINING_SAMPLES * inputs),
        labels: tokens(TRAINING_SAMPLES),
        inputs,
    };
    let config = TrainingConfig {
        steps: TRAINING_STEPS,
        ..TrainingConfig::of(&graph)
    };
    let stop = AtomicBool::new(false);
    let mut seconds = [f64::INFINITY; 2];
    for _ in 0..TRAINING_REPEATS {
        for (seconds, device) in seconds.iter_mut().zip([device, &Device::flex()]) {
            least(seconds, || {
                train(&graph, &weights, &data, &config, device, &mut |_| {}, &stop)
            })?;
        }
    }
    let tokens = (config.steps * config.batch * inputs) as f64;
    Ok(seconds.map(|seconds| tokens / seconds))
}

fn least<T, E: Into<anyhow::Error>>(
    least: &mut f64,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<()> {
    let start = Instant::now();
    black_box(work().map_err(Into::into)?);
    *least = least.min(start.elapsed().as_secs_f64());
    Ok(())
}

/// The same transformer in plain f32.
struct FloatPeer {
    of_tokens: Tensor<2>,
    of_places: Tensor<3>,
    layers: Vec<Layer>,
    head: Linear,
    /// What is added to the scores of later tokens, `[1, 1, tokens, tokens]`.
    unseen: Tensor<4>,
    shape: Transformer,
    device: Device,
}

struct Layer {
    attention: Linear,
    mixed: Linear,
    up: Linear,
    down: Linear,
}

struct Linear {
    /// `[inputs, outputs]`.
    weights: Tensor<2>,
    /// `[1, outputs]`.
    biases: Tensor<2>,
}

impl Linear {
    fn run(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.matmul(self.weights.clone()) + self.biases.clone()
    }
}

/// Tokens, and for every token the next one.
type Batch = (Tensor<1, Int>, Tensor<2, Int>);

impl FloatPeer {
    fn new(shape: &Transformer, weights: &[i16], device: &Device) -> Self {
        let mut rest = weights;
        let mut take = |rows: u32, columns: u32, steps: f32| {
            let (rows, columns) = (rows as usize, columns as usize);
            let (own, others) = rest.split_at(rows * columns);
            rest = others;
            let real = own.iter().map(|&w| f32::from(w) / steps).collect();
            let data = TensorData::new::<f32, _>(real, [rows, columns]);
            Tensor::<2>::from_data(data, (device, DType::F32))
        };
        const WEIGHT: f32 = 65_536.0;
        let of_tokens = take(shape.vocab, shape.width, WEIGHT);
        let of_places = take(shape.tokens, shape.width, WEIGHT).unsqueeze();
        let mut linear = |inputs: u32, outputs: u32, bias: f32| Linear {
            weights: take(outputs, inputs, WEIGHT).transpose(),
            biases: take(1, outputs, bias),
        };
        let mut layer = |_| Layer {
            attention: linear(shape.width, 3 * shape.width, 8_192.0),
            mixed: linear(shape.width, shape.width, 8_192.0),
            up: linear(shape.width, shape.hidden, 8_192.0),
            down: linear(shape.hidden, shape.width, 2_048.0),
        };
        let layers = (0..shape.layers).map(&mut layer).collect();
        let head = linear(shape.width, shape.vocab, 8_192.0);
        let tokens = shape.tokens as usize;
        let unseen = Tensor::<2>::full([tokens, tokens], -1e9, (device, DType::F32)).triu(1);
        Self {
            of_tokens,
            of_places,
            layers,
            head,
            unseen: unseen.unsqueeze(),
            shape: *shape,
            device: device.clone(),
        }
    }

    fn batches(&self, records: &[u8], size: usize) -> Vec<Batch> {
        let length = self.shape.tokens as usize + 1;
        let batch = |records: &[u8]| {
            let each = |skip: usize| {
                let bytes = records
                    .chunks_exact(length)
                    .flat_map(|record| record[skip..].iter().take(length - 1));
                let bytes: Vec<i32> = bytes.map(|&byte| byte.into()).collect();
                let data = TensorData::new(bytes.clone(), [bytes.len()]);
                Tensor::<1, Int>::from_data(data, (&self.device, DType::I32))
            };
            (each(0), each(1).unsqueeze_dim(1))
        };
        records.chunks(size * length).map(batch).collect()
    }

    /// The sum of the losses of all tokens, in bits.
    fn loss(&self, batches: &[Batch]) -> Result<f64> {
        let mut sum = 0.0;
        for (tokens, next) in batches {
            // Logits are in bits.
            let logits = self.logits(tokens.clone()).mul_scalar(LN_2);
            let own = log_softmax(logits, 1).gather(1, next.clone());
            let losses = own.mul_scalar(-LOG2_E).try_into_vec_as::<f32>()?;
            sum += losses.into_iter().map(f64::from).sum::<f64>();
        }
        Ok(sum)
    }

    fn logits(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let (tokens, width) = (self.shape.tokens as usize, self.shape.width as usize);
        let rows = ids.dims()[0];
        let embedded = self.of_tokens.clone().select(0, ids);
        let embedded = embedded.reshape([rows / tokens, tokens, width]) + self.of_places.clone();
        let mut stream = embedded.reshape([rows, width]);
        for layer in &self.layers {
            let attended = self.attend(layer.attention.run(normed(&stream)));
            stream = stream + layer.mixed.run(attended);
            let hidden = layer.up.run(normed(&stream)).clamp_min(0.0);
            stream = stream + layer.down.run(hidden.clone() * hidden);
        }
        self.head.run(normed(&stream))
    }

    /// Computes the means of the values from the queries, keys and values of all heads, `[rows, 3 *
    /// width]`.
    fn attend(&self, rows: Tensor<2>) -> Tensor<2> {
        let (tokens, width) = (self.shape.tokens as usize, self.shape.width as usize);
        let heads = self.shape.heads as usize;
        let (count, head_width) = (rows.dims()[0], width / heads);
        let part = |at: usize| -> Tensor<4> {
            let part = rows.clone().narrow(1, at * width, width);
            let part = part.reshape([count / tokens, tokens, heads, head_width]);
            part.swap_dims(1, 2)
        };
        let scale = (head_width as f32).sqrt().recip();
        let scores = part(0).mul_scalar(scale).matmul(part(1).transpose());
        let shares = softmax(scores + self.unseen.clone(), 3);
        let means = shares.matmul(part(2)).swap_dims(1, 2);
        means.reshape([count, width])
    }
}

/// Rows divided by the root of their mean square.
fn normed(rows: &Tensor<2>) -> Tensor<2> {
    let squares = (rows.clone() * rows.clone()).mean_dim(1);
    rows.clone() * squares.add_scalar(1e-6).sqrt().recip()
}
