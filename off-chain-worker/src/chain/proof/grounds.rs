//! The facts that stake is risked on, and whether the chain's state agrees with them.

use super::{
    state::{key, placed, scattered},
    ProofError,
};
use crate::chain::{PALLET, REFEREE};
use codec::{Decode, DecodeAll, Encode};
use gotong_protocol::{
    stored::{StoredDispute, StoredRound, StoredTask},
    view::DisputeView,
    Graph, Hash, RoundId, TableSummary, TaskId, TaskTerms,
};

/// What a commitment to a table, an accusation, or a move in a dispute relies on: what a node said, which has to be proved.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// The task.
    pub task: TaskId,
    /// Its terms.
    pub terms: &'a TaskTerms,
    /// Its model.
    pub graph: &'a Graph,
    /// The round.
    pub round: RoundId,
    /// [`gotong_protocol::round_inputs`] of the round.
    pub inputs: &'a Hash,
    /// The accused account, and the root of the table that it defends.
    pub accused: Option<([u8; 32], Hash)>,
    /// The dispute in which a move is due.
    pub dispute: Option<&'a DisputeView>,
}

/// What a proved state says about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It says the same.
    Same,
    /// Something is not there yet: the block is too early.
    NotYet,
    /// It says something else.
    Other,
}

impl Grounds<'_> {
    /// The keys of storage that have to be proved.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let (task, round) = (self.task.encode(), self.round.encode());
        let mut keys = vec![
            [key(PALLET, "Tasks"), placed(&task)].concat(),
            [key(PALLET, "Graphs"), placed(&task)].concat(),
            [key(PALLET, "Rounds"), placed(&task), placed(&round)].concat(),
        ];
        if let Some((account, _)) = &self.accused {
            let of_round = placed(&[task, round].concat());
            keys.push([key(PALLET, "Tables"), of_round, scattered(account)].concat());
        }
        if let Some(dispute) = self.dispute {
            let id = dispute.id.encode();
            keys.push([key(REFEREE, "Disputes"), placed(&id)].concat());
        }
        keys
    }

    /// Whether the values of [`Self::keys`] say the same. These facts never change once they are known, and a dispute waits for the
    /// move that is due. So a block that is too early can be told from a lie.
    pub fn compare(&self, values: &[Option<Vec<u8>>]) -> Result<Verdict, ProofError> {
        let [Some(task), Some(graph), Some(round), others @ ..] = values else {
            return Ok(Verdict::NotYet);
        };
        let mut others = others.iter();
        let task =
            StoredTask::decode(&mut &**task).map_err(|_| ProofError::OtherLayout("tasks"))?;
        let graph = Vec::<u8>::decode_all(&mut &**graph)
            .ok()
            .and_then(|bytes| Graph::from_bytes(&bytes).ok())
            .ok_or(ProofError::OtherLayout("models"))?;
        let round =
            StoredRound::decode(&mut &**round).map_err(|_| ProofError::OtherLayout("rounds"))?;
        if (&task.terms, &graph) != (self.terms, self.graph) {
            return Ok(Verdict::Other);
        }
        match round.inputs(self.task, self.round) {
            None => return Ok(Verdict::NotYet),
            Some(inputs) if inputs != *self.inputs => return Ok(Verdict::Other),
            Some(_) => {}
        }
        if let Some((_, root)) = &self.accused {
            let Some(Some(table)) = others.next() else {
                return Ok(Verdict::NotYet);
            };
            let table = TableSummary::decode_all(&mut &**table)
                .map_err(|_| ProofError::OtherLayout("tables"))?;
            if table.root() != *root {
                return Ok(Verdict::Other);
            }
        }
        let Some(said) = self.dispute else {
            return Ok(Verdict::Same);
        };
        let Some(Some(dispute)) = others.next() else {
            return Ok(Verdict::NotYet);
        };
        let dispute = StoredDispute::decode(&mut &**dispute)
            .map_err(|_| ProofError::OtherLayout("disputes"))?;
        let (.., moves) = dispute.position();
        Ok(match dispute.position() == said.position() {
            true => Verdict::Same,
            false if moves < said.moves() => Verdict::NotYet,
            false => Verdict::Other,
        })
    }
}
