//! The options of whoever computes rounds.

use crate::{
    evaluation::{check_precision, self_test, Backend, BurnEvaluator, LieKind},
    run::ScorerOptions,
    training::{Adapter, DeviceChoice},
};

/// Where rounds are computed.
#[derive(Debug, clap::Args)]
pub struct ScoringArgs {
    /// Evaluate on this device, and not on all cores of the processor
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    /// Stand for a table that is wrong in this: for drills
    #[arg(long, value_enum, hide = true, value_name = "KIND")]
    lie: Option<LieKind>,
}

impl ScoringArgs {
    /// Tests the backend first, and refuses one that fails.
    pub async fn options(&self) -> anyhow::Result<ScorerOptions> {
        let device = self.device;
        let backend = tokio::task::spawn_blocking(move || {
            let mut backend = match device {
                None => Backend::Cpu,
                Some(device) => {
                    let (evaluator, adapter) = open_evaluator(device)?;
                    tracing::info!("evaluates on {}", adapter.name);
                    Backend::Device(Box::new(evaluator))
                }
            };
            let report = self_test(&mut backend)?;
            tracing::info!("self-test: {} words are exact", report.words);
            anyhow::Ok(backend)
        })
        .await??;
        if let Some(lie) = self.lie {
            tracing::warn!("a drill: stands for tables that are wrong in {lie:?}");
        }
        Ok(ScorerOptions {
            backend,
            lie: self.lie,
        })
    }
}

/// Opens a device for exact evaluation, if it multiplies in whole f32. The self-test is still to come.
pub fn open_evaluator(choice: DeviceChoice) -> anyhow::Result<(BurnEvaluator, Adapter)> {
    let (device, adapter) = choice.open_adapter()?;
    check_precision(&device)?;
    Ok((BurnEvaluator::new(&device), adapter))
}
