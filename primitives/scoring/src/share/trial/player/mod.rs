//! One party's own computation of a round, which accuses, answers and picks by itself.
//!
//! Weights, gradients and traces are computed when they are asked for. Nothing is kept but the table, what it was made
//! from, and the last gradient.

mod measure;

use super::{
    Accusation, Answer, Model, Pick, ProvedEntrant, ProvedRow, RoundFacts, Shown, Stage, Statement,
    TableSummary, Trial,
};
use crate::evaluator::Samples;
use crate::gradient::Differentiator;
use crate::hold_out::RoundSamples;
use crate::merkle::{Branch, Node, Tree};
use crate::share::company::worst_first;
use crate::share::halves::Half;
use crate::share::record::entrants_tree;
use crate::share::table::{
    gradient_tree, roots_tree, PassSummary, RowSums, ShareTable, TablePass, GRADIENT_TILE,
};
use crate::trial::weight_tiles::{tree, weight_span, weight_tiles};
use crate::trial::{Layout, ProvedChunk, Side};
use crate::{Delta, MasterWeights, CHUNK};
use alloc::sync::Arc;
use alloc::vec::Vec;
use measure::Overlay;
use thiserror::Error;

/// Why there is no player.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlayerError {
    /// Weights, samples, entrants or table are not those of the round.
    #[error("the {0} are not those of the round")]
    OtherRound(&'static str),
}

/// One party's own computation of a round.
#[derive(Clone, Debug)]
pub struct Player {
    facts: RoundFacts,
    layout: Layout,
    base: Vec<i16>,
    held: RoundSamples,
    samples: Samples,
    deltas: Vec<Arc<Delta>>,
    pub(super) table: ShareTable,
    pub(super) summary: TableSummary,
    /// Empty, except for a liar in a drill.
    pub(super) overlay: Overlay,
    /// The gradient that was computed last: the answers of a dispute are mostly about the same.
    last_gradient: Option<(Stage, u32, Arc<[i64]>)>,
}

impl Player {
    /// Takes the round's base weights, its samples, its deltas in the order of commits, and the table that was computed from them.
    /// Deltas may be shared with the code that computed it: all of a round's together are large.
    pub fn new(
        facts: RoundFacts,
        base: Vec<i16>,
        held: impl Into<RoundSamples>,
        deltas: impl IntoIterator<Item = impl Into<Arc<Delta>>>,
        table: ShareTable,
    ) -> Result<Self, PlayerError> {
        let deltas: Vec<Arc<Delta>> = deltas.into_iter().map(Into::into).collect();
        let other = |what| Err(PlayerError::OtherRound(what));
        let is_base =
            MasterWeights::new(base.clone()).is_ok_and(|base| base.root() == facts.base_root);
        if !is_base {
            return other("weights");
        }
        let (held, ground) = (held.into(), facts.ground());
        let is_held = held.are(&facts.hold_out, facts.samples, ground.record_length());
        let records = facts.graph.samples(held.records());
        let samples = Samples::new(facts.graph.inputs, facts.graph.classes(), &records);
        let (true, Ok(samples)) = (is_held, samples) else {
            return other("samples");
        };
        let entrants = facts.entrants as usize;
        let are_entrants = table.records.len() == entrants
            && deltas.len() == entrants
            && entrants_tree(&table.records).root().hash == facts.entrants_root;
        if !are_entrants {
            return other("entrants");
        }
        Ok(Self {
            layout: Layout::of(&facts.graph),
            facts,
            base,
            held,
            samples,
            deltas,
            summary: table.summary(),
            table,
            overlay: Overlay::default(),
            last_gradient: None,
        })
    }

    /// The facts of the round.
    pub fn facts(&self) -> &RoundFacts {
        &self.facts
    }

    /// The table that it defends.
    pub fn table(&self) -> &ShareTable {
        &self.table
    }

    /// The summary that it defends: that of its table.
    pub fn summary(&self) -> &TableSummary {
        &self.summary
    }

