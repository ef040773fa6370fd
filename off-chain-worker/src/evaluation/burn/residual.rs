//! `Residual`: the sum with what an earlier op gave.

use burn::tensor::{Int, Tensor};

use super::Context;

pub(super) struct Residual {
    /// The earlier op.
    pub from: usize,
}

impl Residual {
    pub fn new(from: u32) -> Self {
        Self {
            from: from as usize,
        }
    }

    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let earlier = context.earlier(self.from, &values);
        (values + earlier).clamp(-32_767, 32_767)
    }
}
