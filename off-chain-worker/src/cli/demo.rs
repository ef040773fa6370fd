//! A whole network on this machine: a node, a sponsor, contributors, attesters, all as real
//! processes.

mod report;
mod scene;

use crate::{
    chain::{Account, Call, Client, Inclusion, Keypair, Moment},
    cli::{
        data::LearningArgs,
        data_options::{DataFolder, ReadingArgs},
        output::{Format, UNIT},
        picture::{self, Curve},
        progress,
    },
    keys,
    model::describe,
    process::{sibling, Node, Running},
    run::{Replica, Stop, WorkerDirs},
    state::Folder,
};
use anyhow::{ensure, Context, Result};
use gotong_protocol::{
    view::{RoundView, SubmissionView, TaskView},
    Roles, RoundId, TaskId,
};
use gotong_scoring::ShareTable;
use gotong_training::weights_file;
use indicatif::ProgressBar;
use report::Report;
use scene::{Cast, Published, Scene, LIAR, NOISE, SPONSOR};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What every account of the demo receives.
const ENDOWMENT: u128 = 20_000 * UNIT;
/// The default number of rounds.
const ROUNDS: u32 = 10;
/// What the liar lies about: one word of one sample's evaluation.
const LIE: &str = "word";
/// Longest wait for the node to answer: its first start compiles the runtime's Wasm.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for the last claims: every contributor computes the last round before it claims it.
const CLAIM_LIMIT: Duration = Duration::from_secs(300);

/// Run a whole network on this machine and watch it pay for proved improvement
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong demo --rounds 10 --folder demo\n  gotong demo --model lm --folder demo-lm\n  \
                  gotong demo --data-file flowers.csv --label species --folder flowers\n\n\
                  With `--output json`, only the last line goes to standard output."
)]
pub struct Demo {
    /// The model to improve
    #[arg(long, value_enum, default_value = "mlp", conflicts_with = "data_file")]
    model: Published,
    /// Make a task from your own file, as `gotong task new` does, and improve a model for it
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    #[command(flatten, next_help_heading = "A file of your own")]
    reading: ReadingArgs,
    #[command(flatten, next_help_heading = "A file of your own")]
    learning: LearningArgs,
    /// Rounds to run [default: 10, or as many as your own file has exams for]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=30))]
    rounds: Option<u32>,
    /// Where the logs, the model and the picture of its loss go
    #[arg(long, default_value = "demo")]
    folder: PathBuf,
    #[command(flatten)]
    data: DataFolder,
}

/// Runs the demo. Whatever it started is stopped when it returns, also after Ctrl-C.
pub async fn run(demo: Demo, globals: &super::Globals) -> Result<()> {
    let stop = Stop::on_signals()?;
    tokio::select! {
        () = stop.told() => anyhow::bail!("stopped before the end"),
        done = demo.play(globals.output) => done,
    }
}

impl Demo {
    /// The demo of the user's own file, or of published data.
    fn scene(&self, output: Format) -> Result<Scene> {
        match &self.data_file {
            Some(file) => {
                let (reading, learning) = (self.reading.clone(), self.learning.clone());
                Scene::own(file.clone(), reading, learning, &self.folder, output)
            }
            None => self.model.scene(&self.data.path(), &self.folder),
        }
    }

    async fn play(self, output: Format) -> Result<()> {
        let started = Instant::now();
        let scene = self.scene(output)?;
        let (cast, most) = (scene.cast, scene.most_rounds);
        let rounds = self.rounds.unwrap_or(most.min(ROUNDS));
        ensure!(
            rounds <= most,
            "there are exams for only {most} rounds: give --rounds {most} or fewer"
        );
        let mut network = Network::start(&self.folder, cast).await?;
        output.say(format_args!("node      {}", network.node.url()));
        output.say(format_args!("folder    {}", self.folder.display()));
        network.endow().await?;
        let (task, ()) = tokio::try_join!(network.open_task(&scene, rounds), network.register())?;
        output.say(format_args!(
            "task      {task}: {}, {rounds} sealed shards of {} samples",
            describe(&scene.graph),
            scene.shard_samples
        ));
        network.start_workers(task, &scene)?;

        let mut report = Report::new(output, cast, scene.report);
        let mut watch = Watch::new(&network, task, output).await?;
        report.start(watch.replica.weights())?;
        for round in 0..rounds {
            let ended = watch
                .round(&mut network, RoundId(round), &mut report)
                .await?;
            report.add(ended)?;
        }
        let now = watch.claims(&mut network).await?;
        report.purses(&now, &watch.task).await?;
        report.text(watch.replica.weights())?;
        let weights = self.folder.join("weights.safetensors");
        weights_file::write(&weights, watch.replica.graph(), watch.replica.weights())?;
        output.say(format_args!("weights   {}", weights.display()));
        let picture = self.folder.join("loss.svg");
        let losses: Vec<f64> = report.marks().iter().map(|mark| mark.loss()).collect();
        let curve = Curve::by_rounds(String::new(), &losses);
        picture::draw(&picture, report.exam().caption(), "rounds", &[curve])?;
        output.say(format_args!("picture   {}", picture.display()));
        report.finish(
            &watch.task,
            started.elapsed(),
            network.contributor_seconds(),
        )
    }
}

