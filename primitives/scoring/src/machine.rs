//! The ops of the machine on one sample: the definition that every implementation must equal.
//!
//! Source: integer-only inference after Jacob et al. (2018), with powers of two for scales; the
//! softmax sum and its logarithm by tables in base 2.

use crate::arith::{clamp_i16, clamp_i8, rs};
use crate::evaluator::EvalError;
use crate::graph::{Op, Width};
use crate::lut::{EXP2, LOG2};
use crate::weights::view;
use alloc::vec::Vec;

/// What an op takes or gives, for one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tensor {
    /// Activations, each in +-127.
    Narrow(Vec<i8>),
    /// Accumulators.
    Acc(Vec<i32>),
    /// Logits, each in +-32767.
    Wide(Vec<i16>),
    /// A loss in Q16 bits.
    Loss(u32),
}

/// First activations of a sample: each `byte >> 1`.
pub fn activations(pixels: &[u8]) -> Vec<i8> {
    pixels.iter().map(|byte| (byte >> 1) as i8).collect()
}

/// Executes one op. `params` are exactly the op's master weights; `label` is read by the
/// cross-entropy only.
pub fn apply(op: &Op, params: &[i16], input: &Tensor, label: u8) -> Result<Tensor, EvalError> {
    let views: Vec<i8> = params.iter().copied().map(view).collect();
    step(op, params, &views, input, label)
}

/// [`apply`] with the int8 view of all of `params` beside them.
pub(crate) fn step(
    op: &Op,
    params: &[i16],
    views: &[i8],
    input: &Tensor,
    label: u8,
) -> Result<Tensor, EvalError> {
    if op.parameters() != params.len() as u64 {
        return Err(EvalError::WrongOperand);
    }
    match (*op, input) {
        (
            Op::Linear {
                inputs, bias_shift, ..
            },
            Tensor::Narrow(x),
        ) if x.len() == inputs as usize => {
            // Outputs times inputs are weights, the other `outputs` are biases.
            let weights = params.len() - params.len() / (x.len() + 1);
            let acc = linear(&views[..weights], &params[weights..], bias_shift, x);
            Ok(Tensor::Acc(acc))
        }
        (
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            },
            Tensor::Acc(acc),
        ) => {
            let scaled = acc
                .iter()
                .map(|acc| requant(*acc, shift_in, multiplier, shift_out));
            Ok(match width {
                Width::Wide => Tensor::Wide(scaled.collect()),
                Width::Narrow => Tensor::Narrow(scaled.map(|y| clamp_i8(y.into())).collect()),
            })
        }
        (Op::Relu, Tensor::Narrow(x)) => Ok(Tensor::Narrow(x.iter().map(|x| *x.max(&0)).collect())),
        (Op::CrossEntropy { classes }, Tensor::Wide(z)) if z.len() == classes as usize => {
            let loss = cross_entropy(z, label);
            loss.map(Tensor::Loss).ok_or(EvalError::WrongOperand)
        }
        _ => Err(EvalError::WrongOperand),
    }
}

/// `acc[o] = sum_i weights[o][i] * x[i] + (biases[o] << bias_shift)`; `weights` is `[out][in]`,
/// already in the int8 view, and has `biases.len() * x.len()` values.
///
/// In a valid graph no sum passes 32 bits, in whatever order it is made; elsewhere it wraps.
pub fn linear(weights: &[i8], biases: &[i16], bias_shift: u8, x: &[i8]) -> Vec<i32> {
    let dot = |row: &[i8]| {
        let products = row
            .iter()
            .zip(x)
            .map(|(w, x)| i32::from(*w) * i32::from(*x));
        products.fold(0, i32::wrapping_add)
    };
    let rows = weights.chunks_exact(x.len().max(1));
    rows.zip(biases)
        .map(|(row, bias)| {
            let bias = i32::from(*bias).wrapping_shl(bias_shift.into());
            dot(row).wrapping_add(bias)
        })
        .collect()
}

