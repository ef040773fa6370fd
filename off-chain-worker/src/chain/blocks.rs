//! Best blocks as they come. The stream asks the node only for their headers. A library would first ask for the state of the last
//! finalized block, but a pruning node no longer has that state when finality has stood still for a long time.

use super::{nodes::LATE, ChainError, Client, Config, Moment};
use codec::Encode;
use futures::FutureExt;
use std::{sync::atomic::Ordering, time::Duration};
use subxt::{
    client::OnlineClient,
    config::{
        substrate::{BlakeTwo256, SubstrateHeader},
        Hasher,
    },
    rpcs::client::RpcSubscription,
    utils::H256,
};

/// The header of a block.
type Header = SubstrateHeader<H256>;

/// A stream of best blocks.
pub struct Blocks {
    client: Client,
    heads: RpcSubscription<Header>,
    /// Longest wait for a block, if there are other nodes.
    patience: Option<Duration>,
}

impl Blocks {
    /// Best blocks of `client`'s node from now on. The first one is available at once.
    pub(super) async fn of(client: Client) -> Result<Self, ChainError> {
        let heads = client.rpc.chain_subscribe_new_heads().await?;
        let patience = client.nodes.are_several().then_some(LATE);
        Ok(Self {
            client,
            heads,
            patience,
        })
    }

    /// The chain at the next best block; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Result<Moment, ChainError>> {
        let head = self.head().await?;
        Some(at(&self.client.api, head).await)
    }

    /// The chain at the newest best block that was not seen yet. It skips blocks that came while
    /// nobody was waiting, and blocks that do not have the client's own transactions yet. `None`
    /// when the connection has ended.
    pub async fn latest(&mut self) -> Option<Result<Moment, ChainError>> {
        loop {
            let mut newest = self.head().await?;
            while let Some(Some(newer)) = self.heads.next().now_or_never() {
                newest = newer.map_err(ChainError::from);
            }
            let horizon = self.client.horizon.load(Ordering::Relaxed);
            if newest
                .as_ref()
                .map_or(true, |head| head.number >= horizon.into())
            {
                return Some(at(&self.client.api, newest).await);
            }
        }
    }

    /// The next header; an error if it does not come in time.
    async fn head(&mut self) -> Option<Result<Header, ChainError>> {
        let next = self.heads.next();
        let next = match self.patience {
            None => next.await,
            Some(patience) => match tokio::time::timeout(patience, next).await {
                Ok(next) => next,
                Err(_) => {
                    return Some(Err(ChainError::Silent {
                        url: self.client.url().to_owned(),
                        seconds: patience.as_secs(),
                    }))
                }
            },
        };
        Some(next?.map_err(ChainError::from))
    }
}

async fn at(
    api: &OnlineClient<Config>,
    head: Result<Header, ChainError>,
) -> Result<Moment, ChainError> {
    let head = head?;
    let block = api.at_block_hash_and_number(hash(&head), head.number);
    Ok(Moment(block.await?))
}

/// The hash of the block, with the chain's own hash function.
fn hash(head: &Header) -> H256 {
    BlakeTwo256.hash(&head.encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::mock::{header, Answer, MockNode};

    /// The best blocks come even from a node that has pruned the state of the last finalized block.
    async fn blocks(urls: &[&str]) -> Blocks {
        let pruned = MockNode::new(|method, _| match method {
            "chain_getBlockHash" | "chain_getFinalizedHead" => Answer::hash(),
            "chain_getHeader" => Answer::Json(header(0x10ff)),
            _ => Answer::no_state(),
        });
        let client = pruned.with_head(0x10ff).client(urls).await;
        client.best_blocks().await.unwrap()
    }

    #[tokio::test]
    async fn best_blocks_come_from_a_node_without_the_state_of_the_finalized_one() {
        let mut blocks = blocks(&["ws://pruned"]).await;
        let head = blocks.head().await.unwrap().unwrap();
        assert_eq!(head.number, 0x10ff);
        assert_eq!(blocks.patience, None, "there is no other node");
    }

    #[tokio::test]
    async fn a_node_that_falls_silent_is_an_error_where_there_are_others() {
        let mut blocks = blocks(&["ws://pruned", "ws://other"]).await;
        assert_eq!(blocks.patience, Some(LATE));
        blocks.patience = Some(Duration::from_millis(1));
        assert!(matches!(blocks.head().await, Some(Ok(_))));
        let silent = blocks.head().await;
        assert!(
            matches!(&silent, Some(Err(ChainError::Silent { url, .. })) if url == "ws://pruned"),
            "{silent:?}"
        );
    }
}
