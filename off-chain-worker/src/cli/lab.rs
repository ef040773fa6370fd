//! `gotong lab`: rounds without a chain, for any number of hands, seeds and settings.

mod setting;

use super::{
    data_options::Data,
    delta_terms::DeltaTerms,
    exam::Exam,
    output::{table, Format},
    picture::{self, Curve},
    progress,
    training::{at_least_one, TrainingArgs},
    Globals,
};
use crate::{
    lab::{Estimate, Experiment, LabError, Law, Rounds},
    model::{describe, Model},
    run::Stop,
    state::Folder,
};
use anyhow::{ensure, Context, Result};
use codec::{Decode, Encode};
use gotong_protocol::bounds::{MAX_SUBMISSIONS, MIN_SAMPLES};
use gotong_training::{residual_decay, DeviceChoice, Span, TrainingError};
use indicatif::ProgressBar;
use serde_json::{json, Map, Value};
use setting::Setting;
use std::{
    fmt, fs,
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Instant,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong lab --hands 1,2,4,8 --seeds 1,2,3 --folder lab\n  \
                  gotong lab --model docs/models/transformer.toml --hands 3 --steps 80 --output json\n  \
                  gotong lab flowers/task.toml --hands 4\n\n\
                  You can stop it at any time: the same command resumes where it left off."
)]
pub struct Lab {
    /// A task's file, as `gotong task new` writes it, to try the task before it is opened: its model, samples, rounds, exam and
    /// deltas. Other options take precedence
    #[arg(value_name = "TASK.toml", conflicts_with_all = ["model", "data"])]
    task: Option<PathBuf>,
    /// The architecture: a TOML file, or `mlp:` followed by the width of every layer, inputs first
    #[arg(long, default_value = "mlp:784,128,10")]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// Contributors, each with an equal part of the data, at most as many as a round takes; several numbers give one run each
    #[arg(long, default_value = "4", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MAX_SUBMISSIONS as i64))]
    hands: Vec<u32>,
    /// Seeds; several give one run each
    #[arg(long, default_value = "1", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Rounds of a run [default: as many as the task's file says, else 10]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    deltas: DeltaTerms,
    /// Reset a language model's optimizer state after each round, to see what keeping it is worth
    #[arg(long)]
    forget: bool,
    /// Samples that score a round, at least as many as a task needs [default: as many as the task's file says, else 800]
    #[arg(long, value_parser = clap::value_parser!(u32).range(MIN_SAMPLES as i64..))]
    exam: Option<u32>,
    /// Samples that never score a round, for reports on the model
    #[arg(long, default_value_t = 400, value_parser = at_least_one)]
    report: usize,
    /// Where to train
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
    /// Where to keep the table, the pictures and the state that a run resumes from
    #[arg(long, default_value = "lab")]
    folder: PathBuf,
}

/// One number of hands with one seed, as it is stored.
#[derive(Encode, Decode)]
struct Run {
    /// The settings that it was started with.
    settings: String,
    rounds: Rounds,
    /// Loss in bits on samples that never score a round: before the first round, then after each.
    losses: Vec<f64>,
    /// For each round, the gain in bits per sample, and how many deltas were merged.
    gains: Vec<(f64, u32)>,
    /// Seconds that the rounds took.
    seconds: f64,
    /// For each round, the seconds that a hand takes on a core of its own.
    hand_seconds: Vec<f64>,
}

impl Run {
    /// Seconds of a hand, from the first round to the end of each, and the loss then.
    fn by_seconds(&self) -> Vec<(f64, f64)> {
        let mut at = 0.0;
        let ends = self.hand_seconds.iter().map(|seconds| {
            at += seconds;
            at
        });
        [0.0]
            .into_iter()
            .chain(ends)
            .zip(self.losses.iter().copied())
            .collect()
    }
}

/// What all runs of a command share.
struct Equipment<'a> {
    setting: &'a Setting,
    folder: Folder,
    output: Format,
    bar: ProgressBar,
    stop: &'a AtomicBool,
}

