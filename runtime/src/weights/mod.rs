//! Weights measured for this runtime, one module a pallet, as `make weights` writes them. There are none of the present
//! pallets yet: the runtime takes their own estimates (`SubstrateWeight`), which are by hand and on the high side.
