//! A short test of a device before anybody trains on it: a few updates there, and the same on the processor.
//!
//! Training need not be exact, and no two devices round alike. So the losses are compared: that of the first weights, and that
//! after a few updates.

use burn::tensor::Device;
use gotong_panics::caught;
use gotong_scoring::{arith::MASTER_BOUND, Graph, Transformer};
use std::sync::atomic::AtomicBool;

use super::{data::Labelled, float_loss, initial_weights, train, TrainingConfig, TrainingError};

/// Why nobody should train on a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UnfitDevice {
    /// It cannot train at all.
    #[error("{0}; {ADVICE}")]
    Failed(#[from] TrainingError),
    /// It evaluates differently.
    #[error(
        "the device computes a loss of {device:.3} bits, but the processor computes {processor:.3}; {ADVICE}"
    )]
    Loss {
        /// The loss by the device.
        device: f32,
        /// The loss by the processor.
        processor: f32,
    },
    /// It learns less than it should.
    #[error(
        "{UPDATES} updates on the device bring the loss from {before:.3} to {device:.3} bits, but on the processor to \
         {processor:.3}; {ADVICE}"
    )]
    Learning {
        /// The loss of the first weights.
        before: f32,
        /// The loss after the device's updates.
        device: f32,
        /// The loss after the processor's.
        processor: f32,
    },
}

const ADVICE: &str = "leave `--device` out to train on the processor, or see what `gotong doctor` says about the device and its driver";
/// Updates that are made.
const UPDATES: usize = 10;
/// Most samples that are taken, and most labels that these have.
const SAMPLES: usize = 16;
const LABELS: usize = 1_024;
/// The fraction of a loss by which devices may differ; rounding makes them differ by far less.
const TOLERANCE: f32 = 0.02;

/// A model and samples for users who do not know yet what to train: a small language model.
pub fn stock_model() -> (Graph, Labelled) {
    const TOKENS: usize = 8;
    let graph = Graph::transformer(&Transformer {
        vocab: 16,
        tokens: TOKENS as u32,
        width: 32,
        heads: 2,
        hidden: 64,
        layers: 1,
        tied: true,
    });
    let token = |at: usize| ((at * at + at / 3) % 16) as u8;
    let samples = Labelled {
        inputs: TOKENS,
        pixels: (0..TOKENS * SAMPLES).map(token).collect(),
        labels: (1..=SAMPLES).map(|sample| token(TOKENS * sample)).collect(),
    };
    (graph, samples)
}

/// A device that trains about as the processor does: the processor itself, or one that was tested. Contributors train on nothing
/// else, since a device that learns nothing useful costs fees, round after round.
#[derive(Clone)]
pub struct TestedDevice(Device);

impl TestedDevice {
    /// The processor.
    pub fn processor() -> Self {
        Self(Device::flex())
    }

    /// This device, once it has trained `graph` on some of `data`. It takes seconds; for the processor itself, nothing.
    ///
    /// # Errors
    /// It fails, finds a different loss, or learns less than half as much.
    pub fn test(device: Device, graph: &Graph, data: &Labelled) -> Result<Self, UnfitDevice> {
        let processor = Device::flex();
        if device == processor {
            return Ok(Self(device));
        }
        let labels = graph.vocab().map_or(1, |_| data.inputs.max(1));
        let few = data.slice(0..(LABELS / labels).clamp(2, SAMPLES));
        let learned = Learned::on(graph, &few, &device)?;
        learned.check(&Learned::on(graph, &few, &processor)?)?;
        Ok(Self(device))
    }

    /// Where to train.
    pub fn device(&self) -> &Device {
        &self.0
    }
}

/// Losses of the first weights, and of those after a few updates.
#[derive(Clone, Copy, Debug)]
struct Learned {
    before: f32,
    after: f32,
}

impl Learned {
    fn on(graph: &Graph, data: &Labelled, device: &Device) -> Result<Self, TrainingError> {
        let master = initial_weights(graph, 1);
        let config = TrainingConfig {
            steps: UPDATES,
            batch: data.len(),
            ..TrainingConfig::of(graph)
        };
        let changed = |(&weight, &change): (&i16, &i32)| {
            let bound = i32::from(MASTER_BOUND);
            i32::from(weight)
                .saturating_add(change)
                .clamp(-bound, bound) as i16
        };
        let trained = || -> Result<Self, TrainingError> {
            let stop = AtomicBool::new(false);
            let before = float_loss(graph, &master, data, device)?;
            let change = train(graph, &master, data, &config, device, &mut |_| {}, &stop)?;
            let trained: Vec<i16> = master.iter().zip(&change).map(changed).collect();
            // A device that evaluates wrongly could praise itself.
            let after = float_loss(graph, &trained, data, &Device::flex())?;
            Ok(Self { before, after })
        };
        caught(trained, TrainingError::Device)
    }

    /// Whether a device that learned this much learns about as well as the processor, which learned `processor`.
    fn check(&self, processor: &Self) -> Result<(), UnfitDevice> {
        let close = TOLERANCE * processor.before;
        if (self.before - processor.before).abs() > close {
            return Err(UnfitDevice::Loss {
                device: self.before,
                processor: processor.before,
            });
        }
        let learned = processor.before - processor.after;
        if self.after > processor.after + close.max(learned) / 2.0 {
            return Err(UnfitDevice::Learning {
                before: processor.before,
                device: self.after,
                processor: processor.after,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_fit_and_learns_something_of_the_stock_model() {
        let (graph, data) = stock_model();
        assert!(TestedDevice::test(Device::flex(), &graph, &data).is_ok());
        let learned = Learned::on(&graph, &data, &Device::flex()).unwrap();
        let fell = learned.before - learned.after;
        let least = TOLERANCE * learned.before;
        assert!(fell > least, "{learned:?} shows no difference");
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_graphics_device_is_fit() {
        use crate::DeviceChoice;
        let (graph, data) = stock_model();
        let device = DeviceChoice::Wgpu.open().unwrap();
        assert!(TestedDevice::test(device, &graph, &data).is_ok());
    }

    #[test]
    fn a_device_that_computes_or_learns_something_else_is_unfit() {
        let learned = |before, after| Learned { before, after };
        let processor = learned(4.0, 3.0);
        let check = |device: Learned| device.check(&processor);
        assert_eq!(check(processor), Ok(()));
        assert_eq!(check(learned(4.01, 3.4)), Ok(()));
        assert_eq!(check(learned(3.99, 1.0)), Ok(()), "it may be lucky");
        let other = check(learned(4.2, 3.0)).unwrap_err();
        assert!(matches!(other, UnfitDevice::Loss { .. }));
        let lazy = check(learned(4.0, 3.9)).unwrap_err();
        assert!(matches!(lazy, UnfitDevice::Learning { .. }));
        assert!(lazy.to_string().contains("leave `--device` out"), "{lazy}");
    }

    #[test]
    fn a_device_that_fails_is_unfit() {
        let (graph, data) = stock_model();
        let none = data.slice(0..0);
        let failed = Learned::on(&graph, &none, &Device::flex()).unwrap_err();
        let unfit = UnfitDevice::from(failed);
        assert!(unfit.to_string().contains("gotong doctor"), "{unfit}");
    }
}
