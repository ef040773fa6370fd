//! Attention backwards: each op once as a whole, and once word by word.

use super::super::linear::add_scaled;
use super::{share_bits, Mix, Scores};
use crate::arith::{round_div, rs};
use crate::gradient::{log2_ceil, plus, sum_bits, times, Adjoint, Backwards, Pulled, Sums};
use crate::machine::Tensor;
use crate::trial::backward::{
    first, products, row_and_column, sum, Here, PulledStages, Read, Stages,
};
use alloc::vec;
use alloc::vec::Vec;

/// Sums over the tokens of products with 7 bits.
pub(super) fn scores_bits(tokens: u32) -> u8 {
    sum_bits(7 + log2_ceil(tokens))
}

/// `dq[t] = sum_t' ds[t][t'] * k[t']` and `dk[t'] = sum_t ds[t][t'] * q[t]` of every head, over `t' <= t`; nothing
/// for the values.
pub(super) fn scores_backward(here: &Backwards, heads: u32, head_width: u32) -> Option<Pulled> {
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

/// The backward pass of `p = 2^(z / 64)`: `dz = dp * p * ln(2) / 64`. The product is shifted to 22 bits, times 355 for `ln(2) *
/// 2^9`.
pub(super) fn softmax_backward(here: &Backwards, tokens: u32) -> Option<Pulled> {
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
pub(super) fn mix_bits(head_width: u32) -> u8 {
    sum_bits(11 + log2_ceil(head_width))
}

/// Bits of a mean's adjoint divided by its shares: sums over the tokens of products with shares, which add up to
/// at most `tokens * 2^share_bits <= 2^17`; and over a head of products with 11 bits.
fn divided_bits(head_width: u32) -> u8 {
    mix_bits(head_width).min(sum_bits(17))
}

/// The backward pass of `y[t] = 16 * sum_j p[t][j] v[j] / n[t]`, `n[t] = sum_j p[t][j]`. With `r[t] = dy[t] / n[t]`, which is
/// `dy[t] * 2^14 / n[t]` rounded to nearest, halves away from zero, and shifted to its bits: `dv[j] = sum_t r[t] * p[t][j]` and
/// `dp[t][j] = sum_c r[t][c] * v[j][c] - rs(sum_c r[t][c] * y[t][c], 4)`, both in `2^-10`.
pub(super) fn mix_backward(
    here: &Backwards,
    from: u32,
    heads: u32,
    head_width: u32,
) -> Option<Pulled> {
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
                divided.push(divide((*dy).into(), n));
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

/// `dy * 2^14 / n` rounded to nearest, halves away from zero.
fn divide(dy: i32, n: i32) -> i32 {
    // Below 2^29.
    round_div(i128::from(dy) << 14, n.into()) as i32
}

/// [`scores_backward`] word by word: queries and keys by columns, the adjoint by the tokens that are attended, then the sums. Word
/// `(head * tokens + other) * tokens + own` of the adjoint by tokens is for `own` attending to `other`.
pub(super) fn scores_stages(here: &Here, stages: &mut Stages, op: &Scores) -> Option<PulledStages> {
    let (heads, width) = (u64::from(op.heads), u64::from(op.head_width));
    let (tokens, dy) = (here.rows(), here.adjoint.values);
    let all = heads.checked_mul(width)?;
    let row = all.checked_mul(3)?;
    let x = stages.columns(1, here.taken, tokens, 0, all.checked_mul(2)?);
    let by_other = stages.transposed(2, dy, tokens, heads.checked_mul(tokens)?);
    let reads = move |at: u64| {
        let (token, column) = (at.checked_div(row)?, at.checked_rem(row)?);
        let head = column.checked_rem(all)?.checked_div(width)?;
        let seen = token.checked_add(1)?;
        let column_of = |column: u64| column.checked_mul(tokens);
        Some(if column < all {
            // A query reads the keys of the tokens up to its own.
            let scores = token
                .checked_mul(heads)?
                .checked_add(head)?
                .checked_mul(tokens)?;
            let key = column_of(all.checked_add(column)?)?;
            vec![Read::stage(dy, scores, seen), Read::stage(x, key, seen)]
        } else if column < 2 * all {
            // A key reads the queries of the tokens from its own on.
            let later = tokens.checked_sub(token)?;
            let others = head
                .checked_mul(tokens)?
                .checked_add(token)?
                .checked_mul(tokens)?;
            let query = column_of(column.checked_sub(all)?)?;
            vec![
                Read::stage(by_other, others.checked_add(token)?, later),
                Read::stage(x, query.checked_add(token)?, later),
            ]
        } else {
            Vec::new()
        })
    };
    let execute = |_, inputs: &[&[i32]]| match inputs {
        [ds, x] => Some(products(ds, x)),
        _ => Some(0),
    };
    let (values, exponent) = (tokens.checked_mul(row)?, here.adjoint.exponent);
    PulledStages::previous(stages.sums(values, exponent, reads, execute))
}

/// [`softmax_backward`] word by word.
pub(super) fn softmax_stages(
    here: &Here,
    stages: &mut Stages,
    tokens: u32,
) -> Option<PulledStages> {
    let down = share_bits(tokens).saturating_sub(7);
    let exponent = here.adjoint.exponent.plus(down as i32 - 9 - 6);
    let slope = move |dp: i32, p: i32| rs(dp.wrapping_mul(p), down).wrapping_mul(355);
    PulledStages::previous(stages.pointwise(here, here.own, exponent, slope))
}

/// [`mix_backward`] word by word: `n` of every token and head; the sums and the adjoint of `r`; the part of it that lies along the
/// mean; `r` and the shares by columns and the values by rows; then the sums of both operands.
pub(super) fn mix_stages(here: &Here, stages: &mut Stages, op: &Mix) -> Option<PulledStages> {
    let (heads, width) = (op.heads, op.head_width);
    let (tokens, dy) = (here.words.flow.tokens, here.adjoint.values);
    let (own, shares, x) = (here.own, here.taken, stages.given(op.from)?);
    let all = heads.checked_mul(width)?;
    let row_of_head = move |at: u64| row_and_column(at, heads);
    let n = stages.each(
        4,
        here.rows().checked_mul(heads.into())?,
        move |at| {
            let (token, head) = row_of_head(at)?;
            Some(vec![shares.row(
                token,
                head.checked_mul(tokens)?,
                tokens,
            )?])
        },
        |_, inputs| Some(sum(inputs.first()?)),
    );
    let divided = stages.sums(
        here.values(),
        here.adjoint.exponent.plus(-10),
        move |at| {
            // A row has the values of all heads, so that this counts tokens and heads.
            let of = at.checked_div(width.into())?;
            Some(vec![Read::stage(dy, at, 1), Read::stage(n, of, 1)])
        },
        |_, inputs| Some(divide(first(inputs, 0)?, first(inputs, 1)?)),
    );
    let r = stages.adjoint_of(divided, divided_bits(width));
    let (r, exponent) = (r.values, r.exponent);
    let along = stages.each(
        4,
        here.rows().checked_mul(heads.into())?,
        move |at| {
            let (token, head) = row_of_head(at)?;
            let start = at.checked_mul(width.into())?;
            let mean = own.row(token, head.checked_mul(width)?, width)?;
            Some(vec![Read::stage(r, start, width.into()), mean])
        },
        |_, inputs| Some(rs(products(inputs.first()?, inputs.get(1)?), 4)),
    );
    let values = stages.each(
        1,
        here.values(),
        move |at| {
            let (token, column) = row_and_column(at, all)?;
            Some(vec![
                x.value(token, all.checked_mul(2)?.checked_add(column)?)?
            ])
        },
        |_, inputs| first(inputs, 0),
    );
    let attended = heads.checked_mul(tokens)?;
    let by_other = stages.columns(2, shares, here.rows(), 0, attended.into());
    let r_by_column = stages.transposed(2, r, here.rows(), all.into());
    let (tokens, width, all) = (u64::from(tokens), u64::from(width), u64::from(all));
    let dp = stages.sums(
        here.rows().checked_mul(attended.into())?,
        exponent,
        move |at| {
            let (own, other) = (at.checked_div(tokens)?, at.checked_rem(tokens)?);
            let (token, head) = row_of_head(own)?;
            if other > token.into() {
                // Later tokens have no share.
                return Some(Vec::new());
            }
            let value = other.checked_mul(all)?;
            let value = value.checked_add(u64::from(head).checked_mul(width)?)?;
            Some(vec![
                Read::stage(r, own.checked_mul(width)?, width),
                Read::stage(values, value, width),
                Read::stage(along, own, 1),
            ])
        },
        |_, inputs| match inputs {
            [r, v, along] => Some(products(r, v).wrapping_sub(*along.first()?)),
            _ => Some(0),
        },
    );
    let row = all.checked_mul(3)?;
    let dx = stages.sums(
        tokens.checked_mul(row)?,
        exponent,
        move |at| {
            let (token, column) = (at.checked_div(row)?, at.checked_rem(row)?);
            let Some(column) = column.checked_sub(2 * all) else {
                // Queries and keys have no part in a mean.
                return Some(Vec::new());
            };
            let head = column.checked_div(width)?;
            let other = head.checked_mul(tokens)?.checked_add(token)?;
            let start = |row: u64| row.checked_mul(tokens)?.checked_add(token);
            let later = tokens.checked_sub(token)?;
            Some(vec![
                Read::stage(by_other, start(other)?, later),
                Read::stage(r_by_column, start(column)?, later),
            ])
        },
        |_, inputs| match inputs {
            [p, r] => Some(products(p, r)),
            _ => Some(0),
        },
    );
    Some(PulledStages {
        previous: Some(dp),
        earlier: Some((op.from, dx)),
        ..PulledStages::default()
    })
}
