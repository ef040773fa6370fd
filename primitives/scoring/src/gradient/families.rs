//! To be moved into op/<family>.rs.

use super::{log2_ceil, plus, times, Backwards, Pulled, Sums};
use crate::arith::rs;
use crate::graph::{Flow, Op, Width};
use crate::image::{Image, Window};
use crate::machine::{exp2_q14, share_bits, Norm, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// Most bits of an adjoint.
const MOST: u8 = 15;
/// Bits of a sum below which no sum of magnitudes may come: 31.
const SUM: u8 = 31;

fn bits(taken: u8) -> u8 {
    SUM.saturating_sub(taken).min(MOST)
}

impl Op {
    /// Bits of the adjoint that the op takes, so that none of its sums passes 32 bits; `flow` is what the op
    /// gives.
    pub fn adjoint_bits(&self, flow: &Flow) -> u8 {
        match *self {
            Op::Linear { outputs, .. } => linear_bits(outputs, flow.tokens),
            Op::Unembed { vocab, .. } => linear_bits(vocab, flow.tokens),
            Op::RmsNorm { width, .. } => norm_bits(width),
            Op::Scores { .. } => scores_bits(flow.tokens),
            Op::Mix { head_width, .. } => mix_bits(head_width),
            Op::Im2col { window, .. } | Op::MaxPool { window, .. } | Op::SumPool { window, .. } => {
                window_bits(&window)
            }
            Op::Embed { tokens, .. } => embed_bits(tokens),
            Op::Requant { .. }
            | Op::Relu
            | Op::SquaredRelu
            | Op::CrossEntropy { .. }
            | Op::Softmax { .. }
            | Op::Residual { .. }
            | Op::Total { .. }
            | Op::Flatten => MOST,
        }
    }

    /// What the op gives backwards for one sample; none if it did not take what it was given.
    pub fn backward(&self, here: &Backwards) -> Option<Pulled> {
        match *self {
            Op::Linear {
                inputs,
                outputs,
                bias_shift,
            } => linear(here, inputs, outputs, Some(bias_shift)),
            Op::Unembed { vocab, width } => linear(here, width, vocab, None),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            } => requant(here, shift_in, multiplier, shift_out, width),
            Op::Relu => relu(here),
            Op::SquaredRelu => squared_relu(here),
            Op::CrossEntropy { classes } => cross_entropy(here, classes),
            Op::Total { tokens } => total(here, tokens),
            Op::Embed {
                vocab,
                tokens,
                width,
                shift,
            } => embed(here, vocab, tokens, width, shift),
            Op::RmsNorm { width, unit_bits } => rms_norm(here, width, unit_bits),
            Op::Scores { heads, head_width } => scores(here, heads, head_width),
            Op::Softmax { heads, tokens } => softmax(here, heads, tokens),
            Op::Mix {
                from,
                heads,
                head_width,
            } => mix(here, from, heads, head_width),
            Op::Residual { from } => residual(here, from),
            Op::Im2col { image, window } => im2col(here, &image, &window),
            Op::MaxPool { image, window } => max_pool(here, &image, &window),
            Op::SumPool { image, window } => sum_pool(here, &image, &window),
            Op::Flatten => Some(pass(here, |_| true)),
        }
    }
}

/// Passes the adjoint where `passes` says so of the place.
fn pass(here: &Backwards, passes: impl Fn(usize) -> bool) -> Pulled {
    let values = here.adjoint.values.iter().enumerate();
    let values = values.map(|(at, value)| if passes(at) { (*value).into() } else { 0 });
    here.pull(values.collect(), here.adjoint.exponent)
}

// ---- linear

/// Sums over the outputs give the input's adjoint, sums over the rows the weights': each of products with
/// 7 bits.
fn linear_bits(outputs: u32, rows: u32) -> u8 {
    bits(7 + log2_ceil(outputs.max(rows)))
}

