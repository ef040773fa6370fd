//! What a settled round pays, and to whom.

use crate::{
    asset::{unexpected, Asset},
    attestation::Seat,
    rounds::{Round, Rounds},
    submissions::Submissions,
    tasks::{Task, Tasks},
    Balance, Config, Error, Event, HoldReason, Pallet, UnexpectedKind,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::ensure;
use gotong_protocol::{pay, ClaimItem, RoundClaim, TaskId};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// What a round settled on.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// What all attesters who stood claimed.
    pub claim: RoundClaim,
    /// What contributors share.
    pub pot: Balance,
    /// What attesters were paid.
    pub fees: Balance,
    /// What contributors have claimed of the pot.
    pub claimed: Balance,
}

/// Settles rounds and pays shares.
pub struct Rewards<T>(PhantomData<T>);

impl<T: Config> Rewards<T> {
    /// Settles a round on the claim of all its attesters who stand: pays their fees, sets the
    /// contributors' pot aside, and makes the merged weights the task's.
    pub(crate) fn settle(
        id: TaskId,
        task: &mut Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
    ) {
        let table = round.seats.iter().find_map(Seat::table);
        let Some(claim) = table.map(|table| table.opening.claim()) else {
            // The clock settles a round only if somebody stands.
            return unexpected::<T>(UnexpectedKind::PriceFailed(id));
        };
        let (pot, fees) = Self::price(task, &claim).unwrap_or_else(|| {
            unexpected::<T>(UnexpectedKind::PriceFailed(id));
            (0, 0)
        });
        let fees = Self::pay_fees(id, task, round, fees);
        let purse = &mut task.purse;
        // Exact: a round starts only if the pool covers its cap.
        purse.pool = purse.pool.saturating_sub(pot).saturating_sub(fees);
        purse.unclaimed = purse.unclaimed.saturating_add(pot);
        purse.fees = purse.fees.saturating_add(fees);
        task.master_root = claim.master_root;
        Pallet::<T>::deposit_event(Event::RoundSettled {
            task: id,
            round: task.round,
            claim: claim.clone(),
            owed: pot.saturating_add(fees),
            fees,
        });
        round.settlement = Some(Settlement {
            claim,
            pot,
            fees,
            claimed: 0,
        });
    }

    /// Pays the share that `item` proves to `who`.
    pub(crate) fn claim(who: &T::AccountId, item: &ClaimItem) -> DispatchResult {
        let mut task = Tasks::<T>::get(item.task)?;
        let mut round =
            Rounds::<T>::get(item.task, item.round).ok_or(Error::<T>::NothingToClaim)?;
        let settlement = round
            .settlement
            .as_mut()
            .ok_or(Error::<T>::NothingToClaim)?;
        let mut submission =
            Submissions::<T>::get(item.task, item.round, who).ok_or(Error::<T>::NothingToClaim)?;
        let revealed = submission
            .revealed
            .as_ref()
            .ok_or(Error::<T>::NothingToClaim)?;
        ensure!(submission.claimed.is_none(), Error::<T>::AlreadyClaimed);
        let proved = item
            .proof
            .verify(&settlement.claim)
            .map_err(|_| Error::<T>::ProofInvalid)?;
        ensure!(
            proved.delta_hash == revealed.record.delta_hash,
            Error::<T>::ForeignRow
        );
        let amount = pay::slice(
            settlement.pot,
            proved.total,
            proved.prefix,
            proved.share.into(),
        )
        .filter(|amount| *amount > 0)
        .ok_or(Error::<T>::NothingToClaim)?;

        settlement.claimed = settlement
            .claimed
            .checked_add(amount)
            .filter(|claimed| *claimed <= settlement.pot)
            .ok_or(Error::<T>::Overflow)?;
        let purse = &mut task.purse;
        purse.unclaimed = purse
            .unclaimed
            .checked_sub(amount)
            .ok_or(Error::<T>::Overflow)?;
        purse.claimed = purse
            .claimed
            .checked_add(amount)
            .ok_or(Error::<T>::Overflow)?;
        submission.claimed = Some(amount);
        Asset::<T>::pay(HoldReason::Pool, &task.sponsor, who, amount)?;
        Submissions::<T>::put(item.task, item.round, who, &submission);
        Rounds::<T>::put(item.task, item.round, &round);
        Tasks::<T>::put(item.task, &task);
        Pallet::<T>::deposit_event(Event::Claimed {
            task: item.task,
            round: item.round,
            who: who.clone(),
            amount,
        });
        Ok(())
    }

    /// What the claim is worth: the contributors' pot and the attesters' fees.
    fn price(task: &Task<T::AccountId>, claim: &RoundClaim) -> Option<(Balance, Balance)> {
        let terms = &task.terms;
        let cap = terms.cap_per_round.min(task.purse.pool);
        let owed = pay::owed(
            terms.price_per_millibit,
            claim.paid_gain,
            terms.hold_out.samples(),
            cap,
        )?;
        let fees = pay::fees(owed, terms.attester_fee_permille)?;
        Some((owed.checked_sub(fees)?, fees))
    }

    /// Splits `fees` over the attesters who stand, to the last planck; gives back what was paid.
    /// What cannot be paid stays in the pool.
    fn pay_fees(
        id: TaskId,
        task: &Task<T::AccountId>,
        round: &mut Round<T::AccountId>,
        fees: Balance,
    ) -> Balance {
        let count = round.seats.iter().filter(|seat| seat.stands()).count() as u128;
        let mut paid = 0u128;
        let seats = round.seats.iter_mut().filter(|seat| seat.stands());
        for (seat, place) in seats.zip(0u128..) {
            let amount = pay::slice(fees, count, place, 1).unwrap_or_default();
            if amount == 0 {
                continue;
            }
            if Asset::<T>::pay(HoldReason::Pool, &task.sponsor, &seat.account, amount).is_err() {
                unexpected::<T>(UnexpectedKind::FeeUnpaid(id));
                continue;
            }
            seat.fee = amount;
            paid = paid.saturating_add(amount);
            Pallet::<T>::deposit_event(Event::FeePaid {
                task: id,
                round: task.round,
                who: seat.account.clone(),
                amount,
            });
        }
        paid
    }
}
