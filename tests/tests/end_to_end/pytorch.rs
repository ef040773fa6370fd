//! PyTorch beside Gotong: the same numbers, and a round that it earns.

use crate::ROUND_LIMIT;
use anyhow::{ensure, Context, Result};
use gotong::training::{data, initial_weights, weights_file};
use gotong_protocol::TaskId;
use gotong_scoring::{arith::MASTER_BOUND, Evaluator, Graph, Reference, Samples, Transformer};
use gotong_tests::{
    assert_settled,
    torch::{python, Computing, Torch, Wait, EXAMPLE},
    Network,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A licence's text as records of a model: its tokens are bytes less 32.
fn records(tokens: usize, count: usize) -> Vec<u8> {
    let text = include_bytes!("../../../LICENSE");
    let tokens_of = |window: &[u8]| {
        window
            .iter()
            .map(|c| c.saturating_sub(32))
            .collect::<Vec<u8>>()
    };
    let windows = text.windows(tokens + 1).step_by(tokens / 2).take(count);
    windows.flat_map(tokens_of).collect()
}

#[test]
fn pytorch_computes_what_the_machine_computes() -> Result<()> {
    for tied in [false, true] {
        let shape = Transformer {
            vocab: 96,
            tokens: 64,
            width: 64,
            heads: 4,
            hidden: 256,
            layers: 2,
            tied,
        };
        let graph = Graph::transformer(&shape);
        // Bolder than at the start of a training, so that a wrong layer would show; and biases.
        let first = initial_weights(&graph, 1).into_iter();
        let bolder = |(place, w): (usize, i16)| {
            let most = i32::from(MASTER_BOUND);
            let bias = (place as i32 * 7_919).rem_euclid(2_001) - 1_000;
            let w = if w == 0 { bias } else { i32::from(w) * 3 / 2 };
            w.clamp(-most, most) as i16
        };
        let weights: Vec<i16> = first.enumerate().map(bolder).collect();
        let records = records(64, 24);
        let samples = Samples::new(graph.inputs, graph.classes(), &records)?;
        let exact = Reference.losses(&graph, &weights, &samples)?;

        let folder = tempfile::tempdir()?;
        // Without the rounding it is a plain model in f32: what the weights mean.
        for (rounded, mean_bound, bound) in [(true, 0.005, 0.02), (false, 0.02, 0.08)] {
            let computing = Computing {
                heads: shape.heads,
                threads: 1,
                rounded,
                wait: Wait::Asleep,
            };
            let mut torch = Torch::start(folder.path(), &graph, &weights, &records, computing)?;
            let (bits, _) = torch.evaluate(5)?;
            assert_eq!(bits.len(), exact.len());
            let apart = |(exact, bits): (&u32, &f64)| (f64::from(*exact) / 65_536.0 - bits) / 64.0;
            let apart: Vec<f64> = exact.iter().zip(&bits).map(apart).collect();
            let mean = apart.iter().sum::<f64>() / apart.len() as f64;
            let most = apart.iter().fold(0.0, |most: f64, a| most.max(a.abs()));
            println!("tied {tied}, rounded {rounded}: {mean:.5} bits a token apart, a record at most {most:.5}");
            assert!(mean.abs() < mean_bound, "{mean} bits a token apart");
            assert!(most < bound, "a record is {most} bits a token apart");
        }
    }
    Ok(())
}

/// Writes a model as a trainer may.
const WRAPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/torch_wrapped.py");

#[test]
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
    // Seven bits of a weight and a sign, which bfloat16 holds.
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

/// A small language model, and what is enough of Shakespeare to score it.
pub const SMALL_TRANSFORMER: &str = r#"
kind = "transformer"
vocab = 84
tokens = 32
width = 64
heads = 2
hidden = 128
layers = 1
"#;
const SHARDS: &str = "--shards=2 --shard-samples=100";

/// Trains `base` with the worked example, and gives the file that it writes.
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
async fn what_pytorch_trains_is_paid() -> Result<()> {
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let model = network.folder().join("model.toml");
    fs::write(&model, SMALL_TRANSFORMER)?;
    let size = format!("--model={} {SHARDS}", model.display());
    let task = network.open_task(&size, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;

    let base = network.folder().join("base.safetensors");
    let command = format!("weights --task={} --out={}", task.0, base.display());
    network.run("One", &command).await?;
    let trained = train(&network, &base).await?;
    let (base, trained) = (base.display(), trained.display());
    let command = format!("submit --task={} --base={base} --weights={trained}", task.0);
    let _submission = network.daemon("One", &command)?;

    // A round that nobody commits to rolls on: it is the first one however long the training took.
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    let claim = round.claim.context("settled on a claim")?;
    assert!(claim.merged.is_some_and(|merged| merged.gain > 0));
    let claimed = network
        .run("One", &format!("claim --task={}", task.0))
        .await?;
    let submissions = network.all_claimed(&round, ROUND_LIMIT).await?;
    let paid = submissions[0].claimed.context("it was claimed")?.paid;
    assert!(paid > 0);
    assert_eq!(claimed["paid"], paid.to_string());
    what_came_out(&network, task, paid).await
}

/// What the sponsor takes home: a report of what was paid, a model for other runtimes, and what the model says of a text.
async fn what_came_out(network: &Network, task: TaskId, paid: u128) -> Result<()> {
    let file = |name: &str| network.folder().join(name);
    let [report, model, text, tokens] =
        ["report.md", "model.onnx", "text.txt", "tokens.csv"].map(file);
    let command = format!("task report --task={} --out={}", task.0, report.display());
    let told = network.run("Sponsor", &command).await?;
    assert_eq!(told["paid_to_contributors"], paid.to_string());
    assert!(fs::read_to_string(&report)?.contains("## Contributors"));
    assert!(report.with_extension("svg").is_file());

    let command = format!("weights --task={} --out={}", task.0, model.display());
    assert_eq!(network.run("Sponsor", &command).await?["format"], "onnx");

    fs::write(&text, "To be, or not to be")?;
    let (data, out) = (text.display(), tokens.display());
    let command = format!("predict --task={} --data={data} --out={out}", task.0);
    assert_eq!(network.run("Sponsor", &command).await?["tokens"], 18);
    // A row for the head, and one for each character but the first. Tokens may be ends of lines, in quotes.
    let written = fs::read_to_string(&tokens)?;
    let mut is_quoted = false;
    let ends = written.chars().filter(|character| {
        is_quoted ^= *character == '"';
        *character == '\n' && !is_quoted
    });
    assert_eq!(ends.count(), 19);
    Ok(())
}
