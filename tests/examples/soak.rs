//! `make soak`: a network whose processes are killed at random, one after another, for as long as you like. At the end all are up,
//! the round under way ends, and the books are checked. The last line is JSON. Its last five fields are 0 if nothing went wrong;
//! otherwise the program fails. A run of ten minutes or more also fails if it tested too little: if something was never struck,
//! nothing was struck during a dispute, or no round settled.
//!
//! There are four authorities with a node each; a sponsor, contributors and honest attesters on different nodes; and one attester
//! that lies. Once the liar is convicted, another takes its place, so that strikes meet disputes. One authority at a time is killed
//! or cut off, and has to be back, with everything that became final meanwhile, before the next strike. So three of four are up at
//! any time, and blocks become final. Nothing that is killed stays down for longer than the windows of a round allow: a process
//! that is away for longer loses stake, and should. The windows for moves in a dispute are shorter: while an honest attester has to
//! make one, whatever is struck comes back at once.

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use gotong::{
    chain::{Account, Client},
    process::{Node, Running},
};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    view::DisputeView,
    Outcome, RoundId, TaskId,
};
use gotong_tests::{authorities::Authorities, connect, is_final, issuance::Money, key, UNIT};
use rand::{rngs::StdRng, seq::SliceRandom, Rng, SeedableRng};
use std::{
    collections::BTreeSet,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The nodes of the authorities. The others name the first one when they connect, and it names nobody, so that it can be cut off.
const NODES: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];
const CONTRIBUTORS: [&str; 2] = ["One", "Two"];
const ATTESTERS: [&str; 3] = ["Judith", "Judas", "Jude"];
/// How many attest at the same time: the honest ones, and a liar.
const SEATS: usize = ATTESTERS.len() + 1;

/// What a contributor and an attester put on hold.
const STAKES: [u128; 2] = [100 * UNIT, 1_000 * UNIT];
/// The sponsor's budget, in GTG.
const BUDGET: u128 = 1_000;
/// The shards of the task, one for each round. A round takes more than half a minute, because its challenge alone takes that long.
const SHARDS: u64 = 36;

/// Seconds between one strike and the next.
const PAUSE: RangeInclusive<u64> = 2..=12;
/// For how many seconds a process stays dead, or a node alone.
const AWAY: RangeInclusive<u64> = 0..=5;
/// How many blocks, of a second each, an honest attester must have left for its move in a dispute before it may be killed. A move
/// may take 20, so an attester that is away when it begins still has this many left.
const LEFT_FOR_MOVE: u32 = 15;
/// After how many seconds a run must have tested everything.
const LONG: u64 = 600;
/// How often to start a node that ends at once, which happens if another program has just taken its port.
const STARTS: u32 = 5;
/// Longest wait until a node that was away knows as final what the others had as their best block.
const CATCH_UP: Duration = Duration::from_secs(240);
/// Longest wait until an honest attester has made its moves, so that it can be killed.
const TO_MOVE: Duration = Duration::from_secs(240);
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
    account: String,
    is_liar: bool,
    command: String,
    running: Running,
}

/// The processes to kill, and how often they were killed.
struct Soak {
    all: Authorities,
    workers: Vec<Worker>,
    random: StdRng,
    /// What to strike next, the last one first, by the numbers of [`Soak::name`].
    deck: Vec<usize>,
    /// What was struck so far, by the same numbers.
    struck: BTreeSet<usize>,
    /// All the money at the start.
    money: Money,
    /// The sponsor's bond at the start, in planck.
    sponsor_bond: u128,
    kills: u32,
    partitions: u32,
    /// How many strikes of both kinds came while a dispute was open.
    strikes_amid_disputes: u32,
    /// How often something honest ended by itself.
    crashes: u32,
    /// Liars so far, one after another.
    liars: u32,
    /// Disputes that were seen.
    disputes: u32,
    /// The ids of the disputes that an honest attester lost.
    lost_disputes: BTreeSet<u32>,
}

