//! What comes of a move.

use super::{Side, Trial};
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

/// A word of an op on a sample that is not what the op gives.
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
pub struct Step {
    /// Which evaluation.
    pub of: Side,
    /// Which sample.
    pub sample: u32,
    /// Which op.
    pub op: u32,
    /// Which of its words.
    pub at: u32,
    /// What was claimed.
    pub claimed: i32,
    /// What it is.
    pub found: i32,
}

/// What comes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It is the challenger's turn.
    Continues(Trial),
    /// The step is right: the challenger is wrong.
    Upheld,
    /// The step is wrong: the accused is.
    Refuted(Step),
}
