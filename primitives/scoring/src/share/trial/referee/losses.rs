//! The losses on a half. The loss of one sample is judged as [`crate::trial`] does.

use super::super::{Answer, Model, Pick, RoundFacts, Shown, Statement, TableSummary, Trial};
use super::{weights, Ruling, Step};
use crate::losses::losses_node;
use crate::paired::Paired;
use crate::share::halves::Half;
use crate::trial::{self, Exam, Refusal, Side};
use alloc::vec::Vec;

/// [`Statement::Losses`].
pub(super) fn losses(
    facts: &RoundFacts,
    summary: &TableSummary,
    half: Half,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Losses(both) = answer else {
        return Err(Refusal::WrongMove);
    };
    let fall = summary.fall(half).ok_or(Refusal::NoSuchPlace)?;
    let count = u64::from(half.count(facts.samples));
    if both.iter().any(|losses| losses.len() as u64 != count) {
        return Err(Refusal::WrongShape);
    }
    let [before, after] = both;
    if losses_node(before) != fall.before || losses_node(after) != fall.after {
        return Err(Refusal::NotTheInside);
    }
    if Paired::fall(before, after).standard_error != fall.standard_error {
        return Ok(Ruling::Refuted(Step::Losses(half)));
    }
    Trial::showing(Statement::Losses(half), Shown::Losses(both.clone()))
}

/// [`Statement::Loss`].
pub(super) fn loss(
    facts: &RoundFacts,
    statement: trial::Statement,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Loss(answer) = answer else {
        return Err(Refusal::WrongMove);
    };
    let trial = trial::Trial::awaiting(statement);
    Ok(match trial.answer(&facts.ground(), answer)? {
        trial::Ruling::Continues(next) => Ruling::Continues(Trial {
            statement: Statement::Loss(next.statement),
            shown: next.shown.map(Shown::Loss),
        }),
        trial::Ruling::Upheld => Ruling::Upheld,
        trial::Ruling::Refuted(step) => Ruling::Refuted(Step::Loss(step)),
    })
}

/// Picks, among the shown losses, that of a sample on one side.
pub(super) fn pick_sample(
    facts: &RoundFacts,
    summary: &TableSummary,
    half: Half,
    [before, after]: &[Vec<u32>; 2],
    pick: Pick,
) -> Result<Statement, Refusal> {
    let Pick::Sample { of, nth } = pick else {
        return Err(Refusal::WrongMove);
    };
    let nothing = Refusal::NoSuchPlace;
    let (weights, losses) = match of {
        Side::Base => (facts.base_root, before),
        Side::Merged => (weights::root(summary, Model::Merged).ok_or(nothing)?, after),
    };
    Ok(Statement::Loss(trial::Statement::Sample {
        exam: Exam {
            of,
            weights,
            sample: facts.sample(half, nth).ok_or(nothing)?,
        },
        loss: *losses.get(nth as usize).ok_or(nothing)?,
    }))
}

/// Picks a part of what is shown of a sample's trace.
pub(super) fn pick(
    facts: &RoundFacts,
    statement: trial::Statement,
    shown: &trial::Shown,
    nth: u32,
) -> Result<Statement, Refusal> {
    let trial = trial::Trial {
        statement,
        shown: Some(shown.clone()),
    };
    let next = trial.pick(&facts.ground(), nth)?;
    Ok(Statement::Loss(next.statement))
}
