//! Measures what the documents claim, prints it, and writes it as one JSON object.
//!
//!     make bench

mod chain;
mod judge;
mod worker;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::Map;
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
    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut report = Map::new();
    worker::measure(&mut report)?;
    judge::measure(&mut report)?;
    chain::measure(&mut report)?;
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
