//! One binary Merkle tree, whose nodes may also carry a sum.
//!
//! Nodes are paired from the left; a last node without a partner rises unchanged. So the number
//! of leaves fixes the shape, and the root binds that number:
//!
//! * leaf: `H(0x00 | data)`, with its value next to it,
//! * node: `H(0x01 | left hash | left sum | right hash | right sum)`,
//! * root: `H(0x02 | leaves as u64 LE | top hash | top sum)`; without leaves `H(0x02 | 0)`.
//!
//! Sums are 16 bytes LE in a summing tree and absent in a plain one.

mod branch;
mod proof;
#[cfg(test)]
mod tests;

pub use branch::{Branch, MAX_STRIDE};
pub use proof::{Proof, SumProof};

use crate::hash::{blake2_256, blake2_256_each, blake2_256_of, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::iter;
use scale_info::TypeInfo;

/// Number of leaves that are hashed at a time; bounds the memory that they take besides their hashes.
const LEAVES_AT_A_TIME: usize = 64;

/// Levels below a root: enough for any `u32` number of leaves.
pub const MAX_DEPTH: usize = 32;

/// What a node carries beside its hash: nothing, or the sum of the leaves below.
pub trait Carry: Copy + Default + Eq {
    /// Carried by the parent of two nodes. Saturates, and [`Carry::is_sound`] then fails.
    fn join(self, other: Self) -> Self;
    /// False once a sum may have saturated.
    fn is_sound(self) -> bool;
    /// The bytes that go into a parent's hash.
    fn bytes(&self) -> impl AsRef<[u8]>;
}

impl Carry for () {
    fn join(self, _: Self) -> Self {}
    fn is_sound(self) -> bool {
        true
    }
    fn bytes(&self) -> impl AsRef<[u8]> {
        []
    }
}

impl Carry for u128 {
    fn join(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn is_sound(self) -> bool {
        self != u128::MAX
    }
    fn bytes(&self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

/// A node of a tree. In SCALE a plain node is its 32 hash bytes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Node<C = ()> {
    /// Binds everything below the node.
    pub hash: Hash,
    /// Sum of the leaf values below the node.
    pub sum: C,
}

/// A node of a summing tree.
pub type SumNode = Node<u128>;

impl<C: Carry> Node<C> {
    /// The leaf of these data (given in parts) and this value.
    pub fn leaf(data: &[&[u8]], value: C) -> Self {
        let tag: &[u8] = &[0];
        Self {
            hash: blake2_256_of(iter::once(tag).chain(data.iter().copied())),
            sum: value,
        }
    }

    fn join(&self, right: &Self) -> Self {
        let sums = [self.sum.bytes(), right.sum.bytes()];
        Self {
            hash: blake2_256(&self.beside(right, sums.each_ref().map(AsRef::as_ref))),
            sum: self.sum.join(right.sum),
        }
    }

    /// What goes into the hash of a node from the two below it, whose sums these are.
    fn beside<'a>(&'a self, right: &'a Self, sums: [&'a [u8]; 2]) -> [&'a [u8]; 5] {
        let [left_sum, right_sum] = sums;
        [&[1], &self.hash, left_sum, &right.hash, right_sum]
    }

    fn into_root(self, leaves: u64) -> Self {
        let hash = blake2_256(&[
            &[2],
            &leaves.to_le_bytes(),
            &self.hash,
            self.sum.bytes().as_ref(),
        ]);
        Self { hash, ..self }
    }
}

/// A tree, held as its leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree<C = ()> {
    leaves: Vec<Node<C>>,
}

/// A tree whose nodes carry the sum of their leaves.
pub type SumTree = Tree<u128>;

impl Tree {
    /// A plain tree over these leaves.
    pub fn of<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Self {
        Self::from_data(leaves.into_iter().map(|data| (data, ())))
    }
}

impl SumTree {
    /// A summing tree over these leaves and values. With `u64` values no sum can overflow.
    pub fn summing<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = (L, u64)>) -> Self {
        let leaves = leaves.into_iter();
        Self::from_data(leaves.map(|(data, value)| (data, value.into())))
    }
}

