//! What the accused stands for, what it has shown of it, and what the challenger may pick of that.

use super::Side;
use crate::hash::Hash;
use crate::merkle::{Branch, Node, SumNode};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// One evaluation as it is doubted: its weights, its losses, a sample.
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
pub struct Exam {
    /// Which evaluation.
    pub of: Side,
    /// Root of its weights.
    pub weights: Hash,
    /// The sample.
    pub sample: u32,
}

/// Two deltas, one committed before the other.
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
pub struct Pair {
    /// Row of the one committed before.
    pub earlier: u32,
    /// Row of the other.
    pub later: u32,
    /// Whether the accused calls them similar.
    pub similar: bool,
}

/// What the accused stands for now.
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
pub enum Statement {
    /// What every row is similar to. Answer: [`super::Answer::Similar`].
    Similar,
    /// Whether two deltas are similar. Answer: [`super::Answer::Pair`].
    Pair(Pair),
    /// The product of two deltas over some chunks. Answer: [`super::Answer::Dots`], or of one chunk
    /// [`super::Answer::Dot`].
    Dots {
        /// The deltas.
        pair: Pair,
        /// Their roots, earlier and later.
        roots: [Hash; 2],
        /// First chunk.
        first: u32,
        /// Number of chunks.
        chunks: u32,
        /// The product.
        sum: i64,
    },
    /// Some rows. Answer: [`super::Answer::SumNodes`], or of one row [`super::Answer::Row`].
    Rows(Branch<u128>),
    /// The header. Answer: [`super::Answer::Header`].
    Header,
    /// Some weights of an evaluation. Answer: [`super::Answer::Nodes`], or of one tile
    /// [`super::Answer::Weights`].
    Weights {
        /// Which evaluation.
        of: Side,
        /// Where.
        branch: Branch,
    },
    /// One weight of an evaluation. Answer: [`super::Answer::Terms`].
    Weight {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Its value.
        value: i16,
    },
    /// What one delta adds to one parameter of a merge. Answer: [`super::Answer::Term`].
    Term {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Row of the delta.
        row: u32,
        /// The term.
        term: Term,
    },
    /// The loss of a sample. Answer: [`super::Answer::Sample`].
    Sample {
        /// Which evaluation and sample.
        exam: Exam,
        /// The loss, Q16 bits.
        loss: u32,
    },
    /// A part of the trace of a sample. Answer: [`super::Answer::Nodes`], or of one tile
    /// [`super::Answer::Tile`].
    Trace {
        /// Which evaluation and sample.
        exam: Exam,
        /// Root of the trace.
        trace: Hash,
        /// Where.
        branch: Branch,
    },
    /// One word of a trace. Answer: [`super::Answer::Word`].
    Word {
        /// Which evaluation and sample.
        exam: Exam,
        /// Root of the trace.
        trace: Hash,
        /// Which op.
        op: u32,
        /// Which of the op's words.
        at: u32,
        /// Its value.
        value: i32,
    },
}

/// What a delta adds to a parameter of a merge.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Term {
    /// Weight times clip times change; 0 if the delta is not part of the merge.
    pub value: i64,
    /// Its weight; 0 if it is not part of the merge.
    pub weight: u32,
}

/// What the accused has shown, of which the challenger picks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Shown {
    /// For every row what it is similar to, `u32::MAX` for nothing.
    Similar(Vec<u32>),
    /// Products of two deltas over consecutive stretches of chunks.
    Dots(Vec<i64>),
    /// Nodes of a summing tree.
    SumNodes(Vec<SumNode>),
    /// Nodes of a plain tree.
    Nodes(Vec<Node>),
    /// The two sides of a row.
    Row {
        /// Which row.
        row: u32,
        /// Roots of the weights, minus and plus.
        weights: [Hash; 2],
        /// Losses of all samples, minus and plus.
        losses: [Vec<u32>; 2],
    },
    /// The root of the weights of the merge, and the losses of the round.
    Header {
        /// Root of the weights.
        weights: Hash,
        /// Losses of all samples, base and merged.
        losses: [Vec<u32>; 2],
    },
    /// Words of a tile: weights, or words of a trace.
    Words(Vec<i32>),
    /// What every delta adds to a parameter.
    Terms(Vec<Term>),
}

/// What the challenger doubts next.
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
pub enum Pick {
    /// Number so many, from 0, of what is shown: dots, nodes, words or terms.
    Nth(u32),
    /// Of shown similarities: that of these two rows.
    Pair {
        /// Row of the one committed before.
        earlier: u32,
        /// Row of the other.
        later: u32,
    },
    /// Of a shown row or header: the loss of a sample on one side.
    Sample {
        /// Which evaluation.
        of: Side,
        /// The sample.
        sample: u32,
    },
    /// Of a shown row or header: the weights of one side.
    Weights {
        /// Which evaluation.
        of: Side,
    },
}
