//! Whether the account may attest at all.

use crate::{chain::ChainError, run::RunError};
use gotong_protocol::view::StakeView;
use std::future::Future;

/// Fails unless this registration, which a node shows, is that of an attester. A node that has not caught up may not know of it
/// yet, for example if it was restarted together with this program. `caught_up` finds that out, and is called only if it matters.
pub(super) async fn check(
    shown: Option<StakeView>,
    caught_up: impl Future<Output = Result<(), ChainError>>,
) -> Result<(), RunError> {
    if shown.is_some_and(|stake| stake.roles.attester) {
        return Ok(());
    }
    caught_up.await?;
    Err(RunError::Unregistered(
        "not registered as an attester: run `gotong register --role attester --stake AMOUNT` first",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::Roles;
    use std::future::{pending, ready};

    fn stake(roles: Roles) -> StakeView {
        StakeView {
            roles,
            stake: 1,
            active: true,
            unbonding: None,
            seats_held: 0,
        }
    }

    /// The daemon ends only if a node that has caught up says so. Otherwise a restart of the machine would end it.
    #[tokio::test]
    async fn what_a_syncing_node_does_not_know_yet_ends_nothing() {
        for shown in [None, Some(stake(Roles::CONTRIBUTOR))] {
            let behind = ready(Err(ChainError::Behind {
                url: "ws://one".into(),
                seconds: 900,
            }));
            let error = check(shown.clone(), behind).await.unwrap_err();
            assert!(
                matches!(error, RunError::Chain(ChainError::Behind { .. })),
                "{error:?}"
            );
            assert!(!error.is_fatal(), "{error:?}");
            let error = check(shown, ready(Ok(()))).await.unwrap_err();
            assert!(matches!(error, RunError::Unregistered(_)), "{error:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_registered_waits_for_no_answer() {
        for roles in [Roles::ATTESTER, Roles::BOTH] {
            assert!(check(Some(stake(roles)), pending()).await.is_ok());
        }
    }
}
