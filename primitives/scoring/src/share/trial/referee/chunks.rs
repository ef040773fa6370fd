//! What a proved chunk of a delta says.

use crate::delta::{chunks, Delta, Entry};
use crate::hash::Hash;
use crate::merkle::{root_of_span, Node};
use crate::trial::{ProvedChunk, Refusal};
use crate::CHUNK;
use alloc::vec::Vec;

/// The change that a delta makes to a parameter.
pub(super) fn change(
    parameters: u32,
    delta_root: &Hash,
    position: u32,
    chunk: &ProvedChunk,
) -> Result<i16, Refusal> {
    let entries = entries(parameters, delta_root, position / CHUNK as u32, chunk)?;
    let own = entries.iter().find(|entry| entry.position == position);
    Ok(own.map_or(0, |entry| entry.change))
}

/// The entries of a chunk of the delta that has this root.
pub(super) fn entries(
    parameters: u32,
    root: &Hash,
    chunk: u32,
    proved: &ProvedChunk,
) -> Result<Vec<Entry>, Refusal> {
    let leaf = Node::leaf(&[&proved.bytes], ());
    let leaves = chunks(parameters);
    if root_of_span(leaves, chunk, alloc::vec![leaf], &proved.siblings) != Some(*root) {
        return Err(Refusal::ForeignInput);
    }
    Delta::decode_chunk(&proved.bytes, chunk, parameters).map_err(|_| Refusal::ForeignInput)
}
