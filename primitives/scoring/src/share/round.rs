//! One round: choose on A, merge, credit on B.

use super::company::{best, passes, Entrant, Pass};
use super::{credits, halves, Credit, ShareTerms, Value};
use crate::evaluator::{check, EvalError, Evaluator, Samples};
use crate::gradient::Differentiator;
use crate::graph::Graph;
use crate::hash::Hash;
use crate::merge::{Merge, MAX_REVEALS, MAX_WEIGHT};
use crate::round::{Paired, ScoreError};
use alloc::vec;
use alloc::vec::Vec;

/// Fewer samples than this have no error: nothing is decided by them.
const LEAST_OF_A: usize = 2;

/// What a round comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRound {
    /// The companies that were tried on A, first to last.
    pub passes: Vec<Pass>,
    /// Which of them is merged; none if no company gained enough on A.
    pub merged_pass: Option<usize>,
    /// The exact gain on B, Q16 bits summed over its samples: the fall of the loss. 0 if nothing was merged.
    pub gain: i64,
    /// By entrant, its credit: of those that were merged they add up to `gain`.
    pub credits: Vec<Option<Credit>>,
    /// Master weights after the round.
    pub weights: Vec<i16>,
}

/// Plays a round of `entrants` on `base` and the exam's `samples`, split in halves by `seed`. With fewer than four samples
/// nothing is merged.
///
/// # Errors
/// Samples or weights that do not fit the graph; no entrants, or too many; a weight out of bounds; an empty delta, or
/// one to other weights; fewer than two samples.
pub fn share_round<E: Evaluator + Differentiator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    seed: &Hash,
    entrants: &[Entrant],
    terms: &ShareTerms,
) -> Result<ShareRound, ScoreError> {
    check_round(graph, base, samples, entrants)?;
    let [a, b] = halves(seed, samples.len() as u32).map(|half| samples.select(&half));
    let passes = if a.len() < LEAST_OF_A {
        Vec::new()
    } else {
        passes(evaluator, graph, base, &a, entrants, terms)?
    };
    let unchanged = |passes| ShareRound {
        passes,
        merged_pass: None,
        gain: 0,
        credits: vec![None; entrants.len()],
        weights: base.to_vec(),
    };
    let Some((index, pass)) = best(&passes).and_then(|index| Some((index, passes.get(index)?)))
    else {
        return Ok(unchanged(passes));
    };
    let company = &pass.company;
    let merged = Merge::new(base, &company.parts(entrants)).merged();
    let mut fall = |half: &Samples| -> Result<Paired, EvalError> {
        let before = evaluator.losses(graph, base, half)?;
        let after = evaluator.losses(graph, &merged, half)?;
        Ok(Paired::fall(&before, &after))
    };
    let on_a = fall(&a)?;
    if !crate::round::passes(on_a.sum, on_a.standard_error, terms.gain_floor_q8) {
        return Ok(unchanged(passes));
    }
    let gain = fall(&b)?.sum;
    let parts = company.values(evaluator, graph, base, &b, entrants)?;
    let values: Vec<Value> = parts
        .iter()
        .flatten()
        .map(|parts| Value::of(parts))
        .collect();
    let mut split = credits(&values, gain).into_iter();
    let credits = company
        .members
        .iter()
        .map(|is_member| is_member.then(|| split.next()).flatten())
        .collect();
    Ok(ShareRound {
        merged_pass: Some(index),
        gain,
        credits,
        weights: merged,
        passes,
    })
}

fn check_round(
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    entrants: &[Entrant],
) -> Result<(), ScoreError> {
    check(graph, base, samples)?;
    if samples.len() < 2 {
        return Err(ScoreError::TooFewSamples);
    }
    if entrants.is_empty() {
        return Err(ScoreError::NoReveals);
    }
    if entrants.len() > MAX_REVEALS {
        return Err(ScoreError::TooManyReveals);
    }
    for (entrant, reveal) in entrants.iter().zip(0..) {
        if !(1..=MAX_WEIGHT).contains(&entrant.weight) {
            return Err(ScoreError::WeightOutOfBounds { reveal });
        }
        let delta = entrant.delta;
        if delta.parameters() as usize != base.len() || delta.entries().is_empty() {
            return Err(ScoreError::WrongDelta { reveal });
        }
    }
    Ok(())
}