/// `dx[t][i] = sum_o dy[t][o] * view(w[o][i])`, `dw[o][i] = sum_t dy[t][o] * x[t][i]` for 1/256 of a view, and
/// `db[o] = sum_t dy[t][o]` for `2^bias_shift` of an accumulator.
fn linear(here: &Backwards, inputs: u32, outputs: u32, bias_shift: Option<u8>) -> Option<Pulled> {
    let (inputs, outputs) = (inputs as usize, outputs as usize);
    let x = here.narrow()?;
    let (exponent, dy) = (here.adjoint.exponent, &here.adjoint.values);
    let rows = || {
        dy.chunks_exact(outputs.max(1))
            .zip(x.chunks_exact(inputs.max(1)))
    };
    let weights = here.views.get(..outputs.checked_mul(inputs)?)?;
    let mut dx = vec![0i32; if here.is_wanted { x.len() } else { 0 }];
    let mut dw = vec![0i32; weights.len()];
    let mut db = vec![0i32; outputs];
    for (dy, dx) in dy
        .chunks_exact(outputs.max(1))
        .zip(dx.chunks_exact_mut(inputs.max(1)))
    {
        for (dy, weights) in dy.iter().zip(weights.chunks_exact(inputs.max(1))) {
            add_scaled(dx, *dy, weights);
        }
    }
    for (dy, x) in rows() {
        for ((dy, dw), db) in dy
            .iter()
            .zip(dw.chunks_exact_mut(inputs.max(1)))
            .zip(&mut db)
        {
            add_scaled(dw, *dy, x);
            *db = plus(*db, (*dy).into());
        }
    }
    let mut parameters = vec![(
        0,
        Sums {
            values: dw,
            exponent: exponent.saturating_sub(8),
        },
    )];
    if let Some(shift) = bias_shift {
        let exponent = exponent.saturating_add(shift.into());
        parameters.push((
            weights.len(),
            Sums {
                values: db,
                exponent,
            },
        ));
    }
    Some(Pulled {
        parameters,
        ..here.pull(dx, exponent)
    })
}

/// Adds `by * values` to sums.
fn add_scaled(sums: &mut [i32], by: i16, values: &[i8]) {
    let by = i32::from(by);
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = plus(*sum, times(by, (*value).into()));
    }
}

// ---- requant

/// `dacc = dy * multiplier` in `2^-(shift_in + shift_out)`, where the result is inside its bounds.
fn requant(
    here: &Backwards,
    shift_in: u8,
    multiplier: u8,
    shift_out: u8,
    width: Width,
) -> Option<Pulled> {
    let by = |dy: &i16, is_inside: bool| {
        if is_inside {
            times((*dy).into(), multiplier.into())
        } else {
            0
        }
    };
    let dy = here.adjoint.values.iter();
    let values = match (width, here.own) {
        (Width::Narrow, Tensor::Narrow(y)) => dy
            .zip(y)
            .map(|(dy, y)| by(dy, y.unsigned_abs() < 127))
            .collect(),
        (Width::Wide, Tensor::Wide(y)) => dy
            .zip(y)
            .map(|(dy, y)| by(dy, y.unsigned_abs() < 32_767))
            .collect(),
        _ => return None,
    };
    let down = i32::from(shift_in) + i32::from(shift_out);
    Some(here.pull(values, here.adjoint.exponent.saturating_sub(down)))
}

// ---- activation

fn relu(here: &Backwards) -> Option<Pulled> {
    let Tensor::Narrow(y) = here.own else {
        return None;
    };
    Some(pass(here, |at| y.get(at).is_some_and(|y| *y > 0)))
}

/// Of `u^2 / 128`: `dy * u` in `2^-6`.
fn squared_relu(here: &Backwards) -> Option<Pulled> {
    let x = here.narrow()?;
    let values = here.adjoint.values.iter().zip(&x);
    let values = values.map(|(dy, x)| times((*dy).into(), (*x).max(0).into()));
    Some(here.pull(values.collect(), here.adjoint.exponent.saturating_sub(6)))
}

// ---- residual

/// Passes to both terms where the sum is inside its bounds.
fn residual(here: &Backwards, from: u32) -> Option<Pulled> {
    let Tensor::Wide(y) = here.own else {
        return None;
    };
    let pulled = pass(here, |at| {
        y.get(at).is_some_and(|y| y.unsigned_abs() < 32_767)
    });
    let earlier = pulled.previous.clone().map(|sums| (from, sums));
    Some(Pulled { earlier, ..pulled })
}

// ---- loss

