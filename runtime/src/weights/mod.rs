//! Weights measured for this runtime, one module a pallet, as `make weights` writes them.

// measured below