impl<C: Carry> Tree<C> {
    /// A tree over leaves with these data and values, hashed a batch at a time.
    fn from_data<L: AsRef<[u8]>>(mut data: impl Iterator<Item = (L, C)>) -> Self {
        let mut leaves = Vec::new();
        loop {
            let (mut tagged, mut ends, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for (data, value) in data.by_ref().take(LEAVES_AT_A_TIME) {
                tagged.push(0);
                tagged.extend_from_slice(data.as_ref());
                ends.push(tagged.len());
                values.push(value);
            }
            if ends.is_empty() {
                return Self::from_leaves(leaves);
            }
            let starts = iter::once(0).chain(ends.iter().copied());
            let inputs = starts
                .zip(&ends)
                .filter_map(|(start, end)| tagged.get(start..*end));
            let nodes = blake2_256_each(inputs).into_iter().zip(values);
            leaves.extend(nodes.map(|(hash, sum)| Node { hash, sum }));
        }
    }

    /// A tree over leaves made by [`Node::leaf`].
    pub fn from_leaves(leaves: Vec<Node<C>>) -> Self {
        Self { leaves }
    }

    pub(crate) fn into_leaves(self) -> Vec<Node<C>> {
        self.leaves
    }

    /// The root: binds every leaf, its place, its value and the number of leaves.
    pub fn root(&self) -> Node<C> {
        self.root_and_path(0).0
    }

    /// Proof of the leaf at `index`; none if there is no such leaf.
    pub fn prove(&self, index: u32) -> Option<Proof<C>> {
        let leaves = u32::try_from(self.leaves.len()).ok()?;
        let siblings = (index < leaves).then(|| self.root_and_path(index as usize).1)?;
        Some(Proof {
            index,
            leaves,
            siblings,
        })
    }

    /// The root, and the siblings met on the way up from a leaf.
    fn root_and_path(&self, index: usize) -> (Node<C>, Vec<Node<C>>) {
        let (mut level, mut index, mut path) = (self.leaves.clone(), index, Vec::new());
        while level.len() > 1 {
            path.extend(level.get(index ^ 1));
            index /= 2;
            level = joined(&level);
        }
        let top = level.first().copied().unwrap_or_default();
        (top.into_root(self.leaves.len() as u64), path)
    }
}

impl<C: Carry> Tree<C> {
    /// How many leaves it has; `u32::MAX` if there are more.
    pub fn leaves(&self) -> u32 {
        u32::try_from(self.leaves.len()).unwrap_or(u32::MAX)
    }

    /// The nodes of a level, the leaves being level 0, that cover `span` leaves from `first` on;
    /// `first` is a multiple of `2^level`.
    pub fn nodes(&self, level: u32, first: u32, span: u32) -> Vec<Node<C>> {
        let end = (first as usize).saturating_add(span as usize);
        let end = end.min(self.leaves.len());
        let mut nodes = self.leaves.get(first as usize..end).unwrap_or(&[]).to_vec();
        for _ in 0..level {
            nodes = joined(&nodes);
        }
        nodes
    }
}

impl Tree {
    /// The siblings that lead `count` leaves from `first` on up to the root: see [`root_of_span`].
    pub fn prove_span(&self, first: u32, count: u32) -> Vec<Hash> {
        let (mut level, mut siblings) = (self.leaves.clone(), Vec::new());
        let (mut first, mut end) = (first as usize, first as usize + count as usize);
        while level.len() > 1 {
            if first % 2 == 1 {
                siblings.push(level[first - 1].hash);
            }
            if end % 2 == 1 {
                siblings.extend(level.get(end).map(|node| node.hash));
            }
            (first, end) = (first / 2, end.div_ceil(2));
            level = joined(&level);
        }
        siblings
    }
}

impl Tree {
    /// [`Self::prove_span`] of each of these leaves alone, all at once.
    pub fn prove_each(&self, places: &[u32]) -> Vec<Vec<Hash>> {
        let mut siblings = alloc::vec![Vec::new(); places.len()];
        let (mut level, mut height) = (self.leaves.clone(), 0);
        while level.len() > 1 {
            for (siblings, place) in siblings.iter_mut().zip(places) {
                let sibling = (*place as usize >> height) ^ 1;
                siblings.extend(level.get(sibling).map(|node| node.hash));
            }
            (level, height) = (joined(&level), height + 1);
        }
        siblings
    }
}

/// The root of the plain tree of `leaves` leaves that has these `nodes` as leaves from `first` on.
/// `siblings` are, from the leaves' level up, the left neighbour of the span if its first place is
/// odd, then the right one if its last is even and there is one: at most two a level. None if there
/// are too few or too many, or the span is empty or not within the tree.
pub fn root_of_span(
    leaves: u32,
    first: u32,
    mut nodes: Vec<Node>,
    siblings: &[Hash],
) -> Option<Hash> {
    let mut end = first.checked_add(u32::try_from(nodes.len()).ok()?)?;
    if nodes.is_empty() || end > leaves {
        return None;
    }
    let (mut first, mut width) = (first, leaves);
    let mut siblings = siblings.iter();
    let mut next = || {
        siblings.next().map(|hash| Node {
            hash: *hash,
            sum: (),
        })
    };
    while width > 1 {
        if first % 2 == 1 {
            nodes.insert(0, next()?);
        }
        if end % 2 == 1 && end < width {
            nodes.push(next()?);
        }
        nodes = joined(&nodes);
        (first, end, width) = (first / 2, end.div_ceil(2), width.div_ceil(2));
    }
    let top = nodes.first().copied()?;
    siblings
        .next()
        .is_none()
        .then(|| top.into_root(leaves.into()).hash)
}

/// The level above these nodes, the first of which has an even place.
fn joined<C: Carry>(level: &[Node<C>]) -> Vec<Node<C>> {
    let (pairs, last) = level.as_chunks::<2>();
    let mut inputs = Vec::new();
    for [left, right] in pairs {
        let sums = [left.sum.bytes(), right.sum.bytes()];
        let parts = left.beside(right, sums.each_ref().map(AsRef::as_ref));
        parts.iter().for_each(|part| inputs.extend_from_slice(part));
    }
    // All are of the same length.
    let length = inputs.len().checked_div(pairs.len()).unwrap_or(1);
    let hashes = blake2_256_each(inputs.chunks(length)).into_iter();
    let above = hashes.zip(pairs).map(|(hash, [left, right])| Node {
        hash,
        sum: left.sum.join(right.sum),
    });
    above.chain(last.iter().copied()).collect()
}
