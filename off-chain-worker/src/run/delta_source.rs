//! Where a contributor's changes come from.

use super::training_job::Seed;
use crate::training::{
    data::{DataError, DataSet, Labelled, Part, Use},
    usual_keep_permille, TrainingConfig, TrainingOptions,
};
use burn::tensor::Device;
use codec::Encode;
use gotong_scoring::{blake2_256, Graph};
use std::{path::PathBuf, sync::Arc, time::Duration};

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

    /// The same with batches of `size` of as many samples as they would have.
    pub(super) fn with_batch(self, graph: &Graph, size: impl FnOnce(usize) -> usize) -> Self {
        match self {
            Self::Train(mut training) => {
                let batch = training.options.batch;
                let batch = batch.unwrap_or_else(|| TrainingConfig::of(graph).batch);
                training.options.batch = Some(size(batch));
                Self::Train(training)
            }
            Self::Weights(own) => Self::Weights(own),
        }
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

/// How to train, whatever the task.
#[derive(Clone)]
pub struct TrainingPlan {
    /// The folder of data sets.
    pub folder: PathBuf,
    /// The only data set to train on; else what fits the task's model.
    pub set: Option<DataSet>,
    /// The part of it to train on.
    pub part: Part,
    /// Parameters to keep in a delta, in thousandths; else what suits the task's model.
    pub keep_permille: Option<u32>,
    /// [`Training::options`].
    pub options: TrainingOptions,
    /// [`Training::seed`].
    pub seed: Seed,
    /// [`Training::device`].
    pub device: Device,
    /// [`Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// [`Training::strategy`].
    pub strategy: Strategy,
}

impl TrainingPlan {
    /// Reads the data for a task with this model.
    ///
    /// # Errors
    /// No data set fits the model, or it cannot be read.
    pub fn data(&self, graph: &Graph) -> Result<Arc<Labelled>, DataError> {
        let set = DataSet::choose(self.set, graph)?;
        let data = set.load(&self.folder, Use::Training, graph)?;
        Ok(Arc::new(data.chosen(self.part)))
    }

    /// The trainings on this data.
    pub fn training(&self, data: Arc<Labelled>) -> Training {
        Training {
            data,
            options: self.options.clone(),
            seed: self.seed,
            device: self.device.clone(),
            checkpoint_every: self.checkpoint_every,
            strategy: self.strategy,
        }
    }

    /// Parameters to keep in a delta for a task with this model, in thousandths.
    pub fn keep_permille(&self, graph: &Graph) -> u32 {
        self.keep_permille
            .unwrap_or_else(|| usual_keep_permille(graph))
    }
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
