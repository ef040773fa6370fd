//! The result of a move. Total: no input makes it panic.

use super::super::layout::{words, Span};
use super::super::{ProvedRecord, Refusal, Tiles, TRACE_TILE};
use super::rule::{Read, Source};
use super::stages::{ParameterSums, Stages};
use super::{Answer, Ground, Pick, Ruling, Shown, Statement, Step, Trial};
use crate::gradient::{contribution, MAX_GROUP};
use crate::hash::Hash;
use crate::merkle::{Branch, Node};
use crate::WEIGHT_TILE;
use alloc::vec::Vec;
use core::ops::Range;

impl Stages {
    /// The ops that read a parameter, the last of the graph first.
    pub(super) fn readers(&self, position: u32) -> Vec<&ParameterSums> {
        let reads = |sums: &&ParameterSums| {
            let within = u64::from(position).checked_sub(sums.first);
            within.is_some_and(|within| within < sums.sums.values)
        };
        self.parameters.iter().filter(reads).collect()
    }

    /// What is read, from tiles of the trace with root `trace`.
    fn open(&self, trace: &Hash, read: &Read, tiles: &Tiles) -> Result<Vec<i32>, Refusal> {
        let place = self.place_of(read.from).ok_or(Refusal::NoSuchPlace)?;
        let span = Span::of(read.range.clone(), place.words, TRACE_TILE)?;
        let first = place.first_tile.checked_add(span.first);
        span.verify(
            tiles,
            place.bytes,
            self.tiles(),
            first.ok_or(Refusal::NoSuchPlace)?,
            trace,
            Refusal::NotTheInside,
        )?;
        opened(place.bytes, tiles, span.within)
    }
}

impl Ground<'_> {
    fn stages(&self) -> Result<Stages, Refusal> {
        Stages::of(self.graph).ok_or(Refusal::NoSuchPlace)
    }

    /// Master weights, from tiles.
    fn open_weights(&self, range: Range<u64>, tiles: &Tiles) -> Result<Vec<i32>, Refusal> {
        let parameters = self.graph.parameters();
        let leaves = u32::try_from(parameters.div_ceil(WEIGHT_TILE));
        let span = Span::of(range, parameters as u64, WEIGHT_TILE as u32)?;
        span.verify(
            tiles,
            2,
            leaves.map_err(|_| Refusal::NoSuchPlace)?,
            span.first,
            &self.weights,
            Refusal::NotTheInside,
        )?;
        opened(2, tiles, span.within)
    }

    /// The bytes of a sample, which has to be the round's, as the machine takes them.
    fn record(&self, sample: u32, proved: &ProvedRecord) -> Result<Vec<u8>, Refusal> {
        let ProvedRecord { bytes, siblings } = proved;
        match self.hold_out.holds(sample, self.samples, bytes, siblings) {
            true => Ok(self.graph.samples(bytes)),
            false => Err(Refusal::ForeignInput),
        }
    }
}

fn opened(bytes: u32, tiles: &Tiles, within: Range<usize>) -> Result<Vec<i32>, Refusal> {
    let words = words(bytes, &tiles.bytes).ok_or(Refusal::WrongShape)?;
    let within = words.get(within).ok_or(Refusal::WrongShape)?;
    Ok(within.to_vec())
}

impl Trial {
    fn showing(statement: Statement, shown: Shown) -> Result<Ruling, Refusal> {
        Ok(Ruling::Continues(Self {
            statement,
            shown: Some(shown),
        }))
    }

    /// The result of an answer by the accused.
    pub fn answer(&self, ground: &Ground<'_>, answer: &Answer) -> Result<Ruling, Refusal> {
        if self.shown.is_some() {
            return Err(Refusal::NotYourTurn);
        }
        let statement = self.statement;
        match (statement, answer) {
            (Statement::Gradient { value, .. }, Answer::Samples(parts)) => {
                let expected = ground.members.len().min(MAX_GROUP);
                contributions(statement, value, parts, expected)
            }
            (
                Statement::Sample {
                    position, value, ..
                },
                Answer::Readers(parts),
            ) => {
                let readers = ground.stages()?.readers(position).len();
                if readers < 2 {
                    return Err(Refusal::WrongMove);
                }
                contributions(statement, value, parts, readers)
            }
            (
                Statement::Sample {
                    sample,
                    position,
                    value,
                },
                Answer::Sums { .. },
            ) => {
                let stages = ground.stages()?;
                match stages.readers(position)[..] {
                    [reader] => sums(&stages, [sample, position], reader, value, answer),
                    _ => Err(Refusal::WrongMove),
                }
            }
            (
                Statement::Reader {
                    sample,
                    position,
                    reader,
                    value,
                },
                Answer::Sums { .. },
            ) => {
                let stages = ground.stages()?;
                let readers = stages.readers(position);
                let reader = readers.get(reader as usize);
                let reader = reader.ok_or(Refusal::NoSuchPlace)?;
                sums(&stages, [sample, position], reader, value, answer)
            }
            (Statement::Trace { branch, .. }, Answer::Nodes(nodes)) if !branch.is_leaf() => {
                if !branch.opens_to(nodes) {
                    return Err(Refusal::NotTheInside);
                }
                Self::showing(statement, Shown::Nodes(nodes.clone()))
            }
            (Statement::Trace { branch, .. }, Answer::Tile(bytes)) if branch.is_leaf() => {
                if Node::leaf(&[bytes], ()) != branch.node {
                    return Err(Refusal::NotTheInside);
                }
                let place = ground.stages()?.tile(branch.index);
                let place = place.ok_or(Refusal::NoSuchPlace)?;
                let shown = words(place.bytes, bytes).ok_or(Refusal::WrongShape)?;
                if shown.len() as u64 != u64::from(place.words) {
                    return Err(Refusal::WrongShape);
                }
                Self::showing(statement, Shown::Words(shown))
            }
            (Statement::Word { .. }, Answer::Word { record, inputs }) => {
                word(ground, statement, record.as_ref(), inputs)
            }
            _ => Err(Refusal::WrongMove),
        }
    }

