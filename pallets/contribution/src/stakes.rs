//! Registrations and the money that backs them.

use crate::{
    asset::Asset,
    offers::Offers,
    rounds::{block_at, now},
    Balance, Config, Contributors, Error, Event, HoldReason, Pallet, Registrations, SlashReason,
};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{ensure, traits::Get};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use gotong_protocol::Roles;
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// What an account registered for, and what backs it.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// What it registered for.
    pub roles: Roles,
    /// Its stake in planck, without what is unbonding.
    pub stake: Balance,
    /// Stake that is unbonding: it counts for nothing, but can still be slashed.
    pub unbonding: Option<Unbonding>,
}

/// Stake that is unbonding.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Unbonding {
    /// How much, in planck.
    pub amount: Balance,
    /// The time from which it can be withdrawn.
    pub until: u32,
}

/// How many contributors there are.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ContributorCount {
    /// Contributors that may commit now.
    pub active: u32,
    /// How often a contributor has lost that right since genesis. A round uses it to bound the number of accounts that could
    /// have committed in it, even if some have left since.
    pub departures: u64,
}

impl Registration {
    /// Whether its stake reaches the chain's minimum for contributors, so that it may commit.
    pub fn contributes<T: Config>(&self) -> bool {
        self.roles.contributor && self.stake >= T::MinContributorStake::get()
    }

    /// Whether its stake reaches the chain's minimum for attesters, so that it may offer to attest.
    pub fn attests<T: Config>(&self) -> bool {
        self.roles.attester && self.stake >= T::MinAttesterStake::get()
    }

    /// Whether it may act in at least one of its roles.
    pub fn is_active<T: Config>(&self) -> bool {
        self.contributes::<T>() || self.attests::<T>()
    }

    /// What is on hold for it.
    pub fn held(&self) -> Balance {
        let unbonding = self.unbonding.as_ref().map_or(0, |leaving| leaving.amount);
        self.stake.saturating_add(unbonding)
    }
}

/// Owner of the registrations and the count of contributors.
pub struct Stakes<T>(PhantomData<T>);

impl<T: Config> Stakes<T> {
    /// The registration of `who`.
    pub fn get(who: &T::AccountId) -> Result<Registration, Error<T>> {
        Registrations::<T>::get(who).ok_or(Error::<T>::NotRegistered)
    }

    pub(crate) fn register(who: T::AccountId, roles: Roles, stake: Balance) -> DispatchResult {
        ensure!(!roles.is_empty(), Error::<T>::NoRoles);
        ensure!(
            !Registrations::<T>::contains_key(&who),
            Error::<T>::AlreadyRegistered
        );
        ensure!(stake >= Self::minimum(roles), Error::<T>::StakeTooLow);
        Asset::<T>::hold(HoldReason::Stake, &who, stake)?;
        let registration = Registration {
            roles,
            stake,
            unbonding: None,
        };
        Self::put(&who, None, registration);
        Pallet::<T>::deposit_event(Event::Registered { who, roles, stake });
        Ok(())
    }

