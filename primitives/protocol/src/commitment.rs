//! Hashes that bind an account to something that it shows later.
//!
//! blake2b-256 over a domain tag and the fields in order, all of fixed width (ids as 4 bytes
//! little endian), so that no two different preimages have the same bytes. The account is part
//! of the preimage: a copied commitment cannot be opened by the copier.
//!
//! What an attester commits to is hidden, so its call also says which inputs the commitment is for. On a fork where the round
//! has other inputs, the chain refuses it.

use crate::{Hash, RoundId, ShareClaim, TaskId};
use alloc::{vec, vec::Vec};
use codec::Encode;
use gotong_scoring::blake2_256;

const SUBMISSION_TAG: &[u8; 16] = b"gotong:submit:v1";
const ATTESTATION_TAG: &[u8; 16] = b"gotong:attest:v1";
const INPUTS_TAG: &[u8; 16] = b"gotong:inputs:v1";

/// What a contributor commits: the hash of the encoded delta, hidden by `salt`.
pub fn submission_commitment(
    task: TaskId,
    round: RoundId,
    account: &[u8; 32],
    delta_hash: &Hash,
    salt: &Hash,
) -> Hash {
    bind(SUBMISSION_TAG, task, round, &[account, delta_hash, salt])
}

/// What an attester commits: all of its claim and the root of its own work, hidden by `salt`.
pub fn attestation_commitment(
    task: TaskId,
    round: RoundId,
    account: &[u8; 32],
    claim: &ShareClaim,
    work_root: &Hash,
    salt: &Hash,
) -> Hash {
    let claim = blake2_256(&[&claim.encode()]);
    bind(
        ATTESTATION_TAG,
        task,
        round,
        &[account, &claim, work_root, salt],
    )
}

/// The hash that identifies a round's inputs, so that they cannot be taken for those of another fork. It covers everything that
/// the score follows from, except what the task fixes. `shard` is the root of the published samples, if they were sealed; the
/// seed draws the halves, and the samples of a pool.
pub fn round_inputs(
    task: TaskId,
    round: RoundId,
    base_root: &Hash,
    shard: Option<Hash>,
    seed: Option<Hash>,
    entrants_root: &Hash,
) -> Hash {
    let drawn = blake2_256(&[&(shard, seed).encode()]);
    bind(INPUTS_TAG, task, round, &[base_root, &drawn, entrants_root])
}

fn bind(tag: &[u8; 16], task: TaskId, round: RoundId, fields: &[&[u8; 32]]) -> Hash {
    let (task, round) = (task.0.to_le_bytes(), round.0.to_le_bytes());
    let mut parts: Vec<&[u8]> = vec![tag, &task, &round];
    parts.extend(fields.iter().map(|field| field.as_slice()));
    blake2_256(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use gotong_scoring::MergedGain;

    #[test]
    fn golden_submission() {
        let hash = submission_commitment(TaskId(1), RoundId(2), &[3; 32], &[4; 32], &[5; 32]);
        assert_eq!(
            hex::encode(hash),
            "b3e5d073755ff2cc3254b03e38aa17d1846487df139bfe68c620883df0c58d58"
        );
    }

    #[test]
    fn golden_attestation() {
        let claim = ShareClaim {
            table_root: [4; 32],
            master_root: [9; 32],
            merged: Some(MergedGain {
                gain: 7,
                most_credits: 8,
            }),
        };
        let hash =
            attestation_commitment(TaskId(1), RoundId(2), &[3; 32], &claim, &[5; 32], &[6; 32]);
        assert_eq!(
            hex::encode(hash),
            "a60a7b3cde5926c54dcf8564dc20c2662211a6595efb2e9aba0ac8a78aca11c2"
        );
    }

    #[test]
    fn every_input_binds() {
        let inputs = |task, round, base: u8, shard: Option<u8>, seed: Option<u8>, entrants: u8| {
            let hash = |byte| [byte; 32];
            let (shard, seed) = (shard.map(hash), seed.map(hash));
            let (task, round) = (TaskId(task), RoundId(round));
            round_inputs(task, round, &hash(base), shard, seed, &hash(entrants))
        };
        let all = [
            inputs(1, 2, 3, Some(4), Some(5), 6),
            inputs(9, 2, 3, Some(4), Some(5), 6),
            inputs(1, 9, 3, Some(4), Some(5), 6),
            inputs(1, 2, 9, Some(4), Some(5), 6),
            inputs(1, 2, 3, Some(9), Some(5), 6),
            inputs(1, 2, 3, None, Some(5), 6),
            inputs(1, 2, 3, Some(4), Some(9), 6),
            inputs(1, 2, 3, Some(4), None, 6),
            inputs(1, 2, 3, Some(4), Some(5), 9),
            inputs(1, 2, 3, None, Some(4), 6),
            inputs(1, 2, 3, Some(4), None, 5),
        ];
        let distinct: BTreeSet<Hash> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn every_field_binds() {
        let base = submission_commitment(TaskId(1), RoundId(2), &[3; 32], &[4; 32], &[5; 32]);
        for other in [
            submission_commitment(TaskId(2), RoundId(2), &[3; 32], &[4; 32], &[5; 32]),
            submission_commitment(TaskId(1), RoundId(1), &[3; 32], &[4; 32], &[5; 32]),
            submission_commitment(TaskId(1), RoundId(2), &[4; 32], &[4; 32], &[5; 32]),
            submission_commitment(TaskId(1), RoundId(2), &[3; 32], &[5; 32], &[5; 32]),
            submission_commitment(TaskId(1), RoundId(2), &[3; 32], &[4; 32], &[6; 32]),
        ] {
            assert_ne!(base, other);
        }
    }
}
