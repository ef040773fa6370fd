//! The exact gradient of a round's loss: one backward pass of the same graph, in integers.
//!
//! A score says how good a model is; the gradient says which way each weight would have to move, and so
//! how much of a merge each delta is worth ([`crate::share`]). It is a definition like the score's:
//! every implementation has to get the same bits.
//!
//! **Adjoints.** Going backwards, every op's output `v` has an *adjoint* `dL/dv` for each sample: one `i16` for each value and one
//! exponent for all of them, so that `dL/dv = values * 2^exponent`, in bits of loss for one unit of `v`. An op takes the adjoint of
//! its output and gives [`Sums`]: `i32` for each value of its input, with an exponent. [`Adjoint::of`] shifts these right, all of a
//! sample's by the same amount, until they fit the bits that the op before can take without overflow. Where several ops take the
//! same value, their adjoints are aligned to the largest exponent and added.
//!
//! **Straight through.** A rounding passes the gradient as if it were not there, and so does the int8 view of a weight. A clamp
//! passes what is inside its bounds and stops what is on them. Two things pass everything: the limit of a token's loss, and the
//! inner clamp of a requant.
//!
//! **Gradient.** A sample's gradient is shifted to units of `2^-40` bits of loss for a unit of a master weight, limited to
//! [`MOST_OF_A_SAMPLE`], and added up in `i64`. Over at most [`MAX_GROUP`] samples no sum overflows, whatever the weights.
//!
//! Sources: NITI (Wang et al., arXiv:2009.13108) for integer adjoints with a shared exponent; Bengio et
//! al. (arXiv:1308.3432) for the straight-through estimator.

use crate::arith::rs;
use crate::evaluator::{check, EvalError, Samples};
use crate::graph::Graph;
use crate::machine::{run_views, Tensor};
use crate::weights::view;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

#[cfg(test)]
mod tests;

/// A gradient is in units of `2^-40` bits of loss for one unit of a master weight.
pub const GRADIENT_BITS: u8 = 40;
/// Most that one op adds to one parameter of one sample's gradient, in magnitude.
pub const MOST_OF_A_SAMPLE: i64 = 1 << 46;
/// Most samples that a gradient is summed over: with 2^8 ops that read the same parameter, 2^62.
pub const MAX_GROUP: usize = 256;

/// What an op gives backwards, for one sample: the sums of a tensor's adjoint before they are shifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// For every value of the tensor, row after row.
    pub values: Vec<i32>,
    /// `dL/dv` is `values * 2^exponent`.
    pub exponent: i32,
}

/// `dL/dv` of what an op gives, for one sample: `values * 2^exponent`, in bits of loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjoint {
    /// For every value of the tensor, row after row.
    pub values: Vec<i16>,
    /// The exponent of all of them.
    pub exponent: i32,
}

impl Adjoint {
    /// Shifts sums right, all by the same amount, until every magnitude has at most `bits` bits; then rounds, halves up, and clamps
    /// to `+-(2^bits - 1)`. `bits` is at most 15.
    pub fn of(sums: &Sums, bits: u8) -> Self {
        let peak = sums.values.iter().map(|sum| sum.unsigned_abs()).max();
        let down = shift(peak.unwrap_or(0), bits);
        let most = bound(bits);
        let shifted = sums.values.iter().map(|sum| rs(*sum, down));
        Self {
            values: shifted.map(|sum| sum.clamp(-most, most) as i16).collect(),
            exponent: sums.exponent.saturating_add(down as i32),
        }
    }

    /// The sum of what several ops give for one value: each shifted to 15 bits, then all to the largest
    /// exponent of those that are not zero.
    pub fn of_all(all: &[Sums], bits: u8) -> Option<Self> {
        let [first, rest @ ..] = all else {
            return None;
        };
        if rest.is_empty() {
            return Some(Self::of(first, bits));
        }
        let parts: Vec<Self> = all.iter().map(|sums| Self::of(sums, 15)).collect();
        let exponent = parts
            .iter()
            .filter(|part| !part.is_zero())
            .map(|part| part.exponent);
        let exponent = exponent.max().unwrap_or(0);
        let mut values = vec![0i32; first.values.len()];
        for part in parts.iter().filter(|part| !part.is_zero()) {
            let down = exponent.saturating_sub(part.exponent).unsigned_abs();
            for (sum, value) in values.iter_mut().zip(&part.values) {
                *sum = plus(*sum, rs((*value).into(), down));
            }
        }
        Some(Self::of(&Sums { values, exponent }, bits))
    }

    fn is_zero(&self) -> bool {
        self.values.iter().all(|value| *value == 0)
    }
}

