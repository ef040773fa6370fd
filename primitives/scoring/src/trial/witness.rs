//! One party's own computation of a round, which answers and picks by itself.
//!
//! Nothing is stored but what the round's score was made of: the parts of a trace are computed
//! when they are asked for.

use super::layout::{tile_bytes, Layout, TRACE_TILE};
use super::referee::similarity::NOTHING;
use super::trace::{each_op, Given};
use super::word::{Reads, Words};
use super::{
    stretches, Accusation, Answer, Case, Exam, Pair, Part, Pick, ProvedChunk, ProvedRecord,
    ProvedReveal, Shown, Side, Statement, Term, Tiles, Trial,
};
use crate::delta::chunks;
use crate::evaluator::{Evaluator, Samples};
use crate::hash::Hash;
use crate::hold_out::RoundSamples;
use crate::merge::{cosine_over_0_7, dot, Merge, Part as MergePart};
use crate::merkle::{Branch, SumTree, Tree};
use crate::reveals::{median_norm, reveals_tree, RevealRecord};
use crate::round::{score, Reveal, RoundScore, ScoreError};
use crate::table::{similar_tree, Opening, Row, ScoreTable, Standing};
use crate::weights::tree as weights_tree;
use crate::{Delta, Graph, MasterWeights, CHUNK, WEIGHT_TILE};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::ops::Range;
use thiserror::Error;

