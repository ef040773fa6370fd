//! What the accused defends, what it has shown of it, and what the challenger may pick of that.

use crate::hash::Hash;
use crate::merkle::{Branch, Node};
use crate::share::halves::Half;
use crate::share::table::{RowSums, Stage};
use crate::trial::{self, backward, Side, Term};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A model whose master weights are computed in a round.
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
pub enum Model {
    /// The model halfway to the merge of a pass's company.
    Midpoint(u8),
    /// The merge of the best company.
    Merged,
}

/// One part of a row's value.
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
pub struct PartOf {
    /// The stage in which it was measured.
    pub stage: Stage,
    /// The entrant.
    pub entrant: u32,
    /// The group of samples.
    pub group: u32,
}

/// What the accused has to defend now.
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
    /// Some rows of a stage. Answer: [`super::Answer::RowNodes`].
    Rows {
        /// Which stage.
        stage: Stage,
        /// Where.
        branch: Branch<RowSums>,
    },
    /// One row. Answer: [`super::Answer::Row`].
    Row {
        /// Which stage.
        stage: Stage,
        /// Which entrant.
        entrant: u32,
    },
    /// One part of a row's value. Answer: [`super::Answer::Part`].
    Part {
        /// Which.
        of: PartOf,
        /// The part.
        part: i64,
    },
    /// The product of a gradient and a delta over some tiles. Answer: [`super::Answer::Products`], or of one tile
    /// [`super::Answer::Product`].
    Products {
        /// What it is part of.
        of: PartOf,
        /// Root of the gradient.
        gradient: Hash,
        /// Root of the delta.
        delta: Hash,
        /// First tile.
        first: u32,
        /// Number of tiles.
        tiles: u32,
        /// The product.
        sum: i128,
    },
    /// The roots of a stage's gradients. Answer: [`super::Answer::Roots`].
    Gradients(Stage),
    /// Some of a gradient. Answer: [`super::Answer::Nodes`], or of one tile [`super::Answer::GradientTile`].
    GradientTiles {
        /// Which stage.
        stage: Stage,
        /// Which group.
        group: u32,
        /// Where.
        branch: Branch,
    },
    /// One word of a gradient, and what it is made of. Answer: [`super::Answer::Gradient`].
    Gradient {
        /// Which stage.
        stage: Stage,
        /// Which group.
        group: u32,
        /// What the accused has to defend of it.
        word: backward::Statement,
    },
    /// Some weights of a model. Answer: [`super::Answer::Nodes`], or of one tile [`super::Answer::Weights`].
    Weights {
        /// Which model.
        of: Model,
        /// Where.
        branch: Branch,
    },
    /// One weight of a model. Answer: [`super::Answer::Terms`].
    Weight {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// Its value.
        value: i16,
    },
    /// What one delta adds to one parameter of a merge. Answer: [`super::Answer::Term`].
    Term {
        /// Which model.
        of: Model,
        /// Which parameter.
        position: u32,
        /// Which entrant.
        entrant: u32,
        /// The term.
        term: Term,
    },
    /// The losses on a half. Answer: [`super::Answer::Losses`].
    Losses(Half),
    /// The loss of a sample, or a part of its trace. Answer: [`super::Answer::Loss`].
    Loss(trial::Statement),
}

/// What the accused has shown. The challenger picks a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Shown {
    /// Nodes of the rows' tree.
    RowNodes(Vec<Node<RowSums>>),
    /// The parts of a row's value.
    Parts(Vec<i64>),
    /// Products over consecutive stretches of tiles.
    Products(Vec<i128>),
    /// Roots of gradients.
    Roots(Vec<Hash>),
    /// Nodes of a plain tree.
    Nodes(Vec<Node>),
    /// Words of a gradient's tile.
    GradientTile(Vec<i64>),
    /// A part of what a word of a gradient is made of.
    Gradient(backward::Shown),
    /// A tile of weights.
    Weights(Vec<i16>),
    /// What every delta adds to a parameter.
    Terms(Vec<Term>),
    /// Losses of base and merge on a half.
    Losses([Vec<u32>; 2]),
    /// A part of a sample's trace.
    Loss(trial::Shown),
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
    /// The index, from 0, into what was shown.
    Nth(u32),
    /// A loss among those that were shown: that of the `nth` sample of the half, in the evaluation of the base or of the merge.
    Sample {
        /// Which evaluation.
        of: Side,
        /// Which sample of the half.
        nth: u32,
    },
}
