//! The kernel for processors that have no special one.

use super::{Kernel, Tile, Words, ROWS};

/// Runs on every processor: plain loops that the compiler vectorises.
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
