//! The task's graph as a Burn module that computes what the exact machine computes, with
//! gradients.
//!
//! Masters are floats in real units: a weight is `w16 / 65536`. What flows between the ops is
//! counted in the machine's steps, so that it is integers, held in floats: linear ops multiply with
//! the int8 view of their weights, and activations are rounded and clamped as the machine does.
//! Gradients pass straight through the rounding and the clamps (Bengio, Leonard, Courville,
//! arXiv:1308.3432), but not where the residual stream is clamped. Roots, exponentials and logarithms are true
//! ones, where the machine has tables.
//!
//! An op that gives sums gives them in the units of the requant after it, whose factor it takes
//! into its weights: the requant itself only rounds.

use std::{collections::BTreeMap, f32::consts::LN_2};

use burn::{
    module::{Module, Param},
    tensor::{activation::log_softmax, activation::relu, Device, Int, Tensor, TensorData},
};
use gotong_scoring::{
    arith::MASTER_BOUND, machine::share_bits, Graph, GraphError, Image, Op, Width, Window,
};

use super::{
    units::{
        parameters, power, requant_factor, Parameter, Role, LOGIT_STEPS, MEAN_STEPS, VIEW_STEPS,
    },
    TrainingError,
};

/// Why a graph cannot be trained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrainableGraph {
    /// The graph itself is not valid.
    #[error(transparent)]
    Invalid(#[from] GraphError),
    /// The weights are not as many as the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters {
        /// Parameters of the graph.
        expected: usize,
        /// Weights that were given.
        found: usize,
    },
}

/// The samples of one update.
#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: Inputs,
    /// `[samples * tokens]`, the label of every row of the logits.
    pub labels: Tensor<1, Int>,
}

/// What the first op of a graph takes.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// `[samples, inputs]`, each `byte >> 1`.
    Activations(Tensor<2>),
    /// `[samples, tokens]`, for an embedding.
    Tokens(Tensor<2, Int>),
}

/// A graph with its parameters.
#[derive(Module, Debug)]
pub struct Network {
    /// In the machine's order, real units; the weights of linear ops are `[inputs, outputs]`.
    masters: Vec<Param<Tensor<2>>>,
    #[module(skip)]
    parameters: Vec<Parameter>,
    #[module(skip)]
    graph: Graph,
    /// By op, the rows that it gives for a sample.
    #[module(skip)]
    rows: Vec<usize>,
}

/// What an op gives.
#[derive(Clone)]
enum Flow {
    /// `[samples * tokens, width]`.
    Rows(Tensor<2>),
    /// `[samples, heads, tokens, width]`, of which the machine's rows are `heads * width` long.
    Heads(Tensor<4>),
    /// Queries, keys and values, each the third of a row.
    Thirds(Box<[Tensor<2>; 3]>),
}

impl Flow {
    fn rows(self) -> Tensor<2> {
        match self {
            Self::Rows(rows) => rows,
            Self::Heads(heads) => {
                let [samples, count, tokens, width] = heads.dims();
                let rows = heads.swap_dims(1, 2);
                rows.reshape([samples * tokens, count * width])
            }
            Self::Thirds(thirds) => Tensor::cat(thirds.to_vec(), 1),
        }
    }

    fn heads(self, count: usize, tokens: usize) -> Tensor<4> {
        match self {
            Self::Heads(heads) => heads,
            other => heads(other.rows(), count, tokens),
        }
    }

    /// Queries (0), keys (1) or values (2) of every head: `[samples, heads, tokens, head_width]`.
    fn third(&self, which: usize, count: u32, tokens: usize) -> Tensor<4> {
        let third = match self {
            Self::Thirds(thirds) => thirds[which].clone(),
            other => third(&other.clone().rows(), which),
        };
        heads(third, count as usize, tokens)
    }
}

