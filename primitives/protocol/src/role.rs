//! What an account registered for.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The roles of one registration; at least one is chosen.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
)]
pub struct Roles {
    /// May submit deltas.
    pub contributor: bool,
    /// May be drawn to evaluate rounds.
    pub attester: bool,
}

impl Roles {
    /// Submits deltas only.
    pub const CONTRIBUTOR: Self = Self {
        contributor: true,
        attester: false,
    };
    /// Evaluates rounds only.
    pub const ATTESTER: Self = Self {
        contributor: false,
        attester: true,
    };
    /// Both; never in the same round.
    pub const BOTH: Self = Self {
        contributor: true,
        attester: true,
    };

    /// Whether no role was chosen.
    pub fn is_empty(self) -> bool {
        !self.contributor && !self.attester
    }
}
