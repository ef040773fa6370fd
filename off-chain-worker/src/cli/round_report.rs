//! A round in plain English: which deltas were merged, what each is worth, and why others were dropped.

use super::output::millibits;
use gotong_protocol::{Credit, Hash, ShareClaim, TableSummary};
use gotong_scoring::{
    share::{Half, Value},
    ShareTable,
};
use serde_json::{json, Value as Json};

/// What a share table says about a round.
pub struct RoundReport<'a> {
    table: &'a ShareTable,
    summary: TableSummary,
    claim: ShareClaim,
    /// Number of samples in either half.
    samples: u32,
}

/// What happened to a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was merged, and is credited this.
    Merged(Credit),
    /// It left the company after a pass, because its value was too low.
    Dropped {
        /// The pass.
        pass: usize,
        /// Standard errors that its value had to be above, Q8.
        floor_q8: u16,
    },
    /// It stayed in the company, but nothing was merged.
    Kept,
}

/// One delta of a round.
pub struct EntrantReport {
    /// What happened to it.
    pub fate: Fate,
    /// Its value in the last company that it was in, on half A.
    pub value: Value,
    /// Whether its account had proved something.
    pub is_proven: bool,
}

impl<'a> RoundReport<'a> {
    /// A report about a round with `samples` samples that started from weights with this root.
    pub fn new(table: &'a ShareTable, base_root: &Hash, samples: u32) -> Self {
        let summary = table.summary();
        Self {
            table,
            claim: summary.claim(base_root),
            summary,
            samples: Half::A.count(samples),
        }
    }

    /// What happened, in one line.
    pub fn outcome(&self) -> String {
        let tried = match self.table.passes.len() {
            1 => "1 company tried".to_owned(),
            passes => format!("best of {passes} companies"),
        };
        let floor = standard_errors(self.table.terms.gain_floor_q8);
        match (&self.summary.merge, self.claim.merged) {
            (None, _) => "nothing merged: on half A, every company does more harm than a 33rd of its good".into(),
            (Some(_), None) => format!(
                "nothing merged: half A gains {} millibits, which is not above {floor} standard errors ({tried})",
                self.gain_on_a(),
            ),
            (Some(_), Some(merged)) => format!(
                "merged: half A gains {} millibits ({tried}), half B {:+.1}",
                self.gain_on_a(),
                millibits(merged.gain, self.samples),
            ),
        }
    }

    fn gain_on_a(&self) -> String {
        let fall = self.summary.fall(Half::A);
        fall.map_or(String::new(), |fall| {
            let error = u128::from(fall.standard_error).saturating_pow(2);
            self.measured(fall.gain(), error)
        })
    }

    /// The companies that were tried, one per line.
    pub fn passes(&self) -> Vec<String> {
        let candidate = self.summary.candidate().map(usize::from);
        let line = |(number, pass): (usize, &gotong_scoring::share::table::PassSummary)| {
            let merged = match candidate == Some(number) {
                true => ", the best",
                false => "",
            };
            format!(
                "company {number}: {} deltas, values add up to {:+.1} millibits{merged}",
                pass.members.count(),
                millibits(pass.rows.sum.value, self.samples),
            )
        };
        self.summary.passes.iter().enumerate().map(line).collect()
    }

    /// Every delta, in the order of commits.
    pub fn entrants(&self) -> Vec<EntrantReport> {
        (0..self.table.records.len())
            .filter_map(|entrant| self.entrant(entrant))
            .collect()
    }

    fn entrant(&self, entrant: usize) -> Option<EntrantReport> {
        let record = self.table.records.get(entrant)?;
        let passes = &self.table.passes;
        let is_member = |pass: usize| {
            let pass = passes.get(pass);
            pass.is_some_and(|pass| pass.members.get(entrant) == Some(&true))
        };
        let candidate = self.summary.candidate().map(usize::from);
        let last = match candidate {
            Some(candidate) if is_member(candidate) => candidate,
            _ => (0..passes.len()).rev().find(|pass| is_member(*pass))?,
        };
        let is_dropped = match candidate {
            Some(candidate) => last != candidate,
            None => last + 1 < passes.len(),
        };
        let proved = || {
            let proof = self.table.prove_credit(entrant as u32)?;
            proof.verify(&self.claim).ok()
        };
        let fate = match is_dropped {
            true => Fate::Dropped {
                pass: last,
                floor_q8: record.floor_q8(&self.table.terms),
            },
            false => proved().map_or(Fate::Kept, |proved| Fate::Merged(proved.credit)),
        };
        Some(EntrantReport {
            fate,
            value: passes.get(last)?.rows.get(entrant)?.value(),
            is_proven: record.is_proven,
        })
    }

    /// What happened to a delta, and why.
    pub fn explain(&self, of: &EntrantReport) -> String {
        let value = self.measured(of.value.sum, of.value.variance);
        match of.fate {
            Fate::Merged(Credit { credit, variance }) => {
                format!("merged: credit {}", self.measured(credit, variance))
            }
            Fate::Kept => format!("{value} on half A, and nothing was merged"),
            Fate::Dropped { pass, .. } if of.value.sum <= 0 => {
                format!("dropped: {value} on half A in company {pass}, so the merge is no worse without it")
            }
            Fate::Dropped { pass, floor_q8 } => {
                let who = match of.is_proven {
                    true => "a proven account",
                    false => "a newcomer",
                };
                let floor = standard_errors(floor_q8);
                format!(
                    "dropped: {value} on half A in company {pass}, and {who} needs more than {floor} standard errors"
                )
            }
        }
    }

