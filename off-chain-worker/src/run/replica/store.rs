//! What a replica keeps on disk: how far it has come, and the tables of the rounds that settled.

use crate::state::{Folder, StateError};
use codec::{Decode, Encode};
use gotong_protocol::RoundId;
use gotong_scoring::ShareTable;

/// A replica's position and tables. Each change is on disk before it counts.
pub(super) struct ReplicaStore {
    folder: Folder,
    position: Position,
}

/// How far a replica has come.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Position {
    /// The round to look at next.
    next: RoundId,
    /// Master weights that it starts from.
    weights: Vec<i16>,
}

const POSITION: &str = "position";

fn table_name(round: RoundId) -> String {
    format!("table-{round}")
}

impl ReplicaStore {
    /// What is in the folder, if a replica was kept there before.
    pub fn load(folder: &Folder) -> Result<Option<Self>, StateError> {
        let position = folder.load(POSITION)?;
        Ok(position.map(|position| Self {
            folder: folder.clone(),
            position,
        }))
    }

    /// Starts before the first round, from the weights that the task was opened with.
    pub fn create(folder: Folder, weights: Vec<i16>) -> Result<Self, StateError> {
        let next = RoundId(0);
        let position = Position { next, weights };
        folder.save(POSITION, &position)?;
        Ok(Self { folder, position })
    }

    /// Goes back to the first round, because the chain took rounds back.
    pub fn restart(&mut self, weights: Vec<i16>) -> Result<(), StateError> {
        let next = RoundId(0);
        self.advance(Position { next, weights })
    }

    /// The first round that was not replayed yet.
    pub fn next_round(&self) -> RoundId {
        self.position.next
    }

    /// Master weights that the next round starts from.
    pub fn weights(&self) -> &[i16] {
        &self.position.weights
    }

    /// The share table of a round that settled.
    pub fn table(&self, round: RoundId) -> Result<Option<ShareTable>, StateError> {
        self.folder.load(&table_name(round))
    }

    /// `round` settled on `table`, and left these weights.
    pub fn settled(
        &mut self,
        round: RoundId,
        table: &ShareTable,
        weights: Vec<i16>,
    ) -> Result<(), StateError> {
        self.folder.save(&table_name(round), table)?;
        let next = after(round);
        self.advance(Position { next, weights })
    }

    /// `round` ended and changed nothing.
    pub fn passed(&mut self, round: RoundId) -> Result<(), StateError> {
        let (next, weights) = (after(round), self.position.weights.clone());
        self.advance(Position { next, weights })
    }

    fn advance(&mut self, position: Position) -> Result<(), StateError> {
        self.folder.save(POSITION, &position)?;
        self.position = position;
        Ok(())
    }
}

/// Ids do not run out before blocks do.
fn after(round: RoundId) -> RoundId {
    round.next().unwrap_or(round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::lab::Lab;

    #[test]
    fn golden_bytes() {
        let position = Position {
            next: RoundId(2),
            weights: vec![-2, 3],
        };
        assert_eq!(position.encode(), [2, 0, 0, 0, 8, 254, 255, 3, 0]);
    }

    #[test]
    fn a_restart_finds_what_was_replayed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        assert!(ReplicaStore::load(&folder).unwrap().is_none());
        let table = Lab::small().table();
        let mut store = ReplicaStore::create(folder.clone(), vec![1, 2]).unwrap();
        store.passed(RoundId(0)).unwrap();
        assert_eq!(store.weights(), [1, 2]);
        store.settled(RoundId(1), &table, vec![3, 4]).unwrap();

        let mut store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(store.next_round(), RoundId(2));
        assert_eq!(store.weights(), [3, 4]);
        assert_eq!(store.table(RoundId(0)).unwrap(), None);
        assert_eq!(store.table(RoundId(1)).unwrap(), Some(table));

        store.restart(vec![1, 2]).unwrap();
        let store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(
            (store.next_round(), store.weights()),
            (RoundId(0), &[1, 2][..])
        );
    }
}
