//! What an op gives.

use burn::tensor::Tensor;

/// What an op gives. Attention keeps heads apart, which saves copies.
#[derive(Clone)]
pub(super) enum Output {
    /// `[samples * tokens, width]`.
    Rows(Tensor<2>),
    /// `[samples, heads, tokens, width]`; the machine's rows of these are `heads * width` long.
    Heads(Tensor<4>),
    /// Queries, keys and values, each a third of a row.
    Thirds(Box<[Tensor<2>; 3]>),
}

impl Output {
    pub fn rows(self) -> Tensor<2> {
        match self {
            Self::Rows(rows) => rows,
            Self::Heads(heads) => {
                let [samples, count, tokens, width] = heads.dims();
                let rows = heads.swap_dims(1, 2);
                rows.reshape([samples * tokens, count * width])
            }
            Self::Thirds(thirds) => Tensor::cat(thirds.to_vec(), 1),
        }
    }

    pub fn heads(self, count: u32, tokens: usize) -> Tensor<4> {
        match self {
            Self::Heads(heads) => heads,
            other => heads(other.rows(), count, tokens),
        }
    }

    /// Queries (0), keys (1) or values (2) of every head, times `factor`: `[samples, heads, tokens, head_width]`.
    pub fn third(&self, which: usize, count: u32, tokens: usize, factor: f32) -> Tensor<4> {
        let third = match self {
            Self::Thirds(thirds) => thirds[which].clone(),
            other => third(&other.clone().rows(), which),
        };
        // Scaled before the heads are kept apart, because then their values do not follow each other in memory.
        let third = match factor {
            1.0 => third,
            factor => third.mul_scalar(factor),
        };
        heads(third, count, tokens)
    }
}

/// Rows as `[samples, heads, tokens, width]`.
fn heads(rows: Tensor<2>, count: u32, tokens: usize) -> Tensor<4> {
    let ([all, width], count) = (rows.dims(), count as usize);
    let rows = rows.reshape([all / tokens, tokens, count, width / count]);
    rows.swap_dims(1, 2)
}

/// The first, second or last third of all rows.
pub(super) fn third(rows: &Tensor<2>, which: usize) -> Tensor<2> {
    let [all, width] = rows.dims();
    let width = width / 3;
    rows.clone()
        .slice([0..all, which * width..(which + 1) * width])
}
