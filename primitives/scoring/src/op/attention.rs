//! Attention: [`Op::Scores`], [`Op::Softmax`] and [`Op::Mix`]. A row from which scores are computed
//! has the queries of all heads, then their keys, then their values.

use super::definition::{rows, rows_of, Definition, Incoming, Operands};
use super::linear::dot;
use super::{Op, Width};
use crate::arith::{clamp_i16, exp2_q14, rs};
use crate::gradient::{Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind, MAX_TOKENS, MAX_VALUES};
use crate::machine::Tensor;
use crate::trial::backward::{Here, PulledStages, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;
use backward::{
    mix_backward, mix_bits, mix_stages, scores_backward, scores_bits, scores_stages,
    softmax_backward, softmax_stages,
};

mod backward;

/// Widest head of an attention: the sum of that many products is below 2^24.
pub const MAX_HEAD_WIDTH: u32 = 1024;

/// The fields of [`Op::Scores`].
pub(super) struct Scores {
    pub heads: u32,
    pub head_width: u32,
}

/// The fields of [`Op::Softmax`].
pub(super) struct Softmax {
    pub heads: u32,
    pub tokens: u32,
}

/// The fields of [`Op::Mix`].
pub(super) struct Mix {
    pub from: u32,
    pub heads: u32,
    pub head_width: u32,
}

impl Definition for Scores {
    fn is_in_bounds(&self) -> bool {
        are_heads(self.heads, self.head_width)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let tokens = incoming.take(Kind::Narrow)?.tokens;
        let (graph, op) = (incoming.graph, incoming.op);
        let is_requant = matches!(graph.op_before(op), Some(Op::Requant { .. }));
        let then = graph.ops.get(op as usize + 1..).unwrap_or_default();
        let is_hidden = matches!(
            then,
            [
                Op::Requant {
                    width: Width::Wide,
                    ..
                },
                Op::Softmax { .. },
                ..
            ]
        );
        if !is_requant || !is_hidden {
            return Err(incoming.wrong_kind());
        }
        incoming.check_width(3 * u64::from(self.heads) * u64::from(self.head_width))?;
        let scores = self.heads.saturating_mul(tokens);
        Ok(Flow::of(Kind::Acc, tokens, scores))
    }

    fn products_of_value(&self, _: &Flow) -> u64 {
        self.head_width.into()
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        scores(operands.narrow()?, self.heads, self.head_width).map(Tensor::Acc)
    }

    /// The values, the last third of a row, lie column by column: a mean reads one column.
    fn columns_in_rows(&self, width: u32) -> u32 {
        width / 3 * 2
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let (head, token) = attended(word)?;
        let query = head.checked_mul(self.head_width)?;
        let key = self
            .heads
            .checked_mul(self.head_width)?
            .checked_add(query)?;
        Some(Reads {
            inputs: word.input(query, self.head_width),
            before: word.words(word.previous()?, token, key, self.head_width),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(dot(&inputs.narrow(), &inputs.narrow_before()))
    }

    fn adjoint_bits(&self, flow: &Flow) -> u8 {
        scores_bits(flow.tokens)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        scores_backward(here, self.heads, self.head_width)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        scores_stages(here, stages, self)
    }
}

impl Definition for Softmax {
    fn is_in_bounds(&self) -> bool {
        self.heads > 0 && (1..=MAX_TOKENS).contains(&self.tokens)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let taken = incoming.take(Kind::Wide)?;
        if self.tokens != taken.tokens {
            return Err(incoming.wrong_kind());
        }
        incoming.check_width(u64::from(self.heads) * u64::from(self.tokens))?;
        Ok(Flow {
            kind: Kind::Shares,
            ..taken
        })
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        softmax(operands.wide()?, self.heads, self.tokens).map(Tensor::Shares)
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let (head, _) = attended(word)?;
        let seen = word.row.checked_add(1)?;
        Some(Reads {
            inputs: word.input(head.checked_mul(self.tokens)?, seen),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let (_, token) = attended(word).ok_or(Refusal::WrongShape)?;
        let shares = shares(&inputs.wide(), self.tokens);
        // Later tokens have no share.
        Ok(shares.get(token as usize).copied().unwrap_or(0).into())
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        softmax_backward(here, self.tokens)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        softmax_stages(here, stages, self.tokens)
    }
}

impl Definition for Mix {
    fn is_in_bounds(&self) -> bool {
        are_heads(self.heads, self.head_width)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let tokens = incoming.take(Kind::Shares)?.tokens;
        // Scores are computed from rows of length `3 * heads * head_width`, one for every share.
        let scores = Op::Scores {
            heads: self.heads,
            head_width: self.head_width,
        };
        let is_of_scores = incoming.graph.op_after(self.from) == Some(&scores);
        let is_as_many = |values: &Flow| values.tokens == tokens;
        let fits = incoming.earlier(self.from).is_some_and(is_as_many);
        if self.from.checked_add(1) >= Some(incoming.op) || !is_of_scores || !fits {
            return Err(incoming.wrong_reference());
        }
        incoming.check_width(u64::from(self.heads) * u64::from(tokens))?;
        let values = self.heads.saturating_mul(self.head_width);
        Ok(Flow::of(Kind::Acc, tokens, values))
    }

    fn refers_to(&self) -> Option<u32> {
        Some(self.from)
    }

    fn products_of_value(&self, flow: &Flow) -> u64 {
        flow.tokens.into()
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let Tensor::Shares(p) = operands.taken else {
            return None;
        };
        match operands.earlier(self.from)? {
            Tensor::Narrow(x) => mix(p, x, self.heads, self.head_width).map(Tensor::Acc),
            _ => None,
        }
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let seen = word.row.checked_add(1)?;
        let head = word.column.checked_div(self.head_width)?;
        let values = self.heads.checked_mul(self.head_width)?.checked_mul(2)?;
        let column = values.checked_add(word.column)?;
        Some(Reads {
            inputs: word.input(head.checked_mul(word.own.flow.tokens)?, seen),
            before: word.words(self.from, 0, column, seen),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(mean(&inputs.wide(), inputs.narrow_before().into_iter()))
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        mix_bits(self.head_width)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        mix_backward(here, self.from, self.heads, self.head_width)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        mix_stages(here, stages, self)
    }
}

/// As many heads as a row has room for: the rest follows from what comes to the op.
fn are_heads(heads: u32, head_width: u32) -> bool {
    (1..=MAX_VALUES).contains(&heads) && (1..=MAX_HEAD_WIDTH).contains(&head_width)
}

/// Head and attended token of a score, or of a share.
fn attended(word: &Word<'_>) -> Option<(u32, u32)> {
    let tokens = word.own.flow.tokens;
    let head = word.column.checked_div(tokens)?;
    Some((head, word.column.checked_rem(tokens)?))
}

fn scores(x: &[i8], heads: u32, head_width: u32) -> Option<Vec<i32>> {
    let (heads, head_width) = (heads as usize, head_width as usize);
    let all = heads.checked_mul(head_width)?;
    let rows = rows(x, u32::try_from(all.checked_mul(3)?).ok()?)?;
    let mut scores = Vec::new();
    for own in rows.clone() {
        let queries = rows_of(own.get(..all)?, head_width);
        for (head, query) in queries.enumerate() {
            let keys = all + head * head_width..all + (head + 1) * head_width;
            let products = rows.clone().map(|row| row.get(keys.clone()));
            for key in products {
                scores.push(dot(query, key?));
            }
        }
    }
    Some(scores)
}

fn softmax(z: &[i16], heads: u32, tokens: u32) -> Option<Vec<i16>> {
    let (heads, width) = (heads as usize, tokens as usize);
    let mut all = Vec::with_capacity(z.len());
    for (row, z) in rows(z, tokens)?.enumerate() {
        // A token sees itself and those before it.
        let seen = row.checked_div(heads)? + 1;
        all.extend(shares(z.get(..seen)?, tokens));
        all.extend(core::iter::repeat_n(0, width - seen));
    }
    Some(all)
}

fn mix(p: &[i16], x: &[i8], heads: u32, head_width: u32) -> Option<Vec<i32>> {
    let (heads, head_width) = (heads as usize, head_width as usize);
    let all = heads.checked_mul(head_width)?;
    let values = rows(x, u32::try_from(all.checked_mul(3)?).ok()?)?;
    let tokens = values.len();
    let mut means = Vec::new();
    for (row, p) in rows(p, u32::try_from(tokens).ok()?)?.enumerate() {
        let head = row.checked_rem(heads)?;
        for column in 0..head_width {
            let at = 2 * all + head * head_width + column;
            means.push(mean(
                p,
                values.clone().filter_map(|row| row.get(at).copied()),
            ));
        }
    }
    Some(means)
}

/// The largest share of a softmax over a sample of this many tokens, in bits: the most that keeps
/// `tokens << bits` within 2^17, but at most 14. 9 bits for 256 tokens.
#[inline]
pub fn share_bits(tokens: u32) -> u32 {
    let log_tokens = tokens.max(1).next_power_of_two().ilog2();
    17u32.saturating_sub(log_tokens).min(14)
}

/// The shares of scores in 1/64 log2 units: `2^((z - max(z))/64)` in [`share_bits`] bits, rounded.
/// The largest share is 2 to the power of that; their sum is at most 2^17 and not zero.
pub fn shares(z: &[i16], tokens: u32) -> Vec<i16> {
    let most = z.iter().copied().max().unwrap_or(0);
    let bits = share_bits(tokens);
    z.iter()
        .map(|z| share(i32::from(most) - i32::from(*z), bits))
        .collect()
}

/// A share in `bits` bits, of a score that is `distance >= 0` below the largest.
#[inline]
pub fn share(distance: i32, bits: u32) -> i16 {
    clamp_i16(rs(exp2_q14(distance) as i32, 14u32.saturating_sub(bits)))
}

/// The mean of values by their shares, in 1/16 of a value, rounded to nearest, halves up. With `n`
/// the sum of the shares: `(16 * (sum + 128 * n) + n/2) / n - 2048`, where no term is negative and
/// none passes `255 * 2^21 < 2^30`, so that the division rounds down. With invalid shares it wraps.
pub fn mean(shares: &[i16], values: impl Iterator<Item = i8>) -> i32 {
    let (mut sum, mut n) = (0i32, 0i32);
    for (share, value) in shares.iter().zip(values) {
        let share = i32::from(*share);
        // The sum is below 2^24: exact in f32, too.
        sum = sum.wrapping_add(share.wrapping_mul(value.into()));
        n = n.wrapping_add(share);
    }
    let above = sum.wrapping_add(n.wrapping_mul(128)).wrapping_mul(16);
    let rounded = above.wrapping_add(n / 2);
    rounded.checked_div(n).unwrap_or(0).wrapping_sub(2048)
}
