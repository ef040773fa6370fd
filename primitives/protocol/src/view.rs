//! What the chain answers to queries. Built on request, never stored.
//!
//! Answers that grow with rounds, tasks or accounts come in pages: see [`Page`].
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

/// A part of a list that may be long. The first page begins where the caller says, at 0 for the whole list; the next one
/// begins at [`Self::next`].
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct Page<Item, Cursor> {
    /// The items, in order. A page may be empty without being the last.
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
    /// The roles that it registered for.
    pub roles: Roles,
    /// Its stake in planck, without what is unbonding.
    pub stake: Balance,
    /// Whether it may act in one of its roles now.
    pub active: bool,
    /// The stake that is unbonding, in planck, and the block from which it can be withdrawn; later if more blocks are full until
    /// then.
    pub unbonding: Option<(Balance, BlockNumber)>,
    /// Number of seats that it holds in rounds under way.
    pub seats_held: u32,
}

/// What an attester offers, and which seats it holds.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct OfferView {
    /// The most seats at once; 0 if it is no longer drawn.
    pub seats: u8,
    /// The most work that its seats may take together in a block, in products ([`TaskTerms::load`]).
    pub capacity: u64,
    /// Whether it serves every task with sealed samples.
    pub sealed: bool,
    /// The other tasks that it serves.
    pub tasks: Vec<TaskId>,
    /// Number of seats that it holds.
    pub seats_held: u32,
    /// The work that they take together in a block, in products.
    pub load_held: u64,
}

/// A task.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct TaskView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Its id.
    pub id: TaskId,
    /// The account that opened it.
    pub sponsor: AccountId,
    /// Its terms.
    pub terms: TaskTerms<Balance>,
    /// Where it stands.
    pub state: TaskState,
    /// The model.
    pub graph: Graph,
    /// The Merkle root of the weights that the current round starts from.
    pub master_root: Hash,
    /// The block in which it was opened.
    pub opened_at: BlockNumber,
    /// The current round, or the last one.
    pub round: RoundId,
    /// Number of shards published so far, which is the index of the next one; 0 if samples are drawn from a pool.
    pub next_shard: u32,
    /// The budget: what future rounds can pay, in planck.
    pub pool: Balance,
    /// The sponsor's bond, in planck.
    pub bond: Balance,
    /// The reserve for contributors of settled rounds who have not claimed, in planck.
    pub reserved: Balance,
    /// What was paid out so far, claims and fees, in planck.
    pub paid: Balance,
    /// Number of parameters of the model.
    pub parameters: u32,
    /// The block from which the chain closes the task, unless a round settles before, or somebody tops it up while it is paused;
    /// later if more blocks are full until then. None if no more rounds will start.
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
    /// The block in which the phase started, plus the number of full blocks since then.
    pub phase_started_at: BlockNumber,
    /// The block in which the round started.
    pub started_at: BlockNumber,
    /// The block at which the phase ends at the latest; later if more blocks are full until then.
    pub ends_at: BlockNumber,
    /// Number of contributors who committed.
    pub commits: u32,
    /// Number of contributors who revealed.
    pub reveals: u32,
    /// The Merkle root of the weights that the round starts from.
    pub base_root: Hash,
    /// The held-out samples, once published.
    pub shard: Option<ShardView<BlockNumber>>,
    /// The seed, drawn once no more deltas can be revealed. It decides which samples pay and which decide, and which records of
    /// a pool are the samples.
    pub seed: Option<Hash>,
    /// The attesters, once drawn, including those who have lost their seats.
    pub seats: Vec<SeatView<AccountId, Balance>>,
    /// How often seats were drawn again.
    pub redraws: u8,
    /// The seed of the audits of the current challenge, or of the last one.
    pub audit_seed: Option<Hash>,
    /// Number of open disputes; the round does not end before they are decided.
    pub open_disputes: u32,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The claim that it settled on.
    pub claim: Option<ShareClaim>,
    /// The rate at which credits count, Q32: less than 2^32 if the round's cap is below what the round is worth.
    pub rate_q32: u64,
    /// What its attesters were paid, in planck.
    pub fees: Balance,
    /// What was set aside for its contributors, in planck.
    pub pot: Balance,
    /// The part of it that contributors were paid, in planck.
    pub paid: Balance,
    /// The part of it that went back to the budget, or to the sponsor, in planck.
    pub released: Balance,
    /// Number of contributors who claimed.
    pub claims: u32,
    /// The block from which unclaimed money can go back to the budget; later if more blocks are full until then.
    pub expires_at: Option<BlockNumber>,
    /// Whether the round waits for attesters. In Commit: somebody has committed, but fewer attesters than the quorum have room for
    /// the round now, their free seats are promised to other rounds, or the task expires too soon to wait for others once all is
    /// revealed; it accepts commits meanwhile. In AttestCommit: everything is revealed, and no draw has filled the quorum yet, or all
    /// seats were given back because too few committed.
    pub awaits_attesters: bool,
}

