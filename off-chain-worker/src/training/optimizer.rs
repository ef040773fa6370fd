//! How a gradient becomes an update, and what is remembered of gradients from one training to the next.

use burn::{
    grad_clipping::GradientClipping,
    optim::{
        AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer as _,
    },
    tensor::{Device, Tensor},
};
use codec::{Decode, Encode};

use super::{model::Network, values, TrainingError};

/// How a gradient becomes an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum 0.9. What it remembers is gone in some dozens of updates, so it is
    /// not kept from one training to the next.
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

/// All that an optimizer remembers in the middle of a training.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(super) enum OptimizerState {
    /// Of every tensor, the velocity, by the network's order and in its real units.
    Momentum(Vec<Vec<f32>>),
    /// What is kept after a training, too.
    AdamW(Memory),
}

/// How much of its velocity momentum keeps from one update to the next.
const MOMENTUM: f32 = 0.9;
/// The largest L2 norm of one tensor's gradient; longer ones are scaled down.
const MOST_GRADIENT: f32 = 1.0;

impl Memory {
    /// What an optimizer with these states, by tensor, remembers; nothing before its first update.
    fn of(states: &[Option<AdamWState<2>>]) -> Result<Option<Self>, TrainingError> {
        let mut means = Vec::with_capacity(states.len());
        for state in states {
            let Some(AdamWState { momentum }) = state else {
                return Ok(None);
            };
            means.push([
                values::read(&momentum.moment_1)?,
                values::read(&momentum.moment_2)?,
            ]);
        }
        Ok(Some(Self {
            updates: time(states).try_into().unwrap_or(u32::MAX),
            means,
        }))
    }

    /// Whether an optimizer of tensors of these shapes can have it.
    fn fits(&self, shapes: &[[usize; 2]]) -> bool {
        let fit = |([means, squares], shape): (&[Vec<f32>; 2], &[usize; 2])| {
            let both_fit = values::fit(means, *shape) && values::fit(squares, *shape);
            both_fit && squares.iter().all(|mean| *mean >= 0.0)
        };
        let is_whole = self.updates > 0 && self.means.len() == shapes.len();
        is_whole && self.means.iter().zip(shapes).all(fit)
    }

    /// By tensor, what an optimizer has that remembers this; it has to fit.
    fn states(&self, shapes: &[[usize; 2]], device: &Device) -> Vec<Option<AdamWState<2>>> {
        let time = self.updates as usize;
        let state = |(means, shape): (&[Vec<f32>; 2], &[usize; 2])| {
            let [first, second] = means.clone().map(|mean| values::load(mean, *shape, device));
            Some(AdamWState::new(AdaptiveMomentumState::new(
                time, first, second,
            )))
        };
        self.means.iter().zip(shapes).map(state).collect()
    }
}

/// An optimizer at work on a network; by tensor, what it remembers.
pub(super) enum Descent {
    /// Velocities. Burn's `Sgd` computes the same and does not show them.
    Momentum(Vec<Option<Tensor<2>>>),
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
            Optimizer::Momentum => Self::Momentum(vec![None; shapes.len()]),
            Optimizer::AdamW => {
                let adam = AdamWConfig::new()
                    .with_beta_2(0.99)
                    .with_epsilon(1e-8)
                    .with_weight_decay(0.0)
                    .build();
                let states = match memory.filter(|memory| memory.fits(&shapes)) {
                    None => vec![None; shapes.len()],
                    Some(memory) => memory.states(&shapes, device),
                };
                Self::AdamW(adam, states)
            }
        }
    }

    /// The optimizer for `network` that had this state; `None` if no such optimizer can have it.
    pub fn restored(
        optimizer: Optimizer,
        network: &Network,
        state: &OptimizerState,
        device: &Device,
    ) -> Option<Self> {
        let shapes = network.shapes();
        match (optimizer, state) {
            (Optimizer::Momentum, OptimizerState::Momentum(velocities)) => {
                let all = || velocities.iter().zip(&shapes);
                let fit = velocities.len() == shapes.len()
                    && all().all(|(velocity, shape)| values::fit(velocity, *shape));
                let velocity = |(velocity, shape): (&Vec<f32>, &[usize; 2])| {
                    Some(values::load(velocity.clone(), *shape, device))
                };
                fit.then(|| Self::Momentum(all().map(velocity).collect()))
            }
            (Optimizer::AdamW, OptimizerState::AdamW(memory)) => memory
                .fits(&shapes)
                .then(|| Self::new(optimizer, network, Some(memory), device)),
            _ => None,
        }
    }

    /// Updates that AdamW has made, in this training and in those that it remembers; 0 with momentum, whose rate does not
    /// depend on it.
    pub fn updates(&self) -> usize {
        match self {
            Self::Momentum(_) => 0,
            Self::AdamW(_, states) => time(states),
        }
    }

    /// The network after one update.
    pub fn step(&mut self, rate: f64, network: Network, gradients: GradientsParams) -> Network {
        network.updated(gradients, |at, master, gradient| match self {
            Self::Momentum(velocities) => {
                let velocity = match velocities[at].take() {
                    None => gradient,
                    Some(velocity) => gradient + velocity.mul_scalar(MOMENTUM),
                };
                velocities[at] = Some(velocity.clone());
                master - velocity.mul_scalar(rate)
            }
            Self::AdamW(adam, states) => {
                let gradient = GradientClipping::Norm(MOST_GRADIENT).clip_gradient(gradient);
                let (master, state) = adam.step(rate, master, gradient, states[at].take());
                states[at] = state;
                master
            }
        })
    }

    /// What it remembers, if that is worth keeping for the next training.
    ///
    /// # Errors
    /// A device whose values cannot be read back; a value that is no number.
    pub fn memory(&self) -> Result<Option<Memory>, TrainingError> {
        match self {
            Self::Momentum(_) => Ok(None),
            Self::AdamW(_, states) => Memory::of(states),
        }
    }

    /// All that it remembers; nothing before the first update.
    ///
    /// # Errors
    /// As [`Descent::memory`].
    pub fn state(&self) -> Result<Option<OptimizerState>, TrainingError> {
        match self {
            Self::Momentum(velocities) => {
                let velocities = velocities.iter().flatten().map(values::read);
                let read: Vec<_> = velocities.collect::<Result<_, _>>()?;
                Ok((!read.is_empty()).then_some(OptimizerState::Momentum(read)))
            }
            Self::AdamW(_, states) => Ok(Memory::of(states)?.map(OptimizerState::AdamW)),
        }
    }
}

/// Updates that AdamW has made; every tensor has a gradient in every update.
fn time(states: &[Option<AdamWState<2>>]) -> usize {
    let times = states.iter().flatten().map(|state| state.momentum.time);
    times.max().unwrap_or(0)
}
