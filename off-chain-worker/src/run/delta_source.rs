//! Where a contributor's changes come from.

use super::{
    own_samples::{self, Kept},
    training_job::Seed,
};
use codec::Encode;
use gotong_data::{Recipe, RecipeError, Source, SourceOptions};
use gotong_scoring::{blake2_256, Graph};
use gotong_training::{
    data::{shuffle, DataError, DataSet, Labelled, Part, Use},
    usual_keep_permille, TestedDevice, TrainingConfig, TrainingOptions,
};
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
    /// The result of training from `base`: master weights, in the order of the parameters.
    pub trained: Vec<i16>,
    /// The weights that they were trained from. If not given, the weights of the round in which they are submitted.
    pub base: Option<Vec<i16>>,
}

impl DeltaSource {
    pub(super) fn is_honest_training(&self) -> bool {
        matches!(self, Self::Train(training) if training.strategy == Strategy::Honest)
    }

    /// The same, with a batch size that `size` makes from the original one.
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

    /// The file of the engine's state. Each file of weights has its own, so the given weights are what is committed and revealed,
    /// whatever the account submitted before.
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
    pub device: TestedDevice,
    /// The minimum time between two checkpoints of a training run. With zero, there is one after every update.
    pub checkpoint_every: Duration,
    /// What to submit.
    pub strategy: Strategy,
}

/// How to train, whatever the task.
#[derive(Clone)]
pub struct TrainingPlan {
    /// What to train on.
    pub samples: SampleSource,
    /// The part of it to train on.
    pub part: Part,
    /// Parameters to keep in a delta, in thousandths. If not given, a value that suits the task's model.
    pub keep_permille: Option<u32>,
    /// [`Training::options`].
    pub options: TrainingOptions,
    /// [`Training::seed`].
    pub seed: Seed,
    /// [`Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// [`Training::strategy`].
    pub strategy: Strategy,
}

/// Where a contributor's samples come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleSource {
    /// A published data set.
    Published {
        /// The folder of data sets.
        folder: PathBuf,
        /// The only data set to train on. If not given, the one that the task is made for.
        set: Option<DataSet>,
    },
    /// The user's own files, all of one format, which the task's recipe turns into samples. They never leave the machine.
    Own {
        /// The files.
        files: Vec<PathBuf>,
        /// How to read them.
        options: SourceOptions,
    },
}

