//! `CrossEntropy` and `Total`: losses of rows and of samples.

use burn::tensor::{Int, Tensor};
use gotong_scoring::machine::MOST_OF_A_TOKEN;

use super::{arith::count, Context};

/// Loss in Q16 bits, `[rows, 1]`, of logits `[rows, classes]`: as
/// `gotong_scoring::machine::cross_entropy`.
pub(super) fn cross_entropy(logits: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
    let (labels, tables) = (context.batch.labels(context.tokens), context.tables());
    let [rows, classes] = logits.dims();
    let most = logits.clone().max_dim(1);
    let own = logits.clone().gather(1, labels);
    let down = (most.clone() - own).mul_scalar(1024);
    let terms = tables.exp2((most - logits).reshape([rows * classes]));
    let sum = terms.reshape([rows, classes]).sum_dim(1);

    // 2^14 <= sum <= 2^22: the whole part of its logarithm is 14, and 1 more for each power that it
    // reaches.
    let reached = (15..=22).map(|bit| count(sum.clone().greater_equal_elem(1 << bit)));
    let above = reached.fold(sum.zeros_like(), |above, more| above + more);
    let tail = sum
        .bitwise_right_shift(above.clone().add_scalar(4))
        .bitwise_and_scalar(1023);
    let tail = tables.log2.clone().select(0, tail.reshape([rows]));
    above.mul_scalar(1 << 16) + tail.reshape([rows, 1]) + down
}

/// Adds up the losses of each sample's rows.
pub(super) fn total(losses: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
    let limited = losses.clamp_max(MOST_OF_A_TOKEN as i32);
    limited.reshape([context.samples() as i64, -1]).sum_dim(1)
}
