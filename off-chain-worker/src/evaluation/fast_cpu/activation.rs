//! `Relu` and `SquaredRelu`, of narrow activations.

use gotong_scoring::machine;

use super::{Block, Kernel};

#[inline(always)]
pub(super) fn relu<K: Kernel>(block: &mut Block) {
    block.narrow.iter_mut().for_each(|x| *x = (*x).max(0));
}

#[inline(always)]
pub(super) fn squared_relu<K: Kernel>(block: &mut Block) {
    let values = block.narrow.iter_mut();
    values.for_each(|x| *x = machine::squared_relu(*x));
}
