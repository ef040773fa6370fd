//! `gotong rewards`: what an account was credited, has proved and was paid.

use super::{
    claimable,
    output::{explain, millibits, signed_millibits, table, Amount, SYMBOL},
    replay::replica_of_claims,
    Globals,
};
use crate::{
    chain::{Account, Client, Moment},
    keys::address,
    run::{due_claims, Claims, DueClaim},
};
use gotong_protocol::{
    claim::Claimed,
    view::{ClaimableView, LedgerView, RewardKind, RewardState, RewardView, TaskView},
    RoundId, TaskId,
};
use serde_json::{json, Value};
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong rewards --dev Bob\n  gotong rewards Bob --output json\n\n\
                        A contributor is credited with what its delta was worth, and paid for what its credits prove together: \
                        their sum, less the doubt about it. See docs/contributors.md. Amounts to claim are exact. If somebody \
                        has published the credits, they come from the chain; otherwise the command replays the task."
)]
pub struct Rewards {
    /// An address or a development name [default: the signing account]
    account: Option<String>,
}

/// What an account has in one task.
struct TaskRewards {
    task: TaskView,
    /// Its ledger as a contributor.
    ledger: Option<LedgerView>,
    /// What the chain says is left to claim.
    claimable: Option<ClaimableView>,
    rounds: Vec<Reward>,
    /// Why the next round cannot be claimed, if it cannot.
    stuck: Option<String>,
}

/// What a round meant for an account.
struct Reward {
    view: RewardView,
    /// The result of its claim, or what it would be.
    claimed: Option<Claimed>,
}

impl Reward {
    fn state(&self) -> &'static str {
        match self.view.state {
            RewardState::Pending => "pending",
            RewardState::Claimable { .. } => "claimable",
            RewardState::Claimed(_) => "claimed",
            RewardState::Paid(_) => "paid",
            RewardState::Nothing => "nothing",
        }
    }

    /// What was paid, in planck; what is still to be claimed is not paid yet.
    fn paid(&self) -> u128 {
        match self.view.state {
            RewardState::Paid(fee) => fee,
            RewardState::Claimed(claimed) => claimed.paid,
            _ => 0,
        }
    }

    /// What can be claimed, in planck.
    fn claimable(&self) -> u128 {
        match self.view.state {
            RewardState::Claimable { .. } => self.claimed.map_or(0, |claimed| claimed.paid),
            _ => 0,
        }
    }

    fn json(&self) -> Value {
        let claimed = self.claimed;
        json!({
            "round": self.view.round.0,
            "role": role(self.view.kind),
            "state": self.state(),
            "credit_q16": claimed.map(|claimed| claimed.credit),
            "proved_q16": claimed.map(|claimed| claimed.proved),
            "paid": self.paid().to_string(),
            "claimable": self.claimable().to_string(),
        })
    }

    fn row(&self, task: &TaskView) -> Vec<String> {
        let samples = paying_samples(task);
        let of = |units: Option<i64>| {
            units.map_or(String::new(), |units| signed_millibits(units, samples))
        };
        vec![
            self.view.task.to_string(),
            self.view.round.to_string(),
            role(self.view.kind).to_owned(),
            self.state().to_owned(),
            of(self.claimed.map(|claimed| claimed.credit)),
            of(self.claimed.map(|claimed| as_signed(claimed.proved))),
            Amount(self.paid()).to_string(),
            Amount(self.claimable()).to_string(),
        ]
    }
}

impl TaskRewards {
    fn json(&self) -> Value {
        json!({
            "task": self.task.id.0,
            "samples_that_pay": paying_samples(&self.task),
            "ledger": self.ledger.as_ref().map(ledger_json),
            "chain_says": claimable::json(self.claimable.as_ref()),
            "rounds": self.rounds.iter().map(Reward::json).collect::<Vec<_>>(),
            "stuck": self.stuck,
        })
    }

