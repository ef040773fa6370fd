//! `Scores`, `Softmax` and `Mix`: causal attention.
//!
//! A row of queries, keys and values is `[3, heads, head_width]`.

use burn::tensor::{Bool, Int, IntDType, Tensor};
use gotong_scoring::machine::share_bits;

use super::{arith::rs, Context};

pub(super) struct Scores {
    pub heads: usize,
    pub head_width: usize,
}

impl Scores {
    pub fn new(heads: u32, head_width: u32) -> Self {
        Self {
            heads: heads as usize,
            head_width: head_width as usize,
        }
    }

    /// The product of every query with every key of its head: narrow activations to sums.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let third = |which| third(&values, which, context.tokens, self.heads, self.head_width);
        let products = third(0).matmul(third(1).swap_dims(2, 3));
        rows_of_heads(products.cast(IntDType::I32))
    }
}

pub(super) struct Softmax {
    pub heads: usize,
}

impl Softmax {
    pub fn new(heads: u32) -> Self {
        Self {
            heads: heads as usize,
        }
    }

    /// Scores to shares; tokens after a row's own have none.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let (samples, tokens, heads) = (context.samples(), context.tokens, self.heads);
        let z = values.reshape([samples, tokens, heads, tokens]);
        let later = Tensor::<2, Bool>::tril_mask([tokens, tokens], 0, &z.device());
        let later = later.reshape([1, tokens, 1, tokens]).expand(z.dims());
        // Below every score.
        let z = z.mask_fill(later.clone(), -32_768);
        let distance = z.clone().max_dim(3) - z;
        let down = 14 - share_bits(tokens as u32) as i32;
        let shares = context.tables().exp2(distance.reshape([-1]));
        let shares = rs(shares, down).reshape([samples, tokens, heads, tokens]);
        shares
            .mask_fill(later, 0)
            .reshape([samples * tokens, heads * tokens])
    }
}

pub(super) struct Mix {
    /// The op that gave the values.
    pub from: usize,
    pub heads: usize,
    pub head_width: usize,
}

impl Mix {
    pub fn new(from: u32, heads: u32, head_width: u32) -> Self {
        Self {
            from: from as usize,
            heads: heads as usize,
            head_width: head_width as usize,
        }
    }

    /// The mean of a head's values, weighted by its shares.
    pub fn forward(&self, shares: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let Self {
            from,
            heads,
            head_width,
        } = *self;
        let (samples, tokens) = (context.samples(), context.tokens);
        let earlier = context.earlier(from, &shares);
        let values = third(&earlier, 2, tokens, heads, head_width);
        let shares = shares.reshape([samples, tokens, heads, tokens]);
        let shares = shares.swap_dims(1, 2);
        // At most 2^17 * 127 < 2^24.
        let sums = shares.clone().float().matmul(values).cast(IntDType::I32);
        let n = shares.sum_dim(3);
        let above = (sums + n.clone().mul_scalar(128)).mul_scalar(16);
        let rounded = above + n.clone().bitwise_right_shift_scalar(1);
        rows_of_heads(rounded.div(n.expand([samples, heads, tokens, head_width]))).sub_scalar(2048)
    }
}

/// Queries (0), keys (1) or values (2) of `[samples * tokens, 3 * heads * head_width]`:
/// `[samples, heads, tokens, head_width]` in f32.
fn third(
    values: &Tensor<2, Int>,
    which: usize,
    tokens: usize,
    heads: usize,
    head_width: usize,
) -> Tensor<4> {
    let [rows, _] = values.dims();
    let all = heads * head_width;
    let own = values
        .clone()
        .slice([0..rows, which * all..(which + 1) * all]);
    let own = own.reshape([rows / tokens, tokens, heads, head_width]);
    own.swap_dims(1, 2).float()
}

/// `[samples, heads, tokens, length]` as `[samples * tokens, heads * length]`.
fn rows_of_heads(values: Tensor<4, Int>) -> Tensor<2, Int> {
    let [samples, heads, tokens, length] = values.dims();
    let rows = values.swap_dims(1, 2);
    rows.reshape([samples * tokens, heads * length])
}
