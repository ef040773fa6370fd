//! Nonces, tips, what is signed again, and nodes that do not answer.

use super::*;
use crate::chain::mock::{header, Answer, MockNode};
use serde_json::json;
use std::sync::atomic::AtomicU32;
use subxt::tx::{TransactionUnknown, TransactionValid};

fn rejected(code: i32) -> ChainError {
    ChainError::Rejected {
        code,
        reason: String::new(),
        of_a_fork: false,
    }
}

/// Whatever reason the pool names, it may have looked at a fork that was just dropped.
#[test]
fn the_best_block_tells_why_the_pool_called_a_transaction_invalid() {
    use ValidationResult::{Invalid, Unknown, Valid};
    let of_a_fork = |code, judgement: Option<&_>| match classified(rejected(code), judgement) {
        ChainError::Rejected { of_a_fork, .. } => of_a_fork,
        error => panic!("{error:?}"),
    };
    let valid = TransactionValid {
        priority: 1,
        requires: vec![],
        provides: vec![],
        longevity: 64,
        propagate: true,
    };
    let cases = [
        (Some(Valid(valid)), true),
        (Some(Invalid(TransactionInvalid::Payment)), false),
        // The fork of the block that it was signed for is gone.
        (Some(Invalid(TransactionInvalid::BadProof)), true),
        (Some(Invalid(TransactionInvalid::AncientBirthBlock)), true),
        (Some(Unknown(TransactionUnknown::CannotLookup)), false),
        (None, false),
    ];
    let stale = Invalid(TransactionInvalid::Stale);
    for code in [code::INVALID, code::UNVERIFIED] {
        for (judgement, expected) in &cases {
            let found = of_a_fork(code, judgement.as_ref());
            assert_eq!(found, *expected, "{code}, {judgement:?}");
        }
        let error = classified(rejected(code), Some(&stale));
        assert!(matches!(error, ChainError::Overtaken(_)), "{error:?}");
    }
}

/// An accusation is about what was seen in a block. The accuser looks again before it signs for another fork.
#[tokio::test]
async fn what_is_tied_to_a_block_is_signed_again_for_no_other_fork() {
    let node = MockNode::new(|_, _| Answer::hash());
    let client = node.client(&["ws://node"]).await;
    let tied = Client {
        tie: Some((7, H256([4; 32]))),
        ..client.clone()
    };
    let of_a_fork = ChainError::Rejected {
        code: code::INVALID,
        reason: String::new(),
        of_a_fork: true,
    };
    assert!(client.may_sign_again(&of_a_fork));
    assert!(!tied.may_sign_again(&of_a_fork));
    assert!(!client.may_sign_again(&rejected(code::INVALID)));
    let overtaken = ChainError::Overtaken(String::new());
    assert!(client.may_sign_again(&overtaken) && tied.may_sign_again(&overtaken));
    assert!(!client.may_sign_again(&ChainError::Pending));
}

#[test]
fn whoever_is_overtaken_signs_again_and_a_full_pool_drops() {
    for code in [code::BANNED, code::ALREADY_IMPORTED, code::TOO_LOW_PRIORITY] {
        let error = classified(rejected(code), None);
        assert!(matches!(error, ChainError::Overtaken(_)), "{error:?}");
    }
    let error = classified(rejected(code::IMMEDIATELY_DROPPED), None);
    assert!(matches!(error, ChainError::Dropped(_)), "{error:?}");
    let error = classified(rejected(code::UNVERIFIED), None);
    assert!(matches!(error, ChainError::Rejected { .. }), "{error:?}");
}

/// The upgrade may have changed the version that the signature covers, or how transactions are encoded.
#[test]
fn what_was_signed_for_the_previous_runtime_is_signed_again() {
    for code in [code::INVALID, code::UNVERIFIED] {
        assert!(may_follow_an_upgrade(&rejected(code)));
    }
    assert!(may_follow_an_upgrade(&ChainError::Dropped(String::new())));
    assert!(!may_follow_an_upgrade(&rejected(code::TOO_LOW_PRIORITY)));
    assert!(!may_follow_an_upgrade(&ChainError::Pending));
}

/// A block may have taken it just before the upgrade. Then the pool calls it stale, and a transfer would pay twice.
#[test]
fn what_a_block_may_have_taken_before_an_upgrade_is_not_signed_again() {
    let dropped = || ChainError::Dropped("stale".into());
    for next in [Some(8), Some(9), None] {
        let error = after_upgrade(dropped(), 7, next);
        assert!(matches!(error, ChainError::Pending), "{next:?}: {error:?}");
    }
    let error = after_upgrade(dropped(), 7, Some(7));
    assert!(matches!(error, ChainError::Overtaken(_)), "{error:?}");
    // The pool never had it.
    let error = after_upgrade(rejected(code::UNVERIFIED), 7, Some(8));
    assert!(matches!(error, ChainError::Rejected { .. }), "{error:?}");
}

