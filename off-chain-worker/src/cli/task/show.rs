//! `gotong task show`.

use super::stands::{describe_duty, stands};
use crate::{
    chain::{Client, Moment},
    cli::{
        disputes::{open_json, open_text},
        output::{millibits, printable, signed_millibits, table, Amount, SYMBOL},
        replay::replayed,
        round_report::RoundReport,
        Globals,
    },
    keys::address,
    model::describe,
    run::in_commit_order,
};
use anyhow::Context;
use gotong_protocol::{
    view::{DisputeView, Duty, DutyKind, RoundView, SeatView, SubmissionView, TaskView},
    HoldOutTerms, Outcome, RoundId, TaskId, TaskState, TaskTerms,
};
use gotong_scoring::share::Half;
use serde_json::{json, Value};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong task show --task 0 --dev Bob\n  gotong task show --task 0 --round 3\n\n\
                  With --round, it replays the task up to that round and says what became of every delta."
)]
pub struct Show {
    /// The task
    #[arg(long)]
    task: u32,
    /// Explain this settled round: whose deltas were merged, whose were dropped and why, and every credit
    #[arg(long)]
    round: Option<u32>,
}

pub async fn run(args: Show, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let client = globals.client().await?;
    let now = client.best().await?;
    let view = now.existing_task(task).await?;
    if let Some(round) = args.round {
        return show_round(&client, &now, &view, RoundId(round), globals).await;
    }
    let mut rounds = Vec::new();
    for round in 0..=view.round.0 {
        rounds.extend(now.round(task, RoundId(round)).await?);
    }
    let mut duties = Vec::new();
    if globals.identity.is_given() {
        duties = now.duties(&globals.account(None)?).await?;
        duties.retain(|duty| duty.task == task);
    }
    let disputes = now.disputes(Some(task)).await?;
    let json = json!({
        "block": now.block(),
        "task": task_json(&view),
        "rounds": rounds.iter().map(|round| round_json(round, &view)).collect::<Vec<_>>(),
        "disputes": disputes.iter().map(open_json).collect::<Vec<_>>(),
        "duties": duties.iter().map(duty_json).collect::<Vec<_>>(),
    });
    globals
        .output
        .print(json, || text(&view, &rounds, &disputes, &duties));
    Ok(())
}

pub(super) fn task_json(view: &TaskView) -> Value {
    let terms = &view.terms;
    json!({
        "id": view.id.0,
        "name": terms.name.as_str(),
        "sponsor": address(&view.sponsor),
        "state": format!("{:?}", view.state),
        "round": view.round.0,
        "opened_at": view.opened_at,
        "model": describe(&view.graph),
        "parameters": view.parameters,
        "master_root": hex::encode(view.master_root),
        "hold_out": hold_out_json(&terms.hold_out),
        "next_shard": view.next_shard,
        "price_per_millibit": terms.price_per_millibit.to_string(),
        "minimum_contributor_stake": terms.minimum_contributor_stake.to_string(),
        "minimum_attester_stake": terms.minimum_attester_stake.to_string(),
        "cap_per_round": terms.cap_per_round.to_string(),
        "attester_fee_permille": terms.attester_fee_permille,
        "work_fee": terms.work_fee.to_string(),
        "work_pay_per_round": work_pay(view).to_string(),
        "newcomer_floor_q8": terms.share.newcomer_floor_q8,
        "proven_floor_q8": terms.share.proven_floor_q8,
        "gain_floor_q8": terms.share.gain_floor_q8,
        "doubt_q8": terms.share.doubt_q8,
        "outer_rate_q8": terms.share.outer_rate_q8,
        "delta_bytes": terms.delta_bytes,
        "recipe": recipe_json(terms),
        "budget": view.pool.to_string(),
        "bond": view.bond.to_string(),
        "reserved": view.reserved.to_string(),
        "paid": view.paid.to_string(),
        "expires_at": view.expires_at,
    })
}

fn hold_out_json(terms: &HoldOutTerms) -> Value {
    let (kind, records) = match terms {
        HoldOutTerms::Sealed { .. } => ("sealed", None),
        HoldOutTerms::Drawn { records, .. } => ("drawn", Some(records)),
    };
    json!({
        "kind": kind,
        "root": hex::encode(terms.root()),
        "rounds": terms.rounds(),
        "samples": terms.samples(),
        "records": records,
    })
}

/// The recipe as JSON; null for a task without a recipe.
fn recipe_json(terms: &TaskTerms) -> Value {
    match terms.has_recipe() {
        true => json!({ "hash": hex::encode(terms.recipe), "bytes": terms.recipe_bytes }),
        false => Value::Null,
    }
}

