//! The answers of the accused.

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
    /// The siblings that prove it under the entrants' root.
    pub siblings: Vec<Hash>,
}

/// A row and the record that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedRow {
    /// The row.
    pub row: Row,
    /// The proof that it is among its stage's rows.
    pub proof: Proof<RowSums>,
    /// The record.
    pub entrant: ProvedEntrant,
}

/// The row that says who was dropped. It is not shown if it is the doubted row itself, or if nobody was dropped.
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
        /// The row of the last entrant that was dropped after this pass.
        last: LastDropped,
    },
    /// What a part is made of.
    Part {
        /// The delta's record.
        entrant: ProvedEntrant,
        /// Root of the group's gradient.
        gradient: Hash,
        /// The siblings that prove it under the root of the stage's gradients.
        siblings: Vec<Hash>,
        /// Products by stretch: [`super::stretches`] of all tiles.
        products: Vec<i128>,
    },
    /// Products by stretch.
    Products(Vec<i128>),
    /// One tile of a gradient, and the chunk of the delta that has the same parameters.
    Product {
        /// The chunk.
        chunk: ProvedChunk,
        /// Words of the gradient.
        words: Vec<i64>,
        /// The siblings that prove them under the gradient's root.
        siblings: Vec<Hash>,
    },
    /// Roots of the gradients of all groups.
    Roots(Vec<Hash>),
    /// Nodes of a plain tree.
    Nodes(Vec<Node>),
    /// A tile of a gradient.
    GradientTile(Vec<i64>),
    /// A part of what a word of a gradient is made of.
    Gradient(backward::Answer),
    /// A tile of weights.
    Weights(Vec<i16>),
    /// What a weight is made of.
    Terms {
        /// The tile of the base weights that contains it.
        base: Tiles,
        /// What every delta adds.
        terms: Vec<Term>,
    },
    /// What a term is made of.
    Term {
        /// The delta's record.
        entrant: ProvedEntrant,
        /// The delta's chunk that contains the parameter.
        chunk: ProvedChunk,
    },
    /// Losses of base and merge on a half.
    Losses([Vec<u32>; 2]),
    /// A part of a sample's trace.
    Loss(trial::Answer),
}
