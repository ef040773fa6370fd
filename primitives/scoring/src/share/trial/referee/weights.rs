//! The weights of a model, down to what one delta adds to one of them.

use super::super::{Answer, Model, RoundFacts, Shown, Statement, TableSummary, Trial};
use super::chunks::change;
use super::{inside, Ruling, Step};
use crate::hash::Hash;
use crate::merge::moved_exactly;
use crate::merkle::{Branch, Node};
use crate::share::table::PassSummary;
use crate::trial::{Refusal, Term, Tiles};
use crate::WEIGHT_TILE;
use alloc::vec::Vec;

/// The root of a model's weights.
pub(super) fn root(summary: &TableSummary, of: Model) -> Option<Hash> {
    match of {
        Model::Midpoint(pass) => Some(summary.passes.get(usize::from(pass))?.midpoint),
        Model::Merged => Some(summary.merge.as_ref()?.weights),
    }
}

/// The pass whose company a model is the merge of.
fn pass_of(summary: &TableSummary, of: Model) -> Option<&PassSummary> {
    let number = match of {
        Model::Midpoint(pass) => pass,
        Model::Merged => summary.candidate()?,
    };
    summary.passes.get(usize::from(number))
}

/// [`Statement::Weights`].
pub(super) fn tiles(
    facts: &RoundFacts,
    of: Model,
    branch: Branch,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let statement = Statement::Weights { of, branch };
    match answer {
        Answer::Nodes(nodes) => inside(statement, branch, nodes),
        Answer::Weights(tile) if branch.is_leaf() => {
            let bytes = tile.iter().flat_map(|weight| weight.to_le_bytes());
            if Node::leaf(&[&bytes.collect::<Vec<u8>>()], ()) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let start = u64::from(branch.index) * WEIGHT_TILE as u64;
            let expected = u64::from(facts.parameters()).saturating_sub(start);
            if tile.len() as u64 != expected.min(WEIGHT_TILE as u64) {
                return Err(Refusal::WrongShape);
            }
            Trial::showing(statement, Shown::Weights(tile.clone()))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// [`Statement::Weight`].
pub(super) fn weight(
    facts: &RoundFacts,
    summary: &TableSummary,
    (of, position, claimed): (Model, u32, i16),
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Terms { base, terms } = answer else {
        return Err(Refusal::WrongMove);
    };
    let found = merged_weight(facts, summary, of, position, (base, terms))?;
    if found != claimed {
        return Ok(Ruling::Refuted(Step::Weight {
            of,
            position,
            claimed,
            found,
        }));
    }
    let statement = Statement::Weight {
        of,
        position,
        value: claimed,
    };
    Trial::showing(statement, Shown::Terms(terms.clone()))
}

/// [`Statement::Term`].
pub(super) fn term(
    facts: &RoundFacts,
    summary: &TableSummary,
    (of, position, entrant, claimed): (Model, u32, u32, Term),
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Term {
        entrant: proved,
        chunk,
    } = answer
    else {
        return Err(Refusal::WrongMove);
    };
    let pass = pass_of(summary, of).ok_or(Refusal::NoSuchPlace)?;
    let record = facts.entrant(entrant, proved)?;
    let change = change(facts.parameters(), &record.delta_root, position, chunk)?;
    let found = if pass.members.contains(entrant) {
        let factor = facts.factor(pass.median_norm, record);
        let scale = i64::from(record.weight).saturating_mul(factor.into());
        Term {
            value: scale.saturating_mul(change.into()),
            weight: record.weight,
        }
    } else {
        Term::default()
    };
    Ok(if found == claimed {
        Ruling::Upheld
    } else {
        Ruling::Refuted(Step::Term {
            of,
            position,
            entrant,
            claimed,
            found,
        })
    })
}

/// What the terms make of a parameter.
fn merged_weight(
    facts: &RoundFacts,
    summary: &TableSummary,
    of: Model,
    position: u32,
    (base, terms): (&Tiles, &[Term]),
) -> Result<i16, Refusal> {
    if terms.len() as u64 != u64::from(facts.entrants) {
        return Err(Refusal::WrongShape);
    }
    let start = u64::from(position);
    // A copy of a tile: the only use of it, and small.
    let tile = Some(base.clone());
    let foreign = Refusal::ForeignInput;
    let range = start..start.saturating_add(1);
    let base = facts
        .ground()
        .weights(&facts.base_root, range, &tile, foreign)?;
    let base = base.first().copied().ok_or(Refusal::WrongShape)?;
    let sum: i128 = terms.iter().map(|term| i128::from(term.value)).sum();
    // If it is not the company's weight, one of the terms is wrong and can be doubted.
    let weight: i128 = terms.iter().map(|term| i128::from(term.weight)).sum();
    pass_of(summary, of).ok_or(Refusal::NoSuchPlace)?;
    let shift = match of {
        Model::Midpoint(_) => 17,
        Model::Merged => 16,
    };
    Ok(moved_exactly(base, sum, weight << shift))
}

/// Picks one of the shown nodes, or one weight of a shown tile.
pub(super) fn pick(
    of: Model,
    branch: Branch,
    shown: &Shown,
    nth: u32,
) -> Result<Statement, Refusal> {
    let nothing = Refusal::NoSuchPlace;
    match shown {
        Shown::Nodes(nodes) => Ok(Statement::Weights {
            of,
            branch: branch.child(nodes, nth).ok_or(nothing)?,
        }),
        Shown::Weights(tile) => {
            let start = branch.index.checked_mul(WEIGHT_TILE as u32);
            Ok(Statement::Weight {
                of,
                position: start
                    .and_then(|start| start.checked_add(nth))
                    .ok_or(nothing)?,
                value: *tile.get(nth as usize).ok_or(nothing)?,
            })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Picks the term of one entrant among those shown.
pub(super) fn pick_term(
    of: Model,
    position: u32,
    terms: &[Term],
    entrant: u32,
) -> Result<Statement, Refusal> {
    Ok(Statement::Term {
        of,
        position,
        entrant,
        term: *terms.get(entrant as usize).ok_or(Refusal::NoSuchPlace)?,
    })
}
