//! The task's graph as a Burn module that computes what the exact machine computes, with
//! gradients.
//!
//! Masters are floats in real units: a weight is `w16 / 65536`. What flows between the ops is counted in the machine's steps:
//! integers, held in floats. Linear ops multiply with the int8 view of their weights, and activations are rounded and clamped as
//! the machine does, or only clamped. Gradients pass straight through the rounding and the clamps (Bengio, Leonard, Courville,
//! arXiv:1308.3432), except where the residual stream is clamped. Roots, exponentials and logarithms are true ones, whereas the
//! machine has tables.
//!
//! An op that gives sums gives them in the units of the requant after it, whose factor it takes into its
//! weights: the requant itself only rounds.
//!
//! Each family of ops has a file, as in `gotong_scoring::op`.

mod activation;
mod attention;
mod embed;
mod image;
mod linear;
mod loss;
mod norm;
mod output;
mod pass;
mod requant;
mod residual;
mod rounding;

use burn::{
    module::{Module, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use gotong_scoring::{arith::MASTER_BOUND, Graph, GraphError, Op};
use rayon::prelude::*;

use super::{
    batch::{Batch, Inputs},
    units::{parameters, Parameter, Role},
    values, TrainingError,
};
use output::Output;
use pass::Pass;
use rounding::clamped;
pub use rounding::Rounding;

/// Why a graph cannot be trained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrainableGraph {
    /// The graph itself is not valid.
    #[error(transparent)]
    Invalid(#[from] GraphError),
    /// The number of weights differs from the number of the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters {
        /// Parameters of the graph.
        expected: usize,
        /// Weights that were given.
        found: usize,
    },
}

/// A tensor of masters, and its gradient if it has one.
type WithGradient = (Param<Tensor<2>>, Option<Tensor<2>>);

/// A graph with its parameters.
#[derive(Module, Debug)]
pub struct Network {
    /// In the machine's order and in real units; the weights of linear ops are `[inputs, outputs]`.
    masters: Vec<Param<Tensor<2>>>,
    #[module(skip)]
    parameters: Vec<Parameter>,
    #[module(skip)]
    graph: Graph,
    /// By op, the number of rows that it gives for a sample.
    #[module(skip)]
    rows: Vec<usize>,
    #[module(skip)]
    rounding: Rounding,
}

impl Network {
    /// The network of `graph` with the master weights `master`, in the machine's order. It rounds as the machine does.
    ///
    /// # Errors
    /// A graph that is not valid, or has a different number of parameters.
    pub fn new(graph: &Graph, master: &[i16], device: &Device) -> Result<Self, UntrainableGraph> {
        graph.validate()?;
        let flows = graph.flows()?;
        if master.len() != graph.parameters() {
            return Err(UntrainableGraph::WrongParameters {
                expected: graph.parameters(),
                found: master.len(),
            });
        }
        let device = device.clone().autodiff();
        let parameters = parameters(graph);
        let mut rest = master;
        let mut load = |parameter: &Parameter| {
            let (own, others) = rest.split_at(parameter.len());
            rest = others;
            let real = own.iter().map(|&w| f32::from(w) / parameter.steps);
            let shape = [parameter.rows, parameter.columns];
            let tensor = values::load(real.collect(), shape, &device);
            Param::from_tensor(in_network(parameter, tensor))
        };
        Ok(Self {
            masters: parameters.iter().map(&mut load).collect(),
            parameters,
            graph: graph.clone(),
            rows: flows.iter().map(|flow| flow.tokens as usize).collect(),
            rounding: Rounding::AsMachine,
        })
    }

    /// The same network with this rounding.
    pub fn with_rounding(self, rounding: Rounding) -> Self {
        Self { rounding, ..self }
    }

    /// The network with every master within the bounds of a master weight.
    pub fn bounded(self) -> Self {
        self.mapped(|master, parameter| {
            let bound = bound(parameter);
            clamped(master, bound)
        })
    }

    /// The same network, whose gradients are computed separately from those of this one.
    pub fn detached(&self) -> Self {
        self.clone().mapped(|master, _| master)
    }

    /// By tensor, the masters in real units, as the network has them.
    ///
    /// # Errors
    /// A device whose weights cannot be read back; a weight that is not a number.
    pub fn masters(&self) -> Result<Vec<Vec<f32>>, TrainingError> {
        let masters = self
            .masters
            .iter()
            .map(|master| values::read(&master.val()));
        masters.collect()
    }

    /// The same network with other [`Network::masters`]; `None` if it cannot have these.
    pub fn with_masters(&self, masters: &[Vec<f32>]) -> Option<Self> {
        let (shapes, bounds) = (self.shapes(), self.parameters.iter().map(bound));
        let fits = |((master, shape), bound): ((&Vec<f32>, &[usize; 2]), f32)| {
            values::fit(master, *shape) && master.iter().all(|value| value.abs() <= bound)
        };
        let fit =
            masters.len() == shapes.len() && masters.iter().zip(&shapes).zip(bounds).all(fits);
        if !fit {
            return None;
        }
        let replaced = |(old, values): (&Param<Tensor<2>>, &Vec<f32>)| {
            old.clone().map(|old| {
                let master = values::load(values.clone(), old.dims(), &old.device().inner());
                master.autodiff().require_grad()
            })
        };
        Some(Self {
            masters: self.masters.iter().zip(masters).map(replaced).collect(),
            ..self.clone()
        })
    }

    /// Rows and columns of every tensor of masters.
    pub fn shapes(&self) -> Vec<[usize; 2]> {
        self.masters.iter().map(|master| master.dims()).collect()
    }

    /// By tensor, whether it holds the weights of a linear op that does not give the logits.
    pub fn hidden_weights(&self) -> Vec<bool> {
        let is_weight = |parameter: &Parameter| parameter.role == Role::Weight;
        let mut hidden: Vec<bool> = self.parameters.iter().map(is_weight).collect();
        let is_tied = |op: &Op| matches!(op, Op::Unembed { .. });
        if !self.graph.ops.iter().any(is_tied) {
            if let Some(last) = hidden.iter_mut().rev().find(|is_hidden| **is_hidden) {
                *last = false;
            }
        }
        hidden
    }

    /// The network after an update of its masters: `update` gets a tensor's number, its state from `states`, the tensor, and its
    /// gradient. There is a state for every tensor. On the processor it runs on all threads of the pool. On a GPU all updates come
    /// from this thread: from several threads, `wgpu` gave wrong tensors.
    pub fn updated<S: Send>(
        self,
        mut gradients: GradientsParams,
        states: &mut [S],
        update: impl Fn(usize, &mut S, Tensor<2>, Tensor<2>) -> Tensor<2> + Sync,
    ) -> Self {
        let with_gradient = |master: Param<Tensor<2>>| {
            let gradient = gradients.remove(master.id);
            (master, gradient)
        };
        let masters: Vec<_> = self.masters.into_iter().map(with_gradient).collect();
        let updated = |(at, (with_gradient, state)): (usize, (WithGradient, &mut S))| {
            let (master, gradient) = with_gradient;
            match gradient {
                None => master,
                Some(gradient) => master.map(|master| {
                    let updated = update(at, state, master.inner(), gradient);
                    updated.autodiff().require_grad()
                }),
            }
        };
        let is_on_processor =
            |(master, _): &WithGradient| master.val().device().inner() == Device::flex();
        let masters = match masters.iter().all(is_on_processor) {
            true => {
                let tensors = masters.into_par_iter().zip(states).enumerate();
                tensors.map(updated).collect()
            }
            false => {
                let tensors = masters.into_iter().zip(states).enumerate();
                tensors.map(updated).collect()
            }
        };
        Self { masters, ..self }
    }

    fn mapped(self, given: impl Fn(Tensor<2>, &Parameter) -> Tensor<2>) -> Self {
        let masters = self.masters.into_iter().zip(&self.parameters);
        let master = |(master, parameter): (Param<Tensor<2>>, &Parameter)| {
            master.map(|master| given(master.inner(), parameter).autodiff().require_grad())
        };
        Self {
            masters: masters.map(master).collect(),
            ..self
        }
    }

    /// The masters, rounded, in the machine's order.
    ///
    /// # Errors
    /// A device whose weights cannot be read back; a weight that is not a number.
    pub fn master(&self) -> Result<Vec<i16>, TrainingError> {
        let bound = f32::from(MASTER_BOUND);
        let mut all = Vec::new();
        for (master, parameter) in self.masters.iter().zip(&self.parameters) {
            let values = values::read(&in_network(parameter, master.val()))?;
            let steps = values.into_iter().map(|value| value * parameter.steps);
            all.extend(steps.map(|steps| steps.round().clamp(-bound, bound) as i16));
        }
        Ok(all)
    }

    /// Mean cross-entropy of all labels in nats, `[1]`.
    pub fn loss(&self, batch: Batch) -> Tensor<1> {
        loss::cross_entropy(self.logits(batch.inputs), batch.labels)
    }

    /// Logits in 1/64 log2 units, `[samples * tokens, classes]`.
    pub fn logits(&self, inputs: Inputs) -> Tensor<2> {
        let mut pass = Pass::new(self, &inputs);
        let mut output = Output::Rows(match &inputs {
            Inputs::Activations(activations) => activations.clone().autodiff(),
            Inputs::Tokens(tokens) => tokens.clone().float().autodiff(),
        });
        for (index, op) in self.graph.ops.iter().enumerate() {
            pass.op = index;
            output = forward(op, output, &mut pass);
            pass.keep(&output);
        }
        output.rows()
    }
}

/// Turns what the op before gave into what this one gives.
fn forward(op: &Op, input: Output, pass: &mut Pass) -> Output {
    match *op {
        Op::Embed { shift, .. } => embed::embed(input, pass, shift),
        Op::Linear { bias_shift, .. } => linear::linear(input, pass, bias_shift),
        Op::Unembed { .. } => linear::unembed(input, pass),
        Op::Requant { width, .. } => requant::requant(input, pass, width),
        Op::Relu => activation::relu(input),
        Op::SquaredRelu => activation::squared_relu(input, pass),
        Op::RmsNorm { unit_bits, .. } => norm::rms_norm(input, pass, unit_bits),
        Op::Residual { from } => residual::residual(input, pass, from),
        Op::Scores { heads, .. } => attention::scores(input, pass, heads),
        Op::Softmax { heads, .. } => attention::softmax(input, pass, heads),
        Op::Mix { from, heads, .. } => attention::mix(input, pass, from, heads),
        Op::Im2col { image, window } => image::im2col(input, pass, &image, &window),
        Op::MaxPool { image, window } => image::max_pool(input, pass, &image, &window),
        Op::SumPool { image, window } => image::sum_pool(input, pass, &image, &window),
        Op::Flatten => image::flatten(input, pass),
        // The loss is that of all logits at once.
        Op::CrossEntropy { .. } | Op::Total { .. } => input,
    }
}

/// The largest master of a parameter, in real units.
fn bound(parameter: &Parameter) -> f32 {
    f32::from(MASTER_BOUND) / parameter.steps
}

/// A parameter as the network has it, given in the machine's order; or the other way round.
fn in_network(parameter: &Parameter, tensor: Tensor<2>) -> Tensor<2> {
    match parameter.role {
        Role::Weight => tensor.transpose(),
        _ => tensor,
    }
}