/// How data becomes the bytes of a sample.
fn recipe(view: &TaskView) -> String {
    let terms = &view.terms;
    match terms.has_recipe() {
        true => format!(
            "{} bytes with hash {}: `gotong task recipe --task {}` prints it",
            terms.recipe_bytes,
            hex::encode(terms.recipe),
            view.id
        ),
        false => "none".to_owned(),
    }
}

/// Where the samples of rounds come from.
fn exam(view: &TaskView) -> String {
    match view.terms.hold_out {
        HoldOutTerms::Sealed {
            shards, samples, ..
        } => format!("shard {} of {shards}, {samples} samples each", view.next_shard),
        HoldOutTerms::Drawn {
            root,
            records,
            samples,
            rounds,
            ..
        } => format!(
            "{samples} samples a round, for {rounds} rounds, drawn from a pool of {records} with root {}",
            hex::encode(root)
        ),
    }
}

/// What attesters share for the work of a round, in planck.
pub(super) fn work_pay(view: &TaskView) -> u128 {
    // The chain opens no task for which it does not fit.
    view.terms.work_pay(view.graph.cost()).unwrap_or_default()
}

/// When the task ends if nothing happens in it.
fn lasts(view: &TaskView) -> String {
    match (view.state, view.expires_at) {
        (TaskState::Paused, Some(block)) => {
            format!("until block {block}, and longer after each top-up")
        }
        (_, Some(block)) => format!(
            "until block {block}, or longer if a round settles; no round reveals in the last 14,400 blocks"
        ),
        (_, None) => "no longer".to_owned(),
    }
}

pub(in crate::cli) fn round_json(round: &RoundView, view: &TaskView) -> Value {
    let gain = gain(round);
    json!({
        "round": round.round.0,
        "phase": format!("{:?}", round.phase),
        "ends_at": round.ends_at,
        "commits": round.commits,
        "reveals": round.reveals,
        "attesters": round.seats.iter().map(|seat| address(&seat.account)).collect::<Vec<_>>(),
        "seats": round.seats.iter().map(seat_json).collect::<Vec<_>>(),
        "seed": round.seed.map(hex::encode),
        "redraws": round.redraws,
        "open_disputes": round.open_disputes,
        "outcome": round.outcome.map(|outcome| format!("{outcome:?}")),
        "gain_q16": gain,
        "millibits": gain.map(|gain| millibits(gain, view.terms.hold_out.samples() / 2)),
        "rate_q32": round.rate_q32,
        "fees": round.fees.to_string(),
        "pot": round.pot.to_string(),
        "paid": round.paid.to_string(),
        "released": round.released.to_string(),
        "claims": round.claims,
        "expires_at": round.expires_at,
        "awaits_attesters": round.awaits_attesters,
    })
}

fn seat_json(seat: &SeatView) -> Value {
    json!({
        "account": address(&seat.account),
        "state": format!("{:?}", seat.state),
        "committed": seat.committed,
        "table_root": seat.claim.as_ref().map(|claim| hex::encode(claim.table_root)),
        "audited": seat.audited,
        "fee": seat.fee.to_string(),
    })
}

pub(in crate::cli) fn duty_json(duty: &Duty) -> Value {
    json!({
        "task": duty.task.0,
        "round": duty.round.0,
        "what": format!("{:?}", duty.what),
        "ends_at": duty.ends_at,
    })
}

