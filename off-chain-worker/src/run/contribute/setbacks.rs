//! What happens when training fails. The daemon does not end: training begins again after a pause, then with smaller batches, and
//! in the end the round is sat out.

use super::{Contribute, RunError};
use crate::run::training_job::RunningTraining;
use gotong_protocol::{Hash, RoundId};
use gotong_training::TrainingError;
use std::time::{Duration, Instant};

/// How often training failed, and what follows from that.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    /// The round of these failures, and the root of its weights.
    of: Option<(RoundId, Hash)>,
    failures: u32,
    /// When training may begin again.
    resume_at: Option<Instant>,
    /// How often the batch was halved.
    halvings: u32,
}

/// Failures after which a round is sat out.
const MOST: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(2);

impl Setbacks {
    /// Notes that training failed. Returns the pause until the next try, or none if the round is to be sat out.
    fn count(&mut self, of: (RoundId, Hash), now: Instant) -> Option<Duration> {
        if self.of != Some(of) {
            (self.of, self.failures) = (Some(of), 0);
        }
        self.failures += 1;
        if self.failures >= MOST {
            // The size of the batch was not the reason.
            *self = Self::default();
            return None;
        }
        // The first failure may be chance; later ones may be due to memory.
        if self.failures > 1 {
            self.halvings += 1;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (self.failures - 1));
        self.resume_at = Some(now + pause);
        Some(pause)
    }

    /// Whether it is too early to train again.
    pub(super) fn are_recent(&self, now: Instant) -> bool {
        self.resume_at.is_some_and(|at| now < at)
    }

    /// What is left of a batch of this many samples. Once halved, it stays halved in later rounds.
    pub(super) fn batch(&self, samples: usize) -> usize {
        (samples >> self.halvings.min(usize::BITS - 1)).max(1)
    }
}

/// Whether training failed for a reason that may not come again: its device, its memory or its luck.
pub(super) fn is_setback(error: &RunError) -> bool {
    match error {
        RunError::Aborted(error) => error.is_panic(),
        RunError::Training(error) => {
            matches!(error, TrainingError::Device(_) | TrainingError::Diverged)
        }
        _ => false,
    }
}