/// How a liar lies: for drills and tests. All that follows from the lie follows it, if nothing
/// else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Lie {
    /// A word of a trace is off.
    Word {
        /// Which evaluation.
        of: Side,
        /// Which sample.
        sample: u32,
        /// Which op.
        op: u32,
        /// Which of its words.
        at: u32,
        /// By how much; it wraps.
        by: i32,
        /// Whether the ops after it go on from it.
        carries: bool,
    },
    /// A weight of an evaluation is off: of the merge, in the new master weights too.
    Weight {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// By how much; it wraps.
        by: i16,
    },
    /// A weight is off, and so is what a delta adds to it.
    Term {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Row of the delta.
        row: u32,
        /// By how much the weight is off.
        by: i16,
    },
    /// A row is called similar to another, or to none.
    Similar {
        /// The row.
        row: u32,
        /// What it is said to be similar to.
        to: Option<u32>,
    },
}

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
    lie: Option<Lie>,
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
            lie: None,
        })
    }

    /// A liar's: everything is computed from the lie.
    pub fn lying(
        case: Case,
        base: Vec<i16>,
        samples: impl Into<RoundSamples>,
        reveals: Vec<Reveal>,
        evaluator: &mut impl Evaluator,
        lie: Lie,
    ) -> Result<Self, WitnessError> {
        let samples = samples.into();
        let records = case.graph.samples(samples.records());
        let labelled = Samples::new(case.graph.inputs, case.graph.classes(), &records);
        let labelled = labelled.map_err(|_| WitnessError::OtherCase("samples"))?;
        let (graph, rules) = (&case.graph, &case.rules);
        let score = score(
            evaluator,
            graph,
            &base,
            &labelled,
            &reveals,
            rules,
            Some(lie),
        )?;
        let witness = Self::new(case, base, samples, reveals, score)?;
        Ok(Self {
            lie: Some(lie),
            ..witness
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

    fn similar(&self) -> Vec<u32> {
        let rows = self.table().rows.iter();
        rows.map(|row| row.similar_to().unwrap_or(NOTHING))
            .collect()
    }

    fn similar_siblings(&self, row: u32) -> Vec<Hash> {
        similar_tree(self.table().rows.iter().map(Row::similar_to)).prove_span(row, 1)
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

    /// Products of two deltas by stretch.
    fn dots(&self, pair: Pair, first: u32, count: u32) -> Option<Vec<i64>> {
        let (earlier, later) = (self.delta(pair.earlier)?, self.delta(pair.later)?);
        let within = |delta: &Delta, first: u32, count: u32| {
            let (start, end) = (first * CHUNK as u32, (first + count) * CHUNK as u32);
            let inside = |entry: &&crate::Entry| (start..end).contains(&entry.position);
            delta
                .entries()
                .iter()
                .filter(inside)
                .copied()
                .collect::<Vec<_>>()
        };
        let product =
            |(first, count)| dot(&within(earlier, first, count), &within(later, first, count));
        let mut dots: Vec<i64> = stretches(first, count).map(product).collect();
        // Who lies about similarity lies about the product, in the first chunk.
        if let (Some(Lie::Similar { row, .. }), 0) = (self.lie, first) {
            if row == pair.later {
                let (a, b) = (earlier.square_norm(), later.square_norm());
                let sum = dot(earlier.entries(), later.entries());
                if cosine_over_0_7(sum, a, b) != pair.similar {
                    let wanted = if pair.similar { a.max(b) as i64 } else { 0 };
                    *dots.first_mut()? += wanted - sum;
                }
            }
        }
        Some(dots)
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

    /// Whether a row's delta is part of what `of` is a merge of.
    fn is_part(&self, of: Side, row: &Row) -> bool {
        match of {
            Side::Merged => row.standing == Standing::Admitted,
            _ => row.similar_to().is_none(),
        }
    }

    fn merge_parts(&self, of: Side) -> Vec<MergePart<'_>> {
        let rows = self.table().rows.iter().zip(&self.reveals);
        let parts = rows.filter(|(row, _)| self.is_part(of, row));
        parts.map(|(row, reveal)| merge_part(row, reveal)).collect()
    }

    /// The weights of an evaluation.
    fn weights(&self, of: Side) -> Option<Vec<i16>> {
        let c = i16::from(self.case.rules.central_difference);
        let beside = |row: u32, c: i16| {
            let merge = Merge::new(&self.base, &self.merge_parts(of));
            let (row, reveal) = (
                self.table().rows.get(row as usize)?,
                self.reveals.get(row as usize)?,
            );
            Some(merge.beside_midpoint(&merge.midpoint(), &merge_part(row, reveal), c))
        };
        let mut weights = match of {
            Side::Base => self.base.clone(),
            Side::Merged => Merge::new(&self.base, &self.merge_parts(of)).merged(),
            Side::Minus(row) => beside(row, -c)?,
            Side::Plus(row) => beside(row, c)?,
        };
        if let Some(lie) = self.lie {
            lie.about_weights(of, &mut weights);
        }
        Some(weights)
    }

    pub(super) fn weights_root(&self, of: Side) -> Option<Hash> {
        Some(tree(&self.weights(of)?).root().hash)
    }

    fn weight_tile(&self, of: Side, tile: u32) -> Option<Vec<i16>> {
        let weights = self.weights(of)?;
        weights
            .chunks(WEIGHT_TILE)
            .nth(tile as usize)
            .map(<[i16]>::to_vec)
    }

    /// What every delta adds to a parameter.
    fn terms(&self, of: Side, position: u32) -> Option<Vec<Term>> {
        let change = |delta: &Delta| {
            let at = delta
                .entries()
                .binary_search_by_key(&position, |entry| entry.position);
            at.ok()
                .and_then(|at| delta.entries().get(at))
                .map_or(0, |entry| entry.change)
        };
        let rows = self.table().rows.iter().zip(&self.reveals);
        let mut terms: Vec<Term> = rows
            .map(|(row, reveal)| {
                if !self.is_part(of, row) {
                    return Term::default();
                }
                let scale = i64::from(row.weight) * i64::from(row.clip_q16);
                Term {
                    value: scale * i64::from(change(&reveal.delta)),
                    weight: row.weight,
                }
            })
            .collect();
        if let Some(Lie::Term {
            of: lied_of,
            position: lied,
            row,
            by,
        }) = self.lie
        {
            if (lied_of, lied) == (of, position) {
                // As much as moves the weight so far.
                let weight: i64 = terms.iter().map(|term| i64::from(term.weight)).sum();
                let c = i64::from(self.case.rules.central_difference);
                let (halves, own) = match of {
                    Side::Minus(own) => (17, 1 - if own == row { c } else { 0 }),
                    Side::Plus(own) => (17, 1 + if own == row { c } else { 0 }),
                    _ => (16, 1),
                };
                // A part that is taken off whole moves no weight, whatever it is said to be.
                if let Some(moved) = (i64::from(by) * (weight << halves)).checked_div(own) {
                    terms.get_mut(row as usize)?.value += moved;
                }
            }
        }
        Some(terms)
    }

    fn part(&self, of: Side, row: u32) -> Option<Part> {
        Some(match of {
            Side::Merged => Part::Merge(
                self.table().rows.get(row as usize)?.clone(),
                self.rows_tree().prove(row)?,
            ),
            _ => Part::Midpoint(
                *self.similar().get(row as usize)?,
                self.similar_siblings(row),
            ),
        })
    }

    fn record(&self, sample: u32) -> Option<ProvedRecord> {
        let (length, hold_out) = (record_length(&self.case), &self.case.hold_out);
        Some(ProvedRecord {
            bytes: self.samples.record(length, sample)?.to_vec(),
            siblings: self.samples.siblings(hold_out, length, sample)?,
        })
    }

    /// Lets `see` what every op gave on a sample.
    fn trace(&self, exam: &Exam, see: impl FnMut(u32, &Given)) -> Option<()> {
        let record = self
            .samples
            .record(record_length(&self.case), exam.sample)?;
        let lie = self.lie.map(|lie| (lie, exam.of, exam.sample));
        let (graph, weights) = (&self.case.graph, self.weights(exam.of)?);
        let sample = graph.samples(record);
        each_op(graph, &self.layout, &weights, &sample, lie, see)
    }

    fn trace_tree(&self, exam: &Exam) -> Option<Tree> {
        let mut leaves = Vec::new();
        self.trace(exam, |_, given| leaves.extend(given.leaves()))?;
        Some(Tree::from_leaves(leaves))
    }

    /// The root of a trace, and the words of every op.
    #[cfg(test)]
    pub(super) fn trace_of(&self, exam: &Exam) -> Option<(Hash, Vec<Vec<i32>>)> {
        let mut words = Vec::new();
        self.trace(exam, |_, given| {
            words.extend(given.words(0..given.own.words))
        })?;
        Some((self.trace_tree(exam)?.root().hash, words))
    }

    fn trace_tile(&self, exam: &Exam, tile: u32) -> Option<Vec<i32>> {
        let (place, mut words) = (self.layout.place(tile)?, None);
        self.trace(exam, |op, given| {
            if op == place.op {
                words = given.words(place.first..place.first + place.words);
            }
        })?;
        words
    }

    /// The inputs of a word.
    fn word(&self, exam: &Exam, op: u32, at: u32) -> Option<Answer> {
        let record = self.record(exam.sample)?;
        let sample = self.case.graph.samples(&record.bytes);
        let reads = Reads::of(&self.layout, op, at, &sample)?;
        let all = self.weights(exam.of)?;
        // The tiles that hold what is read.
        let tiles_of = |read: &Words| {
            let own = self.layout.op(read.op)?;
            let (first, last) = (
                read.range.start / TRACE_TILE,
                read.range.end.div_ceil(TRACE_TILE),
            );
            let end = last.saturating_mul(TRACE_TILE).min(own.words);
            Some((own, first..last, first * TRACE_TILE..end))
        };
        let read = [&reads.inputs, &reads.before];
        let (mut leaves, mut bytes) = (Vec::new(), [None, None]);
        self.trace(exam, |op, given| {
            leaves.extend(given.leaves());
            for (read, bytes) in read.into_iter().zip(&mut bytes) {
                let own = read.as_ref().filter(|read| read.op == op);
                if let Some((own, _, words)) = own.and_then(tiles_of) {
                    *bytes = given
                        .words(words)
                        .map(|words| tile_bytes(own.bytes, &words));
                }
            }
        })?;
        let tree = Tree::from_leaves(leaves);
        let tiles = |read: &Words, bytes: Option<Vec<u8>>| {
            let (own, tiles, _) = tiles_of(read)?;
            Some(Tiles {
                bytes: bytes?,
                siblings: tree.prove_span(own.first_tile + tiles.start, tiles.len() as u32),
            })
        };
        let [inputs, before] = bytes;
        let weights = |range: Range<u64>| weight_tiles(&all, weight_span(range)?.0);
        // What is read is there: an answer lacks nothing that is asked for.
        Some(Answer::Word {
            record: reads.record.then_some(record),
            inputs: match &reads.inputs {
                Some(read) => Some(tiles(read, inputs)?),
                None => None,
            },
            before: match &reads.before {
                Some(read) => Some(tiles(read, before)?),
                None => None,
            },
            weights: match reads.weights {
                Some(range) => Some(weights(range)?),
                None => None,
            },
            bias: match reads.bias {
                Some(range) => Some(weights(range)?),
                None => None,
            },
        })
    }
}

/// Bytes of a sample with its label.
fn record_length(case: &Case) -> usize {
    case.graph.inputs as usize + 1
}

fn merge_part<'a>(row: &Row, reveal: &'a Reveal) -> MergePart<'a> {
    MergePart {
        delta: &reveal.delta,
        weight: row.weight,
        clip_q16: row.clip_q16,
    }
}

/// The tree of master weights.
fn tree(weights: &[i16]) -> Tree {
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|weight| weight.to_le_bytes())
        .collect();
    weights_tree(&bytes)
}

