//! What anybody may ask the chain.

use frame_support::pallet_macros::pallet_section;

/// The view functions of the pallet. What grows with tasks, rounds or accounts comes in pages.
#[pallet_section]
mod view_functions {
    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The registration of `who`.
        pub fn stake(who: T::AccountId) -> Option<StakeView<Balance, u32>> {
            crate::view::stake::<T>(&who)
        }

        /// What `who` offers to attest, and what it holds of it; none if it neither offers nor holds a seat.
        pub fn offer_of(who: T::AccountId) -> Option<OfferView> {
            crate::view::offer::<T>(&who)
        }

        /// Every task ever opened, in order, from `start` on.
        pub fn tasks(start: TaskId) -> Page<TaskId, TaskId> {
            crate::view::tasks::<T>(start)
        }

        /// The tasks with a round under way: no more than [`Config::MaxLiveTasks`], however many there were.
        pub fn live_tasks() -> Vec<TaskId> {
            crate::view::live_tasks::<T>()
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

        /// A round's submissions in the order of their commits, from number `start` on.
        pub fn submissions(
            task: TaskId,
            round: RoundId,
            start: u32,
        ) -> Page<SubmissionView<T::AccountId, Balance, u32>, u32> {
            crate::view::submissions::<T>(task, round, start)
        }

        /// What a dispute about a table of the round stands on, once nothing more is revealed.
        pub fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts> {
            <Self as Court<T::AccountId>>::facts(task, round)
        }

        /// What every round that `who` took part in is worth to it, from this round of this task on.
        pub fn rewards(
            who: T::AccountId,
            start: (TaskId, RoundId),
        ) -> Page<RewardView<Balance>, (TaskId, RoundId)> {
            crate::view::rewards::<T>(&who, start)
        }

        /// What every round of one task that `who` took part in is worth to it, from round `start` on.
        pub fn task_rewards(
            task: TaskId,
            who: T::AccountId,
            start: RoundId,
        ) -> Page<RewardView<Balance>, RoundId> {
            crate::view::task_rewards::<T>(task, &who, start)
        }

        /// What `who` has still to claim in one task; none if that is nothing.
        pub fn claimable(task: TaskId, who: T::AccountId) -> Option<ClaimableView<Balance, u32>> {
            crate::view::claimable::<T>(task, &who)
        }

        /// What `who` has still to claim in each task, from task `start` on.
        pub fn claimables(
            who: T::AccountId,
            start: TaskId,
        ) -> Page<ClaimableView<Balance, u32>, TaskId> {
            crate::view::claimables::<T>(&who, start)
        }

        /// What `who` has proved in one task; none if it never revealed in it.
        pub fn ledger(task: TaskId, who: T::AccountId) -> Option<LedgerView<Balance>> {
            crate::view::ledger::<T>(task, &who)
        }

        /// What `who` has proved in each task, from task `start` on.
        pub fn ledgers(who: T::AccountId, start: TaskId) -> Page<LedgerView<Balance>, TaskId> {
            crate::view::ledgers::<T>(&who, start)
        }

        /// What `who` may do now in each task, from task `start` on.
        pub fn duties(who: T::AccountId, start: TaskId) -> Page<Duty<u32>, TaskId> {
            crate::view::duties::<T>(&who, start)
        }
    }
}
