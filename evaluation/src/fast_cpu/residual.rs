//! `Residual`: the sum with what an earlier op gave.

use gotong_scoring::machine::residual;

use super::{adjoint::if_passes, Backwards, Block, Kernel};

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

    /// Passes the adjoint to both terms, where the sum is inside its bounds.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let Backwards { own, adjoints, .. } = here;
        here.previous.start(adjoints.values.len(), adjoints, 0);
        let dy = adjoints.values.iter().zip(&own.wide);
        for (sum, (dy, y)) in here.previous.values.iter_mut().zip(dy) {
            *sum = if_passes(*dy, y.unsigned_abs() < 32_767);
        }
        here.earlier.copy(here.previous);
    }
}
