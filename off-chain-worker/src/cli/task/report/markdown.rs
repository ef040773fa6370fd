//! The report as Markdown.

use super::{
    ledger::{attesters, contributors},
    RoundReport, TaskReport,
};
use crate::{
    cli::{
        output::{printable, signed_millibits, Amount, SYMBOL},
        task::{gain, stands},
    },
    keys::address,
    model::describe,
};

impl TaskReport {
    /// The whole report, with the picture of this name.
    pub fn markdown(&self, picture: Option<&str>) -> String {
        let (task, terms) = (&self.task, &self.task.terms);
        let mut text = format!(
            "# Task {} \"{}\": what was paid for which improvement\n\n{}.\n\n",
            task.id,
            escaped(terms.name.as_str().unwrap_or("?")),
            self.outcome(),
        );
        let losses = self.losses();
        if let (Some(first), Some(last)) = (losses.first(), losses.last()) {
            text += &format!(
                "Before the first merge, the loss was {first:.4} bits a sample; after the last, {last:.4}.\n\n"
            );
        }
        if let Some(picture) = picture {
            text += &format!("![Loss in bits per sample, by round]({picture})\n\n");
        }
        let facts = [
            ("state", format!("{:?}", task.state)),
            ("sponsor", address(&task.sponsor)),
            ("model", describe(&task.graph)),
            ("parameters", task.parameters.to_string()),
            (
                "price",
                format!("{} {SYMBOL} a millibit", Amount(terms.price_per_millibit)),
            ),
            (
                "of it to attesters",
                format!("{} permille", terms.attester_fee_permille),
            ),
            (
                "most a round",
                format!("{} {SYMBOL}", Amount(terms.cap_per_round)),
            ),
            (
                "left in the budget",
                format!("{} {SYMBOL}", Amount(task.pool)),
            ),
            ("set aside", format!("{} {SYMBOL}", Amount(task.reserved))),
        ];
        let facts = facts.map(|(name, value)| vec![name.to_owned(), value]);
        text += &table(&["task", ""], &facts);
        text += "\n## Rounds\n\n";
        let rows: Vec<_> = self.rounds.iter().map(|round| self.row(round)).collect();
        let head = [
            "round",
            "ended",
            "deltas",
            "gain",
            "loss before",
            "loss after",
            "fees",
            "set aside",
            "paid",
            "came back",
        ];
        text += &table(&head, &rows);
        text += &format!(
            "\nThe gain is in millibits a sample and the loss in bits a sample, both on the samples that pay; money is in \
             {SYMBOL}. Fees go to attesters. The amount set aside is the most that contributors can prove: they are paid for \
             what they prove when they claim, and the rest comes back. Each round has its own samples, so it may begin with a \
             different loss than the previous round ended with.\n"
        );
        text += "\n## Contributors\n\n";
        text += &self.contributors();
        text += "\n## Attesters\n\n";
        let rows = attesters(&self.rounds).into_iter().map(|own| {
            let fees = Amount(own.fees).to_string();
            vec![address(&own.account), own.seats.to_string(), fees]
        });
        text += &table(&["account", "seats", "fees"], &rows.collect::<Vec<_>>());
        text
    }

    fn row(&self, round: &RoundReport) -> Vec<String> {
        let (view, samples) = (&round.view, self.samples());
        let gain = gain(view).map(|gain| signed_millibits(gain, samples));
        let losses = round
            .losses(samples)
            .map(|losses| losses.map(|loss| format!("{loss:.4}")));
        let [before, after] = losses.unwrap_or_default();
        vec![
            view.round.to_string(),
            stands(view),
            view.reveals.to_string(),
            gain.unwrap_or_default(),
            before,
            after,
            Amount(view.fees).to_string(),
            Amount(view.pot).to_string(),
            Amount(view.paid).to_string(),
            Amount(view.released).to_string(),
        ]
    }

    fn contributors(&self) -> String {
        let samples = self.samples();
        let row = |own: &super::ledger::Contributor| {
            let proved = i64::try_from(own.proved).unwrap_or(i64::MAX);
            vec![
                address(&own.account),
                own.rounds.to_string(),
                signed_millibits(own.credit, samples),
                signed_millibits(proved, samples),
                Amount(own.paid).to_string(),
                own.unclaimed.to_string(),
            ]
        };
        let rows: Vec<_> = contributors(&self.rounds).iter().map(row).collect();
        let head = [
            "account",
            "rounds",
            "credit",
            "proved",
            "paid",
            "not claimed yet",
        ];
        table(&head, &rows)
            + "\nA credit is what an account's deltas were worth. The account is paid for what it has proved: see `gotong rewards`.\n"
    }
}

/// A Markdown table.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rule = vec!["---"; head.len()].join(" | ");
    let mut text = format!("| {} |\n| {rule} |\n", head.join(" | "));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Text that may come from a stranger: none of it is Markdown or HTML, ends a cell or begins a
/// line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if matches!(c, '\\' | '`' | '|' | '<' | '[' | ']' | '*') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_text() {
        assert_eq!(escaped("+1.5 GTG (a_b), 3 of 4"), "+1.5 GTG (a_b), 3 of 4");
        assert_eq!(escaped("`a`|<b>[c](d)"), "\\`a\\`\\|\\<b>\\[c\\](d)");
        assert_eq!(escaped("a\n\u{1b}"), "a\\\\n\\\\u{1b}");
        let rows = [vec!["a|b".to_owned(), "c".to_owned()]];
        assert!(table(&["x", "y"], &rows).ends_with("| a\\|b | c |\n"));
    }
}
