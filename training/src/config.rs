//! How to train.

use gotong_scoring::Graph;

use super::{Optimizer, Rounding};

/// The part of a task's updates in which [`Optimizer::Muon`] warms up, while its means are over few gradients; at most one round.
/// With a tenth, the whole first round of a task of ten would be slow: in the emulation that [`usual_keep_permille`] describes,
/// 2.507 bits became 2.495 with this and 450 thousandths kept.
///
/// [`usual_keep_permille`]: super::usual_keep_permille
const WARM_UP: f64 = 0.02;

/// How long to train in one round, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Updates of the weights.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// Learning rate at the beginning of a task, after the warm-up. It falls linearly to zero: over the task with
    /// [`Optimizer::Muon`], over this training with [`Optimizer::Momentum`].
    pub learning_rate: f64,
    /// Which part of the task this training is.
    pub span: Span,
    /// How a gradient becomes an update.
    pub optimizer: Optimizer,
    /// What happens to values that the machine rounds.
    pub rounding: Rounding,
    /// Seed that orders the samples.
    pub seed: u64,
}

/// Which part of a task a training is: 0 is its beginning and 1 its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where the training begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

impl Span {
    /// A whole task in one training.
    pub const WHOLE: Self = Self {
        start: 0.0,
        end: 1.0,
    };

    /// The part of a task that round number `round`, counted from 0, is, if the task can have `rounds` rounds.
    pub fn of_round(round: u32, rounds: u32) -> Self {
        let part = |round: u32| (f64::from(round) / f64::from(rounds.max(1))).min(1.0);
        Self {
            start: part(round),
            end: part(round.saturating_add(1)),
        }
    }
}

impl TrainingConfig {
    /// The configuration that suits a graph: [`Optimizer::Muon`] if it begins with an embedding. Its rate comes from the same
    /// emulation: three contributors reached 2.495 bits at 0.004 and 2.442 at 0.006, and a single process reached 2.225 and 2.199
    /// with the demo's model.
    pub fn of(graph: &Graph) -> Self {
        match graph.vocab() {
            None => Self::default(),
            Some(_) => Self {
                steps: 400,
                batch: 8,
                learning_rate: 0.006,
                span: Span::WHOLE,
                optimizer: Optimizer::Muon,
                rounding: Rounding::ClampsOnly,
                seed: 0,
            },
        }
    }

    /// Learning rate of update number `step` of `of`. `updates` counts all that the optimizer has made, those of earlier trainings
    /// included.
    ///
    /// With Muon it falls over the whole task. With momentum it falls over every training: in one run of the demo each, two rounds
    /// of ten merged nothing if it fell over the task, and one round if it falls over every training.
    pub(super) fn rate(&self, step: usize, updates: usize, of: usize) -> f64 {
        let trained = step as f64 / of as f64;
        let left = match self.optimizer {
            Optimizer::Momentum => 1.0 - trained,
            Optimizer::Muon => {
                let Span { start, end } = self.span;
                let of_task = self.steps as f64 / (end - start).max(f64::MIN_POSITIVE);
                let warm_up = (WARM_UP * of_task).min(of as f64);
                let warm = ((updates + 1) as f64 / warm_up).min(1.0);
                warm * (1.0 - start - (end - start) * trained)
            }
        };
        self.learning_rate * left
    }
}

/// What the user asks of a training; everything else defaults to what suits the graph.
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
    /// The training of `graph` that this asks for, as this part of a task and with the order that `seed` draws.
    pub fn config(&self, graph: &Graph, span: Span, seed: u64) -> TrainingConfig {
        let suited = TrainingConfig::of(graph);
        TrainingConfig {
            steps: self.steps.unwrap_or(suited.steps),
            batch: self.batch.unwrap_or(suited.batch),
            learning_rate: self.learning_rate.unwrap_or(suited.learning_rate),
            span,
            seed,
            ..suited
        }
    }
}

impl Default for TrainingConfig {
    /// These values were chosen on Fashion-MNIST with the MLP 784-128-10.
    fn default() -> Self {
        Self {
            steps: 600,
            batch: 64,
            learning_rate: 0.12,
            span: Span::WHOLE,
            optimizer: Optimizer::Momentum,
            rounding: Rounding::AsMachine,
            seed: 0,
        }
    }
}
