//! What a second node is asked before stake or a bond is put at risk, if nothing is proved in time. Otherwise a node that lies
//! about a round could make an honest account compute the table of a different round, and get it convicted.

use super::inputs_digest;
use crate::chain::{ChainError, Client, Moment, ProofWait};
use gotong_protocol::{
    view::{RoundView, TaskView},
    Graph, Hash, TaskTerms,
};
use std::collections::BTreeMap;

/// A node that is no more than this many blocks behind still counts.
pub(super) const LAG_BLOCKS: u32 = 2;

/// Connections to nodes other than the one in use. They are kept from one question to the next.
#[derive(Default)]
pub(super) struct OtherNodes(BTreeMap<String, Client>);

impl OtherNodes {
    /// The node at `url`, one of those that `client` knows.
    pub async fn connect(&mut self, client: &Client, url: &str) -> Result<Client, ChainError> {
        if let Some(node) = self.connected(url) {
            return Ok(node);
        }
        let node = client.open_other(url).await?;
        self.keep(url, node.clone());
        Ok(node)
    }

    /// The connection to the node at `url`, if there is one.
    pub fn connected(&self, url: &str) -> Option<Client> {
        self.0.get(url).cloned()
    }

    /// Keeps the connection to the node at `url`.
    pub fn keep(&mut self, url: &str, node: Client) {
        self.0.insert(url.to_owned(), node);
    }

    /// Notes that the node at `url` did not answer, so the next question connects anew.
    pub fn give_up(&mut self, url: &str) {
        self.0.remove(url);
    }
}

/// A block as a node shows it.
pub(super) trait BlockViews {
    /// The number of the block.
    fn block(&self) -> u32;
    /// Whether, by this machine's clock, the block is no older than the time of this many blocks.
    async fn is_recent(&self, blocks: u32) -> Result<bool, ChainError>;
}

impl BlockViews for Moment {
    fn block(&self) -> u32 {
        self.block()
    }

    async fn is_recent(&self, blocks: u32) -> Result<bool, ChainError> {
        self.is_recent(blocks).await
    }
}

/// Whether another node may contradict what the own one shows at block `own`. A node that is behind may not: its newest block is
/// older than `blocks` blocks, and more than [`LAG_BLOCKS`] before that of the own node. Both conditions are needed, because the
/// own node may lie about its blocks, and the clock may be wrong.
pub(super) async fn keeps_up(
    own: u32,
    other: &impl BlockViews,
    blocks: u32,
) -> Result<bool, ChainError> {
    let is_near = own <= other.block().saturating_add(LAG_BLOCKS);
    Ok(is_near || other.is_recent(blocks).await?)
}

/// Whether a node says, at `other`, the same about everything that the table of `round` follows from: the task's terms and graph,
/// and the inputs whose digest is `inputs`.
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

/// How long to wait for a proof. Until the middle of the window, the wait may last up to the middle, so that the call is sent in
/// the second half if finality stands still. From then on, it lasts half of what is left, so that there is time for a second node
/// and for a block to take the call.
pub(super) fn proof_wait(round: &RoundView, block: u32) -> ProofWait {
    let half = round.ends_at.saturating_sub(round.phase_started_at) / 2;
    let middle = round.phase_started_at.saturating_add(half);
    let can_wait = block < middle;
    let blocks = match can_wait {
        true => middle.saturating_sub(block),
        false => round.ends_at.saturating_sub(block) / 2,
    };
    ProofWait { can_wait, blocks }
}

/// Whether the task that a node shows as `task` has these terms and this graph, which never change. If not, a node has made one of
/// the two up.
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
        let wait = |round: &RoundView, block| {
            let ProofWait { can_wait, blocks } = proof_wait(round, block);
            (can_wait, blocks)
        };
        let thirty = window(100, 130);
        assert_eq!(wait(&thirty, 100), (true, 15));
        assert_eq!(wait(&thirty, 114), (true, 1));
        assert_eq!(wait(&thirty, 115), (false, 7));
        assert_eq!(wait(&thirty, 200), (false, 0));
        let five = window(100, 105);
        assert_eq!(wait(&five, 101), (true, 1));
        assert_eq!(wait(&five, 102), (false, 1));
        // What a node makes up is no reason to panic.
        assert_eq!(wait(&window(9, 3), 9), (false, 0));
        assert_eq!(wait(&window(u32::MAX, u32::MAX), u32::MAX), (false, 0));
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
