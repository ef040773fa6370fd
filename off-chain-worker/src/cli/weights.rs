//! `gotong weights`: writes the weights of a task to a file.

use super::{output::tell, replay::replayed, Globals};
use crate::run::Replica;
use anyhow::Context;
use gotong_protocol::{view::TaskView, Graph, TaskId};
use gotong_training::{
    onnx,
    weights_file::{self, Read},
};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong weights --task 0 --out model.safetensors\n  \
                  gotong weights --task 0 --out model.onnx\n\n\
                  Safetensors files hold only the weights, for `gotong submit`, `generate` and `predict` and for any \
                  framework. ONNX files also hold the model, as its float twin: a runtime's answers are close to the exact \
                  machine's, but not bit for bit equal. `gotong predict` gives the exact ones."
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
    /// The format that a file's name implies.
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
    let view = now.existing_task(task).await?;
    let replica = replayed(&client, &now, &view, globals).await?;
    Ok((view, replica))
}

/// Reads the weights of `graph` from a file that a trainer wrote. Reports on standard error what in the file they do not take over.
pub fn read(path: &Path, graph: &Graph) -> anyhow::Result<Vec<i16>> {
    let file = WeightsFile::read(path, graph)?;
    file.notes().into_iter().for_each(tell);
    Ok(file.weights.master)
}

/// A file that a trainer wrote.
pub struct WeightsFile<'a> {
    path: &'a Path,
    /// What was read from it.
    pub weights: Read,
}

impl<'a> WeightsFile<'a> {
    /// Reads weights of `graph`.
    pub fn read(path: &'a Path, graph: &Graph) -> anyhow::Result<Self> {
        let weights = weights_file::read(path, graph);
        let weights = weights.with_context(|| path.display().to_string())?;
        Ok(Self { path, weights })
    }

    /// What in the file the weights do not take over, and what has another name there. Empty if they take over all of it.
    pub fn notes(&self) -> Vec<String> {
        let path = self.path.display();
        let clamped = self.weights.clamped.iter();
        let clamped = clamped.map(|tensor| format!("{path}: {tensor}"));
        let ignored = self.weights.ignored.iter();
        let ignored = ignored.map(|name| format!("{path}: `{name}` is a buffer and was ignored"));
        let renamed = self.weights.renamed.iter();
        let renamed = renamed.map(|(old, new)| {
            format!("{path}: `{old}` is taken as `{new}`, by the order of the layers")
        });
        clamped.chain(ignored).chain(renamed).collect()
    }

    /// The same notes as JSON.
    pub fn json(&self) -> Value {
        let clamped = self.weights.clamped.iter().map(|tensor| {
            json!({
                "tensor": tensor.name,
                "clamped": tensor.count,
                "values": tensor.values,
                "bound": tensor.bound,
                "excess": tensor.excess,
            })
        });
        json!({
            "file": self.path,
            "parameters": self.weights.master.len(),
            "clamped": clamped.collect::<Vec<_>>(),
            "ignored": self.weights.ignored,
            "renamed": self.weights.renamed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_training::weights_file::Clamped;

    #[test]
    fn what_was_clamped_and_ignored_is_told() {
        let clamped = Clamped {
            name: "wte.weight".into(),
            count: 2,
            values: 100,
            bound: 0.49609375,
            excess: 0.125,
        };
        let file = WeightsFile {
            path: Path::new("mine"),
            weights: Read {
                master: vec![0; 100],
                clamped: vec![clamped],
                ignored: vec!["attn.mask".into()],
                renamed: [("2.bias".into(), "layers.1.bias".into())].into(),
            },
        };
        let notes = [
            "mine: `wte.weight`: 2 of 100 values were beyond +-0.4961, by at most 0.125000, and were clamped",
            "mine: `attn.mask` is a buffer and was ignored",
            "mine: `2.bias` is taken as `layers.1.bias`, by the order of the layers",
        ];
        assert_eq!(file.notes(), notes);
        let expected = json!({
            "file": "mine",
            "parameters": 100,
            "clamped": [{
                "tensor": "wte.weight",
                "clamped": 2,
                "values": 100,
                "bound": 0.49609375,
                "excess": 0.125,
            }],
            "ignored": ["attn.mask"],
            "renamed": {"2.bias": "layers.1.bias"},
        });
        assert_eq!(file.json(), expected);
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        assert_eq!(Format::of(Path::new("a/model.onnx")), Format::Onnx);
        assert_eq!(Format::of(Path::new("MODEL.ONNX")), Format::Onnx);
        assert_eq!(Format::of(Path::new("onnx")), Format::Safetensors);
        assert_eq!(Format::of(Path::new("a.safetensors")), Format::Safetensors);
    }
}
