//! [`Op::Embed`](super::Op::Embed): the rows that stand for the tokens of a text.

use super::definition::{rows_of, Definition, Incoming, Operands};
use crate::arith::{clamp_i16, rs};
use crate::gradient::{log2_ceil, plus, sum_bits, Backwards, Pulled, Sums};
use crate::graph::{Flow, GraphError, Kind, MAX_CLASSES, MAX_TOKENS};
use crate::machine::Tensor;
use crate::trial::backward::{first, row_and_column, sum, Here, PulledStages, Read, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

/// The fields of [`Op::Embed`](super::Op::Embed).
pub(super) struct Embed {
    pub vocab: u32,
    pub tokens: u32,
    pub width: u32,
    pub shift: u8,
}

impl Definition for Embed {
    fn is_in_bounds(&self) -> bool {
        (2..=MAX_CLASSES).contains(&self.vocab)
            && (2..=MAX_TOKENS).contains(&self.tokens)
            && self.width > 0
            && self.shift <= 15
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        if incoming.op != 0 {
            return Err(incoming.wrong_kind());
        }
        incoming.check_width(self.tokens)?;
        Ok(Flow::of(Kind::Wide, self.tokens, self.width))
    }

    fn parameters(&self) -> u64 {
        (u64::from(self.vocab) + u64::from(self.tokens)) * u64::from(self.width)
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        if !operands.before.is_empty() {
            return None;
        }
        let (_, tokens) = operands.record.split_last()?;
        embedding(operands.params, tokens, self.width, self.shift).map(Tensor::Wide)
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let token = u32::from(*word.sample.get(word.row as usize)?);
        let token = Some(token).filter(|token| *token < self.vocab)?;
        let value = |row: u64| {
            let before = word.own.parameters_before + row * u64::from(self.width);
            let at = before + u64::from(word.column);
            Some(at..at + 1)
        };
        Some(Reads {
            record: true,
            weights: value(token.into()),
            bias: value(u64::from(self.vocab) + u64::from(word.row)),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let token = inputs.weights.first().ok_or(Refusal::WrongShape)?;
        let place = inputs.bias.first().ok_or(Refusal::WrongShape)?;
        Ok(embed(*token, *place, self.shift).into())
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        embed_bits(self.tokens)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        embed_backward(here, self.vocab, self.tokens, self.width, self.shift)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        embed_stages(here, stages, self)
    }
}

fn embedding(params: &[i16], tokens: &[u8], width: u32, shift: u8) -> Option<Vec<i16>> {
    let width = width as usize;
    let places = params.len().checked_sub(tokens.len().checked_mul(width)?)?;
    let (of_tokens, of_places) = params.split_at(places);
    let mut rows = Vec::with_capacity(tokens.len() * width);
    for (token, place) in tokens.iter().zip(rows_of(of_places, width)) {
        let token = rows_of(of_tokens, width).nth(usize::from(*token))?;
        rows.extend(
            token
                .iter()
                .zip(place)
                .map(|(token, place)| embed(*token, *place, shift)),
        );
    }
    Some(rows)
}

/// One value of an embedding: `clamp(rs(token + place, shift), +-32767)`.
#[inline]
pub fn embed(token: i16, place: i16, shift: u8) -> i16 {
    // Here and below, sums and products have too few bits to wrap: a check for it would keep loops
    // from vectorising.
    let sum = i32::from(token).wrapping_add(place.into());
    clamp_i16(rs(sum, shift.into()))
}

fn embed_bits(tokens: u32) -> u8 {
    sum_bits(log2_ceil(tokens))
}

/// The adjoints of a token's value are summed over the places where the token stands; in
/// `2^-shift`, where the sum is inside its bounds.
fn embed_backward(
    here: &Backwards,
    vocab: u32,
    tokens: u32,
    width: u32,
    shift: u8,
) -> Option<Pulled> {
    let Tensor::Wide(y) = here.own else {
        return None;
    };
    let width = width as usize;
    let places = (vocab as usize).checked_mul(width)?;
    let mut sums = alloc::vec![0i32; places.checked_add((tokens as usize).checked_mul(width)?)?];
    let (of_tokens, of_places) = sums.split_at_mut_checked(places)?;
    let dy = here.adjoint.values.iter().zip(y);
    let dy: Vec<i32> = dy
        .map(|(dy, y)| {
            if y.unsigned_abs() < 32_767 {
                (*dy).into()
            } else {
                0
            }
        })
        .collect();
    let rows = here
        .record
        .split_last()?
        .1
        .iter()
        .zip(dy.chunks_exact(width.max(1)));
    for ((token, dy), place) in rows.zip(of_places.chunks_exact_mut(width.max(1))) {
        let token = of_tokens
            .chunks_exact_mut(width.max(1))
            .nth(usize::from(*token))?;
        for ((token, place), dy) in token.iter_mut().zip(place).zip(dy) {
            *token = plus(*token, *dy);
            *place = *dy;
        }
    }
    let exponent = here.adjoint.exponent.saturating_sub(shift.into());
    Some(Pulled {
        parameters: alloc::vec![(
            0,
            Sums {
                values: sums,
                exponent,
            },
        )],
        ..Pulled::default()
    })
}

/// [`embed_backward`] word by word: the part of the adjoint that passes, transposed; then the sums.
fn embed_stages(here: &Here, stages: &mut Stages, op: &Embed) -> Option<PulledStages> {
    let (own, dy) = (here.own, here.adjoint.values);
    let (width, tokens, vocab) = (op.width, op.tokens, op.vocab);
    let reads = move |at: u64| {
        let (column, row) = row_and_column(at, tokens)?;
        let place = u64::from(row)
            .checked_mul(width.into())?
            .checked_add(column.into())?;
        Some(alloc::vec![
            Read::stage(dy, place, 1),
            own.value(row, column)?
        ])
    };
    let passed = stages.each(2, here.values(), reads, |_, inputs| {
        let is_inside = first(inputs, 1)?.unsigned_abs() < 32_767;
        Some(if is_inside { first(inputs, 0)? } else { 0 })
    });
    let reads = move |at: u64| {
        let (row, column) = row_and_column(at, width)?;
        let start = u64::from(column).checked_mul(tokens.into())?;
        Some(match row.checked_sub(vocab) {
            Some(place) => {
                alloc::vec![Read::stage(passed, start.checked_add(place.into())?, 1)]
            }
            None => alloc::vec![Read::stage(passed, start, tokens.into()), Read::record()],
        })
    };
    let execute = move |at: u64, inputs: &[&[i32]]| {
        let (row, _) = row_and_column(at, width)?;
        let dy = inputs.first()?;
        let Some(record) = inputs.get(1) else {
            return dy.first().copied();
        };
        let own = record.iter().zip(dy.iter());
        let own = own.filter(|(token, _)| **token as u32 == row);
        Some(sum(&own.map(|(_, dy)| *dy).collect::<Vec<i32>>()))
    };
    let rows = u64::from(vocab).checked_add(tokens.into())?;
    let exponent = here.adjoint.exponent.plus(-i32::from(op.shift));
    let sums = stages.sums(rows.checked_mul(width.into())?, exponent, reads, execute);
    Some(PulledStages {
        parameters: alloc::vec![(0, sums)],
        ..PulledStages::default()
    })
}
