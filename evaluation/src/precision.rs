//! Whether a device multiplies matrices in whole f32.
//!
//! A GPU may have matrix units that round their operands to fewer bits: TF32 keeps 11 of 24. Burn uses such units where its
//! compiler knows them (CUDA), and not where it does not (WGSL), and no setting controls that. Int8 operands survive TF32, and only
//! an attention's shares have more bits, so the self-test's models may not notice. Other units may round the sums, and only the
//! largest sums show it.

use burn::tensor::{DType, Device, Tensor, TensorData};
use gotong_panics::caught;
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Why a device must not evaluate.
#[derive(Debug, thiserror::Error)]
pub enum Imprecise {
    /// It rounds what it multiplies, or its sums.
    #[error(
        "{wrong} of {words} sums of products are rounded: the device multiplies in less than f32; \
         evaluate on another `--device`, or leave `--device` out to use the processor"
    )]
    Rounded {
        /// Sums that are not exact.
        wrong: usize,
        /// Sums that were checked.
        words: usize,
    },
    /// It could not multiply.
    #[error(
        "the device failed: {0}; evaluate on another `--device`, or leave `--device` out to use the processor"
    )]
    Device(String),
}

/// What is multiplied in tensors of `D` dimensions.
struct Products<const D: usize> {
    /// `[rows, inner] x [inner, columns]`: some that suit matrix units, some that fill no tile, one row, one column, short sums.
    shapes: &'static [[usize; 3]],
    /// The dimensions before these two, in which all matrices differ.
    batches: &'static [usize],
    /// How left and right lie in memory.
    layouts: [[Layout; 2]; 3],
}

/// What turns an operand that lies whole and in order in memory into the view that is multiplied.
#[derive(Clone, Copy)]
struct Layout {
    /// Dimensions to swap, one pair after another.
    swaps: &'static [[usize; 2]],
    /// Whether the rows in memory are longer.
    is_cut: bool,
}

const WHOLE: Layout = Layout {
    swaps: &[],
    is_cut: false,
};

/// Parts of rows, with dimensions swapped.
const fn cut(swaps: &'static [[usize; 2]]) -> Layout {
    Layout {
        swaps,
        is_cut: true,
    }
}

/// Products as a linear op has them.
const MATRICES: Products<2> = Products {
    shapes: &[
        [64, 1024, 64],
        [33, 1001, 17],
        [19, 1023, 33],
        [1, 1024, 40],
        [1030, 1024, 1],
        [4096, 63, 5],
        [33, 16, 65],
        [64, 7, 64],
        [70, 8, 9],
    ],
    batches: &[],
    layouts: [
        [WHOLE, WHOLE],
        [cut(&[]), cut(&[[0, 1]])],
        [cut(&[[0, 1]]), cut(&[])],
    ],
};

/// Products as an attention has them: for every sample and head, queries with keys, or shares with values.
const BATCHES: Products<4> = Products {
    shapes: &[
        [64, 1024, 64],
        [17, 1023, 5],
        [33, 63, 33],
        [37, 37, 16],
        [16, 16, 16],
        [7, 7, 1],
        [8, 8, 65],
    ],
    batches: &[2, 3],
    layouts: [
        [WHOLE, WHOLE],
        [cut(&[[1, 2]]), cut(&[[1, 2], [2, 3]])],
        [cut(&[[1, 2]]), cut(&[[1, 2]])],
    ],
};

/// Products as the gradient of a linear op's weights has them: for every sample, adjoints by outputs with activations by inputs.
const GRADIENTS: Products<3> = Products {
    shapes: &[
        [64, 1024, 64],
        [33, 63, 17],
        [16, 16, 16],
        [70, 7, 9],
        [1, 37, 33],
    ],
    batches: &[5],
    layouts: [
        [WHOLE, WHOLE],
        [cut(&[[1, 2]]), WHOLE],
        [cut(&[[1, 2]]), cut(&[])],
    ],
};

/// Multiplies integers whose sums are all below 2^24, so that f32 holds them exactly: integers of 13 bits with integers of 2,
/// either way round; and integers of one sign, whose sums need all 24 bits. They lie in memory as the evaluator's do.
///
/// A gradient needs no wider sums. It multiplies halves of adjoints, which have 8 bits, with weights, activations and shares, as an
/// evaluation does: the sums are at most 2^24.
///
/// # Errors
/// [`Imprecise`] when a sum is not exact, or the device fails.
pub fn check_precision(device: &Device) -> Result<(), Imprecise> {
    check(device, &MATRICES, Tensor::matmul)?;
    // A backend may have other kernels for batches, which attention needs.
    check(device, &BATCHES, Tensor::matmul)?;
    check(device, &GRADIENTS, Tensor::matmul)
}

