//! `gotong weights`: writes the weights of a task to a file.

use super::Globals;
use crate::{run::Replica, training::weights_file};
use anyhow::Context;
use gotong_protocol::{view::TaskView, TaskId};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong weights --task 0 --out model.safetensors")]
pub struct Weights {
    /// The task
    #[arg(long)]
    task: u32,
    /// The file to write
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

/// Replays the task, and writes its weights as they are now.
pub async fn run(args: Weights, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let (view, replica) = replay(task, globals).await?;
    weights_file::write(&args.out, replica.graph(), replica.weights())
        .with_context(|| args.out.display().to_string())?;
    let json = json!({
        "task": task.0,
        "rounds": replica.next_round().0,
        "master_root": hex::encode(view.master_root),
        "file": args.out,
    });
    globals.output.print(json, || {
        format!(
            "{}: weights of task {task} after {} rounds, root {}",
            args.out.display(),
            replica.next_round(),
            hex::encode(view.master_root)
        )
    });
    Ok(())
}

/// A task, rebuilt from the chain up to now.
pub async fn replay(task: TaskId, globals: &Globals) -> anyhow::Result<(TaskView, Replica)> {
    let client = globals.client().await?;
    let now = client.best().await?;
    let view = now.task(task).await?;
    let view = view.with_context(|| format!("there is no task {task}"))?;
    let mut replica = Replica::open(&client, &now, &globals.dirs()?, &view).await?;
    replica.advance(&client, &now).await?;
    Ok((view, replica))
}
