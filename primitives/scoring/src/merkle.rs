//! One binary Merkle tree, whose nodes may also carry a sum.
//!
//! Nodes are paired from the left; a last node without a partner rises unchanged. So the number
//! of leaves fixes the shape, and the root binds that number:
//!
//! * leaf: `H(0x00 | data)`, with its value beside it,
//! * node: `H(0x01 | left hash | left sum | right hash | right sum)`,
//! * root: `H(0x02 | leaves as u64 LE | top hash | top sum)`; of no leaves `H(0x02 | 0)`.
//!
//! Sums are 16 bytes LE in a summing tree and absent in a plain one.

use crate::hash::{blake2_256, blake2_256_each, blake2_256_of, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::iter;
use scale_info::TypeInfo;

/// Leaves that are hashed at a time; bounds what they take besides their hashes.
const LEAVES_AT_A_TIME: usize = 64;

/// Levels below a root: enough for any `u32` number of leaves.
pub const MAX_DEPTH: usize = 32;

/// What a node carries beside its hash: nothing, or the sum of the leaves below.
pub trait Carry: Copy + Default + Eq {
    /// Carried by the parent of two nodes. Saturates, and [`Carry::is_sound`] then fails.
    fn join(self, other: Self) -> Self;
    /// False once a sum may have saturated.
    fn is_sound(self) -> bool;
    /// The bytes that a parent's hash takes in.
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

    /// What the hash of a node takes in of the two below it, of which these are the sums.
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
    /// A summing tree over these leaves and values. Of `u64` values no sum can overflow.
    pub fn summing<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = (L, u64)>) -> Self {
        let leaves = leaves.into_iter();
        Self::from_data(leaves.map(|(data, value)| (data, value.into())))
    }
}

impl<C: Carry> Tree<C> {
    /// A tree over leaves of these data and values, hashed some at a time.
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

/// The level above these nodes, of which the first has an even place.
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

/// Most levels that are shown at once: at most 256 nodes.
pub const MAX_STRIDE: u32 = 8;

/// A part of a tree that somebody stands for by one node, and shows the inside of stride by stride.
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
pub struct Branch<C = ()> {
    /// Leaves of the whole tree.
    pub leaves: u32,
    /// Level of the node, the leaves being 0; of the root one above its top.
    pub level: u8,
    /// Place of the node in its level.
    pub index: u32,
    /// The node.
    pub node: Node<C>,
}

impl<C: Carry> Branch<C> {
    /// A whole tree, by its root.
    pub fn whole(root: Node<C>, leaves: u32) -> Self {
        Self {
            leaves,
            level: depth(leaves) as u8 + 1,
            index: 0,
            node: root,
        }
    }

    /// Whether the node is a leaf.
    pub fn is_leaf(&self) -> bool {
        self.level == 0
    }

    fn is_root(&self) -> bool {
        u32::from(self.level) > depth(self.leaves)
    }

    /// Level, first leaf and span in leaves of the nodes that are to be shown of a branch that is
    /// no leaf: [`Tree::nodes`]. Strides are as equal as they can be.
    pub fn inside(&self) -> (u32, u32, u32) {
        let levels = u32::from(self.level).min(depth(self.leaves));
        let strides = levels.div_ceil(MAX_STRIDE).max(1);
        let level = levels - levels.div_ceil(strides);
        let first = (u64::from(self.index) << levels).min(self.leaves.into());
        let span = (1u64 << levels).min(u64::from(self.leaves) - first);
        (level, first as u32, span as u32)
    }

    /// How many nodes are to be shown.
    pub fn width(&self) -> u32 {
        let (level, _, span) = self.inside();
        u64::from(span).div_ceil(1 << level) as u32
    }

    /// A whole tree, by the first that is shown of it.
    pub fn opened(nodes: &[Node<C>], leaves: u32) -> Option<Self> {
        let unknown = Self::whole(Node::default(), leaves);
        let node = unknown.fold(nodes)?;
        Some(Self { node, ..unknown })
    }

    /// Whether `nodes` are the inside of the branch.
    pub fn opens_to(&self, nodes: &[Node<C>]) -> bool {
        self.fold(nodes) == Some(self.node)
    }

    /// The node of which these would be the inside.
    fn fold(&self, nodes: &[Node<C>]) -> Option<Node<C>> {
        if self.is_leaf() || nodes.len() as u64 != u64::from(self.width()) {
            return None;
        }
        let (level, _, _) = self.inside();
        let mut nodes = nodes.to_vec();
        for _ in level..u32::from(self.level).min(depth(self.leaves)) {
            nodes = joined(&nodes);
        }
        let top = nodes.first().copied().filter(|top| top.sum.is_sound())?;
        Some(if self.is_root() {
            top.into_root(self.leaves.into())
        } else {
            top
        })
    }