fn check<const D: usize>(
    device: &Device,
    products: &Products<D>,
    multiply: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
) -> Result<(), Imprecise> {
    let device = device.clone().without_autodiff();
    let mut random = StdRng::seed_from_u64(24);
    let batches: usize = products.batches.iter().product();
    for &shape in products.shapes {
        let [rows, inner, columns] = shape;
        for operands in Operands::of_sums(inner) {
            let left = operands.left(batches * rows, inner, &mut random);
            let right = operands.right(batches * inner * columns, &mut random);
            let sums = sums(&left, &right, shape);
            let left = products.tensor(&left, [rows, inner], &device);
            let right = products.tensor(&right, [inner, columns], &device);
            for [of_left, of_right] in products.layouts {
                let found = caught(
                    || {
                        let left = of_left.view(left.clone(), &device);
                        let product = multiply(left, of_right.view(right.clone(), &device));
                        let found = product.try_into_vec_as::<f32>();
                        found.map_err(|error| Imprecise::Device(error.to_string()))
                    },
                    Imprecise::Device,
                )?;
                let exact = sums.iter().zip(&found).filter(|(a, b)| a == b).count();
                let (wrong, words) = (sums.len().saturating_sub(exact), sums.len());
                if wrong > 0 {
                    return Err(Imprecise::Rounded { wrong, words });
                }
            }
        }
    }
    Ok(())
}

/// Which integers are multiplied.
#[derive(Clone, Copy)]
enum Operands {
    /// Random ones within these bounds, half of them at a bound, where rounding shows.
    Random(i32, i32),
    /// All the same on either side, except that every sum is odd.
    Same(i32, i32),
}

impl Operands {
    /// Operands whose sums of `inner` products are below 2^24. With [`Self::Same`] the sums are odd and not below 2^23: none can be
    /// rounded to fewer than 24 bits, at the end or on the way, without changing.
    fn of_sums(inner: usize) -> [Self; 4] {
        // The largest odd one.
        let most = ((1 << 24) / (127 * inner as i32) - 1) | 1;
        [
            Self::Random(4_097, 3),
            Self::Random(3, 4_097),
            Self::Same(most, 127),
            Self::Same(127, -most),
        ]
    }

    fn left(self, rows: usize, inner: usize, random: &mut StdRng) -> Vec<i32> {
        match self {
            Self::Random(bound, _) => integers(rows * inner, bound, random),
            Self::Same(value, _) => {
                let mut row = vec![value; inner];
                // An odd number of odd products.
                row[0] -= i32::from(inner.is_multiple_of(2));
                row.repeat(rows)
            }
        }
    }

    fn right(self, count: usize, random: &mut StdRng) -> Vec<i32> {
        match self {
            Self::Random(_, bound) => integers(count, bound, random),
            Self::Same(_, value) => vec![value; count],
        }
    }
}

/// Half of them at a bound, where rounding shows. A prime number of them is drawn, so that no rows are alike: drawing all would
/// take longer than multiplying them.
fn integers(count: usize, bound: i32, random: &mut StdRng) -> Vec<i32> {
    let one = |_| {
        let value: i32 = random.random_range(-2 * bound..=2 * bound);
        value.clamp(-bound, bound)
    };
    let drawn: Vec<i32> = (0..4_099).map(one).collect();
    drawn.into_iter().cycle().take(count).collect()
}

/// Products of one matrix after another.
fn sums(left: &[i32], right: &[i32], [rows, inner, columns]: [usize; 3]) -> Vec<f32> {
    let mut all = Vec::new();
    let batches = left.chunks_exact(rows * inner);
    for (left, right) in batches.zip(right.chunks_exact(inner * columns)) {
        for row in left.chunks_exact(inner) {
            let mut sums = vec![0; columns];
            for (a, right) in row.iter().zip(right.chunks_exact(columns)) {
                for (sum, b) in sums.iter_mut().zip(right) {
                    *sum += a * b;
                }
            }
            all.extend(sums.into_iter().map(|sum| sum as f32));
        }
    }
    all
}

impl<const D: usize> Products<D> {
    fn tensor(&self, values: &[i32], matrix: [usize; 2], device: &Device) -> Tensor<D> {
        let shape = [self.batches, &matrix].concat();
        let values = values.iter().map(|&value| value as f32).collect();
        Tensor::from_data(
            TensorData::new::<f32, _>(values, shape),
            (device, DType::F32),
        )
    }
}

