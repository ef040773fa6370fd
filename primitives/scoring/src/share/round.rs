//! One round: choose on A, merge, credit on B.

use super::company::{best, passes_seen, values_of, worst_of_the_bad, Entrant, Pass};
use super::halves::can_decide;
use super::record::EntrantRecord;
use super::table::{gradient_tree, Row, ShareTable, Stage, TableMerge, TablePass, TablePay};
use super::{credits, halves, Credit, Half, ShareTerms, Value};
use crate::evaluator::{check, EvalError, Evaluator, Samples};
use crate::gradient::Differentiator;
use crate::graph::Graph;
use crate::hash::Hash;
use crate::merge::{Merge, MAX_REVEALS, MAX_WEIGHT};
use crate::paired::Paired;
use crate::weights::{MasterWeights, WeightsError};
use alloc::vec;
use alloc::vec::Vec;
use thiserror::Error;

/// Why a round cannot be scored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScoreError {
    /// An evaluation failed.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The base is not master weights.
    #[error(transparent)]
    Base(#[from] WeightsError),
    /// No reveals.
    #[error("the round has no reveals")]
    NoReveals,
    /// More reveals than sums have room for.
    #[error("the round has more than {MAX_REVEALS} reveals")]
    TooManyReveals,
    /// A weight out of its bounds.
    #[error("the weight of reveal {reveal} is out of bounds")]
    WeightOutOfBounds {
        /// Index of the reveal.
        reveal: u32,
    },
    /// A delta to a different number of parameters, or an empty one.
    #[error("reveal {reveal} is not a delta for these weights")]
    WrongDelta {
        /// Index of the reveal.
        reveal: u32,
    },
    /// Fewer than two samples have no standard error.
    #[error("a round needs at least two samples")]
    TooFewSamples,
}

/// The result of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRound {
    /// The companies that were tried on A, first to last.
    pub passes: Vec<Pass>,
    /// Which of them is merged; none if no company gained enough on A.
    pub merged_pass: Option<usize>,
    /// The exact gain on B, Q16 bits summed over its samples: the fall of the loss. 0 if nothing was merged.
    pub gain: i64,
    /// By entrant: the parts of its value on B; none if it was not merged.
    pub paid_parts: Vec<Option<Vec<i64>>>,
    /// By entrant, its credit; the credits of those that were merged add up to `gain`.
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
    let exam = Exam {
        graph,
        base,
        samples,
        seed,
        terms,
    };
    play(evaluator, &exam, entrants, &mut |_| ())
}

/// What a round is played on.
struct Exam<'a> {
    graph: &'a Graph,
    base: &'a [i16],
    samples: &'a Samples,
    seed: &'a Hash,
    terms: &'a ShareTerms,
}

/// What is computed in a round and not kept.
enum Seen<'a> {
    /// The gradient of a stage's group; groups come in order.
    Gradient(Stage, &'a [i64]),
    /// Losses of base and merge on a half.
    Losses(Half, [Vec<u32>; 2]),
}

fn play<E: Evaluator + Differentiator>(
    evaluator: &mut E,
    exam: &Exam,
    entrants: &[Entrant],
    see: &mut dyn FnMut(Seen),
) -> Result<ShareRound, ScoreError> {
    let Exam {
        graph,
        base,
        samples,
        seed,
        terms,
    } = *exam;
    check_round(graph, base, samples, entrants)?;
    let [a, b] = halves(seed, samples.len() as u32).map(|half| samples.select(&half));
    let mut see_pass = |pass: usize, _: usize, gradient: &[i64]| {
        see(Seen::Gradient(Stage::Pass(pass as u8), gradient))
    };
    let passes = if can_decide(samples.len() as u32) {
        passes_seen(evaluator, graph, base, &a, entrants, terms, &mut see_pass)?
    } else {
        Vec::new()
    };
    let unchanged = |passes| ShareRound {
        passes,
        merged_pass: None,
        gain: 0,
        paid_parts: vec![None; entrants.len()],
        credits: vec![None; entrants.len()],
        weights: base.to_vec(),
    };
    let Some((index, pass)) = best(&passes).and_then(|index| Some((index, passes.get(index)?)))
    else {
        return Ok(unchanged(passes));
    };
    let company = &pass.company;
    let merged = Merge::new(base, &company.parts(entrants)).merged();
    let mut fall = |samples: &Samples| -> Result<[Vec<u32>; 2], EvalError> {
        let before = losses(evaluator, graph, base, samples)?;
        Ok([before, losses(evaluator, graph, &merged, samples)?])
    };
    let on_a = fall(&a)?;
    let gain_on_a = Paired::fall(&on_a[0], &on_a[1]);
    see(Seen::Losses(Half::A, on_a));
    if !gain_on_a.is_above(terms.gain_floor_q8) {
        return Ok(unchanged(passes));
    }
    let on_b = fall(&b)?;
    let gain = Paired::fall(&on_b[0], &on_b[1]).sum;
    see(Seen::Losses(Half::B, on_b));
    let mut see_pay = |_: usize, gradient: &[i64]| see(Seen::Gradient(Stage::Pay, gradient));
    let parts = company.values_seen(evaluator, graph, base, &b, entrants, &mut see_pay)?;
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
        paid_parts: parts,
        credits,
        weights: merged,
        passes,
    })
}