impl Network {
    /// The network of `graph` with the master weights `master`, in the machine's order.
    ///
    /// # Errors
    /// A graph that is not valid, or has another number of parameters.
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
            let data = TensorData::new(
                real.collect::<Vec<f32>>(),
                [parameter.rows, parameter.columns],
            );
            Param::from_tensor(in_network(parameter, Tensor::from_data(data, &device)))
        };
        Ok(Self {
            masters: parameters.iter().map(&mut load).collect(),
            parameters,
            graph: graph.clone(),
            rows: flows.iter().map(|flow| flow.tokens as usize).collect(),
        })
    }

    /// The network with every master within the bounds of a master weight.
    pub fn bounded(self) -> Self {
        self.with_masters(|master, parameter| {
            let bound = f32::from(MASTER_BOUND) / parameter.steps;
            master.clamp(-bound, bound)
        })
    }

    /// The same network, of which gradients are found beside those of this one.
    pub fn detached(&self) -> Self {
        self.clone().with_masters(|master, _| master)
    }

    fn with_masters(self, given: impl Fn(Tensor<2>, &Parameter) -> Tensor<2>) -> Self {
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
    /// The device when the weights cannot be read back; a weight that is no number.
    pub fn master(&self) -> Result<Vec<i16>, TrainingError> {
        let bound = f32::from(MASTER_BOUND);
        let mut all = Vec::new();
        for (master, parameter) in self.masters.iter().zip(&self.parameters) {
            let values = in_network(parameter, master.val()).try_into_vec_as::<f32>();
            let values = values.map_err(|error| TrainingError::Device(error.to_string()))?;
            if values.iter().any(|value| value.is_nan()) {
                return Err(TrainingError::Diverged);
            }
            let steps = values.into_iter().map(|value| value * parameter.steps);
            all.extend(steps.map(|steps| steps.round().clamp(-bound, bound) as i16));
        }
        Ok(all)
    }

    /// Mean cross-entropy of all labels in nats, `[1]`.
    pub fn loss(&self, batch: Batch) -> Tensor<1> {
        let unit = LN_2 / LOGIT_STEPS;
        let logits = self.logits(batch.inputs);
        let [rows, classes] = logits.dims();
        let labels = batch.labels.unsqueeze_dim::<2>(1);
        let logs = log_softmax(logits.clone().inner().mul_scalar(unit), 1);
        let loss = logs.clone().gather(1, labels.clone()).mean().neg();
        // The gradient of a logit is its probability, less 1 if it is the label's.
        let all = Tensor::arange(0..classes as i64, &labels.device()).unsqueeze_dim::<2>(0);
        let is_label = labels.equal(all).float();
        let slope = (logs.exp() - is_label).mul_scalar(unit / rows as f32);
        with_value((logits * slope.autodiff()).sum(), loss)
    }

    /// Logits in 1/64 log2 units, `[samples * tokens, classes]`.
    pub fn logits(&self, inputs: Inputs) -> Tensor<2> {
        let ops = &self.graph.ops;
        let samples = match &inputs {
            Inputs::Activations(activations) => activations.dims()[0],
            Inputs::Tokens(tokens) => tokens.dims()[0],
        };
        let mut masters = self.masters.iter().map(Param::val).zip(&self.parameters);
        let mut next = move || masters.next().map(|(master, own)| (master, own.steps));
        let mut earlier: BTreeMap<u32, Flow> = BTreeMap::new();
        let mut flow = match &inputs {
            Inputs::Activations(activations) => Flow::Rows(activations.clone().autodiff()),
            Inputs::Tokens(tokens) => Flow::Rows(tokens.clone().float().autodiff()),
        };
        for (index, op) in ops.iter().enumerate() {
            let factor = requant_factor(ops.get(index + 1));
            let tokens = self.rows[index];
            flow = match *op {
                Op::Embed { shift, .. } => match (&inputs, next(), next()) {
                    (Inputs::Tokens(ids), Some((of_tokens, steps)), Some((of_places, _))) => {
                        let unit = steps / power(shift);
                        Flow::Rows(embedded(ids.clone(), of_tokens, of_places, unit))
                    }
                    _ => flow,
                },
                Op::Linear { bias_shift, .. } => match (next(), next()) {
                    (Some((weight, _)), Some((bias, steps))) => {
                        let (rows, weight) = (flow.rows(), view(weight, factor));
                        let bias = bias.mul_scalar(steps * power(bias_shift) * factor);
                        // Weights are cut in three at less cost than what they give.
                        let is_cut = matches!(ops.get(index + 2), Some(Op::Scores { .. }));
                        if is_cut {
                            Flow::Thirds(Box::new([0, 1, 2].map(|which| {
                                rows.clone().matmul(third(&weight, which)) + third(&bias, which)
                            })))
                        } else {
                            Flow::Rows(rows.matmul(weight) + bias)
                        }
                    }
                    _ => flow,
                },
                Op::Unembed { .. } => {
                    let weight = self.masters[0].val();
                    Flow::Rows(flow.rows().matmul(view(weight, factor).transpose()))
                }
                Op::Requant { width, .. } => {
                    let bound = match width {
                        Width::Narrow => 127.0,
                        Width::Wide => 32_767.0,
                    };
                    match flow {
                        Flow::Rows(sums) => Flow::Rows(rounded(sums, bound)),
                        Flow::Heads(sums) => Flow::Heads(rounded(sums, bound)),
                        Flow::Thirds(sums) => {
                            Flow::Thirds(Box::new(sums.map(|sums| rounded(sums, bound))))
                        }
                    }
                }
                Op::Relu => Flow::Rows(relu(flow.rows())),
                Op::SquaredRelu => Flow::Rows(squared_relu(flow.rows())),
                Op::RmsNorm { unit_bits, .. } => Flow::Rows(normed(flow.rows(), power(unit_bits))),
                Op::Residual { from } => match earlier.get(&from) {
                    Some(other) => {
                        let sum = flow.rows() + other.clone().rows();
                        Flow::Rows(sum.clamp(-32_767.0, 32_767.0))
                    }
                    None => flow,
                },
                Op::Scores { heads, .. } => {
                    let queries = flow.third(0, heads, tokens).mul_scalar(factor);
                    let keys = flow.third(1, heads, tokens);
                    Flow::Heads(queries.matmul(keys.transpose()))
                }
                Op::Softmax { heads, .. } => {
                    Flow::Heads(shares(flow.heads(heads as usize, tokens)))
                }
                Op::Mix { from, heads, .. } => match earlier.get(&from) {
                    Some(rows) => {
                        let values = rows.third(2, heads, tokens);
                        let shares = flow.heads(heads as usize, tokens);
                        Flow::Heads(shares.matmul(values.mul_scalar(MEAN_STEPS * factor)))
                    }
                    _ => flow,
                },
                Op::Im2col { image, window } => {
                    let taken = taken(flow.rows(), samples, &image, &window);
                    let [places, pixels, channels] = taken.dims();
                    Flow::Rows(taken.reshape([places, pixels * channels]))
                }
                Op::MaxPool { image, window } => {
                    let taken = taken(flow.rows(), samples, &image, &window);
                    Flow::Rows(taken.max_dim(1).squeeze_dim(1))
                }
                Op::SumPool { image, window } => {
                    let taken = taken(flow.rows(), samples, &image, &window);
                    Flow::Rows(taken.sum_dim(1).squeeze_dim(1).mul_scalar(factor))
                }
                Op::Flatten => Flow::Rows(flow.rows().reshape([samples as i64, -1])),
                Op::CrossEntropy { .. } | Op::Total { .. } => flow,
            };
            if ops.iter().any(|op| earlier_op(op) == Some(index as u32)) {
                earlier.insert(index as u32, flow.clone());
            }
        }
        flow.rows()
    }
}