    pub(crate) fn add(who: T::AccountId, amount: Balance) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let before = Self::get(&who)?;
        let mut after = before.clone();
        after.stake = before
            .stake
            .checked_add(amount)
            .ok_or(Error::<T>::Overflow)?;
        ensure!(
            after.stake >= Self::minimum(after.roles),
            Error::<T>::StakeTooLow
        );
        Asset::<T>::hold(HoldReason::Stake, &who, amount)?;
        Self::put(&who, Some(&before), after);
        Pallet::<T>::deposit_event(Event::StakeAdded { who, amount });
        Ok(())
    }

    pub(crate) fn unstake(who: T::AccountId, amount: Balance) -> DispatchResult {
        let before = Self::get(&who)?;
        let (after, until) = Self::unstaked(&before, amount)?;
        Self::put(&who, Some(&before), after);
        let until = block_at::<T>(until);
        Pallet::<T>::deposit_event(Event::Unstaking { who, amount, until });
        Ok(())
    }

    pub(crate) fn withdraw(who: T::AccountId) -> DispatchResult {
        let before = Self::get(&who)?;
        let (after, amount) = Self::withdrawn(&before)?;
        Asset::<T>::release(HoldReason::Stake, &who, amount)?;
        Self::put(&who, Some(&before), after);
        Pallet::<T>::deposit_event(Event::Withdrawn { who, amount });
        Ok(())
    }

    /// Whether the origin could now unstake its whole stake.
    ///
    /// Only this case may be free of fees. Afterwards nothing is left to unstake until `register` or `add_stake`, which cost a fee,
    /// bring new stake. A part of the stake, in contrast, could be unstaked again and again, once in every unbonding period.
    pub(crate) fn can_leave(origin: &OriginFor<T>, amount: Balance) -> bool {
        Self::of(origin)
            .and_then(|before| Self::unstaked(&before, amount).ok())
            .is_some_and(|(after, _)| after.stake == 0)
    }

    /// Whether the origin could now withdraw. This is possible once after each `unstake`.
    pub(crate) fn can_withdraw(origin: &OriginFor<T>) -> bool {
        Self::of(origin).is_some_and(|before| Self::withdrawn(&before).is_ok())
    }

    /// The registration of a signed origin.
    fn of(origin: &OriginFor<T>) -> Option<Registration> {
        let who = ensure_signed(origin.clone()).ok()?;
        Registrations::<T>::get(who)
    }

    /// What is left when `amount` of the stake begins to unbond, and the time at which the unbonding is over.
    fn unstaked(before: &Registration, amount: Balance) -> Result<(Registration, u32), Error<T>> {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        ensure!(before.unbonding.is_none(), Error::<T>::UnbondingPending);
        let stake = before
            .stake
            .checked_sub(amount)
            .ok_or(Error::<T>::NotEnoughStake)?;
        ensure!(
            stake == 0 || stake >= Self::minimum(before.roles),
            Error::<T>::StakeTooLow
        );
        let until = now::<T>()
            .checked_add(T::UnbondingBlocks::get())
            .ok_or(Error::<T>::Overflow)?;
        let after = Registration {
            roles: before.roles,
            stake,
            unbonding: Some(Unbonding { amount, until }),
        };
        Ok((after, until))
    }

    /// What is left when the unbonded stake is withdrawn, and how much is withdrawn.
    fn withdrawn(before: &Registration) -> Result<(Registration, Balance), Error<T>> {
        let mut after = before.clone();
        let leaving = after.unbonding.take().ok_or(Error::<T>::NothingUnbonding)?;
        ensure!(now::<T>() >= leaving.until, Error::<T>::NotYetWithdrawable);
        Ok((after, leaving.amount))
    }

    /// Burns up to `amount` of what backs `who`: of its stake first, then of what is unbonding.
    pub(crate) fn slash(who: &T::AccountId, amount: Balance, reason: SlashReason) {
        let Some(before) = Registrations::<T>::get(who) else {
            // One stake backs the seats of many tasks: an earlier slash has taken all of it.
            return;
        };
        let amount = amount.min(before.held());
        let mut after = before.clone();
        let of_stake = amount.min(before.stake);
        after.stake = before.stake.saturating_sub(of_stake);
        let of_unbonding = amount.saturating_sub(of_stake);
        if let Some(leaving) = after.unbonding.as_mut() {
            leaving.amount = leaving.amount.saturating_sub(of_unbonding);
        }
        Asset::<T>::burn(HoldReason::Stake, who, amount, reason);
        Self::put(who, Some(&before), after);
    }

    /// Takes everything that backs `who`: pays half of it, rounded down, to `winner`, and burns the
    /// rest. Returns what was paid and what was burned.
    pub(crate) fn forfeit(who: &T::AccountId, winner: &T::AccountId) -> (Balance, Balance) {
        let Some(before) = Registrations::<T>::get(who) else {
            // A conviction in another round has taken all of it.
            return (0, 0);
        };
        let (all, half) = (before.held(), before.held() / 2);
        let paid = Asset::<T>::pay(HoldReason::Stake, who, winner, half).is_ok();
        let rewarded = if paid { half } else { 0 };
        let burned = all.saturating_sub(rewarded);
        Asset::<T>::burn(HoldReason::Stake, who, burned, SlashReason::WrongTable);
        let nothing = Registration {
            roles: before.roles,
            stake: 0,
            unbonding: None,
        };
        Self::put(who, Some(&before), nothing);
        (rewarded, burned)
    }

    /// The minimum stake for all of `roles`.
    fn minimum(roles: Roles) -> Balance {
        let of = |chosen: bool, minimum: Balance| if chosen { minimum } else { 0 };
        of(roles.contributor, T::MinContributorStake::get())
            .max(of(roles.attester, T::MinAttesterStake::get()))
    }

    /// Stores `after`, and keeps the registry and the count in step. An empty registration is removed.
    fn put(who: &T::AccountId, before: Option<&Registration>, after: Registration) {
        if before.is_some_and(Registration::attests::<T>) || after.attests::<T>() {
            Offers::<T>::restake(who, after.attests::<T>().then_some(after.stake));
        }
        let contributed = before.is_some_and(Registration::contributes::<T>);
        if contributed != after.contributes::<T>() {
            Contributors::<T>::mutate(|count| {
                if contributed {
                    count.active = count.active.saturating_sub(1);
                    count.departures = count.departures.saturating_add(1);
                } else {
                    count.active = count.active.saturating_add(1);
                }
            });
        }
        if after.held() == 0 {
            Registrations::<T>::remove(who);
        } else {
            Registrations::<T>::insert(who, after);
        }
    }
}
