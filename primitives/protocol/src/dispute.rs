//! How a dispute ends.

use crate::{id::DisputeId, RoundId, TaskId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use gotong_scoring::share::trial::Step;
use scale_info::TypeInfo;

/// How a dispute ended.
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
pub enum Verdict {
    /// The last step was wrong: the accused was convicted.
    Refuted(Step),
    /// The accused did not answer in time: it was convicted.
    Unanswered,
    /// The last step was right: the challenger lost its bond.
    Upheld,
    /// The challenger did not pick in time: it lost its bond.
    Abandoned,
    /// The dispute took more moves than an honest challenger ever needs: the challenger lost its bond.
    TooLong,
    /// Another dispute convicted the accused first: the challenger got its bond back.
    Moot,
}

impl Verdict {
    /// Whether the accused was convicted by it.
    pub fn convicts(&self) -> bool {
        matches!(self, Self::Refuted(_) | Self::Unanswered)
    }
}

/// A dispute that is over.
#[derive(Encode, Decode, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug)]
pub struct ClosedDispute<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Its id.
    pub id: DisputeId,
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// Whose table was doubted.
    pub accused: AccountId,
    /// Who doubted it.
    pub challenger: AccountId,
    /// How it ended.
    pub verdict: Verdict,
    /// What the winner got of what the loser lost, in planck; the rest was burned.
    pub reward: Balance,
    /// The block in which it was opened.
    pub opened_at: BlockNumber,
    /// The block in which it ended.
    pub ended_at: BlockNumber,
    /// Number of moves by the accused.
    pub answers: u32,
    /// Number of moves by the challenger.
    pub picks: u32,
    /// Encoded bytes of all answers.
    pub bytes: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::share::Half;

    #[test]
    fn golden_bytes() {
        assert_eq!(Verdict::Refuted(Step::Losses(Half::B)).encode(), [0, 5, 1]);
        let others = [
            Verdict::Unanswered,
            Verdict::Upheld,
            Verdict::Abandoned,
            Verdict::TooLong,
            Verdict::Moot,
        ];
        for (verdict, index) in others.into_iter().zip(1u8..) {
            assert_eq!(verdict.encode(), [index]);
            assert_eq!(verdict.convicts(), index == 1);
        }
    }
}
