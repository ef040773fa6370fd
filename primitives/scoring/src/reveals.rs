//! What the chain keeps of a round's reveals, so that it can judge what was made of them.

use crate::delta::Delta;
use crate::hash::Hash;
use crate::merge;
use crate::merkle::Tree;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// One revealed delta.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct RevealRecord {
    /// [`Delta::hash_of`] its encoding.
    pub delta_hash: Hash,
    /// [`Delta::root`].
    pub delta_root: Hash,
    /// Weight in the merge.
    pub weight: u32,
    /// [`Delta::square_norm`].
    pub square_norm: u64,
}

impl RevealRecord {
    /// Of a delta whose encoding has this hash.
    pub fn of(delta_hash: Hash, delta: &Delta, weight: u32) -> Self {
        Self {
            delta_hash,
            delta_root: delta.root(),
            weight,
            square_norm: delta.square_norm(),
        }
    }

    /// Its norm, rounded down.
    pub fn norm(&self) -> u64 {
        self.square_norm.isqrt()
    }
}

/// The plain tree over a round's records in the order of the commits; a leaf is the record's SCALE.
pub fn reveals_tree(records: &[RevealRecord]) -> Tree {
    Tree::of(records.iter().map(Encode::encode))
}

/// The norm that the deltas of a round are clipped to.
pub fn median_norm(records: &[RevealRecord]) -> u64 {
    merge::median(records.iter().map(RevealRecord::norm).collect::<Vec<u64>>())
}
