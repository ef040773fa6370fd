//! `CrossEntropy` and `Total`: losses of rows and of samples.

use gotong_scoring::{
    machine::{self, cross_entropy},
    EvalError,
};

use super::{Block, Kernel, Shape};

pub(super) struct CrossEntropy {
    pub classes: usize,
}

impl CrossEntropy {
    pub fn new(classes: u32) -> Self {
        Self {
            classes: classes as usize,
        }
    }

    /// Logits to the loss of every row.
    ///
    /// # Errors
    /// A label that is not a class.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) -> Result<(), EvalError> {
        let mut losses = std::mem::take(&mut block.losses);
        losses.clear();
        let rows = block.wide.chunks_exact(self.classes);
        for (z, label) in rows.zip(block.labels(shape.tokens)) {
            losses.push(cross_entropy(z, label).ok_or(EvalError::WrongOperand)?);
        }
        block.losses = losses;
        Ok(())
    }
}

/// Adds up the losses of each sample's rows.
#[inline(always)]
pub(super) fn total<K: Kernel>(block: &mut Block) {
    let of_sample = block.losses.len() / block.samples;
    let losses = block.losses.chunks_exact(of_sample).map(machine::total);
    block.losses = losses.collect();
}
