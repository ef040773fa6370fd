//! How disputes end.

use crate::{
    asset::Bonds,
    disputes::{block, Dispute, Disputes, Party},
    Balance, Config, Disputes as DisputeMap, Event, Pallet, Parties, Verdicts,
};
use alloc::vec::Vec;
use frame_support::traits::Get;
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    Court, RoundId, TaskId,
};

impl<T: Config> Disputes<T> {
    /// Ends a dispute, and, if the accused is convicted, all others about the same table. Returns how many ended.
    pub(crate) fn end(id: DisputeId, dispute: Dispute<T::AccountId>, verdict: Verdict) -> u32 {
        let (task, round) = (dispute.task, dispute.round);
        let accused = dispute.accused.clone();
        let before = Parties::<T>::get(task, round);
        let ends = |party: &Party<T::AccountId>| {
            party.dispute == id || (verdict.convicts() && party.accused == accused)
        };
        let ended: Vec<DisputeId> = before
            .iter()
            .filter(|party| ends(party))
            .map(|party| party.dispute)
            .collect();
        // Somebody had no room for a dispute. The round has to leave time for it now.
        let stay_open = before.is_full().then(T::MoveBlocks::get);
        Self::leave(task, round, &ended);
        Self::unschedule(&ended);

        Self::judge(id, dispute, verdict);
        for other in ended.iter().filter(|other| **other != id) {
            if let Ok(dispute) = Self::get(*other) {
                Self::judge(*other, dispute, Verdict::Moot);
            }
        }
        for id in &ended {
            DisputeMap::<T>::remove(id);
            T::Court::dispute_closed(task, round, stay_open);
        }
        ended.len() as u32
    }

    /// Moves the money, and publishes the verdict.
    fn judge(id: DisputeId, dispute: Dispute<T::AccountId>, verdict: Verdict) {
        let Dispute {
            task,
            round,
            accused,
            challenger,
            bond,
            opened_at,
            answers,
            picks,
            bytes,
            ..
        } = dispute;
        let reward = match verdict {
            Verdict::Refuted(_) | Verdict::Unanswered => {
                Bonds::<T>::release(&challenger, bond);
                T::Court::convict(task, round, &accused, &challenger)
            }
            Verdict::Upheld | Verdict::Abandoned | Verdict::TooLong => {
                Bonds::<T>::forfeit(&challenger, &accused, bond)
            }
            Verdict::Moot => {
                Bonds::<T>::release(&challenger, bond);
                0
            }
        };
        Pallet::<T>::deposit_event(Event::DisputeClosed {
            dispute: id,
            task,
            round,
            accused: accused.clone(),
            challenger: challenger.clone(),
            verdict,
            reward,
            answers,
            bytes,
        });
        Self::remember(ClosedDispute {
            id,
            task,
            round,
            accused,
            challenger,
            verdict,
            reward,
            opened_at,
            ended_at: block::<T>(),
            answers,
            picks,
            bytes,
        });
    }

    /// Removes disputes from the list of their round.
    fn leave(task: TaskId, round: RoundId, ended: &[DisputeId]) {
        Parties::<T>::mutate_exists(task, round, |parties| {
            if let Some(listed) = parties {
                listed.retain(|party| !ended.contains(&party.dispute));
                if listed.is_empty() {
                    *parties = None;
                }
            }
        });
    }

    /// Stores a verdict, and drops the oldest if there is no room.
    fn remember(closed: ClosedDispute<T::AccountId, Balance, u32>) {
        Verdicts::<T>::mutate(|verdicts| {
            if verdicts.is_full() {
                verdicts.remove(0);
            }
            // There is room.
            let _ = verdicts.try_push(closed);
        });
    }
}
