//! `gotong data ...`

mod inspect;
mod learning;
mod seal;
pub mod split;

use super::Globals;
use gotong_data::Source;
use indicatif::{ProgressBar, ProgressStyle};

pub use learning::LearningArgs;
pub use split::{FilesToDivide, SplitArgs};

#[derive(Debug, clap::Subcommand)]
pub enum Data {
    /// Look at files: rows, classes, columns, what is missing and what is there twice
    Inspect(inspect::Inspect),
    /// Make samples of files, for training, exams and reports, and learn the recipe that makes them
    Split(Box<split::Split>),
    /// Seal shards of an exam's samples, which `gotong task open --sealed` takes
    Seal(seal::Seal),
}

pub async fn run(args: Data, globals: &Globals) -> anyhow::Result<()> {
    match args {
        Data::Inspect(args) => inspect::run(args, globals).await,
        Data::Split(args) => split::run(*args, globals).await,
        Data::Seal(args) => seal::run(args, globals),
    }
}

/// Shows on standard error how many rows of `source` were read, of as many as its files tell; nothing where nobody looks.
fn rows_bar(source: &Source, what: &str) -> anyhow::Result<ProgressBar> {
    let bar = match source.len_hint() {
        Some(rows) => ProgressBar::new(rows).with_style(ProgressStyle::with_template(
            "{msg} [{bar:30}] {pos}/{len} rows, {eta} left",
        )?),
        None => ProgressBar::new_spinner()
            .with_style(ProgressStyle::with_template("{spinner} {msg} {pos} rows")?),
    };
    Ok(bar.with_message(what.to_owned()))
}