    /// What the accused has to answer for after the challenger's pick.
    pub fn pick(&self, ground: &Ground<'_>, Pick(nth): &Pick) -> Result<Self, Refusal> {
        let shown = self.shown.as_ref().ok_or(Refusal::NotYourTurn)?;
        let (nothing, nth) = (Refusal::NoSuchPlace, *nth);
        let statement = match (self.statement, shown) {
            (Statement::Gradient { position, .. }, Shown::Contributions(parts)) => {
                Statement::Sample {
                    sample: *ground.members.get(nth as usize).ok_or(nothing)?,
                    position,
                    value: *parts.get(nth as usize).ok_or(nothing)?,
                }
            }
            (
                Statement::Sample {
                    sample, position, ..
                },
                Shown::Contributions(parts),
            ) => Statement::Reader {
                sample,
                position,
                reader: nth,
                value: *parts.get(nth as usize).ok_or(nothing)?,
            },
            (
                Statement::Trace {
                    sample,
                    trace,
                    branch,
                },
                Shown::Nodes(nodes),
            ) => Statement::Trace {
                sample,
                trace,
                branch: branch.child(nodes, nth).ok_or(nothing)?,
            },
            (
                Statement::Trace {
                    sample,
                    trace,
                    branch,
                },
                Shown::Words(words),
            ) => {
                let place = ground.stages()?.tile(branch.index).ok_or(nothing)?;
                Statement::Word {
                    sample,
                    trace,
                    stage: place.stage,
                    at: place.first.checked_add(nth.into()).ok_or(nothing)?,
                    value: *words.get(nth as usize).ok_or(nothing)?,
                }
            }
            // Nothing else is ever shown.
            _ => return Err(Refusal::WrongMove),
        };
        Ok(Self::awaiting(statement))
    }
}

/// Whether there are this many contributions, and they add up.
fn contributions(
    statement: Statement,
    value: i64,
    parts: &[i64],
    expected: usize,
) -> Result<Ruling, Refusal> {
    if parts.len() != expected {
        return Err(Refusal::WrongShape);
    }
    let sum = parts
        .iter()
        .try_fold(0i64, |sum, part| sum.checked_add(*part));
    if sum != Some(value) {
        return Err(Refusal::NotTheInside);
    }
    Trial::showing(statement, Shown::Contributions(parts.to_vec()))
}

/// Whether what an op adds follows from the sum and its exponent under the trace that is shown.
fn sums(
    stages: &Stages,
    [sample, position]: [u32; 2],
    reader: &ParameterSums,
    claimed: i64,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Sums {
        nodes,
        sum,
        exponent,
    } = answer
    else {
        return Err(Refusal::WrongMove);
    };
    let branch = Branch::opened(nodes, stages.tiles()).ok_or(Refusal::WrongShape)?;
    let trace = branch.node.hash;
    let read = reader.read(position).ok_or(Refusal::NoSuchPlace)?;
    let sum = stages.open(&trace, &read, sum)?;
    let sum = *sum.first().ok_or(Refusal::WrongShape)?;
    let own = reader.sums.exponent;
    let exponent = match (own.read(), exponent) {
        (Some(read), Some(tiles)) => stages.open(&trace, &read, tiles)?.first().copied(),
        (None, None) => None,
        _ => return Err(Refusal::WrongShape),
    };
    let found = contribution(sum, own.value(exponent));
    if found != claimed {
        return Ok(Ruling::Refuted(Step::Contribution {
            sample,
            position,
            claimed,
            found,
        }));
    }
    let statement = Statement::Trace {
        sample,
        trace,
        branch,
    };
    Trial::showing(statement, Shown::Nodes(nodes.clone()))
}

/// Executes a word again.
fn word(
    ground: &Ground<'_>,
    statement: Statement,
    record: Option<&ProvedRecord>,
    inputs: &[Tiles],
) -> Result<Ruling, Refusal> {
    let Statement::Word {
        sample,
        trace,
        stage,
        at,
        value,
    } = statement
    else {
        return Err(Refusal::WrongMove);
    };
    let stages = ground.stages()?;
    stages.place(stage).ok_or(Refusal::NoSuchPlace)?;
    let bytes = match record {
        Some(record) => ground.record(sample, record)?,
        None => Vec::new(),
    };
    let reads = stages.reads(stage, at, &bytes);
    let reads = reads.ok_or(Refusal::WrongShape)?;
    let is_record = |read: &&Read| read.from == Source::Record;
    let records = reads.iter().filter(is_record).count();
    if usize::from(record.is_some()) != records || inputs.len() + records != reads.len() {
        return Err(Refusal::WrongShape);
    }
    let (mut inputs, mut opened) = (inputs.iter(), Vec::new());
    for read in &reads {
        let mut tiles = || inputs.next().ok_or(Refusal::WrongShape);
        opened.push(match read.from {
            Source::Record => bytes.iter().copied().map(i32::from).collect(),
            Source::Weights => ground.open_weights(read.range.clone(), tiles()?)?,
            Source::Forward(_) | Source::Stage(_) => stages.open(&trace, read, tiles()?)?,
        });
    }
    let opened: Vec<&[i32]> = opened.iter().map(Vec::as_slice).collect();
    let found = stages.execute(stage, at, &bytes, &opened)?;
    Ok(if found == value {
        Ruling::Upheld
    } else {
        Ruling::Refuted(Step::Word {
            sample,
            stage,
            at,
            claimed: value,
            found,
        })
    })
}