/// A node whose best block is number 7, and which shows blocks down to `oldest`. It has `kept` in block 6, or in its pool.
fn node_that_kept(kept: &'static [u8], is_in_pool: bool, oldest: u32) -> MockNode {
    let hex = move |is_there: bool| match is_there {
        true => json!([format!("0x{}", hex::encode(kept))]),
        false => json!(["0x0401"]),
    };
    // All blocks of the mock have the same hash. A walk begins at the best one, for whose hash it asks.
    let asked = AtomicU32::new(0);
    MockNode::new(move |method, _| match method {
        "author_pendingExtrinsics" => Answer::Json(hex(is_in_pool)),
        "chain_getBlock" => {
            let number = 7 - asked.fetch_add(1, Ordering::Relaxed);
            let block = json!({ "header": header(number), "extrinsics": hex(number == 6) });
            Answer::Json(match number >= oldest {
                true => json!({ "block": block, "justifications": null }),
                false => json!(null),
            })
        }
        _ => {
            asked.store(0, Ordering::Relaxed);
            Answer::hash()
        }
    })
}

fn doubtful(transaction: &[u8], anchor: u64) -> Vec<Doubtful> {
    vec![Doubtful {
        transaction: transaction.to_vec(),
        nonce: 3,
        anchor,
    }]
}

/// A pool that rejects a transaction may keep it for a block that it learns of at the same time. If the call were signed again with
/// the next nonce, both would be executed.
#[tokio::test]
async fn a_rejected_transaction_that_a_node_kept_is_found() {
    let may_have = async |node: MockNode, doubtful: &[Doubtful]| {
        let client = node.client(&["ws://node"]).await;
        client.may_have_any(doubtful).await
    };
    let kept = b"kept".as_slice();
    assert!(may_have(node_that_kept(kept, true, 7), &doubtful(kept, 7)).await);
    assert!(may_have(node_that_kept(kept, false, 0), &doubtful(kept, 5)).await);
    assert!(may_have(node_that_kept(kept, false, 0), &doubtful(kept, 6)).await);
    assert!(!may_have(node_that_kept(kept, false, 0), &doubtful(b"lost", 5)).await);
    assert!(!may_have(node_that_kept(kept, false, 0), &[]).await);
    let hidden = may_have(node_that_kept(kept, false, 7), &doubtful(b"lost", 5)).await;
    assert!(hidden, "a block that is not shown may have it");
    let silent = MockNode::new(|method, _| match method {
        "author_pendingExtrinsics" => Answer::no_state(),
        "chain_getBlock" => Answer::Json(json!(null)),
        _ => Answer::hash(),
    });
    assert!(may_have(silent, &doubtful(b"lost", 5)).await);
}

/// The same nonce is always safe, because only one transaction is executed with it.
#[tokio::test]
async fn a_call_is_signed_with_another_nonce_only_if_its_last_transaction_is_gone() {
    let kept = b"kept".as_slice();
    let may_sign_with = async |nonce, transaction: &[u8]| {
        let client = node_that_kept(kept, false, 0).client(&["ws://node"]).await;
        let before = doubtful(transaction, 5);
        client.may_sign_with(nonce, &before).await
    };
    for transaction in [kept, b"lost"] {
        assert!(may_sign_with(3, transaction).await.is_ok());
        let lower = may_sign_with(2, transaction).await;
        assert!(matches!(lower, Err(ChainError::Overtaken(_))), "{lower:?}");
    }
    assert!(may_sign_with(4, b"lost").await.is_ok());
    let higher = may_sign_with(4, kept).await;
    assert!(matches!(higher, Err(ChainError::Pending)), "{higher:?}");
}

#[test]
fn a_gap_is_one_that_stays() {
    let mut gap = Gap::default();
    for (next, stays) in [
        (5, false),
        (4, false),
        (4, true),
        (5, false),
        (3, false),
        (4, false),
        (4, true),
    ] {
        assert_eq!(gap.stays(next, 5), stays, "{next}");
    }
}

#[tokio::test]
async fn a_node_that_tells_no_nonce_holds_up_no_call_for_long_and_nothing_is_sent() {
    let evasive = MockNode::new(|method, _| match method {
        "system_accountNextIndex" => Answer::Silence,
        _ => Answer::hash(),
    });
    let client = Client {
        patience: Duration::from_millis(20),
        ..evasive.client(&["ws://evasive"]).await
    };
    let account = AccountId32([7; 32]);
    // One waits for the other.
    let asked = futures::future::join(client.next_nonce(&account), client.next_nonce(&account));
    let (first, second) = timeout(Duration::from_secs(10), asked).await.unwrap();
    for nonce in [first, second] {
        let error = nonce.map(|(_, nonce)| nonce).unwrap_err();
        assert!(
            matches!(&error, ChainError::Unsent { url, .. } if url == "ws://evasive"),
            "{error:?}"
        );
        assert!(error.is_gone(), "another node is tried");
    }
    assert!(client.signing.try_lock().is_ok());
}

#[test]
fn tips_double_up_to_a_cap() {
    let tips = |max| {
        std::iter::successors(next_tip(0, max), move |tip| next_tip(*tip, max))
            .map(|tip| tip / 1_000_000_000)
            .collect::<Vec<_>>()
    };
    let gtg = 1_000_000_000_000;
    assert_eq!(tips(gtg), [10, 20, 40, 80, 160, 320, 640, 1000]);
    assert_eq!(tips(FIRST_TIP), [10]);
    assert_eq!(tips(FIRST_TIP / 2), [5]);
    assert_eq!(tips(0), []);
    assert_eq!(next_tip(u128::MAX - 1, u128::MAX), Some(u128::MAX));
    assert_eq!(next_tip(u128::MAX, u128::MAX), None);
}
