//! An attester's own work: committed to with its claim, opened where chance asks.
//!
//! The leaves are salted with the account, so nobody can copy a root. If an attester computed only `m` of `n`
//! leaves, `k` audits (drawn with replacement) all meet those with probability `(m / n)^k`, so it is caught with
//! probability `1 - (m / n)^k`.

use super::halves::Half;
use super::table::{Row, RowSums, ShareTable, Stage, TableSummary};
use crate::hash::{blake2_256, Hash};
use crate::losses::{bytes_of, losses_tree, sum_of, LOSS_TILE};
use crate::merkle::{Node, Proof, SumNode, SumProof, Tree};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use thiserror::Error;

/// The tree of an account's work: a leaf for each sample of A, then of B, if the table has losses for that half, then one for each
/// entrant. A leaf is `account | index of the leaf as u32 LE`, and then for a sample its losses of base and merge as u32 LE, for an
/// entrant the SCALE of its rows in all stages, the pay last.
fn tree(account: &[u8; 32], table: &ShareTable) -> Tree {
    let halves = [Half::A, Half::B].into_iter();
    let samples = halves
        .filter_map(|half| table.losses(half))
        .flat_map(|[base, merge]| {
            let both = base.iter().zip(merge);
            both.map(|(base, merge)| bytes_of(&[*base, *merge]))
        });
    let entrants = 0..table.records.len() as u32;
    let work = samples.chain(entrants.map(|entrant| table.rows_of(entrant).encode()));
    Tree::of(
        (0u32..)
            .zip(work)
            .map(|(index, work)| leaf(account, index, &work)),
    )
}

/// Root that commits `account` to having computed the table itself.
pub fn work_root(account: &[u8; 32], table: &ShareTable) -> Hash {
    tree(account, table).root().hash
}

fn leaf(account: &[u8; 32], index: u32, work: &[u8]) -> Vec<u8> {
    [account, &index.to_le_bytes()[..], work].concat()
}

impl ShareTable {
    /// The rows of an entrant in all stages, the pay last.
    fn rows_of(&self, entrant: u32) -> Vec<Row> {
        let passes = self.passes.iter().map(|pass| &pass.rows);
        let stages = passes.chain(self.pay().map(|pay| &pay.rows));
        let rows = stages.map(|rows| rows.get(entrant as usize).cloned().unwrap_or_default());
        rows.collect()
    }
}

/// One audit: what an attester is asked to show.
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
pub struct Audit {
    /// The sample whose losses it has to show, counted over the samples of A and then of B.
    pub sample: u32,
    /// The entrant whose rows it has to show.
    pub entrant: u32,
    /// The stage in which the entrant's row is compared with the table; none if there are no stages.
    pub stage: Option<Stage>,
}

/// What audits are drawn from and answers checked against.
#[derive(Clone, Copy, Debug)]
pub struct Audited<'a> {
    /// The claimed table.
    pub summary: &'a TableSummary,
    /// Samples of the exam.
    pub samples: u32,
    /// Entrants of the round.
    pub entrants: u32,
}

impl Audited<'_> {
    /// Samples of either half.
    fn half(&self) -> u32 {
        Half::A.count(self.samples)
    }

    /// How many samples the table has losses of.
    fn samples_with_losses(&self) -> u32 {
        let halves = [Half::A, Half::B].into_iter();
        let evaluated = halves.filter(|half| self.summary.fall(*half).is_some());
        self.half().saturating_mul(evaluated.count() as u32)
    }

    /// Leaves of the tree of work.
    fn leaves(&self) -> u32 {
        self.samples_with_losses().saturating_add(self.entrants)
    }

    /// The half of a sample that the table has losses of, and its number in there.
    fn place(&self, sample: u32) -> Option<(Half, u32)> {
        (sample < self.samples_with_losses()).then_some(())?;
        Some(match sample.checked_sub(self.half()) {
            None => (Half::A, sample),
            Some(nth) => (Half::B, nth),
        })
    }

    fn stages(&self) -> impl Iterator<Item = Stage> + '_ {
        let passes = (0u8..).zip(self.summary.passes.iter());
        let passes = passes.map(|(number, _)| Stage::Pass(number));
        passes.chain(self.summary.pay().map(|_| Stage::Pay))
    }
}

