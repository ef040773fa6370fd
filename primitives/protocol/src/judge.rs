//! The door of the referee.

use crate::{RoundId, TaskId};

/// Hears of every round whose attesters revealed different claims.
///
/// Until a judge decides, such a round pays nobody and slashes nobody for its claim: a majority
/// never decides.
pub trait Judge {
    /// `round` of `task` ended disputed. Called once, in the block in which the round ended.
    fn round_disputed(task: TaskId, round: RoundId);
}

/// No judge yet: disputed rounds stay as they are.
impl Judge for () {
    fn round_disputed(_task: TaskId, _round: RoundId) {}
}
