//! `gotong rewards`: what an account earned, can claim and has claimed.

use super::{
    output::{table, Amount},
    Globals,
};
use crate::{
    chain::{Account, Client, Moment},
    keys::address,
    run::{share_of, Replica, WorkerDirs},
};
use anyhow::Context;
use gotong_protocol::{
    view::{RewardKind, RewardState, RewardView},
    TaskId,
};
use serde_json::{json, Value};
use std::collections::{btree_map::Entry, BTreeMap};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong rewards --dev Bob\n  gotong rewards Bob --output json\n\n\
                        What can be claimed is computed exactly, by replaying the task."
)]
pub struct Rewards {
    /// An address or a development name [default: the signing account]
    account: Option<String>,
}

/// One line of the answer; planck.
pub struct Reward {
    pub view: RewardView,
    pub claimable: u128,
    pub claimed: u128,
}

impl Reward {
    pub fn earned(&self) -> u128 {
        self.claimable + self.claimed
    }

    fn state(&self) -> &'static str {
        match self.view.state {
            RewardState::Pending => "pending",
            RewardState::Claimable { .. } if self.claimable > 0 => "claimable",
            RewardState::Paid(_) => "paid",
            RewardState::Claimable { .. } | RewardState::Nothing => "nothing",
        }
    }

    fn json(&self) -> Value {
        json!({
            "task": self.view.task.0,
            "round": self.view.round.0,
            "role": role(self.view.kind),
            "state": self.state(),
            "earned": self.earned().to_string(),
            "claimable": self.claimable.to_string(),
            "claimed": self.claimed.to_string(),
        })
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.view.task.to_string(),
            self.view.round.to_string(),
            role(self.view.kind).to_owned(),
            self.state().to_owned(),
            Amount(self.earned()).to_string(),
            Amount(self.claimable).to_string(),
            Amount(self.claimed).to_string(),
        ]
    }
}

fn role(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::Contributor => "contributor",
        RewardKind::Attester => "attester",
    }
}

/// Every reward of `account`, with what it can claim.
pub async fn rewards_of(
    client: &Client,
    now: &Moment,
    dirs: &WorkerDirs,
    account: &Account,
) -> anyhow::Result<Vec<Reward>> {
    let mut replicas: BTreeMap<TaskId, Replica> = BTreeMap::new();
    let mut rewards = Vec::new();
    for view in now.rewards(account).await? {
        let (mut claimable, mut claimed) = (0, 0);
        match view.state {
            RewardState::Paid(amount) => claimed = amount,
            RewardState::Claimable { pot, .. } => {
                let replica = match replicas.entry(view.task) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let task = now.task(view.task).await?.context("a reward of no task")?;
                        let mut replica = Replica::open(client, now, dirs, &task).await?;
                        replica.advance(client, now).await?;
                        place.insert(replica)
                    }
                };
                let share = share_of(replica, now, account, view.task, view.round, pot).await?;
                claimable = share.map_or(0, |share| share.amount);
            }
            RewardState::Pending | RewardState::Nothing => {}
        }
        rewards.push(Reward {
            view,
            claimable,
            claimed,
        });
    }
    Ok(rewards)
}

pub async fn run(args: Rewards, globals: &Globals) -> anyhow::Result<()> {
    let account = globals.account(args.account.as_deref())?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let rewards = rewards_of(&client, &now, &globals.dirs()?, &account).await?;
    let sum = |part: fn(&Reward) -> u128| rewards.iter().map(part).sum::<u128>();
    let (earned, claimable, claimed) = (
        sum(Reward::earned),
        sum(|reward| reward.claimable),
        sum(|reward| reward.claimed),
    );
    let json = json!({
        "account": address(&account),
        "earned": earned.to_string(),
        "claimable": claimable.to_string(),
        "claimed": claimed.to_string(),
        "rewards": rewards.iter().map(Reward::json).collect::<Vec<_>>(),
    });
    globals.output.print(json, || {
        let mut rows: Vec<_> = rewards.iter().map(Reward::row).collect();
        let sums = [earned, claimable, claimed].map(|sum| Amount(sum).to_string());
        let total = ["", "", "", "total"].map(str::to_owned);
        rows.push(total.into_iter().chain(sums).collect());
        let head = [
            "task",
            "round",
            "role",
            "state",
            "earned",
            "claimable",
            "claimed",
        ];
        format!("{}\n\n{}", address(&account), table(&head, &rows))
    });
    Ok(())
}