impl<AccountId, Balance, BlockNumber> RoundView<AccountId, Balance, BlockNumber> {
    /// Whether it is known which samples score the round, and how.
    pub fn has_samples(&self) -> bool {
        self.seed.is_some()
    }
}

/// The published held-out samples of a round; their bytes are in the body of block `published_at`.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct ShardView<BlockNumber = u32> {
    /// The index of this shard among the task's sealed shards.
    pub index: u32,
    /// The block that has its extrinsic.
    pub published_at: BlockNumber,
    /// The key that unseals the root.
    pub key: Hash,
    /// The Merkle root over the salted records.
    pub root: Hash,
}

/// One attester of a round.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SeatView<AccountId = [u8; 32], Balance = u128> {
    /// Who was drawn.
    pub account: AccountId,
    /// Its stake at the draw, in planck.
    pub stake: Balance,
    /// Whether it counts, or why not.
    pub state: SeatState,
    /// Whether it committed.
    pub committed: bool,
    /// Its claim, once revealed.
    pub claim: Option<ShareClaim>,
    /// The summary of its table, as long as the table can be disputed.
    pub table: Option<TableSummary>,
    /// The root over its own work, for audits; revealed together with the claim.
    pub work_root: Option<Hash>,
    /// Whether it answered its audits.
    pub audited: bool,
    /// What it was paid, in planck.
    pub fee: Balance,
}

/// One contributor's part in a round.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct SubmissionView<AccountId = [u8; 32], Balance = u128, BlockNumber = u32> {
    /// Who submitted.
    pub account: AccountId,
    /// Place in the order of commitment, from 0.
    pub index: u32,
    /// Its own weight. The weight in the merge is that of the record.
    pub weight: u32,
    /// Whether the account was proven in the task when it committed.
    pub is_proven: bool,
    /// The delta, once revealed.
    pub revealed: Option<RevealedView<BlockNumber>>,
    /// Its credit, if the round is over, the chain knows the credit, and it has not been claimed.
    pub credit: Option<Credit>,
    /// The result of its claim.
    pub claimed: Option<Claimed<Balance>>,
}

/// A revealed delta; its bytes are in the body of block `at`.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RevealedView<BlockNumber = u32> {
    /// The delta as it enters the round. Its weight is final once no more deltas can be revealed.
    pub record: EntrantRecord,
    /// Length of the encoded delta.
    pub bytes: u32,
    /// The block that has its extrinsic.
    pub at: BlockNumber,
}

/// What one round is worth to one account.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct RewardView<Balance = u128> {
    /// The task.
    pub task: TaskId,
    /// The round.
    pub round: RoundId,
    /// The part that the account took in it.
    pub kind: RewardKind,
    /// What the account gets, and how far that has come.
    pub state: RewardState<Balance>,
}

/// The part that an account took in a round.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RewardKind {
    /// It submitted a delta.
    Contributor,
    /// It held a seat.
    Attester,
}

/// How far a reward has come.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RewardState<Balance = u128> {
    /// The round has no outcome yet.
    Pending,
    /// The contributor still has to claim the round, in order. What that pays depends on the rounds before:
    /// [`ClaimableView::pays`].
    Claimable {
        /// The credit, before the rate is applied: 0 if nothing was merged. None if nobody has published it; then the chain does
        /// not know it, and a claim needs a proof.
        credit: Option<Credit>,
    },
    /// The contributor has claimed the round.
    Claimed(Claimed<Balance>),
    /// The attester was paid this fee, in planck.
    Paid(Balance),
    /// The account gets nothing for the round.
    Nothing,
}

