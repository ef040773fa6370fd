//! One word of a trace: what it is made of, and what it is.

use super::layout::{Layout, OpWords, TRACE_WIDTH};
use super::Refusal;
use crate::arith::clamp_i8;
use crate::graph::{Op, Width};
use crate::image::{Image, Window};
use crate::machine::{self, activations, Norm};
use crate::weights::view;
use alloc::vec::Vec;
use core::ops::Range;

/// Consecutive words of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub op: u32,
    pub range: Range<u32>,
}

/// What a word is made of.
pub(super) struct Reads {
    /// Whether the sample is.
    pub record: bool,
    /// Words of the op before.
    pub inputs: Option<Words>,
    /// Other words: the sum so far, the other term of a residual, a key, values.
    pub before: Option<Words>,
    /// Weights: a stretch of a row, or the value of a token.
    pub weights: Option<Range<u64>>,
    /// The bias, or the value of a token's place.
    pub bias: Option<Range<u64>>,
    /// Which values of a row these inputs are.
    pub columns: Range<u32>,
}

impl Reads {
    /// Of one word. `sample` is read by the embedding only. None if there is no such word.
    pub fn of(layout: &Layout, op: u32, at: u32, sample: &[u8]) -> Option<Self> {
        let own = layout.op(op)?;
        let (row, column) = own.value(at)?;
        let previous = op.checked_sub(1);
        let words = |op: u32, row: u32, column: u32, count: u32| {
            let of = layout.op(op)?;
            let start = of.word(row, column)?;
            let range = start..start.checked_add(count)?;
            Some(Words { op, range })
        };
        let input = |column: u32, count: u32| words(previous?, row, column, count);
        let start = own.parameters_before;
        let one = |at: u64| Some(at..at + 1);
        let mut reads = Self {
            record: false,
            inputs: None,
            before: None,
            weights: None,
            bias: None,
            columns: column..column.checked_add(1)?,
        };
        match own.op {
            Op::Linear { inputs, .. } | Op::Unembed { width: inputs, .. } => {
                let (step, length) = (at.checked_rem(own.steps)?, u64::from(inputs));
                let first = step.saturating_mul(TRACE_WIDTH);
                let end = first.saturating_add(TRACE_WIDTH).min(inputs);
                reads.columns = first..end;
                reads.record = previous.is_none();
                reads.inputs = input(first, end.checked_sub(first)?);
                let (start, bias) = match own.op {
                    Op::Linear { outputs, .. } => {
                        let biases = start + u64::from(outputs) * length;
                        (start, one(biases + u64::from(column)))
                    }
                    _ => (0, None),
                };
                let weights = start + u64::from(column) * length;
                reads.weights = Some(weights + u64::from(first)..weights + u64::from(end));
                if step > 0 {
                    let range = at.checked_sub(1)?..at;
                    reads.before = Some(Words { op, range });
                } else {
                    reads.bias = bias;
                }
            }
            Op::Embed { vocab, width, .. } => {
                let token = u32::from(*sample.get(row as usize)?);
                let token = Some(token).filter(|token| *token < vocab)?;
                let value = |row: u64| one(start + row * u64::from(width) + u64::from(column));
                reads.record = true;
                reads.weights = value(token.into());
                reads.bias = value(u64::from(vocab) + u64::from(row));
            }
            Op::Requant { .. } | Op::Relu | Op::SquaredRelu => {
                reads.record = previous.is_none();
                reads.inputs = input(column, 1);
            }
            Op::Residual { from } => {
                reads.inputs = input(column, 1);
                reads.before = words(from, row, column, 1);
            }
            Op::RmsNorm { width, .. } => reads.inputs = input(0, width),
            Op::Scores { heads, head_width } => {
                let (head, token) = attended(own, column)?;
                let query = head.checked_mul(head_width)?;
                let key = heads.checked_mul(head_width)?.checked_add(query)?;
                reads.inputs = input(query, head_width);
                reads.before = words(previous?, token, key, head_width);
            }
            Op::Softmax { tokens, .. } => {
                let (head, _) = attended(own, column)?;
                reads.inputs = input(head.checked_mul(tokens)?, row.checked_add(1)?);
            }
            Op::Mix {
                from,
                heads,
                head_width,
            } => {
                let seen = row.checked_add(1)?;
                let head = column.checked_div(head_width)?;
                let values = heads.checked_mul(head_width)?.checked_mul(2)?;
                reads.inputs = input(head.checked_mul(own.flow.tokens)?, seen);
                reads.before = words(from, 0, values.checked_add(column)?, seen);
            }
            Op::CrossEntropy { classes } => {
                reads.record = true;
                reads.inputs = input(0, classes);
            }
            Op::Total { tokens } => reads.inputs = words(previous?, 0, 0, tokens),
            Op::Im2col { image, window } => {
                let nth = column.checked_div(image.channels)?;
                let channel = column.checked_rem(image.channels)?;
                // Padding is made of nothing.
                if let Some(pixel) = window.pixel(&image, row, nth) {
                    let at = pixel.checked_mul(image.channels)?.checked_add(channel)?;
                    reads.columns = at..at.checked_add(1)?;
                    reads.record = previous.is_none();
                    reads.inputs = match previous {
                        Some(op) => Some(words(op, pixel, channel, 1)?),
                        None => None,
                    };
                }
            }
            Op::MaxPool { image, window } | Op::SumPool { image, window } => {
                let pixels = window.range(&image, row)?;
                let count = pixels.end.checked_sub(pixels.start)?;
                reads.inputs = Some(words(previous?, pixels.start, column, count)?);
            }
            Op::Flatten => match previous {
                Some(op) => {
                    let width = layout.op(op)?.flow.width;
                    let (row, column) = (column.checked_div(width)?, column.checked_rem(width)?);
                    reads.inputs = Some(words(op, row, column, 1)?);
                }
                None => reads.record = true,
            },
        }
        Some(reads)
    }
}

