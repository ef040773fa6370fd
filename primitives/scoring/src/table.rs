//! The score table of a round, the claim an attester makes of it, and proofs of a share.

use crate::hash::{blake2_256, Hash};
use crate::merkle::{Node, SumNode, SumProof, SumTree, Tree};
use crate::round::passes;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// What became of a revealed delta.
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
pub enum Standing {
    /// Its midpoint share passed the floor: it is part of the merge.
    Admitted,
    /// Its midpoint share did not pass the floor.
    BelowFloor,
    /// Too similar to a delta committed before it; not evaluated.
    Similar {
        /// The first row that it is too similar to, of those that are not similar themselves.
        to: u32,
    },
}

/// One revealed delta in the score table. Losses and shares are Q16 bits summed over samples.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Row {
    /// [`crate::Delta::hash_of`] the revealed bytes.
    pub delta_hash: Hash,
    /// Weight in the merge.
    pub weight: u32,
    /// Factor that clips the delta to the round's median norm, Q16; 65536 is 1.
    pub clip_q16: u32,
    /// Midpoint share.
    pub phi: i64,
    /// Paired standard error of `phi`.
    pub standard_error: u64,
    /// What became of the delta.
    pub standing: Standing,
    /// Its part of what the round pays, if it pays: `phi` if it was admitted, else 0. It does not
    /// depend on whether the round pays, so that a dispute about the gain leaves the rows alone.
    pub share: u64,
    /// Per-sample losses with the delta's own part taken off the midpoint; [`losses_node`]. All
    /// zero if the delta was not evaluated.
    pub minus: SumNode,
    /// Per-sample losses with it put on.
    pub plus: SumNode,
}

impl Row {
    /// Which row it is too similar to, if any.
    pub fn similar_to(&self) -> Option<u32> {
        match self.standing {
            Standing::Similar { to } => Some(to),
            _ => None,
        }
    }

    /// `phi` if the delta was admitted, else 0. What is admitted is positive.
    pub(crate) fn admitted_phi(&self) -> u64 {
        match self.standing {
            Standing::Admitted => self.phi.unsigned_abs(),
            _ => 0,
        }
    }
}

/// What a score table says of the round as a whole.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Header {
    /// Samples of the shard.
    pub samples: u32,
    /// Per-sample losses of the weights before the round; [`losses_node`].
    pub base: SumNode,
    /// Per-sample losses of the merge of the admitted, merged or not.
    pub merged: SumNode,
    /// Joint gain as measured, Q16 bits summed over samples.
    pub gain: i64,
    /// Paired standard error of `gain`.
    pub gain_se: u64,
    /// Joint gain that is paid: `gain` if it passed the floor, else 0.
    pub paid_gain: u64,
    /// Root of the master weights after the round.
    pub master_root: Hash,
    /// Root of [`similar_tree`] over the rows.
    pub similar_root: Hash,
}

/// The scores of a round: equal on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct ScoreTable {
    /// The round as a whole.
    pub header: Header,
    /// A row per reveal, in the order of the commits.
    pub rows: Vec<Row>,
}

impl ScoreTable {
    /// `H("gotong:table" | header hash | rows hash | rows sum)`.
    pub fn root(&self) -> Hash {
        self.opening().table_root()
    }

    /// Sum of the rows' shares.
    pub fn shares_sum(&self) -> u128 {
        self.rows.iter().map(|row| u128::from(row.share)).sum()
    }

    /// What an attester claims of this table on chain.
    pub fn claim(&self) -> RoundClaim {
        self.opening().claim()
    }

    /// What an attester shows of this table on chain.
    pub fn opening(&self) -> Opening {
        Opening {
            header: self.header.clone(),
            rows: self.rows_tree().root(),
        }
    }

    /// Proof of the share of a row; none if there is no such row.
    pub fn prove_share(&self, row: usize) -> Option<ShareProof> {
        Some(ShareProof {
            header_hash: self.header.hash(),
            row: self.rows.get(row)?.clone(),
            proof: self.rows_tree().prove(u32::try_from(row).ok()?)?,
        })
    }

    pub(crate) fn rows_tree(&self) -> SumTree {
        SumTree::summing(self.rows.iter().map(|row| (row.encode(), row.share)))
    }
}

impl Header {
    fn hash(&self) -> Hash {
        blake2_256(&[b"gotong:header", &self.encode()])
    }
}

/// A table by its header and the root of its rows: all that the chain sees of it at first.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Opening {
    /// The round as a whole.
    pub header: Header,
    /// Root of the rows, with the sum of their shares.
    pub rows: SumNode,
}

