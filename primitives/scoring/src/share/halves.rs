//! Which half of the exam decides, and which pays.

use crate::hash::{blake2_256, Hash};
use alloc::vec::Vec;

/// The samples of A, which decides, and of B, which pays, by their numbers. Of every two neighbours chance sends one to
/// each: the lowest bit of `H("gotong:half" | seed | i / 2 as u32 LE)` says which. A last one without a
/// neighbour is in neither. So a referee knows the half of one sample without the others, and no order of the samples
/// gains anything.
pub fn halves(seed: &Hash, samples: u32) -> [Vec<u32>; 2] {
    let paired = samples - samples % 2;
    let (a, b) = (0..paired).partition(|sample| is_of_a(seed, *sample));
    [a, b]
}

/// Whether a sample that has a neighbour decides.
pub fn is_of_a(seed: &Hash, sample: u32) -> bool {
    let pair = (sample / 2).to_le_bytes();
    let [first, ..] = blake2_256(&[b"gotong:half", seed, &pair]);
    u32::from(first & 1) == sample % 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn halves_are_equal_and_drawn() {
        assert_eq!(halves(&[7; 32], 1), [vec![], vec![]]);
        let [a, b] = halves(&[7; 32], 2);
        assert_eq!((a.len(), b.len()), (1, 1));
        let [a, b] = halves(&[7; 32], 4096);
        assert_eq!((a.len(), b.len()), (2048, 2048));
        let evens = a.iter().filter(|sample| **sample % 2 == 0).count();
        assert!((900..1150).contains(&evens), "{evens}");
        assert_ne!(halves(&[8; 32], 4096)[0], a);
        // The definition.
        assert_eq!(halves(&[7; 32], 9)[0], [1, 2, 4, 7]);
    }
}
