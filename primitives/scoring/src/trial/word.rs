//! One word of a trace: what it is made of, and what it is. What an op's words are made of is in
//! [`crate::op`].

use super::layout::{Layout, OpWords};
use super::Refusal;
use crate::machine;
use alloc::vec::Vec;
use core::ops::Range;

/// A word of a trace, in its place.
pub(crate) struct Word<'a> {
    pub layout: &'a Layout,
    /// Index of its op.
    pub op: u32,
    /// The words of that op.
    pub own: &'a OpWords,
    /// Which of these it is.
    pub at: u32,
    /// Row of the value that it belongs to.
    pub row: u32,
    /// Column of that value.
    pub column: u32,
    /// The sample with its label; empty if the word does not read it.
    pub sample: &'a [u8],
}

impl<'a> Word<'a> {
    /// None if there is no such word.
    pub fn of(layout: &'a Layout, op: u32, at: u32, sample: &'a [u8]) -> Option<Self> {
        let own = layout.op(op)?;
        let (row, column) = own.value(at)?;
        Some(Self {
            layout,
            op,
            own,
            at,
            row,
            column,
            sample,
        })
    }

    /// Index of the op before; none of the first op, which takes the sample.
    pub fn previous(&self) -> Option<u32> {
        self.op.checked_sub(1)
    }

    /// Consecutive words of another op, from a value of it on.
    pub fn words(&self, op: u32, row: u32, column: u32, count: u32) -> Option<Words> {
        let start = self.layout.op(op)?.word(row, column)?;
        let range = start..start.checked_add(count)?;
        Some(Words { op, range })
    }

    /// Words of the op before, in the same row.
    pub fn input(&self, column: u32, count: u32) -> Option<Words> {
        self.words(self.previous()?, self.row, column, count)
    }
}

/// Consecutive words of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub op: u32,
    pub range: Range<u32>,
}

/// What a word is made of.
pub(crate) struct Reads {
    /// Whether it reads the sample.
    pub record: bool,
    /// Words of the op before.
    pub inputs: Option<Words>,
    /// Other words: the sum so far, the other term of a residual, a key, values.
    pub before: Option<Words>,
    /// Weights: a stretch of a row, or the value of a token.
    pub weights: Option<Range<u64>>,
    /// The bias, or the value of a token's place.
    pub bias: Option<Range<u64>>,
    /// Which values of a row these inputs are.
    pub columns: Range<u32>,
}

impl Reads {
    /// What one word reads. `sample` is read by the embedding only. None if there is no such word.
    pub fn of(layout: &Layout, op: u32, at: u32, sample: &[u8]) -> Option<Self> {
        let word = Word::of(layout, op, at, sample)?;
        word.own.op.definition().reads(&word)
    }

    /// What a word reads that reads nothing.
    pub fn nothing(word: &Word<'_>) -> Self {
        Self {
            record: false,
            inputs: None,
            before: None,
            weights: None,
            bias: None,
            columns: word.column..word.column.saturating_add(1),
        }
    }

    /// One value, at the same place of what the op takes.
    pub fn same_place(word: &Word<'_>) -> Self {
        Self {
            record: word.previous().is_none(),
            inputs: word.input(word.column, 1),
            ..Self::nothing(word)
        }
    }
}

/// What a word is made of, opened.
pub(crate) struct Inputs {
    /// [`Reads::columns`].
    pub columns: Range<u32>,
    /// [`Reads::inputs`].
    pub inputs: Vec<i32>,
    /// [`Reads::before`].
    pub before: Vec<i32>,
    /// [`Reads::weights`].
    pub weights: Vec<i16>,
    /// [`Reads::bias`].
    pub bias: Vec<i16>,
}

impl Inputs {
    /// Executes the word's op for it.
    pub fn execute(&self, word: &Word<'_>) -> Result<i32, Refusal> {
        word.own.op.definition().execute(word, self)
    }

    /// The first word of the op before.
    pub fn first(&self) -> Result<i32, Refusal> {
        self.inputs.first().copied().ok_or(Refusal::WrongShape)
    }

    /// The narrow inputs, which the first op reads from the sample.
    pub fn activations(&self, word: &Word<'_>) -> Result<Vec<i8>, Refusal> {
        if word.sample.is_empty() {
            return Ok(self.narrow());
        }
        let range = self.columns.start as usize..self.columns.end as usize;
        let pixels = word.sample.get(range).ok_or(Refusal::WrongShape)?;
        Ok(machine::activations(pixels))
    }

    /// The first of [`Self::activations`].
    pub fn activation(&self, word: &Word<'_>) -> Result<i8, Refusal> {
        let activations = self.activations(word)?;
        activations.first().copied().ok_or(Refusal::WrongShape)
    }

    /// The words of the op before, as `i8`.
    pub fn narrow(&self) -> Vec<i8> {
        narrow(&self.inputs)
    }

    /// The words of the op before, as `i16`.
    pub fn wide(&self) -> Vec<i16> {
        self.inputs.iter().map(|word| *word as i16).collect()
    }

    /// The other words, as `i8`.
    pub fn narrow_before(&self) -> Vec<i8> {
        narrow(&self.before)
    }
}

fn narrow(words: &[i32]) -> Vec<i8> {
    words.iter().map(|word| *word as i8).collect()
}
