//! A chain of three pallets to test in, with a court that holds real rounds in memory.

use crate::{self as pallet_referee, weights::SubstrateWeight, Event};
use frame_support::{
    derive_impl, parameter_types,
    traits::{
        fungible::Mutate,
        tokens::{Fortitude, Precision, Preservation},
        Hooks,
    },
    weights::Weight,
};
use gotong_protocol::{Court, RoundFacts, RoundId, TableSummary, TaskId};
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
use std::collections::BTreeMap;

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
    #[runtime::pallet_index(21)]
    pub type Referee = pallet_referee;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
}

/// A round as the mock court knows it.
#[derive(Clone)]
pub struct MockRound {
    /// None if the chain does not know its inputs.
    pub facts: Option<RoundFacts>,
    /// The tables that were revealed, by the account that attested each.
    pub tables: BTreeMap<AccountId, TableSummary>,
    pub open_disputes: u32,
    /// The time from which nothing can be disputed any more.
    pub window_ends: u32,
}

parameter_types! {
    pub const ExistentialDeposit: Balance = 10;
    pub const DisputeBond: Balance = 101;
    pub const MoveBlocks: u32 = 5;
    pub const MaxDisputesPerRound: u32 = 16;
    pub const MaxLiveRounds: u32 = 5;
    pub const MaxTimeOutsPerBlock: u32 = 4;
    pub static MaxMoves: u32 = 40;
    /// Blocks before this one that were full.
    pub static FullBlocks: u32 = 0;
    pub Clock: u32 = System::block_number() - FullBlocks::get();
    pub static Rounds: BTreeMap<(TaskId, RoundId), MockRound> = BTreeMap::new();
}

/// The stake behind a table: an odd amount, so that tests see how halves are rounded.
pub const STAKE: Balance = 100_001;

pub struct MockCourt;

impl Court<AccountId> for MockCourt {
    type Balance = Balance;

    fn facts(task: TaskId, round: RoundId) -> Option<RoundFacts> {
        Rounds::get().get(&(task, round))?.facts.clone()
    }

    fn disputable(task: TaskId, round: RoundId, accused: &AccountId) -> Option<TableSummary> {
        let rounds = Rounds::get();
        let round = rounds.get(&(task, round))?;
        let open = Clock::get() < round.window_ends;
        open.then(|| round.tables.get(accused).cloned())?
    }

    fn dispute_opened(task: TaskId, round: RoundId) {
        with_round((task, round), |round| round.open_disputes += 1);
    }

    fn dispute_closed(task: TaskId, round: RoundId, stay_open: Option<u32>) {
        with_round((task, round), |round| {
            round.open_disputes -= 1;
            let until = Clock::get() + stay_open.unwrap_or(0);
            round.window_ends = round.window_ends.max(until);
        });
    }

    fn convict(task: TaskId, round: RoundId, accused: &AccountId, winner: &AccountId) -> Balance {
        with_round((task, round), |round| {
            round.tables.remove(accused).expect("is convicted once");
        });
        let reward = STAKE / 2;
        let keep = Preservation::Preserve;
        Balances::transfer(accused, winner, reward, keep).unwrap();
        let rest = STAKE - reward;
        Balances::burn_from(accused, rest, keep, Precision::Exact, Fortitude::Force).unwrap();
        reward
    }
}

/// Changes a round of the court.
pub fn with_round(id: (TaskId, RoundId), change: impl FnOnce(&mut MockRound)) {
    Rounds::mutate(|rounds| change(rounds.get_mut(&id).expect("there is such a round")));
}

/// Puts rounds into the court.
#[cfg(feature = "runtime-benchmarks")]
pub struct MockHelper;

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper<AccountId> for MockHelper {
    fn put_round(
        facts: &RoundFacts,
        accused: &AccountId,
        table: &TableSummary,
    ) -> (TaskId, RoundId) {
        let id = (TaskId(7), RoundId(0));
        let round = MockRound {
            facts: Some(facts.clone()),
            tables: [(accused.clone(), table.clone())].into(),
            open_disputes: 0,
            window_ends: u32::MAX,
        };
        Rounds::mutate(|rounds| rounds.insert(id, round));
        id
    }
}

impl pallet_referee::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Court = MockCourt;
    type Clock = Clock;
    type WeightInfo = SubstrateWeight<Test>;
    type DisputeBond = DisputeBond;
    type MoveBlocks = MoveBlocks;
    type MaxMoves = MaxMoves;
    type MaxDisputesPerRound = MaxDisputesPerRound;
    type MaxLiveRounds = MaxLiveRounds;
    type MaxTimeOutsPerBlock = MaxTimeOutsPerBlock;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = MockHelper;
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
pub fn new_chain() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: (1..=60)
            .map(|number| (account(number), ENDOWMENT))
            .collect(),
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.execute_with(|| {
        Rounds::take();
        MaxMoves::set(40);
        FullBlocks::set(0);
        System::set_block_number(1);
    });
    ext
}

/// Runs `test`, then checks every invariant, and that the court counts the same number of disputes.
pub fn execute(test: impl FnOnce()) {
    new_chain().execute_with(|| {
        test();
        check();
    });
}

/// Checks every invariant, and that the court counts the same disputes.
pub fn check() {
    Referee::do_try_state().unwrap();
    for ((task, round), seen) in Rounds::get() {
        let open = crate::Parties::<Test>::get(task, round).len();
        assert_eq!(seen.open_disputes as usize, open);
    }
}

/// Starts the next block. Returns the weight that the hook reports.
pub fn next_block() -> Weight {
    let number = System::block_number() + 1;
    System::set_block_number(number);
    Referee::on_initialize(number)
}

/// Starts this many blocks. All blocks before the last one were full.
pub fn run_full_blocks(count: u32) {
    (0..count).for_each(|_| {
        FullBlocks::mutate(|full| *full += 1);
        // State checks that the chain passes between blocks.
        Referee::do_try_state().unwrap();
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
