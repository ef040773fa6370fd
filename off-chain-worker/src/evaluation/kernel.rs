//! Integer matrix products with the processor's widest multiply-add.
//!
//! Operands are packed into words: a 32-bit word holds 4 bytes or 2 halves that follow one another
//! along the sum, and one instruction multiplies and adds a word of each operand in every lane. A
//! tile of [`ROWS`] by [`COLUMNS`] sums stays in registers while the words go by (Goto and van de
//! Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). Sums wrap; those of a valid
//! graph fit 32 bits.

/// Rows of the left operand are padded to a multiple of this.
pub const ROWS: usize = 6;
/// Columns of the right operand are padded to a multiple of this.
pub const COLUMNS: usize = 32;

/// A word for each column of a tile.
pub type Words = [i32; COLUMNS];
/// The sums of a tile.
pub type Tile = [Words; ROWS];

/// How a processor multiplies.
pub trait Kernel {
    /// Activations in a word: four bytes, those of the left operand 128 more than they are and
    /// without a sign, or two halves.
    const ACTIVATIONS: usize;

    /// Adds the products of words of activations to the sums of a tile.
    fn activations(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile);

    /// Adds the products of words of two halves to the sums of a tile.
    fn halves(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile);
}

/// Work that runs on any kernel.
pub trait Work {
    type Output;

    /// To be inlined, so that all of it is compiled for the kernel's processor.
    fn run<K: Kernel>(self) -> Self::Output;
}

/// Runs on the best kernel that this processor has.
pub fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::Avx512::is_here() {
            // SAFETY: the processor has what `avx512` is compiled for.
            return unsafe { x86::avx512(work) };
        }
        if x86::Avx2::is_here() {
            // SAFETY: the processor has what `avx2` is compiled for.
            return unsafe { x86::avx2(work) };
        }
    }
    work.run::<Portable>()
}

/// For every processor: loops that the compiler vectorises.
pub struct Portable;

impl Kernel for Portable {
    const ACTIVATIONS: usize = 2;

    #[inline(always)]
    fn activations(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
        Self::halves(left, right, sums);
    }

    #[inline(always)]
    fn halves(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
        for (left, sums) in left.iter().zip(sums) {
            for (left, right) in left.iter().zip(right) {
                let (low, high) = halves_of(*left);
                for (sum, right) in sums.iter_mut().zip(right) {
                    let right = halves_of(*right);
                    *sum = sum.wrapping_add(low * right.0).wrapping_add(high * right.1);
                }
            }
        }
    }
}

