//! What the council may do as root: the gate between its motions and the calls that need root.
//!
//! A motion that two thirds of the council approve may authorize an upgrade, add and remove authorities, replace the
//! council, and tell GRANDPA that final blocks have stopped for good. Which calls these are is up to
//! [`Config::CouncilCalls`]; all others are refused, however many approve.

#![deny(missing_docs)]

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod tests;

use frame_support::weights::Weight;

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

        /// What the call costs.
        type WeightInfo: WeightInfo;
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The council may not make this call, or not like this.
        CallNotAllowed,
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
