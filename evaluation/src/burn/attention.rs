//! `Scores`, `Softmax` and `Mix`: causal attention.
//!
//! A row of queries, keys and values is `[3, heads, head_width]`.

use burn::tensor::{Bool, Device, Int, IntDType, Tensor};
use gotong_scoring::machine::share_bits;

use super::{
    adjoint::{by_sample, product, round_div, Adjoint, Backwards, Pulled, Sums},
    arith::rs,
    Context,
};

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

    /// `dq[t] = sum_t' ds[t][t'] * k[t']` and `dk[t'] = sum_t ds[t][t'] * q[t]` of every head; nothing for the
    /// values. The adjoint of a later token's score is 0: only a softmax reads scores.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (context, bits) = (&here.context, here.adjoint.bits);
        let third = |which| {
            third(
                here.before,
                which,
                context.tokens,
                self.heads,
                self.head_width,
            )
        };
        let ds = of_heads(here.rows(), context, self.heads);
        let dq = rows_of_heads(product(ds.clone(), bits, third(1)));
        let dk = rows_of_heads(product(ds.swap_dims(2, 3), bits, third(0)));
        let dv = dq.zeros_like();
        here.pull(Tensor::cat(vec![dq, dk, dv], 1), 0)
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
        let later = later(tokens, &z.device());
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

    /// The backward pass of `p = 2^(z / 64)`: `dz = dp * p * ln(2) / 64`. The product is shifted to 22 bits, times 355 for `ln(2) *
    /// 2^9`.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let down = share_bits(here.context.tokens as u32).saturating_sub(7) as i32;
        let product = here.rows() * here.own.clone();
        here.pull(rs(product, down).mul_scalar(355), down - 9 - 6)
    }
}

/// Bits of a mean's adjoint divided by its shares: as many as the mean's adjoint has, but at most this many, because the shares of
/// a token add up to 2^17.
const DIVIDED_BITS: u8 = 14;

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

    /// With `n[t] = sum_j p[t][j]` and `r[t] = dy[t] / n[t]`: `dv[j] = sum_t r[t] * p[t][j]` and `dp[t][j] =
    /// sum_c r[t][c] * v[j][c] - rs(sum_c r[t][c] * y[t][c], 4)`, both in `2^-10`.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let Self {
            from,
            heads,
            head_width,
        } = *self;
        let context = &here.context;
        let (samples, tokens) = (context.samples(), context.tokens);
        let earlier = context.earlier(from, here.before);
        let shares = of_heads(here.before.clone(), context, heads);
        // To nearest, halves away from zero. Divisors from 1 to 2^17 divide numbers below 2^29.
        let n = shares.clone().sum_dim(3);
        let dy = of_heads(here.rows(), context, heads);
        let shape = dy.dims();
        let divided = Sums {
            values: by_sample(round_div(dy.mul_scalar(1 << 14), n), samples),
            exponents: here.adjoint.exponents.clone().sub_scalar(10),
        };
        let bits = here.adjoint.bits.min(DIVIDED_BITS);
        let divided = Adjoint::of(divided, bits, context.tables());
        let sums = |values| Sums {
            values: by_sample(values, samples),
            exponents: divided.exponents.clone(),
        };
        let r = divided.values.clone().reshape(shape);

        // Shares add up to 2^17 over the tokens: so even half an adjoint times them is at most 2^24.
        let dv = product(r.clone().swap_dims(2, 3), bits, shares.float());
        let dv = rows_of_heads(dv.swap_dims(2, 3));
        let nothing = Tensor::cat(vec![dv.zeros_like(), dv.zeros_like()], 1);
        let dx = Tensor::cat(vec![nothing, dv], 1);

        let y = of_heads(here.own.clone(), context, heads);
        let along = rs((r.clone() * y).sum_dim(3), 4);
        let values = third(&earlier, 2, tokens, heads, head_width);
        let dp = product(r, bits, values.swap_dims(2, 3)) - along;
        let later = later(tokens, &dp.device());
        let later = later.reshape([1, 1, tokens, tokens]).expand(dp.dims());
        Pulled {
            previous: Some(sums(rows_of_heads(dp.mask_fill(later, 0)))),
            earlier: Some((from, sums(dx))),
            ..Pulled::default()
        }
    }
}

/// Where the second of two tokens comes later than the first.
fn later(tokens: usize, device: &Device) -> Tensor<2, Bool> {
    Tensor::<2, Bool>::tril_mask([tokens, tokens], 0, device)
}

/// `[samples * tokens, heads * length]` as `[samples, heads, tokens, length]`.
fn of_heads(rows: Tensor<2, Int>, context: &Context, heads: usize) -> Tensor<4, Int> {
    let length = rows.dims()[1] / heads;
    let rows = rows.reshape([context.samples(), context.tokens, heads, length]);
    rows.swap_dims(1, 2)
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