/// The sum of two; no sum passes 32 bits, and this crate's tests check that.
#[inline]
pub(crate) fn plus(a: i32, b: i32) -> i32 {
    #[cfg(test)]
    assert!(a.checked_add(b).is_some(), "{a} + {b}");
    a.wrapping_add(b)
}

/// The product of two; no product passes 32 bits, and this crate's tests check that.
#[inline]
pub(crate) fn times(a: i32, b: i32) -> i32 {
    #[cfg(test)]
    assert!(a.checked_mul(b).is_some(), "{a} * {b}");
    a.wrapping_mul(b)
}

/// Most bits of an adjoint.
pub const MOST_ADJOINT_BITS: u8 = 15;

/// Bits of an adjoint whose sums take `taken` bits more, so that they stay within 31; at most
/// [`MOST_ADJOINT_BITS`].
pub(crate) fn sum_bits(taken: u8) -> u8 {
    31u8.saturating_sub(taken).min(MOST_ADJOINT_BITS)
}

/// How far sums with this peak are shifted right so that they have at most `bits` bits.
pub fn shift(peak: u32, bits: u8) -> u32 {
    let length = u32::BITS - peak.leading_zeros();
    length.saturating_sub(bits.into())
}

/// The largest magnitude of a value with `bits` bits, at most 15.
pub fn bound(bits: u8) -> i32 {
    (1i32 << bits.min(15)) - 1
}

/// The number of bits that `count` values add to a sum of them.
pub fn log2_ceil(count: u32) -> u8 {
    count.max(1).next_power_of_two().ilog2() as u8
}

/// What an op gives backwards for one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// For what it took from the op before it; none if that has no adjoint, because it is a sample's bytes.
    pub previous: Option<Sums>,
    /// For what it took from an earlier op, and that op.
    pub earlier: Option<(u32, Sums)>,
    /// For its parameters: which of the parameters it reads the sums begin at, and the sums.
    pub parameters: Vec<(usize, Sums)>,
}

/// What an op has at hand on its way back, for one sample.
#[derive(Clone, Copy, Debug)]
pub struct Backwards<'a> {
    /// The int8 view of the master weights that it reads.
    pub views: &'a [i8],
    /// The sample with its label.
    pub record: &'a [u8],
    /// What all ops before it gave.
    pub before: &'a [Tensor],
    /// What it gave.
    pub own: &'a Tensor,
    /// The adjoint of that.
    pub adjoint: &'a Adjoint,
    /// Whether what it took has an adjoint. Nothing before the first parameter has one.
    pub is_wanted: bool,
}

impl Backwards<'_> {
    /// What the op took from the one before it; the first op takes the sample as activations.
    pub fn narrow(&self) -> Option<Vec<i8>> {
        match self.before.last() {
            Some(Tensor::Narrow(x)) => Some(x.clone()),
            None => Some(crate::machine::activations(self.record.split_last()?.1)),
            _ => None,
        }
    }

    /// Passes the adjoint at the places for which `passes` returns true.
    pub fn pass(&self, passes: impl Fn(usize) -> bool) -> Pulled {
        let values = self.adjoint.values.iter().enumerate();
        let values = values.map(|(at, value)| if passes(at) { (*value).into() } else { 0 });
        self.pull(values.collect(), self.adjoint.exponent)
    }

    /// Gives only the adjoint of what the op before gave.
    pub fn pull(&self, values: Vec<i32>, exponent: i32) -> Pulled {
        let sums = Sums { values, exponent };
        Pulled {
            previous: self.is_wanted.then_some(sums),
            ..Pulled::default()
        }
    }
}

/// For every op, how many bits the adjoint that it takes may have, so that none of its sums passes 32 bits.
pub fn adjoint_bits(graph: &Graph) -> Result<Vec<u8>, EvalError> {
    let flows = graph.flows()?;
    let bits = graph.ops.iter().zip(&flows);
    Ok(bits
        .map(|(op, flow)| op.definition().adjoint_bits(flow))
        .collect())
}

/// The first op that has parameters: nothing before it has an adjoint.
pub fn first_with_parameters(graph: &Graph) -> usize {
    let mut ops = graph.ops.iter();
    ops.position(|op| op.parameters() > 0)
        .unwrap_or(graph.ops.len())
}

/// The adjoint of the loss itself: 1.
fn of_loss() -> Adjoint {
    Adjoint {
        values: vec![1 << 14],
        exponent: -14,
    }
}

