use super::RunError;
use crate::chain::Moment;
use gotong_protocol::{view::TaskView, TaskId};
use std::collections::BTreeSet;

/// The tasks that a daemon follows.
pub(super) struct Tasks {
    /// Only this one; every task when absent.
    only: Option<TaskId>,
    /// Tasks that cannot be rebuilt, because the chain settled them on something else.
    given_up: BTreeSet<TaskId>,
}

impl Tasks {
    pub fn new(only: Option<TaskId>) -> Self {
        Self {
            only,
            given_up: BTreeSet::new(),
        }
    }

    /// Those that were not given up.
    pub async fn all(&self, now: &Moment) -> Result<Vec<TaskView>, RunError> {
        let ids = match self.only {
            Some(task) => vec![task],
            None => now.tasks().await?,
        };
        let mut views = Vec::new();
        for id in ids.into_iter().filter(|id| !self.given_up.contains(id)) {
            views.push(now.task(id).await?.ok_or(RunError::NoTask(id))?);
        }
        Ok(views)
    }

    /// Whether the only task that was to be followed is over.
    pub fn is_done(&self, views: &[TaskView]) -> bool {
        self.only.is_some() && views.iter().all(|view| view.state.is_over())
    }

    /// One task that cannot be rebuilt must not stop the work on all others: gives it up, and tells
    /// whether it did.
    pub fn survive(&mut self, task: TaskId, done: Result<(), RunError>) -> Result<bool, RunError> {
        match done {
            Err(RunError::Replica(error)) if error.is_fatal() && self.only.is_none() => {
                tracing::error!("giving up task {task}: {error}");
                self.given_up.insert(task);
                Ok(true)
            }
            done => done.map(|()| false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ReplicaError;

    #[test]
    fn one_of_many_tasks_is_given_up_and_an_only_one_is_an_error() {
        let wrong = || Err(RunError::Replica(ReplicaError::NoTask(TaskId(3))));
        let mut all = Tasks::new(None);
        assert!(all.survive(TaskId(3), wrong()).unwrap());
        assert!(!all.survive(TaskId(4), Ok(())).unwrap());
        assert_eq!(all.given_up, BTreeSet::from([TaskId(3)]));
        let mut only = Tasks::new(Some(TaskId(3)));
        assert!(only.survive(TaskId(3), wrong()).is_err());
    }
}