/// `dz[c] = p[c] - 1[c is the label]` in `2^-21` bits: Q15, for 1/64 of log2. `p[c]` is `2^15 * e[c] / sum(e)`
/// rounded to nearest, with the terms `e` of the loss. All of it times the adjoint of the token's loss, which
/// is the same for all tokens: only its exponent counts.
fn cross_entropy(here: &Backwards, classes: u32) -> Option<Pulled> {
    let Some(Tensor::Wide(z)) = here.before.last() else {
        return None;
    };
    let rows = z.chunks_exact((classes as usize).max(1));
    let labels = here
        .record
        .get(here.record.len().checked_sub(rows.len())?..)?;
    let mut values = Vec::with_capacity(z.len());
    for (z, label) in rows.zip(labels) {
        let most = i32::from(*z.iter().max()?);
        let terms = || z.iter().map(|z| exp2_q14(most - i32::from(*z)));
        // Between 2^14 and 2^22.
        let sum: u32 = terms().fold(0, u32::wrapping_add);
        for (class, term) in (0u32..).zip(terms()) {
            // Below 2^30.
            let p = ((term << 15) + sum / 2).checked_div(sum).unwrap_or(0) as i32;
            values.push(if class == u32::from(*label) {
                p - (1 << 15)
            } else {
                p
            });
        }
    }
    Some(here.pull(values, -21))
}

/// Every token's loss has the adjoint of the sum.
fn total(here: &Backwards, tokens: u32) -> Option<Pulled> {
    let own = i32::from(*here.adjoint.values.first()?);
    Some(here.pull(vec![own; tokens as usize], here.adjoint.exponent))
}

// ---- embed

fn embed_bits(tokens: u32) -> u8 {
    bits(log2_ceil(tokens))
}

/// The rows of a token's value add up over its places; in `2^-shift`, where the sum is inside its bounds.
fn embed(here: &Backwards, vocab: u32, tokens: u32, width: u32, shift: u8) -> Option<Pulled> {
    let Tensor::Wide(y) = here.own else {
        return None;
    };
    let width = width as usize;
    let places = (vocab as usize).checked_mul(width)?;
    let mut sums = vec![0i32; places.checked_add((tokens as usize).checked_mul(width)?)?];
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
        parameters: vec![(
            0,
            Sums {
                values: sums,
                exponent,
            },
        )],
        ..Pulled::default()
    })
}

// ---- norm

/// The sum over a row of products with 7 bits.
fn norm_bits(width: u32) -> u8 {
    bits(7 + log2_ceil(width))
}

/// With `y = h * s`, `s = 2^unit_bits / rms(h)`, and `n` the width: `dh[c] = s * (dy[c] - y[c] * mean(dy * y) /
/// 2^(2 * unit_bits))`, where `dy` is 0 for what is on the bound. `mean` is rounded to nearest, halves away from
/// zero; the difference is clamped to 16 bits.
fn rms_norm(here: &Backwards, width: u32, unit_bits: u8) -> Option<Pulled> {
    let (Some(Tensor::Wide(h)), Tensor::Narrow(y)) = (here.before.last(), here.own) else {
        return None;
    };
    let n = i32::try_from(width).ok()?;
    let width = (width as usize).max(1);
    let mut values = Vec::with_capacity(h.len());
    for ((h, y), dy) in h
        .chunks_exact(width)
        .zip(y.chunks_exact(width))
        .zip(here.adjoint.values.chunks_exact(width))
    {
        let scale = Norm::of(h, unit_bits);
        let dy: Vec<i32> = dy
            .iter()
            .zip(y)
            .map(|(dy, y)| {
                if y.unsigned_abs() < 127 {
                    (*dy).into()
                } else {
                    0
                }
            })
            .collect();
        let products = dy.iter().zip(y).map(|(dy, y)| times(*dy, (*y).into()));
        let sum = products.fold(0, plus);
        // Below 2^22.
        let mean = crate::arith::round_div(sum.into(), n.into()) as i32;
        for (dy, y) in dy.iter().zip(y) {
            let along = rs(times(mean, (*y).into()), 2 * u32::from(unit_bits));
            let across = crate::arith::clamp_i16(plus(*dy, -along));
            values.push(scale.pull(across));
        }
    }
    Some(
        here.pull(
            values,
            here.adjoint
                .exponent
                .saturating_sub(i32::from(Norm::PULL_BITS)),
        ),
    )
}

// ---- attention

/// Sums over the tokens of products with 7 bits.
fn scores_bits(tokens: u32) -> u8 {
    bits(7 + log2_ceil(tokens))
}