impl Layout {
    /// The same values, laid out in memory as this says.
    fn view<const D: usize>(&self, values: Tensor<D>, device: &Device) -> Tensor<D> {
        let swap = |values: Tensor<D>, [a, b]: &[usize; 2]| values.swap_dims(*a, *b);
        let mut stored = values;
        if !self.swaps.is_empty() {
            let swapped = self.swaps.iter().rev().fold(stored, swap);
            stored = Tensor::from_data(swapped.into_data(), (device, DType::F32));
        }
        if self.is_cut {
            let length = stored.dims()[D - 1];
            let twice = Tensor::cat(vec![stored.zeros_like(), stored], D - 1);
            stored = twice.slice_dim(D - 1, length..2 * length);
        }
        self.swaps.iter().fold(stored, swap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change to the bits of every value.
    type Change = fn(u32) -> u32;

    /// Rounds to the 11 bits of TF32.
    const TF32: Change = |bits| (bits + 0x1000) & !0x1fff;
    const ROUNDED_TO_23: Change = |bits| (bits + 1) & !1;
    const CUT_TO_23: Change = |bits| bits & !1;

    fn changed<const D: usize>(values: Tensor<D>, change: Change) -> Tensor<D> {
        let (shape, device) = (values.dims(), values.device());
        let values = values.try_into_vec_as::<f32>().unwrap().into_iter();
        let changed = values.map(|value| f32::from_bits(change(value.to_bits())));
        let data = TensorData::new::<f32, _>(changed.collect(), shape);
        Tensor::from_data(data, (&device, DType::F32))
    }

    /// Whether a device that multiplies like this is refused.
    fn is_refused<const D: usize>(
        products: &Products<D>,
        multiply: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
    ) -> bool {
        let result = check(&Device::flex(), products, multiply);
        matches!(result, Err(Imprecise::Rounded { .. }))
    }

    fn are_rounded_operands_refused<const D: usize>(products: &Products<D>) {
        for longest in [1024, 63, 16] {
            let is_short = |a: &Tensor<D>| a.dims()[D - 1] <= longest;
            let round = |x, is_short| if is_short { changed(x, TF32) } else { x };
            assert!(is_refused(products, |a, b| {
                let is_short = is_short(&a);
                round(a, is_short).matmul(b)
            }));
            assert!(is_refused(products, |a, b| {
                let is_short = is_short(&a);
                a.matmul(round(b, is_short))
            }));
        }
    }

    #[test]
    fn the_processor_multiplies_in_whole_f32() {
        check_precision(&Device::flex()).unwrap();
    }

    #[test]
    fn operands_in_tf32_are_noticed() {
        are_rounded_operands_refused(&MATRICES);
        are_rounded_operands_refused(&BATCHES);
        are_rounded_operands_refused(&GRADIENTS);
    }

    #[test]
    fn rounded_sums_are_noticed() {
        for change in [TF32, ROUNDED_TO_23, CUT_TO_23] {
            assert!(is_refused(&MATRICES, |a, b| changed(a.matmul(b), change)));
            assert!(is_refused(&BATCHES, |a, b| changed(a.matmul(b), change)));
            assert!(is_refused(&GRADIENTS, |a, b| changed(a.matmul(b), change)));
        }
        let rounded = |a: Tensor<2>, b| changed(a.matmul(b), TF32);
        let failure = check(&Device::flex(), &MATRICES, rounded).unwrap_err();
        assert!(failure.to_string().contains("less than f32"));
    }

    /// With any shape: each one alone would be noticed.
    #[test]
    fn every_shape_has_sums_of_24_bits() {
        let shapes = [MATRICES.shapes, BATCHES.shapes, GRADIENTS.shapes].concat();
        for [_, inner, _] in &shapes {
            for operands in Operands::of_sums(*inner).into_iter().skip(2) {
                let mut random = StdRng::seed_from_u64(0);
                let left = operands.left(1, *inner, &mut random);
                let right = operands.right(*inner, &mut random);
                let sum = sums(&left, &right, [1, *inner, 1])[0].abs() as u32;
                assert!(sum % 2 == 1 && (1 << 23..1 << 24).contains(&sum), "{sum}");
            }
        }
    }

    #[test]
    fn a_device_that_fails_is_refused() {
        let multiply = |_, _| panic!("no such kernel");
        let failure = check(&Device::flex(), &MATRICES, multiply).unwrap_err();
        assert!(failure.to_string().contains("no such kernel; evaluate on"));
    }
}
