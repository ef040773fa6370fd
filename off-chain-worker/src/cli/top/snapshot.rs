//! Everything that the live view shows, at one block.

use crate::{
    chain::{Account, Balance, ChainError, Client, Moment},
    cli::{
        claimable, offer,
        task::{duty_json, round_json},
    },
    keys::address,
};
use futures::future::try_join_all;
use gotong_protocol::{
    view::{ClaimableView, Duty, OfferView, RoundView, StakeView, TaskView},
    RoundId, TaskId,
};
use serde_json::{json, Value};
use std::cmp::Reverse;

/// Requests that are made at the same time.
const AT_ONCE: usize = 16;
/// The maximum number of rounds shown for a task, the newest ones.
const MOST_ROUNDS: u32 = 32;

/// What the chain says at a block.
pub struct Snapshot {
    /// Where the node is.
    pub node: String,
    /// The block.
    pub block: u32,
    /// The last block that is final.
    pub finalized: u64,
    /// Milliseconds from one block to the next.
    pub block_millis: u64,
    /// All tasks: first those with a round under way, last those that are over.
    pub tasks: Vec<TaskRow>,
    /// The newest rounds of the task that was asked for, the last one first.
    pub rounds: Vec<RoundView>,
    /// What the account has, if there is one.
    pub standing: Option<Standing>,
}

/// A task with its last round.
pub struct TaskRow {
    /// The task.
    pub task: TaskView,
    /// The round under way, or the last one; none before the first.
    pub round: Option<RoundView>,
}

/// What an account has, and what is expected of it.
pub struct Standing {
    /// The account.
    pub account: Account,
    /// Its money.
    pub balance: Balance,
    /// Its registration, if it has one.
    pub stake: Option<StakeView>,
    /// What it offers to attest.
    pub offer: Option<OfferView>,
    /// What it may do now.
    pub duties: Vec<Duty>,
    /// What it still has to claim.
    pub claimables: Vec<ClaimableView>,
}

impl Snapshot {
    /// What the chain says at `now`, with the rounds of the task that is `opened`.
    pub async fn at(
        client: &Client,
        now: &Moment,
        account: Option<&Account>,
        opened: Option<TaskId>,
    ) -> Result<Self, ChainError> {
        let mut tasks = Vec::new();
        for ids in now.tasks().await?.chunks(AT_ONCE) {
            let rows = try_join_all(ids.iter().map(|id| TaskRow::at(now, *id))).await?;
            tasks.extend(rows.into_iter().flatten());
        }
        // The sort is stable: equal tasks stay in the order of their ids.
        tasks.sort_by_key(|row| (row.task.state.is_over(), !row.task.state.is_live()));
        let opened = tasks.iter().find(|row| Some(row.task.id) == opened);
        let rounds = match opened {
            Some(row) => newest_rounds(now, &row.task).await?,
            None => Vec::new(),
        };
        let (finalized, _) = client.finalized().await?;
        let standing = match account {
            Some(account) => Some(Standing::at(now, account).await?),
            None => None,
        };
        Ok(Self {
            node: client.url().to_owned(),
            block: now.block(),
            finalized,
            block_millis: now.block_millis()?,
            tasks,
            rounds,
            standing,
        })
    }

    /// How many blocks the final block is behind.
    pub fn finality_lag(&self) -> u64 {
        u64::from(self.block).saturating_sub(self.finalized)
    }

    /// Blocks until `block`, and the seconds that they take if none is full.
    pub fn left(&self, block: u32) -> (u32, u64) {
        let blocks = block.saturating_sub(self.block);
        let millis = u64::from(blocks).saturating_mul(self.block_millis);
        (blocks, millis / 1000)
    }

    /// What everything that can be claimed pays, in planck, as far as the chain knows, and how many rounds it does not know about.
    pub fn claimable(&self) -> (u128, usize) {
        let claimables = self.standing.iter().flat_map(|own| &own.claimables);
        claimables.fold((0, 0), |(pays, unknown), view| {
            let pays = view.pays.saturating_add(pays);
            (pays, view.unknown.len() + unknown)
        })
    }

    /// The snapshot, for programs.
    pub fn json(&self) -> Value {
        let (claimable, unknown) = self.claimable();
        let task = |row: &TaskRow| {
            let task = &row.task;
            let round = row.round.as_ref();
            json!({
                "task": task.id.0,
                "name": task.terms.name.as_str(),
                "state": format!("{:?}", task.state),
                "budget": task.pool.to_string(),
                "seats": task.terms.seats,
                "round": round.map(|round| round_json(round, task)),
            })
        };
        let account = self.standing.as_ref().map(|own| {
            let stake = own.stake.as_ref();
            let claimables = own.claimables.iter();
            json!({
                "account": address(&own.account),
                "free": own.balance.free.to_string(),
                "reserved": own.balance.reserved.to_string(),
                "stake": stake.map(|stake| stake.stake.to_string()),
                "contributor": stake.map(|stake| stake.roles.contributor),
                "attester": stake.map(|stake| stake.roles.attester),
                "active": stake.map(|stake| stake.active),
                "offer": offer::json(own.offer.as_ref()),
                "duties": own.duties.iter().map(duty_json).collect::<Vec<_>>(),
                "claimable": claimable.to_string(),
                "unknown_rounds": unknown,
                "claimables": claimables.map(|view| claimable::json(Some(view))).collect::<Vec<_>>(),
            })
        });
        json!({
            "node": self.node,
            "block": self.block,
            "finalized": self.finalized,
            "finality_lag": self.finality_lag(),
            "block_millis": self.block_millis,
            "tasks": self.tasks.iter().map(task).collect::<Vec<_>>(),
            "account": account,
        })
    }
}

