//! `gotong contribute`: trains and submits, round after round.

use super::{data::Data, Globals};
use crate::{
    run::{drive, Contribute as Daemon, DeltaSource, Seed, Stop, Strategy, Training, NO_TIP},
    training::{data::Use, DeviceChoice, TrainingOptions},
};
use anyhow::Context;
use gotong_protocol::{RoundId, TaskId};
use std::{str::FromStr, sync::Arc};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong contribute --dev Bob --task 0 --part 1/4\n\n\
                  Restart it at any time: it goes on where it was, and commits once a round."
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
    /// Updates of the weights in a round [default: what suits the task's architecture]
    #[arg(long, value_parser = at_least_one)]
    steps: Option<usize>,
    /// Samples of one update [default: what suits the task's architecture]
    #[arg(long, value_parser = at_least_one)]
    batch: Option<usize>,
    /// Step size of the boldest update [default: what suits the task's architecture]
    #[arg(long, value_parser = learning_rate)]
    learning_rate: Option<f64>,
    /// Repeat the same training, for experiments only: whoever guesses the seed can train your delta and commit it
    /// first. It is mixed with account, task and round [default: drawn by the system for every training]
    #[arg(long)]
    seed: Option<u64>,
    /// Where to train
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
    /// Parameters to keep in a delta, in thousandths; the rest goes into the next
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    keep_permille: u32,
    /// Stop before this round
    #[arg(long, value_name = "ROUND")]
    until_round: Option<u32>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number: Option<usize> = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is not a number from 1 on"))
}

fn learning_rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| format!("`{text}` is not a step size such as 0.003"))
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
        options: TrainingOptions {
            steps: args.steps,
            batch: args.batch,
            learning_rate: args.learning_rate,
        },
        seed: args.seed.map_or(Seed::System, Seed::Given),
        device: args.device.open()?,
        strategy: args.strategy,
    };
    let mut daemon = Daemon::new(
        globals.signer()?,
        globals.dirs()?,
        task,
        DeltaSource::Train(training),
        args.keep_permille,
        args.until_round.map(RoundId),
    );
    Ok(drive(&globals.node, NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_train_is_refused() {
        assert_eq!(at_least_one("7"), Ok(7));
        assert_eq!(learning_rate("3e-3"), Ok(0.003));
        for wrong in ["0", "-1", "nan", "inf", "x"] {
            assert!(at_least_one(wrong).is_err(), "{wrong}");
            assert!(learning_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_count_from_one() {
        assert_eq!("2/4".parse(), Ok(Part { index: 2, of: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
