//! The tasks that a daemon follows.

use super::{ReplicaError, RunError};
use crate::{
    chain::{ChainError, Moment},
    state::Folder,
};
use gotong_protocol::{view::TaskView, TaskId};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// The tasks that a daemon follows. A task that fails does not stop the others.
pub(super) struct Tasks {
    /// Only these are followed; if there are none, every task is.
    only: BTreeSet<TaskId>,
    /// The node that is asked.
    node: String,
    /// Tasks that cannot be rebuilt, and why not. If the node tells the truth, the chain settled them on a different result.
    given_up: BTreeMap<TaskId, RunError>,
    /// Tasks that failed, but may work the next time.
    paused: BTreeMap<TaskId, Pause>,
    /// By when something has to be done in a task.
    deadlines: BTreeMap<TaskId, Instant>,
    /// The tasks to look at, as of the last look, whether paused or not.
    listed: BTreeSet<TaskId>,
    /// When the disk was last found full; none once it is known to have room again.
    full_at: Option<Instant>,
}

/// The disk counts as full for at least this long after it was found full. This is longer than the longest pause, so a task that is
/// tried again finds the disk still full within that time.
const FULL_FOR: Duration = Duration::from_secs(180);
/// How many bytes must be free before a full disk counts as having room again: more than most rounds keep.
const ROOM_BYTES: usize = 16 << 20;

/// What a daemon asks about tasks.
pub(super) trait TaskViews {
    /// The tasks with a round under way.
    async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError>;
    /// A task.
    async fn task(&self, id: TaskId) -> Result<Option<TaskView>, ChainError>;
}

impl TaskViews for Moment {
    async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError> {
        self.live_tasks().await
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskView>, ChainError> {
        self.task(id).await
    }
}

/// How long a task is left alone.
struct Pause {
    until: Instant,
    /// How often the task had failed before.
    failures: u32,
}

impl Pause {
    const FIRST: Duration = Duration::from_secs(2);
    /// A quarter of the time for a move in a dispute.
    const LONGEST: Duration = Duration::from_secs(150);

    /// Twice as long as the previous pause, unless that was long ago.
    fn after(before: Option<&Self>, now: Instant) -> Self {
        let recent = before.filter(|before| now < before.until + Self::LONGEST);
        let failures = recent.map_or(0, |before| before.failures.saturating_add(1));
        let pause = Self::FIRST.saturating_mul(1 << failures.min(16));
        Self {
            until: now + pause.min(Self::LONGEST),
            failures,
        }
    }

    /// Shortens the pause to half of the time until `deadline`, but not below the first pause. A deadline in the past does not
    /// count.
    fn before(self, deadline: Instant, now: Instant) -> Self {
        let half = deadline.saturating_duration_since(now) / 2;
        match half.is_zero() {
            true => self,
            false => Self {
                until: self.until.min(now + half.max(Self::FIRST)),
                ..self
            },
        }
    }
}

impl Tasks {
    /// Follows `only` these, or every task if there are none.
    pub fn new(only: impl IntoIterator<Item = TaskId>) -> Self {
        Self {
            only: only.into_iter().collect(),
            node: String::new(),
            given_up: BTreeMap::new(),
            paused: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            listed: BTreeSet::new(),
            full_at: None,
        }
    }

    /// From now on the node at `url` is asked. Tasks that were given up because of what another node said are tried again.
    pub fn ask(&mut self, url: &str) {
        if self.node != url {
            self.node = url.to_owned();
            for task in std::mem::take(&mut self.given_up).into_keys() {
                tracing::info!(%task, "trying the task again with another node");
            }
        }
    }

