//! The canonical weights of a task.

use crate::arith::{clamp_i8, rs, MASTER_BOUND};
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use thiserror::Error;

/// The int8 view of a master weight, which is what a linear op multiplies with.
pub fn view(w16: i16) -> i8 {
    clamp_i8(rs(i32::from(w16), 8))
}

/// Why weights are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// An odd number of bytes.
    #[error("the last weight is incomplete")]
    PartialWeight,
    /// A weight is out of +-[`MASTER_BOUND`].
    #[error("weight {index} is out of bounds")]
    OutOfBounds {
        /// Index of the weight.
        index: u32,
    },
}

/// Master weights: 16-bit, each within +-[`MASTER_BOUND`], in units of 2^-16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterWeights(Vec<i16>);

impl MasterWeights {
    /// Checks the bounds.
    pub fn new(weights: Vec<i16>) -> Result<Self, WeightsError> {
        check(weights.iter().copied())?;
        Ok(Self(weights))
    }

    /// From little-endian bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        Self::new(values(bytes)?.collect())
    }

    /// The weights.
    pub fn as_slice(&self) -> &[i16] {
        &self.0
    }

    /// The weights themselves.
    pub fn into_inner(self) -> Vec<i16> {
        self.0
    }

    /// Little-endian bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// Root of a plain Merkle tree; a leaf is the little-endian bytes of [`WEIGHT_TILE`] weights,
    /// or fewer in the last.
    pub fn root(&self) -> Hash {
        tree(&self.to_bytes()).root().hash
    }

    /// [`Self::root`] of weights that are given as little-endian bytes, which it checks.
    pub fn root_of_bytes(bytes: &[u8]) -> Result<Hash, WeightsError> {
        check(values(bytes)?)?;
        Ok(tree(bytes).root().hash)
    }
}

fn values(bytes: &[u8]) -> Result<impl Iterator<Item = i16> + '_, WeightsError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(WeightsError::PartialWeight);
    }
    Ok(pairs.iter().map(|pair| i16::from_le_bytes(*pair)))
}

fn check(mut weights: impl Iterator<Item = i16>) -> Result<(), WeightsError> {
    let out = |w: i16| w.unsigned_abs() > MASTER_BOUND.unsigned_abs();
    match weights.position(out) {
        Some(index) => Err(WeightsError::OutOfBounds {
            index: index as u32,
        }),
        None => Ok(()),
    }
}

/// The tree of [`MasterWeights::root`] over little-endian bytes.
pub(crate) fn tree(bytes: &[u8]) -> Tree {
    Tree::of(bytes.chunks(2 * WEIGHT_TILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Node;
    use alloc::vec;

    #[test]
    fn views_round_to_nearest_and_never_reach_128() {
        let views = [-32_768, -32_512, -129, -128, 127, 128, 32_512, 32_767].map(view);
        assert_eq!(views, [-127, -127, -1, 0, 0, 1, 127, 127]);
    }

    #[test]
    fn bounds_are_checked() {
        assert!(MasterWeights::new(vec![-32_512, 32_512]).is_ok());
        for out in [-32_513, 32_513, i16::MIN, i16::MAX] {
            let error = Err(WeightsError::OutOfBounds { index: 1 });
            assert_eq!(MasterWeights::new(vec![0, out]), error);
            let mut bytes = vec![0, 0];
            bytes.extend(out.to_le_bytes());
            assert_eq!(MasterWeights::from_bytes(&bytes), error);
            assert_eq!(MasterWeights::root_of_bytes(&bytes).err(), error.err());
        }
        assert_eq!(
            MasterWeights::root_of_bytes(&[0; 3]),
            Err(WeightsError::PartialWeight)
        );
    }

    #[test]
    fn the_root_is_over_tiles_of_bytes() {
        let weights = MasterWeights::new((0..WEIGHT_TILE as i16 + 3).collect()).unwrap();
        let bytes = weights.to_bytes();
        assert_eq!(MasterWeights::from_bytes(&bytes), Ok(weights.clone()));
        assert_eq!(MasterWeights::root_of_bytes(&bytes), Ok(weights.root()));
        let (first, second) = bytes.split_at(2 * WEIGHT_TILE);
        let leaves = [first, second].map(|leaf| Node::leaf(&[leaf], ()));
        assert_eq!(
            Tree::from_leaves(leaves.to_vec()).root().hash,
            weights.root()
        );
    }
}
