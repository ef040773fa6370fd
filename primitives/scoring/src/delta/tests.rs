use super::bits::Writer;
use super::*;
use proptest::collection::{btree_map, vec as any_vec};
use proptest::prelude::*;

fn entry(position: u32, change: i16) -> Entry {
    Entry { position, change }
}

fn delta(parameters: u32, entries: &[(u32, i16)]) -> Result<Delta, DeltaError> {
    let entries = entries.iter().map(|(p, c)| entry(*p, *c)).collect();
    Delta::new(parameters, entries)
}

/// Deltas of every density, of chunks with one and two magnitudes, and of empty ones.
fn any_delta() -> impl Strategy<Value = Delta> {
    let chunk = (1u16..=32_767, 1u16..=32_767);
    let chunks = any_vec(chunk, 3);
    let whole = prop_oneof![1u32..200, 4000u32..4200, 8000u32..12_288];
    (whole, chunks)
        .prop_flat_map(|(parameters, chunks)| {
            let signs = btree_map(0..parameters, any::<(bool, bool)>(), 1..400);
            (Just(parameters), Just(chunks), signs)
        })
        .prop_map(|(parameters, chunks, signs)| {
            let change = |(position, (larger, negative)): (u32, (bool, bool))| {
                let (a, b) = chunks[position as usize / CHUNK];
                let magnitude = if larger { a } else { b } as i16;
                entry(position, if negative { -magnitude } else { magnitude })
            };
            Delta::new(parameters, signs.into_iter().map(change).collect()).unwrap()
        })
}

/// Laplacian changes, as those of training are, from a fixed seed.
fn laplacian(parameters: usize) -> Vec<i32> {
    let mut state = 9u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut change = || {
        // Runs of equal bits are geometric; the bits after them fill in between.
        let bits = uniform();
        let magnitude = bits.trailing_zeros() * 64 + uniform() % 64;
        if uniform() % 2 == 0 {
            magnitude as i32
        } else {
            -(magnitude as i32)
        }
    };
    (0..parameters).map(|_| change()).collect()
}

#[test]
fn faulty_entries_are_named() {
    let faults: [(&[(u32, i16)], DeltaError); 8] = [
        (&[], DeltaError::Empty),
        (&[(3, 1), (2, 1)], DeltaError::Unsorted),
        (&[(3, 1), (3, 1)], DeltaError::Unsorted),
        (&[(3, 1), (5000, 1)], DeltaError::PositionOutOfRange),
        (&[(3, 1), (4, 0)], DeltaError::ZeroChange),
        (&[(3, 1), (4, i16::MIN)], DeltaError::ChangeOutOfRange),
        (&[(3, 1), (4, -2), (5, 3)], DeltaError::TooManyMagnitudes),
        (
            &[(0, 9), (4096, 1), (4097, 2), (4098, 3)],
            DeltaError::TooManyMagnitudes,
        ),
    ];
    for (entries, error) in faults {
        assert_eq!(delta(5000, entries), Err(error));
    }
    assert!(delta(5000, &[(3, 1), (4, -2), (5, 2), (4096, 3), (4999, -4)]).is_ok());
}

#[test]
fn faulty_bytes_are_named() {
    // One chunk: count, Rice parameter, smaller magnitude, how much larger the other.
    let chunk = |count, rice, low, more, rest: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::default();
        writer.put_number(count);
        writer.put(rice, 4);
        writer.put_number(low);
        writer.put_number(more);
        rest(&mut writer);
        Delta::decode(&writer.finish(), 100)
    };
    let value = |gap: u32| {
        move |writer: &mut Writer| {
            writer.put_unary(gap);
            writer.put(0, 1);
        }
    };
    assert_eq!(chunk(1, 0, 5, 0, &value(0)), delta(100, &[(0, 5)]));
    assert_eq!(
        chunk(1, 0, 5, 0, &value(100)),
        Err(DeltaError::PositionOutOfRange)
    );
    assert_eq!(chunk(1, 0, 0, 5, &value(0)), Err(DeltaError::ZeroChange));
    assert_eq!(
        chunk(1, 0, 32_767, 1, &value(0)),
        Err(DeltaError::ChangeOutOfRange)
    );
    assert_eq!(chunk(1, 13, 5, 0, &value(0)), Err(DeltaError::NonCanonical));
    assert_eq!(chunk(2, 0, 5, 0, &value(99)), Err(DeltaError::Truncated));
    // A Rice parameter that is not the best, and a second magnitude that nothing has.
    let rice_1 = |writer: &mut Writer| writer.put(1, 3);
    assert_eq!(chunk(1, 1, 5, 0, &rice_1), Err(DeltaError::NonCanonical));
    assert_eq!(chunk(1, 0, 5, 1, &rice_1), Err(DeltaError::NonCanonical));
    // More entries than parameters.
    let full = |count: u32| {
        chunk(count, 0, 5, 0, &move |writer| {
            (0..count).for_each(|_| value(0)(writer))
        })
    };
    assert!(full(100).is_ok());
    assert_eq!(full(101), Err(DeltaError::PositionOutOfRange));

    assert_eq!(Delta::decode(&[], 100), Err(DeltaError::Truncated));
    assert_eq!(Delta::decode(&[], 0), Err(DeltaError::Empty));
    assert_eq!(Delta::decode(&[0], 100), Err(DeltaError::Empty));
    assert_eq!(Delta::decode(&[0, 0], 100), Err(DeltaError::TrailingBytes));
    assert_eq!(
        Delta::decode(&[0; 65_536], u32::MAX),
        Err(DeltaError::Truncated)
    );
}