pub async fn run(args: Lab, globals: &Globals) -> Result<()> {
    let output = globals.output;
    let signal = Stop::on_signals()?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let mut playing = tokio::task::spawn_blocking(move || args.play(output, &told));
    let is_done = tokio::select! {
        done = &mut playing => done??,
        () = signal.told() => {
            stop.store(true, Ordering::Relaxed);
            playing.await??
        }
    };
    ensure!(
        is_done,
        "stopped; the same command resumes where it left off"
    );
    Ok(())
}

impl Lab {
    /// Plays all runs and reports their results. Returns whether it got to the end without being told to stop.
    fn play(self, output: Format, stop: &AtomicBool) -> Result<bool> {
        let folder = Folder::open(&self.folder)?;
        let _lock = folder.lock()?;
        let device = self.device.open()?;
        let setting = match &self.task {
            Some(path) => Setting::of_task(path, &self.data, self.report, device, &folder)?,
            None => Setting::published(&self.model.0, &self.data, self.report, device)?,
        };
        // Settings that cannot be run are refused before any run starts.
        let mut experiments: Vec<(Experiment, Option<Run>)> = Vec::new();
        for hands in distinct(&self.hands) {
            for seed in distinct(&self.seeds) {
                let experiment = self.experiment(&setting, hands as usize, seed);
                experiment.check(&setting.material)?;
                let kept = self.kept(&experiment, &setting, &folder)?;
                experiments.push((experiment, kept));
            }
        }
        output.say(format_args!("model     {}", describe(&setting.graph)));
        output.say(format_args!("unseen    {}", setting.report.samples()));
        let rounds = self.rounds(&setting);
        let all = experiments.len() as u64 * u64::from(rounds);
        let bar = progress::bar(output, "", all, "rounds");
        let equipment = Equipment {
            setting: &setting,
            folder,
            output,
            bar,
            stop,
        };
        let mut runs = Vec::new();
        for (experiment, kept) in experiments {
            equipment.bar.set_message(title(&experiment));
            let run = match kept {
                Some(run) => run,
                None => self.begun(&experiment, &setting)?,
            };
            let Some(run) = equipment.finish(&experiment, run)? else {
                return Ok(false);
            };
            runs.push((experiment, run));
        }
        equipment.bar.finish_and_clear();
        self.tell(output, rounds, &setting.report, &runs)?;
        Ok(true)
    }

    /// Rounds of a run.
    fn rounds(&self, setting: &Setting) -> u32 {
        self.rounds.unwrap_or(setting.rounds)
    }

    fn experiment(&self, setting: &Setting, hands: usize, seed: u64) -> Experiment {
        let graph = &setting.graph;
        let deltas = self.deltas.or(&setting.deltas);
        Experiment {
            graph: graph.clone(),
            hands,
            rounds: self.rounds(setting),
            exam: self.exam.unwrap_or(setting.exam) as usize,
            options: self.training.options(),
            keep_permille: self.training.keep_permille(graph),
            delta_bytes: deltas.delta_bytes(graph),
            outer_rate_q8: deltas.outer_rate_q8(graph),
            forgets: self.forget,
            seed,
        }
    }

    /// What a run is started with, including the current defaults.
    fn settings(&self, experiment: &Experiment, setting: &Setting) -> String {
        let Experiment { graph, options, .. } = experiment;
        let config = options.config(graph, Span::WHOLE, experiment.seed);
        let origin = &setting.origin;
        let (report, device) = (self.report, self.device);
        let decay = residual_decay(graph, experiment.keep_permille, experiment.delta_bytes);
        let version = env!("CARGO_PKG_VERSION");
        format!("{version} {experiment:?} {config:?} {decay} {origin} {report} {device}")
    }

    /// The stored run, if it was started before.
    fn kept(
        &self,
        experiment: &Experiment,
        setting: &Setting,
        folder: &Folder,
    ) -> Result<Option<Run>> {
        let name = file(experiment);
        let run = folder.load::<Run>(&name)?;
        let settings = self.settings(experiment, setting);
        ensure!(
            run.as_ref().is_none_or(|run| run.settings == settings),
            "{} was started with other settings: choose another --folder, or remove this one to start over",
            folder.path().join(name).display()
        );
        Ok(run)
    }

