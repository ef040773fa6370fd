//! Compares PyTorch with Gotong: the same numbers, and a round that PyTorch earns.

use crate::{floats, submitted, tutorials::Section};
use anyhow::{ensure, Result};
use gotong_scoring::{Graph, Transformer};
use gotong_tests::{
    torch::{python, Computing, Torch, Wait, EXAMPLE},
    Network,
};
use gotong_training::{data, weights_file};
use std::path::{Path, PathBuf};

#[test]
#[ignore = "needs PyTorch: make test-pytorch"]
fn pytorch_computes_what_the_machine_computes() -> Result<()> {
    for tied in [false, true] {
        let case = floats::bold(tied)?;
        let (records, folder) = (floats::records(), tempfile::tempdir()?);
        // Without the rounding it is a plain model in f32, which is what the weights mean.
        for (rounded, bounds) in [(true, (0.005, 0.02)), (false, floats::PLAIN_BOUNDS)] {
            let computing = Computing {
                heads: floats::HEADS,
                threads: 1,
                rounded,
                wait: Wait::Asleep,
            };
            let mut torch = Torch::start(
                folder.path(),
                &case.graph,
                &case.weights,
                &records,
                computing,
            )?;
            let (bits, _) = torch.evaluate(5)?;
            let (mean, most) = floats::apart(&case, &bits)?;
            println!("tied {tied}, rounded {rounded}: {mean:.5} bits a token apart, a record at most {most:.5}");
            assert!(mean.abs() < bounds.0, "{mean} bits a token apart");
            assert!(most < bounds.1, "a record is {most} bits a token apart");
        }
    }
    Ok(())
}

/// Writes a model as a trainer might.
const WRAPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/torch_wrapped.py");

#[test]
#[ignore = "needs PyTorch: make test-pytorch"]
fn a_compiled_and_parallel_model_in_two_files_of_bfloat16_is_read() -> Result<()> {
    let graph = Graph::transformer(&Transformer {
        vocab: 96,
        tokens: 32,
        width: 64,
        heads: 2,
        hidden: 128,
        layers: 2,
        tied: false,
    });
    // A weight has seven bits and a sign, which bfloat16 can hold.
    let weights: Vec<i16> = (0..graph.parameters())
        .map(|place| ((place * 7_919 % 127) as i16 - 63) * 256)
        .collect();
    let folder = tempfile::tempdir()?;
    let plain = folder.path().join("plain.safetensors");
    weights_file::write(&plain, &graph, &weights)?;
    let status = python(Path::new(WRAPPED))?
        .arg(format!("--weights={}", plain.display()))
        .arg(format!("--folder={}", folder.path().display()))
        .arg("--heads=2")
        .status()?;
    ensure!(status.success(), "torch_wrapped.py ended with {status}");
    let found = weights_file::read(folder.path(), &graph)?;
    assert_eq!(found.master, weights);
    Ok(())
}

const PAGE: Section = Section {
    page: include_str!("../../../examples/pytorch/README.md"),
    heading: "# A language model trained in PyTorch",
};

/// Trains `base` with the worked example, and returns the file that it writes.
async fn train(network: &Network, base: &Path) -> Result<PathBuf> {
    let trained = network.folder().join("trained.safetensors");
    let mut script = python(&Path::new(EXAMPLE).join("train.py"))?;
    script
        .arg(format!("--base={}", base.display()))
        .arg(format!("--out={}", trained.display()))
        .arg(format!(
            "--text={}",
            data::folder().join("shakespeare.txt").display()
        ))
        .args(["--heads=2", "--steps=100", "--threads=1"]);
    let status = tokio::task::spawn_blocking(move || script.status()).await??;
    ensure!(status.success(), "train.py ended with {status}");
    Ok(trained)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PyTorch: make test-pytorch"]
async fn what_pytorch_trains_is_paid() -> Result<()> {
    submitted::is_paid(&PAGE, train).await
}