/// The tiles that hold a range of weights, and the first weight in them.
fn weight_span(range: Range<u64>) -> Option<(Range<u32>, u64)> {
    let tile = WEIGHT_TILE as u64;
    let (first, end) = (range.start / tile, range.end.div_ceil(tile));
    Some((
        u32::try_from(first).ok()?..u32::try_from(end).ok()?,
        first * tile,
    ))
}

/// Tiles of weights with their proof.
fn weight_tiles(weights: &[i16], tiles: Range<u32>) -> Option<Tiles> {
    let start = tiles.start as usize * WEIGHT_TILE;
    let end = (tiles.end as usize * WEIGHT_TILE).min(weights.len());
    let bytes = weights
        .get(start..end)?
        .iter()
        .flat_map(|weight| weight.to_le_bytes());
    Some(Tiles {
        bytes: bytes.collect(),
        siblings: tree(weights).prove_span(tiles.start, tiles.len() as u32),
    })
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

impl Lie {
    pub(crate) fn about_weights(self, lied_of: Side, weights: &mut [i16]) {
        let (Lie::Weight { of, position, by }
        | Lie::Term {
            of, position, by, ..
        }) = self
        else {
            return;
        };
        if of == lied_of {
            if let Some(weight) = weights.get_mut(position as usize) {
                *weight = weight.wrapping_add(by);
            }
        }
    }

    /// Which word of an op is off, by how much, and whether later ops go on from it.
    pub(super) fn about_word(
        self,
        lied_of: Side,
        lied_sample: u32,
        lied_op: u32,
    ) -> Option<(u32, i32, bool)> {
        match self {
            Lie::Word {
                of,
                sample,
                op,
                at,
                by,
                carries,
            } if (of, sample, op) == (lied_of, lied_sample, lied_op) => Some((at, by, carries)),
            _ => None,
        }
    }

    /// What the lie makes of the losses of an evaluation.
    pub(crate) fn about_losses(
        self,
        of: Side,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        losses: &mut [u32],
    ) {
        let Lie::Word { sample, .. } = self else {
            return;
        };
        let lied = samples
            .iter()
            .nth(sample as usize)
            .and_then(|(pixels, label)| {
                let record: Vec<u8> = pixels.iter().copied().chain([label]).collect();
                let (lie, mut loss) = (Some((self, of, sample)), None);
                let see = |_, given: &Given| loss = given.word(0);
                each_op(graph, &Layout::of(graph), weights, &record, lie, see)?;
                loss
            });
        if let (Some(loss), Some(lied)) = (losses.get_mut(sample as usize), lied) {
            *loss = lied as u32;
        }
    }
}
