//! The task's graph as a Burn module that computes what the exact machine computes, with
//! gradients.
//!
//! Units are real: an input is `(byte >> 1) / 128`, a weight `w16 / 65536`, a logit in log2 units.
//! The masters are floats; what the layers multiply with is their int8 view ([`Network::view`]),
//! and activations are rounded and clamped as the machine does. Gradients pass straight through
//! the rounding (Bengio, Leonard, Courville, arXiv:1308.3432).

use burn::{
    module::{Module, Param},
    tensor::{activation::log_softmax, Device, Int, Tensor, TensorData},
};
use gotong_scoring::{arith::MASTER_BOUND, Graph, GraphError};

use super::units::{linears, Linear, LOGIT_STEPS, MASTER_STEPS, VIEW_STEPS};

/// Why a graph cannot be trained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrainableGraph {
    /// The graph itself is not valid.
    #[error(transparent)]
    Invalid(#[from] GraphError),
    /// The weights are not as many as the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters { expected: usize, found: usize },
}

/// A stack of quantised linear layers, ending in logits.
#[derive(Module, Debug)]
pub struct Network {
    layers: Vec<Layer>,
}

/// A linear op with the requant and ReLU after it.
#[derive(Module, Debug)]
struct Layer {
    /// `[outputs, inputs]`, real units.
    weight: Param<Tensor<2>>,
    /// `[outputs]`, real units.
    bias: Param<Tensor<1>>,
    /// Steps of a bias's master in 1.0.
    bias_steps: f32,
    /// Steps of an output in 1.0.
    output_steps: f32,
    /// Least output, in steps.
    least: f32,
    /// Greatest output, in steps.
    greatest: f32,
}

impl Network {
    /// The network of `graph` with the master weights `master`, in the machine's order.
    ///
    /// # Errors
    /// A graph that is not valid, or has another number of parameters.
    pub fn new(graph: &Graph, master: &[i16], device: &Device) -> Result<Self, UntrainableGraph> {
        graph.validate()?;
        let device = device.clone().autodiff();
        if master.len() != graph.parameters() {
            return Err(UntrainableGraph::WrongParameters {
                expected: graph.parameters(),
                found: master.len(),
            });
        }
        let mut rest = master;
        let layer = |linear: Linear| {
            let (own, others) = rest.split_at(linear.outputs * (linear.inputs + 1));
            rest = others;
            Layer::new(own, &linear, &device)
        };
        Ok(Self {
            layers: linears(graph).map(layer).collect(),
        })
    }

    /// The network that the machine sees: weights in their int8 view, the start of a graph of
    /// gradients. Parameters keep their ids, so that a gradient found for the view steps the master.
    pub fn view(&self) -> Self {
        self.each_layer(|layer| Layer {
            weight: layer.weight.map(|w| {
                let steps = w.inner().mul_scalar(VIEW_STEPS).add_scalar(0.5).floor();
                let view = steps.clamp(-127.0, 127.0).div_scalar(VIEW_STEPS);
                view.autodiff().require_grad()
            }),
            ..layer
        })
    }

    /// The network with every master within the bounds of a master weight.
    pub fn bounded(self) -> Self {
        let bound = f32::from(MASTER_BOUND);
        self.each_layer(|layer| {
            let (weight_bound, bias_bound) = (bound / MASTER_STEPS, bound / layer.bias_steps);
            Layer {
                weight: layer.weight.map(|w| bounded(w, weight_bound)),
                bias: layer.bias.map(|b| bounded(b, bias_bound)),
                ..layer
            }
        })
    }

    /// Logits in log2 units, `[samples, classes]`, of inputs `[samples, inputs]` in 0..1.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        let outputs = self
            .layers
            .iter()
            .fold(inputs, |activations, layer| layer.forward(activations));
        match self.layers.last() {
            Some(last) => outputs.mul_scalar(last.output_steps / LOGIT_STEPS),
            None => outputs,
        }
    }

    /// Mean cross-entropy in nats, `[1]`, of `inputs` `[samples, inputs]` and `labels` `[samples]`.
    pub fn loss(&self, inputs: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        let logits = self.forward(inputs).mul_scalar(std::f32::consts::LN_2);
        log_softmax(logits, 1)
            .gather(1, labels.unsqueeze_dim(1))
            .mean()
            .neg()
    }

    /// The masters, rounded, in the machine's order.
    ///
    /// # Errors
    /// What the device says when the weights cannot be read back.
    pub fn master(&self) -> Result<Vec<i16>, String> {
        let mut master = Vec::new();
        for layer in &self.layers {
            let weight = read(layer.weight.val())?;
            let bias = read(layer.bias.val())?;
            let parameters = (weight.iter().map(|w| w * MASTER_STEPS))
                .chain(bias.iter().map(|b| b * layer.bias_steps));
            let bound = f32::from(MASTER_BOUND);
            master.extend(parameters.map(|p| p.round().clamp(-bound, bound) as i16));
        }
        Ok(master)
    }

    fn each_layer(&self, change: impl Fn(Layer) -> Layer) -> Self {
        Self {
            layers: self.layers.iter().cloned().map(change).collect(),
        }
    }
}

impl Layer {
    /// From its masters: weights `[outputs, inputs]`, then biases.
    fn new(master: &[i16], linear: &Linear, device: &Device) -> Self {
        let (weight, bias) = master.split_at(linear.outputs * linear.inputs);
        let real = |master: &[i16], steps: f32| -> Vec<f32> {
            master.iter().map(|&w| f32::from(w) / steps).collect()
        };
        let shape = [linear.outputs, linear.inputs];
        let weight = TensorData::new(real(weight, MASTER_STEPS), shape);
        let bias = TensorData::new(real(bias, linear.bias_steps), [linear.outputs]);
        Self {
            weight: Param::from_data(weight, device),
            bias: Param::from_data(bias, device),
            bias_steps: linear.bias_steps,
            output_steps: linear.output_steps,
            least: linear.least,
            greatest: linear.greatest,
        }
    }

    fn forward(&self, activations: Tensor<2>) -> Tensor<2> {
        let sums = activations.matmul(self.weight.val().transpose());
        let outputs = (sums + self.bias.val().unsqueeze()).mul_scalar(self.output_steps);
        let clamped = outputs.clamp(self.least, self.greatest);
        let rounding = clamped.clone().detach().round() - clamped.clone().detach();
        (clamped + rounding).div_scalar(self.output_steps)
    }
}

/// A master cut off at +-`bound`, again the start of a graph of gradients.
fn bounded<const D: usize>(master: Tensor<D>, bound: f32) -> Tensor<D> {
    let bounded = master.inner().clamp(-bound, bound);
    bounded.autodiff().require_grad()
}

fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, String> {
    tensor.try_into_vec_as().map_err(|error| error.to_string())
}
