//! What the chain answers with when it is asked. Built when asked, never stored.
//!
//! The type parameters default to what the chain uses: 32-byte accounts, planck in `u128`,
//! blocks in `u32`.

use crate::{
    Graph, Hash, Outcome, Phase, Roles, RoundClaim, RoundId, TaskId, TaskState, TaskTerms,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

/// A registration and its money.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct StakeView<Balance = u128, BlockNumber = u32> {
    /// What it registered for.
    pub roles: Roles,
    /// Stake that counts, without what is unbonding.
    pub stake: Balance,
    /// Whether it may act.
    pub active: bool,
    /// What is leaving, and the block from which it can be withdrawn.
    pub unbonding: Option<(Balance, BlockNumber)>,
    /// Seats that it holds in rounds under way.
    pub seats_held: u32,
}

/// A task.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct TaskView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Its id.
    pub id: TaskId,
    /// Who opened it.
    pub sponsor: AccountId,
    /// What was asked for.
    pub terms: TaskTerms<Balance>,
    /// Where it stands.
    pub state: TaskState,
    /// The model.
    pub graph: Graph,
    /// Merkle root of the weights that the current round starts from.
    pub master_root: Hash,
    /// Block in which it was opened.
    pub opened_at: BlockNumber,
    /// The round under way, or the last one.
    pub round: RoundId,
    /// Shards published so far: the index of the next.
    pub next_shard: u32,
    /// What future rounds can pay.
    pub pool: Balance,
    /// The sponsor's bond.
    pub bond: Balance,
    /// Owed to contributors of settled rounds and not yet claimed.
    pub unclaimed: Balance,
    /// Paid out so far: claims and fees.
    pub paid: Balance,
    /// Parameters of the model.
    pub parameters: u32,
}

/// A round.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RoundView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Its task.
    pub task: TaskId,
    /// Its number within the task.
    pub round: RoundId,
    /// What may be done now.
    pub phase: Phase,
    /// Block in which the phase started.
    pub phase_started_at: BlockNumber,
    /// Block in which the round started.
    pub started_at: BlockNumber,
    /// Block at which the phase is over at the latest.
    pub ends_at: BlockNumber,
    /// Contributors who committed.
    pub commits: u32,
    /// Contributors who revealed.
    pub reveals: u32,
    /// Merkle root of the weights that the round starts from.
    pub base_root: Hash,
    /// The hold-out samples, once published.
    pub shard: Option<ShardView<BlockNumber>>,
    /// The attesters, once drawn.
    pub seats: Vec<SeatView<AccountId, Balance>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The claim that it settled on.
    pub claim: Option<RoundClaim>,
    /// What it owes: claims and fees.
    pub owed: Balance,
    /// The attesters' part.
    pub fees: Balance,
    /// What contributors have claimed.
    pub claimed: Balance,
}

/// The published hold-out samples of a round; the bytes are in the body of block `published_at`.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct ShardView<BlockNumber = u32> {
    /// Which of the task's sealed shards.
    pub index: u32,
    /// Block of its extrinsic.
    pub published_at: BlockNumber,
    /// What unseals the root.
    pub key: Hash,
    /// Merkle root over the salted records.
    pub root: Hash,
}

/// One attester of a round.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SeatView<AccountId = [u8; 32], Balance = u128> {
    /// Who was drawn.
    pub account: AccountId,
    /// Stake at the draw.
    pub stake: Balance,
    /// Whether it committed.
    pub committed: bool,
    /// What it revealed.
    pub claim: Option<RoundClaim>,
    /// What it was paid.
    pub fee: Balance,
}

/// One contributor's part in a round.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SubmissionView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Who submitted.
    pub account: AccountId,
    /// Place in the order of commitment, from 0.
    pub index: u32,
    /// Weight in the merge.
    pub weight: u32,
    /// The delta, once revealed.
    pub revealed: Option<RevealedView<BlockNumber>>,
    /// What it was paid, once claimed.
    pub claimed: Option<Balance>,
}

/// A revealed delta; its bytes are in the body of block `at`.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RevealedView<BlockNumber = u32> {
    /// Hash of the encoded delta.
    pub delta_hash: Hash,
    /// Length of the encoded delta.
    pub bytes: u32,
    /// Block of its extrinsic.
    pub at: BlockNumber,
}

/// What one round means for one account's purse.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RewardView<Balance = u128> {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// What it took part as.
    pub kind: RewardKind,
    /// What there is to have.
    pub state: RewardState<Balance>,
}

/// As what an account took part in a round.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RewardKind {
    /// Submitted a delta.
    Contributor,
    /// Held a seat.
    Attester,
}

/// How far a reward has come.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RewardState<Balance = u128> {
    /// The round has no outcome yet.
    Pending,
    /// Settled: a proved share out of `total` is worth its slice of `pot`. The chain does not
    /// know who has a share until it is proved.
    Claimable {
        /// What the contributors of the round share.
        pot: Balance,
        /// Sum of all shares.
        total: u128,
    },
    /// Paid.
    Paid(Balance),
    /// The round paid this account nothing.
    Nothing,
}

/// Something that an account may do now.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct Duty<BlockNumber = u32> {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// The round's phase.
    pub phase: Phase,
    /// Block at which the phase is over at the latest.
    pub ends_at: BlockNumber,
    /// What to do.
    pub what: DutyKind,
}

/// What can be asked of an account.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DutyKind {
    /// Commit to a delta.
    Commit,
    /// Reveal the delta that was committed.
    Reveal,
    /// Publish the round's shard.
    PublishShard,
    /// Commit to a score table.
    CommitAttestation,
    /// Reveal the claim that was committed.
    RevealAttestation,
    /// Claim a share.
    Claim,
}
