//! The samples that score a round: a sealed shard, or records that chance draws from a public pool.
//!
//! A pool is hashed as a shard is, with its public salt in place of the key: a Merkle tree over
//! [`seal_leaf`](crate::seal_leaf)s. So one proof serves both, and the root of one is never that of
//! the other.

use crate::hash::{blake2_256, Hash};
use crate::merkle::{root_of_span, Tree};
use crate::shard::{sealed, shard_root, tree};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Where the samples of a round come from, as the chain knows it.
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
pub enum HoldOut {
    /// A shard that was sealed until the round: sample i is its record i.
    Sealed {
        /// The key of the shard.
        key: Hash,
        /// The root of the shard.
        root: Hash,
    },
    /// A pool that everybody has: sample i is the record that [`draw`] gives.
    Drawn {
        /// The salt of the pool.
        salt: Hash,
        /// The root of the pool.
        root: Hash,
        /// Number of records in the pool.
        records: u32,
        /// The seed that draws the samples.
        seed: Hash,
    },
}

/// The record that is sample `sample` of `samples`, out of a pool of `records`: in the stretch from
/// `sample * records / samples` up to the next sample's, the one that the seed's hash picks. So no
/// record is drawn twice, and none is left out of reach. None if there is no such sample, or there
/// are fewer records than samples.
///
/// The pick is 64 bits of the hash modulo the length of the stretch, which is below 2^32: no record
/// is likelier than it should be by more than one part in 2^32, or in 2^40 for pools of 2^24
/// records.
pub fn draw(seed: &Hash, sample: u32, samples: u32, records: u32) -> Option<u32> {
    let start = |sample: u32| {
        let place = u64::from(sample).checked_mul(records.into())?;
        place.checked_div(samples.into())
    };
    if sample >= samples {
        return None;
    }
    let first = start(sample)?;
    let length = start(sample.checked_add(1)?)?.checked_sub(first)?;
    let hash = blake2_256(&[b"gotong:pool", seed, &sample.to_le_bytes()]);
    let random = u64::from_le_bytes(*hash.first_chunk()?);
    let place = first.checked_add(random.checked_rem(length)?)?;
    u32::try_from(place).ok()
}

/// The tree over the records of a pool, in their order.
pub fn pool_tree<R: AsRef<[u8]>>(salt: &Hash, records: impl IntoIterator<Item = R>) -> Tree {
    let leaves = (0..).zip(records);
    Tree::from_leaves(
        leaves
            .map(|(place, record)| sealed(salt, place, record.as_ref()))
            .collect(),
    )
}

impl HoldOut {
    /// Root of the shard or the pool.
    pub fn root(&self) -> &Hash {
        match self {
            Self::Sealed { root, .. } | Self::Drawn { root, .. } => root,
        }
    }

    /// What its records are hashed with: the key of the shard or the salt of the pool.
    fn salt(&self) -> &Hash {
        match self {
            Self::Sealed { key, .. } => key,
            Self::Drawn { salt, .. } => salt,
        }
    }

    /// Records below the root, of which `samples` score the round.
    fn leaves(&self, samples: u32) -> u32 {
        match self {
            Self::Sealed { .. } => samples,
            Self::Drawn { records, .. } => *records,
        }
    }

    /// Place below the root of sample `sample` of `samples`.
    pub fn place(&self, sample: u32, samples: u32) -> Option<u32> {
        match self {
            Self::Sealed { .. } => (sample < samples).then_some(sample),
            Self::Drawn { seed, records, .. } => draw(seed, sample, samples, *records),
        }
    }

    /// Whether `record` is sample `sample` of `samples`, as `siblings` show: see [`root_of_span`].
    pub fn holds(&self, sample: u32, samples: u32, record: &[u8], siblings: &[Hash]) -> bool {
        let Some(place) = self.place(sample, samples) else {
            return false;
        };
        let leaf = sealed(self.salt(), place, record);
        let root = root_of_span(self.leaves(samples), place, alloc::vec![leaf], siblings);
        root.as_ref() == Some(self.root())
    }
}

/// The records of a round's samples, and what proves that they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundSamples {
    records: Vec<u8>,
    /// For a drawn round, the siblings of every record in its pool; empty for a sealed one, because
    /// the whole shard is here.
    siblings: Vec<Vec<Hash>>,
}

/// The samples of a shard: all of its records, one after another.
impl From<Vec<u8>> for RoundSamples {
    fn from(records: Vec<u8>) -> Self {
        Self {
            records,
            siblings: Vec::new(),
        }
    }
}

