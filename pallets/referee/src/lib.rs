//! # Referee pallet
//!
//! Decides who is right about a score table by executing one step of its computation.
//!
//! ## API
//!
//! See the [`pallet`] module: its [calls](Call), [events](Event), [errors](Error), view functions
//! and [configuration](Config).
//!
//! ## Overview
//!
//! In the challenge window of a round, anybody may *dispute* the table that an attester, the *accused*, revealed. The
//! *challenger* puts up a bond and says which part of the table it doubts. Then the two take turns: the accused *answers* with
//! what the doubted part is made of, and the challenger *picks* the piece of that which it computes differently. In the end a
//! single step is left, which the chain executes itself. The game is [`gotong_scoring::share::trial`]; this pallet has its
//! clock and its money.
//!
//! ```text
//! open -> answer -> pick -> answer -> .. -> answer -> verdict
//! ```
//!
//! ## Verdicts
//!
//! - If the step is wrong, or the accused does not answer in time, the [court](gotong_protocol::Court) convicts the accused and
//!   slashes its stake. The bonds of everybody who disputes this table come back.
//! - If the step is right, or the challenger does not pick in time, or makes more moves than an honest one ever needs, half of
//!   its bond is paid to the accused and the rest is burned.
//!
//! ## Design goals
//!
//! - One honest party is enough: it wins every dispute that it is part of, whatever other disputes are open.
//! - Delaying a round costs money: a round does not end before its disputes, and each of them needs a bond that grows with the
//!   number of open disputes.
//! - Nobody can crowd others out: when a dispute ends in a round that had no room for another, the challenge window stays open
//!   for at least the time of one move.
//! - An attester that accuses itself saves at most half of its stake: the rest is burned.
//!
//! ## Rooms
//!
//! [`disputes`] owns the disputes and their clock, [`verdicts`] ends them; `asset` alone touches money.
//!
//! ## Invariants
//!
//! Listed, in English and in code, in `try_state.rs`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::panic)] // FRAME expands to `expect` and `unreachable!`

extern crate alloc;

mod asset;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
pub mod disputes;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod verdicts;
mod view;
pub mod weights;

