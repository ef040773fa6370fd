//! A sparse change to the master weights, and its only encoding: Golomb-Rice gaps and 2-bit
//! values, about 0.108 bits per parameter at 1 % kept.
//!
//! A bit stream, lowest bit first, filled with zeros to a whole byte. For each chunk of 4096
//! parameters, the last perhaps shorter:
//!
//! | bits | field |
//! | --- | --- |
//! | number | entries in the chunk; nothing more follows if none |
//! | 4 | Rice parameter `r`: the smallest that gives the shortest code |
//! | number | the smaller magnitude |
//! | number | how much larger the other one is; 0 if there is no other |
//! | .. | each entry |
//!
//! A *number* is its bit length in 4 bits and what follows its leading one. An entry is the gap
//! `g` from the entry before (parameters between them): `g >> r` zeros and a one, the low `r` bits
//! of `g`; then a bit that is 1 if the change is negative; then, if the chunk has two magnitudes, a
//! bit that is 1 for the larger. Source: Rice and Plaunt (1971); at 1 % kept, evenly spread, the gap
//! code is within 1 % of the entropy of the positions.

mod bits;
mod rice;
#[cfg(test)]
mod tests;

use crate::hash::{blake2_256, Hash};
use crate::merkle::Tree;
use crate::CHUNK;
use alloc::vec::Vec;
use core::cmp::Reverse;
use thiserror::Error;

/// Largest magnitude of a change.
const MAX_CHANGE: u32 = 32_767;

/// Why entries or bytes are not a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DeltaError {
    /// The bytes end within the delta.
    #[error("the delta is truncated")]
    Truncated,
    /// Bytes are left after the delta.
    #[error("there are extra bytes after the delta")]
    TrailingBytes,
    /// The bytes are not the delta's only valid encoding.
    #[error("the delta is not in its canonical encoding")]
    NonCanonical,
    /// A delta that changes nothing.
    #[error("the delta is empty")]
    Empty,
    /// A position past the last parameter.
    #[error("the delta changes a position past the last parameter")]
    PositionOutOfRange,
    /// More than two magnitudes within a chunk.
    #[error("a chunk of the delta has more than two magnitudes")]
    TooManyMagnitudes,
    /// A change of zero.
    #[error("the delta has a change of zero")]
    ZeroChange,
    /// A change of -32768, whose magnitude is no i16.
    #[error("a change of the delta is outside +-32767")]
    ChangeOutOfRange,
    /// Positions that do not rise.
    #[error("the delta's positions do not rise")]
    Unsorted,
}

/// A change to one parameter, in units of the master weights (2^-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which parameter.
    pub position: u32,
    /// What is added to it: not 0, within +-32767.
    pub change: i16,
}

/// A sparse change to the master weights: at least one entry, positions rising, at most two
/// magnitudes in each [`crate::CHUNK`] of parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    parameters: u32,
    entries: Vec<Entry>,
}

impl Delta {
    /// Checks everything that a delta is.
    pub fn new(parameters: u32, entries: Vec<Entry>) -> Result<Self, DeltaError> {
        let last = entries.last().ok_or(DeltaError::Empty)?;
        if !entries.is_sorted_by(|a, b| a.position < b.position) {
            return Err(DeltaError::Unsorted);
        }
        if last.position >= parameters {
            return Err(DeltaError::PositionOutOfRange);
        }
        if entries.iter().any(|entry| entry.change == 0) {
            return Err(DeltaError::ZeroChange);
        }
        if entries.iter().any(|entry| entry.change == i16::MIN) {
            return Err(DeltaError::ChangeOutOfRange);
        }
        let chunk = |entry: &Entry| entry.position / CHUNK as u32;
        for entries in entries.chunk_by(|a, b| chunk(a) == chunk(b)) {
            let (low, high) = magnitudes(entries);
            let known = |entry: &Entry| [low, high].contains(&entry.change.unsigned_abs());
            if !entries.iter().all(known) {
                return Err(DeltaError::TooManyMagnitudes);
            }
        }
        Ok(Self {
            parameters,
            entries,
        })
    }

    /// The delta's only encoding, which the module's docs give.
    pub fn encode(&self) -> Vec<u8> {
        rice::encode(self)
    }

    /// Decodes `bytes` as a delta to `parameters` weights. Total; time and memory are in proportion
    /// to `bytes`: a byte yields at most 4 entries of 8 bytes each.
    pub fn decode(bytes: &[u8], parameters: u32) -> Result<Self, DeltaError> {
        rice::decode(bytes, parameters)
    }

    /// The same delta in no more memory than it needs: [`Delta::decode`] may take twice as much.
    pub fn shrunk(mut self) -> Self {
        self.entries.shrink_to_fit();
        self
    }

    /// The largest part of a dense change, of which it keeps `keep_permille` thousandths (at least
    /// one parameter) in each chunk. If magnitudes are equal, the lower position is kept.
    ///
    /// The changes kept in a chunk fall into two groups, up to their mean magnitude and above; each
    /// takes the mean of its group, rounded to nearest and clamped to 32767, as its magnitude. The
    /// delta of a change that is zero everywhere is empty: it has an encoding, which
    /// [`Delta::decode`] refuses.
    pub fn compress(change: &[i32], keep_permille: u32) -> Self {
        Self::of_largest(change, keep_permille, |kept| mean(kept, Rounding::Down))
    }

    /// As [`Delta::compress`], but everything kept in a chunk takes one magnitude. An entry is a
    /// bit shorter, so more entries fit: for normally distributed values, 40 % with one magnitude
    /// leave out 22 % of the square norm, and 26 % with two, about as long, leave out 28 %.
    pub fn compress_evenly(change: &[i32], keep_permille: u32) -> Self {
        Self::of_largest(change, keep_permille, |_| u64::MAX)
    }

