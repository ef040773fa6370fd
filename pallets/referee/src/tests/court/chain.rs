//! A chain whose court is the contribution pallet.

use crate::{self as pallet_referee, weights::SubstrateWeight, LongestDispute};
use codec::Encode;
use frame_support::{
    derive_impl, parameter_types,
    traits::{Hooks, Randomness},
};
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
    pub struct Real;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(20)]
    pub type Contribution = pallet_contribution;
    #[runtime::pallet_index(21)]
    pub type Referee = pallet_referee;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Real {
    type Block = frame_system::mocking::MockBlockU32<Real>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Real {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
}

parameter_types! {
    pub const ExistentialDeposit: Balance = 10;
    pub const MinContributorStake: Balance = 100;
    pub const MinAttesterStake: Balance = 200;
    pub const UnbondingBlocks: u32 = 2_500;
    pub const TaskBond: Balance = 1_000;
    pub const CommitDeposit: Balance = 50;
    pub const MissedAttestationSlash: Balance = 30;
    pub const MissedAuditSlash: Balance = 200;
    pub const WeightUnit: Balance = 10;
    pub const MaxAttesters: u32 = 16;
    pub const MaxLiveTasks: u32 = 3;
    pub const MaxAdvancesPerBlock: u32 = 2;
    pub const MinWindowBlocks: u32 = 2;
    pub const MaxWindowBlocks: u32 = 20;
    pub const DrawBlocks: u32 = 2;
    pub const ClaimBlocks: u32 = 300;
    pub const IdleBlocks: u32 = 5_000;
    pub const DisputeBond: Balance = 101;
    pub const MoveBlocks: u32 = 5;
    pub const MaxMoves: u32 = 40;
    pub const MaxDisputesPerRound: u32 = 4;
    pub const MaxTimeOutsPerBlock: u32 = 4;
    pub Clock: u32 = System::block_number();
}

pub struct FixedRandomness;

type BlockHash = <Real as frame_system::Config>::Hash;

impl Randomness<BlockHash, u32> for FixedRandomness {
    fn random(subject: &[u8]) -> (BlockHash, u32) {
        (BlakeTwo256::hash(&subject.encode()), System::block_number())
    }
}

impl pallet_contribution::Config for Real {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Randomness = FixedRandomness;
    type Clock = Clock;
    type WeightInfo = pallet_contribution::weights::SubstrateWeight<Real>;
    type MinContributorStake = MinContributorStake;
    type MinAttesterStake = MinAttesterStake;
    type UnbondingBlocks = UnbondingBlocks;
    type TaskBond = TaskBond;
    type CommitDeposit = CommitDeposit;
    type MissedAttestationSlash = MissedAttestationSlash;
    type MissedAuditSlash = MissedAuditSlash;
    type MaxDisputeBlocks = LongestDispute<Real>;
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

impl pallet_referee::Config for Real {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Court = Contribution;
    type Clock = Clock;
    type WeightInfo = SubstrateWeight<Real>;
    type DisputeBond = DisputeBond;
    type MoveBlocks = MoveBlocks;
    type MaxMoves = MaxMoves;
    type MaxDisputesPerRound = MaxDisputesPerRound;
    type MaxLiveRounds = MaxLiveTasks;
    type MaxTimeOutsPerBlock = MaxTimeOutsPerBlock;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = super::benchmarks::RealRound;
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

pub fn new_chain() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Real>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Real> {
        balances: (1..=60)
            .map(|number| (account(number), ENDOWMENT))
            .collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs `test`, then checks every invariant.
pub fn execute(test: impl FnOnce()) {
    new_chain().execute_with(|| {
        test();
        check();
    });
}

/// Checks every invariant of the referee, and that the court counts the same disputes; and with
/// `try-runtime` those of the court.
pub fn check() {
    Referee::do_try_state().unwrap();
    #[cfg(feature = "try-runtime")]
    Contribution::do_try_state().unwrap();
    for (task, round_id, round) in pallet_contribution::Rounds::<Real>::iter() {
        let open = crate::Parties::<Real>::get(task, round_id).len();
        assert_eq!(round.open_disputes as usize, open);
    }
}

/// Starts the next block.
pub fn next_block() {
    let number = System::block_number() + 1;
    System::set_block_number(number);
    Contribution::on_initialize(number);
    Referee::on_initialize(number);
    check();
}
