//! Proofs of one leaf.

use super::{Carry, Node, SumNode, MAX_DEPTH};
use crate::hash::Hash;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use scale_info::TypeInfo;

/// A proof that a leaf is at a certain place in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo)]
pub struct Proof<C = ()> {
    /// The place of the leaf, from 0.
    pub index: u32,
    /// Number of leaves of the tree.
    pub leaves: u32,
    /// The siblings from the leaf's level up; at most [`MAX_DEPTH`].
    pub siblings: Vec<Node<C>>,
}

/// Proof of a leaf, its value, and the sum of the leaves before it.
pub type SumProof = Proof<u128>;

impl<C: Carry> Proof<C> {
    /// The root of the tree that has this leaf at the proof's place, and the sum of the leaves
    /// before it. None if the proof does not have the shape that its numbers fix, or a sum
    /// overflows.
    pub fn climb(&self, leaf: Node<C>) -> Option<(Node<C>, C)> {
        if self.index >= self.leaves {
            return None;
        }
        let (mut at, mut width) = (self.index, self.leaves);
        let (mut node, mut before) = (leaf, C::default());
        let mut siblings = self.siblings.iter();
        while width > 1 {
            if at % 2 == 1 {
                let left = siblings.next()?;
                before = before.join(left.sum);
                node = left.join(&node);
            } else if at + 1 < width {
                node = node.join(siblings.next()?);
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        // The total holds every sum that was met: if it is sound, they all are.
        (siblings.next().is_none() && node.sum.is_sound())
            .then(|| (node.into_root(u64::from(self.leaves)), before))
    }
}

impl Proof {
    /// Whether `leaf` is at the proof's place under `root`.
    pub fn verify(&self, root: &Hash, leaf: &[u8]) -> bool {
        self.climb(Node::leaf(&[leaf], ()))
            .is_some_and(|(top, ())| top.hash == *root)
    }
}

impl SumProof {
    /// If `leaf` with `value` is at the proof's place under `root`: the sum of all leaves before.
    pub fn verify(&self, root: &SumNode, leaf: &[u8], value: u64) -> Option<u128> {
        let (top, before) = self.climb(Node::leaf(&[leaf], u128::from(value)))?;
        (top == *root).then_some(before)
    }
}

impl<C: Decode> Decode for Proof<C> {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let (index, leaves) = Decode::decode(input)?;
        let siblings = Vec::<Node<C>>::decode(input)?;
        if siblings.len() > MAX_DEPTH {
            return Err("Merkle proof deeper than a tree can be".into());
        }
        Ok(Self {
            index,
            leaves,
            siblings,
        })
    }
}

impl<C: DecodeWithMemTracking> DecodeWithMemTracking for Proof<C> {}

impl<C: MaxEncodedLen> MaxEncodedLen for Proof<C> {
    fn max_encoded_len() -> usize {
        // Two numbers, a one-byte length, the siblings.
        4 + 4 + 1 + MAX_DEPTH * Node::<C>::max_encoded_len()
    }
}
