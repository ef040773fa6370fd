//! A graph on one sample, op by op: the definition that every implementation must equal. What each
//! op does is in [`crate::op`], one file per family.

use crate::evaluator::EvalError;
use crate::graph::Graph;
use crate::op::definition::Operands;
use crate::op::Op;
use crate::weights::view;
use alloc::vec::Vec;

pub use crate::arith::exp2_q14;
pub use crate::op::activation::squared_relu;
pub use crate::op::attention::{mean, share, share_bits, shares};
pub use crate::op::embed::embed;
pub use crate::op::image::{max_of, sum_of};
pub use crate::op::linear::{dot, linear};
pub use crate::op::loss::{cross_entropy, total, MOST_OF_A_TOKEN};
pub use crate::op::norm::Norm;
pub use crate::op::requant::requant;
pub use crate::op::residual::residual;

/// What an op takes or gives, for one sample: row after row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tensor {
    /// Activations, each in +-127.
    Narrow(Vec<i8>),
    /// Accumulators.
    Acc(Vec<i32>),
    /// Logits, scores or the residual stream, each in +-32767.
    Wide(Vec<i16>),
    /// Shares of a softmax, none negative.
    Shares(Vec<i16>),
    /// Losses of the tokens in Q16 bits.
    Losses(Vec<u32>),
    /// A loss in Q16 bits.
    Loss(u32),
}

/// First activations of a sample: each `byte >> 1`.
pub fn activations(pixels: &[u8]) -> Vec<i8> {
    pixels.iter().map(|byte| (byte >> 1) as i8).collect()
}

/// What every op gives on a sample. `record` is its bytes, the label last.
pub fn run(graph: &Graph, weights: &[i16], record: &[u8]) -> Result<Vec<Tensor>, EvalError> {
    let views: Vec<i8> = weights.iter().copied().map(view).collect();
    run_views(graph, weights, &views, record)
}

/// [`run`], given the int8 view of all of `weights` as well.
pub(crate) fn run_views(
    graph: &Graph,
    weights: &[i16],
    views: &[i8],
    record: &[u8],
) -> Result<Vec<Tensor>, EvalError> {
    let mut before = Vec::with_capacity(graph.ops.len());
    for (op, read) in graph.ops.iter().zip(graph.parameters_read()) {
        let params = weights.get(read.clone()).ok_or(EvalError::WrongOperand)?;
        let views = views.get(read).ok_or(EvalError::WrongOperand)?;
        let forward = |operands: &Operands<'_>| op.definition().forward(operands);
        let tensor = with_operands(op, params, views, record, &before, forward)?;
        before.push(tensor);
    }
    Ok(before)
}

/// Executes one op. `params` are exactly the master weights that it reads
/// ([`Graph::parameters_read`]), `record` the sample with its label, and `before` is what all ops
/// before it gave: the op takes the last of them, and the first op takes the sample.
pub fn apply(
    op: &Op,
    params: &[i16],
    record: &[u8],
    before: &[Tensor],
) -> Result<Tensor, EvalError> {
    let views: Vec<i8> = params.iter().copied().map(view).collect();
    let forward = |operands: &Operands<'_>| op.definition().forward(operands);
    with_operands(op, params, &views, record, before, forward)
}

/// What `run` makes of the operands of an op: see [`apply`]; `views` are the int8 view of `params`.
pub(crate) fn with_operands<T>(
    op: &Op,
    params: &[i16],
    views: &[i8],
    record: &[u8],
    before: &[Tensor],
    run: impl FnOnce(&Operands<'_>) -> Option<T>,
) -> Result<T, EvalError> {
    let wrong = EvalError::WrongOperand;
    if op.parameters_read() != params.len() as u64 {
        return Err(wrong);
    }
    let (_, inputs) = record.split_last().ok_or(EvalError::WrongOperand)?;
    let sample;
    let taken = match before.last() {
        Some(taken) => taken,
        None => {
            sample = Tensor::Narrow(activations(inputs));
            &sample
        }
    };
    let operands = Operands {
        params,
        views,
        record,
        before,
        taken,
    };
    run(&operands).ok_or(wrong)
}

#[cfg(test)]
mod tests;
