//! One training run, from the weights of a round to a delta.

use super::{
    checkpoints::{Checkpoints, TrainingId, Unfinished},
    delta_source::{DeltaSource, OwnWeights, Strategy, Training},
    own_exam::Parts,
    residuals::Residual,
    sponsor::random_hash,
    RunError,
};
use crate::{chain::Account, engine::PreparedDelta};
use gotong_protocol::{Graph, Hash, RoundId, TaskId};
use gotong_scoring::{blake2_256, Delta, ShareTerms};
use gotong_training::{
    add_residual, compress, data::Labelled, noise_change, residual_decay, train_from, Checkpoint,
    CheckpointSink, Deadline, Memory, Span, Start, Step, Supervisor, Trained,
};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{rand_core::OsError, rngs::OsRng, TryRngCore};
use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::Instant,
};
use tokio::task::JoinHandle;

/// What decides the order in which a training run sees its samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seed {
    /// The system's randomness, new for every training run. If the order followed from public values, anybody with the same data
    /// could train the same delta and commit it first.
    #[default]
    System,
    /// A number that makes an experiment repeatable. Account, task and round are mixed in, so that two accounts that choose the
    /// same number do not make the same delta.
    Given(u64),
}

impl Seed {
    fn draw(self, account: &Account, task: TaskId, round: RoundId) -> Result<u64, OsError> {
        match self {
            // 64 bits are enough, because testing a guess takes a whole training run.
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
    /// What the next training run starts from, besides the weights.
    pub memory: Option<Memory>,
}

/// A training run in the background; it is told to stop when it is dropped.
pub(super) struct RunningTraining {
    pub round: RoundId,
    pub base_root: Hash,
    pub stop: Arc<AtomicBool>,
    pub deadline: Arc<Deadline>,
    pub running: JoinHandle<Result<Made, RunError>>,
}

impl Drop for RunningTraining {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Everything that a training run needs, apart from the daemon.
pub(super) struct TrainingJob {
    pub task: TaskId,
    pub account: Account,
    pub round: RoundId,
    pub base_root: Hash,
    pub graph: Graph,
    pub master: Vec<i16>,
    pub residual: Option<Vec<i32>>,
    /// What the optimizer remembers of earlier training runs.
    pub memory: Option<Memory>,
    /// Where the training continues if it was interrupted.
    pub checkpoints: Checkpoints,
    /// Which part of the task the round is.
    pub span: Span,
    pub keep_permille: u32,
    /// The longest encoded delta that the task accepts.
    pub delta_bytes: u32,
    /// The task's terms of the share rule.
    pub share: ShareTerms,
    pub source: DeltaSource,
    pub stop: Arc<AtomicBool>,
    /// When the run has to be over.
    pub deadline: Arc<Deadline>,
    /// Whether it may make more updates than usual if the Commit window leaves time for them.
    pub may_grow: bool,
}

/// The samples on which a delta is tried, and their losses before.
struct OwnExam {
    parts: Parts,
    before: Vec<u32>,
}

/// How often a training that makes more updates than usual sees each of its samples at most. In `gotong lab` an MLP still gained by
/// ten passes (docs/scaling.md).
const PASSES: usize = 8;

impl TrainingJob {
    /// Trains, and makes a delta from the resulting change and from what the last delta left out.
    pub(super) fn run(self) -> Result<Made, RunError> {
        let bar = ProgressBar::new(0)
            .with_style(training_style())
            .with_message(format!("task {}, round {}", self.task, self.round));
        let made = self.make(&mut |step: Step| {
            bar.set_length(step.of as u64);
            bar.set_position(step.step as u64);
            if let Some(loss) = step.loss {
                bar.set_prefix(format!("{loss:.3}"));
            }
        });
        bar.finish_and_clear();
        if made.as_ref().is_err_and(RunError::is_fatal) {
            // Continuing from there would end in the same way.
            self.checkpoints.remove();
        }
        made
    }

    fn make(&self, progress: &mut dyn FnMut(Step)) -> Result<Made, RunError> {
        let (Trained { change, memory }, exam) = match &self.source {
            DeltaSource::Weights(own) => (self.difference(own), None),
            DeltaSource::Train(training) => {
                let parts = Parts::of(&training.data, &self.graph);
                match training.strategy {
                    Strategy::Honest => {
                        let exam = self.prepared_exam(parts)?;
                        let trained = self.trained(training, &exam.parts.training, progress)?;
                        (trained, Some(exam))
                    }
                    Strategy::Noise => (self.trained(training, &parts.training, progress)?, None),
                }
            }
        };
        let whole = self.residual.as_ref().map(|residual| {
            let mut whole = change.clone();
            let decay = residual_decay(&self.graph, self.keep_permille, self.delta_bytes);
            add_residual(&mut whole, residual, decay);
            whole
        });
        let (change, delta, bytes) = match whole.map(|whole| self.tried(whole, exam.as_ref())) {
            // The leftovers of earlier deltas may be what does harm now. Then they are dropped.
            None | Some(Err(RunError::Harmful(_))) => self.tried(change, exam.as_ref())?,
            Some(tried) => tried?,
        };
        let salt = random_hash()?;
        let residual = || Residual {
            round: self.round,
            left_out: delta.residual(&change),
        };
        Ok(Made {
            memory,
            residual: exam.is_some().then(residual),
            prepared: PreparedDelta {
                round: self.round,
                base_root: self.base_root,
                salt,
                delta: bytes,
            },
        })
    }

    /// Evaluates the held-out samples once, and reserves the time that it takes to try a delta on them.
    fn prepared_exam(&self, parts: Parts) -> Result<OwnExam, RunError> {
        let began = Instant::now();
        let before = parts.losses(&self.graph, &self.master)?;
        // Without the leftovers of earlier deltas, it is tried once more.
        let deltas = 1 + u32::from(self.residual.is_some());
        let passes = parts.passes(&self.graph, deltas);
        self.deadline.reserve(began.elapsed().mul_f64(passes));
        Ok(OwnExam { parts, before })
    }

    /// The delta of a change, and its encoding. It is tried on the held-out samples, if there are any. If the change goes too far
    /// to be proved, the result is the part of which most is proved.
    fn tried(
        &self,
        mut change: Vec<i32>,
        exam: Option<&OwnExam>,
    ) -> Result<(Vec<i32>, Delta, Vec<u8>), RunError> {
        let compressed = |change: &[i32]| {
            compress(change, self.keep_permille, self.delta_bytes).ok_or(RunError::NothingLearned)
        };
        let (delta, bytes) = compressed(&change)?;
        let Some(OwnExam { parts, before }) = exam else {
            return Ok((change, delta, bytes));
        };
        if let Some(harm) = parts.harm(&self.graph, &self.master, before, &delta)? {
            return Err(RunError::Harmful(harm));
        }
        let halvings = parts.halvings(&self.graph, &self.master, &delta, &self.share)?;
        if halvings == 0 {
            return Ok((change, delta, bytes));
        }
        let part = 1 << halvings;
        tracing::info!(
            "the delta is so large that a round would prove little of its gain, so it is scaled to 1/{part}"
        );
        change.iter_mut().for_each(|change| *change /= part);
        let (delta, bytes) = compressed(&change)?;
        Ok((change, delta, bytes))
    }

    /// The change that was made elsewhere.
    fn difference(&self, own: &OwnWeights) -> Trained {
        let base = own.base.as_ref().unwrap_or(&self.master);
        let difference = |(&new, &old): (&i16, &i16)| i32::from(new) - i32::from(old);
        Trained {
            change: own.trained.iter().zip(base).map(difference).collect(),
            memory: None,
        }
    }

    /// Trains on `data`, a part of what the contributor has.
    fn trained(
        &self,
        training: &Training,
        data: &Labelled,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Trained, RunError> {
        let id = self.id(training);
        let unfinished = self.checkpoints.load(&id);
        let seed = match &unfinished {
            Some(unfinished) => unfinished.seed,
            None => training.seed.draw(&self.account, self.task, self.round)?,
        };
        let start = Start {
            graph: &self.graph,
            master: &self.master,
            memory: self.memory.as_ref(),
            checkpoint: unfinished.as_ref().map(|unfinished| &unfinished.checkpoint),
        };
        let config = training.options.config(&self.graph, self.span, seed);
        let mut keep = |checkpoint: Checkpoint| {
            self.checkpoints.save(&id, Unfinished { seed, checkpoint });
        };
        let supervisor = Supervisor {
            progress,
            checkpoints: Some(CheckpointSink {
                every: training.checkpoint_every,
                keep: &mut keep,
            }),
            stop: &self.stop,
            deadline: Some(&self.deadline),
            most_steps: self.most_steps(training, config.batch, data),
        };
        let device = training.device.device();
        let mut trained = train_from(start, data, &config, device, supervisor)?;
        if training.strategy == Strategy::Noise {
            trained.change = noise_change(trained.change.len(), seed, &trained.change);
        }
        Ok(trained)
    }

    /// How many updates to make if there is time for more than usual; none if the user chose a number.
    fn most_steps(&self, training: &Training, batch: usize, data: &Labelled) -> Option<usize> {
        let most = PASSES * data.len() / batch.max(1);
        (self.may_grow && training.options.steps.is_none()).then_some(most)
    }

    /// What identifies this training run. It need not name account, task and model, because each account has its own folder for
    /// each task. What the optimizer remembers of earlier rounds is in the checkpoint. Another device or number of cores rounds
    /// differently, which does no harm.
    fn id(&self, training: &Training) -> TrainingId {
        let data = &training.data;
        let inputs = (data.inputs as u64).to_le_bytes();
        let data = blake2_256(&[&inputs, &data.pixels, &data.labels]);
        // A seed from the system is stored with the checkpoint.
        let config = training.options.config(&self.graph, self.span, 0);
        let settings = format!("{config:?} {:?}", training.seed);
        TrainingId {
            round: self.round,
            base_root: self.base_root,
            settings: blake2_256(&[b"gotong:checkpoint", &data, settings.as_bytes()]),
        }
    }
}

fn training_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} steps, {eta} left, {prefix} bits")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::Folder,
        test_model::{small_transformer, text},
    };
    use gotong_training::{
        data::Labelled, initial_weights, train, TestedDevice, TrainingError, TrainingOptions,
    };
    use std::time::Duration;
    use tempfile::TempDir;

    /// A training run for a small task, with all samples in one batch. Nothing of it is stored, because its folder is gone.
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
            device: TestedDevice::processor(),
            checkpoint_every: Duration::MAX,
            strategy: Strategy::Honest,
        };
        let folder = Folder::open(tempfile::tempdir().unwrap().path()).unwrap();
        TrainingJob {
            task: TaskId(1),
            account,
            round: RoundId(round),
            base_root: [0; 32],
            master: initial_weights(&graph, 1),
            graph,
            residual: None,
            memory: None,
            checkpoints: Checkpoints::new(folder),
            span: Span::WHOLE,
            keep_permille: 1000,
            delta_bytes: 64 << 10,
            share: ShareTerms::default(),
            source: DeltaSource::Train(training),
            stop: Arc::default(),
            deadline: Arc::default(),
            may_grow: false,
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
            training(&mut job).data = Arc::new(text(40, 0));
            job.run().unwrap()
        };
        let [early, late] = [0, 8].map(|round| Span::of_round(round, 10));
        let first = made(None, early);
        let delta = |made: &Made| made.prepared.delta.clone();
        assert_eq!(delta(&made(None, early)), delta(&first));
        assert_ne!(delta(&made(None, late)), delta(&first));
        assert_ne!(delta(&made(first.memory.clone(), early)), delta(&first));
    }

    #[test]
    fn a_training_grows_if_it_may_and_nobody_chose_a_number() {
        let most = |may_grow: bool, steps: Option<usize>, batch: usize| {
            let mut job = job([1; 32], 0, Seed::System);
            job.may_grow = may_grow;
            training(&mut job).options.steps = steps;
            let training = training(&mut job).clone();
            job.most_steps(&training, batch, &training.data)
        };
        // Eight passes over 40 samples.
        assert_eq!(most(true, None, 4), Some(80));
        assert_eq!(most(true, None, 0), Some(320));
        assert_eq!(most(true, Some(12), 4), None);
        assert_eq!(most(false, None, 4), None);
    }

    #[test]
    fn a_training_that_may_grow_does() {
        let updates = |may_grow: bool| {
            let mut job = job([1; 32], 0, Seed::Given(7));
            job.may_grow = may_grow;
            job.deadline
                .set(Instant::now() + Duration::from_secs(3_600));
            let training = training(&mut job);
            // Eight passes are 1,600 updates; 600 are usual.
            (training.options.steps, training.options.batch) = (None, Some(1));
            let data = Arc::make_mut(&mut training.data);
            (data.pixels, data.labels) = (data.pixels.repeat(5), data.labels.repeat(5));
            let mut of = 0;
            job.make(&mut |step: Step| of = step.of).unwrap();
            of
        };
        assert_eq!([false, true].map(updates), [600, 1_600]);
    }

    #[test]
    fn a_change_that_goes_too_far_to_be_proved_is_shortened() {
        let graph = Graph::mlp(&[64, 2]);
        let bright = |number: usize, at: usize| if at / 32 == number % 2 { 255 } else { 0 };
        let data = Labelled {
            inputs: 64,
            pixels: (0..64 * 600).map(|at| bright(at / 64, at % 64)).collect(),
            labels: (0..600).map(|number| (number % 2) as u8).collect(),
        };
        let parts = Parts::of(&data, &graph);
        let mut change = vec![0; graph.parameters()];
        change[..32].fill(32_000);
        change[96..128].fill(32_000);
        let job = TrainingJob {
            master: vec![0; graph.parameters()],
            graph,
            ..job([1; 32], 0, Seed::System)
        };
        let exam = job.prepared_exam(parts).unwrap();
        let (shorter, delta, bytes) = job.tried(change.clone(), Some(&exam)).unwrap();
        let part = 32_000 / shorter[0];
        assert!([2, 4].contains(&part), "{part}");
        let expected: Vec<i32> = change.iter().map(|change| change / part).collect();
        assert_eq!(shorter, expected);
        assert_eq!(bytes, delta.encode());
        assert_eq!(delta, Delta::compress(&expected, 1000));
        // A delta that was made elsewhere is sent as it is.
        let (whole, ..) = job.tried(change.clone(), None).unwrap();
        assert_eq!(whole, change);
    }

    /// A training run that stores a checkpoint in `folder` after every update.
    fn kept_job(folder: &TempDir) -> TrainingJob {
        let mut job = job([1; 32], 0, Seed::System);
        job.checkpoints = Checkpoints::new(Folder::open(folder.path()).unwrap());
        training(&mut job).checkpoint_every = Duration::ZERO;
        training(&mut job).options.steps = Some(25);
        job
    }

    fn training(job: &mut TrainingJob) -> &mut Training {
        match &mut job.source {
            DeltaSource::Train(training) => training,
            DeltaSource::Weights(_) => unreachable!(),
        }
    }

    /// Stops `job` once it has reported `most` times. It reports after every ten updates, after the last one, and where it resumes,
    /// which has no loss. Returns what was reported: the number of updates made, and whether there was a loss.
    fn reported(job: &TrainingJob, most: usize) -> (Vec<(usize, bool)>, Result<Made, RunError>) {
        let mut reports = Vec::new();
        let made = job.make(&mut |step: Step| {
            reports.push((step.step, step.loss.is_some()));
            let is_enough = reports.len() == most;
            job.stop.fetch_or(is_enough, Ordering::Relaxed);
        });
        (reports, made)
    }

    #[test]
    fn a_training_that_was_stopped_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = |made: Result<Made, RunError>| {
            matches!(made, Err(RunError::Training(TrainingError::Stopped)))
        };
        let seed = || {
            let mut job = kept_job(&folder);
            let training = training(&mut job).clone();
            job.checkpoints.load(&job.id(&training)).unwrap().seed
        };
        let (reports, made) = reported(&kept_job(&folder), 1);
        assert!(reports == [(10, true)] && stopped(made));
        let drawn = seed();
        let (reports, made) = reported(&kept_job(&folder), 2);
        assert!(reports == [(10, false), (20, true)] && stopped(made));
        assert_eq!(seed(), drawn, "drawn once");
        let (reports, made) = reported(&kept_job(&folder), 9);
        assert_eq!(reports, [(20, false), (25, true)]);

        // The delta is that of a training run with the same seed that was never stopped.
        let mut job = kept_job(&folder);
        let Training {
            data,
            options,
            device,
            ..
        } = training(&mut job).clone();
        let config = options.config(&job.graph, job.span, drawn);
        let (graph, master, stop) = (&job.graph, &job.master, &job.stop);
        let device = device.device();
        let change = train(graph, master, &data, &config, device, &mut |_| {}, stop).unwrap();
        let (_, whole) = compress(&change, job.keep_permille, job.delta_bytes).unwrap();
        assert_eq!(made.unwrap().prepared.delta, whole);
    }

    #[test]
    fn only_the_same_training_goes_on() {
        let goes_on = |change: fn(&mut TrainingJob)| {
            let folder = tempfile::tempdir().unwrap();
            assert!(reported(&kept_job(&folder), 1).1.is_err());
            let mut job = kept_job(&folder);
            change(&mut job);
            reported(&job, 1).0 == [(10, false)]
        };
        assert!(goes_on(|_| {}));
        assert!(goes_on(|job| job.keep_permille = 10), "of the same change");
        let others: [fn(&mut TrainingJob); 8] = [
            |job| job.round = RoundId(1),
            |job| job.base_root = [1; 32],
            |job| job.span = Span::of_round(1, 2),
            |job| training(job).options.steps = Some(26),
            |job| training(job).options.batch = Some(7),
            |job| training(job).options.learning_rate = Some(0.1),
            |job| training(job).seed = Seed::Given(7),
            |job| Arc::make_mut(&mut training(job).data).labels[0] ^= 1,
        ];
        for (at, other) in others.into_iter().enumerate() {
            assert!(!goes_on(other), "{at}");
        }
    }

    /// Continuing would end in the same way.
    #[test]
    fn a_training_that_failed_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = kept_job(&folder);
        training(&mut job).options.learning_rate = Some(0.0);
        let is_kept = || folder.path().join("checkpoint").exists();
        assert!(matches!(
            job.make(&mut |_| {}),
            Err(RunError::NothingLearned)
        ));
        assert!(is_kept());
        assert!(matches!(job.run(), Err(RunError::NothingLearned)));
        assert!(!is_kept());
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
