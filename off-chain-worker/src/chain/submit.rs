//! Transactions: a call is signed, sent, and followed until a block has executed it.

use super::{Call, ChainError, Client, Config, Keypair, Moment};
use codec::Decode;
use futures::{stream::SelectAll, StreamExt, TryFutureExt};
use std::{pin::pin, sync::atomic::Ordering, time::Duration};
use subxt::{
    client::OnlineClientAtBlockImpl,
    config::DefaultExtrinsicParamsBuilder,
    rpcs::{client::rpc_params, methods::legacy::Bytes},
    tx::{TransactionInBlock, TransactionInvalid, TransactionStatus, ValidationResult},
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

/// What a call has been signed and sent as.
#[derive(Default)]
struct SoFar {
    /// Whether the pool may have the last transaction.
    is_sent: bool,
    /// The earlier ones.
    refused: Vec<Refused>,
}

/// A transaction that the pool called invalid. The pool may have kept it nevertheless: it judges a new transaction by the blocks that
/// it knows of, and keeps the transaction for a block that it learns of meanwhile, if that block's state takes it.
struct Refused {
    transaction: Vec<u8>,
    nonce: u64,
    /// Number of the best block when it was signed.
    signed_at: u64,
}

impl Client {
    /// Signs, sends, and waits until a block has executed `call`. If another transaction takes the nonce in between, or only a
    /// dropped fork is in the way, the call is signed again. If the chain refuses the call, the error has the name of the reason.
    pub async fn submit(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
    ) -> Result<Receipt, ChainError> {
        let (mut attempt, mut so_far) = (1, SoFar::default());
        loop {
            so_far.is_sent = false;
            let sent = self.send(signer, call, inclusion, &mut so_far);
            let sent = match timeout(INCLUSION_TIMEOUT, sent).await {
                Ok(sent) => sent,
                Err(_) if so_far.is_sent || !so_far.refused.is_empty() => Err(ChainError::Pending),
                Err(_) => Err(self.unsent(INCLUSION_TIMEOUT)),
            };
            match sent {
                Err(error) if attempt < SIGNING_ATTEMPTS && self.may_sign_again(&error) => {
                    tracing::debug!(attempt, "signing again: {error}");
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
    async fn refusal(
        &self,
        error: ChainError,
        transaction: Vec<u8>,
        best: &Moment,
        account: &AccountId32,
        nonce: u64,
    ) -> ChainError {
        let judgement = match is_unexplained(&error) {
            true => match self.judged_by_best(transaction).await {
                Err(lost) if lost.is_gone() => return lost,
                judgement => judgement.ok(),
            },
            false => None,
        };
        let error = explained(error, judgement.as_ref());
        self.unless_upgraded(error, best, account, nonce).await
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

    /// Whether the node's pool, or its best chain since the first of them was signed, has one of these transactions. It may have if the
    /// node does not show one of the blocks.
    async fn has_any(&self, refused: &[Refused]) -> Result<bool, ChainError> {
        let is_one = |bytes: &Bytes| refused.iter().any(|one| one.transaction == bytes.0);
        let method = "author_pendingExtrinsics";
        let pool: Vec<Bytes> = self.raw.request(method, rpc_params![]).await?;
        if pool.iter().any(is_one) {
            return Ok(true);
        }
        let first = refused.iter().map(|one| one.signed_at).min();
        let mut hash = self.block_hash(None).await?;
        loop {
            let Some(details) = self.rpc.chain_get_block(Some(hash)).await? else {
                return Ok(true);
            };
            let block = details.block;
            if block.extrinsics.iter().any(is_one) {
                return Ok(true);
            }
            if first.is_none_or(|first| block.header.number <= first) {
                return Ok(false);
            }
            hash = block.header.parent_hash;
        }
    }

    /// Sends `call`, and again with a rising tip while blocks pass it over. All of these transactions have the same nonce, so only
    /// one of them is ever executed. Once the pool may have one of them, the call is not signed with another nonce.
    async fn send(
        &self,
        signer: &Keypair,
        call: &Call,
        inclusion: Inclusion,
        so_far: &mut SoFar,
    ) -> Result<Receipt, ChainError> {
        let best = self.best().await?;
        let (number, hash) = self.anchor(&best).await?;
        let account = AccountId32(signer.public_key().0);
        let (signing, nonce) = self.next_nonce(&account).await?;
        if so_far.refused.iter().any(|refused| refused.nonce < nonce) {
            let has_any = timeout(self.patience, self.has_any(&so_far.refused)).await;
            if !matches!(has_any, Ok(Ok(false))) {
                return Err(ChainError::Pending);
            }
        }
        let sign = |tip| -> Result<_, ChainError> {
            let parameters = DefaultExtrinsicParamsBuilder::<Config>::new()
                .mortal_from_unchecked(MORTAL_BLOCKS, number, hash)
                .nonce(nonce)
                .tip(tip)
                .build();
            let transactions = best.0.transactions();
            let mut signable = transactions.create_signable_offline(call, parameters)?;
            Ok(signable.sign(signer)?)
        };
        let mut tip = 0;
        let mut sent = SelectAll::new();
        let signed = sign(tip)?;
        so_far.is_sent = true;
        let first = timeout(self.patience, signed.submit_and_watch()).await;
        drop(signing);
        match first {
            Ok(Ok(progress)) => sent.push(progress),
            Ok(Err(error)) => {
                let (error, transaction) = (error.into(), signed.into_encoded());
                if is_unexplained(&error) {
                    so_far.refused.push(Refused {
                        transaction: transaction.clone(),
                        nonce,
                        signed_at: best.0.block_number(),
                    });
                }
                let refusal = self.refusal(error, transaction, &best, &account, nonce);
                return Err(refusal.await);
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
        loop {
            tokio::select! {
                status = sent.next() => match status.transpose()? {
                    None => {
                        return Err(self.unless_upgraded(lost, &best, &account, nonce).await);
                    }
                    Some(TransactionStatus::InFinalizedBlock(block)) => {
                        return receipt(&block).await;
                    }
                    Some(TransactionStatus::InBestBlock(block)) => match receipt(&block).await {
                        Ok(receipt) if inclusion == Inclusion::Best => return Ok(receipt),
                        Ok(_) => {}
                        // This is reported at once.
                        Err(refusal @ (ChainError::Refused { .. } | ChainError::Failed(_))) => {
                            return Err(refusal);
                        }
                        // The block may have been dropped, and its state with it. Then another block takes the transaction.
                        Err(error) => tracing::debug!("the block of a call cannot be read: {error}"),
                    },
                    Some(
                        TransactionStatus::Error { message }
                        | TransactionStatus::Invalid { message }
                        | TransactionStatus::Dropped { message },
                    ) => {
                        // The transaction that replaced it may still be on its way.
                        lost = ChainError::Dropped(message);
                    }
                    _ => {}
                },
                Some(_) = waits.next() => {
                    // An earlier transaction of the account is gone, so this one waits until another fills the gap. If the call
                    // itself did, with the lower nonce, it would be executed twice.
                    if self.rpc.system_account_next_index(&account).await? < nonce {
                        return Err(ChainError::Pending);
                    }
                    let Some(higher) = next_tip(tip, self.max_tip) else {
                        continue;
                    };
                    tip = higher;
                    tracing::info!("blocks pass over a call, so it was sent again with a tip of {tip} planck");
                    let signed = sign(tip)?;
                    let error = match signed.submit_and_watch().await {
                        Ok(progress) => {
                            sent.push(progress);
                            continue;
                        }
                        Err(error) => error.into(),
                    };
                    let transaction = signed.into_encoded();
                    match self.refusal(error, transaction, &best, &account, nonce).await {
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

/// Whether the pool called the transaction invalid or could not check it, and gave no reason that a program could read.
fn is_unexplained(error: &ChainError) -> bool {
    matches!(
        error,
        ChainError::Rejected {
            code: code::INVALID | code::UNVERIFIED,
            ..
        }
    )
}

/// Why the pool did not take a transaction, by its answer. If that is [unexplained](is_unexplained), `judgement` is how the best
/// block's state judges the transaction, as far as it is known.
fn explained(error: ChainError, judgement: Option<&ValidationResult>) -> ChainError {
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
    is_unexplained(error) || matches!(error, ChainError::Dropped(_))
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
