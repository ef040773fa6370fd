//! Kernels for x86-64 processors with wide vectors.

use super::{Kernel, Tile, Words, Work, COLUMNS, ROWS};
use std::arch::x86_64::*;

/// Vectors of 512 bits, with the instructions for neural networks (VNNI).
pub struct Avx512;
/// Vectors of 256 bits.
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

/// A product for one vector width. It takes as many columns at a time as it can while their sums
/// stay in registers. Its loops call no closure: the compiler may not inline it, which cost nine
/// tenths of the speed.
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
