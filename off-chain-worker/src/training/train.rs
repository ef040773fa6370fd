//! One round of local training.

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicBool, Ordering},
    thread::{available_parallelism, scope},
};

use burn::{
    grad_clipping::GradientClippingConfig,
    optim::{
        momentum::MomentumConfig, AdamWConfig, GradientsAccumulator, GradientsParams,
        ModuleOptimizer, SgdConfig,
    },
    tensor::{Device, Tensor, TensorData},
};
use gotong_scoring::Graph;
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{
    data::Labelled,
    model::{Batch, Inputs, Network},
    UntrainableGraph,
};

/// How long and how boldly to train in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Updates of the weights.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// Step size of the boldest update; it falls linearly to zero.
    pub learning_rate: f64,
    /// How a gradient becomes an update.
    pub optimizer: Optimizer,
    /// Seed of the order of the samples.
    pub seed: u64,
}

/// How a gradient becomes an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum 0.9.
    Momentum,
    /// Adam with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101), after a short warm-up
    /// and with clipped gradients.
    AdamW,
}

impl TrainingConfig {
    /// What suits a graph: [`Optimizer::AdamW`] if it begins with an embedding.
    pub fn of(graph: &Graph) -> Self {
        match graph.vocab() {
            None => Self::default(),
            Some(_) => Self {
                steps: 200,
                batch: 16,
                learning_rate: 0.003,
                optimizer: Optimizer::AdamW,
                seed: 0,
            },
        }
    }

    /// Step size of update number `step`.
    fn rate(&self, step: usize) -> f64 {
        let left = (self.steps - step) as f64 / self.steps as f64;
        let warm = match self.optimizer {
            Optimizer::Momentum => 1.0,
            Optimizer::AdamW => ((step + 1) as f64 / (WARM_UP * self.steps as f64)).min(1.0),
        };
        self.learning_rate * left * warm
    }
}

/// What somebody wants of a training; the rest is what suits the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingOptions {
    /// [`TrainingConfig::steps`].
    pub steps: Option<usize>,
    /// [`TrainingConfig::batch`].
    pub batch: Option<usize>,
    /// [`TrainingConfig::learning_rate`].
    pub learning_rate: Option<f64>,
}

impl TrainingOptions {
    /// The training of `graph` that this asks for, in the order that `seed` draws.
    pub fn config(&self, graph: &Graph, seed: u64) -> TrainingConfig {
        let suited = TrainingConfig::of(graph);
        TrainingConfig {
            steps: self.steps.unwrap_or(suited.steps),
            batch: self.batch.unwrap_or(suited.batch),
            learning_rate: self.learning_rate.unwrap_or(suited.learning_rate),
            seed,
            ..suited
        }
    }
}

/// Part of the updates until AdamW, whose means of gradients are of few yet, is at its boldest.
const WARM_UP: f64 = 0.1;

impl Default for TrainingConfig {
    /// Chosen on Fashion-MNIST with the MLP 784-128-10. Steps this bold leave the deltas of
    /// contributors on different data at a cosine of at most 0.65 in the first round; with half
    /// the learning rate it passes 0.7, where a round takes the later delta for a copy.
    fn default() -> Self {
        Self {
            steps: 600,
            batch: 64,
            learning_rate: 0.12,
            optimizer: Optimizer::Momentum,
            seed: 0,
        }
    }
}

impl Optimizer {
    fn start(self) -> ModuleOptimizer {
        match self {
            Self::Momentum => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum)).init()
            }
            Self::AdamW => AdamWConfig::new()
                .with_beta_2(0.99)
                .with_epsilon(1e-8)
                .with_weight_decay(0.0)
                .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
                .init(),
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
    WrongData {
        /// Bytes of a sample.
        inputs: u32,
        /// Classes of its labels.
        classes: u32,
    },
    /// Told to stop.
    #[error("training was stopped")]
    Stopped,
    /// A loss or a weight is no number.
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
/// Updates on shuffled batches of `data`. A batch has at most three quarters of the samples, so that the seed matters
/// however few there are. Of a language model every token is a label. The same seed on the same device, of as many
/// cores, gives the same change.
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
    check(graph, data)?;
    if config.batch == 0 {
        return Err(TrainingError::Empty);
    }
    let mut batches = Batches::new(data, config);
    let cores = Cores::of(device, batches.size)?;
    let mut optimizer = config.optimizer.start();
    for step in 0..config.steps {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainingError::Stopped);
        }
        let (loss, gradients) = cores.gradients(&network, batches.next(), |chosen| {
            Batch::of(graph, data, chosen, device)
        });
        network = optimizer
            .step(config.rate(step), network, gradients)
            .bounded();
        if (step + 1) % REPORT_EVERY == 0 || step + 1 == config.steps {
            progress(Step {
                step: step + 1,
                of: config.steps,
                loss: bits(loss)?,
            });
        }
    }
    let trained = network.master()?;
    let change = |(&after, &before): (&i16, &i16)| i32::from(after) - i32::from(before);
    Ok(trained.iter().zip(master).map(change).collect())
}

