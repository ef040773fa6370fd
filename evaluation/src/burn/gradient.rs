//! Exact gradients: every batch of samples forward through all ops, and backward.

use std::{mem, ops::Range};

use gotong_scoring::{
    evaluator,
    gradient::{adjoint_bits, check_groups, first_with_parameters, Differentiator, MAX_GROUP},
    EvalError, Flow, Graph, Samples,
};
use rayon::prelude::*;

use super::{
    adjoint::{Adjoint, Backwards, Pulled, Sums},
    arith::read,
    batch::{Batch, Context},
    check_labels, BurnEvaluator, PreparedOp,
};
use crate::fast_cpu::add_contributions;
use gotong_panics::caught;

/// Parameters that a thread of the processor adds up at a time.
const STRIPE: usize = 1 << 12;

impl Differentiator for BurnEvaluator {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        evaluator::check(graph, weights, samples)?;
        check_groups(groups, samples.len())?;
        let evaluator: &Self = self;
        let plan = caught(|| Plan::new(evaluator, graph, weights), EvalError::Device)?;
        let inputs = samples.inputs();
        for (number, group) in groups.iter().enumerate() {
            let pixels = &samples.pixels()[group.start * inputs..group.end * inputs];
            let labels = &samples.labels()[group.clone()];
            check_labels(graph, labels)?;
            let gradient = caught(|| plan.gradient(pixels, labels), EvalError::Device)?;
            see(number, &gradient);
        }
        Ok(())
    }
}

/// A graph prepared for both passes.
struct Plan<'a> {
    evaluator: &'a BurnEvaluator,
    graph: &'a Graph,
    ops: Vec<PreparedOp>,
    flows: Vec<Flow>,
    /// By op, the bits of the adjoint that it takes, and the first of the parameters that it reads.
    bits: Vec<u8>,
    first_parameters: Vec<usize>,
    /// The first op with parameters, where the backward pass ends.
    first: usize,
    /// Their number in the whole graph.
    parameters: usize,
    /// Values of a sample.
    inputs: usize,
    /// Samples of a batch.
    size: usize,
}

impl<'a> Plan<'a> {
    fn new(
        evaluator: &'a BurnEvaluator,
        graph: &'a Graph,
        weights: &[i16],
    ) -> Result<Self, EvalError> {
        let flows = graph.flows()?;
        // What a sample needs on the device: what all ops give, and its own sums for every parameter.
        let parameters = graph.parameters_read().map(|read| read.len() as u64);
        let all = flows.iter().map(Flow::values).chain(parameters);
        let of_sample = all.sum::<u64>() + u64::from(graph.inputs);
        Ok(Self {
            evaluator,
            ops: evaluator.prepared(graph, weights),
            flows,
            graph,
            bits: adjoint_bits(graph)?,
            first_parameters: graph.parameters_read().map(|read| read.start).collect(),
            first: first_with_parameters(graph),
            parameters: weights.len(),
            inputs: graph.inputs as usize,
            size: ((evaluator.batch_values / of_sample.max(1)) as usize).clamp(1, MAX_GROUP),
        })
    }

    /// The gradient of the summed loss of some samples.
    fn gradient(&self, pixels: &[u8], labels: &[u8]) -> Result<Vec<i64>, EvalError> {
        let mut gradient = vec![0; self.parameters];
        let pixels = pixels.chunks(self.size * self.inputs);
        for (pixels, labels) in pixels.zip(labels.chunks(self.size)) {
            let batch = Batch {
                samples: labels.len(),
                pixels,
                labels,
                graph: self.graph,
                ops: &self.ops,
                flows: &self.flows,
                evaluator: self.evaluator,
            };
            for (first, sums) in self.both_passes(&batch)? {
                add(&mut gradient[first..], sums)?;
            }
        }
        Ok(gradient)
    }

    /// Each sample's sums for all parameters that an op reads, with the first of these parameters.
    fn both_passes(&self, batch: &Batch) -> Result<Vec<(usize, Sums)>, EvalError> {
        let wrong = || EvalError::WrongOperand;
        let (input, mut given) = (batch.input(), Vec::with_capacity(self.ops.len()));
        batch.run(|_, values| {
            given.push(Some(values.clone()));
            Ok(())
        })?;
        let tables = &self.evaluator.tables;
        let mut pulled: Vec<Vec<Sums>> = vec![Vec::new(); self.ops.len()];
        let mut all = Vec::new();
        for (at, op) in self.ops.iter().enumerate().skip(self.first).rev() {
            let adjoint = if at + 1 == self.ops.len() {
                Adjoint::of_loss(batch.samples, &self.evaluator.device)
            } else {
                let taken = mem::take(&mut pulled[at]);
                Adjoint::of_all(taken, self.bits[at], tables).ok_or_else(wrong)?
            };
            let before = at.checked_sub(1).and_then(|before| given[before].as_ref());
            let Pulled {
                previous,
                earlier,
                parameters,
            } = op.backward(&Backwards {
                context: Context {
                    batch,
                    kept: &given,
                    tokens: self.flows[at].tokens as usize,
                    width: self.flows[at].width as usize,
                },
                before: before.unwrap_or(&input),
                own: given[at].as_ref().ok_or_else(wrong)?,
                adjoint: &adjoint,
                is_wanted: at > self.first,
            });
            let first = self.first_parameters[at];
            all.extend(parameters.into_iter().map(|(at, sums)| (first + at, sums)));
            let previous = at.checked_sub(1).zip(previous);
            for (of, sums) in earlier.into_iter().chain(previous) {
                if of >= self.first {
                    pulled[of].push(sums);
                }
            }
        }
        Ok(all)
    }
}

/// Adds what each sample's sums contribute to the first values of a gradient.
fn add(gradient: &mut [i64], sums: Sums) -> Result<(), EvalError> {
    let (exponents, values) = (read(sums.exponents)?, read(sums.values)?);
    let length = values.len() / exponents.len().max(1);
    let stripes = gradient[..length].par_chunks_mut(STRIPE).enumerate();
    stripes.for_each(|(stripe, own)| {
        let samples = values.chunks_exact(length).zip(&exponents);
        for (values, exponent) in samples {
            let values = &values[stripe * STRIPE..][..own.len()];
            add_contributions(own, values, *exponent);
        }
    });
    Ok(())
}
