//! Adjoints on a device: `gotong_scoring::gradient::{Sums, Adjoint}` for all samples of a batch, and their exact
//! products.

use burn::tensor::{Bool, Device, Int, IntDType, Tensor};
use gotong_scoring::gradient::bound;

use super::{
    arith::{count, full, rs_by, Tables},
    batch::Context,
    CHUNK,
};

/// What an op gives backwards for a tensor: sums that are not shifted yet, within 31 bits.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// `[samples, values of a sample]`.
    pub values: Tensor<2, Int>,
    /// `[samples, 1]`.
    pub exponents: Tensor<2, Int>,
}

/// The adjoint of a tensor. Each sample has one exponent.
#[derive(Clone, Debug)]
pub(super) struct Adjoint {
    /// `[samples, values of a sample]`.
    pub values: Tensor<2, Int>,
    /// `[samples, 1]`.
    pub exponents: Tensor<2, Int>,
    /// Bits of the largest value, at most 15.
    pub bits: u8,
}

/// What an op gives backwards.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    /// For what it took from the op before it.
    pub previous: Option<Sums>,
    /// For what it took from an earlier op, and that op.
    pub earlier: Option<(usize, Sums)>,
    /// For its parameters: which of the parameters it reads the sums begin at, and the sums.
    pub parameters: Vec<(usize, Sums)>,
}

/// What an op works with in the backward pass.
pub(super) struct Backwards<'a> {
    /// The context of the forward pass: the batch, and what earlier ops gave.
    pub context: Context<'a>,
    /// What the op took from the one before it, and what it gave, as rows.
    pub before: &'a Tensor<2, Int>,
    pub own: &'a Tensor<2, Int>,
    /// The adjoint of what it gave.
    pub adjoint: &'a Adjoint,
    /// Whether what it took has an adjoint. Nothing before the first parameter has one.
    pub is_wanted: bool,
}

impl Sums {
    /// The largest magnitude of every sample, `[samples, 1]`.
    fn peaks(&self) -> Tensor<2, Int> {
        self.values.clone().abs().max_dim(1)
    }
}

/// Below every exponent.
const NO_EXPONENT: i32 = -(1 << 30);

impl Adjoint {
    /// The adjoint of the loss itself: 1 for each sample.
    pub fn of_loss(samples: usize, device: &Device) -> Self {
        Self {
            values: full([samples, 1], 1 << 14, device),
            exponents: full([samples, 1], -14, device),
            bits: 15,
        }
    }

    /// Shifts each sample's sums right until they have at most `bits` bits.
    pub fn of(sums: Sums, bits: u8, tables: &Tables) -> Self {
        let (down, most) = (tables.bits_beyond(bits, sums.peaks()), bound(bits));
        Self {
            values: rs_by(sums.values, down.clone()).clamp(-most, most),
            exponents: sums.exponents + down,
            bits,
        }
    }

    /// The sum of what several ops gave for a tensor: each shifted to 15 bits and then, sample by sample,
    /// to the largest exponent of those that are not zero. None if there are none.
    pub fn of_all(mut all: Vec<Sums>, bits: u8, tables: &Tables) -> Option<Self> {
        if all.len() < 2 {
            return Some(Self::of(all.pop()?, bits, tables));
        }
        let (mut parts, mut largest) = (Vec::new(), None);
        for sums in all {
            let is_zero = sums.peaks().equal_elem(0);
            let part = Self::of(sums, 15, tables);
            let own = part.exponents.clone().mask_fill(is_zero, NO_EXPONENT);
            largest = Some(match largest {
                None => own,
                Some(largest) => own.max_pair(largest),
            });
            parts.push(part);
        }
        let largest = largest?;
        let is_zero = largest.clone().equal_elem(NO_EXPONENT);
        let exponents = largest.mask_fill(is_zero, 0);
        let aligned = parts.into_iter().map(|part| {
            // A shift by 31 leaves nothing of 15 bits. A part that is zero may have any exponent.
            let down = (exponents.clone() - part.exponents).clamp(0, 31);
            rs_by(part.values, down)
        });
        let values = aligned.reduce(|sum, part| sum + part)?;
        Some(Self::of(Sums { values, exponents }, bits, tables))
    }
}

