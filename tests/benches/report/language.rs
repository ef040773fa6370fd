//! A language model: what it learns, and its speed compared with PyTorch.

use crate::worker::rounded;
use anyhow::Result;
use burn::tensor::Device;
use gotong_evaluation::{bits, FastCpu};
use gotong_scoring::{Evaluator, Graph, Samples, Transformer};
use gotong_tests::torch::{Computing, Torch, Wait};
use gotong_training::{
    data::{folder, DataSet, Labelled, Use},
    float_loss, initial_weights, train, TrainingConfig,
};
use serde_json::{json, Map, Value};
use std::{
    hint::black_box, path::Path, sync::atomic::AtomicBool, thread::available_parallelism,
    time::Instant,
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
/// About ten million parameters.
pub const LARGE: Transformer = Transformer {
    width: 384,
    hidden: 1_536,
    heads: 6,
    layers: 6,
    ..MODEL
};
/// Samples of an update of the large model, how many updates it gets before it is measured, and how bold they are, because it is
/// three times as wide.
const LARGE_BATCH: usize = 8;
const LARGE_STEPS: usize = 240;
const LARGE_RATE: f64 = 0.001;
/// Samples of a text that nobody trains on: 8,192 characters.
const SAMPLES: usize = 64;
/// How many samples PyTorch may take at a time; the best number counts.
const TORCH_BATCHES: [usize; 3] = [8, 16, 64];
/// Updates of a measured training run.
const MEASURED_STEPS: usize = 4;
/// How often every measurement is repeated. The peers take turns and the best counts, because whatever else the machine does only
/// makes it slower.
const REPEATS: usize = 7;
const TRAINING_REPEATS: usize = 3;

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let text = Text::load(&MODEL)?;
    let trained = learning(&text, report)?;
    beside_torch(&text, &trained, report)
}

/// How far the exact loss of a model of ten million parameters is from float ones.
pub fn measure_large(report: &mut Map<String, Value>) -> Result<()> {
    let text = Text::load(&LARGE)?;
    let config = TrainingConfig {
        steps: LARGE_STEPS,
        batch: LARGE_BATCH,
        learning_rate: LARGE_RATE,
        ..TrainingConfig::of(&text.graph)
    };
    let first = initial_weights(&text.graph, 1);
    let (trained, seconds) = text.train(&first, &config)?;
    report.insert("large_parameters".into(), json!(first.len()));
    for (key, value) in [
        ("large_bits_per_char_start", text.bits(&first)?),
        ("large_bits_per_char", text.bits(&trained)?),
        ("large_training_seconds", seconds),
    ] {
        report.insert(key.into(), rounded(value));
    }
    let folder = tempfile::tempdir()?;
    let mut plain = text.torch(folder.path(), &trained, false, Wait::Asleep)?;
    let mut rounding = text.torch(folder.path(), &trained, true, Wait::Asleep)?;
    text.gaps("large_", &trained, &mut plain, &mut rounding, report)
}

/// Shakespeare's plays, and the model that learns them.
struct Text {
    graph: Graph,
    heads: u32,
    training: Labelled,
    report: Labelled,
}

impl Text {
    fn load(model: &Transformer) -> Result<Self> {
        let graph = Graph::transformer(model);
        let load = |part| DataSet::Shakespeare.load(&folder(), part, &graph);
        Ok(Self {
            training: load(Use::Training)?,
            report: load(Use::Report)?.slice(0..SAMPLES),
            heads: model.heads,
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

    /// The mean loss of a character in bits, computed exactly.
    fn bits(&self, weights: &[i16]) -> Result<f64> {
        let losses = FastCpu.losses(&self.graph, weights, &self.samples()?)?;
        Ok(bits(&losses) / self.characters())
    }

    fn characters(&self) -> f64 {
        (self.report.len() * self.report.inputs) as f64
    }

    /// The configuration that suits the model, but with `steps` updates.
    fn updates(&self, steps: usize) -> TrainingConfig {
        TrainingConfig {
            steps,
            ..TrainingConfig::of(&self.graph)
        }
    }

    /// The weights after a training run by Burn on the processor, and how many seconds it took.
    fn train(&self, weights: &[i16], config: &TrainingConfig) -> Result<(Vec<i16>, f64)> {
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        let (graph, data) = (&self.graph, &self.training);
        let start = Instant::now();
        let change = train(graph, weights, data, config, &device, &mut |_| {}, &stop)?;
        let seconds = start.elapsed().as_secs_f64();
        // A change leads from one master weight to another.
        let trained = |(w, change): (&i16, i32)| i16::try_from(i32::from(*w) + change);
        let trained = weights.iter().zip(change).map(trained);
        Ok((trained.collect::<Result<_, _>>()?, seconds))
    }

    /// PyTorch with these weights and the held-out text.
    fn torch(&self, folder: &Path, weights: &[i16], rounded: bool, wait: Wait) -> Result<Torch> {
        let computing = Computing {
            heads: self.heads,
            threads: available_parallelism()?.get(),
            rounded,
            wait,
        };
        Torch::start(
            folder,
            &self.graph,
            weights,
            &self.report.records(),
            computing,
        )
    }

    /// How far the exact loss is from float losses: by Burn, which rounds as the machine does, and by PyTorch, both plain and with
    /// that rounding.
    fn gaps(
        &self,
        prefix: &str,
        weights: &[i16],
        plain: &mut Torch,
        rounding: &mut Torch,
        report: &mut Map<String, Value>,
    ) -> Result<()> {
        let exact = self.bits(weights)?;
        let bits = |peer: &mut Torch| -> Result<f64> {
            Ok(peer.evaluate(SAMPLES)?.0.iter().sum::<f64>() / self.characters())
        };
        let burn = float_loss(&self.graph, weights, &self.report, &Device::flex())?.into();
        for (name, float) in [
            ("exact_minus_float_bits", burn),
            ("exact_minus_torch_rounded_bits", bits(rounding)?),
            ("exact_minus_torch_bits", bits(plain)?),
        ] {
            report.insert(format!("{prefix}{name}"), fine(exact - float));
        }
        Ok(())
    }
}

/// Bits per character of held-out text before and after a short training run.
fn learning(text: &Text, report: &mut Map<String, Value>) -> Result<Vec<i16>> {
    let first = initial_weights(&text.graph, 1);
    let (trained, seconds) = text.train(&first, &text.updates(STEPS))?;
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

/// Loss and speed of the trained model, exact and by PyTorch: evaluation of the same records, and updates with the same batch and
/// optimizer. The peer is the plain model in f32. The model that rounds as the machine does is reported, too. Burn's model has the
/// machine's clamps but does not round.
fn beside_torch(text: &Text, weights: &[i16], report: &mut Map<String, Value>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let torch = |rounded, wait| text.torch(folder.path(), weights, rounded, wait);
    // The better way to wait counts.
    let mut plain = [torch(false, Wait::Awake)?, torch(false, Wait::Asleep)?];
    let mut rounding = [torch(true, Wait::Awake)?, torch(true, Wait::Asleep)?];

    text.gaps("", weights, &mut plain[0], &mut rounding[0], report)?;

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
        least(
            &mut seconds[0],
            text.train(weights, &text.updates(MEASURED_STEPS))?.1,
        );
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

/// Rounds to 0.00001, for differences of bits.
fn fine(value: f64) -> Value {
    json!((value * 1e5).round() / 1e5)
}
