//! One round of local training.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::{
    optim::{momentum::MomentumConfig, GradientsParams, SgdConfig},
    tensor::{Device, Int, Tensor, TensorData},
};
use gotong_scoring::Graph;
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};

use super::{data::Labelled, model::Network, UntrainableGraph};

/// How long and how boldly to train in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Updates of the weights.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// Step size of the first update; it falls linearly to zero.
    pub learning_rate: f64,
    /// Seed of the order of the samples.
    pub seed: u64,
}

impl Default for TrainingConfig {
    /// Chosen on Fashion-MNIST with the MLP 784-128-10. Steps this bold leave the deltas of
    /// contributors on different data at a cosine of at most 0.65 in the first round; with half
    /// the learning rate it passes 0.7, where a round takes the later delta for a copy.
    fn default() -> Self {
        Self {
            steps: 600,
            batch: 64,
            learning_rate: 0.12,
            seed: 0,
        }
    }
}

/// Progress of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Updates done.
    pub step: usize,
    /// Updates to do.
    pub of: usize,
    /// Loss of the last batch, in bits.
    pub loss: f32,
}

/// Why a training failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainingError {
    /// The graph cannot be trained.
    #[error(transparent)]
    Graph(#[from] UntrainableGraph),
    /// Nothing to learn from, or nothing asked for.
    #[error("training needs at least one sample and a batch of at least one")]
    Empty,
    /// Samples or labels of another shape than the graph's.
    #[error("the graph takes samples of {inputs} bytes in {classes} classes; these differ")]
    WrongData { inputs: u32, classes: u32 },
    /// Told to stop.
    #[error("training was stopped")]
    Stopped,
    /// The weights grew beyond all bounds.
    #[error("training diverged; choose a lower learning rate")]
    Diverged,
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

/// Steps between two reports of progress; reading a loss back waits for the device.
const REPORT_EVERY: usize = 10;

/// Trains from `master` and returns the change of every parameter in w16 units, in the machine's
/// order: what training made of it less what it was.
///
/// Stochastic gradient descent with momentum 0.9 on shuffled batches of `data`; with few samples
/// the batch is all of them. The same seed on the same device gives the same change.
///
/// # Errors
/// A graph, weights or data that do not fit together; `stop` was set; the training diverged; the
/// device failed.
pub fn train(
    graph: &Graph,
    master: &[i16],
    data: &Labelled,
    config: &TrainingConfig,
    device: &Device,
    progress: &mut dyn FnMut(Step),
    stop: &AtomicBool,
) -> Result<Vec<i32>, TrainingError> {
    let mut network = Network::new(graph, master, device)?;
    check(graph, data, config)?;
    let mut batches = Batches::new(data, config);
    let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    for step in 0..config.steps {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainingError::Stopped);
        }
        let (inputs, labels) = batches.next(device);
        let view = network.view();
        let loss = view.loss(inputs, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &view);
        let left = (config.steps - step) as f64 / config.steps as f64;
        network = optimizer
            .step(config.learning_rate * left, network, gradients)
            .bounded();
        if (step + 1) % REPORT_EVERY == 0 || step + 1 == config.steps {
            progress(Step {
                step: step + 1,
                of: config.steps,
                loss: bits(loss)?,
            });
        }
    }
    let trained = network.master().map_err(TrainingError::Device)?;
    let change = |(&after, &before): (&i16, &i16)| i32::from(after) - i32::from(before);
    Ok(trained.iter().zip(master).map(change).collect())
}

fn check(graph: &Graph, data: &Labelled, config: &TrainingConfig) -> Result<(), TrainingError> {
    if data.is_empty() || config.batch == 0 {
        return Err(TrainingError::Empty);
    }
    let (inputs, classes) = (graph.inputs, graph.classes());
    let foreign = data.inputs != inputs as usize
        || data.pixels.len() != data.len() * data.inputs
        || data.labels.iter().any(|&label| u32::from(label) >= classes);
    if foreign {
        return Err(TrainingError::WrongData { inputs, classes });
    }
    Ok(())
}

/// A mean loss in nats as bits.
fn bits(loss: Tensor<1>) -> Result<f32, TrainingError> {
    let nats: f32 = loss
        .try_into_scalar()
        .map_err(|error| TrainingError::Device(error.to_string()))?;
    if nats.is_finite() {
        Ok(nats / std::f32::consts::LN_2)
    } else {
        Err(TrainingError::Diverged)
    }
}

/// Endless shuffled batches.
struct Batches<'a> {
    data: &'a Labelled,
    size: usize,
    order: Vec<usize>,
    used: usize,
    random: StdRng,
}

impl<'a> Batches<'a> {
    fn new(data: &'a Labelled, config: &TrainingConfig) -> Self {
        Self {
            data,
            size: config.batch.min(data.len()),
            order: (0..data.len()).collect(),
            used: data.len(), // the first batch shuffles
            random: StdRng::seed_from_u64(config.seed),
        }
    }

    /// Inputs `[size, inputs]` in 0..1 and labels `[size]`.
    fn next(&mut self, device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        if self.used + self.size > self.order.len() {
            self.order.shuffle(&mut self.random);
            self.used = 0;
        }
        let chosen = &self.order[self.used..self.used + self.size];
        self.used += self.size;
        inputs_and_labels(self.data, chosen, device)
    }
}

