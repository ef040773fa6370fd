//! `gotong contribute`: trains and submits, round after round.

use super::{data::Data, training::TrainingArgs, Globals};
use crate::{
    run::{drive, Contribute as Daemon, DeltaSource, Seed, Stop, Strategy, Training, NO_TIP},
    training::{data::Use, DeviceChoice},
};
use anyhow::Context;
use gotong_protocol::{RoundId, TaskId};
use std::{str::FromStr, sync::Arc, time::Duration};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong contribute --dev Bob --task 0 --part 1/4\n\n\
                  Restart it at any time: it goes on where it was, from the last checkpoint of its training, and commits \
                  once a round."
)]
pub struct Contribute {
    /// The task
    #[arg(long)]
    task: u32,
    /// Train on one of so many equal parts of the data only, such as 2/4: of text a contiguous one
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    part: Part,
    #[command(flatten)]
    data: Data,
    /// What to submit
    #[arg(long, value_enum, default_value = "honest")]
    strategy: Strategy,
    #[command(flatten)]
    training: TrainingArgs,
    /// Repeat the same training, for experiments only: whoever guesses the seed can train your delta and commit it
    /// first. It is mixed with account, task and round [default: drawn by the system for every training]
    #[arg(long)]
    seed: Option<u64>,
    /// Where to train
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
    /// Keep a checkpoint of the training every so many seconds, from which it goes on after a restart with the same options;
    /// less often if that took more than 5 % of the time; 0 keeps one after every update
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    checkpoint_every: u64,
    /// Stop before this round
    #[arg(long, value_name = "ROUND")]
    until_round: Option<u32>,
}

/// One of `of` equal parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    index: usize,
    of: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(index, of)| {
                let (index, of) = (index.parse().ok()?, of.parse().ok()?);
                (1..=of).contains(&index).then_some(Self { index, of })
            })
            .ok_or_else(|| format!("`{text}` is not a part such as 2/4"))
    }
}

pub async fn run(args: Contribute, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let view = globals.client().await?.best().await?.task(task).await?;
    let view = view.with_context(|| format!("there is no task {task}"))?;
    let data = args.data.load(Use::Training, &view.graph)?;
    let training = Training {
        data: Arc::new(data.part(args.part.index - 1, args.part.of)),
        options: args.training.options(),
        seed: args.seed.map_or(Seed::System, Seed::Given),
        device: args.device.open()?,
        checkpoint_every: Duration::from_secs(args.checkpoint_every),
        strategy: args.strategy,
    };
    let mut daemon = Daemon::new(
        globals.signer()?,
        globals.dirs()?,
        task,
        DeltaSource::Train(training),
        args.training.keep_permille(&view.graph),
        args.until_round.map(RoundId),
    );
    Ok(drive(&globals.node, NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_one() {
        assert_eq!("2/4".parse(), Ok(Part { index: 2, of: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