fn text(
    view: &TaskView,
    rounds: &[RoundView],
    disputes: &[DisputeView],
    duties: &[Duty],
) -> String {
    let terms = &view.terms;
    let mut text = format!(
        "task {} \"{}\": {:?}, {} parameters\n\
         model      {}\n\
         sponsor    {}\n\
         price      {} {SYMBOL} a millibit, at most {} a round; attesters get {} % of it\n\
         work fee   {} {SYMBOL} a round, for attesters\n\
         doubt      credits of an account are paid above {} standard errors of their sum\n\
         outer rate {}: a merge adds the mean of the deltas times this\n\
         deltas     at most {} a round, of at most {} KiB each\n\
         stake      at least {} {SYMBOL} for a contributor, {} for an attester\n\
         budget     {} {SYMBOL}, set aside {}, paid {}\n\
         exam       {}\n\
         recipe     {}\n\
         lasts      {}\n\
         weights    {}\n\n",
        view.id,
        printable(terms.name.as_str().unwrap_or("?")),
        view.state,
        view.parameters,
        describe(&view.graph),
        address(&view.sponsor),
        Amount(terms.price_per_millibit),
        Amount(terms.cap_per_round),
        f64::from(terms.attester_fee_permille) / 10.0,
        Amount(work_pay(view)),
        f64::from(terms.share.doubt_q8) / 256.0,
        f64::from(terms.share.outer_rate_q8) / 256.0,
        terms.places(),
        terms.delta_bytes >> 10,
        Amount(terms.minimum_contributor_stake),
        Amount(terms.minimum_attester_stake),
        Amount(view.pool),
        Amount(view.reserved),
        Amount(view.paid),
        exam(view),
        recipe(view),
        lasts(view),
        hex::encode(view.master_root),
    );
    let rows: Vec<_> = rounds.iter().map(|round| row(round, view)).collect();
    let head = [
        "round",
        "stands",
        "commits",
        "reveals",
        "millibits",
        "fees",
        "set aside",
        "paid",
        "claims",
    ];
    text += &table(&head, &rows);
    if let Some(round) = rounds.iter().rfind(|round| !round.seats.is_empty()) {
        let redraws = match round.redraws {
            0 => String::new(),
            1 => ", redrawn once".to_owned(),
            again => format!(", redrawn {again} times"),
        };
        text += &format!("\nseats of round {}{redraws}\n", round.round);
        let rows: Vec<_> = round.seats.iter().map(seat_row).collect();
        text += &table(&["attester", "state", "did", "table", "fee"], &rows);
    }
    if !disputes.is_empty() {
        text += "\n";
        text += &open_text(disputes);
    }
    for duty in duties {
        text += &match duty.what {
            DutyKind::Claim => format!(
                "\nyou can claim every round up to {} with `gotong claim`, before block {}",
                duty.round, duty.ends_at
            ),
            what => format!(
                "\nyou can {} in round {}, before block {}",
                describe_duty(what),
                duty.round,
                duty.ends_at
            ),
        };
    }
    text
}

/// What happened to every delta of a round.
async fn show_round(
    client: &Client,
    now: &Moment,
    task: &TaskView,
    round: RoundId,
    globals: &Globals,
) -> anyhow::Result<()> {
    let view = now.round(task.id, round).await?;
    let view = view.with_context(|| format!("task {} has no round {round}", task.id))?;
    let replica = replayed(client, now, task, globals).await?;
    let table = replica.table(round)?;
    let table = table.with_context(|| match view.outcome {
        Some(Outcome::Settled) => format!(
            "round {round} settled on a table other than the one computed here: `gotong verify --task {} --round {round}` \
             shows the difference",
            task.id
        ),
        _ => format!(
            "round {round} has not settled, so it has no table yet: it is {}",
            stands(&view)
        ),
    })?;
    let submissions = now.submissions(task.id, round).await?;
    let entrants = in_commit_order(&submissions);
    let report = RoundReport::new(&table, &view.base_root, task.terms.hold_out.samples());
    let accounts = entrants.iter().map(|entrant| address(&entrant.account));
    let accounts: Vec<String> = accounts.collect();
    let mut json = report.json(&accounts);
    json["round"] = round_json(&view, task);
    let told = || round_text(&report, &view, task, &entrants);
    globals.output.print(json, told);
    Ok(())
}

fn round_text(
    report: &RoundReport,
    round: &RoundView,
    task: &TaskView,
    entrants: &[&SubmissionView],
) -> String {
    let samples = Half::B.count(task.terms.hold_out.samples());
    let mut text = format!(
        "task {}, round {}: {}\n",
        task.id,
        round.round,
        report.outcome()
    );
    for pass in report.passes() {
        text += &format!("  {pass}\n");
    }
    text += "\n";
    let of_deltas = report.entrants();
    let rows = of_deltas.iter().zip(entrants).map(|(of, submission)| {
        let (proved, paid) = submission.claimed.map_or_else(Default::default, |claimed| {
            let proved = i64::try_from(claimed.proved).unwrap_or(i64::MAX);
            (
                signed_millibits(proved, samples),
                Amount(claimed.paid).to_string(),
            )
        });
        let who = if of.is_proven { "proven" } else { "newcomer" };
        // Its weight in the merge: all newcomers together can only weigh so much.
        let weight = submission.revealed.as_ref().map(|own| own.record.weight);
        vec![
            address(&submission.account),
            who.to_owned(),
            weight.unwrap_or(submission.weight).to_string(),
            proved,
            paid,
            report.explain(of),
        ]
    });
    let rows: Vec<_> = rows.collect();
    text += &table(
        &[
            "account",
            "is",
            "weight",
            "proved",
            "paid",
            "what became of its delta",
        ],
        &rows,
    );
    if round.rate_q32 < gotong_protocol::pay::WHOLE_Q32 {
        text += &format!(
            "\nthe round is worth more than its cap: {:.1} % of each credit counts\n",
            round.rate_q32 as f64 * 100.0 / gotong_protocol::pay::WHOLE_Q32 as f64
        );
    }
    text
        + "\nin millibits a sample; half A decides, half B pays, and credits add up to half B's gain. Credits are paid as far \
           as their account has proved them: see `gotong rewards`"
}

