//! `Relu` and `SquaredRelu`, of narrow activations.

use gotong_scoring::machine;

use super::{adjoint::if_passes, Backwards, Block, Kernel};

#[inline(always)]
pub(super) fn relu<K: Kernel>(block: &mut Block) {
    block.narrow.iter_mut().for_each(|x| *x = (*x).max(0));
}

#[inline(always)]
pub(super) fn squared_relu<K: Kernel>(block: &mut Block) {
    let values = block.narrow.iter_mut();
    values.for_each(|x| *x = machine::squared_relu(*x));
}

/// Passes the adjoint where the activation is above 0.
#[inline(always)]
pub(super) fn relu_backward<K: Kernel>(here: &mut Backwards) {
    let Backwards { own, adjoints, .. } = here;
    here.previous.start(adjoints.values.len(), adjoints, 0);
    let dy = adjoints.values.iter().zip(&own.narrow);
    for (sum, (dy, y)) in here.previous.values.iter_mut().zip(dy) {
        *sum = if_passes(*dy, *y > 0);
    }
}

/// The backward pass of `u^2 / 128`: `dy * u` in `2^-6`.
#[inline(always)]
pub(super) fn squared_relu_backward<K: Kernel>(here: &mut Backwards) {
    let Backwards {
        before, adjoints, ..
    } = here;
    here.previous.start(adjoints.values.len(), adjoints, -6);
    let dy = adjoints.values.iter().zip(&before.narrow);
    for (sum, (dy, x)) in here.previous.values.iter_mut().zip(dy) {
        *sum = i32::from(*dy).wrapping_mul((*x).max(0).into());
    }
}
