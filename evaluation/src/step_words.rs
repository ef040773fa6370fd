//! Steps in plain English.

use super::StepName;
use gotong_scoring::{
    share::{
        trial::{Model, PartOf},
        Half, Stage,
    },
    trial::Side,
};

impl StepName {
    /// What it is, in plain English.
    pub fn in_words(&self) -> String {
        match *self {
            Self::Rows(stage) => format!("the rows of {}", stage.in_words()),
            Self::Row { stage, entrant } => {
                format!("the row of delta {entrant} in {}", stage.in_words())
            }
            Self::Part(of) => part_in_words(&of),
            Self::Products(of) => format!("the products of {}", part_in_words(&of)),
            Self::Product { of, tile } => {
                format!("the product over tile {tile} of {}", part_in_words(&of))
            }
            Self::Gradients(stage) => format!("the gradients of {}", stage.in_words()),
            Self::GradientTiles { stage, group } => {
                format!("the gradient of group {group} in {}", stage.in_words())
            }
            Self::Gradient {
                stage,
                group,
                position,
            } => {
                let stage = stage.in_words();
                format!("the gradient of weight {position} on group {group} in {stage}")
            }
            Self::Contribution {
                stage,
                position,
                sample,
                reader,
                ..
            } => {
                let who = reader.map_or(String::new(), |reader| format!(", by op reader {reader}"));
                let stage = stage.in_words();
                format!("what sample {sample} adds to the gradient of weight {position} in {stage}{who}")
            }
            Self::BackwardTrace { stage, sample, .. } => format!(
                "the forward and backward pass on sample {sample} in {}",
                stage.in_words()
            ),
            Self::BackwardWord {
                stage,
                sample,
                op,
                at,
                ..
            } => {
                let stage = stage.in_words();
                format!("word {at} of step {op} of the forward and backward pass on sample {sample} in {stage}")
            }
            Self::Weights(of) => format!("the weights of {}", of.in_words()),
            Self::Weight { of, position } => format!("weight {position} of {}", of.in_words()),
            Self::Term {
                of,
                position,
                entrant,
            } => {
                let of = of.in_words();
                format!("what delta {entrant} adds to weight {position} of {of}")
            }
            Self::Losses(half) => format!(
                "the standard error of the gain on {}, from its losses",
                half.in_words()
            ),
            Self::Sample { of, sample } => {
                format!("the loss of sample {sample} by {}", of.in_words())
            }
            Self::Trace { of, sample } => {
                format!("the evaluation of sample {sample} by {}", of.in_words())
            }
            Self::Word { of, sample, op, at } => {
                format!(
                    "word {at} of op {op} on sample {sample} by {}",
                    of.in_words()
                )
            }
        }
    }
}

fn part_in_words(of: &PartOf) -> String {
    let (stage, entrant, group) = (of.stage.in_words(), of.entrant, of.group);
    format!("what delta {entrant} is worth on group {group} in {stage}")
}

/// A stage, a model, a half or an evaluation, as it is written in the name of a step and in plain English.
pub(super) trait Named {
    /// As it is written.
    fn name(&self) -> String;
    /// In plain English.
    fn in_words(&self) -> String;
}

impl Named for Stage {
    fn name(&self) -> String {
        match self {
            Self::Pass(number) => format!("pass={number}"),
            Self::Pay => "pay".into(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Pass(number) => format!("pass {number}"),
            Self::Pay => "the pay".into(),
        }
    }
}

impl Named for Model {
    fn name(&self) -> String {
        match self {
            Self::Midpoint(pass) => format!("midpoint={pass}"),
            Self::Merged => "merged".into(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Midpoint(pass) => format!("the midpoint of pass {pass}"),
            Self::Merged => "the merged model".into(),
        }
    }
}

impl Named for Half {
    fn name(&self) -> String {
        match self {
            Self::A => "a".into(),
            Self::B => "b".into(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::A => "half A".into(),
            Self::B => "half B".into(),
        }
    }
}

impl Named for Side {
    fn name(&self) -> String {
        match self {
            Self::Base => "base".into(),
            Self::Merged => "merged".into(),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Base => "the base".into(),
            Self::Merged => "the merged model".into(),
        }
    }
}
