//! The answers of the pallet's view functions; see [`gotong_protocol::view`].
//!
//! They run outside blocks, so they may walk all open disputes, whose number is bounded. The
//! answers come in pages.

use crate::{
    disputes::{block_at, Dispute, Disputes},
    Balance, Config, Disputes as DisputeMap,
};
use alloc::{collections::BTreeMap, vec::Vec};
use gotong_protocol::{
    id::DisputeId,
    view::{DisputeView, Page},
    TaskId,
};

pub(crate) fn disputes<T: Config>(
    task: Option<TaskId>,
    start: DisputeId,
) -> Page<DisputeView<T::AccountId, Balance, u32>, DisputeId> {
    let mut found: BTreeMap<DisputeId, _> = DisputeMap::<T>::iter()
        .filter(|(_, dispute)| task.is_none_or(|task| task == dispute.task))
        .collect();
    let places: Vec<DisputeId> = found.range(start..).map(|(id, _)| *id).collect();
    Page::of(places, |id| Some(view::<T>(id, found.remove(&id)?)))
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
