//! Stores on disk what an optimizer has learned about the gradients. Training also works without it: a state that cannot be stored
//! or read is logged, and no delta is lost.

use crate::state::{Folder, StateError};
use codec::{Decode, Encode};
use gotong_protocol::RoundId;
use gotong_training::Memory;

/// What an optimizer remembered after the training for a round.
#[derive(Debug, PartialEq, Encode, Decode)]
struct Kept {
    round: RoundId,
    memory: Memory,
}

/// The memories after the last two rounds that were trained for. After a fork, a round may be trained for again.
pub(super) struct Memories(Folder);

const FILES: [&str; 2] = ["optimizer", "optimizer-before"];

impl Memories {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// The newest memory of a round before `round`.
    pub fn before(&self, round: RoundId) -> Option<Memory> {
        let kept = FILES.into_iter().filter_map(|name| self.load(name));
        let earlier = kept.filter(|kept| kept.round < round);
        earlier
            .max_by_key(|kept| kept.round)
            .map(|kept| kept.memory)
    }

    /// Keeps the memory after the training for `round`.
    pub fn save(&self, round: RoundId, memory: Memory) {
        if let Err(error) = self.try_save(round, memory) {
            tracing::warn!("the next training starts without the optimizer's state: {error}");
        }
    }

    fn try_save(&self, round: RoundId, memory: Memory) -> Result<(), StateError> {
        let [newest, before] = FILES;
        if let Some(kept) = self.load(newest).filter(|kept| kept.round < round) {
            self.0.save(before, &kept)?;
        }
        self.0.save(newest, &Kept { round, memory })
    }

    fn load(&self, name: &str) -> Option<Kept> {
        self.0.load(name).unwrap_or_else(|error| {
            tracing::warn!("training starts without the optimizer's state: {error}");
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory that is distinguished from others by its number of updates.
    fn memory(updates: u32) -> Memory {
        let none = Vec::<()>::new();
        Memory::decode(&mut &(updates, none).encode()[..]).unwrap()
    }

    #[test]
    fn a_round_is_trained_with_what_was_learned_before_it() {
        let temporary = tempfile::tempdir().unwrap();
        let memories = || Memories::new(Folder::open(temporary.path()).unwrap());
        assert_eq!(memories().before(RoundId(4)), None);
        memories().save(RoundId(3), memory(30));
        memories().save(RoundId(5), memory(50));
        // Restarts change nothing, and a round that is trained for again does not count twice.
        for _ in 0..2 {
            assert_eq!(memories().before(RoundId(6)), Some(memory(50)));
            assert_eq!(memories().before(RoundId(5)), Some(memory(30)));
            assert_eq!(memories().before(RoundId(3)), None);
            memories().save(RoundId(5), memory(50));
        }
    }

    #[test]
    fn a_damaged_memory_counts_as_none() {
        let temporary = tempfile::tempdir().unwrap();
        let memories = Memories::new(Folder::open(temporary.path()).unwrap());
        memories.save(RoundId(3), memory(30));
        std::fs::write(temporary.path().join("optimizer"), [3, 1]).unwrap();
        assert_eq!(memories.before(RoundId(4)), None);
        memories.save(RoundId(4), memory(40));
        assert_eq!(memories.before(RoundId(5)), Some(memory(40)));
    }
}
