//! # Contribution pallet
//!
//! Pays accounts for what they proved to improve.
//!
//! ## API
//!
//! See the [`pallet`] module: its [calls](Call), [events](Event), [errors](Error), view functions
//! and [configuration](Config).
//!
//! ## Overview
//!
//! A *sponsor* opens a task: a model, its first weights, hold-out samples that are sealed or will be
//! drawn by chance, and a pool of money. *Contributors* improve the model in rounds, each with a delta that they first commit to
//! and then reveal. *Attesters*, drawn by stake, evaluate the round exactly, claim a score table
//! and answer audits of their work; meanwhile anybody may dispute a table. When the claims that
//! stand are equal the round settles, and every contributor claims its share with a proof. Many
//! tasks run at once; rounds advance by themselves.
//!
//! ```text
//! Commit -> Reveal (and the sponsor's shard, if any) -> AttestCommit -> AttestReveal -> Challenge -> Settled
//! ```
//!
//! A phase ends when its window is over, or in the block after the call with which nobody who may
//! act is left; Challenge lasts its whole window, and on until its disputes are decided. The clock
//! itself is [`gotong_protocol::next_phase`], a pure function.
//!
//! ## Design goals
//!
//! - A block does a bounded amount of work whatever the number of accounts: settlement is O(1) in
//!   contributors, who claim for themselves in O(log n).
//! - A majority never decides: of claims that differ a referee, to whom this pallet is a
//!   [`Court`](gotong_protocol::Court), finds out which are wrong. The seats of who is convicted
//!   count no more, and seats are drawn anew. Claims that differ and that nobody disputed end the
//!   round disputed, which pays nobody.
//! - Nothing is minted. Money that is held has an owner and an exit.
//!
//! ## Money
//!
//! Everything stays on hold in the account of its owner until it is paid: [`HoldReason`] says
//! what for. A payment moves from the sponsor's hold to the payee's free balance; a slash is
//! burned in full, but for that of the convicted: half of it is for who proved their table wrong.
//!
//! ## Rooms
//!
//! One module and one namespace a concept; nobody else touches its storage: [`stakes`], [`tasks`],
//! [`rounds`] with [`submissions`] and [`attestation`], [`rewards`]; [`asset`] alone touches money,
//! and `court` lets the referee in.
//!
//! ## Invariants
//!
//! Listed, in English and in code, in `try_state.rs`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::panic)] // FRAME expands to `expect` and `unreachable!`

extern crate alloc;

pub mod asset;
pub mod attestation;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
mod court;
#[cfg(test)]
mod mock;
pub mod rewards;
pub mod rounds;
pub mod stakes;
pub mod submissions;
pub mod tasks;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
mod view;
pub mod weights;

