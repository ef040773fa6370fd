//! Compares scikit-learn with Gotong: its classifier is evaluated by the exact machine.

use anyhow::{ensure, Result};
use gotong_evaluation::{bits, FastCpu};
use gotong_scoring::{Evaluator, Graph, Samples};
use gotong_tests::python::python;
use gotong_training::weights_file;
use serde_json::Value;
use std::{fs, path::Path};

/// The worked example.
const TRAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/sklearn/train.py");

/// Runs the worked example, and returns what it reports.
fn train(arguments: &[String]) -> Result<Value> {
    let output = python(Path::new(TRAIN))?.args(arguments).output()?;
    ensure!(
        output.status.success(),
        "train.py failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn the_machine_evaluates_what_scikit_learn_trained() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let (trained, records) = (file("trained.safetensors"), file("records"));
    let told = train(&[
        format!("--out={}", trained.display()),
        format!("--records={}", records.display()),
    ])?;

    let graph = Graph::mlp(&[64, 64, 10]);
    let found = weights_file::read(&trained, &graph)?;
    assert!(found.clamped.is_empty(), "{:?}", found.clamped);
    let samples = Samples::new(graph.inputs, graph.classes(), &fs::read(&records)?)?;
    let predicted = FastCpu.predict(&graph, &found.master, &samples)?;
    let labels = samples.labels();
    let right = predicted.iter().zip(labels).filter(|(a, b)| a == b).count();
    let count = samples.len() as f64;
    let accuracy = right as f64 / count;
    let loss = bits(&FastCpu.losses(&graph, &found.master, &samples)?) / count;
    println!("accuracy {accuracy}, loss {loss} bits; scikit-learn: {told}");
    let of_sklearn = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    assert!(of_sklearn("accuracy") > 0.9, "nothing was learned");
    assert!((accuracy - of_sklearn("accuracy")).abs() < 0.02);
    // Logits in other units would have the same accuracy but another loss.
    assert!((loss - of_sklearn("bits")).abs() < 0.02);

    // It starts from what it has read.
    let (base, again) = (file("base.safetensors"), file("again.safetensors"));
    weights_file::write(&base, &graph, &found.master)?;
    train(&[
        format!("--base={}", base.display()),
        format!("--out={}", again.display()),
        "--epochs=0".into(),
    ])?;
    assert_eq!(weights_file::read(&again, &graph)?, found);
    Ok(())
}
