//! The rows of a table.

use super::super::{Answer, Case, Pick, Refusal, Ruling, Shown, Statement, Step, Trial};
use super::similarity::{check_similar, NOTHING};
use super::{check_losses, clip_of, pick_side};
use crate::hash::Hash;
use crate::merkle::{Branch, Node, SumNode};
use crate::reveals::RevealRecord;
use crate::round::{passes, Paired};
use crate::table::{Opening, Row, Standing};
use alloc::vec::Vec;
use codec::Encode;

/// [`Statement::Rows`].
pub(super) fn rows(
    case: &Case,
    opening: &Opening,
    branch: Branch<u128>,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    match answer {
        Answer::SumNodes(nodes) if !branch.is_leaf() => {
            if !branch.opens_to(nodes) {
                return Err(Refusal::NotTheInside);
            }
            Trial::showing(Statement::Rows(branch), Shown::SumNodes(nodes.clone()))
        }
        Answer::Row {
            row,
            record,
            similar,
            losses,
            weights,
        } if branch.is_leaf() => {
            if Node::leaf(&[&row.encode()], u128::from(row.share)) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let index = branch.index;
            if row.similar_to().is_some() && *weights != <[Hash; 2]>::default() {
                return Err(Refusal::WrongShape);
            }
            let record = case.reveal(index, record)?;
            let to = row.similar_to().unwrap_or(NOTHING);
            check_similar(case, opening, index, to, similar)?;
            if !row_holds(case, row, &record, losses)? {
                return Ok(Ruling::Refuted(Step::Row { row: index }));
            }
            if row.similar_to().is_some() {
                // Nothing else of it can be doubted: that it is similar is another trial.
                return Ok(Ruling::Upheld);
            }
            let shown = Shown::Row {
                row: index,
                weights: *weights,
                losses: losses.clone(),
            };
            Trial::showing(Statement::Rows(branch), shown)
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Of shown nodes one, or of a shown row one side.
pub(super) fn pick(
    case: &Case,
    branch: Branch<u128>,
    shown: &Shown,
    pick: Pick,
) -> Result<Statement, Refusal> {
    match (shown, pick) {
        (Shown::SumNodes(nodes), Pick::Nth(nth)) => {
            let child = branch.child(nodes, nth).ok_or(Refusal::NoSuchPlace)?;
            Ok(Statement::Rows(child))
        }
        (Shown::Row { .. }, _) => pick_side(case, shown, pick),
        _ => Err(Refusal::WrongMove),
    }
}

/// Whether a row is what its losses make of it.
fn row_holds(
    case: &Case,
    row: &Row,
    record: &RevealRecord,
    losses: &[Vec<u32>; 2],
) -> Result<bool, Refusal> {
    let inputs_hold = row.delta_hash == record.delta_hash
        && row.weight == record.weight
        && row.clip_q16 == clip_of(case, record);
    if row.similar_to().is_some() {
        if losses.iter().any(|losses| !losses.is_empty()) {
            return Err(Refusal::WrongShape);
        }
        let zero = SumNode::default();
        return Ok(inputs_hold
            && (row.phi, row.standard_error, row.share) == (0, 0, 0)
            && (row.minus, row.plus) == (zero, zero));
    }
    let [minus, plus] = losses;
    check_losses(case, minus, &row.minus)?;
    check_losses(case, plus, &row.plus)?;
    let phi = Paired::fall(minus, plus).over(case.rules.central_difference);
    let standing = if passes(phi.sum, phi.standard_error, case.rules.admit_floor_q8) {
        Standing::Admitted
    } else {
        Standing::BelowFloor
    };
    Ok(inputs_hold
        && row.phi == phi.sum
        && row.standard_error == phi.standard_error
        && row.standing == standing
        && row.share == row.admitted_phi())
}