#[test]
fn filled_bits_are_zero() {
    let bytes = delta(100, &[(0, 5)]).unwrap().encode();
    let mut filled = bytes.clone();
    *filled.last_mut().unwrap() |= 0x80;
    assert_ne!(filled, bytes);
    assert_eq!(Delta::decode(&filled, 100), Err(DeltaError::NonCanonical));
}

#[test]
fn the_encoding_is_golden() {
    let entries = [
        (0, 5),
        (1, -5),
        (7, 300),
        (4095, -300),
        (8192, -1),
        (8193, 1),
        (8199, 32_767),
    ];
    let bytes = delta(8200, &entries).unwrap().encode();
    assert_eq!(hex::encode(&bytes), "434e79120001b48080f70709f1feff020a");
    let hash = "7fd5a5af68a710ced38e09c266a2d48dc1f09306698f79fdcf820c09dbb32f36";
    assert_eq!(hex::encode(Delta::hash_of(&bytes)), hash);
}

#[test]
fn one_percent_takes_at_most_0_11_bit_a_parameter() {
    let change = laplacian(101_770);
    let compressed = Delta::compress(&change, 10);
    let bytes = compressed.encode();
    let millibits = bytes.len() * 8 * 1000 / change.len();
    assert!((100..=110).contains(&millibits), "{millibits}");
    assert_eq!(Delta::decode(&bytes, 101_770), Ok(compressed));
}

#[test]
fn compress_keeps_the_largest() {
    let change = [0, 4, -9, 0, 8, -9, 1, 2, 3, 20];
    let kept = |permille| {
        let delta = Delta::compress(&change, permille);
        let entries = delta.entries().iter();
        entries.map(|e| (e.position, e.change)).collect::<Vec<_>>()
    };
    assert_eq!(kept(0), [(9, 20)]);
    assert_eq!(kept(100), [(9, 20)]);
    // The first of the two nines is kept.
    assert_eq!(kept(200), [(2, -9), (9, 20)]);
    // Mean magnitude 11: the group up to it has the mean 26/3, which rounds to 9.
    assert_eq!(kept(400), [(2, -9), (4, 9), (5, -9), (9, 20)]);
    // Zeros are not kept.
    assert_eq!(kept(1000).len(), 8);
    assert_eq!(kept(u32::MAX), kept(1000));
}

#[test]
fn compress_evenly_keeps_the_same_with_one_magnitude() {
    let change = [0, 4, -9, 0, 8, -9, 1, 2, 3, 20];
    let even = Delta::compress_evenly(&change, 400);
    let entries: Vec<_> = even
        .entries()
        .iter()
        .map(|e| (e.position, e.change))
        .collect();
    // The mean of 9, 8, 9 and 20, rounded.
    assert_eq!(entries, [(2, -12), (4, 12), (5, -12), (9, 12)]);
    let far = Delta::compress_evenly(&[0, i32::MAX, i32::MIN], 1000);
    assert_eq!(far.entries(), [entry(1, 32_767), entry(2, -32_767)]);
    assert!(Delta::compress_evenly(&[0; 5000], 10).entries().is_empty());
}

/// What the docs of [`Delta::compress_evenly`] say, for sums of uniform values, which are nearly
/// normal.
#[test]
fn with_one_magnitude_more_fits_into_as_many_bytes() {
    let mut state = 5u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 53) as i32 - 1024
    };
    let change: Vec<i32> = (0..40 * CHUNK)
        .map(|_| (0..12).map(|_| uniform()).sum())
        .collect();
    let square = |values: &[i32]| values.iter().map(|v| i64::from(*v).pow(2)).sum::<i64>();
    let left = |delta: &Delta| 100 * square(&delta.residual(&change)) / square(&change);
    let (two, even) = (
        Delta::compress(&change, 260),
        Delta::compress_evenly(&change, 400),
    );
    let (long, short) = (two.encode().len(), even.encode().len());
    assert!(short.abs_diff(long) < long / 20, "{short} {long}");
    assert!((27..=29).contains(&left(&two)), "{}", left(&two));
    assert!((20..=22).contains(&left(&even)), "{}", left(&even));
    assert_eq!(Delta::decode(&even.encode(), even.parameters()), Ok(even));
}

