//! Whole journeys with real processes. Small models and shards keep each of them under a minute or two, except for one that waits
//! for 600 blocks.

mod announce;
mod attesters;
mod bodies;
mod clients;
mod clocks;
mod disputes;
mod drawn;
mod fields;
mod finality;
mod floats;
mod forks;
mod full_disk;
mod journeys;
mod memory;
mod network;
mod nodes;
mod onnx;
mod operators;
mod own_data;
mod pytorch;
mod sklearn;
mod submitted;
mod top;
mod tutorials;
mod upgrade;

use anyhow::Result;
use gotong_protocol::TaskId;
use gotong_tests::Network;
use std::time::Duration;

/// Longest wait for one round of a small task.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

/// The model and the samples of a small task.
const SMALL: &str = "--model=mlp:784,32,10 --shards=6 --shard-samples=200";

/// A small language model of Shakespeare's characters.
const SMALL_TRANSFORMER: &str = r#"
kind = "transformer"
vocab = 84
tokens = 32
width = 64
heads = 2
hidden = 128
layers = 1
"#;

/// Registers everybody and opens a small task as `Sponsor`.
async fn small_task(
    network: &Network,
    contributors: &[&str],
    attesters: &[&str],
) -> Result<TaskId> {
    network.open_task(SMALL, contributors, attesters).await
}

/// The command of a contributor on its part of the training data.
fn contribute(task: TaskId, part: &str) -> String {
    format!("contribute --task={} --part={part} --steps=30", task.0)
}
