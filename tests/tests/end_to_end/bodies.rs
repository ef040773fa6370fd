//! The worker finds calls in blocks by the metadata of the real runtime, however they are wrapped.

use codec::{Compact, Decode, Encode};
use gotong::chain::body::{Body, Kind};
use gotong_protocol::{Graph, RoundId, TaskId, TaskTerms};
use gotong_runtime::{Runtime, UncheckedExtrinsic};
use subxt::Metadata;

const ROUND: (TaskId, RoundId) = (TaskId(3), RoundId(9));
const DELTA: [u8; 5] = [1, 2, 3, 4, 5];

fn metadata() -> Metadata {
    // Some constants in the metadata are read from storage.
    let bytes = sp_io::TestExternalities::default()
        .execute_with(|| Runtime::metadata_at_version(16))
        .expect("the runtime has metadata of version 16");
    Metadata::decode(&mut &bytes[..]).expect("the worker knows this version")
}

/// An extrinsic with this call, which the runtime can read.
fn signed(call: &[u8]) -> Vec<u8> {
    let (address, signature) = ((0u8, [4u8; 32]), (1u8, [5u8; 64]));
    let (era, nonce, tip, mode) = (0u8, Compact(7u32), Compact(9u128), 0u8);
    let head = (0x84u8, address, signature, era, nonce, tip, mode).encode();
    let bytes = [head, call.to_vec()].concat().encode();
    let decoded = UncheckedExtrinsic::decode(&mut &bytes[..]);
    assert_eq!(
        decoded.expect("the runtime reads it").encode(),
        bytes,
        "all of it was read"
    );
    bytes
}

#[test]
fn a_recipe_is_found_behind_the_weights() {
    const RECIPE: &[u8] = b"kind = \"bytes\"";
    let metadata = metadata();
    let graph = Graph::mlp(&[4, 3, 2]);
    // Zeros are terms, too.
    let terms = TaskTerms::<u128>::decode(&mut &[0u8; 512][..]).expect("terms");
    let terms = terms.with_recipe(RECIPE);
    let pallet = metadata.pallet_by_name("Contribution").expect("the pallet");
    let variant = pallet.call_variant_by_name("open_task").expect("the call");
    let call = (pallet.call_index(), variant.index);
    let call = (call, &terms, graph.encode(), vec![7u8; 9], RECIPE, 5u128).encode();
    let body = Body::read(vec![signed(&call)], &metadata).expect("the worker fits the runtime");
    assert_eq!(body.recipe(&terms, &graph).as_deref(), Some(RECIPE));
}

#[test]
fn a_reveal_is_found_however_it_is_wrapped() {
    let metadata = metadata();
    let index = |pallet: &str, call: &str| {
        let pallet = metadata.pallet_by_name(pallet).expect(pallet);
        let variant = pallet.call_variant_by_name(call).expect(call);
        (pallet.call_index(), variant.index)
    };
    let reveal = (
        index("Contribution", "reveal"),
        ROUND,
        DELTA.to_vec(),
        [6u8; 32],
    );
    let reveal = reveal.encode();
    let wrap = |before: Vec<u8>, call: &[u8], after: Vec<u8>| [&before, call, &after].concat();
    let others = vec![[8u8; 32], [9; 32]];
    let weight = (Compact(1u64), Compact(2u64));
    let batched = |others: &[Vec<u8>]| {
        let start = (
            index("Utility", "force_batch"),
            Compact(others.len() as u32 + 1),
        );
        wrap([start.encode(), others.concat()].concat(), &reveal, vec![])
    };
    // An address given by an index, which takes no byte on this chain.
    let to_index = (
        index("Balances", "transfer_allow_death"),
        1u8,
        Compact(5u128),
    )
        .encode();
    let remark = (index("System", "remark"), reveal.repeat(3)).encode();
    let wrapped = [
        reveal.clone(),
        batched(&[to_index, remark.clone()]),
        wrap(
            (index("Utility", "as_derivative"), 1u16).encode(),
            &reveal,
            vec![],
        ),
        wrap((index("Sudo", "sudo")).encode(), &reveal, vec![]),
        wrap(
            (index("Proxy", "proxy"), (0u8, [3u8; 32]), Some(0u8)).encode(),
            &reveal,
            vec![],
        ),
        wrap(
            (index("Multisig", "as_multi_threshold_1"), others.clone()).encode(),
            &reveal,
            vec![],
        ),
        wrap(
            (
                index("Multisig", "as_multi"),
                2u16,
                others,
                Some((7u32, 1u32)),
            )
                .encode(),
            &batched(&[]),
            weight.encode(),
        ),
    ];
    for call in wrapped {
        let extrinsics = vec![signed(&remark), signed(&call)];
        let body = Body::read(extrinsics, &metadata).expect("the worker fits the runtime");
        let mut candidates = 0;
        let found = body.find(Kind::Reveal, &ROUND, DELTA.len(), |bytes| {
            candidates += 1;
            bytes == DELTA
        });
        assert_eq!((found, candidates), (Some(&DELTA[..]), 1));
    }
}
