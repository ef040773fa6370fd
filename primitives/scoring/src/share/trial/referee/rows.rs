//! A row: what it adds to the sums, and whether it should have been dropped.

use super::super::{
    Answer, LastDropped, PartOf, ProvedRow, RoundFacts, Shown, Stage, Statement, TableSummary,
    Trial,
};
use super::{Ruling, Step};
use crate::merkle::{Branch, Node};
use crate::share::company::worst_first;
use crate::share::table::{parts_of, Row, RowSums};
use crate::trial::Refusal;
use codec::Encode;
use core::cmp::Ordering;

/// [`Statement::Rows`].
pub(super) fn nodes(
    statement: Statement,
    branch: Branch<RowSums>,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::RowNodes(nodes) = answer else {
        return Err(Refusal::WrongMove);
    };
    if !branch.opens_to(nodes) {
        return Err(Refusal::NotTheInside);
    }
    Trial::showing(statement, Shown::RowNodes(nodes.clone()))
}

/// [`Statement::Row`].
pub(super) fn row(
    facts: &RoundFacts,
    summary: &TableSummary,
    stage: Stage,
    entrant: u32,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Row { own, last } = answer else {
        return Err(Refusal::WrongMove);
    };
    let place = (stage, entrant);
    open(facts, summary, place, own)?;
    let (_, pass) = summary.pass_of(stage).ok_or(Refusal::NoSuchPlace)?;
    let is_member = pass.members.contains(entrant);
    let parts = if is_member {
        parts_of(stage, facts.samples)
    } else {
        0
    };
    let row = &own.row;
    let is_right = row.delta_hash == own.entrant.record.delta_hash
        && row.parts.len() == parts
        && is_rightly_kept(facts, summary, place, own, last)?;
    if !is_right {
        return Ok(Ruling::Refuted(Step::Row(stage, entrant)));
    }
    if row.parts.is_empty() {
        // There is nothing more to doubt about an entrant that is not a member.
        return Ok(Ruling::Upheld);
    }
    let statement = Statement::Row { stage, entrant };
    Trial::showing(statement, Shown::Parts(row.parts.to_vec()))
}

/// Whether a row is in its place, and adds what it should to the sums.
fn open(
    facts: &RoundFacts,
    summary: &TableSummary,
    (stage, entrant): (Stage, u32),
    proved: &ProvedRow,
) -> Result<(), Refusal> {
    let record = facts.entrant(entrant, &proved.entrant)?;
    let (_, pass) = summary.pass_of(stage).ok_or(Refusal::NoSuchPlace)?;
    let (_, rows) = summary.measured(stage).ok_or(Refusal::NoSuchPlace)?;
    let ProvedRow { row, proof, .. } = proved;
    let is_member = pass.members.contains(entrant);
    let sums = match stage {
        Stage::Pass(_) => row.in_pass(record, is_member, pass.median_norm, &facts.terms),
        Stage::Pay => row.in_pay(is_member),
    };
    let top = proof.climb(Node::leaf(&[&row.encode()], sums));
    let is_there = proof.index == entrant
        && proof.leaves == facts.entrants
        && top.is_some_and(|(top, _)| top == *rows);
    if is_there {
        Ok(())
    } else {
        Err(Refusal::NotTheInside)
    }
}

/// Whether a row was rightly dropped after its pass, or rightly kept. It should leave if it is bad and, in the order of leaving,
/// does not come after the last one dropped. The last one has to be bad itself.
fn is_rightly_kept(
    facts: &RoundFacts,
    summary: &TableSummary,
    (stage, entrant): (Stage, u32),
    own: &ProvedRow,
    last: &LastDropped,
) -> Result<bool, Refusal> {
    let follows = following(summary, stage);
    let Some((pass, next, place_of_last)) = follows else {
        return last.is_none().then_some(true).ok_or(Refusal::WrongShape);
    };
    let is_bad = own.row.is_bad(&own.entrant.record, &facts.terms);
    let is_dropped = pass.members.contains(entrant) && !next.members.contains(entrant);
    let is_last = place_of_last == entrant;
    let last = match (is_last, last) {
        (true, None) => own,
        (false, Some(last)) => {
            open(facts, summary, (stage, place_of_last), last)?;
            last
        }
        _ => return Err(Refusal::WrongShape),
    };
    let key = |at: u32, of: &ProvedRow| {
        let row: &Row = &of.row;
        (at as usize, row.value().sum, of.entrant.record.weight)
    };
    let order = worst_first(&key(entrant, own), &key(place_of_last, last));
    let leaves = is_bad && order != Ordering::Greater;
    Ok(is_dropped == leaves && (is_bad || !is_last))
}

type Following<'a> = (
    &'a crate::share::table::PassSummary,
    &'a crate::share::table::PassSummary,
    u32,
);

/// The pass of a stage, the pass that follows, and the last row dropped in between; none for the pay and the last pass.
fn following(summary: &TableSummary, stage: Stage) -> Option<Following<'_>> {
    let Stage::Pass(number) = stage else {
        return None;
    };
    let number = usize::from(number);
    let pass = summary.passes.get(number)?;
    let next = summary.passes.get(number.checked_add(1)?)?;
    Some((pass, next, pass.last_dropped?))
}

/// Picks one of the shown nodes.
pub(super) fn pick_node(
    stage: Stage,
    branch: Branch<RowSums>,
    nodes: &[Node<RowSums>],
    nth: u32,
) -> Result<Statement, Refusal> {
    let branch = branch.child(nodes, nth).ok_or(Refusal::NoSuchPlace)?;
    Ok(if branch.is_leaf() {
        Statement::Row {
            stage,
            entrant: branch.index,
        }
    } else {
        Statement::Rows { stage, branch }
    })
}

/// Picks one of the shown parts.
pub(super) fn pick_part(
    stage: Stage,
    entrant: u32,
    parts: &[i64],
    nth: u32,
) -> Result<Statement, Refusal> {
    Ok(Statement::Part {
        of: PartOf {
            stage,
            entrant,
            group: nth,
        },
        part: *parts.get(nth as usize).ok_or(Refusal::NoSuchPlace)?,
    })
}
