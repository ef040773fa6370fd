//! Attacks on the pay, as programs, each against the real scoring code on Fashion-MNIST; see docs/attacks.md.
//!
//!     make attacks
//!     make attacks ONLY=split

mod adversaries;
mod cases;
mod gradient;
mod world;

use anyhow::{ensure, Result};
use clap::Parser;
use serde_json::{json, Map, Value};

#[derive(Parser)]
struct Options {
    /// Run the attacks whose names begin so, or `gradient`: how well the gradient splits a gain
    #[arg(long)]
    only: Option<String>,
    /// All randomness comes from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Options {
    fn asks_for(&self, name: &str) -> bool {
        let is_asked = |only: &String| name.starts_with(only.as_str());
        self.only.as_ref().is_none_or(is_asked)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    println!("seed {}", options.seed);
    let mut report = Map::new();
    report.insert("seed".into(), json!(options.seed));
    let is_asked = |name: &str| options.asks_for(name);
    let attacks = cases::run(options.seed, &is_asked, &mut report)?;
    if is_asked(GRADIENT) {
        gradient::measure(options.seed, &mut report)?;
    }
    ensure!(
        attacks > 0 || is_asked(GRADIENT),
        "there is no such attack; without --only all are run"
    );
    println!("{}", Value::Object(report));
    Ok(())
}

/// Measures how well the gradient splits a gain.
const GRADIENT: &str = "gradient";
