//! A dispute about a score table, narrowed down to one step that a referee executes again.
//!
//! The *accused* stands for a table. Its *challenger* computes everything for itself and doubts, each
//! time, the first part that it computes differently; the accused shows the inside of that part; and
//! so on, down to one word. There the rule is one-sided: given inputs that the accused opens under
//! its own roots (weights, samples and deltas under those of the chain), is its output what the
//! machine makes of them? An honest table has no step for which it is not. One that differs from
//! the honest one anywhere has, wherever the challenger's own computation leads.
//!
//! Traces are lazy: nothing below the table is hashed before it is asked for, and it binds the
//! accused from then on.
//!
//! ```text
//! Similar -> Pair -> Dots .. -> (chunk of two deltas)
//! Rows .. -> Row  -+-> Sample -> Trace .. -> Word   (one word of one op on one sample)
//! Header ----------+-> Weights .. -> Weight -> Term (one delta's term of one parameter)
//! ```
//!
//! A [`Trial`] is the whole state of a dispute: whose turn it is follows from whether something is
//! shown. What is not the inside of what was stood for is a [`Refusal`] and changes nothing: who has
//! no move that is taken loses by silence. What is, and contradicts the machine, is a
//! [`Ruling::Refuted`].
//!
//! Source of the game: Teutsch and Reitwiessner, *TrueBit* (2017); the lazy, one-sided variant
//! with wide strides is ours.

mod layout;
mod referee;
#[cfg(test)]
mod tests;
mod trace;
mod witness;
pub(crate) mod word;

pub use layout::{Layout, Place, TRACE_TILE, TRACE_WIDTH};
pub use witness::{Lie, Witness, WitnessError};

use crate::graph::Graph;
use crate::hash::Hash;
use crate::hold_out::HoldOut;
use crate::merkle::{Branch, Node, SumNode, SumProof};
use crate::reveals::RevealRecord;
use crate::round::Rules;
use crate::shard::MAX_SAMPLES;
use crate::table::Row;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// What the chain knows of a round: the ground both parties stand on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Case {
    /// The model.
    pub graph: Graph,
    /// How the round is scored.
    pub rules: Rules,
    /// Root of the master weights before the round.
    pub base_root: Hash,
    /// Where the round's samples come from.
    pub hold_out: HoldOut,
    /// How many they are.
    pub samples: u32,
    /// Root of [`crate::reveals_tree`].
    pub reveals_root: Hash,
    /// Revealed deltas.
    pub reveals: u32,
    /// [`crate::median_norm`] of them.
    pub median_norm: u64,
}

/// Which evaluation of a round.
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
pub enum Side {
    /// Of the weights before the round.
    Base,
    /// Of the merge of the admitted.
    Merged,
    /// Of the midpoint with the part of this row taken off.
    Minus(u32),
    /// Of the midpoint with the part of this row put on.
    Plus(u32),
}

/// What a challenger doubts first. It doubts the first of these that it computes differently.
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
pub enum Accusation {
    /// Which deltas are too similar.
    Similar,
    /// A row.
    Rows,
    /// The header: joint gain, merge, new weights.
    Header,
}

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
    /// What every row is similar to. Answer: [`Answer::Similar`].
    Similar,
    /// Whether two deltas are similar. Answer: [`Answer::Pair`].
    Pair(Pair),
    /// The product of two deltas over some chunks. Answer: [`Answer::Dots`], or of one chunk
    /// [`Answer::Dot`].
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
    /// Some rows. Answer: [`Answer::SumNodes`], or of one row [`Answer::Row`].
    Rows(Branch<u128>),
    /// The header. Answer: [`Answer::Header`].
    Header,
    /// Some weights of an evaluation. Answer: [`Answer::Nodes`], or of one tile
    /// [`Answer::Weights`].
    Weights {
        /// Which evaluation.
        of: Side,
        /// Where.
        branch: Branch,
    },
    /// One weight of an evaluation. Answer: [`Answer::Terms`].
    Weight {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Its value.
        value: i16,
    },
    /// What one delta adds to one parameter of a merge. Answer: [`Answer::Term`].
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
    /// The loss of a sample. Answer: [`Answer::Sample`].
    Sample {
        /// Which evaluation and sample.
        exam: Exam,
        /// The loss, Q16 bits.
        loss: u32,
    },
    /// A part of the trace of a sample. Answer: [`Answer::Nodes`], or of one tile
    /// [`Answer::Tile`].
    Trace {
        /// Which evaluation and sample.
        exam: Exam,
        /// Root of the trace.
        trace: Hash,
        /// Where.
        branch: Branch,
    },
    /// One word of a trace. Answer: [`Answer::Word`].
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

