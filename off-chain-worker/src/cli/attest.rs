//! `gotong attest`: evaluates the rounds that draw the account, until stopped.

use super::{scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::run::{drive, Attest as Daemon, Stop};
use gotong_protocol::TaskId;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong attest --dev Charlie\n\n\
                        Tests the device first, and refuses to attest from one that fails. Answers \
                        audits, stands for its tables in disputes, and disputes those of others \
                        that differ: keep some GTG free for bonds.")]
pub struct Attest {
    /// Attest this task only
    #[arg(long)]
    task: Option<u32>,
    #[command(flatten)]
    scoring: ScoringArgs,
    #[command(flatten)]
    tipping: Tipping,
    /// Leave disputes alone: for drills
    #[arg(long, hide = true)]
    stall: bool,
}

pub async fn run(args: Attest, globals: &Globals) -> anyhow::Result<()> {
    let scoring = args.scoring.options().await?;
    let task = args.task.map(TaskId);
    let daemon = Daemon::new(globals.signer()?, globals.dirs()?, scoring, task);
    let mut daemon = daemon.stalling(args.stall);
    Ok(drive(
        globals.nodes(),
        args.tipping.max_tip(),
        &mut daemon,
        &Stop::on_signals()?,
    )
    .await?)
}
