//! The loss: [`Op::CrossEntropy`](super::Op::CrossEntropy) of every token, and their
//! [`Op::Total`](super::Op::Total).

use super::definition::{rows, Definition, Incoming, Operands};
use crate::arith::{exp2_q14, log2_q16};
use crate::gradient::{Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind, MAX_CLASSES};
use crate::machine::Tensor;
use crate::trial::backward::{first, row_and_column, Exponent, Here, PulledStages, Read, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

/// The fields of [`Op::CrossEntropy`](super::Op::CrossEntropy).
pub(super) struct CrossEntropy {
    pub classes: u32,
}

/// The fields of [`Op::Total`](super::Op::Total).
pub(super) struct Total {
    pub tokens: u32,
}

impl Definition for CrossEntropy {
    fn is_in_bounds(&self) -> bool {
        (2..=MAX_CLASSES).contains(&self.classes)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let tokens = incoming.take(Kind::Wide)?.tokens;
        match incoming.graph.vocab() {
            // With tokens, each token has a label; without, the sample has one label.
            None if tokens > 1 => return Err(incoming.wrong_kind()),
            Some(vocab) if vocab != self.classes => return Err(incoming.wrong_length()),
            _ => {}
        }
        incoming.check_width(self.classes)?;
        Ok(Flow::of(Kind::Loss, tokens, 1))
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        losses(operands.wide()?, self.classes, operands.record)
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads {
            record: true,
            inputs: word.input(0, self.classes),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let wrong = Refusal::WrongShape;
        // The labels are the last bytes of the sample.
        let after = word.own.flow.tokens.saturating_sub(word.row) as usize;
        let at = word.sample.len().checked_sub(after).ok_or(wrong)?;
        let label = word.sample.get(at).ok_or(wrong)?;
        let loss = cross_entropy(&inputs.wide(), *label);
        Ok(loss.ok_or(Refusal::ForeignInput)? as i32)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        cross_entropy_backward(here, self.classes)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        cross_entropy_stages(here, stages, self.classes)
    }
}

impl Definition for Total {
    fn is_in_bounds(&self) -> bool {
        true
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let tokens = incoming.take(Kind::Loss)?.tokens;
        if tokens != self.tokens || tokens < 2 {
            return Err(incoming.wrong_kind());
        }
        incoming.check_width(1u32)?;
        Ok(Flow::of(Kind::Loss, 1, 1))
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        match operands.taken {
            Tensor::Losses(losses) if losses.len() == self.tokens as usize => {
                Some(Tensor::Loss(total(losses)))
            }
            _ => None,
        }
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        Some(Reads {
            inputs: word.words(word.previous()?, 0, 0, self.tokens),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, _: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let losses: Vec<u32> = inputs.inputs.iter().map(|word| *word as u32).collect();
        Ok(total(&losses) as i32)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        total_backward(here, self.tokens)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let (of, exponent) = (here.adjoint.values, here.adjoint.exponent);
        let reads = move |_| Some(alloc::vec![Read::stage(of, 0, 1)]);
        let own = |_, inputs: &[&[i32]]| first(inputs, 0);
        PulledStages::previous(stages.sums(self.tokens.into(), exponent, reads, own))
    }
}

/// Losses of all rows: the labels are the last bytes of the record.
fn losses(z: &[i16], classes: u32, record: &[u8]) -> Option<Tensor> {
    let rows = rows(z, classes)?;
    let labels = record.get(record.len().checked_sub(rows.len())?..)?;
    let pairs = rows.zip(labels);
    let losses: Option<Vec<u32>> = pairs.map(|(z, label)| cross_entropy(z, *label)).collect();
    match *losses? {
        [loss] => Some(Tensor::Loss(loss)),
        ref losses => Some(Tensor::Losses(losses.to_vec())),
    }
}

/// The sum of the losses of at most 1024 tokens, each limited to [`MOST_OF_A_TOKEN`]: below 2^31.
pub fn total(losses: &[u32]) -> u32 {
    let limited = losses.iter().map(|loss| *loss.min(&MOST_OF_A_TOKEN));
    limited.fold(0, u32::wrapping_add)
}

/// The most that the loss of one token of a sample counts: 32 bits less 2^-16.
pub const MOST_OF_A_TOKEN: u32 = (1 << 21) - 1;

/// Loss of `label` in Q16 bits, from logits in 1/64 log2 units; none if there is no such logit, or if there are more than 256.
///
/// `log2(sum_j 2^(z_j/64)) - z_label/64`. Terms are Q14 and cut off, and the logarithm reads 10
/// bits after the leading one, so it lies below the true value by less than
/// `1.45 * (1/1024 + classes/16384)` bits.
pub fn cross_entropy(logits: &[i16], label: u8) -> Option<u32> {
    let own = i32::from(*logits.get(usize::from(label))?);
    let most = i32::from(*logits.iter().max()?);
    if logits.len() > 256 {
        return None;
    }
    // The largest term is 2^14 and there are at most 2^8: 2^14 <= sum <= 2^22.
    let sum: u32 = logits.iter().map(|z| exp2_q14(most - i32::from(*z))).sum();
    // At most 2^16 * 2^10.
    let down = (most - own) as u32 * 1024;
    Some(log2_q16(sum) - (14 << 16) + down)
}

/// `dz[c] = p[c] - 1[c is the label]` in `2^-21` bits: Q15, for 1/64 of log2. `p[c]` is `2^15 * e[c] / sum(e)`
/// rounded to nearest, with the terms `e` of the loss. The adjoint of a token's loss is always 1, so it does not enter.
fn cross_entropy_backward(here: &Backwards, classes: u32) -> Option<Pulled> {
    let Some(Tensor::Wide(z)) = here.before.last() else {
        return None;
    };
    let rows = z.chunks_exact((classes as usize).max(1));
    let labels = here
        .record
        .get(here.record.len().checked_sub(rows.len())?..)?;
    let mut values = Vec::with_capacity(z.len());
    for (z, label) in rows.zip(labels) {
        let most = i32::from(*z.iter().max()?);
        let terms = || z.iter().map(|z| exp2_q14(most - i32::from(*z)));
        let sum: u32 = terms().fold(0, u32::wrapping_add);
        let pulls = (0u32..).zip(terms());
        values.extend(pulls.map(|(class, term)| pull(term, sum, class == u32::from(*label))));
    }
    Some(here.pull(values, LOSS_EXPONENT))
}

/// The exponent of what [`pull`] gives.
const LOSS_EXPONENT: i32 = -21;

/// `p - 1` for the label, `p` for another class, in Q15; the sum of the terms is between 2^14 and 2^22.
fn pull(term: u32, sum: u32, is_label: bool) -> i32 {
    // Below 2^30.
    let up = (term << 15).wrapping_add(sum / 2);
    let p = up.checked_div(sum).unwrap_or(0) as i32;
    if is_label {
        p - (1 << 15)
    } else {
        p
    }
}

/// [`cross_entropy_backward`] word by word: a word reads the logits of its token, and the label.
fn cross_entropy_stages(here: &Here, stages: &mut Stages, classes: u32) -> Option<PulledStages> {
    let (taken, rows) = (here.taken, here.rows());
    let reads = move |at: u64| {
        let (row, _) = row_and_column(at, classes)?;
        Some(alloc::vec![Read::record(), taken.row(row, 0, classes)?])
    };
    let execute = move |at: u64, inputs: &[&[i32]]| {
        let (row, column) = row_and_column(at, classes)?;
        let (record, z) = (inputs.first()?, inputs.get(1)?);
        // The labels are the last bytes of the sample.
        let after = usize::try_from(rows.checked_sub(row.into())?).ok()?;
        let label = *record.get(record.len().checked_sub(after)?)?;
        let most = *z.iter().max()?;
        let terms = || z.iter().map(|z| exp2_q14(most.wrapping_sub(*z)));
        let sum: u32 = terms().fold(0, u32::wrapping_add);
        let term = terms().nth(column as usize)?;
        Some(pull(term, sum, column as i32 == label))
    };
    let exponent = Exponent::constant(LOSS_EXPONENT);
    let values = rows.checked_mul(classes.into())?;
    PulledStages::previous(stages.sums(values, exponent, reads, execute))
}

/// Every token's loss has the adjoint of the sum.
fn total_backward(here: &Backwards, tokens: u32) -> Option<Pulled> {
    let own = i32::from(*here.adjoint.values.first()?);
    Some(here.pull(alloc::vec![own; tokens as usize], here.adjoint.exponent))
}