    /// What to doubt first of another's table; none if it is the same. The facts have to
    /// [allow](RoundFacts::allow) it.
    pub fn accuse(&self, theirs: &TableSummary) -> Option<Accusation> {
        let own = &self.summary;
        let passes = own.passes.iter().zip(theirs.passes.iter());
        for (number, (ours, pass)) in (0u8..).zip(passes) {
            let stage = Stage::Pass(number);
            if ours.median_norm != pass.median_norm {
                return Some(Accusation::Rows(stage));
            }
            if ours.midpoint != pass.midpoint {
                return Some(Accusation::Weights(Model::Midpoint(number)));
            }
            if ours.gradients != pass.gradients {
                return Some(Accusation::Gradients(stage));
            }
            if ours.rows != pass.rows {
                return Some(Accusation::Rows(stage));
            }
            let after = usize::from(number).saturating_add(1);
            let members = |of: &TableSummary| of.passes.get(after).map(|next| next.members.clone());
            if ours.last_dropped != pass.last_dropped || members(own) != members(theirs) {
                let row = self.wrongly_kept(number, pass, theirs.passes.get(after)?)?;
                return Some(Accusation::Row(stage, row));
            }
        }
        let (ours, merge) = (own.merge.as_ref()?, theirs.merge.as_ref()?);
        if ours.weights != merge.weights {
            return Some(Accusation::Weights(Model::Merged));
        }
        if ours.on_a != merge.on_a {
            return Some(Accusation::Losses(Half::A));
        }
        let (ours, pay) = (ours.pay.as_ref()?, merge.pay.as_ref()?);
        if ours.on_b != pay.on_b {
            return Some(Accusation::Losses(Half::B));
        }
        if ours.gradients != pay.gradients {
            return Some(Accusation::Gradients(Stage::Pay));
        }
        (ours.rows != pay.rows).then_some(Accusation::Rows(Stage::Pay))
    }

    /// A row that shows that the wrong entrants were dropped after a pass whose rows are right: one that contradicts the last one
    /// dropped, or that one itself.
    fn wrongly_kept(&self, number: u8, theirs: &PassSummary, next: &PassSummary) -> Option<u32> {
        let pass = self.table.passes.get(usize::from(number))?;
        let last = theirs.last_dropped?;
        let key = |entrant: u32| {
            let (row, record) = (
                pass.rows.get(entrant as usize)?,
                self.table.records.get(entrant as usize)?,
            );
            Some((entrant as usize, row.value().sum, record.weight))
        };
        let last_key = key(last)?;
        let contradicts = |entrant: &u32| {
            let (row, record) = (
                pass.rows.get(*entrant as usize)?,
                self.table.records.get(*entrant as usize)?,
            );
            let order = worst_first(&key(*entrant)?, &last_key);
            let leaves = row.is_bad(record, &self.table.terms) && order.is_le();
            let left = theirs.members.contains(*entrant) && !next.members.contains(*entrant);
            Some(leaves != left)
        };
        let mut entrants = 0..self.facts.entrants;
        Some(
            entrants
                .find(|entrant| contradicts(entrant) == Some(true))
                .unwrap_or(last),
        )
    }

