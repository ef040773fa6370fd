//! Whether a device multiplies matrices in whole f32.
//!
//! A GPU may have matrix units that round their operands to fewer bits: TF32 keeps 11 of 24. Burn
//! takes such units where its compiler knows them (CUDA), and not where it does not (WGSL), and no
//! setting says so. Int8 operands survive TF32, and only an attention's shares have more bits, so the
//! self-test's models may not notice.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Why a device must not evaluate.
#[derive(Debug, thiserror::Error)]
pub enum Imprecise {
    /// It rounds what it multiplies, or its sums.
    #[error(
        "{wrong} of {words} sums of products are rounded: the device multiplies in less than f32; \
         evaluate on another `--device`, or on the processor without any"
    )]
    Rounded { wrong: usize, words: usize },
    /// It could not multiply.
    #[error("the device failed: {0}")]
    Device(String),
}

/// Shapes `[rows, inner] x [inner, columns]`: one that matrix units like, one that fills no tile, and
/// one row.
const SHAPES: [[usize; 3]; 3] = [[64, 1024, 64], [33, 1001, 17], [1, 1024, 40]];

/// Multiplies integers of 13 bits with integers of 2, either on either side, as two matrices and as two
/// batches of them. Every sum is below 2^24, so that f32 holds it exactly.
///
/// # Errors
/// [`Imprecise`] when a sum is not exact, or the device fails.
pub fn check_precision(device: &Device) -> Result<(), Imprecise> {
    check::<2>(device, Tensor::matmul)?;
    // A backend may have other kernels for batches, as attention needs them.
    check::<4>(device, Tensor::matmul)
}

fn check<const D: usize>(
    device: &Device,
    multiply: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
) -> Result<(), Imprecise> {
    let device = device.clone().without_autodiff();
    let mut random = StdRng::seed_from_u64(24);
    for [rows, inner, columns] in SHAPES {
        for (left, right) in [(4_097, 3), (3, 4_097)] {
            let left = integers(rows * inner, left, &mut random);
            let right = integers(inner * columns, right, &mut random);
            let product = multiply(
                tensor(&left, [rows, inner], &device),
                tensor(&right, [inner, columns], &device),
            );
            let found = product.try_into_vec_as::<f32>();
            let found = found.map_err(|error| Imprecise::Device(error.to_string()))?;
            let sum = |at: usize| -> i32 {
                let (row, column) = (at / columns, at % columns);
                let pairs = (0..inner).map(|k| left[row * inner + k] * right[k * columns + column]);
                pairs.sum()
            };
            let sums: Vec<f32> = (0..rows * columns).map(|at| sum(at) as f32).collect();
            let words = sums.len() * copies(D);
            let exact = sums.iter().cycle().zip(&found).filter(|(a, b)| a == b);
            let wrong = words.saturating_sub(exact.count());
            if wrong > 0 {
                return Err(Imprecise::Rounded { wrong, words });
            }
        }
    }
    Ok(())
}

/// Of a matrix, in a tensor of so many dimensions.
const fn copies(dimensions: usize) -> usize {
    if dimensions > 2 {
        2
    } else {
        1
    }
}

/// Half of them at the bound, where rounding shows.
fn integers(count: usize, bound: i32, random: &mut StdRng) -> Vec<i32> {
    let one = |_| match random.random_range(0..4) {
        0 => bound,
        1 => -bound,
        _ => random.random_range(-bound..=bound),
    };
    (0..count).map(one).collect()
}

fn tensor<const D: usize>(
    values: &[i32],
    [rows, columns]: [usize; 2],
    device: &Device,
) -> Tensor<D> {
    let mut shape = [1; D];
    shape[0] = copies(D);
    (shape[D - 2], shape[D - 1]) = (rows, columns);
    let matrix = values.iter().map(|&value| value as f32);
    let data = matrix.cycle().take(values.len() * copies(D)).collect();
    let data = TensorData::new::<f32, _>(data, shape);
    Tensor::from_data(data, (device, DType::F32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds to the 11 bits of TF32, by Veltkamp's splitting.
    fn tf32(x: Tensor<2>) -> Tensor<2> {
        let scaled = x.clone().mul_scalar(8_193.0);
        scaled.clone() - (scaled - x)
    }

    #[test]
    fn the_processor_multiplies_in_whole_f32() {
        check_precision(&Device::flex()).unwrap();
    }

    #[test]
    fn operands_in_tf32_are_noticed() {
        let of_left = |a, b| tf32(a).matmul(b);
        let of_right = |a: Tensor<2>, b| a.matmul(tf32(b));
        let device = Device::flex();
        for result in [check(&device, of_left), check(&device, of_right)] {
            assert!(matches!(result, Err(Imprecise::Rounded { .. })));
        }
        let of_batches = |a: Tensor<4>, b| {
            let [batches, other, rows, columns] = a.dims();
            let flat = tf32(a.reshape([batches * other * rows, columns]));
            flat.reshape([batches, other, rows, columns]).matmul(b)
        };
        let result = check(&device, of_batches);
        assert!(matches!(result, Err(Imprecise::Rounded { .. })));
    }

    #[test]
    fn rounded_sums_are_noticed() {
        let rounded = |a: Tensor<2>, b| tf32(a.matmul(b));
        let failure = check(&Device::flex(), rounded).unwrap_err();
        assert!(failure.to_string().contains("less than f32"));
    }
}
