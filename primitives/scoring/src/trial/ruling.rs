//! What comes of a move.

use super::{Pair, Side, Term, Trial};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

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
