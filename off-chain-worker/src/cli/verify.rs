//! `gotong verify`: computes a round again from the chain, and compares.

use super::{
    output::{millibits, table},
    scoring::ScoringArgs,
    Globals,
};
use crate::{
    chain::{Client, Moment},
    evaluation::Difference,
    keys::address,
    run::{claim_difference, Pools, Recomputed, ReplicaError, ScoredRound, ScorerOptions},
};
use anyhow::{bail, Context};
use gotong_protocol::{
    view::{RoundView, SeatView, TaskView},
    Opening, RoundId, SeatState, TaskId,
};
use serde_json::{json, Value};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong verify --task 0 --round 3\n\n\
                  Trusts nothing but the blocks, and the pool if samples are drawn from one: rebuilds the \
                  task from its opening. Fails, and \
                  says what differs first, if the chain settled on anything else, or before that \
                  if an attester stands for another table.")]
pub struct Verify {
    /// The task
    #[arg(long)]
    task: u32,
    /// The round, whose deltas and samples are published
    #[arg(long)]
    round: u32,
    #[command(flatten)]
    scoring: ScoringArgs,
}

/// What was found of a round that could be computed.
struct Found {
    round: RoundView,
    opening: Opening,
    /// What the chain settled on otherwise.
    settled: Option<Difference>,
    seats: Vec<(SeatView, Option<Difference>)>,
}

pub async fn run(args: Verify, globals: &Globals) -> anyhow::Result<()> {
    let (task, round) = (TaskId(args.task), RoundId(args.round));
    let scoring = args.scoring.options().await?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let view = now.task(task).await?;
    let view = view.with_context(|| format!("there is no task {task}"))?;
    let pools = globals.dirs()?.pools;
    let (round, scored) = match recompute(&client, &now, &pools, &view, round, scoring).await {
        Err(ReplicaError::Differs {
            round, difference, ..
        }) => {
            let json = json!({
                "task": task.0,
                "round": args.round,
                "equal": false,
                "differs_in_round": round.0,
                "difference": difference_json(&difference),
            });
            globals.output.print(json, || {
                format!("task {task}, round {round} DIFFERS: {difference}")
            });
            bail!("the chain is wrong about task {task}, round {round}");
        }
        recomputed => recomputed?,
    };
    let found = compare(round, scored.score.table.opening());
    globals.output.print(found.json(), || found.text());
    match found.difference() {
        None => Ok(()),
        Some(difference) => bail!("task {task}, round {}: {difference}", args.round),
    }
}

async fn recompute(
    client: &Client,
    now: &Moment,
    pools: &Pools,
    task: &TaskView,
    round: RoundId,
    scoring: ScorerOptions,
) -> Result<(RoundView, Arc<ScoredRound>), ReplicaError> {
    let report = |round: RoundId| tracing::info!("round {round} is right");
    let mut recomputed = Recomputed::open(client, now, pools, task, round, scoring, report).await?;
    let scored = recomputed.score(client, now).await?;
    Ok((recomputed.round, scored))
}

/// Compares what was computed with what the chain and its attesters say.
fn compare(round: RoundView, opening: Opening) -> Found {
    let settled = round.claim.as_ref().and_then(|claim| {
        let mut seats = round.seats.iter().filter_map(|seat| seat.opening.as_ref());
        // The table behind the claim tells more than the claim.
        let theirs = seats.find(|theirs| theirs.claim() == *claim);
        theirs
            .and_then(|theirs| Difference::between(&opening, theirs))
            .or_else(|| claim_difference(&opening.claim(), claim))
    });
    let seats = round
        .seats
        .iter()
        .filter_map(|seat| {
            let theirs = seat.opening.as_ref()?;
            Some((seat.clone(), Difference::between(&opening, theirs)))
        })
        .collect();
    Found {
        round,
        opening,
        settled,
        seats,
    }
}

impl Found {
    /// What is wrong: with what was settled, else with the table of somebody who counts.
    fn difference(&self) -> Option<&Difference> {
        if self.round.claim.is_some() {
            return self.settled.as_ref();
        }
        self.seats
            .iter()
            .filter(|(seat, _)| seat.state == SeatState::Sitting)
            .find_map(|(_, found)| found.as_ref())
    }

