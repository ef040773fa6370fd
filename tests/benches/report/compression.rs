//! How small deltas may be: held-out loss against the number of bits sent.
//!
//! Contributors on disjoint parts of Shakespeare's plays train one language model from one state, round after round, and send what
//! they changed. *Dense* sends the change of every parameter in f32. The others keep the largest thousandths of each chunk, in two
//! bits per value (a sign and one of two magnitudes of the chunk) or in one (a sign), encoded by the protocol's codec, and remember
//! what they left out, as a contributor does (the mean of sparse changes as in SparseLoCo, arXiv:2508.15706). Changes are merged as
//! the protocol does it: clipped to the median norm and averaged.

use crate::worker::rounded;
use anyhow::Result;
use burn::tensor::Device;
use gotong_evaluation::{bits, FastCpu};
use gotong_protocol::bounds::MAX_DELTA_BYTES;
use gotong_scoring::{
    arith::MASTER_BOUND,
    merge::{factor, Merge, FACTOR_ONE, OUTER_RATE_ONE},
    share::{company::weighted_median, Company, Entrant, ShareTerms},
    Delta, Evaluator, Graph, Samples, Transformer,
};
use gotong_training::{
    add_residual,
    data::{folder, DataSet, Labelled, Use},
    initial_weights, residual_decay, train, TrainingConfig,
};
use serde_json::{json, Map, Value};
use std::{sync::atomic::AtomicBool, time::Instant};

/// About 60,000 parameters.
pub const MODEL: Transformer = Transformer {
    vocab: 84,
    tokens: 32,
    width: 48,
    heads: 3,
    hidden: 192,
    layers: 2,
    tied: true,
};
const CONTRIBUTORS: usize = 4;
/// How many updates a contributor makes in a round, and how many samples each takes.
const STEPS: usize = 10;
const BATCH: usize = 8;
/// The learning rate of the first round; it falls linearly to zero. Together with [`DENSE_BOLDNESS`], it was the best for dense
/// changes when AdamW trained all parameters, among rates of 0.004, 0.006, 0.008 and 0.01, and among 1, 1.4, 2 and momentum of 0.5
/// and 0.8.
const LEARNING_RATE: f64 = 0.006;
/// What a dense change is multiplied by.
const DENSE_BOLDNESS: f64 = 1.4;
/// Rounds of the sparse runs, in the short and in the long version.
const ROUNDS: [usize; 2] = [60, 200];
/// The fractions of these rounds in which dense changes are sent.
const DENSE: [usize; 4] = [1, 2, 4, 8];
const SHORT: [Code; 4] = [
    code(100, 2, 2.0),
    code(20, 2, 3.0),
    code(20, 1, 3.0),
    code(5, 2, 5.0),
];
const LONG: [Code; 8] = [
    code(100, 2, 2.0),
    code(50, 2, 3.0),
    code(20, 2, 3.0),
    code(20, 1, 3.0),
    code(10, 2, 5.0),
    code(10, 1, 5.0),
    code(5, 2, 5.0),
    code(5, 1, 5.0),
];
/// Samples of the held-out text, taken from all over it.
const HELD_OUT: usize = 400;

/// How a sparse change is sent.
#[derive(Clone, Copy)]
struct Code {
    keep_permille: u32,
    /// Bits per value.
    value_bits: u32,
    /// What a change is multiplied by. If contributors send different parameters, each counts only for its part of the mean.
    boldness: f64,
}

const fn code(keep_permille: u32, value_bits: u32, boldness: f64) -> Code {
    Code {
        keep_permille,
        value_bits,
        boldness,
    }
}

/// A run's bits per parameter in a round, and its held-out bits per character at the end.
struct Outcome {
    rounds: usize,
    bits: f64,
    loss: f64,
}

impl Outcome {
    /// Bits per parameter in all rounds together.
    fn sent(&self) -> f64 {
        self.bits * self.rounds as f64
    }
}

