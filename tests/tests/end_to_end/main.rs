//! Whole journeys with real processes. Small models and shards keep each under a minute or two.

mod disputes;
mod journeys;

use anyhow::{Context, Result};
use gotong_protocol::TaskId;
use gotong_tests::Network;
use std::time::Duration;

/// Longest wait for one round of a small task.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

/// What a small task is opened with, but for the number of attesters.
const SMALL_TASK: &str = "--name=small --model=mlp:784,32,10 --init-seed=1 --shards=6 \
    --shard-samples=200 --price=0.01 --cap=100 --pool=1000 --fee-permille=100 --commit-blocks=40 \
    --reveal-blocks=30 --attest-blocks=30 --challenge-blocks=6 --weight-cap=1000";

/// Registers everybody and opens a small task as `Sponsor`. All that may act are registered before
/// the first round, so that no phase ends early without one of them.
async fn small_task(
    network: &Network,
    contributors: &[&str],
    attesters: &[&str],
    quorum: usize,
) -> Result<TaskId> {
    for (names, role) in [
        (contributors, "--role=contributor --stake=100"),
        (attesters, "--role=attester --stake=1000"),
    ] {
        for name in names {
            network.run(name, &format!("register {role}")).await?;
        }
    }
    let seats = attesters.len();
    let opened = network
        .run(
            "Sponsor",
            &format!("task open {SMALL_TASK} --seats={seats} --quorum={quorum}"),
        )
        .await?;
    let id = opened["task"]
        .as_u64()
        .context("`task open` names the task")?;
    Ok(TaskId(u32::try_from(id)?))
}

/// What a contributor runs on its part of the training data.
fn contribute(task: TaskId, part: &str) -> String {
    format!("contribute --task={} --part={part} --steps=30", task.0)
}