/// Mean loss in bits of `data` by the network that is trained: in float, rounded as the machine does.
/// Of a language model the mean over all tokens.
///
/// # Errors
/// A graph, weights or data that do not fit together; no data; the device failed.
pub fn float_loss(
    graph: &Graph,
    master: &[i16],
    data: &Labelled,
    device: &Device,
) -> Result<f32, TrainingError> {
    const BATCH: usize = 32;
    let network = Network::new(graph, master, device)?;
    check(graph, data)?;
    let all: Vec<usize> = (0..data.len()).collect();
    let mut sum = 0.0;
    for samples in all.chunks(BATCH) {
        let batch = Batch::of(graph, data, samples, device);
        sum += bits(network.loss(batch))? * samples.len() as f32;
    }
    Ok(sum / data.len() as f32)
}

fn check(graph: &Graph, data: &Labelled) -> Result<(), TrainingError> {
    if data.is_empty() {
        return Err(TrainingError::Empty);
    }
    let (inputs, classes) = (graph.inputs, graph.classes());
    let is_foreign = |byte: &u8| u32::from(*byte) >= classes;
    let foreign = data.inputs != inputs as usize
        || data.pixels.len() != data.len() * data.inputs
        || data.labels.iter().any(is_foreign)
        || graph.vocab().is_some() && data.pixels.iter().any(is_foreign);
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

/// What computes the gradients of an update. On the processor every core takes a part of the batch, for
/// most of what Burn does there runs on one; a GPU takes all of it, from this thread.
struct Cores(Vec<ThreadPool>);

impl Cores {
    /// Of a device that computes batches of `size` samples.
    fn of(device: &Device, size: usize) -> Result<Self, TrainingError> {
        match available_parallelism() {
            Ok(count) if *device == Device::flex() => Self::new(count.get().min(size)),
            _ => Self::new(1),
        }
    }

    fn new(count: usize) -> Result<Self, TrainingError> {
        if count < 2 {
            return Ok(Self(Vec::new()));
        }
        // A thread each, in which Burn does not share its work out once more.
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let pools: Result<_, _> = (0..count).map(pool).collect();
        let failed = |error: rayon::ThreadPoolBuildError| TrainingError::Device(error.to_string());
        pools.map(Self).map_err(failed)
    }

    /// Mean loss of these samples, and its gradients.
    fn gradients(
        &self,
        network: &Network,
        samples: &[usize],
        batch: impl Fn(&[usize]) -> Batch + Sync,
    ) -> (Tensor<1>, GradientsParams) {
        let of_part = |part: &[usize]| {
            let own = network.detached();
            let share = part.len() as f64 / samples.len() as f64;
            let loss = own.loss(batch(part)).mul_scalar(share);
            let gradients = GradientsParams::from_grads(loss.backward(), &own);
            (loss.inner(), gradients)
        };
        if self.0.is_empty() {
            return of_part(samples);
        }
        let parts = samples.chunks(samples.len().div_ceil(self.0.len()));
        let computed: Vec<_> = scope(|scope| {
            let of_part = &of_part;
            let parts = self.0.iter().zip(parts);
            let threads: Vec<_> = parts
                .map(|(pool, part)| scope.spawn(move || pool.install(|| of_part(part))))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|part| part.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let mut sum = GradientsAccumulator::new();
        let mut losses = Vec::new();
        for (loss, gradients) in computed {
            sum.accumulate(network, gradients);
            losses.push(loss);
        }
        (Tensor::cat(losses, 0).sum(), sum.grads())
    }
}

/// Endless shuffled batches.
struct Batches {
    size: usize,
    order: Vec<usize>,
    used: usize,
    random: StdRng,
}

impl Batches {
    fn new(data: &Labelled, config: &TrainingConfig) -> Self {
        Self {
            // The mean over all samples would be the same for everybody who has them.
            size: config.batch.min((3 * data.len()).div_ceil(4)),
            order: (0..data.len()).collect(),
            used: data.len(), // the first batch shuffles
            random: StdRng::seed_from_u64(config.seed),
        }
    }

    /// Numbers of the next samples.
    fn next(&mut self) -> &[usize] {
        if self.used + self.size > self.order.len() {
            self.order.shuffle(&mut self.random);
            self.used = 0;
        }
        let chosen = &self.order[self.used..self.used + self.size];
        self.used += self.size;
        chosen
    }
}

impl Batch {
    /// The chosen samples as the first op of `graph` takes them. Of a language model the label of
    /// every token is the next one, and of the last token the sample's label.
    fn of(graph: &Graph, data: &Labelled, chosen: &[usize], device: &Device) -> Self {
        let is_text = graph.vocab().is_some();
        let (mut inputs, mut labels) = (Vec::new(), Vec::new());
        for &sample in chosen {
            let bytes = &data.pixels[sample * data.inputs..][..data.inputs];
            inputs.extend(bytes.iter().map(|&byte| i32::from(byte)));
            if is_text {
                labels.extend(bytes.iter().skip(1).map(|&token| i32::from(token)));
            }
            labels.push(data.labels[sample].into());
        }
        let shape = [chosen.len(), data.inputs];
        let inputs = if is_text {
            Inputs::Tokens(Tensor::from_data(TensorData::new(inputs, shape), device))
        } else {
            let activations = inputs.iter().map(|byte| (byte >> 1) as f32).collect();
            let data = TensorData::new::<f32, _>(activations, shape);
            Inputs::Activations(Tensor::from_data(data, device))
        };
        let count = labels.len();
        Self {
            inputs,
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{data::FashionMnist, initial_weights, noise_change};
    use super::*;
    use gotong_scoring::{
        arith::MASTER_BOUND, Cnn, Convolution, Evaluator, Image, Op, Pool, Reference, Samples,
        Transformer, Width, Window,
    };
    use rand::Rng;
    use std::ops::Range;

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
        let network = Network::new(&graph, &first, &Device::flex()).unwrap();
        assert_eq!(network.master().unwrap(), first);
        let trained = stepped(&first, &change);
        let (before, after) = (exact(&graph, &first, &test), exact(&graph, &trained, &test));
        assert!(before > 3.0 && after < 1.6, "from {before} to {after} bits");

        let float = float(&graph, &trained, &test);
        let apart = (float - after).abs();
        assert!(apart < 0.02, "float {float}, exact {after} bits");

        let noise = noise_change(change.len(), 1, &change);
        assert!(exact(&graph, &stepped(&first, &noise), &test) > before - 0.2);
    }

    /// Samples that do not divide by the cores: the mean counts every sample once.
    #[test]
    fn parts_of_a_batch_add_up_to_all_of_it() {
        let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
        let (graph, device) = (Graph::mlp(&[784, 16, 10]), Device::flex());
        let network = Network::new(&graph, &initial_weights(&graph, 1), &device).unwrap();
        let samples: Vec<usize> = (0..7).collect();
        let computed = |cores: usize| {
            let cores = Cores::new(cores).unwrap();
            let batch = |chosen: &[usize]| Batch::of(&graph, &set.train, chosen, &device);
            let (loss, gradients) = cores.gradients(&network, &samples, batch);
            let optimizer = &mut Optimizer::Momentum.start();
            let next = optimizer.step(1.0, network.clone(), gradients);
            (bits(loss).unwrap(), next.master().unwrap())
        };
        let (loss, weights) = computed(1);
        for cores in [2, 3, 9] {
            let (other_loss, others) = computed(cores);
            assert!((loss - other_loss).abs() < 1e-4, "{loss} and {other_loss}");
            let far = |(a, b): &(&i16, &i16)| a.abs_diff(**b) > 1;
            assert_eq!(weights.iter().zip(&others).filter(far).count(), 0);
        }
    }

    #[test]
    fn a_convolutional_network_learns_and_its_float_loss_equals_the_exact_one() {
        let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
        let (part, test) = (set.train.slice(0..2_000), set.test.slice(0..200));
        let convolution = |channels, pool| Convolution {
            channels,
            window: Window {
                size: 3,
                stride: 1,
                padding: 1,
            },
            pool,
        };
        let graph = Graph::cnn(&Cnn {
            image: Image {
                height: 28,
                width: 28,
                channels: 1,
            },
            convolutions: vec![convolution(8, Pool::Max(2)), convolution(16, Pool::Mean(2))],
            hidden: vec![],
            classes: 10,
        });
        let config = TrainingConfig {
            steps: 60,
            ..TrainingConfig::of(&graph)
        };
        let first = initial_weights(&graph, 1);
        let change = run(&graph, &part, &config);
        let trained = stepped(&first, &change);
        let (before, after) = (exact(&graph, &first, &test), exact(&graph, &trained, &test));
        let apart = (float(&graph, &trained, &test) - after).abs();
        println!("from {before} to {after} bits exact, {apart} apart");
        assert!(before > 2.5 && after < 1.6, "from {before} to {after} bits");
        assert!(apart < 0.01, "float and exact loss are {apart} bits apart");
    }

    /// Windows of the licence's text, tokens being its bytes less 32.
    fn text(tokens: usize, range: Range<usize>) -> Labelled {
        let license = include_bytes!("../../../LICENSE");
        let text: Vec<u8> = license.iter().map(|c| c.saturating_sub(32)).collect();
        let windows = range.map(|window| &text[window * 7..][..=tokens]);
        let windows: Vec<&[u8]> = windows.collect();
        Labelled {
            inputs: tokens,
            pixels: windows.iter().flat_map(|w| &w[..tokens]).copied().collect(),
            labels: windows.iter().map(|window| window[tokens]).collect(),
        }
    }

    fn float(graph: &Graph, master: &[i16], data: &Labelled) -> f64 {
        float_loss(graph, master, data, &Device::flex())
            .unwrap()
            .into()
    }

    /// An image cut into patches that attend to one another.
    #[test]
    fn attention_of_patches_has_the_exact_loss() {
        let requant = |shift_in, width| Op::Requant {
            shift_in,
            multiplier: 64,
            shift_out: 6,
            width,
        };
        let linear = |inputs, outputs| Op::Linear {
            inputs,
            outputs,
            bias_shift: 0,
        };
        let (heads, head_width, patches) = (2, 8, 4);
        let graph = Graph {
            inputs: 64,
            ops: vec![
                Op::Im2col {
                    image: Image {
                        height: 8,
                        width: 8,
                        channels: 1,
                    },
                    window: Window {
                        size: 4,
                        stride: 4,
                        padding: 0,
                    },
                },
                linear(16, 3 * heads * head_width),
                requant(9, Width::Narrow),
                Op::Scores { heads, head_width },
                requant(4, Width::Wide),
                Op::Softmax {
                    heads,
                    tokens: patches,
                },
                Op::Mix {
                    from: 2,
                    heads,
                    head_width,
                },
                requant(4, Width::Narrow),
                Op::Flatten,
                linear(patches * heads * head_width, 10),
                requant(7, Width::Wide),
                Op::CrossEntropy { classes: 10 },
            ],
        };
        let mut random = StdRng::seed_from_u64(3);
        let master: Vec<i16> = (0..graph.parameters())
            .map(|_| random.random_range(-MASTER_BOUND..=MASTER_BOUND))
            .collect();
        let data = Labelled {
            inputs: 64,
            pixels: (0..64 * 20).map(|_| random.random()).collect(),
            labels: (0..20).map(|_| random.random_range(0..10)).collect(),
        };
        let (exact, float) = (exact(&graph, &master, &data), float(&graph, &master, &data));
        assert!((exact - float).abs() < 0.05, "exact {exact}, float {float}");
    }

    #[test]
    fn a_language_model_learns_and_its_float_loss_equals_the_exact_one() {
        for tied in [false, true] {
            let graph = Graph::transformer(&Transformer {
                vocab: 96,
                tokens: 32,
                width: 64,
                heads: 4,
                hidden: 256,
                layers: 2,
                tied,
            });
            let (learned, other) = (text(32, 0..1_200), text(32, 1_300..1_380));
            let config = TrainingConfig {
                steps: 100,
                ..TrainingConfig::of(&graph)
            };
            let first = initial_weights(&graph, 1);
            let change = run(&graph, &learned, &config);
            assert_eq!(run(&graph, &learned, &config), change, "the seed decides");
            let trained = stepped(&first, &change);
            for (master, most) in [(&first, 8.0), (&trained, 4.2)] {
                let exact = exact(&graph, master, &other) / 32.0;
                let apart = (float(&graph, master, &other) - exact).abs();
                println!("tied {tied}: {exact} bits exact, {apart} apart");
                assert!(exact < most, "{exact} bits a token");
                assert!(apart < 0.01, "{apart} bits a token apart");
            }
        }
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
        let language = Graph::transformer(&Transformer {
            vocab: 4,
            tokens: 4,
            width: 4,
            heads: 1,
            hidden: 4,
            layers: 1,
            tied: true,
        });
        let error = Network::new(&language, &master, &Device::flex()).unwrap_err();
        assert!(matches!(error, UntrainableGraph::WrongParameters { .. }));
        let weights = initial_weights(&language, 1);
        let (device, stop) = (Device::flex(), AtomicBool::new(false));
        let config_of_text = TrainingConfig::of(&language);
        let error = train(
            &language,
            &weights,
            &data,
            &config_of_text,
            &device,
            &mut |_| {},
            &stop,
        );
        assert!(
            matches!(error, Err(TrainingError::WrongData { .. })),
            "a token of 255"
        );
        // The loss before the only update is finite; what it makes of the weights is not.
        let wild = TrainingConfig {
            steps: 1,
            learning_rate: f64::NAN,
            ..TrainingConfig::default()
        };
        let error = attempt(&graph, &data, &wild, false);
        assert_eq!(error, TrainingError::Diverged);
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
