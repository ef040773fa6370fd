//! The canonical result of a round, committed so that any one number of it can be checked with a small opening.
//!
//! The few numbers of each pass lie open in the [`TableSummary`]: the members, the median norm, the roots. The parts of an
//! entrant's value in one pass are a [`Row`]. Rows are the leaves of a tree that sums
//! [`RowSums`], so whatever a pass says of all its rows together (the weighted median, how many are bad, the sum
//! of the values) is checked at the root: [`TableSummary::is_consistent`].
//!
//! What follows from other numbers is not in the table, so nobody can lie about it: which pass is merged, whether
//! a row is bad, a factor, the gain, a credit ([`super::claim`]).

use super::company::{best_of, leavers, MAX_PASSES};
use super::credit::magnitude;
use super::halves::{can_decide, Half};
pub use super::lists::{Members, Parts, PassSummaries};
use super::record::EntrantRecord;
pub use super::sums::RowSums;
use super::{group_count, ShareTerms, Value};
use crate::hash::{blake2_256, Hash};
use crate::losses::losses_node;
use crate::merkle::{Carry, Node, SumNode, Tree};
use crate::paired::Paired;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Gradient words in a leaf of [`gradient_tree`].
pub const GRADIENT_TILE: usize = 512;
/// Largest sum of losses: 2^12 samples with 32 bits each.
const MOST_OF_LOSSES: u128 = 1 << 44;

/// A stage of the measurement: a pass of the choice, on A, or the pay of the merged company, on B.
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
pub enum Stage {
    /// The pass of this number, on A.
    Pass(u8),
    /// The pay of the merged deltas, on B.
    Pay,
}

impl Stage {
    /// The half whose samples it measures.
    pub fn half(self) -> Half {
        match self {
            Self::Pass(_) => Half::A,
            Self::Pay => Half::B,
        }
    }
}

/// One entrant in one pass, or in the pay.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Row {
    /// [`crate::Delta::hash_of`] the revealed bytes.
    pub delta_hash: Hash,
    /// The parts of its value, one for each group of samples; none if it is not a member.
    pub parts: Parts,
}

impl Row {
    /// What its parts add up to.
    pub fn value(&self) -> Value {
        Value::of(&self.parts)
    }

    /// Whether its value is too low to stay.
    pub fn is_bad(&self, record: &EntrantRecord, terms: &ShareTerms) -> bool {
        !self.parts.is_empty() && !self.value().is_above(record.floor_q8(terms))
    }

    /// What it adds to a pass with this median norm.
    pub fn in_pass(
        &self,
        record: &EntrantRecord,
        is_member: bool,
        median_norm: u64,
        terms: &ShareTerms,
    ) -> RowSums {
        if !is_member {
            return RowSums::default();
        }
        let weight_if = |is: bool| if is { record.weight.into() } else { 0 };
        RowSums {
            weight: record.weight.into(),
            below: weight_if(record.norm() < median_norm),
            upto: weight_if(record.norm() <= median_norm),
            bad: self.is_bad(record, terms).into(),
            ..self.in_pay(true)
        }
    }

    /// What it adds to the pay.
    pub fn in_pay(&self, is_member: bool) -> RowSums {
        if !is_member {
            return RowSums::default();
        }
        let value = self.value();
        RowSums {
            value: value.sum,
            magnitude: magnitude(&value),
            ..RowSums::default()
        }
    }
}

/// A pass of the choice, in a table's summary.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct PassSummary {
    /// The members of the company.
    pub members: Members,
    /// The weighted lower median of their norms; longer deltas are clipped to it.
    pub median_norm: u64,
    /// If another pass follows: the last entrant that was dropped before it, in the order of [`super::company`].
    pub last_dropped: Option<u32>,
    /// Root of the master weights halfway to the company's merge.
    pub midpoint: Hash,
    /// Root over the roots of its groups' gradients ([`gradient_tree`]).
    pub gradients: Hash,
    /// The root and the sums of the rows.
    pub rows: Node<RowSums>,
}

