//! A language model: what it learns, and its speed beside PyTorch.

use crate::worker::rounded;
use anyhow::Result;
use burn::tensor::Device;
use gotong::{
    evaluation::FastCpu,
    training::{
        data::{folder, DataSet, Labelled, Use},
        float_loss, initial_weights, train, TrainingConfig,
    },
};
use gotong_scoring::{Evaluator, Graph, Samples, Transformer};
use gotong_tests::torch::{Computing, Torch, Wait};
use serde_json::{json, Map, Value};
use std::{
    hint::black_box, sync::atomic::AtomicBool, thread::available_parallelism, time::Instant,
};

/// About a million parameters.
pub const MODEL: Transformer = Transformer {
    vocab: 84,
    tokens: 128,
    width: 128,
    heads: 4,
    hidden: 512,
    layers: 5,
    tied: false,
};
/// Updates of the model before it is measured.
const STEPS: usize = 80;
/// Samples of text that nobody trains on: 8,192 characters.
const SAMPLES: usize = 64;
/// Samples that PyTorch may take at a time; its best counts.
const TORCH_BATCHES: [usize; 3] = [8, 16, 64];
/// Updates of a measured training.
const MEASURED_STEPS: usize = 4;
/// Repetitions of every measurement; the peers take turns and the best counts, for whatever else the
/// machine does only makes it slower.
const REPEATS: usize = 7;
const TRAINING_REPEATS: usize = 3;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let text = Text::load()?;
    let trained = learning(&text, report)?;
    beside_torch(&text, &trained, report)
}

/// Shakespeare's plays, and the model that learns them.
struct Text {
    graph: Graph,
    training: Labelled,
    report: Labelled,
}

impl Text {
    fn load() -> Result<Self> {
        let graph = Graph::transformer(&MODEL);
        let load = |part| DataSet::Shakespeare.load(&folder(), part, &graph);
        Ok(Self {
            training: load(Use::Training)?,
            report: load(Use::Report)?.slice(0..SAMPLES),
            graph,
        })
    }

    fn samples(&self) -> Result<Samples> {
        let records = self.report.records();
        Ok(Samples::new(
            self.graph.inputs,
            self.graph.classes(),
            &records,
        )?)
    }

    /// Mean loss of a character in bits, exactly.
    fn bits(&self, weights: &[i16]) -> Result<f64> {
        let losses = FastCpu.losses(&self.graph, weights, &self.samples()?)?;
        let sum: u64 = losses.into_iter().map(u64::from).sum();
        Ok(sum as f64 / 65_536.0 / self.characters())
    }

    fn characters(&self) -> f64 {
        (self.report.len() * self.report.inputs) as f64
    }

    /// Weights after so many updates by Burn on the processor, and the seconds that they took.
    fn train(&self, weights: &[i16], steps: usize) -> Result<(Vec<i16>, f64)> {
        let config = TrainingConfig {
            steps,
            ..TrainingConfig::of(&self.graph)
        };
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        let (graph, data) = (&self.graph, &self.training);
        let start = Instant::now();
        let change = train(graph, weights, data, &config, &device, &mut |_| {}, &stop)?;
        let seconds = start.elapsed().as_secs_f64();
        // A change leads from one master weight to another.
        let trained = |(w, change): (&i16, i32)| i16::try_from(i32::from(*w) + change);
        let trained = weights.iter().zip(change).map(trained);
        Ok((trained.collect::<Result<_, _>>()?, seconds))
    }
}

/// Bits a character of held-out text before and after a short training.
fn learning(text: &Text, report: &mut Map<String, Value>) -> Result<Vec<i16>> {
    let first = initial_weights(&text.graph, 1);
    let (trained, seconds) = text.train(&first, STEPS)?;
    report.insert("lm_parameters".into(), json!(text.graph.parameters()));
    for (key, value) in [
        ("lm_bits_per_char_start", text.bits(&first)?),
        ("lm_bits_per_char", text.bits(&trained)?),
        ("lm_training_seconds", seconds),
    ] {
        report.insert(key.into(), rounded(value));
    }
    Ok(trained)
}

/// Loss and speed of the trained model, exact and by PyTorch: evaluation of the same records, and updates
/// of the same batch and optimizer. The plain model in f32 is the peer; the model that rounds as the machine
/// does, as Burn's, is reported too.
fn beside_torch(text: &Text, weights: &[i16], report: &mut Map<String, Value>) -> Result<()> {
    let threads = available_parallelism()?.get();
    let (folder, records) = (tempfile::tempdir()?, text.report.records());
    let torch = |rounded, wait| {
        let computing = Computing {
            heads: MODEL.heads,
            threads,
            rounded,
            wait,
        };
        Torch::start(folder.path(), &text.graph, weights, &records, computing)
    };
    // The better way to wait counts.
    let mut plain = [torch(false, Wait::Awake)?, torch(false, Wait::Asleep)?];
    let mut rounding = [torch(true, Wait::Awake)?, torch(true, Wait::Asleep)?];

    let exact = text.bits(weights)?;
    let bits = |peer: &mut Torch| -> Result<f64> {
        Ok(peer.evaluate(SAMPLES)?.0.iter().sum::<f64>() / text.characters())
    };
    let burn = float_loss(&text.graph, weights, &text.report, &Device::flex())?.into();
    for (key, float) in [
        ("exact_minus_float_bits", burn),
        ("exact_minus_torch_rounded_bits", bits(&mut rounding[0])?),
        ("exact_minus_torch_bits", bits(&mut plain[0])?),
    ] {
        report.insert(key.into(), fine(exact - float));
    }

    let (samples, mut seconds) = (text.samples()?, [f64::INFINITY; 2]);
    for _ in 0..REPEATS {
        let start = Instant::now();
        black_box(FastCpu.losses(&text.graph, weights, &samples)?);
        least(&mut seconds[0], start.elapsed().as_secs_f64());
        for peer in &mut plain {
            for batch in TORCH_BATCHES {
                least(&mut seconds[1], peer.evaluate(batch)?.1);
            }
        }
    }
    let [exact, torch] = seconds.map(|seconds| text.characters() / seconds);
    report.insert("lm_exact_over_torch".into(), rounded(exact / torch));
    report.insert("lm_exact_tokens_per_second".into(), json!(exact.round()));
    report.insert("lm_torch_tokens_per_second".into(), json!(torch.round()));

    let batch = TrainingConfig::of(&text.graph).batch;
    let mut seconds = [f64::INFINITY; 3];
    for _ in 0..TRAINING_REPEATS {
        least(&mut seconds[0], text.train(weights, MEASURED_STEPS)?.1);
        for (peers, seconds) in [&mut plain, &mut rounding]
            .into_iter()
            .zip(&mut seconds[1..])
        {
            for peer in peers {
                least(seconds, peer.train(batch, MEASURED_STEPS)?);
            }
        }
    }
    let [burn, plain, rounding] = seconds.map(|seconds| MEASURED_STEPS as f64 / seconds);
    for (key, value) in [
        ("train_over_torch", burn / plain),
        ("train_over_torch_rounded", burn / rounding),
        ("lm_burn_steps_per_second", burn),
        ("lm_torch_steps_per_second", plain),
    ] {
        report.insert(key.into(), rounded(value));
    }
    Ok(())
}

pub fn least(best: &mut f64, seconds: f64) {
    *best = best.min(seconds);
}

/// To 0.00001: for differences of bits.
fn fine(value: f64) -> Value {
    json!((value * 1e5).round() / 1e5)
}
