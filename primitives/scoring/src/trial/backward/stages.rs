//! The stages of a backward pass, in the order of the run, and where their words are.
//!
//! The trace of a sample for a gradient begins with the words of the forward pass, in their [`Layout`]. After them come, from the
//! last op to the first that has parameters, the stages of every op's adjoint ([`super::adjoint`]) and of what the op gives
//! backwards (`backward_stages` of its definition, in
//! [`crate::op`]). A stage's words are made of earlier words only. Words that are read by columns are stored a second time,
//! transposed. Sums over more than [`STRETCH`] terms are running sums, a word for each stretch. Each stage is cut into tiles of
//! [`TRACE_TILE`] words, the last perhaps shorter.

use super::super::layout::{Layout, OpWords};
use super::super::word::{Inputs, Reads, Word, Words};
use super::super::{Refusal, TRACE_TILE};
use super::adjoint::{AdjointWords, Exponent, SumsWords};
use super::rule::{first, steps, Each, Given, Products, Read, RowSums, Rule, Source};
use crate::gradient::{adjoint_bits, first_with_parameters};
use crate::graph::Graph;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The words of one stage.
struct Stage {
    rule: Box<dyn Rule + Send + Sync>,
    place: StagePlace,
}

/// Where the words of a stage, or of an op of the forward pass, are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StagePlace {
    /// The first tile.
    pub first_tile: u32,
    /// How many words.
    pub words: u64,
    /// Bytes of a word.
    pub bytes: u32,
}

/// A tile's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TilePlace {
    /// Which stage: the ops of the forward pass first, then those of the backward pass.
    pub stage: u32,
    /// The first of the stage's words in the tile.
    pub first: u64,
    /// Words in the tile.
    pub words: u32,
    /// Bytes of a word.
    pub bytes: u32,
}

/// Sums of some parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterSums {
    /// The first parameter.
    pub first: u64,
    /// The sums.
    pub sums: SumsWords,
}

/// What an op gives backwards, as stages.
#[derive(Default)]
pub(crate) struct PulledStages {
    /// For what it took from the op before it.
    pub previous: Option<SumsWords>,
    /// For what it took from an earlier op, and that op.
    pub earlier: Option<(u32, SumsWords)>,
    /// For its parameters: which of the parameters it reads the sums begin at, and the sums.
    pub parameters: Vec<(u64, SumsWords)>,
}

impl PulledStages {
    /// Gives only the adjoint of what the op before gave.
    pub fn previous(sums: SumsWords) -> Option<Self> {
        Some(Self {
            previous: Some(sums),
            ..Self::default()
        })
    }
}

/// An op in the backward pass.
pub(crate) struct Here {
    /// What it took from the one before it.
    pub taken: Given,
    /// What it gave.
    pub own: Given,
    /// The words of what it gave.
    pub words: OpWords,
    /// The adjoint of that.
    pub adjoint: AdjointWords,
    /// Whether what it took has an adjoint.
    pub is_wanted: bool,
    /// The first parameter that it reads.
    pub parameters: u64,
}

impl Here {
    /// Rows of what it gave.
    pub fn rows(&self) -> u64 {
        self.words.flow.tokens.into()
    }

    /// Values of what it gave.
    pub fn values(&self) -> u64 {
        self.words.flow.values()
    }
}

/// The stages of a graph's backward pass.
pub(crate) struct Stages {
    forward: Layout,
    forward_ops: u32,
    stages: Vec<Stage>,
    tiles: u64,
    pub(super) parameters: Vec<ParameterSums>,
    /// The adjoint of what every op gives, in the order of the ops.
    #[cfg(test)]
    pub(super) adjoints: Vec<Option<AdjointWords>>,
}

