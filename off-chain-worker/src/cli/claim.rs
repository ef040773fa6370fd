//! `gotong claim`: claims every share that is owed.

use super::{
    output::{Amount, SYMBOL},
    Globals,
};
use crate::run::{claim_shares, Claimed, Replica};
use gotong_protocol::{
    view::{RewardKind, RewardState},
    TaskId,
};
use serde_json::json;
use std::collections::BTreeSet;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong claim --dev Bob\n\n\
                        `gotong contribute` claims by itself; this is for what it did not.")]
pub struct Claim {
    /// Claim from this task only
    #[arg(long)]
    task: Option<u32>,
}

pub async fn run(args: Claim, globals: &Globals) -> anyhow::Result<()> {
    let signer = globals.signer()?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let dirs = globals.dirs()?;
    let rewards = now.rewards(&signer.public_key().0).await?;
    let tasks: BTreeSet<TaskId> = rewards
        .iter()
        .filter(|reward| {
            reward.kind == RewardKind::Contributor
                && matches!(reward.state, RewardState::Claimable { .. })
                && args.task.is_none_or(|task| reward.task == TaskId(task))
        })
        .map(|reward| reward.task)
        .collect();
    let mut total = Claimed::default();
    for task in tasks {
        let Some(view) = now.task(task).await? else {
            continue;
        };
        let mut replica = Replica::open(&client, &now, &dirs, &view).await?;
        replica.advance(&client, &now).await?;
        let claimed = claim_shares(&client, &now, &signer, &replica, task).await?;
        total.shares += claimed.shares;
        total.amount += claimed.amount;
    }
    let json = json!({ "shares": total.shares, "amount": total.amount.to_string() });
    globals.output.print(json, || match total.shares {
        0 => "nothing to claim".to_owned(),
        shares => format!(
            "claimed {} {SYMBOL} for {shares} rounds",
            Amount(total.amount)
        ),
    });
    Ok(())
}
