//! What the chain answers with when it is asked. Built when asked, never stored.
//!
//! What grows with rounds, tasks or accounts comes in pages: see [`Page`].
//!
//! The type parameters default to what the chain uses: 32-byte accounts, planck in `u128`,
//! blocks in `u32`.

use crate::{
    bounds, claim::Claimed, id::DisputeId, Credit, EntrantRecord, Graph, Hash, Ledger, Outcome,
    Phase, Roles, RoundId, SeatState, ShareClaim, TableSummary, TaskId, TaskState, TaskTerms,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use gotong_scoring::share::trial::{Accusation, Trial};
use scale_info::TypeInfo;

/// A part of a list that may be long. The first begins where the caller says, at 0 for all; the next one at [`Self::next`].
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct Page<Item, Cursor> {
    /// In order. A page may be empty, and not the last.
    pub items: Vec<Item>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

impl<Item, Cursor> Page<Item, Cursor> {
    /// What `look` finds at the first [`bounds::MAX_PAGE`] of `places`.
    pub fn of<Found: IntoIterator<Item = Item>>(
        places: impl IntoIterator<Item = Cursor>,
        look: impl FnMut(Cursor) -> Found,
    ) -> Self {
        let mut places = places.into_iter();
        let looked_at = places.by_ref().take(bounds::MAX_PAGE as usize);
        Self {
            items: looked_at.flat_map(look).collect(),
            next: places.next(),
        }
    }
}

/// A registration and its money.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct StakeView<Balance = u128, BlockNumber = u32> {
    /// What it registered for.
    pub roles: Roles,
    /// Stake that counts, without what is unbonding.
    pub stake: Balance,
    /// Whether it may act.
    pub active: bool,
    /// What is leaving, and the block from which it can be withdrawn, if no more are full.
    pub unbonding: Option<(Balance, BlockNumber)>,
    /// Seats that it holds in rounds under way.
    pub seats_held: u32,
}

/// What an attester offers, and what it holds of it.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct OfferView {
    /// Most seats at once; none if it is not drawn any more.
    pub seats: u8,
    /// Most that its seats ask for together in a block, in products ([`TaskTerms::load`]).
    pub capacity: u64,
    /// Whether it serves every task with sealed samples.
    pub sealed: bool,
    /// Tasks that it serves besides.
    pub tasks: Vec<TaskId>,
    /// Seats that it holds.
    pub seats_held: u32,
    /// What they ask for together.
    pub load_held: u64,
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
    /// Shards published so far: the index of the next. 0 if samples are drawn from a pool.
    pub next_shard: u32,
    /// What future rounds can pay.
    pub pool: Balance,
    /// The sponsor's bond.
    pub bond: Balance,
    /// In reserve for contributors of settled rounds who have not claimed.
    pub reserved: Balance,
    /// Paid out so far: claims and fees.
    pub paid: Balance,
    /// Parameters of the model.
    pub parameters: u32,
    /// Block from which the chain closes it, if no round settles before, and nobody tops it up while it is paused, and if no more are
    /// full; none if no round will start any more.
    pub expires_at: Option<BlockNumber>,
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
    /// Block in which the phase started, later by as many as have been full since.
    pub phase_started_at: BlockNumber,
    /// Block in which the round started.
    pub started_at: BlockNumber,
    /// Block at which the phase is over at the latest, if no more are full.
    pub ends_at: BlockNumber,
    /// Contributors who committed.
    pub commits: u32,
    /// Contributors who revealed.
    pub reveals: u32,
    /// Merkle root of the weights that the round starts from.
    pub base_root: Hash,
    /// The hold-out samples, once published.
    pub shard: Option<ShardView<BlockNumber>>,
    /// What chance decides once nothing more is revealed: which samples pay and which decide, and of a pool which
    /// records are the samples.
    pub seed: Option<Hash>,
    /// The attesters, once drawn: also those who were put out.
    pub seats: Vec<SeatView<AccountId, Balance>>,
    /// How often seats were drawn anew.
    pub redraws: u8,
    /// What draws the audits of the challenge: the one that is on, or the last.
    pub audit_seed: Option<Hash>,
    /// Disputes that are not decided; the round does not end before they are.
    pub open_disputes: u32,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The claim that it settled on.
    pub claim: Option<ShareClaim>,
    /// How much of a credit counts, Q32: less than 2^32 if the round's cap was too low for what the round is worth.
    pub rate_q32: u64,
    /// What attesters were paid.
    pub fees: Balance,
    /// What was set aside for contributors.
    pub pot: Balance,
    /// What contributors were paid of it.
    pub paid: Balance,
    /// What went back to the pool of it.
    pub released: Balance,
    /// Contributors who claimed.
    pub claims: u32,
    /// Block from which what nobody claimed can go back to the pool, if no more are full.
    pub expires_at: Option<BlockNumber>,
    /// Whether the round waits for attesters. In Commit: somebody committed, but fewer than the quorum have room for the round now, or
    /// free seats are promised to other rounds; it goes on until there are enough, and takes commits. In AttestCommit: all is
    /// revealed, and no draw has seated the quorum yet.
    pub awaits_attesters: bool,
}

