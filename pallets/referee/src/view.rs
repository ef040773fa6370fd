//! What the chain answers when it is asked; see [`gotong_protocol::view`].
//!
//! Runs outside blocks, so it may walk whole maps.

use crate::{
    disputes::{block_at, Dispute, Disputes},
    Balance, Config, Disputes as DisputeMap,
};
use alloc::vec::Vec;
use gotong_protocol::{id::DisputeId, view::DisputeView, TaskId};

pub(crate) fn disputes<T: Config>(
    task: Option<TaskId>,
) -> Vec<DisputeView<T::AccountId, Balance, u32>> {
    let mut views: Vec<_> = DisputeMap::<T>::iter()
        .filter(|(_, dispute)| task.is_none_or(|task| task == dispute.task))
        .map(|(id, dispute)| view::<T>(id, dispute))
        .collect();
    views.sort_by_key(|view| view.id);
    views
}

pub(crate) fn dispute<T: Config>(id: DisputeId) -> Option<DisputeView<T::AccountId, Balance, u32>> {
    Some(view::<T>(id, Disputes::<T>::get(id).ok()?))
}

fn view<T: Config>(
    id: DisputeId,
    dispute: Dispute<T::AccountId>,
) -> DisputeView<T::AccountId, Balance, u32> {
    DisputeView {
        id,
        task: dispute.task,
        round: dispute.round,
        accused: dispute.accused,
        challenger: dispute.challenger,
        bond: dispute.bond,
        accusation: dispute.accusation,
        table: dispute.table,
        awaits_answer: dispute.trial.awaits_answer(),
        trial: dispute.trial,
        opened_at: dispute.opened_at,
        deadline: block_at::<T>(dispute.deadline),
        answers: dispute.answers,
        picks: dispute.picks,
        bytes: dispute.bytes,
    }
}