/// Head and other token of a score, or of a share.
fn attended(own: &OpWords, column: u32) -> Option<(u32, u32)> {
    let tokens = own.flow.tokens;
    Some((column.checked_div(tokens)?, column.checked_rem(tokens)?))
}

/// What a word is made of, opened.
pub(super) struct Inputs<'a> {
    /// [`Reads::columns`].
    pub columns: Range<u32>,
    /// The sample with its label; empty if it is not read.
    pub sample: &'a [u8],
    /// [`Reads::inputs`].
    pub inputs: Vec<i32>,
    /// [`Reads::before`].
    pub before: Vec<i32>,
    /// [`Reads::weights`].
    pub weights: Vec<i16>,
    /// [`Reads::bias`].
    pub bias: Vec<i16>,
}

impl Inputs<'_> {
    /// Executes the op for word `at`.
    pub fn execute(&self, own: &OpWords, at: u32) -> Result<i32, Refusal> {
        let wrong = Refusal::WrongShape;
        let (row, column) = own.value(at).ok_or(Refusal::NoSuchPlace)?;
        let input = || self.inputs.first().copied().ok_or(wrong);
        let other = || self.before.first().copied().ok_or(wrong);
        let activation = || self.activations()?.first().copied().ok_or(wrong);
        Ok(match own.op {
            Op::Linear { bias_shift, .. } => self.products(bias_shift)?,
            Op::Unembed { .. } => self.products(0)?,
            Op::Embed { shift, .. } => {
                let token = self.weights.first().ok_or(wrong)?;
                let place = self.bias.first().ok_or(wrong)?;
                machine::embed(*token, *place, shift).into()
            }
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => {
                let wide = i32::from(machine::requant(input()?, shift_in, multiplier, shift_out));
                match width {
                    Width::Wide => wide,
                    Width::Narrow => clamp_i8(wide).into(),
                }
            }
            Op::Relu => activation()?.max(0).into(),
            Op::SquaredRelu => machine::squared_relu(activation()?).into(),
            Op::Residual { .. } => machine::residual(input()? as i16, other()? as i16).into(),
            Op::RmsNorm { unit_bits, .. } => {
                let h = wide(&self.inputs);
                let own = h.get(column as usize).ok_or(wrong)?;
                Norm::of(&h, unit_bits).apply(*own).into()
            }
            Op::Scores { .. } => machine::dot(&narrow(&self.inputs), &narrow(&self.before)),
            Op::Softmax { tokens, .. } => {
                let (_, token) = attended(own, column).ok_or(wrong)?;
                let shares = machine::shares(&wide(&self.inputs), tokens);
                // Nothing of the later tokens.
                shares.get(token as usize).copied().unwrap_or(0).into()
            }
            Op::Mix { .. } => {
                let values = self.before.iter().map(|word| *word as i8);
                machine::mean(&wide(&self.inputs), values)
            }
            Op::CrossEntropy { .. } => {
                // The labels are the last bytes of the sample.
                let after = own.flow.tokens.saturating_sub(row) as usize;
                let at = self.sample.len().checked_sub(after).ok_or(wrong)?;
                let label = self.sample.get(at).ok_or(wrong)?;
                let loss = machine::cross_entropy(&wide(&self.inputs), *label);
                loss.ok_or(Refusal::ForeignInput)? as i32
            }
            Op::Total { .. } => {
                let losses: Vec<u32> = self.inputs.iter().map(|word| *word as u32).collect();
                machine::total(&losses) as i32
            }
            Op::Im2col { .. } => self.activations()?.first().copied().unwrap_or(0).into(),
            Op::MaxPool { image, window } => {
                machine::max_of(&self.place(&image, &window, row)?, &window).into()
            }
            Op::SumPool { image, window } => machine::sum_of(&self.place(&image, &window, row)?),
            Op::Flatten => activation()?.into(),
        })
    }

    /// The sum of a stretch of a linear op, with the bias or the sum so far.
    fn products(&self, bias_shift: u8) -> Result<i32, Refusal> {
        let views: Vec<i8> = self.weights.iter().copied().map(view).collect();
        let sum = match (self.before.first(), self.bias.first()) {
            (Some(sum), _) => *sum,
            (None, Some(bias)) => i32::from(*bias).wrapping_shl(bias_shift.into()),
            (None, None) => 0,
        };
        Ok(sum.wrapping_add(machine::dot(&views, &self.activations()?)))
    }

    /// The values of a place of a window, of one channel: the inputs begin with the first of them.
    fn place(&self, image: &Image, window: &Window, place: u32) -> Result<Vec<i8>, Refusal> {
        let inside = window.inside(image, place);
        let first = window.inside(image, place).next().unwrap_or(0);
        let value = |pixel: u32| {
            let value = self.inputs.get(pixel.checked_sub(first)? as usize)?;
            Some(*value as i8)
        };
        let values: Option<Vec<i8>> = inside.map(value).collect();
        values.ok_or(Refusal::WrongShape)
    }

    /// The narrow inputs, which the first op reads from the sample.
    fn activations(&self) -> Result<Vec<i8>, Refusal> {
        if self.sample.is_empty() {
            return Ok(narrow(&self.inputs));
        }
        let range = self.columns.start as usize..self.columns.end as usize;
        Ok(activations(
            self.sample.get(range).ok_or(Refusal::WrongShape)?,
        ))
    }
}

fn narrow(words: &[i32]) -> Vec<i8> {
    words.iter().map(|word| *word as i8).collect()
}

fn wide(words: &[i32]) -> Vec<i16> {
    words.iter().map(|word| *word as i16).collect()
}
