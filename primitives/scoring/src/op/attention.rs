//! Attention: [`Op::Scores`], [`Op::Softmax`] and [`Op::Mix`]. A row of what scores are made of is the
//! queries of all heads, then their keys, then their values.

use super::definition::{rows, rows_of, Definition, Incoming, Operands};
use super::linear::{add_scaled, dot};
use super::{Op, Width};
use crate::arith::{clamp_i16, exp2_q14, round_div, rs};
use crate::gradient::{log2_ceil, plus, sum_bits, times, Adjoint, Backwards, Pulled, Sums};
use crate::graph::{Flow, GraphError, Kind, MAX_TOKENS, MAX_VALUES};
use crate::machine::Tensor;
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

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
}

impl Definition for Mix {
    fn is_in_bounds(&self) -> bool {
        are_heads(self.heads, self.head_width)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let tokens = incoming.take(Kind::Shares)?.tokens;
        // What scores are made of is `3 * heads * head_width` long, and has a row for every share.
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
}

/// As many heads as a row has room for: the rest follows from what comes to the op.
fn are_heads(heads: u32, head_width: u32) -> bool {
    (1..=MAX_VALUES).contains(&heads) && (1..=MAX_HEAD_WIDTH).contains(&head_width)
}

/// Head and other token of a score, or of a share.
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
        // Of a token itself and of those before it.
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

/// The largest share of a softmax over a sample of so many tokens, in bits: the most that keeps
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

/// A share of so many bits, of a score that is `distance >= 0` below the largest.
#[inline]
pub fn share(distance: i32, bits: u32) -> i16 {
    clamp_i16(rs(exp2_q14(distance) as i32, 14u32.saturating_sub(bits)))
}

/// The mean of values by their shares, in 1/16 of a value, rounded to nearest, halves up. With
/// `n` the sum of the shares: `(16 * (sum + 128 * n) + n/2) / n - 2048`, where no term is negative and
/// none passes `255 * 2^21 < 2^30`, so that the division rounds down. Elsewhere it wraps.
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

/// Sums over the tokens of products with 7 bits.
fn scores_bits(tokens: u32) -> u8 {
    sum_bits(7 + log2_ceil(tokens))
}

/// `dq[t] = sum_t' ds[t][t'] * k[t']` and `dk[t'] = sum_t ds[t][t'] * q[t]` of every head, over `t' <= t`; nothing
/// for the values.
fn scores_backward(here: &Backwards, heads: u32, head_width: u32) -> Option<Pulled> {
    let x = here.narrow()?;
    let (heads, head_width) = (heads as usize, head_width as usize);
    let all = heads.checked_mul(head_width)?;
    let row = all.checked_mul(3)?;
    let tokens = x.len().checked_div(row)?;
    let mut values = alloc::vec![0i32; x.len()];
    for own in 0..tokens {
        for head in 0..heads {
            for other in 0..=own {
                let ds = *here
                    .adjoint
                    .values
                    .get((own * heads + head) * tokens + other)?;
                let (query, key) = (
                    own * row + head * head_width,
                    other * row + all + head * head_width,
                );
                add_scaled(
                    values.get_mut(query..query + head_width)?,
                    ds,
                    x.get(key..key + head_width)?,
                );
                add_scaled(
                    values.get_mut(key..key + head_width)?,
                    ds,
                    x.get(query..query + head_width)?,
                );
            }
        }
    }
    Some(here.pull(values, here.adjoint.exponent))
}

/// Of `p = 2^(z / 64)`: `dz = dp * p * ln(2) / 64`. The product is shifted to 22 bits, times 355 for `ln(2) * 2^9`.
fn softmax_backward(here: &Backwards, tokens: u32) -> Option<Pulled> {
    let Tensor::Shares(p) = here.own else {
        return None;
    };
    let down = share_bits(tokens).saturating_sub(7);
    let values = here.adjoint.values.iter().zip(p);
    let values = values.map(|(dp, p)| times(rs(times((*dp).into(), (*p).into()), down), 355));
    let exponent = here.adjoint.exponent.saturating_add(down as i32 - 9 - 6);
    Some(here.pull(values.collect(), exponent))
}

/// The sum over a row of products with a mean, of 11 bits and the sign.
fn mix_bits(head_width: u32) -> u8 {
    sum_bits(11 + log2_ceil(head_width))
}

/// Bits of a mean's adjoint divided by its shares: sums over the tokens of products with shares, which add up to
/// at most `tokens * 2^share_bits <= 2^17`; and over a head of products with 11 bits.
fn divided_bits(head_width: u32) -> u8 {
    mix_bits(head_width).min(sum_bits(17))
}

/// Of `y[t] = 16 * sum_j p[t][j] v[j] / n[t]`, `n[t] = sum_j p[t][j]`. With `r[t] = dy[t] / n[t]`, which is
/// `dy[t] * 2^14 / n[t]` rounded to nearest, halves away from zero, and shifted to its bits:
/// `dv[j] = sum_t r[t] * p[t][j]` and `dp[t][j] = sum_c r[t][c] * v[j][c] - rs(sum_c r[t][c] * y[t][c], 4)`, both in
/// `2^-10`.
fn mix_backward(here: &Backwards, from: u32, heads: u32, head_width: u32) -> Option<Pulled> {
    let (Some(Tensor::Shares(p)), Tensor::Acc(y)) = (here.before.last(), here.own) else {
        return None;
    };
    let Some(Tensor::Narrow(x)) = here.before.get(from as usize) else {
        return None;
    };
    let (heads, width) = (heads as usize, head_width as usize);
    let all = heads.checked_mul(width)?;
    let row = all.checked_mul(3)?;
    let tokens = x.len().checked_div(row)?;
    let shares = |own: usize, head: usize| p.get((own * heads + head) * tokens..)?.get(..tokens);
    let mut divided = Vec::with_capacity(y.len());
    for own in 0..tokens {
        for head in 0..heads {
            let n: i32 = shares(own, head)?
                .iter()
                .map(|p| i32::from(*p))
                .fold(0, plus);
            let at = own * all + head * width;
            for dy in here.adjoint.values.get(at..at + width)? {
                // Below 2^29.
                let up = i32::from(*dy) << 14;
                divided.push(round_div(up.into(), n.into()) as i32);
            }
        }
    }
    let sums = Sums {
        values: divided,
        exponent: here.adjoint.exponent.saturating_sub(10),
    };
    let divided = Adjoint::of(&sums, divided_bits(head_width));
    let mut dp = alloc::vec![0i32; p.len()];
    let mut dx = alloc::vec![0i32; x.len()];
    for own in 0..tokens {
        for head in 0..heads {
            let at = own * all + head * width;
            let (r, y) = (divided.values.get(at..at + width)?, y.get(at..at + width)?);
            let along = r.iter().zip(y).map(|(r, y)| times((*r).into(), *y));
            let along = rs(along.fold(0, plus), 4);
            let shares = shares(own, head)?;
            let dp = dp.get_mut((own * heads + head) * tokens..)?;
            for other in 0..=own {
                let value = other * row + 2 * all + head * width;
                let v = x.get(value..value + width)?;
                let sum = r
                    .iter()
                    .zip(v)
                    .map(|(r, v)| times((*r).into(), (*v).into()));
                *dp.get_mut(other)? = plus(sum.fold(0, plus), -along);
                let share = i32::from(*shares.get(other)?);
                for (dv, r) in dx.get_mut(value..value + width)?.iter_mut().zip(r) {
                    *dv = plus(*dv, times(share, (*r).into()));
                }
            }
        }
    }
    let earlier = Sums {
        values: dx,
        exponent: divided.exponent,
    };
    Some(Pulled {
        earlier: here.is_wanted.then_some((from, earlier)),
        ..here.pull(dp, divided.exponent)
    })
}
