//! Nonces, tips, and nodes that do not answer.

use super::*;
use crate::chain::mock::{Answer, MockNode};

#[test]
fn who_is_overtaken_is_told_from_who_cannot_pay() {
    assert!(is_overtaken(code::INVALID, 7, 8));
    assert!(!is_overtaken(code::INVALID, 7, 7));
    for code in [code::BANNED, code::ALREADY_IMPORTED, code::TOO_LOW_PRIORITY] {
        assert!(is_overtaken(code, 7, 7));
    }
    assert!(!is_overtaken(code::IMMEDIATELY_DROPPED, 7, 8));
}

/// The upgrade may have changed the version that the signature covers, or how transactions are encoded.
#[test]
fn what_was_signed_for_the_runtime_of_before_is_signed_again() {
    let rejected = |code| ChainError::Rejected {
        code,
        reason: String::new(),
        of_a_fork: false,
    };
    for code in [code::INVALID, code::UNREADABLE] {
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
    let refused = ChainError::Rejected {
        code: code::UNREADABLE,
        reason: String::new(),
        of_a_fork: false,
    };
    let error = after_upgrade(refused, 7, Some(8));
    assert!(matches!(error, ChainError::Rejected { .. }), "{error:?}");
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
