//! What the accused shows.

use super::Term;
use crate::hash::Hash;
use crate::merkle::{Node, SumNode, SumProof};
use crate::reveals::RevealRecord;
use crate::table::Row;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// A record of the shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedRecord {
    /// Inputs and label.
    pub bytes: Vec<u8>,
    /// Its siblings under the shard's root.
    pub siblings: Vec<Hash>,
}

/// A reveal's record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedReveal {
    /// The record.
    pub record: RevealRecord,
    /// Its siblings under the reveals' root.
    pub siblings: Vec<Hash>,
}

/// A chunk of a delta.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedChunk {
    /// [`crate::Delta::encode_chunk`].
    pub bytes: Vec<u8>,
    /// Its siblings under the delta's root.
    pub siblings: Vec<Hash>,
}

/// Consecutive tiles: of weights, or of one op's words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Tiles {
    /// Their bytes, one after another.
    pub bytes: Vec<u8>,
    /// Siblings of the span ([`crate::merkle::root_of_span`]).
    pub siblings: Vec<Hash>,
}

/// Whether a delta is part of a merge: for a midpoint unless it is similar, for the merge of the
/// admitted if its row says so.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Part {
    /// Of a midpoint: what the row is similar to, `u32::MAX` for nothing, and the siblings under the
    /// header's root of similarities.
    Midpoint(u32, Vec<Hash>),
    /// Of the merge: the row under the root of the rows.
    Merge(Row, SumProof),
}

/// What the accused shows in answer to a [`super::Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Answer {
    /// For every row what it is similar to, `u32::MAX` for nothing.
    Similar(Vec<u32>),
    /// Both deltas' records, and their products over consecutive stretches of chunks.
    Pair {
        /// Records, earlier and later.
        records: [ProvedReveal; 2],
        /// Products by stretch: [`super::stretches`] of all chunks.
        dots: Vec<i64>,
    },
    /// Products by stretch.
    Dots(Vec<i64>),
    /// One chunk of both deltas, earlier and later.
    Dot([ProvedChunk; 2]),
    /// Nodes of the rows' tree.
    SumNodes(Vec<SumNode>),
    /// Nodes of a plain tree.
    Nodes(Vec<Node>),
    /// A row and what it was made of.
    Row {
        /// The row.
        row: Row,
        /// The delta's record.
        record: ProvedReveal,
        /// Siblings of what the row is similar to, under the header's root of similarities.
        similar: Vec<Hash>,
        /// Losses of all samples, minus and plus; empty for a similar row.
        losses: [Vec<u32>; 2],
        /// Roots of the weights, minus and plus; zeros for a similar row.
        weights: [Hash; 2],
    },
    /// What the header was made of.
    Header {
        /// Losses of all samples, base and merged.
        losses: [Vec<u32>; 2],
        /// Root of the weights of the merge.
        weights: Hash,
    },
    /// A tile of weights.
    Weights(Vec<i16>),
    /// What a weight was made of.
    Terms {
        /// The tile of base weights that has it.
        base: Tiles,
        /// What every delta adds.
        terms: Vec<Term>,
    },
    /// What a term was made of.
    Term {
        /// Whether the delta is part of the merge.
        part: Part,
        /// The delta's record.
        record: ProvedReveal,
        /// The delta's chunk that has the parameter.
        chunk: ProvedChunk,
    },
    /// The top of a sample's trace.
    Sample {
        /// Nodes of the trace.
        nodes: Vec<Node>,
        /// Siblings of the trace's last tile, which is the loss as u32 LE.
        last: Vec<Hash>,
    },
    /// A tile of a trace.
    Tile(Vec<u8>),
    /// The inputs of a word. Each is there if the op reads it, and absent if not.
    Word {
        /// The sample, for the first op and the loss.
        record: Option<ProvedRecord>,
        /// The inputs' tiles of the trace.
        inputs: Option<Tiles>,
        /// Other tiles of the trace: of the sum that this word goes on from, of the other term of a
        /// residual, of a key, of values.
        before: Option<Tiles>,
        /// Tiles of the weights, or of the token's value in an embedding.
        weights: Option<Tiles>,
        /// The tile of the bias, or of the place's value in an embedding.
        bias: Option<Tiles>,
    },
}
