//! The ops of the machine on one sample: the definition that every implementation must equal.
//!
//! Sources: integer-only inference after Jacob et al. (2018), with powers of two for scales; the
//! norm after Zhang and Sennrich (2019), without a gain, which the next weights can be; attention
//! after Vaswani et al. (2017). Roots, exponentials and logarithms are tables.

use crate::arith::{clamp_i16, clamp_i8, rs};
use crate::evaluator::EvalError;
use crate::graph::{Graph, Op, Width};
use crate::image::{Image, Window};
use crate::lut::{EXP2, LOG2, RSQRT};
use crate::weights::view;
use alloc::vec::Vec;

/// What an op takes or gives, for one sample: row after row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tensor {
    /// Activations, each in +-127.
    Narrow(Vec<i8>),
    /// Accumulators.
    Acc(Vec<i32>),
    /// Logits, scores or the residual stream, each in +-32767.
    Wide(Vec<i16>),
    /// Shares of a softmax, none negative.
    Shares(Vec<i16>),
    /// Losses of the tokens in Q16 bits.
    Losses(Vec<u32>),
    /// A loss in Q16 bits.
    Loss(u32),
}

/// First activations of a sample: each `byte >> 1`.
pub fn activations(pixels: &[u8]) -> Vec<i8> {
    pixels.iter().map(|byte| (byte >> 1) as i8).collect()
}

/// What every op gives on a sample. `record` is its bytes, the label last.
pub fn run(graph: &Graph, weights: &[i16], record: &[u8]) -> Result<Vec<Tensor>, EvalError> {
    let views: Vec<i8> = weights.iter().copied().map(view).collect();
    run_views(graph, weights, &views, record)
}

/// [`run`] with the int8 view of all of `weights` beside them.
pub(crate) fn run_views(
    graph: &Graph,
    weights: &[i16],
    views: &[i8],
    record: &[u8],
) -> Result<Vec<Tensor>, EvalError> {
    let mut before = Vec::with_capacity(graph.ops.len());
    for (op, read) in graph.ops.iter().zip(graph.parameters_read()) {
        let params = weights.get(read.clone()).ok_or(EvalError::WrongOperand)?;
        let views = views.get(read).ok_or(EvalError::WrongOperand)?;
        let tensor = step(op, params, views, record, &before)?;
        before.push(tensor);
    }
    Ok(before)
}

/// Executes one op. `params` are exactly the master weights that it reads
/// ([`Graph::parameters_read`]), `record` the sample with its label, and `before` what all ops
/// before it gave: the op takes the last of them, and the first op takes the sample.
pub fn apply(
    op: &Op,
    params: &[i16],
    record: &[u8],
    before: &[Tensor],
) -> Result<Tensor, EvalError> {
    let views: Vec<i8> = params.iter().copied().map(view).collect();
    step(op, params, &views, record, before)
}

