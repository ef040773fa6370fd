//! What a contributor submits to be credited.

use crate::{CreditProof, RoundId, TaskId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// A claim for one round. An account has to claim every round in which it revealed a delta, in order.
#[derive(
    Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug,
)]
pub struct ClaimItem {
    /// The task.
    pub task: TaskId,
    /// The round, which must be over.
    pub round: RoundId,
    /// Proof of the credit under the claim that the round settled on; none if the round merged nothing.
    pub proof: Option<CreditProof>,
}

/// The result of a claim.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
)]
pub struct Claimed<Balance = u128> {
    /// The credit, Q16 bits summed over the samples that pay; negative if the delta did harm.
    pub credit: i64,
    /// What the account has proved by it, in the unit of `credit`.
    pub proved: u64,
    /// What it was paid, in planck.
    pub paid: Balance,
}
