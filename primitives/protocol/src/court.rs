//! What the referee needs of the pallet that holds rounds and stakes.

use crate::{RoundId, TaskId};
use gotong_scoring::{RoundFacts, TableSummary};

/// A round's side of a dispute. The contribution pallet is one; the referee asks it.
pub trait Court<AccountId> {
    /// Money.
    type Balance;

    /// What both parties of a dispute about `round` rely on, from its Challenge phase on: `None`
    /// for a round whose samples or reveals the chain does not know.
    fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts>;

    /// The table of `accused`, if it can be disputed now: it holds a seat, has revealed, was not
    /// convicted, and the round's challenge window is open.
    fn disputable(task: TaskId, round: RoundId, accused: &AccountId) -> Option<TableSummary>;

    /// A dispute about a table of the round began: the round does not end before all are over.
    fn dispute_opened(task: TaskId, round: RoundId);

    /// A dispute is over. With `stay_open` set the challenge window lasts at least so many blocks
    /// from now, for there was no room for another dispute while this one was on.
    fn dispute_closed(task: TaskId, round: RoundId, stay_open: Option<u32>);

    /// `accused` attested a wrong table, or did not defend it: its claim counts no more, and all of
    /// its stake is slashed, half to `winner`, the rest burned. Gives back what `winner` got.
    fn convict(
        task: TaskId,
        round: RoundId,
        accused: &AccountId,
        winner: &AccountId,
    ) -> Self::Balance;
}
