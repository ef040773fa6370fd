//! The referee: what comes of a move. Total: no input makes it panic. A file for each thing that is
//! disputed, and in it a function for each statement.

mod header;
mod rows;
mod sample;
pub(super) mod similarity;
mod weights;

use super::layout::{words, Span};
use super::{
    Accusation, Answer, Case, Exam, Pick, ProvedRecord, ProvedReveal, Refusal, Ruling, Shown, Side,
    Statement, Tiles, Trial,
};
use crate::hash::Hash;
use crate::merge::clip;
use crate::merkle::{root_of_span, Branch, Node, SumNode};
use crate::reveals::RevealRecord;
use crate::table::{losses_node, Opening};
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use codec::Encode;
use core::ops::Range;

impl Case {
    fn parameters(&self) -> u32 {
        self.graph.parameters() as u32
    }

    /// Leaves of a tree of master weights.
    pub(super) fn weight_tiles(&self) -> u32 {
        self.parameters().div_ceil(WEIGHT_TILE as u32)
    }

    /// The record of `row`, which has to be the chain's.
    fn reveal(&self, row: u32, proved: &ProvedReveal) -> Result<RevealRecord, Refusal> {
        let leaf = Node::leaf(&[&proved.record.encode()], ());
        match root_of_span(self.reveals, row, alloc::vec![leaf], &proved.siblings) {
            Some(root) if root == self.reveals_root => Ok(proved.record.clone()),
            _ => Err(Refusal::ForeignInput),
        }
    }

    /// The bytes of a sample, which has to be the round's.
    fn record<'a>(&self, sample: u32, proved: &'a ProvedRecord) -> Result<&'a [u8], Refusal> {
        let ProvedRecord { bytes, siblings } = proved;
        match self.hold_out.holds(sample, self.samples, bytes, siblings) {
            true => Ok(bytes),
            false => Err(Refusal::ForeignInput),
        }
    }

    /// Weights `range` of a tree of master weights.
    fn weights(
        &self,
        root: &Hash,
        range: Range<u64>,
        tiles: &Option<Tiles>,
        else_refused: Refusal,
    ) -> Result<Vec<i16>, Refusal> {
        let tiles = tiles.as_ref().ok_or(Refusal::WrongShape)?;
        let span = Span::of(range, self.parameters().into(), WEIGHT_TILE as u32)?;
        span.verify(
            tiles,
            2,
            self.weight_tiles(),
            span.first,
            root,
            else_refused,
        )?;
        let values = words(2, &tiles.bytes).ok_or(Refusal::WrongShape)?;
        let within = values.get(span.within).ok_or(Refusal::WrongShape)?;
        Ok(within.iter().map(|value| *value as i16).collect())
    }
}

impl Trial {
    /// Opens a trial about the table of `opening`.
    pub fn open(opening: &Opening, case: &Case, accusation: Accusation) -> Self {
        Self::awaiting(match accusation {
            Accusation::Similar => Statement::Similar,
            Accusation::Rows => Statement::Rows(Branch::whole(opening.rows, case.reveals)),
            Accusation::Header => Statement::Header,
        })
    }

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

    /// What comes of an answer of the accused, who stands for `opening`.
    pub fn answer(
        &self,
        case: &Case,
        opening: &Opening,
        answer: &Answer,
    ) -> Result<Ruling, Refusal> {
        if self.shown.is_some() {
            return Err(Refusal::NotYourTurn);
        }
        let statement = self.statement;
        match statement {
            Statement::Similar => similarity::all(case, opening, answer),
            Statement::Pair(pair) => similarity::pair(case, pair, answer),
            Statement::Dots { .. } => similarity::dots(case, statement, answer),
            Statement::Rows(branch) => rows::rows(case, opening, branch, answer),
            Statement::Header => header::header(case, opening, answer),
            Statement::Weights { of, branch } => weights::tiles(case, of, branch, answer),
            Statement::Weight {
                of,
                position,
                value,
            } => weights::weight(case, of, position, value, answer),
            Statement::Term { .. } => weights::term(case, opening, statement, answer),
            Statement::Sample { exam, loss } => sample::loss(case, exam, loss, answer),
            Statement::Trace { branch, .. } => sample::trace(case, statement, branch, answer),
            Statement::Word { .. } => sample::word(case, statement, answer),
        }
    }

    /// What the accused has to answer for after a pick of the challenger.
    pub fn pick(&self, case: &Case, pick: &Pick) -> Result<Self, Refusal> {
        let shown = self.shown.as_ref().ok_or(Refusal::NotYourTurn)?;
        let statement = match self.statement {
            Statement::Similar => similarity::pick_pair(shown, *pick),
            Statement::Dots { .. } => similarity::pick_stretch(self.statement, shown, *pick),
            Statement::Rows(branch) => rows::pick(case, branch, shown, *pick),
            Statement::Header => pick_side(case, shown, *pick),
            Statement::Weights { of, branch } => weights::pick(of, branch, shown, *pick),
            Statement::Weight { of, position, .. } => {
                weights::pick_term(of, position, shown, *pick)
            }
            Statement::Trace {
                exam,
                trace,
                branch,
            } => sample::pick(case, exam, trace, branch, shown, *pick),
            // None of these is shown: an answer decides it, or is shown as something else.
            Statement::Pair(_)
            | Statement::Term { .. }
            | Statement::Sample { .. }
            | Statement::Word { .. } => Err(Refusal::WrongMove),
        };
        statement.map(Self::awaiting)
    }
}

/// Doubts one side of a row or of the header: the weights of it, or the loss of a sample.
fn pick_side(case: &Case, shown: &Shown, pick: Pick) -> Result<Statement, Refusal> {
    let nothing = Refusal::NoSuchPlace;
    match pick {
        Pick::Sample { of, sample } => {
            let (weights, losses) = side(case, shown, of).ok_or(nothing)?;
            let exam = Exam {
                of,
                weights,
                sample,
            };
            Ok(Statement::Sample {
                exam,
                loss: *losses.get(sample as usize).ok_or(nothing)?,
            })
        }
        Pick::Weights { of } => {
            let (hash, _) = side(case, shown, of).ok_or(nothing)?;
            if of == Side::Base {
                return Err(nothing);
            }
            let branch = Branch::whole(Node { hash, sum: () }, case.weight_tiles());
            Ok(Statement::Weights { of, branch })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// The root of the weights and the losses of a side that was shown.
fn side<'a>(case: &Case, shown: &'a Shown, of: Side) -> Option<(Hash, &'a Vec<u32>)> {
    match (shown, of) {
        (
            Shown::Row {
                row,
                weights,
                losses,
            },
            Side::Minus(own),
        ) if own == *row => Some((weights[0], &losses[0])),
        (
            Shown::Row {
                row,
                weights,
                losses,
            },
            Side::Plus(own),
        ) if own == *row => Some((weights[1], &losses[1])),
        (Shown::Header { losses, .. }, Side::Base) => Some((case.base_root, &losses[0])),
        (Shown::Header { weights, losses }, Side::Merged) => Some((*weights, &losses[1])),
        _ => None,
    }
}

fn clip_of(case: &Case, record: &RevealRecord) -> u32 {
    clip(case.median_norm, record.norm())
}

fn check_losses(case: &Case, losses: &[u32], root: &SumNode) -> Result<(), Refusal> {
    if losses.len() as u64 != u64::from(case.samples) {
        return Err(Refusal::WrongShape);
    }
    if losses_node(losses) == *root {
        Ok(())
    } else {
        Err(Refusal::NotTheInside)
    }
}