impl Contribute {
    /// Delays the next try, or sits the round out, after training has failed with `failed`.
    pub(super) fn set_back(&mut self, failed: &RunningTraining, error: &RunError) {
        let of = (failed.round, failed.base_root);
        match self.setbacks.count(of, Instant::now()) {
            Some(pause) => {
                let part = 1u64 << self.setbacks.halvings.min(63);
                tracing::warn!("the training failed: {error}; trying again in {pause:?} with 1/{part} of the batch");
            }
            None => {
                self.sat_out = Some((failed.round, failed.base_root, self.window));
                tracing::error!(
                    "the training failed {MOST} times: {error}. Nothing is submitted in this round. If the device has too \
                     little memory, stop other programs that use it, or start with a smaller `--batch`; if it keeps failing, \
                     leave `--device` out to train on the processor"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Opened;
    use super::*;
    use crate::{
        engine::{Contributor, ContributorCommand},
        keys::development,
        run::{
            checkpoints::Checkpoints, memories::Memories, replica::ReplicaWorker,
            residuals::Residuals, training_job::Made, DeltaSource, ScorerOptions, Seed, Strategy,
            Training, WorkerDirs,
        },
        state::Folder,
    };
    use gotong_protocol::TaskId;
    use gotong_scoring::Graph;
    use gotong_training::{data::Labelled, TestedDevice, TrainingOptions};
    use std::sync::Arc;

    const ROUND: RoundId = RoundId(3);
    const BASE: Hash = [5; 32];

    /// A contributor that trains, and what it has once it has seen its task.
    fn contributor(folder: &Folder) -> (Contribute, Opened) {
        let training = Training {
            data: Arc::new(Labelled {
                inputs: 1,
                pixels: vec![0],
                labels: vec![0],
            }),
            options: TrainingOptions::default(),
            seed: Seed::System,
            device: TestedDevice::processor(),
            checkpoint_every: Duration::MAX,
            strategy: Strategy::Honest,
        };
        let signer = development("Bob").unwrap();
        let dirs = WorkerDirs::open(folder.clone(), Vec::new()).unwrap();
        let (task, source) = (TaskId(1), DeltaSource::Train(training));
        let contribute = Contribute::new(signer, dirs.clone(), task, source, 100, None);
        let opened = Opened {
            residuals: Residuals::new(folder.clone()),
            memories: Memories::new(folder.clone()),
            checkpoints: Checkpoints::new(folder.clone()),
            state_name: "contributor".into(),
            engine: Contributor::new(task, contribute.account),
            saved: None,
            worker: ReplicaWorker::new(dirs, ScorerOptions::default()),
            _lock: folder.lock().unwrap(),
            folder: folder.clone(),
        };
        (contribute, opened)
    }

    #[test]
    fn nothing_is_committed_to_that_is_not_on_disk() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let (_, mut opened) = contributor(&folder);
        let commit = ContributorCommand::Commit {
            round: ROUND,
            commitment: [1; 32],
        };
        let claim = ContributorCommand::Claim { from: ROUND };
        let both = [commit, claim.clone()];
        // Nothing can take the place of a folder that is not empty.
        let file = temporary.path().join("contributor");
        std::fs::create_dir_all(file.join("full")).unwrap();
        // The same holds at the next look, when the engine has nothing new.
        for _ in 0..2 {
            let mut commands = both.to_vec();
            opened.save_for(&mut commands);
            assert_eq!(commands, std::slice::from_ref(&claim));
        }
        std::fs::remove_dir_all(&file).unwrap();
        let mut commands = both.to_vec();
        opened.save_for(&mut commands);
        assert_eq!(commands, both);
        assert!(file.is_file());
    }

    /// A training run that has ended with this result.
    async fn ended(made: fn() -> Result<Made, RunError>) -> RunningTraining {
        let running = tokio::task::spawn_blocking(made);
        while !running.is_finished() {
            tokio::task::yield_now().await;
        }
        RunningTraining {
            round: ROUND,
            base_root: BASE,
            stop: Arc::default(),
            deadline: Arc::default(),
            running,
        }
    }

    #[tokio::test]
    async fn a_training_that_fails_ends_no_daemon_and_takes_half_the_batch_in_time() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let failures: [fn() -> Result<Made, RunError>; 3] = [
            || panic!("out of memory"),
            || Err(TrainingError::Device("out of memory".into()).into()),
            || Err(TrainingError::Diverged.into()),
        ];
        for failure in failures {
            let (mut contribute, mut opened) = contributor(&folder);
            let mut batches = Vec::new();
            while contribute.sat_out.is_none() {
                contribute.training = Some(ended(failure).await);
                contribute.finish_training(&mut opened).await.unwrap();
                let is_put_off = contribute.setbacks.are_recent(Instant::now());
                assert!(is_put_off || contribute.sat_out.is_some());
                batches.push(contribute.setbacks.batch(64));
            }
            assert_eq!(batches, [64, 32, 16, 64]);
            assert_eq!(contribute.sat_out, Some((ROUND, BASE, 0)));
            assert!(!contribute.setbacks.are_recent(Instant::now()));
        }
    }

    /// For example because the window left no time for an update.
    #[tokio::test]
    async fn a_training_that_teaches_nothing_ends_no_daemon() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let (mut contribute, mut opened) = contributor(&folder);
        contribute.training = Some(ended(|| Err(RunError::NothingLearned)).await);
        contribute.finish_training(&mut opened).await.unwrap();
        assert_eq!(contribute.sat_out, Some((ROUND, BASE, 0)));
        // An error that training did not cause ends the daemon.
        contribute.training = Some(ended(|| Err(RunError::Refused("of a test".into()))).await);
        let refused = contribute.finish_training(&mut opened).await;
        assert!(matches!(refused, Err(RunError::Refused(_))));
    }

    #[test]
    fn pauses_double_and_another_round_begins_anew() {
        let (mut setbacks, now) = (Setbacks::default(), Instant::now());
        let seconds = |pause: Option<Duration>| pause.map(|pause| pause.as_secs());
        let first = (ROUND, BASE);
        let mut count = |of| seconds(setbacks.count(of, now));
        assert_eq!([count(first), count(first)], [Some(2), Some(4)]);
        let other = (RoundId(4), BASE);
        assert_eq!([count(other), count(other)], [Some(2), Some(4)]);
        assert_eq!(setbacks.batch(64), 16, "halved once in each");
        assert_eq!(setbacks.batch(1), 1);
        assert!(setbacks.are_recent(now) && !setbacks.are_recent(now + FIRST_PAUSE * 2));
    }

    #[test]
    fn a_smaller_batch_is_what_is_trained_with() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let (contribute, _) = contributor(&folder);
        let graph = Graph::mlp(&[1, 2]);
        let halved = contribute.source.with_batch(&graph, |samples| samples / 2);
        let DeltaSource::Train(training) = halved else {
            panic!("it trains");
        };
        assert_eq!(training.options.batch, Some(32));
    }
}
