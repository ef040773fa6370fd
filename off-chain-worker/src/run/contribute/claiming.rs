//! How a contributor's daemon claims its credits.

use super::{super::claim_rounds, Contribute, Opened, Rebuilt};
use crate::{
    chain::{ChainError, Client, Moment},
    run::{DeltaSource, RunError, StuckClaim},
};
use gotong_protocol::{view::TaskView, RoundId};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

const CLAIM_RETRY: Duration = Duration::from_secs(30);

impl Contribute {
    /// The first round that is not claimed.
    pub(super) async fn unclaimed(&self, now: &Moment) -> Result<Option<RoundId>, ChainError> {
        let ledger = now.ledger(&self.account, self.task).await?;
        Ok(ledger.and_then(|ledger| ledger.next))
    }

    /// Claims. After a refusal it waits with the next try, without delaying anything else.
    pub(super) async fn claim(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<(), RunError> {
        if Instant::now() < self.claims_resume_at {
            return Ok(());
        }
        if let Rebuilt::Partly = self.rebuild(opened, client, now, view).await? {
            return Ok(());
        }
        // Rounds that were rebuilt can be claimed, whatever happened after them.
        let Some(replica) = opened.worker.replica() else {
            return Ok(());
        };
        let claims = claim_rounds(client, now, &self.signer, Some(replica), view).await?;
        if !claims.claimed.is_empty() {
            let (rounds, paid) = (claims.claimed.len(), claims.paid());
            tracing::info!("claimed {rounds} rounds, paid {paid} planck");
        }
        if let Some(stuck) = &claims.stuck {
            self.claims_resume_at = Instant::now() + CLAIM_RETRY;
            if !stuck.is_final {
                tracing::warn!("cannot claim {stuck}; trying again in {CLAIM_RETRY:?}");
            } else if claims.stuck != self.stuck {
                tracing::error!("cannot claim {stuck}");
            }
        }
        self.stuck = claims.stuck;
        Ok(())
    }

    /// What is left of a task whose last round ended without a trace, because it was closed before anybody had committed.
    pub(super) async fn act_without_round(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<ControlFlow<()>, RunError> {
        self.training = None;
        if !view.state.is_over() {
            return Ok(ControlFlow::Continue(()));
        }
        if let DeltaSource::Weights(_) = self.source {
            return self.end_of_submission();
        }
        let unclaimed = self.unclaimed(now).await?;
        if unclaimed.is_none() {
            return Ok(ControlFlow::Break(()));
        }
        self.claim(opened, client, now, view).await?;
        self.wait_for_claims(unclaimed)
    }

    /// A user's own weights are submitted once, so it is an error if the task was over before.
    pub(super) fn end_of_submission(&self) -> Result<ControlFlow<()>, RunError> {
        match self.has_revealed {
            true => Ok(ControlFlow::Break(())),
            false => Err(RunError::Refused(
                "the task is over: nothing was submitted".into(),
            )),
        }
    }

    /// Called when everything else is over. It is an error if there is nothing left to wait for because this round cannot be
    /// claimed.
    pub(super) fn wait_for_claims(
        &self,
        unclaimed: Option<RoundId>,
    ) -> Result<ControlFlow<()>, RunError> {
        let is_stuck = |stuck: &&StuckClaim| stuck.is_final && unclaimed == Some(stuck.round);
        match self.stuck.as_ref().filter(is_stuck) {
            Some(stuck) => Err(RunError::Refused(format!("cannot claim {stuck}"))),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}
