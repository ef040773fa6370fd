//! What passes the test, and mistakes that do not.

use super::*;
use crate::{BurnEvaluator, FastCpu};
use gotong_scoring::{
    arith::rs,
    gradient::{backwards, contribution, Sums, GRADIENT_BITS},
    lut::RSQRT,
    machine::{apply, run, Tensor},
    weights::view,
    Evaluator, Graph, Op, Samples,
};
use std::ops::Range;

/// What [`Differentiator::gradients`] calls.
type See<'a> = dyn FnMut(usize, &[i64]) + 'a;

#[test]
fn both_evaluators_pass() {
    let fast = self_test(&mut FastCpu).unwrap();
    let device = burn::tensor::Device::flex();
    let burn = self_test(&mut BurnEvaluator::new(&device)).unwrap();
    println!("fast CPU: {fast:?}\nflex: {burn:?}");
    assert_eq!(fast.models, 109);
    assert_eq!((burn.models, burn.words), (fast.models, fast.words));
    assert_eq!(burn.gradient_values, fast.gradient_values);
    assert!(fast.gradient_values > 1 << 20);
}

/// What an op gives on a broken device, instead of what it should give: `None` if it is right.
type Skew = fn(&Op, &[i16], before: &[Tensor], given: &Tensor) -> Option<Tensor>;

/// What one sum of a sample adds to a gradient on a broken device.
type Contribution = fn(i32, i32) -> i64;

/// The reference, except for one mistake.
enum Mistaken {
    /// The mistake is in what an op gives.
    Op(Skew),
    /// The mistake is in one bit of a loss: it is right whenever it shows what every op gives.
    Loss,
    /// The mistake is in what a sample adds to a gradient.
    Gradient(Contribution),
}

impl Traced for Mistaken {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError> {
        let Self::Op(skew) = *self else {
            return Reference.tensors(graph, weights, samples);
        };
        let of_sample = |(pixels, label): (&[u8], u8)| {
            let record = [pixels, &[label]].concat();
            let mut before = Vec::new();
            for (op, read) in graph.ops.iter().zip(graph.parameters_read()) {
                let params = &weights[read];
                let given = apply(op, params, &record, &before)?;
                before.push(skew(op, params, &before, &given).unwrap_or(given));
            }
            Ok(before)
        };
        samples.iter().map(of_sample).collect()
    }
}

impl Evaluator for Mistaken {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        let mut losses = Reference.losses(graph, weights, samples)?;
        if matches!(self, Self::Loss) {
            losses[7] ^= 1;
        }
        Ok(losses)
    }
}

impl Differentiator for Mistaken {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut See,
    ) -> Result<(), EvalError> {
        let Self::Gradient(adds) = *self else {
            return Reference.gradients(graph, weights, samples, groups, see);
        };
        let views: Vec<i8> = weights.iter().copied().map(view).collect();
        for (number, group) in groups.iter().enumerate() {
            let mut gradient = vec![0; weights.len()];
            let all = samples.iter().skip(group.start).take(group.len());
            for (pixels, label) in all {
                let record = [pixels, &[label]].concat();
                let given = run(graph, weights, &record)?;
                let mut add = |first: usize, sums: &Sums| {
                    let own = gradient[first..].iter_mut().zip(&sums.values);
                    own.for_each(|(own, sum)| *own += adds(*sum, sums.exponent));
                };
                backwards(graph, &views, &record, &given, &mut add)?;
            }
            see(number, &gradient);
        }
        Ok(())
    }
}

/// Rounds to 23 bits.
fn rounded(sum: i32) -> i32 {
    match sum.unsigned_abs().leading_zeros() {
        ..9 => (sum + 1) & !1,
        _ => sum,
    }
}

fn rounded_linear(op: &Op, params: &[i16], _: &[Tensor], given: &Tensor) -> Option<Tensor> {
    let (
        Op::Linear {
            inputs: ..1025,
            outputs,
            bias_shift,
            ..
        },
        Tensor::Acc(sums),
    ) = (op, given)
    else {
        return None;
    };
    let biases = &params[params.len() - *outputs as usize..];
    let biases = biases.iter().map(|bias| i32::from(*bias) << bias_shift);
    let sums = sums.iter().zip(biases.cycle());
    Some(Tensor::Acc(
        sums.map(|(sum, bias)| rounded(sum - bias) + bias).collect(),
    ))
}

fn rounded_scores(op: &Op, _: &[i16], _: &[Tensor], given: &Tensor) -> Option<Tensor> {
    match (op, given) {
        (Op::Scores { .. }, Tensor::Acc(sums)) => {
            Some(Tensor::Acc(sums.iter().copied().map(rounded).collect()))
        }
        _ => None,
    }
}

fn max_without_padding(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
    let (Op::MaxPool { image, window }, Some(Tensor::Narrow(x))) = (op, before.last()) else {
        return None;
    };
    let (down, across) = window.places(image)?;
    let channels = image.channels as usize;
    let largest = |(place, channel)| {
        let inside = window.inside(image, place);
        let values = inside.map(|at| x[at as usize * channels + channel]);
        values.max().unwrap_or(0)
    };
    let all = (0..down * across).flat_map(|place| (0..channels).map(move |c| (place, c)));
    Some(Tensor::Narrow(all.map(largest).collect()))
}

