//! The only module that moves the chain's money.

use crate::{Balance, Config, Error, Event, HoldReason, Pallet, SlashReason, UnexpectedKind};
use core::marker::PhantomData;
use frame_support::{
    ensure,
    traits::{
        fungible::{Inspect, InspectHold, MutateHold},
        tokens::{DepositConsequence, Fortitude, Precision, Provenance, Restriction},
    },
};
use sp_runtime::DispatchResult;

/// Money that is held for a reason, and where it goes from there.
pub struct Asset<T>(PhantomData<T>);

impl<T: Config> Asset<T> {
    /// What `who` has on hold for `reason`.
    pub fn held(reason: HoldReason, who: &T::AccountId) -> Balance {
        T::Currency::balance_on_hold(&reason.into(), who)
    }

    /// Puts `amount` of the free balance of `who` on hold.
    pub fn hold(reason: HoldReason, who: &T::AccountId, amount: Balance) -> DispatchResult {
        T::Currency::hold(&reason.into(), who, amount).map_err(|_| Error::<T>::FundsTooLow.into())
    }

    /// Makes `amount` free again.
    pub fn release(reason: HoldReason, who: &T::AccountId, amount: Balance) -> DispatchResult {
        T::Currency::release(&reason.into(), who, amount, Precision::Exact).map(|_| ())
    }

    /// Moves `amount` from the hold of `payer` to the free balance of `payee`.
    pub fn pay(
        reason: HoldReason,
        payer: &T::AccountId,
        payee: &T::AccountId,
        amount: Balance,
    ) -> DispatchResult {
        ensure!(
            T::Currency::can_deposit(payee, amount, Provenance::Extant)
                == DepositConsequence::Success,
            Error::<T>::PayeeBelowExistentialDeposit
        );
        T::Currency::transfer_on_hold(
            &reason.into(),
            payer,
            payee,
            amount,
            Precision::Exact,
            Restriction::Free,
            Fortitude::Force,
        )
        .map(|_| ())
    }

    /// Burns `amount` of what `who` has on hold, or all of it if that is less.
    pub fn burn(hold: HoldReason, who: &T::AccountId, amount: Balance, reason: SlashReason) {
        let burned = T::Currency::burn_held(
            &hold.into(),
            who,
            amount,
            Precision::BestEffort,
            Fortitude::Force,
        )
        .unwrap_or_default();
        if burned != amount {
            unexpected::<T>(UnexpectedKind::HoldTooSmall(hold));
        }
        Pallet::<T>::deposit_event(Event::Slashed {
            who: who.clone(),
            amount: burned,
            reason,
        });
    }
}

/// Emits the event about a state that should be impossible.
pub(crate) fn unexpected<T: Config>(kind: UnexpectedKind) {
    log::error!(target: "runtime::contribution", "unexpected: {kind:?}");
    Pallet::<T>::deposit_event(Event::Unexpected { kind });
}
