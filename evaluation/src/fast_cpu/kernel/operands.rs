//! Operands of a product, packed into words.

use super::{Kernel, Words, COLUMNS, ROWS};

/// A right operand: columns in panels of [`COLUMNS`], and the number that each column's sum starts from.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    /// `[panels, length]`.
    words: Vec<Words>,
    /// `[panels]`.
    first: Vec<Words>,
    /// Words in a column.
    length: usize,
}

impl Panels {
    /// Number of columns, padding included.
    pub fn columns(&self) -> usize {
        self.first.len() * COLUMNS
    }

    /// The words of every panel, and what its sums start from.
    #[inline(always)]
    pub(super) fn panels(&self) -> impl Iterator<Item = (&[Words], &Words)> {
        let words = self.words.chunks_exact(self.length.max(1));
        words.zip(&self.first)
    }

    /// Makes room; all words are to be written, except those that pad the columns.
    fn reset(&mut self, columns: usize, length: usize) {
        let panels = columns.div_ceil(COLUMNS);
        self.words.resize(panels * length, [0; COLUMNS]);
        self.words[columns / COLUMNS * length..].fill([0; COLUMNS]);
        self.first.clear();
        self.first.resize(panels, [0; COLUMNS]);
        self.length = length;
    }

    /// Packs activations: each row becomes a column, whose sum starts from the number given with it.
    #[inline(always)]
    pub fn pack_activations<'a, K: Kernel>(
        &mut self,
        inputs: usize,
        rows: impl ExactSizeIterator<Item = (&'a [i8], i32)>,
    ) {
        self.reset(rows.len(), inputs.div_ceil(K::ACTIVATIONS));
        for (column, (row, first)) in rows.enumerate() {
            let (panel, lane) = (column / COLUMNS, column % COLUMNS);
            let words = &mut self.words[panel * self.length..][..self.length];
            for_words::<K>(row, 0, |at, word| words[at][lane] = word);
            let excess = match K::ACTIVATIONS {
                4 => row
                    .iter()
                    .map(|x| i32::from(*x))
                    .fold(0, i32::wrapping_add)
                    .wrapping_mul(128),
                _ => 0,
            };
            self.first[panel][lane] = first.wrapping_sub(excess);
        }
    }

    /// Packs halves: column `c` holds value `c` of every row.
    #[inline(always)]
    pub fn pack_columns<'a, T: Copy + Into<i16> + 'a>(
        &mut self,
        columns: usize,
        rows: impl ExactSizeIterator<Item = &'a [T]>,
    ) {
        self.pack_shifted_columns(columns, rows.map(|row| (row, 0)));
    }

    /// The same for rows that are shifted left, each by the number given with it. The shifted values have 16 bits.
    #[inline(always)]
    pub fn pack_shifted_columns<'a, T: Copy + Into<i16> + 'a>(
        &mut self,
        columns: usize,
        mut rows: impl ExactSizeIterator<Item = (&'a [T], u32)>,
    ) {
        let length = rows.len().div_ceil(2);
        self.reset(columns, length);
        let mut at = 0;
        while let Some((low, up)) = rows.next() {
            // A last row without a partner is paired with itself, times 0.
            let (high, factor) = match rows.next() {
                Some((high, up)) => (high, 1i16.wrapping_shl(up)),
                None => (low, 0),
            };
            let pairs = low.chunks(COLUMNS).zip(high.chunks(COLUMNS));
            for (panel, (low, high)) in pairs.enumerate() {
                let words = &mut self.words[panel * length + at];
                for ((word, low), high) in words.iter_mut().zip(low).zip(high) {
                    let low: i16 = (*low).into();
                    let high: i16 = (*high).into();
                    *word = half_word(low.wrapping_shl(up), high.wrapping_mul(factor));
                }
            }
            at += 1;
        }
    }

    /// Packs halves: each row becomes a column.
    #[inline(always)]
    pub fn pack_rows<'a>(&mut self, inputs: usize, rows: impl ExactSizeIterator<Item = &'a [i8]>) {
        self.reset(rows.len(), inputs.div_ceil(2));
        for (column, row) in rows.enumerate() {
            let (panel, lane) = (column / COLUMNS, column % COLUMNS);
            let words = &mut self.words[panel * self.length..][..self.length];
            for_half_words(row, |at, word| words[at][lane] = word);
        }
    }
}