#[inline(always)]
fn halves_of(word: i32) -> (i32, i32) {
    (i32::from(word as i16), word >> 16)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Tile, Words, Work, COLUMNS, ROWS};
    use std::arch::x86_64::*;

    /// 512 bits, with the instructions for neural networks.
    pub struct Avx512;
    /// 256 bits.
    pub struct Avx2;

    impl Avx512 {
        pub fn is_here() -> bool {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
        }
    }

    impl Avx2 {
        pub fn is_here() -> bool {
            is_x86_feature_detected!("avx2")
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub fn avx512<W: Work>(work: W) -> W::Output {
        work.run::<Avx512>()
    }

    #[target_feature(enable = "avx2")]
    pub fn avx2<W: Work>(work: W) -> W::Output {
        work.run::<Avx2>()
    }

    /// A product for one vector width: as many columns at a time as leave their sums in registers. Its loops
    /// call no closure, for the compiler may leave one a call: that cost nine tenths of the speed.
    macro_rules! product {
        (
            $name:ident, $features:literal, $lanes:literal, $vector:ty, $spread:ident,
            |$sum:ident, $left:ident, $right:ident| $multiply_add:expr
        ) => {
            #[target_feature(enable = $features)]
            #[inline]
            fn $name(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
                const { assert!(COLUMNS.is_multiple_of(2 * $lanes)) };
                const { assert!(size_of::<$vector>() == $lanes * size_of::<i32>()) };
                let rows = left.map(|row| &row[..right.len()]);
                for columns in (0..COLUMNS).step_by(2 * $lanes) {
                    // SAFETY: any bits are valid in a vector.
                    let mut tile: [[$vector; 2]; ROWS] = unsafe { std::mem::zeroed() };
                    for (tile, sums) in tile.iter_mut().zip(&*sums) {
                        // SAFETY: both vectors are within the words.
                        *tile = unsafe {
                            sums.as_ptr()
                                .add(columns)
                                .cast::<[$vector; 2]>()
                                .read_unaligned()
                        };
                    }
                    for (at, words) in right.iter().enumerate() {
                        // SAFETY: as above.
                        let words = unsafe {
                            words
                                .as_ptr()
                                .add(columns)
                                .cast::<[$vector; 2]>()
                                .read_unaligned()
                        };
                        for row in 0..ROWS {
                            let $left = $spread(rows[row][at]);
                            for i in 0..2 {
                                let ($sum, $right) = (tile[row][i], words[i]);
                                tile[row][i] = $multiply_add;
                            }
                        }
                    }
                    for (tile, sums) in tile.iter().zip(&mut *sums) {
                        // SAFETY: as above.
                        unsafe {
                            sums.as_mut_ptr()
                                .add(columns)
                                .cast::<[$vector; 2]>()
                                .write_unaligned(*tile)
                        };
                    }
                }
            }
        };
    }

    product!(
        bytes_512,
        "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni",
        16,
        __m512i,
        _mm512_set1_epi32,
        |sum, left, right| _mm512_dpbusd_epi32(sum, left, right)
    );
    product!(
        halves_512,
        "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni",
        16,
        __m512i,
        _mm512_set1_epi32,
        |sum, left, right| _mm512_dpwssd_epi32(sum, left, right)
    );
    product!(
        halves_256,
        "avx2",
        8,
        __m256i,
        _mm256_set1_epi32,
        |sum, left, right| _mm256_add_epi32(sum, _mm256_madd_epi16(left, right))
    );

    impl Kernel for Avx512 {
        const ACTIVATIONS: usize = 4;

        #[inline(always)]
        fn activations(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
            // SAFETY: this kernel runs where `is_here` says so.
            unsafe { bytes_512(left, right, sums) }
        }

        #[inline(always)]
        fn halves(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
            // SAFETY: as above.
            unsafe { halves_512(left, right, sums) }
        }
    }

    impl Kernel for Avx2 {
        const ACTIVATIONS: usize = 2;

        #[inline(always)]
        fn activations(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
            Self::halves(left, right, sums);
        }

        #[inline(always)]
        fn halves(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile) {
            // SAFETY: this kernel runs where `is_here` says so.
            unsafe { halves_256(left, right, sums) }
        }
    }
}

/// A right operand: columns in panels of [`COLUMNS`], with what every column's sum starts from.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    /// `[panels, length]`.
    words: Vec<Words>,
    /// `[panels]`.
    first: Vec<Words>,
    /// Words of a column.
    length: usize,
}

impl Panels {
    /// Columns with their padding.
    pub fn columns(&self) -> usize {
        self.first.len() * COLUMNS
    }

    fn reset(&mut self, columns: usize, length: usize) {
        let panels = columns.div_ceil(COLUMNS);
        self.words.clear();
        self.words.resize(panels * length, [0; COLUMNS]);
        self.first.clear();
        self.first.resize(panels, [0; COLUMNS]);
        self.length = length;
    }

    /// Of activations: each row of them is a column, whose sum starts from the number beside it.
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

