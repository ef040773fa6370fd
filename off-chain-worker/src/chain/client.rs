//! The connection to a node, and what it is asked.

use super::{body::Body, Blocks, ChainError, Config, Moment, Nodes};
use std::{
    sync::{atomic::AtomicU32, Arc},
    time::Duration,
};
use subxt::{
    backend::LegacyBackend,
    client::OnlineClient,
    config::RpcConfigFor,
    ext::jsonrpsee::ws_client::WsClientBuilder,
    metadata::ArcMetadata,
    rpcs::{methods::LegacyRpcMethods, RpcClient},
    utils::H256,
};
use tokio::sync::Mutex;

/// A block full of deltas is about 13 MB, twice that in JSON's hexadecimal.
const LARGEST_MESSAGE_BYTES: u32 = 64 << 20;
/// Longest wait for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for each answer while no other call of the account can be signed: the answer with the next nonce, and the one that
/// the pool has the transaction. A healthy node needs milliseconds, or seconds on a slow line; and seconds if it is searched for an
/// earlier transaction of the call. A move in a dispute has a hundred
/// blocks, so there is time to continue with another node.
const SIGNING_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection to a node. Cheap to clone. It does not reconnect by itself: once it is lost, every
/// request fails, and the caller has to connect again.
#[derive(Clone)]
pub struct Client {
    pub(super) api: OnlineClient<Config>,
    pub(super) rpc: LegacyRpcMethods<RpcConfigFor<Config>>,
    /// For methods that `rpc` does not have.
    pub(super) raw: RpcClient,
    /// Where the node is.
    pub(super) url: Arc<str>,
    /// This node and the others.
    pub(super) nodes: Nodes,
    /// Most to tip for a transaction, in planck.
    pub(super) max_tip: u128,
    /// The block that transactions are anchored at, if it has to be this one.
    pub(super) tie: Option<(u64, H256)>,
    /// Highest block that took one of this client's transactions.
    pub(super) horizon: Arc<AtomicU32>,
    /// Held from the choice of a nonce until the pool has the transaction. So calls can wait for their blocks in parallel.
    pub(super) signing: Arc<Mutex<()>>,
    /// Longest wait for each answer meanwhile.
    pub(super) patience: Duration,
}

impl Client {
    /// Connects once, to a single node.
    pub async fn connect(url: &str) -> Result<Self, ChainError> {
        Nodes::new([url.to_owned()], None).connect().await
    }

    /// Connects to one of the nodes.
    pub(super) async fn open(url: &str, nodes: Nodes) -> Result<Self, ChainError> {
        let socket = WsClientBuilder::new()
            .max_request_size(LARGEST_MESSAGE_BYTES)
            .max_response_size(LARGEST_MESSAGE_BYTES)
            .request_timeout(REQUEST_TIMEOUT)
            .build(url)
            .await
            .map_err(|error| ChainError::unreachable(url, &error))?;
        Self::over(RpcClient::new(socket), url, nodes).await
    }

    /// The same, over an existing connection.
    pub(super) async fn over(rpc: RpcClient, url: &str, nodes: Nodes) -> Result<Self, ChainError> {
        let backend = LegacyBackend::builder().build(rpc.clone());
        let api = OnlineClient::from_backend(Arc::new(backend))
            .await
            .map_err(|error| ChainError::unreachable(url, &error))?;
        Ok(Self {
            api,
            rpc: LegacyRpcMethods::new(rpc.clone()),
            raw: rpc,
            url: url.into(),
            nodes,
            max_tip: 0,
            tie: None,
            horizon: Arc::default(),
            signing: Arc::default(),
            patience: SIGNING_TIMEOUT,
        })
    }

    /// Tips up to `max_tip` planck if full blocks pass over a transaction. This is for calls with a
    /// deadline. By default there is no tip.
    pub fn tipping(self, max_tip: u128) -> Self {
        Self { max_tip, ..self }
    }

    /// Ties calls to what was seen at `moment`, which has to be recent. A fork without that block takes none of them, so the sender
    /// has to look again.
    pub fn tied_to(&self, moment: &Moment) -> Self {
        Self {
            tie: Some((moment.block().into(), moment.hash())),
            ..self.clone()
        }
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Hash of the chain's first block.
    pub fn genesis(&self) -> H256 {
        self.api.genesis_hash()
    }

    /// Name and version of the node, and name of its chain.
    pub async fn node_version(&self) -> Result<(String, String), ChainError> {
        Ok((
            format!(
                "{} {}",
                self.rpc.system_name().await?,
                self.rpc.system_version().await?
            ),
            self.rpc.system_chain().await?,
        ))
    }

    /// The chain at its best block.
    pub async fn best(&self) -> Result<Moment, ChainError> {
        let hash = self.block_hash(None).await?;
        Ok(Moment(self.api.at_block(hash).await?))
    }

    /// Number and hash of the last finalized block. The node may no longer have its state.
    pub async fn finalized(&self) -> Result<(u64, H256), ChainError> {
        let hash = self.rpc.chain_get_finalized_head().await?;
        let header = self.rpc.chain_get_header(Some(hash)).await?;
        Ok((header.map_or(0, |header| header.number), hash))
    }

    /// Best blocks from now on.
    pub async fn best_blocks(&self) -> Result<Blocks, ChainError> {
        Blocks::of(self.clone()).await
    }

    /// Hash of the best chain's block `number`, or of its head.
    pub(super) async fn block_hash(&self, number: Option<u32>) -> Result<H256, ChainError> {
        self.rpc
            .chain_get_block_hash(number.map(|number| u64::from(number).into()))
            .await?
            .ok_or_else(|| ChainError::Missing {
                what: "the block itself: the chain has not reached it".into(),
                block: number.unwrap_or_default(),
            })
    }

    /// The body of the best chain's block `number`, read by the types of the runtime that executed it. That runtime is in the state
    /// before the block: the state after a block that upgrades the runtime has the new one. If that state is gone, today's types
    /// are used; if there was an upgrade in between, another node must have the state.
    pub async fn body(&self, number: u32) -> Result<Body, ChainError> {
        let hash = self.block_hash(Some(number)).await?;
        let details = self.rpc.chain_get_block(Some(hash)).await?;
        let details = details.ok_or_else(|| ChainError::Missing {
            what: "the block's body, which the node no longer has: use an archive node".into(),
            block: number,
        })?;
        let before = details.block.header.parent_hash;
        let extrinsics = details.block.extrinsics.into_iter();
        let extrinsics: Vec<_> = extrinsics.map(|bytes| bytes.0).collect();
        if let Ok(state) = self.api.at_block(before).await {
            return read_body(extrinsics, state.metadata()).await;
        }
        let today = self.best().await?.0.metadata();
        let body = read_body(extrinsics.clone(), today).await?;
        if body.is_understood() {
            return Ok(body);
        }
        match self.metadata_elsewhere(before).await {
            Some(metadata) => read_body(extrinsics, metadata).await,
            None => Err(ChainError::Missing {
                what: "calls that the current runtime can read, and no node has the block's state: name an archive node"
                    .into(),
                block: number,
            }),
        }
    }
}

async fn read_body(extrinsics: Vec<Vec<u8>>, metadata: ArcMetadata) -> Result<Body, ChainError> {
    tokio::task::spawn_blocking(move || Body::read(extrinsics, &metadata)).await?
}
