//! End-to-end harness: a real development node and real `gotong` processes. It waits for what the
//! chain says, never for time or logs. Everything that a test starts is killed when the test ends.

pub mod authorities;
pub mod clients;
pub mod equality;
pub mod issuance;
pub mod liar;
pub mod onnx;
pub mod python;
mod shared;
pub mod table;
pub mod terminal;
pub mod torch;
mod turns;
pub mod upgrade;

use anyhow::{bail, ensure, Context, Result};
use gotong::{
    chain::{Call, ChainError, Client, Inclusion, Keypair, Moment},
    process::{sibling, Node, Running},
    run::Capacity,
};
use gotong_protocol::{
    pay,
    view::{RoundView, SubmissionView, TaskView},
    Outcome, RoundId, TaskId,
};
use serde::de::DeserializeOwned;
pub use shared::compiled_runtimes;
use shared::{development, exported};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    str::FromStr,
    time::Duration,
};
pub use subxt::ext::jsonrpsee::core::client::Error as RequestError;
use subxt::ext::{
    futures::future::try_join_all,
    jsonrpsee::{
        core::{client::ClientT, params::ArrayParams},
        rpc_params,
        ws_client::{HeaderMap, HeaderValue, WsClientBuilder},
    },
};
use subxt_signer::{sr25519, SecretUri};
use terminal::{Ended, Step};
pub use turns::{turn, turn_alone, Turn};

/// One token in planck.
pub const UNIT: u128 = 1_000_000_000_000;
/// What every test account is given.
const ENDOWMENT: u128 = 100_000 * UNIT;
/// Longest wait for a node to answer: its first start compiles the runtime's Wasm.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The key of a development account: `//name`.
pub fn key(name: &str) -> Keypair {
    let uri = SecretUri::from_str(&format!("//{name}")).expect("a hard derivation is a URI");
    sr25519::Keypair::from_uri(&uri).expect("a development key has no password")
}

/// The file of a chain's specification, in the network's folder.
const SPEC: &str = "chain.json";

/// The terms of every task, except for its windows, its model, its samples and its attesters.
const TERMS: &str = "--name=test --init-seed=1 --price=0.01 --cap=100 --budget=1000 \
    --fee-permille=100 --weight-cap=1000";
/// Windows of most tasks, except for the challenge.
const WINDOWS: &str = "--commit-blocks=40 --reveal-blocks=30 --attest-blocks=30";
/// Windows long enough that a late or slow worker misses nothing. They end once all have acted.
const LONG_WINDOWS: &str = "--commit-blocks=60 --reveal-blocks=60 --attest-blocks=90";
/// Options of every attester. Other tests use the same machine, so a measured speed would say little about what the attester can
/// do, and an even share of the memory would say little about what is free. Rounds of tests have few contributors.
pub const OF_ATTESTERS: [&str; 2] = ["--most-deltas=64", "--speed=1"];
/// Length of the challenge, in blocks. Every round waits for all of it.
pub const CHALLENGE: u32 = 6;

/// A test's own node, and what the test does with it.
pub struct Network {
    folder: tempfile::TempDir,
    /// The node, which is killed when this is dropped.
    pub node: Node,
    /// A connection to it.
    pub client: Client,
    /// This is the last field, so that the next network starts after this one is gone.
    turn: Option<Turn>,
}

impl Network {
    /// Starts a node on a new chain and funds the `accounts`.
    pub async fn start(accounts: &[&str]) -> Result<Self> {
        Self::start_with(&[], accounts).await
    }

    /// The same, with `more` arguments for the node.
    pub async fn start_with(more: &[&str], accounts: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let chain = format!("--chain={}", development().await?.display());
        let compiled = compiled_runtimes()?;
        let arguments = [&["--dev", chain.as_str(), compiled.as_str()][..], more].concat();
        let node = Node::launch(folder.path(), folder.path(), &arguments)?;
        let network = Self::of(folder, node, None).await?;
        network.endow(accounts).await?;
        Ok(network)
    }

    /// Starts a node with these arguments on the chain that `spec` specifies in JSON. The file [`Network::spec`] contains the chain's
    /// first state as well. More nodes are going to join it, so it takes the [`turn`] of a network.
    pub async fn start_on(turn: Turn, spec: &str, arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (plain, file) = (folder.path().join("plain.json"), folder.path().join(SPEC));
        fs::write(&plain, spec)?;
        fs::write(&file, exported(&plain.display().to_string(), &["--raw"])?)?;
        let (chain, compiled) = (format!("--chain={}", file.display()), compiled_runtimes()?);
        let arguments = [&[chain.as_str(), compiled.as_str()][..], arguments].concat();
        let node = Node::launch(folder.path(), folder.path(), &arguments)?;
        Self::of(folder, node, Some(turn)).await
    }

