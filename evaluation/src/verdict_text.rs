//! Accusations, verdicts and wrong steps, in plain English.

use super::StepName;
use gotong_protocol::dispute::Verdict;
use gotong_scoring::{
    share::trial::{Accusation, Step},
    trial::{self, backward, Term},
};
use std::fmt::Display;

/// Which step is wrong, and how.
pub fn describe_step(step: &Step) -> String {
    let what = StepName::of_wrong(step).in_words();
    match *step {
        Step::Row(..) => format!(
            "{what} is wrong: its delta, the number of its parts, or whether it was dropped"
        ),
        Step::Part(_) => format!("{what} does not follow from its products"),
        Step::Losses(_) => format!("{what}, is different"),
        Step::Product { claimed, found, .. } => differs(&what, claimed, found),
        Step::Weight { claimed, found, .. } => differs(&what, claimed, found),
        Step::Term { claimed, found, .. } => {
            let term = |term: Term| format!("{} of weight {}", term.value, term.weight);
            differs(&what, term(claimed), term(found))
        }
        Step::Gradient { step, .. } => match step {
            backward::Step::Contribution { claimed, found, .. } => differs(&what, claimed, found),
            backward::Step::Word { claimed, found, .. } => differs(&what, claimed, found),
        },
        Step::Loss(trial::Step { claimed, found, .. }) => differs(&what, claimed, found),
    }
}

fn differs<T: Display>(what: &str, claimed: T, found: T) -> String {
    format!("{what} is {found}, not {claimed} as claimed")
}

/// What a challenger doubts first.
pub fn describe_accusation(accusation: &Accusation) -> String {
    let step = match *accusation {
        Accusation::Rows(stage) => StepName::Rows(stage),
        Accusation::Row(stage, entrant) => StepName::Row { stage, entrant },
        Accusation::Gradients(stage) => StepName::Gradients(stage),
        Accusation::Weights(of) => StepName::Weights(of),
        Accusation::Losses(half) => StepName::Losses(half),
    };
    step.in_words()
}

/// How a dispute ended.
pub fn describe_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refuted(step) => format!("refuted: {}", describe_step(step)),
        Verdict::Unanswered => "the accused did not answer in time".to_owned(),
        Verdict::Upheld => "upheld: the challenger was wrong".to_owned(),
        Verdict::Abandoned => "the challenger did not pick in time".to_owned(),
        Verdict::TooLong => "dismissed: it took too many moves".to_owned(),
        Verdict::Moot => "the accused had already been convicted in another dispute".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::{
        share::{trial::Model, Half, Stage},
        trial::Side,
    };

    #[test]
    fn a_wrong_step_is_told_with_both_values() {
        let step = Step::Loss(trial::Step {
            of: Side::Merged,
            sample: 3,
            op: 2,
            at: 7,
            claimed: 41,
            found: 42,
        });
        assert_eq!(
            describe_verdict(&Verdict::Refuted(step)),
            "refuted: word 7 of op 2 on sample 3 by the merged model is 42, not 41 as claimed"
        );
        let step = Step::Gradient {
            stage: Stage::Pass(1),
            group: 0,
            step: backward::Step::Contribution {
                sample: 9,
                position: 17,
                claimed: 5,
                found: 6,
            },
        };
        assert_eq!(
            describe_step(&step),
            "what sample 9 adds to the gradient of weight 17 in pass 1 is 6, not 5 as claimed"
        );
        let step = Step::Term {
            of: Model::Midpoint(0),
            position: 5,
            entrant: 2,
            claimed: Term::default(),
            found: Term {
                value: 8,
                weight: 1,
            },
        };
        assert_eq!(
            describe_step(&step),
            "what delta 2 adds to weight 5 of the midpoint of pass 0 is 8 of weight 1, not 0 of weight 0 as \
             claimed"
        );
        assert_eq!(
            describe_step(&Step::Losses(Half::B)),
            "the standard error of the gain on half B, from its losses, is different"
        );
    }

    #[test]
    fn accusations_are_told_by_what_they_are_about() {
        let told = |accusation| describe_accusation(&accusation);
        assert_eq!(told(Accusation::Rows(Stage::Pay)), "the rows of the pay");
        assert_eq!(
            told(Accusation::Row(Stage::Pass(0), 3)),
            "the row of delta 3 in pass 0"
        );
        assert_eq!(
            told(Accusation::Weights(Model::Merged)),
            "the weights of the merged model"
        );
    }
}
