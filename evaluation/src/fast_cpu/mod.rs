//! The exact machine on a CPU: samples in parallel, integer vectors within a sample.
//!
//! A [`Plan`] holds every op of a graph as a [`PreparedOp`]; samples go through them in blocks. Each
//! family of ops has a file, as in `gotong_scoring::op`. There an op is a struct with what was prepared,
//! and its `forward` turns what the op before gave, in a [`Block`], into what this op gives. Its `backward`
//! turns the adjoint of what it gave into that of what it took ([`Backwards`]); `gradient` drives both.
//!
//! Each of them is `#[inline(always)]` and generic over the [`Kernel`], even where it multiplies no
//! matrices: so it is compiled, closures included, into the one function that may use the kernel's
//! instructions, and all its loops use the widest vectors.

mod accumulator;
mod activation;
mod adjoint;
mod attention;
mod attention_backward;
mod block;
mod cut;
mod embed;
mod gradient;
mod image;
mod kernel;
mod linear;
mod loss;
mod norm;
mod plan;
mod prepared;
mod requant;
mod residual;

use gotong_scoring::{evaluator, machine::Tensor, EvalError, Evaluator, Flow, Graph, Samples};
use rayon::prelude::*;

use super::Traced;
pub(super) use accumulator::add_contributions;
use adjoint::Backwards;
use block::{Block, Shape};
use cut::Cut;
use kernel::{run, Kernel};
use plan::{Evaluation, Plan};
use prepared::PreparedOp;

/// The approximate number of rows that are evaluated together: their activations stay in the second-level cache.
const BLOCK_ROWS: usize = 48;

/// Evaluates on all cores, as fast as integer vectors go.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastCpu;

impl FastCpu {
    /// Logits of every sample in 1/64 log2 units: those of all its tokens, one after another.
    ///
    /// # Errors
    /// A graph that is not valid; weights or samples that do not fit it.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        evaluate(graph, weights, samples, Block::logits)
    }

    /// The class with the largest logit of every sample, at its last token; the lowest if several are equal, like
    /// `gotong_scoring::predict`.
    ///
    /// # Errors
    /// As [`FastCpu::logits`].
    pub fn predict(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u8>, EvalError> {
        let logits = self.logits(graph, weights, samples)?;
        let classes = graph.classes() as usize;
        let last = |row: &Vec<i16>| evaluator::largest(&row[row.len().saturating_sub(classes)..]);
        Ok(logits.iter().map(last).collect())
    }
}

impl Evaluator for FastCpu {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        evaluate(graph, weights, samples, |block| block.losses.clone())
    }
}

impl Traced for FastCpu {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError> {
        evaluator::check(graph, weights, samples)?;
        let plan = Plan::of_all(graph, weights)?;
        let mut block = Block::default();
        let of_sample = |(pixels, label): (&[u8], u8)| {
            let mut tensors = Vec::new();
            block.start(pixels, &[label]);
            let each = |block: &Block, flow: &Flow| tensors.push(block.tensor(flow));
            run(Evaluation {
                plan: &plan,
                block: &mut block,
                each,
            })?;
            Ok(tensors)
        };
        samples.iter().map(of_sample).collect()
    }
}

/// Runs all ops on every block of samples, then `finish`, which gives one value for each sample of the block; returns all of these
/// in order.
fn evaluate<T: Send>(
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
    finish: impl Fn(&Block) -> Vec<T> + Sync,
) -> Result<Vec<T>, EvalError> {
    evaluator::check(graph, weights, samples)?;
    let plan = Plan::new(graph, weights)?;
    let most = BLOCK_ROWS.div_ceil(plan.most_rows);
    let cut = Cut::of(graph.memory()?.forward, most, rayon::current_num_threads());
    let blocks = samples
        .pixels()
        .par_chunks(cut.size * samples.inputs())
        .zip(samples.labels().par_chunks(cut.size));
    let count = samples.len().div_ceil(cut.size);
    let given: Result<Vec<Vec<T>>, EvalError> = blocks
        .with_min_len(cut.in_a_row(count, 1))
        .map_init(Block::default, |block, (pixels, labels)| {
            block.start(pixels, labels);
            run(Evaluation {
                plan: &plan,
                block,
                each: |_: &Block, _: &Flow| (),
            })?;
            Ok(finish(block))
        })
        .collect();
    Ok(given?.into_iter().flatten().collect())
}
