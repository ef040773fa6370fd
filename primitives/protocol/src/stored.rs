//! The first fields of what the chain stores, for anyone who reads them from a proof of its state.
//!
//! A proof is decoded with these types, not with the metadata that a node sends: a lying node could make the right bytes mean
//! something else. The pallet's tests decode its own records with them.

use crate::{round_inputs, Hash, Phase, RoundId, TableSummary, TaskId, TaskTerms};
use codec::Decode;
use gotong_scoring::share::{
    trial::{Accusation, Trial},
    EntryWeights,
};

/// Pallet and call index of `commit_attestation`.
pub const COMMIT_ATTESTATION: [u8; 2] = [20, 10];
/// Pallet and call index of the call that opens a dispute.
pub const OPEN_DISPUTE: [u8; 2] = [21, 0];
/// Pallet and call index of the call by which a challenger picks a part.
pub const PICK_IN_DISPUTE: [u8; 2] = [21, 2];

/// How the record of a task begins.
#[derive(Decode, Clone, PartialEq, Eq, Debug)]
pub struct StoredTask {
    /// Who opened it.
    pub sponsor: [u8; 32],
    /// What was asked for.
    pub terms: TaskTerms<u128>,
}

/// How the record of a round begins.
#[derive(Decode, Clone, PartialEq, Eq, Debug)]
pub struct StoredRound {
    /// What may be done.
    pub phase: Phase,
    /// Block in which the round started.
    pub started_at: u32,
    /// Time at which the phase started.
    pub phase_started_at: u32,
    /// Time at which the phase is over at the latest.
    pub ends_at: u32,
    /// Merkle root of the weights that the round starts from.
    pub base_root: Hash,
    /// Contributors who had left when commits were first taken.
    pub departures: u64,
    /// Contributors who committed.
    pub commits: u32,
    /// How many of the committed contributors were newcomers.
    pub newcomers: u32,
    /// Contributors who revealed.
    pub reveals: u32,
    /// The sums of their weights.
    pub weights: EntryWeights,
    /// The published samples.
    pub shard: Option<StoredShard>,
    /// Root over all that was revealed, once nothing more is.
    pub entrants_root: Option<Hash>,
    /// Blocks and entropy of a draw under way.
    pub draw: Option<(u32, Hash)>,
    /// What chance decides, once it is drawn.
    pub seed: Option<Hash>,
}

/// The published samples of a round.
#[derive(Decode, Clone, PartialEq, Eq, Debug)]
pub struct StoredShard {
    /// Which of the task's sealed shards.
    pub index: u32,
    /// Block whose body has the records.
    pub published_at: u32,
    /// What unseals the root.
    pub key: Hash,
    /// Merkle root over the salted records.
    pub root: Hash,
}

/// How the record of a dispute begins.
#[derive(Decode, Clone, PartialEq, Eq, Debug)]
pub struct StoredDispute {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// Whose table is doubted.
    pub accused: [u8; 32],
    /// Who doubts it.
    pub challenger: [u8; 32],
    /// The challenger's bond.
    pub bond: u128,
    /// What the challenger doubted first.
    pub accusation: Accusation,
    /// The table of the accused.
    pub table: TableSummary,
    /// How far the dispute has been narrowed down.
    pub trial: Trial,
    /// The block in which it was opened.
    pub opened_at: u32,
    /// The latest time for the next move.
    pub deadline: u32,
    /// Number of moves by the accused.
    pub answers: u32,
    /// Number of moves by the challenger.
    pub picks: u32,
}

impl StoredDispute {
    /// The same as [`DisputeView::position`](crate::view::DisputeView::position).
    pub fn position(&self) -> (&TableSummary, &Trial, u32) {
        let moves = self.answers.saturating_add(self.picks);
        (&self.table, &self.trial, moves)
    }
}

impl StoredRound {
    /// [`round_inputs`] of the round; none until all of them are known. Once known, they do not change.
    pub fn inputs(&self, task: TaskId, round: RoundId) -> Option<Hash> {
        let (seed, entrants) = (self.seed?, self.entrants_root?);
        let shard = self.shard.as_ref().map(|shard| shard.root);
        let base = &self.base_root;
        Some(round_inputs(
            task,
            round,
            base,
            shard,
            Some(seed),
            &entrants,
        ))
    }
}