impl Stages {
    /// The stages of a valid graph; none for an invalid one.
    pub fn of(graph: &Graph) -> Option<Self> {
        let forward = Layout::of(graph);
        let count = graph.ops.len();
        let mut stages = Self {
            tiles: forward.tiles().into(),
            forward,
            forward_ops: u32::try_from(count).ok()?,
            stages: Vec::new(),
            parameters: Vec::new(),
            #[cfg(test)]
            adjoints: vec![None; count],
        };
        let bits = adjoint_bits(graph).ok()?;
        let first = first_with_parameters(graph);
        let starts: Vec<usize> = graph.parameters_read().map(|read| read.start).collect();
        let mut sums: Vec<Vec<SumsWords>> = vec![Vec::new(); count];
        for (index, op) in graph.ops.iter().enumerate().skip(first).rev() {
            let adjoint = if index + 1 == count {
                stages.adjoint_of_loss()
            } else {
                let taken = core::mem::take(sums.get_mut(index)?);
                stages.adjoint(&taken, *bits.get(index)?)?
            };
            #[cfg(test)]
            if let Some(place) = stages.adjoints.get_mut(index) {
                *place = Some(adjoint);
            }
            let parameters = *starts.get(index)? as u64;
            let here = Here {
                taken: match index.checked_sub(1) {
                    Some(before) => stages.given(before as u32)?,
                    None => Given::Sample,
                },
                own: stages.given(index as u32)?,
                words: *stages.forward.op(index as u32)?,
                adjoint,
                is_wanted: index > first,
                parameters,
            };
            let pulled = op.definition().backward_stages(&here, &mut stages)?;
            stages
                .parameters
                .extend(
                    pulled
                        .parameters
                        .into_iter()
                        .map(|(at, sums)| ParameterSums {
                            first: parameters.saturating_add(at),
                            sums,
                        }),
                );
            let previous = pulled.previous.filter(|_| index > first);
            let previous = previous.and_then(|sums| Some((index.checked_sub(1)? as u32, sums)));
            for (of, given) in pulled.earlier.into_iter().chain(previous) {
                if let Some(sums) = sums.get_mut(of as usize) {
                    sums.push(given);
                }
            }
        }
        u32::try_from(stages.tiles).ok()?;
        Some(stages)
    }

    /// Tiles of the trace.
    pub fn tiles(&self) -> u32 {
        u32::try_from(self.tiles).unwrap_or(u32::MAX)
    }

    /// How many stages there are, with those of the forward pass.
    pub fn count(&self) -> u32 {
        self.forward_ops.saturating_add(self.stages.len() as u32)
    }

    /// The words of the forward pass.
    pub fn forward(&self) -> &Layout {
        &self.forward
    }

    /// What an op gives in the forward pass.
    pub fn given(&self, op: u32) -> Option<Given> {
        Some(Given::Op(op, *self.forward.op(op)?))
    }

    /// Where the words of a stage are, those of the forward pass first.
    pub(super) fn place(&self, stage: u32) -> Option<StagePlace> {
        match stage.checked_sub(self.forward_ops) {
            Some(own) => Some(self.stages.get(own as usize)?.place),
            None => {
                let words = self.forward.op(stage)?;
                Some(StagePlace {
                    first_tile: words.first_tile,
                    words: words.words.into(),
                    bytes: words.bytes,
                })
            }
        }
    }

    /// Where the words that are read from are; none of weights and of the sample.
    pub(super) fn place_of(&self, source: Source) -> Option<StagePlace> {
        match source {
            Source::Forward(op) => self.place(op).filter(|_| op < self.forward_ops),
            Source::Stage(stage) => self.place(self.forward_ops.checked_add(stage)?),
            Source::Weights | Source::Record => None,
        }
    }

    /// The number that [`Self::place`] takes for a source.
    pub(super) fn number(&self, source: Source) -> Option<u32> {
        match source {
            Source::Forward(op) => Some(op),
            Source::Stage(stage) => self.forward_ops.checked_add(stage),
            Source::Weights | Source::Record => None,
        }
    }

