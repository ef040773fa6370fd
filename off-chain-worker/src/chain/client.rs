//! The connection to a node: questions, and transactions until they are in a block.

use super::{body::Body, Blocks, Call, ChainError, Config, Keypair, Moment, Nodes};
use codec::Decode;
use futures::{stream::SelectAll, StreamExt, TryFutureExt};
use std::{
    pin::pin,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};
use subxt::{
    backend::LegacyBackend,
    client::{OnlineClient, OnlineClientAtBlockImpl},
    config::{DefaultExtrinsicParamsBuilder, RpcConfigFor},
    ext::jsonrpsee::ws_client::WsClientBuilder,
    metadata::ArcMetadata,
    rpcs::{methods::LegacyRpcMethods, RpcClient},
    tx::{TransactionInBlock, TransactionInvalid, TransactionStatus, ValidationResult},
    utils::{AccountId32, H256},
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

/// A block full of deltas is about 13 MB, twice that in JSON's hexadecimal.
const LARGEST_MESSAGE_BYTES: u32 = 64 << 20;
/// Longest wait for one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Blocks after which a transaction is no longer valid, from the one that it is anchored at.
const MORTAL_BLOCKS: u64 = 256;
/// The most blocks that a transaction's anchor lies behind the best one. If a fork removes the anchor, the transaction becomes
/// invalid; forks that deep are rare.
const ANCHOR_DEPTH: u64 = 64;
/// Longest wait for a block to take a transaction.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest wait for each answer while no other call of the account can be signed: the answer with the next nonce, and the one that
/// the pool has the transaction. A healthy node needs milliseconds, or seconds on a slow line. A move in a dispute has a hundred
/// blocks, so there is time to continue with another node.
const SIGNING_TIMEOUT: Duration = Duration::from_secs(15);
/// How many blocks to wait for a transaction before it is sent again with a higher tip.
const PATIENCE_BLOCKS: usize = 3;
/// First tip, in planck; each one after it is twice the one before.
const FIRST_TIP: u128 = 10_000_000_000;
/// How often a call is signed at most. Another transaction may take its nonce, or the fork that it was signed for may be dropped.
const SIGNING_ATTEMPTS: u32 = 5;

/// Codes of the node's answers to a transaction, as in `sc_rpc_api::author::error`.
mod code {
    /// The runtime could not check the transaction, for example because it was encoded for another runtime.
    pub const UNREADABLE: i32 = 1002;
    /// The transaction is invalid: its nonce is old, it cannot pay, or another reason.
    pub const INVALID: i32 = 1010;
    /// The transaction is banned for a while.
    pub const BANNED: i32 = 1012;
    /// The transaction is in the pool already.
    pub const ALREADY_IMPORTED: i32 = 1013;
    /// The tip is too low to replace the transaction with the same nonce.
    pub const TOO_LOW_PRIORITY: i32 = 1014;
    /// The pool is full.
    pub const IMMEDIATELY_DROPPED: i32 = 1016;
}

/// A connection to a node. Cheap to clone. It does not reconnect by itself: once it is lost, every
/// request fails, and the caller has to connect again.
#[derive(Clone)]
pub struct Client {
    pub(super) api: OnlineClient<Config>,
    pub(super) rpc: LegacyRpcMethods<RpcConfigFor<Config>>,
    /// For methods that `rpc` does not have.
    pub(super) raw: RpcClient,
    /// Where the node is.
    url: Arc<str>,
    /// This node and the others.
    pub(super) nodes: Nodes,
    /// Most to tip for a transaction, in planck.
    max_tip: u128,
    /// The block that transactions are anchored at, if it has to be this one.
    tie: Option<(u64, H256)>,
    /// Highest block that took one of this client's transactions.
    pub(super) horizon: Arc<AtomicU32>,
    /// Held from the choice of a nonce until the pool has the transaction. So calls can wait for their blocks in parallel.
    signing: Arc<Mutex<()>>,
    /// Longest wait for each answer meanwhile.
    patience: Duration,
}

/// How certain the caller wants to be that a transaction stays in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inclusion {
    /// In the best block: soon, and almost certain.
    Best,
    /// In a finalized block.
    Finalized,
}