impl RoundSamples {
    /// The `samples` that `seed` draws from the pool with this tree; `read` gives the record at a
    /// place in the pool.
    pub fn drawn<E>(
        pool: &Tree,
        seed: &Hash,
        samples: u32,
        mut read: impl FnMut(u32) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let places = (0..samples).filter_map(|sample| draw(seed, sample, samples, pool.leaves()));
        let places: Vec<u32> = places.collect();
        let mut records = Vec::new();
        for place in &places {
            records.extend(read(*place)?);
        }
        let siblings = pool.prove_each(&places);
        Ok(Self { records, siblings })
    }

    /// The records, one after another.
    pub fn records(&self) -> &[u8] {
        &self.records
    }

    /// One record, of this number of bytes.
    pub(crate) fn record(&self, length: usize, sample: u32) -> Option<&[u8]> {
        let mut records = self.records.chunks_exact(length.max(1));
        records.nth(sample as usize)
    }

    /// Whether these are the `samples` of a round, of `length` bytes each.
    pub(crate) fn are(&self, hold_out: &HoldOut, samples: u32, length: usize) -> bool {
        if self.records.len() as u64 != u64::from(samples).saturating_mul(length as u64) {
            return false;
        }
        match hold_out {
            HoldOut::Sealed { key, root } => shard_root(key, length, &self.records) == Ok(*root),
            HoldOut::Drawn { .. } => (0..samples).all(|sample| {
                let record = self.record(length, sample);
                let siblings = self.siblings.get(sample as usize);
                record.zip(siblings).is_some_and(|(record, siblings)| {
                    hold_out.holds(sample, samples, record, siblings)
                })
            }),
        }
    }

