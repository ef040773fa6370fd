//! Transactions: a call is signed, sent, and followed until a block has executed it.

use super::{Call, ChainError, Client, Config, Keypair, Moment};
use codec::Decode;
use futures::{stream::SelectAll, StreamExt, TryFutureExt};
use std::{pin::pin, sync::atomic::Ordering, time::Duration};
use subxt::{
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    rpcs::{client::rpc_params, methods::legacy::Bytes},
    tx::{
        SubmittableTransaction, TransactionInBlock, TransactionInvalid, TransactionStatus,
        ValidationResult,
    },
    utils::{AccountId32, H256},
};
use tokio::{sync::MutexGuard, time::timeout};

/// Blocks after which a transaction is no longer valid, from the one that it is anchored at.
const MORTAL_BLOCKS: u64 = 256;
/// The most blocks that a transaction's anchor lies behind the best one. If a fork removes the anchor, the transaction becomes
/// invalid; forks that deep are rare.
const ANCHOR_DEPTH: u64 = 64;
/// Longest wait for a block to take a transaction.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
/// How many blocks to wait for a transaction before it is sent again with a higher tip.
const PATIENCE_BLOCKS: usize = 3;
/// First tip, in planck; each one after it is twice the one before.
const FIRST_TIP: u128 = 10_000_000_000;
/// How often a call is signed at most. Another transaction may take its nonce, or the fork that it was signed for may be dropped.
const SIGNING_ATTEMPTS: u32 = 5;

/// Codes of the node's answers to a transaction, as in `sc_rpc_api::author::error`.
mod code {
    /// The transaction could not be checked: it was encoded for another runtime, or the state of a dropped block is gone.
    pub const UNVERIFIED: i32 = 1002;
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

/// What is known of the transactions that a call was signed as.
#[derive(Default)]
struct Attempts {
    /// Whether the pool may have the last one.
    may_be_sent: bool,
    /// Those that the pool rejected, but may have kept.
    doubtful: Vec<Doubtful>,
}

/// A transaction that the pool called invalid. The pool may have kept it nevertheless: it judges a new transaction by the blocks
/// that it knows of, and keeps the transaction for a block that it learns of meanwhile, if that block's state takes it.
struct Doubtful {
    transaction: Vec<u8>,
    nonce: u64,
    /// Number of the block that it is anchored at. No earlier block has it.
    anchor: u64,
}

/// What an account signs transactions with.
struct Signing<'a> {
    signer: &'a Keypair,
    best: Moment,
    /// The block from which the transactions are valid.
    anchor: (u64, H256),
}

impl Signing<'_> {
    fn sign(&self, call: &Call, nonce: u64, tip: u128) -> Result<Signed, ChainError> {
        let (number, hash) = self.anchor;
        let parameters = DefaultExtrinsicParamsBuilder::<Config>::new()
            .mortal_from_unchecked(MORTAL_BLOCKS, number, hash)
            .nonce(nonce)
            .tip(tip)
            .build();
        let transactions = self.best.0.transactions();
        let mut signable = transactions.create_signable_offline(call, parameters)?;
        Ok(signable.sign(self.signer)?)
    }
}

/// A transaction that is ready to be sent.
type Signed = SubmittableTransaction<Config, OnlineClientAtBlockImpl<Config>>;

impl Client {
    /// Signs, sends, and waits until a block has executed `call`. If another transaction takes the nonce in between, or only a
    /// dropped fork is in the way, the call is signed again. If the chain refuses the call, the error has the name of the reason.
    pub async fn submit(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
    ) -> Result<Receipt, ChainError> {
        let (mut attempt, mut attempts) = (1, Attempts::default());
        loop {
            attempts.may_be_sent = false;
            let sent = self.send(signer, call, inclusion, &mut attempts);
            let sent = match timeout(INCLUSION_TIMEOUT, sent).await {
                Ok(sent) => sent,
                Err(_) if attempts.may_be_sent => Err(ChainError::Pending),
                Err(_) => Err(self.unsent(INCLUSION_TIMEOUT)),
            };
            match sent {
                Err(error) if attempt < SIGNING_ATTEMPTS && self.may_sign_again(&error) => {
                    tracing::debug!(attempt, "signing again: {error}");
                    tokio::time::sleep(attempt * Duration::from_millis(300)).await;
                    attempt += 1;
                }
                Ok(receipt) => {
                    self.horizon.fetch_max(receipt.block, Ordering::Relaxed);
                    return Ok(receipt);
                }
                // A block has executed the call, or its state does not take it.
                Err(
                    refusal @ (ChainError::Refused { .. }
                    | ChainError::Failed(_)
                    | ChainError::Rejected {
                        of_a_fork: false, ..
                    }),
                ) => return Err(refusal),
                Err(error) => {
                    return Err(match self.may_have_any(&attempts.doubtful).await {
                        true => ChainError::Pending,
                        false => error,
                    });
                }
            }
        }
    }

