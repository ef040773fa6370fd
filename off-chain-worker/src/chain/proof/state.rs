//! What the state of a block holds: storage keys, and the values that a proof shows for them.

use super::ProofError;
use gotong_protocol::Hash;
use sp_core::Blake2Hasher;
use sp_crypto_hashing::{blake2_128, twox_128, twox_64};
use sp_trie::{read_trie_value, HashDBT, LayoutV1, StorageProof, EMPTY_PREFIX};

/// The key of `item` of a pallet, or the beginning of the keys of a map.
pub fn key(pallet: &str, item: &str) -> Vec<u8> {
    [twox_128(pallet.as_bytes()), twox_128(item.as_bytes())].concat()
}

/// How a map places a key that nobody can choose (`Twox64Concat`).
pub fn placed(key: &[u8]) -> Vec<u8> {
    [&twox_64(key)[..], key].concat()
}

/// How a map places a key that somebody can choose (`Blake2_128Concat`).
pub fn scattered(key: &[u8]) -> Vec<u8> {
    [&blake2_128(key)[..], key].concat()
}

/// The values of `keys` in the state with this root. The trie's `nodes` prove each value or its absence.
pub fn read(
    root: &Hash,
    nodes: impl IntoIterator<Item = Vec<u8>>,
    keys: &[Vec<u8>],
) -> Result<Vec<Option<Vec<u8>>>, ProofError> {
    let db = StorageProof::new(nodes).into_memory_db::<Blake2Hasher>();
    let root = (*root).into();
    if !db.contains(&root, EMPTY_PREFIX) {
        return Err(ProofError::BadState);
    }
    let value = |key: &Vec<u8>| {
        read_trie_value::<LayoutV1<Blake2Hasher>, _>(&db, &root, key, None, None)
            .map_err(|_| ProofError::BadState)
    };
    keys.iter().map(value).collect()
}