    /// The tasks to look at now: those with a round under way, and those in `besides`. Tasks that are over take no time, however
    /// many there are.
    ///
    /// # Errors
    /// Fails if all tasks fail, or if no named one is left, because one was given up and the others are over or given up as well.
    pub async fn live(
        &mut self,
        now: &impl TaskViews,
        besides: &BTreeSet<TaskId>,
    ) -> Result<Vec<TaskView>, RunError> {
        self.listed = match self.only.is_empty() {
            false => self.only.clone(),
            true => now.live_tasks().await?.into_iter().collect(),
        };
        self.listed.extend(besides);
        let Self {
            listed, deadlines, ..
        } = self;
        deadlines.retain(|task, _| listed.contains(task));
        let mut views = Vec::new();
        for id in self.listed.clone() {
            if self.is_left_alone(id, Instant::now()) {
                continue;
            }
            let view = now.task(id).await;
            match view.and_then(|view| view.ok_or(ChainError::NoTask(id))) {
                Ok(view) => views.push(view),
                Err(error) => {
                    self.survive(id, Err(error.into()))?;
                }
            }
        }
        match self.none_is_left(&views) {
            None => Ok(views),
            Some(error) => Err(error),
        }
    }

    /// Why a named task was given up, if none of the others is left. That task is tried again, because another node may say
    /// something else.
    fn none_is_left(&mut self, views: &[TaskView]) -> Option<RunError> {
        let is_left = |task: &TaskId| !self.is_given_up(*task) && !is_over(views, *task);
        if self.only.is_empty() || self.only.iter().any(is_left) {
            return None;
        }
        let named = self.only.iter();
        let given_up = named.copied().find(|task| self.is_given_up(*task))?;
        self.given_up.remove(&given_up)
    }

    /// Whether the task was to be looked at in the last look, whether paused or not.
    pub fn is_listed(&self, task: TaskId) -> bool {
        self.listed.contains(&task)
    }

    /// Whether the task was given up.
    pub fn is_given_up(&self, task: TaskId) -> bool {
        self.given_up.contains_key(&task)
    }

    /// The tasks to look at, as of the last look, whether paused or not, except those that were given up.
    pub fn served(&self) -> BTreeSet<TaskId> {
        let served = self.listed.iter().copied();
        served.filter(|task| !self.is_given_up(*task)).collect()
    }

    /// Whether one of the tasks to look at was given up.
    pub fn has_given_up(&self) -> bool {
        self.listed.iter().any(|task| self.is_given_up(*task))
    }

    /// Whether the disk was full when it was last written to, so that nothing new can be stored.
    pub fn lacks_room(&self) -> bool {
        self.full_at.is_some()
    }

    /// Notes that the disk was found full.
    pub fn note_full(&mut self) {
        self.full_at = Some(Instant::now());
    }

    /// If the disk was found full some time ago, tests whether `folder`, which is on it, has room again. Waiting alone frees no
    /// space, and perhaps nothing was written in the meantime that would have shown that the disk is still full.
    pub fn look_for_room(&mut self, folder: &Folder, now: Instant) {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= FULL_FOR;
        if !self.full_at.is_some_and(is_due) {
            return;
        }
        self.full_at = match folder.try_room(ROOM_BYTES) {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!("the disk is still full: {error}");
                Some(now)
            }
        };
    }

    /// Something has to be done in the task by each of these blocks, as seen at block `now`. No pause outlasts the first of them
    /// that is still to come.
    pub fn is_due_by(&mut self, task: TaskId, blocks: &[u32], now: u32, block_time: Duration) {
        let left = blocks.iter().map(|block| block.saturating_sub(now));
        let next = left.filter(|left| *left > 0).min();
        let until = |left| Instant::now().checked_add(block_time.saturating_mul(left));
        match next.and_then(until) {
            Some(deadline) => self.deadlines.insert(task, deadline),
            None => self.deadlines.remove(&task),
        };
    }

    fn is_left_alone(&self, task: TaskId, now: Instant) -> bool {
        let is_paused = |pause: &Pause| now < pause.until;
        self.is_given_up(task) || self.paused.get(&task).is_some_and(is_paused)
    }

    /// Whether all named tasks are over. A task that was given up is not over, because the node may have lied about it.
    pub fn is_done(&self, views: &[TaskView]) -> bool {
        !self.only.is_empty() && self.only.iter().all(|task| is_over(views, *task))
    }

