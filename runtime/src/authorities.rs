//! Which accounts make blocks and finalize them.
//!
//! An account becomes an authority in three steps: it sets its session keys, it puts a bond on hold, and the council
//! adds it. Two sessions later its keys are in the sets of BABE and GRANDPA. It leaves when it resigns or the council
//! removes it, and gets its bond back once nothing that it signed can be reported any more.
//!
//! An authority that signs two blocks for one slot, or two votes in one round of GRANDPA, and is reported, loses its whole bond and
//! its place. There is no reward for a report: an authority that is about to be reported could earn it back.
//!
//! What keeps the chain going:
//!
//! - The last authority stays, whoever wants to remove it, and whatever it did.
//! - The council adds and removes no more than a third of the set per session, or one authority of a small set: the remaining ones
//!   can still finalize.
//! - An account that has a bond keeps its keys. pallet-session proves the owner of a key by the current keys, so an authority that
//!   could change them in the block in which it equivocates would never be convicted.
//! - BABE ends the sessions with its epochs (see [`Pallet::end_session`]), not pallet-session, which would report that the block is
//!   full. Full blocks do not count as time, and have no room.

#![deny(missing_docs)]

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{
    dispatch::DispatchClass,
    traits::{
        fungible::{InspectHold, MutateHold},
        tokens::{Fortitude, Precision},
        Get,
    },
    weights::Weight,
};
use pallet_session::historical;
use scale_info::TypeInfo;
use sp_runtime::{traits::Convert, DispatchResult};
use sp_staking::{
    offence::{Offence, OffenceError, ReportOffence},
    SessionIndex,
};

pub use pallet::*;

/// What calls and hooks cost.
pub trait WeightInfo {
    /// `bond`.
    fn bond() -> Weight;
    /// `resign`.
    fn resign() -> Weight;
    /// `withdraw`.
    fn withdraw() -> Weight;
    /// `add`.
    fn add() -> Weight;
    /// `remove`.
    fn remove() -> Weight;
    /// The end of a session, with `n` authorities in the next.
    fn end_session(n: u32) -> Weight;
}

/// The state of an account with a bond.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Bond {
    /// First session in which the bond can be withdrawn; `None` while the account is an authority or may become one.
    pub ends: Option<SessionIndex>,
    /// Whether the account equivocated: what was on hold is burned.
    pub is_convicted: bool,
}

/// Lets accounts without a bond set their session keys. For other accounts, pallet-session fails with `NoAssociatedValidatorId`.
pub struct WithoutBond<T>(PhantomData<T>);

impl<T: Config> Convert<T::AccountId, Option<T::AccountId>> for WithoutBond<T> {
    fn convert(who: T::AccountId) -> Option<T::AccountId> {
        (!Bonds::<T>::contains_key(&who)).then_some(who)
    }
}

/// The owner of a session key is identified by its account, and by nothing more.
pub struct NothingMore;

impl<AccountId> Convert<AccountId, Option<()>> for NothingMore {
    fn convert(_: AccountId) -> Option<()> {
        Some(())
    }
}

#[frame_support::pallet]
pub mod pallet {
    use super::{Bond, WeightInfo};
    use crate::Balance;
    use alloc::vec::Vec;
    use frame_support::{
        pallet_prelude::*,
        traits::{fungible::MutateHold, tokens::Precision},
    };
    use frame_system::{pallet_prelude::*, RawOrigin};
    use pallet_session::historical;
    use sp_staking::SessionIndex;

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config
        + pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
        + historical::Config<FullIdentification = ()>
    {
        /// The chain's money.
        type Token: MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason, Balance = Balance>;

        /// The runtime's reason for a hold.
        type RuntimeHoldReason: From<HoldReason>;

        /// What calls and hooks cost.
        type WeightInfo: WeightInfo;

        /// Most authorities.
        #[pallet::constant]
        type MaxAuthorities: Get<u32>;

        /// Bond of an authority, in planck.
        #[pallet::constant]
        type AuthorityBond: Get<Balance>;

        /// Number of sessions after its last one in which an authority can be reported.
        #[pallet::constant]
        type ReportSessions: Get<SessionIndex>;
    }

