//! `gotong attest`: evaluates the rounds that draw the account, until stopped.

use super::{computing::Computing, tipping::Tipping, Globals};
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
    computing: Computing,
    #[command(flatten)]
    tipping: Tipping,
    /// Leave disputes alone: for drills
    #[arg(long, hide = true)]
    stall: bool,
}

pub async fn run(args: Attest, globals: &Globals) -> anyhow::Result<()> {
    let computer = args.computing.computer().await?;
    let task = args.task.map(TaskId);
    let daemon = Daemon::new(globals.signer()?, globals.home()?, computer, task);
    let mut daemon = daemon.stalling(args.stall);
    Ok(drive(
        &globals.node,
        args.tipping.max_tip(),
        &mut daemon,
        &Stop::on_signals()?,
    )
    .await?)
}
