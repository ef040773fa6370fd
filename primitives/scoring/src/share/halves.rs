//! Which half of the exam decides, and which pays.

use crate::hash::{blake2_256, Hash};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The samples of A, which decides, and of B, which pays, by their numbers. A random order is drawn: the first half is A, the
/// second B, and groups are stretches of a half. So no order in which a sponsor publishes its samples gains anything, be it sorted
/// by class. If their number is odd, the last sample is in neither half.
///
/// The order is a shuffle of `0..n` by Fisher and Yates (Durstenfeld, *Algorithm 235*, 1964): for `i` from `n - 1` down to 1
/// the numbers at `i` and at `r mod (i + 1)` change places, `r` being word `i mod 8`, of 32 bits LE, of
/// `H("gotong:half" | seed | i / 8 as u32 LE)`. For 4,096 samples no place is likelier than it should be by more than a part
/// in 2^20.
///
/// The seed may be the one that also draws the samples of a pool: [`crate::draw`] hashes it with another tag, `gotong:pool`. So one
/// seed per round is enough.
pub fn halves(seed: &Hash, samples: u32) -> [Vec<u32>; 2] {
    let mut order: Vec<u32> = (0..samples - samples % 2).collect();
    let (mut words, mut of) = (Hash::default(), None);
    for place in (1..order.len() as u32).rev() {
        let block = place / WORDS;
        if of != Some(block) {
            (words, of) = (
                blake2_256(&[b"gotong:half", seed, &block.to_le_bytes()]),
                Some(block),
            );
        }
        let word = words.as_chunks::<4>().0.get((place % WORDS) as usize);
        let random = word.map_or(0, |word| u32::from_le_bytes(*word));
        order.swap(place as usize, (random % (place + 1)) as usize);
    }
    let b = order.split_off(order.len() / 2);
    [order, b]
}

/// Words of 32 bits in a hash.
const WORDS: u32 = 8;

/// Whether an exam with this number of samples decides anything. A half with one sample has no error estimate, so fewer than four
/// samples merge nothing.
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
    /// Half A, which decides.
    A,
    /// Half B, which pays.
    B,
}

impl Half {
    /// How many of this number of samples are in this half; the other half has as many.
    pub fn count(self, samples: u32) -> u32 {
        samples / 2
    }

    /// Its samples, in order.
    pub fn samples(self, seed: &Hash, samples: u32) -> Vec<u32> {
        let [a, b] = halves(seed, samples);
        match self {
            Self::A => a,
            Self::B => b,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::GROUPS;
    use super::*;
    use alloc::vec;

    #[test]
    fn halves_are_equal_and_drawn() {
        assert_eq!(halves(&[7; 32], 1), [vec![], vec![]]);
        for samples in [2, 9, 64, 4096] {
            let [a, b] = halves(&[7; 32], samples);
            assert_eq!(
                (a.len(), b.len()),
                (samples as usize / 2, samples as usize / 2)
            );
            assert_eq!(Half::A.samples(&[7; 32], samples), a);
            assert_eq!(Half::B.samples(&[7; 32], samples), b);
            let mut all = [a, b].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..samples - samples % 2));
        }
        assert_ne!(halves(&[8; 32], 64), halves(&[7; 32], 64));
        // The definition.
        assert_eq!(halves(&[7; 32], 9), GOLDEN);
    }

    /// Made by the definition in another language.
    const GOLDEN: [[u32; 4]; 2] = [[5, 4, 3, 2], [7, 0, 6, 1]];

    /// A sponsor that sorts its samples by class does not get a class into one half or one group.
    #[test]
    fn no_order_of_the_samples_gains_anything() {
        let mut counts = [0u32; 2 * GROUPS];
        for seed in 0..200u8 {
            let order = halves(&[seed; 32], 640).concat();
            for (group, members) in order.chunks(20).enumerate() {
                // The first class of ten.
                counts[group] += members.iter().filter(|sample| **sample < 64).count() as u32;
            }
        }
        // 400 of 4,000 each, with a standard error of 19.
        assert!(
            counts.iter().all(|count| (320..480).contains(count)),
            "{counts:?}"
        );
    }
}
