//! Integer matrix products with the processor's widest multiply-add.
//!
//! Operands are packed into words: a 32-bit word holds 4 bytes or 2 halves that are neighbours along
//! the sum, and one instruction multiplies and adds a word of each operand in every lane. A tile of
//! [`ROWS`] by [`COLUMNS`] sums stays in registers while the words stream past (Goto and van de Geijn,
//! "Anatomy of High-Performance Matrix Multiplication", 2008). Sums wrap; those of a valid graph fit
//! 32 bits.

// Vector instructions.
#![allow(unsafe_code)]

mod operands;
mod portable;
mod product;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use operands::{Panels, Rows};
pub use portable::Portable;
pub use product::{activations, halves, halves_of_tile, Out, Part};

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
    /// Activations in a word: either two halves, or four bytes. Bytes of the left operand are unsigned
    /// and 128 more than the activation.
    const ACTIVATIONS: usize;

    /// Adds the products of words of activations to the sums of a tile.
    fn activations(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile);

    /// Adds the products of words of two halves to the sums of a tile.
    fn halves(left: &[&[i32]; ROWS], right: &[Words], sums: &mut Tile);
}

/// Work that runs on any kernel.
pub trait Work {
    type Output;

    /// Must be `#[inline(always)]`, so that all of it is compiled for the kernel's processor.
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
