//! What a replica keeps on disk: how far it has come, the tables of the rounds that settled, and which of them settled on
//! another table.

use crate::{
    evaluation::Difference,
    state::{Folder, StateError},
};
use codec::{Decode, Encode};
use gotong_protocol::{RoundId, ShareClaim};
use gotong_scoring::ShareTable;

/// A replica's position and tables. Each change is on disk before it counts.
pub(super) struct ReplicaStore {
    folder: Folder,
    position: Position,
    /// In order.
    differing: Vec<Differing>,
}

/// A round that settled on another table than was computed here.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Differing {
    /// The round.
    pub round: RoundId,
    /// What it settled on.
    pub claim: ShareClaim,
    /// Where both differ first.
    pub difference: Difference,
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
const DIFFERING: &str = "differing";

fn table_name(round: RoundId) -> String {
    format!("table-{round}")
}

impl ReplicaStore {
    /// What is in the folder, if a replica was kept there before.
    pub fn load(folder: &Folder) -> Result<Option<Self>, StateError> {
        let Some(position) = folder.load(POSITION)? else {
            return Ok(None);
        };
        let differing: Option<Vec<Differing>> = folder.load(DIFFERING)?;
        Ok(Some(Self {
            folder: folder.clone(),
            position,
            differing: differing.unwrap_or_default(),
        }))
    }

    /// Starts before the first round, from the weights that the task was opened with.
    pub fn create(folder: Folder, weights: Vec<i16>) -> Result<Self, StateError> {
        let next = RoundId(0);
        let position = Position { next, weights };
        folder.remove(DIFFERING)?;
        folder.save(POSITION, &position)?;
        Ok(Self {
            folder,
            position,
            differing: Vec::new(),
        })
    }

    /// Goes back to the first round, because the chain took rounds back.
    pub fn restart(&mut self, weights: Vec<i16>) -> Result<(), StateError> {
        let next = RoundId(0);
        self.advance(Position { next, weights })?;
        self.differing.clear();
        self.folder.remove(DIFFERING)
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

    /// A round settled on another table than was computed here, and left the weights that were.
    pub fn differed(&mut self, differing: Differing, weights: Vec<i16>) -> Result<(), StateError> {
        let round = differing.round;
        // Of a fork that is gone.
        self.folder.remove(&table_name(round))?;
        self.differing.retain(|known| known.round < round);
        self.differing.push(differing);
        self.folder.save(DIFFERING, &self.differing)?;
        let next = after(round);
        self.advance(Position { next, weights })
    }

    /// The rounds that settled on another table than was computed here, in order.
    pub fn differing(&self) -> &[Differing] {
        &self.differing
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
    fn what_settled_on_another_table_is_remembered() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let mut store = ReplicaStore::create(folder.clone(), vec![1, 2]).unwrap();
        let table = Lab::small().table();
        store.settled(RoundId(0), &table, vec![2, 2]).unwrap();
        assert_eq!(store.differing(), []);
        let differing = |round| Differing {
            round: RoundId(round),
            claim: table.summary().claim(&[5; 32]),
            difference: Difference::of("a root", 1, 2).unwrap(),
        };
        store.differed(differing(0), vec![3, 4]).unwrap();
        store.differed(differing(1), vec![5, 6]).unwrap();

        let mut store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(store.differing(), [differing(0), differing(1)]);
        assert_eq!(store.table(RoundId(0)).unwrap(), None);
        assert_eq!(
            (store.next_round(), store.weights()),
            (RoundId(2), &[5, 6][..])
        );
        // The chain took it back.
        store.restart(vec![1, 2]).unwrap();
        let store = ReplicaStore::load(&folder).unwrap().unwrap();
        assert_eq!(store.differing(), []);
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
