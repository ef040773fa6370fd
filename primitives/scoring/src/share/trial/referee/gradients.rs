//! The gradients of a stage, down to one word.

use super::super::{
    Answer, GradientWord, RoundFacts, Shown, Stage, Statement, TableSummary, Trial,
};
use super::products::gradient_tiles;
use super::{inside, Ruling};
use crate::hash::Hash;
use crate::merkle::{Branch, Node};
use crate::share::table::{gradient_bytes, parts_of, roots_tree, GRADIENT_TILE};
use crate::trial::Refusal;

/// [`Statement::Gradients`].
pub(super) fn roots(
    facts: &RoundFacts,
    summary: &TableSummary,
    stage: Stage,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Roots(roots) = answer else {
        return Err(Refusal::WrongMove);
    };
    if roots.len() != parts_of(stage, facts.samples) {
        return Err(Refusal::WrongShape);
    }
    let (gradients, _) = summary.measured(stage).ok_or(Refusal::NoSuchPlace)?;
    if roots_tree(roots).root().hash != *gradients {
        return Err(Refusal::NotTheInside);
    }
    Trial::showing(Statement::Gradients(stage), Shown::Roots(roots.clone()))
}

/// [`Statement::GradientTiles`].
pub(super) fn tiles(
    facts: &RoundFacts,
    statement: Statement,
    branch: Branch,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    match answer {
        Answer::Nodes(nodes) => inside(statement, branch, nodes),
        Answer::Gradient(words) if branch.is_leaf() => {
            if Node::leaf(&[&gradient_bytes(words)], ()) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let start = u64::from(branch.index) * GRADIENT_TILE as u64;
            let expected = u64::from(facts.parameters()).saturating_sub(start);
            if words.len() as u64 != expected.min(GRADIENT_TILE as u64) {
                return Err(Refusal::WrongShape);
            }
            Trial::showing(statement, Shown::Gradient(words.clone()))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Of shown roots one.
pub(super) fn pick_group(
    facts: &RoundFacts,
    stage: Stage,
    roots: &[Hash],
    group: u32,
) -> Result<Statement, Refusal> {
    let hash = *roots.get(group as usize).ok_or(Refusal::NoSuchPlace)?;
    let leaves = gradient_tiles(facts.parameters());
    Ok(Statement::GradientTiles {
        stage,
        group,
        branch: Branch::whole(Node { hash, sum: () }, leaves),
    })
}

/// Of shown nodes one, or of a shown tile one word.
pub(super) fn pick(
    summary: &TableSummary,
    statement: Statement,
    shown: &Shown,
    nth: u32,
) -> Result<Statement, Refusal> {
    let Statement::GradientTiles {
        stage,
        group,
        branch,
    } = statement
    else {
        return Err(Refusal::WrongMove);
    };
    let nothing = Refusal::NoSuchPlace;
    match shown {
        Shown::Nodes(nodes) => Ok(Statement::GradientTiles {
            stage,
            group,
            branch: branch.child(nodes, nth).ok_or(nothing)?,
        }),
        Shown::Gradient(words) => {
            let start = branch.index.checked_mul(GRADIENT_TILE as u32);
            let (_, pass) = summary.pass_of(stage).ok_or(nothing)?;
            Ok(Statement::Gradient(GradientWord {
                stage,
                group,
                weights: pass.midpoint,
                position: start
                    .and_then(|start| start.checked_add(nth))
                    .ok_or(nothing)?,
                value: *words.get(nth as usize).ok_or(nothing)?,
            }))
        }
        _ => Err(Refusal::WrongMove),
    }
}
