use crate::{
    evaluation::{self_test, BurnEvaluator, LieKind, Machine},
    run::Computer,
    training::DeviceChoice,
};

/// Where rounds are computed.
#[derive(Debug, clap::Args)]
pub struct Computing {
    /// Evaluate on this device, and not on all cores of the processor
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    /// Stand for a table that is wrong in this: for drills
    #[arg(long, value_enum, hide = true, value_name = "KIND")]
    lie: Option<LieKind>,
}

impl Computing {
    /// Tests the machine first, and refuses one that fails.
    pub async fn computer(&self) -> anyhow::Result<Computer> {
        let mut machine = match self.device {
            None => Machine::Cpu,
            Some(device) => Machine::Device(Box::new(BurnEvaluator::new(&device.open()?))),
        };
        let (report, machine) = tokio::task::spawn_blocking(move || {
            let report = self_test(&mut machine);
            (report, machine)
        })
        .await?;
        tracing::info!("self-test: {} losses are exact", report?.words);
        if let Some(lie) = self.lie {
            tracing::warn!("a drill: stands for tables that are wrong in {lie:?}");
        }
        Ok(Computer {
            machine,
            lie: self.lie,
        })
    }
}
