//! When a contributor trains, commits, reveals and claims.

mod version_5;

pub use version_5::ContributorVersion5;

use codec::{Decode, Encode};
use gotong_protocol::{submission_commitment, Delta, Hash, Phase, RoundId, TaskId};

/// One account's part in one task: it trains, commits, reveals and claims, once a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Contributor {
    task: TaskId,
    account: [u8; 32],
    /// The last deltas, in the order in which they were made, one for each round. A fork may undo rounds, and then whatever was
    /// committed there has to be shown again.
    deltas: Vec<OwnDelta>,
    /// The last round whose delta was revealed. What that delta left out is still to be sent.
    residual_of: Option<RoundId>,
}

/// How many deltas are kept, each of up to 192 KiB. Few forks undo as many rounds.
const KEPT: usize = 4;

/// A delta that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct OwnDelta {
    prepared: PreparedDelta,
    /// The last block that took the commitment to it, as far as is known.
    committed_at: Option<u32>,
}

/// A delta ready to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PreparedDelta {
    /// The round that it is for.
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
    /// Whether the round accepts deltas that are revealed now, which it does only in part of its Reveal phase.
    pub takes_deltas: bool,
    /// Root of the weights that the round starts from.
    pub base_root: Hash,
    /// The account's own submission.
    pub submission: Option<Submission>,
    /// The first round that the account has not claimed, whether under way or over.
    pub unclaimed: Option<RoundId>,
}

/// How much of the account's submission to a round the chain knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// A commitment is on the chain.
    Committed,
    /// The delta is on the chain, too.
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
        /// The salt that hid the delta.
        salt: Hash,
    },
    /// Claim every round that is over, from this one on.
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

    /// Whether the delta that was made here has been revealed.
    pub fn has_revealed(&self, now: &ContributorSnapshot) -> bool {
        now.submission == Some(Submission::Revealed) && self.own(now.round).is_some()
    }

    /// Whether the delta that was committed in this round will not be scored, because it was not revealed in time.
    pub fn is_too_late(&self, now: &ContributorSnapshot) -> bool {
        let takes_deltas = now.phase == Phase::Reveal && now.takes_deltas;
        now.submission == Some(Submission::Committed) && now.phase >= Phase::Reveal && !takes_deltas
    }

    /// Takes in what the chain says, and returns what to do, in order. If that is empty, there is nothing to do but wait.
    pub fn on_block(&mut self, now: &ContributorSnapshot) -> Vec<ContributorCommand> {
        // If the snapshot is from before a commitment for a later round, it is old. If it is from after that, a fork has undone
        // that round.
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
        // The chain knows what was claimed. So nothing is left out, whatever was lost or refused before.
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
                // The snapshot may be older than this contributor's commitment.
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
            // If it came too late, everybody could read the delta, and it would not be scored.
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

    /// Takes in a training run that has ended; returns whether its delta is accepted. A delta that may be committed already is not
    /// replaced, unless a fork gave the round other weights and so undid the commitment.
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
