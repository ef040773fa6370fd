//! How to train.

use burn::{
    grad_clipping::GradientClippingConfig,
    optim::{momentum::MomentumConfig, AdamWConfig, ModuleOptimizer, SgdConfig},
};
use gotong_scoring::Graph;

/// The part of all updates in which AdamW warms up, while its means are of few gradients.
const WARM_UP: f64 = 0.1;

/// How long to train in one round, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Updates of the weights.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// Learning rate of the first update, or of the last of the warm-up; from there it falls linearly to zero.
    pub learning_rate: f64,
    /// How a gradient becomes an update.
    pub optimizer: Optimizer,
    /// Seed that orders the samples.
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

    /// Learning rate of update number `step`.
    pub(super) fn rate(&self, step: usize) -> f64 {
        let left = (self.steps - step) as f64 / self.steps as f64;
        let warm = match self.optimizer {
            Optimizer::Momentum => 1.0,
            Optimizer::AdamW => ((step + 1) as f64 / (WARM_UP * self.steps as f64)).min(1.0),
        };
        self.learning_rate * left * warm
    }
}

/// What somebody asks of a training; everything else defaults to what suits the graph.
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

impl Default for TrainingConfig {
    /// Chosen on Fashion-MNIST with the MLP 784-128-10.
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
    pub(super) fn start(self) -> ModuleOptimizer {
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