    /// What a contributor has proved, in words.
    fn summary(&self) -> Option<String> {
        let ledger = self.ledger.as_ref()?;
        let samples = paying_samples(&self.task);
        let of = |units| signed_millibits(units, samples);
        let doubt = i64::try_from(ledger.doubt).unwrap_or(i64::MAX);
        let doubt = millibits(doubt, samples);
        let standing = if ledger.is_proven {
            "proven: its deltas weigh 64 times as much as a newcomer's"
        } else {
            "not proven yet: its deltas weigh as much as a newcomer's"
        };
        let next = match (&self.stuck, ledger.next) {
            (Some(stuck), _) => format!("cannot claim {stuck}"),
            (None, None) => "every round is claimed".to_owned(),
            (None, Some(round)) => {
                format!("round {round} is the next to claim, with `gotong claim` if it is over")
            }
        };
        let terms = &self.task.terms;
        Some(format!(
            "task {}: credited {} millibits a sample, with a doubt of {doubt:.2}; proved so far {}\n\
             {INDENT}paid {} {SYMBOL}: {} for each proved millibit, less {} permille for attesters; {} more if all is proved\n\
             {INDENT}{standing}; {next}\n\
             {INDENT}{}\n",
            self.task.id,
            of(ledger.ledger.sum),
            of(as_signed(ledger.ledger.proved)),
            Amount(ledger.paid),
            Amount(terms.price_per_millibit),
            terms.attester_fee_permille,
            Amount(ledger.open),
            claimable::describe(self.claimable.as_ref()),
        ))
    }
}

/// The indentation of continued lines.
const INDENT: &str = "        ";

fn ledger_json(view: &LedgerView) -> Value {
    json!({
        "credits_q16": view.ledger.sum.to_string(),
        "variance": view.ledger.variance.to_string(),
        "largest_variance": view.ledger.largest.to_string(),
        "doubt_q16": view.doubt.to_string(),
        "proved_q16": view.ledger.proved.to_string(),
        "paid": view.paid.to_string(),
        "open": view.open.to_string(),
        "is_proven": view.is_proven,
        "next_round_to_claim": view.next.map(|round| round.0),
    })
}

/// How many samples of a round pay.
fn paying_samples(task: &TaskView) -> u32 {
    task.terms.hold_out.samples() / 2
}

fn as_signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn role(kind: RewardKind) -> &'static str {
    match kind {
        RewardKind::Contributor => "contributor",
        RewardKind::Attester => "attester",
    }
}

/// What `account` has in every task that it took part in, with what it can claim.
async fn rewards_of(
    client: &Client,
    now: &Moment,
    globals: &Globals,
    account: &Account,
) -> anyhow::Result<Vec<TaskRewards>> {
    let mut by_task: BTreeMap<TaskId, Vec<RewardView>> = BTreeMap::new();
    for view in now.rewards(account).await? {
        by_task.entry(view.task).or_default().push(view);
    }
    let ledgers = now.ledgers(account).await?;
    let claimables = now.claimables(account).await?;
    let mut all = Vec::new();
    for (id, views) in by_task {
        let Some(task) = now.task(id).await? else {
            continue;
        };
        let is_claimable = |view: &RewardView| matches!(view.state, RewardState::Claimable { .. });
        let (due, stuck) = if views.iter().any(is_claimable) {
            // A failure in one task does not hide the others.
            match due_in(client, now, globals, account, &task).await {
                Ok(due) => (due.claimed, due.stuck.map(|stuck| stuck.to_string())),
                Err(error) => (Vec::new(), Some(explain(&error))),
            }
        } else {
            Default::default()
        };
        all.push(TaskRewards {
            ledger: ledgers.iter().find(|ledger| ledger.task == id).cloned(),
            claimable: claimables.iter().find(|view| view.task == id).cloned(),
            rounds: views.into_iter().map(|view| reward(view, &due)).collect(),
            stuck,
            task,
        });
    }
    Ok(all)
}

/// The rounds of `task` that `account` can claim.
async fn due_in(
    client: &Client,
    now: &Moment,
    globals: &Globals,
    account: &Account,
    task: &TaskView,
) -> anyhow::Result<Claims> {
    let replica = replica_of_claims(client, now, account, task, globals).await?;
    Ok(due_claims(replica.as_ref(), now, account, task).await?)
}

fn reward(view: RewardView, due: &[DueClaim]) -> Reward {
    let of_round = |round: RoundId| due.iter().find(move |due| due.item.round == round);
    let claimed = match view.state {
        RewardState::Claimed(claimed) => Some(claimed),
        RewardState::Claimable { .. } => of_round(view.round).map(|due| due.claimed),
        _ => None,
    };
    Reward { view, claimed }
}

