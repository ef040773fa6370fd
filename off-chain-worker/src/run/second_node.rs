//! What a second node is asked before stake or a bond is put at risk: a node that lies about a round would have an honest account
//! compute the table of another one, and be convicted for it.

use super::inputs_digest;
use crate::chain::{ChainError, Moment};
use gotong_protocol::{
    view::{RoundView, TaskView},
    Hash,
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
    if !found.is_some_and(|found| is_same_task(&found, task)) {
        return Ok(false);
    }
    let Some(found) = other.round(round.task, round.round).await? else {
        return Ok(false);
    };
    let submissions = other.submissions(round.task, round.round).await?;
    Ok(inputs_digest(&found, &submissions) == *inputs)
}

/// Whether both are the same task, be it at different times.
fn is_same_task(one: &TaskView, other: &TaskView) -> bool {
    (&one.terms, &one.graph) == (&other.terms, &other.graph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views::task;
    use gotong_protocol::RoundId;

    #[test]
    fn a_task_goes_on_and_stays_the_same() {
        let later = TaskView {
            round: RoundId(9),
            master_root: [9; 32],
            ..task()
        };
        assert!(is_same_task(&task(), &later));
        let mut other = task();
        other.terms.share.outer_rate_q8 += 1;
        assert!(!is_same_task(&task(), &other));
        let mut other = task();
        other.graph.inputs += 1;
        assert!(!is_same_task(&task(), &other));
    }
}