/// The gain on one half: two evaluations, of the base and of the merge.
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
pub struct Fall {
    /// Per-sample losses of the base; [`losses_node`].
    pub before: SumNode,
    /// Per-sample losses of the merge.
    pub after: SumNode,
    /// The paired standard error of the gain.
    pub standard_error: u64,
}

impl Fall {
    /// By how much the loss falls, Q16 bits summed over the samples.
    pub fn gain(&self) -> i64 {
        let sums = [self.before.sum, self.after.sum];
        let [before, after] = sums.map(|sum| sum.min(MOST_OF_LOSSES) as i64);
        before.saturating_sub(after)
    }

    fn is_in_bounds(&self) -> bool {
        self.before.sum < MOST_OF_LOSSES && self.after.sum < MOST_OF_LOSSES
    }
}

/// The pay of the merged deltas, in a table's summary.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct PaySummary {
    /// The losses on B.
    pub on_b: Fall,
    /// Root over the roots of the gradients of B's groups.
    pub gradients: Hash,
    /// The root and the sums of the rows.
    pub rows: Node<RowSums>,
}

/// The merge of the best company.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct MergeSummary {
    /// Root of the merged master weights.
    pub weights: Hash,
    /// The losses on A.
    pub on_a: Fall,
    /// Its pay; none if it gained too little on A, so that nothing was merged.
    pub pay: Option<PaySummary>,
}

/// The summary of a table: it has the roots of the rows, weights, gradients and losses in place of them.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct TableSummary {
    /// The passes, first to last.
    pub passes: PassSummaries,
    /// The merge of the best company; none if no company's values had a positive sum.
    pub merge: Option<MergeSummary>,
}

impl TableSummary {
    /// The root of the table.
    pub fn root(&self) -> Hash {
        table_root(&self.passes_hash(), &self.merge)
    }

    /// The part of the root that is about the passes.
    pub fn passes_hash(&self) -> Hash {
        blake2_256(&[b"gotong:share-passes", &self.passes.encode()])
    }

    /// The pass whose company is merged, if it gains enough on A: the one with the largest sum, the later among equals, and none if
    /// no sum is positive, or harm is more than a 33rd of the good.
    pub fn candidate(&self) -> Option<u8> {
        best_of(self.passes.iter().map(sums)).map(|pass| pass as u8)
    }

    /// The pass a stage's company and midpoint are from.
    pub fn pass_of(&self, stage: Stage) -> Option<(u8, &PassSummary)> {
        let number = match stage {
            Stage::Pass(number) => number,
            Stage::Pay => self.candidate()?,
        };
        Some((number, self.passes.get(usize::from(number))?))
    }

    /// Root of the gradients and of the rows of a stage.
    pub fn measured(&self, stage: Stage) -> Option<(&Hash, &Node<RowSums>)> {
        Some(match stage {
            Stage::Pass(number) => {
                let pass = self.passes.get(usize::from(number))?;
                (&pass.gradients, &pass.rows)
            }
            Stage::Pay => {
                let pay = self.pay()?;
                (&pay.gradients, &pay.rows)
            }
        })
    }

    /// The losses on a half.
    pub fn fall(&self, half: Half) -> Option<&Fall> {
        match half {
            Half::A => self.merge.as_ref().map(|merge| &merge.on_a),
            Half::B => self.pay().map(|pay| &pay.on_b),
        }
    }

    /// What the merged deltas are paid for; none if nothing was merged.
    pub fn pay(&self) -> Option<&PaySummary> {
        self.merge.as_ref()?.pay.as_ref()
    }

    /// Whether its numbers fit each other, in a round with this many entrants and samples: all that can be told without a
    /// proof. The chain refuses a summary that is not consistent.
    pub fn is_consistent(&self, entrants: u32, samples: u32, terms: &ShareTerms) -> bool {
        let starts = match self.passes.first() {
            Some(first) => first.members == Members::all(entrants) && can_decide(samples),
            None => !can_decide(samples),
        };
        let holds = |(number, pass): (usize, &PassSummary)| {
            pass.holds(number, self.passes.get(number.saturating_add(1)), entrants)
        };
        starts && self.passes.iter().enumerate().all(holds) && self.has_the_right_merge(terms)
    }

