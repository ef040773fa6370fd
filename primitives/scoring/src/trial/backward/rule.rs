//! What a word of a stage is made of, and how it is computed.

use super::super::layout::OpWords;
use super::super::TRACE_WIDTH;
use crate::machine::activations;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Words that a running sum takes in at a time.
pub(crate) const STRETCH: u64 = TRACE_WIDTH as u64;

/// Where words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What an op gives, in the layout of the forward trace.
    Forward(u32),
    /// An earlier stage, or earlier words of the same one.
    Stage(u32),
    /// The master weights.
    Weights,
    /// The sample with its label, all of it.
    Record,
}

/// Consecutive words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub from: Source,
    pub range: Range<u64>,
}

impl Read {
    /// The sample with its label.
    pub fn record() -> Self {
        Self {
            from: Source::Record,
            range: 0..0,
        }
    }

    /// Words of a stage.
    pub fn stage(stage: u32, first: u64, count: u64) -> Self {
        Self {
            from: Source::Stage(stage),
            range: first..first.saturating_add(count),
        }
    }

    /// One master weight.
    pub fn weight(at: u64) -> Self {
        Self {
            from: Source::Weights,
            range: at..at.saturating_add(1),
        }
    }
}

/// How the words of a stage are made.
pub(crate) trait Rule {
    /// What a word is made of, in the order that [`Rule::execute`] takes; none if there is no such word.
    fn reads(&self, at: u64) -> Option<Vec<Read>>;

    /// Computes the word from what was read. Total: none if that has the wrong shape.
    fn execute(&self, at: u64, inputs: &[&[i32]]) -> Option<i32>;
}

/// A rule of two functions.
pub(crate) struct Each<R, E> {
    pub reads: R,
    pub execute: E,
}

impl<R, E> Rule for Each<R, E>
where
    R: Fn(u64) -> Option<Vec<Read>>,
    E: Fn(u64, &[&[i32]]) -> Option<i32>,
{
    fn reads(&self, at: u64) -> Option<Vec<Read>> {
        (self.reads)(at)
    }

    fn execute(&self, at: u64, inputs: &[&[i32]]) -> Option<i32> {
        (self.execute)(at, inputs)
    }
}

/// The first word of read number `nth`.
pub(crate) fn first(inputs: &[&[i32]], nth: usize) -> Option<i32> {
    inputs.get(nth)?.first().copied()
}

/// The sum of products.
pub(crate) fn products(a: &[i32], b: &[i32]) -> i32 {
    let products = a.iter().zip(b).map(|(a, b)| a.wrapping_mul(*b));
    products.fold(0, i32::wrapping_add)
}

/// The sum of words.
pub(crate) fn sum(words: &[i32]) -> i32 {
    words.iter().copied().fold(0, i32::wrapping_add)
}

/// Row and column of value number `at`.
pub(crate) fn row_and_column(at: u64, width: u32) -> Option<(u32, u32)> {
    let width = u64::from(width);
    let row = u32::try_from(at.checked_div(width)?).ok()?;
    Some((row, at.checked_rem(width)? as u32))
}

/// What an op takes or gives in the forward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    /// What an op gives.
    Op(u32, OpWords),
    /// The activations of the sample.
    Sample,
}

impl Given {
    /// Words of one row that lie side by side.
    pub fn row(&self, row: u32, column: u32, count: u32) -> Option<Read> {
        match self {
            Self::Op(op, own) => {
                let start = u64::from(own.word(row, column)?);
                Some(Read {
                    from: Source::Forward(*op),
                    range: start..start.checked_add(count.into())?,
                })
            }
            Self::Sample => Some(Read::record()),
        }
    }

    /// One value.
    pub fn value(&self, row: u32, column: u32) -> Option<Read> {
        self.row(row, column, 1)
    }

    /// The value of this column, from what [`Self::value`] reads.
    pub fn of(&self, column: u32, read: &[i32]) -> Option<i32> {
        match self {
            Self::Op(..) => read.first().copied(),
            Self::Sample => {
                let byte = *read.get(column as usize)? as u8;
                activations(&[byte]).first().copied().map(i32::from)
            }
        }
    }
}

/// Running sums of products, each over a stretch: value number `at` is the product of row `at / columns` of
/// one stage with row `at % columns` of another, both of this length.
pub(crate) struct Products {
    /// The stage itself.
    pub own: u32,
    pub left: u32,
    pub right: u32,
    pub columns: u64,
    pub length: u64,
}

/// How many words a running sum of `length` terms has.
pub(crate) fn steps(length: u64) -> u64 {
    length.div_ceil(STRETCH).max(1)
}

/// Value, step, and which words of a row of this length the step adds.
fn stretch(at: u64, length: u64) -> Option<(u64, u64, Range<u64>)> {
    let steps = steps(length);
    let (value, step) = (at.checked_div(steps)?, at.checked_rem(steps)?);
    let start = step.checked_mul(STRETCH)?;
    Some((value, step, start..start.checked_add(STRETCH)?.min(length)))
}

/// The words of a stretch of a row.
fn row_of(stage: u32, row: u64, length: u64, stretch: &Range<u64>) -> Option<Read> {
    let first = row.checked_mul(length)?.checked_add(stretch.start)?;
    let count = stretch.end.checked_sub(stretch.start)?;
    Some(Read::stage(stage, first, count))
}

/// The sum so far, if there is one.
fn so_far(own: u32, at: u64, step: u64) -> Option<Read> {
    let before = at.checked_sub(1).filter(|_| step > 0)?;
    Some(Read::stage(own, before, 1))
}

impl Rule for Products {
    fn reads(&self, at: u64) -> Option<Vec<Read>> {
        let (value, step, stretch) = stretch(at, self.length)?;
        let (left, right) = (
            value.checked_div(self.columns)?,
            value.checked_rem(self.columns)?,
        );
        let mut reads = vec![
            row_of(self.left, left, self.length, &stretch)?,
            row_of(self.right, right, self.length, &stretch)?,
        ];
        reads.extend(so_far(self.own, at, step));
        Some(reads)
    }

    fn execute(&self, _: u64, inputs: &[&[i32]]) -> Option<i32> {
        let sum = products(inputs.first()?, inputs.get(1)?);
        Some(first(inputs, 2).unwrap_or(0).wrapping_add(sum))
    }
}

/// Running sums over the rows of a stage, each over a stretch.
pub(crate) struct RowSums {
    /// The stage itself.
    pub own: u32,
    pub of: u32,
    pub length: u64,
}

impl Rule for RowSums {
    fn reads(&self, at: u64) -> Option<Vec<Read>> {
        let (value, step, stretch) = stretch(at, self.length)?;
        let mut reads = vec![row_of(self.of, value, self.length, &stretch)?];
        reads.extend(so_far(self.own, at, step));
        Some(reads)
    }

    fn execute(&self, _: u64, inputs: &[&[i32]]) -> Option<i32> {
        let sum = sum(inputs.first()?);
        Some(first(inputs, 1).unwrap_or(0).wrapping_add(sum))
    }
}
