//! Weights measured for this runtime, one module per pallet, as `make weights` writes them.

pub mod authorities;
pub mod governance;
pub mod pallet_contribution;
pub mod pallet_referee;
