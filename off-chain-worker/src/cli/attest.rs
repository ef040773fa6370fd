//! `gotong attest`: evaluates the rounds that draw the account, until stopped.

use super::{output::Amount, scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::{
    chain::Nodes,
    evaluation::products_per_second,
    run::{free_memory, Attest as Daemon, Capacity, Conditions, ScorerOptions, Stop},
};
use anyhow::ensure;
use gotong_protocol::{bounds, TaskId};
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong attest --dev Charlie\n  gotong attest --dev Charlie --task 0 --task 3\n\n\
                        Tests the device first, refuses to attest on one that fails, and checks it in every round. Offers \
                        seats on the chain, which draws attesters by chance, in tasks that it has caught up with, that fit \
                        into the free memory, and that pay for the calls. Takes the offer back when it ends, or when too \
                        little is free to pay for calls. Answers audits, defends its tables in disputes, and disputes other \
                        attesters' tables that differ: keep some GTG free for bonds."
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
    /// [default: 1, or less if this processor is measured to be slower]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// GTG that a round has to be able to pay for a seat; a task that cannot is not offered. The default is what the calls for
    /// a seat cost
    #[arg(long, value_name = "GTG", default_value_t = Amount(Conditions::CALLS))]
    least_pay: Amount,
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
    let products = match args.speed {
        // Far below the range of either.
        Some(speed) => (speed * bounds::COST_PER_BLOCK as f64) as u64,
        None if args.seats == 0 => bounds::COST_PER_BLOCK,
        None => measured(&scoring, globals.nodes()).await?,
    };
    let capacity = Capacity {
        seats: args.seats,
        products,
    };
    let conditions = Conditions {
        memory: free_memory(),
        least_pay: args.least_pay.0,
    };
    let daemon = Daemon::new(globals.signer()?, globals.dirs()?, scoring, capacity, tasks);
    let max_tip = args.tipping.max_tip();
    let stop = Stop::on_signals()?;
    let daemon = daemon.stalling(args.stall).on_conditions(conditions);
    Ok(daemon.run(globals.nodes(), max_tip, &stop).await?)
}

/// Products of a block that this machine can take on, if a device does not evaluate them.
async fn measured(scoring: &ScorerOptions, nodes: &Nodes) -> anyhow::Result<u64> {
    if scoring.backend.device().is_some() {
        return Ok(bounds::COST_PER_BLOCK);
    }
    let speed = tokio::task::spawn_blocking(products_per_second).await??;
    let asked = async { nodes.connect().await?.best().await?.block_millis() };
    // Whether there is a node is told by the daemon, which waits for one.
    let products = capacity(speed, asked.await.unwrap_or_default());
    if products < bounds::COST_PER_BLOCK {
        tracing::warn!(
            "this processor evaluates {:.1} billion products in a second, which is less than tasks may ask for: less work is \
             taken on at once. If that is wrong, give --speed",
            speed / 1e9
        );
    }
    Ok(products)
}

/// Products of a block that are offered with this speed, in products a second. A block counts as a second if it takes less: for
/// such blocks the chain admits tasks. Rounded down to a power of two, so that restarts offer the same.
fn capacity(speed: f64, block_millis: u64) -> u64 {
    let of_block = speed * block_millis.max(1_000) as f64 / 1_000.0;
    let rounded = 1 << (of_block as u64).clamp(1, bounds::COST_PER_BLOCK).ilog2();
    bounds::COST_PER_BLOCK.min(rounded)
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match (0.001..=1_000.0).contains(&speed) {
        true => Ok(speed),
        false => Err("not between 0.001 and 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_offered_than_this_machine_can_do() {
        let slow_processor = bounds::COST_PER_BLOCK as f64;
        for (speed, block_millis, part) in [
            (slow_processor, 1_000, 1),
            (slow_processor * 9.0, 1_000, 1),
            (slow_processor - 1.0, 1_000, 2),
            (slow_processor / 5.0, 1_000, 8),
            // A block of six seconds leaves more time, and one of a moment no less than the chain counts with.
            (slow_processor / 5.0, 6_000, 1),
            (slow_processor / 5.0, 60, 8),
            (0.0, 0, bounds::COST_PER_BLOCK),
        ] {
            let expected = bounds::COST_PER_BLOCK / part;
            assert_eq!(
                capacity(speed, block_millis),
                expected,
                "{speed} {block_millis}"
            );
        }
    }
}
