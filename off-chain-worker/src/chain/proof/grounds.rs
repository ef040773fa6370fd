//! What stake is risked on, and whether the chain's state says the same.

use super::{
    state::{key, placed, scattered},
    ProofError,
};
use crate::chain::PALLET;
use codec::{Decode, DecodeAll, Encode};
use gotong_protocol::{
    stored::{StoredRound, StoredTask},
    Graph, Hash, RoundId, TableSummary, TaskId, TaskTerms,
};

/// What a commitment to a table, or an accusation, stands on: what a node said, and what has to be proved.
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
    /// The accused account, and the root of the table that it stands for.
    pub accused: Option<([u8; 32], Hash)>,
}

/// What a proved state says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same.
    Same,
    /// Something is not there yet: the block is too early.
    NotYet,
    /// Something else.
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
        keys
    }

    /// Whether the values of [`Self::keys`] say the same. Nothing of it changes once it is known, so that a block that is
    /// too early is told from a lie.
    pub fn compare(&self, values: &[Option<Vec<u8>>]) -> Result<Verdict, ProofError> {
        let [Some(task), Some(graph), Some(round), table @ ..] = values else {
            return Ok(Verdict::NotYet);
        };
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
        let Some((_, root)) = &self.accused else {
            return Ok(Verdict::Same);
        };
        let Some(Some(table)) = table.first() else {
            return Ok(Verdict::NotYet);
        };
        let table = TableSummary::decode_all(&mut &**table)
            .map_err(|_| ProofError::OtherLayout("tables"))?;
        Ok(match table.root() == *root {
            true => Verdict::Same,
            false => Verdict::Other,
        })
    }
}
