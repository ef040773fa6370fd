//! Checks proofs of what a node says: GRANDPA votes prove that a block is final, and trie nodes prove that its state holds a value.
//! Nothing here talks to a node: `super::finalized` fetches the bytes, and this module judges them.
//!
//! - `finality`: who may finalize blocks, what they signed, and how one set of authorities hands over to the next
//! - `state`: storage keys, and the values that a proof shows under a state root
//! - `grounds`: the facts that stake is risked on, and whether proved values agree with them

pub(super) mod finality;
pub(super) mod grounds;
pub(super) mod state;
#[cfg(test)]
pub(super) mod tests;

pub use grounds::Grounds;

/// Why a proof does not show what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The bytes are not what they should be.
    #[error("{0} cannot be decoded")]
    Undecodable(&'static str),
    /// No more than two thirds of the authorities voted for the block.
    #[error("too few authorities of set {0} voted for the block")]
    NoMajority(
        /// Id of the set, from 0.
        u64,
    ),
    /// A vote is not signed by the authority that it names.
    #[error("a vote is not signed by its authority, in set {0}")]
    BadSignature(
        /// Id of the set, from 0.
        u64,
    ),
    /// The headers do not lead from the votes to the block.
    #[error("the headers do not lead from the votes to the block")]
    BadAncestry,
    /// The header is of another block.
    #[error("the header is that of another block")]
    WrongHeader,
    /// A later block is known to be final.
    #[error("block {found} is final, but so is block {known}, which is later")]
    Stale {
        /// Number of the block that the proof is about.
        found: u32,
        /// Number of the block that is known.
        known: u32,
    },
    /// The nodes of the trie do not lead from the state root to the keys.
    #[error("the state is not that of the block")]
    BadState,
    /// The authorities were replaced in a way that no proof shows: by force, or after a delay.
    #[error("the authorities change in a way that this program cannot follow")]
    Unfollowable,
    /// What is proved is not stored as this program reads it.
    #[error("the chain stores {0} in a way that this program does not know: look for a newer version of it")]
    OtherLayout(
        /// What is stored.
        &'static str,
    ),
}

impl ProofError {
    /// Whether no honest node sends such a proof.
    pub fn is_a_lie(&self) -> bool {
        match self {
            Self::Undecodable(_)
            | Self::NoMajority(_)
            | Self::BadSignature(_)
            | Self::BadAncestry
            | Self::WrongHeader
            | Self::BadState => true,
            Self::Stale { .. } | Self::Unfollowable | Self::OtherLayout(_) => false,
        }
    }
}
