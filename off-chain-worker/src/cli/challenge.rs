//! `gotong challenge`: disputes one table, until the verdict.

use super::{disputes, scoring::ScoringArgs, tipping::Tipping, Globals};
use crate::{
    keys,
    run::{drive, Challenge as Daemon, Stop},
};
use anyhow::{bail, Context};
use gotong_protocol::{RoundId, TaskId};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong challenge --dev Dave --task 0 --round 3 --accused Charlie\n\n\
                  Runs until the dispute is decided, and resumes one that is open. Fails if the dispute is lost. `gotong \
                  watch` finds wrong tables by itself."
)]
pub struct Challenge {
    /// The task
    #[arg(long)]
    task: u32,
    /// The round, which must be in its phase Challenge
    #[arg(long)]
    round: u32,
    /// The attester whose table is wrong: SS58, 0x and 64 hex digits, or a development name
    #[arg(long, value_name = "ACCOUNT")]
    accused: String,
    #[command(flatten)]
    scoring: ScoringArgs,
    #[command(flatten)]
    tipping: Tipping,
}

pub async fn run(args: Challenge, globals: &Globals) -> anyhow::Result<()> {
    let accused = keys::account(&args.accused)?;
    let scoring = args.scoring.options(globals.folder()?).await?;
    let table = (TaskId(args.task), RoundId(args.round), accused);
    let (signer, dirs) = (globals.signer()?, globals.dirs()?);
    let report = |line: String| tracing::info!("{line}");
    let mut daemon = Daemon::new(signer, dirs, scoring, table, report);
    drive(
        globals.nodes(),
        args.tipping.max_tip(),
        &mut daemon,
        &Stop::on_signals()?,
    )
    .await?;
    let verdict = daemon.verdict.context("stopped before the verdict")?;
    globals.output.print(disputes::closed_json(&verdict), || {
        disputes::closed_line(&verdict)
    });
    match verdict.verdict.convicts() {
        true => Ok(()),
        false => bail!("the dispute did not convict {}", keys::address(&accused)),
    }
}
