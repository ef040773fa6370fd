//! Users' own data: how fast rows become samples, compared with the library alone that reads them.

use crate::worker::rounded;
use anyhow::{ensure, Context, Result};
use gotong::process::sibling;
use gotong_data::{learn, LearnOptions, Recipe, Source, SourceOptions};
use gotong_tests::table;
use rand::{rngs::StdRng, Rng, SeedableRng};
use serde_json::{json, Map, Value};
use std::{
    fmt::Write,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

const ROWS: usize = 200_000;
const COLUMNS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
const LABEL: &str = "label";
const LABELS: [&str; 3] = ["low", "middle", "high"];
/// Each is measured this many times; the fastest counts.
const REPEATS: usize = 5;

/// `data_rows_per_second`: by format, how many rows a recipe turns into samples, how many the library alone reads, and the ratio.
pub fn measure(report: &mut Map<String, Value>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut speeds = Map::new();
    for (format, path) in files(folder.path())? {
        let library = library_alone(format, &path)?;
        let options = SourceOptions {
            label: Some(LABEL.into()),
            ..SourceOptions::default()
        };
        let source = Source::open(&[path], options)?;
        let recipe = learn(&source, |_| true, &LearnOptions::default())?;
        let samples = fastest(|| make(&recipe, &source))?;
        let speed = |seconds: f64| (ROWS as f64 / seconds).round();
        let told = json!({
            "samples": speed(samples),
            "library": speed(library),
            "ratio": rounded(library / samples),
        });
        speeds.insert(format.into(), told);
    }
    report.insert("data_rows_per_second".into(), speeds.into());
    Ok(())
}

/// The same table in every format.
fn files(folder: &Path) -> Result<[(&'static str, PathBuf); 3]> {
    let mut random = StdRng::seed_from_u64(1);
    let mut column = || -> Vec<f64> {
        let values = (0..ROWS).map(|_| random.random_range(-1e6..1e6_f64).round() / 1e4);
        values.collect()
    };
    let columns: Vec<(&str, Vec<f64>)> = COLUMNS.iter().map(|name| (*name, column())).collect();
    let labels: Vec<&str> = (0..ROWS).map(|row| LABELS[row * 7 % 3]).collect();
    let path = |name: &str| folder.join(name);
    let (csv, jsonl, parquet) = (
        path("table.csv"),
        path("table.jsonl"),
        path("table.parquet"),
    );
    table::write_parquet(&parquet, &columns, (LABEL, &labels))?;
    let mut lines = format!("{},{LABEL}\n", COLUMNS.join(","));
    let mut objects = String::new();
    for (row, label) in labels.iter().enumerate() {
        objects.push('{');
        for (name, values) in &columns {
            write!(lines, "{},", values[row])?;
            write!(objects, "\"{name}\":{},", values[row])?;
        }
        writeln!(lines, "{label}")?;
        writeln!(objects, "\"{LABEL}\":\"{label}\"}}")?;
    }
    fs::write(&csv, lines)?;
    fs::write(&jsonl, objects)?;
    Ok([("csv", csv), ("parquet", parquet), ("jsonl", jsonl)])
}

/// Seconds that the library alone takes for the file: `csv`, `parquet` or `serde_json`, in a program of its own
/// (data/examples/library_speed.rs), because this one is hardly optimised.
fn library_alone(format: &str, path: &Path) -> Result<f64> {
    let program = sibling("examples/library_speed").context("`make bench` builds it")?;
    let mut command = Command::new(program);
    let output = command
        .arg(format)
        .arg(path)
        .arg(REPEATS.to_string())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "library_speed failed: {said}");
    let told: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(told["rows"] == ROWS, "the library has read {told}");
    told["seconds"].as_f64().context("seconds")
}

fn make(recipe: &Recipe, source: &Source) -> Result<()> {
    black_box(recipe.load(source, None)?);
    Ok(())
}

/// Seconds that the fastest try takes.
fn fastest(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}
