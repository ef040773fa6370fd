//! Offers: attesters volunteer for seats, and hold no more of them than they offered.
//!
//! Only attesters with an offer are drawn. An offer names tasks, the number of seats at once, and how much work they may take
//! together; seats that are held count against it until their round is over. If an attester misses a seat that others could fill,
//! it is not drawn again until it makes a new offer. So its absence costs it the seats that it already holds, and no more. When the
//! registry is full, a new offer takes the place of an attester that has held no seat for a long time, or of the one with the least
//! stake that holds none.

use crate::{
    attestation::CandidateList, rounds::now, stakes::Stakes, tasks::Task, Attesters, Balance,
    Config, Error, Event, Pallet,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use core::{marker::PhantomData, ops::RangeInclusive};
use frame_support::{
    ensure,
    traits::{ConstU32, Get},
    BoundedVec,
};
use gotong_protocol::{bounds, TaskId};
use scale_info::TypeInfo;
use sp_runtime::DispatchResult;

/// The tasks that an attester names.
pub type OfferedTasks = BoundedVec<TaskId, ConstU32<{ bounds::MAX_OFFERED_TASKS }>>;

/// Attesters that can be drawn or hold seats, sorted by account.
pub type Registry<T> =
    BoundedVec<Listed<<T as frame_system::Config>::AccountId>, <T as Config>::MaxAttesters>;

/// What an attester is ready to do.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Default, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The most seats at once; with 0 it is not drawn.
    pub seats: u8,
    /// The most work that its seats may take together in a block, in products ([`gotong_protocol::TaskTerms::load`]).
    pub capacity: u64,
    /// Whether it serves every task with sealed samples.
    pub sealed: bool,
    /// The other tasks that it serves.
    pub tasks: OfferedTasks,
}

/// Seats that an attester holds.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Held {
    /// How many.
    pub seats: u32,
    /// The work that they take together in a block, in products.
    pub load: u64,
}

/// An attester in the registry.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct Listed<AccountId> {
    /// Who it is.
    pub account: AccountId,
    /// Its stake in planck, without what is unbonding.
    pub stake: Balance,
    /// What it offers.
    pub offer: Offer,
    /// What it holds.
    pub held: Held,
    /// Number of draws under way in which it may be drawn. Nobody can take its place until they are over: otherwise somebody
    /// who knows their result could push out an attester that will be drawn.
    pub candidacies: u32,
    /// When its last seat ended, or when it was listed.
    pub idle_since: u32,
}

impl<AccountId> Listed<AccountId> {
    /// Whether it serves the task, and has room for a seat with this load.
    fn takes(&self, id: TaskId, task: &Task<AccountId>, load: u64) -> bool {
        let Offer {
            capacity,
            sealed,
            tasks,
            ..
        } = &self.offer;
        let serves = tasks.contains(&id) || (*sealed && task.terms.hold_out.is_sealed());
        serves
            && self.stake >= task.terms.minimum_attester_stake
            && self.free_seats() > 0
            && self.held.load.saturating_add(load) <= *capacity
    }

    /// Seats that it offers and does not hold.
    fn free_seats(&self) -> u32 {
        u32::from(self.offer.seats).saturating_sub(self.held.seats)
    }

    /// Whether it is listed without reason: it neither offers nor holds a seat.
    fn is_done(&self) -> bool {
        self.offer.seats == 0 && self.is_free()
    }

    /// Whether nothing depends on it.
    fn is_free(&self) -> bool {
        self.held.seats == 0 && self.candidacies == 0
    }
}

/// Owner of the registry of attesters.
pub struct Offers<T>(PhantomData<T>);

impl<T: Config> Offers<T> {
    /// Lists `who` with `offer`. If it offers no seats, it is removed as soon as it holds none.
    pub(crate) fn make(who: T::AccountId, offer: Offer) -> DispatchResult {
        let registration = Stakes::<T>::get(&who)?;
        let is_drawn = offer.seats > 0;
        ensure!(
            !is_drawn || registration.attests::<T>(),
            Error::<T>::WrongRole
        );
        let serves = offer.sealed || !offer.tasks.is_empty();
        ensure!(
            !is_drawn || (serves && offer.capacity > 0),
            Error::<T>::OfferEmpty
        );
        let (seats, capacity) = (offer.seats, offer.capacity);
        let displaced = Attesters::<T>::try_mutate(|registry| {
            if let Ok(index) = Self::place(registry, &who) {
                Self::change(registry, index, |listed| listed.offer = offer);
                return Ok(None);
            }
            if !is_drawn {
                return Ok(None);
            }
            let displaced = match registry.is_full() {
                true => Some(Self::displace(registry, registration.stake)?),
                false => None,
            };
            let (Ok(index) | Err(index)) = Self::place(registry, &who);
            let listed = Listed {
                account: who.clone(),
                stake: registration.stake,
                offer,
                held: Held::default(),
                candidacies: 0,
                idle_since: now::<T>(),
            };
            registry
                .try_insert(index, listed)
                .map_err(|_| Error::<T>::TooManyAttesters)?;
            Ok::<_, Error<T>>(displaced)
        })?;
        if let Some(who) = displaced {
            Pallet::<T>::deposit_event(Event::OfferDisplaced { who });
        }
        Pallet::<T>::deposit_event(Event::Offered {
            who,
            seats,
            capacity,
        });
        Ok(())
    }

    /// What `who` offers and holds.
    pub(crate) fn of(who: &T::AccountId) -> Option<Listed<T::AccountId>> {
        let registry = Attesters::<T>::get();
        let index = Self::place(&registry, who).ok()?;
        registry.get(index).cloned()
    }