    /// Of halves: column `c` holds value `c` of every row.
    #[inline(always)]
    pub fn pack_columns<'a>(
        &mut self,
        columns: usize,
        rows: impl ExactSizeIterator<Item = &'a [i8]>,
    ) {
        self.reset(columns, rows.len().div_ceil(2));
        for (at, row) in rows.enumerate() {
            for (panel, values) in row.chunks(COLUMNS).enumerate() {
                let words = &mut self.words[panel * self.length + at / 2];
                for (word, x) in words.iter_mut().zip(values) {
                    *word |= match at % 2 {
                        0 => half_word(i16::from(*x), 0),
                        _ => half_word(0, i16::from(*x)),
                    };
                }
            }
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
    fn reset(&mut self, rows: usize, length: usize) {
        self.words.clear();
        self.words.resize(rows.next_multiple_of(ROWS) * length, 0);
        self.length = length;
    }

    /// Of activations.
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

    /// Of halves.
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
}

/// The words of a row of activations.
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
        let (pairs, rest) = row.as_chunks();
        for (at, [low, high]) in pairs.iter().enumerate() {
            put(at, half_word(i16::from(*low), i16::from(*high)));
        }
        if let [low] = rest {
            put(pairs.len(), half_word(i16::from(*low), 0));
        }
    }
}

#[inline(always)]
fn half_word(low: i16, high: i16) -> i32 {
    i32::from(low as u16) | (i32::from(high) << 16)
}

/// What of a product is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// In row `r` the columns up to `r`.
    CausalColumns,
    /// All, and of what is summed in row `r` only halves up to `r` are not zero.
    CausalHalves,
}

impl Part {
    /// How many words of a sum, and how many columns, do for the rows up to `row`.
    #[inline(always)]
    fn enough(self, row: usize) -> (usize, usize) {
        match self {
            Self::All => (usize::MAX, usize::MAX),
            Self::CausalColumns => (usize::MAX, row + 1),
            Self::CausalHalves => (row / 2 + 1, usize::MAX),
        }
    }
}

/// Where a product goes: row `r` begins at `r * stride`.
pub struct Out<'a> {
    pub sums: &'a mut [i32],
    pub stride: usize,
}

/// `out[r][c] = first[c] + sum_k left[r][k] * right[k][c]` of activations.
#[inline(always)]
pub fn activations<K: Kernel>(left: &Rows, right: &Panels, part: Part, out: Out) {
    product(left, right, part, out, |left, right, sums| {
        K::activations(left, right, sums)
    });
}

/// The same of halves.
#[inline(always)]
pub fn halves<K: Kernel>(left: &Rows, right: &Panels, part: Part, out: Out) {
    product(left, right, part, out, |left, right, sums| {
        K::halves(left, right, sums)
    });
}

