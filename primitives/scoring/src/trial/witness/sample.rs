//! The trace of a sample, and what its words are made of.

use super::super::layout::{tile_bytes, TRACE_TILE};
use super::super::trace::{each_op, Given};
use super::super::word::{Reads, Words};
use super::super::{Answer, Exam, ProvedRecord, Tiles};
use super::weights::{weight_span, weight_tiles};
use super::{record_length, Witness};
#[cfg(test)]
use crate::hash::Hash;
use crate::merkle::Tree;
use alloc::vec::Vec;
use core::ops::Range;

impl Witness {
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
        let misstated = self.overlay.word(exam.of, exam.sample);
        let (graph, weights) = (&self.case.graph, self.weights(exam.of)?);
        let sample = graph.samples(record);
        each_op(graph, &self.layout, &weights, &sample, misstated, see)
    }

    pub(super) fn trace_tree(&self, exam: &Exam) -> Option<Tree> {
        let mut leaves = Vec::new();
        self.trace(exam, |_, given| leaves.extend(given.leaves()))?;
        Some(Tree::from_leaves(leaves))
    }

    /// The root of a trace, and the words of every op.
    #[cfg(test)]
    pub(in crate::trial) fn trace_of(&self, exam: &Exam) -> Option<(Hash, Vec<Vec<i32>>)> {
        let mut words = Vec::new();
        self.trace(exam, |_, given| {
            words.extend(given.words(0..given.own.words))
        })?;
        Some((self.trace_tree(exam)?.root().hash, words))
    }

    pub(super) fn trace_tile(&self, exam: &Exam, tile: u32) -> Option<Vec<i32>> {
        let (place, mut words) = (self.layout.place(tile)?, None);
        self.trace(exam, |op, given| {
            if op == place.op {
                words = given.words(place.first..place.first + place.words);
            }
        })?;
        words
    }

    /// The inputs of a word.
    pub(super) fn word(&self, exam: &Exam, op: u32, at: u32) -> Option<Answer> {
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