    /// Whether a call that failed with this error may be signed again. What is tied to a block is not signed for another fork.
    fn may_sign_again(&self, error: &ChainError) -> bool {
        match error {
            ChainError::Overtaken(_) => true,
            ChainError::Rejected { of_a_fork, .. } => *of_a_fork && self.tie.is_none(),
            _ => false,
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

    /// Why the pool did not take `transaction`, which was signed at `best` with this nonce. `error` is the node's answer.
    async fn rejection(
        &self,
        error: ChainError,
        transaction: Vec<u8>,
        best: &Moment,
        account: &AccountId32,
        nonce: u64,
    ) -> ChainError {
        let judgement = match is_invalid(&error) {
            true => match self.judged_by_best(transaction).await {
                Ok(judgement) => Some(judgement),
                Err(_) => match self.best().await {
                    Ok(_) => None,
                    Err(lost) => return lost,
                },
            },
            false => None,
        };
        let error = classified(error, judgement.as_ref());
        self.unless_upgraded(error, best, account, nonce).await
    }

    /// What the runtime says about `transaction` in the state of the best block. The pool may have judged it by another block: for
    /// a moment after a change of the best chain, it looks at the fork that was dropped.
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

    async fn prepared<'a>(&self, signer: &'a Keypair) -> Result<Signing<'a>, ChainError> {
        let best = self.best().await?;
        let anchor = self.anchor(&best).await?;
        Ok(Signing {
            signer,
            best,
            anchor,
        })
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

    /// Whether the node's pool or its best chain may have one of these transactions, as far as the node tells in time.
    async fn may_have_any(&self, doubtful: &[Doubtful]) -> bool {
        if doubtful.is_empty() {
            return false;
        }
        let found = async {
            // One may move from the pool to a block meanwhile. A full pool cannot be shown in one answer.
            Ok::<_, ChainError>(
                self.is_in_blocks(doubtful).await?
                    || self.is_in_pool(doubtful).await?
                    || self.is_in_blocks(doubtful).await?,
            )
        };
        match timeout(self.patience, found).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::debug!("the pool and the blocks cannot be searched: {error}");
                true
            }
            Err(_) => true,
        }
    }

    async fn is_in_pool(&self, doubtful: &[Doubtful]) -> Result<bool, ChainError> {
        let method = "author_pendingExtrinsics";
        let pool: Vec<Bytes> = self.raw.request(method, rpc_params![]).await?;
        Ok(has_any(&pool, doubtful))
    }

    /// Whether the best chain has one of these transactions. It counts as having one if the node does not show one of its blocks.
    async fn is_in_blocks(&self, doubtful: &[Doubtful]) -> Result<bool, ChainError> {
        let first = doubtful.iter().map(|one| one.anchor).min().unwrap_or(0);
        let mut hash = self.block_hash(None).await?;
        loop {
            let Some(details) = self.rpc.chain_get_block(Some(hash)).await? else {
                return Ok(true);
            };
            let block = details.block;
            if has_any(&block.extrinsics, doubtful) {
                return Ok(true);
            }
            if block.header.number <= first {
                return Ok(false);
            }
            hash = block.header.parent_hash;
        }
    }

    /// Whether the call may be signed with this nonce, the account's next one.
    ///
    /// # Errors
    /// Says what to do otherwise: wait, or leave it to the caller to look what became of the call.
    async fn may_sign_with(&self, nonce: u64, doubtful: &[Doubtful]) -> Result<(), ChainError> {
        if doubtful.iter().any(|one| one.nonce > nonce) {
            // If the call filled this place, the transaction after it would be valid, too.
            let gone = "an earlier transaction of the account is gone";
            return Err(ChainError::Overtaken(gone.into()));
        }
        match doubtful.iter().any(|one| one.nonce < nonce) && self.may_have_any(doubtful).await {
            true => Err(ChainError::Pending),
            false => Ok(()),
        }
    }

    /// Sends a call that does nothing in the first place before `nonce` that a lost transaction of the account left, so that the
    /// transactions after it do not have to wait for another. It costs a fee.
    async fn fill_before(
        &self,
        nonce: u64,
        signer: &Keypair,
        account: &AccountId32,
        tip: u128,
    ) -> Result<(), ChainError> {
        let signing = self.prepared(signer).await?;
        let nothing = Call::batch(&[], signing.best.metadata())?;
        let (_turn, next) = self.next_nonce(account).await?;
        if next < nonce {
            signing.sign(&nothing, next, tip)?.submit().await?;
        }
        Ok(())
    }

    /// Sends `call`, and again with a rising tip while blocks pass it over. All of these transactions have the same nonce, so only
    /// one of them is ever executed.
    async fn send(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
        attempts: &mut Attempts,
    ) -> Result<Receipt, ChainError> {
        let signing = self.prepared(signer).await?;
        let best = &signing.best;
        let account = AccountId32(signer.public_key().0);
        let (turn, nonce) = self.next_nonce(&account).await?;
        self.may_sign_with(nonce, &attempts.doubtful).await?;
        let mut tip = 0;
        let mut sent = SelectAll::new();
        let signed = signing.sign(call, nonce, tip)?;
        attempts.may_be_sent = true;
        let first = timeout(self.patience, signed.submit_and_watch()).await;
        drop(turn);
        match first {
            Ok(Ok(progress)) => sent.push(progress),
            Ok(Err(error)) => {
                let (error, transaction) = (error.into(), signed.into_encoded());
                if is_invalid(&error) {
                    attempts.doubtful.push(Doubtful {
                        transaction: transaction.clone(),
                        nonce,
                        anchor: signing.anchor.0,
                    });
                }
                let rejection = self.rejection(error, transaction, best, &account, nonce);
                return Err(rejection.await);
            }
            Err(_) => {
                return Err(ChainError::Silent {
                    url: self.url().to_owned(),
                    seconds: self.patience.as_secs(),
                })
            }
        }
        // A node that sends no blocks can still report what became of the call. The first block is already there.
        let heads = self.rpc.chain_subscribe_new_heads().try_flatten_stream();
        let mut waits = pin!(heads.skip(1).chunks(PATIENCE_BLOCKS));
        let mut lost = ChainError::Disconnected(
            "the node stopped reporting on the transaction before a block took it".into(),
        );
        let (mut gap, mut was_in_block) = (Gap::default(), false);
        loop {
            tokio::select! {
                status = sent.next() => match status.transpose()? {
                    None if was_in_block => return Err(ChainError::Pending),
                    None => {
                        return Err(self.unless_upgraded(lost, best, &account, nonce).await);
                    }
                    Some(TransactionStatus::InFinalizedBlock(block)) => {
                        return receipt(&block).await;
                    }
                    Some(TransactionStatus::InBestBlock(block)) => match receipt(&block).await {
                        Ok(receipt) if inclusion == Inclusion::Best => return Ok(receipt),
                        Ok(_) => was_in_block = true,
                        // This is reported at once.
                        Err(refusal @ (ChainError::Refused { .. } | ChainError::Failed(_))) => {
                            return Err(refusal);
                        }
                        // The block may have been dropped, and its state with it. Then another block takes the transaction.
                        Err(error) => {
                            tracing::debug!("the block of a call cannot be read: {error}");
                            was_in_block = true;
                        }
                    },
                    Some(
                        TransactionStatus::Error { message }
                        | TransactionStatus::Invalid { message }
                        | TransactionStatus::Dropped { message },
                    ) if !was_in_block => {
                        // The transaction that replaced it may still be on its way.
                        lost = ChainError::Dropped(message);
                    }
                    _ => {}
                },
                Some(_) = waits.next() => {
                    let next = self.rpc.system_account_next_index(&account).await?;
                    if gap.stays(next, nonce) {
                        tracing::info!("an earlier transaction of the account is gone: its place is filled");
                        let filled = self.fill_before(nonce, signer, &account, tip).await;
                        if let Err(error) = filled {
                            tracing::debug!("the place was not filled: {error}");
                        }
                    }
                    let Some(higher) = next_tip(tip, self.max_tip) else {
                        continue;
                    };
                    tip = higher;
                    tracing::info!("blocks pass over a call, so it is sent again with a tip of {tip} planck");
                    let signed = signing.sign(call, nonce, tip)?;
                    let error = match signed.submit_and_watch().await {
                        Ok(progress) => {
                            sent.push(progress);
                            continue;
                        }
                        Err(error) => error.into(),
                    };
                    let transaction = signed.into_encoded();
                    match self.rejection(error, transaction, best, &account, nonce).await {
                        // A block has just taken it, or the pool is full or asks for a higher tip.
                        ChainError::Overtaken(reason)
                        | ChainError::Dropped(reason)
                        | ChainError::Rejected { reason, .. } => {
                            tracing::debug!(reason, "not replaced");
                        }
                        // Keep waiting for the earlier transactions.
                        ChainError::Pending => {}
                        error => return Err(error),
                    }
                }
            }
        }
    }
}

