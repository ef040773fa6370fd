//! The result of a move.

use super::{Side, Trial};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// Why a move is refused; a refused move changes nothing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, Error,
)]
pub enum Refusal {
    /// It is the other party's turn.
    #[error("it is the other party's turn")]
    NotYourTurn,
    /// The move does not fit what the accused has to defend, or what it has shown.
    #[error("this move cannot be made now")]
    WrongMove,
    /// A part is missing, was not asked for, or has the wrong length.
    #[error("the answer has the wrong shape")]
    WrongShape,
    /// What is shown does not hash or add up to what the accused has to defend.
    #[error("what is shown does not add up to what was claimed")]
    NotTheInside,
    /// A delta, sample or base weight does not lead to the root that the chain knows.
    #[error("an input does not lead to the root that the chain knows")]
    ForeignInput,
    /// There is no such child, row, sample or side.
    #[error("there is nothing to doubt at that place")]
    NoSuchPlace,
}

/// A word of an op on a sample that differs from what the op computes.
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
    /// The claimed value.
    pub claimed: i32,
    /// The right value.
    pub found: i32,
}

/// The result of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It is the challenger's turn.
    Continues(Trial),
    /// The step is right: the challenger is wrong.
    Upheld,
    /// The step is wrong: the accused is.
    Refuted(Step),
}
