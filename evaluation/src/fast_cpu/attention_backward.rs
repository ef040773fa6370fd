//! `Scores`, `Softmax` and `Mix` in the backward pass.

use gotong_scoring::arith::rs;

use super::{
    adjoint::{Rounding, Scratch},
    attention::{Mix, Scores, Softmax},
    kernel::{self, Out, Part, COLUMNS},
    Backwards, Kernel,
};

impl Scores {
    /// `dq[t] = sum_t' ds[t][t'] * k[t']` and `dk[t'] = sum_t ds[t][t'] * q[t]` of every head, over `t' <= t`;
    /// nothing for the values. The adjoint of a later token's score is 0: only a softmax reads scores.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let (heads, width, tokens) = (self.heads, self.head_width, here.shape.tokens);
        let all = heads * width;
        let (x, ds) = (&here.before.narrow, &here.adjoints.values);
        here.previous.start(x.len(), here.adjoints, 0);
        let samples = x.chunks_exact(tokens * 3 * all);
        let samples = samples.zip(ds.chunks_exact(tokens * tokens * heads));
        let given = here.previous.values.chunks_exact_mut(tokens * 3 * all);
        let Scratch {
            left, right, sums, ..
        } = &mut *here.scratch;
        let stride = width.next_multiple_of(COLUMNS);
        sums.resize(tokens * stride, 0);
        for (given, (x, ds)) in given.zip(samples) {
            for head in 0..heads {
                let ds = || {
                    let rows = ds.chunks_exact(tokens * heads);
                    rows.map(|row| &row[head * tokens..][..tokens])
                };
                let of = |third: usize| {
                    let rows = x.chunks_exact(3 * all);
                    rows.map(move |row| &row[third * all + head * width..][..width])
                };
                left.pack_halves(tokens, ds());
                right.pack_columns(width, of(1));
                let out = Out { sums, stride };
                kernel::halves::<K>(left, right, Part::CausalHalves, out);
                put_rows(given, head * width, 3 * all, sums, width);
                left.pack_transposed(tokens, ds());
                right.pack_columns(width, of(0));
                let out = Out { sums, stride };
                kernel::halves::<K>(left, right, Part::All, out);
                put_rows(given, all + head * width, 3 * all, sums, width);
            }
            for row in given.chunks_exact_mut(3 * all) {
                row[2 * all..].fill(0);
            }
        }
    }
}

impl Softmax {
    /// The backward pass of `p = 2^(z / 64)`: `dz = dp * p * ln(2) / 64`. The product is shifted to 22 bits, times 355 for `ln(2) *
    /// 2^9`.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let Backwards { own, adjoints, .. } = here;
        let down = self.bits.saturating_sub(7);
        let rounding = Rounding::by(down);
        let values = adjoints.values.len();
        here.previous.start(values, adjoints, down as i32 - 9 - 6);
        let dp = adjoints.values.iter().zip(&own.shares);
        for (sum, (dp, p)) in here.previous.values.iter_mut().zip(dp) {
            let product = i32::from(*dp).wrapping_mul((*p).into());
            *sum = rounding.apply(product).wrapping_mul(355);
        }
    }
}

/// Bits of a mean's adjoint divided by its shares: as many as the mean's adjoint has, but at most this many, because the shares of
/// a token add up to 2^17.
const DIVIDED_BITS: u8 = 14;

