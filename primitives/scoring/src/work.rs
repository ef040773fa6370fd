//! An attester's own work: committed to with its claim, opened where chance asks.
//!
//! The leaves are salted with the account, so a root cannot be copied. Of `n` samples of which
//! only `m` were evaluated, `k` audits (drawn with replacement) all meet evaluated ones with
//! probability `(m / n)^k`: a lazy attester is caught with `1 - (m / n)^k`.

use crate::hash::{blake2_256, Hash};
use crate::merkle::{Node, Proof, SumNode, SumProof, Tree};
use crate::round::Evaluations;
use crate::table::{losses_tree, Opening, Row, ScoreTable};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use thiserror::Error;

/// The tree of an account's work: a leaf a sample, of `account | sample as u32 LE |` its losses u32
/// LE: base, merged, then minus and plus of every row, zeros where a row was not evaluated.
fn tree(account: &[u8; 32], evaluations: &Evaluations) -> Tree {
    let samples = evaluations.base.len();
    let leaves =
        (0..samples).map(|sample| leaf(account, sample as u32, &losses(evaluations, sample)));
    Tree::from_leaves(leaves.collect())
}

/// Root that commits `account` to having evaluated every sample.
pub fn work_root(account: &[u8; 32], evaluations: &Evaluations) -> Hash {
    tree(account, evaluations).root().hash
}

fn leaf(account: &[u8; 32], sample: u32, losses: &[u32]) -> Node {
    let losses: Vec<u8> = losses.iter().flat_map(|loss| loss.to_le_bytes()).collect();
    Node::leaf(&[account, &sample.to_le_bytes(), &losses], ())
}

/// The losses of a sample in every evaluation.
fn losses(evaluations: &Evaluations, sample: usize) -> Vec<u32> {
    let at = |losses: &Vec<u32>| losses.get(sample).copied().unwrap_or(0);
    let sides = evaluations.sides.iter().flat_map(|sides| match sides {
        Some([minus, plus]) => [at(minus), at(plus)],
        None => [0, 0],
    });
    let both = [at(&evaluations.base), at(&evaluations.merged)];
    both.into_iter().chain(sides).collect()
}

/// What an audit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Audit {
    /// Which sample.
    pub sample: u32,
    /// Whose sides of it, besides base and merged.
    pub row: u32,
}

/// The audits that `seed` draws for an account: `count` of them, with replacement.
pub fn audits(seed: &Hash, account: &[u8; 32], count: u32, samples: u32, rows: u32) -> Vec<Audit> {
    let draw = |number: u32| {
        let hash = blake2_256(&[b"gotong:audit", seed, account, &number.to_le_bytes()]);
        let [a, b, ..] = hash.as_chunks::<8>().0 else {
            return None;
        };
        let below = |bytes: &[u8; 8], bound: u32| {
            u64::from_le_bytes(*bytes)
                .checked_rem(bound.into())
                .map(|rest| rest as u32)
        };
        Some(Audit {
            sample: below(a, samples)?,
            row: below(b, rows)?,
        })
    };
    (0..count).filter_map(draw).collect()
}

/// A loss and its siblings in the tree of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedLoss {
    /// The loss.
    pub loss: u32,
    /// Its place under the root of the evaluation.
    pub proof: SumProof,
}

impl ProvedLoss {
    /// Of a sample of an evaluation.
    pub fn of(losses: &[u32], sample: u32) -> Option<Self> {
        Some(Self {
            loss: *losses.get(sample as usize)?,
            proof: losses_tree(losses).prove(sample)?,
        })
    }

    /// Whether it is the loss of `sample` of `samples` under `root`.
    pub fn is_of(&self, root: &SumNode, sample: u32, samples: u32) -> bool {
        let (loss, proof) = (self.loss, &self.proof);
        proof.index == sample
            && proof.leaves == samples
            && proof
                .verify(root, &loss.to_le_bytes(), loss.into())
                .is_some()
    }
}

/// The answer to one audit: the attester's work on the sample, and the same losses in its table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditAnswer {
    /// The losses of the sample in every evaluation: two for the round, two a row.
    pub losses: Vec<u32>,
    /// Place of the work under the work root.
    pub work: Proof,
    /// The audited row.
    pub row: Row,
    /// Place of the row among the rows.
    pub rows: SumProof,
    /// The sample's loss under the header's base, its merged, and the row's minus and plus; the
    /// last two only if the row was evaluated.
    pub table: Vec<ProvedLoss>,
}

/// Why an answer to an audit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuditError {
    /// The losses are not those that the work root commits to.
    #[error("the losses are not of the work that was committed to")]
    OtherWork,
    /// The row is not the audited one of the table.
    #[error("the row is not of the table that was claimed")]
    OtherTable,
    /// The table has other losses for the sample than the work.
    #[error("the work and the table differ")]
    WorkDiffers,
}

impl AuditAnswer {
    /// The answer of `account`; none if the audit is of no such sample or row.
    pub fn of(
        audit: &Audit,
        account: &[u8; 32],
        table: &ScoreTable,
        evaluations: &Evaluations,
    ) -> Option<Self> {
        let (sample, row) = (audit.sample, audit.row as usize);
        let mut vectors = alloc::vec![&evaluations.base, &evaluations.merged];
        vectors.extend(evaluations.sides.get(row)?.iter().flatten());
        Some(Self {
            losses: losses(evaluations, sample as usize),
            work: tree(account, evaluations).prove(sample)?,
            row: table.rows.get(row)?.clone(),
            rows: table.rows_tree().prove(audit.row)?,
            table: vectors
                .into_iter()
                .map(|losses| ProvedLoss::of(losses, sample))
                .collect::<Option<_>>()?,
        })
    }

    /// Whether it answers `audit` for `account`, who showed `opening` and `work_root` in a round of
    /// so many rows.
    pub fn verify(
        &self,
        audit: &Audit,
        account: &[u8; 32],
        opening: &Opening,
        work_root: &Hash,
        rows: u32,
    ) -> Result<(), AuditError> {
        let samples = opening.header.samples;
        let work = leaf(account, audit.sample, &self.losses);
        let is_work = self.work.index == audit.sample
            && self.work.leaves == samples
            && self.losses.len() as u64 == 2 + 2 * u64::from(rows)
            && self
                .work
                .climb(work)
                .is_some_and(|(root, ())| root.hash == *work_root);
        if !is_work {
            return Err(AuditError::OtherWork);
        }
        let share = self.row.share;
        let is_row = self.rows.index == audit.row
            && self.rows.leaves == rows
            && self
                .rows
                .verify(&opening.rows, &self.row.encode(), share)
                .is_some();
        if !is_row {
            return Err(AuditError::OtherTable);
        }
        let mut roots = alloc::vec![&opening.header.base, &opening.header.merged];
        if self.row.similar_to().is_none() {
            roots.extend([&self.row.minus, &self.row.plus]);
        }
        let own = self.losses.iter().take(2);
        let own = own.chain(self.losses.iter().skip(2 + 2 * audit.row as usize).take(2));
        let agree = self.table.len() == roots.len()
            && self
                .table
                .iter()
                .zip(roots)
                .zip(own)
                .all(|((proved, root), loss)| {
                    proved.loss == *loss && proved.is_of(root, audit.sample, samples)
                });
        if agree {
            Ok(())
        } else {
            Err(AuditError::WorkDiffers)
        }
    }
}