#[inline(always)]
fn product(
    left: &Rows,
    right: &Panels,
    part: Part,
    out: Out,
    add: impl Fn(&[&[i32]; ROWS], &[Words], &mut Tile),
) {
    let length = left.length;
    let panels = right.words.chunks_exact(right.length.max(1));
    // A panel stays in the first cache while the rows go by.
    for (panel, (words, first)) in panels.zip(&right.first).enumerate() {
        for (tile, rows) in left.words.chunks_exact(ROWS * length.max(1)).enumerate() {
            let row = tile * ROWS;
            let (enough, columns) = part.enough(row + ROWS - 1);
            if panel * COLUMNS >= columns {
                continue;
            }
            let rows = std::array::from_fn(|row| &rows[row * length..][..length]);
            let mut sums = [*first; ROWS];
            add(&rows, &words[..enough.min(length)], &mut sums);
            for (row, sums) in (row..).zip(&sums) {
                let start = row * out.stride + panel * COLUMNS;
                // Rows of padding have no place.
                if let Some(place) = out.sums.get_mut(start..start + COLUMNS) {
                    place.copy_from_slice(sums);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both products of operands at their extremes and between, against plain loops.
    struct Check {
        rows: usize,
        inputs: usize,
        columns: usize,
    }

    impl Check {
        fn value(at: usize) -> i8 {
            match at % 5 {
                0 => 127,
                1 => -127,
                _ => (at * 7919 % 255) as i8,
            }
        }

        fn matrix(rows: usize, length: usize, seed: usize) -> Vec<i8> {
            let value = |at: usize| Self::value(at + seed).max(-127);
            (0..rows * length).map(value).collect()
        }
    }

    impl Work for Check {
        type Output = ();

        #[inline(always)]
        fn run<K: Kernel>(self) {
            let Self {
                rows,
                inputs,
                columns,
            } = self;
            let (x, w) = (
                Self::matrix(rows, inputs, 3),
                Self::matrix(columns, inputs, 11),
            );
            let (mut left, mut right) = (Rows::default(), Panels::default());
            let stride = columns.next_multiple_of(COLUMNS) + 32;
            let mut sums = vec![0; rows * stride];
            left.pack_activations::<K>(inputs, x.chunks_exact(inputs));
            let first: Vec<i32> = (0..columns).map(|column| column as i32 - 5).collect();
            let rows = w.chunks_exact(inputs).zip(first.iter().copied());
            right.pack_activations::<K>(inputs, rows);
            let out = Out {
                sums: &mut sums,
                stride,
            };
            activations::<K>(&left, &right, Part::All, out);
            let product = |row: &[i8], column: usize| -> i32 {
                let column = (0..inputs).map(|k| i32::from(w[column * inputs + k]));
                row.iter().zip(column).map(|(x, w)| i32::from(*x) * w).sum()
            };
            for (row, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact(stride)) {
                for (column, sum) in sums[..columns].iter().enumerate() {
                    assert_eq!(*sum, product(row, column) + first[column]);
                }
            }

            // The same weights the other way round, and halves of 14 bits.
            let transposed: Vec<i8> = (0..inputs * columns)
                .map(|at| w[at % columns * inputs + at / columns])
                .collect();
            let halves_of =
                |x: &[i8]| -> Vec<i16> { x.iter().map(|x| i16::from(*x) * 128).collect() };
            let wide: Vec<Vec<i16>> = x.chunks_exact(inputs).map(halves_of).collect();
            left.pack_halves(inputs, wide.iter().map(Vec::as_slice));
            right.pack_columns(columns, transposed.chunks_exact(columns));
            let out = Out {
                sums: &mut sums,
                stride,
            };
            halves::<K>(&left, &right, Part::All, out);
            for (row, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact(stride)) {
                for (column, sum) in sums[..columns].iter().enumerate() {
                    assert_eq!(*sum, 128 * product(row, column));
                }
            }
        }
    }

    #[test]
    fn every_kernel_gives_the_same_sums() {
        for (rows, inputs, columns) in [
            (1, 1, 1),
            (6, 4, 32),
            (7, 5, 33),
            (13, 67, 70),
            (5, 1025, 3),
        ] {
            let check = || Check {
                rows,
                inputs,
                columns,
            };
            check().run::<Portable>();
            run(check());
            #[cfg(target_arch = "x86_64")]
            if x86::Avx2::is_here() {
                // SAFETY: the processor has what it is compiled for.
                unsafe { x86::avx2(check()) };
            }
        }
    }

    /// The longest sums of a valid graph, of the largest values.
    struct Longest;

    impl Work for Longest {
        type Output = ();

        #[inline(always)]
        fn run<K: Kernel>(self) {
            let inputs = 133_142;
            let (most, least) = (vec![127i8; inputs], vec![-127i8; inputs]);
            let (mut left, mut right) = (Rows::default(), Panels::default());
            left.pack_activations::<K>(inputs, [&most[..], &least].into_iter());
            let columns = [(&most[..], 32_512), (&least, -32_512)];
            right.pack_activations::<K>(inputs, columns.into_iter());
            let mut sums = vec![0; 2 * COLUMNS];
            let out = Out {
                sums: &mut sums,
                stride: COLUMNS,
            };
            activations::<K>(&left, &right, Part::All, out);
            let product = 127 * 127 * inputs as i32;
            let (first, bias) = (&sums[..2], 32_512);
            assert_eq!(first, [product + bias, -product - bias]);
            assert_eq!(sums[COLUMNS..][..2], [bias - product, product - bias]);
        }
    }

    #[test]
    fn the_longest_sums_fit() {
        Longest.run::<Portable>();
        run(Longest);
        #[cfg(target_arch = "x86_64")]
        if x86::Avx2::is_here() {
            // SAFETY: the processor has what it is compiled for.
            unsafe { x86::avx2(Longest) };
        }
    }
}