/// The chosen samples as the machine sees them, `[chosen, inputs]` in 0..1, and their labels.
fn inputs_and_labels(
    data: &Labelled,
    chosen: &[usize],
    device: &Device,
) -> (Tensor<2>, Tensor<1, Int>) {
    let mut inputs = Vec::with_capacity(chosen.len() * data.inputs);
    for &sample in chosen {
        let pixels = &data.pixels[sample * data.inputs..][..data.inputs];
        inputs.extend(pixels.iter().map(|&pixel| f32::from(pixel >> 1) / 128.0));
    }
    let labels: Vec<i32> = chosen.iter().map(|&s| data.labels[s].into()).collect();
    let inputs = TensorData::new(inputs, [chosen.len(), data.inputs]);
    let labels = TensorData::new(labels, [chosen.len()]);
    (
        Tensor::from_data(inputs, device),
        Tensor::from_data(labels, device),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{data::FashionMnist, initial_weights, noise_change};
    use super::*;
    use gotong_scoring::{arith::MASTER_BOUND, Evaluator, Reference, Samples};

    fn run(graph: &Graph, data: &Labelled, config: &TrainingConfig) -> Vec<i32> {
        let master = initial_weights(graph, 1);
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        train(graph, &master, data, config, &device, &mut |_| {}, &stop).unwrap()
    }

    fn stepped(master: &[i16], change: &[i32]) -> Vec<i16> {
        let bound = i32::from(MASTER_BOUND);
        let sum = |(&w, &c): (&i16, &i32)| (i32::from(w) + c).clamp(-bound, bound) as i16;
        master.iter().zip(change).map(sum).collect()
    }

    /// Mean loss in bits, by the machine.
    fn exact(graph: &Graph, master: &[i16], data: &Labelled) -> f64 {
        let samples = Samples::new(graph.inputs, graph.classes(), &data.records()).unwrap();
        let losses = Reference.losses(graph, master, &samples).unwrap();
        losses.iter().map(|&l| f64::from(l)).sum::<f64>() / losses.len() as f64 / 65_536.0
    }

    #[test]
    fn training_lowers_the_exact_loss_and_the_float_loss_equals_it() {
        let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
        let (part, test) = (set.train.slice(0..2_000), set.test.slice(0..500));
        let graph = Graph::mlp(&[784, 32, 16, 10]);
        let config = TrainingConfig {
            steps: 120,
            ..TrainingConfig::default()
        };
        let first = initial_weights(&graph, 1);
        let change = run(&graph, &part, &config);
        assert_eq!(run(&graph, &part, &config), change, "the seed decides");
        let trained = stepped(&first, &change);
        let (before, after) = (exact(&graph, &first, &test), exact(&graph, &trained, &test));
        assert!(before > 3.0 && after < 1.6, "from {before} to {after} bits");

        let all: Vec<usize> = (0..test.len()).collect();
        let (inputs, labels) = inputs_and_labels(&test, &all, &Device::flex());
        let network = Network::new(&graph, &trained, &Device::flex()).unwrap();
        assert_eq!(network.master().unwrap(), trained);
        let float = bits(network.view().loss(inputs, labels)).unwrap();
        let apart = (f64::from(float) - after).abs();
        assert!(apart < 0.02, "float {float}, exact {after} bits");

        let noise = noise_change(change.len(), 1, &change);
        assert!(exact(&graph, &stepped(&first, &noise), &test) > before - 0.2);
    }

    fn tiny() -> (Graph, Labelled) {
        let data = Labelled {
            inputs: 4,
            pixels: vec![255, 0, 0, 0, 0, 255, 0, 0],
            labels: vec![0, 1],
        };
        (Graph::mlp(&[4, 8, 2]), data)
    }

    #[test]
    fn a_batch_larger_than_the_data_is_all_of_it() {
        let (graph, data) = tiny();
        let change = run(&graph, &data, &TrainingConfig::default());
        let trained = stepped(&initial_weights(&graph, 1), &change);
        let loss = exact(&graph, &trained, &data);
        assert!(loss < 0.5, "{loss} bits");
    }

    #[test]
    fn what_cannot_be_trained_is_refused() {
        let (graph, data) = tiny();
        let master = initial_weights(&graph, 1);
        let config = TrainingConfig::default();
        let attempt = |graph: &Graph, data: &Labelled, config: &TrainingConfig, stopped: bool| {
            let (device, stop) = (Device::flex(), AtomicBool::new(stopped));
            train(graph, &master, data, config, &device, &mut |_| {}, &stop).unwrap_err()
        };
        let error = attempt(&graph, &data, &config, true);
        assert_eq!(error, TrainingError::Stopped);
        let error = attempt(&graph, &data.slice(0..0), &config, false);
        assert_eq!(error, TrainingError::Empty);
        let mut foreign = data.clone();
        foreign.labels[0] = 2;
        let error = attempt(&graph, &foreign, &config, false);
        assert!(matches!(error, TrainingError::WrongData { .. }));
        let error = attempt(&Graph::mlp(&[4, 7, 2]), &data, &config, false);
        assert!(matches!(error, TrainingError::Graph(_)));
    }

    #[test]
    fn progress_ends_at_the_last_step() {
        let (graph, data) = tiny();
        let config = TrainingConfig {
            steps: 23,
            ..TrainingConfig::default()
        };
        let master = initial_weights(&graph, 1);
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        let mut seen = Vec::new();
        let mut progress = |step: Step| seen.push((step.step, step.of));
        train(
            &graph,
            &master,
            &data,
            &config,
            &device,
            &mut progress,
            &stop,
        )
        .unwrap();
        assert_eq!(seen, [(10, 23), (20, 23), (23, 23)]);
    }
}
