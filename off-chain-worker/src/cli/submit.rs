//! `gotong submit`: commits and reveals weights that were trained elsewhere.

use super::{
    means::{Force, Means},
    training::KeptArg,
    weights::WeightsFile,
    Globals,
};
use crate::run::{drive, Contribute, DeltaSource, OwnWeights, Stop, NO_TIP};
use gotong_protocol::TaskId;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong weights --task 0 --out base.safetensors\n  \
                  gotong submit --dev Bob --task 0 --base base.safetensors --weights trained.safetensors\n\n\
                  FILE is a safetensors file, the index of several (.json) or their folder, with tensors of f16, bf16,\n\
                  f32 or f64 that have the names and shapes that `gotong weights` writes. module., _orig_mod. and model. in a \
                  name are ignored, and numbered layers (0.weight, 2.bias) are taken in order. Values that are too large are \
                  clamped and reported. Runs until the delta is revealed; run `gotong claim` once the round has settled."
)]
pub struct Submit {
    /// The task
    #[arg(long)]
    task: u32,
    /// Weights trained in any framework, starting from the task's weights
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// The weights that training started from, so that the delta does not undo rounds that have settled since [default: the
    /// task's weights in the current round]
    #[arg(long, value_name = "FILE")]
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
    let view = now.existing_task(task).await?;
    let signer = globals.signer()?;
    let means = Means::of(&signer.public_key().0, &now).await?;
    // An account that has already committed loses its deposit if it does not continue.
    if !means.has_deposits() {
        args.force.check(&means, 0)?;
    }
    let trained = WeightsFile::read(&args.weights, &view.graph)?;
    let base = args.base.as_ref();
    let base = base.map(|path| WeightsFile::read(path, &view.graph));
    let base = base.transpose()?;
    let json = json!({
        "task": task.0,
        "weights": trained.json(),
        "base": base.as_ref().map(WeightsFile::json),
    });
    globals.output.print(json, || {
        let files = [&trained].into_iter().chain(&base);
        let notes: Vec<String> = files.flat_map(WeightsFile::notes).collect();
        match notes.is_empty() {
            true => format!(
                "{}: all values are within their bounds",
                args.weights.display()
            ),
            false => notes.join("\n"),
        }
    });
    let own = OwnWeights {
        trained: trained.weights.master,
        base: base.map(|base| base.weights.master),
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
