//! Many hands compared with one: the loss by the number of hands, and the demo's network beside one PyTorch process.

use crate::{compression, language, worker::rounded};
use anyhow::{ensure, Context, Result};
use burn::tensor::Device;
use gotong::{
    lab::{Experiment, Material, Rounds},
    process::sibling,
};
use gotong_evaluation::{bits, FastCpu};
use gotong_scoring::{merge::OUTER_RATE_ONE, Evaluator, Graph, Samples};
use gotong_tests::torch::{python, ALONE};
use gotong_training::{
    data::{folder, DataSet, Labelled, Use},
    initial_weights, weights_file, TrainingConfig, TrainingOptions,
};
use serde_json::{json, Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{atomic::AtomicBool, Mutex},
    thread,
};

/// Numbers of hands, each of which works on its own part of the text.
const HANDS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// The number of hands that work with and without an outer rate.
const HANDS_OF_RATES: usize = 4;
const ROUNDS: u32 = 10;
const STEPS: usize = 40;
/// Samples of an update, and the key of the losses: as many as a contributor takes by default, and so few that the noise of an
/// update is what limits a hand.
const BATCHES: [(usize, &str); 2] = [
    (USUAL_BATCH, "lab_bits_by_hands"),
    (2, "lab_bits_by_hands_batch_2"),
];
const USUAL_BATCH: usize = 8;
/// The best of 0.006, 0.012 and 0.02 for three hands in an emulation, with one run each.
const LEARNING_RATE: f64 = 0.012;
const SEEDS: [u64; 3] = [1, 2, 3];
/// Samples of a round's exam, and of the text that never scores a round.
const EXAM: usize = 400;
const REPORT: usize = 400;
/// A task's default outer rate, in Q8, and what a hand keeps in its deltas, in thousandths.
const OUTER_RATE: u16 = OUTER_RATE_ONE / 2 * 3;
const KEPT: u32 = 500;
const DELTA_BYTES: u32 = 64 << 10;

/// Updates of one hand in the demo, and of all three: `--steps` in each of ten rounds.
const ALL_UPDATES: usize = 3 * 10 * 112;
/// The best of 0.002, 0.003, 0.004 and 0.006 for PyTorch with AdamW.
const ADAM: [&str; 1] = ["--rate=0.003"];
/// The better of 0.004 and 0.006 for PyTorch with Muon: 2.225 and 2.199 bits after 1,440 updates. Contributors have Muon, too.
const MUON: [&str; 2] = ["--muon", "--rate=0.006"];

/// Measures everything into `report`.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    by_hands(report)?;
    beside_one(report)
}

/// Held-out bits per character after ten rounds of the small model, averaged over the seeds.
fn by_hands(report: &mut Map<String, Value>) -> Result<()> {
    let graph = Graph::transformer(&compression::MODEL);
    let load = |part| DataSet::Shakespeare.load(&folder(), part, &graph);
    let exams = load(Use::Exam)?.records();
    let material = Material {
        training: load(Use::Training)?,
        exams: Samples::new(graph.inputs, graph.classes(), &exams)?,
        device: Device::flex(),
    };
    let held_out = load(Use::Report)?.spread(REPORT);
    let run = |hands: usize, batch: usize, outer_rate_q8: u16| -> Result<f64> {
        let mut sum = 0.0;
        for seed in SEEDS {
            let experiment = Experiment {
                graph: graph.clone(),
                hands,
                rounds: ROUNDS,
                exam: EXAM,
                options: TrainingOptions {
                    steps: Some(STEPS),
                    batch: Some(batch),
                    learning_rate: Some(LEARNING_RATE),
                },
                keep_permille: KEPT,
                delta_bytes: DELTA_BYTES,
                outer_rate_q8,
                forgets: false,
                seed,
            };
            let mut rounds = Rounds::new(&experiment);
            for _ in 0..ROUNDS {
                rounds.play(&experiment, &material, &AtomicBool::new(false))?;
            }
            sum += bits_per_character(&graph, rounds.weights(), &held_out)?;
        }
        Ok(sum / SEEDS.len() as f64)
    };
    for (batch, key) in BATCHES {
        let mut by_hands = Map::new();
        for hands in HANDS {
            let bits = run(hands, batch, OUTER_RATE)?;
            println!("{hands} hands, {batch} samples an update: {bits:.3} bits a character");
            by_hands.insert(hands.to_string(), rounded(bits));
        }
        report.insert(key.into(), by_hands.into());
    }
    let gain = run(HANDS_OF_RATES, USUAL_BATCH, OUTER_RATE_ONE)?
        - run(HANDS_OF_RATES, USUAL_BATCH, OUTER_RATE)?;
    report.insert("outer_gain_bits".into(), rounded(gain));
    Ok(())
}

