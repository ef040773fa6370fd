//! What the accused shows.

use crate::hash::Hash;
use crate::merkle::Node;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// A record of the shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedRecord {
    /// The sample: its inputs and its label.
    pub bytes: Vec<u8>,
    /// The siblings that prove it under the shard's root.
    pub siblings: Vec<Hash>,
}

/// A chunk of a delta.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedChunk {
    /// [`crate::Delta::encode_chunk`].
    pub bytes: Vec<u8>,
    /// The siblings that prove it under the delta's root.
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

/// What the accused shows in answer to a [`super::Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Answer {
    /// Nodes of a trace.
    Nodes(Vec<Node>),
    /// The top of a sample's trace.
    Sample {
        /// Nodes of the trace.
        nodes: Vec<Node>,
        /// Siblings of the trace's last tile, which is the loss as u32 LE.
        last: Vec<Hash>,
    },
    /// A tile of a trace.
    Tile(Vec<u8>),
    /// The inputs of a word. Each is present if and only if the op reads it.
    Word {
        /// The sample, for the first op and the loss.
        record: Option<ProvedRecord>,
        /// The inputs' tiles of the trace.
        inputs: Option<Tiles>,
        /// Other tiles of the trace: those of the sum that this word continues, the other term of a residual, a key, or values.
        before: Option<Tiles>,
        /// Tiles of the weights, or of the token's value in an embedding.
        weights: Option<Tiles>,
        /// The tile of the bias, or of the place's value in an embedding.
        bias: Option<Tiles>,
    },
}
