//! Weights measured for this runtime, one module a pallet, as `gotong-node benchmark pallet`
//! writes them.
