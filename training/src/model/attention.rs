//! `Scores`, `Softmax` and `Mix`: causal attention.

use std::{f32::consts::LN_2, ops::Range};

use burn::tensor::{activation, Tensor};
use gotong_scoring::machine::share_bits;

use super::{
    super::units::{power, LOGIT_STEPS, MEAN_STEPS},
    rounding::{nearest, with_value, Rounding},
    Output, Pass,
};

/// The product of every query with every key of its head.
pub(super) fn scores(input: Output, pass: &Pass, heads: u32) -> Output {
    let tokens = pass.tokens();
    let queries = input.third(0, heads, tokens, pass.factor());
    let keys = input.third(1, heads, tokens, 1.0);
    Output::Heads(queries.matmul(keys.transpose()))
}

/// Scores to shares.
pub(super) fn softmax(input: Output, pass: &Pass, heads: u32) -> Output {
    Output::Heads(shares(input.heads(heads, pass.tokens()), pass.rounding()))
}

/// The mean of a head's values, weighted by its shares.
pub(super) fn mix(input: Output, pass: &Pass, from: u32, heads: u32) -> Output {
    match pass.earlier(from) {
        Some(earlier) => {
            let factor = MEAN_STEPS * pass.factor();
            let values = earlier.third(2, heads, pass.tokens(), factor);
            let shares = input.heads(heads, pass.tokens());
            Output::Heads(means(shares, values))
        }
        None => input,
    }
}

/// A score of 1 in nats: scores are in 1/64 log2 units.
const UNIT: f32 = LN_2 / LOGIT_STEPS;

/// The shares of a causal softmax of scores. They add up to 1; before they are divided by their sum, they are rounded if the
/// machine's rounding is imitated. Their gradient is that of the exponentials: [`means`] adds what it lacks.
fn shares(scores: Tensor<4>, rounding: Rounding) -> Tensor<4> {
    let seen = seen(scores.clone().inner());
    let shares = match rounding {
        Rounding::AsMachine => rounded_shares(seen),
        // On the processor Burn does all of it in one pass.
        Rounding::ClampsOnly => activation::softmax(seen.mul_scalar(UNIT), 3),
    };
    // Linear in the scores.
    let slope = shares.clone().mul_scalar(UNIT).autodiff();
    with_value(scores * slope, shares)
}

/// Means of values, weighted by what [`shares`] gives.
///
/// Shares add up to 1, so where one rises the others fall. That takes the product of the mean and the mean's gradient from the
/// gradient of every share of a row. It is computed from the means, which are few, and not from the shares (Dao et al.,
/// arXiv:2205.14135, appendix B.2).
fn means(shares: Tensor<4>, values: Tensor<4>) -> Tensor<4> {
    let [samples, heads, tokens, width] = values.dims();
    // A column of ones gives the sums of the shares.
    let ones = Tensor::<4>::ones([samples, heads, tokens, 1], &values.device().inner());
    let products = shares.matmul(Tensor::cat(vec![values, ones.autodiff()], 3));
    let columns = |columns: Range<usize>| {
        let all = products.clone();
        all.slice([0..samples, 0..heads, 0..tokens, columns])
    };
    let (means, sums) = (columns(0..width), columns(width..width + 1));
    // 0, with a gradient.
    let excess = sums.clone() - sums.detach();
    means.clone() - means.detach() * excess
}

/// Scores in which those of later tokens are the smallest number that there is: their exponential is 0, and that is computed at
/// once. One that underflows takes long.
fn seen(scores: Tensor<4>) -> Tensor<4> {
    let [_, _, tokens, _] = scores.dims();
    let unseen = Tensor::<2>::full([tokens, tokens], f32::NEG_INFINITY, &scores.device());
    scores + unseen.triu(1).unsqueeze()
}

/// The softmax of these scores, rounded before it is divided.
fn rounded_shares(scores: Tensor<4>) -> Tensor<4> {
    /// 2^-64: too little for a share, but no underflow.
    const LEAST: f32 = -64.0 * LOGIT_STEPS;
    let [_, _, tokens, _] = scores.dims();
    let largest = power(share_bits(tokens as u32) as u8);
    let most = scores.clone().max_dim(3);
    let below = (scores - most).clamp_min(LEAST).mul_scalar(UNIT);
    let shares = nearest(below.exp().mul_scalar(largest));
    shares.clone() / shares.sum_dim(3)
}
