//! A test device: the processor, which does something else before each answer.

use super::{DeviceEvaluator, FastCpu};
use gotong_scoring::{gradient::Differentiator, EvalError, Evaluator, Graph, Samples};
use std::{fmt::Debug, ops::Range};

/// Does something, then answers as the processor.
#[derive(Clone, Debug, Default)]
pub struct After<T>(pub T);

/// What happens before an answer.
pub trait Happening: Debug + Send {
    /// Called before losses, and before the gradients of a call.
    fn happen(&mut self);

    /// Called when the device should get fewer samples at once.
    fn take_fewer(&mut self) {}
}

impl<T: Happening> Evaluator for After<T> {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        self.0.happen();
        FastCpu.losses(graph, weights, samples)
    }
}

impl<T: Happening> Differentiator for After<T> {
    fn gradients(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        groups: &[Range<usize>],
        see: &mut dyn FnMut(usize, &[i64]),
    ) -> Result<(), EvalError> {
        self.0.happen();
        FastCpu.gradients(graph, weights, samples, groups, see)
    }
}

impl<T: Happening> DeviceEvaluator for After<T> {
    fn take_fewer(&mut self) {
        self.0.take_fewer();
    }
}