pub use disputes::LongestDispute;
pub use pallet::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use crate::{
        disputes::{Dispute, Disputes as DisputesOf, MaxOpenDisputes, Party},
        weights, WeightInfo,
    };
    use alloc::{boxed::Box, vec::Vec};
    use codec::{Decode, DecodeWithMemTracking, Encode};
    use frame_support::{pallet_prelude::*, traits::fungible};
    use frame_system::pallet_prelude::*;
    use gotong_protocol::{
        bounds,
        dispute::{ClosedDispute, Verdict},
        id::DisputeId,
        view::{DisputeView, Page},
        Court, RoundFacts, RoundId, TableSummary, TaskId,
    };
    use gotong_scoring::{
        share::trial::{Accusation, Answer, Pick, Ruling, Statement, Trial},
        trial::Refusal,
    };

    /// Money, in planck.
    pub type Balance = u128;

    /// Number of verdicts that are kept.
    pub const MAX_VERDICTS: u32 = 64;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(2);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// The chain's money.
        type Currency: fungible::MutateHold<
            Self::AccountId,
            Reason = Self::RuntimeHoldReason,
            Balance = Balance,
        >;

        /// The runtime's reason for a hold.
        type RuntimeHoldReason: From<HoldReason>;

        /// Knows the rounds, and carries out convictions.
        type Court: Court<Self::AccountId, Balance = Balance>;

        /// The time, in blocks that were not full. Deadlines are counted in it, so nobody can keep a party from its move by
        /// filling blocks.
        type Clock: Get<u32>;

        /// What calls and hooks cost.
        type WeightInfo: WeightInfo;

        /// The bond for a round's first open dispute, in planck. A second one costs twice as much, a third three times as much, and
        /// so on.
        #[pallet::constant]
        type DisputeBond: Get<Balance>;

        /// The time that a party has for a move.
        #[pallet::constant]
        type MoveBlocks: Get<u32>;

        /// The number of moves by both parties after which the challenger loses. An honest one never needs more than
        /// [`LONGEST_TRIAL`](crate::disputes::LONGEST_TRIAL).
        #[pallet::constant]
        type MaxMoves: Get<u32>;

        /// Maximum number of open disputes in a round at the same time.
        #[pallet::constant]
        type MaxDisputesPerRound: Get<u32>;

        /// Maximum number of rounds under way at the same time.
        #[pallet::constant]
        type MaxLiveRounds: Get<u32>;

        /// Maximum number of disputes that time out in one block; the rest wait for the next block.
        #[pallet::constant]
        type MaxTimeOutsPerBlock: Get<u32>;

        /// Makes the court serve what benchmarks need.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: crate::benchmarking::BenchmarkHelper<Self::AccountId>;
    }

    /// What the pallet holds money for.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A challenger's bond, which it loses if it is wrong.
        DisputeBond,
    }

    /// Open disputes: at most [`Config::MaxDisputesPerRound`] per round, each paid for by its bond.
    #[pallet::storage]
    pub type Disputes<T: Config> =
        StorageMap<_, Twox64Concat, DisputeId, Dispute<T::AccountId>, OptionQuery>;

    /// The id of the next dispute.
    #[pallet::storage]
    pub type NextDispute<T: Config> = StorageValue<_, DisputeId, ValueQuery>;

    /// Open disputes with their deadlines, the earliest first. Bounded by [`MaxOpenDisputes`].
    #[pallet::storage]
    pub type Deadlines<T: Config> =
        StorageValue<_, BoundedVec<(DisputeId, u32), MaxOpenDisputes<T>>, ValueQuery>;

    /// Who disputes whose table, for each round with an open dispute.
    #[pallet::storage]
    pub type Parties<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        TaskId,
        Twox64Concat,
        RoundId,
        BoundedVec<Party<T::AccountId>, T::MaxDisputesPerRound>,
        ValueQuery,
    >;

    /// The latest verdicts, oldest first.
    #[pallet::storage]
    pub type Verdicts<T: Config> = StorageValue<
        _,
        BoundedVec<ClosedDispute<T::AccountId, Balance, u32>, ConstU32<MAX_VERDICTS>>,
        ValueQuery,
    >;

    /// What should never happen, and what was done about it.
    #[derive(
        Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Copy, PartialEq, Eq, Debug,
    )]
    pub enum UnexpectedKind {
        /// A dispute with a deadline is missing; the deadline was removed.
        DisputeMissing(DisputeId),
        /// Less was on hold than was to be burned.
        HoldTooSmall(HoldReason),
        /// Held money could not be given back; it stays on hold.
        ReleaseFailed(HoldReason),
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A table is disputed. The accused has to answer by block `deadline`, or later by the number of full blocks until
        /// then.
        DisputeOpened {
            /// Its id.
            dispute: DisputeId,
            /// The task of the table.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Whose table is disputed.
            accused: T::AccountId,
            /// Who disputes it.
            challenger: T::AccountId,
            /// What the challenger put on hold, in planck.
            bond: Balance,
            /// The first part of the table that the challenger computes differently.
            accusation: Accusation,
            /// When the first answer is due, on [`Config::Clock`].
            deadline: u32,
        },
        /// The accused showed what `statement` is made of, in an answer of `bytes` bytes.
        Answered {
            /// The dispute.
            dispute: DisputeId,
            /// What was doubted, and is now broken down.
            statement: Statement,
            /// The length of the encoded answer.
            bytes: u32,
        },
        /// The challenger doubts a part of what was shown. The accused has to answer by block `deadline`, or later by the
        /// number of full blocks until then.
        Picked {
            /// The dispute.
            dispute: DisputeId,
            /// The part that is doubted now.
            pick: Pick,
            /// When the next answer is due, on [`Config::Clock`].
            deadline: u32,
        },
        /// A dispute is over, after `answers` answers with `bytes` bytes in total. The winner got `reward` of what the loser
        /// lost; the rest was burned.
        DisputeClosed {
            /// The dispute.
            dispute: DisputeId,
            /// The task of the table.
            task: TaskId,
            /// The round of that task.
            round: RoundId,
            /// Whose table was disputed.
            accused: T::AccountId,
            /// Who disputed it.
            challenger: T::AccountId,
            /// Who won, and why.
            verdict: Verdict,
            /// What the winner got, in planck.
            reward: Balance,
            /// The number of answers by the accused.
            answers: u32,
            /// The total length of these answers, encoded.
            bytes: u32,
        },
        /// The pallet met a state that should be impossible.
        Unexpected {
            /// Which one, and what was done about it.
            kind: UnexpectedKind,
        },
    }

    #[pallet::error]
    #[derive(PartialEq)]
    pub enum Error<T> {
        /// An attester cannot dispute its own table.
        OwnTable,
        /// The accused account has no table in this round that can be disputed now.
        NotDisputable,
        /// The chain does not know all inputs of this round.
        NoFacts,
        /// The challenger already disputes this table.
        AlreadyDisputed,
        /// The round has no room for another open dispute. Try again when one ends: the challenge window stays open for it.
        TooManyDisputes,
        /// All dispute ids are used up.
        OutOfIds,
        /// The account does not have enough free balance for the bond.
        FundsTooLow,
        /// There is no such open dispute.
        NoSuchDispute,
        /// The account is not the accused of this dispute.
        NotAccused,
        /// The account is not the challenger of this dispute.
        NotChallenger,
        /// The time for the move is over.
        TooLate,
        /// The encoded answer is longer than [`gotong_protocol::bounds::MAX_ANSWER_BYTES`].
        AnswerTooLarge,
        /// It is the other party's turn.
        NotYourTurn,
        /// The move does not fit what the accused has to defend, or what it has shown.
        WrongMove,
        /// A part of the answer is missing, was not asked for, or has the wrong length.
        WrongShape,
        /// What the answer shows does not hash or add up to what the accused has to defend.
        NotTheInside,
        /// A delta, sample or base weight does not lead to the root that the chain knows.
        ForeignInput,
        /// There is nothing at that place to doubt.
        NoSuchPlace,
    }

    impl<T> From<Refusal> for Error<T> {
        fn from(refusal: Refusal) -> Self {
            match refusal {
                Refusal::NotYourTurn => Error::NotYourTurn,
                Refusal::WrongMove => Error::WrongMove,
                Refusal::WrongShape => Error::WrongShape,
                Refusal::NotTheInside => Error::NotTheInside,
                Refusal::ForeignInput => Error::ForeignInput,
                Refusal::NoSuchPlace => Error::NoSuchPlace,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            DisputesOf::<T>::time_out_overdue()
        }

        fn integrity_test() {
            crate::disputes::assert_constants::<T>();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Disputes the table of `accused`: `accusation` is the first part of it that the origin computes differently.
        ///
        /// Signed by anybody but the accused, in the round's challenge window. A bond goes on hold:
        /// [`Config::DisputeBond`], times one plus the number of the round's open disputes. The origin may have one open
        /// dispute per table. Emits [`Event::DisputeOpened`].
        #[pallet::call_index(0)]
        pub fn open(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            accused: T::AccountId,
            accusation: Accusation,
        ) -> DispatchResult {
            let challenger = ensure_signed(origin)?;
            DisputesOf::<T>::open(challenger, task, round, accused, accusation)
        }

        /// Shows what the doubted part is made of.
        ///
        /// Signed by the accused, when it is its turn and before the deadline. An answer that does not add up to the doubted
        /// part is refused and changes nothing. Emits [`Event::Answered`], and [`Event::DisputeClosed`] if the answer shows a
        /// single step.
        #[pallet::call_index(1)]
        #[pallet::weight(weights::of_answer::<T::WeightInfo>(answer, T::MaxDisputesPerRound::get()))]
        pub fn answer(
            origin: OriginFor<T>,
            dispute: DisputeId,
            answer: Box<Answer>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            DisputesOf::<T>::answer(who, dispute, &answer)
        }

        /// Doubts a part of what was shown.
        ///
        /// Signed by the challenger, when it is its turn and before the deadline. Emits [`Event::Picked`], or
        /// [`Event::DisputeClosed`] after [`Config::MaxMoves`] moves.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::pick().saturating_add(T::WeightInfo::end(1)))]
        pub fn pick(origin: OriginFor<T>, dispute: DisputeId, pick: Pick) -> DispatchResult {
            let who = ensure_signed(origin)?;
            DisputesOf::<T>::pick(who, dispute, pick)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The open disputes, of one task or of all, in the order of their ids, from `start` on.
        pub fn disputes(
            task: Option<TaskId>,
            start: DisputeId,
        ) -> Page<DisputeView<T::AccountId, Balance, u32>, DisputeId> {
            crate::view::disputes::<T>(task, start)
        }

        /// One open dispute.
        pub fn dispute(id: DisputeId) -> Option<DisputeView<T::AccountId, Balance, u32>> {
            crate::view::dispute::<T>(id)
        }

        /// The latest verdicts, oldest first.
        pub fn verdicts() -> Vec<ClosedDispute<T::AccountId, Balance, u32>> {
            Verdicts::<T>::get().into_inner()
        }

        /// How the referee would rule on an answer in a trial, whether or not there is such a dispute: anybody can ask for the
        /// chain's own step. The facts are taken as given, as long as such a round is possible.
        pub fn rule(
            facts: RoundFacts,
            table: TableSummary,
            trial: Trial,
            answer: Answer,
        ) -> Result<Ruling, Refusal> {
            let is_possible = facts.graph.validate().is_ok()
                && facts.terms.are_valid()
                && facts.samples <= bounds::MAX_SHARD_SAMPLES
                && facts.allow(&table);
            if !is_possible {
                return Err(Refusal::WrongShape);
            }
            trial.answer(&facts, &table, &answer)
        }
    }
}