/// `clamp(rs(clamp(rs(acc, shift_in), +-32767) * multiplier, shift_out), +-32767)`; a narrow
/// requant clamps the result on to +-127.
pub fn requant(acc: i32, shift_in: u8, multiplier: u8, shift_out: u8) -> i16 {
    let t = clamp_i16(rs(acc, shift_in.into()));
    // Below 2^23.
    let product = i32::from(t) * i32::from(multiplier);
    clamp_i16(rs(product, shift_out.into()))
}

/// Loss of `label` in Q16 bits, of logits in 1/64 log2 units; none if there is no such logit, or
/// if there are more than 256.
///
/// `log2(sum_j 2^(z_j/64)) - z_label/64`. Terms are Q14 and cut off, and the logarithm reads 10
/// bits after the leading one, so it lies below the true value by less than
/// `1.45 * (1/1024 + classes/16384)` bits.
pub fn cross_entropy(logits: &[i16], label: u8) -> Option<u32> {
    let own = i32::from(*logits.get(usize::from(label))?);
    let most = i32::from(*logits.iter().max()?);
    if logits.len() > 256 {
        return None;
    }
    // The largest term is 2^14 and there are at most 2^8: 2^14 <= sum <= 2^22.
    let sum: u32 = logits.iter().map(|z| exp2_q14(most - i32::from(*z))).sum();
    // At most 2^16 * 2^10.
    let down = (most - own) as u32 * 1024;
    Some(log2_q16(sum) - (14 << 16) + down)
}

/// `2^(-d/64)` in Q14, cut off; `d >= 0`.
fn exp2_q14(d: i32) -> u32 {
    let mantissa = u32::from(EXP2[(d & 63) as usize]);
    mantissa.checked_shr((d >> 6) as u32).unwrap_or(0)
}

