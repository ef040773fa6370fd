//! Blake2b with a 256-bit digest: the only hash of the protocol.

use blake2b_simd::Params;

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
    let mut state = Params::new().hash_length(32).to_state();
    for part in parts {
        state.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(state.finalize().as_bytes());
    digest
}
