//! What a sponsor asks for.

use crate::{bounds, Hash, Rules, Windows};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::str;
use scale_info::TypeInfo;

/// A name of 1 to 32 bytes of UTF-8, padded with zeros.
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
pub struct TaskName([u8; 32]);

impl TaskName {
    /// Longest name.
    pub const MAX_BYTES: usize = 32;

    /// `None` when `name` is empty, over 32 bytes, or has a zero byte.
    pub fn new(name: &str) -> Option<Self> {
        if name.is_empty() || name.contains('\0') {
            return None;
        }
        let mut bytes = [0; Self::MAX_BYTES];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// The name without its padding; `None` when decoded bytes were not a name.
    pub fn as_str(&self) -> Option<&str> {
        let end = self.0.iter().rposition(|&byte| byte != 0)?;
        let name = str::from_utf8(self.0.get(..=end)?).ok()?;
        (!name.contains('\0')).then_some(name)
    }
}

/// The terms under which a task's rounds are scored and paid; they never change.
#[derive(
    Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen, Clone, PartialEq, Eq, Debug,
)]
pub struct TaskTerms<Balance = u128> {
    /// What users see.
    pub name: TaskName,
    /// Planck for each millibit a sample by which a round lowers the loss.
    pub price_per_millibit: Balance,
    /// Most planck that one round pays.
    pub cap_per_round: Balance,
    /// The attesters' part of what a round pays, in thousandths.
    pub attester_fee_permille: u16,
    /// How long each phase lasts at most.
    pub windows: Windows,
    /// Attesters drawn for a round.
    pub seats: u8,
    /// Equal claims that a round needs to settle.
    pub quorum: u8,
    /// Least stake of a contributor.
    pub minimum_contributor_stake: Balance,
    /// Least stake of an attester.
    pub minimum_attester_stake: Balance,
    /// Stake above this adds no weight to a delta.
    pub weight_cap: Balance,
    /// How deltas are admitted and merged.
    pub rules: Rules,
    /// Merkle root over the roots of the sealed shards.
    pub shards_root: Hash,
    /// Sealed shards; each scores one round.
    pub shards: u32,
    /// Samples in each shard.
    pub shard_samples: u32,
}

/// Why terms are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TermsError {
    /// The name's bytes are not a name.
    #[error("the name is not 1 to 32 bytes of UTF-8")]
    Name,
    /// A window is shorter or longer than the chain allows.
    #[error("a window is out of the chain's range")]
    Window,
    /// `seats` is 0 or over 16.
    #[error("seats are not between 1 and 16")]
    Seats,
    /// `quorum` is 0 or more than `seats`.
    #[error("the quorum is 0 or more than the seats")]
    Quorum,
    /// Price, cap or weight cap is 0.
    #[error("price, cap or weight cap is zero")]
    Zero,
    /// More than all of a round's pay goes to attesters.
    #[error("the attesters' fee is over 1000 permille")]
    Fee,
    /// No shards, fewer than two samples in one, or more samples or bytes than can be published.
    #[error("shards are missing, too small or too large")]
    Shards,
    /// The central difference is 0.
    #[error("the merge rules are not usable")]
    Rules,
    /// A sample with its label is longer than a dispute can show.
    #[error("a sample with its label is over 16 KiB")]
    Record,
}

impl<Balance: Default + PartialEq> TaskTerms<Balance> {
    /// Checks all that does not need the chain's state. `record_bytes` is the size of one
    /// sample with its label; windows must lie within `shortest..=longest` blocks.
    pub fn validate(
        &self,
        record_bytes: u32,
        shortest_window: u32,
        longest_window: u32,
    ) -> Result<(), TermsError> {
        let check = |holds: bool, error| if holds { Ok(()) } else { Err(error) };
        let zero = Balance::default();
        let shard_bytes = u64::from(self.shard_samples).saturating_mul(u64::from(record_bytes));
        check(self.name.as_str().is_some(), TermsError::Name)?;
        check(
            self.windows
                .all()
                .iter()
                .all(|blocks| (shortest_window..=longest_window).contains(blocks)),
            TermsError::Window,
        )?;
        check(
            (1..=bounds::MAX_SEATS).contains(&u32::from(self.seats)),
            TermsError::Seats,
        )?;
        check((1..=self.seats).contains(&self.quorum), TermsError::Quorum)?;
        check(
            self.price_per_millibit != zero
                && self.cap_per_round != zero
                && self.weight_cap != zero,
            TermsError::Zero,
        )?;
        check(self.attester_fee_permille <= 1000, TermsError::Fee)?;
        check(record_bytes <= bounds::MAX_RECORD_BYTES, TermsError::Record)?;
        check(
            // A standard error needs two samples.
            self.shards >= 1
                && (2..=bounds::MAX_SHARD_SAMPLES).contains(&self.shard_samples)
                && shard_bytes <= u64::from(bounds::MAX_SHARD_BYTES),
            TermsError::Shards,
        )?;
        check(self.rules.central_difference >= 1, TermsError::Rules)
    }
}

