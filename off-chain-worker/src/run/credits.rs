//! Credits of settled rounds, published so that contributors see what they are owed, and claim it from any wallet.

use super::{in_commit_order, RunError};
use crate::chain::{Call, ChainError, Client, Inclusion, Keypair, Moment};
use gotong_protocol::{
    bounds::MAX_PUBLISHED,
    view::{RoundView, SubmissionView},
    RoundId, TaskId,
};
use gotong_scoring::ShareTable;

/// Credits of a settled round that nobody has published or claimed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unpublished {
    task: TaskId,
    round: RoundId,
    /// Rows of the round's table.
    entrants: Vec<u32>,
}

impl Unpublished {
    /// The unpublished credits of a round at `now`. None if it merged nothing, or if the chain knows all that are not claimed.
    pub async fn of(now: &Moment, round: &RoundView) -> Result<Option<Self>, ChainError> {
        if round.claim.and_then(|claim| claim.merged).is_none() {
            return Ok(None);
        }
        let submissions = now.submissions(round.task, round.round).await?;
        let entrants = unknown_entrants(&submissions);
        Ok((!entrants.is_empty()).then_some(Self {
            task: round.task,
            round: round.round,
            entrants,
        }))
    }

    /// The round of these credits.
    pub fn round(&self) -> RoundId {
        self.round
    }

    /// Publishes them from `table`, the one that the round settled on. Returns how many of them were new to the chain.
    pub async fn publish(
        self,
        client: &Client,
        signer: &Keypair,
        table: ShareTable,
    ) -> Result<usize, RunError> {
        let Self {
            task,
            round,
            entrants,
        } = self;
        let prove = move || -> Vec<_> {
            let proofs = entrants.iter();
            proofs.filter_map(|one| table.prove_credit(*one)).collect()
        };
        let proofs = tokio::task::spawn_blocking(prove).await?;
        let mut published = 0;
        for batch in proofs.chunks(MAX_PUBLISHED as usize) {
            let call = Call::publish_credits(task, round, batch);
            match client.submit(signer, &call, Inclusion::Best).await {
                Ok(receipt) => {
                    let events = receipt.events.iter();
                    published += events.filter(|(name, _)| name == "CreditPublished").count();
                }
                // Another attester was faster, or the accounts have claimed.
                Err(error) if error.is_refusal("NothingToPublish") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(published)
    }
}

/// The entrants of a round that have not claimed their credits and whose credits the chain does not know.
fn unknown_entrants(submissions: &[SubmissionView]) -> Vec<u32> {
    let entrants = (0u32..).zip(in_commit_order(submissions));
    entrants
        .filter(|(_, submission)| submission.credit.is_none() && submission.claimed.is_none())
        .map(|(entrant, _)| entrant)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::submission;
    use gotong_protocol::{claim::Claimed, Credit};

    #[test]
    fn only_what_is_neither_known_nor_claimed_is_published() {
        let mut submissions = [
            submission(3, true),
            submission(0, true),
            submission(1, false),
            submission(4, true),
            submission(2, true),
        ];
        assert_eq!(unknown_entrants(&submissions), [0, 1, 2, 3]);
        // Those that revealed are 0, 2, 3 and 4.
        submissions[4].credit = Some(Credit::default());
        submissions[3].claimed = Some(Claimed::default());
        assert_eq!(unknown_entrants(&submissions), [0, 2]);
    }
}
