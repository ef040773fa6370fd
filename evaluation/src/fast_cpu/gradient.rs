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
    Block, Cut, FastCpu, Shape,
};

/// The approximate number of rows that go through the ops together. The more samples a block has, the fewer times the whole
/// gradient is added to; but they should stay in the cache.
const BLOCK_ROWS: usize = 64;

/// Most values of all gradients that are computed at once, if that is more than one gradient.
const MOST_VALUES: usize = 1 << 24;

/// Bytes of a parameter besides gradients: the weight itself, and packed for both passes.
const WEIGHT_BYTES: u64 = 8;

impl FastCpu {
    /// The most memory, in bytes, that computing losses and gradients of such a model takes on this machine: the samples that are
    /// computed at once, gradients and one model's weights.
    ///
    /// # Errors
    /// A graph that is not valid.
    pub fn memory(graph: &Graph) -> Result<u64, EvalError> {
        graph.validate()?;
        let memory = graph.memory()?;
        let [forward, both] = cuts(graph)?;
        let samples = forward
            .bytes(memory.forward)
            .max(both.bytes(memory.backward));
        let parameters = graph.parameters();
        let gradients = both.at_once.min(affordable(parameters)) as u64;
        let of_parameter = gradients.saturating_mul(8).saturating_add(WEIGHT_BYTES);
        Ok(of_parameter
            .saturating_mul(parameters as u64)
            .saturating_add(samples))
    }

    /// How many threads the losses of `samples` samples keep busy.
    ///
    /// # Errors
    /// A graph that is not valid.
    pub fn threads_for_losses(graph: &Graph, samples: usize) -> Result<usize, EvalError> {
        let [forward, _] = cuts(graph)?;
        Ok(samples.div_ceil(forward.size).clamp(1, forward.at_once))
    }

    /// How many threads a gradient over `samples` samples keeps busy: with few samples its blocks are smaller.
    ///
    /// # Errors
    /// A graph that is not valid.
    pub fn threads_for_gradient(graph: &Graph, samples: usize) -> Result<usize, EvalError> {
        let [_, both] = cuts(graph)?;
        Ok(samples.clamp(1, both.at_once))
    }
}

/// How samples are cut for losses, and for gradients.
fn cuts(graph: &Graph) -> Result<[Cut; 2], EvalError> {
    let (memory, threads) = (graph.memory()?, rayon::current_num_threads());
    let flows = graph.flows()?;
    let rows = flows.iter().map(|flow| flow.tokens as usize).max();
    let rows = rows.unwrap_or(1).max(1);
    Ok([
        Cut::of(memory.forward, super::BLOCK_ROWS.div_ceil(rows), threads),
        Cut::of(memory.backward, BLOCK_ROWS.div_ceil(rows), threads),
    ])
}

/// The most gradients of `values` values each that are computed at once.
fn affordable(values: usize) -> usize {
    (MOST_VALUES / values.max(1)).max(1)
}

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
        let threads = rayon::current_num_threads();
        let most = BLOCK_ROWS.div_ceil(plan.forward.most_rows);
        let cut = Cut::of(graph.memory()?.backward, most, threads);
        let differentiation = Differentiation {
            plan,
            samples,
            cut,
            workspaces: Mutex::default(),
        };
        // One thread per group, if that takes little memory: then a group's gradient is added to less often.
        let at_once = cut.at_once.min(groups.len()).min(affordable(weights.len()));
        let at_once = at_once.max(1);
        let mut values = vec![vec![0; weights.len()]; at_once];
        for (nth, groups) in groups.chunks(at_once).enumerate() {
            let sharers = groups.len();
            groups
                .par_iter()
                .zip(&mut values)
                .try_for_each(|(group, values)| differentiation.of_group(group, sharers, values))?;
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
    cut: Cut,
    /// Each thread takes one for a block, and leaves it for the next.
    workspaces: Mutex<Vec<Workspace>>,
}

impl Differentiation<'_> {
    /// A group's gradient, one of `sharers` that share the threads.
    fn of_group(
        &self,
        group: &Range<usize>,
        sharers: usize,
        values: &mut [i64],
    ) -> Result<(), EvalError> {
        values.fill(0);
        let gradient = Gradient::of(values);
        let (start, inputs) = (group.start.min(group.end), self.samples.inputs());
        let pixels = &self.samples.pixels()[start * inputs..group.end * inputs];
        let labels = &self.samples.labels()[start..group.end];
        let threads = self.cut.at_once.div_ceil(sharers);
        let size = labels.len().div_ceil(threads).clamp(1, self.cut.size);
        let in_a_row = self.cut.in_a_row(labels.len().div_ceil(size), sharers);
        let blocks = pixels.par_chunks(size * inputs);
        let workspaces = || {
            let all = self.workspaces.lock();
            all.unwrap_or_else(PoisonError::into_inner)
        };
        blocks
            .zip(labels.par_chunks(size))
            .with_min_len(in_a_row)
            .try_for_each(|(pixels, labels)| {
                let mut workspace = workspaces().pop().unwrap_or_default();
                workspace.start(pixels, labels);
                let result = run(BothPasses {
                    plan: &self.plan,
                    workspace: &mut workspace,
                    gradient: &gradient,
                    each: |_: &[Vec<Pulled>], _: &[Pulled]| (),
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

/// How many pieces of the free memory an op takes: it leaves as many for the next one.
const FREE: usize = 2;

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

/// Both passes of a block; `each` sees what is pulled and what is free after every op of the backward pass.
struct BothPasses<'a, 'g, F> {
    plan: &'a GradientPlan,
    workspace: &'a mut Workspace,
    gradient: &'a Gradient<'g>,
    each: F,
}

impl<F: FnMut(&[Vec<Pulled>], &[Pulled])> Work for BothPasses<'_, '_, F> {
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

impl<F: FnMut(&[Vec<Pulled>], &[Pulled])> BothPasses<'_, '_, F> {
    #[inline(always)]
    fn backward<K: Kernel>(mut self) {
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
            free.truncate(FREE);
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
                Some(from) => {
                    // It may have to wait for long.
                    earlier.values.shrink_to_fit();
                    pulled[from].push(earlier);
                }
                None => free.push(earlier),
            }
            match at.checked_sub(1).filter(|before| *before >= plan.first) {
                Some(before) => pulled[before].push(previous),
                None => free.push(previous),
            }
            (self.each)(pulled, free);
        }
    }
}

#[cfg(test)]
mod tests;
