//! Which half of the exam decides, and which pays.

use crate::hash::{blake2_256, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The samples of A, which decides, and of B, which pays, by their numbers. Of every two neighbours chance sends one to
/// each: the lowest bit of `H("gotong:half" | seed | i / 2 as u32 LE)` says which. A last one without a
/// neighbour is in neither. So a referee knows the half of one sample without the others, and no order of the samples
/// gains anything.
///
/// The seed may be the one that draws the samples of a pool, too: [`crate::draw`] hashes it with another tag,
/// `gotong:pool`. So one seed a round is enough.
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

/// Whether an exam of so many samples decides anything: a half of one has no error, so by fewer than four nothing is
/// merged.
pub fn can_decide(samples: u32) -> bool {
    samples / 2 >= 2
}

/// One of the two halves.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub enum Half {
    /// It decides.
    A,
    /// It pays.
    B,
}

impl Half {
    /// How many of so many samples are of this half: as many as of the other.
    pub fn count(self, samples: u32) -> u32 {
        samples / 2
    }

    /// Its `nth` sample: of every two neighbours it has one, so [`halves`] need not be drawn for it.
    pub fn sample(self, seed: &Hash, samples: u32, nth: u32) -> Option<u32> {
        if nth >= self.count(samples) {
            return None;
        }
        let first = nth.checked_mul(2)?;
        let is_own = is_of_a(seed, first) == (self == Self::A);
        Some(if is_own { first } else { first.checked_add(1)? })
    }
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
        for samples in [1, 2, 9, 64] {
            for (half, all) in [Half::A, Half::B]
                .into_iter()
                .zip(halves(&[7; 32], samples))
            {
                let one_by_one = (0..).map_while(|nth| half.sample(&[7; 32], samples, nth));
                assert_eq!(one_by_one.collect::<Vec<_>>(), all);
                assert_eq!(half.count(samples) as usize, all.len());
            }
        }
        // The definition.
        assert_eq!(halves(&[7; 32], 9)[0], [1, 2, 4, 7]);
    }
}
