//! A file of weights, whoever trained it, is submitted by the commands of a page and paid, and its sponsor takes the model home.

use crate::{tutorials::Section, ROUND_LIMIT, SMALL_TRANSFORMER};
use anyhow::{bail, Context, Result};
use gotong_protocol::{TaskId, TaskState};
use gotong_tests::{assert_settled, equality::learned, Network};
use gotong_training::{data::DataSet, weights_file, DeviceChoice};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Enough of Shakespeare to score the model.
const SHARDS: &str = "--shards=2 --shard-samples=100";

const CONTRIBUTORS: Section = Section {
    page: include_str!("../../../docs/contributors.md"),
    heading: "## Bring your own trainer",
};

/// What follows an option of a command.
fn value(command: &[&'static str], option: &str) -> Result<&'static str> {
    let value = command.iter().skip_while(|word| **word != option).nth(1);
    value
        .copied()
        .with_context(|| format!("{command:?} has no {option}"))
}

/// A command of a page without the program. Its files are those of a folder.
fn within(folder: &Path, command: &[&str]) -> String {
    let here = |word: &&str| match word.ends_with(".safetensors") {
        true => folder.join(word).display().to_string(),
        false => (*word).to_owned(),
    };
    let words: Vec<String> = command.iter().skip(1).map(here).collect();
    words.join(" ")
}

/// Opens a task with a small language model, trains its weights with `train`, which gets the file to start from and returns the one
/// that it wrote, submits them as a page says, and sees them paid.
pub async fn is_paid(
    section: &Section,
    train: impl AsyncFnOnce(&Network, &Path) -> Result<PathBuf>,
) -> Result<()> {
    let commands = section.commands();
    let [export, submit, claim] = &commands[..] else {
        bail!("three commands: {commands:?}");
    };
    let network = Network::start(&["Sponsor", "One", "Judith"]).await?;
    let model = network.folder().join("model.toml");
    fs::write(&model, SMALL_TRANSFORMER)?;
    let size = format!("--model={} {SHARDS}", model.display());
    let task = network.open_task(&size, &["One"], &["Judith"]).await?;
    let _sponsor = network.daemon("Sponsor", &format!("sponsor --task={}", task.0))?;
    let _attester = network.daemon("Judith", "attest")?;

    let folder = network.folder();
    let base = folder.join(value(export, "--out")?);
    network.run("One", &within(folder, export)).await?;
    let trained = train(&network, base.as_path()).await?;
    fs::rename(trained, folder.join(value(submit, "--weights")?))?;
    let _submission = network.daemon("One", &within(folder, submit))?;

    // A round that nobody commits to gets another window, so it is still the first one however long the training takes.
    let round = network.ended(task, 0, ROUND_LIMIT).await?;
    assert_settled(&round)?;
    let table = round.claim.context("settled on a claim")?;
    assert!(table.merged.is_some_and(|merged| merged.gain > 0));
    let claimed = network.run("One", &within(folder, claim)).await?;
    let submissions = network.all_claimed(&round, ROUND_LIMIT).await?;
    let paid = submissions[0].claimed.context("it was claimed")?.paid;
    assert!(paid > 0);
    assert_eq!(claimed["paid"], paid.to_string());
    what_came_out(&network, task, paid).await?;

    let close = format!("task close --task={}", task.0);
    network.run("Sponsor", &close).await?;
    network
        .until("the end of the task", ROUND_LIMIT, async |now| {
            let view = now.task(task).await?;
            Ok(view.filter(|view| view.state == TaskState::Closed))
        })
        .await?;
    what_came_out(&network, task, paid).await
}

/// What the sponsor takes home, during the task and after it: a report of what was paid, a model for other runtimes, and what the
/// model says about a text.
async fn what_came_out(network: &Network, task: TaskId, paid: u128) -> Result<()> {
    let state = format!("{:?}", network.task(task).await?.state);
    let file = |name: &str| network.folder().join(name);
    let [report, model, text, tokens] =
        ["report.md", "model.onnx", "text.txt", "tokens.csv"].map(file);
    let command = format!("task report --task={} --out={}", task.0, report.display());
    let told = network.run("Sponsor", &command).await?;
    assert_eq!(told["paid_to_contributors"], paid.to_string());
    assert_eq!(told["task"]["state"], state);
    let written = fs::read_to_string(&report)?;
    assert!(written.contains("## Contributors"), "{written}");
    assert!(
        written.contains(&format!("| state | {state} |")),
        "{written}"
    );
    assert!(report.with_extension("svg").is_file());

    let command = format!("weights --task={} --out={}", task.0, model.display());
    assert_eq!(network.run("Sponsor", &command).await?["format"], "onnx");

    fs::write(&text, "To be, or not to be")?;
    let (data, out) = (text.display(), tokens.display());
    let command = format!("predict --task={} --data={data} --out={out}", task.0);
    assert_eq!(network.run("Sponsor", &command).await?["tokens"], 18);
    // A row for the head, and one for each character except the first. Tokens may be line ends, in quotes.
    let written = fs::read_to_string(&tokens)?;
    let mut is_quoted = false;
    let ends = written.chars().filter(|character| {
        is_quoted ^= *character == '"';
        *character == '\n' && !is_quoted
    });
    assert_eq!(ends.count(), 19);
    Ok(())
}

/// Trains `base` outside of `gotong`, and returns the file that it writes.
async fn train(network: &Network, base: &Path) -> Result<PathBuf> {
    let graph = network.task(TaskId(0)).await?.graph;
    let (base, trained) = (
        base.to_owned(),
        network.folder().join("trained.safetensors"),
    );
    tokio::task::spawn_blocking(move || {
        let base = weights_file::read(&base, &graph)?.master;
        let weights = learned(DataSet::Shakespeare, &graph, base, DeviceChoice::Flex)?;
        weights_file::write(&trained, &graph, &weights)?;
        anyhow::Ok(trained)
    })
    .await?
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_another_program_trained_are_paid() -> Result<()> {
    is_paid(&CONTRIBUTORS, train).await
}
