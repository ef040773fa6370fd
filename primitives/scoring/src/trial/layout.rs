//! Where the words of a trace are.
//!
//! The trace of a sample is what every op gives, in order, row after row, in words: `i8` for narrow
//! tensors, `i16` for wide ones and shares, `i32` for accumulators, `u32` for losses, little
//! endian. A linear op with more than [`TRACE_WIDTH`] inputs gives one word for every
//! [`TRACE_WIDTH`] of them: the sum so far, starting from the bias. In the rows that scores are
//! made of, the values, which are the last third of every row, come after all the rest, column
//! after column, because a mean reads one column. Everything that a pool takes lies column after
//! column, too, because a place of its window reads one channel. Every op's words are cut into
//! tiles of [`TRACE_TILE`], the last perhaps shorter; the tiles are the leaves of a plain Merkle
//! tree.

use super::{Refusal, Tiles};
use crate::graph::{Flow, Graph, Kind};
use crate::hash::Hash;
use crate::merkle::{root_of_span, Node};
use crate::op::Op;
use alloc::vec::Vec;
use core::ops::Range;

/// Words of a tile.
pub const TRACE_TILE: u32 = 256;
/// Inputs that one word of a linear op takes in.
pub const TRACE_WIDTH: u32 = 2048;

/// The words of one op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpWords {
    /// The op.
    pub op: Op,
    /// What it gives.
    pub flow: Flow,
    /// Master weights before those of the op.
    pub parameters_before: u64,
    /// The first tile.
    pub first_tile: u32,
    /// How many words.
    pub words: u32,
    /// Bytes of a word.
    pub bytes: u32,
    /// Words for one value: 1, or those of a wide linear op.
    pub steps: u32,
    /// Columns that lie row by row; those after them lie after all these, column by column.
    pub in_rows: u32,
}

impl OpWords {
    fn tiles(&self) -> u32 {
        self.words.div_ceil(TRACE_TILE)
    }

    /// Row and column of the value that a word belongs to; none if there is no such word.
    pub fn value(&self, at: u32) -> Option<(u32, u32)> {
        if at >= self.words {
            return None;
        }
        let (at, columns) = (at.checked_div(self.steps)?, self.in_rows);
        let rows = self.flow.tokens.checked_mul(columns)?;
        Some(match at.checked_sub(rows) {
            None => (at.checked_div(columns)?, at.checked_rem(columns)?),
            Some(at) => {
                let column = columns.checked_add(at.checked_div(self.flow.tokens)?)?;
                (at.checked_rem(self.flow.tokens)?, column)
            }
        })
    }

    /// The word that a value is read from: in a wide linear op, the last of its sums. None if there
    /// is no such value.
    pub fn word(&self, row: u32, column: u32) -> Option<u32> {
        if row >= self.flow.tokens || column >= self.flow.width {
            return None;
        }
        let columns = self.in_rows;
        let at = match column.checked_sub(columns) {
            None => row.checked_mul(columns)?.checked_add(column)?,
            Some(column) => {
                let before = self.flow.tokens.checked_mul(columns.checked_add(column)?)?;
                before.checked_add(row)?
            }
        };
        at.checked_mul(self.steps)?.checked_add(self.steps - 1)
    }
}

/// A tile's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which op.
    pub op: u32,
    /// The first of the op's words in the tile.
    pub first: u32,
    /// Words in the tile.
    pub words: u32,
    /// Bytes of a word.
    pub bytes: u32,
}

/// The trace of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    ops: Vec<OpWords>,
    tiles: u32,
}

impl Layout {
    /// The layout of a valid graph; that of an invalid one has no words.
    pub fn of(graph: &Graph) -> Self {
        let flows = graph.flows().unwrap_or_default();
        let (mut ops, mut tiles, mut parameters_before) = (Vec::new(), 0u32, 0u64);
        for (index, (op, flow)) in graph.ops.iter().zip(flows).enumerate() {
            let inputs = op.definition().summed_inputs();
            let steps = inputs.div_ceil(TRACE_WIDTH).max(1);
            let values = flow.tokens.saturating_mul(flow.width);
            let words = OpWords {
                op: *op,
                flow,
                parameters_before,
                first_tile: tiles,
                words: values.saturating_mul(steps),
                bytes: match flow.kind {
                    Kind::Narrow => 1,
                    Kind::Wide | Kind::Shares => 2,
                    Kind::Acc | Kind::Loss => 4,
                },
                steps,
                in_rows: match graph.ops.get(index + 1) {
                    Some(next) => next.definition().columns_in_rows(flow.width),
                    None => flow.width,
                },
            };
            tiles = words.tiles().saturating_add(tiles);
            parameters_before = parameters_before.saturating_add(op.parameters());
            ops.push(words);
        }
        Self { ops, tiles }
    }

