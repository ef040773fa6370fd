//! Which deltas are merged: those that help in the company of the others.

use super::credit::magnitude;
use super::{groups, ShareTerms, Value, MOST_OF_A_GROUP};
use crate::arith::round_div;
use crate::delta::{Delta, Entry};
use crate::evaluator::{EvalError, Samples};
use crate::gradient::{Differentiator, GRADIENT_BITS};
use crate::graph::Graph;
use crate::merge::{factor, Merge, Part, MAX_FACTOR};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

/// Most companies that are tried.
pub const MAX_PASSES: usize = 8;
/// Most of the product of a gradient and a delta, in magnitude: with a weight and a factor at most 2^123.
const MOST_OF_A_PRODUCT: i128 = 1 << 86;

/// A revealed delta as it enters the choice.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    /// The delta, not empty.
    pub delta: &'a Delta,
    /// Its weight in a merge, `1..=`[`crate::merge::MAX_WEIGHT`].
    pub weight: u32,
    /// Whether its account has proved something in this task. A delta of an account that has not must be better to stay.
    pub is_proven: bool,
}

/// Deltas that are merged together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// By entrant, whether it is one of them.
    pub members: Vec<bool>,
    /// The stake-weighted lower median of their norms, to which longer ones are clipped.
    pub median_norm: u64,
    /// The task's [`ShareTerms::outer_rate_q8`].
    pub outer_rate_q8: u16,
}

/// A company that was tried, and what each of its members is worth in it on A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The company.
    pub company: Company,
    /// By entrant: the parts of its value, a part for each group; none if it is not a member.
    pub parts: Vec<Option<Vec<i64>>>,
    /// The sum of all values.
    pub sum: i64,
    /// The sum of their magnitudes: [`super::credit::magnitude`].
    pub magnitude: u64,
}

impl Company {
    /// The company of these members.
    pub fn of(members: Vec<bool>, entrants: &[Entrant], terms: &ShareTerms) -> Self {
        let own = entrants
            .iter()
            .zip(&members)
            .filter(|(_, is_member)| **is_member);
        let norms = own
            .map(|(entrant, _)| (entrant.delta.norm(), entrant.weight))
            .collect();
        Self {
            median_norm: weighted_median(norms),
            outer_rate_q8: terms.outer_rate_q8,
            members,
        }
    }

    /// Whether nobody is left.
    pub fn is_empty(&self) -> bool {
        !self.members.contains(&true)
    }

    /// The members as they enter a merge: clipped to the median norm, and multiplied with the outer rate.
    pub fn parts<'a>(&self, entrants: &[Entrant<'a>]) -> Vec<Part<'a>> {
        let own = entrants
            .iter()
            .zip(&self.members)
            .filter(|(_, is_member)| **is_member);
        own.map(|(entrant, _)| self.part(entrant)).collect()
    }

    fn part<'a>(&self, entrant: &Entrant<'a>) -> Part<'a> {
        Part {
            delta: entrant.delta,
            weight: entrant.weight,
            factor_q16: factor(self.outer_rate_q8, self.median_norm, entrant.delta.norm()),
        }
    }

    /// What every member is worth in the company: by entrant, a part for each group of samples, Q16 bits summed over the group.
    /// With `D` the product of the group's gradient at the midpoint and the delta: `-D * weight * factor / (sum of weights *
    /// 2^40)`, rounded to nearest, halves away from zero.
    pub fn values<E: Differentiator>(
        &self,
        evaluator: &mut E,
        graph: &Graph,
        base: &[i16],
        samples: &Samples,
        entrants: &[Entrant],
    ) -> Result<Vec<Option<Vec<i64>>>, EvalError> {
        self.values_seen(evaluator, graph, base, samples, entrants, &mut |_, _| ())
    }

    /// [`Self::values`], and `see` gets each group's number and gradient.
    pub(super) fn values_seen<E: Differentiator>(
        &self,
        evaluator: &mut E,
        graph: &Graph,
        base: &[i16],
        samples: &Samples,
        entrants: &[Entrant],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<Vec<Option<Vec<i64>>>, EvalError> {
        let midpoint = Merge::new(base, &self.parts(entrants)).midpoint();
        let weight: u64 = self
            .parts(entrants)
            .iter()
            .map(|part| u64::from(part.weight))
            .sum();
        let groups: Vec<Range<usize>> = groups(samples.len()).collect();
        let none_yet = |is_member: &bool| is_member.then(|| vec![0; groups.len()]);
        let mut values: Vec<Option<Vec<i64>>> = self.members.iter().map(none_yet).collect();
        evaluator.gradients(
            graph,
            &midpoint,
            samples,
            &groups,
            &mut |group, gradient| {
                see(group, gradient);
                for (entrant, value) in entrants.iter().zip(&mut values) {
                    let part = value.as_mut().and_then(|parts| parts.get_mut(group));
                    if let Some(part) = part {
                        let own = self.part(entrant);
                        let product = product(gradient, entrant.delta.entries());
                        *part = worth(product, own.weight, own.factor_q16, weight);
                    }
                }
            },
        )?;
        Ok(values)
    }
}

