//! Exact gradients: every block of samples forward through all ops, and backward.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use gotong_scoring::{
    evaluator,
    gradient::{adjoint_bits, check_groups, first_with_parameters, Differentiator},
    EvalError, Flow, Graph, Samples,
};
use rayon::prelude::*;

use super::{
    accumulator::Gradient,
    adjoint::{Adjoints, Backwards, Pulled, Scratch},
    block::Kept,
    kernel::{run, Kernel, Work},
    plan::{Evaluation, Plan},
    Block, FastCpu, Shape,
};

/// Rows that go through the ops together, about. The more samples a block has, the fewer times the whole
/// gradient is added to; but they should stay in the cache.
const BLOCK_ROWS: usize = 64;

impl Differentiator for FastCpu {
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
        let plan = GradientPlan::new(graph, weights)?;
        // Each thread takes one for a block, and leaves it to the next.
        let workspaces = Mutex::new(Vec::<Workspace>::new());
        let lock = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = vec![0i64; weights.len()];
        let inputs = samples.inputs();
        for (number, group) in groups.iter().enumerate() {
            values.fill(0);
            let gradient = Gradient::of(&mut values);
            let group = group.start.min(group.end)..group.end;
            let pixels = &samples.pixels()[group.start * inputs..group.end * inputs];
            let labels = &samples.labels()[group];
            let size = labels.len().div_ceil(rayon::current_num_threads());
            let size = size.clamp(1, BLOCK_ROWS.div_ceil(plan.forward.most_rows).max(1));
            let blocks = pixels.par_chunks(size * inputs);
            blocks
                .zip(labels.par_chunks(size))
                .try_for_each(|(pixels, labels)| {
                    let mut workspace = lock().pop().unwrap_or_default();
                    workspace.start(pixels, labels);
                    let result = run(BothPasses {
                        plan: &plan,
                        workspace: &mut workspace,
                        gradient: &gradient,
                    });
                    lock().push(workspace);
                    result
                })?;
            drop(gradient);
            see(number, &values);
        }
        Ok(())
    }
}

/// A graph prepared for both passes.
struct GradientPlan {
    forward: Plan,
    /// By op, the bits of the adjoint that it takes, and the first of the parameters that it reads.
    bits: Vec<u8>,
    first_parameters: Vec<usize>,
    /// The first op with parameters, where the backward pass ends.
    first: usize,
}

impl GradientPlan {
    fn new(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        Ok(Self {
            forward: Plan::with_gradient(graph, weights)?,
            bits: adjoint_bits(graph)?,
            first_parameters: graph.parameters_read().map(|read| read.start).collect(),
            first: first_with_parameters(graph),
        })
    }
}

/// A block of samples, and the memory that its passes need.
#[derive(Default)]
struct Workspace {
    block: Block,
    /// The samples as the first op takes them.
    input: Kept,
    /// By op, what later ones gave backwards for what it gave.
    pulled: Vec<Vec<Pulled>>,
    /// Memory for more of these.
    free: Vec<Pulled>,
    adjoints: Adjoints,
    scratch: Scratch,
}

impl Workspace {
    fn start(&mut self, pixels: &[u8], labels: &[u8]) {
        self.block.start(pixels, labels);
        self.input.narrow.clone_from(&self.block.narrow);
    }
}

/// Both passes of a block.
struct BothPasses<'a, 'g> {
    plan: &'a GradientPlan,
    workspace: &'a mut Workspace,
    gradient: &'a Gradient<'g>,
}

impl Work for BothPasses<'_, '_> {
    type Output = Result<(), EvalError>;

    #[inline(always)]
    fn run<K: Kernel>(self) -> Self::Output {
        let forward = Evaluation {
            plan: &self.plan.forward,
            block: &mut self.workspace.block,
            each: |_: &Block, _: &Flow| (),
        };
        forward.run::<K>()?;
        self.backward::<K>();
        Ok(())
    }
}

impl BothPasses<'_, '_> {
    #[inline(always)]
    fn backward<K: Kernel>(self) {
        let (plan, Plan { ops, flows, .. }) = (self.plan, &self.plan.forward);
        let Workspace {
            block,
            input,
            pulled,
            free,
            adjoints,
            scratch,
        } = self.workspace;
        pulled.resize_with(ops.len(), Vec::new);
        for (at, op) in ops.iter().enumerate().skip(plan.first).rev() {
            let taken = &mut pulled[at];
            if at + 1 == ops.len() {
                adjoints.of_loss(block.samples);
            } else {
                adjoints.of_all::<K>(taken, plan.bits[at], &mut scratch.pulled);
            }
            free.append(taken);
            let mut previous = free.pop().unwrap_or_default();
            let mut earlier = free.pop().unwrap_or_default();
            op.backward::<K>(&mut Backwards {
                block,
                shape: Shape::of(&flows[at], block.samples),
                before: at
                    .checked_sub(1)
                    .map_or(&*input, |before| &block.kept[before]),
                own: &block.kept[at],
                adjoints,
                bits: plan.bits[at],
                previous: &mut previous,
                earlier: &mut earlier,
                is_wanted: at > plan.first,
                gradient: self.gradient,
                first_parameter: plan.first_parameters[at],
                scratch,
            });
            match op.earlier().filter(|from| *from >= plan.first) {
                Some(from) => pulled[from].push(earlier),
                None => free.push(earlier),
            }
            match at.checked_sub(1).filter(|before| *before >= plan.first) {
                Some(before) => pulled[before].push(previous),
                None => free.push(previous),
            }
        }
    }
}