impl Backwards<'_> {
    /// The adjoint in rows, as the op gave its values.
    pub fn rows(&self) -> Tensor<2, Int> {
        self.adjoint.values.clone().reshape(self.own.dims())
    }

    /// The adjoint in rows, and 0 where the op gave a value of at least this magnitude: there it was
    /// clamped.
    pub fn rows_inside(&self, bound: i32) -> Tensor<2, Int> {
        let is_clamped = self.own.clone().abs().greater_equal_elem(bound);
        self.rows().mask_fill(is_clamped, 0)
    }

    /// Only the adjoint of what the op before gave, with `more` added to the exponents.
    pub fn pull<const D: usize>(&self, values: Tensor<D, Int>, more: i32) -> Pulled {
        Pulled {
            previous: Some(self.sums(values, more)),
            ..Pulled::default()
        }
    }

    /// Passes the adjoint, except that it is 0 where the mask holds.
    pub fn pass_unless(&self, mask: Tensor<2, Bool>) -> Pulled {
        self.pull(self.rows().mask_fill(mask, 0), 0)
    }

    /// Sums with the exponents of the adjoint plus `more`.
    pub fn sums<const D: usize>(&self, values: Tensor<D, Int>, more: i32) -> Sums {
        Sums {
            values: by_sample(values, self.context.samples()),
            exponents: self.adjoint.exponents.clone().add_scalar(more),
        }
    }
}

/// All values of a sample in a row.
pub(super) fn by_sample<const D: usize>(values: Tensor<D, Int>, samples: usize) -> Tensor<2, Int> {
    let of_sample = values.dims().iter().product::<usize>() / samples;
    values.reshape([samples, of_sample])
}

/// The matrix product of adjoints with at most `bits` bits and values within +-127.
///
/// A device has only f32 and i32. An adjoint is 256 times its high half plus its low half, both within +-128: so [`CHUNK`] products
/// of a half and a value add up to less than 2^24, which f32 holds exactly. Larger values are exact too, if 128 times the sum of
/// their magnitudes is at most 2^24. The sums of halves are joined in i32. The caller has to know that no whole sum passes 31 bits;
/// then no intermediate value does.
pub(super) fn product<const D: usize>(
    adjoints: Tensor<D, Int>,
    bits: u8,
    values: Tensor<D>,
) -> Tensor<D, Int> {
    let of_half = |half: Tensor<D, Int>| {
        let chunks = half.float().split(CHUNK, D - 1).into_iter();
        let chunks = chunks.zip(values.clone().split(CHUNK, D - 2));
        let products = chunks.map(|(half, values)| half.matmul(values).cast(IntDType::I32));
        products.reduce(|sums, more| sums + more)
    };
    let zeros = || {
        let mut dims = adjoints.dims();
        dims[D - 1] = values.dims()[D - 1];
        full(dims, 0, &adjoints.device())
    };
    if bits <= 7 {
        return of_half(adjoints.clone()).unwrap_or_else(zeros);
    }
    let above = adjoints.clone().add_scalar(128);
    let high = above.bitwise_right_shift_scalar(8);
    let low = adjoints.clone() - high.clone().mul_scalar(256);
    let Some((high, low)) = of_half(high).zip(of_half(low)) else {
        return zeros();
    };
    // 256 times the high half can be 2^31 where the whole is a little less.
    high.clone().mul_scalar(255) + (high + low)
}

/// `n / d` rounded to nearest, halves away from zero, like `gotong_scoring::arith::round_div`; `d` is above 0, and no `|n| + d / 2`
/// passes 31 bits.
pub(super) fn round_div<const D: usize>(n: Tensor<D, Int>, d: Tensor<D, Int>) -> Tensor<D, Int> {
    let d = d.expand(n.dims());
    let half = d.clone().bitwise_right_shift_scalar(1);
    let magnitude = (n.clone().abs() + half).div(d);
    let sign = count(n.lower_elem(0)).mul_scalar(-2).add_scalar(1);
    magnitude * sign
}

#[cfg(test)]
mod tests {
    use super::super::arith::{int, read};
    use super::*;
    use gotong_scoring::{arith, gradient};

