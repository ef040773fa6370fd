//! `Residual`: the sum with what an earlier op gave.

use gotong_scoring::machine::residual;

use super::{Block, Kernel};

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

    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block) {
        for (h, earlier) in block.wide.iter_mut().zip(&block.kept[self.from].wide) {
            *h = residual(*h, *earlier);
        }
    }
}
