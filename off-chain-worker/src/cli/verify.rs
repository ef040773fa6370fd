//! `gotong verify`: recomputes a round from the chain, and compares.

use super::{
    output::{signed_millibits, table, Format},
    progress::spinner,
    replay::replay_report,
    scoring::ScoringArgs,
    Globals,
};
use crate::{
    chain::{Client, Moment},
    keys::address,
    run::{claim_difference, Pools, Recomputed, ReplicaError, ScoredRound, ScorerOptions},
};
use anyhow::bail;
use gotong_evaluation::Difference;
use gotong_protocol::{
    view::{RoundView, SeatView, TaskView},
    RoundId, SeatState, ShareClaim, TableSummary, TaskId,
};
use gotong_scoring::share::Half;
use serde_json::{json, Value};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong verify --task 0 --round 3\n\n\
                  Trusts nothing but the blocks and, if samples are drawn, the pool: it rebuilds the task from its opening. It \
                  fails, and names the first difference, if the chain settled on another table or, before the round settles, if \
                  an attester stands for another one.")]
pub struct Verify {
    /// The task
    #[arg(long)]
    task: u32,
    /// The round, whose deltas and samples must be published
    #[arg(long)]
    round: u32,
    #[command(flatten)]
    scoring: ScoringArgs,
}

/// What was found out about a round that could be computed.
struct Found {
    round: RoundView,
    table: TableSummary,
    /// What the table claims.
    claim: ShareClaim,
    /// How many samples the round has.
    samples: u32,
    /// Where what the chain settled on differs, if it does.
    settled: Option<Difference>,
    seats: Vec<(SeatView, Option<Difference>)>,
}