    fn has_the_right_merge(&self, terms: &ShareTerms) -> bool {
        let (Some(_), Some(merge)) = (self.candidate(), &self.merge) else {
            return self.candidate().is_none() && self.merge.is_none();
        };
        let gain = Paired {
            sum: merge.on_a.gain(),
            standard_error: merge.on_a.standard_error,
        };
        let is_merged = gain.is_above(terms.gain_floor_q8);
        let pay_is_in_bounds =
            |pay: &PaySummary| pay.on_b.is_in_bounds() && pay.rows.sum.is_sound();
        merge.on_a.is_in_bounds()
            && merge.pay.is_some() == is_merged
            && merge.pay.as_ref().is_none_or(pay_is_in_bounds)
    }
}

impl PassSummary {
    /// Whether its sums are those of its company, and `next` follows from it: as many of the bad leave as [`leavers`] says. It is
    /// the last pass if nobody is bad, if nobody would be left, or if it is number [`MAX_PASSES`].
    fn holds(&self, number: usize, next: Option<&Self>, entrants: u32) -> bool {
        let (members, bad) = (self.members.count(), self.rows.sum.bad);
        let left = members.checked_sub(leavers(bad, number));
        let goes_on = bad > 0 && left.is_some_and(|left| left > 0) && number + 1 < MAX_PASSES;
        let follows = match next {
            Some(next) => next.members.are_of(&self.members) && Some(next.members.count()) == left,
            None => true,
        };
        let is_place = |last: u32| last < entrants;
        members > 0
            && left.is_some()
            && self.rows.sum.is_sound()
            && self.rows.sum.are_of_the_median()
            && next.is_some() == goes_on
            && self.last_dropped.is_some() == goes_on
            && self.last_dropped.is_none_or(is_place)
            && follows
    }
}

/// The sums that a pass is chosen by.
fn sums(pass: &PassSummary) -> (i64, u64) {
    (pass.rows.sum.value, pass.rows.sum.magnitude)
}

pub(super) fn table_root(passes: &Hash, merge: &Option<MergeSummary>) -> Hash {
    blake2_256(&[b"gotong:share-table", passes, &merge.encode()])
}

/// The plain tree over a group's gradient. A leaf is the little-endian bytes of [`GRADIENT_TILE`] words, or fewer in the last.
pub fn gradient_tree(words: &[i64]) -> Tree {
    let tiles = words.chunks(GRADIENT_TILE).map(gradient_bytes);
    Tree::of(tiles)
}

pub(super) fn gradient_bytes(words: &[i64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A table, with everything that its roots are made of except weights and gradients.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShareTable {
    /// The rule's terms.
    pub terms: ShareTerms,
    /// The entrants.
    pub records: Vec<EntrantRecord>,
    /// The passes.
    pub passes: Vec<TablePass>,
    /// The merge of the best company.
    pub merge: Option<TableMerge>,
}

/// A pass, with its rows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TablePass {
    /// By entrant, whether it is a member.
    pub members: Vec<bool>,
    /// [`PassSummary::median_norm`].
    pub median_norm: u64,
    /// [`PassSummary::last_dropped`].
    pub last_dropped: Option<u32>,
    /// [`PassSummary::midpoint`].
    pub midpoint: Hash,
    /// By group, the root of its gradient.
    pub gradients: Vec<Hash>,
    /// The rows, by entrant.
    pub rows: Vec<Row>,
}

/// A merge, with its losses.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TableMerge {
    /// [`MergeSummary::weights`].
    pub weights: Hash,
    /// Losses of base and merge on A's samples.
    pub on_a: [Vec<u32>; 2],
    /// What is paid.
    pub pay: Option<TablePay>,
}

/// The pay, with its rows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TablePay {
    /// Losses of base and merge on B's samples.
    pub on_b: [Vec<u32>; 2],
    /// By group, the root of its gradient.
    pub gradients: Vec<Hash>,
    /// The rows, by entrant.
    pub rows: Vec<Row>,
}

