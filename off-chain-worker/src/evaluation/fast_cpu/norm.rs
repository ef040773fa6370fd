//! `RmsNorm`: rows divided by the root of their mean square.

use gotong_scoring::machine::Norm;

use super::{Block, Kernel, Shape};

pub(super) struct RmsNorm {
    pub width: usize,
    pub unit_bits: u8,
}

impl RmsNorm {
    pub fn new(width: u32, unit_bits: u8) -> Self {
        Self {
            width: width as usize,
            unit_bits,
        }
    }

    /// Wide values to narrow activations.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        block.narrow.resize(shape.rows * self.width, 0);
        let given = block.narrow.chunks_exact_mut(self.width);
        for (given, row) in given.zip(block.wide.chunks_exact(self.width)) {
            let norm = Norm::of(row, self.unit_bits);
            for (given, h) in given.iter_mut().zip(row) {
                *given = norm.apply(*h);
            }
        }
    }
}