    fn begun(&self, experiment: &Experiment, setting: &Setting) -> Result<Run> {
        let rounds = match &setting.first_weights {
            Some(weights) => Rounds::starting_from(weights.clone(), experiment),
            None => Rounds::new(experiment),
        };
        let first = setting.report.mark(rounds.weights())?.loss();
        Ok(Run {
            settings: self.settings(experiment, setting),
            rounds,
            losses: vec![first],
            gains: Vec::new(),
            seconds: 0.0,
            hand_seconds: Vec::new(),
        })
    }

    /// Prints the results, and writes them as JSON and as a picture.
    fn tell(
        &self,
        output: Format,
        rounds: u32,
        report: &Exam,
        runs: &[(Experiment, Run)],
    ) -> Result<()> {
        let (mut rows, mut by_hands) = (Vec::new(), Map::new());
        let (mut by_rounds, mut by_seconds) = (Vec::new(), Vec::new());
        for hands in distinct(&self.hands) {
            let is_own = |run: &&(Experiment, Run)| run.0.hands == hands as usize;
            let own = || runs.iter().filter(is_own).map(|(_, run)| run);
            let at = |round: usize| own().map(move |run| run.losses[round]);
            let last = rounds as usize;
            let bits: Vec<f64> = at(last).collect();
            let bits = Estimate::of(&bits).context("no run")?;
            let first = mean(at(0));
            let merged = mean(own().flat_map(|run| run.gains.iter().map(|gain| f64::from(gain.1))));
            rows.push(vec![
                hands.to_string(),
                own().count().to_string(),
                format!("{first:.4}"),
                format!("{:.4}", bits.mean),
                format!("{:.4}", bits.within),
                format!("{merged:.1}"),
                format!("{:.0}", own().map(|run| run.seconds).sum::<f64>()),
                format!(
                    "{:.0}",
                    mean(own().map(|run| run.hand_seconds.iter().sum()))
                ),
            ]);
            by_hands.insert(hands.to_string(), rounded(bits.mean));
            let name = counted(hands as usize);
            let losses: Vec<f64> = (0..=last).map(|round| mean(at(round))).collect();
            by_rounds.push(Curve::by_rounds(name.clone(), &losses));
            let mean_at = |round: usize| {
                let of = |of: fn(&(f64, f64)) -> f64| {
                    let values = own().filter_map(|run| run.by_seconds().get(round).map(of));
                    mean(values)
                };
                (of(|point| point.0), of(|point| point.1))
            };
            by_seconds.push(Curve::by_seconds(name, (0..=last).map(mean_at).collect()));
        }
        let law = law(runs);
        let json = json!({
            "rounds": rounds,
            "bits_by_hands": by_hands,
            "law": law.as_ref().map(|law| json!({
                "floor": interval(law.floor),
                "span": interval(law.span),
                "exponent": interval(law.exponent),
            })),
            "runs": runs.iter().map(|(experiment, run)| json!({
                "hands": experiment.hands,
                "seed": experiment.seed,
                "bits": run.losses.iter().copied().map(rounded).collect::<Vec<_>>(),
                "gains": run.gains.iter().map(|gain| rounded(gain.0)).collect::<Vec<_>>(),
                "merged": run.gains.iter().map(|gain| gain.1).collect::<Vec<_>>(),
                "proved_units": run.rounds.proved().collect::<Vec<_>>(),
                "seconds": run.seconds,
                "hand_seconds": run.hand_seconds.iter().copied().map(rounded).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        });
        let file = self.folder.join("lab.json");
        fs::write(&file, format!("{json:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let picture = |name: &str, along: &str, curves: &[Curve]| {
            let path = self.folder.join(name);
            picture::draw(&path, report.caption(), along, curves)?;
            anyhow::Ok(path)
        };
        let pictures = [
            picture("lab.svg", "rounds", &by_rounds)?,
            picture(
                "lab-seconds.svg",
                "seconds of a hand on a core of its own",
                &by_seconds,
            )?,
        ];
        output.print(json, || {
            let head = [
                "hands",
                "runs",
                "start",
                "bits",
                "+-",
                "merged",
                "seconds",
                "of a hand",
            ];
            let files = [&file].into_iter().chain(&pictures);
            let files: String = files.map(|file| format!("\n{}", file.display())).collect();
            let law = law.map_or_else(String::new, |law| format!("\n{law}"));
            table(&head, &rows) + &law + &files
        });
        Ok(())
    }
}

impl Equipment<'_> {
    /// Plays one run to its end, from where it stopped; none if it is told to stop. Each round is stored once it is played.
    fn finish(&self, experiment: &Experiment, mut run: Run) -> Result<Option<Run>> {
        self.bar.inc(run.rounds.played().into());
        while run.rounds.played() < experiment.rounds {
            let start = Instant::now();
            let outcome = match run
                .rounds
                .play(experiment, &self.setting.material, self.stop)
            {
                Err(LabError::Training(TrainingError::Stopped)) => return Ok(None),
                played => played.with_context(|| title(experiment))?,
            };
            run.seconds += start.elapsed().as_secs_f64();
            run.hand_seconds.push(outcome.hand_seconds);
            run.gains.push((outcome.gain, outcome.merged as u32));
            let loss = self.setting.report.mark(run.rounds.weights())?.loss();
            run.losses.push(loss);
            self.folder.save(&file(experiment), &run)?;
            self.bar.inc(1);
            self.bar.suspend(|| {
                self.output.say(format_args!(
                    "{}, round {}: {loss:.3} bits, {} merged, {} bytes a delta",
                    title(experiment),
                    run.rounds.played() - 1,
                    outcome.merged,
                    outcome.delta_bytes
                ));
            });
        }
        Ok(Some(run))
    }
}

/// The loss after the last round as a law of the number of hands: each seed gives one, so several seeds give an interval.
struct Laws {
    floor: Estimate,
    span: Estimate,
    exponent: Estimate,
}

fn law(runs: &[(Experiment, Run)]) -> Option<Laws> {
    let seeds: Vec<u64> = runs.iter().map(|(experiment, _)| experiment.seed).collect();
    let of_seed = |seed: u64| {
        let own = runs
            .iter()
            .filter(|(experiment, _)| experiment.seed == seed);
        let losses = own
            .filter_map(|(experiment, run)| Some((experiment.hands as f64, *run.losses.last()?)));
        Law::fit(&losses.collect::<Vec<_>>())
    };
    let laws: Option<Vec<Law>> = distinct(&seeds).into_iter().map(of_seed).collect();
    let laws = laws.filter(|laws| laws.len() > 1)?;
    let estimate = |of: fn(&Law) -> f64| Estimate::of(&laws.iter().map(of).collect::<Vec<_>>());
    Some(Laws {
        floor: estimate(|law| law.floor)?,
        span: estimate(|law| law.span)?,
        exponent: estimate(|law| law.exponent)?,
    })
}

impl fmt::Display for Laws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            floor,
            span,
            exponent,
        } = self;
        let term = |one: &Estimate| format!("({:.3} +- {:.3})", one.mean, one.within);
        let (floor, span, exponent) = (term(floor), term(span), term(exponent));
        write!(
            f,
            "bits = {floor} + {span} * hands ^ -{exponent}, 95 % confidence"
        )
    }
}

/// A mean, and half of its interval.
fn interval(estimate: Estimate) -> Value {
    json!([rounded(estimate.mean), rounded(estimate.within)])
}

fn title(experiment: &Experiment) -> String {
    format!("{}, seed {}", counted(experiment.hands), experiment.seed)
}

fn counted(hands: usize) -> String {
    match hands {
        1 => "1 hand".into(),
        _ => format!("{hands} hands"),
    }
}

/// The file that a run is stored in.
fn file(experiment: &Experiment) -> String {
    format!("hands-{}-seed-{}", experiment.hands, experiment.seed)
}

/// Each value once, in the order in which they were given.
fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(value) {
            all.push(*value);
        }
    }
    all
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn rounded(value: f64) -> Value {
    json!((value * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests;
