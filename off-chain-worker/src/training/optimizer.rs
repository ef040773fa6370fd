//! How a gradient becomes an update, and what is remembered of gradients from one training to the next.

use burn::{
    grad_clipping::GradientClipping,
    optim::{
        momentum::MomentumConfig, AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState,
        GradientsParams, Optimizer as _, Sgd, SgdConfig, SgdState,
    },
    tensor::{Device, Tensor, TensorData},
};
use codec::{Decode, Encode};

use super::{model::Network, TrainingError};

/// How a gradient becomes an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum 0.9. What it remembers is gone in some dozens of updates, so it is
    /// not kept.
    Momentum,
    /// Adam with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101), after a short warm-up
    /// and with clipped gradients.
    AdamW,
}

/// What AdamW remembers of the gradients that it has seen. In a task it is kept from round to round: the means of
/// 80 gradients are worse than those of 800.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Memory {
    /// Updates that it has made.
    updates: u32,
    /// Of every tensor of masters, the mean of its gradients and that of their squares, by the network's order and in
    /// its real units.
    means: Vec<[Vec<f32>; 2]>,
}

/// The largest L2 norm of one tensor's gradient; longer ones are scaled down.
const MOST_GRADIENT: f32 = 1.0;

impl Memory {
    /// Whether an optimizer of tensors of these shapes can have it.
    fn fits(&self, shapes: &[[usize; 2]]) -> bool {
        let lengths = shapes.iter().map(|[rows, columns]| rows * columns);
        let squares = || self.means.iter().flat_map(|[_, squares]| squares);
        if self.updates == 0 || squares().any(|mean| *mean < 0.0) {
            return false;
        }
        let fits = |(means, length): (&[Vec<f32>; 2], usize)| {
            means
                .iter()
                .all(|mean| mean.len() == length && mean.iter().all(|value| value.is_finite()))
        };
        self.means.len() == shapes.len() && self.means.iter().zip(lengths).all(fits)
    }
}

/// An optimizer at work on a network; by tensor, what it remembers.
pub(super) enum Descent {
    Momentum(Sgd, Vec<Option<SgdState<2>>>),
    AdamW(AdamW, Vec<Option<AdamWState<2>>>),
}

impl Descent {
    /// An optimizer for `network`. A memory of another network counts as none.
    pub fn new(
        optimizer: Optimizer,
        network: &Network,
        memory: Option<&Memory>,
        device: &Device,
    ) -> Self {
        let shapes = network.shapes();
        match optimizer {
            Optimizer::Momentum => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                let sgd = SgdConfig::new().with_momentum(Some(momentum)).build();
                Self::Momentum(sgd, vec![None; shapes.len()])
            }
            Optimizer::AdamW => {
                let adam = AdamWConfig::new()
                    .with_beta_2(0.99)
                    .with_epsilon(1e-8)
                    .with_weight_decay(0.0)
                    .build();
                let states = match memory.filter(|memory| memory.fits(&shapes)) {
                    None => vec![None; shapes.len()],
                    Some(memory) => {
                        let means = memory.means.iter().zip(&shapes);
                        let time = memory.updates as usize;
                        means
                            .map(|(means, shape)| {
                                let [first, second] = means.clone().map(|mean| {
                                    Tensor::from_data(TensorData::new(mean, *shape), device)
                                });
                                let momentum = AdaptiveMomentumState::new(time, first, second);
                                Some(AdamWState::new(momentum))
                            })
                            .collect()
                    }
                };
                Self::AdamW(adam, states)
            }
        }
    }

    /// Updates that AdamW has made, in this training and in those that it remembers; 0 with momentum, whose rate does not
    /// depend on it.
    pub fn updates(&self) -> usize {
        match self {
            Self::Momentum(..) => 0,
            Self::AdamW(_, states) => {
                let times = states.iter().flatten().map(|state| state.momentum.time);
                times.max().unwrap_or(0)
            }
        }
    }

    /// The network after one update.
    pub fn step(&mut self, rate: f64, network: Network, gradients: GradientsParams) -> Network {
        network.updated(gradients, |at, master, gradient| match self {
            Self::Momentum(sgd, states) => {
                let (master, state) = sgd.step(rate, master, gradient, states[at].take());
                states[at] = state;
                master
            }
            Self::AdamW(adam, states) => {
                let gradient = GradientClipping::Norm(MOST_GRADIENT).clip_gradient(gradient);
                let (master, state) = adam.step(rate, master, gradient, states[at].take());
                states[at] = state;
                master
            }
        })
    }

    /// What it remembers, if that is worth keeping.
    ///
    /// # Errors
    /// A device whose values cannot be read back; a value that is no number.
    pub fn memory(&self) -> Result<Option<Memory>, TrainingError> {
        let Self::AdamW(_, states) = self else {
            return Ok(None);
        };
        let mut means = Vec::with_capacity(states.len());
        for state in states {
            // Every tensor has a gradient in every update.
            let Some(AdamWState { momentum }) = state else {
                return Ok(None);
            };
            means.push([values(&momentum.moment_1)?, values(&momentum.moment_2)?]);
        }
        Ok(Some(Memory {
            updates: self.updates().try_into().unwrap_or(u32::MAX),
            means,
        }))
    }
}

fn values(tensor: &Tensor<2>) -> Result<Vec<f32>, TrainingError> {
    let values = tensor.clone().try_into_vec_as::<f32>();
    let values = values.map_err(|error| TrainingError::Device(error.to_string()))?;
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(TrainingError::Diverged),
    }
}
