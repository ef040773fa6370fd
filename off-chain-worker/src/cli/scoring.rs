//! The options of whoever computes rounds.

use crate::{
    evaluation::{
        check_precision, self_test, Backend, BurnEvaluator, CheckedDevice, DeviceEvaluator,
        FastCpu, Flipping, LieKind, SelfTestFailure, Traced,
    },
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
    /// After so many calls the device flips a word in each answer: for drills
    #[arg(long, hide = true, value_name = "CALLS", requires = "device")]
    flip_after: Option<usize>,
}

impl ScoringArgs {
    /// Tests the backend first, and refuses one that fails.
    pub async fn options(&self) -> anyhow::Result<ScorerOptions> {
        let (device, flip_after) = (self.device, self.flip_after);
        let backend = tokio::task::spawn_blocking(move || {
            let Some(device) = device else {
                tested(&mut FastCpu)?;
                return anyhow::Ok(Backend::Cpu);
            };
            let (mut evaluator, adapter) = open_evaluator(device)?;
            tracing::info!("evaluates on {}", adapter.name);
            tested(&mut evaluator)?;
            let evaluator: Box<dyn DeviceEvaluator> = match flip_after {
                None => Box::new(evaluator),
                Some(calls) => {
                    tracing::warn!("a drill: the device flips words after {calls} calls");
                    Box::new(Flipping::new(evaluator, calls..usize::MAX, |call| call))
                }
            };
            Ok(Backend::Device(CheckedDevice::new(evaluator)))
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

fn tested(evaluator: &mut dyn Traced) -> Result<(), SelfTestFailure> {
    let report = self_test(evaluator)?;
    tracing::info!("self-test: {} words are exact", report.words);
    Ok(())
}

/// Opens a device for exact evaluation, if it multiplies in whole f32. The self-test is still to come.
pub fn open_evaluator(choice: DeviceChoice) -> anyhow::Result<(BurnEvaluator, Adapter)> {
    let (device, adapter) = choice.open_adapter()?;
    check_precision(&device)?;
    Ok((BurnEvaluator::new(&device), adapter))
}
