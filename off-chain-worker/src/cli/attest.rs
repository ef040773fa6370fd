use super::Globals;
use crate::{
    evaluation::{self_test, FastCpu},
    run::{drive, Attest as Daemon, Stop},
};
use gotong_protocol::TaskId;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong attest --dev Charlie\n\n\
                        Tests the device first, and refuses to attest from one that fails.")]
pub struct Attest {
    /// Attest this task only
    #[arg(long)]
    task: Option<u32>,
}

pub async fn run(args: Attest, globals: &Globals) -> anyhow::Result<()> {
    let report = tokio::task::spawn_blocking(|| self_test(&mut FastCpu)).await??;
    tracing::info!("self-test: {} losses are exact", report.words);
    let task = args.task.map(TaskId);
    let mut daemon = Daemon::new(globals.signer()?, globals.folder()?, task);
    Ok(drive(&globals.node, &mut daemon, &Stop::on_signals()?).await?)
}