    /// Tiles of the trace.
    pub fn tiles(&self) -> u32 {
        self.tiles
    }

    /// The words of an op.
    pub fn op(&self, op: u32) -> Option<&OpWords> {
        self.ops.get(op as usize)
    }

    /// Where a tile is.
    pub fn place(&self, tile: u32) -> Option<Place> {
        let op = self
            .ops
            .partition_point(|words| words.first_tile <= tile)
            .checked_sub(1)?;
        let words = self.ops.get(op)?;
        let first = tile
            .checked_sub(words.first_tile)?
            .checked_mul(TRACE_TILE)?;
        Some(Place {
            op: op as u32,
            first,
            words: words
                .words
                .checked_sub(first)
                .filter(|left| *left > 0)?
                .min(TRACE_TILE),
            bytes: words.bytes,
        })
    }

    /// Words `range` of an op, from tiles under the root `trace`.
    pub(super) fn open(
        &self,
        trace: &Hash,
        op: &OpWords,
        range: Range<u32>,
        tiles: &Tiles,
    ) -> Result<Vec<i32>, Refusal> {
        let span = Span::of(
            range.start.into()..range.end.into(),
            op.words.into(),
            TRACE_TILE,
        )?;
        let first = op
            .first_tile
            .checked_add(span.first)
            .ok_or(Refusal::WrongShape)?;
        span.verify(
            tiles,
            op.bytes,
            self.tiles,
            first,
            trace,
            Refusal::NotTheInside,
        )?;
        let words = words(op.bytes, &tiles.bytes).ok_or(Refusal::WrongShape)?;
        let within = words.get(span.within).ok_or(Refusal::WrongShape)?;
        Ok(within.to_vec())
    }
}

/// The tiles that cover some values.
pub(super) struct Span {
    /// The first tile.
    pub first: u32,
    /// Values in them.
    pub values: u32,
    /// Values of a whole tile.
    tile: u32,
    /// Where in them the values are.
    pub within: Range<usize>,
}

impl Span {
    /// The tiles that cover `range`, of `total` values in tiles of `tile`. Refused if it is empty
    /// or beyond.
    pub fn of(range: Range<u64>, total: u64, tile: u32) -> Result<Self, Refusal> {
        if range.is_empty() || range.end > total {
            return Err(Refusal::NoSuchPlace);
        }
        let tile = u64::from(tile);
        let first = range.start / tile;
        let end = range.end.div_ceil(tile);
        let start = first * tile;
        let values = (end * tile).min(total) - start;
        let narrow = |value: u64| u32::try_from(value).map_err(|_| Refusal::NoSuchPlace);
        Ok(Self {
            first: narrow(first)?,
            values: narrow(values)?,
            tile: narrow(tile)?,
            within: (range.start - start) as usize..(range.end - start) as usize,
        })
    }

    /// Whether `tiles`, with values of `bytes` bytes, are these tiles under `root`, starting at
    /// tile `first`; `else_refused` is the refusal if they are not.
    pub fn verify(
        &self,
        tiles: &Tiles,
        bytes: u32,
        leaves: u32,
        first: u32,
        root: &Hash,
        else_refused: Refusal,
    ) -> Result<(), Refusal> {
        if tiles.bytes.len() as u64 != u64::from(self.values) * u64::from(bytes) {
            return Err(Refusal::WrongShape);
        }
        let tile = self.tile as usize * bytes as usize;
        let nodes = tiles
            .bytes
            .chunks(tile.max(1))
            .map(|tile| Node::leaf(&[tile], ()));
        match root_of_span(leaves, first, nodes.collect(), &tiles.siblings) {
            Some(found) if found == *root => Ok(()),
            _ => Err(else_refused),
        }
    }
}

/// Little-endian words of `bytes` bytes each; none if the last is incomplete.
pub(super) fn words(bytes: u32, data: &[u8]) -> Option<Vec<i32>> {
    let chunks = data.chunks_exact(bytes as usize);
    if !chunks.remainder().is_empty() {
        return None;
    }
    chunks
        .map(|word| match *word {
            [a] => Some(i32::from(a as i8)),
            [a, b] => Some(i32::from(i16::from_le_bytes([a, b]))),
            [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d])),
            _ => None,
        })
        .collect()
}

/// The little-endian bytes of words that fit into `bytes` bytes each.
pub(super) fn tile_bytes(bytes: u32, words: &[i32]) -> Vec<u8> {
    let width = bytes as usize;
    words
        .iter()
        .flat_map(|word| word.to_le_bytes().into_iter().take(width))
        .collect()
}
