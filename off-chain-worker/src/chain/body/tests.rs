//! Calls that are found, and bytes that only look like one.

use super::*;
use crate::chain::mock::{header, Answer, MockNode};
use proptest::prelude::*;
use scale_info::{meta_type, Registry, TypeInfo};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Calls such as a runtime has.
#[derive(Clone, Debug, Encode, TypeInfo)]
enum Call {
    #[codec(index = 0)]
    System(System),
    #[codec(index = 10)]
    Utility(Utility),
    #[codec(index = 20)]
    Contribution(Contribution),
}

#[derive(Clone, Debug, Encode, TypeInfo)]
enum System {
    Remark(Vec<u8>),
    Transfer(Address, Compact<u128>, Option<(bool, String)>, [u64; 2]),
}

#[derive(Clone, Debug, Encode, TypeInfo)]
enum Utility {
    Batch(Vec<Call>),
    #[codec(index = 7)]
    Derived(u16, Box<Call>),
}

#[derive(Clone, Debug, Encode, TypeInfo)]
enum Contribution {
    #[codec(index = 8)]
    Reveal {
        task: u32,
        round: u32,
        delta: Vec<u8>,
        salt: [u8; 32],
    },
}

#[derive(Clone, Debug, Encode, TypeInfo)]
enum Address {
    Id([u8; 32]),
    Index(Compact<()>),
}

const ROUND: (u32, u32) = (3, 9);

fn reveal(delta: &[u8]) -> Call {
    let (task, round) = ROUND;
    Call::Contribution(Contribution::Reveal {
        task,
        round,
        delta: delta.to_vec(),
        salt: [1; 32],
    })
}

fn remark(bytes: Vec<u8>) -> Call {
    Call::System(System::Remark(bytes))
}

fn batch(calls: impl Into<Vec<Call>>) -> Call {
    Call::Utility(Utility::Batch(calls.into()))
}

fn signed(call: &[u8]) -> Vec<u8> {
    let signature = (Address::Id([4; 32]), [5u8; 64], (0u8, Compact(7u32)));
    let bytes = (SIGNED, signature).encode();
    [bytes, call.to_vec()].concat().encode()
}

fn body(extrinsics: Vec<Vec<u8>>) -> Body {
    let mut registry = Registry::new();
    let mut id = |of| registry.register_type(&of).id;
    let call = id(meta_type::<Call>());
    let signed = vec![
        id(meta_type::<Address>()),
        id(meta_type::<[u8; 64]>()),
        id(meta_type::<(u8, Compact<u32>)>()),
        call,
    ];
    let layout = Layout {
        types: &registry.into(),
        call,
        signed,
        prefixes: vec![Prefix {
            bytes: [20, 8],
            kind: Kind::Reveal,
            passed_over: None,
        }],
    };
    layout.read(extrinsics)
}

/// Whether the delta is found, and how many were looked at.
fn find(body: &Body, wanted: &[u8]) -> (bool, usize) {
    let mut candidates = 0;
    let found = body.find(Kind::Reveal, &ROUND, wanted.len(), |bytes| {
        candidates += 1;
        bytes == wanted
    });
    (found == Some(wanted), candidates)
}

fn any_call() -> impl Strategy<Value = Call> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    let address = prop_oneof![
        any::<[u8; 32]>().prop_map(Address::Id),
        Just(Address::Index(Compact(()))),
    ];
    let transfer = (address, any::<u128>(), any::<Option<(bool, String)>>());
    let simple = prop_oneof![
        bytes().prop_map(remark),
        bytes().prop_map(|delta| reveal(&delta)),
        transfer.prop_map(|(to, amount, note)| {
            Call::System(System::Transfer(to, Compact(amount), note, [8; 2]))
        }),
    ];
    simple.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(batch),
            inner.prop_map(|call| Call::Utility(Utility::Derived(1, Box::new(call)))),
        ]
    })
}

fn wraps(call: &Call, delta: &[u8]) -> bool {
    match call {
        Call::Utility(Utility::Batch(calls)) => calls.iter().any(|call| wraps(call, delta)),
        Call::Utility(Utility::Derived(_, call)) => wraps(call, delta),
        Call::Contribution(Contribution::Reveal { delta: found, .. }) => found == delta,
        Call::System(_) => false,
    }
}