impl ShareTable {
    /// Its summary.
    pub fn summary(&self) -> TableSummary {
        let passes = self.passes.iter().map(|pass| PassSummary {
            members: Members::of(&pass.members),
            median_norm: pass.median_norm,
            last_dropped: pass.last_dropped,
            midpoint: pass.midpoint,
            gradients: roots_tree(&pass.gradients).root().hash,
            rows: self.tree_of_pass(pass).root(),
        });
        let passes = PassSummaries::from(passes.collect::<Vec<_>>());
        let candidate = best_of(passes.iter().map(sums));
        let members = candidate.and_then(|pass| Some(self.passes.get(pass)?.members.as_slice()));
        let merge = self.merge.as_ref().map(|merge| MergeSummary {
            weights: merge.weights,
            on_a: fall(&merge.on_a),
            pay: merge.pay.as_ref().map(|pay| PaySummary {
                on_b: fall(&pay.on_b),
                gradients: roots_tree(&pay.gradients).root().hash,
                rows: tree_of_pay(pay, members.unwrap_or(&[])).root(),
            }),
        });
        TableSummary { passes, merge }
    }

    /// The tree of a stage's rows.
    pub fn rows_tree(&self, stage: Stage) -> Option<Tree<RowSums>> {
        match stage {
            Stage::Pass(number) => Some(self.tree_of_pass(self.passes.get(usize::from(number))?)),
            Stage::Pay => Some(tree_of_pay(self.pay()?, &self.candidate()?.members)),
        }
    }

    /// Rows and gradient roots of a stage.
    pub(super) fn measured(&self, stage: Stage) -> Option<(&[Row], &[Hash])> {
        match stage {
            Stage::Pass(number) => {
                let pass = self.passes.get(usize::from(number))?;
                Some((&pass.rows, &pass.gradients))
            }
            Stage::Pay => self.pay().map(|pay| (&pay.rows[..], &pay.gradients[..])),
        }
    }

    /// Losses of base and merge on a half's samples, if it has them.
    pub(super) fn losses(&self, half: Half) -> Option<&[Vec<u32>; 2]> {
        match half {
            Half::A => self.merge.as_ref().map(|merge| &merge.on_a),
            Half::B => self.pay().map(|pay| &pay.on_b),
        }
    }

    pub(super) fn pay(&self) -> Option<&TablePay> {
        self.merge.as_ref()?.pay.as_ref()
    }

    /// The pass whose company is merged, if it gains enough.
    pub(super) fn candidate(&self) -> Option<&TablePass> {
        let sums = |pass: &TablePass| {
            let values = pass.rows.iter().zip(&pass.members);
            let values = values.filter(|(_, is_member)| **is_member);
            values.fold((0, 0), |(sum, all), (row, _)| {
                let value = row.value();
                (sum + value.sum, all + magnitude(&value))
            })
        };
        let sums: Vec<(i64, u64)> = self.passes.iter().map(sums).collect();
        self.passes.get(best_of(sums.into_iter())?)
    }

    fn tree_of_pass(&self, pass: &TablePass) -> Tree<RowSums> {
        let rows = pass.rows.iter().zip(&self.records).zip(&pass.members);
        let leaves = rows.map(|((row, record), is_member)| {
            let sums = row.in_pass(record, *is_member, pass.median_norm, &self.terms);
            Node::leaf(&[&row.encode()], sums)
        });
        Tree::from_leaves(leaves.collect())
    }
}

fn tree_of_pay(pay: &TablePay, members: &[bool]) -> Tree<RowSums> {
    let rows = pay.rows.iter().zip(members);
    let leaves = rows.map(|(row, is_member)| Node::leaf(&[&row.encode()], row.in_pay(*is_member)));
    Tree::from_leaves(leaves.collect())
}

pub(super) fn roots_tree(roots: &[Hash]) -> Tree {
    Tree::of(roots)
}

pub(super) fn fall([before, after]: &[Vec<u32>; 2]) -> Fall {
    let paired = Paired::fall(before, after);
    Fall {
        before: losses_node(before),
        after: losses_node(after),
        standard_error: paired.standard_error,
    }
}

/// How many parts a value of a stage has, in a round of `samples` samples.
pub(super) fn parts_of(stage: Stage, samples: u32) -> usize {
    group_count(stage.half().count(samples) as usize)
}
