//! What plays the disputes about a round.

use crate::evaluation::{FastCpu, Halt, Shared};
use gotong_protocol::TableSummary;
use gotong_scoring::share::trial::{Accusation, Answer, Pick, Player, Trial};
use std::sync::{Mutex, PoisonError};

/// One party's own computation of a round. It serves several disputes, one after the other. What a dispute needs besides, a
/// gradient of a group, the processor computes: it takes seconds, and whoever gives a wrong answer loses its stake.
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

    /// The summary of the table that it stands for.
    pub fn summary(&self) -> TableSummary {
        self.with(|player, _| player.summary().clone())
    }

    /// What to doubt first of another's table; none if it is the same.
    pub fn accuse(&self, theirs: &TableSummary) -> Option<Accusation> {
        self.with(|player, _| player.accuse(theirs))
    }

    /// The answer of the accused. It may compute a gradient, and so is for threads that may block.
    pub fn answer(&self, trial: &Trial) -> Option<Answer> {
        self.with(|player, evaluator| player.answer(evaluator, trial))
    }

    /// The challenger's pick of what the accused, who stands for `theirs`, has shown. It may compute a gradient, and so
    /// is for threads that may block.
    pub fn pick(&self, theirs: &TableSummary, trial: &Trial) -> Option<Pick> {
        self.with(|player, evaluator| player.pick(evaluator, theirs, trial))
    }

    /// Asks the player, with an evaluator that takes its turns with all others of this process.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Player, &mut Shared<FastCpu>) -> T) -> T {
        // A player that panicked in one dispute may still know the answer in another.
        let mut player = self.player.lock().unwrap_or_else(PoisonError::into_inner);
        let mut evaluator = Shared::new(FastCpu, Halt::default());
        ask(&mut player, &mut evaluator)
    }
}
