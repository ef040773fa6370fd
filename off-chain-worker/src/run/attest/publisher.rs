//! How an attester publishes contributors' credits in the rounds whose tables it stood for.
//!
//! Publishing is voluntary and free. `gotong contribute` claims by itself, soon after the end of a round; all other contributors
//! depend on somebody who has the round's table. Attesters take turns in the order of their seats, so that no two pay for
//! publishing the same credits.

use crate::{
    chain::{Account, ChainError, Client, Keypair, Moment},
    run::{Replica, RunError, Unpublished},
};
use gotong_protocol::{
    view::{RoundView, SeatView, TaskView},
    RoundId, SeatState,
};
use gotong_scoring::ShareTable;

/// How many blocks after the end of a round contributors have to claim by themselves.
const CLAIM_BLOCKS: u32 = 10;
/// How many blocks each seat waits for the one before it.
const SEAT_BLOCKS: u32 = 5;

/// Publishes the credits of one task.
pub(super) struct Publisher {
    signer: Keypair,
    /// The last round that is done with: nothing is left to publish for it.
    done: Option<RoundId>,
}

/// What there is to publish.
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Something, but it is too early, or the round's table is not computed yet.
    Later,
    /// These credits, with the table of their round.
    Now(Box<(Unpublished, ShareTable)>),
}

impl Publisher {
    pub fn new(signer: Keypair) -> Self {
        Self { signer, done: None }
    }

    /// What there is to publish about the task's last round that has ended.
    pub async fn due(
        &mut self,
        now: &Moment,
        view: &TaskView,
        round: &RoundView,
        replica: &Replica,
    ) -> Result<Due, RunError> {
        let last = match round.outcome {
            Some(_) => Some(view.round),
            None => view.round.0.checked_sub(1).map(RoundId),
        };
        let Some(last) = last.filter(|last| self.done < Some(*last)) else {
            return Ok(Due::Nothing);
        };
        let ended = now.round(view.id, last).await?;
        let account = self.signer.public_key().0;
        let begins = ended.as_ref().and_then(|ended| begins_at(ended, &account));
        let unpublished = match (&ended, begins) {
            (Some(ended), Some(_)) => Unpublished::of(now, ended).await?,
            _ => None,
        };
        let (Some(unpublished), Some(begins)) = (unpublished, begins) else {
            self.done = Some(last);
            return Ok(Due::Nothing);
        };
        if now.block() < begins || replica.next_round() <= last {
            return Ok(Due::Later);
        }
        Ok(match replica.table(last) {
            Ok(Some(table)) => Due::Now(Box::new((unpublished, table))),
            // The round settled on another table than was computed here, or the table's file is damaged. Waiting mends neither.
            no_table => {
                if let Err(error) = no_table {
                    tracing::warn!("the credits of round {last} were not published: {error}");
                }
                self.done = Some(last);
                Due::Nothing
            }
        })
    }

    /// Publishes credits. If the chain refuses them, this is logged and not tried again.
    pub async fn publish(
        &mut self,
        client: &Client,
        (unpublished, table): (Unpublished, ShareTable),
    ) -> Result<(), RunError> {
        let round = unpublished.round();
        match unpublished.publish(client, &self.signer, table).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("published {count} credits of round {round}"),
            Err(RunError::Chain(error))
                if error.is_gone() || matches!(error, ChainError::Pending) =>
            {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!("the credits of round {round} were not published: {error}")
            }
        }
        self.done = Some(round);
        Ok(())
    }
}

/// The block from which the account publishes the credits of a round, if it stood for the round's table.
fn begins_at(ended: &RoundView, account: &Account) -> Option<u32> {
    let stands = |seat: &&SeatView| seat.state == SeatState::Sitting && seat.audited;
    let mut standing = ended.seats.iter().filter(stands);
    let place = standing.position(|seat| seat.account == *account)?;
    let wait = SEAT_BLOCKS.saturating_mul(u32::try_from(place).ok()?);
    Some((ended.ends_at.saturating_add(CLAIM_BLOCKS)).saturating_add(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::{round, seat};

    #[test]
    fn attesters_publish_one_after_another() {
        let mut ended = round();
        ended.ends_at = 100;
        ended.seats = vec![
            seat(1, SeatState::Missed, None),
            seat(2, SeatState::Sitting, None),
            seat(3, SeatState::Sitting, None),
        ];
        assert_eq!(begins_at(&ended, &[2; 32]), Some(110));
        assert_eq!(begins_at(&ended, &[3; 32]), Some(115));
        // An attester that did not stand has no table to show, and an account without a seat has nothing to publish.
        assert_eq!(begins_at(&ended, &[1; 32]), None);
        assert_eq!(begins_at(&ended, &[4; 32]), None);
    }
}