proptest! {
    #[test]
    fn a_call_is_found_wherever_it_is_wrapped(
        calls in prop::collection::vec(any_call(), 0..4),
        delta in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let extrinsic = |call: &Call| signed(&call.encode());
        let others: Vec<_> = calls.iter().map(extrinsic).collect();
        let is_there = calls.iter().any(|call| wraps(call, &delta));
        prop_assert_eq!(find(&body(others.clone()), &delta).0, is_there);
        let wanted = extrinsic(&batch([batch(calls), reveal(&delta)]));
        prop_assert!(find(&body([others, vec![wanted]].concat()), &delta).0);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        extrinsics in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
    ) {
        let wrapped = extrinsics.iter().map(|bytes| signed(bytes)).collect();
        for extrinsics in [extrinsics, wrapped] {
            prop_assert!(find(&body(extrinsics), &[1; 50]).1 <= 1);
        }
    }
}

#[test]
fn bytes_that_only_look_like_calls_cost_nothing() {
    // The longest delta, and junk in which every 14 bytes begin another one of its length.
    let delta = vec![7; 1 << 20];
    let fake = ([20u8, 8], ROUND, Compact(delta.len() as u32)).encode();
    let junk = fake.repeat((7 << 20) / fake.len());
    let [hidden, wanted] = [remark(junk.clone()), reveal(&delta)];
    let of = |call: &Call| signed(&call.encode());
    for extrinsics in [
        vec![of(&hidden), of(&wanted)],
        vec![of(&batch([hidden, wanted.clone()]))],
        vec![signed(&junk), of(&wanted)],
    ] {
        let (is_found, candidates) = find(&body(extrinsics), &delta);
        assert!(is_found);
        assert!(candidates <= 2, "{candidates} candidates were looked at");
    }
}

#[test]
fn depth_takes_no_stack() {
    let derived = [10, 7, 1, 0];
    let call = [derived.repeat(1 << 18), reveal(&[6; 9]).encode()].concat();
    assert_eq!(find(&body(vec![signed(&call)]), &[6; 9]), (true, 1));
}

#[test]
fn what_differs_is_not_looked_at() {
    let found = body(vec![signed(&reveal(&[6; 9]).encode())]);
    assert_eq!(find(&found, &[6; 8]), (false, 0));
    let other_round = (3u32, 8u32);
    assert_eq!(found.find(Kind::Reveal, &other_round, 9, |_| true), None);
    assert_eq!(found.find(Kind::PublishShard, &ROUND, 9, |_| true), None);
}

#[test]
fn a_recipe_is_found_by_its_hash() {
    const RECIPE: &[u8] = b"kind = \"bytes\"";
    let graph = Graph::mlp(&[4, 3, 2]);
    // Zeros are terms, too.
    let none = TaskTerms::<u128>::decode(&mut &[0u8; 512][..]).unwrap();
    let named = none.clone().with_recipe(RECIPE);
    let open = |terms: &TaskTerms, recipe: &[u8]| {
        let weights = vec![7u8; 9];
        let bytes = ([20u8, 4], terms, graph.encode(), weights, recipe, 5u128).encode();
        (bytes, PREFIX_BYTES + terms.encoded_size())
    };
    let body = |opened: Vec<(Vec<u8>, usize)>| {
        let found = |(nth, (_, arguments)): (usize, &(Vec<u8>, usize))| Found {
            kind: Kind::OpenTask,
            at: (nth, 0),
            arguments: *arguments,
        };
        let calls = opened.iter().enumerate().map(found).collect();
        let extrinsics = opened.into_iter().map(|(bytes, _)| bytes).collect();
        Body {
            extrinsics,
            calls,
            misread: 0,
        }
    };
    // The chain refused the first two.
    let found = body(vec![
        open(&named, b"kind = \"other\""),
        open(&named, &[]),
        open(&none, &[]),
        open(&named, RECIPE),
    ]);
    assert_eq!(found.recipe(&named, &graph).as_deref(), Some(RECIPE));
    assert_eq!(found.recipe(&none, &graph).as_deref(), Some(&[][..]));
    assert_eq!(found.recipe(&named, &Graph::mlp(&[4, 2])), None);
    let refused = body(vec![open(&named, &RECIPE[1..])]);
    assert_eq!(refused.recipe(&named, &graph), None);
}

