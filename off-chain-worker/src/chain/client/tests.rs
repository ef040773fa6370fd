//! Nonces, tips, and nodes that do not answer.

use super::*;
use crate::chain::mock::{Answer, MockNode};
use subxt::tx::{TransactionUnknown, TransactionValid};

fn rejected(code: i32) -> ChainError {
    ChainError::Rejected {
        code,
        reason: String::new(),
        of_a_fork: false,
    }
}

/// The pool says no more than that a transaction is invalid, and perhaps it looks at a fork that was just dropped.
#[test]
fn the_best_block_tells_why_the_pool_called_a_transaction_invalid() {
    use ValidationResult::{Invalid, Unknown, Valid};
    let of_a_fork = |judgement: Option<_>, is_tied| match explained(
        rejected(code::INVALID),
        judgement.as_ref(),
        is_tied,
    ) {
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
    let stale = Invalid(TransactionInvalid::Stale);
    for is_tied in [false, true] {
        let cases = [
            (Some(Valid(valid.clone())), true),
            (Some(Invalid(TransactionInvalid::Payment)), false),
            // The fork of the block that it was signed for is gone.
            (Some(Invalid(TransactionInvalid::BadProof)), !is_tied),
            (Some(Unknown(TransactionUnknown::CannotLookup)), false),
            (None, false),
        ];
        for (judgement, expected) in cases {
            let told = format!("{judgement:?}, tied: {is_tied}");
            assert_eq!(of_a_fork(judgement, is_tied), expected, "{told}");
        }
        let error = explained(rejected(code::INVALID), Some(&stale), is_tied);
        assert!(matches!(error, ChainError::Overtaken(_)), "{error:?}");
    }
}

#[test]
fn whoever_is_overtaken_signs_again_and_a_full_pool_drops() {
    for code in [code::BANNED, code::ALREADY_IMPORTED, code::TOO_LOW_PRIORITY] {
        let error = explained(rejected(code), None, false);
        assert!(matches!(error, ChainError::Overtaken(_)), "{error:?}");
    }
    let error = explained(rejected(code::IMMEDIATELY_DROPPED), None, false);
    assert!(matches!(error, ChainError::Dropped(_)), "{error:?}");
    let error = explained(rejected(code::UNREADABLE), None, false);
    assert!(matches!(error, ChainError::Rejected { .. }), "{error:?}");
}

/// The upgrade may have changed the version that the signature covers, or how transactions are encoded.
#[test]
fn what_was_signed_for_the_runtime_of_before_is_signed_again() {
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
    let error = after_upgrade(rejected(code::UNREADABLE), 7, Some(8));
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
