//! What the runtime tells the pallet.

use frame_support::pallet_macros::pallet_section;

/// The configuration of the pallet.
#[pallet_section]
mod config {
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

        /// Draws attesters, their audits, and samples from pools, [`Config::DrawBlocks`] of it for each. Must not be
        /// known to anyone before its block, or else a contributor may know who will attest it, and an attester what
        /// it need not evaluate.
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

        /// What a sponsor has on hold for a task: with shards, the most that a round takes if that is more, which it
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

        /// Most attesters that offer at a time, or hold seats.
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

        /// Blocks that each draw of seats or audits mixes. Who makes not all of them cannot choose what is drawn.
        #[pallet::constant]
        type DrawBlocks: Get<u32>;

        /// Time from the end of a round until what nobody claimed of it can go back to the pool.
        #[pallet::constant]
        type ClaimBlocks: Get<u32>;

        /// Time after which a task is closed in which no round settles; or nobody tops up, if it is paused.
        #[pallet::constant]
        type IdleBlocks: Get<u32>;
    }
}
