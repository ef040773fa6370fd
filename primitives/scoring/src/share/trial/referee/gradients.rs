//! The gradients of a stage, down to one word.

use super::super::{Answer, RoundFacts, Shown, Stage, Statement, TableSummary, Trial};
use super::products::gradient_tiles;
use super::{inside, Ruling, Step};
use crate::hash::Hash;
use crate::merkle::{Branch, Node};
use crate::share::table::{gradient_bytes, parts_of, roots_tree, GRADIENT_TILE};
use crate::trial::{backward, Refusal};

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
        Answer::GradientTile(words) if branch.is_leaf() => {
            if Node::leaf(&[&gradient_bytes(words)], ()) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let start = u64::from(branch.index) * GRADIENT_TILE as u64;
            let expected = u64::from(facts.parameters()).saturating_sub(start);
            if words.len() as u64 != expected.min(GRADIENT_TILE as u64) {
                return Err(Refusal::WrongShape);
            }
            Trial::showing(statement, Shown::GradientTile(words.clone()))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Picks one of the shown roots.
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

/// Picks one of the shown nodes, or one word of a shown tile.
pub(super) fn pick(statement: Statement, shown: &Shown, nth: u32) -> Result<Statement, Refusal> {
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
        Shown::GradientTile(words) => {
            let start = branch.index.checked_mul(GRADIENT_TILE as u32);
            let position = start.and_then(|start| start.checked_add(nth));
            Ok(Statement::Gradient {
                stage,
                group,
                word: backward::Statement::Gradient {
                    group,
                    position: position.ok_or(nothing)?,
                    value: *words.get(nth as usize).ok_or(nothing)?,
                },
            })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// A word of a stage's group, or what it is made of.
type WordOf = (Stage, u32, backward::Statement);

/// [`Statement::Gradient`].
pub(super) fn word(
    facts: &RoundFacts,
    summary: &TableSummary,
    (stage, group, word): WordOf,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Gradient(answer) = answer else {
        return Err(Refusal::WrongMove);
    };
    let members = facts.group(stage, group).ok_or(Refusal::NoSuchPlace)?;
    let ground = ground(facts, summary, stage, &members)?;
    let ruling = backward::Trial::awaiting(word).answer(&ground, answer)?;
    Ok(match ruling {
        backward::Ruling::Continues(next) => Ruling::Continues(Trial {
            statement: Statement::Gradient {
                stage,
                group,
                word: next.statement,
            },
            shown: next.shown.map(Shown::Gradient),
        }),
        backward::Ruling::Upheld => Ruling::Upheld,
        backward::Ruling::Refuted(step) => Ruling::Refuted(Step::Gradient { stage, group, step }),
    })
}

/// Picks a part of what is shown of a word.
pub(super) fn pick_of_word(
    facts: &RoundFacts,
    summary: &TableSummary,
    (stage, group, word): WordOf,
    shown: &backward::Shown,
    nth: u32,
) -> Result<Statement, Refusal> {
    let members = facts.group(stage, group).ok_or(Refusal::NoSuchPlace)?;
    let ground = ground(facts, summary, stage, &members)?;
    let trial = backward::Trial {
        statement: word,
        shown: Some(shown.clone()),
    };
    let next = trial.pick(&ground, &backward::Pick(nth))?;
    Ok(Statement::Gradient {
        stage,
        group,
        word: next.statement,
    })
}

/// What a group's gradient is computed from: the midpoint of the stage's pass.
fn ground<'a>(
    facts: &'a RoundFacts,
    summary: &TableSummary,
    stage: Stage,
    members: &'a [u32],
) -> Result<backward::Ground<'a>, Refusal> {
    let (_, pass) = summary.pass_of(stage).ok_or(Refusal::NoSuchPlace)?;
    Ok(backward::Ground {
        graph: &facts.graph,
        weights: pass.midpoint,
        hold_out: &facts.hold_out,
        samples: facts.samples,
        members,
    })
}
