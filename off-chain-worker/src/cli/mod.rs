//! The subcommands, one file each.

mod attest;
mod challenge;
mod claim;
mod claimable;
pub mod colours;
mod completions;
mod contribute;
mod data;
mod data_options;
mod delta_terms;
pub mod demo;
mod disputes;
mod doctor;
mod exam;
mod finding;
mod generate;
mod lab;
pub mod means;
mod model_source;
mod offer;
pub mod output;
mod picture;
mod predict;
mod progress;
mod prove;
mod publish_credits;
mod replay;
mod rewards;
mod round_report;
mod scoring;
mod sponsor;
mod stake;
mod submit;
mod task;
mod tipping;
mod top;
mod training;
mod transfer;
mod verify;
mod watch;
mod weights;

use crate::{
    chain::{Account, ChainError, Client, Keypair, Nodes},
    keys::{self, Identity},
    run::WorkerDirs,
    state::Folder,
};
use anyhow::Context;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use gotong_protocol::Hash;
use output::Format;
use std::{collections::BTreeSet, path::PathBuf, sync::OnceLock};

/// Improve open models together, and get paid for proved improvement.
#[derive(Parser)]
#[command(name = "gotong", version, arg_required_else_help = true)]
#[command(after_help = "Start with:\n  gotong doctor --dev Alice\n  gotong demo")]
pub struct Cli {
    /// What every subcommand takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The arguments of this process. Help, and errors in the arguments, are printed in colours if these are wanted, and end the
    /// process.
    pub fn of_process() -> Self {
        let matches = Self::command().color(colours::of_help()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Whether the command trains: if so, it allocates and frees the same megabytes in every update.
    pub fn trains(&self) -> bool {
        matches!(self.command, Command::Contribute(_) | Command::Lab(_))
    }

    /// What is logged if the environment does not say.
    pub fn log_levels(&self) -> &'static str {
        // Log messages of graphics drivers while devices are looked for are not our errors.
        match self.command {
            // It prints its own progress; what its workers log is in files.
            Command::Demo(_) => "warn,wgpu_hal=off",
            // It uses the whole screen, and shows there what goes wrong.
            Command::Top(_) if self.globals.output == Format::Text => "off",
            _ => "warn,gotong=info,wgpu_hal=off",
        }
    }
}

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The node to connect to. Repeat the option, or separate URLs with commas, to name several: when a node cannot be
    /// reached, is on another chain or is behind, the next one is used
    #[arg(
        long,
        global = true,
        env = "GOTONG_NODE",
        default_value = "ws://127.0.0.1:9944",
        value_delimiter = ',',
        value_name = "URL"
    )]
    pub node: Vec<String>,
    /// Hash of the chain's first block, as `gotong doctor` shows it: nodes on another chain are skipped [default: that of the
    /// first node that answers]
    #[arg(
        long,
        global = true,
        env = "GOTONG_GENESIS",
        value_parser = block_hash,
        value_name = "HASH"
    )]
    pub genesis: Option<Hash>,
    /// Trust the nodes: commit and accuse without their proofs, or a second node, for the facts
    #[arg(long, global = true)]
    pub trust_nodes: bool,
    /// Never commit to a table or accuse anybody without a proof of finality. While finality is stalled, this costs you your
    /// seats
    #[arg(long, global = true, conflicts_with = "trust_nodes")]
    pub require_finality: bool,
    /// The account that signs, and whose data commands show.
    #[command(flatten)]
    pub identity: Identity,
    /// Where to keep state [default: ~/.local/share/gotong]
    #[arg(long, global = true, env = "GOTONG_BASE_PATH", value_name = "DIR")]
    pub base_path: Option<PathBuf>,
    /// The file of the public pool that a task's samples are drawn from; the worker checks it and keeps a copy
    #[arg(long, global = true, value_name = "FILE")]
    pub pool_file: Vec<PathBuf>,
    /// How to print data
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub output: Format,
    /// The nodes that [`Self::nodes`] returned.
    #[arg(skip)]
    opened: OnceLock<Nodes>,
}

impl Globals {
    /// The nodes to talk to: the same ones, and on the same chain, for the whole program.
    pub fn nodes(&self) -> &Nodes {
        self.opened.get_or_init(|| {
            let nodes = Nodes::new(self.node.clone(), self.genesis)
                .trusted(self.trust_nodes)
                .needing_proofs(self.require_finality);
            match self.folder() {
                Ok(folder) => nodes.remembering(folder),
                Err(error) => {
                    tracing::warn!(
                        "the authorities that finalize blocks are not remembered: {error}"
                    );
                    nodes
                }
            }
        })
    }

    /// Connects to a node.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let advice =
            "is a node running? `gotong-node --dev` starts one; `--node URL` names another";
        match self.nodes().connect().await {
            Err(error @ ChainError::Unreachable { .. }) => Err(error).context(advice),
            connected => Ok(connected?),
        }
    }

    /// The key that signs; an error if no option names one.
    pub fn signer(&self) -> anyhow::Result<Keypair> {
        Ok(self.identity.keypair()?)
    }

    /// The account written as `text`, or else the signing one.
    pub fn account(&self, text: Option<&str>) -> anyhow::Result<Account> {
        match text {
            Some(text) => Ok(keys::account(text)?),
            None => Ok(self.signer()?.public_key().0),
        }
    }

    /// The folder of state.
    pub fn folder(&self) -> anyhow::Result<Folder> {
        let path = match &self.base_path {
            Some(path) => path.clone(),
            None => std::env::var_os("XDG_DATA_HOME")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
                .or_else(|| Some(std::env::home_dir()?.join(".local/share")))
                .context("no home directory: give --base-path")?
                .join("gotong"),
        };
        Ok(Folder::open(path)?)
    }

    /// The folder of state, with the pools that are stored there or given.
    pub fn dirs(&self) -> anyhow::Result<WorkerDirs> {
        Ok(WorkerDirs::open(self.folder()?, self.pool_file.clone())?)
    }
}