impl Opening {
    /// Root of the table.
    pub fn table_root(&self) -> Hash {
        table_root(&self.header.hash(), &self.rows)
    }

    /// What it claims of the round.
    pub fn claim(&self) -> RoundClaim {
        RoundClaim {
            table_root: self.table_root(),
            paid_gain: self.header.paid_gain,
            shares_sum: self.rows.sum,
            master_root: self.header.master_root,
        }
    }

    /// Whether it agrees with itself, for a round of so many samples on the weights of
    /// `base_root`: the gain is the fall of the summed losses, what is paid follows from it by
    /// the floor, there are new weights only where something is paid, and then there are shares.
    pub fn is_consistent(&self, samples: u32, base_root: &Hash, gain_floor_q8: u16) -> bool {
        let Header {
            base,
            merged,
            gain,
            gain_se,
            paid_gain,
            ..
        } = self.header;
        let fall = i128::try_from(base.sum).ok().and_then(|base| {
            let merged = i128::try_from(merged.sum).ok()?;
            i64::try_from(base.checked_sub(merged)?).ok()
        });
        let improved = passes(gain, gain_se, gain_floor_q8);
        self.header.samples == samples
            && fall == Some(gain)
            && paid_gain == if improved { gain.unsigned_abs() } else { 0 }
            && (!improved || self.rows.sum > 0)
            && (improved || self.header.master_root == *base_root)
    }
}

/// The tree over what every row is similar to: its place as u32 LE, or `u32::MAX` for none.
pub fn similar_tree(rows: impl IntoIterator<Item = Option<u32>>) -> Tree {
    Tree::of(
        rows.into_iter()
            .map(|to| to.unwrap_or(u32::MAX).to_le_bytes()),
    )
}

fn table_root(header_hash: &Hash, rows: &SumNode) -> Hash {
    blake2_256(&[
        b"gotong:table",
        header_hash,
        &rows.hash,
        &rows.sum.to_le_bytes(),
    ])
}

/// What an attester says of a round on chain.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct RoundClaim {
    /// [`ScoreTable::root`].
    pub table_root: Hash,
    /// Joint gain that is paid, Q16 bits summed over samples.
    pub paid_gain: u64,
    /// Sum of the rows' shares.
    pub shares_sum: u128,
    /// Root of the master weights after the round.
    pub master_root: Hash,
}

/// Why a proof of a share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    /// The Merkle proof has the wrong shape, or a sum overflows.
    #[error("the share's Merkle proof is malformed")]
    MalformedProof,
    /// The proof leads to another table than the claimed one.
    #[error("the share is not of the claimed table")]
    OtherTable,
    /// The shares do not sum to what was claimed.
    #[error("the shares do not sum to the claimed sum")]
    OtherSum,
}

/// Proof that a row, and so its share, is in a claimed table.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct ShareProof {
    /// Hash of the table's header.
    pub header_hash: Hash,
    /// The row.
    pub row: Row,
    /// Proof of the row among the rows.
    pub proof: SumProof,
}

/// A share that was proved. `[prefix, prefix + share)` of `total` is its slice of the pot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvedShare {
    /// Which row, from 0: the place among the reveals in the order of commits.
    pub index: u32,
    /// The row's delta.
    pub delta_hash: Hash,
    /// Sum of the shares of all rows before.
    pub prefix: u128,
    /// The row's share.
    pub share: u64,
    /// Sum of the shares of all rows.
    pub total: u128,
}

impl ShareProof {
    /// What the proof proves under `claim`. Costs a hash per level of the tree.
    pub fn verify(&self, claim: &RoundClaim) -> Result<ProvedShare, ShareError> {
        let leaf = Node::leaf(&[&self.row.encode()], u128::from(self.row.share));
        let (rows, prefix) = self.proof.climb(leaf).ok_or(ShareError::MalformedProof)?;
        if table_root(&self.header_hash, &rows) != claim.table_root {
            return Err(ShareError::OtherTable);
        }
        if rows.sum != claim.shares_sum {
            return Err(ShareError::OtherSum);
        }
        Ok(ProvedShare {
            index: self.proof.index,
            delta_hash: self.row.delta_hash,
            prefix,
            share: self.row.share,
            total: rows.sum,
        })
    }
}

/// Root and sum of [`losses_tree`].
pub fn losses_node(losses: &[u32]) -> SumNode {
    losses_tree(losses).root()
}

/// Losses of a leaf of [`losses_tree`]: as many as one block of the hash takes, 128 bytes with a tag.
pub const LOSS_TILE: usize = 31;

