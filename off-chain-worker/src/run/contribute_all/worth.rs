//! What a task pays those who contribute to it, by its last rounds.

use crate::{
    chain::{Account, ChainError, Moment},
    run::time_shares::Worth,
};
use gotong_protocol::{
    view::{LedgerView, TaskView},
    Outcome, Phase, RoundId,
};

/// How many past rounds count.
const LOOK_BACK: u32 = 4;
/// A round counts as at most this many of the usual length.
const LONGEST: u32 = 4;

/// A round that has ended, as far as it tells what a task pays.
#[derive(Clone, Copy)]
struct Ended {
    /// What its contributors got or can still claim, in planck.
    pot: u128,
    /// Blocks until the next round started, if one has.
    blocks: Option<u32>,
}

/// What a task pays all contributors, and whether the window of its round leaves time for a training run.
pub(super) async fn worth(
    now: &Moment,
    account: &Account,
    view: &TaskView,
) -> Result<(Worth, bool), ChainError> {
    let (mut ended, mut has_time) = (Vec::<Ended>::new(), false);
    // The start of the last ended round, until the start of the next one is known.
    let mut open: Option<u32> = None;
    for round in view.round.0.saturating_sub(LOOK_BACK)..=view.round.0 {
        let Some(round) = now.round(view.id, RoundId(round)).await? else {
            continue;
        };
        if let (Some(started_at), Some(last)) = (open.take(), ended.last_mut()) {
            last.blocks = Some(round.started_at.saturating_sub(started_at));
        }
        match round.outcome {
            // At least a quarter of the window has to be left, because later training would hardly learn anything.
            None => {
                let left = round.ends_at.saturating_sub(now.block());
                has_time = left.saturating_mul(4) >= view.terms.windows.commit_blocks;
            }
            // It says nothing about what the task pays.
            Some(Outcome::NoReveals) => {}
            Some(_) => {
                open = Some(round.started_at);
                ended.push(Ended {
                    pot: round.pot.saturating_sub(round.released),
                    blocks: None,
                });
            }
        }
    }
    let own = now.ledger(account, view.id).await?;
    Ok((worth_of(view, &ended, own.as_ref()), has_time))
}

/// The worth of a task whose last rounds paid this: what they paid together, divided by the blocks that they really took. A round may
/// have ended early, or waited for attesters or for a dispute. It counts as at most four of the usual length, because a task that
/// stood still while nobody contributed pays as before once somebody does. A task in which this account's own credits add up to zero
/// or less counts as paying nothing.
fn worth_of(view: &TaskView, ended: &[Ended], own: Option<&LedgerView>) -> Worth {
    const PHASES: [Phase; 5] = [
        Phase::Commit,
        Phase::Reveal,
        Phase::AttestCommit,
        Phase::AttestReveal,
        Phase::Challenge,
    ];
    let usual: u32 = PHASES
        .map(|phase| view.terms.windows.of(phase))
        .iter()
        .sum();
    let each = |planck: u128, blocks: u32| planck as f64 / f64::from(blocks.max(1));
    let length = |round: &Ended| {
        let longest = usual.saturating_mul(LONGEST);
        round.blocks.map_or(usual, |blocks| blocks.min(longest))
    };
    let took = ended.iter().map(length).fold(0, u32::saturating_add);
    let paid = ended
        .iter()
        .map(|round| round.pot)
        .fold(0, u128::saturating_add);
    let contributors = 1000u32.saturating_sub(view.terms.attester_fee_permille.into());
    let most = view.terms.cap_per_round.min(view.pool);
    // All of its rounds are claimed, or it was credited with less than nothing so far.
    let is_in_vain = own
        .is_some_and(|own| own.ledger.sum <= 0 && (own.ledger.variance > 0 || own.next.is_none()));
    let lately = (!ended.is_empty()).then(|| each(paid, took));
    let mean = took.checked_div(ended.len() as u32).unwrap_or(usual);
    Worth {
        lately: if is_in_vain { Some(0.0) } else { lately },
        most: each(most, mean) * f64::from(contributors) / 1000.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_scoring::share::Ledger;

    #[test]
    fn a_task_is_worth_what_it_pays_all_contributors_for_a_block() {
        let mut task = views::task();
        let windows = task.terms.windows;
        let blocks = windows.commit_blocks
            + windows.reveal_blocks
            + 2 * windows.attest_blocks
            + windows.challenge_blocks;
        let blocks = u128::from(blocks);
        (task.terms.cap_per_round, task.pool) = (3_000 * blocks, 2_000 * blocks);
        task.terms.attester_fee_permille = 500;
        let worth = |lately: Option<f64>| Worth {
            lately,
            most: 1_000.0,
        };
        assert_eq!(worth_of(&task, &[], None), worth(None));
        let pots = [600, 0, 300].map(|pot| Ended {
            pot: pot * blocks,
            blocks: None,
        });
        assert_eq!(worth_of(&task, &pots, None), worth(Some(300.0)));
        // A round that takes twice as long pays half for a block, and one that ends early pays more.
        let took = |blocks: u128| {
            let blocks = Some(blocks as u32);
            worth_of(&task, &pots.map(|round| Ended { blocks, ..round }), None)
        };
        assert_eq!(took(2 * blocks).lately, Some(150.0));
        assert_eq!(took(2 * blocks).most, 500.0);
        assert_eq!(took(blocks / 2).lately, Some(600.0));
        assert_eq!(took(blocks / 2).most, 2_000.0);
        // A short round that pays much does not outweigh long ones that pay nothing, and one that waited for weeks counts as four.
        let mixed = |lengths: [u128; 3]| {
            let mut rounds = pots;
            for (round, length) in rounds.iter_mut().zip(lengths) {
                round.blocks = Some(length as u32);
            }
            worth_of(&task, &rounds, None).lately
        };
        assert_eq!(mixed([blocks / 4, 2 * blocks, 3 * blocks / 4]), Some(300.0));
        assert_eq!(mixed([blocks / 2, 1_000 * blocks, blocks / 2]), Some(180.0));
        let own = |sum: i64, variance: u128, next: Option<RoundId>| LedgerView {
            ledger: Ledger {
                sum,
                variance,
                ..Ledger::default()
            },
            task: task.id,
            doubt: 0,
            paid: 0,
            open: 0,
            next,
            is_proven: false,
        };
        let of_own = |own: LedgerView| worth_of(&task, &pots, Some(&own)).lately;
        assert_eq!(of_own(own(5, 9, None)), Some(300.0));
        // Harm, even while rounds are not claimed; or all rounds are, and it was merged in none.
        let next = Some(RoundId(1));
        assert_eq!(of_own(own(-5, 9, next)), Some(0.0));
        assert_eq!(of_own(own(0, 0, None)), Some(0.0));
        assert_eq!(of_own(own(0, 0, next)), Some(300.0), "too early to tell");
    }
}
