//! What the council may do as root: the gate between its motions and the calls that need root, and between its members and
//! its motions.
//!
//! A motion that two thirds of the council approve may authorize an upgrade, add and remove authorities, replace the
//! council, and tell GRANDPA that final blocks have stopped for good. Which calls these are is up to
//! [`Config::CouncilCalls`]; all others are refused, however many approve.
//!
//! A member has at most [`Config::MotionsOfMember`] open motions, so that nobody can take everybody else's places.

#![deny(missing_docs)]

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod tests;

use frame_support::{ensure, traits::Get, weights::Weight};
use sp_runtime::DispatchResult;

pub use pallet::*;

/// What the call costs.
pub trait WeightInfo {
    /// `as_root`, without the call inside.
    fn as_root() -> Weight;
}

#[frame_support::pallet]
pub mod pallet {
    use super::WeightInfo;
    use alloc::boxed::Box;
    use frame_support::{
        dispatch::GetDispatchInfo,
        pallet_prelude::*,
        traits::{Contains, EnsureOrigin, UnfilteredDispatchable},
    };
    use frame_system::{pallet_prelude::*, RawOrigin};

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// The calls of the runtime.
        type RuntimeCall: Parameter
            + UnfilteredDispatchable<RuntimeOrigin = Self::RuntimeOrigin>
            + GetDispatchInfo;

        /// Enough of the council.
        type CouncilOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// The calls that the council may make as root.
        type CouncilCalls: Contains<<Self as Config>::RuntimeCall>;

        /// Most open motions of the whole council.
        #[pallet::constant]
        type MaxMotions: Get<u32>;

        /// Most open motions that one member has proposed.
        #[pallet::constant]
        type MotionsOfMember: Get<u32>;

        /// What the call costs.
        type WeightInfo: WeightInfo;
    }

    /// Hash and proposer of the motions that are open, the oldest first; those that are over are forgotten when somebody
    /// proposes the next. At most [`Config::MaxMotions`] of 64 bytes, for which nobody pays.
    #[pallet::storage]
    pub type Proposers<T: Config> =
        StorageValue<_, BoundedVec<(T::Hash, T::AccountId), T::MaxMotions>, ValueQuery>;

    #[pallet::error]
    pub enum Error<T> {
        /// The council may not make this call, or not like this.
        CallNotAllowed,
        /// The member has as many open motions as it may have. Close one first, or let another member propose.
        TooManyMotions,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            let own = T::MotionsOfMember::get();
            assert!((1..=T::MaxMotions::get()).contains(&own));
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Makes `call` as root.
        ///
        /// Origin: a motion that enough of the council approved.
        ///
        /// Errors: `CallNotAllowed`, and those of `call`.
        #[pallet::call_index(0)]
        #[pallet::weight((
            T::WeightInfo::as_root().saturating_add(call.get_dispatch_info().call_weight),
            DispatchClass::Operational
        ))]
        pub fn as_root(
            origin: OriginFor<T>,
            call: Box<<T as Config>::RuntimeCall>,
        ) -> DispatchResult {
            T::CouncilOrigin::ensure_origin(origin)?;
            let is_allowed = T::CouncilCalls::contains(&call);
            ensure!(is_allowed, Error::<T>::CallNotAllowed);
            let done = call.dispatch_bypass_filter(RawOrigin::Root.into());
            done.map(|_| ()).map_err(|failed| failed.error)
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Records that `who` proposes `motion`, while `others` are open. Fails with `TooManyMotions` if `who` has as many as it may
    /// have.
    pub fn note_motion(who: &T::AccountId, motion: T::Hash, others: &[T::Hash]) -> DispatchResult {
        Proposers::<T>::try_mutate(|proposers| -> DispatchResult {
            proposers.retain(|(hash, _)| others.contains(hash));
            let own = proposers.iter().filter(|(_, other)| other == who);
            let has_room = own.count() < T::MotionsOfMember::get() as usize;
            ensure!(has_room, Error::<T>::TooManyMotions);
            let pushed = proposers.try_push((motion, who.clone()));
            pushed.map_err(|_| Error::<T>::TooManyMotions.into())
        })
    }
}
