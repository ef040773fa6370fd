//! What an exam can prove, and how much work a round is for an attester, measured on this machine.

use super::{
    check::lasting,
    file::TaskFile,
    limits::{round_load, ChainLimits},
};
use crate::{
    cli::{finding::Finding, output::Format, progress},
    run::RoundMemory,
};
use anyhow::{ensure, Context, Result};
use gotong_evaluation::FastCpu;
use gotong_protocol::{HoldOutTerms, TaskTerms};
use gotong_scoring::{arith::clamp_master, Evaluator, Graph, Samples};
use gotong_training::{
    data::Labelled, train_from, Deadline, DeviceChoice, Span, Start, Step, Supervisor,
    TrainingOptions,
};
use serde_json::json;
use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

/// The maximum number of samples that weights are evaluated on.
const MOST_EVALUATED: usize = 4_096;
/// Seed of first weights and of the training, so that the result is the same each time.
const SEED: u64 = 0;
/// The approximate maximum time for the training.
const LONGEST_TRAINING: Duration = Duration::from_secs(10);
/// The number of deltas in a round with few participants.
const FEW_DELTAS: u32 = 10;

/// The loss of first weights on samples of the exam, and how it changes in a round like the first.
pub struct Measured {
    /// Samples of a round.
    samples: u32,
    /// Rounds.
    rounds: u32,
    /// The loss of first weights, in bits per sample.
    mean: f64,
    /// How much a training like a contributor's lowers it; none if there is nothing to train on.
    fall: Option<Fall>,
    /// Products that this machine evaluates in a second.
    speed: f64,
}

/// The differences between the losses of two weights on the same samples, in bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fall {
    mean: f64,
    /// Their standard deviation.
    deviation: f64,
}

impl Measured {
    /// Evaluates first weights on samples of the exam, before and after a training on `training`, which ends after ten seconds.
    /// Progress is shown unless `output` is for programs.
    ///
    /// # Errors
    /// Samples that do not fit the model; a model that cannot be evaluated or trained.
    pub fn of(
        task: &TaskFile,
        exam: &Labelled,
        training: Option<&Labelled>,
        hold_out: &HoldOutTerms,
        output: Format,
    ) -> Result<Self> {
        ensure!(exam.len() > 1, "an exam of one sample measures nothing");
        let graph = task.graph();
        let weights = task.first_weights_or(|| SEED)?.into_inner();
        let samples = Samples::new(graph.inputs, graph.classes(), &spread(exam))?;
        let (before, mut seconds) = losses(graph, &weights, &samples)?;
        let mut fall = None;
        if let Some(training) = training {
            let trained = trained(graph, &weights, training, hold_out.rounds(), output)?;
            let (after, again) = losses(graph, &trained, &samples)?;
            // The first evaluation also had to start the threads.
            seconds = seconds.min(again);
            fall = Some(Fall::between(&before, &after));
        }
        let products = graph.cost() as f64 * samples.len() as f64;
        Ok(Self {
            samples: hold_out.samples(),
            rounds: hold_out.rounds(),
            mean: before.iter().sum::<f64>() / before.len() as f64,
            fall,
            speed: products / seconds.max(f64::MIN_POSITIVE),
        })
    }

    /// What the exam proves.
    pub fn proof(&self, terms: &TaskTerms) -> Finding {
        let (mean, rounds) = (self.mean, self.rounds);
        let Some(fall) = self.fall else {
            let found = format!(
                "the first weights have a loss of {mean:.3} bits a sample. There is no estimate of what a round can prove: the \
                 file names no `train`"
            );
            let details = json!({ "mean_loss": mean * 1000.0, "trained": false });
            return Finding::new("proof", Ok(found)).with("millibits", details);
        };
        let doubt = f64::from(terms.share.doubt_q8) / 256.0;
        let error = fall.standard_error(self.samples);
        let (single, each) = smallest_gains(error, doubt, rounds);
        let found = format!(
            "the first weights have a loss of {mean:.3} bits a sample, and {:.3} bits less after one training on `train`. The \
             gain of such a round has a standard error of {error:.1} millibits: one round proves gains of about {single:.0} \
             millibits or more, and {rounds} rounds prove gains of about {each:.0} each. This is an estimate: later rounds \
             change less, so their gains are measured more precisely",
            fall.mean
        );
        let details = json!({
            "mean_loss": mean * 1000.0,
            "trained": true,
            "gain_of_training": fall.mean * 1000.0,
            "standard_error": error,
            "smallest_gain": single,
            "smallest_gain_each": each,
        });
        Finding::new("proof", Ok(found)).with("millibits", details)
    }

