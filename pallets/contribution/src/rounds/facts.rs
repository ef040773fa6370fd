//! The facts about a round that the clock decides on.

use super::{Round, Rounds};
use crate::{
    attestation::{Attestation, Seat},
    stakes::Stakes,
    tasks::{Task, Tasks},
    Config, Contributors, Registrations,
};
use gotong_protocol::{
    bounds, next_phase, Agreement, Facts, HoldOutTerms, Phase, ShardState, TaskId, Transition,
};

impl<T: Config> Rounds<T> {
    /// Whether a round in Commit finds attesters, and has enough time left to wait for others in case these are gone once
    /// everything is revealed.
    pub(crate) fn has_attesters(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
    ) -> bool {
        Tasks::<T>::has_time_to_wait(task) && Attestation::<T>::has_room(id, task, round)
    }

    /// What happens to a round now. It checks for attesters only if the round would enter Reveal, because that check reads all
    /// offers.
    pub(super) fn next(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
        now: u32,
    ) -> Option<Transition> {
        let mut facts = Self::facts(task, round);
        let next = next_phase(round.phase, now, round.ends_at, &facts);
        if next != Some(Transition::Enter(Phase::Reveal)) {
            return next;
        }
        facts.has_attesters = Self::has_attesters(id, task, round);
        next_phase(round.phase, now, round.ends_at, &facts)
    }

    /// Whether the hook found too few attesters to continue, although everybody who may commit has committed, or everything has
    /// been revealed.
    pub(super) fn waits_for_attesters(
        task: &Task<T::AccountId>,
        round: &Round<T::AccountId>,
        now: u32,
    ) -> bool {
        let facts = Self::facts(task, round);
        let next = next_phase(round.phase, now, round.ends_at, &facts);
        matches!(
            next,
            Some(Transition::Enter(Phase::Reveal) | Transition::Draw)
        )
    }

    /// What the clock has to know, except for whether there are attesters: see [`Self::next`].
    pub(super) fn facts(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> Facts {
        let sitting = || round.seats.iter().filter(|seat| seat.sits());
        // An attester that lost its stake in another round no longer counts in this one.
        let has_stake = |seat: &&Seat<_>| {
            round.phase != Phase::Challenge || Registrations::<T>::contains_key(&seat.account)
        };
        let standing = || sitting().filter(|seat| seat.stands()).filter(has_stake);
        let claims = || standing().filter_map(Seat::claim);
        let agreement = match claims().next() {
            None => Agreement::Nothing,
            Some(first) if claims().all(|other| other == first) => Agreement::Same,
            Some(_) => Agreement::Differs,
        };
        Facts {
            drawing: round.draw.is_some(),
            commits: round.commits,
            may_commit: match round.phase {
                Phase::Commit => Self::may_commit(task, round),
                _ => 0,
            },
            // `next` checks this.
            has_attesters: true,
            given_up: match round.phase {
                Phase::Commit => Tasks::<T>::is_given_up(task),
                // Otherwise a sponsor could close the task with deltas that it could use without paying for them.
                _ => Tasks::<T>::is_idle(task),
            },
            reveals: round.reveals,
            shard: match (task.terms.hold_out, &round.shard) {
                (HoldOutTerms::Drawn { .. }, _) => ShardState::NotNeeded,
                (HoldOutTerms::Sealed { .. }, None) => ShardState::Awaited,
                (HoldOutTerms::Sealed { .. }, Some(_)) => ShardState::Published,
            },
            was_drawn: !round.seats.is_empty(),
            seats: sitting().count() as u32,
            quorum: task.terms.quorum.into(),
            attestation_commits: sitting().filter(|seat| seat.commitment.is_some()).count() as u32,
            attestation_reveals: sitting().filter(|seat| seat.revealed.is_some()).count() as u32,
            has_tables: round.seats.iter().any(|seat| seat.revealed.is_some()),
            standing: standing().count() as u32,
            agreement,
            open_disputes: round.open_disputes,
            crowded: round.crowded,
            convicted: round.convicted(),
            may_redraw: round.redraws < bounds::MAX_REDRAWS && !round.seats.is_full(),
        }
    }

    /// An upper bound on the number of accounts that have committed or still may: those that may commit now, and those that have
    /// lost that right since the round began to accept commits. So nobody who leaves after committing ends the phase for those who
    /// stay.
    fn may_commit(task: &Task<T::AccountId>, round: &Round<T::AccountId>) -> u32 {
        let count = Contributors::<T>::get();
        let sponsor = Stakes::<T>::get(&task.sponsor)
            .is_ok_and(|registration| registration.contributes::<T>());
        let departed = count.departures.saturating_sub(round.departures);
        u64::from(count.active)
            .saturating_sub(u64::from(sponsor))
            .saturating_add(departed)
            .min(u64::from(task.terms.places())) as u32
    }
}
