//! Scoring a whole round.

use crate::delta::Delta;
use crate::evaluator::{EvalError, Evaluator, Samples};
use crate::graph::Graph;
use crate::hash::Hash;
use crate::merge::{self, Merge, Part, MAX_REVEALS, MAX_WEIGHT};
use crate::merkle::SumNode;
use crate::table::{losses_node, similar_tree, Header, Row, ScoreTable, Standing};
use crate::trial::Side;
use crate::weights::{MasterWeights, WeightsError};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// Constants of a task by which its rounds are scored.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Rules {
    /// A midpoint share is admitted above this many standard errors, Q8: 256 is one.
    pub admit_floor_q8: u16,
    /// A joint gain is merged and paid above this many standard errors, Q8.
    pub gain_floor_q8: u16,
    /// Width of the central difference, at least 1.
    pub central_difference: u8,
}

/// A revealed delta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// [`Delta::hash_of`] its encoding.
    pub hash: Hash,
    /// Weight in the merge, `1..=MAX_WEIGHT`.
    pub weight: u32,
    /// The delta.
    pub delta: Delta,
}

/// The scores of a round and what they were made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundScore {
    /// The canonical table.
    pub table: ScoreTable,
    /// The master weights after the round; the base if nothing was merged.
    pub merged: Vec<i16>,
    /// The per-sample losses of every evaluation.
    pub evaluations: Evaluations,
}

/// Per-sample losses, Q16 bits, of all that a round evaluates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Evaluations {
    /// Of the weights before the round.
    pub base: Vec<u32>,
    /// Of the merge of the admitted, merged or not.
    pub merged: Vec<u32>,
    /// For every row minus and plus; none if it was not evaluated ([`Standing::Similar`]).
    pub sides: Vec<Option<[Vec<u32>; 2]>>,
}

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
    #[error("a round without reveals")]
    NoReveals,
    /// More reveals than sums have room for.
    #[error("more than {MAX_REVEALS} reveals")]
    TooManyReveals,
    /// A weight out of its bounds.
    #[error("reveal {reveal}: weight out of bounds")]
    WeightOutOfBounds {
        /// Index of the reveal.
        reveal: u32,
    },
    /// A delta to another number of parameters, or empty.
    #[error("reveal {reveal}: not a delta to these weights")]
    WrongDelta {
        /// Index of the reveal.
        reveal: u32,
    },
    /// Fewer than two samples have no standard error.
    #[error("a round needs at least two samples")]
    TooFewSamples,
    /// The central difference is 0.
    #[error("the central difference must be at least 1")]
    ZeroCentralDifference,
}

/// Scores a round: `reveals` in the order of their commits, on `base` and `samples`.
///
/// 1. Each delta is clipped to the median norm; one too similar to an earlier one is out.
/// 2. Each other one's *midpoint share* `phi` is its Aumann-Shapley value in the merge of them
///    all, by one central difference: the loss at the middle between base and merge with half of
///    the delta's own part (times `c`) taken off, less that with it put on, divided by `c`.
/// 3. Those whose `phi` passes its floor are admitted and merged. If the joint gain of that
///    passes its own, the merge is the new master and is paid for, in proportion to `phi`.
pub fn score_round<E: Evaluator>(
    evaluator: &mut E,
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    reveals: &[Reveal],
    rules: &Rules,
) -> Result<RoundScore, ScoreError> {
    check(graph, base, samples, reveals, rules)?;
    let mut measure = ByEvaluator::new(evaluator, graph, base, samples);
    score(&mut measure, base, reveals, rules)
}

