//! Weights of `authorities`.
//!
//! By hand, until `make weights` has measured them: storage by count, and time on the high side.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weights over the runtime's own cost of the database.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> crate::authorities::WeightInfo for WeightInfo<T> {
    fn bond() -> Weight {
        Weight::from_parts(150_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }

    fn resign() -> Weight {
        Weight::from_parts(100_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }

    fn withdraw() -> Weight {
        Weight::from_parts(250_000_000, 12_000)
            .saturating_add(T::DbWeight::get().reads_writes(6, 7))
    }

    fn add() -> Weight {
        Weight::from_parts(100_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(3, 2))
    }

    fn remove() -> Weight {
        Weight::from_parts(100_000_000, 8_000).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }

    fn end_session(n: u32) -> Weight {
        Weight::from_parts(1_000_000_000, 20_000)
            .saturating_add(Weight::from_parts(500_000_000, 1_000).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads_writes(30, 30))
            .saturating_add(T::DbWeight::get().reads(2).saturating_mul(n.into()))
    }
}