    /// The largest part of a change. Given the magnitudes kept in a chunk, `middle` returns the
    /// largest that belongs to the group of smaller ones.
    fn of_largest(
        change: &[i32],
        keep_permille: u32,
        middle: impl Fn(&mut dyn Iterator<Item = u64>) -> u64,
    ) -> Self {
        let mut entries = Vec::new();
        for (chunk, start) in change.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            let kept = largest(chunk, keep_permille);
            let magnitude = |at: &usize| u64::from(chunk[*at].unsigned_abs());
            let middle = middle(&mut kept.iter().map(magnitude));
            let (low, high) = kept.iter().map(magnitude).partition(|m| *m <= middle);
            let levels: [Vec<u64>; 2] = [low, high];
            let [low, high] = levels.map(|group| {
                let level = mean(group.into_iter(), Rounding::Nearest);
                level.min(MAX_CHANGE.into()) as i16
            });
            entries.extend(kept.iter().map(|at| {
                let level = if magnitude(at) <= middle { low } else { high };
                Entry {
                    position: start + *at as u32,
                    change: if chunk[*at] < 0 { -level } else { level },
                }
            }));
        }
        Self {
            parameters: change.len() as u32,
            entries,
        }
    }

    /// Number of parameters of the weights that the delta changes.
    pub fn parameters(&self) -> u32 {
        self.parameters
    }

    /// The entries, positions rising.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Sum of the squared changes; below 2^62, because positions are below 2^32.
    pub fn square_norm(&self) -> u64 {
        let square = |entry: &Entry| u64::from(entry.change.unsigned_abs()).pow(2);
        self.entries.iter().map(square).sum()
    }

    /// Euclidean norm, rounded down.
    pub fn norm(&self) -> u64 {
        self.square_norm().isqrt()
    }

    /// Root of a plain Merkle tree with a leaf for every chunk of the parameters: the chunk's part
    /// of the encoding, filled with zeros to a whole byte. [`Delta::decode_chunk`] reads one.
    pub fn root(&self) -> Hash {
        self.tree().root().hash
    }

    /// The tree of [`Delta::root`].
    pub fn tree(&self) -> Tree {
        Tree::of((0..chunks(self.parameters)).map(|chunk| self.encode_chunk(chunk)))
    }

    /// The leaf of a chunk.
    pub fn encode_chunk(&self, chunk: u32) -> Vec<u8> {
        let start = chunk.saturating_mul(CHUNK as u32);
        let before = self.entries.partition_point(|entry| entry.position < start);
        let rest = self.entries.get(before..).unwrap_or(&[]);
        rice::encode_one(&rest[..in_chunk(rest, start)], start)
    }

    /// The entries of a chunk of `parameters` weights, whose leaf is `bytes`.
    pub fn decode_chunk(
        bytes: &[u8],
        chunk: u32,
        parameters: u32,
    ) -> Result<Vec<Entry>, DeltaError> {
        let start = chunk.checked_mul(CHUNK as u32);
        let start = start.filter(|start| *start < parameters);
        rice::decode_one(
            bytes,
            start.ok_or(DeltaError::PositionOutOfRange)?,
            parameters,
        )
    }

    /// Hash of an encoded delta: `H("gotong:delta" | bytes)`.
    pub fn hash_of(bytes: &[u8]) -> Hash {
        blake2_256(&[b"gotong:delta", bytes])
    }

    /// What the delta leaves of the change: the error feedback of the next round. Positions past
    /// the change are passed over.
    pub fn residual(&self, change: &[i32]) -> Vec<i32> {
        let mut rest = change.to_vec();
        for entry in &self.entries {
            if let Some(left) = rest.get_mut(entry.position as usize) {
                *left = left.saturating_sub(entry.change.into());
            }
        }
        rest
    }
}

/// The number of chunks that this many parameters make.
pub fn chunks(parameters: u32) -> u32 {
    parameters.div_ceil(CHUNK as u32)
}

/// How many of these entries, the first at or after `start`, are in the chunk at `start`.
fn in_chunk(entries: &[Entry], start: u32) -> usize {
    entries.partition_point(|entry| entry.position - start < CHUNK as u32)
}

/// The least and the largest magnitude of entries.
fn magnitudes(entries: &[Entry]) -> (u16, u16) {
    let magnitudes = entries.iter().map(|entry| entry.change.unsigned_abs());
    magnitudes.fold((u16::MAX, 0), |(low, high), m| (low.min(m), high.max(m)))
}

/// Indices, rising, of the largest values of a chunk that are not zero.
fn largest(chunk: &[i32], keep_permille: u32) -> Vec<usize> {
    let keep = (chunk.len() * keep_permille.min(1000) as usize / 1000).clamp(1, chunk.len());
    let mut kept: Vec<usize> = (0..chunk.len()).collect();
    kept.select_nth_unstable_by_key(keep - 1, |at| (Reverse(chunk[*at].unsigned_abs()), *at));
    kept.truncate(keep);
    kept.retain(|at| chunk[*at] != 0);
    kept.sort_unstable();
    kept
}

enum Rounding {
    Down,
    Nearest,
}

/// Mean of some values; 0 if there are none.
fn mean(values: impl Iterator<Item = u64>, rounding: Rounding) -> u64 {
    let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
    let half = match rounding {
        Rounding::Down => 0,
        Rounding::Nearest => count / 2,
    };
    (sum + half).checked_div(count).unwrap_or(0)
}
