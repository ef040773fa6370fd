//! `gotong data seal`.

use crate::{
    cli::{
        progress,
        task::{load_records, read_recipe},
        Globals,
    },
    model::Model,
    run::ExamPlan,
};
use anyhow::anyhow;
use gotong_data::DataError;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong data seal flowers/exam.records --recipe flowers/recipe.toml --shards 8 --samples 66\n  \
                  gotong task open --dev Alice flowers/task.toml --sealed ROOT\n\n\
                  Only whoever has the shards can publish them: keep the --base-path folder, and run `gotong sponsor` with it."
)]
pub struct Seal {
    /// The exam's samples, as `gotong data split` wrote them
    #[arg(value_name = "FILE.records")]
    exam: PathBuf,
    /// The recipe that made them
    #[arg(long, value_name = "FILE.toml")]
    recipe: PathBuf,
    /// The model that the samples are for. It sets the length of a sample of text; other samples do not need it
    #[arg(long)]
    model: Option<Model>,
    /// Shards; each scores one round
    #[arg(long, default_value_t = 10)]
    shards: u32,
    /// Samples of each
    #[arg(long, default_value_t = 800)]
    samples: u32,
}

pub fn run(args: Seal, globals: &Globals) -> anyhow::Result<()> {
    let recipe = read_recipe(&args.recipe)?;
    let graph = args.model.as_ref().map(|model| &model.0);
    if let Some(graph) = graph {
        recipe.check(graph)?;
    }
    let exam = load_records(&args.exam, &recipe, graph).map_err(|error| match error {
        DataError::NoLength => {
            anyhow!("these are samples of text: give --model, which sets their length")
        }
        error => error.into(),
    })?;
    let plan = ExamPlan::Sealed {
        shards: args.shards,
        samples: args.samples,
    };
    let folder = globals.folder()?;
    let hold_out = {
        let _shown = progress::spinner(globals.output, "sealing");
        plan.carry_out(&exam, &recipe.hash()?, &folder)?
    };
    let root = hex::encode(hold_out.root());
    let json = json!({
        "root": root,
        "shards": args.shards,
        "samples": args.samples,
        "folder": folder.path(),
    });
    globals.output.print(json, || {
        format!(
            "{} shards of {} samples are sealed in {}\nroot {root}\nnext: `gotong task open --sealed {root}`, with the same \
             --base-path",
            args.shards,
            args.samples,
            folder.path().display()
        )
    });
    Ok(())
}
