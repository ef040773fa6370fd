//! Shares of settled rounds: what they are worth, and how they are claimed.

use super::{replica::in_commit_order, Replica, RunError};
use crate::chain::{Account, Call, Client, Inclusion, Keypair, Moment};
use gotong_protocol::{
    bounds::MAX_CLAIMS,
    pay::slice,
    view::{RewardKind, RewardState, RewardView},
    ClaimItem, RoundId, ShareProof, TaskId,
};

/// One account's share of a settled round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Proves it to the chain.
    pub proof: ShareProof,
    /// What it is worth, in planck.
    pub amount: u128,
}

/// Shares that were claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// How many.
    pub shares: usize,
    /// In planck.
    pub amount: u128,
}

/// The account's share of `pot` in a round that `replica` has replayed; `None` when it has none.
pub async fn share_of(
    replica: &Replica,
    now: &Moment,
    account: &Account,
    task: TaskId,
    round: RoundId,
    pot: u128,
) -> Result<Option<Share>, RunError> {
    let Some(table) = replica.table(round)? else {
        return Ok(None);
    };
    let submissions = now.submissions(task, round).await?;
    let own = submissions
        .iter()
        .find(|submission| submission.account == *account)
        .and_then(|submission| submission.revealed.as_ref());
    let row = in_commit_order(&submissions)
        .iter()
        .position(|(_, revealed)| own.is_some_and(|own| std::ptr::eq(own, *revealed)));
    let share = row.and_then(|row| {
        let proof = table.prove_share(row)?;
        let proved = proof.verify(&table.claim()).ok()?;
        let share = u128::from(proved.share);
        let amount = slice(pot, proved.total, proved.prefix, share)?;
        (share > 0).then_some(Share { proof, amount })
    });
    Ok(share)
}

/// Claims every share of `account` in the task that `replica` has replayed up to now.
pub async fn claim_shares(
    client: &Client,
    now: &Moment,
    signer: &Keypair,
    replica: &Replica,
    task: TaskId,
) -> Result<Claimed, RunError> {
    let account = signer.public_key().0;
    let mut items = Vec::new();
    let mut claimed = Claimed::default();
    for (round, pot) in claimable_rounds(&now.rewards(&account).await?, task) {
        if let Some(share) = share_of(replica, now, &account, task, round, pot).await? {
            claimed.shares += 1;
            claimed.amount += share.amount;
            items.push(ClaimItem {
                task,
                round,
                proof: share.proof,
            });
        }
    }
    for batch in items.chunks(MAX_CLAIMS as usize) {
        client
            .submit(signer, &Call::claim(batch), Inclusion::Best)
            .await?;
    }
    Ok(claimed)
}

/// Rounds of `task` with something to claim, and what contributors share in each.
fn claimable_rounds(rewards: &[RewardView], task: TaskId) -> Vec<(RoundId, u128)> {
    rewards
        .iter()
        .filter(|reward| reward.task == task && reward.kind == RewardKind::Contributor)
        .filter_map(|reward| match reward.state {
            RewardState::Claimable { pot, .. } => Some((reward.round, pot)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unclaimed_shares_of_the_task_are_claimable() {
        let reward = |task, round, kind, state| RewardView {
            task: TaskId(task),
            round: RoundId(round),
            kind,
            state,
        };
        let claimable = |pot| RewardState::Claimable { pot, total: 1 };
        let rewards = [
            reward(1, 0, RewardKind::Contributor, RewardState::Paid(5)),
            reward(1, 1, RewardKind::Contributor, claimable(7)),
            reward(1, 2, RewardKind::Attester, RewardState::Nothing),
            reward(1, 3, RewardKind::Contributor, RewardState::Pending),
            reward(2, 1, RewardKind::Contributor, claimable(9)),
        ];
        assert_eq!(claimable_rounds(&rewards, TaskId(1)), [(RoundId(1), 7)]);
    }
}
