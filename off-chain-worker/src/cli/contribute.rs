//! `gotong contribute`: trains and submits, round after round.

use super::{
    data_options::{Data, ReadingArgs},
    training::{at_least_one, TrainingArgs},
    Globals,
};
use crate::run::{
    awaited_task, drive, spare_memory, task_recipe, Contribute as Daemon, ContributeAll,
    DeltaSource, SampleSource, Seed, Stop, Strategy, TrainingPlan, NO_TIP,
};
use anyhow::{ensure, Context};
use burn::tensor::Device;
use gotong_data::Recipe;
use gotong_protocol::{Graph, RoundId, TaskId};
use gotong_training::{
    data::{Labelled, Part},
    stock_model, DeviceChoice, TestedDevice,
};
use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong contribute --dev Bob --task 0 --train flowers/train.records\n  \
                  gotong contribute --dev Bob --task 0 --train mine.csv more.csv\n  \
                  gotong contribute --dev Bob --task 0 --part 1/4\n  \
                  gotong contribute --dev Bob --task auto\n\n\
                  You can restart it at any time: it resumes from its last training checkpoint, and commits only once per \
                  round."
)]
pub struct Contribute {
    /// The task, or `auto`: every task that you have the stake and the data for, training for one at a time. Each task gets a
    /// share of your time in proportion to what it pays all contributors per block
    #[arg(long, value_name = "ID|auto")]
    task: Tasks,
    /// Train on one part of the data only: 2/4 is the second of four equal parts. A part of a text is contiguous. If the files
    /// are your own, the other parts take no memory
    #[arg(long, default_value = "1/1", value_name = "I/N")]
    part: Part,
    /// Train on your own files: tables, text, arrays, images or records, all of one format. The task's recipe turns them into
    /// samples. They never leave this machine
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "data")]
    train: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Files of your own")]
    reading: ReadingArgs,
    #[command(flatten)]
    data: Data,
    /// What to submit
    #[arg(long, value_enum, default_value = "honest")]
    strategy: Strategy,
    #[command(flatten)]
    training: TrainingArgs,
    /// Seed that makes training repeatable, for experiments only: whoever guesses it can train your delta and commit it first.
    /// Account, task and round are mixed in [default: a new random seed for every training]
    #[arg(long)]
    seed: Option<u64>,
    /// Where to train
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
    /// Cores to train and score rounds on [default: all]. If several workers share a machine, divide the cores among them
    #[arg(long, value_name = "CORES", value_parser = at_least_one)]
    threads: Option<usize>,
    /// Seconds between checkpoints of the training. After a restart with the same options, it resumes from the last one.
    /// Checkpoints never take more than 5 % of the time; 0 writes one after every update
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    checkpoint_every: u64,
    /// Stop before this round
    #[arg(long, value_name = "ROUND")]
    until_round: Option<u32>,
}

/// What `--task` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tasks {
    /// Every task that the account may contribute to and that there is data for.
    Auto,
    /// One task.
    One(TaskId),
}

impl FromStr for Tasks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            id => id
                .parse()
                .map(|id| Self::One(TaskId(id)))
                .map_err(|_| format!("`{text}` is neither a task's number nor `auto`")),
        }
    }
}

impl Contribute {
    fn plan(&self) -> TrainingPlan {
        let samples = match self.train.is_empty() {
            true => SampleSource::Published {
                folder: self.data.folder.path(),
                set: self.data.data,
            },
            false => SampleSource::Own {
                files: self.train.clone(),
                options: self.reading.options(),
            },
        };
        TrainingPlan {
            samples,
            part: self.part,
            keep_permille: self.training.kept(),
            options: self.training.options(),
            seed: self.seed.map_or(Seed::System, Seed::Given),
            checkpoint_every: Duration::from_secs(self.checkpoint_every),
            strategy: self.strategy,
        }
    }
}

pub async fn run(args: Contribute, globals: &Globals) -> anyhow::Result<()> {
    if let Some(threads) = args.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().context("cannot start threads")?;
    }
    match args.task {
        Tasks::Auto => {
            ensure!(
                args.until_round.is_none(),
                "`--until-round` needs one task, such as `--task 0`"
            );
            let (graph, data) = stock_model();
            let device = tested(args.device.open()?, graph, Arc::new(data)).await?;
            let (signer, dirs) = (globals.signer()?, globals.dirs()?);
            let mut daemon = ContributeAll::new(signer, dirs, args.plan(), device);
            Ok(drive(globals.nodes(), NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
        }
        Tasks::One(task) => {
            let client = globals.client().await?;
            let view = awaited_task(&client, task).await?;
            let recipe = task_recipe(&client, &globals.dirs()?, &view).await?;
            let recipe = recipe.as_deref().map(Recipe::parse).transpose()?;
            let graph = view.graph;
            let (plan, device) = (args.plan(), args.device.open()?);
            let recipe = plan.samples.recipe(&graph, recipe.as_ref())?;
            let data = plan.data(&graph, &recipe, spare_memory())?;
            let device = tested(device, graph.clone(), data.clone()).await?;
            let mut daemon = Daemon::new(
                globals.signer()?,
                globals.dirs()?,
                task,
                DeltaSource::Train(plan.training(data, device)),
                plan.keep_permille(&graph),
                args.until_round.map(RoundId),
            );
            Ok(drive(globals.nodes(), NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
        }
    }
}

/// The device, once it has trained this model.
async fn tested(device: Device, graph: Graph, data: Arc<Labelled>) -> anyhow::Result<TestedDevice> {
    let test = move || TestedDevice::test(device, &graph, &data);
    Ok(tokio::task::spawn_blocking(test).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_number_or_auto() {
        assert_eq!("7".parse(), Ok(Tasks::One(TaskId(7))));
        assert_eq!("auto".parse(), Ok(Tasks::Auto));
        for wrong in ["", "-1", "all", "4294967296"] {
            assert!(wrong.parse::<Tasks>().is_err(), "{wrong}");
        }
    }
}