    /// Where a tile is.
    pub(super) fn tile(&self, tile: u32) -> Option<TilePlace> {
        let stage = if tile < self.forward.tiles() {
            self.forward.place(tile)?.op
        } else {
            let after = self
                .stages
                .partition_point(|stage| stage.place.first_tile <= tile);
            self.forward_ops
                .checked_add(u32::try_from(after.checked_sub(1)?).ok()?)?
        };
        let place = self.place(stage)?;
        let before = tile.checked_sub(place.first_tile)?;
        let first = u64::from(before) * u64::from(TRACE_TILE);
        let left = place.words.checked_sub(first).filter(|left| *left > 0)?;
        Some(TilePlace {
            stage,
            first,
            words: left.min(TRACE_TILE.into()) as u32,
            bytes: place.bytes,
        })
    }

    /// The rule of a stage of the backward pass, counted from its first.
    pub(super) fn rule(&self, stage: u32) -> Option<&dyn Rule> {
        Some(self.stages.get(stage as usize)?.rule.as_ref())
    }

    /// What a word is made of. `sample` must be given if it is read, and is empty otherwise. None if there is no such word.
    pub(super) fn reads(&self, stage: u32, at: u64, sample: &[u8]) -> Option<Vec<Read>> {
        if at >= self.place(stage)?.words {
            return None;
        }
        match stage.checked_sub(self.forward_ops) {
            Some(own) => self.rule(own)?.reads(at),
            None => {
                let reads = Reads::of(&self.forward, stage, u32::try_from(at).ok()?, sample)?;
                Some(listed(&reads))
            }
        }
    }

    /// Computes a word from its inputs, in the order of [`Self::reads`].
    pub(super) fn execute(
        &self,
        stage: u32,
        at: u64,
        sample: &[u8],
        inputs: &[&[i32]],
    ) -> Result<i32, Refusal> {
        let wrong = Refusal::WrongShape;
        if let Some(own) = stage.checked_sub(self.forward_ops) {
            let rule = self.rule(own).ok_or(Refusal::NoSuchPlace)?;
            return rule.execute(at, inputs).ok_or(wrong);
        }
        let at = u32::try_from(at).map_err(|_| Refusal::NoSuchPlace)?;
        let reads = Reads::of(&self.forward, stage, at, sample).ok_or(wrong)?;
        let mut inputs = inputs.iter().skip(usize::from(reads.record));
        let mut next = |is_read: bool| {
            let words = is_read.then(|| inputs.next()).flatten();
            words.map(|words| words.to_vec()).unwrap_or_default()
        };
        let (taken, before) = (next(reads.inputs.is_some()), next(reads.before.is_some()));
        let mut weights = |is_read| next(is_read).into_iter().map(|w| w as i16).collect();
        let inputs = Inputs {
            columns: reads.columns,
            inputs: taken,
            before,
            weights: weights(reads.weights.is_some()),
            bias: weights(reads.bias.is_some()),
        };
        let word = Word::of(&self.forward, stage, at, sample).ok_or(Refusal::NoSuchPlace)?;
        inputs.execute(&word)
    }
}

/// What a word of the forward pass is made of, as a list.
fn listed(reads: &Reads) -> Vec<Read> {
    let of_op = |words: &Words| Read {
        from: Source::Forward(words.op),
        range: words.range.start.into()..words.range.end.into(),
    };
    let of_weights = |range: &core::ops::Range<u64>| Read {
        from: Source::Weights,
        range: range.clone(),
    };
    let record = reads.record.then(Read::record);
    let words = [&reads.inputs, &reads.before];
    let weights = [&reads.weights, &reads.bias];
    record
        .into_iter()
        .chain(words.into_iter().flatten().map(of_op))
        .chain(weights.into_iter().flatten().map(of_weights))
        .collect()
}

/// What stages are made with.
impl Stages {
    /// The number that the next stage will have.
    pub fn next(&self) -> u32 {
        self.stages.len() as u32
    }

    /// Adds a stage of `words` words of `bytes` bytes each.
    pub fn push(&mut self, bytes: u32, words: u64, rule: impl Rule + Send + Sync + 'static) -> u32 {
        let stage = self.next();
        // A graph that has more gets no stages: see `of`.
        let first_tile = u32::try_from(self.tiles).unwrap_or(u32::MAX);
        self.tiles = words.div_ceil(TRACE_TILE.into()).saturating_add(self.tiles);
        self.stages.push(Stage {
            rule: Box::new(rule),
            place: StagePlace {
                first_tile,
                words,
                bytes,
            },
        });
        stage
    }

