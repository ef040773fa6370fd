//! The machine's rounding, which gradients pass straight through.

use burn::tensor::{Device, Tensor};

/// A tensor with this value and the gradient of `surrogate`.
pub(super) fn with_value<const D: usize>(surrogate: Tensor<D>, value: Tensor<D>) -> Tensor<D> {
    let difference = value - surrogate.clone().inner();
    surrogate + difference.autodiff()
}

/// Clamped, and rounded to nearest.
pub(super) fn rounded<const D: usize>(x: Tensor<D>, bound: f32) -> Tensor<D> {
    let value = nearest(x.clone().inner().clamp(-bound, bound));
    with_value(x, value)
}

/// Rounded to nearest, for values below 2^22. On a GPU halves go up. On the processor, where `floor` is a
/// call for every value, adding 1.5 * 2^23 and subtracting it again rounds halves to even at a tenth of
/// the cost; a GPU may fold the two into nothing.
pub(super) fn nearest<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const ROUNDING: f32 = 12_582_912.0;
    if x.device() == Device::flex() {
        x.add_scalar(ROUNDING).sub_scalar(ROUNDING)
    } else {
        x.add_scalar(0.5).floor()
    }
}
