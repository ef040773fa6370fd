//! `make soak`: a network whose processes are killed at random for as long as you like, one after another. In the end all
//! are up, the round under way ends, and the books are looked at. The last line is JSON; the last three of its fields are 0 if
//! nothing went wrong, and the program fails if they are not.
//!
//! Four authorities with a node each, a sponsor, contributors and honest attesters on different ones of them, and one attester that
//! lies. One authority at a time is killed or cut off, and has to be back, with what became final meanwhile, before the next
//! strike: so three of four are up at any time, and blocks become final. Nothing that is killed stays down for longer than the
//! windows of a round allow: who is away longer than that loses stake, and should.

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use gotong::{
    chain::Client,
    process::{Node, Running},
};
use gotong_protocol::{RoundId, TaskId};
use gotong_tests::{authorities::Authorities, connect, is_final, issuance::Money, key, UNIT};
use rand::{rngs::StdRng, Rng, SeedableRng};
use std::{
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The nodes of the authorities. The others name the first when they connect, and it names nobody: so it can be cut off.
const NODES: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
const CONTRIBUTORS: [&str; 2] = ["One", "Two"];
const ATTESTERS: [&str; 3] = ["Judith", "Judas", "Jude"];
const LIAR: &str = "Liar";

/// What a contributor and an attester put on hold.
const STAKES: [u128; 2] = [100 * UNIT, 1_000 * UNIT];
/// The sponsor's budget, in GTG.
const BUDGET: u128 = 1_000;
/// The shards of the task, one for each round. A round takes more than half a minute, for that long is its challenge.
const SHARDS: u64 = 36;

/// How much more often the first node is cut off than any process is killed.
const CUTS: usize = 2;
/// Seconds between one strike and the next.
const PAUSE: RangeInclusive<u64> = 2..=12;
/// Seconds that a process stays dead, or a node alone.
const AWAY: RangeInclusive<u64> = 0..=5;
/// How often a node is started that ends at once, as one does whose port another program has just taken.
const STARTS: u32 = 5;
/// Longest wait for a node that was away to know as final what the others had as their best block.
const CATCH_UP: Duration = Duration::from_secs(240);
/// Longest wait for the round under way to end, once nothing is killed any more.
const LAST_ROUND: Duration = Duration::from_secs(900);

/// Kills the processes of a network at random.
#[derive(Parser)]
struct Arguments {
    /// How long to kill. The task has 36 rounds, which take twenty minutes at least
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
    all: Authorities,
    workers: Vec<Worker>,
    random: StdRng,
    /// All the money at the start.
    money: Money,
    kills: u32,
    partitions: u32,
    /// Disputes that were seen.
    disputes: u32,
}

impl Soak {
    /// Starts all of it, and a task of many rounds.
    async fn start(seed: u64) -> Result<(Self, TaskId)> {
        let accounts = [&["Sponsor", LIAR][..], &CONTRIBUTORS, &ATTESTERS].concat();
        let all = Authorities::start(NODES.len(), NODES.len()).await?;
        let network = &all.network;
        network.endow(&accounts).await?;
        let attesters = [&ATTESTERS[..], &[LIAR]].concat();
        network.register(&CONTRIBUTORS, &attesters).await?;
        // Windows in which a process may be dead for a while. They end once all have acted, but for the challenge.
        let command = format!(
            "task open --name=soak --init-seed=1 --price=0.01 --cap=100 --budget={BUDGET} --fee-permille=100 \
             --commit-blocks=90 --reveal-blocks=90 --attest-blocks=90 --challenge-blocks=30 --weight-cap=1000 \
             --model=mlp:784,32,10 --shards={SHARDS} --shard-samples=200 --seats={}",
            attesters.len()
        );
        let opened = network.run("Sponsor", &command).await?;
        let task = opened["task"]
            .as_u64()
            .context("`task open` names the task")?;
        let task = TaskId(u32::try_from(task)?);

        let mut soak = Self {
            money: Money::at(&network.node.url()).await?,
            all,
            workers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            kills: 0,
            partitions: 0,
            disputes: 0,
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
        for name in ATTESTERS {
            soak.employ(name, "attest --device=flex".to_owned())?;
        }
        soak.employ(LIAR, "attest --device=flex --lie=loss".to_owned())?;
        Ok((soak, task))
    }

    fn node(&mut self, index: usize) -> &mut Node {
        match index.checked_sub(1) {
            None => &mut self.all.network.node,
            Some(other) => &mut self.all.others[other],
        }
    }

    fn url(&self, index: usize) -> String {
        match index.checked_sub(1) {
            None => self.all.network.node.url(),
            Some(other) => self.all.others[other].url(),
        }
    }

    /// All nodes, as the worker of this index takes them: the one that it begins with first.
    fn route(&self, worker: usize) -> String {
        let nodes = 0..NODES.len();
        let urls: Vec<String> = nodes
            .map(|node| self.url((worker + node) % NODES.len()))
            .collect();
        urls.join(",")
    }

    fn launch(&self, worker: usize, account: &str, command: &str) -> Result<Running> {
        let network = &self.all.network;
        network.daemon_at(&self.route(worker), account, command)
    }

    fn employ(&mut self, account: &'static str, command: String) -> Result<()> {
        let running = self.launch(self.workers.len(), account, &command)?;
        self.workers.push(Worker {
            account,
            command,
            running,
        });
        Ok(())
    }

    /// Waits, then takes something away for a while, and returns once it is back.
    async fn strike(&mut self) -> Result<()> {
        pause(self.random.random_range(PAUSE)).await;
        let workers = self.workers.len();
        let victim = self.random.random_range(0..workers + NODES.len() + CUTS);
        let away = self.random.random_range(AWAY);
        match victim.checked_sub(workers) {
            None => self.kill_worker(victim, away).await,
            Some(node) if node < NODES.len() => {
                self.node(node).kill();
                self.kills += 1;
                eprintln!("soak: killed the node of {} for {away} s", NODES[node]);
                pause(away).await;
                self.bring_back(node).await
            }
            Some(_) => {
                // It answers, hears of no block, and makes some of its own.
                let alone = ["--reserved-only", "--force-authoring"];
                self.restart(0, &alone).await?;
                self.partitions += 1;
                eprintln!("soak: cut the node of {} off for {away} s", NODES[0]);
                pause(away).await;
                self.bring_back(0).await
            }
        }
    }

    async fn kill_worker(&mut self, index: usize, away: u64) -> Result<()> {
        let worker = &mut self.workers[index];
        if worker.account == LIAR && worker.running.check().is_err() {
            // It has nothing to do once it is convicted.
            return Ok(());
        }
        worker.running.kill();
        self.kills += 1;
        eprintln!("soak: killed {} for {away} s", worker.account);
        pause(away).await;
        self.start_again(index)
    }

    fn start_again(&mut self, index: usize) -> Result<()> {
        let Worker {
            account, command, ..
        } = &self.workers[index];
        let running = self.launch(index, account, command)?;
        self.workers[index].running = running;
        Ok(())
    }

    /// Starts a node on what it has, with `more` arguments this time, and returns once it answers.
    async fn restart(&mut self, index: usize, more: &[&str]) -> Result<Client> {
        for _ in 0..STARTS {
            let node = self.node(index);
            node.restart_with(more)?;
            match connect(node).await {
                Ok(client) => return Ok(client),
                Err(error) => eprintln!("soak: the node of {}: {error:#}", NODES[index]),
            }
            pause(1).await;
        }
        bail!("the node of {} does not start", NODES[index])
    }

    /// Starts a node, and returns once it knows as final what another one has as its best block now: so those that are up
    /// finalize, and it has dropped what it made alone.
    async fn bring_back(&mut self, index: usize) -> Result<()> {
        let client = self.restart(index, &[]).await?;
        let other = self.url((index + 1) % NODES.len());
        let height = Client::connect(&other).await?.best().await?.block();
        is_final(&client, height, CATCH_UP)
            .await
            .with_context(|| format!("on the node of {}", NODES[index]))?;
        if index == 0 {
            self.all.network.client = client;
        }
        Ok(())
    }

    /// Strikes for so long, then looks at the books.
    async fn run(&mut self, task: TaskId, seconds: u64, seed: u64) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(seconds) {
            self.strike().await?;
            self.revive().await?;
            self.count_disputes().await?;
        }
        let last = self.all.network.task(task).await?.round;
        eprintln!("soak: all is up; waiting for the end of round {last}");
        // Whether it ends is told below.
        if let Err(error) = self.all.network.ended(task, last.0, LAST_ROUND).await {
            eprintln!("soak: {error:#}");
        }
        self.count_disputes().await?;
        let (rounds, unended_rounds) = self.rounds(task, last).await?;
        let honest_stake_lost = self.honest_stake_lost().await?;
        let money_difference = self.money_difference(task).await?;
        let Self {
            kills,
            partitions,
            disputes,
            ..
        } = self;
        let seconds = started.elapsed().as_secs();
        println!(
            "{{\"seconds\": {seconds}, \"seed\": {seed}, \"kills\": {kills}, \"partitions\": {partitions}, \"rounds\": {rounds}, \
             \"disputes\": {disputes}, \"honest_stake_lost\": {honest_stake_lost}, \"money_difference\": {money_difference}, \
             \"unended_rounds\": {unended_rounds}}}"
        );
        ensure!(
            honest_stake_lost == 0 && money_difference == 0 && unended_rounds == 0,
            "something was lost"
        );
        Ok(())
    }

    /// Starts again what has ended by itself, though nothing should. A liar that is convicted stays away.
    async fn revive(&mut self) -> Result<()> {
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if worker.running.check().is_err() && worker.account != LIAR {
                eprintln!("soak: {} had ended", worker.account);
                self.start_again(index)?;
            }
        }
        for (index, name) in NODES.iter().enumerate() {
            if let Err(error) = self.node(index).check() {
                eprintln!("soak: the node of {name} had ended: {error}");
                self.bring_back(index).await?;
            }
        }
        Ok(())
    }

    /// Stake of honest accounts that is gone, in planck.
    async fn honest_stake_lost(&self) -> Result<u128> {
        let moment = self.all.network.client.best().await?;
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

    /// By how much the books are wrong, in planck: what all accounts own, free and on hold, is not what there is; there is more than
    /// at the start, though nothing is ever minted; or the task's budget is not what is left of it, set aside and paid.
    async fn money_difference(&self, task: TaskId) -> Result<u128> {
        let money = Money::at(&self.url(0)).await?;
        let minted = money.issued.saturating_sub(self.money.issued);
        let view = self.all.network.task(task).await?;
        let budget = view.pool + view.reserved + view.paid;
        Ok(money.difference() + minted + budget.abs_diff(BUDGET * UNIT))
    }

    /// Rounds that have started: how many, and how many of them have no end.
    async fn rounds(&self, task: TaskId, last: RoundId) -> Result<(u32, u32)> {
        let moment = self.all.network.client.best().await?;
        let mut unended = 0;
        for round in 0..=last.0 {
            // What the chain does not know any more has ended.
            let view = moment.round(task, RoundId(round)).await?;
            unended += u32::from(view.is_some_and(|view| view.outcome.is_none()));
        }
        Ok((last.0 + 1, unended))
    }

    /// Counts the disputes that there were. Their ids are numbers in order; the chain forgets old verdicts.
    async fn count_disputes(&mut self) -> Result<()> {
        let moment = self.all.network.client.best().await?;
        let open = moment.disputes(None).await?.into_iter().map(|one| one.id);
        let closed = moment.verdicts().await?.into_iter().map(|one| one.id);
        let last = open.chain(closed).map(|id| id.0 + 1).max();
        self.disputes = self.disputes.max(last.unwrap_or(0));
        Ok(())
    }

    /// Copies all logs to a folder that stays, and returns where that is.
    fn keep_logs(&self, seed: u64) -> Result<PathBuf> {
        let to = std::env::temp_dir().join(format!("gotong-soak-{seed}"));
        fs::create_dir_all(&to)?;
        let folder = self.all.network.folder();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            // Of a node other than the first, it is in its own folder.
            let (log, name) = match path.is_dir() {
                true => (path.join("node.log"), Path::new(name).with_extension("log")),
                false => (path.clone(), name.into()),
            };
            if log.extension().is_some_and(|extension| extension == "log") && log.exists() {
                fs::copy(log, to.join(name))?;
            }
        }
        Ok(to)
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
    match soak.run(task, seconds, seed).await {
        Ok(()) => Ok(()),
        Err(error) => {
            let logs = soak.keep_logs(seed)?;
            Err(error.context(format!(
                "run it again with --seed {seed}; the logs are in {}",
                logs.display()
            )))
        }
    }
}