fn residual_to_the_last(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
    let Op::Residual { from } = op else {
        return None;
    };
    match (before.last(), &before[*from as usize]) {
        (Some(Tensor::Wide(h)), Tensor::Wide(other)) => {
            let pairs = h.iter().zip(other);
            Some(Tensor::Wide(
                pairs.map(|(a, b)| a.saturating_add(*b)).collect(),
            ))
        }
        _ => None,
    }
}

/// Rounds down, where the shift is large.
fn floored_requant(op: &Op, _: &[i16], before: &[Tensor], given: &Tensor) -> Option<Tensor> {
    match (op, before.last(), given) {
        (
            Op::Requant {
                shift_in: shift @ 16..,
                ..
            },
            Some(Tensor::Acc(sums)),
            Tensor::Narrow(_),
        ) => {
            let floor = sums.iter().map(|sum| (sum >> shift) * 255);
            Some(Tensor::Narrow(
                floor.map(|y| y.clamp(-127, 127) as i8).collect(),
            ))
        }
        _ => None,
    }
}

/// A norm whose squares are rounded down before they are added up.
fn floored_norm(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
    let (Op::RmsNorm { width, unit_bits }, Some(Tensor::Wide(h))) = (op, before.last()) else {
        return None;
    };
    let normed = |row: &[i16]| -> Vec<i8> {
        let most = row.iter().map(|h| h.unsigned_abs()).max().unwrap_or(0);
        let up = u32::from(most).leading_zeros().saturating_sub(17);
        let g = row
            .iter()
            .map(|h| if most == 0 { 0 } else { i32::from(*h) << up });
        let log_width = width.next_power_of_two().ilog2();
        let s = log_width + log_width % 2;
        let sum = g.clone().map(|g| (g * g) >> s).sum::<i32>().max(1);
        let e = sum.ilog2() / 2;
        let at = (sum >> (2 * e).saturating_sub(6)).clamp(64, 255) as usize - 64;
        let t = g.map(|g| rs(g * i32::from(RSQRT[at]), 15));
        let root = (u64::from(*width) << 16).isqrt() as i32;
        let y = t.map(|t| rs(t * root, 8 + e + s / 2 - u32::from(*unit_bits)));
        y.map(|y| y.clamp(-127, 127) as i8).collect()
    };
    Some(Tensor::Narrow(
        h.chunks(*width as usize).flat_map(normed).collect(),
    ))
}

#[test]
fn a_device_with_one_mistake_is_refused() {
    let skews: [(&str, Skew); 6] = [
        ("Linear", rounded_linear),
        ("Scores", rounded_scores),
        ("MaxPool", max_without_padding),
        ("Residual", residual_to_the_last),
        ("Requant", floored_requant),
        ("RmsNorm", floored_norm),
    ];
    for (op, skew) in skews {
        let failure = self_test(&mut Mistaken::Op(skew))
            .expect_err(op)
            .to_string();
        let place = format!("the first in {op} ");
        assert!(failure.contains(&place), "{failure}");
    }
}

#[test]
fn a_device_that_is_one_bit_off_is_refused() {
    let failure = self_test(&mut Mistaken::Loss).unwrap_err();
    assert!(failure.to_string().contains("the loss of sample 7"));
    assert!(matches!(
        failure,
        SelfTestFailure::Mismatch { wrong: 1, .. }
    ));
}

/// Computes the sum in f32.
fn in_f32(sum: i32, exponent: i32) -> i64 {
    contribution(sum as f32 as i32, exponent)
}

/// Shifts to the gradient's units without rounding.
fn floored(sum: i32, exponent: i32) -> i64 {
    match exponent + i32::from(GRADIENT_BITS) {
        up @ ..0 => (sum >> up.unsigned_abs().min(31)).into(),
        _ => contribution(sum, exponent),
    }
}

/// Without the limit on what a sample may add.
fn unlimited(sum: i32, exponent: i32) -> i64 {
    match exponent + i32::from(GRADIENT_BITS) {
        up @ 0..63 => i64::from(sum).wrapping_shl(up as u32),
        _ => contribution(sum, exponent),
    }
}

#[test]
fn a_device_with_wrong_gradients_is_refused() {
    self_test(&mut Mistaken::Gradient(contribution)).unwrap();
    for (name, mistake) in [
        ("f32", in_f32 as Contribution),
        ("floored", floored),
        ("unlimited", unlimited),
        ("one off", |sum, exponent| {
            contribution(sum, exponent) ^ i64::from(sum == 77)
        }),
    ] {
        let failure = self_test(&mut Mistaken::Gradient(mistake)).expect_err(name);
        let is_of_gradient = matches!(failure, SelfTestFailure::Gradient { wrong: 1.., .. });
        assert!(is_of_gradient, "{name}: {failure}");
    }
}