    fn json(&self) -> Value {
        let header = &self.opening.header;
        let seats: Vec<_> = self
            .seats
            .iter()
            .map(|(seat, found)| {
                json!({
                    "account": address(&seat.account),
                    "state": format!("{:?}", seat.state),
                    "equal": found.is_none(),
                    "difference": found.as_ref().map(difference_json),
                })
            })
            .collect();
        json!({
            "task": self.round.task.0,
            "round": self.round.round.0,
            "outcome": self.round.outcome.map(|outcome| format!("{outcome:?}")),
            "equal": self.difference().is_none(),
            "difference": self.difference().map(difference_json),
            "table_root": hex::encode(self.opening.table_root()),
            "master_root": hex::encode(header.master_root),
            "gain_q16": header.gain,
            "paid_gain_q16": header.paid_gain,
            "samples": header.samples,
            "seats": seats,
        })
    }

    fn text(&self) -> String {
        let header = &self.opening.header;
        let (task, round) = (self.round.task, self.round.round);
        let is_settled = self.round.claim.is_some();
        let verdict = match self.difference() {
            Some(difference) => format!("DIFFERS: {difference}"),
            None if is_settled => "equal: computed again, it is what the chain settled on".into(),
            None => "computed; the chain has settled on nothing".into(),
        };
        let mut text = format!(
            "task {task}, round {round}: {verdict}\n\
             table      {}\n\
             gain       {:.2} millibits paid, over {} samples\n\
             weights    {}\n\n",
            hex::encode(self.opening.table_root()),
            millibits(header.paid_gain, header.samples),
            header.samples,
            hex::encode(header.master_root),
        );
        let row = |(seat, found): &(SeatView, Option<Difference>)| {
            let table = match found {
                None => "equal".to_owned(),
                Some(difference) => format!("differs in {}", difference.what),
            };
            vec![address(&seat.account), format!("{:?}", seat.state), table]
        };
        let rows: Vec<_> = self.seats.iter().map(row).collect();
        text += &table(&["attester", "state", "table"], &rows);
        text
    }
}

fn difference_json(difference: &Difference) -> Value {
    json!({
        "what": difference.what,
        "chain": difference.theirs,
        "computed": difference.ours,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::{Outcome, Phase};
    use gotong_scoring::{Header, SumNode};

    fn opening(gain_se: u64) -> Opening {
        Opening {
            header: Header {
                samples: 2,
                base: SumNode::default(),
                merged: SumNode::default(),
                gain: 0,
                gain_se,
                paid_gain: 0,
                master_root: [0; 32],
                similar_root: [0; 32],
            },
            rows: SumNode::default(),
        }
    }

    fn seat(account: u8, state: SeatState, opening: Option<Opening>) -> SeatView {
        SeatView {
            account: [account; 32],
            stake: 1,
            state,
            committed: true,
            opening,
            work_root: None,
            audited: true,
            fee: 0,
        }
    }

    fn round(settled_on: Option<&Opening>) -> RoundView {
        RoundView {
            task: TaskId(1),
            round: RoundId(2),
            phase: Phase::Ended,
            phase_started_at: 3,
            started_at: 3,
            ends_at: 4,
            commits: 2,
            reveals: 2,
            base_root: [5; 32],
            shard: None,
            sample_seed: None,
            seats: vec![
                seat(1, SeatState::Convicted, Some(opening(9))),
                seat(2, SeatState::Sitting, Some(opening(1))),
                seat(3, SeatState::Missed, None),
            ],
            redraws: 0,
            audit_seed: None,
            open_disputes: 0,
            outcome: settled_on.map(|_| Outcome::Settled),
            claim: settled_on.map(Opening::claim),
            owed: 0,
            fees: 0,
            claimed: 0,
        }
    }

    #[test]
    fn a_settled_round_is_equal_or_differs_in_something_that_is_named() {
        let right = compare(round(Some(&opening(1))), opening(1));
        assert_eq!(right.difference(), None);
        assert_eq!(right.json()["equal"], true);
        assert_eq!(
            right.json()["seats"][0]["equal"],
            false,
            "the convicted one"
        );
        assert_eq!(right.seats.len(), 2, "who showed nothing is not compared");
        assert!(right.text().contains("equal: computed again"));

        let wrong = compare(round(Some(&opening(1))), opening(4));
        let difference = wrong.difference().unwrap();
        assert_eq!(difference.what, "the standard error of the gain");
        assert_eq!(
            wrong.json()["difference"],
            json!({
                "what": "the standard error of the gain",
                "chain": "1",
                "computed": "4",
            })
        );
        assert!(wrong.text().contains("DIFFERS"));

        // Nobody shows the table behind the claim.
        let unknown = compare(round(Some(&opening(7))), opening(1));
        let difference = unknown.difference().unwrap();
        assert_eq!(difference.what, "the score table's root");
    }

    #[test]
    fn before_a_round_is_settled_those_who_count_are_compared() {
        assert_eq!(compare(round(None), opening(1)).difference(), None);
        assert!(compare(round(None), opening(9)).difference().is_some());
    }
}
