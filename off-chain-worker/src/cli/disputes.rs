//! `gotong disputes`: open disputes and the last verdicts.

use super::{
    output::{table, Amount, SYMBOL},
    Globals,
};
use crate::{
    keys::address,
    run::{stage, turn},
};
use gotong_evaluation::{describe_accusation, describe_verdict, StepName};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    view::DisputeView,
    TaskId,
};
use serde_json::{json, Value};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gotong disputes --task 0 --output json\n\n\
                        The chain keeps the last 64 verdicts. `gotong prove --dispute ID` writes the evidence of a dispute to \
                        a file.")]
pub struct Disputes {
    /// Show only this task's
    #[arg(long)]
    task: Option<u32>,
}

pub async fn run(args: Disputes, globals: &Globals) -> anyhow::Result<()> {
    let now = globals.client().await?.best().await?;
    let task = args.task.map(TaskId);
    let open = now.disputes(task).await?;
    let mut closed = now.verdicts().await?;
    closed.retain(|closed| task.is_none_or(|task| closed.task == task));
    let json = json!({
        "block": now.block(),
        "open": open.iter().map(open_json).collect::<Vec<_>>(),
        "verdicts": closed.iter().map(closed_json).collect::<Vec<_>>(),
    });
    globals.output.print(json, || {
        let mut text = open_text(&open);
        for closed in &closed {
            text += &closed_line(closed);
            text += "\n";
        }
        text
    });
    Ok(())
}

/// An open dispute.
pub fn open_json(dispute: &DisputeView) -> Value {
    json!({
        "id": dispute.id.0,
        "task": dispute.task.0,
        "round": dispute.round.0,
        "accused": address(&dispute.accused),
        "challenger": address(&dispute.challenger),
        "bond": dispute.bond.to_string(),
        "stage": stage(dispute),
        "doubted_first": describe_accusation(&dispute.accusation),
        "words": StepName::of(&dispute.trial.statement).in_words(),
        "turn": format!("{:?}", turn(dispute)),
        "opened_at": dispute.opened_at,
        "deadline": dispute.deadline,
        "answers": dispute.answers,
        "picks": dispute.picks,
        "moves": dispute.answers.saturating_add(dispute.picks),
        "bytes": dispute.bytes,
    })
}

/// The open disputes, one per line.
pub fn open_text(open: &[DisputeView]) -> String {
    if open.is_empty() {
        return "no open disputes\n".to_owned();
    }
    let rows: Vec<_> = open
        .iter()
        .map(|dispute| {
            vec![
                dispute.id.to_string(),
                dispute.task.to_string(),
                dispute.round.to_string(),
                address(&dispute.accused),
                address(&dispute.challenger),
                stage(dispute),
                format!("{:?} by block {}", turn(dispute), dispute.deadline),
                dispute.answers.saturating_add(dispute.picks).to_string(),
                dispute.bytes.to_string(),
            ]
        })
        .collect();
    let head = [
        "dispute",
        "task",
        "round",
        "accused",
        "challenger",
        "at",
        "to move",
        "moves",
        "bytes",
    ];
    table(&head, &rows)
}

/// A dispute that is over. `step` is the one that was found wrong.
pub fn closed_json(closed: &ClosedDispute) -> Value {
    let step = match &closed.verdict {
        Verdict::Refuted(step) => Some(StepName::of_wrong(step).to_string()),
        _ => None,
    };
    json!({
        "id": closed.id.0,
        "task": closed.task.0,
        "round": closed.round.0,
        "accused": address(&closed.accused),
        "challenger": address(&closed.challenger),
        "verdict": verdict_name(&closed.verdict),
        "convicted": closed.verdict.convicts(),
        "step": step,
        "words": describe_verdict(&closed.verdict),
        "reward": closed.reward.to_string(),
        "opened_at": closed.opened_at,
        "ended_at": closed.ended_at,
        "blocks": blocks(closed),
        "answers": closed.answers,
        "picks": closed.picks,
        "moves": closed.answers.saturating_add(closed.picks),
        "bytes": closed.bytes,
    })
}

/// A dispute that is over, in two lines.
pub fn closed_line(closed: &ClosedDispute) -> String {
    format!(
        "dispute {} about task {}, round {}: {} challenged {}\n  {}; {} moves, {} bytes, {} blocks, \
         the winner got {} {SYMBOL}",
        closed.id,
        closed.task,
        closed.round,
        address(&closed.challenger),
        address(&closed.accused),
        describe_verdict(&closed.verdict),
        closed.answers.saturating_add(closed.picks),
        closed.bytes,
        blocks(closed),
        Amount(closed.reward),
    )
}

fn blocks(closed: &ClosedDispute) -> u32 {
    closed.ended_at.saturating_sub(closed.opened_at)
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Refuted(_) => "Refuted",
        Verdict::Unanswered => "Unanswered",
        Verdict::Upheld => "Upheld",
        Verdict::Abandoned => "Abandoned",
        Verdict::TooLong => "TooLong",
        Verdict::Moot => "Moot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::{id::DisputeId, RoundId};
    use gotong_scoring::share::trial::{Model, Step};

    fn closed(verdict: Verdict) -> ClosedDispute {
        ClosedDispute {
            id: DisputeId(4),
            task: TaskId(1),
            round: RoundId(2),
            accused: [1; 32],
            challenger: [2; 32],
            verdict,
            reward: 500_000_000_000_000,
            opened_at: 100,
            ended_at: 111,
            answers: 4,
            picks: 3,
            bytes: 9_000,
        }
    }

    #[test]
    fn a_verdict_is_told_with_step_moves_bytes_and_blocks() {
        let step = Step::Weight {
            of: Model::Merged,
            position: 5,
            claimed: 7,
            found: 6,
        };
        let refuted = closed(Verdict::Refuted(step));
        let json = closed_json(&refuted);
        assert_eq!(json["step"], "weight:merged:position=5");
        assert_eq!(json["verdict"], "Refuted");
        assert_eq!(json["convicted"], true);
        assert_eq!((&json["moves"], &json["bytes"]), (&7.into(), &9_000.into()));
        assert_eq!(json["blocks"], 11);
        assert_eq!(json["reward"], "500000000000000");
        let line = closed_line(&refuted);
        assert!(line.contains("weight 5 of the merged model is 6, not 7 as claimed"));
        assert!(line.contains("7 moves, 9000 bytes, 11 blocks, the winner got 500 GTG"));
        let json = closed_json(&closed(Verdict::Upheld));
        assert_eq!(json["step"], Value::Null);
        assert_eq!(json["convicted"], false);
    }
}
