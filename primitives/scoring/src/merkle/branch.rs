//! Parts of a tree, opened stride by stride.

use super::{joined, Carry, Node};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Most levels that are shown at once: at most 256 nodes.
pub const MAX_STRIDE: u32 = 8;

/// A part of a tree: somebody commits to it by its top node, and shows what is below that stride by stride.
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
    /// Number of leaves of the whole tree.
    pub leaves: u32,
    /// The level of the node, where leaves are at level 0. The root is one level above the top of its tree.
    pub level: u8,
    /// The place of the node in its level.
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

    /// Level, first leaf and span in leaves of the nodes to be shown for a branch that is not a leaf: [`super::Tree::nodes`].
    /// Strides are as equal as they can be.
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

    /// A whole tree, from the first nodes that are shown of it.
    pub fn opened(nodes: &[Node<C>], leaves: u32) -> Option<Self> {
        let unknown = Self::whole(Node::default(), leaves);
        let node = unknown.fold(nodes)?;
        Some(Self { node, ..unknown })
    }

    /// Whether `nodes` are the inside of the branch.
    pub fn opens_to(&self, nodes: &[Node<C>]) -> bool {
        self.fold(nodes) == Some(self.node)
    }

    /// The node whose inside these would be.
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
pub(super) fn depth(leaves: u32) -> u32 {
    leaves
        .saturating_sub(1)
        .checked_ilog2()
        .map_or(0, |log| log + 1)
}
