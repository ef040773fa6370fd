//! `gotong data ...`

mod inspect;
mod learning;
mod seal;
pub mod split;

use super::Globals;

pub use learning::LearningArgs;
pub use split::{FilesToDivide, SplitArgs};

#[derive(Debug, clap::Subcommand)]
pub enum Data {
    /// Inspect files: rows, classes, columns, missing values and duplicates
    Inspect(inspect::Inspect),
    /// Make samples from files, for training, exams and reports, and learn the recipe that makes them
    Split(Box<split::Split>),
    /// Seal an exam's samples in shards, for `gotong task open --sealed`
    Seal(seal::Seal),
}

pub async fn run(args: Data, globals: &Globals) -> anyhow::Result<()> {
    match args {
        Data::Inspect(args) => inspect::run(args, globals).await,
        Data::Split(args) => split::run(*args, globals).await,
        Data::Seal(args) => seal::run(args, globals),
    }
}
