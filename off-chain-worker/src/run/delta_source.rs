//! Where a contributor's changes come from.

use super::training_job::Seed;
use crate::training::{data::Labelled, TrainingOptions};
use burn::tensor::Device;
use codec::Encode;
use gotong_scoring::blake2_256;
use std::{sync::Arc, time::Duration};

/// Where a contributor's changes come from.
#[derive(Clone)]
pub enum DeltaSource {
    /// Trained from the round's weights, round after round.
    Train(Training),
    /// Weights trained elsewhere, submitted in one round.
    Weights(Arc<OwnWeights>),
}

/// Weights that were trained elsewhere.
#[derive(Encode)]
pub struct OwnWeights {
    /// What was made of `base`: master weights, in the order of the parameters.
    pub trained: Vec<i16>,
    /// What they were trained from; if it is not given, the weights of the round that they are submitted in.
    pub base: Option<Vec<i16>>,
}

impl DeltaSource {
    pub(super) fn is_honest_training(&self) -> bool {
        matches!(self, Self::Train(training) if training.strategy == Strategy::Honest)
    }

    /// The file of the engine's state. Every file of weights has its own: what is committed and revealed is what
    /// was given, whatever the account submitted before.
    pub(super) fn state_name(&self) -> String {
        match self {
            Self::Train(_) => "contributor".into(),
            Self::Weights(weights) => {
                let digest = blake2_256(&[&weights.encode()]);
                format!("submission-{}", hex::encode(&digest[..8]))
            }
        }
    }
}

/// How to train.
#[derive(Clone)]
pub struct Training {
    /// What to train on.
    pub data: Arc<Labelled>,
    /// Steps, batches and learning rate.
    pub options: TrainingOptions,
    /// What orders the samples.
    pub seed: Seed,
    /// Where to train.
    pub device: Device,
    /// The time from one checkpoint of a training to the next, at least; after every update if it is zero.
    pub checkpoint_every: Duration,
    /// What to submit.
    pub strategy: Strategy,
}

/// What a contributor makes of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategy {
    /// Submits what it learned.
    #[default]
    Honest,
    /// Submits the same values in random places: an adversary, for demonstrations.
    Noise,
}