/// `log2(s)` in Q16 from 10 bits after the leading one; `2^10 <= s`.
fn log2_q16(s: u32) -> u32 {
    let whole = s.ilog2();
    (whole << 16) + u32::from(LOG2[((s >> (whole - 10)) & 1023) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::{Evaluator, Reference, Samples};
    use alloc::vec;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;

    fn naive_rs(a: i64, s: u32) -> i64 {
        (a + ((1 << s) >> 1)).div_euclid(1 << s)
    }

    #[test]
    fn linear_is_exact_at_the_extremes() {
        for k in [1usize, 1023, 1024, 1025, 4097] {
            for (w, x) in [(127, 127), (-127, 127), (127, -127), (-127, -127)] {
                for bias in [-32_512, 32_512] {
                    let acc = linear(&vec![w; 2 * k], &[bias, 0], 8, &vec![x; k]);
                    let product = i64::from(w) * i64::from(x) * k as i64;
                    let expected = [product + i64::from(bias) * 256, product];
                    assert_eq!(acc.map_i64(), expected, "k {k} w {w} x {x} bias {bias}");
                }
            }
        }
    }

    trait MapI64 {
        fn map_i64(&self) -> Vec<i64>;
    }

    impl MapI64 for Vec<i32> {
        fn map_i64(&self) -> Vec<i64> {
            self.iter().map(|v| i64::from(*v)).collect()
        }
    }

    #[test]
    fn an_op_takes_only_its_own() {
        let op = Op::Linear {
            inputs: 2,
            outputs: 1,
            bias_shift: 0,
        };
        let x = Tensor::Narrow(vec![1, 2]);
        assert_eq!(
            apply(&op, &[256, 512, 7], &x, 0),
            Ok(Tensor::Acc(vec![1 + 4 + 7]))
        );
        let loss = Op::CrossEntropy { classes: 2 };
        let wrong = [
            (op, &[256, 512][..], x.clone()),
            (op, &[256, 512, 7, 7], x.clone()),
            (op, &[256, 512, 7], Tensor::Narrow(vec![1])),
            (op, &[256, 512, 7], Tensor::Narrow(vec![])),
            (op, &[256, 512, 7], Tensor::Wide(vec![1, 2])),
            (Op::Relu, &[], Tensor::Loss(0)),
            (Op::Relu, &[1], x),
            (loss, &[], Tensor::Wide(vec![0; 3])),
            (loss, &[], Tensor::Acc(vec![0; 2])),
        ];
        for (op, params, input) in wrong {
            assert_eq!(apply(&op, params, &input, 0), Err(EvalError::WrongOperand));
        }
        let two = Tensor::Wide(vec![0; 2]);
        assert_eq!(apply(&loss, &[], &two, 2), Err(EvalError::WrongOperand));
        assert_eq!(apply(&loss, &[], &two, 1), Ok(Tensor::Loss(1 << 16)));
    }

    #[test]
    fn cross_entropy_at_the_extremes() {
        assert_eq!(cross_entropy(&[], 0), None);
        assert_eq!(cross_entropy(&[0; 257], 0), None);
        assert_eq!(cross_entropy(&[0; 256], 255), Some(8 << 16));
        assert_eq!(cross_entropy(&[32_767, -32_767], 0), Some(0));
        assert_eq!(cross_entropy(&[32_767, -32_767], 1), Some(65_534 * 1024));
        assert_eq!(cross_entropy(&[i16::MIN, i16::MAX], 0), Some(65_535 * 1024));
        // 15 whole bits down, a term is cut off to nothing.
        assert_eq!(cross_entropy(&[15 * 64, 0], 0), Some(0));
        assert_eq!(cross_entropy(&[14 * 64, 0], 1), Some(14 << 16));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn linear_equals_naive(
            k in prop_oneof![1usize..40, Just(1023), Just(1024), Just(1025)],
            outputs in 1usize..4,
            bias_shift in 0u8..=8,
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = |bound: i64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                i64::try_from(state >> 40).unwrap() % (2 * bound + 1) - bound
            };
            let weights: Vec<i8> = (0..k * outputs).map(|_| next(127) as i8).collect();
            let x: Vec<i8> = (0..k).map(|_| next(127) as i8).collect();
            let biases: Vec<i16> = (0..outputs).map(|_| next(32_512) as i16).collect();
            let naive: Vec<i64> = (0..outputs)
                .map(|o| {
                    let dot: i64 = (0..k).map(|i| i64::from(weights[o * k + i]) * i64::from(x[i])).sum();
                    dot + i64::from(biases[o]) * (1 << bias_shift)
                })
                .collect();
            prop_assert_eq!(linear(&weights, &biases, bias_shift, &x).map_i64(), naive);
        }

        #[test]
        fn requant_equals_naive(acc in any::<i32>(), s1 in 0u8..=31, m in 1u8.., s2 in 0u8..=31) {
            let t = naive_rs(acc.into(), s1.into()).clamp(-32_767, 32_767);
            let y = naive_rs(t * i64::from(m), s2.into()).clamp(-32_767, 32_767);
            prop_assert_eq!(i64::from(requant(acc, s1, m, s2)), y);
        }

        #[test]
        fn cross_entropy_is_shift_invariant_and_falls_with_the_own_logit(
            z in any_vec(-9000i16..9000, 2..20), shift in -9000i16..9000
        ) {
            let loss = cross_entropy(&z, 1).unwrap();
            let shifted: Vec<i16> = z.iter().map(|z| z + shift).collect();
            prop_assert_eq!(cross_entropy(&shifted, 1), Some(loss));
            let mut better = z.clone();
            better[1] += 64;
            prop_assert!(cross_entropy(&better, 1).unwrap() <= loss);
        }

        #[test]
        fn the_reference_is_its_ops(
            weights in any_vec(-32_512i16..=32_512, 6 * 5 + 5 + 5 * 3 + 3),
            bytes in any_vec(any::<u8>(), 4 * 6),
            label in 0u8..3,
        ) {
            let graph = Graph::mlp(&[6, 5, 3]);
            let records: Vec<u8> = bytes.chunks(6).flat_map(|x| [x, &[label]].concat()).collect();
            let samples = Samples::new(6, 3, &records).unwrap();
            let losses = Reference.losses(&graph, &weights, &samples).unwrap();
            for ((pixels, label), loss) in samples.iter().zip(losses) {
                let (mut tensor, mut rest) = (Tensor::Narrow(activations(pixels)), &weights[..]);
                for op in &graph.ops {
                    let (own, others) = rest.split_at(op.parameters() as usize);
                    tensor = apply(op, own, &tensor, label).unwrap();
                    rest = others;
                }
                prop_assert_eq!(tensor, Tensor::Loss(loss));
            }
        }
    }
}