/// Measures everything into `report`, in some minutes, or at length if `long`.
pub fn measure(report: &mut Map<String, Value>, long: bool) -> Result<()> {
    let (start, setting) = (Instant::now(), Setting::load()?);
    let (rounds, codes) = if long {
        (ROUNDS[1], &LONG[..])
    } else {
        (ROUNDS[0], &SHORT[..])
    };
    println!("sent           rounds   bits a parameter and round   over fp32   held-out bits a character");
    let print = |name: String, outcome: &Outcome| {
        let (bits, over) = (outcome.bits, 32.0 / outcome.bits);
        println!(
            "{name:14} {:6} {bits:28.4} {over:11.1} {:27.4}",
            outcome.rounds, outcome.loss
        );
    };
    let mut dense = Vec::new();
    for part in DENSE {
        let outcome = setting.dense(rounds / part)?;
        print("dense".into(), &outcome);
        dense.push(outcome);
    }
    let (mut points, mut ratios, mut ratios_of_as_many) = (Vec::new(), vec![], vec![]);
    for &code in codes {
        let outcome = setting.sparse(rounds, code)?;
        let (kept, values) = (f64::from(code.keep_permille) / 10.0, code.value_bits);
        print(format!("{kept} % x {values}"), &outcome);
        let at_equal_loss = dense_bits(&dense, outcome.loss).map(|bits| bits / outcome.sent());
        ratios.extend(at_equal_loss);
        if outcome.loss <= dense[0].loss {
            ratios_of_as_many.push(32.0 / outcome.bits);
        }
        points.push(json!({
            "kept_permille": code.keep_permille, "value_bits": values, "rounds": rounds,
            "bits_per_parameter": rounded(outcome.bits), "over_fp32": rounded(32.0 / outcome.bits),
            "bits_per_char": rounded(outcome.loss), "over_dense": rounded(outcome.loss - dense[0].loss),
            "ratio_at_equal_loss": at_equal_loss.map(rounded),
        }));
    }
    let dense_points = dense
        .iter()
        .map(|outcome| json!({ "rounds": outcome.rounds, "bits_per_char": rounded(outcome.loss) }));
    let most = |ratios: Vec<f64>| json!(ratios.into_iter().reduce(f64::max).map(rounded));
    for (key, value) in [
        ("compression_parameters", json!(setting.graph.parameters())),
        ("compression_dense_bits", rounded(dense[0].loss)),
        ("compression_dense", dense_points.collect()),
        ("compression_points", json!(points)),
        ("compression_ratio_at_equal_loss", most(ratios)),
        (
            "compression_ratio_at_equal_loss_and_rounds",
            most(ratios_of_as_many),
        ),
        (
            "compression_seconds",
            json!(start.elapsed().as_secs_f64().round()),
        ),
    ] {
        report.insert(key.into(), value);
    }
    Ok(())
}

/// The f32 bits per parameter that dense changes send until they reach this loss, on the line between the runs nearest to it (over
/// the logarithm of the rounds). `None` if none of their runs is that bad or that good.
fn dense_bits(dense: &[Outcome], loss: f64) -> Option<f64> {
    dense.windows(2).find_map(|pair| {
        let (long, short) = (&pair[0], &pair[1]);
        let within = long.loss <= loss && loss <= short.loss;
        let part = (short.loss - loss) / (short.loss - long.loss);
        within.then(|| short.sent() * (long.sent() / short.sent()).powf(part))
    })
}

/// Everything that the runs share.
struct Setting {
    graph: Graph,
    first: Vec<i16>,
    parts: Vec<Labelled>,
    held_out: Samples,
}

impl Setting {
    fn load() -> Result<Self> {
        let graph = Graph::transformer(&MODEL);
        let load = |part| DataSet::Shakespeare.load(&folder(), part, &graph);
        let (text, report) = (load(Use::Training)?, load(Use::Report)?);
        let records = report.records();
        let records = records
            .chunks(report.inputs + 1)
            .step_by((report.len() / HELD_OUT).max(1))
            .take(HELD_OUT);
        Ok(Self {
            first: initial_weights(&graph, 1),
            parts: (0..CONTRIBUTORS)
                .map(|index| text.part(index, CONTRIBUTORS))
                .collect(),
            held_out: Samples::new(
                graph.inputs,
                graph.classes(),
                &records.collect::<Vec<_>>().concat(),
            )?,
            graph,
        })
    }

