//! `CrossEntropy` and `Total`: losses of rows and of samples.

use burn::tensor::{Int, Tensor};
use gotong_scoring::machine::MOST_OF_A_TOKEN;

use super::{
    adjoint::{Backwards, Pulled, Sums},
    arith::{count, full, int},
    Context,
};

/// Loss in Q16 bits, `[rows, 1]`, from logits `[rows, classes]`: like
/// `gotong_scoring::machine::cross_entropy`.
pub(super) fn cross_entropy(logits: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
    let (labels, tables) = (context.batch.labels(context.tokens), context.tables());
    let [rows, _] = logits.dims();
    let most = logits.clone().max_dim(1);
    let own = logits.clone().gather(1, labels);
    let down = (most.clone() - own).mul_scalar(1024);
    let sum = terms(logits, most, context).sum_dim(1);

    // 2^14 <= sum <= 2^22: the whole part of its logarithm is 14, plus 1 for each power that it
    // reaches.
    let reached = (15..=22).map(|bit| count(sum.clone().greater_equal_elem(1 << bit)));
    let above = reached.fold(sum.zeros_like(), |above, more| above + more);
    let tail = sum
        .bitwise_right_shift(above.clone().add_scalar(4))
        .bitwise_and_scalar(1023);
    let tail = tables.log2.clone().select(0, tail.reshape([rows]));
    above.mul_scalar(1 << 16) + tail.reshape([rows, 1]) + down
}

/// `2^14 * 2^((z - max(z))/64)` of every logit, cut off.
fn terms(logits: Tensor<2, Int>, most: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
    let [rows, classes] = logits.dims();
    let distance = (most - logits).reshape([rows * classes]);
    context.tables().exp2(distance).reshape([rows, classes])
}

/// `dz[c] = p[c] - 1[c is the label]` in `2^-21` bits. The adjoint of every loss is 1.
pub(super) fn cross_entropy_backward(here: &Backwards) -> Pulled {
    let (context, logits) = (&here.context, here.before.clone());
    let (shape, device) = (logits.dims(), logits.device());
    let [_, classes] = shape;
    let most = logits.clone().max_dim(1);
    let terms = terms(logits, most, context);
    // Between 2^14 and 2^22.
    let sum = terms.clone().sum_dim(1).expand(shape);
    // Below 2^30.
    let above = terms.mul_scalar(1 << 15) + sum.clone().bitwise_right_shift_scalar(1);
    let all = int((0..classes as i32).collect(), &device).reshape([1, classes]);
    let labels = context.batch.labels(context.tokens).expand(shape);
    let is_label = count(labels.equal(all.expand(shape)));
    let values = above.div(sum) - is_label.mul_scalar(1 << 15);
    Pulled {
        previous: Some(Sums {
            exponents: full([context.samples(), 1], -21, &device),
            ..here.sums(values, 0)
        }),
        ..Pulled::default()
    }
}

/// Sums the losses of each sample's rows.
pub(super) fn total(losses: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
    let limited = losses.clamp_max(MOST_OF_A_TOKEN as i32);
    limited.reshape([context.samples() as i64, -1]).sum_dim(1)
}

/// Gives every token's loss the adjoint of their sum.
pub(super) fn total_backward(here: &Backwards) -> Pulled {
    let samples = here.context.samples();
    let tokens = here.before.dims()[0] / samples;
    here.pull(here.rows().expand([samples, tokens]), 0)
}
