//! The runtime APIs by which any client asks the chain: `api.call.contributionApi` of polkadot-js, `state_call` of others.
//!
//! They give the same answers as the pallets' view functions of the same names, for clients that do not know view functions.
//! Answers that grow with tasks, rounds or accounts come in pages: see [`Page`].

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use alloc::vec::Vec;
use codec::Codec;
use gotong_protocol::{
    dispute::ClosedDispute,
    id::DisputeId,
    view::{
        ClaimableView, DisputeView, Duty, LedgerView, OfferView, Page, RewardView, RoundView,
        StakeView, SubmissionView, TaskView,
    },
    RoundFacts, RoundId, TaskId,
};

sp_api::decl_runtime_apis! {
    /// Stakes, tasks, rounds, and what accounts are owed and may do now. Money is in planck.
    pub trait ContributionApi<AccountId>
    where
        AccountId: Codec,
    {
        /// The registration of `who`.
        fn stake(who: AccountId) -> Option<StakeView>;

        /// What `who` offers to attest, and which seats it holds; none if it neither offers nor holds any.
        fn offer_of(who: AccountId) -> Option<OfferView>;

        /// Every task ever opened, in order, from `start` on.
        fn tasks(start: TaskId) -> Page<TaskId, TaskId>;

        /// The tasks with a round under way. Their number is bounded.
        fn live_tasks() -> Vec<TaskId>;

        /// One task.
        fn task(id: TaskId) -> Option<TaskView<AccountId>>;

        /// One round of a task.
        fn round(task: TaskId, round: RoundId) -> Option<RoundView<AccountId>>;

        /// A round's submissions, in the order of their commits, from number `start` on.
        fn submissions(
            task: TaskId,
            round: RoundId,
            start: u32,
        ) -> Page<SubmissionView<AccountId>, u32>;

        /// The facts that a dispute about a table of the round is decided on; none before all deltas are revealed.
        fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts>;

        /// What each round that `who` took part in is worth to it, in all tasks, starting with this round of this task.
        fn rewards(
            who: AccountId,
            start: (TaskId, RoundId),
        ) -> Page<RewardView, (TaskId, RoundId)>;

        /// What each round of one task that `who` took part in is worth to it, from round `start` on.
        fn task_rewards(task: TaskId, who: AccountId, start: RoundId) -> Page<RewardView, RoundId>;

        /// What `who` still has to claim in one task; none if there is nothing.
        fn claimable(task: TaskId, who: AccountId) -> Option<ClaimableView>;

        /// What `who` still has to claim in each task, from task `start` on.
        fn claimables(who: AccountId, start: TaskId) -> Page<ClaimableView, TaskId>;

        /// What `who` has proved in one task; none if it never revealed in it.
        fn ledger(task: TaskId, who: AccountId) -> Option<LedgerView>;

        /// What `who` has proved in each task, from task `start` on.
        fn ledgers(who: AccountId, start: TaskId) -> Page<LedgerView, TaskId>;

        /// What `who` may do now in each task, from task `start` on.
        fn duties(who: AccountId, start: TaskId) -> Page<Duty, TaskId>;
    }

    /// Disputes about tables.
    pub trait RefereeApi<AccountId>
    where
        AccountId: Codec,
    {
        /// The open disputes, of one task or of all, in the order of their ids, from `start` on.
        fn disputes(
            task: Option<TaskId>,
            start: DisputeId,
        ) -> Page<DisputeView<AccountId>, DisputeId>;

        /// One open dispute.
        fn dispute(id: DisputeId) -> Option<DisputeView<AccountId>>;

        /// The latest verdicts, oldest first.
        fn verdicts() -> Vec<ClosedDispute<AccountId>>;
    }
}
