//! How a gradient becomes an update, and what is remembered of gradients from one training to the next.

use burn::{
    grad_clipping::GradientClipping,
    optim::{
        momentum::MomentumConfig, AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState,
        AdjustLrFn, GradientsParams, Muon, MuonConfig, Optimizer as _,
    },
    tensor::{Device, Tensor},
};
use codec::{Decode, Encode};

use super::{model::Network, values, TrainingError};

/// How a gradient becomes an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum 0.9. What it remembers fades within a few dozen updates, so it is not kept from
    /// one training to the next.
    Momentum,
    /// Muon for the weights between the hidden layers (Jordan, <https://kellerjordan.github.io/posts/muon>), which makes all
    /// singular values of an update equal; its rate is scaled so that it suits AdamW too (Liu et al., arXiv:2502.16982). AdamW for
    /// everything else (Loshchilov and Hutter, arXiv:1711.05101). Both after a short warm-up, and with clipped gradients.
    Muon,
}

/// What an optimizer remembers of the gradients that it has seen. Within a task it is kept from round to round if that helps: the
/// means of 80 gradients are worse than those of 800.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Memory {
    /// Number of updates that it has made.
    pub(super) updates: u32,
    /// What it remembers by tensor, in the network's order.
    pub(super) tensors: Vec<Moments>,
}

/// What is remembered of the gradients of one tensor, in its real units.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(super) enum Moments {
    /// Their sum, in which the older ones fade.
    Velocity(Vec<f32>),
    /// Their mean, and that of their squares.
    Means([Vec<f32>; 2]),
}

/// How much of its velocity a tensor keeps from one update to the next.
const MOMENTUM: f32 = 0.9;
/// The largest L2 norm of one tensor's gradient; longer ones are scaled down.
const MOST_GRADIENT: f32 = 1.0;
/// Newton-Schulz iterations. Five are usual; a small language model reached 2.82 bits with five and 2.83 with three.
const ITERATIONS: usize = 3;

impl Memory {
    /// Whether an optimizer with tensors of these rules and shapes can have this memory.
    fn fits(&self, rules: &[Rule], shapes: &[[usize; 2]]) -> bool {
        let tensors = || self.tensors.iter().zip(rules.iter().zip(shapes));
        let fit = |(moments, (rule, shape)): (&Moments, (&Rule, &[usize; 2]))| match (rule, moments)
        {
            (Rule::Momentum | Rule::Muon, Moments::Velocity(velocity)) => {
                values::fit(velocity, *shape)
            }
            (Rule::AdamW, Moments::Means([means, squares])) => {
                let both_fit = values::fit(means, *shape) && values::fit(squares, *shape);
                both_fit && squares.iter().all(|mean| *mean >= 0.0)
            }
            _ => false,
        };
        self.updates > 0 && self.tensors.len() == shapes.len() && tensors().all(fit)
    }
}

/// How one tensor is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Momentum,
    Muon,
    AdamW,
}

/// What is remembered of one tensor's gradients. Burn's `Sgd` and `Muon` remember the same but do not expose it.
#[expect(clippy::large_enum_variant, reason = "a model has a few dozens")]
enum State {
    Velocity(Tensor<2>),
    Means(AdamWState<2>),
}

/// An optimizer at work on a network.
pub(super) struct Descent {
    optimizer: Optimizer,
    muon: Muon,
    adam: AdamW,
    /// The rules, by tensor.
    rules: Vec<Rule>,
    /// The states, by tensor; none before its first update.
    states: Vec<Option<State>>,
    updates: usize,
}

impl Descent {
    /// An optimizer for `network`. A memory from another network counts as none.
    pub fn new(
        optimizer: Optimizer,
        network: &Network,
        memory: Option<&Memory>,
        device: &Device,
    ) -> Self {
        let restored = memory.and_then(|memory| Self::restored(optimizer, network, memory, device));
        restored.unwrap_or_else(|| Self::fresh(optimizer, network))
    }

