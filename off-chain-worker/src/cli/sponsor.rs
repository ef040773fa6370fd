//! `gotong sponsor`: publishes the shards of a task.

use super::Globals;
use crate::run::{drive, Sponsoring, Stop, NO_TIP};
use gotong_protocol::TaskId;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong sponsor --dev Alice --task 0")]
pub struct Sponsor {
    /// The task, which must have been opened on this machine
    #[arg(long)]
    task: u32,
}

pub async fn run(args: Sponsor, globals: &Globals) -> anyhow::Result<()> {
    let mut daemon = Sponsoring::new(globals.signer()?, globals.folder()?, TaskId(args.task));
    Ok(drive(globals.nodes(), NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
}
