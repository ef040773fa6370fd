//! onnxruntime, in the environment that `make python` makes: it runs the float twins of models.

use crate::{equality::Case, python::python};
use anyhow::{ensure, Result};
use gotong_training::onnx;
use std::{fs, path::Path};

/// The logits of every sample of a case by onnxruntime, in natural units, for all of the sample's tokens one after another.
///
/// # Errors
/// Fails if the environment is not installed, or if onnxruntime refuses the model.
pub fn logits(case: &Case) -> Result<Vec<Vec<f32>>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let [model, samples, out] = ["model.onnx", "samples", "logits"].map(path);
    onnx::write(&model, &case.graph, &case.weights)?;
    fs::write(&samples, case.samples.pixels())?;
    let script = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/onnx_peer.py"));
    let mut command = python(script)?;
    command
        .arg(format!("--model={}", model.display()))
        .arg(format!("--samples={}", samples.display()))
        .arg(format!("--out={}", out.display()));
    let status = command.status()?;
    ensure!(status.success(), "onnxruntime, {}: {status}", case.name);
    let bytes = fs::read(&out)?;
    let (values, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = values.iter().copied().map(f32::from_le_bytes).collect();
    let of_sample = values.len() / case.samples.len().max(1);
    Ok(values
        .chunks(of_sample.max(1))
        .map(<[f32]>::to_vec)
        .collect())
}
