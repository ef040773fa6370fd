//! Blake2b with a 256-bit digest: the only hash of the protocol.

use alloc::vec::Vec;
use blake2b_simd::{
    many::{hash_many, HashManyJob},
    Params,
};

/// A Blake2b-256 digest.
pub type Hash = [u8; 32];

/// Blake2b-256 of the parts, one after another.
///
/// Nothing is put between parts: a caller starts with a domain tag and keeps all parts but the
/// last at a fixed length.
pub fn blake2_256(parts: &[&[u8]]) -> Hash {
    blake2_256_of(parts.iter().copied())
}

/// [`blake2_256`] of parts that come one at a time.
pub(crate) fn blake2_256_of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Hash {
    let mut state = params().to_state();
    for part in parts {
        state.update(part);
    }
    digest(state.finalize())
}

/// The digest of each of these inputs: several at a time, where the processor can.
pub(crate) fn blake2_256_each<'a>(inputs: impl Iterator<Item = &'a [u8]>) -> Vec<Hash> {
    let params = params();
    let mut jobs: Vec<_> = inputs
        .map(|input| HashManyJob::new(&params, input))
        .collect();
    hash_many(jobs.iter_mut());
    jobs.iter().map(|job| digest(job.to_hash())).collect()
}

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

fn digest(hash: blake2b_simd::Hash) -> Hash {
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.as_bytes());
    digest
}
