//! The machine's arithmetic and tables on tensors, and tensors to and from a device.

use burn::tensor::{Bool, DType, Device, Int, IntDType, Tensor, TensorData};
use gotong_scoring::{
    lut::{EXP2, LOG2, RSQRT},
    EvalError,
};

/// The machine's tables, on the device.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    exp2: Tensor<1, Int>,
    pub log2: Tensor<1, Int>,
    pub rsqrt: Tensor<1, Int>,
    /// The powers from 2^0 to 2^30.
    powers: Tensor<1, Int>,
}

impl Tables {
    pub fn new(device: &Device) -> Self {
        let table = |values: &[u16]| int(values.iter().map(|&v| v.into()).collect(), device);
        Self {
            exp2: table(&EXP2),
            log2: table(&LOG2),
            rsqrt: table(&RSQRT),
            powers: int((0..31).map(|bit| 1 << bit).collect(), device),
        }
    }

    /// `2^(-distance/64)` in Q14, cut off; like `gotong_scoring::machine::exp2_q14`.
    pub fn exp2(&self, distance: Tensor<1, Int>) -> Tensor<1, Int> {
        let at = distance.clone().bitwise_and_scalar(63);
        // A shift by 15 makes it zero.
        let shift = distance.bitwise_right_shift_scalar(6).clamp_max(15);
        self.exp2.clone().select(0, at).bitwise_right_shift(shift)
    }

    /// How many bits each magnitude, `[rows, 1]`, has beyond `bits`; like `gotong_scoring::gradient::shift`.
    pub fn bits_beyond(&self, bits: u8, magnitudes: Tensor<2, Int>) -> Tensor<2, Int> {
        let (rows, bits) = (magnitudes.dims()[0], usize::from(bits.min(30)));
        let shape = [rows, 31 - bits];
        // The lengths for the powers that are reached.
        let powers = self.powers.clone().slice([bits..31]);
        let powers = powers.reshape([1, 31 - bits]).expand(shape);
        count(magnitudes.expand(shape).greater_equal(powers)).sum_dim(1)
    }
}

/// 1 where it holds, else 0.
pub(super) fn count<const D: usize>(holds: Tensor<D, Bool>) -> Tensor<D, Int> {
    holds.int().cast(IntDType::I32)
}

/// `gotong_scoring::arith::rs` on tensors, for shifts up to 31. What is added before the last shift cannot
/// overflow.
pub(super) fn rs<const D: usize>(a: Tensor<D, Int>, shift: i32) -> Tensor<D, Int> {
    match shift {
        0 => a,
        1 => a.clone().bitwise_right_shift_scalar(1) + a.bitwise_and_scalar(1),
        _ => {
            let twice = a.bitwise_right_shift_scalar(shift - 1);
            twice.add_scalar(1).bitwise_right_shift_scalar(1)
        }
    }
}

/// Like [`rs`], with shifts from 0 to 31 that are expanded to the shape of what is shifted.
pub(super) fn rs_by<const D: usize>(a: Tensor<D, Int>, shift: Tensor<D, Int>) -> Tensor<D, Int> {
    let dims = a.dims();
    let last = shift.clone().sub_scalar(1).clamp_min(0).expand(dims);
    let is_shifted = shift.clone().clamp_max(1).expand(dims);
    let half = a.clone().bitwise_right_shift(last).bitwise_and(is_shifted);
    a.bitwise_right_shift(shift.expand(dims)) + half
}

/// The same integer everywhere.
pub(super) fn full<const D: usize>(
    dims: [usize; D],
    value: i32,
    device: &Device,
) -> Tensor<D, Int> {
    Tensor::full(dims, value, (device, DType::I32))
}

/// Integers to the device.
pub(super) fn int(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::I32))
}

/// Integers from the device.
///
/// # Errors
/// A device that fails.
pub(super) fn read(values: Tensor<2, Int>) -> Result<Vec<i32>, EvalError> {
    let values = values.try_into_vec_as::<i32>();
    values.map_err(|error| EvalError::Device(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_equals_the_machine() {
        let edges = [i32::MIN, -32_768, -3, -2, -1, 0, 1, 2, 3, 1 << 20, i32::MAX];
        let tensor = int(edges.to_vec(), &Device::flex());
        for shift in 0..=31 {
            let found = rs(tensor.clone(), shift).try_into_vec_as::<i32>().unwrap();
            let expected = edges.map(|a| gotong_scoring::arith::rs(a, shift as u32));
            assert_eq!(found, expected);
            let found = rs_by(tensor.clone(), int(vec![shift], &Device::flex()));
            assert_eq!(found.try_into_vec_as::<i32>().unwrap(), expected);
        }
    }
}
