//! Keeps the last scores on disk, so that no round is scored again after a restart. If a score cannot be written or read, that
//! is logged and costs only the time to compute it again.

use crate::state::{Folder, StateError};
use codec::{Decode, Encode};
use gotong_protocol::{Graph, Hash, ShareTerms};
use gotong_scoring::{blake2_256, ShareTable};

/// A round's result. What it was computed from is on the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct KeptScore {
    /// [`inputs_digest`](super::inputs_digest) of the round.
    pub inputs: Hash,
    /// Master weights after the round.
    pub weights: Vec<i16>,
    /// Its table.
    pub table: ShareTable,
    /// Whether a device had a part in it.
    pub by_device: bool,
}

/// A wrong table costs the stake. So a score is not used if the disk has changed it, or if it was computed when a node described
/// the task differently.
#[derive(Encode, Decode)]
struct Checked {
    /// blake2b-256 of the task's graph and terms, and of the encoded score.
    hash: Hash,
    score: KeptScore,
}

/// The scores of the last two rounds, or of two forks of one round, because a short reorg may switch back and forth.
pub(super) struct KeptScores {
    folder: Folder,
    /// The task's graph and terms, encoded.
    task: Vec<u8>,
}

const FILES: [&str; 2] = ["scored", "scored-before"];

impl KeptScores {
    pub fn new(folder: Folder, graph: &Graph, terms: &ShareTerms) -> Self {
        let task = (graph, terms).encode();
        Self { folder, task }
    }

    /// The score of the inputs with this digest, if it is known.
    pub fn load(&self, inputs: &Hash) -> Option<KeptScore> {
        let mut kept = FILES.into_iter().filter_map(|name| self.read(name));
        kept.find(|score| score.inputs == *inputs)
    }

    /// Stores a score in place of the older one.
    pub fn save(&self, score: KeptScore) {
        if let Err(error) = self.try_save(score) {
            tracing::warn!("a restart would score the round again: {error}");
        }
    }

    fn try_save(&self, score: KeptScore) -> Result<(), StateError> {
        let [newest, before] = FILES;
        let kept = self.read(newest);
        if kept.is_some_and(|kept| kept.inputs != score.inputs) {
            self.folder.rename(newest, before)?;
        }
        let hash = self.hash(&score);
        self.folder.save(newest, &Checked { hash, score })
    }

    fn hash(&self, score: &KeptScore) -> Hash {
        blake2_256(&[&self.task, &score.encode()])
    }

    /// The score in a file. A damaged file counts as none.
    fn read(&self, name: &str) -> Option<KeptScore> {
        let read: Option<Checked> = self.folder.load(name).unwrap_or_else(|error| {
            tracing::warn!("the round is scored again: {error}");
            None
        });
        let Checked { hash, score } = read?;
        if self.hash(&score) != hash {
            let file = self.folder.path().join(name);
            tracing::warn!(
                "the round is scored again: {} is damaged, or belongs to another task",
                file.display()
            );
            return None;
        }
        Some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;
    use std::fs;

    fn scores() -> (tempfile::TempDir, KeptScores) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        (temporary, kept_of(folder, 3))
    }

    /// Scores of a task with this many classes.
    fn kept_of(folder: Folder, classes: u32) -> KeptScores {
        KeptScores::new(folder, &Graph::mlp(&[2, classes]), &ShareTerms::default())
    }

    fn score(byte: u8) -> KeptScore {
        KeptScore {
            inputs: [byte; 32],
            weights: vec![-2, 3],
            table: Lab::small().table(),
            by_device: false,
        }
    }

    #[test]
    fn golden_bytes() {
        let (temporary, scores) = scores();
        let mut empty = score(7);
        empty.table.records.clear();
        empty.table.passes.clear();
        empty.table.merge = None;
        scores.save(empty.clone());
        let body = [
            vec![7; 32],
            vec![8, 254, 255, 3, 0],
            empty.table.terms.encode(),
            // No records, no passes, no merge; by no device.
            vec![0, 0, 0, 0],
        ]
        .concat();
        let hash = blake2_256(&[&scores.task, &body]);
        let bytes = fs::read(temporary.path().join("scored")).unwrap();
        // The first byte is the version of all state.
        assert_eq!(bytes[1..], [hash.to_vec(), body].concat());
    }

    #[test]
    fn a_restart_finds_the_last_two_scores() {
        let (temporary, scores) = scores();
        assert_eq!(scores.load(&[1; 32]), None);
        for byte in [1, 2, 2, 3] {
            scores.save(score(byte));
            assert_eq!(scores.load(&[byte; 32]), Some(score(byte)));
        }
        let other = kept_of(Folder::open(temporary.path()).unwrap(), 4);
        assert_eq!(other.load(&[2; 32]), None, "it belongs to another task");
        let scores = kept_of(Folder::open(temporary.path()).unwrap(), 3);
        assert_eq!(scores.load(&[1; 32]), None);
        assert_eq!(scores.load(&[2; 32]), Some(score(2)));
        assert_eq!(scores.load(&[3; 32]), Some(score(3)));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_damaged_score_counts_as_none_and_is_replaced() {
        let (temporary, scores) = scores();
        scores.save(score(1));
        let path = temporary.path().join("scored");
        let whole = fs::read(&path).unwrap();
        // Flip a bit anywhere: in the version, the hash or the score. Then make the file too short, and too long.
        let flips = (0..whole.len()).step_by(5).map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            flipped
        });
        let cut = whole[..whole.len() - 1].to_vec();
        let longer = [&whole[..], &[0]].concat();
        for bytes in flips.chain([Vec::new(), cut, longer]) {
            fs::write(&path, bytes).unwrap();
            assert_eq!(scores.load(&[1; 32]), None);
        }
        scores.save(score(1));
        assert_eq!(scores.load(&[1; 32]), Some(score(1)));
    }

    #[test]
    fn what_cannot_be_kept_is_no_error() {
        let (temporary, scores) = scores();
        drop(temporary);
        scores.save(score(1));
        assert_eq!(scores.load(&[1; 32]), None);
    }
}
