//! A training run that waits for its turn, beside those for other tasks.

use super::{round_span, Contribute, RunError, RunningTraining};
use gotong_protocol::{view::TaskView, RoundId};

impl Contribute {
    /// Whether a training run waits for its turn.
    pub(in crate::run) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether that training run was interrupted in this round, and would resume.
    pub(in crate::run) fn would_resume(&self, round: RoundId) -> bool {
        let ready = self.opened.as_ref().zip(self.ready);
        ready.is_some_and(|(opened, base_root)| opened.checkpoints.has_unfinished(round, base_root))
    }

    /// Begins the training run that waits for its turn, if there is one. `may_grow` says whether it may make more updates than usual if
    /// there is time.
    pub(in crate::run) fn begin(
        &mut self,
        view: &TaskView,
        may_grow: bool,
    ) -> Result<(), RunError> {
        if let (Some(base_root), Some(opened)) = (self.ready.take(), &self.opened) {
            let span = round_span(self.task, view.round, &self.account);
            self.training =
                span.in_scope(|| self.start_training(opened, view, base_root, may_grow))?;
        }
        Ok(())
    }

    /// Makes no more updates than usual in the training run that is under way, if there is one.
    pub(in crate::run) fn keep_to_usual(&self) {
        if let Some(training) = &self.training {
            training.deadline.keep_to_usual();
        }
    }

    /// Whether a training run is under way.
    pub(in crate::run) fn is_training(&self) -> bool {
        let is_at_work = |training: &RunningTraining| !training.running.is_finished();
        self.training.as_ref().is_some_and(is_at_work)
    }
}