/// The op whose result this one takes, beside that of the op before it.
fn earlier_op(op: &Op) -> Option<u32> {
    match *op {
        Op::Residual { from } | Op::Mix { from, .. } => Some(from),
        _ => None,
    }
}

/// A parameter as the network has it, from the machine's order or back to it.
fn in_network(parameter: &Parameter, tensor: Tensor<2>) -> Tensor<2> {
    match parameter.role {
        Role::Weight => tensor.transpose(),
        _ => tensor,
    }
}

/// A tensor with this value and the gradient of `surrogate`.
fn with_value<const D: usize>(surrogate: Tensor<D>, value: Tensor<D>) -> Tensor<D> {
    let difference = value - surrogate.clone().inner();
    surrogate + difference.autodiff()
}

/// Clamped, and rounded to nearest.
fn rounded<const D: usize>(x: Tensor<D>, bound: f32) -> Tensor<D> {
    let value = nearest(x.clone().inner().clamp(-bound, bound));
    with_value(x, value)
}

/// Rounded to nearest: halves up on a GPU. On the processor, where `floor` is a call for every value,
/// a sum with 1.5 * 2^23 and its difference round to even at a tenth of the cost; GPUs may fold them.
/// For values below 2^22.
fn nearest<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const ROUNDING: f32 = 12_582_912.0;
    if x.device() == Device::flex() {
        x.add_scalar(ROUNDING).sub_scalar(ROUNDING)
    } else {
        x.add_scalar(0.5).floor()
    }
}

/// The int8 view of weights, in its steps, times `factor`.
fn view(master: Tensor<2>, factor: f32) -> Tensor<2> {
    let steps = master.clone().inner().mul_scalar(VIEW_STEPS);
    let steps = nearest(steps.clamp(-127.0, 127.0));
    with_value(
        master.mul_scalar(VIEW_STEPS * factor),
        steps.mul_scalar(factor),
    )
}