/// A left operand: rows of words, padded to a multiple of [`ROWS`].
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// `[rows, length]`.
    words: Vec<i32>,
    length: usize,
}

impl Rows {
    /// Words in a row.
    #[inline(always)]
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Number of tiles of [`ROWS`] rows.
    #[inline(always)]
    pub fn count_tiles(&self) -> usize {
        self.words.len() / (ROWS * self.length.max(1))
    }

    /// The words of the rows of one tile.
    #[inline(always)]
    pub(super) fn tile(&self, tile: usize) -> &[i32] {
        let length = ROWS * self.length;
        &self.words[tile * length..][..length]
    }

    /// The words of every [`ROWS`] rows.
    #[inline(always)]
    pub(super) fn tiles(&self) -> impl Iterator<Item = &[i32]> {
        self.words.chunks_exact(ROWS * self.length.max(1))
    }

    /// Makes room; all words are to be written, except the rows that pad the last tile.
    fn reset(&mut self, rows: usize, length: usize) {
        self.words.resize(rows.next_multiple_of(ROWS) * length, 0);
        self.words[rows * length..].fill(0);
        self.length = length;
    }

    /// Packs rows of activations.
    #[inline(always)]
    pub fn pack_activations<'a, K: Kernel>(
        &mut self,
        inputs: usize,
        rows: impl ExactSizeIterator<Item = &'a [i8]>,
    ) {
        self.reset(rows.len(), inputs.div_ceil(K::ACTIVATIONS));
        let flip = if K::ACTIVATIONS == 4 { 0x80 } else { 0 };
        for (words, row) in self.words.chunks_exact_mut(self.length).zip(rows) {
            for_words::<K>(row, flip, |at, word| words[at] = word);
        }
    }

    /// Packs rows of halves.
    #[inline(always)]
    pub fn pack_halves<'a>(
        &mut self,
        inputs: usize,
        rows: impl ExactSizeIterator<Item = &'a [i16]>,
    ) {
        self.reset(rows.len(), inputs.div_ceil(2));
        for (words, row) in self.words.chunks_exact_mut(self.length).zip(rows) {
            let (pairs, rest) = row.as_chunks::<2>();
            for (word, [low, high]) in words.iter_mut().zip(pairs) {
                *word = half_word(*low, *high);
            }
            if let ([low], Some(word)) = (rest, words.last_mut()) {
                *word = half_word(*low, 0);
            }
        }
    }

    /// Packs halves, transposed: row `r` holds value `r` of every column.
    #[inline(always)]
    pub fn pack_transposed<'a>(
        &mut self,
        rows: usize,
        mut columns: impl ExactSizeIterator<Item = &'a [i16]>,
    ) {
        let length = columns.len().div_ceil(2);
        self.reset(rows, length);
        let mut at = 0;
        while let Some(low) = columns.next() {
            let own = self.words.chunks_exact_mut(length);
            match columns.next() {
                Some(high) => {
                    for ((words, low), high) in own.zip(low).zip(high) {
                        words[at] = half_word(*low, *high);
                    }
                }
                None => {
                    for (words, low) in own.zip(low) {
                        words[at] = half_word(*low, 0);
                    }
                }
            }
            at += 1;
        }
    }
}

/// Calls `put` with every word of a row of activations and its index.
#[inline(always)]
fn for_words<K: Kernel>(row: &[i8], flip: u8, mut put: impl FnMut(usize, i32)) {
    if K::ACTIVATIONS == 4 {
        let word = |bytes: [i8; 4]| i32::from_le_bytes(bytes.map(|x| x as u8 ^ flip));
        let (groups, rest) = row.as_chunks();
        for (at, group) in groups.iter().enumerate() {
            put(at, word(*group));
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            put(groups.len(), word(last));
        }
    } else {
        for_half_words(row, put);
    }
}

/// The same for words of two halves.
#[inline(always)]
fn for_half_words(row: &[i8], mut put: impl FnMut(usize, i32)) {
    let (pairs, rest) = row.as_chunks();
    for (at, [low, high]) in pairs.iter().enumerate() {
        put(at, half_word(i16::from(*low), i16::from(*high)));
    }
    if let [low] = rest {
        put(pairs.len(), half_word(i16::from(*low), 0));
    }
}

#[inline(always)]
fn half_word(low: i16, high: i16) -> i32 {
    i32::from(low as u16) | (i32::from(high) << 16)
}