impl Soak {
    /// Starts all of it, and a task with many rounds.
    async fn start(seed: u64) -> Result<(Self, TaskId)> {
        let accounts = [&["Sponsor"][..], &CONTRIBUTORS, &ATTESTERS].concat();
        let all = Authorities::start(NODES.len(), NODES.len()).await?;
        let network = &all.network;
        network.endow(&accounts).await?;
        network.register(&CONTRIBUTORS, &ATTESTERS).await?;
        // Windows in which a process may be dead for a while. Except for the challenge, they end once everybody has acted.
        let command = format!(
            "task open --name=soak --init-seed=1 --price=0.01 --cap=100 --budget={BUDGET} --fee-permille=100 \
             --commit-blocks=90 --reveal-blocks=90 --attest-blocks=90 --challenge-blocks=30 --weight-cap=1000 \
             --model=mlp:784,32,10 --shards={SHARDS} --shard-samples=200 --seats={SEATS}"
        );
        let opened = network.run("Sponsor", &command).await?;
        let task = opened["task"]
            .as_u64()
            .context("`task open` names the task")?;
        let task = TaskId(u32::try_from(task)?);

        let mut soak = Self {
            money: Money::at(&network.node.url()).await?,
            sponsor_bond: network.task(task).await?.bond,
            all,
            workers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            deck: Vec::new(),
            struck: BTreeSet::new(),
            kills: 0,
            partitions: 0,
            strikes_amid_disputes: 0,
            crashes: 0,
            liars: 0,
            disputes: 0,
            lost_disputes: BTreeSet::new(),
        };
        soak.employ("Sponsor", false, format!("sponsor --task={}", task.0))?;
        for (part, name) in CONTRIBUTORS.into_iter().enumerate() {
            let of = CONTRIBUTORS.len();
            let command = format!(
                "contribute --task={} --part={}/{of} --steps=30",
                task.0,
                part + 1
            );
            soak.employ(name, false, command)?;
        }
        for name in ATTESTERS {
            soak.employ(name, false, "attest --device=flex".to_owned())?;
        }
        soak.employ_liar().await?;
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

    /// All nodes, as the worker with this index takes them; the one that it begins with comes first.
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

    fn employ(&mut self, account: &str, is_liar: bool, command: String) -> Result<()> {
        let running = self.launch(self.workers.len(), account, &command)?;
        self.workers.push(Worker {
            account: account.to_owned(),
            is_liar,
            command,
            running,
        });
        Ok(())
    }

    /// Starts a liar with an account of its own, in place of the previous one.
    async fn employ_liar(&mut self) -> Result<()> {
        self.liars += 1;
        let name = format!("Liar{}", self.liars);
        let network = &self.all.network;
        network.endow(&[name.as_str()]).await?;
        network.register(&[], &[name.as_str()]).await?;
        // Dropping a process kills it.
        self.workers.retain(|worker| !worker.is_liar);
        self.employ(&name, true, "attest --device=flex --lie=loss".to_owned())
    }

    /// Employs another liar once the last one is convicted and has no stake any more.
    async fn replace_liar(&mut self) -> Result<()> {
        let liar = account(&format!("Liar{}", self.liars));
        let stake = self.all.network.client.best().await?.stake(&liar).await?;
        if stake.is_some_and(|stake| stake.active) {
            return Ok(());
        }
        eprintln!("soak: Liar{} is convicted", self.liars);
        self.employ_liar().await
    }

    /// What can be struck, by its number: the workers, the nodes, and last the first node's connection to its peers.
    fn name(&self, victim: usize) -> String {
        match victim.checked_sub(self.workers.len()) {
            None => self.workers[victim].account.clone(),
            Some(node) if node < NODES.len() => format!("the node of {}", NODES[node]),
            Some(_) => format!("the peers of {}", NODES[0]),
        }
    }

    /// What to strike next. First, the first node is cut off, so that no run is without that. Then each process is killed, in a
    /// random order. Then all of it begins again.
    fn draw(&mut self) -> usize {
        let cut = self.workers.len() + NODES.len();
        self.deck.pop().unwrap_or_else(|| {
            self.deck = (0..cut).collect();
            self.deck.shuffle(&mut self.random);
            cut
        })
    }

    /// What has not been struck yet.
    fn spared(&self) -> Vec<String> {
        let all = 0..=self.workers.len() + NODES.len();
        all.filter(|victim| !self.struck.contains(victim))
            .map(|victim| self.name(victim))
            .collect()
    }

    /// Waits, then takes something away for a while, and returns once it is back.
    async fn strike(&mut self) -> Result<()> {
        pause(self.random.random_range(PAUSE)).await;
        let victim = self.draw();
        let away = self.random.random_range(AWAY);
        let network = &self.all.network;
        let what = format!("time to strike {}", self.name(victim));
        let (open, moves) = network
            .until(&what, TO_MOVE, async |moment| {
                let open = moment.disputes(None).await?;
                let moves = honest_moves(&open, moment.block());
                let is_due = !self.is_short_of_time(victim, &moves);
                Ok(is_due.then_some((open, moves)))
            })
            .await?;
        let away = if moves.is_empty() { away } else { 0 };
        let before = self.kills + self.partitions;
        self.take_away(victim, away).await?;
        if !open.is_empty() {
            self.strikes_amid_disputes += self.kills + self.partitions - before;
        }
        Ok(())
    }

    /// Whether the victim is a worker that could miss one of these moves.
    fn is_short_of_time(&self, victim: usize, moves: &[(Account, u32)]) -> bool {
        self.workers.get(victim).is_some_and(|worker| {
            let who = account(&worker.account);
            let mut moves = moves.iter();
            moves.any(|(mover, left)| *mover == who && *left < LEFT_FOR_MOVE)
        })
    }

    /// Takes the victim away for `away` seconds, unless it is a worker that has ended.
    async fn take_away(&mut self, victim: usize, away: u64) -> Result<()> {
        let name = self.name(victim);
        match victim.checked_sub(self.workers.len()) {
            None => {
                let running = &mut self.workers[victim].running;
                if running.has_ended()? {
                    return Ok(());
                }
                running.kill();
                self.kills += 1;
                eprintln!("soak: killed {name} for {away} s");
                pause(away).await;
                self.start_again(victim)?;
            }
            Some(node) if node < NODES.len() => {
                self.node(node).kill();
                self.kills += 1;
                eprintln!("soak: killed {name} for {away} s");
                pause(away).await;
                self.bring_back(node).await?;
            }
            Some(_) => {
                // It answers, but hears of no blocks, and makes some of its own.
                let alone = ["--reserved-only", "--force-authoring"];
                self.restart(0, &alone).await?;
                self.partitions += 1;
                eprintln!("soak: cut the node of {} off for {away} s", NODES[0]);
                pause(away).await;
                self.bring_back(0).await?;
            }
        }
        self.struck.insert(victim);
        Ok(())
    }

    fn start_again(&mut self, index: usize) -> Result<()> {
        let Worker {
            account, command, ..
        } = &self.workers[index];
        let running = self.launch(index, account, command)?;
        self.workers[index].running = running;
        Ok(())
    }

    /// Starts a node on its existing data, with `more` arguments this time, and returns once it answers.
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

    /// Starts a node, and returns once it knows as final what another node has as its best block now. So those that are up
    /// finalize, and it has dropped the blocks that it made alone.
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

    /// Strikes for this many seconds, then checks the books.
    async fn run(&mut self, task: TaskId, seconds: u64, seed: u64) -> Result<()> {
        let is_long = seconds >= LONG;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(seconds) {
            self.strike().await?;
            self.revive().await?;
            self.replace_liar().await?;
            self.look_at_disputes().await?;
        }
        let last = self.all.network.task(task).await?.round;
        eprintln!("soak: all is up; waiting for the end of round {last}");
        // Whether it has ended is reported below.
        if let Err(error) = self.all.network.ended(task, last.0, LAST_ROUND).await {
            eprintln!("soak: {error:#}");
        }
        self.revive().await?;
        self.look_at_disputes().await?;
        let (settled_rounds, unended_rounds) = self.rounds(task, last).await?;
        let honest_stake_lost = self.honest_stake_lost(task).await?;
        let honest_disputes_lost = self.lost_disputes.len();
        let money_difference = self.money_difference(task).await?;
        let spared = self.spared();
        let Self {
            kills,
            partitions,
            strikes_amid_disputes,
            disputes,
            crashes,
            ..
        } = *self;
        let rounds = last.0 + 1;
        let seconds = started.elapsed().as_secs();
        println!(
            "{{\"seconds\": {seconds}, \"seed\": {seed}, \"kills\": {kills}, \"partitions\": {partitions}, \
             \"strikes_amid_disputes\": {strikes_amid_disputes}, \"rounds\": {rounds}, \"settled_rounds\": {settled_rounds}, \
             \"disputes\": {disputes}, \"crashes\": {crashes}, \"honest_disputes_lost\": {honest_disputes_lost}, \
             \"honest_stake_lost\": {honest_stake_lost}, \"money_difference\": {money_difference}, \
             \"unended_rounds\": {unended_rounds}}}"
        );
        ensure!(
            honest_stake_lost == 0 && honest_disputes_lost == 0,
            "somebody honest lost stake, a bond or a dispute"
        );
        ensure!(
            money_difference == 0 && unended_rounds == 0,
            "money or a round was lost"
        );
        ensure!(crashes == 0, "something ended by itself");
        ensure!(
            !is_long || (settled_rounds > 0 && strikes_amid_disputes > 0),
            "too little happened for a test"
        );
        ensure!(
            !is_long || spared.is_empty(),
            "these were never struck: {}",
            spared.join(", ")
        );
        Ok(())
    }

    /// Restarts what has failed by itself, and counts it, because nothing should. A liar is not counted: it may end once it is
    /// convicted and no longer registered. A sponsor without shards is done, and is not restarted.
    async fn revive(&mut self) -> Result<()> {
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if worker.running.check().is_err() {
                eprintln!("soak: {} had ended", worker.account);
                self.crashes += u32::from(!worker.is_liar);
                self.start_again(index)?;
            }
        }
        for (index, name) in NODES.iter().enumerate() {
            if let Err(error) = self.node(index).check() {
                eprintln!("soak: the node of {name} had ended: {error}");
                self.crashes += 1;
                self.bring_back(index).await?;
            }
        }
        Ok(())
    }