    /// The branch of the node at `nth` of those shown.
    pub fn child(&self, nodes: &[Node<C>], nth: u32) -> Option<Self> {
        let (level, first, _) = self.inside();
        Some(Self {
            leaves: self.leaves,
            level: level as u8,
            index: (first >> level).checked_add(nth)?,
            node: *nodes.get(nth as usize)?,
        })
    }
}

/// Levels between the leaves and the top of a tree.
fn depth(leaves: u32) -> u32 {
    leaves
        .saturating_sub(1)
        .checked_ilog2()
        .map_or(0, |log| log + 1)
}

/// Proof that a leaf is at a place of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Encode, TypeInfo)]
pub struct Proof<C = ()> {
    /// Place of the leaf, from 0.
    pub index: u32,
    /// Leaves of the tree.
    pub leaves: u32,
    /// Siblings from the leaf's up; at most [`MAX_DEPTH`].
    pub siblings: Vec<Node<C>>,
}

/// Proof of a leaf, its value, and the sum of the leaves before it.
pub type SumProof = Proof<u128>;

impl<C: Carry> Proof<C> {
    /// The root of the tree that has this leaf at the proof's place, and the sum of the leaves
    /// before it. None if the proof has not the shape that its numbers fix, or a sum overflows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    #[test]
    fn a_tree_is_what_its_docs_say() {
        let leaf = |data: &[u8]| blake2_256(&[&[0], data]);
        let (a, b, c) = (leaf(b"a"), leaf(b"b"), leaf(b"c"));
        let top = blake2_256(&[&[1], &blake2_256(&[&[1], &a, &b]), &c]);
        let root = blake2_256(&[&[2], &3u64.to_le_bytes(), &top]);
        assert_eq!(Tree::of([b"a", b"b", b"c"]).root().hash, root);

        let sum = |sum: u128| sum.to_le_bytes();
        let top = blake2_256(&[&[1], &a, &sum(5), &b, &sum(7)]);
        let root = Node {
            hash: blake2_256(&[&[2], &2u64.to_le_bytes(), &top, &sum(12)]),
            sum: 12,
        };
        assert_eq!(SumTree::summing([(b"a", 5), (b"b", 7)]).root(), root);
        let empty = blake2_256(&[&[2], &[0; 8], &[0; 32]]);
        assert_eq!(Tree::<()>::from_leaves(vec![]).root().hash, empty);
    }

    #[test]
    fn overflowing_sums_are_refused() {
        let leaf = |value| Node::leaf(&[b"x"], value);
        let tree = Tree::from_leaves(vec![leaf(u128::MAX - 1), leaf(1), leaf(9)]);
        let proof = tree.prove(2).unwrap();
        assert_eq!(proof.climb(leaf(9)), None);
        // Were sums to wrap, the last leaf would start at 0.
        let proof = SumProof {
            index: 1,
            leaves: 2,
            siblings: vec![leaf(u128::MAX)],
        };
        assert_eq!(proof.climb(leaf(1)), None);
    }

    #[test]
    fn the_longest_proof_has_the_longest_encoding() {
        let proof = SumProof {
            index: 0,
            leaves: u32::MAX,
            siblings: vec![Node::default(); MAX_DEPTH],
        };
        assert_eq!(proof.encode().len(), SumProof::max_encoded_len());
        assert_eq!(
            SumProof::decode(&mut &proof.encode()[..]),
            Ok(proof.clone())
        );
        let deeper = SumProof {
            siblings: vec![Node::default(); MAX_DEPTH + 1],
            ..proof
        };
        assert!(SumProof::decode(&mut &deeper.encode()[..]).is_err());
        // The largest tree is climbed without overflow.
        let last = SumProof {
            index: u32::MAX - 1,
            leaves: u32::MAX,
            siblings: vec![Node::default(); MAX_DEPTH - 1],
        };
        assert_eq!(last.verify(&Node::default(), b"", 0), None);
    }

    #[test]
    fn the_proof_is_golden() {
        let leaves = (0..5u8).map(|leaf| ([leaf], u64::from(leaf) * 1000));
        let tree = SumTree::summing(leaves);
        let root = "55a6edf4cb56aedc353d484d70f3f419999b9d5c75c3499763ec4750885f7bd0\
            10270000000000000000000000000000";
        assert_eq!(hex::encode(tree.root().encode()), root);
        // Index, leaves, three siblings: leaf 3, leaves 0 and 1, leaf 4.
        let proof = "02000000050000000c\
            da71b5a250e13516be21e61457038fe23ba276e5dc9f36bf96430f174f8a4605\
            b80b0000000000000000000000000000\
            922de303c30de37ac2d3282d1bc40c621ae6da86da4375f815f850892326f560\
            e8030000000000000000000000000000\
            7324cf9181f377b38e2edeca7a080796554246690656566def41afedef911d0d\
            a00f0000000000000000000000000000";
        assert_eq!(hex::encode(tree.prove(2).unwrap().encode()), proof);
    }