impl Mix {
    /// With `n[t] = sum_j p[t][j]` and `r[t] = dy[t] / n[t]`: `dv[j] = sum_t r[t] * p[t][j]` and `dp[t][j] =
    /// sum_c r[t][c] * v[j][c] - rs(sum_c r[t][c] * y[t][c], 4)`, both in `2^-10`.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let (heads, width, tokens) = (self.heads, self.head_width, here.shape.tokens);
        let all = heads * width;
        self.divide::<K>(here);
        let x = &here.block.kept[self.from].narrow;
        let Scratch {
            left,
            right,
            sums,
            adjoints: divided,
            ..
        } = &mut *here.scratch;
        let (shares, means) = (&here.before.shares, &here.own.sums);
        here.earlier.start(x.len(), divided, 0);
        here.previous.start(shares.len(), divided, 0);
        let (stride, share_stride) = (
            width.next_multiple_of(COLUMNS),
            tokens.next_multiple_of(COLUMNS),
        );
        sums.resize(tokens * stride.max(share_stride), 0);
        for sample in 0..here.adjoints.exponents.len() {
            let start = sample * tokens;
            let rows = start..start + tokens;
            let dx = &mut here.earlier.values[start * 3 * all..][..tokens * 3 * all];
            for row in dx.chunks_exact_mut(3 * all) {
                row[..2 * all].fill(0);
            }
            for head in 0..heads {
                let of_head = |row: usize| (row * heads + head) * width;
                let r = |row: usize| &divided.values[of_head(row)..][..width];
                let p = |row: usize| &shares[(row * heads + head) * tokens..][..tokens];
                let v = |row: usize| &x[row * 3 * all + 2 * all + head * width..][..width];
                left.pack_transposed(tokens, rows.clone().map(p));
                right.pack_columns(width, rows.clone().map(r));
                let out = Out { sums, stride };
                kernel::halves::<K>(left, right, Part::All, out);
                put_rows(dx, 2 * all + head * width, 3 * all, sums, width);

                left.pack_halves(width, rows.clone().map(r));
                right.pack_rows(width, rows.clone().map(v));
                let out = Out {
                    sums,
                    stride: share_stride,
                };
                kernel::halves::<K>(left, right, Part::CausalColumns, out);
                for (own, row) in rows.clone().enumerate() {
                    let y = &means[of_head(row)..][..width];
                    let along = r(row).iter().zip(y);
                    let along = along.map(|(r, y)| i32::from(*r).wrapping_mul(*y));
                    let along = rs(along.fold(0, i32::wrapping_add), 4);
                    let dp = &mut here.previous.values[(row * heads + head) * tokens..][..tokens];
                    let (seen, later) = dp.split_at_mut(own + 1);
                    for (dp, sum) in seen.iter_mut().zip(&sums[own * share_stride..]) {
                        *dp = sum.wrapping_sub(along);
                    }
                    later.fill(0);
                }
            }
        }
    }

    /// Divides the adjoint of every mean by the sum of its shares, in `2^-10`: to nearest, halves away from
    /// zero.
    #[inline(always)]
    fn divide<K: Kernel>(&self, here: &mut Backwards) {
        let Scratch {
            pulled, adjoints, ..
        } = &mut *here.scratch;
        let dy = &here.adjoints.values;
        pulled.start(dy.len(), here.adjoints, -10);
        let shares = here.before.shares.chunks_exact(here.shape.tokens);
        let rows = dy.chunks_exact(self.head_width).zip(shares);
        let given = pulled.values.chunks_exact_mut(self.head_width);
        for (given, (dy, shares)) in given.zip(rows) {
            // From 1 to 2^17.
            let n = shares.iter().map(|share| i32::from(*share));
            let n = n.fold(0, i32::wrapping_add).max(1) as u32;
            for (given, dy) in given.iter_mut().zip(dy) {
                // Below 2^31.
                let above = (u32::from(dy.unsigned_abs()) << 15).wrapping_add(n);
                let magnitude = (above / (2 * n)) as i32;
                *given = i32::from(dy.signum()).wrapping_mul(magnitude);
            }
        }
        adjoints.of::<K>(pulled, here.bits.min(DIVIDED_BITS));
    }
}

/// Puts rows of `width` values, padded in `sums`, into `given`, whose rows begin at `first`, `stride` apart.
#[inline(always)]
fn put_rows(given: &mut [i32], first: usize, stride: usize, sums: &[i32], width: usize) {
    let padded = width.next_multiple_of(COLUMNS);
    let given = given.chunks_exact_mut(stride);
    for (given, sums) in given.zip(sums.chunks_exact(padded)) {
        given[first..first + width].copy_from_slice(&sums[..width]);
    }
}
