use super::{
    contribute::{Source, Strategy},
    sponsor::random_hash,
    RunError,
};
use crate::{
    chain::Account,
    engine::Work,
    state::{Folder, StateError},
    training::{noise_change, train, Step, TrainingConfig},
};
use gotong_protocol::{bounds::MAX_DELTA_BYTES, Delta, Graph, Hash, RoundId, TaskId};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::{atomic::AtomicBool, Arc};

/// What a training run gives.
pub(super) struct Trained {
    pub work: Work,
    /// What the delta leaves out of the change.
    pub residual: Vec<i32>,
}

/// All that a training run needs, apart from the daemon.
pub(super) struct Order {
    pub task: TaskId,
    pub account: Account,
    pub round: RoundId,
    pub base_root: Hash,
    pub graph: Graph,
    pub master: Vec<i16>,
    pub residual: Option<Vec<i32>>,
    pub keep_permille: u32,
    pub source: Source,
    pub stop: Arc<AtomicBool>,
}

impl Order {
    /// Trains, and makes a delta of the change and of what the last delta left out.
    pub(super) fn fulfil(self) -> Result<Trained, RunError> {
        let mut change = self.change()?;
        if let Some(residual) = &self.residual {
            for (change, residual) in change.iter_mut().zip(residual) {
                *change = change.saturating_add(*residual);
            }
        }
        let (delta, bytes) =
            compress(&change, self.keep_permille).ok_or(RunError::NothingLearned)?;
        let salt = random_hash()?;
        Ok(Trained {
            residual: delta.residual(&change),
            work: Work {
                round: self.round,
                base_root: self.base_root,
                salt,
                delta: bytes,
            },
        })
    }

    fn change(&self) -> Result<Vec<i32>, RunError> {
        let training = match &self.source {
            Source::Weights(weights) => {
                let difference = |(&new, &old): (&i16, &i16)| i32::from(new) - i32::from(old);
                return Ok(weights.iter().zip(&self.master).map(difference).collect());
            }
            Source::Train(training) => training,
        };
        let seed = self.seed(training.options.seed);
        let config = TrainingConfig {
            seed,
            ..training.options.config(&self.graph)
        };
        let bar = ProgressBar::new(config.steps as u64)
            .with_style(training_style())
            .with_message(format!("task {}, round {}", self.task, self.round));
        let mut report = |step: Step| {
            bar.set_position(step.step as u64);
            bar.set_prefix(format!("{:.3}", step.loss));
        };
        let change = train(
            &self.graph,
            &self.master,
            &training.data,
            &config,
            &training.device,
            &mut report,
            &self.stop,
        );
        bar.finish_and_clear();
        let change = change?;
        Ok(match training.strategy {
            Strategy::Honest => change,
            Strategy::Noise => noise_change(change.len(), seed, &change),
        })
    }

    /// Another order of samples for every account and round.
    fn seed(&self, seed: u64) -> u64 {
        let digest = gotong_scoring::blake2_256(&[
            &seed.to_le_bytes(),
            &self.account,
            &self.round.0.to_le_bytes(),
        ]);
        digest
            .iter()
            .take(8)
            .fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
    }
}

fn training_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} steps, {prefix} bits")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A delta that fits an extrinsic, with its encoding: keeps fewer parameters if it must. `None`
/// when there is nothing to send.
fn compress(change: &[i32], keep_permille: u32) -> Option<(Delta, Vec<u8>)> {
    let mut keep = keep_permille;
    while keep > 0 {
        let delta = Delta::compress(change, keep);
        if delta.entries().is_empty() {
            return None;
        }
        let bytes = delta.encode();
        if bytes.len() <= MAX_DELTA_BYTES as usize {
            return Some((delta, bytes));
        }
        keep = keep * 4 / 5;
    }
    None
}

/// What deltas left out, on disk: error feedback, to be sent with the next one.
pub(super) struct Residuals(Folder);

/// What the newest delta left out, and the one before it.
const FILES: [&str; 2] = ["residual", "residual-before"];

impl Residuals {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// What the delta of the round `of` left out, if it is known.
    pub fn load(&self, of: Option<RoundId>) -> Result<Option<Vec<i32>>, StateError> {
        for name in FILES {
            match self.0.load::<(RoundId, Vec<i32>)>(name)? {
                Some((round, residual)) if Some(round) == of => return Ok(Some(residual)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Keeps what the delta of `round` leaves out and, as it may never be revealed, what the last
    /// `revealed` one did.
    pub fn save(
        &self,
        revealed: Option<RoundId>,
        round: RoundId,
        residual: Vec<i32>,
    ) -> Result<(), StateError> {
        let [newest, before] = FILES;
        if let Some(old) = self.load(revealed)? {
            self.0.save(before, &(revealed.unwrap_or_default(), old))?;
        }
        self.0.save(newest, &(round, residual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_made_to_fit() {
        // A change that no code makes small: every position, random signs and places.
        let mut state = 1u64;
        let change: Vec<i32> = (0..1_000_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                ((state >> 33) as i32 % 2000) - 1000
            })
            .collect();
        let (delta, bytes) = compress(&change, 1000).unwrap();
        assert!(bytes.len() <= MAX_DELTA_BYTES as usize);
        assert!(delta.entries().len() > 10_000);
        assert!(compress(&[0; 5000], 1000).is_none());
        assert!(compress(&[1; 5000], 0).is_none());
    }

    #[test]
    fn the_residual_of_the_last_revealed_delta_survives_unrevealed_ones() {
        let temporary = tempfile::tempdir().unwrap();
        let residuals = Residuals::new(Folder::open(temporary.path()).unwrap());
        let revealed = Some(RoundId(3));
        residuals.save(None, RoundId(3), vec![3]).unwrap();
        assert_eq!(residuals.load(revealed).unwrap(), Some(vec![3]));
        for unrevealed in 4..7 {
            let round = RoundId(unrevealed);
            residuals.save(revealed, round, vec![0]).unwrap();
            assert_eq!(residuals.load(revealed).unwrap(), Some(vec![3]));
        }
        residuals
            .save(Some(RoundId(6)), RoundId(7), vec![7])
            .unwrap();
        assert_eq!(residuals.load(Some(RoundId(6))).unwrap(), Some(vec![0]));
        assert_eq!(residuals.load(revealed).unwrap(), None);
        assert_eq!(residuals.load(None).unwrap(), None);
    }
}