    /// Adds a stage that is defined by two functions.
    pub fn each(
        &mut self,
        bytes: u32,
        words: u64,
        reads: impl Fn(u64) -> Option<Vec<Read>> + Send + Sync + 'static,
        execute: impl Fn(u64, &[&[i32]]) -> Option<i32> + Send + Sync + 'static,
    ) -> u32 {
        self.push(bytes, words, Each { reads, execute })
    }

    /// Adds sums of one word each.
    pub fn sums(
        &mut self,
        values: u64,
        exponent: Exponent,
        reads: impl Fn(u64) -> Option<Vec<Read>> + Send + Sync + 'static,
        execute: impl Fn(u64, &[&[i32]]) -> Option<i32> + Send + Sync + 'static,
    ) -> SumsWords {
        SumsWords {
            stage: self.each(4, values, reads, execute),
            steps: 1,
            values,
            exponent,
        }
    }

    /// Adds sums, each made of one value of the adjoint and the value at the same place of what was given.
    pub fn pointwise(
        &mut self,
        here: &Here,
        given: Given,
        exponent: Exponent,
        of: impl Fn(i32, i32) -> i32 + Send + Sync + 'static,
    ) -> SumsWords {
        let (adjoint, width) = (here.adjoint.values, here.words.flow.width);
        let reads = move |at| {
            let (row, column) = super::rule::row_and_column(at, width)?;
            Some(vec![Read::stage(adjoint, at, 1), given.value(row, column)?])
        };
        self.sums(here.values(), exponent, reads, move |_, inputs| {
            Some(of(first(inputs, 0)?, first(inputs, 1)?))
        })
    }

    /// Adds, for every row of `left` and each of the `columns` rows of `right`, all of this length, their
    /// product.
    pub fn products(
        &mut self,
        [left, right]: [u32; 2],
        [rows, columns]: [u64; 2],
        length: u64,
        exponent: Exponent,
    ) -> SumsWords {
        let (values, steps) = (rows.saturating_mul(columns), steps(length));
        let rule = Products {
            own: self.next(),
            left,
            right,
            columns,
            length,
        };
        SumsWords {
            stage: self.push(4, values.saturating_mul(steps), rule),
            steps,
            values,
            exponent,
        }
    }

    /// Adds the sum of every row of a stage.
    pub fn row_sums(&mut self, of: u32, rows: u64, length: u64, exponent: Exponent) -> SumsWords {
        let steps = steps(length);
        let rule = RowSums {
            own: self.next(),
            of,
            length,
        };
        SumsWords {
            stage: self.push(4, rows.saturating_mul(steps), rule),
            steps,
            values: rows,
            exponent,
        }
    }

    /// Adds columns of what was given in the forward pass, from `first` on, one after another.
    pub fn columns(
        &mut self,
        bytes: u32,
        given: Given,
        rows: u64,
        first_column: u32,
        columns: u64,
    ) -> u32 {
        let place = move |at: u64| {
            let column = u32::try_from(at.checked_div(rows)?).ok()?;
            let row = at.checked_rem(rows)? as u32;
            Some((row, first_column.checked_add(column)?))
        };
        let reads = move |at| {
            let (row, column) = place(at)?;
            Some(vec![given.value(row, column)?])
        };
        let words = rows.saturating_mul(columns);
        self.each(bytes, words, reads, move |at, inputs| {
            given.of(place(at)?.1, inputs.first()?)
        })
    }

    /// Adds a stage with the rows and columns of another swapped.
    pub fn transposed(&mut self, bytes: u32, of: u32, rows: u64, columns: u64) -> u32 {
        let reads = move |at: u64| {
            let (column, row) = (at.checked_div(rows)?, at.checked_rem(rows)?);
            let at = row.checked_mul(columns)?.checked_add(column)?;
            Some(vec![Read::stage(of, at, 1)])
        };
        let words = rows.saturating_mul(columns);
        self.each(bytes, words, reads, |_, inputs| first(inputs, 0))
    }
}
