//! Plays the disputes about a round.

use gotong_evaluation::FastCpu;
use gotong_protocol::TableSummary;
use gotong_scoring::share::trial::{Accusation, Answer, Pick, Player, Trial};
use std::sync::{Mutex, PoisonError};

/// One party's own computation of a round. It serves several disputes, one at a time. A dispute may also need the gradient of a
/// group. The processor computes it, not a device: it takes only seconds, and a wrong answer costs the whole stake. It does not
/// wait for its turn among other evaluations, because those may take longer than the time for a move, and a late answer costs the
/// whole stake, too.
#[derive(Debug)]
pub struct RoundPlayer {
    player: Mutex<Player>,
}

impl RoundPlayer {
    /// Plays for this party.
    pub(super) fn new(player: Player) -> Self {
        Self {
            player: Mutex::new(player),
        }
    }

    /// The summary of the table that it defends.
    pub fn summary(&self) -> TableSummary {
        self.with(|player, _| player.summary().clone())
    }

    /// What to doubt first in another's table; none if it is the same.
    pub fn accuse(&self, theirs: &TableSummary) -> Option<Accusation> {
        self.with(|player, _| player.accuse(theirs))
    }

    /// The answer of the accused. It may compute a gradient, so call it only on a thread that may block.
    pub fn answer(&self, trial: &Trial) -> Option<Answer> {
        self.with(|player, evaluator| player.answer(evaluator, trial))
    }

    /// The challenger's pick among what the accused, who defends `theirs`, has shown. It may compute a gradient, so call it only on
    /// a thread that may block.
    pub fn pick(&self, theirs: &TableSummary, trial: &Trial) -> Option<Pick> {
        self.with(|player, evaluator| player.pick(evaluator, theirs, trial))
    }

    /// Asks the player, and gives it an evaluator.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Player, &mut FastCpu) -> T) -> T {
        // A player that panicked in one dispute may still know the answer in another.
        let mut player = self.player.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut player, &mut FastCpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_lab::Lab;
    use gotong_evaluation::{Halt, Shared};
    use gotong_scoring::{gradient::Differentiator, Evaluator, Samples};
    use std::{sync::mpsc::channel, thread::spawn, time::Duration};

    #[test]
    fn a_move_does_not_wait_for_the_evaluation_of_another_task() {
        let lab = Lab::small();
        let player = RoundPlayer::new(lab.honest());
        let graph = lab.facts.graph.clone();
        let samples = Samples::new(graph.inputs, graph.classes(), lab.samples.records()).unwrap();
        // The turn is kept until this is dropped.
        let mut other = Shared::new(FastCpu, Halt::default());
        other.losses(&graph, &lab.base, &samples).unwrap();
        let (tell, told) = channel();
        spawn(move || {
            let all = 0..samples.len();
            let gradient = player.with(|_, evaluator| {
                evaluator.gradients(&graph, &lab.base, &samples, &[all], &mut |_, _| ())
            });
            tell.send(gradient).unwrap();
        });
        let done = told.recv_timeout(Duration::from_secs(10));
        drop(other);
        assert_eq!(done.unwrap(), Ok(()));
    }
}