pub use pallet::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use crate::{
        attestation::Attestation,
        rewards::Rewards,
        rounds::{Round, Rounds as RoundsOf},
        stakes::{ContributorCount, Registration, Stakes},
        submissions::{Submission, Submissions as SubmissionsOf},
        tasks::{Task, Tasks as TasksOf},
        WeightInfo,
    };
    use alloc::vec::Vec;
    use codec::{Decode, DecodeWithMemTracking, Encode};
    use frame_support::{
        pallet_prelude::*,
        traits::{fungible, Randomness},
    };
    use frame_system::pallet_prelude::*;
    use gotong_protocol::{
        bounds,
        view::{Duty, RewardView, RoundView, StakeView, SubmissionView, TaskView},
        AuditAnswer, ClaimItem, Court, Hash, Opening, Outcome, Phase, Proof, Roles, RoundClaim,
        RoundId, TaskId, TaskTerms, TermsError,
    };
    use gotong_scoring::{trial::Case, AuditError};

    /// Money, in planck.
    pub type Balance = u128;
    /// The SCALE encoding of a [`gotong_protocol::Graph`].
    pub type GraphBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_GRAPH_BYTES }>>;
    /// Master weights: two bytes a parameter, little endian.
    pub type WeightBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_WEIGHT_BYTES }>>;
    /// An encoded [`gotong_protocol::Delta`].
    pub type DeltaBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_DELTA_BYTES }>>;
    /// The records of a shard, one after another.
    pub type ShardBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_SHARD_BYTES }>>;
    /// What one call claims.
    pub type ClaimItems = BoundedVec<ClaimItem, ConstU32<{ bounds::MAX_CLAIMS }>>;
    /// Answers to the audits of one seat.
    pub type AuditAnswers = BoundedVec<AuditAnswer, ConstU32<{ bounds::AUDITS }>>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(3);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<AccountId: Into<[u8; 32]>> {
        /// The chain's money.
        type Currency: fungible::MutateHold<
            Self::AccountId,
            Reason = Self::RuntimeHoldReason,
            Balance = Balance,
        >;

        /// The runtime's reason for a hold.
        type RuntimeHoldReason: From<HoldReason>;

        /// Draws attesters, their audits, and samples from pools. Must not be known to anyone while a round's commits
        /// are taken, or else a contributor may know who will attest it, and an attester what it
        /// need not evaluate.
        type Randomness: Randomness<Self::Hash, BlockNumberFor<Self>>;

        /// The time, in blocks that had room; all windows and deadlines are counted in it. So nobody
        /// keeps others from acting in time by filling blocks.
        type Clock: Get<u32>;

        /// What calls and hooks cost.
        type WeightInfo: WeightInfo;

        /// Least stake of a contributor.
        #[pallet::constant]
        type MinContributorStake: Get<Balance>;

        /// Least stake of an attester.
        #[pallet::constant]
        type MinAttesterStake: Get<Balance>;

        /// Time from `unstake` to `withdraw`; outlasts every round that the stake answers for.
        #[pallet::constant]
        type UnbondingBlocks: Get<u32>;

        /// What a sponsor has on hold for a task: with shards, the cap of a round if that is more, which it
        /// loses for one that it does not publish.
        #[pallet::constant]
        type TaskBond: Get<Balance>;

        /// What a contributor loses for a commit that it does not reveal.
        #[pallet::constant]
        type CommitDeposit: Get<Balance>;

        /// What an attester loses for a seat that it does not fill, if enough others fill theirs.
        #[pallet::constant]
        type MissedAttestationSlash: Get<Balance>;

        /// What an attester loses for a table that it committed to and does not reveal, or for audits
        /// that it does not answer.
        #[pallet::constant]
        type MissedAuditSlash: Get<Balance>;

        /// The longest that a dispute takes, from its opening to its verdict.
        #[pallet::constant]
        type MaxDisputeBlocks: Get<u32>;

        /// Stake that gives a delta one unit of weight in the merge.
        #[pallet::constant]
        type WeightUnit: Get<Balance>;

        /// Most attesters registered at a time.
        #[pallet::constant]
        type MaxAttesters: Get<u32>;

        /// Most tasks with a round under way at a time.
        #[pallet::constant]
        type MaxLiveTasks: Get<u32>;

        /// Most rounds that advance in one block; the rest wait for the next.
        #[pallet::constant]
        type MaxAdvancesPerBlock: Get<u32>;

        /// Shortest window of a phase.
        #[pallet::constant]
        type MinWindowBlocks: Get<u32>;

        /// Longest window of a phase.
        #[pallet::constant]
        type MaxWindowBlocks: Get<u32>;
    }

    /// What the pallet holds money for.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An account's stake, unbonding or not.
        Stake,
        /// A sponsor's pool, and what contributors have not claimed of it yet.
        Pool,
        /// A sponsor's bond for its task, and for publishing its shards.
        Bond,
        /// A contributor's deposit for revealing what it committed.
        CommitDeposit,
    }

    /// Registered accounts. One entry an account, paid for by its stake.
    #[pallet::storage]
    pub type Registrations<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Registration, OptionQuery>;

    /// Attesters that can be drawn, with their stake, by account. Bounded by
    /// [`Config::MaxAttesters`].
    #[pallet::storage]
    pub type Attesters<T: Config> =
        StorageValue<_, BoundedVec<(T::AccountId, Balance), T::MaxAttesters>, ValueQuery>;

    /// How many contributors may commit, and how many have ceased to.
    #[pallet::storage]
    pub type Contributors<T: Config> = StorageValue<_, ContributorCount, ValueQuery>;

    /// Every task ever opened; kept as history. Paid for by the fee of `open_task`.
    #[pallet::storage]
    pub type Tasks<T: Config> =
        StorageMap<_, Twox64Concat, TaskId, Task<T::AccountId>, OptionQuery>;

    /// The model of each task.
    #[pallet::storage]
    pub type Graphs<T: Config> = StorageMap<_, Twox64Concat, TaskId, GraphBytes, OptionQuery>;

    /// The id of the next task.
    #[pallet::storage]
    pub type NextTask<T: Config> = StorageValue<_, TaskId, ValueQuery>;

    /// Tasks with a round under way, and the time at which each is looked at next. Bounded by
    /// [`Config::MaxLiveTasks`].
    #[pallet::storage]
    pub type Schedule<T: Config> =
        StorageValue<_, BoundedVec<(TaskId, u32), T::MaxLiveTasks>, ValueQuery>;

    /// Every round, kept as history: claims have no deadline. Paid for by the task's calls.
    #[pallet::storage]
    pub type Rounds<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TaskId,
        Twox64Concat,
        RoundId,
        Round<T::AccountId>,
        OptionQuery,
    >;

    /// Contributors' parts in rounds; at most [`bounds::MAX_SUBMISSIONS`] a round, each paid for by
    /// the fee of `commit`.
    #[pallet::storage]
    pub type Submissions<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        (TaskId, RoundId),
        Blake2_128Concat,
        T::AccountId,
        Submission,
        OptionQuery,
    >;

    /// Deltas revealed in each round that takes reveals, so that none is revealed twice; bounded as
    /// [`Submissions`], and empty again when nothing more is revealed.
    #[pallet::storage]
    pub type RevealedDeltas<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        (TaskId, RoundId),
        Blake2_128Concat,
        Hash,
        (),
        OptionQuery,
    >;

    /// Why money was burned.
    #[derive(
        Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Copy, PartialEq, Eq, Debug,
    )]
    pub enum SlashReason {
        /// A commit was not revealed.
        UnrevealedCommit,
        /// A seat was not filled.
        MissedAttestation,
        /// A shard was not published.
        MissedShard,
        /// Audits were not answered.
        MissedAudit,
        /// A table was wrong, or not defended.
        WrongTable,
        /// A table was committed to, and not revealed.
        WithheldTable,
    }

    /// What should never happen, and what was done about it.
    #[derive(
        Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Copy, PartialEq, Eq, Debug,
    )]
    pub enum UnexpectedKind {
        /// A scheduled task or its round is missing; it was taken off the schedule.
        ScheduledTaskMissing(TaskId),
        /// A live task has no place in the schedule.
        TaskUnscheduled(TaskId),
        /// Less was on hold than was to be burned.
        HoldTooSmall(HoldReason),
        /// Held money could not be given back; it stays on hold.
        ReleaseFailed(HoldReason),
        /// An attester could not be paid; its fee stays in the pool.
        FeeUnpaid(TaskId),
        /// A settled round could not be priced; nothing was paid.
        PriceFailed(TaskId),
        /// The referee spoke of a round or a seat that is not being challenged.
        NotChallenged(TaskId),
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An account registered.
        Registered {
            /// The new account.
            who: T::AccountId,
            /// What it may do.
            roles: Roles,
            /// What it put on hold, in planck.
            stake: Balance,
        },
        /// An account added to its stake.
        StakeAdded {
            /// The account.
            who: T::AccountId,
            /// What it added, in planck.
            amount: Balance,
        },
        /// Stake is unbonding, and can be withdrawn from block `until`, later by as many as are full.
        Unstaking {
            /// The account.
            who: T::AccountId,
            /// What is unbonding, in planck.
            amount: Balance,
            /// The first moment at which it can be withdrawn, on [`Config::Clock`].
            until: u32,
        },
        /// Unbonded stake is free.
        Withdrawn {
            /// The account.
            who: T::AccountId,
            /// What is free again, in planck.
            amount: Balance,
        },
        /// A task was opened.
        TaskOpened {
            /// Its id.
            task: TaskId,
            /// Who opened and funded it.
            sponsor: T::AccountId,
            /// How many parameters its model has.
            parameters: u32,
            /// The Merkle root of its first weights.
            master_root: Hash,
        },
        /// A pool was topped up.
        TaskToppedUp {
            /// The task.
            task: TaskId,
            /// What was added to the pool, in planck.
            amount: Balance,
        },
        /// The sponsor closes the task once its round is over.
        TaskClosing {
            /// The task.
            task: TaskId,
        },
        /// A task was closed; pool and bond went back to the sponsor.
        TaskClosed {
            /// The task.
            task: TaskId,
            /// What the sponsor got back, in planck.
            returned: Balance,
        },
        /// A task waits for a top-up.
        TaskPaused {
            /// The task.
            task: TaskId,
        },
        /// Every shard of a task has scored its round, or as many rounds are over as its terms have.
        TaskExhausted {
            /// The task.
            task: TaskId,
        },
        /// A task was stopped, for its sponsor did not publish a shard.
        TaskStopped {
            /// The task.
            task: TaskId,
        },
        /// A round started.
        RoundStarted {
            /// The task.
            task: TaskId,
            /// The number of the round, counted from 0.
            round: RoundId,
        },
        /// A phase started; it is over at block `ends_at` at the latest, later by as many as are full.
        PhaseEntered {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The phase that started.
            phase: Phase,
            /// When it is over at the latest, on [`Config::Clock`].
            ends_at: u32,
        },
        /// A contributor committed, as number `index`.
        Committed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The place of its submission in the round, counted from 0.
            index: u32,
        },
        /// A contributor revealed a delta of `bytes` bytes.
        Revealed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// The hash of the encoded delta.
            delta_hash: Hash,
            /// The length of the encoded delta.
            bytes: u32,
        },
        /// The sponsor published shard `index`.
        ShardPublished {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Which of the sealed shards, counted from 0.
            index: u32,
            /// How many samples it holds.
            samples: u32,
        },
        /// What draws the samples of a round from its task's pool was drawn.
        SamplesDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The seed from which anybody draws the same samples.
            seed: Hash,
        },
        /// Attesters were drawn.
        AttestersDrawn {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Who holds the seats, in their order.
            attesters: Vec<T::AccountId>,
        },
        /// An attester committed.
        AttestationCommitted {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
        },
        /// An attester revealed its claim.
        AttestationRevealed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
            /// What it says the round comes to.
            claim: RoundClaim,
        },
        /// An attester answered its audits.
        Audited {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
        },
        /// A table was wrong, or not defended: its attester lost its seat and its stake, part of it
        /// to who disputed the table.
        Convicted {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester that lost.
            who: T::AccountId,
            /// Who proved its table wrong.
            winner: T::AccountId,
            /// What the winner got, in planck.
            rewarded: Balance,
            /// What was burned, in planck.
            burned: Balance,
        },
        /// Tables can be disputed for longer: until block `ends_at`, later by as many as are full.
        ChallengeExtended {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// When the challenge window is over, on [`Config::Clock`].
            ends_at: u32,
        },
        /// A round ended.
        RoundEnded {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// How it ended.
            outcome: Outcome,
        },
        /// A round settled on `claim`; it owes `owed`, of which `fees` went to attesters.
        RoundSettled {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// What the standing tables agree on.
            claim: RoundClaim,
            /// What the pool owes for the round, fees included, in planck.
            owed: Balance,
            /// The attesters' part of it, in planck.
            fees: Balance,
        },
        /// An attester was paid.
        FeePaid {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The attester.
            who: T::AccountId,
            /// Its fee, in planck.
            amount: Balance,
        },
        /// A contributor was paid.
        Claimed {
            /// The task.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// The contributor.
            who: T::AccountId,
            /// Its share, in planck.
            amount: Balance,
        },
        /// Held money was burned.
        Slashed {
            /// Whose money it was.
            who: T::AccountId,
            /// What was burned, in planck.
            amount: Balance,
            /// Why.
            reason: SlashReason,
        },
        /// A state that should be impossible.
        Unexpected {
            /// Which one, and what was done about it.
            kind: UnexpectedKind,
        },
    }

    #[pallet::error]
    #[derive(PartialEq)]
    pub enum Error<T> {
        /// The account is not registered.
        NotRegistered,
        /// The account is registered; it has one registration.
        AlreadyRegistered,
        /// No role was chosen.
        NoRoles,
        /// The stake is below the least stake of a role or of the task.
        StakeTooLow,
        /// The account did not register for this.
        WrongRole,
        /// The registry of attesters is full.
        TooManyAttesters,
        /// The amount is zero.
        ZeroAmount,
        /// Less is staked than that.
        NotEnoughStake,
        /// An earlier `unstake` waits for its `withdraw`.
        UnbondingPending,
        /// Nothing is unbonding.
        NothingUnbonding,
        /// The unbonding period is not over.
        NotYetWithdrawable,
        /// The account has not enough free balance.
        FundsTooLow,
        /// The account to be paid does not exist, and the payment is below the existential
        /// deposit.
        PayeeBelowExistentialDeposit,
        /// An amount overflows.
        Overflow,
        /// The task's name is not 1 to 32 bytes of UTF-8.
        TermsNameInvalid,
        /// A window is shorter or longer than allowed.
        TermsWindowInvalid,
        /// Seats are 0 or too many.
        TermsSeatsInvalid,
        /// The quorum is 0 or more than the seats.
        TermsQuorumInvalid,
        /// Price, cap or weight cap is zero.
        TermsZero,
        /// The attesters' fee is over 1000 permille.
        TermsFeeInvalid,
        /// Shards are missing, too small, or too large to be published.
        TermsShardsInvalid,
        /// The pool has too few or too many records, samples or rounds.
        TermsPoolInvalid,
        /// The rules of the merge cannot be used.
        TermsRulesInvalid,
        /// The graph does not decode, or is not valid.
        GraphInvalid,
        /// The weights are not as many as the graph has parameters.
        WeightsMismatch,
        /// A weight is out of bounds.
        WeightsOutOfBounds,
        /// The pool does not cover one round.
        PoolTooSmall,
        /// Too many tasks have a round under way.
        TooManyLiveTasks,
        /// There are no more task ids.
        TooManyTasks,
        /// There is no such task.
        NoSuchTask,
        /// The account is not the task's sponsor.
        NotSponsor,
        /// The task is closed, closing, stopped, or out of rounds: more money is of no use to it.
        TaskNotFundable,
        /// The task is closed, or will be at the end of its round.
        AlreadyClosed,
        /// The task's round under way, if any, is another.
        RoundNotCurrent,
        /// The round does not take commits now.
        NotInCommitPhase,
        /// The round does not take reveals and shards now.
        NotInRevealPhase,
        /// The round does not take attesters' commitments now.
        NotInAttestCommitPhase,
        /// The round does not take attesters' claims now.
        NotInAttestRevealPhase,
        /// A sponsor may not contribute to its own task.
        SponsorMayNotContribute,
        /// The account committed in this round.
        AlreadyCommitted,
        /// The round holds as many submissions as it can.
        TooManySubmissions,
        /// The account did not commit in this round.
        NoCommitment,
        /// What is revealed is not what this account committed to.
        CommitmentMismatch,
        /// The account revealed in this round.
        AlreadyRevealed,
        /// The bytes are not the one encoding of a delta for this model.
        DeltaMalformed,
        /// Another account revealed the same delta in this round.
        DeltaAlreadyRevealed,
        /// The task's samples are drawn from a pool: there is no shard to publish.
        NothingSealed,
        /// The records are not as many or as long as the terms say.
        ShardSizeMismatch,
        /// A record's label is not a class of the model.
        ShardLabelInvalid,
        /// The records are not the next sealed shard of the task.
        ShardMismatch,
        /// The round's shard is published; nothing is revealed after it.
        ShardAlreadyPublished,
        /// The account holds no seat in this round.
        NotDrawn,
        /// The attester did this in this round.
        AlreadyAttested,
        /// The table contradicts itself, the terms or the weights that the round started from.
        ClaimInconsistent,
        /// There is nothing in this round for this account to claim.
        NothingToClaim,
        /// The account was paid for this round.
        AlreadyClaimed,
        /// The proof does not lead to the claim that the round settled on.
        ProofInvalid,
        /// The proved row is of another account's delta.
        ForeignRow,
        /// Deltas are still being revealed, and half of the window is left.
        ShardTooEarly,
        /// A sample with its label is longer than a dispute can show.
        TermsRecordTooLong,
        /// The round is not being challenged now.
        NotInChallengePhase,
        /// The attester was put out of its seat, or lost its stake in another round.
        SeatLost,
        /// The attester answered its audits in this round.
        AlreadyAudited,
        /// There are fewer answers than audits.
        AuditsMissing,
        /// An answer shows losses that are not of the work that was committed to.
        AuditOtherWork,
        /// An answer shows a row that is not the audited one of the revealed table.
        AuditOtherTable,
        /// The revealed table has other losses for an audited sample than the work.
        AuditWorkDiffers,
        /// Attesters could not evaluate the model on so many samples within the terms' window for it.
        TermsTooHeavy,
    }

    impl<T> From<TermsError> for Error<T> {
        fn from(error: TermsError) -> Self {
            match error {
                TermsError::Name => Error::TermsNameInvalid,
                TermsError::Window => Error::TermsWindowInvalid,
                TermsError::Seats => Error::TermsSeatsInvalid,
                TermsError::Quorum => Error::TermsQuorumInvalid,
                TermsError::Zero => Error::TermsZero,
                TermsError::Fee => Error::TermsFeeInvalid,
                TermsError::Shards => Error::TermsShardsInvalid,
                TermsError::Pool => Error::TermsPoolInvalid,
                TermsError::Rules => Error::TermsRulesInvalid,
                TermsError::Record => Error::TermsRecordTooLong,
            }
        }
    }

    impl<T> From<AuditError> for Error<T> {
        fn from(error: AuditError) -> Self {
            match error {
                AuditError::OtherWork => Error::AuditOtherWork,
                AuditError::OtherTable => Error::AuditOtherTable,
                AuditError::WorkDiffers => Error::AuditWorkDiffers,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            RoundsOf::<T>::advance_due()
        }

        fn integrity_test() {
            crate::rounds::assert_constants::<T>();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Registers the origin for `roles` and puts `stake` on hold.
        ///
        /// Signed. An account has one registration; the stake covers every chosen role. Emits
        /// [`Event::Registered`].
        #[pallet::call_index(0)]
        pub fn register(origin: OriginFor<T>, roles: Roles, stake: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::register(who, roles, stake)
        }

        /// Adds `amount` to the origin's stake.
        ///
        /// Signed by a registered account. Emits [`Event::StakeAdded`].
        #[pallet::call_index(1)]
        pub fn add_stake(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::add(who, amount)
        }

        /// Starts to unbond `amount` of the origin's stake: all of it, or as much as leaves the
        /// least stake of its roles.
        ///
        /// Signed by a registered account, which stops acting at once when it unbonds all. What
        /// unbonds can still be slashed. One unbonding at a time. Emits [`Event::Unstaking`].
        #[pallet::call_index(2)]
        pub fn unstake(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::unstake(who, amount)
        }

        /// Frees what has unbonded, and ends the registration if nothing else is staked.
        ///
        /// Signed by a registered account. Emits [`Event::Withdrawn`].
        #[pallet::call_index(3)]
        pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::withdraw(who)
        }

        /// Opens a task and starts its first round.
        ///
        /// Signed by the sponsor, on whose account `pool` goes on hold, and as its bond [`Config::TaskBond`] or, with
        /// shards to publish, the cap of a round if that is more. `graph` is the SCALE
        /// encoding of a [`gotong_protocol::Graph`], `weights` its first master weights (two bytes
        /// each, little endian, within +-32512); the chain keeps their Merkle root. Emits
        /// [`Event::TaskOpened`] and [`Event::RoundStarted`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::open_task(weights.len() as u32))]
        pub fn open_task(
            origin: OriginFor<T>,
            terms: TaskTerms<Balance>,
            graph: GraphBytes,
            weights: WeightBytes,
            pool: Balance,
        ) -> DispatchResult {
            let sponsor = ensure_signed(origin)?;
            TasksOf::<T>::open(sponsor, terms, graph, &weights, pool)
        }

        /// Adds `amount` to a task's pool; a paused task starts its next round once the pool
        /// covers one.
        ///
        /// Signed by the sponsor. Emits [`Event::TaskToppedUp`].
        #[pallet::call_index(5)]
        pub fn top_up(origin: OriginFor<T>, task: TaskId, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            TasksOf::<T>::top_up(who, task, amount)
        }

        /// Closes a task: at once if nobody has committed in its round, else when the round ends.
        ///
        /// Signed by the sponsor, who has pool and bond back; what contributors can still claim
        /// stays on hold. Emits [`Event::TaskClosed`] or [`Event::TaskClosing`].
        #[pallet::call_index(6)]
        pub fn close_task(origin: OriginFor<T>, task: TaskId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            TasksOf::<T>::close(who, task)
        }

        /// Commits to a delta: see [`gotong_protocol::submission_commitment`].
        ///
        /// Signed by a contributor with the task's least stake, once a round;
        /// [`Config::CommitDeposit`] goes on hold until it reveals. Emits [`Event::Committed`].
        #[pallet::call_index(7)]
        pub fn commit(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            commitment: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            SubmissionsOf::<T>::commit(who, task, round, commitment)
        }

        /// Reveals the delta that was committed; the chain keeps its hash, the block its bytes.
        ///
        /// Signed by who committed; the deposit comes back. Emits [`Event::Revealed`].
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::reveal(delta.len() as u32))]
        pub fn reveal(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            delta: DeltaBytes,
            salt: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            SubmissionsOf::<T>::reveal(who, task, round, &delta, &salt)
        }

        /// Publishes the round's shard: `records` under `key` are shard number `proof.index` under
        /// the task's shards root, the next of the task.
        ///
        /// Signed by the sponsor of a task with sealed shards, while deltas are revealed. Emits
        /// [`Event::ShardPublished`].
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::publish_shard(records.len() as u32))]
        pub fn publish_shard(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            key: Hash,
            records: ShardBytes,
            proof: Proof,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            RoundsOf::<T>::publish_shard(who, task, round, key, &records, &proof)
        }

        /// Commits to a claim: see [`gotong_protocol::attestation_commitment`].
        ///
        /// Signed by a drawn attester. Emits [`Event::AttestationCommitted`].
        #[pallet::call_index(10)]
        pub fn commit_attestation(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            commitment: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Attestation::<T>::commit(who, task, round, commitment)
        }

        /// Reveals the table whose claim was committed, by its header and the root of its rows.
        ///
        /// Signed by a drawn attester that committed. Emits [`Event::AttestationRevealed`].
        #[pallet::call_index(11)]
        pub fn reveal_attestation(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            opening: Opening,
            work_root: Hash,
            salt: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Attestation::<T>::reveal(who, task, round, opening, work_root, &salt)
        }

        /// Claims shares of settled rounds, all or none.
        ///
        /// Signed by the contributor whose deltas the proved rows are of. Emits
        /// [`Event::Claimed`] for each.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::claim(items.len() as u32))]
        pub fn claim(origin: OriginFor<T>, items: ClaimItems) -> DispatchResult {
            let who = ensure_signed(origin)?;
            items
                .iter()
                .try_for_each(|item| Rewards::<T>::claim(&who, item))
        }

        /// Answers the audits of the origin's work: [`gotong_scoring::audits`] of the round's seed,
        /// [`bounds::AUDITS`] of them, in order and all at once.
        ///
        /// Signed by an attester that revealed, while the round is being challenged. Emits
        /// [`Event::Audited`].
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::answer_audits(answers.encoded_size() as u32))]
        pub fn answer_audits(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            answers: AuditAnswers,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Attestation::<T>::answer_audits(who, task, round, &answers)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The registration of `who`.
        pub fn stake(who: T::AccountId) -> Option<StakeView<Balance, u32>> {
            crate::view::stake::<T>(&who)
        }

        /// Every task ever opened, in order.
        pub fn tasks() -> Vec<TaskId> {
            crate::view::tasks::<T>()
        }

        /// One task.
        pub fn task(id: TaskId) -> Option<TaskView<T::AccountId, Balance, u32>> {
            crate::view::task::<T>(id)
        }

        /// One round of a task.
        pub fn round(
            task: TaskId,
            round: RoundId,
        ) -> Option<RoundView<T::AccountId, Balance, u32>> {
            crate::view::round::<T>(task, round)
        }

        /// A round's submissions in the order of their commits.
        pub fn submissions(
            task: TaskId,
            round: RoundId,
        ) -> Vec<SubmissionView<T::AccountId, Balance, u32>> {
            crate::view::submissions::<T>(task, round)
        }

        /// What a dispute about a table of the round stands on, once nothing more is revealed.
        pub fn case(task: TaskId, round: RoundId) -> Option<Case> {
            <Self as Court<T::AccountId>>::case(task, round)
        }

        /// What every round that `who` took part in is worth to it.
        pub fn rewards(who: T::AccountId) -> Vec<RewardView<Balance>> {
            crate::view::rewards::<T>(&who)
        }

        /// What `who` may do now.
        pub fn duties(who: T::AccountId) -> Vec<Duty<u32>> {
            crate::view::duties::<T>(&who)
        }
    }
}
