//! The five commands that lead from a file to a paid improvement, as they stand in README.md and docs/tour.md.

use crate::{
    own_data::{csv, flowers},
    ROUND_LIMIT,
};
use anyhow::{bail, ensure, Context, Result};
use gotong::process::sibling;
use gotong_protocol::TaskId;
use gotong_tests::{assert_settled, Network};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A page, and the heading over its commands.
struct Page {
    text: &'static str,
    heading: &'static str,
}

const README: Page = Page {
    text: include_str!("../../../README.md"),
    heading: "## Your own file",
};
const TOUR: Page = Page {
    text: include_str!("../../../docs/tour.md"),
    heading: "## From a file to a paid improvement",
};

/// The commands in the first code block under the page's heading, without the text that explains them.
fn commands(page: &Page) -> Vec<Vec<&'static str>> {
    let (_, section) = page.text.split_once(page.heading).unwrap_or_default();
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with("    gotong "));
    let lines = lines.take_while(|line| line.starts_with("    "));
    let words = |line: &'static str| {
        let command = line.split('#').next().unwrap_or(line);
        command.split_whitespace().skip(1).collect()
    };
    lines.map(words).collect()
}

/// A daemon that is stopped when it is dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Either call fails only if the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `gotong` with these arguments, as somebody runs it in `folder` who has said where the node is and where to keep state.
fn gotong(network: &Network, folder: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(sibling("gotong")?);
    command
        .args(arguments)
        .current_dir(folder)
        .env("GOTONG_NODE", network.node.url())
        .env("GOTONG_BASE_PATH", folder.join("state"))
        .stdin(Stdio::null());
    Ok(command)
}

/// One of this many rounds has to pay. It is all that `gotong task new` makes of a table of this length.
const ROUNDS: u32 = 2;

/// Runs the page's commands exactly as they stand there, and waits until a round has paid.
async fn lead_from_a_file_to_a_paid_round(page: &Page) -> Result<()> {
    let commands = commands(page);
    let [new, check, open, sponsor, contribute] = &commands[..] else {
        panic!("five commands: {commands:?}");
    };
    let attesters = ["Judith", "Judas", "Jude"];
    let network = Network::start(&["Bob", "Judith", "Judas", "Jude"]).await?;
    network.register(&["Bob"], &attesters).await?;
    let folder = network.folder().join("reader");
    fs::create_dir(&folder)?;
    fs::write(folder.join("flowers.csv"), csv(&flowers(1_200)))?;
    for arguments in [new, check, open] {
        let mut command = gotong(&network, &folder, arguments)?;
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
    }
    let mut daemons = Vec::new();
    for name in attesters {
        daemons.push(network.daemon(name, "attest")?);
    }
    let mut readers = Vec::new();
    for (name, arguments) in [("sponsor", sponsor), ("contribute", contribute)] {
        let log = File::create(folder.join(name))?;
        let mut command = gotong(&network, &folder, arguments)?;
        command.stdout(log.try_clone()?).stderr(log);
        readers.push(Daemon(command.spawn()?));
    }
    let mut unpaid = Vec::new();
    // What a round proves also depends on chance: on training, and on which samples are in its exam.
    for number in 0..ROUNDS {
        let round = network.ended(TaskId(0), number, ROUND_LIMIT).await;
        let round = round.with_context(|| format!("earlier rounds were not paid: {unpaid:?}"))?;
        assert_settled(&round)?;
        let submissions = network.all_claimed(&round, ROUND_LIMIT).await?;
        let claimed = submissions[0].claimed.context("it was claimed")?;
        eprintln!("round {number}: {claimed:?}");
        if claimed.paid > 0 {
            return Ok(());
        }
        unpaid.push(claimed);
    }
    bail!("none of {ROUNDS} rounds has paid: {unpaid:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_lead_from_a_file_to_a_paid_round() -> Result<()> {
    lead_from_a_file_to_a_paid_round(&README).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_tour_lead_from_a_file_to_a_paid_round() -> Result<()> {
    lead_from_a_file_to_a_paid_round(&TOUR).await
}