fn step(
    op: &Op,
    params: &[i16],
    views: &[i8],
    record: &[u8],
    before: &[Tensor],
) -> Result<Tensor, EvalError> {
    let wrong = EvalError::WrongOperand;
    if op.parameters_read() != params.len() as u64 {
        return Err(wrong);
    }
    let (_, inputs) = record.split_last().ok_or(EvalError::WrongOperand)?;
    let sample;
    let input = match before.last() {
        Some(input) => input,
        None => {
            sample = Tensor::Narrow(activations(inputs));
            &sample
        }
    };
    let earlier = |from: u32| before.get(from as usize);
    let given = match (*op, input) {
        (Op::Embed { width, shift, .. }, _) if before.is_empty() => {
            embedding(params, inputs, width, shift).map(Tensor::Wide)
        }
        (
            Op::Linear {
                inputs, bias_shift, ..
            },
            Tensor::Narrow(x),
        ) => {
            // Outputs times inputs are weights, the other `outputs` are biases.
            let weights = params.len() - params.len() / (inputs as usize + 1);
            rows(x, inputs).map(|rows| {
                let acc =
                    rows.flat_map(|x| linear(&views[..weights], &params[weights..], bias_shift, x));
                Tensor::Acc(acc.collect())
            })
        }
        (Op::Unembed { vocab, width }, Tensor::Narrow(x)) => {
            let no_bias = alloc::vec![0; vocab as usize];
            rows(x, width)
                .map(|rows| Tensor::Acc(rows.flat_map(|x| linear(views, &no_bias, 0, x)).collect()))
        }
        (
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width,
            },
            Tensor::Acc(acc),
        ) => {
            let scaled = acc
                .iter()
                .map(|acc| requant(*acc, shift_in, multiplier, shift_out));
            Some(match width {
                Width::Wide => Tensor::Wide(scaled.collect()),
                Width::Narrow => Tensor::Narrow(scaled.map(|y| clamp_i8(y.into())).collect()),
            })
        }
        (Op::Relu, Tensor::Narrow(x)) => {
            Some(Tensor::Narrow(x.iter().map(|x| *x.max(&0)).collect()))
        }
        (Op::SquaredRelu, Tensor::Narrow(x)) => Some(Tensor::Narrow(
            x.iter().copied().map(squared_relu).collect(),
        )),
        (Op::RmsNorm { width, unit_bits }, Tensor::Wide(h)) => rows(h, width).map(|rows| {
            let normed = rows.flat_map(|row| {
                let norm = Norm::of(row, unit_bits);
                row.iter().map(move |h| norm.apply(*h))
            });
            Tensor::Narrow(normed.collect())
        }),
        (Op::Residual { from }, Tensor::Wide(h)) => match earlier(from) {
            Some(Tensor::Wide(other)) if other.len() == h.len() => {
                let pairs = h.iter().zip(other);
                Some(Tensor::Wide(pairs.map(|(a, b)| residual(*a, *b)).collect()))
            }
            _ => None,
        },
        (Op::Scores { heads, head_width }, Tensor::Narrow(x)) => {
            scores(x, heads, head_width).map(Tensor::Acc)
        }
        (Op::Softmax { heads, tokens }, Tensor::Wide(z)) => {
            softmax(z, heads, tokens).map(Tensor::Shares)
        }
        (
            Op::Mix {
                from,
                heads,
                head_width,
            },
            Tensor::Shares(p),
        ) => match earlier(from) {
            Some(Tensor::Narrow(x)) => mix(p, x, heads, head_width).map(Tensor::Acc),
            _ => None,
        },
        (Op::CrossEntropy { classes }, Tensor::Wide(z)) => losses(z, classes, record),
        (Op::Total { tokens }, Tensor::Losses(losses)) if losses.len() == tokens as usize => {
            Some(Tensor::Loss(total(losses)))
        }
        (Op::Im2col { image, window }, Tensor::Narrow(x)) => {
            im2col(x, &image, &window).map(Tensor::Narrow)
        }
        (Op::MaxPool { image, window }, Tensor::Narrow(x)) => {
            pool(x, &image, &window, |inside| max_of(inside, &window)).map(Tensor::Narrow)
        }
        (Op::SumPool { image, window }, Tensor::Narrow(x)) => {
            pool(x, &image, &window, sum_of).map(Tensor::Acc)
        }
        (Op::Flatten, Tensor::Narrow(x)) => Some(Tensor::Narrow(x.clone())),
        _ => None,
    };
    given.ok_or(wrong)
}

/// Rows of so many values; none if there is none, or the last is incomplete.
fn rows<T>(values: &[T], width: u32) -> Option<core::slice::ChunksExact<'_, T>> {
    let width = width as usize;
    let is_whole = !values.is_empty() && values.len().checked_rem(width) == Some(0);
    is_whole.then(|| values.chunks_exact(width.max(1)))
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

fn rows_of<T>(values: &[T], width: usize) -> core::slice::ChunksExact<'_, T> {
    values.chunks_exact(width.max(1))
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

/// The rows that are pixels; none if they are not those of the image.
fn pixels<'a>(x: &'a [i8], image: &Image) -> Option<core::slice::ChunksExact<'a, i8>> {
    let rows = rows(x, image.channels)?;
    (rows.len() as u64 == u64::from(image.pixels())).then_some(rows)
}

fn im2col(x: &[i8], image: &Image, window: &Window) -> Option<Vec<i8>> {
    let pixels = pixels(x, image)?;
    let (down, across) = window.places(image)?;
    let padding = alloc::vec![0; image.channels as usize];
    let mut columns = Vec::new();
    for place in 0..down.checked_mul(across)? {
        for nth in 0..window.pixels() {
            let pixel = window.pixel(image, place, nth);
            let pixel = pixel.and_then(|at| pixels.clone().nth(at as usize));
            columns.extend_from_slice(pixel.unwrap_or(&padding));
        }
    }
    Some(columns)
}

/// For every place and channel what `of` makes of its values in the image.
fn pool<T>(x: &[i8], image: &Image, window: &Window, of: impl Fn(&[i8]) -> T) -> Option<Vec<T>> {
    let pixels = pixels(x, image)?;
    let (down, across) = window.places(image)?;
    let mut all = Vec::new();
    for place in 0..down.checked_mul(across)? {
        let inside = window.inside(image, place);
        let inside: Vec<&[i8]> = inside
            .filter_map(|at| pixels.clone().nth(at as usize))
            .collect();
        for channel in 0..image.channels as usize {
            let values = inside.iter().filter_map(|row| row.get(channel).copied());
            let values: Vec<i8> = values.collect();
            all.push(of(&values));
        }
    }
    Some(all)
}

