//! When a contributor trains, commits, reveals and claims.

mod version_5;

pub use version_5::ContributorVersion5;

use codec::{Decode, Encode};
use gotong_protocol::{submission_commitment, Delta, Hash, Phase, RoundId, TaskId};

/// One account's part in one task: trains, commits, reveals and claims, once a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Contributor {
    task: TaskId,
    account: [u8; 32],
    /// The last ones, in the order in which they were made: one for a round. A fork may take rounds back, and whatever was
    /// committed there has to be shown again.
    deltas: Vec<OwnDelta>,
    /// The last round whose delta was revealed: what that delta left out is still to be sent.
    residual_of: Option<RoundId>,
}

/// Deltas that are kept, up to 192 KiB each. Few forks take back as many rounds.
const KEPT: usize = 4;

/// A delta that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct OwnDelta {
    prepared: PreparedDelta,
    /// The last block that took the commitment to it, as far as known.
    committed_at: Option<u32>,
}

/// A delta ready to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PreparedDelta {
    /// Round that it is for.
    pub round: RoundId,
    /// Root of the weights that it changes.
    pub base_root: Hash,
    /// Hides the delta until it is revealed.
    pub salt: Hash,
    /// The encoded delta.
    pub delta: Vec<u8>,
}

/// What the chain says, as far as a contributor cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributorSnapshot {
    /// The block at which this is true.
    pub block: u32,
    /// The task's last round.
    pub round: RoundId,
    /// The phase of that round.
    pub phase: Phase,
    /// Whether the round takes deltas that are revealed now: not in all of its phase Reveal.
    pub takes_deltas: bool,
    /// Root of the weights that the round starts from.
    pub base_root: Hash,
    /// The account's own submission.
    pub submission: Option<Submission>,
    /// The first round that the account has not claimed, under way or over.
    pub unclaimed: Option<RoundId>,
}

/// How far the chain knows the account's submission of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// A commitment is on the chain.
    Committed,
    /// The delta is, too.
    Revealed,
}

/// What a contributor wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContributorCommand {
    /// Train from the weights with this root.
    Train {
        /// The round.
        round: RoundId,
        /// Root of the weights to train from.
        base_root: Hash,
    },
    /// Send the commitment.
    Commit {
        /// The round.
        round: RoundId,
        /// Binds the account to its delta.
        commitment: Hash,
    },
    /// Send the delta that was committed.
    Reveal {
        /// The round.
        round: RoundId,
        /// The encoded delta.
        delta: Vec<u8>,
        /// What hid the delta.
        salt: Hash,
    },
    /// Claim all rounds from this one on that are over.
    Claim {
        /// The first round that is not claimed yet.
        from: RoundId,
    },
}

impl Contributor {
    /// A contributor that has done nothing yet.
    pub fn new(task: TaskId, account: [u8; 32]) -> Self {
        Self {
            task,
            account,
            deltas: Vec::new(),
            residual_of: None,
        }
    }

    /// The round whose delta's remainder is to be added to the next change.
    pub fn residual_of(&self) -> Option<RoundId> {
        self.residual_of
    }

    /// Whether the delta that was made here is revealed.
    pub fn has_revealed(&self, now: &ContributorSnapshot) -> bool {
        now.submission == Some(Submission::Revealed) && self.own(now.round).is_some()
    }

    /// Whether the delta that was committed in this round will not be scored, because it was not revealed in time.
    pub fn is_too_late(&self, now: &ContributorSnapshot) -> bool {
        let takes_deltas = now.phase == Phase::Reveal && now.takes_deltas;
        now.submission == Some(Submission::Committed) && now.phase >= Phase::Reveal && !takes_deltas
    }

    /// Takes in what the chain says, and answers what to do, in order; nothing means to wait.
    pub fn on_block(&mut self, now: &ContributorSnapshot) -> Vec<ContributorCommand> {
        // From before a commitment for a later round, the snapshot is old. After it, a fork has taken that round back.
        let is_later = |own: &OwnDelta| {
            own.prepared.round > now.round && own.committed_at.is_some_and(|at| now.block <= at)
        };
        if self.deltas.iter().any(is_later) {
            return Vec::new();
        }
        if self.has_revealed(now) {
            self.residual_of = Some(now.round);
        }
        let mut commands: Vec<_> = self.move_in_round(now).into_iter().collect();
        // What was claimed the chain knows: so nothing is left out, whatever was lost or refused before.
        let is_over = |round: &RoundId| *round < now.round || now.phase == Phase::Ended;
        let unclaimed = now.unclaimed.filter(is_over);
        commands.extend(unclaimed.map(|from| ContributorCommand::Claim { from }));
        commands
    }

    /// The next move in the round under way.
    fn move_in_round(&self, now: &ContributorSnapshot) -> Option<ContributorCommand> {
        let own = self.own(now.round);
        match (now.phase, now.submission, own) {
            (Phase::Commit, None, Some(own)) if own.prepared.base_root == now.base_root => {
                // The snapshot may be older than our commitment.
                let is_news = own.committed_at.is_none_or(|at| now.block > at);
                is_news.then(|| ContributorCommand::Commit {
                    round: now.round,
                    commitment: self.commitment(&own.prepared),
                })
            }
            (Phase::Commit, None, _) => Some(ContributorCommand::Train {
                round: now.round,
                base_root: now.base_root,
            }),
            // Too late, it would be shown to everybody, and not be scored.
            (Phase::Reveal, Some(Submission::Committed), Some(own)) if now.takes_deltas => {
                Some(ContributorCommand::Reveal {
                    round: now.round,
                    delta: own.prepared.delta.clone(),
                    salt: own.prepared.salt,
                })
            }
            _ => None,
        }
    }

    fn commitment(&self, prepared: &PreparedDelta) -> Hash {
        let hash = Delta::hash_of(&prepared.delta);
        submission_commitment(
            self.task,
            prepared.round,
            &self.account,
            &hash,
            &prepared.salt,
        )
    }

    /// A training run has ended; tells whether its delta is taken. One that may be committed already is not replaced, unless a
    /// fork gave the round other weights and so took the commitment back.
    pub fn on_trained(&mut self, prepared: PreparedDelta) -> bool {
        let old = self.own(prepared.round);
        if old.is_some_and(|old| old.prepared.base_root == prepared.base_root) {
            return false;
        }
        self.deltas
            .retain(|own| own.prepared.round != prepared.round);
        self.deltas.push(OwnDelta {
            prepared,
            committed_at: None,
        });
        if self.deltas.len() > KEPT {
            self.deltas.remove(0);
        }
        true
    }

    /// Block `block` took the commitment of `round`.
    pub fn on_committed(&mut self, round: RoundId, block: u32) {
        let mut deltas = self.deltas.iter_mut();
        if let Some(own) = deltas.find(|own| own.prepared.round == round) {
            own.committed_at = Some(block);
        }
    }

    /// The delta for a round.
    fn own(&self, round: RoundId) -> Option<&OwnDelta> {
        self.deltas.iter().find(|own| own.prepared.round == round)
    }
}

#[cfg(test)]
mod tests;
