use super::{
    contribute::{Source, Strategy},
    sponsor::random_hash,
    RunError,
};
use crate::{
    chain::Account,
    engine::Work,
    state::{Folder, StateError},
    training::{add_residual, noise_change, train, Step, TrainingConfig},
};
use codec::{Decode, Encode};
use gotong_protocol::{bounds::MAX_DELTA_BYTES, Delta, Graph, Hash, RoundId, TaskId};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::{atomic::AtomicBool, Arc};

/// What a training run gives.
pub(super) struct Trained {
    pub work: Work,
    /// What the delta leaves out of the change that was trained.
    pub residual: Option<Residual>,
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
            add_residual(&mut change, residual);
        }
        let (delta, bytes) =
            compress(&change, self.keep_permille).ok_or(RunError::NothingLearned)?;
        let salt = random_hash()?;
        let residual = || Residual {
            round: self.round,
            delta: Delta::hash_of(&bytes),
            left_out: delta.residual(&change),
        };
        Ok(Trained {
            residual: self.source.is_honest_training().then(residual),
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
            Source::Weights(own) => {
                let base = own.base.as_ref().unwrap_or(&self.master);
                let difference = |(&new, &old): (&i16, &i16)| i32::from(new) - i32::from(old);
                return Ok(own.trained.iter().zip(base).map(difference).collect());
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

/// What a delta leaves out of the change that it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Residual {
    round: RoundId,
    /// Hash of the delta.
    delta: Hash,
    left_out: Vec<i32>,
}

/// What deltas left out, on disk: error feedback, to be sent with the next one. Only a delta that the
/// weights took leaves something behind: what another one held is found again by the next training.
pub(super) struct Residuals(Folder);

/// Of the newest delta, and of the last one that is known to be merged.
const NEWEST: &str = "residual";
const MERGED: &str = "residual-merged";

impl Residuals {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// What the last delta that was merged left out.
    pub fn of_merged(
        &self,
        is_merged: impl FnOnce(RoundId, &Hash) -> Result<bool, StateError>,
    ) -> Result<Option<Vec<i32>>, StateError> {
        if let Some(newest) = self.0.load::<Residual>(NEWEST)? {
            if is_merged(newest.round, &newest.delta)? {
                self.0.save(MERGED, &newest)?;
            }
        }
        let merged = self.0.load::<Residual>(MERGED)?;
        Ok(merged.map(|residual| residual.left_out))
    }

    /// Keeps what the newest delta leaves out until it is known whether that is merged.
    pub fn save(&self, newest: &Residual) -> Result<(), StateError> {
        self.0.save(NEWEST, newest)
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
    fn only_what_was_merged_leaves_something_behind() {
        let temporary = tempfile::tempdir().unwrap();
        let residuals = Residuals::new(Folder::open(temporary.path()).unwrap());
        let left_by = |round: u32| vec![round as i32; 3];
        assert_eq!(residuals.of_merged(|_, _| Ok(true)).unwrap(), None);
        for (round, is_merged, expected) in [
            (0, false, None),
            (1, true, Some(1)),
            (2, false, Some(1)),
            (3, false, Some(1)),
            (4, true, Some(4)),
        ] {
            let newest = Residual {
                round: RoundId(round),
                delta: [round as u8; 32],
                left_out: left_by(round),
            };
            residuals.save(&newest).unwrap();
            for _restart in 0..2 {
                let found = residuals.of_merged(|of, delta| {
                    assert_eq!((of, delta), (newest.round, &newest.delta));
                    Ok(is_merged)
                });
                assert_eq!(found.unwrap(), expected.map(left_by));
            }
        }
    }
}
