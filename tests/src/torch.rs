//! PyTorch, in the environment that `make pytorch` completes: the peer that the exact machine and
//! Burn are compared with.

use crate::python::environment;
use anyhow::{ensure, Context, Result};
use gotong_protocol::Graph;
use gotong_training::weights_file;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The worked example, and its model.
pub const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/pytorch");

/// A program that trains alone.
pub const ALONE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/torch_alone.py");

/// Runs a script with PyTorch. The script may import the example's model.
///
/// # Errors
/// Fails if PyTorch is not installed.
pub fn python(script: &Path) -> Result<Command> {
    // The file that scripts/python.sh leaves there.
    let installed = environment()?.join("requirements-torch.txt");
    ensure!(
        installed.is_file(),
        "PyTorch is missing: `make pytorch` installs it"
    );
    let mut command = crate::python::python(script)?;
    command.env("PYTHONPATH", EXAMPLE);
    Ok(command)
}

/// A language model in a process of its own, with the records that it is evaluated on and trained with.
pub struct Torch {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// How a thread of OpenMP waits for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Awake for some milliseconds, as PyTorch does by default. This is best on a machine that does
    /// nothing else, and very slow on one that does.
    Awake,
    /// Asleep.
    Asleep,
}

/// How PyTorch is to compute.
#[derive(Clone, Copy, Debug)]
pub struct Computing {
    /// Heads of the model, which cannot be told from its weights.
    pub heads: u32,
    /// Threads.
    pub threads: usize,
    /// Whether it rounds as the machine does. Otherwise it is a plain model in f32.
    pub rounded: bool,
    /// How a thread waits for the others.
    pub wait: Wait,
}

impl Torch {
    /// Starts it with weights of `graph`, and with records of tokens and a label. Its files go to
    /// `folder`.
    pub fn start(
        folder: &Path,
        graph: &Graph,
        weights: &[i16],
        records: &[u8],
        computing: Computing,
    ) -> Result<Self> {
        let (model, text) = (
            folder.join("torch.safetensors"),
            folder.join("torch.records"),
        );
        weights_file::write(&model, graph, weights)?;
        fs::write(&text, records)?;
        let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/torch_peer.py"));
        let mut command = python(script)?;
        command
            .arg(format!("--weights={}", model.display()))
            .arg(format!("--records={}", text.display()))
            .arg(format!("--heads={}", computing.heads))
            .arg(format!("--threads={}", computing.threads))
            .args(computing.rounded.then_some("--rounded"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if computing.wait == Wait::Asleep {
            command.env("OMP_WAIT_POLICY", "passive");
        }
        let mut child = command.spawn()?;
        let commands = child.stdin.take().context("its input is a pipe")?;
        let answers = child.stdout.take().context("its output is a pipe")?;
        Ok(Self {
            child,
            commands,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// The bits of every record, and how many seconds they take. It evaluates `batch` records at a
    /// time.
    pub fn evaluate(&mut self, batch: usize) -> Result<(Vec<f64>, f64)> {
        let answer = self.ask(&format!("evaluate {batch}"))?;
        let bits = answer["bits"].as_array().context("a list of bits")?;
        let bits: Option<Vec<f64>> = bits.iter().map(Value::as_f64).collect();
        Ok((bits.context("bits are numbers")?, seconds(&answer)?))
    }

    /// How many seconds `steps` updates of the weights take, with `batch` records each.
    pub fn train(&mut self, batch: usize, steps: usize) -> Result<f64> {
        seconds(&self.ask(&format!("train {batch} {steps}"))?)
    }

    fn ask(&mut self, command: &str) -> Result<Value> {
        const ENDED: &str = "PyTorch ended; its error is above";
        writeln!(self.commands, "{command}").context(ENDED)?;
        let line = self.answers.next().context(ENDED)??;
        serde_json::from_str(&line).with_context(|| format!("not an answer: {line}"))
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // If it is gone already, there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn seconds(answer: &Value) -> Result<f64> {
    answer["seconds"].as_f64().context("seconds of a command")
}