/// `dq[t] = sum_t' ds[t][t'] * k[t']` and `dk[t'] = sum_t ds[t][t'] * q[t]` of every head, over `t' <= t`; nothing
/// for the values.
fn scores(here: &Backwards, heads: u32, head_width: u32) -> Option<Pulled> {
    let x = here.narrow()?;
    let (heads, head_width) = (heads as usize, head_width as usize);
    let all = heads.checked_mul(head_width)?;
    let row = all.checked_mul(3)?;
    let tokens = x.len().checked_div(row)?;
    let mut values = vec![0i32; x.len()];
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
fn softmax(here: &Backwards, heads: u32, tokens: u32) -> Option<Pulled> {
    let Tensor::Shares(p) = here.own else {
        return None;
    };
    let _ = heads;
    let down = share_bits(tokens).saturating_sub(7);
    let values = here.adjoint.values.iter().zip(p);
    let values = values.map(|(dp, p)| times(rs(times((*dp).into(), (*p).into()), down), 355));
    let exponent = here.adjoint.exponent.saturating_add(down as i32 - 9 - 6);
    Some(here.pull(values.collect(), exponent))
}

/// The sum over a row of products with a mean, of 11 bits and the sign.
fn mix_bits(head_width: u32) -> u8 {
    bits(11 + log2_ceil(head_width))
}

/// Bits of a mean's adjoint divided by its shares: sums over the tokens of products with shares, which add up to
/// at most `tokens * 2^share_bits <= 2^17`; and over a head of products with 11 bits.
fn divided_bits(head_width: u32) -> u8 {
    mix_bits(head_width).min(bits(17))
}

/// Of `y[t] = 16 * sum_j p[t][j] v[j] / n[t]`, `n[t] = sum_j p[t][j]`. With `r[t] = dy[t] / n[t]`, which is
/// `dy[t] * 2^14 / n[t]` rounded to nearest, halves away from zero, and shifted to its bits:
/// `dv[j] = sum_t r[t] * p[t][j]` and `dp[t][j] = sum_c r[t][c] * v[j][c] - rs(sum_c r[t][c] * y[t][c], 4)`, both in
/// `2^-10`.
fn mix(here: &Backwards, from: u32, heads: u32, head_width: u32) -> Option<Pulled> {
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
                divided.push(crate::arith::round_div(up.into(), n.into()) as i32);
            }
        }
    }
    let sums = Sums {
        values: divided,
        exponent: here.adjoint.exponent.saturating_sub(10),
    };
    let divided = super::Adjoint::of(&sums, divided_bits(head_width));
    let mut dp = vec![0i32; p.len()];
    let mut dx = vec![0i32; x.len()];
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

// ---- image

/// A pixel is in at most as many places as a window has pixels.
fn window_bits(window: &Window) -> u8 {
    bits(log2_ceil(window.pixels()))
}

/// A pixel's adjoint is the sum over all places that it was laid in.
fn im2col(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    if !here.is_wanted {
        return Some(Pulled::default());
    }
    let channels = image.channels as usize;
    let mut values = vec![0i32; usize::try_from(image.values()).ok()?];
    let laid = here.adjoint.values.chunks_exact(channels.max(1));
    for (pixel, dy) in window.table(image).into_iter().zip(laid) {
        if pixel < image.pixels() {
            let at = pixel as usize * channels;
            for (sum, dy) in values.get_mut(at..at + channels)?.iter_mut().zip(dy) {
                *sum = plus(*sum, (*dy).into());
            }
        }
    }
    Some(here.pull(values, here.adjoint.exponent))
}

/// The first pixel of a place that has its largest value gets the place's adjoint; padding takes it along.
fn max_pool(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    let (x, Tensor::Narrow(y)) = (here.narrow()?, here.own) else {
        return None;
    };
    pool(here, image, window, |at, channel, places| {
        let most = y.get(at)?;
        places
            .into_iter()
            .find(|place| x.get(place + channel) == Some(most))
            .map(|place| vec![place])
    })
}

/// Every pixel of a place gets its adjoint.
fn sum_pool(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    pool(here, image, window, |_, _, places| Some(places))
}

/// Adds the adjoint of every place and channel to the pixels that `to` picks of it.
fn pool(
    here: &Backwards,
    image: &Image,
    window: &Window,
    to: impl Fn(usize, usize, Vec<usize>) -> Option<Vec<usize>>,
) -> Option<Pulled> {
    let channels = image.channels as usize;
    let mut values = vec![0i32; usize::try_from(image.values()).ok()?];
    for (place, dy) in here
        .adjoint
        .values
        .chunks_exact(channels.max(1))
        .enumerate()
    {
        let inside: Vec<usize> = window
            .inside(image, place as u32)
            .map(|pixel| pixel as usize * channels)
            .collect();
        for (channel, dy) in dy.iter().enumerate() {
            let picked = to(place * channels + channel, channel, inside.clone());
            for at in picked.unwrap_or_default() {
                let sum = values.get_mut(at + channel)?;
                *sum = plus(*sum, (*dy).into());
            }
        }
    }
    Some(here.pull(values, here.adjoint.exponent))
}