pub async fn run(args: Rewards, globals: &Globals) -> anyhow::Result<()> {
    let account = globals.account(args.account.as_deref())?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let tasks = rewards_of(&client, &now, globals, &account).await?;
    let sum = |part: fn(&Reward) -> u128| -> u128 {
        tasks.iter().flat_map(|task| &task.rounds).map(part).sum()
    };
    let (paid, claimable) = (sum(Reward::paid), sum(Reward::claimable));
    let json = json!({
        "account": address(&account),
        "paid": paid.to_string(),
        "claimable": claimable.to_string(),
        "tasks": tasks.iter().map(TaskRewards::json).collect::<Vec<_>>(),
    });
    globals.output.print(json, || {
        let rounds = |task: &TaskRewards| -> Vec<Vec<String>> {
            task.rounds
                .iter()
                .map(|reward| reward.row(&task.task))
                .collect()
        };
        let mut rows: Vec<_> = tasks.iter().flat_map(rounds).collect();
        let total = ["", "", "", "total", "", ""].map(str::to_owned);
        let sums = [paid, claimable].map(|sum| Amount(sum).to_string());
        rows.push(total.into_iter().chain(sums).collect());
        let head = [
            "task",
            "round",
            "role",
            "state",
            "credit",
            "proved",
            "paid",
            "claimable",
        ];
        let summaries: String = tasks.iter().filter_map(TaskRewards::summary).collect();
        format!(
            "{}\n\n{summaries}\n{}\ncredit and proved in millibits a sample, money in {SYMBOL}",
            address(&account),
            table(&head, &rows)
        )
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_protocol::Ledger;

    fn rewards(is_proven: bool, next: Option<RoundId>) -> TaskRewards {
        let state = |round, state| Reward {
            claimed: match state {
                RewardState::Claimed(claimed) => Some(claimed),
                _ => None,
            },
            view: RewardView {
                task: TaskId(1),
                round: RoundId(round),
                kind: RewardKind::Contributor,
                state,
            },
        };
        let claimed = Claimed {
            credit: 64 << 16,
            proved: 32 << 16,
            paid: 9_000_000_000_000,
        };
        TaskRewards {
            task: views::task(),
            ledger: Some(LedgerView {
                task: TaskId(1),
                ledger: Ledger {
                    sum: 64 << 16,
                    variance: 1,
                    largest: 1,
                    proved: 32 << 16,
                },
                doubt: 32 << 16,
                paid: 9_000_000_000_000,
                open: 9_000_000_000_000,
                next,
                is_proven,
            }),
            claimable: None,
            rounds: vec![
                state(0, RewardState::Claimed(claimed)),
                state(1, RewardState::Pending),
            ],
            stuck: None,
        }
    }

    #[test]
    fn a_ledger_is_told_with_what_it_pays_and_what_is_open() {
        let text = rewards(true, None).summary().unwrap();
        assert!(text.starts_with(
            "task 1: credited +2000.00 millibits a sample, with a doubt of 1000.00; proved so far +1000.00\n"
        ));
        assert!(text.contains(
            "paid 9 GTG: 0.01 for each proved millibit, less 100 permille for attesters; 9 more"
        ));
        assert!(text.contains("64 times as much") && text.contains("every round is claimed"));
        assert!(
            text.ends_with("        nothing is left to claim\n"),
            "{text}"
        );
        let newcomer = rewards(false, Some(RoundId(1))).summary().unwrap();
        assert!(newcomer.contains("not proven yet"));
        assert!(newcomer.contains("round 1 is the next to claim"));
        let mut stuck = rewards(false, Some(RoundId(1)));
        stuck.stuck = Some("round 1 of task 1: of a test".into());
        let text = stuck.summary().unwrap();
        assert!(text.contains("cannot claim round 1 of task 1"), "{text}");
        let told = stuck.json()["stuck"].as_str().map(str::to_owned);
        assert!(told.is_some_and(|told| told.ends_with("of a test")));
    }

    #[test]
    fn programs_read_the_same() {
        let json = rewards(false, Some(RoundId(1))).json();
        assert_eq!(json["ledger"]["credits_q16"], (64 << 16).to_string());
        assert_eq!(json["ledger"]["next_round_to_claim"], 1);
        assert_eq!(json["ledger"]["is_proven"], false);
        assert_eq!(json["samples_that_pay"], 32);
        assert_eq!(json["chain_says"], Value::Null);
        assert_eq!(json["rounds"][0]["state"], "claimed");
        assert_eq!(json["rounds"][0]["paid"], "9000000000000");
        assert_eq!(json["rounds"][1]["state"], "pending");
        let row = rewards(false, None).rounds[0].row(&views::task());
        assert_eq!(row[4..], ["+2000.00", "+1000.00", "9", "0"]);
    }
}
