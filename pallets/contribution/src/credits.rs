//! Credits that somebody has published, so that contributors see what they are owed and can claim it without a proof.
//!
//! A published credit is a fact: it is proved under the claim that its round settled on. By itself it changes nothing. The account
//! still has to claim its rounds in order, or forfeit one, and nobody can do that for it. Anybody who has computed a round can
//! publish its credits, for free if they are new to the chain. Each is stored once, until it is claimed; the fee of the reveal that
//! it belongs to pays for that.

use crate::{
    rounds::{Round, Rounds},
    submissions::Submissions,
    Config, Credits as CreditMap, DeltaAuthors, Error, Event, Pallet,
};
use core::marker::PhantomData;
use frame_support::ensure;
use gotong_protocol::{Credit, CreditProof, RoundId, TaskId};

/// Owner of the published credits.
pub struct Credits<T>(PhantomData<T>);

impl<T: Config> Credits<T> {
    /// The credit of `who`, who revealed in a round that is over, as far as the chain knows it: 0 if nothing was merged, otherwise
    /// what was published.
    pub fn known(
        id: TaskId,
        round_id: RoundId,
        round: &Round<T::AccountId>,
        who: &T::AccountId,
    ) -> Option<Credit> {
        match round.merged() {
            None => Some(Credit::default()),
            Some(_) => CreditMap::<T>::get((id, round_id), who),
        }
    }

    /// Stores the credits that `proofs` show for a round, except those that are known or claimed. Returns whether all of them were
    /// new; it is an error if none was.
    pub(crate) fn publish(
        id: TaskId,
        round_id: RoundId,
        proofs: &[CreditProof],
    ) -> Result<bool, Error<T>> {
        let nothing = || Error::<T>::NothingToPublish;
        let round = Rounds::<T>::get(id, round_id).ok_or_else(nothing)?;
        let claim = &round.merged().ok_or_else(nothing)?.claim;
        let mut published = 0usize;
        for proof in proofs {
            let proved = proof.verify(claim).map_err(|_| Error::<T>::ProofInvalid)?;
            let foreign = || Error::<T>::ForeignRow;
            let who = DeltaAuthors::<T>::get(id, proved.delta_hash).ok_or_else(foreign)?;
            let submission = Submissions::<T>::get(id, round_id, &who).ok_or_else(foreign)?;
            let revealed = submission.revealed.as_ref().ok_or_else(foreign)?;
            // It may be a delta that the account revealed in another round.
            ensure!(revealed.record.delta_hash == proved.delta_hash, foreign());
            if submission.claimed.is_some() || CreditMap::<T>::contains_key((id, round_id), &who) {
                continue;
            }
            CreditMap::<T>::insert((id, round_id), &who, proved.credit);
            published = published.saturating_add(1);
            Pallet::<T>::deposit_event(Event::CreditPublished {
                task: id,
                round: round_id,
                who,
                credit: proved.credit,
            });
        }
        ensure!(published > 0, nothing());
        Ok(published == proofs.len())
    }

    /// Removes a published credit, once it is claimed or forfeited.
    pub(crate) fn forget(id: TaskId, round: RoundId, who: &T::AccountId) {
        CreditMap::<T>::remove((id, round), who);
    }
}
