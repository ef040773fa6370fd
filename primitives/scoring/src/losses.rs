//! The tree over the losses of an evaluation.

use crate::merkle::{SumNode, SumTree};
use alloc::vec::Vec;

/// Root and sum of [`losses_tree`].
pub fn losses_node(losses: &[u32]) -> SumNode {
    losses_tree(losses).root()
}

/// Losses in a leaf of [`losses_tree`]: as many as fit into one block of the hash, which takes 128
/// bytes with a tag.
pub const LOSS_TILE: usize = 31;

/// The Merkle-sum tree over per-sample losses (Q16 bits), in tiles of [`LOSS_TILE`], the last perhaps
/// shorter; a leaf is the tile's losses LE, with their sum.
pub fn losses_tree(losses: &[u32]) -> SumTree {
    let bytes = bytes_of(losses);
    let sums = losses.chunks(LOSS_TILE).map(sum_of);
    SumTree::summing(bytes.chunks(4 * LOSS_TILE).zip(sums))
}

/// Losses, little endian.
pub(crate) fn bytes_of(losses: &[u32]) -> Vec<u8> {
    losses.iter().flat_map(|loss| loss.to_le_bytes()).collect()
}

/// The sum of the losses of a tile.
pub(crate) fn sum_of(tile: &[u32]) -> u64 {
    tile.iter().copied().map(u64::from).sum()
}