    /// The accused's answer; none if there is nothing to answer, or no such thing.
    pub fn answer(&mut self, evaluator: &mut impl Differentiator, trial: &Trial) -> Option<Answer> {
        if trial.shown.is_some() {
            return None;
        }
        Some(match trial.statement {
            Statement::Rows { stage, branch } => {
                Answer::RowNodes(nodes(&self.table.rows_tree(stage)?, &branch))
            }
            Statement::Row { stage, entrant } => Answer::Row {
                own: self.row(stage, entrant)?,
                last: match self.last_dropped(stage) {
                    Some(last) if last != entrant => Some(self.row(stage, last)?),
                    _ => None,
                },
            },
            Statement::Part { of, .. } => {
                let products = self.all_products(evaluator, of)?;
                let (_, roots) = self.table.measured(of.stage)?;
                Answer::Part {
                    entrant: self.entrant(of.entrant)?,
                    gradient: *roots.get(of.group as usize)?,
                    siblings: roots_tree(roots).prove_span(of.group, 1),
                    products,
                }
            }
            Statement::Products {
                of,
                first,
                tiles: 1,
                ..
            } => {
                let words = self.gradient(evaluator, of.stage, of.group)?;
                let start = first.checked_mul(GRADIENT_TILE as u32)?;
                Answer::Product {
                    chunk: self.chunk(of.entrant, start / CHUNK as u32)?,
                    siblings: gradient_tree(&words).prove_span(first, 1),
                    words: words.chunks(GRADIENT_TILE).nth(first as usize)?.to_vec(),
                }
            }
            Statement::Products {
                of, first, tiles, ..
            } => Answer::Products(self.products(evaluator, of, first, tiles)?),
            Statement::Gradients(stage) => Answer::Roots(self.table.measured(stage)?.1.to_vec()),
            Statement::GradientTiles {
                stage,
                group,
                branch,
            } => {
                let words = self.gradient(evaluator, stage, group)?;
                if branch.is_leaf() {
                    let mut tiles = words.chunks(GRADIENT_TILE);
                    Answer::GradientTile(tiles.nth(branch.index as usize)?.to_vec())
                } else {
                    Answer::Nodes(nodes(&gradient_tree(&words), &branch))
                }
            }
            Statement::Gradient { stage, group, word } => {
                Answer::Gradient(self.answer_of_word(evaluator, stage, group, word)?)
            }
            Statement::Weights { of, branch } if branch.is_leaf() => {
                Answer::Weights(self.weight_tile(of, branch.index)?)
            }
            Statement::Weights { of, branch } => {
                Answer::Nodes(nodes(&tree(&self.weights(of)?), &branch))
            }
            Statement::Weight { of, position, .. } => {
                let start = u64::from(position);
                let (span, _) = weight_span(start..start.checked_add(1)?)?;
                Answer::Terms {
                    base: weight_tiles(&self.base, span)?,
                    terms: self.terms(of, position)?,
                }
            }
            Statement::Term {
                position, entrant, ..
            } => Answer::Term {
                entrant: self.entrant(entrant)?,
                chunk: self.chunk(entrant, position / CHUNK as u32)?,
            },
            Statement::Losses(half) => Answer::Losses(self.table.losses(half)?.clone()),
            Statement::Loss(statement) => {
                Answer::Loss(self.traced_of(&statement)?.answer(&statement)?)
            }
        })
    }

    /// The challenger's pick: the first shown part that is computed differently here. None if there is none, or if it is not the
    /// challenger's turn. `theirs` is what the accused defends.
    pub fn pick(
        &mut self,
        evaluator: &mut impl Differentiator,
        theirs: &TableSummary,
        trial: &Trial,
    ) -> Option<Pick> {
        match (trial.shown.as_ref()?, trial.statement) {
            (Shown::RowNodes(shown), Statement::Rows { stage, branch }) => {
                self.pick_rows(theirs, stage, &branch, shown)
            }
            (Shown::Parts(shown), Statement::Row { stage, entrant }) => {
                let (rows, _) = self.table.measured(stage)?;
                first_other(&rows.get(entrant as usize)?.parts, shown)
            }
            (
                Shown::Products(shown),
                Statement::Products {
                    of, first, tiles, ..
                },
            ) => first_other(&self.products(evaluator, of, first, tiles)?, shown),
            (Shown::Roots(shown), Statement::Gradients(stage)) => {
                first_other(self.table.measured(stage)?.1, shown)
            }
            (
                shown,
                Statement::GradientTiles {
                    stage,
                    group,
                    branch,
                },
            ) => {
                let words = self.gradient(evaluator, stage, group)?;
                match shown {
                    Shown::Nodes(shown) => {
                        first_other(&nodes(&gradient_tree(&words), &branch), shown)
                    }
                    Shown::GradientTile(shown) => {
                        let mut tiles = words.chunks(GRADIENT_TILE);
                        first_other(tiles.nth(branch.index as usize)?, shown)
                    }
                    _ => None,
                }
            }
            (Shown::Nodes(shown), Statement::Weights { of, branch }) => {
                first_other(&nodes(&tree(&self.weights(of)?), &branch), shown)
            }
            (Shown::Weights(shown), Statement::Weights { of, branch }) => {
                first_other(&self.weight_tile(of, branch.index)?, shown)
            }
            (Shown::Terms(shown), Statement::Weight { of, position, .. }) => {
                first_other(&self.terms(of, position)?, shown)
            }
            (Shown::Losses(shown), Statement::Losses(half)) => {
                let sides = [Side::Base, Side::Merged].into_iter();
                let mut both = sides.zip(self.table.losses(half)?.iter().zip(shown));
                both.find_map(|(of, (own, theirs))| {
                    let nth = own
                        .iter()
                        .zip(theirs)
                        .position(|(own, theirs)| own != theirs)?;
                    Some(Pick::Sample {
                        of,
                        nth: nth as u32,
                    })
                })
            }
            (Shown::Gradient(shown), Statement::Gradient { stage, group, word }) => {
                self.pick_of_word(evaluator, (stage, group), word, shown)
            }
            (Shown::Loss(shown), Statement::Loss(statement)) => {
                let nth = self.traced_of(&statement)?.pick(&statement, shown)?;
                Some(Pick::Nth(nth))
            }
            _ => None,
        }
    }

