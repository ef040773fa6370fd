//! `gotong attest`: evaluates the rounds that draw the account, until stopped.

use super::{scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::run::{Attest as Daemon, Capacity, Stop};
use anyhow::ensure;
use gotong_protocol::{bounds, TaskId};
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong attest --dev Charlie\n  gotong attest --dev Charlie --task 0 --task 3\n\n\
                        Tests the device first, refuses to attest on one that fails, and checks it in every round. Offers \
                        seats on the chain, which draws attesters by chance, and takes the offer back when it ends. Answers \
                        audits, defends its tables in disputes, and disputes other attesters' tables that differ: keep some \
                        GTG free for bonds."
)]
pub struct Attest {
    /// Attest only this task; repeat the option to name several
    #[arg(long)]
    task: Vec<u32>,
    /// The most seats to hold at once, across all tasks. With 0, it takes the offer back, serves the seats that it still
    /// holds, and ends
    #[arg(long, value_name = "N", default_value_t = Capacity::SEATS)]
    seats: u8,
    /// The most work to take on at once: 1 is the most that a single task may ask for, and what a slow processor can do
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    #[command(flatten)]
    scoring: ScoringArgs,
    #[command(flatten)]
    tipping: Tipping,
    /// Leave disputes alone: for drills
    #[arg(long, hide = true)]
    stall: bool,
}

pub async fn run(args: Attest, globals: &Globals) -> anyhow::Result<()> {
    let tasks: BTreeSet<_> = args.task.into_iter().map(TaskId).collect();
    ensure!(
        tasks.len() <= bounds::MAX_OFFERED_TASKS as usize,
        "an offer names at most {} tasks: leave out --task to offer for every task that you can serve",
        bounds::MAX_OFFERED_TASKS
    );
    let scoring = args.scoring.options(globals.folder()?).await?;
    let capacity = Capacity {
        seats: args.seats,
        // Far below the range of either.
        products: (args.speed * bounds::COST_PER_BLOCK as f64) as u64,
    };
    let daemon = Daemon::new(globals.signer()?, globals.dirs()?, scoring, capacity, tasks);
    let max_tip = args.tipping.max_tip();
    let stop = Stop::on_signals()?;
    let daemon = daemon.stalling(args.stall);
    Ok(daemon.run(globals.nodes(), max_tip, &stop).await?)
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match (0.001..=1_000.0).contains(&speed) {
        true => Ok(speed),
        false => Err("not between 0.001 and 1000".into()),
    }
}
