//! The machine's rounding and its clamps, which gradients pass straight through.

use burn::tensor::{Device, Tensor};
use gotong_scoring::Width;

/// What a network does with values that the machine rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Rounds them, as the machine does.
    AsMachine,
    /// Leaves them as they are, and clamps the narrow ones. A language model learns as much this way in less time, because its
    /// steps are small enough. Without the clamps it would learn what the machine cannot do.
    ClampsOnly,
}

/// A tensor with this value and the gradient of `surrogate`.
pub(super) fn with_value<const D: usize>(surrogate: Tensor<D>, value: Tensor<D>) -> Tensor<D> {
    let difference = value - surrogate.clone().inner();
    surrogate + difference.autodiff()
}

impl Rounding {
    /// Activations of a width, in its steps: clamped, and rounded to nearest.
    pub fn activations<const D: usize>(self, x: Tensor<D>, width: Width) -> Tensor<D> {
        let bound = match width {
            Width::Narrow => 127.0,
            Width::Wide => 32_767.0,
        };
        let clamped = |x: &Tensor<D>| clamped(x.clone().inner(), bound);
        match (self, width) {
            (Self::AsMachine, _) => {
                let value = nearest(clamped(&x));
                with_value(x, value)
            }
            (Self::ClampsOnly, Width::Narrow) => {
                let value = clamped(&x);
                with_value(x, value)
            }
            // The residual stream is far from its bounds.
            (Self::ClampsOnly, Width::Wide) => x,
        }
    }
}

/// Within `-bound..=bound`. On the processor Burn's `clamp` takes seven times as long as one of these two.
pub(super) fn clamped<const D: usize>(x: Tensor<D>, bound: f32) -> Tensor<D> {
    x.clamp_min(-bound).clamp_max(bound)
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
