//! Stores on disk how far the current training run is, so that it continues there after a restart. Training also works without it:
//! a checkpoint that cannot be stored or read is logged, and no delta is lost.

use crate::state::Folder;
use codec::{Decode, Encode};
use gotong_protocol::{Hash, RoundId};
use gotong_training::Checkpoint;

/// Distinguishes a training run of an account in a task from all others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct TrainingId {
    pub round: RoundId,
    /// Root of the weights that it starts from.
    pub base_root: Hash,
    /// Digest of everything else that determines the training.
    pub settings: Hash,
}

/// A training that was interrupted.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(super) struct Unfinished {
    /// The seed for the order of its samples. It may have been drawn for this training run alone.
    pub seed: u64,
    pub checkpoint: Checkpoint,
}

#[derive(Encode, Decode)]
struct Kept {
    id: TrainingId,
    unfinished: Unfinished,
}

/// The newest checkpoint, on disk. It stays until it is replaced, or its training has ended.
#[derive(Clone)]
pub(super) struct Checkpoints(Folder);

const FILE: &str = "checkpoint";

impl Checkpoints {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// How far the training run `id` came, if that is known.
    pub fn load(&self, id: &TrainingId) -> Option<Unfinished> {
        let kept: Kept = self.0.load(FILE).unwrap_or_else(|error| {
            tracing::warn!("training from the beginning: {error}");
            None
        })?;
        if kept.id == *id {
            return Some(kept.unfinished);
        }
        // A checkpoint of another round was left by a training run that ran out of time.
        if kept.id.round == id.round {
            tracing::warn!(
                "training from the beginning: the checkpoint comes from a training with other settings, data or weights"
            );
        }
        None
    }

    /// Whether a training run for this round, from these weights, was interrupted.
    pub fn has_unfinished(&self, round: RoundId, base_root: Hash) -> bool {
        // What cannot be read is reported once the training run begins.
        let kept: Option<Kept> = self.0.load(FILE).unwrap_or_default();
        kept.is_some_and(|Kept { id, .. }| (id.round, id.base_root) == (round, base_root))
    }

    /// Stores how far the training run `id` came.
    pub fn save(&self, id: &TrainingId, unfinished: Unfinished) {
        let step = unfinished.checkpoint.step();
        let id = id.clone();
        match self.0.save(FILE, &Kept { id, unfinished }) {
            Ok(()) => tracing::debug!("kept a checkpoint at update {step}"),
            Err(error) => tracing::warn!("a restart would lose work: {error}"),
        }
    }

    /// Removes what is kept, once it is of no use.
    pub fn remove(&self) {
        if let Err(error) = self.0.remove(FILE) {
            tracing::warn!("cannot remove a useless checkpoint: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_training::Memory;

    fn checkpoints() -> (tempfile::TempDir, Checkpoints) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        (temporary, Checkpoints::new(folder))
    }

    fn id() -> TrainingId {
        TrainingId {
            round: RoundId(3),
            base_root: [4; 32],
            settings: [5; 32],
        }
    }

    /// A checkpoint that is distinguished from others by its number of updates.
    fn unfinished(step: u32) -> Unfinished {
        let none = Vec::<Vec<f32>>::new();
        let bytes = (step, &none, Memory::default(), 9u32).encode();
        Unfinished {
            seed: 6,
            checkpoint: Checkpoint::decode(&mut &bytes[..]).unwrap(),
        }
    }

    #[test]
    fn a_training_finds_its_newest_checkpoint_until_it_is_removed() {
        let (_temporary, checkpoints) = checkpoints();
        assert_eq!(checkpoints.load(&id()), None);
        for step in [7, 8] {
            checkpoints.save(&id(), unfinished(step));
            assert_eq!(checkpoints.load(&id()), Some(unfinished(step)));
        }
        assert!(checkpoints.has_unfinished(RoundId(3), [4; 32]));
        assert!(!checkpoints.has_unfinished(RoundId(4), [4; 32]));
        assert!(!checkpoints.has_unfinished(RoundId(3), [5; 32]));
        for _ in 0..2 {
            checkpoints.remove();
            assert_eq!(checkpoints.load(&id()), None);
        }
        assert!(!checkpoints.has_unfinished(RoundId(3), [4; 32]));
    }

    #[test]
    fn the_checkpoint_of_another_training_counts_as_none() {
        let (_temporary, checkpoints) = checkpoints();
        checkpoints.save(&id(), unfinished(7));
        let round = RoundId(4);
        let (base_root, settings) = ([0; 32], [0; 32]);
        for other in [
            TrainingId { round, ..id() },
            TrainingId { base_root, ..id() },
            TrainingId { settings, ..id() },
        ] {
            assert_eq!(checkpoints.load(&other), None);
            assert_eq!(checkpoints.load(&id()), Some(unfinished(7)));
        }
        let later = TrainingId { round, ..id() };
        checkpoints.save(&later, unfinished(1));
        assert_eq!(checkpoints.load(&id()), None);
        assert_eq!(checkpoints.load(&later), Some(unfinished(1)));
    }

    #[test]
    fn a_damaged_file_counts_as_none_and_is_replaced() {
        let (temporary, checkpoints) = checkpoints();
        checkpoints.save(&id(), unfinished(7));
        let path = temporary.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let longer = [&whole[..], &[0]].concat();
        let of_another_version = [&[1], &whole[1..]].concat();
        for bytes in [&[], &whole[..whole.len() - 1], &longer, &of_another_version] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(checkpoints.load(&id()), None);
            checkpoints.save(&id(), unfinished(8));
            assert_eq!(checkpoints.load(&id()), Some(unfinished(8)));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_no_error() {
        let (temporary, checkpoints) = checkpoints();
        drop(temporary);
        checkpoints.save(&id(), unfinished(7));
        assert_eq!(checkpoints.load(&id()), None);
        checkpoints.remove();
    }
}