/// The tip to try when `tip` was not enough: twice as much, so that the pool accepts the new
/// transaction in place of the old one. `None` if `tip` was the maximum.
fn next_tip(tip: u128, max: u128) -> Option<u128> {
    let higher = tip.saturating_mul(2).max(FIRST_TIP).min(max);
    (higher > tip).then_some(higher)
}

/// A place that an earlier transaction of the account left.
#[derive(Default)]
struct Gap(Option<u64>);

impl Gap {
    /// Whether the account's next nonce is still the one that it was at the last look, and comes before `nonce`. Right after a
    /// change of forks, the pool has not put all transactions back yet.
    fn stays(&mut self, next: u64, nonce: u64) -> bool {
        let before = std::mem::replace(&mut self.0, (next < nonce).then_some(next));
        self.0.is_some() && self.0 == before
    }
}

fn has_any(transactions: &[Bytes], doubtful: &[Doubtful]) -> bool {
    let is_one = |bytes: &Bytes| doubtful.iter().any(|one| one.transaction == bytes.0);
    transactions.iter().any(is_one)
}

/// Whether the pool called the transaction invalid, or could not check it. The reason may lie in a fork that is not the best chain.
fn is_invalid(error: &ChainError) -> bool {
    matches!(
        error,
        ChainError::Rejected {
            code: code::INVALID | code::UNVERIFIED,
            ..
        }
    )
}