    /// Handles a failure in one task, so that it does not stop the work on others: leaves the task alone for a while, or gives
    /// it up if it cannot be rebuilt. Returns whether it gave the task up.
    ///
    /// # Errors
    /// Passes the failure on if it concerns all tasks, or if only one task is named.
    pub fn survive(&mut self, task: TaskId, done: Result<(), RunError>) -> Result<bool, RunError> {
        if matches!(&done, Err(error) if error.lacks_room()) {
            self.note_full();
        }
        let error = match done {
            Ok(()) => return Ok(false),
            Err(error) if self.only.len() == 1 || is_of_the_chain(&error) => return Err(error),
            Err(error) => error,
        };
        if matches!(&error, RunError::Replica(error) if error.is_fatal()) {
            tracing::error!(%task, "giving the task up: {error}");
            self.given_up.insert(task, error);
            return Ok(true);
        }
        let now = Instant::now();
        let mut pause = Pause::after(self.paused.get(&task), now);
        if let Some(deadline) = self.deadlines.get(&task) {
            pause = pause.before(*deadline, now);
        }
        let wait = pause.until - now;
        tracing::error!(%task, "{error}; trying the task again in {wait:?}");
        self.paused.insert(task, pause);
        Ok(false)
    }
}

fn is_over(views: &[TaskView], task: TaskId) -> bool {
    let view = views.iter().find(|view| view.id == task);
    view.is_some_and(|view| view.state.is_over())
}