/// The audits that `seed` draws for an account: `count` of them, with replacement.
pub fn audits(seed: &Hash, account: &[u8; 32], count: u32, of: &Audited) -> Vec<Audit> {
    let stages: Vec<Stage> = of.stages().collect();
    let draw = |number: u32| {
        let hash = blake2_256(&[b"gotong:audit", seed, account, &number.to_le_bytes()]);
        let [a, b, c, ..] = hash.as_chunks::<8>().0 else {
            return None;
        };
        let below = |bytes: &[u8; 8], bound: u32| {
            let rest = u64::from_le_bytes(*bytes).checked_rem(bound.into())?;
            Some(rest as u32)
        };
        Some(Audit {
            // If there are no losses, no sample is asked for.
            sample: below(a, of.samples_with_losses()).unwrap_or(0),
            entrant: below(b, of.entrants)?,
            stage: below(c, stages.len() as u32).and_then(|at| stages.get(at as usize).copied()),
        })
    };
    (0..count).filter_map(draw).collect()
}

/// The tile of losses that contains a sample's loss, in the tree of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedLosses {
    /// [`LOSS_TILE`] losses, or fewer in the last tile.
    pub tile: Vec<u32>,
    /// Their place under the root of the evaluation.
    pub proof: SumProof,
}

impl ProvedLosses {
    /// The proof for one sample of an evaluation.
    pub fn of(losses: &[u32], sample: u32) -> Option<Self> {
        let tile = sample as usize / LOSS_TILE;
        Some(Self {
            tile: losses.chunks(LOSS_TILE).nth(tile)?.to_vec(),
            proof: losses_tree(losses).prove(tile as u32)?,
        })
    }

    /// The loss of `sample` out of `samples`, if this proves it under `root`.
    pub fn loss(&self, root: &SumNode, sample: u32, samples: u32) -> Option<u32> {
        let (tile, at) = (sample as usize / LOSS_TILE, sample as usize % LOSS_TILE);
        let tiles = (samples as usize).div_ceil(LOSS_TILE);
        let is_of = self.tile.len() <= LOSS_TILE
            && self.proof.index as usize == tile
            && self.proof.leaves as usize == tiles
            && self
                .proof
                .verify(root, &bytes_of(&self.tile), sum_of(&self.tile))
                .is_some();
        self.tile.get(at).copied().filter(|_| is_of)
    }
}

/// An attester's work on a sample, and the same losses in its table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditedSample {
    /// The losses of base and merge.
    pub losses: [u32; 2],
    /// Where this work is under the work root.
    pub work: Proof,
    /// The same losses under the table's roots.
    pub table: [ProvedLosses; 2],
}

/// An attester's work on an entrant, and one of the entrant's rows in its table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditedEntrant {
    /// Its rows in all stages, the pay last.
    pub rows: Vec<Row>,
    /// Where this work is under the work root.
    pub work: Proof,
    /// What the audited row adds to its stage's sums, and its place among the stage's rows; none if there are no stages.
    pub table: Option<(RowSums, Proof<RowSums>)>,
}

/// The answer to one audit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AuditAnswer {
    /// The sample; none if the table has no losses for it.
    pub sample: Option<AuditedSample>,
    /// The entrant.
    pub entrant: AuditedEntrant,
}

/// Why an answer to an audit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuditError {
    /// The losses or rows are not those that the work root commits to.
    #[error("the answer is not part of the work that was committed to")]
    OtherWork,
    /// The row is not the audited one of the table.
    #[error("the row is not part of the table that was claimed")]
    OtherTable,
    /// The table has other losses for the sample than the work.
    #[error("the work and the table differ")]
    WorkDiffers,
}

