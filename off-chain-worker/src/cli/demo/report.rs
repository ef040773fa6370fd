//! What the demo prints: a line per round, the purses as the chain knows them, and the sum that has to add up.

use super::{
    account,
    scene::{Cast, LIAR, NOISE},
    Ended,
};
use crate::{
    chain::{Account, Moment},
    cli::{
        exam::{Exam, Mark},
        output::{millibits, print_line, Format, SYMBOL, UNIT},
        round_report::RoundReport,
    },
    run::{in_commit_order, stage},
};
use anyhow::{ensure, Context, Result};
use gotong_evaluation::describe_verdict;
use gotong_protocol::{
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    pay,
    view::{DisputeView, RewardState, TaskView},
    RoundId,
};
use gotong_scoring::ShareTable;
use serde_json::{json, Map, Value};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What the rounds so far have brought.
pub struct Report {
    output: Format,
    cast: Cast,
    exam: Exam,
    /// The marks on the exam: at the start, then after every round.
    marks: Vec<Mark>,
    /// Rounds that ended.
    rounds: usize,
    /// What each round that merged something gained, Q16 bits summed over the samples that pay, and the rate.
    gains: BTreeMap<RoundId, (i64, u64)>,
    /// Rounds that settled, with or without a merge.
    settled: u32,
    /// What each round credited.
    credits: BTreeMap<RoundId, i64>,
    fees: u128,
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
    /// Rounds that credited it something, or paid it a fee.
    rounds: usize,
    /// Its credits, in Q16 bits summed over the samples that pay.
    credits: i64,
    proved: u64,
    /// What it was paid, in planck.
    paid: u128,
}

