//! What calls and hooks cost at their worst: with as many authorities as there may be.

#![allow(clippy::float_arithmetic)] // FRAME expands to it.

use super::*;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::Mutate;
use frame_system::RawOrigin;
use pallet_session::SessionManager;
use sp_runtime::traits::{OpaqueKeys, TrailingZeroInput};

/// Session keys whose secrets nobody has, different ones for every `seed`.
fn keys<T: Config>(seed: u32) -> T::Keys {
    // As long as both keys of the runtime are.
    let bytes = [seed.to_le_bytes(); 32].concat();
    let keys = T::Keys::decode(&mut TrailingZeroInput::new(&bytes));
    keys.expect("bytes are keys")
}

/// An account with money and session keys.
fn candidate<T: Config>(seed: u32) -> T::AccountId
where
    T::Token: Mutate<T::AccountId>,
{
    let who: T::AccountId = account("authority", seed, 0);
    let money = T::AuthorityBond::get().saturating_mul(2);
    T::Token::mint_into(&who, money).expect("money can be made");
    let keys = keys::<T>(seed);
    for id in T::Keys::key_ids() {
        let owned = (*id, keys.get_raw(*id).to_vec());
        pallet_session::KeyOwner::<T>::insert(owned, &who);
    }
    pallet_session::NextKeys::<T>::insert(&who, &keys);
    frame_system::Pallet::<T>::inc_consumers_without_limit(&who).expect("the account exists");
    who
}

fn bonded<T: Config>(seed: u32) -> T::AccountId
where
    T::Token: Mutate<T::AccountId>,
{
    let who = candidate::<T>(seed);
    Pallet::<T>::bond(RawOrigin::Signed(who.clone()).into())
        .expect("the account has what it needs");
    who
}

/// Makes accounts authorities, so that there are `count` of them; returns the last one.
fn fill<T: Config>(count: u32) -> T::AccountId
where
    T::Token: Mutate<T::AccountId>,
{
    Authorities::<T>::kill();
    let mut last = whitelisted_caller();
    for seed in 0..count {
        last = bonded::<T>(seed);
        Authorities::<T>::try_append(&last).expect("there is room");
    }
    ChangesLeft::<T>::put(1);
    last
}

#[benchmarks(where T::Token: Mutate<T::AccountId>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn bond() {
        let who = candidate::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert_eq!(Bonds::<T>::get(&who), Some(Bond::default()));
    }

    #[benchmark]
    fn resign() {
        let who = fill::<T>(T::MaxAuthorities::get());

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(!Authorities::<T>::get().contains(&who));
    }

    #[benchmark]
    fn withdraw() {
        let who = bonded::<T>(0);
        let ends = Some(0);
        let is_convicted = false;
        Bonds::<T>::insert(&who, Bond { ends, is_convicted });

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert_eq!(Bonds::<T>::get(&who), None);
    }

    #[benchmark]
    fn add() {
        let most = T::MaxAuthorities::get();
        fill::<T>(most.saturating_sub(1));
        let who = bonded::<T>(most);

        #[extrinsic_call]
        _(RawOrigin::Root, who.clone());

        assert!(Authorities::<T>::get().contains(&who));
    }

    #[benchmark]
    fn remove() {
        let who = fill::<T>(T::MaxAuthorities::get());

        #[extrinsic_call]
        _(RawOrigin::Root, who.clone());

        assert!(!Authorities::<T>::get().contains(&who));
    }

    /// The set changes as a whole, and the sessions before have to be forgotten.
    #[benchmark]
    fn end_session(n: Linear<1, { T::MaxAuthorities::get() }>) {
        fill::<T>(n);
        let index = T::ReportSessions::get().saturating_mul(2);
        pallet_session::CurrentIndex::<T>::put(index);
        T::SessionManager::new_session(index);
        T::SessionManager::new_session(index.saturating_add(1));

        #[block]
        {
            Pallet::<T>::end_session();
        }

        let queued = pallet_session::QueuedKeys::<T>::get();
        assert_eq!(queued.len(), n as usize);
    }
}
