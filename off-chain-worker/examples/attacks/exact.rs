//! What scores a round here: losses by the fast evaluator, gradients by the reference, a group a thread.

use std::ops::Range;

use gotong::evaluation::FastCpu;
use gotong_scoring::{gradient::Differentiator, EvalError, Evaluator, Graph, Reference, Samples};
use rayon::prelude::*;

/// Fast losses and the reference's gradients. Both are exact, so any other pair gives the same scores.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exact;

impl Evaluator for Exact {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        FastCpu.losses(graph, weights, samples)
    }
}

impl Differentiator for Exact {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        let of_group = |group: &Range<usize>| {
            let numbers: Vec<u32> = group.clone().map(|number| number as u32).collect();
            let (own, mut gradient) = (samples.select(&numbers), Vec::new());
            let mut keep = |_: usize, found: &[i64]| gradient = found.to_vec();
            Reference.gradients(graph, weights, &own, &[0..own.len()], &mut keep)?;
            Ok(gradient)
        };
        let gradients: Result<Vec<Vec<i64>>, EvalError> = groups.par_iter().map(of_group).collect();
        for (number, gradient) in gradients?.iter().enumerate() {
            see(number, gradient);
        }
        Ok(())
    }
}