    async fn of(folder: tempfile::TempDir, mut node: Node, turn: Option<Turn>) -> Result<Self> {
        let client = connect(&mut node).await?;
        Ok(Self {
            folder,
            node,
            client,
            turn,
        })
    }

    /// Gives the `accounts` what a test account gets.
    pub async fn endow(&self, accounts: &[&str]) -> Result<()> {
        let transfers: Vec<_> = accounts
            .iter()
            .map(|name| Call::transfer(key(name).public_key().0, ENDOWMENT))
            .collect();
        self.client
            .submit_all(&key("Alice"), &transfers, self.inclusion())
            .await?;
        Ok(())
    }

    /// What a call has to wait for if the next one relies on it. Nodes that make blocks at once drop some of them.
    fn inclusion(&self) -> Inclusion {
        match self.turn {
            Some(_) => Inclusion::Finalized,
            None => Inclusion::Best,
        }
    }

    /// `kill -9`, then a start on the same data.
    pub async fn crash_node(&mut self) -> Result<()> {
        self.node.kill();
        self.node.restart()?;
        self.client = connect(&mut self.node).await?;
        Ok(())
    }

    /// The file of the chain's specification, if it was started with one.
    pub fn spec(&self) -> PathBuf {
        self.folder().join(SPEC)
    }

    /// Where other nodes reach the node.
    pub async fn peer_address(&self) -> Result<String> {
        peer_address(&self.node).await
    }

