//! What the chain keeps of a round's entrants, so that it can judge what was made of them.

use super::company::Entrant;
use super::ShareTerms;
use crate::hash::Hash;
use crate::merkle::Tree;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// One revealed delta, as it enters a round.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct EntrantRecord {
    /// [`crate::Delta::hash_of`] the delta's encoding.
    pub delta_hash: Hash,
    /// [`crate::Delta::root`].
    pub delta_root: Hash,
    /// Its weight in merges: [`super::entry_weight`], or [`super::EntryWeights::limited`] where a round has too many
    /// newcomers.
    pub weight: u32,
    /// [`crate::Delta::square_norm`].
    pub square_norm: u64,
    /// Whether its account is proven in this task.
    pub is_proven: bool,
}

impl EntrantRecord {
    /// The record of an entrant whose delta has this hash.
    pub fn of(delta_hash: Hash, entrant: &Entrant) -> Self {
        Self {
            delta_hash,
            delta_root: entrant.delta.root(),
            weight: entrant.weight,
            square_norm: entrant.delta.square_norm(),
            is_proven: entrant.is_proven,
        }
    }

    /// The norm of its delta, rounded down.
    pub fn norm(&self) -> u64 {
        self.square_norm.isqrt()
    }

    /// How many of its standard errors a value of it has to be above, Q8.
    pub fn floor_q8(&self, terms: &ShareTerms) -> u16 {
        terms.floor_q8(self.is_proven)
    }
}

/// The plain tree over a round's records in the order of the commits. A leaf is the record's SCALE.
pub fn entrants_tree(records: &[EntrantRecord]) -> Tree {
    Tree::of(records.iter().map(Encode::encode))
}
