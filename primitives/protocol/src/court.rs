//! What the referee needs from the pallet that owns rounds and stakes.

use crate::{RoundId, TaskId};
use gotong_scoring::{RoundFacts, TableSummary};

/// What a dispute needs to know about a round, and does to it. The contribution pallet implements it; the referee uses it.
pub trait Court<AccountId> {
    /// Money.
    type Balance;

    /// The facts that both parties of a dispute about `round` rely on, from its Challenge phase on. `None` if the chain does
    /// not know the round's samples or reveals.
    fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts>;

    /// The table of `accused`, if it can be disputed now: it holds a seat, has revealed, was not
    /// convicted, and the round's challenge window is open.
    fn disputable(task: TaskId, round: RoundId, accused: &AccountId) -> Option<TableSummary>;

    /// A dispute about a table of the round was opened. The round does not end before all of its disputes are over.
    fn dispute_opened(task: TaskId, round: RoundId);

    /// A dispute is over. If `stay_open` is set, the challenge window lasts at least that many blocks from now, because there
    /// was no room for another dispute while this one was open.
    fn dispute_closed(task: TaskId, round: RoundId, stay_open: Option<u32>);

    /// `accused` attested a wrong table, or did not defend it: its claim no longer counts, and its whole stake is slashed. Half
    /// goes to `winner`, and the rest is burned. Returns what `winner` got.
    fn convict(
        task: TaskId,
        round: RoundId,
        accused: &AccountId,
        winner: &AccountId,
    ) -> Self::Balance;
}