/// A call that was executed with success.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Block that it is in.
    pub block: u32,
    /// The pallet's events that the call caused: name and encoded fields.
    pub events: Vec<(String, Vec<u8>)>,
}

impl Receipt {
    /// Whether the call caused an event called `name`.
    pub fn has_event(&self, name: &str) -> bool {
        self.events.iter().any(|(found, _)| found == name)
    }

    /// The first fields of the first event called `name`, as many as `T` has.
    pub fn event<T: Decode>(&self, name: &str) -> Result<T, ChainError> {
        let (_, fields) = self
            .events
            .iter()
            .find(|(found, _)| found == name)
            .ok_or_else(|| ChainError::incompatible(format!("event {name}")))?;
        T::decode(&mut &**fields).map_err(ChainError::undecodable(format!("event {name}")))
    }
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
    async fn block_hash(&self, number: Option<u32>) -> Result<H256, ChainError> {
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

    /// Signs, sends, and waits until a block has executed `call`. If another transaction takes the
    /// nonce in between, the call is signed again. If the chain refuses the call, the error has the
    /// name of the reason.
    pub async fn submit(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
    ) -> Result<Receipt, ChainError> {
        let mut attempt = 1;
        loop {
            let is_sent = AtomicBool::new(false);
            let sent = self.send(signer, call, inclusion, &is_sent);
            let sent = match timeout(INCLUSION_TIMEOUT, sent).await {
                Ok(sent) => sent,
                Err(_) if is_sent.load(Ordering::Relaxed) => Err(ChainError::Pending),
                Err(_) => Err(self.unsent(INCLUSION_TIMEOUT)),
            };
            match sent {
                Err(
                    ChainError::Overtaken(reason)
                    | ChainError::Rejected {
                        reason,
                        of_a_fork: true,
                        ..
                    },
                ) if attempt < SIGNING_ATTEMPTS => {
                    tracing::debug!(attempt, reason, "signing again with the next nonce");
                    tokio::time::sleep(attempt * Duration::from_millis(300)).await;
                    attempt += 1;
                }
                result => {
                    if let Ok(receipt) = &result {
                        self.horizon.fetch_max(receipt.block, Ordering::Relaxed);
                    }
                    return result;
                }
            }
        }
    }

    /// Sends all of `calls` in one transaction: either all of them are executed, or none.
    pub async fn submit_all(
        &self,
        signer: &Keypair,
        calls: &[Call],
        inclusion: Inclusion,
    ) -> Result<Receipt, ChainError> {
        let batch = Call::batch(calls, self.best().await?.metadata())?;
        self.submit(signer, &batch, inclusion).await
    }

    /// Derives from the node's answer why its pool did not take `transaction`.
    async fn rejected(&self, error: ChainError, transaction: Vec<u8>) -> ChainError {
        let is_invalid =
            matches!(&error, ChainError::Rejected { code, .. } if *code == code::INVALID);
        let judgement = match is_invalid {
            true => self.judged_by_best(transaction).await.ok(),
            false => None,
        };
        explained(error, judgement.as_ref(), self.tie.is_some())
    }

    /// What the runtime says about `transaction` in the state of the best block. The pool may have judged it by another block: after
    /// a change of the best chain, it looks at the fork that was dropped for a moment.
    async fn judged_by_best(&self, transaction: Vec<u8>) -> Result<ValidationResult, ChainError> {
        let best = self.best().await?;
        let transaction = best.0.transactions().from_bytes(transaction);
        Ok(transaction.validate().await?)
    }

    /// Judges a call that was signed at `best` and failed. Every signature covers the runtime's version, so if the runtime has been
    /// upgraded since then, no block takes the call any more. It may be signed again if no block took it before.
    async fn unless_upgraded(
        &self,
        error: ChainError,
        best: &Moment,
        account: &AccountId32,
        nonce: u64,
    ) -> ChainError {
        if !may_follow_an_upgrade(&error) {
            return error;
        }
        match self.best().await {
            Ok(now) if now.0.spec_version() != best.0.spec_version() => {
                // The transactions in the pool do not count here.
                let next = now.0.transactions().account_nonce(account).await;
                after_upgrade(error, nonce, next.ok())
            }
            _ => error,
        }
    }

    /// Number and hash of the block from which a transaction is valid: the one that it is tied to, or else the last finalized one,
    /// which cannot vanish. If finality lags so far behind that the transaction would already have expired, it is a recent block of
    /// the best chain.
    async fn anchor(&self, best: &Moment) -> Result<(u64, H256), ChainError> {
        if let Some(tie) = self.tie {
            return Ok(tie);
        }
        let (number, finalized) = self.finalized().await?;
        let oldest = u64::from(best.block()).saturating_sub(ANCHOR_DEPTH);
        if number >= oldest {
            return Ok((number, finalized));
        }
        // Block numbers of this chain are 32 bits wide.
        let recent = self.block_hash(u32::try_from(oldest).ok()).await?;
        Ok((oldest, recent))
    }

    /// The turn to sign, and the account's next nonce, which also counts the transactions in the pool. A node that does not answer
    /// holds up nobody for long.
    async fn next_nonce(
        &self,
        account: &AccountId32,
    ) -> Result<(MutexGuard<'_, ()>, u64), ChainError> {
        let signing = self.signing.lock().await;
        let next = self.rpc.system_account_next_index(account);
        match timeout(self.patience, next).await {
            Ok(nonce) => Ok((signing, nonce?)),
            Err(_) => Err(self.unsent(self.patience)),
        }
    }

    fn unsent(&self, after: Duration) -> ChainError {
        ChainError::Unsent {
            url: self.url().to_owned(),
            seconds: after.as_secs(),
        }
    }

    /// Sends `call`, and again with a rising tip while blocks pass it over. All of these transactions have the same nonce, so only
    /// one of them is ever executed. Notes in `is_sent` that the pool may have it.
    async fn send(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
        is_sent: &AtomicBool,
    ) -> Result<Receipt, ChainError> {
        let best = self.best().await?;
        let (number, hash) = self.anchor(&best).await?;
        let account = AccountId32(signer.public_key().0);
        let (signing, nonce) = self.next_nonce(&account).await?;
        let submit = async |tip| -> Result<_, ChainError> {
            let parameters = DefaultExtrinsicParamsBuilder::<Config>::new()
                .mortal_from_unchecked(MORTAL_BLOCKS, number, hash)
                .nonce(nonce)
                .tip(tip)
                .build();
            let mut signed = best
                .0
                .transactions()
                .create_signable_offline(call, parameters)?;
            let signed = signed.sign(signer)?;
            match signed.submit_and_watch().await {
                Ok(progress) => Ok(progress),
                Err(error) => {
                    let error = self.rejected(error.into(), signed.into_encoded()).await;
                    Err(self.unless_upgraded(error, &best, &account, nonce).await)
                }
            }
        };
        let mut tip = 0;
        let mut sent = SelectAll::new();
        is_sent.store(true, Ordering::Relaxed);
        match timeout(self.patience, submit(tip)).await {
            Ok(progress) => sent.push(progress?),
            Err(_) => {
                return Err(ChainError::Silent {
                    url: self.url().to_owned(),
                    seconds: self.patience.as_secs(),
                })
            }
        }
        drop(signing);
        // A node that sends no blocks can still report what became of the call. The first block is already there.
        let heads = self.rpc.chain_subscribe_new_heads().try_flatten_stream();
        let mut waits = pin!(heads.skip(1).chunks(PATIENCE_BLOCKS));
        let mut lost = ChainError::Disconnected(
            "the node stopped reporting on the transaction before a block took it".into(),
        );
        loop {
            tokio::select! {
                status = sent.next() => match (status.transpose()?, inclusion) {
                    (None, _) => {
                        return Err(self.unless_upgraded(lost, &best, &account, nonce).await);
                    }
                    (Some(TransactionStatus::InBestBlock(block)), Inclusion::Best)
                    | (Some(TransactionStatus::InFinalizedBlock(block)), _) => {
                        return receipt(&block).await;
                    }
                    (Some(TransactionStatus::InBestBlock(block)), Inclusion::Finalized) => {
                        // A refusal is reported at once.
                        receipt(&block).await?;
                    }
                    (Some(TransactionStatus::Error { message }), _)
                    | (Some(TransactionStatus::Invalid { message }), _)
                    | (Some(TransactionStatus::Dropped { message }), _) => {
                        // The transaction that replaced it may still be on its way.
                        lost = ChainError::Dropped(message);
                    }
                    _ => {}
                },
                Some(_) = waits.next() => {
                    // An earlier transaction of the account is gone, so this one would wait for ever.
                    if self.rpc.system_account_next_index(&account).await? < nonce {
                        return Err(ChainError::Overtaken("an earlier transaction of the account is gone".into()));
                    }
                    let Some(higher) = next_tip(tip, self.max_tip) else {
                        continue;
                    };
                    tip = higher;
                    tracing::info!("blocks pass over a call, so it was sent again with a tip of {tip} planck");
                    match submit(tip).await {
                        Ok(progress) => sent.push(progress),
                        // A block has just taken it, or the pool is full or asks for a higher tip.
                        Err(
                            ChainError::Overtaken(reason)
                            | ChainError::Dropped(reason)
                            | ChainError::Rejected { reason, .. },
                        ) => {
                            tracing::debug!(reason, "not replaced");
                        }
                        // Keep waiting for the earlier transactions.
                        Err(ChainError::Pending) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }
}

async fn read_body(extrinsics: Vec<Vec<u8>>, metadata: ArcMetadata) -> Result<Body, ChainError> {
    tokio::task::spawn_blocking(move || Body::read(extrinsics, &metadata)).await?
}

/// The tip to try when `tip` was not enough: twice as much, so that the pool accepts the new
/// transaction in place of the old one. `None` if `tip` was the maximum.
fn next_tip(tip: u128, max: u128) -> Option<u128> {
    let higher = tip.saturating_mul(2).max(FIRST_TIP).min(max);
    (higher > tip).then_some(higher)
}

/// Why the pool did not take a transaction, by its answer. If it only calls the transaction invalid, `judgement` is how the best
/// block's state judges it, if it is known. A transaction that is [tied](Client::tied_to) to a block is not signed for another one.
fn explained(error: ChainError, judgement: Option<&ValidationResult>, is_tied: bool) -> ChainError {
    let ChainError::Rejected { code, reason, .. } = error else {
        return error;
    };
    let of_a_fork = match (code, judgement) {
        (code::IMMEDIATELY_DROPPED, _) => return ChainError::Dropped(reason),
        (code::BANNED | code::ALREADY_IMPORTED | code::TOO_LOW_PRIORITY, _)
        | (code::INVALID, Some(ValidationResult::Invalid(TransactionInvalid::Stale))) => {
            return ChainError::Overtaken(reason);
        }
        // The block that it is anchored at is not on the best chain any more.
        (code::INVALID, Some(ValidationResult::Invalid(TransactionInvalid::BadProof))) => !is_tied,
        (code::INVALID, Some(judgement)) => judgement.is_valid(),
        _ => false,
    };
    ChainError::Rejected {
        code,
        reason,
        of_a_fork,
    }
}

/// Whether a transaction that was signed for the previous runtime may fail with this error.
fn may_follow_an_upgrade(error: &ChainError) -> bool {
    match error {
        ChainError::Rejected { code, .. } => matches!(*code, code::INVALID | code::UNREADABLE),
        ChainError::Dropped(_) => true,
        _ => false,
    }
}

/// Judges a call that failed with this error while the runtime was upgraded. `next` is the account's next nonce in the state of the
/// best block, if it is known. If it is not the call's own nonce, a block may have taken the call before the upgrade, although the
/// pool said that it was dropped. If the call were signed again, it would be executed twice.
fn after_upgrade(error: ChainError, nonce: u64, next: Option<u64>) -> ChainError {
    match error {
        _ if next == Some(nonce) => ChainError::Overtaken("the runtime was upgraded".into()),
        ChainError::Dropped(_) => ChainError::Pending,
        error => error,
    }
}

async fn receipt(
    block: &TransactionInBlock<Config, OnlineClientAtBlockImpl<Config>>,
) -> Result<Receipt, ChainError> {
    let caused = block.wait_for_success().await?;
    let number = block.at().await?.block_number();
    let mut events = Vec::new();
    for event in caused.iter() {
        let event = event?;
        events.push((event.event_name().to_owned(), event.field_bytes().to_vec()));
    }
    Ok(Receipt {
        block: u32::try_from(number).unwrap_or(u32::MAX),
        events,
    })
}

#[cfg(test)]
mod tests;
