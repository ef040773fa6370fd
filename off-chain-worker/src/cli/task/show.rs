//! `gotong task show`.

use crate::{
    cli::{
        disputes::{open_json, open_text},
        output::{millibits, table, Amount, SYMBOL},
        Globals,
    },
    keys::address,
    model::describe,
};
use anyhow::Context;
use gotong_protocol::{
    view::{DisputeView, Duty, DutyKind, RoundView, SeatView, TaskView},
    HoldOutTerms, Phase, RoundId, TaskId,
};
use serde_json::{json, Value};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong task show --task 0 --dev Bob")]
pub struct Show {
    /// The task
    #[arg(long)]
    task: u32,
}

pub async fn run(args: Show, globals: &Globals) -> anyhow::Result<()> {
    let task = TaskId(args.task);
    let now = globals.client().await?.best().await?;
    let view = now.task(task).await?;
    let view = view.with_context(|| format!("there is no task {task}"))?;
    let mut rounds = Vec::new();
    for round in 0..=view.round.0 {
        rounds.extend(now.round(task, RoundId(round)).await?);
    }
    let mut duties = Vec::new();
    if globals.identity.is_given() {
        duties = now.duties(&globals.account(None)?).await?;
        // Whether there is a share to claim, only the score table tells: see `gotong rewards`.
        duties.retain(|duty| duty.task == task && duty.what != DutyKind::Claim);
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

fn task_json(view: &TaskView) -> Value {
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
        "budget": view.pool.to_string(),
        "bond": view.bond.to_string(),
        "unclaimed": view.unclaimed.to_string(),
        "paid": view.paid.to_string(),
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

fn round_json(round: &RoundView, view: &TaskView) -> Value {
    let gain = round.claim.as_ref().map(|claim| claim.paid_gain);
    json!({
        "round": round.round.0,
        "phase": format!("{:?}", round.phase),
        "ends_at": round.ends_at,
        "commits": round.commits,
        "reveals": round.reveals,
        "attesters": round.seats.iter().map(|seat| address(&seat.account)).collect::<Vec<_>>(),
        "seats": round.seats.iter().map(seat_json).collect::<Vec<_>>(),
        "sample_seed": round.sample_seed.map(hex::encode),
        "redraws": round.redraws,
        "open_disputes": round.open_disputes,
        "outcome": round.outcome.map(|outcome| format!("{outcome:?}")),
        "paid_gain_q16": gain,
        "millibits": gain.map(|gain| millibits(gain, view.terms.hold_out.samples())),
        "owed": round.owed.to_string(),
        "fees": round.fees.to_string(),
        "claimed": round.claimed.to_string(),
    })
}

fn seat_json(seat: &SeatView) -> Value {
    json!({
        "account": address(&seat.account),
        "state": format!("{:?}", seat.state),
        "committed": seat.committed,
        "table_root": seat.opening.as_ref().map(|opening| hex::encode(opening.table_root())),
        "audited": seat.audited,
        "fee": seat.fee.to_string(),
    })
}

fn duty_json(duty: &Duty) -> Value {
    json!({
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
         pays       {} {SYMBOL} a millibit, at most {} a round, {} permille of it to attesters\n\
         asks for   {} {SYMBOL} of a contributor, {} of an attester\n\
         budget     {} {SYMBOL}, unclaimed {}, paid {}\n\
         exam       {}\n\
         weights    {}\n\n",
        view.id,
        terms.name.as_str().unwrap_or("?"),
        view.state,
        view.parameters,
        describe(&view.graph),
        address(&view.sponsor),
        Amount(terms.price_per_millibit),
        Amount(terms.cap_per_round),
        terms.attester_fee_permille,
        Amount(terms.minimum_contributor_stake),
        Amount(terms.minimum_attester_stake),
        Amount(view.pool),
        Amount(view.unclaimed),
        Amount(view.paid),
        exam(view),
        hex::encode(view.master_root),
    );
    let rows: Vec<_> = rounds.iter().map(|round| row(round, view)).collect();
    let head = [
        "round",
        "stands",
        "commits",
        "reveals",
        "millibits",
        "owed",
        "fees",
        "claimed",
    ];
    text += &table(&head, &rows);
    if let Some(round) = rounds.iter().rfind(|round| !round.seats.is_empty()) {
        let redraws = match round.redraws {
            0 => String::new(),
            again => format!(", drawn anew {again} times"),
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
        text += &format!(
            "\nyou may {:?} in round {} before block {}",
            duty.what, duty.round, duty.ends_at
        );
    }
    text
}

fn seat_row(seat: &SeatView) -> Vec<String> {
    let (did, table) = match &seat.opening {
        Some(opening) if seat.audited => ("audited", Some(opening)),
        Some(opening) => ("revealed", Some(opening)),
        None if seat.committed => ("committed", None),
        None => ("drawn", None),
    };
    let table = table.map(|opening| hex::encode(&opening.table_root()[..4]));
    vec![
        address(&seat.account),
        format!("{:?}", seat.state),
        did.to_owned(),
        table.unwrap_or_default(),
        Amount(seat.fee).to_string(),
    ]
}

fn row(round: &RoundView, view: &TaskView) -> Vec<String> {
    let stands = match round.outcome {
        Some(outcome) => format!("{outcome:?}"),
        None if round.phase == Phase::Ended => "Ended".to_owned(),
        None => format!("{:?} to block {}", round.phase, round.ends_at),
    };
    let gain = round.claim.as_ref().map_or(String::new(), |claim| {
        format!(
            "{:.2}",
            millibits(claim.paid_gain, view.terms.hold_out.samples())
        )
    });
    vec![
        round.round.to_string(),
        stands,
        round.commits.to_string(),
        round.reveals.to_string(),
        gain,
        Amount(round.owed).to_string(),
        Amount(round.fees).to_string(),
        Amount(round.claimed).to_string(),
    ]
}
