//! What the accused shows.

use crate::hash::Hash;
use crate::merkle::{Node, Proof};
use crate::share::record::EntrantRecord;
use crate::share::table::{Row, RowSums};
use crate::trial::{self, backward, ProvedChunk, Term, Tiles};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

/// An entrant's record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedEntrant {
    /// The record.
    pub record: EntrantRecord,
    /// Its siblings under the entrants' root.
    pub siblings: Vec<Hash>,
}

/// A row and the record that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedRow {
    /// The row.
    pub row: Row,
    /// Proof of it among its stage's rows.
    pub proof: Proof<RowSums>,
    /// The record.
    pub entrant: ProvedEntrant,
}

/// The row that says who was dropped. It is not shown if it is the row in question, or nobody was.
pub type LastDropped = Option<ProvedRow>;

/// What the accused shows in answer to a [`super::Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Answer {
    /// Nodes of the rows' tree.
    RowNodes(Vec<Node<RowSums>>),
    /// A row.
    Row {
        /// The row.
        own: ProvedRow,
        /// The row of the last that was dropped after this pass.
        last: LastDropped,
    },
    /// What a part was made of.
    Part {
        /// The delta's record.
        entrant: ProvedEntrant,
        /// Root of the group's gradient.
        gradient: Hash,
        /// Its siblings under the root of the stage's gradients.
        siblings: Vec<Hash>,
        /// Products by stretch: [`super::stretches`] of all tiles.
        products: Vec<i128>,
    },
    /// Products by stretch.
    Products(Vec<i128>),
    /// One tile of a gradient, and the chunk of the delta that has its parameters.
    Product {
        /// The chunk.
        chunk: ProvedChunk,
        /// Words of the gradient.
        words: Vec<i64>,
        /// Their siblings under the gradient's root.
        siblings: Vec<Hash>,
    },
    /// Roots of the gradients of all groups.
    Roots(Vec<Hash>),
    /// Nodes of a plain tree.
    Nodes(Vec<Node>),
    /// A tile of a gradient.
    GradientTile(Vec<i64>),
    /// Of what a word of a gradient is made of.
    Gradient(backward::Answer),
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
        /// The delta's record.
        entrant: ProvedEntrant,
        /// The delta's chunk that has the parameter.
        chunk: ProvedChunk,
    },
    /// Losses of base and merge on a half.
    Losses([Vec<u32>; 2]),
    /// Of a sample's trace.
    Loss(trial::Answer),
}
