//! What a replica keeps on disk: how far it has come, checkpoints on the way there, and the tables of the rounds that settled.

use crate::state::{Folder, StateError};
use codec::{Decode, Encode};
use gotong_protocol::{Hash, RoundId, ShareClaim};
use gotong_scoring::{MasterWeights, ShareTable};
use std::cmp::Reverse;

/// A replica's position and tables. Each change is on disk before it counts.
pub(super) struct ReplicaStore {
    folder: Folder,
    position: Position,
}

/// How far a replica has come.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Position {
    /// The next round.
    pub next: RoundId,
    /// The master weights that it starts from.
    pub weights: Vec<i16>,
    /// The last round before it that settled, and the claim that it settled on.
    pub last: Option<(RoundId, ShareClaim)>,
}

impl Position {
    /// The position before the first round, with the weights that the task was opened with.
    pub fn first(weights: Vec<i16>) -> Self {
        Self {
            next: RoundId(0),
            weights,
            last: None,
        }
    }

    /// Whether a chain leads to this position: one on which the next round starts from the weights with the root `base_root`, and
    /// the last settled round settled on the claim `last`. The weights alone do not say enough, because with another seed another
    /// table may lead to the same ones. If the last settled round is the same, so are all rounds before it.
    pub fn is_led_to(&self, base_root: &Hash, last: Option<&ShareClaim>) -> bool {
        let weights = MasterWeights::new(self.weights.clone());
        weights.is_ok_and(|weights| weights.root() == *base_root)
            && self.last.as_ref().map(|(_, claim)| claim) == last
    }

    /// The name under which it is kept as a checkpoint; none before the first round. For each power of two, the checkpoint of the
    /// last round whose number is a multiple of it, but not of the next power, is kept. So there are as many checkpoints as a
    /// round's number has bits, and if some rounds are undone, at most three times as many are replayed.
    fn slot(&self) -> Option<String> {
        let RoundId(next) = self.next;
        (next > 0).then(|| checkpoint_name(next.trailing_zeros()))
    }
}

const POSITION: &str = "position";

fn checkpoint_name(slot: u32) -> String {
    format!("checkpoint-{slot}")
}

fn table_name(round: RoundId) -> String {
    format!("table-{round}")
}

impl ReplicaStore {
    /// Loads what is in the folder, if a replica was kept there before.
    pub fn load(folder: &Folder) -> Result<Option<Self>, StateError> {
        let position: Option<Position> = folder.load(POSITION)?;
        Ok(position.map(|position| Self {
            folder: folder.clone(),
            position,
        }))
    }

    /// Starts from a position.
    pub fn create(folder: Folder, position: Position) -> Result<Self, StateError> {
        folder.save(POSITION, &position)?;
        Ok(Self { folder, position })
    }

    /// Earlier positions, the latest first. They may belong to a fork that is gone. A damaged one counts as none.
    pub fn checkpoints(&self) -> Vec<Position> {
        let load = |slot| {
            self.folder
                .load(&checkpoint_name(slot))
                .unwrap_or_else(|error| {
                    tracing::warn!(
                        "cannot read a checkpoint, so more rounds may have to be replayed: {error}"
                    );
                    None
                })
        };
        let mut known: Vec<Position> = (0..u32::BITS).filter_map(load).collect();
        known.sort_by_key(|position| Reverse(position.next));
        known
    }

    /// Goes to a position, which is an earlier one if the chain undid rounds.
    pub fn go_to(&mut self, position: Position) -> Result<(), StateError> {
        self.folder.save(POSITION, &position)?;
        self.position = position;
        Ok(())
    }

    /// How far the replica has come.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The first round that has not been replayed yet.
    pub fn next_round(&self) -> RoundId {
        self.position.next
    }

    /// Master weights that the next round starts from.
    pub fn weights(&self) -> &[i16] {
        &self.position.weights
    }

    /// The share table of a replayed round that settled.
    pub fn table(&self, round: RoundId) -> Result<Option<ShareTable>, StateError> {
        if round >= self.position.next {
            // It belongs to a fork that is gone.
            return Ok(None);
        }
        self.folder.load(&table_name(round))
    }

    /// Notes that `round` settled on `claim`, the claim of `table`, and left these weights.
    pub fn settled(
        &mut self,
        round: RoundId,
        claim: ShareClaim,
        table: &ShareTable,
        weights: Vec<i16>,
    ) -> Result<(), StateError> {
        self.folder.save(&table_name(round), table)?;
        self.advance(Position {
            next: after(round),
            weights,
            last: Some((round, claim)),
        })
    }

    /// Notes that `round` settled on `claim`, whose table was not computed here, and left these weights.
    pub fn differed(
        &mut self,
        round: RoundId,
        claim: ShareClaim,
        weights: Vec<i16>,
    ) -> Result<(), StateError> {
        // It belongs to a fork that is gone.
        self.folder.remove(&table_name(round))?;
        self.advance(Position {
            next: after(round),
            weights,
            last: Some((round, claim)),
        })
    }

    /// Notes that `round` ended and changed nothing.
    pub fn passed(&mut self, round: RoundId) -> Result<(), StateError> {
        // It belongs to a fork that is gone.
        self.folder.remove(&table_name(round))?;
        self.advance(Position {
            next: after(round),
            ..self.position.clone()
        })
    }