    /// Whatever their peak, and next to others.
    #[test]
    fn shifts_equal_the_reference() {
        let device = Device::flex();
        let tables = Tables::new(&device);
        let rows = [
            [0, 0, 0, 0],
            [1, -1, 0, 0],
            [32_767, -32_767, 16_384, -1],
            [32_768, -32_768, 3, -3],
            [i32::MAX, -i32::MAX, 1 << 30, -(1 << 15)],
            [65_535, -65_535, 65_534, 1],
            [-127, 128, 129, -128],
        ];
        let exponents: Vec<i32> = (0..rows.len() as i32).map(|row| 3 * row - 9).collect();
        let sums = |rows: &[[i32; 4]]| Sums {
            values: int(rows.concat(), &device).reshape([rows.len(), 4]),
            exponents: int(exponents.clone(), &device).unsqueeze_dim(1),
        };
        let reference = |row: &[i32; 4], exponent: &i32| gradient::Sums {
            values: row.to_vec(),
            exponent: *exponent,
        };
        let check = |found: Adjoint, expected: Vec<gradient::Adjoint>| {
            let values = expected.iter().flat_map(|adjoint| &adjoint.values);
            let values: Vec<i32> = values.map(|value| (*value).into()).collect();
            assert_eq!(read(found.values).unwrap(), values);
            let exponents: Vec<i32> = expected.iter().map(|adjoint| adjoint.exponent).collect();
            assert_eq!(read(found.exponents).unwrap(), exponents);
        };
        let mut reversed = rows;
        reversed.reverse();
        for bits in 4..=15 {
            let one = rows
                .iter()
                .zip(&exponents)
                .map(|(row, exponent)| gradient::Adjoint::of(&reference(row, exponent), bits));
            check(Adjoint::of(sums(&rows), bits, &tables), one.collect());
            let two = rows.iter().zip(&reversed).zip(&exponents);
            let two = two.map(|((row, other), exponent)| {
                let all = [reference(row, exponent), reference(other, exponent)];
                gradient::Adjoint::of_all(&all, bits).unwrap()
            });
            let all = vec![sums(&rows), sums(&reversed)];
            check(Adjoint::of_all(all, bits, &tables).unwrap(), two.collect());
        }
    }

    #[test]
    fn products_are_exact() {
        let device = Device::flex();
        for bits in 4..=15u8 {
            let (most, length) = (bound(bits), 1 << (31 - 7 - bits).min(12));
            let all: [fn(i32, i32) -> i32; 4] = [
                |_, most| most,
                |_, most| -most,
                |at, most| at * 7_919 % (2 * most + 1) - most,
                |at, most| [128, -128, 127, 255, -129][at as usize % 5].clamp(-most, most),
            ];
            for adjoint in all {
                let adjoints: Vec<i32> = (0..length).map(|at| adjoint(at, most)).collect();
                let values: Vec<i32> = (0..length).map(|at| 127 - at % 3).collect();
                let sum = adjoints.iter().zip(&values).map(|(a, b)| a * b);
                let expected: i32 = sum.sum();
                let left = int(adjoints, &device).unsqueeze_dim::<2>(0);
                let right = int(values, &device).unsqueeze_dim::<2>(1).float();
                assert_eq!(read(product(left, bits, right)).unwrap(), [expected]);
            }
        }
    }

    /// Half of an adjoint times the shares of as many tokens as there can be.
    #[test]
    fn the_largest_sum_of_shares_is_exact() {
        let device = Device::flex();
        for adjoint in [16_383, -16_383, 16_256, -16_257, 8_191] {
            let left = full([1, 1024], adjoint, &device);
            let right = full([1024, 1], 128, &device).float();
            let sums = read(product(left, 14, right)).unwrap();
            assert_eq!(sums, [adjoint << 17]);
        }
    }

    #[test]
    fn divisions_equal_the_reference() {
        let device = Device::flex();
        let largest = i32::MAX - (1 << 25);
        let all = (0..9).chain([100, 32_767 << 14, largest]);
        let n: Vec<i32> = all.flat_map(|n| [n, -n]).collect();
        for d in [1, 2, 3, 4, 7, 2_048, (1 << 17) - 1, 1 << 17] {
            let found = round_div(int(n.clone(), &device), int(vec![d], &device));
            let expected: Vec<i32> = n
                .iter()
                .map(|n| arith::round_div((*n).into(), d.into()) as i32)
                .collect();
            assert_eq!(found.try_into_vec_as::<i32>().unwrap(), expected, "by {d}");
        }
    }
}
