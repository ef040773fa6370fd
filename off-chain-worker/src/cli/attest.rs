//! `gotong attest`: evaluates the rounds that draw the account, until stopped.

use super::{output::Amount, scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::run::{attesting_programs, free_memory, Attest as Daemon, Capacity, Conditions, Stop};
use anyhow::ensure;
use gotong_evaluation::reliable_speed;
use gotong_protocol::{bounds, TaskId};
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong attest --dev Charlie\n  gotong attest --dev Charlie --task 0 --task 3\n\n\
                        Tests the device first, refuses to attest on one that fails, and checks it in every round. Offers \
                        seats in tasks that it has caught up with, that fit into the free memory, and that pay for the calls; \
                        the chain draws attesters among those who offer. Takes the offer back when it ends, or when too little \
                        GTG is free to pay for calls. Answers audits, defends its tables in disputes, and disputes other \
                        attesters' tables that differ: keep some GTG free for bonds."
)]
pub struct Attest {
    /// Attest only this task; repeat the option to name several
    #[arg(long)]
    task: Vec<u32>,
    /// The most seats to hold at once, across all tasks; fewer are offered if there is no memory for them. With 0, it takes the
    /// offer back, serves the seats that it still holds, and ends
    #[arg(long, value_name = "N", default_value_t = Capacity::SEATS)]
    seats: u8,
    /// The most work to take on at once. 1 is what a slow processor can do, and the most that one task may require. A value
    /// below 1 also limits memory to that part of what is free; otherwise all attesting programs on this machine share the free
    /// memory evenly [default: what this processor and device are measured to do, at most 1, divided by the number of these
    /// programs]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// Offer only tasks whose rounds can pay a seat at least this much, in GTG. The default is what the calls for a seat cost
    #[arg(long, value_name = "GTG", default_value_t = Amount(Conditions::CALLS))]
    least_pay: Amount,
    #[command(flatten)]
    scoring: ScoringArgs,
    #[command(flatten)]
    tipping: Tipping,
    /// The most deltas that a round has: for networks whose contributors are known, such as the demo's. If there are more, the
    /// system may kill the program for its memory
    #[arg(
        long,
        hide = true,
        value_name = "N",
        default_value_t = u32::MAX,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    most_deltas: u32,
    /// Leave disputes alone: for drills
    #[arg(long, hide = true)]
    stall: bool,
}

pub async fn run(args: Attest, globals: &Globals) -> anyhow::Result<()> {
    let conditions = args.conditions();
    let tasks: BTreeSet<_> = args.task.into_iter().map(TaskId).collect();
    ensure!(
        tasks.len() <= bounds::MAX_OFFERED_TASKS as usize,
        "an offer names at most {} tasks: leave out --task to offer for every task that you can serve",
        bounds::MAX_OFFERED_TASKS
    );
    let scoring = args.scoring.options(globals.folder()?).await?;
    let products = match args.speed {
        // Far below the limit of either type.
        Some(speed) => (speed * bounds::COST_PER_BLOCK as f64) as u64,
        None => bounds::COST_PER_BLOCK,
    };
    let measured = match args.speed {
        None if args.seats > 0 => {
            let backend = scoring.backend.clone();
            Some(tokio::task::spawn_blocking(move || reliable_speed(&backend)).await??)
        }
        // Nothing new is taken on, or the user has decided.
        _ => None,
    };
    let capacity = Capacity {
        seats: args.seats,
        products,
    };
    let daemon = Daemon::new(globals.signer()?, globals.dirs()?, scoring, capacity, tasks);
    let max_tip = args.tipping.max_tip();
    let stop = Stop::on_signals()?;
    let daemon = daemon.stalling(args.stall).on_conditions(conditions);
    let daemon = daemon.measured_at(measured);
    Ok(daemon.run(globals.nodes(), max_tip, &stop).await?)
}

impl Attest {
    /// Which tasks to serve.
    fn conditions(&self) -> Conditions {
        Conditions {
            memory: free_memory,
            memory_part: self.speed.filter(|speed| *speed < 1.0),
            programs: attesting_programs,
            is_alone: self.task.len() == 1,
            most_deltas: self.most_deltas,
            least_pay: self.least_pay.0,
        }
    }
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
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn conditions(options: &str) -> Conditions {
        let line = format!("gotong attest --dev Charlie {options}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        match cli.command {
            Command::Attest(attest) => attest.conditions(),
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn a_speed_below_one_is_a_part_of_the_memory_too() {
        for (options, part) in [
            ("", None),
            ("--speed 1", None),
            ("--speed 4", None),
            ("--speed 0.25", Some(0.25)),
        ] {
            assert_eq!(conditions(options).memory_part, part, "{options}");
        }
    }

    #[test]
    fn rounds_of_other_tasks_are_replayed_unless_one_is_named() {
        assert!(!conditions("").is_alone && !conditions("--task 1 --task 2").is_alone);
        assert!(conditions("--task 1").is_alone);
    }

    #[test]
    fn rounds_count_as_full_unless_their_contributors_are_known() {
        assert_eq!(conditions("").most_deltas, u32::MAX);
        assert_eq!(conditions("--most-deltas 5").most_deltas, 5);
    }
}
