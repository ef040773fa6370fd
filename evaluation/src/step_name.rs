//! The names of the steps into which a table can be taken apart: as they are written, and in plain English.

use super::step_words::Named;
use gotong_scoring::{
    share::{
        trial::{Model, PartOf, Statement, Step},
        Half, Stage,
    },
    trial::{self, backward, Side},
};

use std::{fmt, str::FromStr};

/// The name of a step: `row:pass=0:entrant=2`, `weight:merged:position=5`, `word:merged:sample=3:op=2:at=7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepName {
    /// All rows of a stage.
    Rows(Stage),
    /// One row: whether it is in its place, and rightly kept or dropped.
    Row {
        /// Where it was measured.
        stage: Stage,
        /// Whose row it is, in the order of commits.
        entrant: u32,
    },
    /// One part of the value of a row, from its products.
    Part(PartOf),
    /// Several products of a part.
    Products(PartOf),
    /// The product of a part over one tile of the gradient.
    Product {
        /// The part.
        of: PartOf,
        /// Which tile.
        tile: u32,
    },
    /// The gradients of a stage.
    Gradients(Stage),
    /// The gradient of one group of samples.
    GradientTiles {
        /// Where it was measured.
        stage: Stage,
        /// The group.
        group: u32,
    },
    /// One word of a gradient.
    Gradient {
        /// Where it was measured.
        stage: Stage,
        /// The group.
        group: u32,
        /// The parameter.
        position: u32,
    },
    /// What one sample, or one op on it, adds to a word of a gradient.
    Contribution {
        /// Where it was measured.
        stage: Stage,
        /// The group.
        group: u32,
        /// The parameter.
        position: u32,
        /// The number of the sample.
        sample: u32,
        /// Which op, if several read the parameter, beginning with the last of the graph.
        reader: Option<u32>,
    },
    /// The trace of a sample, forward and backward.
    BackwardTrace {
        /// Where it was measured.
        stage: Stage,
        /// The group.
        group: u32,
        /// The number of the sample.
        sample: u32,
    },
    /// One word of that trace.
    BackwardWord {
        /// Where it was measured.
        stage: Stage,
        /// The group.
        group: u32,
        /// The number of the sample.
        sample: u32,
        /// The number of the op in the forward pass; the stages of the backward pass follow.
        op: u32,
        /// The place of the word in what the op gives.
        at: u64,
    },
    /// All weights of a model.
    Weights(Model),
    /// One weight of a model.
    Weight {
        /// Whose weights.
        of: Model,
        /// The place of the parameter in them.
        position: u32,
    },
    /// What one delta adds to it.
    Term {
        /// Whose weights.
        of: Model,
        /// The place of the parameter in them.
        position: u32,
        /// Whose delta, in the order of commits.
        entrant: u32,
    },
    /// The losses on a half, and the standard error of their fall.
    Losses(Half),
    /// The loss of a sample.
    Sample {
        /// The weights with which it is evaluated.
        of: Side,
        /// The number of the sample.
        sample: u32,
    },
    /// The trace of a sample.
    Trace {
        /// The weights with which it is evaluated.
        of: Side,
        /// The number of the sample.
        sample: u32,
    },
    /// One word of one op on a sample.
    Word {
        /// The weights with which it is evaluated.
        of: Side,
        /// The number of the sample.
        sample: u32,
        /// The number of the op in the graph.
        op: u32,
        /// The place of the word in what the op gives.
        at: u32,
    },
}

/// Why text is not the name of a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a step: write row:pass=0:entrant=2, part:pay:entrant=2:group=3, \
     product:pay:entrant=2:group=3:tile=0, gradient:pass=0:group=3:position=5, \
     contribution:pass=0:group=3:position=5:sample=9, weight:merged:position=5, \
     term:midpoint=0:position=5:entrant=2, losses:a, sample:base:sample=3 or word:merged:sample=3:op=2:at=7"
)]
pub struct NotAStep(String);

impl FromStr for StepName {
    type Err = NotAStep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fields: Vec<&str> = text.split(':').collect();
        parse(&fields).ok_or_else(|| NotAStep(text.to_owned()))
    }
}

