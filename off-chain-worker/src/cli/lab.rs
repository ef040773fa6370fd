//! `gotong lab`: rounds without a chain, for any number of hands, seeds and settings.

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
    lab::{Estimate, Experiment, LabError, Law, Material, Rounds},
    model::{describe, Model},
    run::Stop,
    state::Folder,
};
use anyhow::{ensure, Context, Result};
use codec::{Decode, Encode};
use gotong_protocol::bounds::{MAX_SUBMISSIONS, MIN_SAMPLES};
use gotong_scoring::{Graph, Samples};
use gotong_training::{
    data::{DataSet, Use},
    residual_decay, DeviceChoice, Span, TrainingError,
};
use indicatif::ProgressBar;
use serde_json::{json, Map, Value};
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
                  gotong lab --model docs/models/transformer.toml --hands 3 --steps 80 --output json\n\n\
                  You can stop it at any time: the same command resumes where it left off."
)]
pub struct Lab {
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
    /// Rounds of a run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    deltas: DeltaTerms,
    /// Reset a language model's optimizer state after each round, to see what keeping it is worth
    #[arg(long)]
    forget: bool,
    /// Samples that score a round, at least as many as a task needs
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u32).range(MIN_SAMPLES as i64..))]
    exam: u32,
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
    material: Material,
    report: Exam,
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
        let Model(graph) = &self.model;
        let set = DataSet::choose(self.data.data, graph)?;
        let exams = self.data.load(Use::Exam, graph)?;
        let report = self.data.load(Use::Report, graph)?.spread(self.report);
        let material = Material {
            training: self.data.load(Use::Training, graph)?,
            exams: Samples::new(graph.inputs, graph.classes(), &exams.records())?,
            device: self.device.open()?,
        };
        let report = Exam::new(graph.clone(), &set.recipe()?, report)?;
        let folder = Folder::open(&self.folder)?;
        let _lock = folder.lock()?;
        // Settings that cannot be run are refused before any run starts.
        let mut experiments: Vec<(Experiment, Option<Run>)> = Vec::new();
        for hands in distinct(&self.hands) {
            for seed in distinct(&self.seeds) {
                let experiment = self.experiment(graph, hands as usize, seed);
                experiment.check(&material)?;
                let kept = self.kept(&experiment, &folder)?;
                experiments.push((experiment, kept));
            }
        }
        output.say(format_args!("model     {}", describe(graph)));
        output.say(format_args!("unseen    {}", report.samples()));
        let all = experiments.len() as u64 * u64::from(self.rounds);
        let bar = progress::bar(output, "", all, "rounds");
        let equipment = Equipment {
            material,
            report,
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
                None => self.begun(&experiment, &equipment.report)?,
            };
            let Some(run) = equipment.finish(&experiment, run)? else {
                return Ok(false);
            };
            runs.push((experiment, run));
        }
        equipment.bar.finish_and_clear();
        self.tell(output, &equipment.report, &runs)?;
        Ok(true)
    }

    fn experiment(&self, graph: &Graph, hands: usize, seed: u64) -> Experiment {
        Experiment {
            graph: graph.clone(),
            hands,
            rounds: self.rounds,
            exam: self.exam as usize,
            options: self.training.options(),
            keep_permille: self.training.keep_permille(graph),
            delta_bytes: self.deltas.delta_bytes(graph),
            outer_rate_q8: self.deltas.outer_rate_q8(graph),
            forgets: self.forget,
            seed,
        }
    }

    /// What a run is started with, including the current defaults.
    fn settings(&self, experiment: &Experiment) -> Result<String> {
        let Experiment { graph, options, .. } = experiment;
        let config = options.config(graph, Span::WHOLE, experiment.seed);
        let set = DataSet::choose(self.data.data, graph)?;
        let (report, device) = (self.report, self.device);
        let decay = residual_decay(graph, experiment.keep_permille, experiment.delta_bytes);
        let version = env!("CARGO_PKG_VERSION");
        Ok(format!(
            "{version} {experiment:?} {config:?} {decay} {set} {report} {device}"
        ))
    }

    /// The stored run, if it was started before.
    fn kept(&self, experiment: &Experiment, folder: &Folder) -> Result<Option<Run>> {
        let name = file(experiment);
        let run = folder.load::<Run>(&name)?;
        let settings = self.settings(experiment)?;
        ensure!(
            run.as_ref().is_none_or(|run| run.settings == settings),
            "{} was started with other settings: choose another --folder, or remove this one to start over",
            folder.path().join(name).display()
        );
        Ok(run)
    }

    fn begun(&self, experiment: &Experiment, report: &Exam) -> Result<Run> {
        let rounds = Rounds::new(experiment);
        let first = report.mark(rounds.weights())?.loss();
        Ok(Run {
            settings: self.settings(experiment)?,
            rounds,
            losses: vec![first],
            gains: Vec::new(),
            seconds: 0.0,
            hand_seconds: Vec::new(),
        })
    }

    /// Prints the results, and writes them as JSON and as a picture.
    fn tell(&self, output: Format, report: &Exam, runs: &[(Experiment, Run)]) -> Result<()> {
        let (mut rows, mut by_hands) = (Vec::new(), Map::new());
        let (mut by_rounds, mut by_seconds) = (Vec::new(), Vec::new());
        for hands in distinct(&self.hands) {
            let is_own = |run: &&(Experiment, Run)| run.0.hands == hands as usize;
            let own = || runs.iter().filter(is_own).map(|(_, run)| run);
            let at = |round: usize| own().map(move |run| run.losses[round]);
            let last = self.rounds as usize;
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
            "rounds": self.rounds,
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
            let outcome = match run.rounds.play(experiment, &self.material, self.stop) {
                Err(LabError::Training(TrainingError::Stopped)) => return Ok(None),
                played => played.with_context(|| title(experiment))?,
            };
            run.seconds += start.elapsed().as_secs_f64();
            run.hand_seconds.push(outcome.hand_seconds);
            run.gains.push((outcome.gain, outcome.merged as u32));
            let loss = self.report.mark(run.rounds.weights())?.loss();
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
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use std::path::Path;

    fn play(folder: &Path, more: &[&str]) -> Result<bool> {
        play_until(folder, more, &AtomicBool::new(false))
    }

    fn play_until(folder: &Path, more: &[&str], stop: &AtomicBool) -> Result<bool> {
        let folder = folder.to_str().unwrap();
        let line = [
            "gotong",
            "lab",
            "--model",
            "mlp:784,4,10",
            "--hands",
            "1,2,1",
            "--rounds",
            "2",
            "--batch",
            "8",
            "--exam",
            "64",
            "--report",
            "20",
            "--folder",
            folder,
        ];
        let parsed = Cli::try_parse_from(line.iter().chain(more))?;
        let Command::Lab(lab) = parsed.command else {
            anyhow::bail!("another command")
        };
        lab.play(Format::Json, stop)
    }

    #[test]
    fn a_run_is_told_kept_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = AtomicBool::new(true);
        assert!(!play_until(folder.path(), &["--steps", "3"], &stopped).unwrap());
        assert!(!folder.path().join("lab.json").exists());
        assert!(play(folder.path(), &["--steps", "3"]).unwrap());
        let told = || fs::read_to_string(folder.path().join("lab.json")).unwrap();
        let first = told();
        let json: Value = serde_json::from_str(&first).unwrap();
        let runs = json["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 2);
        for (run, hands) in runs.iter().zip(["1", "2"]) {
            let bits = run["bits"].as_array().unwrap();
            assert_eq!(bits.len(), 3);
            assert_eq!(json["bits_by_hands"][hands], bits[2]);
        }
        let picture = fs::read_to_string(folder.path().join("lab.svg")).unwrap();
        assert!(picture.contains("2 hands"));
        let picture = fs::read_to_string(folder.path().join("lab-seconds.svg")).unwrap();
        assert!(picture.contains("seconds of a hand"));
        let of_hand = runs[0]["hand_seconds"].as_array().unwrap();
        assert!(of_hand.len() == 2 && of_hand.iter().all(|one| one.as_f64().unwrap() > 0.0));
        // All rounds are already there, with the seconds that they took.
        assert!(play(folder.path(), &["--steps", "3", "--seeds", "1,1"]).unwrap());
        assert_eq!(told(), first);
        let other = play(folder.path(), &["--steps", "4"]).unwrap_err();
        assert!(other.to_string().contains("other settings"), "{other}");
        assert_eq!(told(), first);
    }
}
