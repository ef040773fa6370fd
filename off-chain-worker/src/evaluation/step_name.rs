//! The names of the steps that a table can be gone into by, and the way to each.

use gotong_scoring::{
    trial::{Accusation, Case, Layout, Pick, Shown, Side, Statement, Step, Trial, TRACE_TILE},
    WEIGHT_TILE,
};
use std::{fmt, str::FromStr};

/// The name of a step: `header`, `row:2`, `word:merged:sample=3:op=2:at=7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepName {
    /// What every row is similar to.
    Similar,
    /// Whether two rows' deltas are similar, the one committed before first.
    Pair {
        /// The row committed before the other.
        earlier: u32,
        /// The other row.
        later: u32,
    },
    /// Their product over one chunk.
    Dot {
        /// The row committed before the other.
        earlier: u32,
        /// The other row.
        later: u32,
        /// Which chunk of the deltas, counted from 0.
        chunk: u32,
    },
    /// A row, from the losses of its two sides.
    Row(u32),
    /// The header, from the losses before and after.
    Header,
    /// A parameter of a merge.
    Weight {
        /// Whose weights.
        of: Side,
        /// The place of the parameter in them.
        position: u32,
    },
    /// What one delta adds to it.
    Term {
        /// Whose weights.
        of: Side,
        /// The place of the parameter in them.
        position: u32,
        /// The row of the delta.
        row: u32,
    },
    /// The loss of a sample.
    Sample {
        /// By which weights it is evaluated.
        of: Side,
        /// The number of the sample.
        sample: u32,
    },
    /// One word of one op on a sample.
    Word {
        /// By which weights it is evaluated.
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
    "`{0}` is no step: write similar, pair:0:1, dot:0:1:chunk=0, row:2, header, \
     weight:merged:position=5, term:plus=1:position=55:row=0, sample:base:sample=3 or \
     word:merged:sample=3:op=2:at=7; an evaluation is base, merged, minus=ROW or plus=ROW"
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
        ["similar"] => StepName::Similar,
        ["header"] => StepName::Header,
        ["row", row] => StepName::Row(number(row)?),
        ["pair", earlier, later] => StepName::Pair {
            earlier: number(earlier)?,
            later: number(later)?,
        },
        ["dot", earlier, later, chunk] => StepName::Dot {
            earlier: number(earlier)?,
            later: number(later)?,
            chunk: named("chunk", chunk)?,
        },
        ["weight", of, position] => StepName::Weight {
            of: side(of)?,
            position: named("position", position)?,
        },
        ["term", of, position, row] => StepName::Term {
            of: side(of)?,
            position: named("position", position)?,
            row: named("row", row)?,
        },
        ["sample", of, sample] => StepName::Sample {
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

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

fn named(name: &str, text: &str) -> Option<u32> {
    number(text.strip_prefix(name)?.strip_prefix('=')?)
}

fn side(text: &str) -> Option<Side> {
    match text {
        "base" => Some(Side::Base),
        "merged" => Some(Side::Merged),
        _ => named("minus", text)
            .map(Side::Minus)
            .or_else(|| named("plus", text).map(Side::Plus)),
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Similar => write!(f, "similar"),
            Self::Pair { earlier, later } => write!(f, "pair:{earlier}:{later}"),
            Self::Dot {
                earlier,
                later,
                chunk,
            } => write!(f, "dot:{earlier}:{later}:chunk={chunk}"),
            Self::Row(row) => write!(f, "row:{row}"),
            Self::Header => write!(f, "header"),
            Self::Weight { of, position } => {
                write!(f, "weight:{}:position={position}", side_name(of))
            }
            Self::Term { of, position, row } => {
                let of = side_name(of);
                write!(f, "term:{of}:position={position}:row={row}")
            }
            Self::Sample { of, sample } => write!(f, "sample:{}:sample={sample}", side_name(of)),
            Self::Word { of, sample, op, at } => {
                let of = side_name(of);
                write!(f, "word:{of}:sample={sample}:op={op}:at={at}")
            }
        }
    }
}

/// An evaluation as it is written in the name of a step.
fn side_name(side: Side) -> String {
    match side {
        Side::Base => "base".to_owned(),
        Side::Merged => "merged".to_owned(),
        Side::Minus(row) => format!("minus={row}"),
        Side::Plus(row) => format!("plus={row}"),
    }
}

impl StepName {
    /// The name of what a statement is about; a part of a tree has the name of what it is in.
    pub fn of(statement: &Statement) -> String {
        let exam = |exam: &gotong_scoring::trial::Exam| {
            let (of, sample) = (exam.of, exam.sample);
            Self::Sample { of, sample }.to_string()
        };
        match *statement {
            Statement::Similar => Self::Similar.to_string(),
            Statement::Pair(pair) => format!("pair:{}:{}", pair.earlier, pair.later),
            Statement::Dots {
                pair,
                first,
                chunks,
                ..
            } => match chunks {
                1 => format!("dot:{}:{}:chunk={first}", pair.earlier, pair.later),
                _ => format!("pair:{}:{}, {chunks} chunks", pair.earlier, pair.later),
            },
            Statement::Rows(branch) if branch.is_leaf() => format!("row:{}", branch.index),
            Statement::Rows(_) => "rows".to_owned(),
            Statement::Header => Self::Header.to_string(),
            Statement::Weights { of, .. } => format!("weights:{}", side_name(of)),
            Statement::Weight { of, position, .. } => Self::Weight { of, position }.to_string(),
            Statement::Term {
                of, position, row, ..
            } => Self::Term { of, position, row }.to_string(),
            Statement::Sample { exam: of, .. } => exam(&of),
            Statement::Trace { exam: of, .. } => format!("{}, its trace", exam(&of)),
            Statement::Word {
                exam: of, op, at, ..
            } => {
                let (of, sample) = (of.of, of.sample);
                Self::Word { of, sample, op, at }.to_string()
            }
        }
    }

    /// The name of a step that was found wrong.
    pub fn of_wrong(step: &Step) -> Self {
        match *step {
            Step::Similarities { .. } => Self::Similar,
            Step::Similarity(pair) => Self::Pair {
                earlier: pair.earlier,
                later: pair.later,
            },
            Step::Dot { pair, chunk, .. } => Self::Dot {
                earlier: pair.earlier,
                later: pair.later,
                chunk,
            },
            Step::Row { row } => Self::Row(row),
            Step::Header => Self::Header,
            Step::Weight { of, position, .. } => Self::Weight { of, position },
            Step::Term {
                of, position, row, ..
            } => Self::Term { of, position, row },
            Step::Word {
                of, sample, op, at, ..
            } => Self::Word { of, sample, op, at },
        }
    }

    /// What a challenger would doubt first to come to the step.
    pub(super) fn accusation(&self) -> Accusation {
        match *self {
            Self::Similar | Self::Pair { .. } | Self::Dot { .. } => Accusation::Similar,
            Self::Row(_) => Accusation::Rows,
            Self::Header => Accusation::Header,
            Self::Weight { of, .. }
            | Self::Term { of, .. }
            | Self::Sample { of, .. }
            | Self::Word { of, .. } => match of {
                Side::Base | Side::Merged => Accusation::Header,
                Side::Minus(_) | Side::Plus(_) => Accusation::Rows,
            },
        }
    }

    /// Whether the statement is about the step, given that it is on the way.
    pub(super) fn is(&self, statement: &Statement) -> bool {
        match (self, statement) {
            (Self::Row(_), Statement::Rows(branch)) => branch.is_leaf(),
            (Self::Dot { .. }, Statement::Dots { chunks, .. }) => *chunks == 1,
            (Self::Similar, Statement::Similar)
            | (Self::Pair { .. }, Statement::Pair(_))
            | (Self::Header, Statement::Header)
            | (Self::Weight { .. }, Statement::Weight { .. })
            | (Self::Term { .. }, Statement::Term { .. })
            | (Self::Sample { .. }, Statement::Sample { .. })
            | (Self::Word { .. }, Statement::Word { .. }) => true,
            _ => false,
        }
    }

    /// Whether a statement that was just picked is on the way to the step.
    fn is_below(&self, statement: &Statement, case: &Case) -> bool {
        let covers =
            |level: u8, index: u32, leaf: u32| leaf.checked_shr(level.into()).unwrap_or(0) == index;
        match *statement {
            Statement::Rows(branch) => self
                .row()
                .is_some_and(|row| covers(branch.level, branch.index, row)),
            Statement::Weights { branch, .. } => self.position().is_some_and(|position| {
                covers(branch.level, branch.index, position / WEIGHT_TILE as u32)
            }),
            Statement::Weight { position, .. } => self.position() == Some(position),
            Statement::Term { row, .. } => {
                matches!(*self, Self::Term { row: wanted, .. } if wanted == row)
            }
            Statement::Trace { branch, .. } => self
                .tile(case)
                .is_some_and(|tile| covers(branch.level, branch.index, tile)),
            Statement::Word { op, at, .. } => {
                matches!(*self, Self::Word { op: o, at: a, .. } if (o, a) == (op, at))
            }
            Statement::Dots { first, chunks, .. } => {
                let range = first..first.saturating_add(chunks);
                matches!(*self, Self::Dot { chunk, .. } if range.contains(&chunk))
            }
            _ => false,
        }
    }

    /// The row that the step is in.
    fn row(&self) -> Option<u32> {
        match *self {
            Self::Row(row) => Some(row),
            _ => match self.side()? {
                Side::Minus(row) | Side::Plus(row) => Some(row),
                Side::Base | Side::Merged => None,
            },
        }
    }

    fn side(&self) -> Option<Side> {
        match *self {
            Self::Weight { of, .. }
            | Self::Term { of, .. }
            | Self::Sample { of, .. }
            | Self::Word { of, .. } => Some(of),
            _ => None,
        }
    }

    fn position(&self) -> Option<u32> {
        match *self {
            Self::Weight { position, .. } | Self::Term { position, .. } => Some(position),
            _ => None,
        }
    }

    /// The tile of a trace that has the word.
    fn tile(&self, case: &Case) -> Option<u32> {
        let Self::Word { op, at, .. } = *self else {
            return None;
        };
        let layout = Layout::of(&case.graph);
        let words = layout.op(op).filter(|words| at < words.words)?;
        words.first_tile.checked_add(at / TRACE_TILE)
    }

    /// What to pick of what `trial` shows, to come nearer.
    pub(super) fn pick(&self, trial: &Trial, case: &Case) -> Option<Pick> {
        let shown = match trial.shown.as_ref()? {
            Shown::Similar(_) => {
                return match *self {
                    Self::Pair { earlier, later } | Self::Dot { earlier, later, .. } => {
                        Some(Pick::Pair { earlier, later })
                    }
                    _ => None,
                }
            }
            Shown::Row { .. } | Shown::Header { .. } => {
                return match *self {
                    Self::Sample { of, sample } | Self::Word { of, sample, .. } => {
                        Some(Pick::Sample { of, sample })
                    }
                    Self::Weight { of, .. } | Self::Term { of, .. } => Some(Pick::Weights { of }),
                    _ => None,
                }
            }
            Shown::Dots(dots) => dots.len(),
            Shown::SumNodes(nodes) => nodes.len(),
            Shown::Nodes(nodes) => nodes.len(),
            Shown::Words(words) => words.len(),
            Shown::Terms(terms) => terms.len(),
        };
        (0..shown as u32).map(Pick::Nth).find(|pick| {
            let next = trial.pick(case, pick);
            next.is_ok_and(|next| self.is_below(&next.statement, case))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_side() -> impl Strategy<Value = Side> {
        prop_oneof![
            Just(Side::Base),
            Just(Side::Merged),
            any::<u32>().prop_map(Side::Minus),
            any::<u32>().prop_map(Side::Plus),
        ]
    }

    fn any_step() -> impl Strategy<Value = StepName> {
        let numbers = any::<[u32; 3]>();
        (0..9usize, any_side(), numbers).prop_map(|(kind, of, [a, b, c])| match kind {
            0 => StepName::Similar,
            1 => StepName::Header,
            2 => StepName::Row(a),
            3 => StepName::Pair {
                earlier: a,
                later: b,
            },
            4 => StepName::Dot {
                earlier: a,
                later: b,
                chunk: c,
            },
            5 => StepName::Weight { of, position: a },
            6 => StepName::Term {
                of,
                position: a,
                row: b,
            },
            7 => StepName::Sample { of, sample: a },
            _ => StepName::Word {
                of,
                sample: a,
                op: b,
                at: c,
            },
        })
    }

    proptest! {
        #[test]
        fn names_are_read_as_they_are_written(step in any_step()) {
            prop_assert_eq!(step.to_string().parse(), Ok(step));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[a-z=:0-9]{0,40}") {
            if let Ok(step) = text.parse::<StepName>() {
                prop_assert_eq!(step.to_string().parse(), Ok(step));
            }
        }
    }

    #[test]
    fn what_is_no_step_is_refused_with_examples() {
        for wrong in [
            "",
            "row",
            "row:x",
            "word:merged:3:2:7",
            "word:both:sample=3:op=2:at=7",
        ] {
            let error = wrong.parse::<StepName>().unwrap_err();
            assert!(error.to_string().contains("word:merged:sample=3:op=2:at=7"));
        }
    }
}