fn parse(fields: &[&str]) -> Option<StepName> {
    Some(match *fields {
        ["rows", of] => StepName::Rows(stage(of)?),
        ["row", of, entrant] => StepName::Row {
            stage: stage(of)?,
            entrant: named("entrant", entrant)?,
        },
        ["part", of, entrant, group] => StepName::Part(part(of, entrant, group)?),
        ["products", of, entrant, group] => StepName::Products(part(of, entrant, group)?),
        ["product", of, entrant, group, tile] => StepName::Product {
            of: part(of, entrant, group)?,
            tile: named("tile", tile)?,
        },
        ["gradients", of] => StepName::Gradients(stage(of)?),
        ["gradients", of, group] => StepName::GradientTiles {
            stage: stage(of)?,
            group: named("group", group)?,
        },
        ["gradient", of, group, position] => StepName::Gradient {
            stage: stage(of)?,
            group: named("group", group)?,
            position: named("position", position)?,
        },
        ["contribution", of, group, position, sample, ref reader @ ..] => StepName::Contribution {
            stage: stage(of)?,
            group: named("group", group)?,
            position: named("position", position)?,
            sample: named("sample", sample)?,
            reader: match *reader {
                [] => None,
                [reader] => Some(named("reader", reader)?),
                _ => return None,
            },
        },
        ["backward", of, group, sample] => StepName::BackwardTrace {
            stage: stage(of)?,
            group: named("group", group)?,
            sample: named("sample", sample)?,
        },
        ["backward", of, group, sample, op, at] => StepName::BackwardWord {
            stage: stage(of)?,
            group: named("group", group)?,
            sample: named("sample", sample)?,
            op: named("op", op)?,
            at: named("at", at)?,
        },
        ["weights", of] => StepName::Weights(model(of)?),
        ["weight", of, position] => StepName::Weight {
            of: model(of)?,
            position: named("position", position)?,
        },
        ["term", of, position, entrant] => StepName::Term {
            of: model(of)?,
            position: named("position", position)?,
            entrant: named("entrant", entrant)?,
        },
        ["losses", "a"] => StepName::Losses(Half::A),
        ["losses", "b"] => StepName::Losses(Half::B),
        ["sample", of, sample] => StepName::Sample {
            of: side(of)?,
            sample: named("sample", sample)?,
        },
        ["trace", of, sample] => StepName::Trace {
            of: side(of)?,
            sample: named("sample", sample)?,
        },
        ["word", of, sample, op, at] => StepName::Word {
            of: side(of)?,
            sample: named("sample", sample)?,
            op: named("op", op)?,
            at: named("at", at)?,
        },
        _ => return None,
    })
}

fn named<T: FromStr>(name: &str, text: &str) -> Option<T> {
    text.strip_prefix(name)?.strip_prefix('=')?.parse().ok()
}

fn stage(text: &str) -> Option<Stage> {
    match text {
        "pay" => Some(Stage::Pay),
        _ => named("pass", text).map(Stage::Pass),
    }
}

fn part(of: &str, entrant: &str, group: &str) -> Option<PartOf> {
    Some(PartOf {
        stage: stage(of)?,
        entrant: named("entrant", entrant)?,
        group: named("group", group)?,
    })
}

fn model(text: &str) -> Option<Model> {
    match text {
        "merged" => Some(Model::Merged),
        _ => named("midpoint", text).map(Model::Midpoint),
    }
}

fn side(text: &str) -> Option<Side> {
    match text {
        "base" => Some(Side::Base),
        "merged" => Some(Side::Merged),
        _ => None,
    }
}

/// The part of a value, as it is written.
fn part_name(of: &PartOf) -> String {
    let (stage, entrant, group) = (of.stage.name(), of.entrant, of.group);
    format!("{stage}:entrant={entrant}:group={group}")
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rows(stage) => write!(f, "rows:{}", stage.name()),
            Self::Row { stage, entrant } => write!(f, "row:{}:entrant={entrant}", stage.name()),
            Self::Part(of) => write!(f, "part:{}", part_name(&of)),
            Self::Products(of) => write!(f, "products:{}", part_name(&of)),
            Self::Product { of, tile } => write!(f, "product:{}:tile={tile}", part_name(&of)),
            Self::Gradients(stage) => write!(f, "gradients:{}", stage.name()),
            Self::GradientTiles { stage, group } => {
                write!(f, "gradients:{}:group={group}", stage.name())
            }
            Self::Gradient {
                stage,
                group,
                position,
            } => {
                let stage = stage.name();
                write!(f, "gradient:{stage}:group={group}:position={position}")
            }
            Self::Contribution {
                stage,
                group,
                position,
                sample,
                reader,
            } => {
                let stage = stage.name();
                write!(
                    f,
                    "contribution:{stage}:group={group}:position={position}:sample={sample}"
                )?;
                reader.map_or(Ok(()), |reader| write!(f, ":reader={reader}"))
            }
            Self::BackwardTrace {
                stage,
                group,
                sample,
            } => write!(f, "backward:{}:group={group}:sample={sample}", stage.name()),
            Self::BackwardWord {
                stage,
                group,
                sample,
                op,
                at,
            } => {
                let stage = stage.name();
                write!(
                    f,
                    "backward:{stage}:group={group}:sample={sample}:op={op}:at={at}"
                )
            }
            Self::Weights(of) => write!(f, "weights:{}", of.name()),
            Self::Weight { of, position } => write!(f, "weight:{}:position={position}", of.name()),
            Self::Term {
                of,
                position,
                entrant,
            } => {
                let of = of.name();
                write!(f, "term:{of}:position={position}:entrant={entrant}")
            }
            Self::Losses(half) => write!(f, "losses:{}", half.name()),
            Self::Sample { of, sample } => write!(f, "sample:{}:sample={sample}", of.name()),
            Self::Trace { of, sample } => write!(f, "trace:{}:sample={sample}", of.name()),
            Self::Word { of, sample, op, at } => {
                write!(f, "word:{}:sample={sample}:op={op}:at={at}", of.name())
            }
        }
    }
}

