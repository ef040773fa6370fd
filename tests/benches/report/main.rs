//! Measures what the documents claim, prints it, and writes it as one JSON object.
//!
//!     make bench

mod chain;
mod compression;
mod data;
mod gpu;
mod gradient;
mod hands;
mod judge;
mod language;
mod score;
mod sizes;
mod worker;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::{Map, Value};
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Parser)]
struct Options {
    /// The report; a relative path starts at the workspace, for cargo runs benchmarks in the
    /// package's folder
    #[arg(long, default_value = "target/bench/report.json")]
    out: PathBuf,
    /// Measure this alone
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Take the time that a whole curve of `compression` needs
    #[arg(long)]
    long: bool,
    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An image model: evaluation, training, deltas
    Worker,
    /// A language model, beside PyTorch
    Language,
    /// Held-out loss against the bits that deltas send
    Compression,
    /// A language model of ten million parameters; only when asked for
    Large,
    /// Devices: whether they are exact, and the speed of a GPU
    Gpu,
    /// Costs against the size of a model
    Sizes,
    /// Exact gradients beside evaluation
    Gradient,
    /// Scoring a round, by the number of its contributors
    Score,
    /// Many hands beside one; with a whole demo, so only when asked for
    Hands,
    /// Disputes
    Judge,
    /// The chain's weights
    Chain,
    /// Users' own data, by format
    Data,
}

impl Part {
    /// Whether it is measured unless told otherwise.
    fn by_default(self) -> bool {
        !matches!(self, Self::Large | Self::Hands)
    }

    fn measure(self, report: &mut Map<String, Value>, long: bool) -> Result<()> {
        match self {
            Self::Worker => worker::measure(report),
            Self::Language => language::measure(report),
            Self::Compression => compression::measure(report, long),
            Self::Large => language::measure_large(report),
            Self::Gpu => gpu::measure(report),
            Self::Sizes => sizes::measure(report),
            Self::Gradient => gradient::measure(report),
            Self::Score => score::measure(report),
            Self::Hands => hands::measure(report),
            Self::Judge => judge::measure(report),
            Self::Chain => chain::measure(report),
            Self::Data => data::measure(report),
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut report = Map::new();
    for part in Part::value_variants() {
        if options.only.map_or(part.by_default(), |only| only == *part) {
            part.measure(&mut report, options.long)?;
        }
    }
    for (key, value) in &report {
        println!("{key}: {value}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(options.out);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_vec_pretty(&report)?)
        .with_context(|| format!("cannot write {}", path.display()))
}