    /// The attesters with room for a seat of the task that takes `load`, with their stakes.
    pub(crate) fn candidates(id: TaskId, task: &Task<T::AccountId>, load: u64) -> CandidateList<T> {
        let registry = Attesters::<T>::get().into_iter();
        let with_room = registry.filter(|listed| listed.takes(id, task, load));
        // There are no more of them than are listed.
        BoundedVec::truncate_from(
            with_room
                .map(|listed| (listed.account, listed.stake))
                .collect(),
        )
    }

    /// The number of seats that are offered and not held, over all offers.
    pub(crate) fn free_seats() -> u32 {
        let registry = Attesters::<T>::get();
        registry.iter().fold(0, |sum: u32, listed| {
            sum.saturating_add(listed.free_seats())
        })
    }

    /// Reserves the registry places of the candidates when a draw begins.
    pub(crate) fn begin_draw(candidates: &CandidateList<T>) {
        Self::change_all(candidates.iter().map(|(who, _)| who), |listed| {
            listed.candidacies = listed.candidacies.saturating_add(1);
        });
    }

    /// Ends the draw. Gives seats that take `load` to the first of `drawn` that still have room for one: to as many as `count`
    /// allows, or to nobody if there are too few for it.
    pub(crate) fn end_draw(
        id: TaskId,
        task: &Task<T::AccountId>,
        load: u64,
        candidates: &CandidateList<T>,
        drawn: impl Iterator<Item = (T::AccountId, Balance)>,
        count: RangeInclusive<usize>,
    ) -> Vec<(T::AccountId, Balance)> {
        let seated = Attesters::<T>::mutate(|registry| {
            let takes = |(who, _): &(T::AccountId, Balance)| {
                let index = Self::place(registry, who).ok();
                let listed = index.and_then(|index| registry.get(index));
                listed.is_some_and(|listed| listed.takes(id, task, load))
            };
            let seated: Vec<_> = drawn.filter(takes).take(*count.end()).collect();
            if seated.len() < *count.start() {
                return Vec::new();
            }
            for (who, _) in &seated {
                if let Ok(index) = Self::place(registry, who) {
                    Self::change(registry, index, |listed| {
                        listed.held.seats = listed.held.seats.saturating_add(1);
                        listed.held.load = listed.held.load.saturating_add(load);
                    });
                }
            }
            seated
        });
        Self::change_all(candidates.iter().map(|(who, _)| who), |listed| {
            listed.candidacies = listed.candidacies.saturating_sub(1);
        });
        seated
    }

    /// Frees the attesters who `left` seats with this `load`. With `is_absence`, they are not drawn again until they make a new
    /// offer.
    pub(crate) fn rise(left: &[T::AccountId], load: u64, is_absence: bool) {
        Self::change_all(left.iter(), |listed| {
            listed.held.seats = listed.held.seats.saturating_sub(1);
            listed.held.load = listed.held.load.saturating_sub(load);
            listed.idle_since = now::<T>();
            if is_absence && listed.offer.seats > 0 {
                listed.offer.seats = 0;
                let who = listed.account.clone();
                Pallet::<T>::deposit_event(Event::OfferSuspended { who });
            }
        });
    }

    /// Keeps the registry in step with the stake of `who`. If the stake is too small to attest, `who` is no longer drawn.
    pub(crate) fn restake(who: &T::AccountId, stake: Option<Balance>) {
        Attesters::<T>::mutate(|registry| {
            if let Ok(index) = Self::place(registry, who) {
                Self::change(registry, index, |listed| {
                    listed.stake = stake.unwrap_or(0);
                    if stake.is_none() {
                        listed.offer.seats = 0;
                    }
                });
            }
        });
    }

    /// The position of `who` in the registry, which is sorted by account, or the position where it would be inserted.
    fn place(registry: &Registry<T>, who: &T::AccountId) -> Result<usize, usize> {
        registry.binary_search_by(|listed| listed.account.cmp(who))
    }

    /// Changes an entry, and removes it if nothing is left of it.
    fn change(
        registry: &mut Registry<T>,
        index: usize,
        change: impl FnOnce(&mut Listed<T::AccountId>),
    ) {
        if let Some(listed) = registry.get_mut(index) {
            change(listed);
            if listed.is_done() {
                registry.remove(index);
            }
        }
    }

    /// Changes the entries of those of `accounts` that have one.
    fn change_all<'a>(
        accounts: impl Iterator<Item = &'a T::AccountId>,
        mut change: impl FnMut(&mut Listed<T::AccountId>),
    ) where
        T::AccountId: 'a,
    {
        Attesters::<T>::mutate(|registry| {
            for who in accounts {
                if let Ok(index) = Self::place(registry, who) {
                    Self::change(registry, index, &mut change);
                }
            }
        });
    }

    /// Removes one attester on which nothing depends: the one with the least stake among those that held no seat for an unbonding
    /// period, or else the one with the least stake below `stake`.
    fn displace(registry: &mut Registry<T>, stake: Balance) -> Result<T::AccountId, Error<T>> {
        let lately = now::<T>().saturating_sub(T::UnbondingBlocks::get());
        let is_lately = |listed: &Listed<T::AccountId>| listed.idle_since >= lately;
        let (index, _) = registry
            .iter()
            .enumerate()
            .filter(|(_, listed)| listed.is_free())
            .filter(|(_, listed)| !is_lately(listed) || listed.stake < stake)
            .min_by_key(|(_, listed)| (is_lately(listed), listed.stake))
            .ok_or(Error::<T>::TooManyAttesters)?;
        Ok(registry.remove(index).account)
    }
}
