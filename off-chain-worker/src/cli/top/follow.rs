//! Snapshots of the chain as it grows, from whichever node answers.

use super::snapshot::Snapshot;
use crate::chain::{Account, ChainError, Nodes};
use gotong_protocol::TaskId;
use std::{convert::Infallible, time::Duration};
use tokio::sync::{mpsc::UnboundedSender, watch};

/// How long to wait before the next node is asked after one has failed.
const RETRY: Duration = Duration::from_secs(2);

/// News: a snapshot, or why there is none.
pub type News = Result<Box<Snapshot>, ChainError>;

/// Sends what every new block shows, with the rounds of the task that is `opened`, until nobody listens. If a node fails, the error
/// is sent, and the next node is tried.
pub async fn follow(
    nodes: &Nodes,
    account: Option<Account>,
    mut opened: watch::Receiver<Option<TaskId>>,
    news: UnboundedSender<News>,
) {
    loop {
        let Err(error) = session(nodes, account.as_ref(), &mut opened, &news).await;
        if news.send(Err(error)).is_err() {
            return;
        }
        nodes.pass_over();
        tokio::time::sleep(RETRY).await;
    }
}

async fn session(
    nodes: &Nodes,
    account: Option<&Account>,
    opened: &mut watch::Receiver<Option<TaskId>>,
    news: &UnboundedSender<News>,
) -> Result<Infallible, ChainError> {
    let client = nodes.connect().await?;
    let mut blocks = client.best_blocks().await?;
    let mut now = client.best().await?;
    loop {
        let task = *opened.borrow_and_update();
        let snapshot = Snapshot::at(&client, &now, account, task).await?;
        // If nobody listens, this is about to be dropped.
        let _ = news.send(Ok(Box::new(snapshot)));
        tokio::select! {
            newer = blocks.latest() => {
                let ended = || ChainError::Disconnected("it sends no more blocks".into());
                now = newer.ok_or_else(ended)??;
            }
            // The same block is shown again, with the rounds of another task.
            Ok(()) = opened.changed() => {}
        }
    }
}
