//! What the runtime configures of the pallet.

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

        /// The randomness that draws attesters, their audits, and samples from pools; each draw mixes
        /// [`Config::DrawBlocks`] blocks of it. Nobody may know it before its block: otherwise a contributor could know who
        /// will attest its delta, and an attester what it need not evaluate.
        type Randomness: Randomness<Self::Hash, BlockNumberFor<Self>>;

        /// The time, in blocks that were not full. All windows and deadlines are counted in it, so nobody can keep others
        /// from acting in time by filling blocks.
        type Clock: Get<u32>;

        /// What calls and hooks cost.
        type WeightInfo: WeightInfo;

        /// Minimum stake of a contributor, in planck.
        #[pallet::constant]
        type MinContributorStake: Get<Balance>;

        /// Minimum stake of an attester, in planck.
        #[pallet::constant]
        type MinAttesterStake: Get<Balance>;

        /// Time from `unstake` to `withdraw`. It is longer than any round that the stake answers for.
        #[pallet::constant]
        type UnbondingBlocks: Get<u32>;

        /// A sponsor's bond for a task, in planck. For a task with shards, the bond is the most that a round can take from the
        /// budget, if that is more, and a sponsor that does not publish a shard loses it.
        #[pallet::constant]
        type TaskBond: Get<Balance>;

        /// What a contributor loses if it commits but does not reveal, in planck.
        #[pallet::constant]
        type CommitDeposit: Get<Balance>;

        /// What an attester loses if it does not fill its seat while enough others fill theirs, in planck.
        #[pallet::constant]
        type MissedAttestationSlash: Get<Balance>;

        /// What an attester loses if it does not reveal the table that it committed to, or does not answer its audits, in planck.
        #[pallet::constant]
        type MissedAuditSlash: Get<Balance>;

        /// The longest that a dispute takes, from its opening to its verdict.
        #[pallet::constant]
        type MaxDisputeBlocks: Get<u32>;

        /// The stake that gives a delta one unit of weight in the merge, in planck.
        #[pallet::constant]
        type WeightUnit: Get<Balance>;

        /// Maximum number of attesters that offer seats or hold them at the same time.
        #[pallet::constant]
        type MaxAttesters: Get<u32>;

        /// Maximum number of tasks with a round under way at the same time.
        #[pallet::constant]
        type MaxLiveTasks: Get<u32>;

        /// Maximum number of rounds that advance in one block; the rest wait for the next block.
        #[pallet::constant]
        type MaxAdvancesPerBlock: Get<u32>;

        /// Shortest window of a phase.
        #[pallet::constant]
        type MinWindowBlocks: Get<u32>;

        /// Longest window of a phase.
        #[pallet::constant]
        type MaxWindowBlocks: Get<u32>;

        /// Number of blocks that each draw of seats or audits mixes. A block author who does not make all of them cannot choose the
        /// result.
        #[pallet::constant]
        type DrawBlocks: Get<u32>;

        /// Time after the end of a round until unclaimed money can go back to the budget.
        #[pallet::constant]
        type ClaimBlocks: Get<u32>;

        /// Time after which a task is closed if no round settles, or if it is paused and nobody tops it up. In the last seventh of
        /// it, no round moves on to Reveal, because revealed deltas need time to wait for attesters.
        #[pallet::constant]
        type IdleBlocks: Get<u32>;
    }
}
