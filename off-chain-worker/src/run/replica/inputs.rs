//! What a round's score is computed from.

use gotong_protocol::{
    round_inputs,
    view::{RevealedView, RoundView, SubmissionView},
    Hash, RoundId, TaskId,
};
use gotong_scoring::{
    share::{company::Entrant, entrants_tree},
    Delta, RoundSamples,
};
use std::sync::Arc;

/// Everything that a round's score is computed from, apart from the task's graph and share terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundInputs {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// [`inputs_digest`] of the round.
    pub digest: Hash,
    /// Master weights that the round starts from.
    pub base: Vec<i16>,
    /// The samples that score the round.
    pub samples: RoundSamples,
    /// How many there are.
    pub sample_count: u32,
    /// Decides which samples are in half A and which in half B: [`gotong_scoring::share::halves()`].
    pub half_seed: Hash,
    /// The deltas, in the order of their commits.
    pub entrants: Vec<RevealedDelta>,
}

/// A delta that was revealed in a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevealedDelta {
    /// The delta, which those who play disputes about the round share.
    pub delta: Arc<Delta>,
    /// Hash of its encoding.
    pub hash: Hash,
    /// Its weight in merges.
    pub weight: u32,
    /// Whether its account was proven in the task.
    pub is_proven: bool,
}

impl RevealedDelta {
    /// The delta as it enters the round.
    pub fn entrant(&self) -> Entrant<'_> {
        Entrant {
            delta: &self.delta,
            weight: self.weight,
            is_proven: self.is_proven,
        }
    }
}

/// The digest of everything that a round's score depends on, computed as the chain does: [`round_inputs`].
pub fn inputs_digest(round: &RoundView, submissions: &[SubmissionView]) -> Hash {
    // A record has the delta's hash, its weight, and whether its account is proven.
    let entrants: Vec<_> = revealed_in_order(submissions)
        .map(|revealed| revealed.record.clone())
        .collect();
    let entrants = entrants_tree(&entrants).root().hash;
    let shard = round.shard.as_ref().map(|shard| shard.root);
    let (task, id, base) = (round.task, round.round, &round.base_root);
    round_inputs(task, id, base, shard, round.seed, &entrants)
}

/// Those who revealed, in the order of their commits: the table's entrant `i` is number `i` of these.
pub fn in_commit_order(submissions: &[SubmissionView]) -> Vec<&SubmissionView> {
    let revealed = submissions.iter();
    let mut revealed: Vec<_> = revealed.filter(|own| own.revealed.is_some()).collect();
    revealed.sort_by_key(|submission| submission.index);
    revealed
}

/// The deltas of everybody who revealed, in the order of their commits.
pub(super) fn revealed_in_order(
    submissions: &[SubmissionView],
) -> impl Iterator<Item = &RevealedView> {
    let ordered = in_commit_order(submissions).into_iter();
    ordered.filter_map(|submission| submission.revealed.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::{round, submission};

    #[test]
    fn reveals_are_in_the_order_of_commits() {
        let submissions = [
            submission(2, true),
            submission(0, true),
            submission(1, false),
        ];
        let weights: Vec<_> = in_commit_order(&submissions)
            .into_iter()
            .map(|submission| submission.weight)
            .collect();
        assert_eq!(weights, [10, 12]);
    }

    #[test]
    fn the_digest_covers_what_the_score_depends_on_and_nothing_else() {
        let submissions = [submission(0, true), submission(1, true)];
        let digest = inputs_digest(&round(), &submissions);
        let later = RoundView {
            phase: gotong_protocol::Phase::AttestReveal,
            ends_at: 99,
            ..round()
        };
        assert_eq!(inputs_digest(&later, &submissions), digest);
        let other_base = RoundView {
            base_root: [6; 32],
            ..round()
        };
        assert_ne!(inputs_digest(&other_base, &submissions), digest);
        let other_seed = RoundView {
            seed: Some([7; 32]),
            ..round()
        };
        assert_ne!(inputs_digest(&other_seed, &submissions), digest);
        assert_ne!(inputs_digest(&round(), &submissions[..1]), digest);
        let mut heavier = submissions.clone();
        heavier[1].revealed.as_mut().unwrap().record.weight = 16;
        assert_ne!(inputs_digest(&round(), &heavier), digest);
        let mut proven = submissions.clone();
        let revealed = proven[0].revealed.as_mut().unwrap();
        revealed.record.is_proven = true;
        assert_ne!(inputs_digest(&round(), &proven), digest);
    }
}