    fn advance(&mut self, position: Position) -> Result<(), StateError> {
        if let Some(slot) = position.slot() {
            self.folder.save(&slot, &position)?;
        }
        self.go_to(position)
    }
}

/// Ids do not run out before blocks do.
fn after(round: RoundId) -> RoundId {
    round.next().unwrap_or(round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;

    #[test]
    fn golden_bytes() {
        let mut position = Position {
            next: RoundId(2),
            ..Position::first(vec![-2, 3])
        };
        assert_eq!(position.encode(), [2, 0, 0, 0, 8, 254, 255, 3, 0, 0]);
        position.last = Some((RoundId(1), claim(5)));
        let mut bytes = vec![2, 0, 0, 0, 8, 254, 255, 3, 0, 1, 1, 0, 0, 0];
        bytes.extend(claim(5).encode());
        assert_eq!(position.encode(), bytes);
    }

    fn claim(byte: u8) -> ShareClaim {
        ShareClaim {
            table_root: [byte; 32],
            master_root: [4; 32],
            merged: None,
        }
    }

    #[test]
    fn who_goes_back_replays_little_more_than_it_went_back() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let mut store = ReplicaStore::create(folder, Position::first(vec![1, 2])).unwrap();
        for round in 0..70 {
            store.passed(RoundId(round)).unwrap();
            let end = round + 1;
            let known = store.checkpoints();
            assert!(known.len() <= 7);
            assert!(known.windows(2).all(|pair| pair[0].next > pair[1].next));
            for back in 1..=end {
                let kept = known.iter().map(|position| position.next.0);
                let newest = kept.filter(|next| *next <= end - back).max();
                assert!(end - newest.unwrap_or(0) <= 3 * back);
            }
        }
        let checkpoint = store.checkpoints().remove(2);
        store.go_to(checkpoint.clone()).unwrap();
        let store = ReplicaStore::load(&store.folder).unwrap().unwrap();
        assert_eq!(*store.position(), checkpoint);
    }

    #[test]
    fn a_damaged_checkpoint_counts_as_none() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let mut store = ReplicaStore::create(folder, Position::first(vec![1, 2])).unwrap();
        for round in 0..2 {
            store.passed(RoundId(round)).unwrap();
        }
        std::fs::write(temporary.path().join("checkpoint-1"), [0]).unwrap();
        let known = store.checkpoints().into_iter();
        assert_eq!(
            known.map(|position| position.next.0).collect::<Vec<_>>(),
            [1]
        );
    }

    #[test]
    fn a_fork_that_gave_the_same_weights_by_another_table_is_another_one() {
        let position = Position {
            next: RoundId(2),
            weights: vec![1, 2],
            last: Some((RoundId(1), claim(5))),
        };
        let root = MasterWeights::new(vec![1, 2]).unwrap().root();
        assert!(position.is_led_to(&root, Some(&claim(5))));
        assert!(!position.is_led_to(&root, Some(&claim(6))));
        assert!(!position.is_led_to(&root, None));
        assert!(!position.is_led_to(&[9; 32], Some(&claim(5))));
    }

    #[test]
    fn what_settled_on_another_table_has_none_here() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let mut store = ReplicaStore::create(folder.clone(), Position::first(vec![1, 2])).unwrap();
        let table = Lab::small().table();
        let own = table.summary().claim(&[5; 32]);
        store.settled(RoundId(0), own, &table, vec![2, 2]).unwrap();
        // The chain undid it, and settled it differently.
        store.go_to(Position::first(vec![1, 2])).unwrap();
        store.differed(RoundId(0), claim(6), vec![3, 4]).unwrap();
        let store = ReplicaStore::load(&folder).unwrap().unwrap();
        let expected = Position {
            next: RoundId(1),
            weights: vec![3, 4],
            last: Some((RoundId(0), claim(6))),
        };
        assert_eq!(*store.position(), expected);
        assert_eq!(store.checkpoints(), [expected]);
        assert_eq!(store.table(RoundId(0)).unwrap(), None);
    }

    #[test]
    fn a_restart_finds_what_was_replayed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        assert!(ReplicaStore::load(&folder).unwrap().is_none());
        let table = Lab::small().table();
        let mut store = ReplicaStore::create(folder.clone(), Position::first(vec![1, 2])).unwrap();
        store.passed(RoundId(0)).unwrap();
        assert_eq!(store.weights(), [1, 2]);
        let own = table.summary().claim(&[5; 32]);
        store.settled(RoundId(1), own, &table, vec![3, 4]).unwrap();

        let mut store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(store.next_round(), RoundId(2));
        assert_eq!(store.weights(), [3, 4]);
        assert_eq!(store.table(RoundId(0)).unwrap(), None);
        assert_eq!(store.table(RoundId(1)).unwrap(), Some(table));

        store.go_to(Position::first(vec![1, 2])).unwrap();
        let mut store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(
            (store.next_round(), store.weights()),
            (RoundId(0), &[1, 2][..])
        );
        // Its tables belong to a fork that is gone, even if the rounds ended differently on the new one.
        assert_eq!(store.table(RoundId(1)).unwrap(), None);
        for round in 0..2 {
            store.passed(RoundId(round)).unwrap();
            assert_eq!(store.table(RoundId(round)).unwrap(), None);
        }
    }
}