    fn dense(&self, rounds: usize) -> Result<Outcome> {
        let mut master = self.first.clone();
        for round in 0..rounds {
            master = merged(&master, &self.changes(&master, round, rounds)?);
        }
        Ok(Outcome {
            rounds,
            bits: 32.0,
            loss: self.loss(&master)?,
        })
    }

    fn sparse(&self, rounds: usize, code: Code) -> Result<Outcome> {
        let mut master = self.first.clone();
        let mut residuals = vec![vec![0; master.len()]; CONTRIBUTORS];
        let mut bytes = 0;
        for round in 0..rounds {
            let mut deltas = Vec::new();
            let changes = self.changes(&master, round, rounds)?;
            for (change, residual) in changes.iter().zip(&mut residuals) {
                let bold = |&change: &i32| (code.boldness * f64::from(change)).round() as i32;
                let mut whole: Vec<i32> = change.iter().map(bold).collect();
                let decay = residual_decay(&self.graph, code.keep_permille, MAX_DELTA_BYTES);
                add_residual(&mut whole, residual, decay);
                let delta = match code.value_bits {
                    1 => Delta::compress_evenly(&whole, code.keep_permille),
                    _ => Delta::compress(&whole, code.keep_permille),
                };
                *residual = delta.residual(&whole);
                bytes += delta.encode().len();
                deltas.push(delta);
            }
            let entrants = deltas.iter().map(|delta| Entrant {
                delta,
                weight: 1,
                is_proven: false,
            });
            let entrants: Vec<Entrant> = entrants.collect();
            let company = Company::of(
                vec![true; entrants.len()],
                &entrants,
                &ShareTerms::default(),
            );
            master = Merge::new(&master, &company.parts(&entrants)).merged();
        }
        Ok(Outcome {
            rounds,
            bits: 8.0 * bytes as f64 / (master.len() * CONTRIBUTORS * rounds) as f64,
            loss: self.loss(&master)?,
        })
    }

    /// The changes of all contributors in a round.
    fn changes(&self, master: &[i16], round: usize, rounds: usize) -> Result<Vec<Vec<i32>>> {
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        let change = |(index, part)| {
            let config = TrainingConfig {
                steps: STEPS,
                batch: BATCH,
                learning_rate: LEARNING_RATE * (rounds - round) as f64 / rounds as f64,
                seed: (round * CONTRIBUTORS + index) as u64,
                ..TrainingConfig::of(&self.graph)
            };
            let progress = &mut |_| {};
            Ok(train(
                &self.graph,
                master,
                part,
                &config,
                &device,
                progress,
                &stop,
            )?)
        };
        self.parts.iter().enumerate().map(change).collect()
    }

    /// Held-out bits per character, by the exact machine.
    fn loss(&self, master: &[i16]) -> Result<f64> {
        let losses = FastCpu.losses(&self.graph, master, &self.held_out)?;
        let characters = losses.len() * self.graph.inputs as usize;
        Ok(bits(&losses) / characters as f64)
    }
}

/// The weights, moved boldly by the mean of dense changes, each clipped to the median norm.
fn merged(master: &[i16], changes: &[Vec<i32>]) -> Vec<i16> {
    let norm = |change: &Vec<i32>| {
        let squares = change.iter().map(|&c| u64::from(c.unsigned_abs()).pow(2));
        squares.sum::<u64>().isqrt()
    };
    let norms: Vec<u64> = changes.iter().map(norm).collect();
    let median = weighted_median(norms.iter().map(|norm| (*norm, 1)).collect());
    let clip = |&norm| f64::from(factor(OUTER_RATE_ONE, median, norm)) / f64::from(FACTOR_ONE);
    let clips: Vec<f64> = norms.iter().map(clip).collect();
    let bound = f64::from(MASTER_BOUND);
    let moved = |(at, &weight): (usize, &i16)| {
        let terms = changes.iter().zip(&clips);
        let sum: f64 = terms
            .map(|(change, clip)| clip * f64::from(change[at]))
            .sum();
        let moved = f64::from(weight) + DENSE_BOLDNESS * sum / changes.len() as f64;
        moved.round().clamp(-bound, bound) as i16
    };
    master.iter().enumerate().map(moved).collect()
}