/// `[samples * tokens, width]` in steps of which 1.0 has `unit`.
fn embedded(
    ids: Tensor<2, Int>,
    of_tokens: Tensor<2>,
    of_places: Tensor<2>,
    unit: f32,
) -> Tensor<2> {
    let [samples, tokens] = ids.dims();
    let [_, width] = of_places.dims();
    let rows = of_tokens.select(0, ids.reshape([samples * tokens]));
    let rows = rows.reshape([samples, tokens, width]) + of_places.unsqueeze();
    rounded(
        rows.reshape([samples * tokens, width]).mul_scalar(unit),
        32_767.0,
    )
}

/// The pixels of every place of a window, `[samples * places, pixels, channels]`.
fn taken(rows: Tensor<2>, samples: usize, image: &Image, window: &Window) -> Tensor<3> {
    let (pixels, channels) = (image.pixels() as usize, image.channels as usize);
    let device = rows.device();
    let table: Vec<i32> = window
        .table(image)
        .iter()
        .map(|&pixel| pixel as i32)
        .collect();
    let (count, of_a_place) = (table.len(), window.pixels() as usize);
    let table = Tensor::<1, Int>::from_data(TensorData::new(table, [count]), &device);
    let padding = Tensor::zeros([samples, 1, channels], &device);
    let padded = Tensor::cat(vec![rows.reshape([samples, pixels, channels]), padding], 1);
    padded
        .select(1, table)
        .reshape([samples * count / of_a_place, of_a_place, channels])
}

/// Rows divided by the root of their mean square, in steps of which 1.0 has `unit`.
fn normed(rows: Tensor<2>, unit: f32) -> Tensor<2> {
    // A row of zeros stays one; the least other mean square is 1/2048.
    const LEAST: f32 = 1e-6;
    let fixed = rows.clone().detach();
    let squares = (rows.clone() * fixed).mean_dim(1);
    // With one factor fixed, the mean has half of its gradient.
    let twice = squares.clone() - squares.clone().detach();
    let root = (squares + twice).add_scalar(LEAST).sqrt();
    rounded(rows * root.recip().mul_scalar(unit), 127.0)
}

/// `u * u / 128` of `u = max(x, 0)`, rounded.
fn squared_relu(x: Tensor<2>) -> Tensor<2> {
    let positive = x.clone().inner().clamp_min(0.0);
    let value = nearest(positive.clone().square().mul_scalar(1.0 / 128.0));
    with_value(x * positive.mul_scalar(1.0 / 64.0).autodiff(), value)
}

/// Rows as `[samples, heads, tokens, width]`.
fn heads(rows: Tensor<2>, count: usize, tokens: usize) -> Tensor<4> {
    let [all, width] = rows.dims();
    let rows = rows.reshape([all / tokens, tokens, count, width / count]);
    rows.swap_dims(1, 2)
}

/// The first, second or last third of all rows.
fn third(rows: &Tensor<2>, which: usize) -> Tensor<2> {
    let [all, width] = rows.dims();
    let width = width / 3;
    rows.clone()
        .slice([0..all, which * width..(which + 1) * width])
}

/// The shares of a causal softmax, which add up to 1, of scores in 1/64 log2 units; rounded as the
/// machine does before it divides by their sum.
fn shares(scores: Tensor<4>) -> Tensor<4> {
    const UNIT: f32 = LN_2 / LOGIT_STEPS;
    const UNSEEN: f32 = -1e9;
    /// 2^-64: no share, and no underflow, which is slow.
    const LEAST: f32 = -4096.0;
    let [_, _, tokens, _] = scores.dims();
    let fixed = scores.clone().inner();
    let unseen = Tensor::<2>::full([tokens, tokens], UNSEEN, &fixed.device()).triu(1);
    let seen = fixed + unseen.unsqueeze();
    let most = seen.clone().max_dim(3);
    let largest = power(share_bits(tokens as u32) as u8);
    let below = (seen - most).clamp_min(LEAST).mul_scalar(UNIT);
    let shares = nearest(below.exp().mul_scalar(largest));
    let shares = shares.clone() / shares.sum_dim(3);
    // Linear in the scores, with the gradient of the softmax.
    let shares_fixed = shares.clone().autodiff();
    let weighted = scores * shares_fixed.clone().mul_scalar(UNIT);
    let means = weighted.clone().sum_dim(3);
    with_value(weighted - means * shares_fixed, shares)
}