/// The largest of a place; `inside` are its values in the image, the others are 0.
pub fn max_of(inside: &[i8], window: &Window) -> i8 {
    let padding = ((inside.len() as u64) < u64::from(window.pixels())).then_some(0);
    let all = inside.iter().copied().chain(padding);
    all.max().unwrap_or(0)
}

/// The sum of a place, of at most [`crate::MAX_POOL_SPAN`] activations below 2^18. Wraps.
pub fn sum_of(inside: &[i8]) -> i32 {
    let values = inside.iter().map(|value| i32::from(*value));
    values.fold(0, i32::wrapping_add)
}

/// Losses of all rows: the labels are the last bytes of the record.
fn losses(z: &[i16], classes: u32, record: &[u8]) -> Option<Tensor> {
    let rows = rows(z, classes)?;
    let labels = record.get(record.len().checked_sub(rows.len())?..)?;
    let pairs = rows.zip(labels);
    let losses: Option<Vec<u32>> = pairs.map(|(z, label)| cross_entropy(z, *label)).collect();
    match *losses? {
        [loss] => Some(Tensor::Loss(loss)),
        ref losses => Some(Tensor::Losses(losses.to_vec())),
    }
}

/// `acc[o] = sum_i weights[o][i] * x[i] + (biases[o] << bias_shift)`; `weights` is `[out][in]`,
/// already in the int8 view, and has `biases.len() * x.len()` values.
///
/// In a valid graph no sum passes 32 bits, in whatever order it is made; elsewhere it wraps.
pub fn linear(weights: &[i8], biases: &[i16], bias_shift: u8, x: &[i8]) -> Vec<i32> {
    let rows = weights.chunks_exact(x.len().max(1));
    rows.zip(biases)
        .map(|(row, bias)| {
            let bias = i32::from(*bias).wrapping_shl(bias_shift.into());
            dot(row, x).wrapping_add(bias)
        })
        .collect()
}

/// `sum_i a[i] * b[i]`: of at most 1024 activations below 2^24. Wraps.
pub fn dot(a: &[i8], b: &[i8]) -> i32 {
    let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
    products.fold(0, i32::wrapping_add)
}

/// One value of an embedding: `clamp(rs(token + place, shift), +-32767)`.
#[inline]
pub fn embed(token: i16, place: i16, shift: u8) -> i16 {
    // Here and below sums and products of so few bits never wrap: a check for it would keep loops from
    // vectorising.
    let sum = i32::from(token).wrapping_add(place.into());
    clamp_i16(rs(sum, shift.into()))
}

/// `clamp(a + b, +-32767)`.
#[inline]
pub fn residual(a: i16, b: i16) -> i16 {
    clamp_i16(i32::from(a).wrapping_add(b.into()))
}

/// `rs(u * u, 7)` of `u = max(x, 0)`: at most 126.
#[inline]
pub fn squared_relu(x: i8) -> i8 {
    let u = i32::from(x.max(0));
    clamp_i8(rs(u.wrapping_mul(u), 7))
}

/// What divides a row by the root of its mean square.
///
/// The row is shifted up until its largest magnitude has 15 bits: `g = h << up`. Its squares are
/// below 2^30, and `rs(g * g, s)` summed over the row is at most 2^30, where `s` is the least even
/// number with `width <= 2^s`. The sum's even exponent `2e` and 8 bits of mantissa give the reciprocal
/// of its root by [`RSQRT`]; the root of the width, `isqrt(width << 16)`, makes the sum a mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Norm {
    up: u32,
    /// Q15.
    reciprocal: i32,
    /// Q8, below 2^14.
    root_of_width: i32,
    down: u32,
}

impl Norm {
    /// Of a row of at most 2048 values; the result is in units of `2^-unit_bits`.
    #[inline(always)]
    pub fn of(row: &[i16], unit_bits: u8) -> Self {
        let most = row.iter().map(|h| magnitude(*h)).max().unwrap_or(0);
        let up = most.leading_zeros().saturating_sub(17);
        let log_width = row.len().max(1).next_power_of_two().ilog2();
        let s = log_width + log_width % 2;
        let squares = row.iter().map(|h| {
            let g = magnitude(*h) << up;
            rs(g.wrapping_mul(g) as i32, s)
        });
        // At least 2^(28-s), for the largest magnitude alone; 0 only for a row of zeros.
        let sum = squares.fold(0, i32::wrapping_add) as u32;
        let e = sum.max(1).ilog2() / 2;
        let mantissa = (sum >> (2 * e).saturating_sub(6)) as usize;
        let reciprocal = mantissa.checked_sub(64).and_then(|at| RSQRT.get(at));
        Self {
            up,
            reciprocal: reciprocal.copied().unwrap_or(0).into(),
            root_of_width: ((row.len() as u64) << 16).isqrt() as i32,
            down: (8 + e + s / 2).saturating_sub(unit_bits.into()),
        }
    }

