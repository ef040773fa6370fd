//! Some samples on their way through the ops.

use burn::tensor::{Int, Tensor};
use gotong_scoring::{memory::last_references, EvalError, Flow, Graph};

use super::{
    arith::{int, Tables},
    BurnEvaluator, PreparedOp,
};

/// Some samples, and what is to be done with them.
pub(super) struct Batch<'a> {
    pub samples: usize,
    pub pixels: &'a [u8],
    pub labels: &'a [u8],
    pub graph: &'a Graph,
    pub ops: &'a [PreparedOp],
    pub flows: &'a [Flow],
    pub evaluator: &'a BurnEvaluator,
}

/// What an op knows besides its input: the batch, what earlier ops gave, and the shape of what it
/// gives itself, `[samples * tokens, width]`.
pub(super) struct Context<'a> {
    pub batch: &'a Batch<'a>,
    /// By op, what it gave, until no later op takes it.
    pub kept: &'a [Option<Tensor<2, Int>>],
    pub tokens: usize,
    pub width: usize,
}

impl Batch<'_> {
    /// Runs all ops; `each` sees what every one of them gives, `[samples * tokens, width]`. Returns
    /// what the last one gives.
    pub fn run(
        &self,
        mut each: impl FnMut(&Flow, &Tensor<2, Int>) -> Result<(), EvalError>,
    ) -> Result<Tensor<2, Int>, EvalError> {
        let mut values = self.input();
        let last = last_references(self.graph);
        let mut kept: Vec<Option<Tensor<2, Int>>> = vec![None; self.ops.len()];
        for (at, (op, flow)) in self.ops.iter().zip(self.flows).enumerate() {
            let context = Context {
                batch: self,
                kept: &kept,
                tokens: flow.tokens as usize,
                width: flow.width as usize,
            };
            values = op.forward(values, &context);
            let from = self.graph.ops[at].refers_to().map(|from| from as usize);
            if let Some(from) = from.filter(|from| last[*from] == Some(at)) {
                kept[from] = None;
            }
            if last[at].is_some() {
                kept[at] = Some(values.clone());
            }
            each(flow, &values)?;
        }
        Ok(values)
    }

    /// Activations or tokens, `[samples, inputs]`.
    pub fn input(&self) -> Tensor<2, Int> {
        let inputs = self.pixels.len() / self.samples;
        let down = if self.graph.vocab().is_some() { 0 } else { 1 };
        let values = self.pixels.iter().map(|byte| (byte >> down).into());
        let values = int(values.collect(), &self.evaluator.device);
        values.reshape([self.samples, inputs])
    }

    /// The label of every row, `[samples * tokens, 1]`.
    pub fn labels(&self, tokens: usize) -> Tensor<2, Int> {
        let inputs = self.pixels.len() / self.samples;
        let samples = self.pixels.chunks_exact(inputs).zip(self.labels);
        let labels = samples.flat_map(|(pixels, label)| {
            // The last bytes of the record.
            let before = &pixels[inputs + 1 - tokens..];
            before.iter().chain([label]).map(|&label| label.into())
        });
        int(labels.collect(), &self.evaluator.device).unsqueeze_dim(1)
    }
}

impl Context<'_> {
    pub fn samples(&self) -> usize {
        self.batch.samples
    }

    pub fn tables(&self) -> &Tables {
        &self.batch.evaluator.tables
    }

    /// What an earlier op gave; zeros like `values` if it was not kept, which never happens.
    pub fn earlier(&self, from: usize, values: &Tensor<2, Int>) -> Tensor<2, Int> {
        let kept = self.kept[from].clone();
        kept.unwrap_or_else(|| values.zeros_like())
    }
}
