//! `Scores`, `Softmax` and `Mix`: causal attention.
//!
//! A row of queries, keys and values is `[3, heads, head_width]`.

use gotong_scoring::machine::{share, share_bits};

use super::{
    kernel::{self, Part, COLUMNS},
    Block, Kernel, Shape,
};

pub(super) struct Scores {
    pub heads: usize,
    pub head_width: usize,
    /// Which scores are wanted.
    pub part: Part,
}

impl Scores {
    pub fn new(heads: u32, head_width: u32, part: Part) -> Self {
        Self {
            heads: heads as usize,
            head_width: head_width as usize,
            part,
        }
    }

    /// The product of every query with every key of its head: narrow activations to sums.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let Self {
            heads, head_width, ..
        } = *self;
        let (tokens, all) = (shape.tokens, heads * head_width);
        let stride = tokens.next_multiple_of(COLUMNS);
        block.sums.reset(shape.rows * heads, tokens, stride);
        for (sample, values) in block.narrow.chunks_exact(tokens * 3 * all).enumerate() {
            for head in 0..heads {
                let of = |third: usize| {
                    let rows = values.chunks_exact(3 * all);
                    rows.map(move |row| &row[third * all + head * head_width..][..head_width])
                };
                block.left.pack_activations::<K>(head_width, of(0));
                let keys = of(1).map(|key| (key, 0));
                block.right.pack_activations::<K>(head_width, keys);
                let rows = sample * tokens..(sample + 1) * tokens;
                let out = block.sums.of_head(rows, head, heads);
                kernel::activations::<K>(&block.left, &block.right, self.part, out);
            }
        }
    }
}

pub(super) struct Softmax {
    pub heads: usize,
    /// Bits of the largest share.
    pub bits: u32,
    /// The share of a score, by its distance below the largest; 0 if it is farther below.
    pub shares: Vec<i16>,
}

impl Softmax {
    pub fn new(heads: u32, tokens: u32) -> Self {
        let shares = (0..).map(|distance| share(distance, share_bits(tokens)));
        Self {
            heads: heads as usize,
            bits: share_bits(tokens),
            shares: shares.take_while(|share| *share > 0).collect(),
        }
    }

    /// Scores to shares; tokens after a row's own have none.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let tokens = shape.tokens;
        block.shares.resize(block.wide.len(), 0);
        let given = block.shares.chunks_exact_mut(tokens);
        for (at, (given, z)) in given.zip(block.wide.chunks_exact(tokens)).enumerate() {
            let seen = at / self.heads % tokens + 1;
            let (given, later) = given.split_at_mut(seen);
            let z = &z[..seen];
            let most = z.iter().fold(i16::MIN, |most, z| most.max(*z));
            for (given, z) in given.iter_mut().zip(z) {
                let distance = (i32::from(most) - i32::from(*z)) as usize;
                *given = self.shares.get(distance).copied().unwrap_or(0);
            }
            later.fill(0);
        }
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
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let Self {
            from,
            heads,
            head_width,
        } = *self;
        let (tokens, all) = (shape.tokens, heads * head_width);
        let stride = head_width.next_multiple_of(COLUMNS);
        block.sums.reset(shape.rows * heads, head_width, stride);
        let shares = block.shares.chunks_exact(tokens * tokens * heads);
        let values = block.kept[from].narrow.chunks_exact(tokens * 3 * all);
        for (sample, (shares, values)) in shares.zip(values).enumerate() {
            for head in 0..heads {
                let rows = shares.chunks_exact(tokens * heads);
                let rows = rows.map(|row| &row[head * tokens..][..tokens]);
                block.left.pack_halves(tokens, rows);
                let values = values.chunks_exact(3 * all);
                let values = values.map(|row| &row[2 * all + head * head_width..][..head_width]);
                block.right.pack_columns(head_width, values);
                let rows = sample * tokens..(sample + 1) * tokens;
                let out = block.sums.of_head(rows, head, heads);
                kernel::halves::<K>(&block.left, &block.right, Part::CausalHalves, out);
            }
        }
        let sums = block.sums.values.chunks_exact_mut(stride);
        for (sums, shares) in sums.zip(block.shares.chunks_exact(tokens)) {
            // At most 2^17.
            let shares = shares.iter().map(|share| i32::from(*share));
            let mean = Mean::of(shares.fold(0, i32::wrapping_add));
            sums[..head_width]
                .iter_mut()
                .for_each(|sum| *sum = mean.apply(*sum));
        }
    }
}

/// The mean of `gotong_scoring::machine::mean` without a division, from a sum of products and the
/// sum `n` of the shares. With `m = 2^47/n + 1`, rounded down, `x * m / 2^47` is `x / n`, both
/// rounded down: `m * n` is at most `n <= 2^17` above `2^47`, and `x < 2^30`. `x` is below `2^12 *
/// n`, so the product fits 64 bits.
struct Mean {
    n: i32,
    multiplier: u64,
}

impl Mean {
    #[inline(always)]
    fn of(n: i32) -> Self {
        // A softmax gives at least one share that is not zero.
        let multiplier = (1 << 47) / n.max(1) as u64 + 1;
        Self { n, multiplier }
    }

    #[inline(always)]
    fn apply(&self, sum: i32) -> i32 {
        let positive = sum.wrapping_add(self.n.wrapping_mul(128));
        let x = positive.wrapping_mul(16).wrapping_add(self.n / 2);
        let mean = (x as u64).wrapping_mul(self.multiplier) >> 47;
        (mean as i32).wrapping_sub(2048)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::machine::mean;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mean_is_the_machines(pairs in proptest::collection::vec((0i16..=128, -127i8..=127), 1..=1024)) {
            let (shares, values): (Vec<i16>, Vec<i8>) = pairs.into_iter().unzip();
            let n: i32 = shares.iter().map(|share| i32::from(*share)).sum();
            prop_assume!(n > 0);
            let terms = shares.iter().zip(&values);
            let sum = terms.map(|(share, value)| i32::from(*share) * i32::from(*value)).sum();
            prop_assert_eq!(Mean::of(n).apply(sum), mean(&shares, values.iter().copied()));
        }
    }

    #[test]
    fn a_mean_is_the_machines_at_its_ends() {
        for n in [1, 2, 3, 127, 128, 1 << 14, (1 << 17) - 1, 1 << 17] {
            for value in [-127i32, -1, 0, 1, 127] {
                for sum in [value * n, (value * n).saturating_sub(1).max(-127 * n)] {
                    let exact = (i64::from(sum) + 128 * i64::from(n)) * 16 + i64::from(n / 2);
                    let exact = exact / i64::from(n) - 2048;
                    assert_eq!(i64::from(Mean::of(n).apply(sum)), exact, "{sum} of {n}");
                }
            }
        }
    }
}
