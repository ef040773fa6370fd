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

/// Most values of all gradients that are computed at once, if that is more than one.
const MOST_VALUES: usize = 1 << 24;

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
        let differentiation = Differentiation {
            plan: GradientPlan::new(graph, weights)?,
            samples,
            workspaces: Mutex::default(),
        };
        // A thread a group, if that takes little memory: a group's gradient is then added to less often.
        let threads = rayon::current_num_threads();
        let affordable = MOST_VALUES / weights.len().max(1);
        let at_once = threads.min(groups.len()).min(affordable).max(1);
        let mut values = vec![vec![0; weights.len()]; at_once];
        for (nth, groups) in groups.chunks(at_once).enumerate() {
            let threads = threads.div_ceil(groups.len());
            groups
                .par_iter()
                .zip(&mut values)
                .try_for_each(|(group, values)| differentiation.of_group(group, threads, values))?;
            for (number, values) in (nth * at_once..).zip(&values[..groups.len()]) {
                see(number, values);
            }
        }
        Ok(())
    }
}

/// What all groups share.
struct Differentiation<'a> {
    plan: GradientPlan,
    samples: &'a Samples,
    /// Each thread takes one for a block, and leaves it to the next.
    workspaces: Mutex<Vec<Workspace>>,
}

impl Differentiation<'_> {
    /// A group's gradient, by about so many threads.
    fn of_group(
        &self,
        group: &Range<usize>,
        threads: usize,
        values: &mut [i64],
    ) -> Result<(), EvalError> {
        values.fill(0);
        let gradient = Gradient::of(values);
        let (start, inputs) = (group.start.min(group.end), self.samples.inputs());
        let pixels = &self.samples.pixels()[start * inputs..group.end * inputs];
        let labels = &self.samples.labels()[start..group.end];
        let most = BLOCK_ROWS.div_ceil(self.plan.forward.most_rows).max(1);
        let size = labels.len().div_ceil(threads).clamp(1, most);
        let blocks = pixels.par_chunks(size * inputs);
        let workspaces = || {
            let all = self.workspaces.lock();
            all.unwrap_or_else(PoisonError::into_inner)
        };
        blocks
            .zip(labels.par_chunks(size))
            .try_for_each(|(pixels, labels)| {
                let mut workspace = workspaces().pop().unwrap_or_default();
                workspace.start(pixels, labels);
                let result = run(BothPasses {
                    plan: &self.plan,
                    workspace: &mut workspace,
                    gradient: &gradient,
                });
                workspaces().push(workspace);
                result
            })
    }
}

/// A graph prepared for both passes.
struct GradientPlan {
    forward: Plan,
    /// By op, the bits of the adjoint that it takes, and the first of the parameters that it reads.
    bits: Vec<u8>,
    first_parameters: Vec<usize>,
    /// By op, the earlier op whose result it takes besides that of the op before it.
    earlier: Vec<Option<usize>>,
    /// The first op with parameters, where the backward pass ends.
    first: usize,
}

impl GradientPlan {
    fn new(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        Ok(Self {
            forward: Plan::with_gradient(graph, weights)?,
            bits: adjoint_bits(graph)?,
            first_parameters: graph.parameters_read().map(|read| read.start).collect(),
            earlier: graph
                .ops
                .iter()
                .map(|op| op.refers_to().map(|from| from as usize))
                .collect(),
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
            match plan.earlier[at].filter(|from| *from >= plan.first) {
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
