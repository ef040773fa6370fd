//! A dispute about the loss of one sample, narrowed down to one word that a referee executes again.
//!
//! The *accused* defends a loss. Its *challenger* computes everything for itself and doubts, each time, the first part that it
//! computes differently; the accused shows the inside of that part; and so on, down to one word. There the rule is one-sided: given
//! inputs that the accused opens under its own roots (weights and samples under those of the chain), is its output what the machine
//! makes of them? An honest loss has no step for which it is not. A loss that differs from the honest one has such a step, and the
//! challenger's own computation leads there.
//!
//! Traces are lazy: nothing is hashed before it is asked for, and it binds the accused from then on.
//!
//! ```text
//! Sample -> Trace .. -> Word   (one word of one op on one sample)
//! ```
//!
//! Anything that is not the inside of what is defended is a [`Refusal`] and changes nothing: a party without an acceptable move
//! loses by silence.
//!
//! [`backward`] is the same for a word of a gradient. [`crate::share::trial`] is the dispute about a whole table, which
//! comes down to these two.
//!
//! Source of the game: Teutsch and Reitwiessner, *TrueBit* (2017); the lazy, one-sided variant
//! with wide strides is ours.

mod answer;
pub mod backward;
mod ground;
mod layout;
mod referee;
mod ruling;
mod statement;
#[cfg(test)]
mod tests;
pub(crate) mod trace;
pub(crate) mod traced;
pub(crate) mod weight_tiles;
pub(crate) mod word;

pub use answer::{Answer, ProvedChunk, ProvedRecord, Tiles};
pub(crate) use ground::Ground;
pub use layout::{Layout, Place, TRACE_TILE, TRACE_WIDTH};
pub(crate) use ruling::Ruling;
pub use ruling::{Refusal, Step};
pub use statement::{Exam, Shown, Statement, Term};

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

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
    /// The evaluation of the weights before the round.
    Base,
    /// The evaluation of the merge.
    Merged,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub enum Turn {
    /// The accused answers.
    Accused,
    /// The challenger picks.
    Challenger,
}

/// A dispute: what the accused has to defend and, if it is the challenger's turn, what it has shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    /// What the accused has to defend.
    pub statement: Statement,
    /// What it has shown, if the challenger is to pick.
    pub shown: Option<Shown>,
}
