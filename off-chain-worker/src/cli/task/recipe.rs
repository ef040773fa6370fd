//! `gotong task recipe`.

use crate::{cli::Globals, run::task_recipe};
use anyhow::Context;
use gotong_data::write_whole;
use gotong_protocol::TaskId;
use serde_json::json;
use std::{io::Write, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong task recipe --task 0\n  gotong task recipe --task 0 --out recipe.toml\n\n\
                  The recipe comes from the block that opened the task, and its hash matches the one on chain."
)]
pub struct Recipe {
    /// The task
    #[arg(long)]
    task: u32,
    /// The file to write, byte for byte; without it, the recipe is printed, with control characters escaped
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
}

/// Prints a task's recipe, or writes it to a file.
pub async fn run(args: Recipe, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let client = globals.client().await?;
    let view = client.best().await?.existing_task(task).await?;
    let recipe = task_recipe(&client, &globals.dirs()?, &view).await?;
    let recipe = recipe.with_context(|| {
        format!("task {task} has no recipe: ask its sponsor how data becomes its samples")
    })?;
    if let Some(path) = &args.out {
        write_whole(path, |file| file.write_all(recipe.as_bytes()))
            .with_context(|| path.display().to_string())?;
    }
    let hash = hex::encode(view.terms.recipe);
    let json = json!({
        "task": task.0,
        "hash": hash,
        "bytes": recipe.len(),
        "recipe": recipe,
        "file": args.out,
    });
    globals.output.print(json, || match &args.out {
        Some(path) => {
            let path = path.display();
            format!(
                "{path}: the recipe of task {task}, {} bytes with hash {hash}",
                recipe.len()
            )
        }
        None => recipe.clone(),
    });
    Ok(())
}
