//! What a contributor reads from the chain about a round, and about itself.

use super::super::RunError;
use crate::chain::Account;
use gotong_protocol::{
    may_reveal,
    view::{RoundView, StakeView, TaskView},
    HoldOutTerms, Phase, TaskTerms,
};
use gotong_training::Span;

/// Which part of its task the round is. With sealed shards, a round in which nothing is revealed uses up no shard, so the shards
/// are counted.
pub(super) fn span(task: &TaskView) -> Span {
    let hold_out = &task.terms.hold_out;
    let rounds_before = match hold_out {
        HoldOutTerms::Sealed { .. } => task.next_shard,
        HoldOutTerms::Drawn { .. } => task.round.0,
    };
    Span::of_round(rounds_before, hold_out.rounds())
}

/// Whether the chain accepts a delta for this round in the block after `block`.
pub(super) fn takes_deltas(round: &RoundView, terms: &TaskTerms, block: u32) -> bool {
    let next = block.saturating_add(1);
    let lasts = round.phase == Phase::Reveal && next < round.ends_at && round.shard.is_none();
    let (started_at, window) = (round.phase_started_at, terms.windows.reveal_blocks);
    lasts && (!terms.hold_out.is_sealed() || may_reveal(next, started_at, window, round.reveals))
}

/// A contributor needs stake and the role.
pub(in crate::run) fn check_registration(stake: Option<StakeView>) -> Result<StakeView, RunError> {
    let advice = match stake {
        Some(stake) if stake.roles.contributor && stake.active => return Ok(stake),
        None => "not registered: run `gotong register --role contributor --stake AMOUNT` first",
        Some(stake) if !stake.roles.contributor => "registered, but not as a contributor",
        Some(_) => "the registration is not active: its stake is being taken out",
    };
    Err(RunError::Unregistered(advice))
}

/// Why an account with this registration may not contribute to the task, if it may not.
pub(in crate::run) fn objection(
    stake: &StakeView,
    task: &TaskView,
    account: &Account,
) -> Option<&'static str> {
    if task.sponsor == *account {
        return Some("the sponsor of a task may not contribute to it");
    }
    let is_low = stake.stake < task.terms.minimum_contributor_stake;
    is_low.then_some("the task asks for more stake")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_protocol::RoundId;

    #[test]
    fn a_round_that_uses_no_shard_up_takes_no_part_of_the_task() {
        let mut task = views::task();
        (task.round, task.next_shard) = (RoundId(7), 2);
        task.terms.hold_out = HoldOutTerms::Sealed {
            root: [8; 32],
            shards: 8,
            samples: 64,
        };
        let part = |start: f64, end: f64| Span { start, end };
        assert_eq!(span(&task), part(0.25, 0.375));
        task.terms.hold_out = HoldOutTerms::Drawn {
            root: [8; 32],
            salt: [9; 32],
            records: 1024,
            samples: 64,
            rounds: 14,
        };
        assert_eq!(span(&task), part(0.5, 8.0 / 14.0));
    }

    #[test]
    fn deltas_are_taken_as_long_as_the_chain_takes_them() {
        let mut terms = views::task().terms;
        let mut round = RoundView {
            phase: Phase::Reveal,
            phase_started_at: 100,
            ends_at: 120,
            reveals: 0,
            ..views::round()
        };
        // The window has 20 blocks; without a delta in the first half there will be no shard.
        let takes = |round: &RoundView, terms: &TaskTerms, blocks: [u32; 4]| {
            blocks.map(|block| takes_deltas(round, terms, block))
        };
        let blocks = [100, 108, 109, 118];
        assert_eq!(takes(&round, &terms, blocks), [true, true, false, false]);
        round.reveals = 1;
        assert_eq!(takes(&round, &terms, blocks), [true; 4]);
        assert!(!takes_deltas(&round, &terms, 119), "the window is over");
        terms.hold_out = HoldOutTerms::Drawn {
            root: [8; 32],
            salt: [9; 32],
            records: 1024,
            samples: 64,
            rounds: 10,
        };
        round.reveals = 0;
        assert_eq!(takes(&round, &terms, blocks), [true; 4]);
        round.shard = Some(gotong_protocol::view::ShardView {
            index: 0,
            published_at: 101,
            key: [1; 32],
            root: [2; 32],
        });
        assert_eq!(takes(&round, &terms, blocks), [false; 4]);
        round.shard = None;
        round.phase = Phase::AttestCommit;
        assert_eq!(takes(&round, &terms, blocks), [false; 4]);
    }
}