impl TaskRow {
    /// The task and its last round at `now`.
    async fn at(now: &Moment, id: TaskId) -> Result<Option<Self>, ChainError> {
        let Some(task) = now.task(id).await? else {
            return Ok(None);
        };
        let round = now.round(id, task.round).await?;
        Ok(Some(Self { task, round }))
    }
}

impl Standing {
    /// What `account` has at `now`.
    async fn at(now: &Moment, account: &Account) -> Result<Self, ChainError> {
        let mut duties = now.duties(account).await?;
        duties.sort_by_key(|duty| duty.ends_at);
        Ok(Self {
            account: *account,
            balance: now.balance(account).await?,
            stake: now.stake(account).await?,
            offer: now.offer(account).await?,
            duties,
            claimables: now.claimables(account).await?,
        })
    }
}

/// The newest rounds of `task`, the last one first.
async fn newest_rounds(now: &Moment, task: &TaskView) -> Result<Vec<RoundView>, ChainError> {
    let first = task.round.0.saturating_sub(MOST_ROUNDS - 1);
    let ids: Vec<RoundId> = (first..=task.round.0).map(RoundId).collect();
    let mut rounds = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let found = try_join_all(ids.iter().map(|id| now.round(task.id, *id))).await?;
        rounds.extend(found.into_iter().flatten());
    }
    rounds.sort_by_key(|round| Reverse(round.round));
    Ok(rounds)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::run::views;
    use gotong_protocol::{view::DutyKind, Phase, Roles, TaskName};

    /// A snapshot of block 1,000, with tasks of these ids.
    pub fn snapshot(ids: &[u32]) -> Snapshot {
        let row = |id: &u32| {
            let mut row = TaskRow {
                task: views::task(),
                round: Some(views::round()),
            };
            row.task.id = TaskId(*id);
            if let Some(round) = &mut row.round {
                (round.task, round.ends_at) = (TaskId(*id), 1_030);
            }
            row
        };
        Snapshot {
            node: "ws://127.0.0.1:9944".into(),
            block: 1_000,
            finalized: 997,
            block_millis: 6_000,
            tasks: ids.iter().map(row).collect(),
            rounds: Vec::new(),
            standing: None,
        }
    }

    /// A contributor that has to reveal soon, and can claim.
    pub fn standing() -> Standing {
        Standing {
            account: [1; 32],
            balance: Balance {
                free: 12_500_000_000_000,
                reserved: 100_000_000_000_000,
            },
            stake: Some(StakeView {
                roles: Roles::CONTRIBUTOR,
                stake: 100_000_000_000_000,
                active: true,
                unbonding: None,
                seats_held: 0,
            }),
            offer: None,
            duties: vec![Duty {
                task: TaskId(1),
                round: RoundId(2),
                phase: Phase::Reveal,
                ends_at: 1_005,
                what: DutyKind::Reveal,
            }],
            claimables: vec![ClaimableView {
                task: TaskId(1),
                rounds: vec![RoundId(1)],
                pays: 383_000_000_000,
                until: Some(2_000),
                unknown: vec![RoundId(2)],
                unknown_until: Some(2_100),
            }],
        }
    }

    #[test]
    fn time_left_is_told_in_blocks_and_seconds() {
        let snapshot = snapshot(&[]);
        assert_eq!(snapshot.left(1_030), (30, 180));
        assert_eq!(snapshot.left(1_000), (0, 0));
        assert_eq!(snapshot.left(3), (0, 0));
        assert_eq!(snapshot.finality_lag(), 3);
    }

    #[test]
    fn programs_read_all_that_is_shown() {
        let mut snapshot = snapshot(&[3, 5]);
        let json = snapshot.json();
        assert_eq!(json["account"], Value::Null);
        assert_eq!(
            (&json["block"], &json["finality_lag"]),
            (&1_000.into(), &3.into())
        );
        assert_eq!(json["tasks"][1]["task"], 5);
        assert_eq!(json["tasks"][0]["round"]["phase"], "AttestCommit");
        assert_eq!(json["tasks"][0]["round"]["commits"], 2);
        snapshot.standing = Some(standing());
        snapshot.tasks[0].round = None;
        snapshot.tasks[0].task.terms.name = TaskName::new("b\u{1b}[2K").unwrap();
        let json = snapshot.json();
        assert_eq!(json["tasks"][0]["round"], Value::Null);
        // Printed, it is escaped as JSON escapes; a program reads the name as it is.
        assert_eq!(json["tasks"][0]["name"], "b\u{1b}[2K");
        let account = &json["account"];
        assert_eq!(account["stake"], "100000000000000");
        assert_eq!(account["claimable"], "383000000000");
        assert_eq!(account["unknown_rounds"], 1);
        assert_eq!(account["duties"][0]["what"], "Reveal");
        assert_eq!(account["duties"][0]["task"], 1);
    }
}
