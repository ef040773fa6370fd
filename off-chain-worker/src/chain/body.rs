//! Finds the payloads that the chain keeps only as hashes in the bodies of its blocks.
//!
//! An extrinsic is searched for the bytes that its call starts with, so that a call inside of a
//! batch, a proxy or a multisig is found as well. A chance hit is told from the real one by the
//! hash that the chain keeps.

use codec::{Decode, Encode};
use gotong_protocol::{id::DisputeId, Hash, RoundId, TaskId, TaskTerms};

/// What a call starts with: pallet, call.
pub type Prefix = (u8, u8);

/// What a `reveal` carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Revealed {
    pub delta: Vec<u8>,
    pub salt: Hash,
}

/// What a `publish_shard` carries, up to the records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Shard {
    pub key: Hash,
    pub records: Vec<u8>,
}

/// What an `open_task` carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opened {
    pub terms: TaskTerms,
    pub graph: Vec<u8>,
    pub weights: Vec<u8>,
    pub pool: u128,
}

/// The first argument list of a call of this task and round for which `accept` holds.
pub fn find_in_round<T: Decode>(
    extrinsics: &[Vec<u8>],
    prefix: Prefix,
    task: TaskId,
    round: RoundId,
    accept: impl FnMut(&T) -> bool,
) -> Option<T> {
    find(extrinsics, &(prefix, task, round).encode(), accept)
}

/// The first `open_task` for which `accept` holds.
pub fn find_opening(
    extrinsics: &[Vec<u8>],
    prefix: Prefix,
    accept: impl FnMut(&Opened) -> bool,
) -> Option<Opened> {
    find(extrinsics, &prefix.encode(), accept)
}

/// Where in a body a call begins: which extrinsic, and which byte of it.
pub type Position = (usize, usize);

/// The arguments of every call about a dispute that is found, and where.
pub fn find_in_dispute<T: Decode>(
    extrinsics: &[Vec<u8>],
    prefix: Prefix,
    dispute: DisputeId,
) -> Vec<(Position, T)> {
    find_all(extrinsics, &(prefix, dispute).encode()).collect()
}

fn find<T: Decode>(
    extrinsics: &[Vec<u8>],
    start: &[u8],
    mut accept: impl FnMut(&T) -> bool,
) -> Option<T> {
    find_all(extrinsics, start)
        .map(|(_, found)| found)
        .find(|found| accept(found))
}

fn find_all<'a, T: Decode>(
    extrinsics: &'a [Vec<u8>],
    start: &'a [u8],
) -> impl Iterator<Item = (Position, T)> + 'a {
    let extrinsics = extrinsics.iter().enumerate();
    let positions = extrinsics.flat_map(|(nth, bytes)| {
        (0..bytes.len()).filter_map(move |at| Some(((nth, at), bytes.get(at..)?)))
    });
    positions.filter_map(move |(position, bytes)| {
        let mut arguments = bytes.strip_prefix(start)?;
        Some((position, T::decode(&mut arguments).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REVEAL: Prefix = (20, 8);
    const TASK: TaskId = TaskId(3);
    const ROUND: RoundId = RoundId(9);

    fn wrapped(before: &[u8], revealed: &Revealed, after: &[u8]) -> Vec<u8> {
        let call = (REVEAL, TASK, ROUND, revealed).encode();
        [before, &call, after].concat()
    }

    proptest! {
        #[test]
        fn a_reveal_is_found_wherever_it_is_wrapped(
            noise in prop::collection::vec(any::<u8>(), 0..80),
            delta in prop::collection::vec(any::<u8>(), 0..80),
            other in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            prop_assume!(delta != other);
            let wanted = Revealed { delta, salt: [1; 32] };
            let decoy = Revealed { delta: other, salt: [2; 32] };
            let body = [
                noise.clone(),
                wrapped(&noise, &decoy, &noise),
                wrapped(&noise, &wanted, &noise),
            ];
            let found = find_in_round(&body, REVEAL, TASK, ROUND, |found: &Revealed| {
                found.delta == wanted.delta
            });
            prop_assert_eq!(found, Some(wanted));
        }

        #[test]
        fn any_bytes_are_searched_without_panic(
            body in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
        ) {
            let nothing = find_opening(&body, (0, 0), |_| false);
            prop_assert_eq!(nothing, None);
        }
    }

    #[test]
    fn the_calls_of_a_dispute_are_found_with_their_places() {
        let call = |dispute: u32, value: u16| (REVEAL, DisputeId(dispute), value).encode();
        let body = [
            vec![20, 8, 5],
            [call(5, 1), vec![9], call(6, 2), call(5, 3)].concat(),
            call(5, 4),
        ];
        let found = find_in_dispute::<u16>(&body, REVEAL, DisputeId(5));
        assert_eq!(found, [((1, 0), 1), ((1, 17), 3), ((2, 0), 4)]);
    }

    #[test]
    fn another_round_is_not_taken() {
        let revealed = Revealed {
            delta: vec![1],
            salt: [0; 32],
        };
        let body = [wrapped(&[], &revealed, &[])];
        let found = find_in_round(&body, REVEAL, TASK, RoundId(8), |_: &Revealed| true);
        assert_eq!(found, None);
    }
}