/// Whether the error concerns all tasks: the connection is lost, or this worker does not match the chain.
fn is_of_the_chain(error: &RunError) -> bool {
    match error {
        RunError::Chain(error) | RunError::Replica(ReplicaError::Chain(error)) => {
            error.is_gone() || matches!(error, ChainError::Incompatible(_))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{run::views, state::StateError};
    use gotong_protocol::TaskState;
    use gotong_scoring::WeightsError;
    use std::cell::Cell;

    const TASK: TaskId = TaskId(3);

    fn full_disk() -> StateError {
        StateError::Full("position".into())
    }

    /// A failure that a later look at the same chain cannot mend.
    fn wrong() -> Result<(), RunError> {
        Err(ReplicaError::from(WeightsError::PartialWeight).into())
    }

    /// Errors that may not come again.
    fn passing() -> Vec<RunError> {
        let missing = ChainError::Missing {
            what: "a delta".into(),
            block: 7,
        };
        let refused = ChainError::Refused {
            name: "NotInPhase".into(),
            docs: String::new(),
        };
        vec![
            RunError::Chain(refused),
            RunError::Replica(missing.into()),
            RunError::Chain(ChainError::NoTask(TASK)),
            RunError::Replica(ChainError::NoTask(TASK).into()),
            RunError::State(full_disk()),
            RunError::Replica(full_disk().into()),
            RunError::NothingLearned,
        ]
    }

    /// A chain with 100,000 tasks that are over.
    struct OldChain {
        live: Vec<TaskId>,
        asked: Cell<usize>,
        state: TaskState,
    }

    impl TaskViews for OldChain {
        async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError> {
            self.asked.set(self.asked.get() + 1);
            Ok(self.live.clone())
        }

        async fn task(&self, id: TaskId) -> Result<Option<TaskView>, ChainError> {
            self.asked.set(self.asked.get() + 1);
            Ok((id.0 < 100_003).then(|| TaskView {
                id,
                state: self.state,
                ..views::task()
            }))
        }
    }

    #[tokio::test]
    async fn dead_tasks_are_not_asked_for() {
        let chain = OldChain {
            live: (100_000..100_003).map(TaskId).collect(),
            asked: Cell::new(0),
            state: TaskState::Running,
        };
        let mut tasks = Tasks::new(None);
        let found = tasks.live(&chain, &BTreeSet::from([TASK])).await.unwrap();
        let ids: Vec<_> = found.iter().map(|view| view.id.0).collect();
        assert_eq!(ids, [TASK.0, 100_000, 100_001, 100_002]);
        assert_eq!(chain.asked.get(), 5, "requests to the node");
        assert!(tasks.is_listed(TASK) && !tasks.is_listed(TaskId(4)));
    }

    #[test]
    fn one_of_many_tasks_is_given_up_and_an_only_one_is_an_error() {
        let mut all = Tasks::new(None);
        assert!(all.survive(TASK, wrong()).unwrap());
        assert!(!all.survive(TaskId(4), Ok(())).unwrap());
        assert!(all.is_given_up(TASK) && !all.is_given_up(TaskId(4)));
        let mut only = Tasks::new(Some(TASK));
        assert!(only.survive(TASK, wrong()).is_err());
    }

    #[test]
    fn what_was_given_up_is_tried_again_with_another_node() {
        let mut all = Tasks::new(None);
        all.ask("ws://liar");
        assert!(all.survive(TASK, wrong()).unwrap());
        all.ask("ws://liar");
        assert!(all.is_given_up(TASK));
        all.ask("ws://other");
        assert!(!all.is_given_up(TASK));
    }

    #[test]
    fn a_full_disk_is_noted() {
        for only in [None, Some(TASK)] {
            let mut tasks = Tasks::new(only);
            let _ = tasks.survive(TASK, Err(RunError::NothingLearned));
            assert!(!tasks.lacks_room());
            let _ = tasks.survive(TASK, Err(RunError::Replica(full_disk().into())));
            assert!(tasks.lacks_room());
        }
    }

    #[test]
    fn a_full_disk_has_room_again_once_it_can_be_written_to_and_not_before() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let gone = folder.sub("gone").unwrap();
        std::fs::remove_dir(gone.path()).unwrap();
        let mut tasks = Tasks::new(None);
        tasks.note_full();
        let later = Instant::now() + FULL_FOR;
        tasks.look_for_room(&gone, later);
        assert!(tasks.lacks_room(), "time alone makes no room");
        tasks.look_for_room(&folder, later);
        assert!(tasks.lacks_room(), "it was tried just now");
        tasks.look_for_room(&folder, later + FULL_FOR);
        assert!(!tasks.lacks_room());
    }

    #[tokio::test]
    async fn of_tasks_that_were_named_none_stops_the_others() {
        let chain = OldChain {
            live: vec![],
            asked: Cell::new(0),
            state: TaskState::Running,
        };
        let named = [TASK, TaskId(4)];
        let mut tasks = Tasks::new(named);
        assert!(tasks.survive(TASK, wrong()).unwrap());
        let found = tasks.live(&chain, &BTreeSet::new()).await.unwrap();
        assert_eq!(found.len(), 1, "the other one");
        assert!(!tasks.is_done(&found));
        let mut over = found;
        over[0].state = TaskState::Closed;
        assert!(!tasks.is_done(&over), "what was given up is not over");
        assert!(!tasks.is_done(&[]), "it could not be asked for");
    }

    #[tokio::test]
    async fn named_tasks_that_one_node_lies_about_end_in_an_error() {
        let mut chain = OldChain {
            live: vec![],
            asked: Cell::new(0),
            state: TaskState::Running,
        };
        let is_wrong = |looked: &Result<Vec<TaskView>, RunError>| {
            matches!(looked, Err(RunError::Replica(ReplicaError::Weights(_))))
        };
        let all = BTreeSet::new();
        // Both are given up, or one is and the other is over.
        let mut tasks = Tasks::new([TASK, TaskId(4)]);
        for task in [TASK, TaskId(4)] {
            assert!(tasks.survive(task, wrong()).unwrap());
        }
        assert!(is_wrong(&tasks.live(&chain, &all).await));
        let mut tasks = Tasks::new([TASK, TaskId(4)]);
        assert!(tasks.survive(TASK, wrong()).unwrap());
        assert!(tasks.live(&chain, &all).await.is_ok());
        chain.state = TaskState::Closed;
        assert!(is_wrong(&tasks.live(&chain, &all).await));
        // It was given another try, and if all are over, nothing is wrong.
        let found = tasks.live(&chain, &all).await.unwrap();
        assert!(tasks.is_done(&found));
    }

    #[test]
    fn what_may_pass_pauses_one_of_many_tasks_and_no_other() {
        for error in passing() {
            let mut all = Tasks::new(None);
            let what = error.to_string();
            assert!(!all.survive(TASK, Err(error)).unwrap(), "{what}");
            let now = Instant::now();
            assert!(all.is_left_alone(TASK, now), "{what}");
            assert!(!all.is_left_alone(TASK, now + Pause::FIRST), "{what}");
            assert!(!all.is_left_alone(TaskId(4), now), "{what}");
        }
        for error in passing() {
            assert!(Tasks::new(Some(TASK)).survive(TASK, Err(error)).is_err());
        }
    }

    /// A window of 30 seconds is shorter than the longest pause.
    #[test]
    fn no_pause_outlasts_what_is_due() {
        let window = Duration::from_secs(30);
        let mut all = Tasks::new(None);
        let deadline = Instant::now() + window;
        all.is_due_by(TASK, &[105], 100, window / 5);
        let full = || Err(RunError::State(full_disk()));
        for _ in 0..12 {
            // As if the previous pause were over.
            all.survive(TASK, full()).unwrap();
            all.survive(TaskId(4), full()).unwrap();
        }
        let (due, other) = (&all.paused[&TASK], &all.paused[&TaskId(4)]);
        assert!(due.until < deadline - window / 3, "half of it is left");
        assert!(other.until > deadline, "nothing is due there");
        let now = Instant::now();
        let late = Pause::after(None, now).before(now + Duration::from_secs(1), now);
        assert_eq!(late.until, now + Pause::FIRST);
        let over = Pause::after(None, now).before(now, now);
        assert_eq!(over.until, now + Pause::FIRST);
    }

    /// The window of the challenge is over, and a move in a dispute is due: on a development chain within 20 seconds.
    #[test]
    fn no_pause_outlasts_the_deadline_of_a_dispute() {
        let mut all = Tasks::new(None);
        let second = Duration::from_secs(1);
        let deadline = Instant::now() + 20 * second;
        all.is_due_by(TASK, &[90, 130, 120], 100, second);
        for _ in 0..12 {
            all.survive(TASK, Err(RunError::State(full_disk())))
                .unwrap();
        }
        assert!(all.paused[&TASK].until < deadline - 5 * second);
        // Once it is over, nothing is due.
        all.is_due_by(TASK, &[90, 120], 120, second);
        all.survive(TASK, Err(RunError::State(full_disk())))
            .unwrap();
        assert!(all.paused[&TASK].until > deadline);
        // What a node makes up is no reason to panic.
        all.is_due_by(TASK, &[u32::MAX], 0, Duration::MAX);
    }

    #[tokio::test]
    async fn a_panic_pauses_a_task() {
        let panics = tokio::spawn(async { panic!("of a test") });
        let error = ReplicaError::Aborted(panics.await.unwrap_err());
        let mut all = Tasks::new(None);
        assert!(!all.survive(TASK, Err(error.into())).unwrap());
        assert!(all.is_left_alone(TASK, Instant::now()));
    }

    #[test]
    fn a_lost_connection_is_everybodys() {
        let lost = || ChainError::Disconnected("gone".into());
        let mut all = Tasks::new(None);
        assert!(all.survive(TASK, Err(lost().into())).is_err());
        let replica = ReplicaError::Chain(lost());
        assert!(all.survive(TASK, Err(replica.into())).is_err());
        assert!(!all.is_left_alone(TASK, Instant::now()));
    }

    #[test]
    fn pauses_double_up_to_a_cap_and_are_forgotten() {
        let start = Instant::now();
        let mut pause = Pause::after(None, start);
        let mut waits = vec![pause.until - start];
        for _ in 0..7 {
            let failed = pause.until;
            pause = Pause::after(Some(&pause), failed);
            waits.push(pause.until - failed);
        }
        let seconds: Vec<_> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 150]);
        let later = pause.until + Pause::LONGEST;
        assert_eq!(Pause::after(Some(&pause), later).failures, 0);
    }
}
