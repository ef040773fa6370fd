//! The invariants of published credits.

use super::Check;
use crate::{rounds::Round, Config, Credits, Submissions};
use alloc::vec::Vec;
use frame_support::ensure;
use gotong_protocol::{RoundId, TaskId};

/// 38. A credit is published only for a round that merged something, and for an account that revealed in it and has not claimed it.
///     If none is missing and nobody forfeited, the published and the claimed credits add up to the gain.
pub(super) fn check<T: Config>(
    id: TaskId,
    round_id: RoundId,
    round: &Round<T::AccountId>,
) -> Check {
    let published: Vec<_> = Credits::<T>::iter_prefix((id, round_id)).collect();
    let waits = |who: &T::AccountId| {
        let submission = Submissions::<T>::get((id, round_id), who);
        submission.is_some_and(|one| one.revealed.is_some() && one.claimed.is_none())
    };
    ensure!(
        published.iter().all(|(who, _)| waits(who)),
        "38: a credit is published of nobody who waits for it"
    );
    let Some(settlement) = round.merged() else {
        ensure!(
            published.is_empty(),
            "38: a credit is published of a round that merged nothing"
        );
        return Ok(());
    };
    let known = settlement.claims as usize + published.len();
    let credits: i64 = published.iter().map(|(_, credit)| credit.credit).sum();
    let gain = settlement.claim.merged.map(|merged| merged.gain);
    ensure!(
        known < round.reveals as usize
            || settlement.forfeits > 0
            || gain == Some(settlement.credited + credits),
        "38: the credits of a round do not add up to its gain"
    );
    Ok(())
}
