//! Nodes that are behind, and nodes that lie.

use super::*;
use crate::chain::{
    mock::{Answer, MockNode},
    proof::tests::{block, first, keys, set_of, votes},
};
use codec::Encode;
use serde_json::json;
use sp_core::ed25519::Pair;
use subxt::rpcs::UserError;

/// A client of a node that has some headers. It proves by `proof` that a later block is final; without one it refuses to.
async fn client_of(headers: &[&Header], proof: Option<Vec<u8>>) -> Client {
    let headers: Vec<_> = headers.iter().map(|&header| header.clone()).collect();
    let node = MockNode::new(move |method, asked| {
        let is_asked = |header: &&Header| asked.contains(&hex::encode(hash_of(header)));
        match (method, &proof) {
            ("chain_getHeader", _) => Answer::Json(json!(headers.iter().find(is_asked))),
            ("grandpa_proveFinality", Some(proof)) => Answer::bytes(proof),
            ("grandpa_proveFinality", None) => Answer::Refusal(UserError::method_not_found()),
            _ => Answer::hash(),
        }
    });
    node.client(&["ws://node"]).await
}

/// Votes of all of a set for a block.
fn by_all(set: u64, keys: &[Pair], header: &Header) -> Vec<u8> {
    let all: Vec<_> = keys.iter().map(|key| (key, header)).collect();
    votes(set, header, &all, &[])
}

fn known(set: AuthoritySet, header: &Header) -> Trust {
    Trust {
        set,
        number: u32::try_from(header.number).unwrap(),
        hash: hash_of(header),
        is_one_word: false,
    }
}

/// Another node has already shown the next set.
#[tokio::test]
async fn a_node_that_is_behind_the_last_change_of_authorities_is_no_liar() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let one = first();
    let two = block(2, &one, &[]);
    let client = client_of(&[&one], None).await;
    let mut found = known(set_of(1, new), &two);
    let before = found.clone();
    let followed = client
        .follow(&mut found, &by_all(0, old, &one), &mut None)
        .await;
    assert!(followed.is_ok(), "{followed:?}");
    assert_eq!(found, before);
}

/// It has taken the state of a late block from its peers, and has no votes of the sets before.
#[tokio::test]
async fn a_node_that_cannot_show_how_authorities_were_replaced_is_no_liar() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let one = first();
    let two = block(2, &one, &[]);
    let client = client_of(&[&one, &two], None).await;
    let mut found = known(set_of(0, old), &one);
    let followed = client
        .follow(&mut found, &by_all(1, new, &two), &mut None)
        .await;
    let error = followed.unwrap_err();
    assert!(matches!(error, ChainError::Node(_)), "{error:?}");
    assert!(!error.is_gone(), "it is kept");
}

/// Finality stood still, and the council restored it with other authorities: no node has votes of the old ones for that.
#[tokio::test]
async fn authorities_that_were_replaced_by_force_make_no_liar_of_every_node() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let one = first();
    let two = block(2, &one, &[]);
    let three = block(3, &two, &[]);
    let proof = (
        hash_of(&three),
        by_all(1, new, &three),
        Vec::<Header>::new(),
    )
        .encode();
    let client = client_of(&[&one, &two, &three], Some(proof)).await;
    let mut found = known(set_of(0, old), &one);
    let followed = client
        .follow(&mut found, &by_all(1, new, &three), &mut None)
        .await;
    let error = followed.unwrap_err();
    assert!(
        matches!(&error, ChainError::BadProof { source, .. } if !source.is_a_lie()),
        "{error:?}"
    );
}

#[tokio::test]
async fn votes_of_strangers_are_a_lie_where_nobody_was_replaced() {
    let keys = keys(6);
    let (own, strangers) = (&keys[..3], &keys[3..]);
    let one = first();
    let two = block(2, &one, &[]);
    let three = block(3, &two, &[]);
    let proof = (hash_of(&two), by_all(0, own, &two), Vec::<Header>::new()).encode();
    let client = client_of(&[&one, &two, &three], Some(proof)).await;
    let mut found = known(set_of(0, own), &one);
    let followed = client
        .follow(&mut found, &by_all(1, strangers, &three), &mut None)
        .await;
    let error = followed.unwrap_err();
    assert!(
        matches!(&error, ChainError::BadProof { source, .. } if source.is_a_lie()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_set_hands_over_to_the_next_before_votes_of_that_are_counted() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let one = first();
    let change = [vec![1], (set_of(1, new).authorities, 0u32).encode()].concat();
    let two = block(2, &one, &[change]);
    let three = block(3, &two, &[]);
    let proof = (hash_of(&two), by_all(0, old, &two), Vec::<Header>::new()).encode();
    let client = client_of(&[&one, &two, &three], Some(proof)).await;
    let mut found = known(set_of(0, old), &one);
    let followed = client
        .follow(&mut found, &by_all(1, new, &three), &mut None)
        .await;
    assert!(followed.is_ok(), "{followed:?}");
    assert_eq!(found, known(set_of(1, new), &three));
}

/// What comes after it is not proved. What has been shown is not asked for again.
#[tokio::test]
async fn each_set_that_is_followed_is_kept() {
    let keys = keys(6);
    let (old, new) = (&keys[..3], &keys[3..]);
    let one = first();
    let change = [vec![1], (set_of(1, new).authorities, 0u32).encode()].concat();
    let two = block(2, &one, &[change]);
    let three = block(3, &two, &[]);
    let proof = (hash_of(&two), by_all(0, old, &two), Vec::<Header>::new()).encode();
    let client = client_of(&[&two, &three], Some(proof)).await;
    let (mut found, mut kept) = (known(set_of(0, old), &one), None);
    let strangers = by_all(2, old, &three);
    let followed = client.follow(&mut found, &strangers, &mut kept).await;
    assert!(followed.is_err(), "{followed:?}");
    assert_eq!(kept, Some(known(set_of(1, new), &two)));
}
