//! One party's own computation of a gradient, which answers and picks by itself. Nothing is computed, and no trace is hashed, until
//! it is asked for.

use super::super::layout::tile_bytes;
use super::super::{ProvedRecord, Tiles};
use super::rule::{Read, Source};
use super::stages::{ParameterSums, Stages};
use super::trace::{Lie, Trace};
use super::{Answer, Pick, Shown, Statement, Trial};
use crate::evaluator::Samples;
use crate::gradient::Differentiator;
use crate::graph::Graph;
use crate::hold_out::{HoldOut, RoundSamples};
use crate::merkle::{Branch, Node, Tree};
use crate::weights::tree;
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use core::ops::Range;

/// One party's own computation of the gradient of a group of samples.
pub struct Player<'a> {
    /// The model.
    graph: &'a Graph,
    /// The master weights that the gradient is at.
    weights: &'a [i16],
    hold_out: &'a HoldOut,
    records: &'a RoundSamples,
    /// The samples of the group, by their numbers in the round.
    members: &'a [u32],
    stages: Stages,
    /// None, except for a liar in a drill.
    lie: Option<Lie>,
}

impl<'a> Player<'a> {
    /// A party's computation for the group's `members`, at these weights. None if the graph is not valid.
    pub fn new(
        graph: &'a Graph,
        weights: &'a [i16],
        hold_out: &'a HoldOut,
        records: &'a RoundSamples,
        members: &'a [u32],
    ) -> Option<Self> {
        Some(Self {
            graph,
            weights,
            hold_out,
            records,
            members,
            stages: Stages::of(graph)?,
            lie: None,
        })
    }

    /// The same as a liar, who computes everything else from the lie.
    pub fn lying(self, lie: Lie) -> Self {
        Self {
            lie: Some(lie),
            ..self
        }
    }

    /// The word of the gradient that this party defends.
    pub fn value(&self, differentiator: &mut impl Differentiator, position: u32) -> Option<i64> {
        let parts = self.samples(differentiator, position)?;
        Some(parts.iter().fold(0, |sum, part| part.saturating_add(sum)))
    }

    /// The accused's answer; none if there is nothing to answer, or no such thing. `differentiator` computes
    /// what every sample of the group adds; all else is computed as the referee does it.
    pub fn answer(
        &self,
        differentiator: &mut impl Differentiator,
        trial: &Trial,
    ) -> Option<Answer> {
        if trial.shown.is_some() {
            return None;
        }
        match trial.statement {
            Statement::Gradient { position, .. } => {
                Some(Answer::Samples(self.samples(differentiator, position)?))
            }
            Statement::Sample {
                sample, position, ..
            } => match self.stages.readers(position)[..] {
                [] => None,
                [reader] => self.sums(sample, position, reader),
                _ => Some(Answer::Readers(self.readers(sample, position)?)),
            },
            Statement::Reader {
                sample,
                position,
                reader,
                ..
            } => {
                let readers = self.stages.readers(position);
                self.sums(sample, position, readers.get(reader as usize)?)
            }
            Statement::Trace { sample, branch, .. } if branch.is_leaf() => {
                let (bytes, words) = self.tile(sample, branch.index)?;
                Some(Answer::Tile(tile_bytes(bytes, &words)))
            }
            Statement::Trace { sample, branch, .. } => {
                Some(Answer::Nodes(self.nodes(sample, &branch)?))
            }
            Statement::Word {
                sample, stage, at, ..
            } => self.word(sample, stage, at),
        }
    }

    /// The challenger's pick: the first shown part that is computed differently here. None if there is none, or if it is not the
    /// challenger's turn.
    pub fn pick(&self, differentiator: &mut impl Differentiator, trial: &Trial) -> Option<Pick> {
        match (trial.shown.as_ref()?, trial.statement) {
            (Shown::Contributions(theirs), Statement::Gradient { position, .. }) => {
                first_other(&self.samples(differentiator, position)?, theirs)
            }
            (
                Shown::Contributions(theirs),
                Statement::Sample {
                    sample, position, ..
                },
            ) => first_other(&self.readers(sample, position)?, theirs),
            (Shown::Nodes(theirs), Statement::Trace { sample, branch, .. }) => {
                first_other(&self.nodes(sample, &branch)?, theirs)
            }
            (Shown::Words(theirs), Statement::Trace { sample, branch, .. }) => {
                first_other(&self.tile(sample, branch.index)?.1, theirs)
            }
            _ => None,
        }
    }

    /// Bytes of a sample with its label.
    fn record_length(&self) -> usize {
        self.graph.inputs as usize + 1
    }

    /// A sample with its label, as the machine takes it.
    fn sample(&self, sample: u32) -> Option<Vec<u8>> {
        let record = self.records.record(self.record_length(), sample)?;
        Some(self.graph.samples(record))
    }

    /// The trace of a sample.
    pub(super) fn trace(&self, sample: u32) -> Option<Trace> {
        let lie = self.lie.filter(|lie| lie.sample == sample);
        let record = self.sample(sample)?;
        Trace::of(self.graph, &self.stages, self.weights, &record, lie)
    }

