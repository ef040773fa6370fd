//! What a round's score follows from.

use codec::Encode;
use gotong_protocol::{
    view::{RevealedView, RoundView, SubmissionView},
    Hash, RoundId, TaskId,
};
use gotong_scoring::{blake2_256, Reveal, RoundSamples};

/// Everything that a round's score follows from, apart from the task's graph and rules.
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
    /// The deltas, in the order of their commits.
    pub reveals: Vec<Reveal>,
}

/// Digest of everything that a round's score depends on.
pub fn inputs_digest(round: &RoundView, submissions: &[SubmissionView]) -> Hash {
    let reveals: Vec<_> = in_commit_order(submissions)
        .into_iter()
        .map(|(weight, revealed)| (weight, revealed.record.delta_hash))
        .collect();
    let samples = (
        round.shard.as_ref().map(|shard| shard.root),
        round.sample_seed,
    );
    blake2_256(&[&(round.task, round.round, round.base_root, samples, reveals).encode()])
}

/// Weight and delta of everyone who revealed, in the order of commits.
pub(in crate::run) fn in_commit_order(submissions: &[SubmissionView]) -> Vec<(u32, &RevealedView)> {
    let mut ordered: Vec<_> = submissions.iter().collect();
    ordered.sort_by_key(|submission| submission.index);
    ordered
        .into_iter()
        .filter_map(|submission| Some((submission.weight, submission.revealed.as_ref()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::{Phase, RevealRecord};

    fn submission(index: u32, weight: u32, revealed: bool) -> SubmissionView {
        SubmissionView {
            account: [index as u8; 32],
            index,
            weight,
            revealed: revealed.then_some(RevealedView {
                record: RevealRecord {
                    delta_hash: [weight as u8; 32],
                    delta_root: [0; 32],
                    weight,
                    square_norm: 1,
                },
                bytes: 1,
                at: 9,
            }),
            claimed: None,
        }
    }

    fn round() -> RoundView {
        RoundView {
            task: TaskId(1),
            round: RoundId(2),
            phase: Phase::AttestCommit,
            phase_started_at: 3,
            started_at: 3,
            ends_at: 4,
            commits: 2,
            reveals: 2,
            base_root: [5; 32],
            shard: None,
            sample_seed: None,
            seats: Vec::new(),
            redraws: 0,
            audit_seed: None,
            open_disputes: 0,
            outcome: None,
            claim: None,
            owed: 0,
            fees: 0,
            claimed: 0,
        }
    }

    #[test]
    fn reveals_are_in_the_order_of_commits() {
        let submissions = [
            submission(2, 20, true),
            submission(0, 10, true),
            submission(1, 15, false),
        ];
        let weights: Vec<_> = in_commit_order(&submissions)
            .into_iter()
            .map(|(weight, _)| weight)
            .collect();
        assert_eq!(weights, [10, 20]);
    }

    #[test]
    fn the_digest_covers_what_the_score_depends_on_and_nothing_else() {
        let submissions = [submission(0, 10, true), submission(1, 15, true)];
        let digest = inputs_digest(&round(), &submissions);
        let later = RoundView {
            phase: Phase::AttestReveal,
            ends_at: 99,
            ..round()
        };
        assert_eq!(inputs_digest(&later, &submissions), digest);
        let other_base = RoundView {
            base_root: [6; 32],
            ..round()
        };
        assert_ne!(inputs_digest(&other_base, &submissions), digest);
        let drawn = RoundView {
            sample_seed: Some([7; 32]),
            ..round()
        };
        assert_ne!(inputs_digest(&drawn, &submissions), digest);
        assert_ne!(inputs_digest(&round(), &submissions[..1]), digest);
        let other_weight = [submission(0, 10, true), submission(1, 16, true)];
        assert_ne!(inputs_digest(&round(), &other_weight), digest);
    }
}
