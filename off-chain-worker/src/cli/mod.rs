//! The subcommands, one file each.

mod attest;
mod claim;
mod contribute;
pub mod demo;
mod doctor;
pub mod output;
mod rewards;
mod sponsor;
mod stake;
mod submit;
mod task;
mod weights;

use crate::{
    chain::{Account, Client, Keypair},
    keys::{self, Identity},
    state::Folder,
};
use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use output::Format;
use std::path::PathBuf;

/// Improve open models together, and be paid for the improvement that was proved.
#[derive(Parser)]
#[command(name = "gotong", version, arg_required_else_help = true)]
#[command(after_help = "Start with:\n  gotong doctor --dev Alice\n  gotong demo")]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The node to talk to
    #[arg(
        long,
        global = true,
        env = "GOTONG_NODE",
        default_value = "ws://127.0.0.1:9944",
        value_name = "URL"
    )]
    pub node: String,
    #[command(flatten)]
    pub identity: Identity,
    /// Where to keep state [default: ~/.local/share/gotong]
    #[arg(long, global = true, env = "GOTONG_BASE_PATH", value_name = "DIR")]
    pub base_path: Option<PathBuf>,
    /// How to print data
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub output: Format,
}

impl Globals {
    pub async fn client(&self) -> anyhow::Result<Client> {
        let advice =
            "is a node running? `gotong-node --dev` starts one; `--node URL` names another";
        Client::connect(&self.node).await.context(advice)
    }

    pub fn signer(&self) -> anyhow::Result<Keypair> {
        Ok(self.identity.keypair()?)
    }

    /// The account written as `text`, else the signing one.
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
                .map(PathBuf::from)
                .or_else(|| Some(std::env::home_dir()?.join(".local/share")))
                .context("no home directory: give --base-path")?
                .join("gotong"),
        };
        Ok(Folder::open(path)?)
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Register for a role, with stake on hold; again to add stake
    Register(stake::Register),
    /// Take stake out; it is free after the unbonding period
    Unstake(stake::Unstake),
    /// Withdraw stake whose unbonding period is over
    Withdraw(stake::Withdraw),
    /// Open, fund, close and look at tasks
    #[command(subcommand)]
    Task(task::Task),
    /// Publish the shards of a task that you opened (runs until it ends)
    Sponsor(sponsor::Sponsor),
    /// Train and submit in every round of a task (runs until stopped)
    Contribute(contribute::Contribute),
    /// Evaluate rounds in which you hold a seat (runs until stopped)
    Attest(attest::Attest),
    /// Submit weights that were trained in any framework
    Submit(submit::Submit),
    /// Export a task's weights
    Weights(weights::Weights),
    /// What an account earned, can claim and has claimed
    Rewards(rewards::Rewards),
    /// Claim all that you earned
    Claim(claim::Claim),
    /// Check node, device, data and account, and say what to do
    Doctor(doctor::Doctor),
    /// Show the whole protocol on this machine
    Demo(demo::Demo),
}

/// Runs one subcommand.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let globals = &cli.globals;
    match cli.command {
        Command::Register(args) => stake::register(args, globals).await,
        Command::Unstake(args) => stake::unstake(args, globals).await,
        Command::Withdraw(args) => stake::withdraw(args, globals).await,
        Command::Task(args) => task::run(args, globals).await,
        Command::Sponsor(args) => sponsor::run(args, globals).await,
        Command::Contribute(args) => contribute::run(args, globals).await,
        Command::Attest(args) => attest::run(args, globals).await,
        Command::Submit(args) => submit::run(args, globals).await,
        Command::Weights(args) => weights::run(args, globals).await,
        Command::Rewards(args) => rewards::run(args, globals).await,
        Command::Claim(args) => claim::run(args, globals).await,
        Command::Doctor(args) => doctor::run(args, globals).await,
        Command::Demo(args) => demo::run(args, globals).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else if command.get_name() != "help" {
                let example = command.get_after_help().map(ToString::to_string);
                assert!(
                    example.is_some_and(|text| text.contains("gotong ")),
                    "{} has no example",
                    command.get_name()
                );
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn global_flags_may_follow_the_subcommand() {
        let cli = Cli::try_parse_from(["gotong", "rewards", "--dev", "Bob", "--output", "json"]);
        let cli = cli.unwrap();
        assert_eq!(cli.globals.identity.dev.as_deref(), Some("Bob"));
        assert_eq!(cli.globals.output, Format::Json);
    }
}
