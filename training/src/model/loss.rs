//! `CrossEntropy` and `Total`, as one mean over all labels.

use std::f32::consts::LN_2;

use burn::tensor::{activation::log_softmax, Int, Tensor};

use super::{super::units::LOGIT_STEPS, rounding::with_value};

/// Mean cross-entropy of all labels in nats, `[1]`, from logits in 1/64 log2 units.
pub(super) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let unit = LN_2 / LOGIT_STEPS;
    let [rows, classes] = logits.dims();
    let labels = labels.unsqueeze_dim::<2>(1);
    let logs = log_softmax(logits.clone().inner().mul_scalar(unit), 1);
    let loss = logs.clone().gather(1, labels.clone()).mean().neg();
    // The gradient of a logit is its probability, less 1 if it belongs to the label.
    let all = Tensor::arange(0..classes as i64, &labels.device()).unsqueeze_dim::<2>(0);
    let is_label = labels.equal(all).float();
    let slope = (logs.exp() - is_label).mul_scalar(unit / rows as f32);
    with_value((logits * slope.autodiff()).sum(), loss)
}