impl<AccountId, Balance, BlockNumber> RoundView<AccountId, Balance, BlockNumber> {
    /// Whether it is known which samples score the round, and how.
    pub fn has_samples(&self) -> bool {
        self.seed.is_some()
    }
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
    /// Whether it counts, or why not.
    pub state: SeatState,
    /// Whether it committed.
    pub committed: bool,
    /// What it claims, once revealed.
    pub claim: Option<ShareClaim>,
    /// The summary of its table, while it can be disputed.
    pub table: Option<TableSummary>,
    /// What it revealed with it: the root over its own work, for audits.
    pub work_root: Option<Hash>,
    /// Whether it answered its audits.
    pub audited: bool,
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
    /// Weight by itself; what enters the merge is that of the record.
    pub weight: u32,
    /// Whether the account had proved something in the task when it committed.
    pub is_proven: bool,
    /// The delta, once revealed.
    pub revealed: Option<RevealedView<BlockNumber>>,
    /// What it is credited, if the round is over, the chain knows it and it is not claimed.
    pub credit: Option<Credit>,
    /// What came of its claim.
    pub claimed: Option<Claimed<Balance>>,
}

/// A revealed delta; its bytes are in the body of block `at`.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RevealedView<BlockNumber = u32> {
    /// The delta as it enters the round. Its weight is final once nothing more is revealed.
    pub record: EntrantRecord,
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
    /// A contributor has it still to claim, in its order. What that pays depends on the rounds before:
    /// [`ClaimableView::pays`].
    Claimable {
        /// What it is credited, before the rate: 0 if nothing was merged. None if nobody has published it; then the chain
        /// does not know it, and a claim needs a proof.
        credit: Option<Credit>,
    },
    /// A contributor has claimed it.
    Claimed(Claimed<Balance>),
    /// An attester was paid its fee.
    Paid(Balance),
    /// The round gives this account nothing.
    Nothing,
}

/// What an account has still to claim in one task: rounds that are over, in which it revealed.
///
/// At most [`bounds::MAX_PAGE`] rounds together; later ones are seen once these are claimed.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct ClaimableView<Balance = u128, BlockNumber = u32> {
    /// The task.
    pub task: TaskId,
    /// The rounds whose credits the chain knows, from the first that is to be claimed on. They are claimed in this order and
    /// without proofs, [`bounds::MAX_CLAIMS`] in a call.
    pub rounds: Vec<RoundId>,
    /// What these pay together: exactly that, if they are claimed before anything of them is released. 0 if the account earned
    /// nothing by them.
    pub pays: Balance,
    /// Block from which anybody can release what the first of them that pays has left, if no more are full; none if none pays.
    pub until: Option<BlockNumber>,
    /// The rounds after these. What they pay is not known to the chain, as nobody has published the credit of the first of them:
    /// it may be nothing. They are claimed with proofs, or later without.
    pub unknown: Vec<RoundId>,
    /// Block from which anybody can release what the first of the unknown rounds has left, if no more are full; none if there
    /// are none.
    pub unknown_until: Option<BlockNumber>,
}

