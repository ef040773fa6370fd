//! Do the gradient's values agree with finite differences? On the MLP and on a language model, at a base that has learned a little,
//! for growing numbers of contributors.
//!
//! The yardstick is the machine's own evaluation: a contributor's value is the loss at the midpoint with `c / 2` times its part
//! subtracted, minus the loss with it added, divided by `c`. Rounding to int8 makes one such difference noisy, so the value is the
//! slope of a line through those at `c = N/8, N/4, 3N/8, N/2`. A line through the first and third, compared with a line through the
//! others, shows how well finite differences agree with themselves. Contributors' devices differ in speed: some make fewer updates,
//! and some make more.

use anyhow::Result;
use gotong_evaluation::{bits, FastCpu};
use gotong_scoring::{
    arith::{round_div, MASTER_BOUND},
    gradient::Differentiator,
    merge::{Merge, Part},
    share::{Company, Entrant, ShareTerms},
    Delta, Entry, Evaluator, Graph, Samples, Transformer,
};
use gotong_training::{
    data::{folder, DataSet, FashionMnist, Labelled, Use},
    initial_weights, TrainingConfig,
};
use rayon::prelude::*;
use serde_json::{json, Map, Value};

use crate::world::change;

/// Numbers of contributors.
const CONTRIBUTORS: [usize; 4] = [16, 32, 64, 128];
/// Changed parameters per thousand.
const KEPT: u32 = 100;

/// A model, what its contributors do, and the exam they share.
struct Subject {
    name: &'static str,
    graph: Graph,
    training: Labelled,
    exam: Samples,
    /// How the base was made from first weights.
    base: TrainingConfig,
    /// How a contributor trains on its own part of the data, if it is neither fast nor slow.
    own: TrainingConfig,
}

/// What is found for one number of contributors.
struct Found {
    contributors: usize,
    /// The correlation of the gradient's values with finite differences.
    correlation: f64,
    /// The correlation of finite differences with each other.
    of_differences: f64,
    /// The sum of the gradient's values over the exact gain.
    sum_over_gain: f64,
    /// The exact gain, in bits per sample.
    gain: f64,
}

/// Measures both models, prints a table and adds the lowest correlation of each to `report`.
pub fn measure(seed: u64, report: &mut Map<String, Value>) -> Result<()> {
    println!("gradient against finite differences, by the exact machine:");
    println!("  model               base   N  correlation  (differences' own)  sum / gain   gain, bits a sample");
    for (key, subject) in [
        ("gradient_correlation_mlp", mlp(seed)?),
        ("gradient_correlation_lm", language_model(seed)?),
    ] {
        let mut least = f64::INFINITY;
        let mut ratios = Vec::new();
        for is_first in [true, false] {
            for found in subject.measure(seed, is_first)? {
                println!(
                    "  {:18} {:>5} {:>3} {:12.4} {:19.4} {:12.3} {:14.4}",
                    subject.name,
                    if is_first { "first" } else { "later" },
                    found.contributors,
                    found.correlation,
                    found.of_differences,
                    found.sum_over_gain,
                    found.gain
                );
                if !is_first {
                    least = least.min(found.correlation);
                    ratios.push(json!((found.sum_over_gain * 1e4).round() / 1e4));
                }
            }
        }
        report.insert(key.into(), json!((least * 1e4).round() / 1e4));
        report.insert(format!("{key}_sum_over_gain"), json!(ratios));
    }
    Ok(())
}

/// Its base has learned a little: on one that has learned more, a merge gains next to nothing, and finite differences do not agree
/// with each other.
fn mlp(seed: u64) -> Result<Subject> {
    let set = FashionMnist::load(&FashionMnist::directory())?;
    let graph = Graph::mlp(&[784, 128, 10]);
    let exam = set.test.slice(0..2_400);
    let own = TrainingConfig {
        steps: 60,
        batch: 32,
        learning_rate: 0.04,
        seed,
        ..TrainingConfig::of(&graph)
    };
    Ok(Subject {
        name: "MLP 784-128-10",
        exam: Samples::new(graph.inputs, graph.classes(), &exam.records())?,
        training: set.train,
        base: TrainingConfig {
            steps: 100,
            batch: 64,
            learning_rate: 0.12,
            ..own.clone()
        },
        own,
        graph,
    })
}