#[test]
fn all_calls_are_found_with_their_places() {
    let calls = batch([reveal(&[1]), remark(vec![9]), reveal(&[2, 3])]).encode();
    let body = body(vec![vec![1, 2], signed(&calls)]);
    let found = body.find_all::<Vec<u8>>(Kind::Reveal, &ROUND);
    // They follow the batch's two indices and its length.
    let first = signed(&[]).len() + 3;
    let second = first + reveal(&[1]).encode().len() + remark(vec![9]).encode().len();
    assert_eq!(found, [((1, first), vec![1]), ((1, second), vec![2, 3])]);
}

/// Calls of two releases, between which the terms of a task got another encoding.
#[derive(Encode, TypeInfo)]
enum Release<Terms> {
    #[codec(index = 20)]
    Contribution(Opening<Terms>),
}

#[derive(Encode, TypeInfo)]
enum Opening<Terms> {
    #[codec(index = 4)]
    OpenTask {
        terms: Terms,
        graph: Vec<u8>,
        weights: Vec<u8>,
    },
}

fn read_by_release<Terms: TypeInfo + 'static>(extrinsic: &[u8]) -> Body {
    let mut registry = Registry::new();
    let mut id = |of| registry.register_type(&of).id;
    let call = id(meta_type::<Release<Terms>>());
    let signed = vec![
        id(meta_type::<Address>()),
        id(meta_type::<[u8; 64]>()),
        id(meta_type::<(u8, Compact<u32>)>()),
        call,
    ];
    let terms = id(meta_type::<Terms>());
    let layout = Layout {
        types: &registry.into(),
        call,
        signed,
        prefixes: vec![Prefix {
            bytes: [20, 4],
            kind: Kind::OpenTask,
            passed_over: Some(terms),
        }],
    };
    layout.read(vec![extrinsic.to_vec()])
}

#[test]
fn a_task_of_before_an_upgrade_is_found_by_the_types_of_its_own_runtime() {
    let (graph, weights) = (vec![1u8, 2, 3], vec![7u8; 9]);
    let call = Release::Contribution(Opening::OpenTask {
        terms: [200u8; 32],
        graph: graph.clone(),
        weights: weights.clone(),
    });
    let extrinsic = signed(&call.encode());
    let find = |body: &Body| {
        let found = body.find(Kind::OpenTask, &graph, weights.len(), |_| true);
        found.map(<[u8]>::to_vec)
    };
    let own = read_by_release::<[u8; 32]>(&extrinsic);
    assert!(own.is_understood());
    assert_eq!(find(&own).as_ref(), Some(&weights));
    let other = read_by_release::<Vec<u8>>(&extrinsic);
    assert!(!other.is_understood());
    assert_eq!(find(&other), None);
}

#[test]
fn what_another_runtime_signed_is_told_from_what_nobody_signed() {
    let reveal = reveal(&[6; 9]).encode();
    let longer = signed(&[reveal.as_slice(), &[0]].concat());
    let shorter = signed(&reveal[..reveal.len() - 1]);
    for other in [longer, shorter] {
        assert!(!body(vec![signed(&reveal), other]).is_understood());
    }
    let inherent = [4u8, 4, 0, 0, 0].to_vec();
    assert!(body(vec![inherent, signed(&reveal)]).is_understood());
}

/// After a block that upgrades the runtime, the state has a different runtime from the one that executed the block.
#[tokio::test]
async fn the_types_of_a_block_are_those_of_the_state_before_it() {
    // The questions about states, put to a node that has one block and no states.
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = asked.clone();
    let stateless = MockNode::new(move |method, parameters| match method {
        "chain_getBlock" => Answer::Json(json!({
            "block": { "header": header(7), "extrinsics": [] },
        })),
        "chain_getHeader" => Answer::Json(header(7)),
        "chain_getBlockHash" => Answer::hash(),
        _ => {
            noted.lock().unwrap().push(parameters.to_owned());
            Answer::no_state()
        }
    });
    let client = stateless.client(&["ws://stateless"]).await;
    client.body(7).await.unwrap_err();
    let asked = asked.lock().unwrap();
    assert!(asked[0].contains(&"01".repeat(32)), "{asked:?}");
}
