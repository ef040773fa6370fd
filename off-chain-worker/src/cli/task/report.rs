//! `gotong task report`: what was paid, and for which improvement.

mod ledger;
mod markdown;

use super::show::{gain, round_json, task_json};
use crate::cli::{
    output::{millibits, Amount, SYMBOL},
    picture::{draw, Curve},
    replay::replayed,
    Globals,
};
use anyhow::{ensure, Context, Result};
use gotong_data::write_whole;
use gotong_protocol::{
    view::{RoundView, SubmissionView, TaskView},
    RoundId, TaskId,
};
use gotong_scoring::share::{table::Fall, Half};
use ledger::{attesters, contributors};
use serde_json::{json, Value};
use std::{io::Write, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gotong task report --task 0 --out report.md\n\n\
                  Works during a task and after it. It replays the task, because it recomputes the losses from the blocks. It \
                  also draws the loss, in report.svg beside the report."
)]
pub struct Report {
    /// The task
    #[arg(long)]
    task: u32,
    /// The file to write, as Markdown
    #[arg(long, value_name = "FILE.md")]
    out: PathBuf,
}

/// What a task has brought so far.
pub struct TaskReport {
    task: TaskView,
    rounds: Vec<RoundReport>,
}

/// What a round has brought.
pub struct RoundReport {
    view: RoundView,
    submissions: Vec<SubmissionView>,
    /// The losses of the weights before and after, on the samples that pay; none if nothing was merged.
    fall: Option<Fall>,
}

pub async fn run(args: Report, globals: &Globals) -> Result<()> {
    let picture = args.out.with_extension("svg");
    ensure!(
        picture != args.out,
        "{}: the picture needs that name; let the report's name end in .md",
        args.out.display()
    );
    let task = TaskId(args.task);
    let client = globals.client().await?;
    let now = client.best().await?;
    let view = now.existing_task(task).await?;
    let replica = replayed(&client, &now, &view, globals).await?;
    let mut rounds = Vec::new();
    for id in (0..=view.round.0).map(RoundId) {
        if let Some(round) = now.round(task, id).await? {
            let table = replica.table(id)?.map(|table| table.summary());
            rounds.push(RoundReport {
                view: round,
                submissions: now.submissions(task, id).await?,
                fall: table.and_then(|table| table.fall(Half::B).copied()),
            });
        }
    }
    let report = TaskReport { task: view, rounds };
    let losses = report.losses();
    let has_picture = !losses.is_empty();
    if has_picture {
        let caption = ("Loss on the samples that pay", "bits per sample");
        let curve = Curve::by_rounds(String::new(), &losses);
        draw(&picture, caption, "rounds", &[curve])?;
    }
    let picture = has_picture.then_some(picture);
    let name = picture.as_deref().and_then(|picture| picture.file_name());
    let text = report.markdown(name.and_then(|name| name.to_str()));
    write_whole(&args.out, |file| file.write_all(text.as_bytes()))
        .with_context(|| args.out.display().to_string())?;
    let mut json = report.json();
    json["block"] = json!(now.block());
    json["file"] = json!(args.out);
    json["picture"] = json!(picture);
    globals.output.print(json, || {
        format!("{}: {}", args.out.display(), report.outcome())
    });
    Ok(())
}

impl RoundReport {
    /// Losses in bits per sample: before the round, and after it.
    fn losses(&self, samples: u32) -> Option<[f64; 2]> {
        let fall = self.fall?;
        let sums = [fall.before.sum, fall.after.sum];
        Some(sums.map(|sum| sum as f64 / 65_536.0 / f64::from(samples.max(1))))
    }
}

impl TaskReport {
    /// Samples of a round that pay.
    fn samples(&self) -> u32 {
        Half::B.count(self.task.terms.hold_out.samples())
    }

    /// The loss at the start, and after every round: each on the samples of its own round, so it may rise a little by chance. Empty
    /// if nothing has been merged yet.
    fn losses(&self) -> Vec<f64> {
        let samples = self.samples();
        let of = |round: &RoundReport| round.losses(samples);
        let Some([start, _]) = self.rounds.iter().find_map(of) else {
            return Vec::new();
        };
        let mut losses = vec![start];
        let mut last = start;
        for round in &self.rounds {
            // A round that merges nothing changes nothing.
            last = of(round).map_or(last, |[_, after]| after);
            losses.push(last);
        }
        losses
    }

    /// What all rounds gained, Q16 bits summed over the samples that pay.
    fn gain(&self) -> i64 {
        let rounds = self.rounds.iter();
        rounds.filter_map(|round| gain(&round.view)).sum()
    }

    /// A sum of money over all rounds.
    fn sum(&self, of: impl Fn(&RoundView) -> u128) -> u128 {
        self.rounds.iter().map(|round| of(&round.view)).sum()
    }

    /// What was paid, and for what, in one line.
    fn outcome(&self) -> String {
        let (fees, paid) = (self.sum(|round| round.fees), self.sum(|round| round.paid));
        format!(
            "{} {SYMBOL} paid, {} to contributors and {} to attesters, for {:+.2} millibits a sample in {} rounds",
            Amount(fees.saturating_add(paid)),
            Amount(paid),
            Amount(fees),
            millibits(self.gain(), self.samples()),
            self.rounds.len(),
        )
    }

    fn json(&self) -> Value {
        let samples = self.samples();
        let rounds = self.rounds.iter().map(|round| {
            let losses = round.losses(samples);
            let mut json = round_json(&round.view, &self.task);
            json["loss_before"] = json!(losses.map(|[before, _]| before));
            json["loss_after"] = json!(losses.map(|[_, after]| after));
            json
        });
        let contributors = contributors(&self.rounds);
        let attesters = attesters(&self.rounds);
        json!({
            "task": task_json(&self.task),
            "rounds": rounds.collect::<Vec<_>>(),
            "contributors": contributors.iter().map(|it| it.json()).collect::<Vec<_>>(),
            "attesters": attesters.iter().map(|it| it.json()).collect::<Vec<_>>(),
            "samples_that_pay": samples,
            "gain_q16": self.gain().to_string(),
            "millibits": millibits(self.gain(), samples),
            "fees": self.sum(|round| round.fees).to_string(),
            "paid_to_contributors": self.sum(|round| round.paid).to_string(),
            "losses": self.losses(),
        })
    }
}

#[cfg(test)]
mod tests;