/// About a million parameters.
fn language_model(seed: u64) -> Result<Subject> {
    let graph = Graph::transformer(&Transformer {
        vocab: 84,
        tokens: 128,
        width: 128,
        heads: 4,
        hidden: 512,
        layers: 5,
        tied: false,
    });
    let exam = DataSet::Shakespeare.load(&folder(), Use::Exam, &graph)?;
    // Enough updates that a change is longer than the rounding of the int8 view: otherwise finite differences do not agree with
    // each other.
    let own = TrainingConfig {
        steps: 16,
        batch: 8,
        learning_rate: 0.004,
        seed,
        ..TrainingConfig::of(&graph)
    };
    Ok(Subject {
        name: "transformer, 1.0 M",
        exam: Samples::new(
            graph.inputs,
            graph.classes(),
            &every(&exam, exam.len() / 96).records(),
        )?,
        training: DataSet::Shakespeare.load(&folder(), Use::Training, &graph)?,
        base: TrainingConfig {
            steps: 60,
            ..own.clone()
        },
        own,
        graph,
    })
}

/// Every `step`-th sample.
fn every(set: &Labelled, step: usize) -> Labelled {
    let chosen: Vec<usize> = (0..set.len()).step_by(step.max(1)).collect();
    let pixels = chosen
        .iter()
        .flat_map(|sample| &set.pixels[sample * set.inputs..][..set.inputs]);
    Labelled {
        inputs: set.inputs,
        pixels: pixels.copied().collect(),
        labels: chosen.iter().map(|sample| set.labels[*sample]).collect(),
    }
}

impl Subject {
    /// Measures from first weights, or from a base that has learned.
    fn measure(&self, seed: u64, is_first: bool) -> Result<Vec<Found>> {
        let mut base = initial_weights(&self.graph, seed);
        if !is_first {
            let change = change(&self.graph, &base, &self.training, &self.base)?;
            let moved = base.iter().zip(change);
            // A change leads from one master weight to another.
            base = moved
                .map(|(weight, change)| (i32::from(*weight) + change) as i16)
                .collect();
        }
        // No target is set for first weights: one number of contributors is enough to show them.
        let counts = if is_first {
            &CONTRIBUTORS[1..2]
        } else {
            &CONTRIBUTORS
        };
        let most = counts[counts.len() - 1];
        let deltas: Result<Vec<Delta>> = (0..most)
            .into_par_iter()
            .map(|index| {
                let config = TrainingConfig {
                    seed: seed * 1_000 + index as u64,
                    // Two thirds, three thirds or four thirds.
                    steps: self.own.steps * (2 + index % 3) / 3,
                    ..self.own.clone()
                };
                let part = self.training.part(index, most);
                let change = change(&self.graph, &base, &part, &config)?;
                Ok(Delta::compress(&change, KEPT))
            })
            .collect();
        let deltas = deltas?;
        let of_first = |count: &usize| self.of_first(&base, &deltas[..*count]);
        counts.iter().map(of_first).collect()
    }

