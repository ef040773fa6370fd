//! What the accused defends, what it has shown of it, and what the challenger may pick of that.

use super::Side;
use crate::hash::Hash;
use crate::merkle::{Branch, Node};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// An evaluation that is doubted: which one, its weights, and a sample.
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

impl Statement {
    /// The evaluation and sample that it is about.
    pub fn exam(&self) -> &Exam {
        match self {
            Self::Sample { exam, .. } | Self::Trace { exam, .. } | Self::Word { exam, .. } => exam,
        }
    }
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
    /// Weight times factor times change; 0 if the delta is not part of the merge.
    pub value: i64,
    /// Its weight; 0 if it is not part of the merge.
    pub weight: u32,
}

/// What the accused has shown. The challenger picks a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Shown {
    /// Nodes of a trace.
    Nodes(Vec<Node>),
    /// Words of a tile of a trace.
    Words(Vec<i32>),
}