    /// Why money is on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An authority's bond, which it loses if it signs anything twice.
        AuthorityBond,
    }

    /// The authorities of the session that is planned next, in the order in which they were added. Each has paid for its place with
    /// its bond.
    #[pallet::storage]
    pub type Authorities<T: Config> =
        StorageValue<_, BoundedVec<T::AccountId, T::MaxAuthorities>, ValueQuery>;

    /// Accounts with a bond: authorities, those that want to become one, and those that were. Each pays for its entry with its
    /// bond, which is given back when the entry is removed.
    #[pallet::storage]
    pub type Bonds<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Bond, OptionQuery>;

    /// How many more times authorities may be added, removed or resign in this session.
    #[pallet::storage]
    pub type ChangesLeft<T> = StorageValue<_, u32, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account has put its bond on hold, and may be made an authority.
        Bonded {
            /// The account.
            who: T::AccountId,
        },
        /// An account will be an authority two sessions from now.
        Added {
            /// The account.
            who: T::AccountId,
        },
        /// An account will not be an authority two sessions from now, or can no longer become one.
        Left {
            /// The account.
            who: T::AccountId,
            /// First session in which it can withdraw its bond.
            ends: SessionIndex,
        },
        /// An account has got its bond back, or what is left of it, and no longer has session keys.
        Withdrawn {
            /// The account.
            who: T::AccountId,
            /// What was given back, in planck.
            amount: Balance,
        },
        /// An account has signed two blocks for a slot, or two votes in a round.
        Convicted {
            /// The account.
            who: T::AccountId,
            /// What was burned, in planck.
            burned: Balance,
            /// Whether it stays an authority, because there is no other.
            stays: bool,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The account has set no session keys.
        NoKeys,
        /// The account has a bond already, or one that it has yet to withdraw.
        AlreadyBonded,
        /// The account has no bond, or has left.
        NotBonded,
        /// The free balance is less than the bond.
        FundsTooLow,
        /// The bond of an account that equivocated is gone.
        Convicted,
        /// The account is an authority already.
        AlreadyAuthority,
        /// The account is no authority.
        NotAuthority,
        /// There is no room for another authority.
        TooManyAuthorities,
        /// As much of the set as may change in a session has changed. Try again in the next.
        TooManyChanges,
        /// Without it nobody would make blocks.
        LastAuthority,
        /// What the account signed can still be reported.
        TooEarly,
    }

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The first authorities: each owns its bond, and has its keys in the genesis of pallet-session.
        pub authorities: Vec<T::AccountId>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            for who in &self.authorities {
                let bond = T::AuthorityBond::get();
                assert!(
                    T::Token::hold(&HoldReason::AuthorityBond.into(), who, bond).is_ok(),
                    "every authority of the genesis owns its bond"
                );
                assert!(
                    Authorities::<T>::try_append(who).is_ok(),
                    "there are no more authorities than there may be"
                );
                Bonds::<T>::insert(who, Bond::default());
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(T::MaxAuthorities::get() > 0 && T::ReportSessions::get() > 0);
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Puts the bond of an authority on hold. It is then up to the council to add the account.
        ///
        /// Origin: signed, by an account that has set session keys, which it keeps until it withdraws.
        ///
        /// Errors: `AlreadyBonded`, `NoKeys`, `FundsTooLow`. Event: `Bonded`.
        #[pallet::call_index(0)]
        #[pallet::weight(<T as Config>::WeightInfo::bond())]
        pub fn bond(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(!Bonds::<T>::contains_key(&who), Error::<T>::AlreadyBonded);
            ensure!(Self::has_keys(&who), Error::<T>::NoKeys);
            T::Token::hold(
                &HoldReason::AuthorityBond.into(),
                &who,
                T::AuthorityBond::get(),
            )
            .map_err(|_| Error::<T>::FundsTooLow)?;
            Bonds::<T>::insert(&who, Bond::default());
            Self::deposit_event(Event::Bonded { who });
            Ok(())
        }

        /// Leaves, whether the account is an authority or was never added. An authority has to sign for two more sessions.
        ///
        /// Origin: signed, by an account with a bond.
        ///
        /// Errors: `NotBonded`, `LastAuthority`, `TooManyChanges`. Event: `Left`.
        #[pallet::call_index(1)]
        #[pallet::weight(<T as Config>::WeightInfo::resign())]
        pub fn resign(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::leave(who)
        }

        /// Gives back the bond of an account that has left, and what was on hold for its session keys, which are forgotten. An
        /// account that has set keys but never had a bond gets only the latter.
        ///
        /// Origin: signed, by an account with session keys.
        ///
        /// Errors: `TooEarly`, and `NoKeys` of pallet-session. Event: `Withdrawn`.
        #[pallet::call_index(2)]
        #[pallet::weight(<T as Config>::WeightInfo::withdraw())]
        pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            if let Some(bond) = Bonds::<T>::get(&who) {
                let now = pallet_session::Pallet::<T>::current_index();
                let has_ended = bond.ends.is_some_and(|ends| ends <= now);
                ensure!(has_ended, Error::<T>::TooEarly);
            }
            pallet_session::Pallet::<T>::purge_keys(RawOrigin::Signed(who.clone()).into())?;
            let reason = HoldReason::AuthorityBond.into();
            let amount = T::Token::release_all(&reason, &who, Precision::BestEffort)?;
            Bonds::<T>::remove(&who);
            Self::deposit_event(Event::Withdrawn { who, amount });
            Ok(())
        }

        /// Makes an account with a bond an authority, two sessions from now.
        ///
        /// Origin: root, which the council is for this call.
        ///
        /// Errors: `NotBonded`, `Convicted`, `AlreadyAuthority`, `TooManyAuthorities`, `TooManyChanges`. Event: `Added`.
        #[pallet::call_index(3)]
        #[pallet::weight((<T as Config>::WeightInfo::add(), DispatchClass::Operational))]
        pub fn add(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            ensure_root(origin)?;
            let bond = Bonds::<T>::get(&who).ok_or(Error::<T>::NotBonded)?;
            ensure!(!bond.is_convicted, Error::<T>::Convicted);
            ensure!(bond.ends.is_none(), Error::<T>::NotBonded);
            Authorities::<T>::try_mutate(|authorities| -> DispatchResult {
                ensure!(!authorities.contains(&who), Error::<T>::AlreadyAuthority);
                let pushed = authorities.try_push(who.clone());
                pushed.map_err(|_| Error::<T>::TooManyAuthorities)?;
                Self::change()
            })?;
            Self::deposit_event(Event::Added { who });
            Ok(())
        }

        /// Removes an authority, two sessions from now. Its bond is given back as if it had resigned.
        ///
        /// Origin: root, which the council is for this call.
        ///
        /// Errors: `NotAuthority`, `LastAuthority`, `TooManyChanges`. Event: `Left`.
        #[pallet::call_index(4)]
        #[pallet::weight((<T as Config>::WeightInfo::remove(), DispatchClass::Operational))]
        pub fn remove(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
            ensure_root(origin)?;
            let is_authority = Authorities::<T>::get().contains(&who);
            ensure!(is_authority, Error::<T>::NotAuthority);
            Self::leave(who)
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Ends the session. BABE decides when, before anything in the block asks for its author or for randomness.
    pub fn end_session() {
        pallet_session::Pallet::<T>::rotate_session();
        let weight = <T as Config>::WeightInfo::end_session(Self::count());
        frame_system::Pallet::<T>::register_extra_weight_unchecked(
            weight,
            DispatchClass::Mandatory,
        );
    }

    /// How many authorities the session that is planned next has.
    fn count() -> u32 {
        // There are at most `MaxAuthorities`.
        Authorities::<T>::decode_len().unwrap_or_default() as u32
    }

    fn has_keys(who: &T::AccountId) -> bool {
        pallet_session::NextKeys::<T>::contains_key(who)
    }

    /// Counts a change of the set; refused if the session has seen as many as it may.
    fn change() -> DispatchResult {
        ChangesLeft::<T>::try_mutate(|left| {
            *left = left.checked_sub(1).ok_or(Error::<T>::TooManyChanges)?;
            Ok(())
        })
    }

    fn leave(who: T::AccountId) -> DispatchResult {
        let bond = Bonds::<T>::get(&who).filter(|bond| bond.ends.is_none());
        let bond = bond.ok_or(Error::<T>::NotBonded)?;
        Authorities::<T>::try_mutate(|authorities| -> DispatchResult {
            let Some(place) = authorities.iter().position(|other| *other == who) else {
                return Ok(());
            };
            if authorities.len() == 1 {
                return Err(Error::<T>::LastAuthority.into());
            }
            authorities.remove(place);
            Self::change()
        })?;
        let ends = Self::first_session_without_reports();
        Bonds::<T>::insert(
            &who,
            Bond {
                ends: Some(ends),
                ..bond
            },
        );
        Self::deposit_event(Event::Left { who, ends });
        Ok(())
    }

    /// The first session in which nothing can be reported about an authority that leaves now: it still signs in this session and in
    /// the next one, which is already planned.
    fn first_session_without_reports() -> SessionIndex {
        let now = pallet_session::Pallet::<T>::current_index();
        now.saturating_add(T::ReportSessions::get())
            .saturating_add(2)
    }

    /// Burns the bond of an account that equivocated, and takes its place away, unless there is no other authority.
    /// `DuplicateReport` if it has been convicted before, or has no bond.
    fn convict(who: &T::AccountId) -> Result<(), OffenceError> {
        let bond = Bonds::<T>::get(who).filter(|bond| !bond.is_convicted);
        let bond = bond.ok_or(OffenceError::DuplicateReport)?;
        let reason = HoldReason::AuthorityBond.into();
        let held = T::Token::balance_on_hold(&reason, who);
        let burned =
            T::Token::burn_held(&reason, who, held, Precision::BestEffort, Fortitude::Force)
                .unwrap_or_default();
        let stays = Authorities::<T>::mutate(|authorities| {
            let others = authorities.iter().filter(|other| *other != who).count();
            if others > 0 {
                authorities.retain(|other| other != who);
            }
            others == 0
        });
        let ends = match stays {
            true => None,
            false => bond.ends.or(Some(Self::first_session_without_reports())),
        };
        let is_convicted = true;
        Bonds::<T>::insert(who, Bond { ends, is_convicted });
        Self::deposit_event(Event::Convicted {
            who: who.clone(),
            burned,
            stays,
        });
        Ok(())
    }

    /// The authorities of the session `new`; `None` if they are those of the session before.
    fn plan(new: SessionIndex) -> Option<Vec<T::AccountId>> {
        Self::forget_sessions(new);
        let next = Authorities::<T>::get().into_inner();
        // A chain that stores no authorities here has those that the genesis of pallet-session names.
        if next.is_empty() {
            return None;
        }
        let planned = pallet_session::QueuedKeys::<T>::get();
        let is_same = planned.iter().map(|(who, _)| who).eq(&next);
        // The root of their keys is copied from the session before, if that has one.
        let has_root = new
            .checked_sub(1)
            .is_some_and(historical::HistoricalSessions::<T>::contains_key);
        (!is_same || !has_root).then_some(next)
    }

    /// Forgets the roots of sessions about which nothing can be reported any more, when `new` is planned during the one before it.
    fn forget_sessions(new: SessionIndex) {
        let oldest = new.saturating_sub(T::ReportSessions::get().saturating_add(1));
        let stored = historical::StoredRange::<T>::get();
        if stored.is_some_and(|(first, _)| first < oldest) {
            historical::Pallet::<T>::prune_up_to(oldest);
        }
    }

    /// Checks every invariant.
    #[cfg(any(feature = "try-runtime", test))]
    pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
        let authorities = Authorities::<T>::get();
        let distinct: alloc::collections::BTreeSet<_> = authorities.iter().collect();
        frame_support::ensure!(
            distinct.len() == authorities.len(),
            "1: an account is an authority twice"
        );
        for who in &authorities {
            frame_support::ensure!(
                Bonds::<T>::get(who).is_some_and(|bond| bond.ends.is_none()),
                "2: an authority has no bond, or one that ends"
            );
        }
        for (who, bond) in Bonds::<T>::iter() {
            frame_support::ensure!(Self::has_keys(&who), "3: who has a bond has no keys");
            let held = T::Token::balance_on_hold(&HoldReason::AuthorityBond.into(), &who);
            frame_support::ensure!(
                !bond.is_convicted || held == 0,
                "4: the bond of who was convicted is not burned"
            );
        }
        for who in frame_system::Account::<T>::iter_keys() {
            let held = T::Token::balance_on_hold(&HoldReason::AuthorityBond.into(), &who);
            let is_bonded = Bonds::<T>::contains_key(&who) && held <= T::AuthorityBond::get();
            frame_support::ensure!(
                held == 0 || is_bonded,
                "5: more is on hold than a bond, or without one"
            );
        }
        Ok(())
    }
}

