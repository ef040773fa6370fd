//! `gotong weights`: writes the weights of a task to a file.

use super::Globals;
use crate::{
    run::Replica,
    training::{onnx, weights_file},
};
use anyhow::Context;
use gotong_protocol::{view::TaskView, TaskId};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong weights --task 0 --out model.safetensors\n  \
                  gotong weights --task 0 --out model.onnx\n\n\
                  Safetensors hold the weights alone, for `gotong submit`, `generate` and `predict` and for any framework. \
                  ONNX holds the model as well, as its float twin: a runtime's answers are close to those of the exact \
                  machine and not equal bit for bit. `gotong predict` gives the exact ones."
)]
pub struct Weights {
    /// The task
    #[arg(long)]
    task: u32,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to write [default: ONNX if the file's name ends in .onnx, else safetensors]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// A file format for weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The weights alone, f32 in real units
    Safetensors,
    /// The float twin of the model, with its weights
    Onnx,
}

impl Format {
    /// What the name of a file says.
    fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("onnx") => Self::Onnx,
            _ => Self::Safetensors,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
        }
    }
}

/// Replays the task, and writes its weights as they are now.
pub async fn run(args: Weights, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let (view, replica) = replay(task, globals).await?;
    let (graph, weights) = (replica.graph(), replica.weights());
    let format = args.format.unwrap_or_else(|| Format::of(&args.out));
    match format {
        Format::Safetensors => weights_file::write(&args.out, graph, weights)
            .with_context(|| args.out.display().to_string())?,
        Format::Onnx => onnx::write(&args.out, graph, weights)
            .with_context(|| args.out.display().to_string())?,
    }
    let json = json!({
        "task": task.0,
        "rounds": replica.next_round().0,
        "master_root": hex::encode(view.master_root),
        "file": args.out,
        "format": format.name(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_its_format() {
        assert_eq!(Format::of(Path::new("a/model.onnx")), Format::Onnx);
        assert_eq!(Format::of(Path::new("MODEL.ONNX")), Format::Onnx);
        assert_eq!(Format::of(Path::new("onnx")), Format::Safetensors);
        assert_eq!(Format::of(Path::new("a.safetensors")), Format::Safetensors);
    }
}