fn seat_row(seat: &SeatView) -> Vec<String> {
    let (did, claim) = match &seat.claim {
        Some(claim) if seat.audited => ("audited", Some(claim)),
        Some(claim) => ("revealed", Some(claim)),
        None if seat.committed => ("committed", None),
        None => ("drawn", None),
    };
    let table = claim.map(|claim| hex::encode(&claim.table_root[..4]));
    vec![
        address(&seat.account),
        format!("{:?}", seat.state),
        did.to_owned(),
        table.unwrap_or_default(),
        Amount(seat.fee).to_string(),
    ]
}

fn row(round: &RoundView, view: &TaskView) -> Vec<String> {
    let samples = view.terms.hold_out.samples() / 2;
    let gain = gain(round).map_or(String::new(), |gain| signed_millibits(gain, samples));
    vec![
        round.round.to_string(),
        stands(round),
        round.commits.to_string(),
        round.reveals.to_string(),
        gain,
        Amount(round.fees).to_string(),
        Amount(round.pot).to_string(),
        Amount(round.paid).to_string(),
        format!("{} of {}", round.claims, round.reveals),
    ]
}

/// What a settled round gained, Q16 bits summed over the samples that pay; none if nothing was merged.
pub(in crate::cli) fn gain(round: &RoundView) -> Option<i64> {
    let merged = round.claim.as_ref()?.merged?;
    Some(merged.gain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::views::{self, BASE},
        test_lab::Lab,
    };
    use gotong_protocol::claim::Claimed;

    #[test]
    fn a_name_begins_no_line_of_its_own() {
        let mut task = views::task();
        task.terms.name = gotong_protocol::TaskName::new("a\nbudget 9\u{1b}[2K").unwrap();
        let told = text(&task, &[], &[], &[]);
        let line = "task 1 \"a\\nbudget 9\\u{1b}[2K\": ";
        assert!(told.starts_with(line), "{told}");
    }

    #[test]
    fn the_recipe_of_a_task_is_told() {
        let mut task = views::task();
        assert!(text(&task, &[], &[], &[]).contains("recipe     none\n"));
        assert_eq!(task_json(&task)["recipe"], Value::Null);
        task.terms = task.terms.with_recipe(b"kind = \"bytes\"");
        let hash = hex::encode(task.terms.recipe);
        let told = text(&task, &[], &[], &[]);
        let line = format!(
            "recipe     14 bytes with hash {hash}: `gotong task recipe --task 1` prints it\n"
        );
        assert!(told.contains(&line), "{told}");
        let expected = json!({ "hash": hash, "bytes": 14 });
        assert_eq!(task_json(&task)["recipe"], expected);
    }

    #[test]
    fn a_contributor_sees_in_one_screen_why_it_was_paid_what_it_was_paid() {
        let table = Lab::small().table();
        let (task, round) = (views::task(), views::settled(&table));
        let report = RoundReport::new(&table, &BASE, 64);
        let mut submissions: Vec<_> = (0..4).map(|index| views::submission(index, true)).collect();
        submissions[0].claimed = Some(Claimed {
            credit: 9 << 16,
            proved: 8 << 16,
            paid: 2_500_000_000_000,
        });
        let entrants = in_commit_order(&submissions);
        let text = round_text(&report, &round, &task, &entrants);
        assert!(
            text.starts_with("task 1, round 2: merged: half A gains +"),
            "{text}"
        );
        assert!(text.contains("company 1: 3 deltas"), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let own = lines.iter().find(|line| line.contains("2.5"));
        assert!(own.unwrap().contains("+250.00"), "{text}");
        assert!(
            text.contains("merged: credit +") && text.contains("dropped: -"),
            "{text}"
        );
        assert!(lines.len() < 24, "{text}");
        let capped = RoundView {
            rate_q32: 1 << 31,
            ..round
        };
        let text = round_text(&report, &capped, &task, &entrants);
        assert!(text.contains("50.0 % of each credit counts"), "{text}");
    }
}
