//! The referee: the result of a move. Total: no input makes it panic. There is a file for each thing that is disputed, and in it a
//! function for each statement.

mod chunks;
mod gradients;
mod losses;
pub(super) mod products;
mod rows;
mod weights;

use super::{
    Accusation, Answer, Model, PartOf, Pick, ProvedEntrant, RoundFacts, Shown, Stage, Statement,
    TableSummary, Trial,
};
use crate::hash::Hash;
use crate::merkle::{root_of_span, Branch, Node};
use crate::share::halves::Half;
use crate::share::record::EntrantRecord;
use crate::trial::{self, backward, Refusal, Term};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The step at which a table is wrong.
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
pub enum Step {
    /// A row is wrong: its delta, the number of its parts, or whether it was dropped.
    Row(Stage, u32),
    /// A part of a value does not follow from its product.
    Part(PartOf),
    /// The product over one tile is wrong.
    Product {
        /// What it is part of.
        of: PartOf,
        /// The tile.
        tile: u32,
        /// The claimed value.
        claimed: i128,
        /// The right value.
        found: i128,
    },
    /// A parameter of a merge does not follow from its terms.
    Weight {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// The claimed value.
        claimed: i16,
        /// The right value.
        found: i16,
    },
    /// What a delta adds to a parameter is wrong.
    Term {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// Which entrant.
        entrant: u32,
        /// The claimed value.
        claimed: Term,
        /// The right value.
        found: Term,
    },
    /// The standard error of the losses on a half is wrong.
    Losses(Half),
    /// A word of an op's backward pass, or what a sample adds to a gradient, is wrong.
    Gradient {
        /// Which stage.
        stage: Stage,
        /// Which group.
        group: u32,
        /// The step.
        step: backward::Step,
    },
    /// A word of an op's forward pass on a sample is wrong.
    Loss(trial::Step),
}

/// The result of an answer. Nearly always the largest variant, and moved once.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Ruling {
    /// It is the challenger's turn.
    Continues(Trial),
    /// The step is right: the challenger is wrong.
    Upheld,
    /// The step is wrong: the accused is.
    Refuted(Step),
}

impl RoundFacts {
    /// The record of an entrant, which has to be the chain's.
    fn entrant<'a>(
        &self,
        entrant: u32,
        proved: &'a ProvedEntrant,
    ) -> Result<&'a EntrantRecord, Refusal> {
        let leaf = Node::leaf(&[&proved.record.encode()], ());
        match root_of_span(self.entrants, entrant, alloc::vec![leaf], &proved.siblings) {
            Some(root) if root == self.entrants_root => Ok(&proved.record),
            _ => Err(Refusal::ForeignInput),
        }
    }
}