impl Report {
    pub fn new(output: Format, cast: Cast, exam: Exam) -> Self {
        Self {
            output,
            cast,
            exam,
            marks: Vec::new(),
            rounds: 0,
            gains: BTreeMap::new(),
            settled: 0,
            credits: BTreeMap::new(),
            fees: 0,
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
        self.rounds += 1;
        self.fees += view.fees;
        self.settled += u32::from(view.claim.is_some());
        let merged = view.claim.as_ref().and_then(|claim| claim.merged);
        self.gains
            .extend(merged.map(|merged| (view.round, (merged.gain, view.rate_q32))));
        let outcome = view
            .outcome
            .map_or(String::new(), |outcome| format!("{outcome:?}"));
        self.output.say(format_args!(
            "round {:>2}  {outcome:<11} {mark}",
            view.round.0
        ));
        match &round.table {
            Some(table) => self.explain(&round, table),
            None => Ok(()),
        }
    }

    /// Prints what is new about disputes: their openings, answers and verdicts. If there are several about the same table, only the
    /// first is followed: the others end with it.
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

    /// What the model is reported on.
    pub fn exam(&self) -> &Exam {
        &self.exam
    }

    /// How good the model was at the start, and after every round.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Reads from the chain what everybody was credited, has proved and was paid, and prints it.
    pub async fn purses(&mut self, now: &Moment, task: &TaskView) -> Result<()> {
        self.output.say(format_args!(
            "\n{:<14} {:>6} {:>9} {:>9} {:>13}",
            "account",
            "rounds",
            "credit",
            "proved",
            format!("paid ({SYMBOL})")
        ));
        let samples = task.terms.hold_out.samples() / 2;
        for (name, account) in self.cast.accounts()? {
            let rewards = now.rewards(&account).await?;
            let mut purse = Purse {
                name,
                rounds: 0,
                credits: 0,
                proved: 0,
                paid: 0,
            };
            for reward in rewards {
                match reward.state {
                    RewardState::Paid(fee) => {
                        purse.rounds += 1;
                        purse.paid += fee;
                    }
                    RewardState::Claimed(claimed) => {
                        purse.rounds += usize::from(claimed.credit != 0);
                        *self.credits.entry(reward.round).or_default() += claimed.credit;
                        purse.credits += claimed.credit;
                        purse.proved += claimed.proved;
                        purse.paid += claimed.paid;
                    }
                    _ => {}
                }
            }
            let is_contributor = now
                .ledgers(&account)
                .await?
                .iter()
                .any(|ledger| ledger.task == task.id);
            let [credit, proved] = match is_contributor {
                true => [purse.credits, i64::try_from(purse.proved)?]
                    .map(|units| format!("{:+.1}", millibits(units, samples))),
                false => [String::new(), String::new()],
            };
            self.output.say(format_args!(
                "{:<14} {:>6} {credit:>9} {proved:>9} {:>13}",
                purse.name,
                purse.rounds,
                tokens(purse.paid)
            ));
            if is_contributor {
                let pay = task.terms.contributor_pay(purse.proved);
                ensure!(
                    pay == Some(purse.paid),
                    "{} was paid {} planck, and proved {pay:?}",
                    purse.name,
                    purse.paid
                );
            }
            self.purses.push(purse);
        }
        self.output.say("credit and proved in millibits a sample\n");
        Ok(())
    }

    fn paid(&self, name: &str) -> u128 {
        let purse = self.purses.iter().find(|purse| purse.name == name);
        purse.map_or(0, |purse| purse.paid)
    }

    /// Checks that credits and pay add up, and prints the last lines.
    ///
    /// `contributor_seconds` are the processor seconds of an honest contributor.
    pub fn finish(
        &self,
        task: &TaskView,
        took: Duration,
        contributor_seconds: Option<f64>,
    ) -> Result<()> {
        let terms = &task.terms;
        let cast = self.cast;
        let gain: i64 = self.gains.values().map(|(gain, _)| gain).sum();
        let credits: i64 = self.credits.values().sum();
        let fees = self.gains.values().map(|(gain, rate)| {
            let fees = terms.attester_pay(u64::try_from(*gain).unwrap_or(0));
            Some(pay::at_rate(fees?, *rate))
        });
        let owed_fees: u128 = fees.sum::<Option<u128>>().context("the fees fit")?;
        let work = terms.work_pay(task.graph.cost()).context("the fee fits")?;
        let owed_fees = owed_fees + work * u128::from(self.settled);
        let fees: u128 = cast.truthful().map(|name| self.paid(&name)).sum();
        let honest_paid: u128 = cast.honest().map(|name| self.paid(&name)).sum();
        let honest_mean = honest_paid / cast.honest().count().max(1) as u128;
        let claims = honest_paid + self.paid(NOISE);
        let proved: u64 = self.purses.iter().map(|purse| purse.proved).sum();
        for (round, credits) in &self.credits {
            let gain = self.gains.get(round).map_or(0, |(gain, _)| *gain);
            ensure!(
                *credits == gain,
                "the credits of round {round} add up to {credits}, and its gain is {gain}"
            );
        }
        self.output.say(format_args!(
            "credits {credits} = gain {gain}: they are equal in every round, in units of 2^-16 bit over the samples that pay"
        ));
        self.output.say(format_args!(
            "claims  {} {SYMBOL}: contributors get {} % of the price of what they proved",
            tokens(claims),
            percent(1000 - terms.attester_fee_permille)
        ));
        self.output.say(format_args!(
            "fees    {} {SYMBOL}: attesters get {} % of the price of every gain, and {} {SYMBOL} for the work of each round",
            tokens(fees),
            percent(terms.attester_fee_permille),
            tokens(work)
        ));
        ensure!(
            fees == self.fees && fees == owed_fees,
            "attesters got {fees}, the rounds' fees are {}, and their gains and work say {owed_fees}",
            self.fees
        );
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
            "rounds": self.rounds,
            "rounds_merged": self.gains.len(),
            "gain_units": gain.to_string(),
            "credits_sum_units": credits.to_string(),
            "proved_units": proved.to_string(),
            "honest_paid_mean": honest_mean.to_string(),
            "claims": claims.to_string(),
            "fees": fees.to_string(),
            "paid_planck_by_account": self.purses.iter()
                .map(|purse| (purse.name.clone(), json!(purse.paid.to_string())))
                .collect::<Map<_, _>>(),
            "contributors": cast.contributors().count(),
            "attesters": cast.attesters().count(),
            "convicted": self.convicted.len(),
            "seconds": took.as_secs(),
            "contributor_cpu_seconds": contributor_seconds.map(f64::round),
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
        print_line(Value::Object(all));
        Ok(())
    }

    /// Prints what a round decided on A and what it paid on B: every delta's value, and its credit.
    fn explain(&self, round: &Ended, table: &ShareTable) -> Result<()> {
        let report = RoundReport::new(table, &round.view.base_root, round.samples);
        self.output
            .say(format_args!("          {}", report.outcome()));
        let entrants = in_commit_order(&round.submissions);
        for (of, submission) in report.entrants().iter().zip(entrants) {
            self.output.say(format_args!(
                "          {:<13} {}",
                self.cast.name_of(&submission.account)?,
                report.explain(of),
            ));
        }
        Ok(())
    }
}

/// Planck as whole tokens with four decimals, rounded down.
fn tokens(planck: u128) -> String {
    format!("{}.{:04}", planck / UNIT, planck % UNIT / (UNIT / 10_000))
}

/// Thousandths as per cent.
fn percent(permille: u16) -> f64 {
    f64::from(permille) / 10.0
}
