//! A graph prepared for evaluation, and its run on a block of samples.

use gotong_scoring::{
    gradient::{adjoint_bits, first_with_parameters},
    memory::{is_taken_backwards, last_references},
    EvalError, Flow, Graph,
};

use super::{
    block::Kept,
    kernel::{Part, Work},
    Block, Kernel, PreparedOp, Shape,
};

/// A graph prepared for evaluation.
pub(super) struct Plan {
    pub ops: Vec<PreparedOp>,
    /// What every op gives.
    pub flows: Vec<Flow>,
    /// By op, whether a later one or the backward pass takes what it gives.
    pub is_kept: Vec<bool>,
    /// By op, the earlier one whose result no later op takes.
    pub frees: Vec<Option<usize>>,
    /// Most rows that an op gives for a sample.
    pub most_rows: usize,
}

impl Plan {
    /// Leaves out scores that no softmax reads.
    pub fn new(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        Self::with_scores(graph, weights, Part::CausalColumns)
    }

    /// Also computes the scores that no softmax reads, so that every tensor equals the reference's.
    pub fn of_all(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        Self::with_scores(graph, weights, Part::All)
    }

    /// Keeps everything that the backward pass takes.
    pub fn with_gradient(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        let mut plan = Self::new(graph, weights)?;
        let bits = adjoint_bits(graph)?;
        let first = first_with_parameters(graph);
        let ops = graph.ops.iter().zip(graph.parameters_read());
        for (at, (op, read)) in ops.enumerate() {
            plan.is_kept[at] = is_taken_backwards(op, &plan.flows[at]);
            plan.frees[at] = None;
            if let PreparedOp::Linear(linear) = &mut plan.ops[at] {
                linear.prepare_backward(&weights[read], bits[at], at > first);
            }
        }
        Ok(plan)
    }

    fn with_scores(graph: &Graph, weights: &[i16], scores: Part) -> Result<Self, EvalError> {
        let flows = graph.flows()?;
        let ops = graph.ops.iter().zip(graph.parameters_read());
        let rows = flows.iter().map(|flow| flow.tokens as usize);
        let last = last_references(graph);
        let mut frees = vec![None; graph.ops.len()];
        for (at, last) in last.iter().enumerate() {
            if let Some(last) = last {
                frees[*last] = Some(at);
            }
        }
        Ok(Self {
            ops: ops
                .map(|(op, read)| PreparedOp::new(op, &weights[read], scores))
                .collect(),
            most_rows: rows.max().unwrap_or(1),
            flows,
            is_kept: last.iter().map(Option::is_some).collect(),
            frees,
        })
    }
}

/// Runs all ops on one block; `each` sees it after every op.
pub(super) struct Evaluation<'a, F> {
    pub plan: &'a Plan,
    pub block: &'a mut Block,
    pub each: F,
}

impl<F: FnMut(&Block, &Flow)> Work for Evaluation<'_, F> {
    type Output = Result<(), EvalError>;

    #[inline(always)]
    fn run<K: Kernel>(mut self) -> Self::Output {
        let (plan, block) = (self.plan, self.block);
        block.kept.resize_with(plan.ops.len(), Kept::default);
        for (at, (op, flow)) in plan.ops.iter().zip(&plan.flows).enumerate() {
            op.forward::<K>(block, Shape::of(flow, block.samples))?;
            if let Some(from) = plan.frees[at] {
                block.kept[from] = Kept::default();
            }
            if plan.is_kept[at] {
                block.keep(at, flow);
            }
            (self.each)(block, flow);
        }
        Ok(())
    }
}
