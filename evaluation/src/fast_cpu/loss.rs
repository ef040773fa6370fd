//! `CrossEntropy` and `Total`: losses of rows and of samples.

use gotong_scoring::{
    machine::{self, cross_entropy, exp2_q14},
    EvalError,
};

use super::{Backwards, Block, Kernel, Shape};

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

    /// `dz[c] = p[c] - 1[c is the label]` in `2^-21` bits. The adjoint of every loss is 1.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let z = &here.before.wide;
        here.previous.start(z.len(), here.adjoints, 0);
        here.previous.exponents.fill(-21);
        let labels = here.block.labels(here.shape.tokens);
        let rows = z.chunks_exact(self.classes).zip(labels);
        let given = here.previous.values.chunks_exact_mut(self.classes);
        for (given, (z, label)) in given.zip(rows) {
            let most = z.iter().fold(i16::MIN, |most, z| most.max(*z));
            for (given, z) in given.iter_mut().zip(z) {
                *given = exp2_q14(i32::from(most) - i32::from(*z)) as i32;
            }
            // Between 2^14 and 2^22.
            let sum = given
                .iter()
                .fold(0, |sum: i32, term| sum.wrapping_add(*term)) as u32;
            for given in given.iter_mut() {
                // Below 2^30.
                let above = ((*given as u32) << 15).wrapping_add(sum / 2);
                *given = above.checked_div(sum).unwrap_or(0) as i32;
            }
            given[usize::from(label)] -= 1 << 15;
        }
    }
}

/// Sums the losses of each sample's rows.
#[inline(always)]
pub(super) fn total<K: Kernel>(block: &mut Block) {
    let of_sample = block.losses.len() / block.samples;
    let losses = block.losses.chunks_exact(of_sample).map(machine::total);
    block.losses = losses.collect();
}

/// Gives every token's loss the adjoint of their sum.
#[inline(always)]
pub(super) fn total_backward<K: Kernel>(here: &mut Backwards, tokens: usize) {
    let adjoints = here.adjoints;
    here.previous
        .start(tokens * adjoints.values.len(), adjoints, 0);
    let given = here.previous.values.chunks_exact_mut(tokens);
    for (given, own) in given.zip(&adjoints.values) {
        given.fill((*own).into());
    }
}