    /// One value of the row: `t = rs(g * reciprocal, 15)`, then `clamp(rs(t * root, down), +-127)`.
    /// The products are below 2^30.
    #[inline]
    pub fn apply(&self, h: i16) -> i8 {
        let g = i32::from(clamp_i16(h.into())).wrapping_shl(self.up);
        let t = rs(g.wrapping_mul(self.reciprocal), 15);
        clamp_i8(rs(t.wrapping_mul(self.root_of_width), self.down))
    }

    /// Bits after the point of what [`Self::pull`] gives.
    pub const PULL_BITS: u8 = 10;

    /// What divides the row, times `d`, in `2^-10`: `rs(rs(d * reciprocal, 15) * root, down - up - 10)`. Where
    /// that is a shift to the left, the product is clamped first so that it stays within `+-2^30`: only for
    /// rows with hardly anything in them.
    #[inline]
    pub fn pull(&self, d: i16) -> i32 {
        let t = rs(i32::from(d).wrapping_mul(self.reciprocal), 15);
        // Below 2^29.
        let product = t.wrapping_mul(self.root_of_width);
        let down = self.down as i32 - self.up as i32 - i32::from(Self::PULL_BITS);
        if down >= 0 {
            return rs(product, down.unsigned_abs());
        }
        let up = down.unsigned_abs().min(30);
        let most = (1i32 << 30) >> up;
        product.clamp(-most, most) << up
    }
}

/// At most 32767.
#[inline]
fn magnitude(h: i16) -> u32 {
    clamp_i16(h.into()).unsigned_abs().into()
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

/// The sum of the losses of at most 1024 tokens, each limited to [`MOST_OF_A_TOKEN`]: below 2^31.
pub fn total(losses: &[u32]) -> u32 {
    let limited = losses.iter().map(|loss| *loss.min(&MOST_OF_A_TOKEN));
    limited.fold(0, u32::wrapping_add)
}

/// The most that the loss of one token of a sample counts: 32 bits less 2^-16.
pub const MOST_OF_A_TOKEN: u32 = (1 << 21) - 1;

/// `clamp(rs(clamp(rs(acc, shift_in), +-32767) * multiplier, shift_out), +-32767)`; a narrow
/// requant clamps the result on to +-127.
#[inline]
pub fn requant(acc: i32, shift_in: u8, multiplier: u8, shift_out: u8) -> i16 {
    let t = clamp_i16(rs(acc, shift_in.into()));
    // Below 2^23.
    let product = i32::from(t).wrapping_mul(multiplier.into());
    clamp_i16(rs(product, shift_out.into()))
}

/// Loss of `label` in Q16 bits, of logits in 1/64 log2 units; none if there is no such logit, or
/// if there are more than 256.
///
/// `log2(sum_j 2^(z_j/64)) - z_label/64`. Terms are Q14 and cut off, and the logarithm reads 10
/// bits after the leading one, so it lies below the true value by less than
/// `1.45 * (1/1024 + classes/16384)` bits.
pub fn cross_entropy(logits: &[i16], label: u8) -> Option<u32> {
    let own = i32::from(*logits.get(usize::from(label))?);
    let most = i32::from(*logits.iter().max()?);
    if logits.len() > 256 {
        return None;
    }
    // The largest term is 2^14 and there are at most 2^8: 2^14 <= sum <= 2^22.
    let sum: u32 = logits.iter().map(|z| exp2_q14(most - i32::from(*z))).sum();
    // At most 2^16 * 2^10.
    let down = (most - own) as u32 * 1024;
    Some(log2_q16(sum) - (14 << 16) + down)
}

/// `2^(-d/64)` in Q14, cut off; `d >= 0`.
#[inline]
pub fn exp2_q14(d: i32) -> u32 {
    let mantissa = u32::from(EXP2[(d & 63) as usize]);
    mantissa.checked_shr((d >> 6) as u32).unwrap_or(0)
}

/// `log2(s)` in Q16 from 10 bits after the leading one; `2^10 <= s`.
#[inline]
fn log2_q16(s: u32) -> u32 {
    let whole = s.ilog2();
    (whole << 16) + u32::from(LOG2[((s >> (whole - 10)) & 1023) as usize])
}

#[cfg(test)]
mod tests;