/// Why the pool did not take a transaction, by its answer. If that is ["invalid"](is_invalid), `judgement` is how the best block's
/// state judges the transaction, as far as it is known.
fn classified(error: ChainError, judgement: Option<&ValidationResult>) -> ChainError {
    let ChainError::Rejected { code, reason, .. } = error else {
        return error;
    };
    let of_a_fork = match (code, judgement) {
        (code::IMMEDIATELY_DROPPED, _) => return ChainError::Dropped(reason),
        (code::BANNED | code::ALREADY_IMPORTED | code::TOO_LOW_PRIORITY, _)
        | (_, Some(ValidationResult::Invalid(TransactionInvalid::Stale))) => {
            return ChainError::Overtaken(reason);
        }
        // The block that it is anchored at is not on the best chain any more.
        (
            _,
            Some(ValidationResult::Invalid(
                TransactionInvalid::BadProof | TransactionInvalid::AncientBirthBlock,
            )),
        ) => true,
        (_, judgement) => judgement.is_some_and(ValidationResult::is_valid),
    };
    ChainError::Rejected {
        code,
        reason,
        of_a_fork,
    }
}

/// Whether a transaction that was signed for the previous runtime may fail with this error.
fn may_follow_an_upgrade(error: &ChainError) -> bool {
    is_invalid(error) || matches!(error, ChainError::Dropped(_))
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