/// Everything that runs, and the folder it runs in.
struct Network {
    // They are dropped in this order: workers, node, then the folder that they write to.
    workers: Vec<Running>,
    node: Node,
    client: Client,
    state: tempfile::TempDir,
    logs: PathBuf,
    cast: Cast,
}

impl Network {
    async fn start(logs: &Path, cast: Cast) -> Result<Self> {
        std::fs::create_dir_all(logs)?;
        for name in cast.everybody().chain(["node".into()]) {
            // Logs are appended to, and those of an earlier demo may still be there.
            match std::fs::remove_file(logs.join(format!("{name}.log"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into())
                }
                _ => {}
            }
        }
        let state = tempfile::tempdir()?;
        let mut node = Node::start(state.path(), logs, &[])?;
        node.ready(START_LIMIT).await?;
        let client = Client::connect(&node.url()).await?;
        Ok(Self {
            workers: Vec::new(),
            node,
            client,
            state,
            logs: logs.to_owned(),
            cast,
        })
    }

    /// Gives everybody money.
    async fn endow(&self) -> Result<()> {
        let transfers = self
            .cast
            .everybody()
            .map(|name| Ok(Call::transfer(account(&name)?, ENDOWMENT)))
            .collect::<Result<Vec<_>>>()?;
        self.client
            .submit_all(&key("Alice")?, &transfers, Inclusion::Best)
            .await?;
        Ok(())
    }

    /// Registers contributors and attesters with their stakes.
    async fn register(&self) -> Result<()> {
        let contributor = Roles {
            contributor: true,
            attester: false,
        };
        let attester = Roles {
            contributor: false,
            attester: true,
        };
        let contributors = self.cast.contributors();
        let contributors = contributors.map(|name| (name, contributor, 100));
        let attesters = self.cast.attesters().map(|name| (name, attester, 1_000));
        let registrations = contributors.chain(attesters).map(|(name, roles, stake)| {
            let client = self.client.clone();
            async move {
                let call = Call::register(roles, stake * UNIT);
                client.submit(&key(&name)?, &call, Inclusion::Best).await?;
                anyhow::Ok(())
            }
        });
        futures::future::try_join_all(registrations).await?;
        Ok(())
    }

    fn arguments(&self, name: &str, command: &str) -> Vec<String> {
        let mut all = vec![
            format!("--node={}", self.node.url()),
            format!("--dev={name}"),
            format!("--base-path={}", self.state.path().join(name).display()),
            "--output=json".into(),
        ];
        all.extend(command.split_whitespace().map(String::from));
        all
    }

    /// The sponsor opens its task, as a sponsor would: with `gotong task open`.
    async fn open_task(&self, scene: &Scene, rounds: u32) -> Result<TaskId> {
        let command = format!("task open --init-seed=1 --shards={rounds}");
        let mut arguments = self.arguments(SPONSOR, &command);
        arguments.extend_from_slice(&scene.opening);
        let output = tokio::process::Command::new(sibling("gotong")?)
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "`gotong task open` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let opened: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let id = opened["task"]
            .as_u64()
            .context("`gotong task open` names no task")?;
        Ok(TaskId(u32::try_from(id)?))
    }

    fn start_workers(&mut self, task: TaskId, scene: &Scene) -> Result<()> {
        let cast = self.cast;
        let mut start = |name: &str, command: String, more: &[String]| {
            let mut arguments = self.arguments(name, &command);
            arguments.extend_from_slice(more);
            let running = Running::start(name, &sibling("gotong")?, &arguments, &self.logs)?;
            self.workers.push(running);
            anyhow::Ok(())
        };
        start(SPONSOR, format!("sponsor --task={task}"), &[])?;
        let honest = cast.honest().count();
        // More threads than cores get in each other's way.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / honest).max(1);
        for (part, name) in (1..).zip(cast.honest()) {
            let command =
                format!("contribute --task={task} --part={part}/{honest} --threads={threads}");
            start(&name, command, &scene.training)?;
        }
        if cast.has_noise() {
            let command = format!(
                "contribute --task={task} --part=1/{honest} --strategy=noise --threads={threads}"
            );
            start(NOISE, command, &scene.training)?;
        }
        for name in cast.truthful() {
            start(&name, cast.attest(task), &[])?;
        }
        if cast.has_liar() {
            start(LIAR, cast.attest(task) + " --lie=" + LIE, &[])?;
        }
        Ok(())
    }