    /// The report, for programs; `accounts` are those of the deltas, in order.
    pub fn json(&self, accounts: &[String]) -> Json {
        let entrants = self.entrants();
        let entrants = entrants.iter().zip(accounts).map(|(of, account)| {
            let (fate, credit, pass) = match of.fate {
                Fate::Merged(credit) => ("merged", Some(credit), None),
                Fate::Dropped { pass, .. } => ("dropped", None, Some(pass)),
                Fate::Kept => ("kept", None, None),
            };
            json!({
                "account": account,
                "is_proven": of.is_proven,
                "fate": fate,
                "dropped_after": pass,
                "value_q16": of.value.sum.to_string(),
                "value_variance": of.value.variance.to_string(),
                "credit_q16": credit.map(|credit| credit.credit.to_string()),
                "credit_variance": credit.map(|credit| credit.variance.to_string()),
                "words": self.explain(of),
            })
        });
        let passes = self.summary.passes.iter().map(|pass| {
            json!({
                "members": pass.members.count(),
                "sum_q16": pass.rows.sum.value.to_string(),
                "median_norm": pass.median_norm.to_string(),
            })
        });
        let fall = self.summary.fall(Half::A);
        json!({
            "words": self.outcome(),
            "table_root": hex::encode(self.claim.table_root),
            "samples_that_pay": self.samples,
            "passes": passes.collect::<Vec<_>>(),
            "best_pass": self.summary.candidate(),
            "gain_on_a_q16": fall.map(|fall| fall.gain().to_string()),
            "gain_on_a_error_q16": fall.map(|fall| fall.standard_error.to_string()),
            "gain_q16": self.claim.merged.map(|merged| merged.gain.to_string()),
            "deltas": entrants.collect::<Vec<_>>(),
        })
    }

    /// A sum over the samples of a half and its standard error, in millibits per sample.
    fn measured(&self, units: i64, variance: u128) -> String {
        let value = millibits(units, self.samples);
        let error = (variance as f64).sqrt() * 1000.0 / 65536.0 / f64::from(self.samples.max(1));
        format!("{value:+.1}±{error:.1}")
    }
}

/// A number of standard errors in Q8, as people write it.
fn standard_errors(q8: u16) -> String {
    let number = format!("{:.2}", f64::from(q8) / 256.0);
    number
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;

    #[test]
    fn a_round_is_told_with_what_became_of_every_delta() {
        let lab = Lab::small();
        let (round, table) = lab.score();
        let report = RoundReport::new(&table, &lab.facts.base_root, lab.facts.samples);
        let outcome = report.outcome();
        assert!(outcome.starts_with("merged: half A gains +"), "{outcome}");
        assert!(
            outcome.contains("(best of 2 companies), half B +"),
            "{outcome}"
        );
        let entrants = report.entrants();
        assert_eq!(entrants.len(), 4);
        for (of, credit) in entrants.iter().zip(&round.credits) {
            match credit {
                Some(credit) => assert_eq!(of.fate, Fate::Merged(*credit)),
                None => assert!(matches!(of.fate, Fate::Dropped { pass: 0, .. })),
            }
        }
        let words = report.explain(&entrants[2]);
        assert!(words.starts_with("dropped: -"), "{words}");
        assert!(report.explain(&entrants[0]).starts_with("merged: credit +"));
        let passes = report.passes();
        assert!(passes[0].starts_with("company 0: 4 deltas, values add up to "));
        assert!(passes[1].ends_with(", the best"));

        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let json = report.json(&names);
        let credits = json["deltas"].as_array().unwrap().iter();
        let credits = credits.filter_map(|delta| delta["credit_q16"].as_str());
        let sum: i64 = credits.map(|credit| credit.parse::<i64>().unwrap()).sum();
        assert_eq!(json["gain_q16"], sum.to_string());
        assert_eq!(json["deltas"][2]["fate"], "dropped");
        assert_eq!(json["deltas"][2]["account"], "c");
    }

    #[test]
    fn a_round_that_merges_nothing_says_why() {
        let lab = Lab::small().harmful();
        let table = lab.table();
        let report = RoundReport::new(&table, &lab.facts.base_root, lab.facts.samples);
        assert!(report
            .outcome()
            .starts_with("nothing merged: on half A, every company"));
        let entrants = report.entrants();
        assert_eq!(entrants[0].fate, Fate::Kept);
        assert!(report.explain(&entrants[0]).ends_with("nothing was merged"));
        assert_eq!(report.json(&["a".into()])["gain_q16"], Json::Null);
    }

    #[test]
    fn a_value_below_its_floor_is_told_with_the_floor() {
        let lab = Lab::small();
        let table = lab.table();
        let report = RoundReport::new(&table, &lab.facts.base_root, lab.facts.samples);
        let below = EntrantReport {
            fate: Fate::Dropped {
                pass: 1,
                floor_q8: 384,
            },
            value: Value {
                sum: 1 << 16,
                variance: 1 << 34,
            },
            is_proven: false,
        };
        assert_eq!(
            report.explain(&below),
            "dropped: +31.2±62.5 on half A in company 1, and a newcomer needs more than 1.5 standard errors"
        );
    }
}
