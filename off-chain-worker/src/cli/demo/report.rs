//! What the demo prints: a line a round, the purses as the chain knows them, and the sum that
//! has to add up.

use super::{
    account,
    exam::{Exam, Mark},
    scene::{Cast, LIAR, NOISE},
    Ended,
};
use crate::{
    chain::{Account, Moment},
    cli::output::{Format, SYMBOL, UNIT},
    evaluation::describe_verdict,
    run::stage,
};
use anyhow::{ensure, Context, Result};
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    pay,
    view::{DisputeView, RewardState, TaskView},
    Hash,
};
use gotong_scoring::{ScoreTable, Standing};
use serde_json::{json, Map, Value};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Q16 bits in a bit.
const ONE_BIT: f64 = 65536.0;

/// What the rounds so far have brought.
pub struct Report {
    output: Format,
    cast: Cast,
    exam: Exam,
    /// On the exam: at the start, then after every round.
    marks: Vec<Mark>,
    owed: u128,
    fees: u128,
    /// Paid improvement of every round, in Q16 bits summed over its shard.
    paid_gains: Vec<u64>,
    purses: Vec<Purse>,
    disputes: BTreeMap<DisputeId, Seen>,
    convicted: Vec<Convicted>,
}

/// A dispute that is being watched.
struct Seen {
    accused: Account,
    since: Instant,
    answers: u32,
    bytes: u32,
}

/// A dispute that convicted an attester.
struct Convicted {
    closed: ClosedDispute,
    took: Duration,
}

/// What one account was paid, as the chain knows it.
struct Purse {
    name: String,
    rounds: usize,
    paid: u128,
}

impl Report {
    pub fn new(output: Format, cast: Cast, exam: Exam) -> Self {
        Self {
            output,
            cast,
            exam,
            marks: Vec::new(),
            owed: 0,
            fees: 0,
            paid_gains: Vec::new(),
            purses: Vec::new(),
            disputes: BTreeMap::new(),
            convicted: Vec::new(),
        }
    }

    /// Examines the first weights.
    pub fn start(&mut self, weights: &[i16]) -> Result<()> {
        let mark = self.examine(weights)?;
        self.output
            .say(format_args!("start     {mark} on {}", self.exam.samples()));
        self.text(weights)
    }

    fn examine(&mut self, weights: &[i16]) -> Result<Mark> {
        let mark = self.exam.mark(weights)?;
        self.marks.push(mark);
        Ok(mark)
    }

    /// Prints a text that a language model writes with these weights.
    pub fn text(&self, weights: &[i16]) -> Result<()> {
        if let Some(text) = self.exam.text(weights)? {
            self.output
                .say(format_args!("text      by the exact machine"));
            for line in text.lines() {
                self.output.say(format_args!("          {line}"));
            }
        }
        Ok(())
    }

    /// Prints the line of a round that has ended.
    pub fn add(&mut self, round: Ended) -> Result<()> {
        let mark = self.examine(&round.weights)?;
        let view = &round.view;
        self.owed += view.owed;
        self.fees += view.fees;
        let claim = view.claim.as_ref();
        self.paid_gains
            .push(claim.map_or(0, |claim| claim.paid_gain));
        let outcome = view
            .outcome
            .map_or(String::new(), |outcome| format!("{outcome:?}"));
        self.output.say(format_args!(
            "round {:>2}  {outcome:<11} {mark}, owed {} {SYMBOL}",
            view.round.0,
            tokens(view.owed),
        ));
        match &round.table {
            Some(table) => self.explain(&round, table),
            None => Ok(()),
        }
    }

