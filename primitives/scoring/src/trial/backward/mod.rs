//! A dispute about one word of a gradient ([`crate::gradient`]), narrowed down to one word of one op's backward pass, which a
//! referee executes again. The game is that of [`crate::trial`], and so are its nodes and tiles.
//!
//! ```text
//! Gradient -> Sample (-> Reader) -> Trace .. -> Word
//! ```
//!
//! A word of a group's gradient is the sum of what its samples add. What a sample adds, or each of the ops that
//! read the parameter, follows from one sum and one exponent of the sample's trace, which has the
//! words of the forward pass and then those of the backward pass, each made of a bounded number of earlier ones.
//! The first word that a challenger computes differently is made of words that are right.
//!
//! | module | what it has |
//! | --- | --- |
//! | `rule` | how a word is made, and rules that several ops have |
//! | `stages` | the stages of a graph, in the order of the run |
//! | `adjoint` | the stages that make an adjoint of sums |
//! | `trace` | all words of a sample, as they are computed |
//! | `referee` | what comes of a move |
//! | `player` | one party's own computation |

mod adjoint;
mod player;
mod referee;
mod rule;
mod stages;
#[cfg(test)]
mod tests;
mod trace;

pub(crate) use adjoint::Exponent;
pub use player::Player;
pub(crate) use rule::{first, products, row_and_column, sum, Read};
pub(crate) use stages::{Here, PulledStages, Stages};
pub use trace::Lie;

use super::{ProvedRecord, Tiles, Turn};
use crate::graph::Graph;
use crate::hash::Hash;
use crate::hold_out::HoldOut;
use crate::merkle::{Branch, Node};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What both parties to a dispute about a group's gradient rely on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The model.
    pub graph: &'a Graph,
    /// Root of the master weights that the gradient is at.
    pub weights: Hash,
    /// Where the round's samples come from.
    pub hold_out: &'a HoldOut,
    /// How many of them there are.
    pub samples: u32,
    /// The samples of the group, by their numbers in the round: at most [`crate::gradient::MAX_GROUP`].
    pub members: &'a [u32],
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
    /// One word of the gradient of a group of samples. Answer: [`Answer::Samples`].
    Gradient {
        /// The group.
        group: u32,
        /// Which parameter. Whoever opens the dispute checks that the graph has it.
        position: u32,
        /// The word.
        value: i64,
    },
    /// What a sample adds to it. Answer: [`Answer::Readers`] if several ops read the parameter, and
    /// [`Answer::Sums`] if one does.
    Sample {
        /// Number of the sample in the round.
        sample: u32,
        /// Which parameter.
        position: u32,
        /// What it adds.
        value: i64,
    },
    /// What one of the ops that read the parameter adds on a sample. Answer: [`Answer::Sums`].
    Reader {
        /// Number of the sample in the round.
        sample: u32,
        /// Which parameter.
        position: u32,
        /// Number of the op among those that read the parameter, the last of the graph first.
        reader: u32,
        /// What it adds.
        value: i64,
    },
    /// A part of the trace of a sample. Answer: [`Answer::Nodes`], or of one tile [`Answer::Tile`].
    Trace {
        /// Number of the sample in the round.
        sample: u32,
        /// Root of the trace.
        trace: Hash,
        /// Where.
        branch: Branch,
    },
    /// One word of a trace. Answer: [`Answer::Word`].
    Word {
        /// Number of the sample in the round.
        sample: u32,
        /// Root of the trace.
        trace: Hash,
        /// Which stage: the ops of the forward pass are the first of them.
        stage: u32,
        /// Which of the stage's words.
        at: u64,
        /// Its value.
        value: i32,
    },
}

/// What the accused shows in answer to a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Answer {
    /// What every sample of the group adds, in the group's order.
    Samples(Vec<i64>),
    /// What every op that reads the parameter adds, beginning with the last op of the graph.
    Readers(Vec<i64>),
    /// The top of a sample's trace, and the words from which what an op adds follows.
    Sums {
        /// Nodes of the trace.
        nodes: Vec<Node>,
        /// The tile that contains the parameter's sum.
        sum: Tiles,
        /// The tile that contains its exponent, unless that is a constant.
        exponent: Option<Tiles>,
    },
    /// Nodes of a trace.
    Nodes(Vec<Node>),
    /// A tile of a trace.
    Tile(Vec<u8>),
    /// What a word is made of.
    Word {
        /// The sample, if the word reads it.
        record: Option<ProvedRecord>,
        /// The tiles of everything else that it reads, from the trace and from the weights, in order.
        inputs: Vec<Tiles>,
    },
}

/// What the accused has shown. The challenger picks a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Shown {
    /// What samples, or the ops that read a parameter, add.
    Contributions(Vec<i64>),
    /// Nodes of a trace.
    Nodes(Vec<Node>),
    /// Words of a tile.
    Words(Vec<i32>),
}

/// What the challenger doubts next: the index, from 0, into what is shown.
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
pub struct Pick(pub u32);

/// The step at which a gradient is wrong.
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
pub enum Step {
    /// What an op adds to a parameter's gradient on a sample does not follow from its sum.
    Contribution {
        /// Number of the sample in the round.
        sample: u32,
        /// Which parameter.
        position: u32,
        /// The claimed value.
        claimed: i64,
        /// The right value.
        found: i64,
    },
    /// A word of a trace is wrong.
    Word {
        /// Number of the sample in the round.
        sample: u32,
        /// Which stage.
        stage: u32,
        /// Which of its words.
        at: u64,
        /// The claimed value.
        claimed: i32,
        /// The right value.
        found: i32,
    },
}

/// The result of an answer.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Ruling {
    /// It is the challenger's turn.
    Continues(Trial),
    /// The step is right: the challenger is wrong.
    Upheld,
    /// The step is wrong: the accused is.
    Refuted(Step),
}

/// A dispute about a word of a gradient: what the accused has to defend and, if it is the challenger's turn, what it
/// has shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Trial {
    /// What the accused has to defend.
    pub statement: Statement,
    /// What it has shown, if the challenger is to pick.
    pub shown: Option<Shown>,
}

impl Trial {
    /// The accused is to answer for `statement`.
    pub fn awaiting(statement: Statement) -> Self {
        Self {
            statement,
            shown: None,
        }
    }

    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        match self.shown {
            None => Turn::Accused,
            Some(_) => Turn::Challenger,
        }
    }
}

impl MaxEncodedLen for Trial {
    /// The largest thing shown is 256 nodes of 32 bytes.
    fn max_encoded_len() -> usize {
        Statement::max_encoded_len() + 2 + 4 + 256 * Hash::max_encoded_len()
    }
}