    /// The siblings that lead a record of this number of bytes up to the root.
    pub(crate) fn siblings(
        &self,
        hold_out: &HoldOut,
        length: usize,
        sample: u32,
    ) -> Option<Vec<Hash>> {
        match hold_out {
            HoldOut::Sealed { key, .. } => {
                Some(tree(key, length, &self.records).prove_span(sample, 1))
            }
            HoldOut::Drawn { .. } => self.siblings.get(sample as usize).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use proptest::prelude::*;
    use proptest::sample::Index;

    const SALT: Hash = [9; 32];

    fn seed(number: u32) -> Hash {
        blake2_256(&[&number.to_le_bytes()])
    }

    /// A pool of records of two bytes, no two the same, and `samples` samples from it.
    fn pool(records: u32, samples: u32, seed: Hash) -> (HoldOut, RoundSamples, Vec<u8>) {
        let bytes: Vec<u8> = (0..records as u16).flat_map(u16::to_le_bytes).collect();
        let pool = pool_tree(&SALT, bytes.chunks(2));
        let hold_out = HoldOut::Drawn {
            salt: SALT,
            root: pool.root().hash,
            records,
            seed,
        };
        let read = |place: u32| {
            let start = 2 * place as usize;
            Ok::<_, Infallible>(bytes[start..start + 2].to_vec())
        };
        let drawn = RoundSamples::drawn(&pool, &seed, samples, read).unwrap();
        (hold_out, drawn, bytes)
    }

    #[test]
    fn draws_and_encodings_are_golden() {
        let places = [0, 1, 2, 3].map(|sample| draw(&[5; 32], sample, 4, 1000).unwrap());
        assert_eq!(places, [236, 251, 534, 788]);
        let (hold_out, ..) = pool(3, 1, [5; 32]);
        let (salt, root) = ("09".repeat(32), hex::encode(hold_out.root()));
        let (records, seed) = ("03000000", "05".repeat(32));
        assert_eq!(
            hex::encode(hold_out.encode()),
            format!("01{salt}{root}{records}{seed}")
        );
        let sealed = HoldOut::Sealed {
            key: [1; 32],
            root: [2; 32],
        };
        let bytes = [&[0][..], &[1; 32], &[2; 32]].concat();
        assert_eq!(sealed.encode(), bytes);
    }

    #[test]
    fn there_are_no_more_samples_than_asked_for_or_than_records() {
        assert_eq!(draw(&[0; 32], 4, 4, 1000), None);
        assert_eq!(draw(&[0; 32], 0, 0, 1000), None);
        // The first of two samples out of one record has no records to be drawn from.
        assert_eq!(draw(&[0; 32], 0, 2, 1), None);
        assert_eq!(draw(&[0; 32], 1, 2, 1), Some(0));
        let last = u32::MAX - 1;
        assert_eq!(draw(&[0; 32], last, u32::MAX, u32::MAX), Some(last));
    }

    /// 8 records a sample, 4,000 seeds: each record is expected to be drawn 500 times, with a
    /// standard deviation of 21.
    #[test]
    fn every_record_is_as_likely_as_any_other() {
        let mut drawn = [0u32; 24];
        for number in 0..4000 {
            for sample in 0..3 {
                drawn[draw(&seed(number), sample, 3, 24).unwrap() as usize] += 1;
            }
        }
        assert!(
            drawn.iter().all(|count| count.abs_diff(500) < 105),
            "{drawn:?}"
        );
    }

    #[test]
    fn a_shard_is_its_own_samples() {
        let (key, bytes) = ([4; 32], vec![1, 2, 3, 4, 5, 6]);
        let root = shard_root(&key, 2, &bytes).unwrap();
        let hold_out = HoldOut::Sealed { key, root };
        let samples = RoundSamples::from(bytes);
        assert!(samples.are(&hold_out, 3, 2));
        assert!(!samples.are(&hold_out, 2, 2));
        let siblings = samples.siblings(&hold_out, 2, 1).unwrap();
        assert!(hold_out.holds(1, 3, &[3, 4], &siblings));
        assert!(!hold_out.holds(1, 3, &[3, 5], &siblings));
        assert!(!hold_out.holds(2, 3, &[3, 4], &siblings));
        assert!(!hold_out.holds(3, 3, &[3, 4], &siblings));
    }

    proptest! {
        #[test]
        fn draws_are_in_range_and_distinct(
            samples in 1u32..200, more in 0u32..10_000, number in any::<u32>()
        ) {
            let (records, seed) = (samples + more, seed(number));
            let places: Vec<u32> = (0..samples)
                .map(|sample| draw(&seed, sample, samples, records).unwrap())
                .collect();
            prop_assert!(places.windows(2).all(|two| two[0] < two[1]));
            for (sample, place) in (0u64..).zip(&places) {
                let (all, of) = (u64::from(records), u64::from(samples));
                let stretch = sample * all / of..(sample + 1) * all / of;
                prop_assert!(stretch.contains(&u64::from(*place)), "{} of {:?}", place, stretch);
            }
        }

        #[test]
        fn drawn_records_are_shown_at_their_place_and_no_others(
            samples in 1u32..12, more in 1u32..200, number in any::<u32>(),
            at in any::<Index>(), other in any::<Index>(), bit in any::<Index>()
        ) {
            let records = samples + more;
            let (hold_out, drawn, bytes) = pool(records, samples, seed(number));
            prop_assert!(drawn.are(&hold_out, samples, 2));
            let sample = at.index(samples as usize) as u32;
            let place = hold_out.place(sample, samples).unwrap();
            let record = drawn.record(2, sample).unwrap();
            prop_assert_eq!(record, &bytes[2 * place as usize..][..2]);
            let siblings = drawn.siblings(&hold_out, 2, sample).unwrap();
            let holds = |record: &[u8], siblings: &[Hash]| hold_out.holds(sample, samples, record, siblings);
            prop_assert!(holds(record, &siblings));
            // A record of the pool with its own proof, which was not drawn.
            let other = other.index(records as usize);
            let theirs = pool_tree(&SALT, bytes.chunks(2)).prove_span(other as u32, 1);
            prop_assert_eq!(holds(&bytes[2 * other..][..2], &theirs), other as u32 == place);
            // The record that the seed draws, changed.
            let mut changed = record.to_vec();
            changed[0] ^= 1;
            prop_assert!(!holds(&changed, &siblings));
            prop_assert!(!holds(&record[..1], &siblings));
            // A proof that was changed, is too long or too short.
            let mut wrong = siblings.clone();
            wrong.push([0; 32]);
            prop_assert!(!holds(record, &wrong));
            wrong.truncate(siblings.len() - 1);
            prop_assert!(!holds(record, &wrong));
            let mut wrong = siblings.clone();
            let level = bit.index(wrong.len());
            wrong[level][bit.index(32)] ^= 1;
            prop_assert!(!holds(record, &wrong));
            // What the same proof shows for another pool, another seed, or no pool at all.
            let HoldOut::Drawn { salt, root, records, seed } = hold_out else {
                panic!("drawn");
            };
            let mut others = vec![
                HoldOut::Drawn { salt: [1; 32], root, records, seed },
                HoldOut::Drawn { salt, root: [1; 32], records, seed },
                HoldOut::Drawn { salt, root, records: records + 1, seed },
                HoldOut::Sealed { key: salt, root },
            ];
            let redrawn = HoldOut::Drawn { salt, root, records, seed: [1; 32] };
            if redrawn.place(sample, samples) != Some(place) {
                others.push(redrawn);
            }
            for other in others {
                prop_assert!(!other.holds(sample, samples, record, &siblings), "{:?}", other);
            }
        }
    }
}
