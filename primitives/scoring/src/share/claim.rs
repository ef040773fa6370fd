//! What an attester claims about a round on chain, and what a contributor shows to be credited.

use super::credit::{most_credits, Credit, Split};
use super::table::{table_root, MergeSummary, Row, RowSums, ShareTable, Stage, TableSummary};
use crate::hash::Hash;
use crate::merkle::{Node, Proof};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// What an attester claims about a round. The chain derives it from a table's summary: [`TableSummary::claim`].
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
pub struct ShareClaim {
    /// [`TableSummary::root`].
    pub table_root: Hash,
    /// The Merkle root of the master weights after the round.
    pub master_root: Hash,
    /// The gain; none if nothing was merged.
    pub merged: Option<MergedGain>,
}

/// What a merge gained, and the most that its credits can be.
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
pub struct MergedGain {
    /// The exact gain on B, Q16 bits summed over its samples. The credits add up to it.
    pub gain: i64,
    /// The most that all positive credits can add up to, in the same unit. This much has to be set aside.
    pub most_credits: u64,
}

impl TableSummary {
    /// The claim that it makes about a round on base weights with this root.
    pub fn claim(&self, base_root: &Hash) -> ShareClaim {
        let merged = self.merge.as_ref().filter(|merge| merge.pay.is_some());
        ShareClaim {
            table_root: self.root(),
            master_root: merged.map_or(*base_root, |merge| merge.weights),
            merged: self.merged_gain(),
        }
    }

    fn merged_gain(&self) -> Option<MergedGain> {
        let (pay, candidate) = (self.pay()?, usize::from(self.candidate()?));
        let (gain, members) = (pay.on_b.gain(), self.passes.get(candidate)?.members.count());
        Some(MergedGain {
            gain,
            most_credits: most_credits(gain, pay.rows.sum.of_values(), members),
        })
    }
}

/// Why a proof of a credit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CreditError {
    /// The Merkle proof has the wrong shape, or a sum overflows.
    #[error("the credit's Merkle proof is malformed")]
    MalformedProof,
    /// The proof leads to another table than the claimed one.
    #[error("the credit belongs to another table than the claimed one")]
    OtherTable,
    /// Nothing was merged in the round, so there are no credits.
    #[error("nothing was merged")]
    NothingMerged,
}

/// Proves the credit of one delta in a round that merged something: 0 if the delta itself was not merged.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct CreditProof {
    /// [`TableSummary::passes_hash`].
    pub passes_hash: Hash,
    /// The table's merge, which must have a pay.
    pub merge: Option<MergeSummary>,
    /// The entrant's row in the pay.
    pub row: Row,
    /// The proof that the row is among the rows of the pay.
    pub proof: Proof<RowSums>,
}

/// A credit that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedCredit {
    /// Which entrant, from 0, in the order of commits.
    pub index: u32,
    /// Its delta.
    pub delta_hash: Hash,
    /// What it is credited; [`Credit::default`] if it was not merged.
    pub credit: Credit,
}

impl ShareTable {
    /// Shows the credit of an entrant; none if there is no such entrant, or nothing was merged.
    pub fn prove_credit(&self, index: u32) -> Option<CreditProof> {
        let (summary, row) = (self.summary(), self.pay()?.rows.get(index as usize)?);
        Some(CreditProof {
            passes_hash: summary.passes_hash(),
            merge: summary.merge,
            row: row.clone(),
            proof: self.rows_tree(Stage::Pay)?.prove(index)?,
        })
    }
}

impl CreditProof {
    /// What it proves under `claim`. Costs a hash per level of the tree.
    pub fn verify(&self, claim: &ShareClaim) -> Result<ProvedCredit, CreditError> {
        if table_root(&self.passes_hash, &self.merge) != claim.table_root {
            return Err(CreditError::OtherTable);
        }
        let pay = self.merge.as_ref().and_then(|merge| merge.pay.as_ref());
        let pay = pay.ok_or(CreditError::NothingMerged)?;
        // Its hash binds the parts: a row without parts does not pass for one with parts, or the other way round.
        let is_member = !self.row.parts.is_empty();
        let leaf = Node::leaf(&[&self.row.encode()], self.row.in_pay(is_member));
        let (rows, before) = self.proof.climb(leaf).ok_or(CreditError::MalformedProof)?;
        if rows != pay.rows {
            return Err(CreditError::OtherTable);
        }
        let credit = || {
            let split = Split::of(pay.on_b.gain(), rows.sum.of_values());
            split.credit(before.of_values(), &self.row.value())
        };
        Ok(ProvedCredit {
            index: self.proof.index,
            delta_hash: self.row.delta_hash,
            credit: is_member.then(credit).unwrap_or_default(),
        })
    }
}
