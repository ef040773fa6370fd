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

mod answer;
mod drill;
mod layout;
mod referee;
mod ruling;
mod statement;
#[cfg(test)]
mod tests;
mod trace;
mod witness;
pub(crate) mod word;

pub use answer::{Answer, Part, ProvedChunk, ProvedRecord, ProvedReveal, Tiles};
pub use drill::Lie;
pub use layout::{Layout, Place, TRACE_TILE, TRACE_WIDTH};
pub use referee::similarity::{stretches, MAX_STRETCHES};
pub use ruling::{Refusal, Ruling, Step};
pub use statement::{Exam, Pair, Pick, Shown, Statement, Term};
pub use witness::{Witness, WitnessError};

use crate::graph::Graph;
use crate::hash::Hash;
use crate::hold_out::HoldOut;
use crate::round::Rules;
use crate::shard::MAX_SAMPLES;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

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