/// The Merkle-sum tree over per-sample losses (Q16 bits), in tiles of [`LOSS_TILE`], the last perhaps
/// shorter; a leaf is the tile's losses LE, with their sum.
pub fn losses_tree(losses: &[u32]) -> SumTree {
    let bytes = bytes_of(losses);
    let sums = losses.chunks(LOSS_TILE).map(sum_of);
    SumTree::summing(bytes.chunks(4 * LOSS_TILE).zip(sums))
}

/// Losses, little endian.
pub(crate) fn bytes_of(losses: &[u32]) -> Vec<u8> {
    losses.iter().flat_map(|loss| loss.to_le_bytes()).collect()
}

/// The sum of the losses of a tile.
pub(crate) fn sum_of(tile: &[u32]) -> u64 {
    tile.iter().copied().map(u64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn row(id: u8, share: u64) -> Row {
        Row {
            delta_hash: [id; 32],
            weight: 1000,
            clip_q16: 65_536,
            phi: share as i64 - 1,
            standard_error: 2,
            standing: Standing::Admitted,
            share,
            minus: losses_node(&[1, 2]),
            plus: losses_node(&[1, 1]),
        }
    }

    fn table(shares: &[u64]) -> ScoreTable {
        ScoreTable {
            header: Header {
                samples: 2,
                base: losses_node(&[65_536, 70_000]),
                merged: losses_node(&[60_000, 60_000]),
                gain: 15_536,
                gain_se: 100,
                paid_gain: 15_536,
                master_root: [9; 32],
                similar_root: [8; 32],
            },
            rows: (0..)
                .zip(shares)
                .map(|(id, share)| row(id, *share))
                .collect(),
        }
    }

    #[test]
    fn the_table_and_its_claim_are_golden() {
        let table = table(&[5, 0, 7]);
        let claim =
            "e4a040aa17e79a67d91e11e9024317a21508643fc238e48327b510ddb54a6ae8b03c000000000000\
            0c000000000000000000000000000000090909090909090909090909090909090909090909090909\
            0909090909090909";
        assert_eq!(hex::encode(table.claim().encode()), claim);
        assert_eq!(hex::encode(table.root()), claim[..64]);
        let bytes = "21f1f874a6f0f3494dcb6f7d6a57fb374b8fa8798d9a79eac58182e6a0ea700a";
        assert_eq!(hex::encode(blake2_256(&[&table.encode()])), bytes);
        let proof = table.prove_share(2).unwrap();
        let bytes = "ef1f1913dd2f2b084f6fc97f78e8f7e1e72c6b5bcb63e0e73c7ceb797d8c0788";
        assert_eq!(hex::encode(blake2_256(&[&proof.encode()])), bytes);
        assert!(proof.encode().len() <= ShareProof::max_encoded_len());
    }

    #[test]
    fn a_share_of_another_claim_is_refused() {
        let (claim, proof) = {
            let table = table(&[5, 0, 7]);
            (table.claim(), table.prove_share(0).unwrap())
        };
        let other = RoundClaim {
            table_root: [0; 32],
            ..claim.clone()
        };
        assert_eq!(proof.verify(&other), Err(ShareError::OtherTable));
        let other = RoundClaim {
            shares_sum: 11,
            ..claim.clone()
        };
        assert_eq!(proof.verify(&other), Err(ShareError::OtherSum));
        let mut broken = proof.clone();
        broken.proof.siblings.pop();
        assert_eq!(broken.verify(&claim), Err(ShareError::MalformedProof));
        assert_eq!(table(&[5]).prove_share(1), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn shares_are_proved_with_their_place(shares in any_vec(any::<u64>(), 1..12)) {
            let table = table(&shares);
            let (claim, mut prefix) = (table.claim(), 0);
            for (index, share) in shares.iter().enumerate() {
                let expected = ProvedShare {
                    index: index as u32,
                    delta_hash: [index as u8; 32],
                    prefix,
                    share: *share,
                    total: table.shares_sum(),
                };
                prop_assert_eq!(table.prove_share(index).unwrap().verify(&claim), Ok(expected));
                prefix += u128::from(*share);
            }
            prop_assert_eq!(prefix, claim.shares_sum);
        }

        #[test]
        fn a_changed_proof_is_refused(shares in any_vec(any::<u64>(), 1..12), at in any::<Index>(), bit in any::<Index>()) {
            let table = table(&shares);
            let mut bytes = table.prove_share(at.index(shares.len())).unwrap().encode();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(proof) = ShareProof::decode(&mut &bytes[..]) {
                prop_assert!(proof.verify(&table.claim()).is_err());
            }
        }
    }
}