    /// Prints what is new about disputes: their openings, answers and verdicts. Of several about the
    /// same table only the first is followed: the others end with it.
    pub fn disputes(&mut self, open: &[DisputeView], closed: &[ClosedDispute]) -> Result<()> {
        for dispute in open {
            let (challenger, accused) = (
                self.cast.name_of(&dispute.challenger)?,
                self.cast.name_of(&dispute.accused)?,
            );
            let is_first = self
                .disputes
                .iter()
                .all(|(id, seen)| *id >= dispute.id || seen.accused != dispute.accused);
            if !self.disputes.contains_key(&dispute.id) {
                self.output.say(format_args!(
                    "dispute {}: {challenger} doubts the table of {accused}, with a bond of {} {SYMBOL}",
                    dispute.id,
                    tokens(dispute.bond),
                ));
            }
            let seen = self.disputes.entry(dispute.id).or_insert_with(|| Seen {
                accused: dispute.accused,
                since: Instant::now(),
                answers: 0,
                bytes: 0,
            });
            if is_first && dispute.answers > seen.answers {
                self.output.say(format_args!(
                    "          {accused} shows {} bytes of {}",
                    dispute.bytes - seen.bytes,
                    stage(dispute),
                ));
            }
            (seen.answers, seen.bytes) = (dispute.answers, dispute.bytes);
        }
        for closed in closed {
            let Some(seen) = self.disputes.remove(&closed.id) else {
                continue;
            };
            if closed.verdict == Verdict::Moot {
                continue;
            }
            let took = seen.since.elapsed();
            self.output.say(format_args!(
                "          {}",
                describe_verdict(&closed.verdict)
            ));
            if closed.verdict.convicts() {
                self.output.say(format_args!(
                    "          {} is convicted: {} {SYMBOL} of its stake to {}, as much burned",
                    self.cast.name_of(&closed.accused)?,
                    tokens(closed.reward),
                    self.cast.name_of(&closed.challenger)?,
                ));
                self.output.say(format_args!(
                    "          after {} reveals of {} bytes, {} blocks, {:.1} s; the other bonds are back",
                    closed.answers,
                    closed.bytes,
                    closed.ended_at - closed.opened_at,
                    took.as_secs_f64(),
                ));
                self.convicted.push(Convicted {
                    closed: closed.clone(),
                    took,
                });
            }
        }
        Ok(())
    }

    /// What all rounds owe, in planck.
    pub fn owed(&self) -> u128 {
        self.owed
    }

    /// What the model was worth at the start, and after every round.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Reads from the chain what everybody was paid, and prints it.
    pub async fn purses(&mut self, now: &Moment) -> Result<()> {
        self.output.say(format_args!(
            "\n{:<14} {:>6} {:>14}",
            "account",
            "rounds",
            format!("paid ({SYMBOL})")
        ));
        for (name, account) in self.cast.accounts()? {
            let rewards = now.rewards(&account).await?;
            let payments: Vec<u128> = rewards
                .iter()
                .filter_map(|reward| match reward.state {
                    RewardState::Paid(amount) if amount > 0 => Some(amount),
                    _ => None,
                })
                .collect();
            let purse = Purse {
                name,
                rounds: payments.len(),
                paid: payments.iter().sum(),
            };
            self.output.say(format_args!(
                "{:<14} {:>6} {:>14}",
                purse.name,
                purse.rounds,
                tokens(purse.paid)
            ));
            self.purses.push(purse);
        }
        self.output.say("");
        Ok(())
    }

    fn paid(&self, name: &str) -> u128 {
        let purse = self.purses.iter().find(|purse| purse.name == name);
        purse.map_or(0, |purse| purse.paid)
    }