/// A hash as `0x` and 64 hexadecimal digits.
fn block_hash(text: &str) -> Result<Hash, hex::FromHexError> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut hash)?;
    Ok(hash)
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Register for a role and put stake on hold; repeat it to add stake
    Register(stake::Register),
    /// Take stake out; you can withdraw it after the unbonding period
    Unstake(stake::Unstake),
    /// Withdraw stake whose unbonding period is over
    Withdraw(stake::Withdraw),
    /// Send GTG to another account
    Transfer(transfer::Transfer),
    /// Inspect your own files, and make samples from them
    #[command(subcommand)]
    Data(data::Data),
    /// Create, check, open, fund, close and inspect tasks
    #[command(subcommand)]
    Task(task::Task),
    /// Publish the sealed shards of a task that you opened (runs until the task ends)
    Sponsor(sponsor::Sponsor),
    /// Train and submit in every round of a task (runs until stopped)
    Contribute(contribute::Contribute),
    /// Evaluate rounds in which you hold a seat (runs until stopped)
    Attest(attest::Attest),
    /// Recompute every round, and dispute wrong tables (runs until stopped)
    Watch(watch::Watch),
    /// Dispute one table, and carry on until the verdict
    Challenge(challenge::Challenge),
    /// List the open disputes and the last verdicts
    Disputes(disputes::Disputes),
    /// Recompute a round from the chain, and compare the results
    Verify(verify::Verify),
    /// Write or check evidence for one step of a table
    Prove(Box<prove::Prove>),
    /// Submit weights that were trained in any framework
    Submit(submit::Submit),
    /// Export a task's weights, or its model as ONNX
    Weights(weights::Weights),
    /// Continue a text with a language model, evaluated exactly
    Generate(generate::Generate),
    /// Predict the class of every row of your data, or measure the loss of a text, exactly
    Predict(Box<predict::Predict>),
    /// Watch tasks, rounds and your account live in the terminal
    Top(top::Top),
    /// Show what an account has earned, can claim and has claimed
    Rewards(rewards::Rewards),
    /// Claim everything that you have earned
    Claim(claim::Claim),
    /// Publish a round's credits, so that contributors can claim them from any wallet
    PublishCredits(publish_credits::PublishCredits),
    /// Check the node, device, data and account, and say what to do next
    Doctor(doctor::Doctor),
    /// Show the whole protocol on this machine, without a node of your own
    Demo(demo::Demo),
    /// Run rounds without a chain, for experiments with any number of hands (contributors)
    Lab(Box<lab::Lab>),
    /// Print a shell completion script
    Completions(completions::Completions),
    /// Write the manual pages for all commands
    ManPages(completions::ManPages),
}

/// What people type to run each command, such as `claim` and `task show`.
pub fn command_names() -> BTreeSet<String> {
    fn below(command: &clap::Command, names: &str, all: &mut BTreeSet<String>) {
        for one in command.get_subcommands() {
            let names = format!("{names} {}", one.get_name());
            match one.has_subcommands() {
                true => below(one, &names, all),
                false => {
                    all.insert(names.trim_start().to_owned());
                }
            }
        }
    }
    let mut all = BTreeSet::new();
    below(&Cli::command(), "", &mut all);
    all
}

/// Runs one subcommand to its end. It is not async, so that the futures it awaits are compiled here, and not again in the program.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(run_command(cli))
}

async fn run_command(cli: Cli) -> anyhow::Result<()> {
    let globals = &cli.globals;
    match cli.command {
        Command::Register(args) => stake::register(args, globals).await,
        Command::Unstake(args) => stake::unstake(args, globals).await,
        Command::Withdraw(args) => stake::withdraw(args, globals).await,
        Command::Transfer(args) => transfer::run(args, globals).await,
        Command::Data(args) => data::run(args, globals).await,
        Command::Task(args) => task::run(args, globals).await,
        Command::Sponsor(args) => sponsor::run(args, globals).await,
        Command::Contribute(args) => contribute::run(args, globals).await,
        Command::Attest(args) => attest::run(args, globals).await,
        Command::Watch(args) => watch::run(args, globals).await,
        Command::Challenge(args) => challenge::run(args, globals).await,
        Command::Disputes(args) => disputes::run(args, globals).await,
        Command::Verify(args) => verify::run(args, globals).await,
        Command::Prove(args) => prove::run(*args, globals).await,
        Command::Submit(args) => submit::run(args, globals).await,
        Command::Weights(args) => weights::run(args, globals).await,
        Command::Generate(args) => generate::run(args, globals).await,
        Command::Predict(args) => predict::run(*args, globals).await,
        Command::Top(args) => top::run(args, globals).await,
        Command::Rewards(args) => rewards::run(args, globals).await,
        Command::Claim(args) => claim::run(args, globals).await,
        Command::PublishCredits(args) => publish_credits::run(args, globals).await,
        Command::Doctor(args) => doctor::run(args, globals).await,
        Command::Demo(args) => demo::run(args, globals).await,
        Command::Lab(args) => lab::run(*args, globals).await,
        Command::Completions(args) => {
            completions::completions(&args);
            Ok(())
        }
        Command::ManPages(args) => completions::man_pages(&args),
    }
}

#[cfg(test)]
mod tests;