    /// What every sample of the group adds to a parameter's gradient.
    fn samples(&self, differentiator: &mut impl Differentiator, position: u32) -> Option<Vec<i64>> {
        let records: Option<Vec<Vec<u8>>> = self
            .members
            .iter()
            .map(|sample| self.sample(*sample))
            .collect();
        let (graph, records) = (self.graph, records?.concat());
        let samples = Samples::new(graph.inputs, graph.classes(), &records).ok()?;
        let groups: Vec<Range<usize>> = (0..self.members.len()).map(|at| at..at + 1).collect();
        let mut parts = Vec::with_capacity(groups.len());
        let see = &mut |_, gradient: &[i64]| parts.push(gradient.get(position as usize).copied());
        differentiator
            .gradients(graph, self.weights, &samples, &groups, see)
            .ok()?;
        let mut parts = parts.into_iter().collect::<Option<Vec<i64>>>()?;
        if let Some(lie) = self.lie {
            let lied = self.members.iter().position(|sample| *sample == lie.sample);
            if let Some(part) = lied.and_then(|lied| parts.get_mut(lied)) {
                let readers = self.readers(lie.sample, position)?;
                *part = readers.iter().fold(0, |sum, part| part.saturating_add(sum));
            }
        }
        Some(parts)
    }

    /// What every op that reads a parameter adds on a sample.
    fn readers(&self, sample: u32, position: u32) -> Option<Vec<i64>> {
        let trace = self.trace(sample)?;
        let readers = self.stages.readers(position).into_iter();
        readers
            .map(|reader| trace.contribution(&self.stages, reader, position))
            .collect()
    }

    /// The top of a trace, and the words that determine what an op adds.
    fn sums(&self, sample: u32, position: u32, reader: &ParameterSums) -> Option<Answer> {
        let (trace, stages) = (self.trace(sample)?, &self.stages);
        let tree = trace.tree(stages);
        let (level, first, span) = Branch::whole(tree.root(), stages.tiles()).inside();
        Some(Answer::Sums {
            nodes: tree.nodes(level, first, span),
            sum: trace.tiles(stages, &tree, &reader.read(position)?)?,
            exponent: match reader.sums.exponent.read() {
                Some(read) => Some(trace.tiles(stages, &tree, &read)?),
                None => None,
            },
        })
    }

    /// The inside of a branch of a trace.
    fn nodes(&self, sample: u32, branch: &Branch) -> Option<Vec<Node>> {
        let (level, first, span) = branch.inside();
        let tree = self.trace(sample)?.tree(&self.stages);
        Some(tree.nodes(level, first, span))
    }

    /// Bytes of a word, and the words of a tile.
    fn tile(&self, sample: u32, tile: u32) -> Option<(u32, Vec<i32>)> {
        let place = self.stages.tile(tile)?;
        let end = place.first.checked_add(place.words.into())?;
        let trace = self.trace(sample)?;
        let words = trace.words(place.stage, place.first..end)?;
        Some((place.bytes, words.to_vec()))
    }

    /// What a word is made of.
    fn word(&self, sample: u32, stage: u32, at: u64) -> Option<Answer> {
        let trace = self.trace(sample)?;
        let tree = trace.tree(&self.stages);
        self.word_of(&trace, &tree, sample, stage, at)
    }

    /// What a word of a trace with this tree is made of.
    pub(super) fn word_of(
        &self,
        trace: &Trace,
        tree: &Tree,
        sample: u32,
        stage: u32,
        at: u64,
    ) -> Option<Answer> {
        let (length, record) = (self.record_length(), self.sample(sample)?);
        let reads = self.stages.reads(stage, at, &record)?;
        let is_read = reads.iter().any(|read| read.from == Source::Record);
        let record = match is_read {
            true => Some(ProvedRecord {
                bytes: self.records.record(length, sample)?.to_vec(),
                siblings: self.records.siblings(self.hold_out, length, sample)?,
            }),
            false => None,
        };
        let inputs = reads.iter().filter(|read| read.from != Source::Record);
        let inputs = inputs.map(|read| match read.from {
            Source::Weights => self.weight_tiles(read),
            _ => trace.tiles(&self.stages, tree, read),
        });
        Some(Answer::Word {
            record,
            inputs: inputs.collect::<Option<_>>()?,
        })
    }

    /// The tiles of the weights that contain what is read.
    fn weight_tiles(&self, read: &Read) -> Option<Tiles> {
        let tile = WEIGHT_TILE as u64;
        let (first, end) = (read.range.start / tile, read.range.end.div_ceil(tile));
        let of = |weights: &[i16]| -> Vec<u8> {
            let bytes = weights.iter().flat_map(|weight| weight.to_le_bytes());
            bytes.collect()
        };
        let start = usize::try_from(first * tile).ok()?;
        let last = usize::try_from(end * tile).ok()?.min(self.weights.len());
        Some(Tiles {
            bytes: of(self.weights.get(start..last)?),
            siblings: tree(&of(self.weights)).prove_span(
                u32::try_from(first).ok()?,
                u32::try_from(end.checked_sub(first)?).ok()?,
            ),
        })
    }
}

fn first_other<T: PartialEq>(own: &[T], theirs: &[T]) -> Option<Pick> {
    let mut pairs = own.iter().zip(theirs);
    let other = pairs.position(|(own, theirs)| own != theirs)?;
    Some(Pick(u32::try_from(other).ok()?))
}