/// A loss for each sample.
fn losses(
    evaluator: &mut impl Evaluator,
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
) -> Result<Vec<u32>, EvalError> {
    let (losses, expected) = (evaluator.losses(graph, weights, samples)?, samples.len());
    match losses.len() {
        found if found != expected => Err(EvalError::WrongCount { expected, found }),
        _ => Ok(losses),
    }
}

/// [`share_round`], and the table that commits to it. `hashes` are those of the entrants' deltas.
///
/// # Errors
/// Those of [`share_round`].
#[allow(clippy::too_many_arguments)] // A round is as much.
pub fn share_table<E: Evaluator + Differentiator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    seed: &Hash,
    entrants: &[Entrant],
    hashes: &[Hash],
    terms: &ShareTerms,
) -> Result<(ShareRound, ShareTable), ScoreError> {
    let exam = Exam {
        graph,
        base,
        samples,
        seed,
        terms,
    };
    let mut gradients: Vec<(Stage, Hash)> = Vec::new();
    let mut losses: Vec<(Half, [Vec<u32>; 2])> = Vec::new();
    let round = play(evaluator, &exam, entrants, &mut |seen| match seen {
        Seen::Gradient(stage, words) => gradients.push((stage, gradient_tree(words).root().hash)),
        Seen::Losses(half, both) => losses.push((half, both)),
    })?;
    let gradients_of = |stage| {
        let own = gradients.iter().filter(move |(of, _)| *of == stage);
        own.map(|(_, root)| *root).collect()
    };
    let losses_of = |half| losses.iter().find(|(of, _)| *of == half);
    let records = entrants.iter().zip(hashes);
    let records = records.map(|(entrant, hash)| EntrantRecord::of(*hash, entrant));
    let passes = round.passes.iter().zip(0u8..).map(|(pass, number)| {
        let follows = round.passes.len() > usize::from(number).saturating_add(1);
        let values = values_of(&pass.parts);
        let dropped = worst_of_the_bad(&values, entrants, terms, usize::from(number));
        let company = &pass.company;
        TablePass {
            members: company.members.clone(),
            median_norm: company.median_norm,
            last_dropped: dropped
                .last()
                .filter(|_| follows)
                .map(|index| *index as u32),
            midpoint: root(&Merge::new(base, &company.parts(entrants)).midpoint()),
            gradients: gradients_of(Stage::Pass(number)),
            rows: rows(&pass.parts, hashes),
        }
    });
    let candidate = best(&round.passes).and_then(|index| round.passes.get(index));
    let merge = candidate.zip(losses_of(Half::A)).map(|(pass, (_, on_a))| {
        let merged = Merge::new(base, &pass.company.parts(entrants)).merged();
        TableMerge {
            weights: root(&merged),
            on_a: on_a.clone(),
            pay: losses_of(Half::B).map(|(_, on_b)| TablePay {
                on_b: on_b.clone(),
                gradients: gradients_of(Stage::Pay),
                rows: rows(&round.paid_parts, hashes),
            }),
        }
    });
    let table = ShareTable {
        terms: *terms,
        records: records.collect(),
        passes: passes.collect(),
        merge,
    };
    Ok((round, table))
}

pub(super) fn rows(parts: &[Option<Vec<i64>>], hashes: &[Hash]) -> Vec<Row> {
    let rows = parts.iter().zip(hashes).map(|(parts, hash)| Row {
        delta_hash: *hash,
        parts: parts.clone().unwrap_or_default().into(),
    });
    rows.collect()
}

/// Root of master weights.
pub(super) fn root(weights: &[i16]) -> Hash {
    let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
    crate::weights::tree(&bytes).root().hash
}

fn check_round(
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    entrants: &[Entrant],
) -> Result<(), ScoreError> {
    check(graph, base, samples)?;
    MasterWeights::new(base.to_vec())?;
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