    proptest! {
        #[test]
        fn spans_lead_to_the_root(leaves in 1u32..70, from in any::<Index>(), to in any::<Index>(), bit in any::<Index>()) {
            let tree = Tree::of((0..leaves).map(u32::to_le_bytes));
            let (a, b) = (from.index(leaves as usize) as u32, to.index(leaves as usize) as u32);
            let (first, count) = (a.min(b), a.abs_diff(b) + 1);
            let nodes = tree.nodes(0, first, count);
            let mut siblings = tree.prove_span(first, count);
            prop_assert_eq!(root_of_span(leaves, first, nodes.clone(), &siblings), Some(tree.root().hash));
            prop_assert_eq!(tree.prove_each(&[a, b]), [a, b].map(|leaf| tree.prove_span(leaf, 1)));
            if first > 0 {
                prop_assert_ne!(root_of_span(leaves, first - 1, nodes.clone(), &siblings), Some(tree.root().hash));
            }
            siblings.push([0; 32]);
            prop_assert_eq!(root_of_span(leaves, first, nodes.clone(), &siblings), None);
            siblings.pop();
            if !siblings.is_empty() {
                let at = bit.index(siblings.len());
                siblings[at][0] ^= 1;
                prop_assert_ne!(root_of_span(leaves, first, nodes, &siblings), Some(tree.root().hash));
            }
        }

        #[test]
        fn branches_lead_to_every_leaf(leaves in 1u32..700, at in any::<Index>()) {
            let at = at.index(leaves as usize) as u32;
            let tree = SumTree::summing((0..leaves).map(|leaf| (leaf.to_le_bytes(), u64::from(leaf))));
            let mut branch = Branch::whole(tree.root(), leaves);
            let mut strides = 0;
            while !branch.is_leaf() {
                let (level, first, span) = branch.inside();
                prop_assert!((first..first + span).contains(&at));
                let mut nodes = tree.nodes(level, first, span);
                prop_assert!(nodes.len() <= 1 << MAX_STRIDE);
                prop_assert!(branch.opens_to(&nodes));
                let nth = (at >> level) - (first >> level);
                let child = branch.child(&nodes, nth).unwrap();
                nodes[nth as usize].sum += 1;
                prop_assert!(!branch.opens_to(&nodes));
                prop_assert!(!branch.opens_to(&nodes[1..]));
                branch = child;
                strides += 1;
            }
            prop_assert_eq!(branch.index, at);
            prop_assert_eq!(branch.node, tree.nodes(0, at, 1)[0]);
            prop_assert_eq!(strides, depth(leaves).div_ceil(MAX_STRIDE).max(1));
        }

        #[test]
        fn proofs_prove(values in any_vec(any::<u64>(), 1..40), at in any::<Index>()) {
            let at = at.index(values.len());
            let leaves = values.iter().map(|value| (value.to_be_bytes(), *value));
            let (summing, plain) = (SumTree::summing(leaves.clone()), Tree::of(leaves.map(|leaf| leaf.0)));
            let leaf = values[at].to_be_bytes();
            let proof = summing.prove(at as u32).unwrap();
            let before: u128 = values[..at].iter().map(|value| u128::from(*value)).sum();
            prop_assert_eq!(proof.verify(&summing.root(), &leaf, values[at]), Some(before));
            let total: u128 = values.iter().map(|value| u128::from(*value)).sum();
            prop_assert_eq!(summing.root().sum, total);
            let proof = plain.prove(at as u32).unwrap();
            prop_assert!(proof.verify(&plain.root().hash, &leaf));
            prop_assert_eq!(Proof::decode(&mut &proof.encode()[..]), Ok(proof));
            prop_assert_eq!(plain.prove(values.len() as u32), None);
        }

        #[test]
        fn changed_proofs_do_not(
            values in any_vec(1u64..1000, 2..40), at in any::<Index>(), bit in any::<Index>(), what in 0..6
        ) {
            let at = at.index(values.len());
            // No two leaves are the same.
            let data = |index: usize| (1000 * index as u64 + values[index]).to_be_bytes();
            let tree = SumTree::summing(values.iter().enumerate().map(|(at, value)| (data(at), *value)));
            let (mut leaf, mut value) = (data(at), values[at]);
            let mut proof = tree.prove(at as u32).unwrap();
            match what {
                0 => leaf[0] ^= 1,
                1 => value += 1,
                2 => {
                    proof.siblings.pop();
                }
                3 => proof.siblings.push(Node::default()),
                4 => proof.index ^= 1 << bit.index(32),
                _ => {
                    let mut bytes = proof.encode();
                    let bit = bit.index(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    match SumProof::decode(&mut &bytes[..]) {
                        Ok(changed) => proof = changed,
                        Err(_) => return Ok(()),
                    }
                }
            }
            prop_assert_eq!(proof.verify(&tree.root(), &leaf, value), None);
        }
    }
}
