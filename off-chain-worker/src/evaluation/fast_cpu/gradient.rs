//! Exact gradients: every block of samples there and back.

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

/// Rows that go there and back together, about. With more of them, more samples have the same exponent and are
/// added up at once.
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
        let way = Way::new(graph, weights)?;
        // The memory of the threads, from block to block.
        let passes = Mutex::new(Vec::<Pass>::new());
        let lock = || passes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values = vec![0i64; weights.len()];
        let inputs = samples.inputs();
        for (number, group) in groups.iter().enumerate() {
            values.fill(0);
            let gradient = Gradient::of(&mut values);
            let pixels = &samples.pixels()[group.start * inputs..group.end * inputs];
            let labels = &samples.labels()[group.clone()];
            let size = labels.len().div_ceil(rayon::current_num_threads());
            let size = size.clamp(1, BLOCK_ROWS.div_ceil(way.plan.most_rows).max(1));
            let blocks = pixels.par_chunks(size * inputs);
            blocks
                .zip(labels.par_chunks(size))
                .try_for_each(|(pixels, labels)| {
                    let mut pass = lock().pop().unwrap_or_default();
                    pass.start(pixels, labels);
                    let result = run(ThereAndBack {
                        way: &way,
                        pass: &mut pass,
                        gradient: &gradient,
                    });
                    lock().push(pass);
                    result
                })?;
            drop(gradient);
            see(number, &values);
        }
        Ok(())
    }
}

/// All ops, there and back.
struct Way {
    plan: Plan,
    /// By op, the bits of the adjoint that it takes, and the first of the parameters that it reads.
    bits: Vec<u8>,
    first_parameters: Vec<usize>,
    /// The first op with parameters: the way back ends there.
    first: usize,
}

impl Way {
    fn new(graph: &Graph, weights: &[i16]) -> Result<Self, EvalError> {
        Ok(Self {
            plan: Plan::with_gradient(graph, weights)?,
            bits: adjoint_bits(graph)?,
            first_parameters: graph.parameters_read().map(|read| read.start).collect(),
            first: first_with_parameters(graph),
        })
    }
}

/// What a block needs on its way.
#[derive(Default)]
struct Pass {
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

impl Pass {
    fn start(&mut self, pixels: &[u8], labels: &[u8]) {
        self.block.start(pixels, labels);
        self.input.narrow.clone_from(&self.block.narrow);
    }
}

/// A block's way through all ops and back.
struct ThereAndBack<'a, 'g> {
    way: &'a Way,
    pass: &'a mut Pass,
    gradient: &'a Gradient<'g>,
}

impl Work for ThereAndBack<'_, '_> {
    type Output = Result<(), EvalError>;

    #[inline(always)]
    fn run<K: Kernel>(self) -> Self::Output {
        let there = Evaluation {
            plan: &self.way.plan,
            block: &mut self.pass.block,
            each: |_: &Block, _: &Flow| (),
        };
        there.run::<K>()?;
        self.back::<K>();
        Ok(())
    }
}

impl ThereAndBack<'_, '_> {
    #[inline(always)]
    fn back<K: Kernel>(self) {
        let (way, plan) = (self.way, &self.way.plan);
        let Pass {
            block,
            input,
            pulled,
            free,
            adjoints,
            scratch,
        } = self.pass;
        pulled.resize_with(plan.ops.len(), Vec::new);
        for (at, op) in plan.ops.iter().enumerate().skip(way.first).rev() {
            let taken = &mut pulled[at];
            if at + 1 == plan.ops.len() {
                adjoints.of_loss(block.samples);
            } else {
                adjoints.of_all::<K>(taken, way.bits[at], &mut scratch.pulled);
            }
            free.append(taken);
            let mut previous = free.pop().unwrap_or_default();
            let mut earlier = free.pop().unwrap_or_default();
            op.backward::<K>(&mut Backwards {
                block,
                shape: Shape::of(&plan.flows[at], block.samples),
                before: at
                    .checked_sub(1)
                    .map_or(&*input, |before| &block.kept[before]),
                own: &block.kept[at],
                adjoints,
                bits: way.bits[at],
                previous: &mut previous,
                earlier: &mut earlier,
                is_wanted: at > way.first,
                gradient: self.gradient,
                first_parameter: way.first_parameters[at],
                scratch,
            });
            match op.earlier().filter(|from| *from >= way.first) {
                Some(from) => pulled[from].push(earlier),
                None => free.push(earlier),
            }
            match at.checked_sub(1).filter(|before| *before >= way.first) {
                Some(before) => pulled[before].push(previous),
                None => free.push(previous),
            }
        }
    }
}