/// Where a task stands.
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
pub enum TaskState {
    /// A round is under way.
    Running,
    /// A round is under way, the last one: the sponsor asked to close.
    Closing,
    /// The pool does not cover one more round; a top-up resumes.
    Paused,
    /// Every shard has scored its round.
    Exhausted,
    /// The sponsor did not publish a shard and lost the bond.
    Stopped,
    /// Closed by its sponsor, who has the rest of the pool back.
    Closed,
}

impl TaskState {
    /// Whether a round is under way.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Closing)
    }

    /// Whether no round will start any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Exhausted | Self::Stopped | Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> TaskTerms {
        TaskTerms {
            name: TaskName::new("digits").unwrap(),
            price_per_millibit: 1,
            cap_per_round: 1,
            attester_fee_permille: 100,
            windows: Windows {
                commit_blocks: 5,
                reveal_blocks: 6,
                attest_blocks: 7,
                challenge_blocks: 8,
            },
            seats: 3,
            quorum: 2,
            minimum_contributor_stake: 0,
            minimum_attester_stake: 0,
            weight_cap: 1,
            rules: Rules {
                admit_floor_q8: 256,
                gain_floor_q8: 512,
                central_difference: 1,
            },
            shards_root: [9; 32],
            shards: 1,
            shard_samples: 2,
        }
    }

    #[test]
    fn names_are_padded_and_come_back() {
        assert_eq!(TaskName::new("").map(|name| name.0), None);
        assert_eq!(TaskName::new("a\0b"), None);
        assert_eq!(TaskName::new(&"x".repeat(33)), None);
        let longest = "x".repeat(32);
        assert_eq!(
            TaskName::new(&longest).unwrap().as_str(),
            Some(&longest[..])
        );
        assert_eq!(TaskName([0; 32]).as_str(), None);
        assert_eq!(TaskName([255; 32]).as_str(), None);
    }

    #[test]
    fn each_term_is_checked() {
        assert_eq!(terms().validate(4, 5, 8), Ok(()));
        let refused = |change: fn(&mut TaskTerms), error| {
            let mut terms = terms();
            change(&mut terms);
            assert_eq!(terms.validate(4, 5, 8), Err(error));
        };
        refused(|t| t.name = TaskName([0; 32]), TermsError::Name);
        refused(|t| t.windows.commit_blocks = 4, TermsError::Window);
        refused(|t| t.windows.reveal_blocks = 9, TermsError::Window);
        refused(|t| t.windows.attest_blocks = 0, TermsError::Window);
        refused(
            |t| t.windows.challenge_blocks = u32::MAX,
            TermsError::Window,
        );
        refused(|t| t.seats = 0, TermsError::Seats);
        refused(|t| t.seats = 17, TermsError::Seats);
        refused(|t| t.quorum = 0, TermsError::Quorum);
        refused(|t| t.quorum = 4, TermsError::Quorum);
        refused(|t| t.price_per_millibit = 0, TermsError::Zero);
        refused(|t| t.cap_per_round = 0, TermsError::Zero);
        refused(|t| t.weight_cap = 0, TermsError::Zero);
        refused(|t| t.attester_fee_permille = 1001, TermsError::Fee);
        refused(|t| t.shards = 0, TermsError::Shards);
        refused(|t| t.shard_samples = 1, TermsError::Shards);
        refused(|t| t.shard_samples = 4097, TermsError::Shards);
        refused(|t| t.shard_samples = u32::MAX, TermsError::Shards);
        let large = TaskTerms {
            shard_samples: 4096,
            ..terms()
        };
        assert_eq!(large.validate(256, 5, 8), Ok(()));
        assert_eq!(large.validate(257, 5, 8), Err(TermsError::Shards));
        refused(|t| t.rules.central_difference = 0, TermsError::Rules);
        assert_eq!(terms().validate(16 << 10, 5, 8), Ok(()));
        let longer = terms().validate((16 << 10) + 1, 5, 8);
        assert_eq!(longer, Err(TermsError::Record));
    }

    #[test]
    fn golden_bytes() {
        let name = format!("{}{}", hex::encode("digits"), "00".repeat(26));
        let one = format!("01{}", "00".repeat(15));
        let windows = "05000000060000000700000008000000";
        let stakes = "00".repeat(32);
        let rules = "0001000201";
        let root = "09".repeat(32);
        assert_eq!(
            hex::encode(terms().encode()),
            format!("{name}{one}{one}6400{windows}0302{stakes}{one}{rules}{root}0100000002000000")
        );
    }
}