    /// Processor seconds that an honest contributor has used on average, if the system reports
    /// them.
    fn contributor_seconds(&self) -> Option<f64> {
        let names: Vec<String> = self.cast.honest().collect();
        let seconds: Option<Vec<f64>> = self
            .workers
            .iter()
            .filter(|worker| names.iter().any(|name| name == worker.name()))
            .map(Running::cpu_seconds)
            .collect();
        Some(seconds?.iter().sum::<f64>() / names.len() as f64)
    }

    /// An error as soon as something that should run has stopped.
    fn check(&mut self) -> Result<()> {
        self.node.check()?;
        for worker in &mut self.workers {
            worker.check()?;
        }
        Ok(())
    }
}

fn key(name: &str) -> Result<Keypair> {
    Ok(keys::development(name)?)
}

fn account(name: &str) -> Result<Account> {
    Ok(key(name)?.public_key().0)
}

/// A round that has ended, with everything that its line shows.
struct Ended {
    view: RoundView,
    submissions: Vec<SubmissionView>,
    table: Option<ShareTable>,
    /// Samples of its exam.
    samples: u32,
    weights: Vec<i16>,
}

/// Follows a task block by block, and computes again what its attesters claim.
struct Watch {
    task: TaskView,
    replica: Replica,
    bar: ProgressBar,
}

impl Watch {
    async fn new(network: &Network, task: TaskId, output: Format) -> Result<Self> {
        let now = network.client.best().await?;
        let task = now.task(task).await?.context("the task was just opened")?;
        let folder = Folder::open(network.state.path().join("watch"))?;
        let dirs = WorkerDirs::open(folder, Vec::new())?;
        let replica = Replica::open(&network.client, &now, &dirs, &task).await?;
        let bar = progress::spinner(output, "waiting for the first round");
        Ok(Self { task, replica, bar })
    }

    /// Waits until `round` has ended, showing how far it is and what is disputed.
    async fn round(
        &mut self,
        network: &mut Network,
        round: RoundId,
        report: &mut Report,
    ) -> Result<Ended> {
        let client = network.client.clone();
        let mut blocks = client.best_blocks().await?;
        loop {
            let now = blocks
                .latest()
                .await
                .context("the node closed the connection")??;
            network.check()?;
            let Some(view) = now.round(self.task.id, round).await? else {
                continue;
            };
            let (disputes, verdicts) = (
                now.disputes(Some(self.task.id)).await?,
                now.verdicts().await?,
            );
            self.bar.suspend(|| report.disputes(&disputes, &verdicts))?;
            if view.outcome.is_some() {
                self.bar
                    .set_message(format!("computing round {round} again"));
                return self.ended(&client, &now, view).await;
            }
            self.bar.set_message(format!(
                "round {round}  block {}  {:?}: {} committed, {} revealed, {} of {} attested",
                now.block(),
                view.phase,
                view.commits,
                view.reveals,
                view.seats.iter().filter(|seat| seat.committed).count(),
                view.seats.len(),
            ));
        }
    }

    async fn ended(&mut self, client: &Client, now: &Moment, view: RoundView) -> Result<Ended> {
        self.replica.advance(client, now).await?;
        Ok(Ended {
            submissions: now.submissions(self.task.id, view.round).await?,
            table: self.replica.table(view.round)?,
            samples: self.task.terms.hold_out.samples(),
            weights: self.replica.weights().to_vec(),
            view,
        })
    }

    /// Waits until every contributor has claimed all its rounds.
    async fn claims(&mut self, network: &mut Network) -> Result<Moment> {
        let client = network.client.clone();
        let mut blocks = client.best_blocks().await?;
        let limit = Instant::now() + CLAIM_LIMIT;
        loop {
            let now = blocks
                .latest()
                .await
                .context("the node closed the connection")??;
            network.check()?;
            self.task = now
                .task(self.task.id)
                .await?
                .context("the task is still there")?;
            let mut waiting = 0;
            for (_, account) in network.cast.accounts()? {
                let ledgers = now.ledgers(&account).await?;
                waiting += ledgers
                    .iter()
                    .filter(|ledger| ledger.next.is_some())
                    .count();
            }
            if waiting == 0 {
                self.bar.finish_and_clear();
                return Ok(now);
            }
            ensure!(Instant::now() < limit, "contributors left rounds unclaimed");
            self.bar.set_message("waiting for the last claims");
        }
    }
}