    /// The first of the shown rows that differ. The first whose sums of weights differ takes precedence: every value depends on the
    /// total weight and on the median that the sums prove, so if one of those is false, the values of any row may differ and still
    /// follow from it. These sums are compared with those that the same rows have for the accused's median; if that median differs,
    /// nothing else is compared.
    fn pick_rows(
        &self,
        theirs: &TableSummary,
        stage: Stage,
        branch: &Branch<RowSums>,
        shown: &[Node<RowSums>],
    ) -> Option<Pick> {
        let own = nodes(&self.table.rows_tree(stage)?, branch);
        let Stage::Pass(number) = stage else {
            return first_other(&own, shown);
        };
        let (pass, theirs) = (
            self.table.passes.get(usize::from(number))?,
            theirs.passes.get(usize::from(number))?,
        );
        let about_theirs = ShareTable {
            passes: alloc::vec![TablePass {
                median_norm: theirs.median_norm,
                ..pass.clone()
            }],
            ..self.table.clone()
        };
        let expected = nodes(&about_theirs.rows_tree(Stage::Pass(0))?, branch);
        let weights = |nodes: &[Node<RowSums>]| -> Vec<[u64; 3]> {
            let sums = nodes.iter().map(|node| node.sum);
            sums.map(|sum| [sum.weight, sum.below, sum.upto]).collect()
        };
        let by_weight = first_other(&weights(&expected), &weights(shown));
        match by_weight {
            None if pass.median_norm == theirs.median_norm => first_other(&own, shown),
            by_weight => by_weight,
        }
    }

    fn row(&self, stage: Stage, entrant: u32) -> Option<ProvedRow> {
        let (rows, _) = self.table.measured(stage)?;
        Some(ProvedRow {
            row: rows.get(entrant as usize)?.clone(),
            proof: self.table.rows_tree(stage)?.prove(entrant)?,
            entrant: self.entrant(entrant)?,
        })
    }

    /// The last one that was dropped after a stage's pass.
    fn last_dropped(&self, stage: Stage) -> Option<u32> {
        match stage {
            Stage::Pass(number) => self.table.passes.get(usize::from(number))?.last_dropped,
            Stage::Pay => None,
        }
    }

    fn entrant(&self, entrant: u32) -> Option<ProvedEntrant> {
        Some(ProvedEntrant {
            record: self.table.records.get(entrant as usize)?.clone(),
            siblings: entrants_tree(&self.table.records).prove_span(entrant, 1),
        })
    }

    fn chunk(&self, entrant: u32, chunk: u32) -> Option<ProvedChunk> {
        let delta = self.deltas.get(entrant as usize)?;
        Some(ProvedChunk {
            bytes: delta.encode_chunk(chunk),
            siblings: delta.tree().prove_span(chunk, 1),
        })
    }
}

/// What is to be shown of a branch.
fn nodes<C: crate::merkle::Carry>(tree: &Tree<C>, branch: &Branch<C>) -> Vec<Node<C>> {
    let (level, first, span) = branch.inside();
    tree.nodes(level, first, span)
}

fn first_other<T: PartialEq>(own: &[T], theirs: &[T]) -> Option<Pick> {
    let mut both = own.iter().zip(theirs);
    let nth = both.position(|(own, theirs)| own != theirs)?;
    Some(Pick::Nth(nth as u32))
}
