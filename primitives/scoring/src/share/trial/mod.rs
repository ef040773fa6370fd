//! A dispute about a [`ShareTable`](super::ShareTable), narrowed down to one step that a referee executes again. The
//! game is that of [`crate::trial`], which also judges the loss of a sample here, and a word of a gradient
//! ([`crate::trial::backward`]).
//!
//! The summary lies open, and the chain refuses one that is not consistent. The challenger starts at the first number of it that it
//! computes differently, in an order in which everything that a number depends on comes before it: for each pass the median, the
//! midpoint, the gradients, the rows, and who was dropped; then the merge, its losses on A and on B, and the gradients and rows of
//! the pay.
//!
//! ```text
//! Rows .. -> Row -> Part -> Products .. -> (a tile of a gradient and of a delta)
//! Gradients -> GradientTiles .. -> Gradient(Gradient -> Sample -> Trace .. -> Word)  (one word of one op backwards)
//! Weights .. -> Weight -> Term                     (one delta's term of one parameter)
//! Losses -> Loss(Sample -> Trace .. -> Word)       (one word of one op on one sample)
//! ```

mod answer;
mod drill;
mod player;
mod referee;
mod statement;
#[cfg(test)]
mod tests;

pub use answer::{Answer, LastDropped, ProvedEntrant, ProvedRow};
pub use drill::Lie;
pub use player::{Player, PlayerError};
pub use referee::products::{stretches, MAX_STRETCHES};
pub use referee::{Ruling, Step};
pub use statement::{Model, PartOf, Pick, Shown, Statement};

use super::halves::Half;
use super::record::EntrantRecord;
use super::table::{Stage, TableSummary};
use super::{groups, ShareTerms};
use crate::graph::Graph;
use crate::hash::Hash;
use crate::hold_out::HoldOut;
use crate::merge::factor;
use crate::shard::MAX_SAMPLES;
use crate::trial::{Ground, Side};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// What the chain knows about a round. Both parties of a dispute rely on it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct RoundFacts {
    /// The model.
    pub graph: Graph,
    /// The task's terms of the share rule.
    pub terms: ShareTerms,
    /// The Merkle root of the master weights before the round.
    pub base_root: Hash,
    /// Where the round's samples come from.
    pub hold_out: HoldOut,
    /// Number of samples.
    pub samples: u32,
    /// The seed that draws the halves.
    pub half_seed: Hash,
    /// Root of [`super::entrants_tree`].
    pub entrants_root: Hash,
    /// Number of entrants.
    pub entrants: u32,
}

impl RoundFacts {
    /// What the delta of `record` is multiplied with in a company of this median norm, Q16.
    fn factor(&self, median_norm: u64, record: &EntrantRecord) -> u32 {
        factor(self.terms.outer_rate_q8, median_norm, record.norm())
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            graph: &self.graph,
            hold_out: &self.hold_out,
            samples: self.samples,
        }
    }

    fn parameters(&self) -> u32 {
        self.ground().parameters()
    }

    /// Whether a summary can be that of the round's table.
    pub fn allow(&self, summary: &TableSummary) -> bool {
        summary.is_consistent(self.entrants, self.samples, &self.terms)
    }

    /// The number in the exam of the `nth` sample of a half.
    pub fn sample(&self, half: Half, nth: u32) -> Option<u32> {
        let samples = half.samples(&self.half_seed, self.samples);
        samples.get(nth as usize).copied()
    }

    /// The numbers in the exam of the samples of a stage's group, in order.
    pub fn group(&self, stage: Stage, group: u32) -> Option<Vec<u32>> {
        let half = stage.half();
        let range = groups(half.count(self.samples) as usize).nth(group as usize)?;
        let samples = half.samples(&self.half_seed, self.samples);
        samples.get(range).map(<[u32]>::to_vec)
    }
}

/// What a challenger doubts first: the part of the table that it computes differently.
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
    /// A row of a stage: its parts, or what it adds to the median.
    Rows(Stage),
    /// One row: whether it should have been dropped.
    Row(Stage, u32),
    /// The gradients of a stage.
    Gradients(Stage),
    /// The weights of a model.
    Weights(Model),
    /// The losses on a half, or their standard error.
    Losses(Half),
}

/// The state of a dispute: what the accused has to defend and, if it is the challenger's turn, what it has shown of that.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Trial {
    /// What the accused has to defend.
    pub statement: Statement,
    /// What it has shown, if the challenger is to pick.
    pub shown: Option<Shown>,
}

impl Trial {
    /// Whether the accused is to answer; if not, the challenger is to pick.
    pub fn awaits_answer(&self) -> bool {
        self.shown.is_none()
    }
}

impl MaxEncodedLen for Trial {
    /// The largest things shown are 256 nodes of 76 bytes, and two evaluations of a half of [`MAX_SAMPLES`].
    fn max_encoded_len() -> usize {
        let losses = 2 * (4 + 4 * (MAX_SAMPLES as usize / 2 + 1));
        let nodes = 4 + 256 * crate::merkle::Node::<super::table::RowSums>::max_encoded_len();
        Statement::max_encoded_len() + 4 + losses.max(nodes)
    }
}