/// [`score_round`] of what has been checked, by what `measure` finds.
pub(crate) fn score(
    measure: &mut impl Measure,
    base: &[i16],
    reveals: &[Reveal],
    rules: &Rules,
) -> Result<RoundScore, ScoreError> {
    let parts = parts(reveals);
    let (rows, sides) = midpoint_shares(measure, base, reveals, &parts, rules)?;

    let standings = rows.iter().map(|row| row.standing);
    let admitted: Vec<Part> = (standings.zip(&parts))
        .filter(|(standing, _)| *standing == Standing::Admitted)
        .map(|(_, part)| *part)
        .collect();
    let (_, base_losses) = measure.evaluate(Side::Base, base.to_vec())?;
    let merged = Merge::new(base, &admitted).merged();
    let (candidate, candidate_losses) = measure.evaluate(Side::Merged, merged)?;

    let gain = Paired::fall(&base_losses, &candidate_losses);
    let improved = passes(gain.sum, gain.standard_error, rules.gain_floor_q8);
    let merged = MasterWeights::new(if improved { candidate } else { base.to_vec() })?;
    let header = Header {
        samples: base_losses.len() as u32,
        base: losses_node(&base_losses),
        merged: losses_node(&candidate_losses),
        gain: gain.sum,
        gain_se: gain.standard_error,
        // Above its floor a gain is positive.
        paid_gain: if improved { gain.sum as u64 } else { 0 },
        master_root: merged.root(),
        similar_root: similar_tree(rows.iter().map(Row::similar_to)).root().hash,
    };
    let evaluations = Evaluations {
        base: base_losses,
        merged: candidate_losses,
        sides,
    };
    Ok(RoundScore {
        table: ScoreTable { header, rows },
        merged: merged.into_inner(),
        evaluations,
    })
}

/// Whether a round can be scored.
pub(crate) fn check(
    graph: &Graph,
    base: &[i16],
    samples: &Samples,
    reveals: &[Reveal],
    rules: &Rules,
) -> Result<(), ScoreError> {
    crate::evaluator::check(graph, base, samples)?;
    if rules.central_difference == 0 {
        return Err(ScoreError::ZeroCentralDifference);
    }
    if samples.len() < 2 {
        return Err(ScoreError::TooFewSamples);
    }
    if reveals.is_empty() {
        return Err(ScoreError::NoReveals);
    }
    if reveals.len() > MAX_REVEALS {
        return Err(ScoreError::TooManyReveals);
    }
    for (reveal, index) in reveals.iter().zip(0..) {
        if !(1..=MAX_WEIGHT).contains(&reveal.weight) {
            return Err(ScoreError::WeightOutOfBounds { reveal: index });
        }
        let delta = &reveal.delta;
        if delta.parameters() as usize != base.len() || delta.entries().is_empty() {
            return Err(ScoreError::WrongDelta { reveal: index });
        }
    }
    Ok(())
}

/// The reveals as they enter a merge: clipped.
fn parts(reveals: &[Reveal]) -> Vec<Part<'_>> {
    let deltas: Vec<&Delta> = reveals.iter().map(|reveal| &reveal.delta).collect();
    let clips = merge::clips(&deltas);
    let clipped = reveals.iter().zip(clips);
    clipped
        .map(|(reveal, clip_q16)| Part {
            delta: &reveal.delta,
            weight: reveal.weight,
            clip_q16,
        })
        .collect()
}

/// Losses of minus and plus, if they were evaluated.
type Sides = Option<[Vec<u32>; 2]>;

/// A row for every reveal, and the losses on the two sides of the
/// midpoint for every one that is not similar.
fn midpoint_shares(
    measure: &mut impl Measure,
    base: &[i16],
    reveals: &[Reveal],
    parts: &[Part],
    rules: &Rules,
) -> Result<(Vec<Row>, Vec<Sides>), ScoreError> {
    let deltas: Vec<&Delta> = parts.iter().map(|part| part.delta).collect();
    let similar = measure.similar(&deltas);
    let dissimilar = parts.iter().zip(&similar).filter(|(_, to)| to.is_none());
    let all = Merge::new(
        base,
        &dissimilar.map(|(part, _)| *part).collect::<Vec<Part>>(),
    );
    let midpoint = all.midpoint();
    let c = i16::from(rules.central_difference);

    let (mut rows, mut sides) = (Vec::new(), Vec::new());
    for (((reveal, part), to), index) in reveals.iter().zip(parts).zip(similar).zip(0..) {
        let mut row = Row {
            delta_hash: reveal.hash,
            weight: part.weight,
            clip_q16: part.clip_q16,
            phi: 0,
            standard_error: 0,
            standing: Standing::BelowFloor,
            share: 0,
            minus: SumNode::default(),
            plus: SumNode::default(),
        };
        if let Some(to) = to {
            row.standing = Standing::Similar { to };
            sides.push(None);
        } else {
            let minus = all.beside_midpoint(&midpoint, part, -c);
            let (_, minus) = measure.evaluate(Side::Minus(index), minus)?;
            let plus = all.beside_midpoint(&midpoint, part, c);
            let (_, plus) = measure.evaluate(Side::Plus(index), plus)?;
            let phi = Paired::fall(&minus, &plus).over(rules.central_difference);
            row.phi = phi.sum;
            row.standard_error = phi.standard_error;
            row.standing = if passes(phi.sum, phi.standard_error, rules.admit_floor_q8) {
                Standing::Admitted
            } else {
                Standing::BelowFloor
            };
            row.share = row.admitted_phi();
            row.minus = losses_node(&minus);
            row.plus = losses_node(&plus);
            sides.push(Some([minus, plus]));
        }
        rows.push(row);
    }
    Ok((rows, sides))
}

