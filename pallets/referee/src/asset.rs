//! The only module that moves the chain's money.

use crate::{Balance, Config, Error, Event, HoldReason, Pallet, UnexpectedKind};
use core::marker::PhantomData;
#[cfg(any(feature = "try-runtime", test))]
use frame_support::traits::fungible::InspectHold;
use frame_support::traits::{
    fungible::{Inspect, MutateHold},
    tokens::{DepositConsequence, Fortitude, Precision, Provenance, Restriction},
};
use sp_runtime::DispatchResult;

/// Challengers' bonds, and where they go.
pub(crate) struct Bonds<T>(PhantomData<T>);

impl<T: Config> Bonds<T> {
    /// What `who` has on hold for its disputes.
    #[cfg(any(feature = "try-runtime", test))]
    pub fn held(who: &T::AccountId) -> Balance {
        T::Currency::balance_on_hold(&HoldReason::DisputeBond.into(), who)
    }

    /// Puts `bond` of the free balance of `who` on hold.
    pub fn hold(who: &T::AccountId, bond: Balance) -> DispatchResult {
        T::Currency::hold(&HoldReason::DisputeBond.into(), who, bond)
            .map_err(|_| Error::<T>::FundsTooLow.into())
    }

    /// Makes `bond` free again.
    pub fn release(who: &T::AccountId, bond: Balance) {
        let reason = HoldReason::DisputeBond.into();
        if T::Currency::release(&reason, who, bond, Precision::Exact).is_err() {
            unexpected::<T>(UnexpectedKind::ReleaseFailed(HoldReason::DisputeBond));
        }
    }

    /// Pays half of the bond of `loser` to `winner`, rounded down, and burns the rest; all of it if
    /// `winner` cannot be paid. Returns what was paid.
    pub fn forfeit(loser: &T::AccountId, winner: &T::AccountId, bond: Balance) -> Balance {
        let half = bond / 2;
        let paid = if Self::pay(loser, winner, half) {
            half
        } else {
            0
        };
        let rest = bond.saturating_sub(paid);
        let burned = T::Currency::burn_held(
            &HoldReason::DisputeBond.into(),
            loser,
            rest,
            Precision::BestEffort,
            Fortitude::Force,
        )
        .unwrap_or_default();
        if burned != rest {
            unexpected::<T>(UnexpectedKind::HoldTooSmall(HoldReason::DisputeBond));
        }
        paid
    }

    /// Pays `amount` of what `payer` has on hold; false if nothing is paid.
    fn pay(payer: &T::AccountId, payee: &T::AccountId, amount: Balance) -> bool {
        T::Currency::can_deposit(payee, amount, Provenance::Extant) == DepositConsequence::Success
            && T::Currency::transfer_on_hold(
                &HoldReason::DisputeBond.into(),
                payer,
                payee,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .is_ok()
    }
}

/// Emits the event about a state that should be impossible.
pub(crate) fn unexpected<T: Config>(kind: UnexpectedKind) {
    log::error!(target: "runtime::referee", "unexpected: {kind:?}");
    Pallet::<T>::deposit_event(Event::Unexpected { kind });
}
