//! A chain of three pallets to test in.

use crate::{self as pallet_contribution, weights::SubstrateWeight, Event};
use codec::Encode;
use frame_support::{
    derive_impl, parameter_types,
    traits::{Hooks, Randomness},
    weights::{constants::WEIGHT_REF_TIME_PER_SECOND, Weight},
};
use frame_system::limits;
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _, IdentityLookup},
    AccountId32, BuildStorage,
};

pub type AccountId = AccountId32;
pub type Balance = u128;

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(20)]
    pub type Contribution = pallet_contribution;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type BlockWeights = BlockWeights;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
}

parameter_types! {
    pub const ExistentialDeposit: Balance = 10;
    pub const MinContributorStake: Balance = 100;
    pub const MinAttesterStake: Balance = 200;
    pub const TaskBond: Balance = 5_000;
    pub const CommitDeposit: Balance = 50;
    pub const MissedAttestationSlash: Balance = 30;
    pub const MissedAuditSlash: Balance = 200;
    pub const MaxDisputeBlocks: u32 = 10;
    pub const WeightUnit: Balance = 10;
    pub const MaxAttesters: u32 = 16;
    pub const MaxLiveTasks: u32 = 3;
    pub const MaxAdvancesPerBlock: u32 = 2;
    pub const MinWindowBlocks: u32 = 2;
    pub const MaxWindowBlocks: u32 = 20;
    pub const ClaimBlocks: u32 = 300;
    pub static Seed: u64 = 0;
    /// Blocks before this one that were full.
    pub static FullBlocks: u32 = 0;
    pub Clock: u32 = System::block_number() - FullBlocks::get();
    pub static UnbondingBlocks: u32 = 500;
    pub static DrawBlocks: u32 = 1;
    pub static IdleBlocks: u32 = 1_000;
    /// Time for a block's work, in picoseconds.
    pub static BlockTime: u64 = WEIGHT_REF_TIME_PER_SECOND;
    pub BlockWeights: limits::BlockWeights =
        limits::BlockWeights::simple_max(Weight::from_parts(BlockTime::get(), u64::MAX));
}

pub struct SeededRandomness;

type BlockHash = <Test as frame_system::Config>::Hash;

impl Randomness<BlockHash, u32> for SeededRandomness {
    fn random(subject: &[u8]) -> (BlockHash, u32) {
        let hash = BlakeTwo256::hash(&(Seed::get(), subject).encode());
        (hash, System::block_number())
    }
}

impl pallet_contribution::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Randomness = SeededRandomness;
    type Clock = Clock;
    type WeightInfo = SubstrateWeight<Test>;
    type MinContributorStake = MinContributorStake;
    type MinAttesterStake = MinAttesterStake;
    type UnbondingBlocks = UnbondingBlocks;
    type TaskBond = TaskBond;
    type CommitDeposit = CommitDeposit;
    type MissedAttestationSlash = MissedAttestationSlash;
    type MissedAuditSlash = MissedAuditSlash;
    type MaxDisputeBlocks = MaxDisputeBlocks;
    type WeightUnit = WeightUnit;
    type MaxAttesters = MaxAttesters;
    type MaxLiveTasks = MaxLiveTasks;
    type MaxAdvancesPerBlock = MaxAdvancesPerBlock;
    type MinWindowBlocks = MinWindowBlocks;
    type MaxWindowBlocks = MaxWindowBlocks;
    type DrawBlocks = DrawBlocks;
    type ClaimBlocks = ClaimBlocks;
    type IdleBlocks = IdleBlocks;
}

/// What every account of a test starts with.
pub const ENDOWMENT: Balance = 1_000_000;

/// Account number `number`.
pub fn account(number: u8) -> AccountId {
    AccountId32::new([number; 32])
}

pub fn signed(who: &AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.clone())
}

/// Makes a chain with endowed accounts.
pub struct ExtBuilder {
    accounts: std::ops::RangeInclusive<u8>,
}

impl Default for ExtBuilder {
    fn default() -> Self {
        Self { accounts: 1..=60 }
    }
}

impl ExtBuilder {
    pub fn build(self) -> sp_io::TestExternalities {
        let mut storage = frame_system::GenesisConfig::<Test>::default()
            .build_storage()
            .unwrap();
        pallet_balances::GenesisConfig::<Test> {
            balances: self
                .accounts
                .map(|number| (account(number), ENDOWMENT))
                .collect(),
            ..Default::default()
        }
        .assimilate_storage(&mut storage)
        .unwrap();
        let mut ext = sp_io::TestExternalities::new(storage);
        ext.execute_with(|| {
            FullBlocks::set(0);
            System::set_block_number(1);
        });
        ext
    }

    /// Runs `test`, then checks every invariant.
    pub fn build_and_execute(self, test: impl FnOnce()) {
        self.build().execute_with(|| {
            test();
            Contribution::do_try_state().unwrap();
        });
    }
}

/// Starts the next block. Returns the weight that the hook reports.
pub fn next_block() -> Weight {
    let number = System::block_number() + 1;
    System::set_block_number(number);
    Contribution::on_initialize(number)
}

/// Starts this many blocks. All blocks before the last one were full.
pub fn run_full_blocks(count: u32) {
    (0..count).for_each(|_| {
        FullBlocks::mutate(|full| *full += 1);
        // State checks that the chain passes between blocks.
        Contribution::do_try_state().unwrap();
        next_block();
    });
}

pub fn run_blocks(count: u32) {
    (0..count).for_each(|_| {
        next_block();
    });
}

/// The pallet's events since the last call.
pub fn events() -> Vec<Event<Test>> {
    let events = System::read_events_for_pallet::<Event<Test>>();
    System::reset_events();
    events
}
