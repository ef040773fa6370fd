use super::{BurnEvaluator, FastCpu, Traced};
use gotong_scoring::{machine::Tensor, EvalError, Evaluator, Graph, Samples};

/// The evaluator that a user chose.
#[derive(Clone, Debug, Default)]
pub enum Machine {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// A device of Burn.
    Device(Box<BurnEvaluator>),
}

impl Evaluator for Machine {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        match self {
            Self::Cpu => FastCpu.losses(graph, weights, samples),
            Self::Device(device) => device.losses(graph, weights, samples),
        }
    }
}

impl Traced for Machine {
    fn tensors(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<Tensor>>, EvalError> {
        match self {
            Self::Cpu => FastCpu.tensors(graph, weights, samples),
            Self::Device(device) => device.tensors(graph, weights, samples),
        }
    }
}
