//! Verdicts and wrong steps, in words.

use super::StepName;
use gotong_protocol::dispute::Verdict;
use gotong_scoring::trial::Step;

/// Which step is wrong, and how.
pub fn describe_step(step: &Step) -> String {
    match *step {
        Step::Similarities { row } => {
            format!("what row {row} is similar to contradicts the other rows")
        }
        Step::Similarity(pair) => format!(
            "rows {} and {} are called {}, and are not",
            pair.earlier,
            pair.later,
            if pair.similar { "similar" } else { "different" }
        ),
        Step::Dot {
            pair,
            chunk,
            claimed,
            found,
        } => {
            let (earlier, later) = (pair.earlier, pair.later);
            let name = StepName::Dot {
                earlier,
                later,
                chunk,
            };
            differs(name, claimed, found)
        }
        Step::Row { row } => format!("row:{row} does not follow from its losses and delta"),
        Step::Header => "header does not follow from its losses and weights".to_owned(),
        Step::Weight {
            of,
            position,
            claimed,
            found,
        } => differs(StepName::Weight { of, position }, claimed, found),
        Step::Term {
            of,
            position,
            row,
            claimed,
            found,
        } => {
            let name = StepName::Term { of, position, row };
            let term = |term: gotong_scoring::trial::Term| {
                format!("{} of weight {}", term.value, term.weight)
            };
            differs(name, term(claimed), term(found))
        }
        Step::Word {
            of,
            sample,
            op,
            at,
            claimed,
            found,
        } => differs(StepName::Word { of, sample, op, at }, claimed, found),
    }
}

fn differs<T: std::fmt::Display>(name: StepName, claimed: T, found: T) -> String {
    format!("{name} is {found}, and was claimed to be {claimed}")
}

/// How a dispute ended.
pub fn describe_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refuted(step) => format!("refuted: {}", describe_step(step)),
        Verdict::Unanswered => "the accused did not answer in time".to_owned(),
        Verdict::Upheld => "upheld: the challenger was wrong".to_owned(),
        Verdict::Abandoned => "the challenger did not pick in time".to_owned(),
        Verdict::TooLong => "dismissed: it took too many moves".to_owned(),
        Verdict::Moot => "the accused was convicted in another dispute before".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::trial::Side;

    #[test]
    fn a_wrong_step_is_named_with_both_values() {
        let step = Step::Word {
            of: Side::Plus(1),
            sample: 3,
            op: 2,
            at: 7,
            claimed: 41,
            found: 42,
        };
        assert_eq!(
            describe_verdict(&Verdict::Refuted(step)),
            "refuted: word:plus=1:sample=3:op=2:at=7 is 42, and was claimed to be 41"
        );
        let step = Step::Header;
        assert!(describe_step(&step).starts_with(&StepName::Header.to_string()));
    }
}
