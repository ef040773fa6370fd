//! Follows tasks in which the attester has no seat, so that it already has a round's weights when it is drawn for that round.
//!
//! A round's window leaves time to score that round, but not to catch up on earlier ones. So a task is
//! [ready](Follower::is_ready), and offered, only once all of its rounds except perhaps the last have been replayed.

use crate::{
    chain::{Client, Moment},
    run::{
        replica::{Progress, ReplicaWorker},
        under_way::{holding, Ended, Work},
        Replica, ReplicaError, WorkerDirs,
    },
};
use gotong_protocol::{view::TaskView, RoundId, TaskId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Mutex;

/// Replays tasks, one at a time.
#[derive(Default)]
pub(super) struct Follower {
    /// For each task, the first round that has not been replayed yet. A task that is missing here was never replayed.
    reached: BTreeMap<TaskId, RoundId>,
    /// Tasks that could not be replayed, each with the block from which it is tried again.
    failed: BTreeMap<TaskId, u32>,
    /// Tasks that have been looked for on disk.
    looked_for: BTreeSet<TaskId>,
    at_work: Option<(TaskId, Following)>,
    /// Whether it is the turn of a task that is not ready. Without turns, tasks that are one round behind would always come first,
    /// and among many tasks there may always be one of those.
    is_turn_of_others: bool,
}

/// The worker on a task's replica, and its progress.
#[derive(Clone)]
pub(super) struct Following {
    pub worker: Arc<Mutex<ReplicaWorker>>,
    pub progress: Progress,
}

impl Following {
    pub fn new(worker: ReplicaWorker) -> Self {
        let progress = worker.progress();
        let worker = Arc::new(Mutex::new(worker));
        Self { worker, progress }
    }
}

/// The result of replaying some rounds of a task: the first round that has not been replayed yet, or none if the work is
/// still under way.
pub(super) type Followed = (TaskId, Result<Option<RoundId>, ReplicaError>);

impl Follower {
    /// How many blocks a task that cannot be replayed is left alone.
    const PAUSE_BLOCKS: u32 = 100;

    /// Whether the weights would be ready for a seat in the task. One round may be missing, because it has just ended or a fork has
    /// undone it. There is time to replay it while the next round accepts deltas.
    pub fn is_ready(&self, task: &TaskView) -> bool {
        match self.reached.get(&task.id) {
            Some(_) => self.lacks(task) <= 1,
            None => task.round == RoundId(0),
        }
    }

    /// The number of rounds that have ended but were not replayed, or that were replayed but no longer exist.
    fn lacks(&self, task: &TaskView) -> u32 {
        let reached = self.reached.get(&task.id).map_or(0, |reached| reached.0);
        task.round.0.abs_diff(reached)
    }

    /// Notes that these tasks exist. A task that is seen in its first round has nothing to replay.
    pub fn see<'a>(&mut self, tasks: impl IntoIterator<Item = &'a TaskView>) {
        for task in tasks.into_iter().filter(|task| task.round == RoundId(0)) {
            self.reached.entry(task.id).or_insert(RoundId(0));
        }
    }

    /// Notes how far the replica of a task has come.
    pub fn has_reached(&mut self, task: TaskId, reached: RoundId) {
        self.reached.insert(task, reached);
    }

    /// Looks up on disk, once for each of these tasks, how far its replica has come, so that a restart changes no offer.
    pub fn look_on_disk<'a>(
        &mut self,
        dirs: &WorkerDirs,
        tasks: impl IntoIterator<Item = &'a TaskView>,
    ) {
        for task in tasks {
            if task.round == RoundId(0) || !self.looked_for.insert(task.id) {
                continue;
            }
            match Replica::reached_on_disk(dirs, task) {
                Ok(Some(reached)) => {
                    self.reached.entry(task.id).or_insert(reached);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(task = %task.id, "{error}"),
            }
        }
    }

    /// Forgets all tasks but these.
    pub fn keep(&mut self, is_listed: impl Fn(TaskId) -> bool) {
        self.reached.retain(|task, _| is_listed(*task));
        self.failed.retain(|task, _| is_listed(*task));
        self.looked_for.retain(|task| is_listed(*task));
    }

    /// Chooses which of these tasks to continue. It alternates between tasks that are one round behind, as every task is when a
    /// round ends, and tasks that are further behind. Among the latter it takes the one with the fewest rounds missing. So a task
    /// with a long history, which anybody can create, does not keep the others from becoming ready.
    fn next<'a>(
        &mut self,
        block: u32,
        tasks: impl Iterator<Item = &'a TaskView>,
    ) -> Option<&'a TaskView> {
        let is_paused = |task: &TaskView| {
            let until = self.failed.get(&task.id);
            until.is_some_and(|until| block < *until)
        };
        let next = tasks
            .filter(|task| self.lacks(task) > 0 && !is_paused(task))
            .min_by_key(|task| {
                let lacks = self.lacks(task);
                let is_its_turn = (lacks > 1) == self.is_turn_of_others;
                (!is_its_turn, lacks, task.id)
            })?;
        self.is_turn_of_others = self.lacks(next) <= 1;
        Some(next)
    }

    /// Continues one of these tasks, unless one is being replayed already. `new` makes a worker if another task is next.
    pub fn go_on<'a, T: 'static>(
        &mut self,
        client: &Client,
        now: &Moment,
        tasks: impl Iterator<Item = &'a TaskView> + Clone,
        new: impl FnOnce() -> ReplicaWorker,
        came: impl FnOnce(Followed) -> T + 'static,
    ) -> Option<Work<T>> {
        let under_way = match &self.at_work {
            Some((id, at_work)) => match at_work.worker.try_lock() {
                // Somebody is asking for the result of its job.
                Err(_) => return None,
                Ok(worker) if worker.is_busy() => tasks.clone().find(|task| task.id == *id),
                Ok(_) => None,
            },
            None => None,
        };
        let task = match under_way {
            Some(task) => task,
            None => self.next(now.block(), tasks)?,
        };
        let at_work = match &self.at_work {
            Some((id, at_work)) if *id == task.id => at_work.clone(),
            _ => {
                let at_work = Following::new(new());
                self.at_work = Some((task.id, at_work.clone()));
                at_work
            }
        };
        let (client, now, task) = (client.clone(), now.clone(), task.clone());
        holding(&at_work.worker, |mut worker| async move {
            let followed = worker.follow(&client, &now, &task).await;
            Ended::with(came((task.id, followed)))
        })
    }

    /// Notes the result. A failure here does not end the daemon, because nothing is at stake without a seat.
    pub fn take_in(&mut self, block: u32, (task, followed): Followed) {
        match followed {
            Ok(Some(reached)) => self.has_reached(task, reached),
            Ok(None) => {}
            Err(error) => {
                // If the connection is lost, everything else that uses it reports that.
                if !matches!(&error, ReplicaError::Chain(error) if error.is_gone()) {
                    tracing::warn!(%task, "not offered, because it cannot be rebuilt: {error}");
                    let until = block.saturating_add(Self::PAUSE_BLOCKS);
                    self.failed.insert(task, until);
                }
                self.let_go(task);
            }
        }
    }

    /// Hands over the worker of the task, so that it can serve a seat there.
    pub fn let_go(&mut self, task: TaskId) -> Option<Following> {
        let at_work = self.at_work.take_if(|(id, _)| *id == task);
        at_work.map(|(_, following)| following)
    }

    /// From now on another node is asked. It may have what the previous one could not show.
    pub fn disconnected(&mut self) {
        self.failed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::task_at;
    use gotong_scoring::WeightsError;

    #[test]
    fn a_task_is_ready_once_its_rounds_are_replayed_but_for_the_last() {
        let mut follower = Follower::default();
        assert!(
            follower.is_ready(&task_at(1, 0)),
            "nothing is to be replayed"
        );
        // A newcomer, or an attester that was away, has all rounds left to replay.
        assert!(!follower.is_ready(&task_at(1, 1)) && !follower.is_ready(&task_at(1, 3)));
        follower.has_reached(TaskId(1), RoundId(1));
        assert!(!follower.is_ready(&task_at(1, 3)));
        follower.has_reached(TaskId(1), RoundId(3));
        assert!(follower.is_ready(&task_at(1, 3)));
        // The third round has ended just now.
        assert!(follower.is_ready(&task_at(1, 4)) && !follower.is_ready(&task_at(1, 5)));
        // The chain took one round back, or more.
        assert!(follower.is_ready(&task_at(1, 2)) && !follower.is_ready(&task_at(1, 1)));
        assert!(follower.next(1, [task_at(1, 2)].iter()).is_some());
    }

    #[test]
    fn a_task_with_a_long_history_starves_no_other() {
        let mut follower = Follower::default();
        let tasks = [
            task_at(1, 100_000),
            task_at(2, 7),
            task_at(3, 7),
            task_at(4, 0),
        ];
        let next = |follower: &mut Follower, block| {
            let next = follower.next(block, tasks.iter());
            next.map(|task| task.id.0)
        };
        assert_eq!(next(&mut follower, 1), Some(2));
        follower.has_reached(TaskId(2), RoundId(6));
        follower.has_reached(TaskId(3), RoundId(7));
        assert_eq!(
            next(&mut follower, 1),
            Some(2),
            "it lacks one round, which has just ended"
        );
        follower.has_reached(TaskId(2), RoundId(7));
        assert_eq!(next(&mut follower, 1), Some(1));
        // It cannot be replayed, for example because the node lies.
        let wrong = || Err(WeightsError::PartialWeight.into());
        follower.take_in(1, (TaskId(1), wrong()));
        assert_eq!(next(&mut follower, Follower::PAUSE_BLOCKS), None);
        assert_eq!(next(&mut follower, Follower::PAUSE_BLOCKS + 1), Some(1));
        follower.take_in(200, (TaskId(1), wrong()));
        follower.disconnected();
        assert_eq!(next(&mut follower, 200), Some(1), "another node is asked");
    }

    #[test]
    fn tasks_that_are_ready_starve_none_that_is_not() {
        let mut follower = Follower::default();
        let tasks = [task_at(1, 8), task_at(2, 8), task_at(3, 5)];
        for ready in [1, 2] {
            follower.has_reached(TaskId(ready), RoundId(7));
        }
        let next: Vec<_> = (0..4)
            .filter_map(|block| follower.next(block, tasks.iter()))
            .map(|task| task.id.0)
            .collect();
        assert_eq!(next, [1, 3, 1, 3]);
    }

    #[test]
    fn a_task_that_was_seen_from_its_start_is_ready_when_its_first_round_ends() {
        let mut follower = Follower::default();
        follower.see([&task_at(1, 0), &task_at(2, 1)]);
        assert!(follower.is_ready(&task_at(1, 1)));
        assert!(!follower.is_ready(&task_at(2, 1)), "of a newcomer");
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut follower = Follower::default();
        follower.has_reached(TaskId(1), RoundId(3));
        follower.keep(|task| task != TaskId(1));
        assert!(!follower.is_ready(&task_at(1, 3)));
    }
}