/// Why there is nothing to train on for a task.
#[derive(Debug, thiserror::Error)]
pub enum TrainingDataError {
    /// The user's own files cannot be used without a recipe.
    #[error("the task has no recipe to turn your files into its samples: leave out --train")]
    NoRecipe,
    /// The task is not about a published data set.
    #[error(
        "the task is about its sponsor's own kind of data, not a published data set: train on your own files (--train FILE); \
         `gotong task recipe` shows what they have to look like"
    )]
    OwnData,
    /// The recipe of the chosen data set differs from the task's.
    #[error("the task is not about the data set {0}, which has a different recipe. Leave out --data, or choose another task")]
    OtherData(DataSet),
    /// More samples than there is memory for.
    #[error(
        "the samples take at least {} MiB of memory, but only {} MiB may be used here: train on a smaller file, or on a part \
         of it, such as --part 1/{parts}",
        .needs.div_ceil(1 << 20), .most >> 20
    )]
    TooLarge {
        /// Bytes that they take, or that the ones read so far take.
        needs: u64,
        /// Bytes that they may take.
        most: u64,
        /// The number of parts into which to divide them so that each may fit, as far as the size is known.
        parts: u64,
    },
    /// A part of too few samples.
    #[error(
        "part {part} has no samples: there are only {samples} in all. Use fewer parts (--part)"
    )]
    EmptyPart {
        /// The part.
        part: Part,
        /// The samples of all parts.
        samples: u64,
    },
    /// The thread that read the data panicked, or could not be started.
    #[error("the data could not be read: the thread that reads it ended early")]
    Aborted,
    /// The task's recipe is not valid.
    #[error("the task's recipe cannot be used: {0}")]
    Recipe(#[from] RecipeError),
    /// A published data set cannot be read.
    #[error(transparent)]
    Published(#[from] DataError),
    /// The user's own files cannot be used.
    #[error(transparent)]
    Own(#[from] gotong_data::DataError),
}

impl SampleSource {
    /// The recipe that makes samples for a task with this model and this recipe: its own recipe, or that of the data set that its
    /// model is made for.
    ///
    /// # Errors
    /// Fails if there is no data for this task here.
    pub fn recipe(
        &self,
        graph: &Graph,
        task: Option<&Recipe>,
    ) -> Result<Recipe, TrainingDataError> {
        let recipe = match (self, task) {
            (Self::Own { .. }, None) => return Err(TrainingDataError::NoRecipe),
            (Self::Own { .. }, Some(recipe)) => recipe.clone(),
            (Self::Published { set, .. }, None) => DataSet::choose(*set, graph)?.recipe()?,
            (Self::Published { set, .. }, Some(recipe)) => match (set, DataSet::made_by(recipe)) {
                (Some(set), found) if found != Some(*set) => {
                    return Err(TrainingDataError::OtherData(*set))
                }
                (_, None) => return Err(TrainingDataError::OwnData),
                (_, Some(_)) => recipe.clone(),
            },
        };
        recipe.check(graph)?;
        Ok(recipe)
    }

    /// The part of the samples that `recipe`, from [`Self::recipe`], makes for this model, in at most `most_bytes`.
    ///
    /// # Errors
    /// Files that cannot be read, or that the recipe cannot make samples of; a part that is too large or empty.
    pub(super) fn load(
        &self,
        graph: &Graph,
        recipe: &Recipe,
        part: Part,
        most_bytes: u64,
    ) -> Result<Labelled, TrainingDataError> {
        let kept = Kept { part, most_bytes };
        match self {
            Self::Published { folder, .. } => {
                let set = DataSet::made_by(recipe).ok_or(TrainingDataError::OwnData)?;
                let mut data = set.load(folder, Use::Training, graph)?;
                part.keep(&mut data);
                kept.check(data.len() as u64, data.inputs)?;
                Ok(data)
            }
            Self::Own { files, options } => {
                let tokens = graph.vocab().map(|_| graph.inputs as usize);
                let source = Source::open(files, options.clone())?;
                let mut data = own_samples::load(&source, recipe, tokens, kept)?;
                if tokens.is_none() {
                    shuffle(&mut data);
                }
                Ok(data)
            }
        }
    }
}

impl TrainingPlan {
    /// Reads the data for a task with this model, as `recipe`, from [`SampleSource::recipe`], makes it, in at most
    /// `most_bytes`.
    ///
    /// # Errors
    /// Files that cannot be read, or that the recipe cannot make samples of; a part that is too large or empty.
    pub fn data(
        &self,
        graph: &Graph,
        recipe: &Recipe,
        most_bytes: u64,
    ) -> Result<Arc<Labelled>, TrainingDataError> {
        let data = self.samples.load(graph, recipe, self.part, most_bytes)?;
        Ok(Arc::new(data))
    }

    /// The trainings on this data and this device.
    pub fn training(&self, data: Arc<Labelled>, device: TestedDevice) -> Training {
        Training {
            data,
            options: self.options.clone(),
            seed: self.seed,
            device,
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

/// What a contributor does with the result of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategy {
    /// Submits what it learned.
    #[default]
    Honest,
    /// Submits what it learned with the values in random places: an adversary, for demonstrations.
    Noise,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CSV: &str = "petal,species\n1.0,setosa\n1.5,setosa\n4.0,iris\n6.0,iris\n";

    fn own(folder: &std::path::Path) -> (SampleSource, Recipe) {
        let file = folder.join("flowers.csv");
        fs::write(&file, CSV).unwrap();
        let options = SourceOptions {
            label: Some("species".into()),
            ..SourceOptions::default()
        };
        let source = Source::open(std::slice::from_ref(&file), options.clone()).unwrap();
        let recipe = gotong_data::learn(&source, |_| true, &Default::default()).unwrap();
        let files = vec![file.clone(), file];
        (SampleSource::Own { files, options }, recipe)
    }

    #[test]
    fn own_files_become_samples_by_the_tasks_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let (source, recipe) = own(folder.path());
        let graph = Graph::mlp(&[1, 2]);
        assert_eq!(source.recipe(&graph, Some(&recipe)).unwrap(), recipe);
        let data = source.load(&graph, &recipe, Part::WHOLE, u64::MAX).unwrap();
        let mut samples: Vec<_> = data.pixels.iter().zip(&data.labels).collect();
        samples.sort_unstable();
        let one = [(&0, &1), (&26, &1), (&153, &0), (&255, &0)];
        assert_eq!(samples, one.map(|sample| [sample; 2]).concat());
        let without = source.recipe(&graph, None);
        assert!(matches!(without, Err(TrainingDataError::NoRecipe)));
        let misfit = source.recipe(&Graph::mlp(&[2, 2]), Some(&recipe));
        assert!(matches!(misfit, Err(TrainingDataError::Own(_))));
    }

    #[test]
    fn a_published_set_is_not_taken_for_somebody_elses_data() {
        let folder = tempfile::tempdir().unwrap();
        let (_, own) = own(folder.path());
        let published = |set| SampleSource::Published {
            folder: folder.path().to_owned(),
            set,
        };
        let clothes = DataSet::FashionMnist.recipe().unwrap();
        let graph = Graph::mlp(&[784, 10]);
        for set in [None, Some(DataSet::FashionMnist)] {
            for task in [None, Some(&clothes)] {
                assert_eq!(published(set).recipe(&graph, task).unwrap(), clothes);
            }
        }
        let refused = published(None).recipe(&Graph::mlp(&[1, 2]), Some(&own));
        assert!(matches!(refused, Err(TrainingDataError::OwnData)));
        let other = published(Some(DataSet::Shakespeare)).recipe(&graph, Some(&clothes));
        assert!(matches!(other, Err(TrainingDataError::OtherData(_))));
    }
}
