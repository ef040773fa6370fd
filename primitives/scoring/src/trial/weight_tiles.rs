//! Tiles of master weights, and their proofs.

use super::Tiles;
use crate::merkle::Tree;
use crate::weights::tree as weights_tree;
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use core::ops::Range;

/// The tree of master weights.
pub(crate) fn tree(weights: &[i16]) -> Tree {
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|weight| weight.to_le_bytes())
        .collect();
    weights_tree(&bytes)
}

/// The tiles that hold a range of weights, and the first weight in them.
pub(crate) fn weight_span(range: Range<u64>) -> Option<(Range<u32>, u64)> {
    let tile = WEIGHT_TILE as u64;
    let (first, end) = (range.start / tile, range.end.div_ceil(tile));
    Some((
        u32::try_from(first).ok()?..u32::try_from(end).ok()?,
        first * tile,
    ))
}

/// Tiles of weights with their proof.
pub(crate) fn weight_tiles(weights: &[i16], tiles: Range<u32>) -> Option<Tiles> {
    let start = tiles.start as usize * WEIGHT_TILE;
    let end = (tiles.end as usize * WEIGHT_TILE).min(weights.len());
    let bytes = weights
        .get(start..end)?
        .iter()
        .flat_map(|weight| weight.to_le_bytes());
    Some(Tiles {
        bytes: bytes.collect(),
        siblings: tree(weights).prove_span(tiles.start, tiles.len() as u32),
    })
}