pub async fn run(args: Verify, globals: &Globals) -> anyhow::Result<()> {
    let (task, round) = (TaskId(args.task), RoundId(args.round));
    let scoring = args.scoring.options(globals.folder()?).await?;
    let client = globals.client().await?;
    let now = client.best().await?;
    let view = now.existing_task(task).await?;
    let pools = globals.dirs()?.pools;
    let recomputed = recompute(&client, &now, &pools, &view, round, scoring, globals.output);
    let (round, scored) = match recomputed.await {
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
    let found = compare(round, scored.summary.clone(), scored.inputs.sample_count);
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
    output: Format,
) -> Result<(RoundView, Arc<ScoredRound>), ReplicaError> {
    let report = replay_report(output, task, round);
    let mut recomputed = Recomputed::open(client, now, pools, task, round, scoring, report).await?;
    let _shown = spinner(output, format!("scoring round {round}"));
    let scored = recomputed.score(client, now).await?;
    Ok((recomputed.round, scored))
}

/// Compares what was computed with what the chain and its attesters say.
fn compare(round: RoundView, table: TableSummary, samples: u32) -> Found {
    let claim = table.claim(&round.base_root);
    // The table behind a claim tells more than the claim, as long as the chain has it.
    let differs = |seat: &SeatView| {
        let theirs = seat.table.as_ref();
        let difference = theirs.and_then(|theirs| Difference::between(&table, theirs));
        difference.or_else(|| claim_difference(&claim, seat.claim.as_ref()?))
    };
    let settled = round.claim.as_ref().and_then(|settled| {
        let mut seats = round.seats.iter();
        let seat = seats.find(|seat| seat.claim.as_ref() == Some(settled));
        seat.map_or_else(|| claim_difference(&claim, settled), differs)
    });
    let seats = round.seats.iter().filter(|seat| seat.claim.is_some());
    let seats = seats.map(|seat| (seat.clone(), differs(seat))).collect();
    Found {
        round,
        table,
        claim,
        samples,
        settled,
        seats,
    }
}

impl Found {
    /// What is wrong: how the settled claim differs or, if it does not, how the table of an
    /// attester that counts does.
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
            "table_root": hex::encode(self.claim.table_root),
            "master_root": hex::encode(self.claim.master_root),
            "merged": self.claim.merged.is_some(),
            "passes": self.table.passes.len(),
            "gain_q16": self.claim.merged.map(|merged| merged.gain.to_string()),
            "most_credits_q16": self.claim.merged.map(|merged| merged.most_credits.to_string()),
            "samples": self.samples,
            "seats": seats,
        })
    }

    fn text(&self) -> String {
        let (task, round) = (self.round.task, self.round.round);
        let is_settled = self.round.claim.is_some();
        let verdict = match self.difference() {
            Some(difference) => format!("DIFFERS: {difference}"),
            None if is_settled => {
                "equal: computed again, the table matches what the chain settled on".into()
            }
            None => "computed; the chain has not settled on a table".into(),
        };
        let mut text = format!(
            "task {task}, round {round}: {verdict}\n\
             table      {}\n\
             gain       {}\n\
             weights    {}\n\n",
            hex::encode(self.claim.table_root),
            self.gain(),
            hex::encode(self.claim.master_root),
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

impl Found {
    fn gain(&self) -> String {
        let samples = Half::B.count(self.samples);
        match self.claim.merged {
            None => "none: nothing was merged".into(),
            Some(merged) => format!(
                "{} millibits a sample, over the {samples} samples that pay",
                signed_millibits(merged.gain, samples)
            ),
        }
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
    use crate::{
        run::views::{self, BASE},
        test_lab::Lab,
    };
    use gotong_protocol::{Outcome, Phase};

    /// A table whose gain on half B has a standard error that is higher than the lab's by `more`.
    fn table(more: u64) -> TableSummary {
        let mut table = Lab::small().summary();
        let pay = table.merge.as_mut().and_then(|merge| merge.pay.as_mut());
        pay.unwrap().on_b.standard_error += more;
        table
    }

    fn found(round: RoundView, own: TableSummary) -> Found {
        compare(round, own, 64)
    }

    fn round(settled_on: Option<&TableSummary>) -> RoundView {
        RoundView {
            phase: Phase::Ended,
            seats: vec![
                views::seat(1, SeatState::Convicted, Some(table(9))),
                views::seat(2, SeatState::Sitting, Some(table(1))),
                views::seat(3, SeatState::Missed, None),
            ],
            outcome: settled_on.map(|_| Outcome::Settled),
            claim: settled_on.map(|table| table.claim(&BASE)),
            ..views::round()
        }
    }

    #[test]
    fn a_settled_round_is_equal_or_differs_in_something_that_is_named() {
        let right = found(round(Some(&table(1))), table(1));
        assert_eq!(right.difference(), None);
        assert_eq!(right.json()["equal"], true);
        assert_eq!(
            right.json()["seats"][0]["equal"],
            false,
            "the convicted one"
        );
        assert_eq!(right.seats.len(), 2, "who showed nothing is not compared");
        let text = right.text();
        assert!(text.contains("equal: computed again"));
        assert!(text.contains("over the 32 samples that pay"), "{text}");

        let wrong = found(round(Some(&table(1))), table(4));
        let difference = wrong.difference().unwrap();
        assert_eq!(difference.what, "the standard error of the gain on half B");
        assert_eq!(
            wrong.json()["difference"]["what"],
            "the standard error of the gain on half B"
        );
        assert!(wrong.text().contains("DIFFERS"));

        // Nobody shows the table behind the claim.
        let unknown = found(round(Some(&table(7))), table(1));
        let difference = unknown.difference().unwrap();
        assert_eq!(difference.what, "the table's root");
    }

    #[test]
    fn a_round_whose_tables_the_chain_has_forgotten_is_compared_by_its_claims() {
        let forgotten = |own| {
            let mut round = round(Some(&table(1)));
            round.seats.iter_mut().for_each(|seat| seat.table = None);
            found(round, own)
        };
        assert_eq!(forgotten(table(1)).difference(), None);
        assert_eq!(forgotten(table(1)).json()["seats"][0]["equal"], false);
        let wrong = forgotten(table(4));
        assert_eq!(wrong.difference().unwrap().what, "the table's root");
    }

    #[test]
    fn before_a_round_is_settled_those_who_count_are_compared() {
        assert_eq!(found(round(None), table(1)).difference(), None);
        assert!(found(round(None), table(9)).difference().is_some());
    }
}