/// What the score of a round is made from.
pub(crate) trait Measure {
    /// The earlier delta that each one is too similar to.
    fn similar(&mut self, deltas: &[&Delta]) -> Vec<Option<u32>> {
        merge::similar(deltas)
    }

    /// The weights that count as those of an evaluation, which a merge made, and their losses.
    fn evaluate(&mut self, of: Side, weights: Vec<i16>) -> Result<(Vec<i16>, Vec<u32>), EvalError>;
}

/// Evaluations on the samples of a round.
pub(crate) struct ByEvaluator<'a, E> {
    evaluator: &'a mut E,
    graph: &'a Graph,
    base: &'a [i16],
    samples: &'a Samples,
    base_losses: Option<Vec<u32>>,
}

impl<'a, E: Evaluator> ByEvaluator<'a, E> {
    pub fn new(
        evaluator: &'a mut E,
        graph: &'a Graph,
        base: &'a [i16],
        samples: &'a Samples,
    ) -> Self {
        Self {
            evaluator,
            graph,
            base,
            samples,
            base_losses: None,
        }
    }
}

impl<E: Evaluator> Measure for ByEvaluator<'_, E> {
    fn evaluate(&mut self, _: Side, weights: Vec<i16>) -> Result<(Vec<i16>, Vec<u32>), EvalError> {
        // A merge of nothing is the base, and is not evaluated again.
        let is_base = weights == self.base;
        if let Some(losses) = self.base_losses.as_ref().filter(|_| is_base) {
            return Ok((weights, losses.clone()));
        }
        let losses = self.evaluator.losses(self.graph, &weights, self.samples)?;
        if losses.len() != self.samples.len() {
            return Err(EvalError::WrongCount {
                expected: self.samples.len(),
                found: losses.len(),
            });
        }
        if is_base {
            self.base_losses = Some(losses.clone());
        }
        Ok((weights, losses))
    }
}

/// A difference between two losses of the same samples, summed over the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paired {
    pub sum: i64,
    pub standard_error: u64,
}

impl Paired {
    /// By how much the losses fall. The standard error of a sum over `N` samples with first and
    /// second moments `S1`, `S2` is `isqrt((N * S2 - S1^2) / (N - 1))`, both rounded down.
    ///
    /// The square of a difference of two `u32` fits 64 bits, and so many sums 128.
    pub fn fall(before: &[u32], after: &[u32]) -> Self {
        let pairs = before.iter().zip(after);
        let (sum, squares) = pairs.fold((0i64, 0u128), |(sum, squares), (before, after)| {
            let fall = i64::from(*before) - i64::from(*after);
            let square = fall.unsigned_abs() * fall.unsigned_abs();
            (sum + fall, squares + u128::from(square))
        });
        let n = before.len() as u128;
        // Not negative, by Cauchy-Schwarz. A loss is below 2^31 and there are at most 2^31: no
        // product passes 2^124.
        let variance = (n * squares)
            .saturating_sub(u128::from(sum.unsigned_abs()).pow(2))
            .checked_div(n.saturating_sub(1).max(1))
            .unwrap_or(0);
        Self {
            sum,
            standard_error: variance.isqrt() as u64,
        }
    }

    /// Both divided by `c`, rounded towards zero.
    pub fn over(self, c: u8) -> Self {
        Self {
            sum: self.sum / i64::from(c),
            standard_error: self.standard_error / u64::from(c),
        }
    }
}

/// Whether a sum is positive and over this many of its standard errors, in Q8.
pub(crate) fn passes(sum: i64, standard_error: u64, floor_q8: u16) -> bool {
    let floor = i128::from(floor_q8) * i128::from(standard_error);
    sum > 0 && i128::from(sum) * 256 > floor
}
