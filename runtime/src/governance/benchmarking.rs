//! What a call of the council costs at its worst.

#![allow(clippy::float_arithmetic)] // FRAME expands to it.

use super::*;
use alloc::boxed::Box;
use frame_benchmarking::v2::*;
use frame_support::traits::EnsureOrigin;

#[benchmarks(where <T as Config>::RuntimeCall: From<frame_system::Call<T>>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn as_root() -> Result<(), BenchmarkError> {
        let council =
            T::CouncilOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let code_hash = T::Hash::default();
        let call = frame_system::Call::<T>::authorize_upgrade { code_hash };

        #[extrinsic_call]
        _(council as T::RuntimeOrigin, Box::new(call.into()));

        assert!(frame_system::Pallet::<T>::authorized_upgrade().is_some());
        Ok(())
    }
}
