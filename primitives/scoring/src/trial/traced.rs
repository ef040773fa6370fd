//! The trace of one sample as a party computes it, and what the party shows and doubts of it.

use super::layout::{tile_bytes, Layout, TRACE_TILE};
use super::trace::{each_op, Given, Misstated};
use super::weight_tiles::{weight_span, weight_tiles};
use super::word::{Reads, Words};
use super::{Answer, Ground, ProvedRecord, Shown, Statement, Tiles};
use crate::hold_out::RoundSamples;
use crate::merkle::{Branch, Tree};
use alloc::vec::Vec;
use core::ops::Range;

/// One sample under some weights.
pub(crate) struct TracedSample<'a> {
    /// The model and where the samples come from.
    pub ground: Ground<'a>,
    /// Where the words of its trace are.
    pub layout: &'a Layout,
    /// The round's samples.
    pub held: &'a RoundSamples,
    /// Which of them.
    pub sample: u32,
    /// The master weights.
    pub weights: Vec<i16>,
    /// None, except for a liar in a drill.
    pub misstated: Option<Misstated>,
}

impl TracedSample<'_> {
    fn record(&self) -> Option<ProvedRecord> {
        let (length, hold_out) = (self.ground.record_length(), self.ground.hold_out);
        Some(ProvedRecord {
            bytes: self.held.record(length, self.sample)?.to_vec(),
            siblings: self.held.siblings(hold_out, length, self.sample)?,
        })
    }

    /// Lets `see` what every op gave.
    pub fn each(&self, see: impl FnMut(u32, &Given)) -> Option<()> {
        let record = self.held.record(self.ground.record_length(), self.sample)?;
        let graph = self.ground.graph;
        let sample = graph.samples(record);
        each_op(
            graph,
            self.layout,
            &self.weights,
            &sample,
            self.misstated,
            see,
        )
    }

    pub fn tree(&self) -> Option<Tree> {
        let mut leaves = Vec::new();
        self.each(|_, given| leaves.extend(given.leaves()))?;
        Some(Tree::from_leaves(leaves))
    }

    fn tile(&self, tile: u32) -> Option<Vec<i32>> {
        let (place, mut words) = (self.layout.place(tile)?, None);
        self.each(|op, given| {
            if op == place.op {
                words = given.words(place.first..place.first.saturating_add(place.words));
            }
        })?;
        words
    }

    /// What is shown of a statement about the sample's loss; none if there is no such place.
    pub fn answer(&self, statement: &Statement) -> Option<Answer> {
        Some(match statement {
            Statement::Sample { .. } => {
                let trace = self.tree()?;
                let tiles = self.layout.tiles();
                let (level, first, span) = Branch::whole(trace.root(), tiles).inside();
                Answer::Sample {
                    nodes: trace.nodes(level, first, span),
                    last: trace.prove_span(tiles.checked_sub(1)?, 1),
                }
            }
            Statement::Trace { branch, .. } if branch.is_leaf() => {
                let place = self.layout.place(branch.index)?;
                Answer::Tile(tile_bytes(place.bytes, &self.tile(branch.index)?))
            }
            Statement::Trace { branch, .. } => {
                let (level, first, span) = branch.inside();
                Answer::Nodes(self.tree()?.nodes(level, first, span))
            }
            Statement::Word { op, at, .. } => self.word(*op, *at)?,
        })
    }

    /// The first part of the trace, as another party shows it, that is computed differently here.
    pub fn pick(&self, statement: &Statement, shown: &Shown) -> Option<u32> {
        match (shown, statement) {
            (Shown::Nodes(theirs), Statement::Trace { branch, .. }) => {
                let (level, first, span) = branch.inside();
                first_other(&self.tree()?.nodes(level, first, span), theirs)
            }
            (Shown::Words(theirs), Statement::Trace { branch, .. }) => {
                first_other(&self.tile(branch.index)?, theirs)
            }
            _ => None,
        }
    }

    /// The inputs of a word.
    fn word(&self, op: u32, at: u32) -> Option<Answer> {
        let record = self.record()?;
        let sample = self.ground.graph.samples(&record.bytes);
        let reads = Reads::of(self.layout, op, at, &sample)?;
        // The tiles that contain what is read.
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
        self.each(|op, given| {
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
        let weights = |range: Range<u64>| weight_tiles(&self.weights, weight_span(range)?.0);
        // Everything that is read is present: an answer lacks nothing that is asked for.
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

fn first_other<T: PartialEq>(own: &[T], theirs: &[T]) -> Option<u32> {
    let mut both = own.iter().zip(theirs);
    let nth = both.position(|(own, theirs)| own != theirs)?;
    u32::try_from(nth).ok()
}
