//! Replicas that work in the background.

use super::{inputs_digest, Replica, ReplicaError, ScoredRound, ScorerOptions, WorkerDirs};
use crate::chain::{ChainError, Client, Moment};
use gotong_evaluation::Halt;
use gotong_protocol::{
    view::{RoundView, TaskView},
    Hash, Outcome, Phase, RoundId,
};
use std::{
    future::Future,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc,
    },
    time::Duration,
};
use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};
use tracing::Instrument;

/// Works on a task's replica in the background. A round may take hours to compute, and meanwhile the daemon may have seats in other
/// tasks to serve, or disputes to answer.
pub struct ReplicaWorker {
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    /// Whether it gets ready for disputes.
    plays: bool,
    /// Whether its replica skips rounds, as [`Replica::open_as`] says.
    skips: bool,
    /// None while a job has it, and before the first job has opened it.
    replica: Option<Box<Replica>>,
    job: Option<Job<Worked>>,
    /// What the last job computes.
    subject: Option<Subject>,
    progress: Progress,
}

/// How far the replica of a [`ReplicaWorker`] has come. It can be read while the worker is locked.
#[derive(Clone, Debug, Default)]
pub struct Progress(
    /// One more than the number of the first round that has not been replayed yet; 0 if that is unknown.
    Arc<AtomicU64>,
);

impl Progress {
    /// Notes the first round that has not been replayed yet.
    pub fn note(&self, next: RoundId) {
        self.0.store(u64::from(next.0) + 1, Ordering::Relaxed);
    }

    /// The first round that had not been replayed yet when the worker last took in a result.
    pub fn next_round(&self) -> Option<RoundId> {
        let next = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        u32::try_from(next).ok().map(RoundId)
    }
}

/// A round, and the digest of its inputs.
type Subject = (RoundId, Hash);

/// The replica, if it could be opened, and the result of the work.
type Worked = (Option<Box<Replica>>, Result<(), ReplicaError>);

/// What a job should do.
enum Aim {
    /// Replay all rounds that have ended, and score this round if there is one.
    Score(Option<Box<RoundView>>),
    /// Replay the next [`FOLLOWED_AT_ONCE`] rounds that have ended.
    Follow,
}

/// How many rounds are replayed in one job, in a task that is only followed.
const FOLLOWED_AT_ONCE: u32 = 16;
/// How long to wait for a job that has just started: most are done at once.
const PATIENCE: Duration = Duration::from_millis(500);

impl ReplicaWorker {
    /// Opens no replica yet.
    pub fn new(dirs: WorkerDirs, scoring: ScorerOptions) -> Self {
        Self {
            dirs,
            scoring,
            plays: true,
            skips: false,
            replica: None,
            job: None,
            subject: None,
            progress: Progress::default(),
        }
    }

    /// How far its replica has come, from now on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A worker that prepares for no disputes.
    pub fn without_disputes(self) -> Self {
        Self {
            plays: false,
            ..self
        }
    }

    /// A worker whose replica skips rounds: it takes the weights after a settled round from the round's table, and scores the round
    /// only if that fails.
    pub fn skipping(self) -> Self {
        Self {
            skips: true,
            ..self
        }
    }

    /// Replays some of the rounds of `task` that have ended, and computes nothing else. It replays only a few at once, so that a
    /// task with many rounds does not hold up the others for long. Returns the first round that has not been replayed yet; none
    /// while the work is under way: ask again in the next block.
    pub async fn follow(
        &mut self,
        client: &Client,
        now: &Moment,
        task: &TaskView,
    ) -> Result<Option<RoundId>, ReplicaError> {
        let was_busy = self.job.is_some();
        let mut is_done = self.finish(Duration::ZERO).await?;
        if is_done && !was_busy {
            self.subject = None;
            self.start(client, now, task, Aim::Follow);
            is_done = self.finish(PATIENCE).await?;
        }
        let replica = self.replica.as_deref().filter(|_| is_done);
        Ok(replica.map(Replica::next_round))
    }

    /// The replica of `task`, once it has replayed all rounds that have ended and, if one is asked for, scored a round whose
    /// inputs have the given digest. None while that is under way: ask again in the next block.
    pub async fn ready(
        &mut self,
        client: &Client,
        now: &Moment,
        task: &TaskView,
        round: Option<(&RoundView, Hash)>,
    ) -> Result<Option<&mut Replica>, ReplicaError> {
        let subject = round.map(|(round, inputs)| (round.round, inputs));
        let was_busy = self.job.is_some();
        let mut is_done = match self.finish(Duration::ZERO).await {
            // This may be about the previous connection. If it is about this one, too, others report it.
            Err(ReplicaError::Chain(ChainError::Disconnected(_))) => false,
            // It was about a round that nobody asks for any more.
            Err(error) if self.subject.is_some() && self.subject != subject => {
                tracing::warn!("{error}");
                false
            }
            finished => finished?,
        };
        if !is_done && self.is_in_vain(now, task).await? {
            self.halt();
        }
        // The job that just ended may have done what is asked for. If it was only a replay, more rounds may have ended since.
        let is_asked_for = was_busy && subject.is_some() && self.subject == subject;
        if is_done && !is_asked_for {
            self.subject = subject;
            let round = round.map(|(round, _)| Box::new(round.clone()));
            self.start(client, now, task, Aim::Score(round));
            is_done = self.finish(PATIENCE).await?;
        }
        Ok(self.replica.as_deref_mut().filter(|_| is_done))
    }

