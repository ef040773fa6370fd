//! # Contribution pallet
//!
//! Pays accounts for the improvements of models that they have proved.
//!
//! ## API
//!
//! See the [`pallet`] module: its [calls](Call), [events](Event), [errors](Error), view functions
//! and [configuration](Config).
//!
//! ## Overview
//!
//! A *sponsor* opens a task: a model, its first weights, held-out samples that are sealed or will be drawn by chance, and a
//! budget. *Contributors* improve the model in rounds, each with a delta that they first commit to and then reveal.
//! *Attesters*, drawn by stake, evaluate the round exactly, claim a score table, and answer audits of their work; meanwhile
//! anybody may dispute a table. When the claims that stand are equal, the round settles, and every contributor claims its
//! credit. Many tasks run at the same time; rounds advance by themselves.
//!
//! ```text
//! Commit -> Reveal (and the sponsor's shard, if any) -> AttestCommit -> AttestReveal -> Challenge -> Settled
//! ```
//!
//! A phase ends when its window is over, or in the block after everybody who may act has acted. Challenge lasts for its whole
//! window, and longer while a dispute is open. Commit and AttestCommit are extended as long as too few attesters have room. The
//! clock is [`gotong_protocol::next_phase`]. A task in which no round settles for [`Config::IdleBlocks`] is closed.
//!
//! ## Design goals
//!
//! - A block does a bounded amount of work, whatever the number of accounts: settlement is O(1) in the number of contributors,
//!   who claim for themselves in O(log n).
//! - An account is paid for what it has proved over all of its rounds together, not for a lucky one: see
//!   [`gotong_scoring::share`]. The most that may be owed is set aside, so that every claim is paid.
//! - A majority never decides. If claims differ, a referee finds out which are wrong; to the referee, this pallet is a
//!   [`Court`](gotong_protocol::Court). The seats of convicted attesters no longer count, and seats are drawn again. If claims
//!   differ and nobody disputes them, the round ends as disputed, and pays nobody.
//! - Nothing is minted. All money on hold has an owner and a way out.
//!
//! ## Money
//!
//! Money stays on hold in its owner's account until it is paid; [`HoldReason`] says what for. A payment moves it from the sponsor's
//! hold to the payee's free balance. A slash is burned, except that half of a convicted attester's stake goes to the account that
//! convicted it.
//!
//! ## Rooms
//!
//! Each concept has one module and one namespace, and nobody else touches its storage: [`stakes`], [`tasks`], [`rounds`] with
//! [`submissions`], [`offers`] and [`attestation`], [`rewards`] with [`ledgers`] and [`credits`]. Only [`asset`] touches money,
//! and `court` lets the referee in. Invariants are listed, in English and in code, in `try_state.rs`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::panic)] // FRAME expands to `expect` and `unreachable!`

extern crate alloc;

pub mod asset;
pub mod attestation;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
mod config;
mod court;
pub mod credits;
mod errors;
mod events;
pub mod ledgers;
pub mod migrations;
#[cfg(test)]
mod mock;
pub mod offers;
pub mod rewards;
pub mod rounds;
pub mod stakes;
mod storage;
pub mod submissions;
pub mod tasks;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
mod view;
pub mod weights;

use frame_support::pallet_macros::import_section;
pub use pallet::*;
pub use weights::WeightInfo;

#[import_section(config::config)]
#[import_section(errors::errors)]
#[import_section(events::events)]
#[import_section(storage::storage)]
#[frame_support::pallet]
pub mod pallet {
    use crate::{
        attestation::{Attestation, CandidateList},
        credits::Credits as CreditsOf,
        ledgers::Account,
        offers::{Offer, OfferedTasks, Offers, Registry},
        rewards::Rewards,
        rounds::{Round, Rounds as RoundsOf},
        stakes::{ContributorCount, Registration, Stakes},
        submissions::{Submission, Submissions as SubmissionsOf},
        tasks::{Task, Tasks as TasksOf},
        WeightInfo,
    };
    use alloc::{boxed::Box, vec::Vec};
    use codec::{Decode, DecodeWithMemTracking, Encode};
    use frame_support::{
        pallet_prelude::*,
        traits::{fungible, Randomness},
    };
    use frame_system::pallet_prelude::*;
    use gotong_protocol::{
        bounds,
        claim::Claimed,
        view::{
            ClaimableView, Duty, LedgerView, OfferView, Page, RewardView, RoundView, StakeView,
            SubmissionView, TaskView,
        },
        AuditAnswer, ClaimItem, Court, Credit, CreditProof, Hash, Outcome, Phase, Proof, Roles,
        RoundFacts, RoundId, ShareClaim, TableSummary, TaskId, TaskTerms, TermsError,
    };
    use gotong_scoring::AuditError;

