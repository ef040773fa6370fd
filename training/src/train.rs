//! One round of local training.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::{
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use gotong_scoring::Graph;

use super::{
    batch::{Batch, Batches},
    checkpoint::{Checkpoint, CheckpointSink, Checkpointing},
    cores::Cores,
    data::Labelled,
    deadline::{Deadline, Watch},
    model::Network,
    optimizer::Descent,
    Memory, TrainingConfig, UntrainableGraph,
};

/// Progress of a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Updates done.
    pub step: usize,
    /// Updates to do.
    pub of: usize,
    /// Loss of the last batch, in bits; none if the training continues from a checkpoint and has made no update yet.
    pub loss: Option<f32>,
}

/// Why a training failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainingError {
    /// The graph cannot be trained.
    #[error(transparent)]
    Graph(#[from] UntrainableGraph),
    /// There is nothing to learn from, or no update was asked for.
    #[error("training needs at least one sample and a batch of at least one")]
    Empty,
    /// Samples or labels have a different shape than the graph's.
    #[error("the model needs samples of {inputs} bytes in {classes} classes; these are different")]
    WrongData {
        /// Bytes of a sample.
        inputs: u32,
        /// Classes of its labels.
        classes: u32,
    },
    /// Told to stop.
    #[error("training was stopped")]
    Stopped,
    /// A loss or a weight is not a number.
    #[error("training diverged; choose a lower learning rate")]
    Diverged,
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

/// What a training starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The model.
    pub graph: &'a Graph,
    /// Its master weights, in the machine's order.
    pub master: &'a [i16],
    /// What the optimizer remembers of earlier trainings of the same model. A memory of another model counts as none.
    pub memory: Option<&'a Memory>,
    /// How far the same training came before it was interrupted. A checkpoint that is damaged, or from another training, counts as
    /// none; data and seed are not checked.
    pub checkpoint: Option<&'a Checkpoint>,
}

/// What watches and controls a training.
pub struct Supervisor<'a> {
    /// Is told how far the training is.
    pub progress: &'a mut dyn FnMut(Step),
    /// Keeps checkpoints, if they are wanted.
    pub checkpoints: Option<CheckpointSink<'a>>,
    /// Stops the training once this is set.
    pub stop: &'a AtomicBool,
    /// When the training has to be over: it makes fewer updates if not all fit.
    pub deadline: Option<&'a Deadline>,
    /// How many updates it makes at most if the deadline leaves time for more than [`TrainingConfig::steps`]. If not given, it never
    /// makes more.
    pub most_steps: Option<usize>,
}

/// What a training gives.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The change of every parameter in w16 units, in the machine's order: trained minus original.
    pub change: Vec<i32>,
    /// What the next training may start from, if that is worth keeping.
    pub memory: Option<Memory>,
}

/// What every update changes.
pub(super) struct TrainingState {
    /// Updates made in this training.
    pub step: usize,
    /// Updates to make in this training, if they fit.
    pub of: usize,
    pub network: Network,
    pub descent: Descent,
}

impl TrainingState {
    /// The state before the first update, or where the checkpoint was taken.
    fn begin(
        start: &Start,
        config: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        let network =
            Network::new(start.graph, start.master, device)?.with_rounding(config.rounding);
        if let Some(checkpoint) = start.checkpoint {
            if let Some(state) = checkpoint.restored(&network, config, device) {
                tracing::info!("resuming at update {} of {}", state.step, state.of);
                return Ok(state);
            }
            tracing::warn!(
                "training from the beginning: the checkpoint is damaged, or belongs to another training"
            );
        }
        Ok(Self {
            step: 0,
            of: config.steps,
            descent: Descent::new(config.optimizer, &network, start.memory, device),
            network,
        })
    }

    /// The state after one more update.
    fn updated(self, rate: f64, gradients: GradientsParams) -> Self {
        let mut descent = self.descent;
        Self {
            step: self.step + 1,
            of: self.of,
            network: descent.step(rate, self.network, gradients).bounded(),
            descent,
        }
    }
}

/// A training decides whether to make more updates than usual once it has made one in this many of the usual number: by then, its
/// speed is known well. In the second half of them it is too late, because the learning rate has fallen far already.
const GROWS_AFTER: usize = 10;
/// Steps between two reports of progress; reading a loss back waits for the device.
const REPORT_EVERY: usize = 10;

