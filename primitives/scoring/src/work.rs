//! An attester's own work: committed to with its claim, opened where chance asks.
//!
//! The leaves are salted with the account, so a root cannot be copied. Of `n` samples of which
//! only `m` were evaluated, `k` audits (drawn with replacement) all meet evaluated ones with
//! probability `(m / n)^k`: a lazy attester is caught with `1 - (m / n)^k`.

use crate::hash::{blake2_256, Hash};
use crate::merkle::{Node, Proof, SumNode, SumProof, Tree};
use crate::round::Evaluations;
use crate::table::{bytes_of, losses_tree, sum_of, Opening, Row, ScoreTable, LOSS_TILE};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use thiserror::Error;

/// The tree of an account's work: a leaf a sample, of `account | sample as u32 LE |` its losses u32
/// LE: base, merged, then minus and plus of every row, zeros where a row was not evaluated.
fn tree(account: &[u8; 32], evaluations: &Evaluations) -> Tree {
    let samples = evaluations.base.len();
    Tree::of((0..samples).map(|sample| leaf(account, sample as u32, &losses(evaluations, sample))))
}

/// Root that commits `account` to having evaluated every sample.
pub fn work_root(account: &[u8; 32], evaluations: &Evaluations) -> Hash {
    tree(account, evaluations).root().hash
}

fn leaf(account: &[u8; 32], sample: u32, losses: &[u32]) -> Vec<u8> {
    [account, &sample.to_le_bytes()[..], &bytes_of(losses)].concat()
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

/// The tile of losses that has a sample's, in the tree of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ProvedLosses {
    /// [`LOSS_TILE`] losses, or fewer in the last tile.
    pub tile: Vec<u32>,
    /// Their place under the root of the evaluation.
    pub proof: SumProof,
}

impl ProvedLosses {
    /// Those about a sample of an evaluation.
    pub fn of(losses: &[u32], sample: u32) -> Option<Self> {
        let tile = sample as usize / LOSS_TILE;
        Some(Self {
            tile: losses.chunks(LOSS_TILE).nth(tile)?.to_vec(),
            proof: losses_tree(losses).prove(tile as u32)?,
        })
    }

