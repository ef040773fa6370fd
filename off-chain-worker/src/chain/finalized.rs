//! What a node proves about the last block that is known to be final. This module asks it for votes, headers and trie nodes;
//! `proof` judges them.
//!
//! The first set of authorities is in the chain's first state. The hash of the first block fixes that state, and every call is
//! signed with that hash. A node that has dropped the state cannot show it. Then the set that it names is remembered, if a second
//! node names the same set or there is no second node.

use super::{
    proof::{
        finality::{hash_of, justification_of, target, AuthoritySet, Header, Trust},
        grounds::Verdict,
        state::{key, read},
        Grounds, ProofError,
    },
    ChainError, Client,
};
use codec::DecodeAll;
use gotong_protocol::Hash;
use std::time::Duration;
use subxt::{
    rpcs::{client::rpc_params, methods::legacy::Bytes},
    utils::H256,
};
use tokio::time::timeout;

/// Longest wait for votes, in blocks: authorities that are online finalize about one block in the time of one.
const VOTES_BLOCKS: u32 = 2;
/// The same, however long the node says that a block takes.
const VOTES_TIMEOUT: Duration = Duration::from_secs(20);

impl Client {
    /// Whether the chain's state at a final block agrees with `grounds`. Fails if this client's node proves nothing about it, and
    /// with [`ChainError::BadProof`] if it sends what no honest node would.
    pub(super) async fn prove(&self, grounds: &Grounds<'_>) -> Result<bool, ChainError> {
        // A block that is already known to be final may be enough.
        let known = self.nodes.trust().lock().await.clone();
        if let Some(known) = known.filter(|known| self.nodes.may_rely_on(known)) {
            if let Ok(is_same) = self.compare(&known, grounds).await {
                return Ok(is_same);
            }
        }
        let votes = self.newest_votes().await?;
        let known = self.advance(&votes).await?;
        self.compare(&known, grounds).await
    }

    /// Compares `grounds` with the state of the last block that is known to be final.
    async fn compare(&self, known: &Trust, grounds: &Grounds<'_>) -> Result<bool, ChainError> {
        let keys = grounds.keys();
        let values = self.values(known.number, known.hash, &keys).await?;
        match grounds
            .compare(&values)
            .map_err(|error| self.wrong(error))?
        {
            Verdict::Same => Ok(true),
            Verdict::Other => Ok(false),
            Verdict::NotYet => Err(ChainError::NotFinal {
                url: self.url().to_owned(),
                block: known.number,
            }),
        }
    }

    /// The votes that make a block final now.
    async fn newest_votes(&self) -> Result<Vec<u8>, ChainError> {
        let (method, end) = (
            "grandpa_subscribeJustifications",
            "grandpa_unsubscribeJustifications",
        );
        let mut votes = self
            .raw
            .subscribe::<Bytes>(method, rpc_params![], end)
            .await?;
        let block = self.best().await?.block_millis()?;
        let wait = Duration::from_millis(block).saturating_mul(VOTES_BLOCKS);
        let wait = wait.min(VOTES_TIMEOUT);
        match timeout(wait, votes.next()).await {
            Ok(Some(votes)) => Ok(votes?.0),
            Ok(None) => Err(ChainError::Disconnected("it sends no more votes".into())),
            Err(_) => Err(ChainError::NoVotes {
                url: self.url().to_owned(),
                seconds: wait.as_secs(),
            }),
        }
    }

    /// What is known to be final after these votes.
    async fn advance(&self, votes: &[u8]) -> Result<Trust, ChainError> {
        let mut shared = self.nodes.trust().lock().await;
        let mut known = match &*shared {
            Some(known) if self.nodes.may_rely_on(known) => known.clone(),
            _ => self.first_trust(votes).await?,
        };
        self.follow(&mut known, votes, &mut shared).await?;
        self.keep(&mut shared, &known);
        Ok(known)
    }

    /// Makes the next proof start from what is `known`, even after a restart of the program.
    fn keep(&self, shared: &mut Option<Trust>, known: &Trust) {
        if shared.as_ref() != Some(known) {
            self.nodes.remember(&self.genesis().0, known);
            *shared = Some(known.clone());
        }
    }

    /// Takes in votes, and before them the votes by which each set of authorities handed over to the next. If there were many sets,
    /// that takes longer than one wait. So each set is stored, and the next proof continues from there.
    async fn follow(
        &self,
        known: &mut Trust,
        votes: &[u8],
        shared: &mut Option<Trust>,
    ) -> Result<(), ChainError> {
        loop {
            match self.accept(known, votes).await? {
                // A concurrent proof was faster, or the node is behind.
                Ok(()) | Err(ProofError::Stale { .. }) => return Ok(()),
                Err(error @ (ProofError::NoMajority(_) | ProofError::BadSignature(_))) => {
                    if !self.hand_over(known).await? {
                        return Err(self.wrong(error));
                    }
                    self.keep(shared, known);
                }
                Err(error) => return Err(self.wrong(error)),
            }
        }
    }