/// What an account still has to claim in one task: the rounds that are over and in which it revealed.
///
/// At most [`bounds::MAX_PAGE`] rounds in total; later ones show up once these are claimed.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct ClaimableView<Balance = u128, BlockNumber = u32> {
    /// The task.
    pub task: TaskId,
    /// The rounds whose credits the chain knows, beginning with the next one to claim. Claim them in this order and without
    /// proofs, up to [`bounds::MAX_CLAIMS`] in one call.
    pub rounds: Vec<RoundId>,
    /// What these rounds pay together, exactly, in planck, if they are claimed before any of that money is released. 0 if the
    /// account earned nothing in them.
    pub pays: Balance,
    /// The block from which anybody can release the money of the first of these rounds that pays; later if more blocks are full
    /// until then. None if none of them pays.
    pub until: Option<BlockNumber>,
    /// The rounds after these. The chain does not know what they pay, which may be nothing, because nobody has published the
    /// credit of the first of them. Claim them with proofs, or wait until the credits are published.
    pub unknown: Vec<RoundId>,
    /// The block from which anybody can release the money of the first of these unknown rounds; later if more blocks are full
    /// until then. None if there are no such rounds.
    pub unknown_until: Option<BlockNumber>,
}

/// What an account has proved in one task, over all rounds that it has claimed.
#[derive(Encode, Decode, TypeInfo, Clone, PartialEq, Eq, Debug)]
pub struct LedgerView<Balance = u128> {
    /// The task.
    pub task: TaskId,
    /// Its credits, their variance, and what they prove.
    pub ledger: Ledger,
    /// The doubt about the sum of the credits, in their unit: at most the sum minus this is proved.
    pub doubt: u128,
    /// What it has been paid for what it proved, in planck.
    pub paid: Balance,
    /// How much more it would be paid if all of its credits were proved, in planck.
    pub open: Balance,
    /// The first round that it has not claimed, whether that is under way or over.
    pub next: Option<RoundId>,
    /// Whether its next delta will count as that of a proven account.
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
    /// The block at which it is too late, because the phase ends at the latest, or because unclaimed money can be released; later
    /// if more blocks are full until then.
    pub ends_at: BlockNumber,
    /// What to do.
    pub what: DutyKind,
}

/// What an account may have to do.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DutyKind {
    /// Commit to a delta.
    Commit,
    /// Reveal the delta that it committed to.
    Reveal,
    /// Publish the round's shard.
    PublishShard,
    /// Commit to a score table.
    CommitAttestation,
    /// Reveal the table that it committed to.
    RevealAttestation,
    /// Claim all rounds up to this one, which pays something: see [`ClaimableView`].
    Claim,
    /// Answer the audits of its work.
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
    /// What the challenger loses if it is wrong, in planck.
    pub bond: Balance,
    /// What the challenger doubted first.
    pub accusation: Accusation,
    /// The table of the accused.
    pub table: TableSummary,
    /// How far the dispute has been narrowed down.
    pub trial: Trial,
    /// Whether it is the accused's turn to answer; if not, it is the challenger's turn to pick.
    pub awaits_answer: bool,
    /// The block in which it was opened.
    pub opened_at: BlockNumber,
    /// The last block for the move; later if more blocks are full until then. A party that misses it loses the dispute.
    pub deadline: BlockNumber,
    /// Number of moves by the accused.
    pub answers: u32,
    /// Number of moves by the challenger.
    pub picks: u32,
    /// Encoded bytes of all answers together.
    pub bytes: u32,
}

impl<AccountId, Balance, BlockNumber> DisputeView<AccountId, Balance, BlockNumber> {
    /// Moves that were made.
    pub fn moves(&self) -> u32 {
        self.answers.saturating_add(self.picks)
    }

    /// What the next move follows from, apart from the round: the table of the accused, how far the dispute has been narrowed down,
    /// and the number of moves made.
    pub fn position(&self) -> (&TableSummary, &Trial, u32) {
        (&self.table, &self.trial, self.moves())
    }
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
        // An empty page may be followed by others.
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