    /// Money, in planck.
    pub type Balance = u128;
    /// The SCALE encoding of a [`gotong_protocol::Graph`].
    pub type GraphBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_GRAPH_BYTES }>>;
    /// Master weights: two bytes per parameter, little endian.
    pub type WeightBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_WEIGHT_BYTES }>>;
    /// The recipe of a task, as text; empty without one.
    pub type RecipeBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_RECIPE_BYTES }>>;
    /// An encoded [`gotong_protocol::Delta`].
    pub type DeltaBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_DELTA_BYTES }>>;
    /// The records of a shard, one after another.
    pub type ShardBytes = BoundedVec<u8, ConstU32<{ bounds::MAX_SHARD_BYTES }>>;
    /// What one call claims.
    pub type ClaimItems = BoundedVec<ClaimItem, ConstU32<{ bounds::MAX_CLAIMS }>>;
    /// What one call publishes.
    pub type CreditProofs = BoundedVec<CreditProof, ConstU32<{ bounds::MAX_PUBLISHED }>>;
    /// Answers to the audits of one seat.
    pub type AuditAnswers = BoundedVec<AuditAnswer, ConstU32<{ bounds::AUDITS }>>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(9);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the pallet holds money for.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An account's stake, unbonding or not.
        Stake,
        /// A task's budget, and the reserve for contributors who have not claimed yet.
        Pool,
        /// A sponsor's bond for its task, and for publishing its shards.
        Bond,
        /// A contributor's deposit, which it gets back when it reveals what it committed to.
        CommitDeposit,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            let advanced = RoundsOf::<T>::advance_due();
            advanced.saturating_add(TasksOf::<T>::close_idle_in_turn())
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
        /// Registers the origin for `roles`, and puts `stake` planck on hold.
        ///
        /// Signed. An account has one registration; its stake covers all chosen roles. Emits
        /// [`Event::Registered`].
        #[pallet::call_index(0)]
        pub fn register(origin: OriginFor<T>, roles: Roles, stake: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::register(who, roles, stake)
        }

        /// Adds `amount` planck to the origin's stake.
        ///
        /// Signed by a registered account. Emits [`Event::StakeAdded`].
        #[pallet::call_index(1)]
        pub fn add_stake(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::add(who, amount)
        }

        /// Starts to unbond `amount` planck of the origin's stake: either all of it, or at most an amount that leaves the minimum
        /// stake of its roles.
        ///
        /// Signed by a registered account. If it unbonds everything, its roles end at once. Stake can still be slashed while
        /// it unbonds. Only one unbonding at a time. Emits [`Event::Unstaking`].
        ///
        /// Free for an account that unstakes everything and cannot pay the fee, so that no stake is ever locked in.
        #[pallet::call_index(2)]
        #[pallet::feeless_if(|origin: &OriginFor<T>, amount: &Balance| -> bool {
            Stakes::<T>::can_leave(origin, *amount)
        })]
        pub fn unstake(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::unstake(who, amount)
        }

        /// Frees stake that has unbonded, and ends the registration if nothing else is staked.
        ///
        /// Signed by a registered account. Emits [`Event::Withdrawn`]. Free for an account that cannot pay the fee.
        #[pallet::call_index(3)]
        #[pallet::feeless_if(|origin: &OriginFor<T>| -> bool { Stakes::<T>::can_withdraw(origin) })]
        pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Stakes::<T>::withdraw(who)
        }

        /// Opens a task and starts its first round.
        ///
        /// Signed by the sponsor. Two amounts go on hold in its account: the budget of `pool` planck, and a bond. The bond is
        /// [`Config::TaskBond`]; with shards to publish, it is the most that a round can take, if that is more.
        ///
        /// `graph` is the SCALE encoding of a [`gotong_protocol::Graph`]. `weights` are its first master weights, two bytes
        /// each, little endian, within +-32512; the chain keeps only their Merkle root. `recipe` must have the length and
        /// the hash in the terms; the chain keeps nothing else of it.
        ///
        /// Emits [`Event::TaskOpened`] and [`Event::RoundStarted`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::open_task(weights.len().saturating_add(recipe.len()) as u32))]
        pub fn open_task(
            origin: OriginFor<T>,
            terms: Box<TaskTerms<Balance>>,
            graph: GraphBytes,
            weights: WeightBytes,
            recipe: RecipeBytes,
            pool: Balance,
        ) -> DispatchResult {
            let sponsor = ensure_signed(origin)?;
            TasksOf::<T>::open(sponsor, *terms, graph, &weights, &recipe, pool)
        }

        /// Adds `amount` planck to a task's budget. A paused task starts its next round once the budget covers one.
        ///
        /// Signed by the sponsor. Emits [`Event::TaskToppedUp`].
        #[pallet::call_index(5)]
        pub fn top_up(origin: OriginFor<T>, task: TaskId, amount: Balance) -> DispatchResult {
            let who = ensure_signed(origin)?;
            TasksOf::<T>::top_up(who, task, amount)
        }

        /// Closes a task: at once if nobody has committed in its round, otherwise when the round ends.
        ///
        /// Signed by the sponsor, who gets the rest of the budget and the bond back. What is set aside for contributors stays
        /// on hold. Emits [`Event::TaskClosed`] or [`Event::TaskClosing`].
        #[pallet::call_index(6)]
        pub fn close_task(origin: OriginFor<T>, task: TaskId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            TasksOf::<T>::close(who, task)
        }

        /// Commits to a delta: see [`gotong_protocol::submission_commitment`].
        ///
        /// Signed by a contributor with the task's minimum stake, once per round.
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

        /// Reveals the delta that was committed to. The chain's state keeps only its hash; the bytes stay in the block's body.
        ///
        /// Signed by the account that committed; its deposit comes back. Emits [`Event::Revealed`]. If the round no longer
        /// accepts deltas, the chain only records who the author is, and emits [`Event::RevealedLate`].
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

        /// Publishes the round's shard, which has to be the task's next one: `proof` shows that `records`, sealed with `key`,
        /// are shard number `proof.index` under the task's root of shards.
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

        /// Commits to a claim: see [`gotong_protocol::attestation_commitment`]. `inputs` is
        /// [`gotong_protocol::round_inputs`] of what was evaluated: a fork on which the round has other inputs refuses the call.
        ///
        /// Signed by a drawn attester. Emits [`Event::AttestationCommitted`].
        #[pallet::call_index(10)]
        pub fn commit_attestation(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            commitment: Hash,
            inputs: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Attestation::<T>::commit(who, task, round, commitment, &inputs)
        }

        /// Reveals the summary of the table whose claim was committed to.
        ///
        /// Signed by a drawn attester that committed. Emits [`Event::AttestationRevealed`].
        #[pallet::call_index(11)]
        pub fn reveal_attestation(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            table: Box<TableSummary>,
            work_root: Hash,
            salt: Hash,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Attestation::<T>::reveal(who, task, round, *table, work_root, &salt)
        }

        /// Claims rounds that are over, all of them or none. Each is credited to the origin's ledger in its task, and what
        /// that proves is paid.
        ///
        /// Signed by a contributor, who has to claim every round in which it revealed, in order. An item needs a proof if its
        /// round merged something and nobody has published the credit. If there is a proof, it is the one that counts. Emits
        /// [`Event::Claimed`] for each round.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::claim(items.len() as u32))]
        pub fn claim(origin: OriginFor<T>, items: ClaimItems) -> DispatchResult {
            let who = ensure_signed(origin)?;
            items
                .iter()
                .try_for_each(|item| Rewards::<T>::claim(&who, item))
        }

        /// Answers all audits of the origin's work, in order: the [`bounds::AUDITS`] audits that [`gotong_scoring::audits`]
        /// draws from the round's audit seed.
        ///
        /// Signed by an attester that revealed, during the round's challenge phase. Emits
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

        /// Returns what is set aside for a round and was not claimed in time: to the budget, or to the sponsor if the task is
        /// closed. A contributor who claims later is credited but not paid.
        ///
        /// Signed by anybody, [`Config::ClaimBlocks`] after the end of the round. Emits [`Event::Released`].
        #[pallet::call_index(14)]
        pub fn release(origin: OriginFor<T>, task: TaskId, round: RoundId) -> DispatchResult {
            ensure_signed(origin)?;
            Rewards::<T>::release_expired(task, round)
        }

        /// Gives up the origin's credit for the next round that it has to claim; its ledger in the task starts over. This is
        /// for a round whose credit cannot be proved, because a false table was not disputed in time.
        ///
        /// Signed by a contributor. Emits [`Event::Forfeited`].
        #[pallet::call_index(15)]
        pub fn forfeit(origin: OriginFor<T>, task: TaskId, round: RoundId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Rewards::<T>::forfeit(&who, task, round)
        }

        /// Offers to attest in `tasks` and, if `sealed`, in all tasks with sealed samples: at most `seats` seats at once, which
        /// together take at most `capacity` products per block ([`gotong_protocol::TaskTerms::load`]).
        ///
        /// Signed by a registered attester. It replaces the attester's earlier offer; attesters without an offer are not
        /// drawn. With 0 `seats` it ends the offer, and the attester keeps the seats that it holds. Emits
        /// [`Event::Offered`], and [`Event::OfferDisplaced`] for the attester whose place it takes if the registry is full.
        #[pallet::call_index(16)]
        pub fn offer(
            origin: OriginFor<T>,
            seats: u8,
            capacity: u64,
            sealed: bool,
            tasks: OfferedTasks,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let offer = Offer {
                seats,
                capacity,
                sealed,
                tasks,
            };
            Offers::<T>::make(who, offer)
        }

        /// Publishes contributors' credits for a round that merged something, so that they see what they are owed and can
        /// claim it without a proof. It neither claims nor pays anything. It skips credits that are known or claimed.
        ///
        /// Signed by anybody who has computed the round; free if all of the credits are new to the chain. Emits
        /// [`Event::CreditPublished`] for each new credit, and fails if there is none.
        #[pallet::call_index(17)]
        #[pallet::weight(T::WeightInfo::publish_credits(proofs.len() as u32))]
        pub fn publish_credits(
            origin: OriginFor<T>,
            task: TaskId,
            round: RoundId,
            proofs: CreditProofs,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let pays = match CreditsOf::<T>::publish(task, round, &proofs)? {
                true => Pays::No,
                false => Pays::Yes,
            };
            Ok(pays.into())
        }
    }

    /// The questions that anybody may ask the chain. Answers that grow with tasks, rounds or accounts come in pages.
    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The registration of `who`.
        pub fn stake(who: T::AccountId) -> Option<StakeView<Balance, u32>> {
            crate::view::stake::<T>(&who)
        }

        /// What `who` offers to attest, and which seats it holds; none if it neither offers nor holds any.
        pub fn offer_of(who: T::AccountId) -> Option<OfferView> {
            crate::view::offer::<T>(&who)
        }

        /// Every task ever opened, in order, from `start` on.
        pub fn tasks(start: TaskId) -> Page<TaskId, TaskId> {
            crate::view::tasks::<T>(start)
        }

        /// The tasks with a round under way: at most [`Config::MaxLiveTasks`], however many were ever opened.
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

        /// A round's submissions, in the order of their commits, from number `start` on.
        pub fn submissions(
            task: TaskId,
            round: RoundId,
            start: u32,
        ) -> Page<SubmissionView<T::AccountId, Balance, u32>, u32> {
            crate::view::submissions::<T>(task, round, start)
        }

        /// The facts that a dispute about a table of the round is decided on; none before all deltas are revealed.
        pub fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts> {
            <Self as Court<T::AccountId>>::facts(task, round)
        }

        /// What each round that `who` took part in is worth to it, in all tasks, starting with this round of this task.
        pub fn rewards(
            who: T::AccountId,
            start: (TaskId, RoundId),
        ) -> Page<RewardView<Balance>, (TaskId, RoundId)> {
            crate::view::rewards::<T>(&who, start)
        }

        /// What each round of one task that `who` took part in is worth to it, from round `start` on.
        pub fn task_rewards(
            task: TaskId,
            who: T::AccountId,
            start: RoundId,
        ) -> Page<RewardView<Balance>, RoundId> {
            crate::view::task_rewards::<T>(task, &who, start)
        }

        /// What `who` still has to claim in one task; none if there is nothing.
        pub fn claimable(task: TaskId, who: T::AccountId) -> Option<ClaimableView<Balance, u32>> {
            crate::view::claimable::<T>(task, &who)
        }

        /// What `who` still has to claim in each task, from task `start` on.
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