    /// Whether a job has the replica.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// The replica as far as it has come; none while a job has it.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_deref()
    }

    /// The same, mutable.
    pub fn replica_mut(&mut self) -> Option<&mut Replica> {
        self.replica.as_deref_mut()
    }

    /// Waits up to `patience` for the job, and returns whether everything is done.
    ///
    /// # Errors
    /// The job's own.
    async fn finish(&mut self, patience: Duration) -> Result<bool, ReplicaError> {
        let Some(job) = &mut self.job else {
            return Ok(true);
        };
        let Some(ended) = job.ended(patience).await else {
            return Ok(false);
        };
        let was_halted = job.halt.is_told();
        self.job = None;
        let (replica, done) = ended?;
        self.replica = replica;
        if let Some(replica) = &self.replica {
            self.progress.note(replica.next_round());
        }
        match done {
            Err(error) if was_halted => {
                tracing::debug!("halted: {error}");
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    fn start(&mut self, client: &Client, now: &Moment, task: &TaskView, aim: Aim) {
        let (dirs, scoring) = (self.dirs.clone(), self.scoring.clone());
        let (client, now, task) = (client.clone(), now.clone(), task.clone());
        let (replica, halt) = (self.replica.take(), Halt::default());
        let (plays, skips) = (self.plays, self.skips);
        let told = halt.clone();
        let work = async move {
            let opened = match replica {
                Some(replica) => Ok(replica),
                None => {
                    let opened = Replica::open_as(&client, &now, &dirs, &task, skips).await;
                    opened.map(|replica| Box::new(replica.scored_by(scoring)))
                }
            };
            match opened {
                Err(error) => (None, Err(error)),
                Ok(mut replica) => {
                    replica.halted_by(told);
                    let done = replica.work(&client, &now, aim, plays).await;
                    (Some(replica), done)
                }
            }
        };
        self.job = Some(Job::start(halt, work.in_current_span()));
    }

    /// Whether nobody needs what the job computes any more, because a fork has changed it, or because the round ended without it.
    /// If the round settled, it has to be replayed, so its score is still needed unless the round can be skipped.
    async fn is_in_vain(&self, now: &Moment, task: &TaskView) -> Result<bool, ReplicaError> {
        let Some((id, inputs)) = self.subject else {
            return Ok(false);
        };
        let Some(round) = now.round(task.id, id).await? else {
            return Ok(true);
        };
        let submissions = now.submissions(task.id, id).await?;
        let is_replayed = round.outcome == Some(Outcome::Settled) && !self.skips;
        let is_void = round.phase == Phase::Ended && !is_replayed;
        Ok(is_void || inputs_digest(&round, &submissions) != inputs)
    }

    fn halt(&self) {
        if let Some(job) = &self.job {
            job.halt.tell();
        }
    }
}

impl Replica {
    /// Replays all or some of the rounds that have ended. Then it scores the wanted round, if there is one, and if it `plays`, it
    /// prepares for that round's disputes.
    async fn work(
        &mut self,
        client: &Client,
        now: &Moment,
        aim: Aim,
        plays: bool,
    ) -> Result<(), ReplicaError> {
        let round = match aim {
            Aim::Follow => {
                let end = RoundId(self.next_round().0.saturating_add(FOLLOWED_AT_ONCE));
                return self.advance_to(client, now, end, |_| {}).await;
            }
            Aim::Score(round) => round,
        };
        self.advance(client, now).await?;
        let Some(round) = round else {
            return Ok(());
        };
        let scored = self.score(client, now, &round).await?;
        if plays && is_contested(&round, &scored) {
            self.player(client, now, &round).await?;
        }
        Ok(())
    }
}

/// Whether there are or will be disputes about the round.
fn is_contested(round: &RoundView, scored: &ScoredRound) -> bool {
    let mut shown = round.seats.iter().filter_map(|seat| seat.table.as_ref());
    round.open_disputes > 0 || shown.any(|shown| *shown != scored.summary)
}

/// Work in the background. Dropping it tells it to halt.
pub(super) struct Job<T> {
    halt: Halt,
    running: JoinHandle<T>,
}

impl<T: Send + 'static> Job<T> {
    pub fn start(halt: Halt, work: impl Future<Output = T> + Send + 'static) -> Self {
        let running = tokio::spawn(work);
        Self { halt, running }
    }

    /// Its result, if it ends within `patience`. Do not ask again after that.
    pub async fn ended(&mut self, patience: Duration) -> Option<Result<T, JoinError>> {
        timeout(patience, &mut self.running).await.ok()
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.halt.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::channel;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn progress_is_told_from_the_first_round_on() {
        let progress = Progress::default();
        let told = progress.clone();
        assert_eq!(told.next_round(), None);
        for round in [RoundId(0), RoundId(7), RoundId(u32::MAX)] {
            progress.note(round);
            assert_eq!(told.next_round(), Some(round));
        }
    }

    #[tokio::test]
    async fn work_goes_on_while_nobody_waits_for_it() {
        let (end, ended) = channel::<u8>();
        let mut job = Job::start(Halt::default(), async { ended.await.unwrap() });
        assert!(job.ended(Duration::ZERO).await.is_none());
        assert!(job.ended(Duration::from_millis(1)).await.is_none());
        end.send(7).unwrap();
        assert_eq!(job.ended(SOON).await.unwrap().unwrap(), 7);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let mut job = Job::start(Halt::default(), async { panic!("of a test") });
        let ended: Result<(), _> = job.ended(SOON).await.unwrap();
        assert!(ended.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn work_is_told_to_halt_when_it_is_dropped() {
        let halt = Halt::default();
        let job = Job::start(halt.clone(), std::future::pending::<()>());
        assert!(!halt.is_told());
        drop(job);
        assert!(halt.is_told());
    }
}
