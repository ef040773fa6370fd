//! The invariants of tasks and rounds that wait.

use super::Check;
use crate::{
    rounds::{now, Round},
    tasks::Task,
    Config, Rounds, Schedule,
};
use frame_support::{ensure, traits::Get};
use gotong_protocol::{Phase, TaskId};

/// 36. No Commit window began after its task had been idle for too long, because such a task is closed.
/// 39. A round that waits for attesters has deltas, has drawn no seats anew, looks for attesters again within the shortest window,
///     and began no further window after its task had been idle for too long.
/// 40. A round accepts reveals only if, when it began to, its task still had time to wait for attesters afterwards.
pub(super) fn check<T: Config>(id: TaskId, task: &Task<T::AccountId>) -> Check {
    let until = task.idle_since.saturating_add(T::IdleBlocks::get());
    let windows = &task.terms.windows;
    let round = Rounds::<T>::get(id, task.round);
    // At the end of a full block the clock is one behind, because that block does not count.
    let latest = now::<T>().saturating_add(1);
    ensure!(
        task.idle_since <= latest
            && round.as_ref().is_none_or(|round| {
                round.phase != Phase::Commit
                    || round.ends_at < until.saturating_add(windows.commit_blocks)
            }),
        "36: a task goes on that was idle for too long"
    );
    let wait = T::IdleBlocks::get() / 7;
    let began = round
        .as_ref()
        .filter(|round| round.phase == Phase::Reveal)
        .map(|round| round.phase_started_at);
    ensure!(
        began.is_none_or(|began| began.saturating_add(wait) <= until),
        "40: a round reveals too late to wait for attesters"
    );
    let Some(round) = round.filter(Round::is_unattended) else {
        return Ok(());
    };
    let first_ends_at = round.phase_started_at.saturating_add(windows.attest_blocks);
    let is_in_time = round.ends_at <= first_ends_at
        || round.ends_at < until.saturating_add(windows.attest_blocks);
    let soon = latest.saturating_add(T::MinWindowBlocks::get());
    let schedule = Schedule::<T>::get();
    let mut own = schedule.iter().filter(|(other, _)| *other == id);
    ensure!(
        round.reveals > 0 && round.redraws == 0 && is_in_time && own.all(|(_, at)| *at <= soon),
        "39: a round waits for attesters for too long, or is forgotten"
    );
    Ok(())
}