    /// The optimizer for `network` that remembers this; `None` if no such optimizer can.
    pub fn restored(
        optimizer: Optimizer,
        network: &Network,
        memory: &Memory,
        device: &Device,
    ) -> Option<Self> {
        let (fresh, shapes) = (Self::fresh(optimizer, network), network.shapes());
        if !memory.fits(&fresh.rules, &shapes) {
            return None;
        }
        let updates = memory.updates as usize;
        let state = |(moments, shape): (&Moments, &[usize; 2])| {
            let load = |values: &Vec<f32>| values::load(values.clone(), *shape, device);
            Some(match moments {
                Moments::Velocity(velocity) => State::Velocity(load(velocity)),
                Moments::Means([means, squares]) => State::Means(AdamWState::new(
                    AdaptiveMomentumState::new(updates, load(means), load(squares)),
                )),
            })
        };
        Some(Self {
            states: memory.tensors.iter().zip(&shapes).map(state).collect(),
            updates,
            ..fresh
        })
    }

    /// An optimizer that has seen no gradient.
    fn fresh(optimizer: Optimizer, network: &Network) -> Self {
        let rule = |is_hidden: bool| match (optimizer, is_hidden) {
            (Optimizer::Momentum, _) => Rule::Momentum,
            (Optimizer::Muon, true) => Rule::Muon,
            (Optimizer::Muon, false) => Rule::AdamW,
        };
        let rules: Vec<Rule> = network.hidden_weights().into_iter().map(rule).collect();
        // The velocity is kept here.
        let none = MomentumConfig {
            momentum: 0.0,
            dampening: 0.0,
            nesterov: false,
        };
        Self {
            optimizer,
            muon: MuonConfig::new()
                .with_momentum(none)
                .with_ns_steps(ITERATIONS)
                .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
                .build(),
            adam: AdamWConfig::new()
                .with_beta_2(0.99)
                .with_epsilon(1e-8)
                .with_weight_decay(0.0)
                .build(),
            states: rules.iter().map(|_| None).collect(),
            rules,
            updates: 0,
        }
    }

    /// Number of updates that it has made, in this training and in those that it remembers.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// The network after one update.
    pub fn step(&mut self, rate: f64, network: Network, gradients: GradientsParams) -> Network {
        self.updates += 1;
        let Self {
            rules,
            muon,
            adam,
            states,
            ..
        } = self;
        network.updated(gradients, states, |at, state, master, gradient| {
            let clipped = |gradient| GradientClipping::Norm(MOST_GRADIENT).clip_gradient(gradient);
            let before = state.take();
            let faster = |gradient: Tensor<2>| match &before {
                Some(State::Velocity(velocity)) => gradient + velocity.clone().mul_scalar(MOMENTUM),
                _ => gradient,
            };
            match rules[at] {
                Rule::Momentum => {
                    let velocity = faster(gradient);
                    *state = Some(State::Velocity(velocity.clone()));
                    master - velocity.mul_scalar(rate)
                }
                Rule::Muon => {
                    let gradient = clipped(gradient);
                    let velocity = faster(gradient.clone());
                    *state = Some(State::Velocity(velocity.clone()));
                    // Nesterov's look ahead.
                    let ahead = gradient + velocity.mul_scalar(MOMENTUM);
                    muon.step(rate, master, ahead, None).0
                }
                Rule::AdamW => {
                    let means = match before {
                        Some(State::Means(means)) => Some(means),
                        _ => None,
                    };
                    let (updated, means) = adam.step(rate, master, clipped(gradient), means);
                    *state = means.map(State::Means);
                    updated
                }
            }
        })
    }

    /// What it remembers, if that is worth keeping for the next training.
    ///
    /// # Errors
    /// A device whose values cannot be read back; a value that is not a number.
    pub fn memory(&self) -> Result<Option<Memory>, TrainingError> {
        match self.optimizer {
            Optimizer::Momentum => Ok(None),
            Optimizer::Muon => self.state(),
        }
    }

    /// All that it remembers; nothing before the first update.
    ///
    /// # Errors
    /// See [`Descent::memory`].
    pub fn state(&self) -> Result<Option<Memory>, TrainingError> {
        let mut tensors = Vec::with_capacity(self.states.len());
        for state in &self.states {
            tensors.push(match state {
                None => return Ok(None),
                Some(State::Velocity(velocity)) => Moments::Velocity(values::read(velocity)?),
                Some(State::Means(means)) => Moments::Means([
                    values::read(&means.momentum.moment_1)?,
                    values::read(&means.momentum.moment_2)?,
                ]),
            });
        }
        Ok(Some(Memory {
            updates: self.updates.try_into().unwrap_or(u32::MAX),
            tensors,
        }))
    }
}