impl StepName {
    /// The name of what a statement is about; a part of a tree has the name of the tree's subject.
    pub fn of(statement: &Statement) -> Self {
        match *statement {
            Statement::Rows { stage, .. } => Self::Rows(stage),
            Statement::Row { stage, entrant } => Self::Row { stage, entrant },
            Statement::Part { of, .. } => Self::Part(of),
            Statement::Products {
                of,
                first,
                tiles: 1,
                ..
            } => Self::Product { of, tile: first },
            Statement::Products { of, .. } => Self::Products(of),
            Statement::Gradients(stage) => Self::Gradients(stage),
            Statement::GradientTiles { stage, group, .. } => Self::GradientTiles { stage, group },
            Statement::Gradient { stage, group, word } => of_gradient(stage, group, word),
            Statement::Weights { of, .. } => Self::Weights(of),
            Statement::Weight { of, position, .. } => Self::Weight { of, position },
            Statement::Term {
                of,
                position,
                entrant,
                ..
            } => Self::Term {
                of,
                position,
                entrant,
            },
            Statement::Losses(half) => Self::Losses(half),
            Statement::Loss(statement) => {
                let (of, sample) = (statement.exam().of, statement.exam().sample);
                match statement {
                    trial::Statement::Sample { .. } => Self::Sample { of, sample },
                    trial::Statement::Trace { .. } => Self::Trace { of, sample },
                    trial::Statement::Word { op, at, .. } => Self::Word { of, sample, op, at },
                }
            }
        }
    }

    /// The name of a step that was found wrong.
    pub fn of_wrong(step: &Step) -> Self {
        match *step {
            Step::Row(stage, entrant) => Self::Row { stage, entrant },
            Step::Part(of) => Self::Part(of),
            Step::Product { of, tile, .. } => Self::Product { of, tile },
            Step::Weight { of, position, .. } => Self::Weight { of, position },
            Step::Term {
                of,
                position,
                entrant,
                ..
            } => Self::Term {
                of,
                position,
                entrant,
            },
            Step::Losses(half) => Self::Losses(half),
            Step::Gradient { stage, group, step } => match step {
                backward::Step::Contribution {
                    sample, position, ..
                } => Self::Contribution {
                    stage,
                    group,
                    position,
                    sample,
                    reader: None,
                },
                backward::Step::Word {
                    sample,
                    stage: op,
                    at,
                    ..
                } => Self::BackwardWord {
                    stage,
                    group,
                    sample,
                    op,
                    at,
                },
            },
            Step::Loss(trial::Step {
                of, sample, op, at, ..
            }) => Self::Word { of, sample, op, at },
        }
    }
}

/// The name of what a statement about a word of a gradient is about.
fn of_gradient(stage: Stage, group: u32, word: backward::Statement) -> StepName {
    match word {
        backward::Statement::Gradient { position, .. } => StepName::Gradient {
            stage,
            group,
            position,
        },
        backward::Statement::Sample {
            sample, position, ..
        } => StepName::Contribution {
            stage,
            group,
            position,
            sample,
            reader: None,
        },
        backward::Statement::Reader {
            sample,
            position,
            reader,
            ..
        } => StepName::Contribution {
            stage,
            group,
            position,
            sample,
            reader: Some(reader),
        },
        backward::Statement::Trace { sample, .. } => StepName::BackwardTrace {
            stage,
            group,
            sample,
        },
        backward::Statement::Word {
            sample,
            stage: op,
            at,
            ..
        } => StepName::BackwardWord {
            stage,
            group,
            sample,
            op,
            at,
        },
    }
}

#[cfg(test)]
mod tests;