/// The network of `make demo-lm`, and one process that gets as much processor time, as many updates, or as much time.
fn beside_one(report: &mut Map<String, Value>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let demo = Command::new(sibling("gotong")?)
        .args(["demo", "--model=lm", "--folder"])
        .arg(folder.path())
        .output()?;
    ensure!(
        demo.status.success(),
        "the demo failed: {}",
        String::from_utf8_lossy(&demo.stderr)
    );
    let shown = String::from_utf8(demo.stdout)?;
    print!("{shown}");
    let last = shown.lines().last().context("the demo shows nothing")?;
    let demo: Value = serde_json::from_str(last).context("the demo's last line")?;
    let number = |key: &str| {
        demo[key]
            .as_f64()
            .with_context(|| format!("the demo tells no {key}"))
    };
    let (hands, seconds) = (
        number("lm_bits_per_char")?,
        number("contributor_cpu_seconds")?,
    );
    let wall_clock = number("seconds")?;
    Alone::prepare(folder.path())?;
    let found = Alone::all(folder.path(), &runs(seconds, wall_clock))?;
    let best = |given: &str| {
        let runs = found.iter().filter(|(key, _)| key.ends_with(given));
        runs.map(|(_, learned)| learned.bits)
            .fold(f64::INFINITY, f64::min)
    };
    let same_cpu = best("_same_cpu");
    ensure!(
        same_cpu.is_finite(),
        "no process had the same processor time"
    );
    for (key, value) in [
        ("hands_3_bits", rounded(hands)),
        ("hands_3_seconds", rounded(wall_clock)),
        ("hands_3_cpu_seconds_of_one", rounded(seconds)),
        ("one_bits_same_cpu", rounded(same_cpu)),
        ("one_bits_same_updates", rounded(best("_same_updates"))),
        (
            "one_bits_same_wall_clock",
            rounded(best("_same_wall_clock")),
        ),
        ("hands_3_less_one_bits", rounded(hands - same_cpu)),
    ] {
        report.insert(key.into(), value);
    }
    report.extend(
        found
            .into_iter()
            .map(|(key, learned)| (key, learned.told())),
    );
    Ok(())
}

/// A training of one process.
struct Run {
    key: &'static str,
    recipe: Vec<&'static str>,
    /// How long it trains, as an option.
    length: String,
}

/// The runs of one process, longest first. A contributor spent `seconds` on the processor; the network took `wall_clock` seconds.
fn runs(seconds: f64, wall_clock: f64) -> Vec<Run> {
    let of_cpu = format!("--seconds={seconds}");
    let of_clock = format!("--seconds={wall_clock}");
    let of_updates = format!("--steps={ALL_UPDATES}");
    let run = |key, recipe: &[&'static str], length: &String| Run {
        key,
        recipe: recipe.to_vec(),
        length: length.clone(),
    };
    vec![
        run("one_muon_same_wall_clock", &MUON, &of_clock),
        run("one_muon_same_updates", &MUON, &of_updates),
        run("one_adam_same_updates", &ADAM, &of_updates),
        run("one_adam_same_cpu", &ADAM, &of_cpu),
        run("one_muon_same_cpu", &MUON, &of_cpu),
        run("one_adam_cosine_same_cpu", &[ADAM[0], "--cosine"], &of_cpu),
    ]
}