/// The adjoints of what every op gives on a sample, and the sums for every op's parameters: `see` gets the first parameter and the
/// sums from there on. `given` is what all ops give.
pub fn backwards(
    graph: &Graph,
    views: &[i8],
    record: &[u8],
    given: &[Tensor],
    mut see: impl FnMut(usize, &Sums),
) -> Result<Vec<Option<Adjoint>>, EvalError> {
    let wrong = EvalError::WrongOperand;
    let (bits, first) = (adjoint_bits(graph)?, first_with_parameters(graph));
    let reads: Vec<Range<usize>> = graph.parameters_read().collect();
    let mut sums: Vec<Vec<Sums>> = vec![Vec::new(); graph.ops.len()];
    let mut adjoints = vec![None; graph.ops.len()];
    for (index, op) in graph.ops.iter().enumerate().rev() {
        if index < first {
            break;
        }
        let taken = sums.get_mut(index).map(core::mem::take).unwrap_or_default();
        let bits = *bits.get(index).ok_or_else(|| wrong.clone())?;
        let adjoint = if index + 1 == graph.ops.len() {
            of_loss()
        } else {
            Adjoint::of_all(&taken, bits).ok_or_else(|| wrong.clone())?
        };
        let read = reads.get(index).cloned().ok_or_else(|| wrong.clone())?;
        let here = Backwards {
            views: views.get(read.clone()).ok_or_else(|| wrong.clone())?,
            record,
            before: given.get(..index).ok_or_else(|| wrong.clone())?,
            own: given.get(index).ok_or_else(|| wrong.clone())?,
            adjoint: &adjoint,
            is_wanted: index > first,
        };
        let pulled = op
            .definition()
            .backward(&here)
            .ok_or_else(|| wrong.clone())?;
        for (at, parameters) in &pulled.parameters {
            see(read.start + at, parameters);
        }
        let earlier = pulled.earlier.into_iter();
        let previous = pulled
            .previous
            .into_iter()
            .filter_map(|sums| Some((index.checked_sub(1)? as u32, sums)));
        for (of, given) in earlier.chain(previous) {
            if let Some(sums) = sums.get_mut(of as usize) {
                sums.push(given);
            }
        }
        if let Some(place) = adjoints.get_mut(index) {
            *place = Some(adjoint);
        }
    }
    Ok(adjoints)
}

/// What a sum of one sample adds to a gradient: in units of `2^-`[`GRADIENT_BITS`], limited to
/// [`MOST_OF_A_SAMPLE`] in magnitude.
#[inline]
pub fn contribution(sum: i32, exponent: i32) -> i64 {
    let up = exponent.saturating_add(GRADIENT_BITS.into());
    if up <= 0 {
        return rs(sum, up.unsigned_abs()).into();
    }
    // A sum of 31 bits shifted by 46 has passed the limit, if it is not 0.
    let shifted = i128::from(sum) << up.min(47);
    let most = i128::from(MOST_OF_A_SAMPLE);
    shifted.clamp(-most, most) as i64
}

/// Something that computes gradients exactly.
pub trait Differentiator {
    /// The gradient of the summed loss of every group, in units of `2^-`[`GRADIENT_BITS`] bits for a unit of a
    /// master weight; `see` gets each group's number and gradient, in order. `groups` are consecutive ranges
    /// of `samples`, each of at most [`MAX_GROUP`].
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError>;
}

impl Differentiator for crate::Reference {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        check(graph, weights, samples)?;
        check_groups(groups, samples.len())?;
        let views: Vec<i8> = weights.iter().copied().map(view).collect();
        for (number, group) in groups.iter().enumerate() {
            let mut gradient = vec![0i64; weights.len()];
            for (pixels, label) in samples.iter().skip(group.start).take(group.len()) {
                let record: Vec<u8> = pixels.iter().copied().chain([label]).collect();
                let given = run_views(graph, weights, &views, &record)?;
                backwards(graph, &views, &record, &given, |first, sums| {
                    let own = gradient.iter_mut().skip(first);
                    for (own, sum) in own.zip(&sums.values) {
                        *own = own.saturating_add(contribution(*sum, sums.exponent));
                    }
                })?;
            }
            see(number, &gradient);
        }
        Ok(())
    }
}

/// Whether these are consecutive ranges that cover `samples` samples, none with more than [`MAX_GROUP`].
pub fn check_groups(groups: &[Range<usize>], samples: usize) -> Result<(), EvalError> {
    let fits = |group: &Range<usize>| group.end <= samples && group.len() <= MAX_GROUP;
    if groups.iter().all(fits) {
        Ok(())
    } else {
        Err(EvalError::WrongOperand)
    }
}
