//! All words of a sample's trace, as they are computed: each by the referee's rule.

use super::super::layout::{tile_bytes, words};
use super::super::trace::{each_op, Misstated};
use super::super::{Tiles, TRACE_TILE};
use super::rule::{Read, Source};
use super::stages::{ParameterSums, Stages};
use crate::gradient::contribution;
use crate::graph::Graph;
use crate::merkle::{Node, Tree};
use alloc::vec::Vec;
use core::ops::Range;

/// A word of a trace that a liar in a drill misstates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// Number of the sample in the round.
    pub sample: u32,
    /// Which stage: the ops of the forward pass are the first of them.
    pub stage: u32,
    /// Which of its words.
    pub at: u64,
    /// By how much it is off; it wraps.
    pub by: i32,
    /// Whether everything made of it follows from the lie.
    pub carries: bool,
}

/// Most things that a word is made of.
const MOST_READS: usize = 4;

/// The words of a sample's trace.
pub(super) struct Trace {
    /// The words of every stage, those of the forward pass first.
    words: Vec<Vec<i32>>,
    weights: Vec<i32>,
    record: Vec<i32>,
}

impl Trace {
    /// The trace of a record with its label, as the machine takes it. None if the record or the weights do not fit the graph.
    pub fn of(
        graph: &Graph,
        stages: &Stages,
        weights: &[i16],
        record: &[u8],
        lie: Option<Lie>,
    ) -> Option<Self> {
        let carried = lie.filter(|lie| lie.carries);
        let misstated = carried.and_then(|lie| {
            Some(Misstated {
                op: lie.stage,
                at: u32::try_from(lie.at).ok()?,
                by: lie.by,
                carries: true,
            })
        });
        let mut forward = Vec::new();
        each_op(
            graph,
            stages.forward(),
            weights,
            record,
            misstated,
            |_, given| forward.push(given.words(0..given.own.words)),
        )?;
        let mut trace = Self {
            words: forward.into_iter().collect::<Option<_>>()?,
            weights: weights.iter().copied().map(i32::from).collect(),
            record: record.iter().copied().map(i32::from).collect(),
        };
        let first = trace.words.len() as u32;
        for stage in first..stages.count() {
            let own = carried.filter(|lie| lie.stage == stage);
            trace.add(stages, stage, stage.checked_sub(first)?, own)?;
        }
        if let Some(lie) = lie.filter(|lie| !lie.carries) {
            let bytes = stages.place(lie.stage)?.bytes;
            let word = trace.words.get_mut(lie.stage as usize)?;
            let word = word.get_mut(usize::try_from(lie.at).ok()?)?;
            *word = lied(bytes, *word, lie.by)?;
        }
        Some(trace)
    }

    /// Adds the words of the next stage, which is number `own` of the backward pass.
    fn add(&mut self, stages: &Stages, stage: u32, own: u32, lie: Option<Lie>) -> Option<()> {
        let (place, rule) = (stages.place(stage)?, stages.rule(own)?);
        let mut words = Vec::with_capacity(usize::try_from(place.words).ok()?);
        for at in 0..place.words {
            let reads = rule.reads(at)?;
            let mut inputs: [&[i32]; MOST_READS] = [&[]; MOST_READS];
            for (read, input) in reads.iter().zip(&mut inputs) {
                *input = match read.from {
                    Source::Stage(stage) if stage == own => words_of(&words, &read.range)?,
                    _ => self.read(stages, read)?,
                };
            }
            let word = rule.execute(at, inputs.get(..reads.len())?)?;
            words.push(match lie {
                Some(lie) if lie.at == at => lied(place.bytes, word, lie.by)?,
                _ => word,
            });
        }
        self.words.push(words);
        Some(())
    }

    /// What is read.
    pub fn read(&self, stages: &Stages, read: &Read) -> Option<&[i32]> {
        match read.from {
            Source::Forward(_) | Source::Stage(_) => {
                let number = stages.number(read.from)? as usize;
                words_of(self.words.get(number)?, &read.range)
            }
            Source::Weights => words_of(&self.weights, &read.range),
            Source::Record => Some(&self.record),
        }
    }

    /// Words of a stage.
    pub fn words(&self, stage: u32, range: Range<u64>) -> Option<&[i32]> {
        words_of(self.words.get(stage as usize)?, &range)
    }

    /// The tree of its tiles.
    pub fn tree(&self, stages: &Stages) -> Tree {
        let mut leaves: Vec<Node> = Vec::new();
        for (stage, words) in (0..).zip(&self.words) {
            let bytes = stages.place(stage).map_or(4, |place| place.bytes);
            let tiles = words.chunks(TRACE_TILE as usize);
            let tiles = Tree::of(tiles.map(|tile| tile_bytes(bytes, tile)));
            leaves.extend(tiles.into_leaves());
        }
        Tree::from_leaves(leaves)
    }

    /// The tiles that contain what is read of the trace; `tree` is the trace's tree.
    pub fn tiles(&self, stages: &Stages, tree: &Tree, read: &Read) -> Option<Tiles> {
        let place = stages.place_of(read.from)?;
        let tile = u64::from(TRACE_TILE);
        let (first, end) = (read.range.start / tile, read.range.end.div_ceil(tile));
        let words = first * tile..(end * tile).min(place.words);
        let words = self.words(stages.number(read.from)?, words)?;
        let count = u32::try_from(end.checked_sub(first)?).ok()?;
        let first = place.first_tile.checked_add(u32::try_from(first).ok()?)?;
        Some(Tiles {
            bytes: tile_bytes(place.bytes, words),
            siblings: tree.prove_span(first, count),
        })
    }

    /// What an op adds to the gradient of a parameter.
    pub fn contribution(
        &self,
        stages: &Stages,
        sums: &ParameterSums,
        position: u32,
    ) -> Option<i64> {
        let sum = self.read(stages, &sums.read(position)?)?;
        let exponent = match sums.sums.exponent.read() {
            Some(read) => Some(*self.read(stages, &read)?.first()?),
            None => None,
        };
        let exponent = sums.sums.exponent.value(exponent);
        Some(contribution(*sum.first()?, exponent))
    }
}

impl ParameterSums {
    /// The word that is the sum of a parameter.
    pub fn read(&self, position: u32) -> Option<Read> {
        let value = u64::from(position).checked_sub(self.first)?;
        self.sums.read(value)
    }
}

/// A word that is off by `by`, cut to `bytes` bytes.
fn lied(bytes: u32, word: i32, by: i32) -> Option<i32> {
    let word = tile_bytes(bytes, &[word.wrapping_add(by)]);
    words(bytes, &word)?.first().copied()
}

fn words_of<'a>(words: &'a [i32], range: &Range<u64>) -> Option<&'a [i32]> {
    let (start, end) = (
        usize::try_from(range.start).ok()?,
        usize::try_from(range.end).ok()?,
    );
    words.get(start..end)
}