    /// The stake that honest accounts lost, in planck: contributors' and attesters' stake, and the bonds of authorities and
    /// sponsor.
    async fn honest_stake_lost(&self, task: TaskId) -> Result<u128> {
        let moment = self.all.network.client.best().await?;
        let view = self.all.network.task(task).await?;
        let mut lost = self.sponsor_bond.saturating_sub(view.bond);
        let bond = moment.amount("Authorities", "AuthorityBond")?;
        for name in NODES {
            // They have nothing else on hold.
            let held = moment.balance(&account(name)).await?.reserved;
            lost += bond.saturating_sub(held);
        }
        for (names, stake) in [&CONTRIBUTORS[..], &ATTESTERS].into_iter().zip(STAKES) {
            for name in names {
                let view = moment.stake(&account(name)).await?;
                let left = view.map_or(0, |view| {
                    view.stake + view.unbonding.map_or(0, |(amount, _)| amount)
                });
                lost += stake.saturating_sub(left);
            }
        }
        Ok(lost)
    }

    /// By how much the books are wrong, in planck. They are if the accounts together do not own, free and on hold, what there is;
    /// if there is more than at the start, although nothing is ever minted; or if the task's budget is not the sum of what is left
    /// of it, what is set aside and what was paid.
    async fn money_difference(&self, task: TaskId) -> Result<u128> {
        let money = Money::at(&self.url(0)).await?;
        let minted = money.issued.saturating_sub(self.money.issued);
        let view = self.all.network.task(task).await?;
        let budget = view.pool + view.reserved + view.paid;
        Ok(money.difference() + minted + budget.abs_diff(BUDGET * UNIT))
    }

