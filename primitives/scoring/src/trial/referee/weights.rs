//! The weights of an evaluation, down to what one delta adds to one of them.

use super::super::{
    Answer, Case, Part, Pick, ProvedChunk, Refusal, Ruling, Shown, Side, Statement, Step, Term,
    Tiles, Trial,
};
use super::clip_of;
use super::similarity::{check_similar, NOTHING};
use crate::delta::{chunks, Delta, Entry};
use crate::hash::Hash;
use crate::merge::moved_exactly;
use crate::merkle::{root_of_span, Branch, Node};
use crate::reveals::RevealRecord;
use crate::table::{Opening, Standing};
use crate::{CHUNK, WEIGHT_TILE};
use alloc::vec::Vec;
use codec::Encode;

/// [`Statement::Weights`].
pub(super) fn tiles(
    case: &Case,
    of: Side,
    branch: Branch,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let statement = Statement::Weights { of, branch };
    match answer {
        Answer::Nodes(nodes) if !branch.is_leaf() => {
            if !branch.opens_to(nodes) {
                return Err(Refusal::NotTheInside);
            }
            Trial::showing(statement, Shown::Nodes(nodes.clone()))
        }
        Answer::Weights(tile) if branch.is_leaf() => {
            let bytes: Vec<u8> = tile
                .iter()
                .flat_map(|weight| weight.to_le_bytes())
                .collect();
            if Node::leaf(&[&bytes], ()) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let start = u64::from(branch.index) * WEIGHT_TILE as u64;
            let expected = u64::from(case.parameters()).saturating_sub(start);
            if tile.len() as u64 != expected.min(WEIGHT_TILE as u64) {
                return Err(Refusal::WrongShape);
            }
            let shown = Shown::Words(tile.iter().map(|weight| i32::from(*weight)).collect());
            Trial::showing(statement, shown)
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// [`Statement::Weight`].
pub(super) fn weight(
    case: &Case,
    of: Side,
    position: u32,
    value: i16,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Terms { base, terms } = answer else {
        return Err(Refusal::WrongMove);
    };
    let found = merged_weight(case, of, position, base, terms)?;
    if found != value {
        return Ok(Ruling::Refuted(Step::Weight {
            of,
            position,
            claimed: value,
            found,
        }));
    }
    let statement = Statement::Weight {
        of,
        position,
        value,
    };
    Trial::showing(statement, Shown::Terms(terms.clone()))
}

/// [`Statement::Term`].
pub(super) fn term(
    case: &Case,
    opening: &Opening,
    statement: Statement,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let (
        Statement::Term {
            of,
            position,
            row,
            term,
        },
        Answer::Term {
            part,
            record,
            chunk,
        },
    ) = (statement, answer)
    else {
        return Err(Refusal::WrongMove);
    };
    let is_part = check_part(case, opening, of, row, part)?;
    let record = case.reveal(row, record)?;
    let change = change(case, &record, position, chunk)?;
    let found = if is_part {
        let scale = i64::from(record.weight) * i64::from(clip_of(case, &record));
        Term {
            value: scale.saturating_mul(change.into()),
            weight: record.weight,
        }
    } else {
        Term::default()
    };
    Ok(if found == term {
        Ruling::Upheld
    } else {
        Ruling::Refuted(Step::Term {
            of,
            position,
            row,
            claimed: term,
            found,
        })
    })
}

/// Of shown nodes one, or of a shown tile one weight.
pub(super) fn pick(
    of: Side,
    branch: Branch,
    shown: &Shown,
    pick: Pick,
) -> Result<Statement, Refusal> {
    let nothing = Refusal::NoSuchPlace;
    match (shown, pick) {
        (Shown::Nodes(nodes), Pick::Nth(nth)) => {
            let branch = branch.child(nodes, nth).ok_or(nothing)?;
            Ok(Statement::Weights { of, branch })
        }
        (Shown::Words(words), Pick::Nth(nth)) => {
            let start = branch.index.checked_mul(WEIGHT_TILE as u32);
            Ok(Statement::Weight {
                of,
                position: start
                    .and_then(|start| start.checked_add(nth))
                    .ok_or(nothing)?,
                value: *words.get(nth as usize).ok_or(nothing)? as i16,
            })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Of shown terms the one of a row.
pub(super) fn pick_term(
    of: Side,
    position: u32,
    shown: &Shown,
    pick: Pick,
) -> Result<Statement, Refusal> {
    match (shown, pick) {
        (Shown::Terms(terms), Pick::Nth(row)) => Ok(Statement::Term {
            of,
            position,
            row,
            term: *terms.get(row as usize).ok_or(Refusal::NoSuchPlace)?,
        }),
        _ => Err(Refusal::WrongMove),
    }
}

/// What the terms make of a parameter.
fn merged_weight(
    case: &Case,
    of: Side,
    position: u32,
    base: &Tiles,
    terms: &[Term],
) -> Result<i16, Refusal> {
    if terms.len() as u64 != u64::from(case.reveals) {
        return Err(Refusal::WrongShape);
    }
    let (start, foreign) = (u64::from(position), Refusal::ForeignInput);
    // A copy of a tile: the only use of it, and small.
    let tile = Some(base.clone());
    let base = case.weights(&case.base_root, start..start + 1, &tile, foreign)?;
    let base = base.first().copied().ok_or(Refusal::WrongShape)?;
    let sum: i128 = terms.iter().map(|term| i128::from(term.value)).sum();
    let weight: i128 = terms.iter().map(|term| i128::from(term.weight)).sum();
    let own = |row: u32| {
        let term = terms.get(row as usize).ok_or(Refusal::NoSuchPlace)?;
        Ok(i128::from(term.value) * i128::from(case.rules.central_difference))
    };
    let (numerator, divisor) = match of {
        Side::Base => return Err(Refusal::WrongMove),
        Side::Merged => (sum, weight << 16),
        Side::Minus(row) => (sum - own(row)?, weight << 17),
        Side::Plus(row) => (sum + own(row)?, weight << 17),
    };
    Ok(moved_exactly(base, numerator, divisor))
}

/// Whether a row's delta is part of the merge that `of` is made from.
fn check_part(
    case: &Case,
    opening: &Opening,
    of: Side,
    row: u32,
    part: &Part,
) -> Result<bool, Refusal> {
    match (of, part) {
        (Side::Minus(_) | Side::Plus(_), Part::Midpoint(to, siblings)) => {
            check_similar(case, opening, row, *to, siblings)?;
            Ok(*to == NOTHING)
        }
        (Side::Merged, Part::Merge(claimed, proof)) => {
            let is_row = proof.index == row
                && proof.leaves == case.reveals
                && proof
                    .verify(&opening.rows, &claimed.encode(), claimed.share)
                    .is_some();
            if is_row {
                Ok(claimed.standing == Standing::Admitted)
            } else {
                Err(Refusal::NotTheInside)
            }
        }
        _ => Err(Refusal::WrongShape),
    }
}

/// What a delta changes of a parameter.
fn change(
    case: &Case,
    record: &RevealRecord,
    position: u32,
    chunk: &ProvedChunk,
) -> Result<i16, Refusal> {
    let entries = entries(case, &record.delta_root, position / CHUNK as u32, chunk)?;
    let own = entries.iter().find(|entry| entry.position == position);
    Ok(own.map_or(0, |entry| entry.change))
}

/// The entries of a chunk of a delta by its root.
pub(super) fn entries(
    case: &Case,
    root: &Hash,
    chunk: u32,
    proved: &ProvedChunk,
) -> Result<Vec<Entry>, Refusal> {
    let leaf = Node::leaf(&[&proved.bytes], ());
    let leaves = chunks(case.parameters());
    if root_of_span(leaves, chunk, alloc::vec![leaf], &proved.siblings) != Some(*root) {
        return Err(Refusal::ForeignInput);
    }
    Delta::decode_chunk(&proved.bytes, chunk, case.parameters()).map_err(|_| Refusal::ForeignInput)
}