    /// Seconds that scoring a round with this many deltas takes here, if the chain counts its products well.
    fn seconds(&self, terms: &TaskTerms, graph: &Graph, deltas: u32) -> f64 {
        round_load(terms, graph, deltas) as f64 / self.speed
    }

    /// How long an attester takes, and how much memory.
    pub fn attester(&self, terms: &TaskTerms, graph: &Graph, limits: &ChainLimits) -> Finding {
        let places = terms.places();
        let few = FEW_DELTAS.min(places);
        let [seconds_of_few, seconds] =
            [few, places].map(|deltas| self.seconds(terms, graph, deltas));
        let window = limits.seconds(terms.windows.attest_blocks.into());
        let memory = |deltas| RoundMemory::of(terms, graph, deltas).map(|memory| memory.bytes());
        let both = memory(few).and_then(|of_few| Ok((of_few, memory(places)?)));
        let both = both.context("the model cannot be evaluated");
        let bytes = both.as_ref().ok().map(|(_, of_all)| *of_all);
        let found = both.map(|(of_few, of_all)| {
            let late = if seconds_of_few > window {
                ": attesters like this machine would be late, so give a longer `attest`"
            } else if seconds > window {
                ": attesters like this machine would be late if the round takes all the deltas that it can"
            } else {
                ""
            };
            format!(
                "a machine like this one needs up to {} and {} MiB for a round with {few} deltas, up to {} and {} MiB for a \
                 full one with {places}. The window lasts {}{late}",
                lasting(seconds_of_few),
                of_few.div_ceil(1 << 20),
                lasting(seconds),
                of_all.div_ceil(1 << 20),
                lasting(window),
            )
        });
        let details = json!({
            "seconds": seconds,
            "seconds_of_few": seconds_of_few,
            "few": few,
            "places": places,
            "window_seconds": window,
            "bytes": bytes,
        });
        Finding::new("attester", found).with("needs", details)
    }
}