    async fn accept(
        &self,
        known: &mut Trust,
        votes: &[u8],
    ) -> Result<Result<(), ProofError>, ChainError> {
        let (number, hash) = target(votes).map_err(|error| self.wrong(error))?;
        let header = self.header(number, hash).await?;
        Ok(known.accept(votes, &header))
    }

    /// Takes in the last block of the known set of authorities. Returns false if the node shows that no other set follows. A node
    /// that shows nothing is not necessarily lying: if it did not sync from the first block, it has no votes of earlier sets.
    async fn hand_over(&self, known: &mut Trust) -> Result<bool, ChainError> {
        let next = rpc_params![known.number.saturating_add(1)];
        let asked = self
            .raw
            .request::<Option<Bytes>>("grandpa_proveFinality", next);
        let shown = asked.await?;
        let answer = shown.ok_or_else(|| self.wrong(ProofError::Unfollowable))?;
        let votes = justification_of(&answer).map_err(|error| self.wrong(error))?;
        let before = known.set.id;
        let accepted = self.accept(known, &votes).await?;
        accepted.map_err(|error| {
            self.wrong(match error {
                // After an emergency, the council may have replaced the authorities without their votes.
                ProofError::NoMajority(_) | ProofError::BadSignature(_) => ProofError::Unfollowable,
                error => error,
            })
        })?;
        Ok(known.set.id != before)
    }

    /// Who finalizes blocks, as far as is known before any votes are taken in: from disk, from the chain's first state, or from
    /// what nodes say.
    async fn first_trust(&self, votes: &[u8]) -> Result<Trust, ChainError> {
        let genesis = self.genesis().0;
        let kept = self.nodes.remembered(&genesis);
        if let Some(kept) = kept.filter(|kept| self.nodes.may_rely_on(kept)) {
            return Ok(kept);
        }
        if let Ok(set) = self.authorities(0, genesis).await {
            return Ok(Trust {
                set,
                number: 0,
                hash: genesis,
                is_one_word: false,
            });
        }
        let (number, hash) = target(votes).map_err(|error| self.wrong(error))?;
        let set = self.authorities(number, hash).await?;
        let is_one_word = !self.nodes.are_several();
        if is_one_word {
            tracing::warn!(
                "{} no longer has the chain's first state, so the authorities that it names are trusted and remembered",
                self.url()
            );
        } else {
            self.second_word(async |other: Client| {
                Ok::<_, ChainError>(other.authorities(number, hash).await? == set)
            })
            .await?;
        }
        Ok(Trust {
            set,
            number,
            hash,
            is_one_word,
        })
    }

    /// Who finalizes the blocks after this one, according to its state.
    async fn authorities(&self, number: u32, hash: Hash) -> Result<AuthoritySet, ChainError> {
        let keys = ["Authorities", "CurrentSetId"].map(|item| key("Grandpa", item));
        let values = self.values(number, hash, &keys).await?;
        let wrong = || self.wrong(ProofError::OtherLayout("authorities"));
        let [Some(authorities), id] = &values[..] else {
            return Err(wrong());
        };
        let id = id.as_ref().map(|id| u64::decode_all(&mut &**id));
        Ok(AuthoritySet {
            id: id.transpose().map_err(|_| wrong())?.unwrap_or_default(),
            authorities: DecodeAll::decode_all(&mut &**authorities).map_err(|_| wrong())?,
        })
    }

    /// The values of `keys` at a block, proved against its header.
    async fn values(
        &self,
        number: u32,
        hash: Hash,
        keys: &[Vec<u8>],
    ) -> Result<Vec<Option<Vec<u8>>>, ChainError> {
        let root = self.header(number, hash).await?.state_root.0;
        let asked = keys.iter().map(Vec::as_slice);
        let sent = self.rpc.state_get_read_proof(asked, Some(H256(hash)));
        let nodes = sent.await?.proof.into_iter().map(|node| node.0);
        read(&root, nodes, keys).map_err(|error| self.wrong(error))
    }

    /// The header of a block.
    async fn header(&self, number: u32, hash: Hash) -> Result<Header, ChainError> {
        let found = self.rpc.chain_get_header(Some(H256(hash))).await?;
        let header: Header = found.ok_or_else(|| ChainError::Missing {
            what: "the block's header: the node is behind".into(),
            block: number,
        })?;
        match hash_of(&header) == hash {
            true => Ok(header),
            false => Err(self.wrong(ProofError::WrongHeader)),
        }
    }

    fn wrong(&self, source: ProofError) -> ChainError {
        ChainError::BadProof {
            url: self.url().to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests;