    /// Checks that pay adds up, and prints the last lines.
    pub fn finish(&self, task: &TaskView, took: Duration) -> Result<()> {
        let terms = &task.terms;
        let owed: u128 = self
            .paid_gains
            .iter()
            .map(|gain| {
                pay::owed(
                    terms.price_per_millibit,
                    *gain,
                    terms.hold_out.samples(),
                    terms.cap_per_round,
                )
                .context("price x improvement fits")
            })
            .sum::<Result<u128>>()?;
        let cast = self.cast;
        let fees: u128 = cast.truthful().map(|name| self.paid(&name)).sum();
        let honest_paid: u128 = cast.honest().map(|name| self.paid(&name)).sum();
        let honest_mean = honest_paid / cast.honest().count().max(1) as u128;
        let claims = honest_paid + self.paid(NOISE);
        self.output.say(format_args!(
            "claims {claims} + fees {fees} = {} planck",
            claims + fees
        ));
        self.output
            .say(format_args!("price x proven improvement = {owed} planck"));
        ensure!(
            fees == self.fees,
            "attesters got {fees}, the rounds' fees are {}",
            self.fees
        );
        ensure!(claims + fees == owed, "pay does not add up");
        let liar = account(LIAR)?;
        ensure!(
            self.convicted.iter().all(|it| it.closed.accused == liar),
            "an honest attester was convicted"
        );
        let marks = self.marks.first().zip(self.marks.last());
        let (first, last) = marks.context("no exam was taken")?;
        let mut all = Map::new();
        let mut add = |more: Value| all.extend(more.as_object().cloned().unwrap_or_default());
        add(Mark::json(*first, *last)?);
        add(json!({
            "rounds": self.paid_gains.len(),
            "honest_paid_mean": honest_mean.to_string(),
            "claims": claims.to_string(),
            "fees": fees.to_string(),
            "owed": owed.to_string(),
            "contributors": cast.contributors().count(),
            "attesters": cast.attesters().count(),
            "convicted": self.convicted.len(),
            "seconds": took.as_secs(),
        }));
        if cast.has_noise() {
            add(json!({ "noise_paid": self.paid(NOISE).to_string() }));
        }
        if cast.has_liar() {
            let convicted = self.convicted.first().context("the liar got away")?;
            add(json!({
                "dispute_reveals": convicted.closed.answers,
                "dispute_bytes": convicted.closed.bytes,
                "dispute_blocks": convicted.closed.ended_at - convicted.closed.opened_at,
                "dispute_seconds": convicted.took.as_secs_f64(),
            }));
        }
        println!("{}", Value::Object(all));
        Ok(())
    }

    /// Prints what a round measured: its gain, and every delta's share and pay.
    fn explain(&self, round: &Ended, table: &ScoreTable) -> Result<()> {
        let samples = f64::from(table.header.samples);
        let millibits = |q16: f64| q16 / ONE_BIT / samples * 1000.0;
        self.output.say(format_args!(
            "          gain {:+.1}±{:.1} millibit{}",
            millibits(table.header.gain as f64),
            millibits(table.header.gain_se as f64),
            match table.header.paid_gain {
                0 => ": not merged, not paid",
                _ => "",
            },
        ));
        let pot = round.view.owed - round.view.fees;
        let total = table.shares_sum();
        let mut prefix = 0;
        for row in &table.rows {
            let share = u128::from(row.share);
            let paid = pay::slice(pot, total, prefix, share).unwrap_or_default();
            prefix += share;
            let standing = match row.standing {
                Standing::Admitted if paid > 0 => format!("paid {} {SYMBOL}", tokens(paid)),
                Standing::Admitted => "admitted".into(),
                Standing::BelowFloor => "not admitted".into(),
                Standing::Similar { .. } => "too similar".into(),
            };
            self.output.say(format_args!(
                "          {:<13} phi {:+7.1}±{:<4.1} {standing}",
                self.author(round, &row.delta_hash)?,
                millibits(row.phi as f64),
                millibits(row.standard_error as f64),
            ));
        }
        Ok(())
    }

    /// The demo's name of whoever revealed a delta.
    fn author(&self, round: &Ended, delta_hash: &Hash) -> Result<String> {
        let submission = round.submissions.iter().find(|submission| {
            let revealed = submission.revealed.as_ref();
            revealed.is_some_and(|revealed| revealed.record.delta_hash == *delta_hash)
        });
        self.cast
            .name_of(&submission.context("every row has its reveal")?.account)
    }
}

/// Planck as whole tokens with four decimals, rounded down.
fn tokens(planck: u128) -> String {
    format!("{}.{:04}", planck / UNIT, planck % UNIT / (UNIT / 10_000))
}