/// One PyTorch process that trains the demo's model alone.
struct Alone(Child);

/// The files that it reads.
const FIRST: &str = "first.safetensors";
const RECORDS: &str = "records";
const REPORT_PART: &str = "report";

/// What the process learned.
struct Learned {
    bits: f64,
    /// Updates that it made.
    steps: u64,
    /// Processor seconds that it spent.
    seconds: f64,
}

impl Learned {
    fn told(&self) -> Value {
        json!({
            "bits": rounded(self.bits),
            "updates": self.steps,
            "cpu_seconds": rounded(self.seconds),
        })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // If it is gone already, there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Alone {
    /// Writes the files that it learns from, for any number of processes.
    fn prepare(files: &Path) -> Result<()> {
        let graph = Graph::transformer(&language::MODEL);
        let load = |part| DataSet::Shakespeare.load(&folder(), part, &graph);
        let first = initial_weights(&graph, 1);
        weights_file::write(&files.join(FIRST), &graph, &first)?;
        fs::write(files.join(RECORDS), load(Use::Training)?.records())?;
        // The text that the demo reports on.
        fs::write(
            files.join(REPORT_PART),
            load(Use::Report)?.part(0, 5).records(),
        )?;
        Ok(())
    }

    /// All runs, two at a time, by their keys.
    fn all(files: &Path, runs: &[Run]) -> Result<BTreeMap<String, Learned>> {
        let (left, found) = (Mutex::new(runs.iter()), Mutex::new(BTreeMap::new()));
        let work = || -> Result<()> {
            loop {
                let next = left
                    .lock()
                    .expect("nothing panics while it is locked")
                    .next();
                let Some(run) = next else {
                    return Ok(());
                };
                let learned = Self::start(files, run)?.learned()?;
                println!(
                    "{}: {:.3} bits after {} updates",
                    run.key, learned.bits, learned.steps
                );
                let mut found = found.lock().expect("nothing panics while it is locked");
                found.insert(run.key.to_owned(), learned);
            }
        };
        thread::scope(|scope| {
            let workers = [(); 2].map(|()| scope.spawn(work));
            let done = workers.map(|worker| worker.join().expect("it gives an error instead"));
            done.into_iter().collect::<Result<()>>()
        })?;
        Ok(found
            .into_inner()
            .expect("nothing panics while it is locked"))
    }

    /// Starts a process that computes on one thread.
    fn start(files: &Path, run: &Run) -> Result<Self> {
        let graph = Graph::transformer(&language::MODEL);
        let file = |name: &str| files.join(name).display().to_string();
        let mut command = python(Path::new(ALONE))?;
        command
            .arg(format!("--weights={}", file(FIRST)))
            .arg(format!("--records={}", file(RECORDS)))
            .arg(format!("--report={}", file(REPORT_PART)))
            .arg(format!("--heads={}", language::MODEL.heads))
            .arg(format!("--batch={}", TrainingConfig::of(&graph).batch))
            .arg(&run.length)
            .args(&run.recipe)
            .stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    fn learned(mut self) -> Result<Learned> {
        let output = self.0.stdout.take().context("its output is a pipe")?;
        let told: Value =
            serde_json::from_reader(output).context("PyTorch ended; its error is above")?;
        Ok(Learned {
            bits: told["bits"].as_f64().context("bits")?,
            steps: told["steps"].as_u64().context("steps")?,
            seconds: told["seconds"].as_f64().context("seconds")?,
        })
    }
}

/// The mean loss of a character, computed exactly.
fn bits_per_character(graph: &Graph, weights: &[i16], held_out: &Labelled) -> Result<f64> {
    let samples = Samples::new(graph.inputs, graph.classes(), &held_out.records())?;
    let losses = FastCpu.losses(graph, weights, &samples)?;
    Ok(bits(&losses) / (held_out.len() * held_out.inputs) as f64)
}
