//! `gotong watch`: computes every round, and disputes what is wrong.

use super::{scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::run::{drive, Stop, Watch as Daemon};
use gotong_protocol::TaskId;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong watch --dev Dave --task 0\n\n\
                        Needs no role and no stake, only GTG for the bond of a dispute. If you are right, you get the bond \
                        back, and half of the liar's stake.")]
pub struct Watch {
    /// Watch only this task
    #[arg(long)]
    task: Option<u32>,
    #[command(flatten)]
    scoring: ScoringArgs,
    #[command(flatten)]
    tipping: Tipping,
}

pub async fn run(args: Watch, globals: &Globals) -> anyhow::Result<()> {
    let scoring = args.scoring.options(globals.folder()?).await?;
    let task = args.task.map(TaskId);
    let mut daemon = Daemon::new(globals.signer()?, globals.dirs()?, scoring, task);
    Ok(drive(
        globals.nodes(),
        args.tipping.max_tip(),
        &mut daemon,
        &Stop::on_signals()?,
    )
    .await?)
}