/// What the accused shows in answer to a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Answer {
    /// For every row what it is similar to, `u32::MAX` for nothing.
    Similar(Vec<u32>),
    /// Both deltas' records, and their products over consecutive stretches of chunks.
    Pair {
        /// Records, earlier and later.
        records: [ProvedReveal; 2],
        /// Products by stretch: [`stretches`] of all chunks.
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

/// Why a move is refused; nothing changes by it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, Error,
)]
pub enum Refusal {
    /// It is the other party's turn.
    #[error("it is the other party's turn")]
    NotYourTurn,
    /// The move is not one for what is stood for, or what is shown.
    #[error("not a move that can be made now")]
    WrongMove,
    /// Something is missing, or more than was asked for, or of another length.
    #[error("the answer has the wrong shape")]
    WrongShape,
    /// What is shown does not hash or sum to what was stood for.
    #[error("what is shown is not the inside of what was claimed")]
    NotTheInside,
    /// A delta, sample or base weight is not what the chain knows.
    #[error("an input is not what the chain has the root of")]
    ForeignInput,
    /// There is no such child, row, sample or side.
    #[error("there is nothing to doubt at that place")]
    NoSuchPlace,
}

/// The step in which a table is wrong.
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
    /// What a row is similar to contradicts the other rows.
    Similarities {
        /// Row of the delta.
        row: u32,
    },
    /// The products do not make the two deltas what they are called.
    Similarity(Pair),
    /// The product of two deltas over a chunk.
    Dot {
        /// The deltas.
        pair: Pair,
        /// The chunk.
        chunk: u32,
        /// What was claimed.
        claimed: i64,
        /// What it is.
        found: i64,
    },
    /// Weight, clip, share, standard error or standing of a row.
    Row {
        /// The row.
        row: u32,
    },
    /// Gain, standard error, paid gain or new master root.
    Header,
    /// A parameter of a merge, from its terms.
    Weight {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// What was claimed.
        claimed: i16,
        /// What it is.
        found: i16,
    },
    /// What a delta adds to a parameter.
    Term {
        /// Which evaluation.
        of: Side,
        /// Which parameter.
        position: u32,
        /// Row of the delta.
        row: u32,
        /// What was claimed.
        claimed: Term,
        /// What it is.
        found: Term,
    },
    /// A word of an op on a sample.
    Word {
        /// Which evaluation.
        of: Side,
        /// Which sample.
        sample: u32,
        /// Which op.
        op: u32,
        /// Which of its words.
        at: u32,
        /// What was claimed.
        claimed: i32,
        /// What it is.
        found: i32,
    },
}

/// What comes of an answer. Nearly always the largest of them, and moved once.
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

/// A dispute: what the accused stands for and, if it is the challenger's turn, what it has shown of
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Trial {
    /// What the accused stands for.
    pub statement: Statement,
    /// What it has shown, if the challenger is to pick.
    pub shown: Option<Shown>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Turn {
    /// The accused answers.
    Accused,
    /// The challenger picks.
    Challenger,
}

impl Trial {
    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        match self.shown {
            None => Turn::Accused,
            Some(_) => Turn::Challenger,
        }
    }
}

impl MaxEncodedLen for Trial {
    /// The largest thing shown is two evaluations of [`MAX_SAMPLES`]; next, 1024 terms of 12 bytes
    /// and 256 summing nodes of 48.
    fn max_encoded_len() -> usize {
        let losses = 2 * (4 + 4 * MAX_SAMPLES as usize);
        Statement::max_encoded_len() + 2 + 4 + 2 * Hash::max_encoded_len() + losses
    }
}

/// Most stretches that a product is shown in.
pub const MAX_STRETCHES: u32 = 256;

/// `chunks` from `first` on in at most [`MAX_STRETCHES`] stretches, as equal as they can be: first
/// chunk and number of each.
pub fn stretches(first: u32, chunks: u32) -> impl Iterator<Item = (u32, u32)> {
    let count = chunks.clamp(1, MAX_STRETCHES);
    let start = move |nth: u32| (u64::from(chunks) * u64::from(nth) / u64::from(count)) as u32;
    (0..count).map(move |nth| {
        (
            first.saturating_add(start(nth)),
            start(nth + 1) - start(nth),
        )
    })
}
