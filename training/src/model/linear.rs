//! `Linear` and `Unembed`: products with weights.

use burn::tensor::Tensor;

use super::{
    super::units::{power, VIEW_STEPS},
    output::third,
    rounding::{clamped, nearest, with_value, Rounding},
    Output, Pass,
};

/// `Linear`. Weights that give queries, keys and values are cut in three: that costs less than
/// cutting what they give.
pub(super) fn linear(input: Output, pass: &mut Pass, bias_shift: u8) -> Output {
    let (Some(weight), Some(bias)) = (pass.next_master(), pass.next_master()) else {
        return input;
    };
    let factor = pass.factor();
    let (rows, weight) = (input.rows(), view(weight.value, factor, pass.rounding()));
    let steps = bias.steps * power(bias_shift) * factor;
    let bias = bias.value.mul_scalar(steps);
    if pass.feeds_scores() {
        let product = |which| rows.clone().matmul(third(&weight, which)) + third(&bias, which);
        Output::Thirds(Box::new([0, 1, 2].map(product)))
    } else {
        Output::Rows(rows.matmul(weight) + bias)
    }
}

/// `Unembed`, with the weights of the embedding.
pub(super) fn unembed(input: Output, pass: &Pass) -> Output {
    let weight = view(pass.embedding(), pass.factor(), pass.rounding());
    Output::Rows(input.rows().matmul(weight.transpose()))
}

/// The int8 view of weights, in its steps, times `factor`.
fn view(master: Tensor<2>, factor: f32, rounding: Rounding) -> Tensor<2> {
    let unrounded = master.clone().mul_scalar(VIEW_STEPS * factor);
    match rounding {
        Rounding::AsMachine => {
            let steps = master.inner().mul_scalar(VIEW_STEPS);
            let steps = nearest(clamped(steps, 127.0));
            with_value(unrounded, steps.mul_scalar(factor))
        }
        // Masters are within the bounds of the view.
        Rounding::ClampsOnly => unrounded,
    }
}
