//! The referee: the result of a move about the loss of a sample, down to one word of the trace that gives it. Total: no input makes
//! it panic.

use super::layout::{words, Layout};
use super::word::{Inputs, Reads, Word, Words};
use super::{Answer, Exam, Ground, Refusal, Ruling, Shown, Statement, Step, Tiles, Trial};
use crate::hash::Hash;
use crate::merkle::{root_of_span, Branch, Node};
use alloc::vec::Vec;
use core::ops::Range;

impl Trial {
    /// The accused is to answer for `statement`.
    pub fn awaiting(statement: Statement) -> Self {
        Self {
            statement,
            shown: None,
        }
    }

    fn showing(statement: Statement, shown: Shown) -> Result<Ruling, Refusal> {
        Ok(Ruling::Continues(Self {
            statement,
            shown: Some(shown),
        }))
    }

    /// The result of an answer by the accused.
    pub fn answer(&self, ground: &Ground<'_>, answer: &Answer) -> Result<Ruling, Refusal> {
        if self.shown.is_some() {
            return Err(Refusal::NotYourTurn);
        }
        let statement = self.statement;
        match statement {
            Statement::Sample {
                exam,
                loss: claimed,
            } => loss(ground, exam, claimed, answer),
            Statement::Trace { branch, .. } => trace(ground, statement, branch, answer),
            Statement::Word { .. } => word(ground, statement, answer),
        }
    }

    /// What the accused has to answer for after the challenger picks part `nth` of what is shown.
    pub fn pick(&self, ground: &Ground<'_>, nth: u32) -> Result<Self, Refusal> {
        let shown = self.shown.as_ref().ok_or(Refusal::NotYourTurn)?;
        match self.statement {
            Statement::Trace {
                exam,
                trace,
                branch,
            } => pick(ground, exam, trace, branch, shown, nth).map(Self::awaiting),
            _ => Err(Refusal::WrongMove),
        }
    }
}

/// [`Statement::Sample`].
fn loss(ground: &Ground<'_>, exam: Exam, loss: u32, answer: &Answer) -> Result<Ruling, Refusal> {
    let Answer::Sample { nodes, last } = answer else {
        return Err(Refusal::WrongMove);
    };
    let tiles = Layout::of(ground.graph).tiles();
    let branch = Branch::opened(nodes, tiles).ok_or(Refusal::WrongShape)?;
    let trace = branch.node.hash;
    let leaf = Node::leaf(&[&loss.to_le_bytes()], ());
    let place = tiles.saturating_sub(1);
    if root_of_span(tiles, place, alloc::vec![leaf], last) != Some(trace) {
        return Err(Refusal::NotTheInside);
    }
    let statement = Statement::Trace {
        exam,
        trace,
        branch,
    };
    Trial::showing(statement, Shown::Nodes(nodes.clone()))
}

/// [`Statement::Trace`], about `branch`.
fn trace(
    ground: &Ground<'_>,
    statement: Statement,
    branch: Branch,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    match answer {
        Answer::Nodes(nodes) if !branch.is_leaf() => {
            if !branch.opens_to(nodes) {
                return Err(Refusal::NotTheInside);
            }
            Trial::showing(statement, Shown::Nodes(nodes.clone()))
        }
        Answer::Tile(bytes) if branch.is_leaf() => {
            if Node::leaf(&[bytes], ()) != branch.node {
                return Err(Refusal::NotTheInside);
            }
            let place = Layout::of(ground.graph).place(branch.index);
            let place = place.ok_or(Refusal::NoSuchPlace)?;
            let shown = words(place.bytes, bytes).ok_or(Refusal::WrongShape)?;
            if shown.len() as u64 != u64::from(place.words) {
                return Err(Refusal::WrongShape);
            }
            Trial::showing(statement, Shown::Words(shown))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// [`Statement::Word`].
fn word(ground: &Ground<'_>, statement: Statement, answer: &Answer) -> Result<Ruling, Refusal> {
    let Statement::Word {
        exam,
        trace,
        op,
        at,
        value,
    } = statement
    else {
        return Err(Refusal::WrongMove);
    };
    let found = execute(ground, &exam, &trace, op, at, answer)?;
    Ok(if found == value {
        Ruling::Upheld
    } else {
        Ruling::Refuted(Step {
            of: exam.of,
            sample: exam.sample,
            op,
            at,
            claimed: value,
            found,
        })
    })
}

/// Picks one of the shown nodes, or one word of a shown tile.
fn pick(
    ground: &Ground<'_>,
    exam: Exam,
    trace: Hash,
    branch: Branch,
    shown: &Shown,
    nth: u32,
) -> Result<Statement, Refusal> {
    let nothing = Refusal::NoSuchPlace;
    match shown {
        Shown::Nodes(nodes) => Ok(Statement::Trace {
            exam,
            trace,
            branch: branch.child(nodes, nth).ok_or(nothing)?,
        }),
        Shown::Words(words) => {
            let place = Layout::of(ground.graph)
                .place(branch.index)
                .ok_or(nothing)?;
            Ok(Statement::Word {
                exam,
                trace,
                op: place.op,
                at: place.first.checked_add(nth).ok_or(nothing)?,
                value: *words.get(nth as usize).ok_or(nothing)?,
            })
        }
    }
}

/// Executes again the op that gives a word.
fn execute(
    ground: &Ground<'_>,
    exam: &Exam,
    trace: &Hash,
    op: u32,
    at: u32,
    answer: &Answer,
) -> Result<i32, Refusal> {
    let Answer::Word {
        record,
        inputs,
        before,
        weights,
        bias,
    } = answer
    else {
        return Err(Refusal::WrongMove);
    };
    let layout = Layout::of(ground.graph);
    layout.op(op).ok_or(Refusal::NoSuchPlace)?;
    let sample = match record {
        Some(record) => ground.graph.samples(ground.record(exam.sample, record)?),
        None => Vec::new(),
    };
    let reads = Reads::of(&layout, op, at, &sample).ok_or(Refusal::WrongShape)?;
    let asked = [
        reads.record,
        reads.inputs.is_some(),
        reads.before.is_some(),
        reads.weights.is_some(),
        reads.bias.is_some(),
    ];
    let given = [
        record.is_some(),
        inputs.is_some(),
        before.is_some(),
        weights.is_some(),
        bias.is_some(),
    ];
    if given != asked {
        return Err(Refusal::WrongShape);
    }
    let open_words = |read: &Option<Words>, tiles: &Option<Tiles>| match (read, tiles) {
        (Some(read), Some(tiles)) => {
            let of = layout.op(read.op).ok_or(Refusal::NoSuchPlace)?;
            layout.open(trace, of, read.range.clone(), tiles)
        }
        _ => Ok(Vec::new()),
    };
    let open_weights = |read: &Option<Range<u64>>, tiles| match read {
        Some(range) => {
            let foreign = Refusal::NotTheInside;
            ground.weights(&exam.weights, range.clone(), tiles, foreign)
        }
        None => Ok(Vec::new()),
    };
    let inputs = Inputs {
        columns: reads.columns,
        inputs: open_words(&reads.inputs, inputs)?,
        before: open_words(&reads.before, before)?,
        weights: open_weights(&reads.weights, weights)?,
        bias: open_weights(&reads.bias, bias)?,
    };
    let word = Word::of(&layout, op, at, &sample).ok_or(Refusal::NoSuchPlace)?;
    inputs.execute(&word)
}