/// Trains from `master` with an optimizer that remembers nothing, and returns the change: see [`train_from`].
///
/// # Errors
/// See [`train_from`].
pub fn train(
    graph: &Graph,
    master: &[i16],
    data: &Labelled,
    config: &TrainingConfig,
    device: &Device,
    progress: &mut dyn FnMut(Step),
    stop: &AtomicBool,
) -> Result<Vec<i32>, TrainingError> {
    let start = Start {
        graph,
        master,
        memory: None,
        checkpoint: None,
    };
    let supervisor = Supervisor {
        progress,
        checkpoints: None,
        stop,
        deadline: None,
        most_steps: None,
    };
    train_from(start, data, config, device, supervisor).map(|trained| trained.change)
}

/// Trains for as long as `config` says, or as the deadline allows.
///
/// Every update takes a shuffled batch of `data`, at most three quarters of it, so that the seed matters however few samples there
/// are. In a language model every token is a label. The same seed and memory give the same change on the same device with the same
/// number of cores, whether or not the training was interrupted, if the deadline did not change the number of updates.
///
/// # Errors
/// A graph, weights or data that do not fit together; it was stopped; the training diverged; the device failed.
pub fn train_from(
    start: Start,
    data: &Labelled,
    config: &TrainingConfig,
    device: &Device,
    supervisor: Supervisor,
) -> Result<Trained, TrainingError> {
    let Start { graph, master, .. } = start;
    let Supervisor {
        progress,
        checkpoints,
        stop,
        deadline,
        most_steps,
    } = supervisor;
    let mut state = TrainingState::begin(&start, config, device)?;
    check(graph, data)?;
    if config.batch == 0 {
        return Err(TrainingError::Empty);
    }
    let mut batches = Batches::new(data, config);
    let cores = Cores::of(device, batches.size)?;
    let mut report = |step: usize, of: usize, loss: Option<f32>| {
        progress(Step { step, of, loss });
    };
    if state.step > 0 {
        batches.skip(state.step);
        report(state.step, state.of, None);
    }
    // A training that was interrupted may have grown already.
    let (asked, mut of) = (config.steps, state.of);
    let mut most_steps = most_steps.filter(|_| state.of == asked);
    let (mut watch, mut is_told) = (Watch::new(deadline), false);
    let mut checkpoints = checkpoints.map(Checkpointing::new);
    while state.step < of {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainingError::Stopped);
        }
        let (loss, gradients) = cores.gradients(&state.network, batches.next(), |chosen| {
            Batch::of(graph, data, chosen, device)
        });
        let rate = config.rate(state.step, state.descent.updates(), of);
        state = state.updated(rate, gradients);
        if (asked / GROWS_AFTER..=asked / 2).contains(&state.step) {
            let grown = most_steps.and_then(|most| watch.grown(state.step, asked, most));
            if let Some(grown) = grown {
                (state.of, most_steps) = (grown, None);
                if grown > asked {
                    tracing::info!(
                        "the Commit window leaves time for {grown} updates instead of {asked}"
                    );
                }
            }
        }
        of = watch.fitting(state.step, asked, state.of);
        if of < asked && !is_told {
            is_told = true;
            tracing::warn!("only about {of} of {asked} updates fit into the Commit window");
        }
        let is_last = state.step >= of;
        if is_last || state.step % REPORT_EVERY == 0 {
            report(state.step, of, Some(bits(loss)?));
        }
        if let Some(checkpoints) = checkpoints.as_mut().filter(|_| !is_last) {
            checkpoints.take_if_due(&state, device)?;
        }
    }
    if state.step < asked {
        tracing::warn!(
            "{} of {asked} updates were made: no more fit into the Commit window",
            state.step
        );
    }
    let trained = state.network.master()?;
    let change = |(&after, &before): (&i16, &i16)| i32::from(after) - i32::from(before);
    Ok(Trained {
        change: trained.iter().zip(master).map(change).collect(),
        memory: state.descent.memory()?,
    })
}

/// Mean loss of `data` in bits, by the network that is trained: in floats, rounded as the machine does. For a language model it is
/// the mean over all tokens.
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

#[cfg(test)]
mod tests;