    /// The loss of `sample` of `samples`, if this shows it under `root`.
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
    pub table: Vec<ProvedLosses>,
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
                .map(|losses| ProvedLosses::of(losses, sample))
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
                .climb(Node::leaf(&[&work], ()))
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
                    proved.loss(root, audit.sample, samples) == Some(*loss)
                });
        if agree {
            Ok(())
        } else {
            Err(AuditError::WorkDiffers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{losses_node, similar_tree, Header, Standing};
    use alloc::vec;
    use proptest::prelude::*;

    const ACCOUNT: [u8; 32] = [1; 32];
    const SAMPLES: u32 = 40;

    /// Losses that look like some, of two rows of which the second was not evaluated.
    fn evaluations(samples: u32) -> Evaluations {
        let of = |factor: u32| (0..samples).map(|sample| sample * factor + 7).collect();
        Evaluations {
            base: of(5),
            merged: of(4),
            sides: vec![Some([of(3), of(2)]), None],
        }
    }

    fn table(evaluations: &Evaluations) -> ScoreTable {
        let rows: Vec<Row> = evaluations
            .sides
            .iter()
            .map(|sides| Row {
                delta_hash: [3; 32],
                weight: 1,
                clip_q16: 65_536,
                phi: 0,
                standard_error: 0,
                standing: match sides {
                    Some(_) => Standing::BelowFloor,
                    None => Standing::Similar { to: 0 },
                },
                share: 0,
                minus: sides
                    .as_ref()
                    .map_or_else(Default::default, |[minus, _]| losses_node(minus)),
                plus: sides
                    .as_ref()
                    .map_or_else(Default::default, |[_, plus]| losses_node(plus)),
            })
            .collect();
        let header = Header {
            samples: evaluations.base.len() as u32,
            base: losses_node(&evaluations.base),
            merged: losses_node(&evaluations.merged),
            gain: 0,
            gain_se: 0,
            paid_gain: 0,
            master_root: [4; 32],
            similar_root: similar_tree(rows.iter().map(Row::similar_to)).root().hash,
        };
        ScoreTable { header, rows }
    }

    #[test]
    fn own_work_answers_every_audit() {
        for samples in [2, 31, 32, SAMPLES] {
            let work = evaluations(samples);
            let table = table(&work);
            let (opening, root) = (table.opening(), work_root(&ACCOUNT, &work));
            for sample in 0..samples {
                for row in 0..2 {
                    let audit = Audit { sample, row };
                    let answer = AuditAnswer::of(&audit, &ACCOUNT, &table, &work).unwrap();
                    assert_eq!(answer.table.len(), if row == 0 { 4 } else { 2 });
                    assert_eq!(answer.verify(&audit, &ACCOUNT, &opening, &root, 2), Ok(()));
                }
            }
            let beyond = Audit {
                sample: samples,
                row: 0,
            };
            assert_eq!(AuditAnswer::of(&beyond, &ACCOUNT, &table, &work), None);
            let beyond = Audit { sample: 0, row: 2 };
            assert_eq!(AuditAnswer::of(&beyond, &ACCOUNT, &table, &work), None);
        }
    }

    #[test]
    fn the_work_of_another_answers_nothing() {
        let work = evaluations(SAMPLES);
        let table = table(&work);
        let (opening, audit) = (table.opening(), Audit { sample: 20, row: 0 });
        // The copier shows the root of another, and all that the other published.
        let copied = work_root(&ACCOUNT, &work);
        let copier = [2; 32];
        for author in [ACCOUNT, copier] {
            let answer = AuditAnswer::of(&audit, &author, &table, &work).unwrap();
            let verdict = answer.verify(&audit, &copier, &opening, &copied, 2);
            assert_eq!(verdict, Err(AuditError::OtherWork));
        }
    }

    #[test]
    fn an_answer_to_another_audit_is_refused() {
        let work = evaluations(SAMPLES);
        let table = table(&work);
        let (opening, root) = (table.opening(), work_root(&ACCOUNT, &work));
        let asked = Audit { sample: 20, row: 0 };
        for (other, error) in [
            (Audit { sample: 21, row: 0 }, AuditError::OtherWork),
            (Audit { sample: 20, row: 1 }, AuditError::OtherTable),
        ] {
            let answer = AuditAnswer::of(&other, &ACCOUNT, &table, &work).unwrap();
            assert_eq!(
                answer.verify(&asked, &ACCOUNT, &opening, &root, 2),
                Err(error)
            );
        }
    }

    /// An account that evaluated some samples, and made up its losses on the others, stands for a table
    /// that it got elsewhere.
    fn lazy(evaluated: u32) -> (Evaluations, Evaluations) {
        let truth = evaluations(SAMPLES);
        let mut own = truth.clone();
        let vectors = [&mut own.base, &mut own.merged];
        let sides = own.sides.iter_mut().flatten().flatten();
        for losses in vectors.into_iter().chain(sides) {
            losses[evaluated as usize..].fill(0);
        }
        (truth, own)
    }

    #[test]
    fn the_lazy_are_caught_as_often_as_chance_says() {
        const TRIALS: u32 = 4_000;
        for (evaluated, count) in [(36, 4), (20, 4), (36, 1), (30, 8)] {
            let (truth, own) = lazy(evaluated);
            let table = table(&truth);
            let (opening, root) = (table.opening(), work_root(&ACCOUNT, &own));
            let passes = |sample| {
                let audit = Audit { sample, row: 0 };
                let mut answer = AuditAnswer::of(&audit, &ACCOUNT, &table, &truth).unwrap();
                let mine = AuditAnswer::of(&audit, &ACCOUNT, &table, &own).unwrap();
                (answer.losses, answer.work) = (mine.losses, mine.work);
                answer.verify(&audit, &ACCOUNT, &opening, &root, 2).is_ok()
            };
            let passing: Vec<bool> = (0..SAMPLES).map(passes).collect();
            let caught = (0..TRIALS).filter(|trial| {
                let seed = blake2_256(&[&trial.to_le_bytes()]);
                audits(&seed, &ACCOUNT, count, SAMPLES, 1)
                    .iter()
                    .any(|audit| !passing[audit.sample as usize])
            });
            let rate = caught.count() as f64 / f64::from(TRIALS);
            let part = f64::from(evaluated) / f64::from(SAMPLES);
            let expected = 1.0 - part.powi(count as i32);
            assert!((rate - expected).abs() < 0.03, "{rate} of {expected}");
        }
    }

    #[test]
    fn audits_are_drawn_for_each_account_and_within_bounds() {
        let seed = [5; 32];
        let own = audits(&seed, &ACCOUNT, 4, 800, 5);
        assert_eq!(own.len(), 4);
        assert!(own.iter().all(|audit| audit.sample < 800 && audit.row < 5));
        assert_ne!(own, audits(&seed, &[2; 32], 4, 800, 5));
        assert_ne!(own, audits(&[6; 32], &ACCOUNT, 4, 800, 5));
        assert_eq!(audits(&seed, &ACCOUNT, 4, 0, 5), []);
    }

    proptest! {
        #[test]
        fn any_byte_of_an_answer_matters(sample in 0..SAMPLES, at: prop::sample::Index, by in 1..=255u8) {
            let work = evaluations(SAMPLES);
            let table = table(&work);
            let (opening, root) = (table.opening(), work_root(&ACCOUNT, &work));
            let audit = Audit { sample, row: 0 };
            let answer = AuditAnswer::of(&audit, &ACCOUNT, &table, &work).unwrap();
            let mut bytes = answer.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok(other) = AuditAnswer::decode(&mut &*bytes) {
                prop_assert!(other.verify(&audit, &ACCOUNT, &opening, &root, 2).is_err());
            }
        }
    }
}