/// What an account has proved in one task, over all the rounds that it claimed.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct LedgerView<Balance = u128> {
    /// The task.
    pub task: TaskId,
    /// Its credits, their error, and what is proved of them.
    pub ledger: Ledger,
    /// By how much the sum of the credits has to be doubted, in their unit: proved is at most the sum less this.
    pub doubt: u128,
    /// What it was paid for what it proved.
    pub paid: Balance,
    /// What it would be paid more if all of its credits were proved.
    pub open: Balance,
    /// The first round that it has not claimed, under way or over.
    pub next: Option<RoundId>,
    /// Whether its next delta counts as that of a proven account.
    pub is_proven: bool,
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
    /// Block at which it is too late, if no more are full: the phase is over at the latest, or what is claimable can be released.
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
    /// Claim all rounds up to this one, which pays: see [`ClaimableView`].
    Claim,
    /// Answer the audits of the own work.
    AnswerAudits,
}

/// A dispute under way.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct DisputeView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Its id.
    pub id: DisputeId,
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// Whose table is doubted.
    pub accused: AccountId,
    /// Who doubts it.
    pub challenger: AccountId,
    /// What the challenger loses if it is wrong.
    pub bond: Balance,
    /// What it doubted first.
    pub accusation: Accusation,
    /// The table of the accused.
    pub table: TableSummary,
    /// How far the dispute is narrowed down.
    pub trial: Trial,
    /// Whether the accused is to answer; if not, the challenger is to pick.
    pub awaits_answer: bool,
    /// Block in which it was opened.
    pub opened_at: BlockNumber,
    /// The last block in which the move can be made, if no more are full; who has not made it then
    /// loses.
    pub deadline: BlockNumber,
    /// Moves that the accused made.
    pub answers: u32,
    /// Moves that the challenger made.
    pub picks: u32,
    /// Encoded bytes of all answers.
    pub bytes: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_take_so_many_places_and_name_the_next() {
        let even = |place: u32| place.is_multiple_of(2).then_some(place);
        let first = Page::of(0..600, even);
        assert_eq!((first.items.len(), first.next), (128, Some(256)));
        let second = Page::of(256..600, even);
        assert_eq!((second.items[0], second.next), (256, Some(512)));
        let last = Page::of(512..600, even);
        assert_eq!((last.items.len(), last.next), (44, None));
        // An empty one may be followed by others.
        let none = Page::of(0..257, |_| None::<u8>);
        assert_eq!((none.items.len(), none.next), (0, Some(256)));
        assert_eq!(
            Page::of(0..0, even),
            Page {
                items: vec![],
                next: None
            }
        );
        assert_eq!(
            Page {
                items: vec![7u8],
                next: Some(TaskId(3))
            }
            .encode(),
            [4, 7, 1, 3, 0, 0, 0]
        );
    }

    #[test]
    fn golden_bytes() {
        let duties = [
            DutyKind::Commit,
            DutyKind::Reveal,
            DutyKind::PublishShard,
            DutyKind::CommitAttestation,
            DutyKind::RevealAttestation,
            DutyKind::Claim,
            DutyKind::AnswerAudits,
        ];
        for (duty, index) in duties.into_iter().zip(0u8..) {
            assert_eq!(duty.encode(), [index]);
        }
        let seat = SeatView::<[u8; 32]> {
            account: [1; 32],
            stake: 2,
            state: SeatState::Unaudited,
            committed: true,
            claim: None,
            table: None,
            work_root: Some([3; 32]),
            audited: false,
            fee: 4,
        };
        let mut bytes = [[1; 32].to_vec(), 2u128.encode(), vec![3, 1, 0, 0, 1]].concat();
        bytes.extend([[3; 32].to_vec(), vec![0], 4u128.encode()].concat());
        assert_eq!(seat.encode(), bytes);
    }
}
