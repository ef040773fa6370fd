//! `make soak`: a network whose processes are killed at random for as long as you like, one after another. In the end all
//! are up, the round under way ends, and the books are looked at. The last line is JSON; the last three of its fields are 0 if
//! nothing went wrong, and the program fails if they are not.
//!
//! Two nodes (an authority and one that follows it), a sponsor, contributors and honest attesters on both of them, and one attester
//! that lies. Nothing that is killed stays down for longer than the windows of a round allow: who is away longer than that loses
//! stake, and should.

use anyhow::{ensure, Context, Result};
use clap::Parser;
use gotong::process::{Node, Running};
use gotong_protocol::{RoundId, TaskId};
use gotong_tests::{connect, issuance::Money, key, Network, UNIT};
use rand::{rngs::StdRng, Rng, SeedableRng};
use std::{
    ops::RangeInclusive,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const CONTRIBUTORS: [&str; 2] = ["One", "Two"];
const ATTESTERS: [&str; 3] = ["Judith", "Judas", "Jude"];
const LIAR: &str = "Liar";

/// What a contributor and an attester put on hold.
const STAKES: [u128; 2] = [100 * UNIT, 1_000 * UNIT];
/// The sponsor's budget, in GTG.
const BUDGET: u128 = 1_000;

/// Seconds between one kill and the next.
const PAUSE: RangeInclusive<u64> = 2..=12;
/// Seconds that a process stays dead, or a node alone.
const AWAY: RangeInclusive<u64> = 0..=5;
/// Longest wait for the round under way to end, once nothing is killed any more.
const LAST_ROUND: Duration = Duration::from_secs(900);

/// Kills the processes of a network at random.
#[derive(Parser)]
struct Arguments {
    /// How long to kill
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// What decides which process is killed when: the same seed, the same order
    #[arg(long)]
    seed: Option<u64>,
}

/// A daemon that is started again.
struct Worker {
    account: &'static str,
    command: String,
    running: Running,
}

/// What is killed, and how often it was.
struct Soak {
    network: Network,
    follower: Node,
    /// Both nodes, as a worker takes them: the one that it begins with first.
    routes: [String; 2],
    workers: Vec<Worker>,
    random: StdRng,
    kills: u32,
    partitions: u32,
}

impl Soak {
    /// Starts all of it, and a task of many rounds.
    async fn start(seed: u64) -> Result<(Self, TaskId)> {
        let accounts = [&["Sponsor", LIAR][..], &CONTRIBUTORS, &ATTESTERS].concat();
        let network = Network::start(&accounts).await?;
        let follower = network.follower("follower").await?;
        let attesters = [&ATTESTERS[..], &[LIAR]].concat();
        network.register(&CONTRIBUTORS, &attesters).await?;
        // Windows in which a process may be dead for a while. They end once all have acted, but for the challenge.
        let command = format!(
            "task open --name=soak --init-seed=1 --price=0.01 --cap=100 --budget={BUDGET} --fee-permille=100 \
             --commit-blocks=60 --reveal-blocks=60 --attest-blocks=60 --challenge-blocks=30 --weight-cap=1000 \
             --model=mlp:784,32,10 --shards=36 --shard-samples=200 --seats={}",
            attesters.len()
        );
        let opened = network.run("Sponsor", &command).await?;
        let task = opened["task"]
            .as_u64()
            .context("`task open` names the task")?;
        let task = TaskId(u32::try_from(task)?);

        let (one, other) = (network.node.url(), follower.url());
        let mut soak = Self {
            routes: [format!("{one},{other}"), format!("{other},{one}")],
            network,
            follower,
            workers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            kills: 0,
            partitions: 0,
        };
        soak.employ("Sponsor", format!("sponsor --task={}", task.0))?;
        for (part, name) in CONTRIBUTORS.into_iter().enumerate() {
            let of = CONTRIBUTORS.len();
            let command = format!(
                "contribute --task={} --part={}/{of} --steps=30",
                task.0,
                part + 1
            );
            soak.employ(name, command)?;
        }
        // Both nodes are ours.
        for name in ATTESTERS {
            soak.employ(name, "attest --device=flex --trust-nodes".to_owned())?;
        }
        soak.employ(
            LIAR,
            "attest --device=flex --trust-nodes --lie=loss".to_owned(),
        )?;
        Ok((soak, task))
    }

    fn employ(&mut self, account: &'static str, command: String) -> Result<()> {
        let route = &self.routes[self.workers.len() % 2];
        let running = self.network.daemon_at(route, account, &command)?;
        self.workers.push(Worker {
            account,
            command,
            running,
        });
        Ok(())
    }

    /// Waits, then takes something away for a while.
    async fn strike(&mut self) -> Result<()> {
        pause(self.random.random_range(PAUSE)).await;
        let victim = self.random.random_range(0..self.workers.len() + 3);
        let away = self.random.random_range(AWAY);
        match self.workers.get_mut(victim) {
            Some(worker) => {
                worker.running.kill();
                eprintln!("soak: killed {} for {away} s", worker.account);
                pause(away).await;
                let route = &self.routes[victim % 2];
                let (account, command) = (worker.account, &worker.command);
                worker.running = self.network.daemon_at(route, account, command)?;
                self.kills += 1;
            }
            None => match victim - self.workers.len() {
                0 => {
                    self.network.node.kill();
                    eprintln!("soak: killed the authority for {away} s");
                    pause(away).await;
                    self.network.crash_node().await?;
                    self.kills += 1;
                }
                1 => {
                    self.follower.kill();
                    eprintln!("soak: killed the follower for {away} s");
                    pause(away).await;
                    self.join_follower(&[]).await?;
                    self.kills += 1;
                }
                _ => {
                    // It answers, and hears of no block.
                    self.join_follower(&["--reserved-only"]).await?;
                    eprintln!("soak: cut the follower off for {away} s");
                    pause(away).await;
                    self.join_follower(&[]).await?;
                    self.partitions += 1;
                }
            },
        }
        Ok(())
    }

    async fn join_follower(&mut self, more: &[&str]) -> Result<()> {
        self.follower.restart_with(more)?;
        connect(&mut self.follower).await?;
        Ok(())
    }

    /// Starts again what has ended by itself, such as a worker that found no node. A liar that is convicted stays away.
    fn revive(&mut self) -> Result<()> {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            if worker.running.check().is_err() && worker.account != LIAR {
                eprintln!("soak: {} had ended", worker.account);
                let route = &self.routes[index % 2];
                let (account, command) = (worker.account, &worker.command);
                worker.running = self.network.daemon_at(route, account, command)?;
            }
        }
        Ok(())
    }

    /// Stake of honest accounts that is gone, in planck.
    async fn honest_stake_lost(&self) -> Result<u128> {
        let moment = self.network.client.best().await?;
        let mut lost = 0;
        for (names, stake) in [&CONTRIBUTORS[..], &ATTESTERS].into_iter().zip(STAKES) {
            for name in names {
                let account = key(name).public_key().0;
                let view = moment.stake(&account).await?;
                let left = view.map_or(0, |view| {
                    view.stake + view.unbonding.map_or(0, |(amount, _)| amount)
                });
                lost += stake.saturating_sub(left);
            }
        }
        Ok(lost)
    }

    /// By how much the books are wrong, in planck: all money, and the task's budget.
    async fn money_difference(&self, task: TaskId) -> Result<u128> {
        let money = Money::at(&self.network.node.url()).await?;
        let view = self.network.task(task).await?;
        let budget = view.pool + view.reserved + view.paid;
        Ok(money.difference() + budget.abs_diff(BUDGET * UNIT))
    }

    /// Rounds that have started: how many, and how many of them have no end.
    async fn rounds(&self, task: TaskId, last: RoundId) -> Result<(u32, u32)> {
        let moment = self.network.client.best().await?;
        let mut unended = 0;
        for round in 0..=last.0 {
            // What the chain does not know any more has ended.
            let view = moment.round(task, RoundId(round)).await?;
            unended += u32::from(view.is_some_and(|view| view.outcome.is_none()));
        }
        Ok((last.0 + 1, unended))
    }

    /// Disputes that there were.
    async fn disputes(&self) -> Result<u32> {
        let moment = self.network.client.best().await?;
        let open = moment.disputes(None).await?.into_iter().map(|one| one.id);
        let closed = moment.verdicts().await?.into_iter().map(|one| one.id);
        Ok(open.chain(closed).map(|id| id.0 + 1).max().unwrap_or(0))
    }
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { seconds, seed } = Arguments::parse();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = seed.unwrap_or(now.map_or(0, |now| now.as_secs()));
    eprintln!("soak: --seconds {seconds} --seed {seed}");
    let (mut soak, task) = Soak::start(seed).await?;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        soak.strike().await?;
        soak.revive()?;
    }
    let last = soak.network.task(task).await?.round;
    eprintln!("soak: all is up; waiting for the end of round {last}");
    soak.revive()?;
    // Whether it ends is told below.
    if let Err(error) = soak.network.ended(task, last.0, LAST_ROUND).await {
        eprintln!("soak: {error:#}");
    }
    let (rounds, unended_rounds) = soak.rounds(task, last).await?;
    let honest_stake_lost = soak.honest_stake_lost().await?;
    let money_difference = soak.money_difference(task).await?;
    let disputes = soak.disputes().await?;
    let (seconds, kills, partitions) = (started.elapsed().as_secs(), soak.kills, soak.partitions);
    println!(
        "{{\"seconds\": {seconds}, \"seed\": {seed}, \"kills\": {kills}, \"partitions\": {partitions}, \"rounds\": {rounds}, \
         \"disputes\": {disputes}, \"honest_stake_lost\": {honest_stake_lost}, \"money_difference\": {money_difference}, \
         \"unended_rounds\": {unended_rounds}}}"
    );
    ensure!(
        honest_stake_lost == 0 && money_difference == 0 && unended_rounds == 0,
        "something was lost: run it again with --seed {seed}"
    );
    Ok(())
}