/// What a member is worth, from the product of a group's gradient and its delta, in a company of this weight.
pub(super) fn worth(product: i128, own_weight: u32, factor_q16: u32, weight: u64) -> i64 {
    let (own, all) = scale(own_weight, factor_q16, weight);
    let product = product.clamp(-MOST_OF_A_PRODUCT, MOST_OF_A_PRODUCT);
    let worth = round_div(product.saturating_mul(own).saturating_neg(), all);
    let most = i128::from(MOST_OF_A_GROUP);
    worth.clamp(-most, most) as i64
}

/// What a member's product is multiplied with, and what it is then divided by.
pub(super) fn scale(own_weight: u32, factor_q16: u32, weight: u64) -> (i128, i128) {
    let own = i128::from(own_weight).saturating_mul(factor_q16.min(MAX_FACTOR).into());
    (own, i128::from(weight).saturating_mul(1 << GRADIENT_BITS))
}

/// `sum_p gradient[p] * change[p]`: below 2^104.
fn product(gradient: &[i64], entries: &[Entry]) -> i128 {
    let terms = entries.iter().filter_map(|entry| {
        let gradient = gradient.get(entry.position as usize)?;
        Some(i128::from(*gradient) * i128::from(entry.change))
    });
    terms.sum()
}

/// The lower median of norms by their weights: the smallest norm such that the norms not above it have at least half of all weight.
/// 0 if there are none.
pub fn weighted_median(mut norms: Vec<(u64, u32)>) -> u64 {
    norms.sort_unstable();
    let total: u64 = norms.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let mut so_far = 0u64;
    let median = norms.iter().find(|(_, weight)| {
        so_far = so_far.saturating_add((*weight).into());
        so_far.saturating_mul(2) >= total
    });
    median.map_or(0, |(norm, _)| *norm)
}

/// The companies that are tried, first to last. All entrants start. A member is *bad* if its value is not positive, or not above
/// its floor ([`ShareTerms::floor_q8`]). The worst half of the bad, rounded up, leaves, ordered by value per weight, and the later
/// first among equals. The worst leave first, because a poison makes others look bad. Before the last company all of the bad leave,
/// so that no crowd hides one of them from the others. It ends when none is bad, when nobody is left, or after
/// [`MAX_PASSES`].
pub fn passes<E: Differentiator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    a: &Samples,
    entrants: &[Entrant],
    terms: &ShareTerms,
) -> Result<Vec<Pass>, EvalError> {
    passes_seen(
        evaluator,
        graph,
        base,
        a,
        entrants,
        terms,
        &mut |_, _, _| (),
    )
}

/// [`passes`], and `see` gets the number of a pass, a group, and its gradient.
pub(super) fn passes_seen<E: Differentiator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    a: &Samples,
    entrants: &[Entrant],
    terms: &ShareTerms,
    see: &mut dyn FnMut(usize, usize, &[i64]),
) -> Result<Vec<Pass>, EvalError> {
    let mut passes: Vec<Pass> = Vec::new();
    let mut company = Company::of(vec![true; entrants.len()], entrants, terms);
    while passes.len() < MAX_PASSES && !company.is_empty() {
        let number = passes.len();
        let mut see = |group, gradient: &[i64]| see(number, group, gradient);
        let parts = company.values_seen(evaluator, graph, base, a, entrants, &mut see)?;
        let values = values_of(&parts);
        let sum = values.iter().flatten().map(|value| value.sum).sum();
        let magnitude = values.iter().flatten().map(magnitude).sum();
        let dropped = worst_of_the_bad(&values, entrants, terms, number);
        let mut members = company.members.clone();
        passes.push(Pass {
            company,
            parts,
            sum,
            magnitude,
        });
        if dropped.is_empty() {
            break;
        }
        for index in dropped {
            if let Some(is_member) = members.get_mut(index) {
                *is_member = false;
            }
        }
        company = Company::of(members, entrants, terms);
    }
    Ok(passes)
}

/// The company whose values have the largest sum; the later one among equals. A company with too much harm is never chosen: the sum
/// of magnitudes is at most 17/16 of the sum, so that harm is at most a 33rd of the good. Otherwise one account could send what
/// another's delta takes back, and be paid for what the merge does not keep: nobody ever makes good the negative credit of a new
/// account.
pub fn best(passes: &[Pass]) -> Option<usize> {
    best_of(passes.iter().map(|pass| (pass.sum, pass.magnitude)))
}