#[test]
fn what_compress_leaves_is_the_residual() {
    let change = [0, 4, -9, i32::MAX, i32::MIN];
    let delta = Delta::compress(&change, 1000);
    let left = delta.residual(&change);
    for (at, (change, left)) in change.iter().zip(left).enumerate() {
        let kept = delta.entries().iter().find(|e| e.position == at as u32);
        let sum = i64::from(left) + kept.map_or(0, |e| i64::from(e.change));
        assert_eq!(sum, i64::from(*change));
    }
    assert_eq!(delta.entries().last(), Some(&entry(4, -32_767)));
}

#[test]
fn a_change_of_nothing_compresses_to_what_nobody_accepts() {
    let nothing = Delta::compress(&[0; 5000], 10);
    assert!(nothing.entries().is_empty());
    assert_eq!(
        Delta::decode(&nothing.encode(), 5000),
        Err(DeltaError::Empty)
    );
    assert!(Delta::compress(&[], 10).entries().is_empty());
}

#[test]
fn the_norm_is_rounded_down() {
    assert_eq!(delta(9, &[(0, 3), (1, -4)]).unwrap().norm(), 5);
    assert_eq!(delta(9, &[(0, 1), (1, -1)]).unwrap().norm(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decode_inverts_encode(delta in any_delta()) {
        let bytes = delta.encode();
        prop_assert_eq!(Delta::decode(&bytes, delta.parameters()), Ok(delta.clone()));
        let cut = &bytes[..bytes.len() - 1];
        prop_assert!(Delta::decode(cut, delta.parameters()).is_err());
        let long = [&bytes[..], &[0]].concat();
        prop_assert_eq!(Delta::decode(&long, delta.parameters()), Err(DeltaError::TrailingBytes));
    }

    #[test]
    fn only_the_canonical_bytes_decode(
        delta in any_delta(), flips in any_vec(any::<prop::sample::Index>(), 1..4)
    ) {
        let mut bytes = delta.encode();
        for flip in flips {
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        if let Ok(other) = Delta::decode(&bytes, delta.parameters()) {
            prop_assert_eq!(other.encode(), bytes);
            prop_assert_eq!(Delta::new(other.parameters(), other.entries().to_vec()), Ok(other));
        }
    }

    #[test]
    fn decode_is_total(bytes in any_vec(any::<u8>(), 0..600), parameters in any::<u32>()) {
        for parameters in [parameters, parameters % 5000, 0] {
            if let Ok(delta) = Delta::decode(&bytes, parameters) {
                prop_assert!(delta.entries().len() <= 4 * bytes.len());
                prop_assert_eq!(delta.encode(), &bytes[..]);
            }
        }
    }

    #[test]
    fn compress_makes_a_delta(
        few in any_vec(prop_oneof![Just(0), -50..50i32, any::<i32>()], 1..200),
        parameters in 1usize..9000,
        permille in 0u32..1100,
    ) {
        let change: Vec<i32> = few.iter().copied().cycle().take(parameters).collect();
        let evenly = Delta::compress_evenly(&change, permille);
        let places = |delta: &Delta| delta.entries().iter().map(|e| e.position).collect::<Vec<_>>();
        prop_assert_eq!(places(&evenly), places(&Delta::compress(&change, permille)));
        for delta in [Delta::compress(&change, permille), evenly] {
            match Delta::new(delta.parameters(), delta.entries().to_vec()) {
                Ok(checked) => {
                    prop_assert_eq!(&checked, &delta);
                    prop_assert_eq!(Delta::decode(&delta.encode(), delta.parameters()), Ok(delta));
                }
                Err(error) => {
                    prop_assert_eq!(error, DeltaError::Empty);
                    prop_assert!(change.iter().all(|change| *change == 0));
                }
            }
        }
    }
}

#[test]
fn a_shrunk_delta_takes_a_word_of_eight_bytes_an_entry() {
    let entries: Vec<_> = (0..1025).map(|position| (position, 1)).collect();
    let bytes = delta(1025, &entries).unwrap().encode();
    let decoded = Delta::decode(&bytes, 1025).unwrap();
    assert!(decoded.entries.capacity() > 2000, "as a vector grows");
    let shrunk = decoded.clone().shrunk();
    assert_eq!(shrunk, decoded);
    assert_eq!(
        Delta::decode(&bytes, 1025)
            .unwrap()
            .shrunk()
            .entries
            .capacity(),
        1025
    );
    assert_eq!(size_of::<Entry>(), 8);
}
