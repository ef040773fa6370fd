//! One training, from the weights of a round to a delta.

use super::{
    delta_source::{DeltaSource, Strategy},
    residuals::Residual,
    sponsor::random_hash,
    RunError,
};
use crate::{
    chain::Account,
    engine::PreparedDelta,
    training::{
        add_residual, compress, noise_change, train_from, Memory, Span, Start, Step, Trained,
    },
};
use gotong_protocol::{bounds::MAX_DELTA_BYTES, Graph, Hash, RoundId, TaskId};
use gotong_scoring::blake2_256;
use indicatif::{ProgressBar, ProgressStyle};
use rand::{rand_core::OsError, rngs::OsRng, TryRngCore};
use std::sync::{atomic::AtomicBool, Arc};

/// What decides the order in which a training sees its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seed {
    /// The system's randomness, anew for every training. If the order followed from public values, anybody with
    /// the same data could train the same delta and commit it first.
    #[default]
    System,
    /// A number that repeats an experiment. Account, task and round are mixed in, so that two accounts that choose
    /// the same number do not make the same delta.
    Given(u64),
}

impl Seed {
    fn draw(self, account: &Account, task: TaskId, round: RoundId) -> Result<u64, OsError> {
        match self {
            // 64 bits are enough: a guess is tried by a whole training.
            Self::System => OsRng.try_next_u64(),
            Self::Given(seed) => {
                let digest = blake2_256(&[
                    b"gotong:training",
                    &seed.to_le_bytes(),
                    account,
                    &task.0.to_le_bytes(),
                    &round.0.to_le_bytes(),
                ]);
                let [a, b, c, d, e, f, g, h, ..] = digest;
                Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// What a training run gives.
pub(super) struct Made {
    pub prepared: PreparedDelta,
    /// What the delta leaves out of the change that was trained.
    pub residual: Option<Residual>,
    /// What the next training starts from, beside the weights.
    pub memory: Option<Memory>,
}

/// All that a training run needs, apart from the daemon.
pub(super) struct TrainingJob {
    pub task: TaskId,
    pub account: Account,
    pub round: RoundId,
    pub base_root: Hash,
    pub graph: Graph,
    pub master: Vec<i16>,
    pub residual: Option<Vec<i32>>,
    /// What the optimizer remembers of the trainings before.
    pub memory: Option<Memory>,
    /// Which part of the task the round is.
    pub span: Span,
    pub keep_permille: u32,
    pub source: DeltaSource,
    pub stop: Arc<AtomicBool>,
}

impl TrainingJob {
    /// Trains, and makes a delta of the change and of what the last delta left out.
    pub(super) fn run(self) -> Result<Made, RunError> {
        let Trained { mut change, memory } = self.trained()?;
        if let Some(residual) = &self.residual {
            add_residual(&self.graph, &mut change, residual);
        }
        let (delta, bytes) = compress(&change, self.keep_permille, MAX_DELTA_BYTES)
            .ok_or(RunError::NothingLearned)?;
        let salt = random_hash()?;
        let residual = || Residual {
            round: self.round,
            left_out: delta.residual(&change),
        };
        Ok(Made {
            memory,
            residual: self.source.is_honest_training().then(residual),
            prepared: PreparedDelta {
                round: self.round,
                base_root: self.base_root,
                salt,
                delta: bytes,
            },
        })
    }

    fn trained(&self) -> Result<Trained, RunError> {
        let training = match &self.source {
            DeltaSource::Weights(own) => {
                let base = own.base.as_ref().unwrap_or(&self.master);
                let difference = |(&new, &old): (&i16, &i16)| i32::from(new) - i32::from(old);
                return Ok(Trained {
                    change: own.trained.iter().zip(base).map(difference).collect(),
                    memory: None,
                });
            }
            DeltaSource::Train(training) => training,
        };
        let seed = training.seed.draw(&self.account, self.task, self.round)?;
        let config = training.options.config(&self.graph, self.span, seed);
        let bar = ProgressBar::new(config.steps as u64)
            .with_style(training_style())
            .with_message(format!("task {}, round {}", self.task, self.round));
        let mut report = |step: Step| {
            bar.set_position(step.step as u64);
            bar.set_prefix(format!("{:.3}", step.loss));
        };
        let start = Start {
            graph: &self.graph,
            master: &self.master,
            memory: self.memory.as_ref(),
        };
        let trained = train_from(
            start,
            &training.data,
            &config,
            &training.device,
            &mut report,
            &self.stop,
        );
        bar.finish_and_clear();
        let mut trained = trained?;
        if training.strategy == Strategy::Noise {
            trained.change = noise_change(trained.change.len(), seed, &trained.change);
        }
        Ok(trained)
    }
}

fn training_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} steps, {prefix} bits")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::super::delta_source::Training;
    use super::*;
    use crate::training::{
        data::Labelled,
        fixture::{small_transformer, text},
        initial_weights, TrainingOptions,
    };
    use burn::tensor::Device;

    /// A training of a small task, with a batch of as many samples as there are.
    fn job(account: Account, round: u32, seed: Seed) -> TrainingJob {
        let (graph, samples) = (Graph::mlp(&[6, 8, 3]), 40);
        let data = Labelled {
            inputs: 6,
            pixels: (0..6 * samples).map(|at| (at * at % 251) as u8).collect(),
            labels: (0..samples).map(|at| (at % 3) as u8).collect(),
        };
        let training = Training {
            data: Arc::new(data),
            options: TrainingOptions {
                steps: Some(12),
                batch: Some(samples),
                ..TrainingOptions::default()
            },
            seed,
            device: Device::flex(),
            strategy: Strategy::Honest,
        };
        TrainingJob {
            task: TaskId(1),
            account,
            round: RoundId(round),
            base_root: [0; 32],
            master: initial_weights(&graph, 1),
            graph,
            residual: None,
            memory: None,
            span: Span::WHOLE,
            keep_permille: 1000,
            source: DeltaSource::Train(training),
            stop: Arc::default(),
        }
    }

    #[test]
    fn a_training_knows_what_was_learned_before_and_where_in_the_task_it_is() {
        let graph = small_transformer();
        let made = |memory: Option<Memory>, span: Span| {
            let mut job = TrainingJob {
                memory,
                span,
                master: initial_weights(&graph, 1),
                graph: graph.clone(),
                ..job([1; 32], 0, Seed::Given(7))
            };
            if let DeltaSource::Train(training) = &mut job.source {
                training.data = Arc::new(text(40, 0));
            }
            job.run().unwrap()
        };
        let [early, late] = [0, 8].map(|round| Span::of_round(round, 10));
        let first = made(None, early);
        let delta = |made: &Made| made.prepared.delta.clone();
        assert_eq!(delta(&made(None, early)), delta(&first));
        assert_ne!(delta(&made(None, late)), delta(&first));
        assert_ne!(delta(&made(first.memory.clone(), early)), delta(&first));
    }

    fn delta(account: u8, round: u32, seed: Seed) -> Vec<u8> {
        job([account; 32], round, seed)
            .run()
            .unwrap()
            .prepared
            .delta
    }

    #[test]
    fn nobody_can_predict_a_delta_of_the_same_data_and_flags() {
        let first = delta(1, 0, Seed::default());
        assert_ne!(delta(1, 0, Seed::default()), first);
        assert_ne!(delta(2, 0, Seed::default()), first);
    }

    #[test]
    fn a_given_seed_repeats_a_training_of_one_account_and_round_only() {
        let first = delta(1, 0, Seed::Given(7));
        assert_eq!(delta(1, 0, Seed::Given(7)), first);
        assert_ne!(delta(2, 0, Seed::Given(7)), first, "another account");
        assert_ne!(delta(1, 1, Seed::Given(7)), first, "another round");
        assert_ne!(delta(1, 0, Seed::Given(8)), first, "another seed");
    }

    #[test]
    fn a_given_seed_is_mixed_with_all_that_tells_trainings_apart() {
        let draw = |seed: u64, account: u8, task: u32, round: u32| {
            let seed = Seed::Given(seed);
            seed.draw(&[account; 32], TaskId(task), RoundId(round))
                .unwrap()
        };
        let first = draw(0, 1, 2, 3);
        assert_eq!(draw(0, 1, 2, 3), first);
        for other in [
            draw(1, 1, 2, 3),
            draw(0, 2, 2, 3),
            draw(0, 1, 3, 3),
            draw(0, 1, 2, 4),
        ] {
            assert_ne!(other, first);
        }
    }
}
