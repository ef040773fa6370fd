//! Hold-out samples, sealed: a root says nothing about a record until the key is published.

use crate::hash::Hash;
use crate::merkle::{Node, Tree};
use thiserror::Error;

/// Most samples of a shard.
pub const MAX_SAMPLES: u32 = 4096;

/// Why bytes are not a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// No record, or records of no bytes.
    #[error("a shard holds at least one record of at least one byte")]
    Empty,
    /// The bytes are not a whole number of records.
    #[error("the last record of the shard is incomplete")]
    PartialRecord,
}

/// The leaf of a record: its hash, salted with the shard's key and the record's place.
pub fn seal_leaf(key: &Hash, index: u32, record: &[u8]) -> Hash {
    sealed(key, index, record).hash
}

pub(crate) fn sealed(key: &Hash, index: u32, record: &[u8]) -> Node {
    Node::leaf(&[key, &index.to_le_bytes(), record], ())
}

/// Root of a shard: a plain Merkle tree over its sealed records of `record_len` bytes.
pub fn shard_root(key: &Hash, record_len: usize, bytes: &[u8]) -> Result<Hash, ShardError> {
    if record_len == 0 || bytes.is_empty() {
        return Err(ShardError::Empty);
    }
    if !bytes.len().is_multiple_of(record_len) {
        return Err(ShardError::PartialRecord);
    }
    Ok(tree(key, record_len, bytes).root().hash)
}

/// The tree of [`shard_root`]; `record_len` is not 0.
pub(crate) fn tree(key: &Hash, record_len: usize, bytes: &[u8]) -> Tree {
    let records = (0..).zip(bytes.chunks_exact(record_len));
    Tree::from_leaves(
        records
            .map(|(index, record)| sealed(key, index, record))
            .collect(),
    )
}

/// Root over the roots of a task's shards; [`Tree::prove`] over the same leaves shows that one
/// shard is number i.
pub fn shards_root(shards: &[Hash]) -> Hash {
    Tree::of(shards).root().hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Hash = [7; 32];

    #[test]
    fn the_root_binds_key_records_and_places() {
        let root = shard_root(&KEY, 2, &[1, 2, 3, 4]).unwrap();
        let leaves = [seal_leaf(&KEY, 0, &[1, 2]), seal_leaf(&KEY, 1, &[3, 4])];
        let leaves = leaves.map(|hash| Node { hash, sum: () });
        assert_eq!(Tree::from_leaves(leaves.to_vec()).root().hash, root);
        let others = [
            shard_root(&[8; 32], 2, &[1, 2, 3, 4]),
            shard_root(&KEY, 2, &[3, 4, 1, 2]),
            shard_root(&KEY, 4, &[1, 2, 3, 4]),
            shard_root(&KEY, 2, &[1, 2, 3, 4, 0, 0]),
        ];
        assert!(others.into_iter().all(|other| other.unwrap() != root));
    }

    #[test]
    fn broken_shards_are_refused() {
        assert_eq!(
            shard_root(&KEY, 2, &[1, 2, 3]),
            Err(ShardError::PartialRecord)
        );
        assert_eq!(shard_root(&KEY, 2, &[]), Err(ShardError::Empty));
        assert_eq!(shard_root(&KEY, 0, &[1]), Err(ShardError::Empty));
    }

    #[test]
    fn a_shard_is_proved_to_be_of_the_task() {
        let shards = [[1; 32], [2; 32], [3; 32]];
        let root = shards_root(&shards);
        let proof = Tree::of(shards).prove(2).unwrap();
        assert!(proof.verify(&root, &shards[2]));
        assert!(!proof.verify(&root, &shards[1]));
        assert_eq!(proof.index, 2);
    }
}