    /// The folder for the files of the node and the workers; removed when this is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn arguments(&self, account: &str, rest: &str) -> Vec<String> {
        self.arguments_at(&self.node.url(), account, rest)
    }

    fn arguments_at(&self, nodes: &str, account: &str, rest: &str) -> Vec<String> {
        let mut all = vec![
            format!("--node={nodes}"),
            format!("--dev={account}"),
            format!("--base-path={}", self.folder().join(account).display()),
            "--output=json".into(),
        ];
        all.extend(rest.split_whitespace().map(str::to_owned));
        if rest.starts_with("attest") {
            let has_speed = rest.contains("--speed");
            let more = OF_ATTESTERS.into_iter();
            let more = more.filter(|option| !(has_speed && option.starts_with("--speed")));
            all.extend(more.map(str::to_owned));
        }
        all
    }

    /// Runs `gotong` for `account` to its end, with `nodes`, one after another with commas.
    async fn output(&self, nodes: &str, account: &str, command: &str) -> Result<Output> {
        let arguments = self.arguments_at(nodes, account, command);
        tokio::task::spawn_blocking(move || {
            anyhow::Ok(Command::new(sibling("gotong")?).args(arguments).output()?)
        })
        .await?
    }

    /// Runs `gotong` for `account` to its end, which has to be an error, and returns what it says.
    pub async fn refused(&self, account: &str, command: &str) -> Result<String> {
        self.refused_at(&self.node.url(), account, command).await
    }

    /// The same with `nodes`, one after another with commas.
    pub async fn refused_at(&self, nodes: &str, account: &str, command: &str) -> Result<String> {
        let output = self.output(nodes, account, command).await?;
        let status = output.status;
        ensure!(
            status.code() == Some(1),
            "`gotong {command}` ended with {status}"
        );
        Ok(String::from_utf8(output.stderr)?)
    }

    /// Runs `gotong` for `account` to its end and returns what it printed as JSON.
    pub async fn run(&self, account: &str, command: &str) -> Result<serde_json::Value> {
        self.run_at(&self.node.url(), account, command).await
    }

    /// The same with `nodes`, one after another with commas.
    pub async fn run_at(
        &self,
        nodes: &str,
        account: &str,
        command: &str,
    ) -> Result<serde_json::Value> {
        let output = self.output(nodes, account, command).await?;
        ensure!(
            output.status.success(),
            "`gotong {command}` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed(&output)
    }

    /// Runs `gotong doctor` for `account` to its end and returns what it printed as JSON, whatever it found.
    pub async fn diagnosis(&self, account: &str) -> Result<serde_json::Value> {
        let command = "doctor --device=flex";
        printed(&self.output(&self.node.url(), account, command).await?)
    }

    /// Runs `gotong` for `account` to its end, with an output that nobody reads.
    pub async fn run_unread(&self, account: &str, command: &str) -> Result<ExitStatus> {
        let arguments = self.arguments(account, command);
        tokio::task::spawn_blocking(move || {
            let mut running = Command::new(sibling("gotong")?)
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            drop((running.stdout.take(), running.stderr.take()));
            anyhow::Ok(running.wait()?)
        })
        .await?
    }

    /// Runs `gotong` for `account` to its end in its own terminal, with these variables, and returns in which state it left the
    /// terminal.
    pub async fn in_terminal(
        &self,
        account: &str,
        command: &str,
        variables: &[(&str, &str)],
        steps: &[Step<'_>],
    ) -> Result<Ended> {
        let mut arguments = self.arguments(account, command);
        arguments.retain(|argument| argument != "--output=json");
        terminal::run(&sibling("gotong")?, &arguments, variables, steps).await
    }

    /// Starts `gotong` for `account` as a daemon.
    pub fn daemon(&self, account: &str, command: &str) -> Result<Running> {
        self.daemon_at(&self.node.url(), account, command)
    }

    /// The same with `nodes`, one after another with commas.
    pub fn daemon_at(&self, nodes: &str, account: &str, command: &str) -> Result<Running> {
        Ok(Running::start(
            account,
            &sibling("gotong")?,
            &self.arguments_at(nodes, account, command),
            self.folder(),
        )?)
    }

    /// Starts `gotong` for `account` as a daemon that computes with this many threads, however many the machine has.
    pub fn daemon_of_threads(
        &self,
        threads: usize,
        account: &str,
        command: &str,
    ) -> Result<Running> {
        // `env` replaces itself with the program that it starts, so this process is the daemon.
        let program = sibling("gotong")?.display().to_string();
        let mut arguments = vec![format!("RAYON_NUM_THREADS={threads}"), program];
        arguments.extend(self.arguments(account, command));
        let env = Path::new("/usr/bin/env");
        Ok(Running::start(account, env, &arguments, self.folder())?)
    }

    /// Starts another node on the first one's chain. It makes no blocks. Returns once it has caught up. It keeps its files in the
    /// folder `name`.
    pub async fn follower(&self, name: &str) -> Result<Node> {
        let first = format!("--bootnodes={}", self.peer_address().await?);
        let chain = format!("--chain={}", development().await?.display());
        let mut node = self.stranger(name, &[&chain, "--no-mdns", &first])?;
        let follower = connect(&mut node).await?;
        reaches(&follower, self.client.best().await?.block(), START_LIMIT).await?;
        Ok(node)
    }

    /// Starts a node with these arguments that knows nothing of the first one. It keeps its files in the folder `name`.
    pub fn stranger(&self, name: &str, arguments: &[&str]) -> Result<Node> {
        self.stranger_with(name, arguments, &[])
    }

    /// The same, with these variables in the node's environment.
    pub fn stranger_with(
        &self,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Node> {
        let folder = self.folder().join(name);
        fs::create_dir(&folder)?;
        let compiled = compiled_runtimes()?;
        let arguments = [&[compiled.as_str()][..], arguments].concat();
        Ok(Node::launch_with(&folder, &folder, &arguments, variables)?)
    }

    /// Registers everybody, and opens a task of this size as `Sponsor` with a seat for each attester. Everybody who may act is
    /// registered before the first round, so no phase ends early without one of them.
    pub async fn open_task(
        &self,
        size: &str,
        contributors: &[&str],
        attesters: &[&str],
    ) -> Result<TaskId> {
        self.register(contributors, attesters).await?;
        self.open_another(size, attesters.len()).await
    }

    /// Registers contributors, and attesters that offer to attest from the start.
    pub async fn register(&self, contributors: &[&str], attesters: &[&str]) -> Result<()> {
        let contributors = contributors
            .iter()
            .map(|name| (name, "register --role=contributor --stake=100"));
        let all = attesters
            .iter()
            .map(|name| (name, "register --role=attester --stake=1000"))
            .chain(contributors);
        try_join_all(all.map(|(name, command)| self.run(name, command))).await?;
        let Capacity { seats, products } = Capacity::default();
        let offer = &Call::offer(seats, products, true, &[]);
        let offers = attesters.iter().map(|name| async move {
            let signer = key(name);
            self.client.submit(&signer, offer, self.inclusion()).await
        });
        try_join_all(offers).await?;
        Ok(())
    }

    /// Opens a task of this size as `Sponsor`, for accounts that are already registered.
    pub async fn open_another(&self, size: &str, seats: usize) -> Result<TaskId> {
        self.open(size, seats, WINDOWS, CHALLENGE).await
    }

    /// The same, with windows long enough that a late or slow worker misses nothing, and with a challenge of this many blocks.
    pub async fn open_with_long_windows(
        &self,
        size: &str,
        seats: usize,
        challenge: u32,
    ) -> Result<TaskId> {
        self.open(size, seats, LONG_WINDOWS, challenge).await
    }

    async fn open(
        &self,
        size: &str,
        seats: usize,
        windows: &str,
        challenge: u32,
    ) -> Result<TaskId> {
        let command = format!(
            "task open {TERMS} {windows} --challenge-blocks={challenge} {size} --seats={seats}"
        );
        let opened = self.run("Sponsor", &command).await?;
        let id = opened["task"]
            .as_u64()
            .context("`task open` names the task")?;
        Ok(TaskId(u32::try_from(id)?))
    }

    /// Waits, block by block, until `check` finds what it looks for.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        check: impl AsyncFnMut(&Moment) -> Result<Option<T>>,
    ) -> Result<T> {
        until(&self.client, what, limit, check).await
    }

    /// Waits until `round` of `task` has ended.
    pub async fn ended(&self, task: TaskId, round: u32, limit: Duration) -> Result<RoundView> {
        let what = format!("the end of round {round}");
        self.until(&what, limit, async |moment| {
            let view = moment.round(task, RoundId(round)).await?;
            Ok(view.filter(|view| view.outcome.is_some()))
        })
        .await
    }

    /// Waits until everybody who revealed in a settled round has claimed it. Then it checks the round's books: the credits add up
    /// to the gain, the fees are the attesters' part of it, and nothing is set aside any more.
    pub async fn all_claimed(
        &self,
        round: &RoundView,
        limit: Duration,
    ) -> Result<Vec<SubmissionView>> {
        let (settled, submissions) = self
            .until("every claim", limit, async |moment| {
                let view = moment.round(round.task, round.round).await?;
                let Some(settled) = view.filter(|view| view.claims == view.reveals) else {
                    return Ok(None);
                };
                let submissions = moment.submissions(round.task, round.round).await?;
                Ok(Some((settled, submissions)))
            })
            .await?;
        let claimed = || submissions.iter().filter_map(|one| one.claimed);
        let merged = settled.claim.context("settled on a claim")?.merged;
        let gain = merged.map_or(0, |merged| merged.gain);
        ensure!(
            claimed().map(|claimed| claimed.credit).sum::<i64>() == gain,
            "credits add up to something else than {gain}: {submissions:?}"
        );
        let task = self.task(round.task).await?;
        let (terms, cost) = (task.terms, task.graph.cost());
        let samples = terms.hold_out.samples() / 2;
        let fees = pay::worth(
            terms.price_per_millibit,
            u64::try_from(gain).unwrap_or(0),
            samples,
            terms.attester_fee_permille,
        );
        let fees = fees.zip(terms.work_pay(cost));
        let fees = fees.map(|(fees, work)| pay::at_rate(fees, settled.rate_q32) + work);
        ensure!(
            Some(settled.fees) == fees,
            "{} are not the fees",
            settled.fees
        );
        ensure!(
            claimed().map(|claimed| claimed.paid).sum::<u128>() == settled.paid
                && settled.paid + settled.released == settled.pot,
            "the pot is not spent: {submissions:?}"
        );
        Ok(submissions)
    }

    /// The task as the best block shows it.
    pub async fn task(&self, task: TaskId) -> Result<TaskView> {
        self.client
            .best()
            .await?
            .task(task)
            .await?
            .context("the task exists")
    }
}

/// Reports why a test tests nothing here.
///
/// # Errors
/// Fails on a CI, because nobody reads there what a passing test prints.
pub fn not_tested(why: &str) -> Result<()> {
    ensure!(
        may_skip(std::env::var("CI").ok().as_deref()),
        "NOT TESTED, though CI is set: {why}"
    );
    eprintln!("NOT TESTED: {why}");
    Ok(())
}

/// Whether a test may test nothing if the variable `CI` has this value. scripts/test-package.sh has the same rule.
fn may_skip(ci: Option<&str>) -> bool {
    matches!(ci, None | Some("" | "false"))
}

/// What a command printed as JSON.
fn printed(output: &Output) -> Result<serde_json::Value> {
    let out = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&out).with_context(|| format!("no JSON was printed, but: {out}"))
}

