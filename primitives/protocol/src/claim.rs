//! What a contributor hands in to be paid.

use crate::{RoundId, ShareProof, TaskId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The proof of a share in a settled round.
#[derive(
    Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug,
)]
pub struct ClaimItem {
    /// The task.
    pub task: TaskId,
    /// The settled round.
    pub round: RoundId,
    /// Proof under the claim that the round settled on.
    pub proof: ShareProof,
}