impl Trial {
    /// Opens a trial about the table of `summary`, which the facts have to [allow](RoundFacts::allow).
    pub fn open(
        facts: &RoundFacts,
        summary: &TableSummary,
        accusation: Accusation,
    ) -> Result<Self, Refusal> {
        let nothing = Refusal::NoSuchPlace;
        let statement = match accusation {
            Accusation::Rows(stage) => {
                let (_, rows) = summary.measured(stage).ok_or(nothing)?;
                let branch = Branch::whole(*rows, facts.entrants);
                Statement::Rows { stage, branch }
            }
            Accusation::Row(stage, entrant) => {
                summary.measured(stage).ok_or(nothing)?;
                if entrant >= facts.entrants {
                    return Err(nothing);
                }
                Statement::Row { stage, entrant }
            }
            Accusation::Gradients(stage) => {
                summary.measured(stage).ok_or(nothing)?;
                Statement::Gradients(stage)
            }
            Accusation::Weights(of) => {
                let hash = weights::root(summary, of).ok_or(nothing)?;
                let node = Node { hash, sum: () };
                let branch = Branch::whole(node, facts.ground().weight_tiles());
                Statement::Weights { of, branch }
            }
            Accusation::Losses(half) => {
                summary.fall(half).ok_or(nothing)?;
                Statement::Losses(half)
            }
        };
        Ok(Self::awaiting(statement))
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

    /// The result of an answer by the accused, who defends `summary`.
    pub fn answer(
        &self,
        facts: &RoundFacts,
        summary: &TableSummary,
        answer: &Answer,
    ) -> Result<Ruling, Refusal> {
        if self.shown.is_some() {
            return Err(Refusal::NotYourTurn);
        }
        let statement = self.statement;
        match statement {
            Statement::Rows { branch, .. } => rows::nodes(statement, branch, answer),
            Statement::Row { stage, entrant } => rows::row(facts, summary, stage, entrant, answer),
            Statement::Part { of, part } => products::part(facts, summary, of, part, answer),
            Statement::Products { .. } => products::products(facts, statement, answer),
            Statement::Gradients(stage) => gradients::roots(facts, summary, stage, answer),
            Statement::GradientTiles { branch, .. } => {
                gradients::tiles(facts, statement, branch, answer)
            }
            Statement::Gradient { stage, group, word } => {
                gradients::word(facts, summary, (stage, group, word), answer)
            }
            Statement::Weights { of, branch } => weights::tiles(facts, of, branch, answer),
            Statement::Weight {
                of,
                position,
                value,
            } => weights::weight(facts, summary, (of, position, value), answer),
            Statement::Term {
                of,
                position,
                entrant,
                term,
            } => weights::term(facts, summary, (of, position, entrant, term), answer),
            Statement::Losses(half) => losses::losses(facts, summary, half, answer),
            Statement::Loss(statement) => losses::loss(facts, statement, answer),
        }
    }

    /// What the accused has to answer for after the challenger's pick.
    pub fn pick(
        &self,
        facts: &RoundFacts,
        summary: &TableSummary,
        pick: &Pick,
    ) -> Result<Self, Refusal> {
        let shown = self.shown.as_ref().ok_or(Refusal::NotYourTurn)?;
        let nth = match pick {
            Pick::Nth(nth) => Some(*nth),
            Pick::Sample { .. } => None,
        };
        let nth = || nth.ok_or(Refusal::WrongMove);
        let statement = match (self.statement, shown) {
            (Statement::Rows { stage, branch }, Shown::RowNodes(nodes)) => {
                rows::pick_node(stage, branch, nodes, nth()?)
            }
            (Statement::Row { stage, entrant }, Shown::Parts(parts)) => {
                rows::pick_part(stage, entrant, parts, nth()?)
            }
            (Statement::Products { .. }, Shown::Products(products)) => {
                products::pick(self.statement, products, nth()?)
            }
            (Statement::Gradients(stage), Shown::Roots(roots)) => {
                gradients::pick_group(facts, stage, roots, nth()?)
            }
            (Statement::GradientTiles { .. }, shown) => {
                gradients::pick(self.statement, shown, nth()?)
            }
            (Statement::Gradient { stage, group, word }, Shown::Gradient(shown)) => {
                gradients::pick_of_word(facts, summary, (stage, group, word), shown, nth()?)
            }
            (Statement::Weights { of, branch }, shown) => weights::pick(of, branch, shown, nth()?),
            (Statement::Weight { of, position, .. }, Shown::Terms(terms)) => {
                weights::pick_term(of, position, terms, nth()?)
            }
            (Statement::Losses(half), Shown::Losses(both)) => {
                losses::pick_sample(facts, summary, half, both, *pick)
            }
            (Statement::Loss(statement), Shown::Loss(shown)) => {
                losses::pick(facts, statement, shown, nth()?)
            }
            _ => Err(Refusal::WrongMove),
        };
        statement.map(Self::awaiting)
    }
}

/// Shows `nodes` if they are the inside of `branch`.
fn inside(statement: Statement, branch: Branch, nodes: &[Node]) -> Result<Ruling, Refusal> {
    if branch.is_leaf() {
        return Err(Refusal::WrongMove);
    }
    if !branch.opens_to(nodes) {
        return Err(Refusal::NotTheInside);
    }
    Trial::showing(statement, Shown::Nodes(nodes.to_vec()))
}

/// Whether `leaf` is leaf `place` of `leaves` under `root`.
fn check_leaf(
    root: &Hash,
    leaves: u32,
    place: u32,
    leaf: &[u8],
    siblings: &[Hash],
) -> Result<(), Refusal> {
    let leaf = Node::leaf(&[leaf], ());
    match root_of_span(leaves, place, alloc::vec![leaf], siblings) {
        Some(found) if found == *root => Ok(()),
        _ => Err(Refusal::NotTheInside),
    }
}