/// Connects to a node once it answers.
pub async fn connect(node: &mut Node) -> Result<Client> {
    node.ready(START_LIMIT).await?;
    Ok(Client::connect(&node.url()).await?)
}

/// Where other nodes reach this one.
pub async fn peer_address(node: &Node) -> Result<String> {
    let peer = request(&node.url(), "system_localPeerId").await?;
    let port = node.peer_port();
    Ok(format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"))
}

/// Looks at each best block of a node until `check` finds what it looks for.
pub async fn until<T>(
    client: &Client,
    what: &str,
    limit: Duration,
    mut check: impl AsyncFnMut(&Moment) -> Result<Option<T>>,
) -> Result<T> {
    let wait = async {
        let mut blocks = client.best_blocks().await?;
        while let Some(moment) = blocks.next().await {
            let checked = match moment {
                Ok(moment) => check(&moment).await,
                Err(error) => Err(error.into()),
            };
            match checked {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // A slow test may ask for a block on a fork that the node has meanwhile dropped. The next block is on the best
                // chain.
                Err(error) if error.is::<ChainError>() => eprintln!("{what}: {error:#}"),
                Err(error) => return Err(error),
            }
        }
        bail!("the node closed the connection")
    };
    tokio::time::timeout(limit, wait)
        .await
        .map_err(|_| anyhow::anyhow!("{what} did not happen within {limit:?}"))?
        .with_context(|| format!("waiting for {what}"))
}

/// Waits, for at most `limit`, until a node's best block has this number or a higher one.
pub async fn reaches(client: &Client, block: u32, limit: Duration) -> Result<()> {
    let what = format!("block {block}");
    until(client, &what, limit, async |now| {
        Ok((now.block() >= block).then_some(()))
    })
    .await
}

/// Waits, for at most `limit`, until a node says that the block with this number or a later one is final.
pub async fn is_final(client: &Client, block: u32, limit: Duration) -> Result<()> {
    let what = format!("the finality of block {block}");
    until(client, &what, limit, async |_| {
        let (number, _) = client.finalized().await?;
        Ok((number >= u64::from(block)).then_some(()))
    })
    .await
}

/// What a node answers to a program's request without parameters.
pub async fn request(url: &str, method: &str) -> Result<String, RequestError> {
    request_with(url, method, rpc_params![]).await
}

/// What a node answers to a program's request with parameters.
pub async fn request_with<T: DeserializeOwned>(
    url: &str,
    method: &str,
    parameters: ArrayParams,
) -> Result<T, RequestError> {
    ask(url, method, parameters, HeaderMap::new()).await
}

/// What a node answers to the same request from a web page with this origin in a browser.
pub async fn request_of_page(
    url: &str,
    method: &str,
    origin: &'static str,
) -> Result<String, RequestError> {
    let mut headers = HeaderMap::new();
    headers.insert("origin", HeaderValue::from_static(origin));
    ask(url, method, rpc_params![], headers).await
}

/// Where a node listens for other nodes, with its identity.
pub async fn addresses(url: &str) -> Result<Vec<String>, RequestError> {
    request_with(url, "system_localListenAddresses", rpc_params![]).await
}

async fn ask<T: DeserializeOwned>(
    url: &str,
    method: &str,
    parameters: ArrayParams,
    headers: HeaderMap,
) -> Result<T, RequestError> {
    let client = WsClientBuilder::new().set_headers(headers).build(url);
    client.await?.request(method, parameters).await
}

/// A round that settled on a claim; its gain may be 0.
pub fn assert_settled(round: &RoundView) -> Result<()> {
    ensure!(
        round.outcome == Some(Outcome::Settled),
        "round {} ended {:?}",
        round.round,
        round.outcome
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::may_skip;

    #[test]
    fn a_ci_may_skip_no_test() {
        for ci in [None, Some(""), Some("false")] {
            assert!(may_skip(ci), "{ci:?}");
        }
        for ci in [Some("true"), Some("1")] {
            assert!(!may_skip(ci), "{ci:?}");
        }
    }
}
