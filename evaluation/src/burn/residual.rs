//! `Residual`: the sum with what an earlier op gave.

use burn::tensor::{Int, Tensor};

use super::{
    adjoint::{Backwards, Pulled},
    Context,
};

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

    /// Passes the adjoint to both terms, where the sum is inside its bounds.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let pulled = here.pull(here.rows_inside(32_767), 0);
        let earlier = pulled.previous.clone().map(|sums| (self.from, sums));
        Pulled { earlier, ..pulled }
    }
}
