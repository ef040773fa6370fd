//! The options of commands that compute rounds.

use crate::{
    run::{DeviceMark, ScorerOptions},
    state::Folder,
};
use gotong_evaluation::{
    check_precision, self_test, Backend, BurnEvaluator, CheckedDevice, DeviceEvaluator, FastCpu,
    Flipping, LieKind, SelfTestFailure, Traced,
};
use gotong_training::{Adapter, DeviceChoice};

/// Where rounds are computed.
#[derive(Debug, clap::Args)]
pub struct ScoringArgs {
    /// Evaluate on this device instead of on all cores of the processor
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    /// Stand for a table that is wrong in this: for drills
    #[arg(long, value_enum, hide = true, value_name = "KIND")]
    lie: Option<LieKind>,
    /// After this many calls the device flips a word in each answer: for drills
    #[arg(long, hide = true, value_name = "CALLS", requires = "device")]
    flip_after: Option<usize>,
}

impl ScoringArgs {
    /// Tests the backend first, and refuses one that fails. A device that was found wrong is marked in `folder`, and is not used
    /// while the mark is there.
    pub async fn options(&self, folder: Folder) -> anyhow::Result<ScorerOptions> {
        let (device, flip_after) = (self.device, self.flip_after);
        let opened = tokio::task::spawn_blocking(move || backend(device, flip_after, &folder));
        let backend = opened.await??;
        if let Some(lie) = self.lie {
            tracing::warn!("a drill: stands for tables with a lie about {lie:?}");
        }
        Ok(ScorerOptions {
            backend,
            lie: self.lie,
        })
    }
}

/// The backend: the chosen device, once it has passed its test, unless it is marked.
fn backend(
    device: Option<DeviceChoice>,
    flip_after: Option<usize>,
    folder: &Folder,
) -> anyhow::Result<Backend> {
    let Some(device) = device else {
        tested(&mut FastCpu)?;
        return Ok(Backend::Cpu);
    };
    let mark = DeviceMark::of(device.name(), folder)?;
    if let Some(why) = mark.found() {
        tracing::error!(
            "the device computed wrongly before ({why}), so the processor evaluates. If the device is sound again, remove {} \
             while no seat is held",
            mark.path().display()
        );
        tested(&mut FastCpu)?;
        return Ok(Backend::Cpu);
    }
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
    let device = CheckedDevice::new(evaluator).recorded_in(mark);
    Ok(Backend::Device(device))
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

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_evaluation::Mismatch;

    #[test]
    fn a_device_that_was_found_wrong_is_not_used_after_a_restart_until_the_user_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let start = || backend(Some(DeviceChoice::Flex), None, &folder).unwrap();
        let first = start();
        first.device().unwrap().distrust(Mismatch::Parts);
        assert!(first.device().is_none());
        assert!(start().device().is_none(), "the same device, started again");
        let mark = DeviceMark::of(DeviceChoice::Flex.name(), &folder).unwrap();
        std::fs::remove_file(mark.path()).unwrap();
        assert!(start().device().is_some());
    }
}
