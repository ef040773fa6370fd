//! One party's own computation of a round, which answers and picks by itself.
//!
//! Nothing is stored but what the round's score was made of: the parts of a trace are computed
//! when they are asked for.

mod sample;
mod similarity;
mod weights;

use super::drill::Overlay;
use super::layout::{tile_bytes, Layout};
use super::{
    Accusation, Answer, Case, Pick, ProvedChunk, ProvedReveal, Shown, Side, Statement, Trial,
};
use crate::delta::chunks;
use crate::hash::Hash;
use crate::hold_out::RoundSamples;
use crate::merkle::{Branch, SumTree};
use crate::reveals::{median_norm, reveals_tree, RevealRecord};
use crate::round::{Reveal, RoundScore, ScoreError};
use crate::table::{Opening, ScoreTable};
use crate::{Delta, MasterWeights, CHUNK};
use alloc::vec::Vec;
use thiserror::Error;
use weights::{tree, weight_span, weight_tiles};

/// Why there is no witness.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WitnessError {
    /// Weights, samples, reveals or score are not those of the case.
    #[error("the {0} are not those of the round")]
    OtherCase(&'static str),
    /// The round cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// One party's own computation of a round.
#[derive(Clone, Debug)]
pub struct Witness {
    case: Case,
    layout: Layout,
    base: Vec<i16>,
    pub(super) samples: RoundSamples,
    reveals: Vec<Reveal>,
    proofs: Vec<RevealRecord>,
    pub(super) score: RoundScore,
    /// Nothing, but for a liar in a drill.
    pub(super) overlay: Overlay,
}

impl Witness {
    /// Of a round: its base weights, its samples, its reveals in the order of commits, and the score
    /// that was computed from them.
    pub fn new(
        case: Case,
        base: Vec<i16>,
        samples: impl Into<RoundSamples>,
        reveals: Vec<Reveal>,
        score: RoundScore,
    ) -> Result<Self, WitnessError> {
        let other = |what| Err(WitnessError::OtherCase(what));
        let proofs: Vec<RevealRecord> = reveals
            .iter()
            .map(|reveal| RevealRecord::of(reveal.hash, &reveal.delta, reveal.weight))
            .collect();
        let is_base =
            MasterWeights::new(base.clone()).is_ok_and(|base| base.root() == case.base_root);
        if !is_base {
            return other("weights");
        }
        let samples = samples.into();
        if !samples.are(&case.hold_out, case.samples, record_length(&case)) {
            return other("samples");
        }
        let are_reveals = reveals_tree(&proofs).root().hash == case.reveals_root
            && median_norm(&proofs) == case.median_norm;
        if !are_reveals {
            return other("reveals");
        }
        let rows = score.table.rows.len();
        if rows != reveals.len() || score.evaluations.sides.len() != rows {
            return other("scores");
        }
        Ok(Self {
            layout: Layout::of(&case.graph),
            case,
            base,
            samples,
            reveals,
            proofs,
            score,
            overlay: Overlay::default(),
        })
    }

    /// The score of the round.
    pub fn score(&self) -> &RoundScore {
        &self.score
    }

    /// What both parties rely on.
    pub fn case(&self) -> &Case {
        &self.case
    }

    fn table(&self) -> &ScoreTable {
        &self.score.table
    }

    /// What to doubt first of another's table; none if it is the same.
    pub fn accuse(&self, theirs: &Opening) -> Option<Accusation> {
        let own = self.table().opening();
        if own == *theirs {
            None
        } else if own.header.similar_root != theirs.header.similar_root {
            Some(Accusation::Similar)
        } else if own.rows != theirs.rows {
            Some(Accusation::Rows)
        } else {
            Some(Accusation::Header)
        }
    }

    /// The accused's answer; none if there is nothing to answer, or no such thing.
    pub fn answer(&self, trial: &Trial) -> Option<Answer> {
        if trial.shown.is_some() {
            return None;
        }
        Some(match trial.statement {
            Statement::Similar => Answer::Similar(self.similar()),
            Statement::Pair(pair) => Answer::Pair {
                records: [self.reveal(pair.earlier)?, self.reveal(pair.later)?],
                dots: self.dots(pair, 0, chunks(self.parameters()))?,
            },
            Statement::Dots {
                pair,
                first,
                chunks: 1,
                ..
            } => Answer::Dot([
                self.chunk(pair.earlier, first)?,
                self.chunk(pair.later, first)?,
            ]),
            Statement::Dots {
                pair,
                first,
                chunks,
                ..
            } => Answer::Dots(self.dots(pair, first, chunks)?),
            Statement::Rows(branch) if branch.is_leaf() => self.row(branch.index)?,
            Statement::Rows(branch) => {
                let (level, first, span) = branch.inside();
                Answer::SumNodes(self.rows_tree().nodes(level, first, span))
            }
            Statement::Header => Answer::Header {
                losses: [
                    self.losses(Side::Base)?.clone(),
                    self.losses(Side::Merged)?.clone(),
                ],
                weights: self.weights_root(Side::Merged)?,
            },
            Statement::Weights { of, branch } if branch.is_leaf() => {
                Answer::Weights(self.weight_tile(of, branch.index)?)
            }
            Statement::Weights { of, branch } => {
                let (level, first, span) = branch.inside();
                Answer::Nodes(tree(&self.weights(of)?).nodes(level, first, span))
            }
            Statement::Weight { of, position, .. } => {
                let (span, _) = weight_span(position.into()..u64::from(position) + 1)?;
                Answer::Terms {
                    base: weight_tiles(&self.base, span)?,
                    terms: self.terms(of, position)?,
                }
            }
            Statement::Term {
                of, position, row, ..
            } => Answer::Term {
                part: self.part(of, row)?,
                record: self.reveal(row)?,
                chunk: self.chunk(row, position / CHUNK as u32)?,
            },
            Statement::Sample { exam, .. } => {
                let trace = self.trace_tree(&exam)?;
                let tiles = self.layout.tiles();
                let (level, first, span) = Branch::whole(trace.root(), tiles).inside();
                Answer::Sample {
                    nodes: trace.nodes(level, first, span),
                    last: trace.prove_span(tiles.checked_sub(1)?, 1),
                }
            }
            Statement::Trace { exam, branch, .. } if branch.is_leaf() => {
                let place = self.layout.place(branch.index)?;
                Answer::Tile(tile_bytes(
                    place.bytes,
                    &self.trace_tile(&exam, branch.index)?,
                ))
            }
            Statement::Trace { exam, branch, .. } => {
                let (level, first, span) = branch.inside();
                Answer::Nodes(self.trace_tree(&exam)?.nodes(level, first, span))
            }
            Statement::Word { exam, op, at, .. } => self.word(&exam, op, at)?,
        })
    }

    /// The challenger's pick: the first of what is shown that is computed differently here. None if
    /// nothing is, or if it is not the challenger's turn.
    pub fn pick(&self, trial: &Trial) -> Option<Pick> {
        match (trial.shown.as_ref()?, trial.statement) {
            (Shown::Similar(theirs), _) => {
                let own = self.similar();
                let (row, (own, theirs)) = (0..).zip(own.iter().zip(theirs)).find(differ)?;
                let earlier = (*own).min(*theirs);
                Some(Pick::Pair {
                    earlier,
                    later: row,
                })
            }
            (
                Shown::Dots(theirs),
                Statement::Dots {
                    pair,
                    first,
                    chunks,
                    ..
                },
            ) => first_other(&self.dots(pair, first, chunks)?, theirs),
            (Shown::SumNodes(theirs), Statement::Rows(branch)) => {
                let (level, first, span) = branch.inside();
                first_other(&self.rows_tree().nodes(level, first, span), theirs)
            }
            (Shown::Nodes(theirs), Statement::Weights { of, branch }) => {
                let (level, first, span) = branch.inside();
                first_other(&tree(&self.weights(of)?).nodes(level, first, span), theirs)
            }
            (Shown::Nodes(theirs), Statement::Trace { exam, branch, .. }) => {
                let (level, first, span) = branch.inside();
                first_other(&self.trace_tree(&exam)?.nodes(level, first, span), theirs)
            }
            (
                Shown::Row {
                    row,
                    weights,
                    losses,
                },
                _,
            ) => {
                let sides = [Side::Minus(*row), Side::Plus(*row)];
                self.doubt(sides.into_iter().zip(weights.map(Some)).zip(losses))
            }
            (Shown::Header { weights, losses }, _) => {
                let sides = [(Side::Base, None), (Side::Merged, Some(*weights))];
                self.doubt(sides.into_iter().zip(losses))
            }
            (Shown::Words(theirs), Statement::Weights { of, branch }) => {
                let own = self.weight_tile(of, branch.index)?;
                let own: Vec<i32> = own.into_iter().map(i32::from).collect();
                first_other(&own, theirs)
            }
            (Shown::Words(theirs), Statement::Trace { exam, branch, .. }) => {
                first_other(&self.trace_tile(&exam, branch.index)?, theirs)
            }
            (Shown::Terms(theirs), Statement::Weight { of, position, .. }) => {
                first_other(&self.terms(of, position)?, theirs)
            }
            _ => None,
        }
    }

    /// Weights before losses, for a loss is computed from them.
    fn doubt<'a>(
        &self,
        sides: impl Iterator<Item = ((Side, Option<Hash>), &'a Vec<u32>)> + Clone,
    ) -> Option<Pick> {
        for ((of, weights), _) in sides.clone() {
            if weights.is_some_and(|theirs| self.weights_root(of) != Some(theirs)) {
                return Some(Pick::Weights { of });
            }
        }
        sides.into_iter().find_map(|((of, _), theirs)| {
            let own = self.losses(of)?;
            let sample = own
                .iter()
                .zip(theirs)
                .position(|(own, theirs)| own != theirs)?;
            Some(Pick::Sample {
                of,
                sample: sample as u32,
            })
        })
    }

    fn parameters(&self) -> u32 {
        self.base.len() as u32
    }

    fn rows_tree(&self) -> SumTree {
        self.table().rows_tree()
    }

    fn reveal(&self, row: u32) -> Option<ProvedReveal> {
        Some(ProvedReveal {
            record: self.proofs.get(row as usize)?.clone(),
            siblings: reveals_tree(&self.proofs).prove_span(row, 1),
        })
    }

    fn delta(&self, row: u32) -> Option<&Delta> {
        Some(&self.reveals.get(row as usize)?.delta)
    }

    fn chunk(&self, row: u32, chunk: u32) -> Option<ProvedChunk> {
        let delta = self.delta(row)?;
        Some(ProvedChunk {
            bytes: delta.encode_chunk(chunk),
            siblings: delta.tree().prove_span(chunk, 1),
        })
    }

    fn row(&self, index: u32) -> Option<Answer> {
        let sides = self.score.evaluations.sides.get(index as usize)?;
        let weights = match sides {
            Some(_) => [
                self.weights_root(Side::Minus(index))?,
                self.weights_root(Side::Plus(index))?,
            ],
            None => Default::default(),
        };
        Some(Answer::Row {
            row: self.table().rows.get(index as usize)?.clone(),
            record: self.reveal(index)?,
            similar: self.similar_siblings(index),
            losses: sides.clone().unwrap_or_default(),
            weights,
        })
    }

    fn losses(&self, of: Side) -> Option<&Vec<u32>> {
        let evaluations = &self.score.evaluations;
        let sides = |row: u32| evaluations.sides.get(row as usize)?.as_ref();
        Some(match of {
            Side::Base => &evaluations.base,
            Side::Merged => &evaluations.merged,
            Side::Minus(row) => &sides(row)?[0],
            Side::Plus(row) => &sides(row)?[1],
        })
    }
}

/// Bytes of a sample with its label.
fn record_length(case: &Case) -> usize {
    case.graph.inputs as usize + 1
}

fn differ<T: PartialEq>((_, (own, theirs)): &(u32, (T, T))) -> bool {
    own != theirs
}

fn first_other<T: PartialEq>(own: &[T], theirs: &[T]) -> Option<Pick> {
    let other = own
        .iter()
        .zip(theirs)
        .position(|(own, theirs)| own != theirs);
    other.map(|nth| Pick::Nth(nth as u32))
}
