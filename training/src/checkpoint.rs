//! Checkpoints: what a training needs in order to continue where it stopped, and how often one is taken.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use codec::{Decode, Encode};

use super::{
    model::Network,
    optimizer::{Descent, Memory},
    train::TrainingState,
    TrainingConfig, TrainingError,
};

/// A training after some of its updates. A training that continues from it gives the same change, bit for bit, as one that was
/// never interrupted, on the same device with the same number of cores.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Checkpoint {
    /// Updates made in this training.
    step: u32,
    /// The masters of every tensor, in the network's order and in real units.
    masters: Vec<Vec<f32>>,
    optimizer: Memory,
    /// Updates that the training is to make in all.
    of: u32,
}

impl Checkpoint {
    /// What `state` needs in order to continue; none before the first update.
    ///
    /// # Errors
    /// A device whose values cannot be read back; a value that is not a number.
    pub(super) fn of(state: &TrainingState) -> Result<Option<Self>, TrainingError> {
        let Some(optimizer) = state.descent.state()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            step: state.step.try_into().unwrap_or(u32::MAX),
            masters: state.network.masters()?,
            optimizer,
            of: state.of.try_into().unwrap_or(u32::MAX),
        }))
    }

    /// Updates made in this training.
    pub fn step(&self) -> usize {
        self.step as usize
    }

    /// The training as it was. `None` if no training of `network` with `config` can have reached this
    /// point.
    pub(super) fn restored(
        &self,
        network: &Network,
        config: &TrainingConfig,
        device: &Device,
    ) -> Option<TrainingState> {
        let of = self.of as usize;
        if !(1..of).contains(&self.step()) || of < config.steps {
            return None;
        }
        let network = network.with_masters(&self.masters)?;
        Some(TrainingState {
            step: self.step(),
            of,
            descent: Descent::restored(config.optimizer, &network, &self.optimizer, device)?,
            network,
        })
    }
}

/// Where the checkpoints of a training are kept, and how often they are taken.
pub struct CheckpointSink<'a> {
    /// The time from one to the next; zero means after every update. It is longer if keeping one takes more than a twentieth of it.
    pub every: Duration,
    /// Keeps one.
    pub keep: &'a mut dyn FnMut(Checkpoint),
}

/// Takes checkpoints when they are due.
pub(super) struct Checkpointing<'a> {
    sink: CheckpointSink<'a>,
    since: Instant,
    pause: Duration,
}

/// After a checkpoint comes a pause that is at least this many times as long as keeping it took: so checkpoints take at most 5 % of
/// the time.
const PAUSE: u32 = 20;

impl<'a> Checkpointing<'a> {
    pub fn new(sink: CheckpointSink<'a>) -> Self {
        Self {
            since: Instant::now(),
            pause: sink.every,
            sink,
        }
    }

    /// Takes a checkpoint of `state` if one is due.
    ///
    /// # Errors
    /// See [`Checkpoint::of`].
    pub fn take_if_due(
        &mut self,
        state: &TrainingState,
        device: &Device,
    ) -> Result<(), TrainingError> {
        if self.since.elapsed() < self.pause {
            return Ok(());
        }
        // Updates that a device has yet to compute do not count as a cost of the checkpoint.
        let synced = device.sync();
        synced.map_err(|error| TrainingError::Device(error.to_string()))?;
        let started = Instant::now();
        if let Some(checkpoint) = Checkpoint::of(state)? {
            (self.sink.keep)(checkpoint);
        }
        self.pause = pause(self.sink.every, started.elapsed());
        self.since = Instant::now();
        Ok(())
    }
}

/// The time until the next checkpoint, after one that took `took`.
fn pause(every: Duration, took: Duration) -> Duration {
    match every.is_zero() {
        true => every,
        false => every.max(took.saturating_mul(PAUSE)),
    }
}

#[cfg(test)]
mod tests;