    fn of_first(&self, base: &[i16], deltas: &[Delta]) -> Result<Found> {
        let entrants: Vec<Entrant> = deltas
            .iter()
            .map(|delta| Entrant {
                delta,
                weight: 1_000,
                is_proven: true,
            })
            .collect();
        let company = Company::of(
            vec![true; entrants.len()],
            &entrants,
            &ShareTerms::default(),
        );
        let values = values(
            &mut FastCpu,
            &self.graph,
            base,
            &self.exam,
            &company,
            &entrants,
        )?;
        let parts = company.parts(&entrants);
        let merge = Merge::new(base, &parts);
        let midpoint = merge.midpoint();
        let losses = |weights: &[i16]| -> Result<f64> {
            Ok(bits(&FastCpu.losses(&self.graph, weights, &self.exam)?))
        };
        let gain = losses(base)? - losses(&merge.merged())?;
        let middle = Middle::new(base, &parts, midpoint);
        let eighth = (deltas.len() / 8) as i16;
        // How far the loss falls, for each part and at each distance.
        let falls = parts.par_iter().map(|part| {
            let fall = |times: i16| -> Result<f64> {
                let minus = losses(&middle.beside(part, -times * eighth))?;
                Ok(minus - losses(&middle.beside(part, times * eighth))?)
            };
            [1, 2, 3, 4].into_iter().map(fall).collect()
        });
        let falls: Vec<Vec<f64>> = falls.collect::<Result<_>>()?;
        // The slope of a line through zero, by least squares.
        let slopes = |times: &[usize]| -> Vec<f64> {
            let squares: usize = times.iter().map(|times| times * times).sum();
            let slope = |falls: &Vec<f64>| {
                let weighed = times.iter().map(|times| *times as f64 * falls[times - 1]);
                weighed.sum::<f64>() / (squares as f64 * f64::from(eighth))
            };
            falls.iter().map(slope).collect()
        };
        Ok(Found {
            contributors: deltas.len(),
            correlation: correlation(&values, &slopes(&[1, 2, 3, 4])),
            of_differences: correlation(&slopes(&[1, 3]), &slopes(&[2, 4])),
            sum_over_gain: values.iter().sum::<f64>() / gain,
            gain: gain / self.exam.len() as f64,
        })
    }
}

/// Each contributor's value in bits summed over the samples.
fn values<E: Differentiator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    company: &Company,
    entrants: &[Entrant],
) -> Result<Vec<f64>> {
    let values = company.values(evaluator, graph, base, samples, entrants)?;
    let sum = |parts: Vec<i64>| parts.iter().sum::<i64>() as f64 / 65_536.0;
    Ok(values.into_iter().flatten().map(sum).collect())
}

/// Pearson's correlation.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    product(a, of_a, b, of_b) / (product(a, of_a, a, of_a) * product(b, of_b, b, of_b)).sqrt()
}

/// The weights halfway to a merge, and what they are made of.
struct Middle<'a> {
    base: &'a [i16],
    /// By parameter: the sum of weight, factor and change of all parts.
    sums: Vec<i64>,
    /// The weight of all parts.
    weight: u64,
    weights: Vec<i16>,
}

impl<'a> Middle<'a> {
    fn new(base: &'a [i16], parts: &[Part], weights: Vec<i16>) -> Self {
        let mut sums = vec![0; base.len()];
        for part in parts {
            for entry in part.delta.entries() {
                sums[entry.position as usize] += term(part, entry);
            }
        }
        Self {
            base,
            sums,
            weight: parts.iter().map(|part| u64::from(part.weight)).sum(),
            weights,
        }
    }

    /// The weights with `c` times half of a part's own share of the merge added; `c` may be negative.
    fn beside(&self, part: &Part, c: i16) -> Vec<i16> {
        let mut weights = self.weights.clone();
        for entry in part.delta.entries() {
            let place = entry.position as usize;
            let moved = self.sums[place] + i64::from(c) * term(part, entry);
            let step = round_div(moved.into(), (i128::from(self.weight)) << 17);
            let most = i128::from(MASTER_BOUND);
            let weight = (i128::from(self.base[place]) + step).clamp(-most, most);
            weights[place] = weight as i16;
        }
        weights
    }
}

/// What an entry of a part adds to a merge, before it is divided.
fn term(part: &Part, entry: &Entry) -> i64 {
    i64::from(part.weight) * i64::from(part.factor_q16) * i64::from(entry.change)
}