impl Fall {
    /// The differences between at least two samples.
    fn between(before: &[f64], after: &[f64]) -> Self {
        let differences = || {
            before
                .iter()
                .zip(after)
                .map(|(before, after)| before - after)
        };
        let count = before.len() as f64;
        let mean = differences().sum::<f64>() / count;
        let squares: f64 = differences().map(|one| (one - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (squares / (count - 1.0)).sqrt(),
        }
    }

    /// Standard error of the mean over the paying half of this many samples, in millibits.
    fn standard_error(self, samples: u32) -> f64 {
        1000.0 * self.deviation / f64::from(samples / 2).sqrt()
    }
}

/// The smallest gains that are paid, in the unit of the standard error: in a single round, and in each of `rounds` rounds.
///
/// What is paid is the part of the credits above `doubt` times the root of the sum of their squared errors and the largest of
/// these.
fn smallest_gains(error: f64, doubt: f64, rounds: u32) -> (f64, f64) {
    let rounds = f64::from(rounds.max(1));
    let single = doubt * error * 2f64.sqrt();
    let each = doubt * error * (rounds + 1.0).sqrt() / rounds;
    (single, each)
}

/// Records of the exam, taken from all over it, because it may be sorted.
fn spread(exam: &Labelled) -> Vec<u8> {
    let count = exam.len().min(MOST_EVALUATED);
    let mut records = Vec::with_capacity(count * (exam.inputs + 1));
    for number in 0..count {
        let at = number * exam.len() / count;
        records.extend(exam.slice(at..at + 1).records());
    }
    records
}

/// The loss of each sample in bits, and how many seconds that took.
fn losses(graph: &Graph, weights: &[i16], samples: &Samples) -> Result<(Vec<f64>, f64)> {
    let began = Instant::now();
    let losses = FastCpu.losses(graph, weights, samples)?;
    let seconds = began.elapsed().as_secs_f64();
    let bits = losses.iter().map(|loss| f64::from(*loss) / 65_536.0);
    Ok((bits.collect(), seconds))
}

/// The weights after the usual training in the first of `rounds` rounds, or after as much of it as ten seconds allow.
fn trained(
    graph: &Graph,
    master: &[i16],
    data: &Labelled,
    rounds: u32,
    output: Format,
) -> Result<Vec<i16>> {
    let device = DeviceChoice::Flex.open()?;
    let config = TrainingOptions::default().config(graph, Span::of_round(0, rounds), SEED);
    let deadline = Deadline::default();
    deadline.set(Instant::now() + LONGEST_TRAINING);
    let bar = progress::bar(output, "training", config.steps as u64, "updates");
    let start = Start {
        graph,
        master,
        memory: None,
        checkpoint: None,
    };
    let supervisor = Supervisor {
        progress: &mut |step: Step| {
            bar.set_length(step.of as u64);
            bar.set_position(step.step as u64);
        },
        checkpoints: None,
        stop: &AtomicBool::new(false),
        deadline: Some(&deadline),
        most_steps: None,
    };
    let trained = train_from(start, data, &config, &device, supervisor)?;
    let changed = master.iter().zip(trained.change);
    Ok(changed
        .map(|(weight, change)| clamp_master(i128::from(*weight) + i128::from(change)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::output::Amount, model::Model};

    #[test]
    fn what_counts_is_the_spread_of_differences() {
        // Losses differ a lot, but all improve by nearly the same.
        let fall = Fall::between(&[1.0, 9.0, 5.0], &[0.5, 8.4, 4.6]);
        assert!((fall.mean - 0.5).abs() < 1e-9 && (fall.deviation - 0.1).abs() < 1e-9);
        let spread = Fall {
            mean: 1.0,
            deviation: 1.0,
        };
        assert_eq!(spread.standard_error(200), 100.0);
        assert_eq!(spread.standard_error(800), 50.0);
        let (single, each) = smallest_gains(100.0, 2.0, 8);
        assert!((single - 282.8).abs() < 0.1 && (each - 75.0).abs() < 0.1);
        assert_eq!(smallest_gains(100.0, 2.0, 1).1, single);
    }

    /// A task with two classes that the first byte tells apart, and samples for it.
    fn easy(samples: u32) -> (TaskFile, Labelled) {
        let mut task = TaskFile::new("a".into(), Amount(1));
        task.model = Model(Graph::mlp(&[2, 8, 2]));
        task.exam.rounds = Some(2);
        task.exam.samples = 64;
        let bytes = |number: u32| {
            [
                if number.is_multiple_of(2) { 20 } else { 230 },
                (number % 251) as u8,
            ]
        };
        let data = Labelled {
            inputs: 2,
            pixels: (0..samples).flat_map(bytes).collect(),
            labels: (0..samples).map(|number| (number % 2) as u8).collect(),
        };
        (task, data)
    }

    #[test]
    fn the_same_is_measured_each_time_and_training_counts() {
        let (task, data) = easy(200);
        let hold_out = task.exam_plan().unwrap().outline(200);
        let measured =
            |training| Measured::of(&task, &data, training, &hold_out, Format::Json).unwrap();
        let (first, second) = (measured(Some(&data)), measured(Some(&data)));
        assert_eq!((first.mean, first.fall), (second.mean, second.fall));
        assert!(first.fall.unwrap().mean > 0.1, "{:?}", first.fall);
        assert_eq!(measured(None).fall, None);
        let terms = task.terms(hold_out, b"").unwrap();
        let json = measured(None).proof(&terms).json();
        assert_eq!(json["millibits"]["trained"], false);
    }

    #[test]
    fn an_attester_also_multiplies_and_holds_deltas() {
        let (task, _) = easy(0);
        let terms = task
            .terms(task.exam_plan().unwrap().outline(200), b"")
            .unwrap();
        let measured = Measured {
            samples: 64,
            rounds: 2,
            mean: 1.0,
            fall: None,
            speed: 1e9,
        };
        let graph = task.graph();
        let evaluations = terms.evaluations(graph.cost()) as f64 / 1e9;
        let [none, few, all] =
            [0, 10, terms.places()].map(|deltas| measured.seconds(&terms, graph, deltas));
        assert!((none - evaluations).abs() < 1e-9);
        assert!(none < few && few < all);
        let needs = measured.attester(&terms, graph, &ChainLimits::USUAL).json();
        let bytes = needs["needs"]["bytes"].as_u64().unwrap();
        let of_delta = u64::from(terms.delta_bytes) + 8 * graph.parameters() as u64;
        let deltas = u64::from(terms.places()) * of_delta;
        assert_eq!(bytes, FastCpu::memory(graph).unwrap() + deltas);
    }
}
