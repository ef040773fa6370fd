//! What the loss of a sample rests on: all that its referee has to know.

use super::layout::{words, Span};
use super::{ProvedRecord, Refusal, Tiles};
use crate::graph::Graph;
use crate::hash::Hash;
use crate::hold_out::HoldOut;
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use core::ops::Range;

/// The model and where the samples come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'a> {
    /// The model.
    pub graph: &'a Graph,
    /// Where the samples come from.
    pub hold_out: &'a HoldOut,
    /// How many there are.
    pub samples: u32,
}

impl Ground<'_> {
    /// Parameters of the model.
    pub fn parameters(&self) -> u32 {
        self.graph.parameters() as u32
    }

    /// Leaves of a tree of master weights.
    pub fn weight_tiles(&self) -> u32 {
        self.parameters().div_ceil(WEIGHT_TILE as u32)
    }

    /// Bytes of a sample with its label.
    pub fn record_length(&self) -> usize {
        (self.graph.inputs as usize).saturating_add(1)
    }

    /// The bytes of a sample, which has to be the round's.
    pub fn record<'a>(&self, sample: u32, proved: &'a ProvedRecord) -> Result<&'a [u8], Refusal> {
        let ProvedRecord { bytes, siblings } = proved;
        match self.hold_out.holds(sample, self.samples, bytes, siblings) {
            true => Ok(bytes),
            false => Err(Refusal::ForeignInput),
        }
    }

    /// Weights `range` of a tree of master weights.
    pub fn weights(
        &self,
        root: &Hash,
        range: Range<u64>,
        tiles: &Option<Tiles>,
        else_refused: Refusal,
    ) -> Result<Vec<i16>, Refusal> {
        let tiles = tiles.as_ref().ok_or(Refusal::WrongShape)?;
        let span = Span::of(range, self.parameters().into(), WEIGHT_TILE as u32)?;
        span.verify(
            tiles,
            2,
            self.weight_tiles(),
            span.first,
            root,
            else_refused,
        )?;
        let values = words(2, &tiles.bytes).ok_or(Refusal::WrongShape)?;
        let within = values.get(span.within).ok_or(Refusal::WrongShape)?;
        Ok(within.iter().map(|value| *value as i16).collect())
    }
}