impl AuditAnswer {
    /// The answer of `account`; none if there is no such sample, entrant or stage.
    pub fn of(audit: &Audit, account: &[u8; 32], table: &ShareTable) -> Option<Self> {
        let summary = table.summary();
        let of = Audited {
            summary: &summary,
            samples: table
                .losses(Half::A)
                .map_or(0, |[base, _]| 2 * base.len() as u32),
            entrants: table.records.len() as u32,
        };
        let work = tree(account, table);
        let sample = match of.samples_with_losses() {
            0 => None,
            _ => {
                let (half, nth) = of.place(audit.sample)?;
                let [base, merge] = table.losses(half)?;
                let at = |losses: &[u32]| losses.get(nth as usize).copied();
                Some(AuditedSample {
                    losses: [at(base)?, at(merge)?],
                    work: work.prove(audit.sample)?,
                    table: [ProvedLosses::of(base, nth)?, ProvedLosses::of(merge, nth)?],
                })
            }
        };
        let place = of.samples_with_losses().checked_add(audit.entrant)?;
        let shown = |stage| {
            let rows = table.rows_tree(stage)?;
            let sums = rows.nodes(0, audit.entrant, 1).first()?.sum;
            Some((sums, rows.prove(audit.entrant)?))
        };
        let rows = table.rows_of(audit.entrant);
        let table = match audit.stage {
            Some(stage) => Some(shown(stage)?),
            None => None,
        };
        Some(Self {
            sample,
            entrant: AuditedEntrant {
                rows,
                work: work.prove(place)?,
                table,
            },
        })
    }

    /// Whether it answers `audit` for `account`, who committed to `work_root`.
    ///
    /// # Errors
    /// If it is about other work or another table, or the two differ.
    pub fn verify(
        &self,
        audit: &Audit,
        account: &[u8; 32],
        of: &Audited,
        work_root: &Hash,
    ) -> Result<(), AuditError> {
        self.verify_work(audit, account, of, work_root)
            .ok_or(AuditError::OtherWork)?;
        self.verify_row(audit, of).ok_or(AuditError::OtherTable)?;
        self.verify_losses(audit, of).ok_or(AuditError::WorkDiffers)
    }

    /// Whether what is shown is what the account committed to.
    fn verify_work(
        &self,
        audit: &Audit,
        account: &[u8; 32],
        of: &Audited,
        work_root: &Hash,
    ) -> Option<()> {
        let is_work = |proof: &Proof, index: u32, work: &[u8]| {
            proof.index == index
                && proof.leaves == of.leaves()
                && proof.verify(work_root, &leaf(account, index, work))
        };
        let is_of_sample = match &self.sample {
            Some(sample) => is_work(&sample.work, audit.sample, &bytes_of(&sample.losses)),
            None => true,
        };
        let place = of.samples_with_losses().checked_add(audit.entrant)?;
        let AuditedEntrant { rows, work, .. } = &self.entrant;
        (is_of_sample && is_work(work, place, &rows.encode())).then_some(())
    }

    /// Whether the audited row is that of the table.
    fn verify_row(&self, audit: &Audit, of: &Audited) -> Option<()> {
        let AuditedEntrant { rows, table, .. } = &self.entrant;
        if rows.len() != of.stages().count() {
            return None;
        }
        let (Some(stage), Some((sums, proof))) = (audit.stage, table) else {
            return (audit.stage.is_none() && table.is_none()).then_some(());
        };
        let at = of.stages().position(|own| own == stage)?;
        let leaf = Node::leaf(&[&rows.get(at)?.encode()], *sums);
        let (root, _) = proof.climb(leaf)?;
        let (_, expected) = of.summary.measured(stage)?;
        let is_row =
            proof.index == audit.entrant && proof.leaves == of.entrants && root == *expected;
        is_row.then_some(())
    }

    /// Whether the table has the losses of the work.
    fn verify_losses(&self, audit: &Audit, of: &Audited) -> Option<()> {
        let Some((half, nth)) = of.place(audit.sample) else {
            return self.sample.is_none().then_some(());
        };
        let (sample, fall) = (self.sample.as_ref()?, of.summary.fall(half)?);
        let [base, merge] = &sample.table;
        let shown = [
            base.loss(&fall.before, nth, of.half())?,
            merge.loss(&fall.after, nth, of.half())?,
        ];
        (shown == sample.losses).then_some(())
    }
}

#[cfg(test)]
mod tests;