/// [`best`], by the sums of values and of magnitudes.
pub(super) fn best_of(sums: impl Iterator<Item = (i64, u64)>) -> Option<usize> {
    let is_sound = |(_, (sum, magnitude)): &(usize, (i64, u64))| {
        let sum = u64::try_from(*sum).unwrap_or(0);
        sum > 0 && u128::from(*magnitude) * 16 <= u128::from(sum) * 17
    };
    let sound = sums.enumerate().filter(is_sound);
    sound
        .max_by_key(|(_, (sum, _))| *sum)
        .map(|(index, _)| index)
}

/// How many of `bad` bad members leave after this pass, the worst first: half of them, rounded up, and all before the last pass.
pub(super) fn leavers(bad: u32, pass: usize) -> u32 {
    if pass.saturating_add(2) >= MAX_PASSES {
        bad
    } else {
        bad.div_ceil(2)
    }
}

/// By entrant, the value that these parts add up to.
pub(super) fn values_of(parts: &[Option<Vec<i64>>]) -> Vec<Option<Value>> {
    let values = parts.iter().map(|parts| parts.as_deref().map(Value::of));
    values.collect()
}

/// Who leaves after this pass, the worst first.
pub(super) fn worst_of_the_bad(
    values: &[Option<Value>],
    entrants: &[Entrant],
    terms: &ShareTerms,
    pass: usize,
) -> Vec<usize> {
    let rows = values.iter().zip(entrants).enumerate();
    let mut bad: Vec<(usize, i64, u32)> = rows
        .filter_map(|(index, (value, entrant))| {
            let value = value.as_ref()?;
            let floor = terms.floor_q8(entrant.is_proven);
            (!value.is_above(floor)).then_some((index, value.sum, entrant.weight))
        })
        .collect();
    bad.sort_by(worst_first);
    bad.truncate(leavers(bad.len() as u32, pass) as usize);
    bad.into_iter().map(|(index, ..)| index).collect()
}

/// The order in which members, given as place, value and weight, leave: by value divided by weight, without the division, and the
/// later one first among equals.
pub(super) fn worst_first(one: &(usize, i64, u32), other: &(usize, i64, u32)) -> Ordering {
    let cross = |value: i64, weight: u32| i128::from(value) * i128::from(weight);
    let by_value_for_weight = cross(one.1, other.2).cmp(&cross(other.1, one.2));
    by_value_for_weight.then(other.0.cmp(&one.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_by_weight() {
        assert_eq!(weighted_median(vec![]), 0);
        assert_eq!(weighted_median(vec![(9, 1), (1, 1)]), 1);
        assert_eq!(weighted_median(vec![(1, 1), (1, 1), (1, 1), (9, 4)]), 9);
        assert_eq!(weighted_median(vec![(1, 1), (1, 1), (1, 1), (9, 3)]), 1);
        assert_eq!(weighted_median(vec![(5, u32::MAX), (7, u32::MAX)]), 5);
    }

    fn of(sum: i64, magnitude: u64) -> Pass {
        Pass {
            company: Company {
                members: vec![],
                median_norm: 0,
                outer_rate_q8: 0,
            },
            parts: vec![],
            sum,
            magnitude,
        }
    }

    #[test]
    fn a_company_with_too_much_harm_is_not_chosen() {
        // Harm of 1 to good of 33 is the most that is allowed; beyond that, a company without harm is better, however small.
        assert_eq!(best(&[of(32, 34), of(3, 3)]), Some(0));
        assert_eq!(best(&[of(32, 35), of(3, 3)]), Some(1));
        assert_eq!(best(&[of(32, 35)]), None);
        assert_eq!(best(&[of(i64::MAX, i64::MAX as u64)]), Some(0));
        assert_eq!(best(&[of(i64::MAX, u64::MAX)]), None);
    }

    #[test]
    fn half_of_the_bad_leave_and_before_the_last_pass_all() {
        assert_eq!([0, 1, 2, 5].map(|bad| leavers(bad, 0)), [0, 1, 1, 3]);
        assert_eq!(leavers(5, MAX_PASSES - 3), 3);
        assert_eq!(leavers(5, MAX_PASSES - 2), 5);
    }

    #[test]
    fn the_best_company_is_the_last_of_equals() {
        let pass = |sum: i64| of(sum, sum.unsigned_abs());
        assert_eq!(best(&[pass(3), pass(5), pass(5), pass(4)]), Some(2));
        assert_eq!(best(&[pass(0), pass(-5)]), None);
        assert_eq!(best(&[]), None);
    }
}