    /// How many of the rounds that the chain knows settled, and how many have not ended. A round that it does not know any more has
    /// ended.
    async fn rounds(&self, task: TaskId, last: RoundId) -> Result<(u32, u32)> {
        let moment = self.all.network.client.best().await?;
        let (mut settled, mut unended) = (0, 0);
        for round in 0..=last.0 {
            let view = moment.round(task, RoundId(round)).await?;
            match view.map(|view| view.outcome) {
                Some(Some(Outcome::Settled)) => settled += 1,
                Some(None) => unended += 1,
                Some(Some(_)) | None => {}
            }
        }
        Ok((settled, unended))
    }

    /// Counts all disputes, and those that an honest party lost. Their ids are consecutive numbers; the chain forgets old verdicts.
    async fn look_at_disputes(&mut self) -> Result<()> {
        let moment = self.all.network.client.best().await?;
        let open = moment.disputes(None).await?.into_iter().map(|one| one.id);
        let closed = moment.verdicts().await?;
        let last = open.chain(closed.iter().map(|one| one.id)).max();
        self.disputes = self.disputes.max(last.map_or(0, |id| id.0 + 1));
        let lost = closed
            .iter()
            .filter(|one| loser(one).is_some_and(|who| is_honest(&who)));
        self.lost_disputes.extend(lost.map(|one| one.id.0));
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
            // The log of each node except the first is in the node's own folder.
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

fn account(name: &str) -> Account {
    key(name).public_key().0
}

/// Whether it is an honest attester. Everybody else in disputes is a liar.
fn is_honest(who: &Account) -> bool {
    ATTESTERS.iter().any(|name| account(name) == *who)
}

/// The honest accounts that have to make a move in these disputes, and how many blocks are left for it at this one.
fn honest_moves(open: &[DisputeView], block: u32) -> Vec<(Account, u32)> {
    open.iter()
        .map(|dispute| (mover(dispute), dispute.deadline.saturating_sub(block)))
        .filter(|(who, _)| is_honest(who))
        .collect()
}

/// The account that has to make the next move.
fn mover(dispute: &DisputeView) -> Account {
    match dispute.awaits_answer {
        true => dispute.accused,
        false => dispute.challenger,
    }
}

/// The account that lost a dispute, if there is one.
fn loser(dispute: &ClosedDispute) -> Option<Account> {
    match dispute.verdict {
        Verdict::Moot => None,
        verdict if verdict.convicts() => Some(dispute.accused),
        _ => Some(dispute.challenger),
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
