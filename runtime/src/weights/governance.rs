//! Weights of `governance`.
//!
//! By hand, until `make weights` has measured them: time on the high side.

use core::marker::PhantomData;
use frame_support::weights::Weight;

/// Weights over the runtime's own cost of the database.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T> crate::governance::WeightInfo for WeightInfo<T> {
    fn as_root() -> Weight {
        Weight::from_parts(50_000_000, 1_000)
    }
}