impl<T: Config> pallet_session::SessionManager<T::AccountId> for Pallet<T> {
    fn new_session(new_index: SessionIndex) -> Option<Vec<T::AccountId>> {
        Self::plan(new_index)
    }

    fn start_session(_: SessionIndex) {
        ChangesLeft::<T>::put((Self::count() / 3).max(1));
    }

    fn end_session(_: SessionIndex) {}
}

impl<T: Config> historical::SessionManager<T::AccountId, ()> for Pallet<T> {
    fn new_session(new_index: SessionIndex) -> Option<Vec<(T::AccountId, ())>> {
        let planned = Self::plan(new_index)?;
        Some(planned.into_iter().map(|who| (who, ())).collect())
    }

    fn start_session(start_index: SessionIndex) {
        <Self as pallet_session::SessionManager<T::AccountId>>::start_session(start_index);
    }

    fn end_session(end_index: SessionIndex) {
        <Self as pallet_session::SessionManager<T::AccountId>>::end_session(end_index);
    }
}

/// Takes reports that pallet-babe and pallet-grandpa found to be proved. One conviction takes everything, so only the first report
/// about an account counts, and nothing about later ones has to be remembered.
impl<T, O> ReportOffence<T::AccountId, historical::IdentificationTuple<T>, O> for Pallet<T>
where
    T: Config,
    O: Offence<historical::IdentificationTuple<T>>,
{
    fn report_offence(_reporters: Vec<T::AccountId>, offence: O) -> Result<(), OffenceError> {
        let offenders = offence.offenders();
        offenders
            .iter()
            .try_for_each(|(who, ())| Self::convict(who))
    }

    fn is_known_offence(offenders: &[historical::IdentificationTuple<T>], _: &O::Slot) -> bool {
        offenders.iter().all(|(who, ())| {
            let bond = Bonds::<T>::get(who);
            bond.is_none_or(|bond| bond.is_convicted)
        })
    }
}
