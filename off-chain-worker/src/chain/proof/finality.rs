//! Which blocks are final: what GRANDPA's authorities signed, and who they are.

use super::ProofError;
use codec::{Decode, DecodeAll, Encode};
use finality_grandpa::{validate_commit, voter_set::VoterSet, Chain, Commit, Message};
use gotong_protocol::Hash;
use sp_core::{
    ed25519::{Pair, Public, Signature},
    Pair as _,
};
use sp_crypto_hashing::blake2_256;
use std::collections::{HashMap, HashSet};
use subxt::{
    config::substrate::{DigestItem, SubstrateHeader},
    utils::H256,
};

/// The header of a block.
pub type Header = SubstrateHeader<H256>;

/// GRANDPA's entries in a header's digest.
const ENGINE: [u8; 4] = *b"FRNK";
/// The entry that replaces the authorities after some blocks.
const SCHEDULED_CHANGE: u8 = 1;
/// The entry that replaces them at once, without their votes.
const FORCED_CHANGE: u8 = 2;

/// The hash of a block.
pub fn hash_of(header: &Header) -> Hash {
    blake2_256(&header.encode())
}

/// The authorities that finalize blocks until the next set replaces them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuthoritySet {
    /// How many sets came before; it is signed with each vote.
    pub id: u64,
    /// Their keys, and the weight of each vote.
    pub authorities: Vec<(Public, u64)>,
}

/// The votes that made a block final.
#[derive(Decode)]
struct Justification {
    round: u64,
    commit: Commit<Hash, u32, Signature, Public>,
    /// Headers from the blocks that were voted for down to the lowest of them.
    ancestries: Vec<Header>,
}

impl Justification {
    fn read(bytes: &[u8]) -> Result<Self, ProofError> {
        Self::decode_all(&mut &*bytes).map_err(|_| ProofError::Undecodable("a justification"))
    }
}

/// Number and hash of the block that a justification claims to be about.
pub fn target(justification: &[u8]) -> Result<(u32, Hash), ProofError> {
    let commit = Justification::read(justification)?.commit;
    Ok((commit.target_number, commit.target_hash))
}

/// The justification in an answer to `grandpa_proveFinality`. It stands between the hash of its block and headers that are not
/// needed here.
pub fn justification_of(answer: &[u8]) -> Result<Vec<u8>, ProofError> {
    let (_, justification) = <(Hash, Vec<u8>)>::decode(&mut &*answer)
        .map_err(|_| ProofError::Undecodable("a proof of finality"))?;
    Ok(justification)
}

impl AuthoritySet {
    /// Number and hash of the block that this set finalized with these votes.
    pub fn verify(&self, justification: &[u8]) -> Result<(u32, Hash), ProofError> {
        let Justification {
            round,
            commit,
            ancestries,
        } = Justification::read(justification)?;
        let no_majority = ProofError::NoMajority(self.id);
        let voters = VoterSet::new(self.authorities.iter().cloned()).ok_or(no_majority.clone())?;
        let ancestry = Ancestry::of(&ancestries);
        if !validate_commit(&commit, &voters, &ancestry).is_ok_and(|result| result.is_valid()) {
            return Err(no_majority);
        }
        let votes = || commit.precommits.iter().map(|signed| &signed.precommit);
        let lowest = votes().min_by_key(|vote| vote.target_number);
        let base = lowest.ok_or(no_majority)?.target_hash;
        let mut used = HashSet::new();
        for signed in &commit.precommits {
            let message = Message::Precommit(signed.precommit.clone());
            let signed_bytes = (message, round, self.id).encode();
            if !Pair::verify(&signed.signature, signed_bytes, &signed.id) {
                return Err(ProofError::BadSignature(self.id));
            }
            let voted = signed.precommit.target_hash;
            if voted != base {
                let route = ancestry.ancestry(base, voted);
                used.insert(voted);
                used.extend(route.map_err(|_| ProofError::BadAncestry)?);
            }
        }
        // An honest node sends no header that is not needed.
        match used.len() == ancestries.len() {
            true => Ok((commit.target_number, commit.target_hash)),
            false => Err(ProofError::BadAncestry),
        }
    }

    /// The set that takes over after the block of `header`, if that is the last block of this set.
    fn successor(&self, header: &Header) -> Result<Option<Self>, ProofError> {
        let mut next = None;
        for item in &header.digest.logs {
            let DigestItem::Consensus(ENGINE, entry) = item else {
                continue;
            };
            match entry.split_first() {
                Some((&SCHEDULED_CHANGE, change)) => {
                    let (authorities, delay) =
                        <(Vec<(Public, u64)>, u32)>::decode_all(&mut &*change)
                            .map_err(|_| ProofError::Undecodable("a change of authorities"))?;
                    if delay > 0 {
                        return Err(ProofError::Unfollowable);
                    }
                    // The first one counts.
                    next.get_or_insert(authorities);
                }
                Some((&FORCED_CHANGE, _)) => return Err(ProofError::Unfollowable),
                _ => {}
            }
        }
        Ok(next.map(|authorities| Self {
            id: self.id.saturating_add(1),
            authorities,
        }))
    }
}

/// Who finalizes the chain now, and the last block known to be final. It is kept on disk, so that a node can only continue the
/// known chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Trust {
    /// Who finalizes what follows.
    pub set: AuthoritySet,
    /// Number of the last block that is known to be final.
    pub number: u32,
    /// Its hash.
    pub hash: Hash,
    /// Whether the first set was only one node's word: neither proved by the chain's first state nor confirmed by a second node.
    pub is_one_word: bool,
}

impl Trust {
    /// Notes that the block of `header` is final, if these votes prove it and it is not earlier than the known one. If it is the
    /// last block of its set, the next set finalizes what follows. Votes for an earlier block are ignored, because they may come
    /// from an earlier set.
    pub fn accept(&mut self, justification: &[u8], header: &Header) -> Result<(), ProofError> {
        let (found, _) = target(justification)?;
        if found < self.number {
            return Err(ProofError::Stale {
                found,
                known: self.number,
            });
        }
        let (number, hash) = self.set.verify(justification)?;
        let is_its_header = hash_of(header) == hash && header.number == u64::from(number);
        if !is_its_header || (number == self.number && hash != self.hash) {
            return Err(ProofError::WrongHeader);
        }
        if let Some(next) = self.set.successor(header)? {
            self.set = next;
        }
        (self.number, self.hash) = (number, hash);
        Ok(())
    }
}

/// Headers by their hashes.
struct Ancestry(HashMap<Hash, Hash>);

impl Ancestry {
    fn of(headers: &[Header]) -> Self {
        let parents = headers
            .iter()
            .map(|header| (hash_of(header), header.parent_hash.0));
        Self(parents.collect())
    }
}

impl Chain<Hash, u32> for Ancestry {
    fn ancestry(&self, base: Hash, block: Hash) -> Result<Vec<Hash>, finality_grandpa::Error> {
        let (mut route, mut at) = (Vec::new(), block);
        while at != base {
            at = *self
                .0
                .get(&at)
                .ok_or(finality_grandpa::Error::NotDescendent)?;
            route.push(at);
        }
        route.pop(); // The base is no part of it.
        Ok(route)
    }
}
