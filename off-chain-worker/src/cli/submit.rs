//! `gotong submit`: commits and reveals weights that were trained elsewhere.

use super::{
    means::{Force, Means},
    training::KeptArg,
    Globals,
};
use crate::{
    run::{drive, Contribute, DeltaSource, OwnWeights, Stop, NO_TIP},
    training::weights_file,
};
use anyhow::Context;
use gotong_protocol::TaskId;
use std::{path::PathBuf, sync::Arc};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong weights --task 0 --out base.safetensors\n  \
                  gotong submit --dev Bob --task 0 --base base.safetensors --weights trained.safetensors\n\n\
                  The file holds f32 tensors, of the names and shapes that `gotong weights` writes.\n\
                  Runs until the delta is revealed; `gotong claim` once the round has settled."
)]
pub struct Submit {
    /// The task
    #[arg(long)]
    task: u32,
    /// Weights trained from the task's, in any framework
    #[arg(long, value_name = "FILE.safetensors")]
    weights: PathBuf,
    /// What they were trained from: what rounds have changed since stays [default: the task's weights in the
    /// round under way]
    #[arg(long, value_name = "FILE.safetensors")]
    base: Option<PathBuf>,
    #[command(flatten)]
    kept: KeptArg,
    #[command(flatten)]
    force: Force,
}

/// Commits, waits until deltas are to be revealed, and reveals.
pub async fn run(args: Submit, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let now = globals.client().await?.best().await?;
    let view = now.task(task).await?;
    let view = view.with_context(|| format!("there is no task {task}"))?;
    let signer = globals.signer()?;
    let means = Means::of(&signer.public_key().0, &now).await?;
    // Who has committed already loses its deposit if it does not go on.
    if !means.has_deposits() {
        args.force.check(&means, 0)?;
    }
    let read = |path: &PathBuf| {
        weights_file::read(path, &view.graph).with_context(|| path.display().to_string())
    };
    let own = OwnWeights {
        trained: read(&args.weights)?,
        base: args.base.as_ref().map(read).transpose()?,
    };
    let mut daemon = Contribute::new(
        signer,
        globals.dirs()?,
        task,
        DeltaSource::Weights(Arc::new(own)),
        args.kept.permille(&view.graph),
        None,
    );
    Ok(drive(globals.nodes(), NO_TIP, &mut daemon, &Stop::on_signals()?).await?)
}
