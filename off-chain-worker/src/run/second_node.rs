//! What a second node is asked before stake or a bond is put at risk, if nothing is proved in time: a node that lies about a round
//! would have an honest account compute the table of another one, and be convicted for it.

use super::inputs_digest;
use crate::chain::{ChainError, Moment};
use gotong_protocol::{
    view::{RoundView, TaskView},
    Graph, Hash, TaskTerms,
};

/// Whether a node says, at `other`, the same of everything that the table of `round` follows from: the task's terms and
/// graph, and what `inputs` is the digest of.
pub(super) async fn agrees(
    other: &Moment,
    task: &TaskView,
    round: &RoundView,
    inputs: &Hash,
) -> Result<bool, ChainError> {
    let found = other.task(round.task).await?;
    if !found.is_some_and(|found| is_same_task(&found, &task.terms, &task.graph)) {
        return Ok(false);
    }
    let Some(found) = other.round(round.task, round.round).await? else {
        return Ok(false);
    };
    let submissions = other.submissions(round.task, round.round).await?;
    Ok(inputs_digest(&found, &submissions) == *inputs)
}

/// Whether a proof can still be waited for: for the first half of the window, so that the call is sent in the other half if
/// finality stands still.
pub(super) fn can_wait(round: &RoundView, block: u32) -> bool {
    let half = round.ends_at.saturating_sub(round.phase_started_at) / 2;
    block < round.phase_started_at.saturating_add(half)
}

/// Whether what a node calls `task` has these terms and this graph, which never change: if not, a node has made one of them up.
pub(super) fn is_same_task(task: &TaskView, terms: &TaskTerms, graph: &Graph) -> bool {
    (&task.terms, &task.graph) == (terms, graph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::{round, task};
    use gotong_protocol::RoundId;

    #[test]
    fn a_proof_is_waited_for_in_the_first_half_of_a_window() {
        let window = |phase_started_at, ends_at| RoundView {
            phase_started_at,
            ends_at,
            ..round()
        };
        let thirty = window(100, 130);
        assert!(can_wait(&thirty, 100) && can_wait(&thirty, 114));
        assert!(!can_wait(&thirty, 115) && !can_wait(&thirty, 200));
        let five = window(100, 105);
        assert!(can_wait(&five, 101) && !can_wait(&five, 102));
        // What a node makes up is no reason to panic.
        assert!(!can_wait(&window(9, 3), 9));
        assert!(!can_wait(&window(u32::MAX, u32::MAX), u32::MAX));
    }

    #[test]
    fn a_task_goes_on_and_stays_the_same() {
        let TaskView { terms, graph, .. } = task();
        let is_same = |other: &TaskView| is_same_task(other, &terms, &graph);
        let later = TaskView {
            round: RoundId(9),
            master_root: [9; 32],
            ..task()
        };
        assert!(is_same(&later));
        let mut other = task();
        other.terms.share.outer_rate_q8 += 1;
        assert!(!is_same(&other));
        let mut other = task();
        other.graph.inputs += 1;
        assert!(!is_same(&other));
    }
}
