//! What the referee may ask about a round and do to it; see [`gotong_protocol::Court`].

use crate::{
    asset::unexpected,
    offers::Offers,
    rounds::{block_at, now, Rounds, UnderWay},
    stakes::Stakes,
    tasks::Tasks,
    Balance, Config, Error, Event, Graphs, Pallet, Tables, UnexpectedKind,
};
use frame_support::traits::Get;
use gotong_protocol::{Court, Graph, Phase, RoundFacts, RoundId, SeatState, TableSummary, TaskId};

/// The task's round under way, if it is `round_id` and is being challenged.
fn challenged<T: Config>(id: TaskId, round_id: RoundId) -> Option<UnderWay<T::AccountId>> {
    let task = Tasks::<T>::get(id).ok()?;
    let round = Rounds::<T>::get(id, round_id)?;
    (task.round == round_id && round.phase == Phase::Challenge).then_some((task, round))
}

/// Changes a round, which has to be in its challenge, and checks whether it can advance.
fn change<T: Config, R: Default>(
    id: TaskId,
    round_id: RoundId,
    change: impl FnOnce(&mut UnderWay<T::AccountId>) -> R,
) -> R {
    let Some(mut under_way) = challenged::<T>(id, round_id) else {
        unexpected::<T>(UnexpectedKind::NotChallenged(id));
        return R::default();
    };
    let done = change(&mut under_way);
    let (task, round) = under_way;
    Rounds::<T>::acted(id, &task, &round);
    done
}

impl<T: Config> Court<T::AccountId> for Pallet<T> {
    type Balance = Balance;

    fn facts(id: TaskId, round_id: RoundId) -> Option<RoundFacts> {
        let task = Tasks::<T>::get(id).ok()?;
        let round = Rounds::<T>::get(id, round_id)?;
        let hold_out = round.hold_out(&task.terms.hold_out)?;
        Some(RoundFacts {
            graph: Graph::from_bytes(&Graphs::<T>::get(id)?).ok()?,
            terms: task.terms.share,
            base_root: round.base_root,
            hold_out,
            samples: task.terms.hold_out.samples(),
            half_seed: round.seed?,
            entrants_root: round.entrants_root?,
            entrants: round.reveals,
        })
    }

    fn disputable(id: TaskId, round_id: RoundId, accused: &T::AccountId) -> Option<TableSummary> {
        let error = Error::<T>::NotInChallengePhase;
        let (_, mut round) = Rounds::<T>::current(id, round_id, Phase::Challenge, error).ok()?;
        // The challenge begins with its audits.
        if round.draw.is_some() {
            return None;
        }
        round.seat_mut(accused)?.claim()?;
        Tables::<T>::get((id, round_id), accused)
    }

    fn dispute_opened(id: TaskId, round_id: RoundId) {
        change::<T, _>(id, round_id, |(_, round)| {
            round.open_disputes = round.open_disputes.saturating_add(1);
        });
    }

    fn dispute_closed(id: TaskId, round_id: RoundId, stay_open: Option<u32>) {
        change::<T, _>(id, round_id, |(task, round)| {
            round.open_disputes = round.open_disputes.saturating_sub(1);
            // Not for ever, because no stake answers for a round for longer than it takes to
            // unbond.
            let latest = round
                .phase_started_at
                .saturating_add(task.terms.windows.challenge_blocks)
                .saturating_add(T::MaxDisputeBlocks::get());
            let wanted = now::<T>().saturating_add(stay_open.unwrap_or(0));
            let until = wanted.min(latest);
            // Somebody found no room for a dispute. The round must not settle on the table that
            // they would have disputed.
            round.crowded |= stay_open.is_some() && wanted > latest;
            if until > round.ends_at && stay_open.is_some() {
                round.ends_at = until;
                Rounds::<T>::look_again(id, until);
                Pallet::<T>::deposit_event(Event::ChallengeExtended {
                    task: id,
                    round: round_id,
                    ends_at: block_at::<T>(until),
                });
            }
        });
    }

    fn convict(
        id: TaskId,
        round_id: RoundId,
        accused: &T::AccountId,
        winner: &T::AccountId,
    ) -> Balance {
        change::<T, _>(id, round_id, |(task, round)| {
            let Some(seat) = round.seat_mut(accused).filter(|seat| seat.sits()) else {
                unexpected::<T>(UnexpectedKind::NotChallenged(id));
                return 0;
            };
            seat.state = SeatState::Convicted;
            let (rewarded, burned) = Stakes::<T>::forfeit(accused, winner);
            let load = task.load(round.reveals);
            Offers::<T>::rise(core::slice::from_ref(accused), load, true);
            Pallet::<T>::deposit_event(Event::Convicted {
                task: id,
                round: round_id,
                who: accused.clone(),
                winner: winner.clone(),
                rewarded,
                burned,
            });
            rewarded
        })
    }
}
