//! The configuration of every pallet, the limits of a block, and the fees.

#![deny(missing_docs)]

pub mod consensus;
pub mod council;

use frame_support::{
    derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::{
        fungible::{Balanced, Credit},
        ConstU128, ConstU32, ConstU8, Contains, InstanceFilter, OnUnbalanced, Randomness,
        VariantCountOf,
    },
    weights::{
        constants::{ParityDbWeight, WEIGHT_REF_TIME_PER_MILLIS},
        IdentityFee, Weight, WeightToFee,
    },
};
use frame_system::limits::{BlockLength, BlockWeights};
use pallet_transaction_payment::{
    FungibleAdapter, Multiplier, MultiplierUpdate, NextFeeMultiplier,
};
use sp_runtime::{
    traits::{BlakeTwo256, Convert, Hash as _, One},
    FixedPointNumber, Perbill, Perquintill, Saturating,
};
use sp_version::RuntimeVersion;

use crate::{
    migrations::Migrations, pace::Pace, timing, AccountId, Authorship, Babe, Balance, Balances,
    Block, BlockNumber, Hash, OriginCaller, PalletInfo, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeFreezeReason, RuntimeHoldReason, RuntimeOrigin, RuntimeTask, System, Timing,
    EXISTENTIAL_DEPOSIT, MICRO_UNIT, MILLI_UNIT, SS58_PREFIX, UNIT, VERSION,
};

/// The share of a block that ordinary transactions may fill, in weight and in length. The rest is
/// for operational calls, such as an upgrade, which must get through however busy the chain is.
const NORMAL_RATIO: Perbill = Perbill::from_percent(75);

/// The weight that fits into a block. It limits execution time only: a solo chain ships no proofs, so their size is free.
fn block_weights(pace: &Pace) -> BlockWeights {
    let most = pace.max_block_millis() * WEIGHT_REF_TIME_PER_MILLIS;
    BlockWeights::with_sensible_defaults(Weight::from_parts(most, u64::MAX), NORMAL_RATIO)
}

/// The most bytes a block may carry: 10 MiB, 7.5 MiB of them ordinary transactions.
///
/// * A single `open_task` (2 MiB) or `publish_shard` (1 MiB) fits in one block, three times and
///   seven times over.
/// * A round has at most 64 MiB of deltas, from 1,024 contributors or fewer. With calls and signatures around them they fit into
///   nine blocks of 7,864,320 bytes. By weight, 64 KiB take 30 ms, so the maximum takes a development chain some 50 blocks; full
///   blocks do not count in the reveal window.
/// * The network carries a block in one message of at most 16 MiB.
pub const MAX_BLOCK_LENGTH: u32 = 10 * 1024 * 1024;

parameter_types! {
    /// How many blocks back a transaction may refer to.
    pub const BlockHashCount: BlockNumber = 4_096;
    /// See [`VERSION`].
    pub const Version: RuntimeVersion = VERSION;
    /// See [`SS58_PREFIX`].
    pub const SS58Prefix: u16 = SS58_PREFIX;

    /// See [`Pace::max_block_millis`].
    pub RuntimeBlockWeights: BlockWeights = block_weights(&Pace::OWN);
    /// See [`MAX_BLOCK_LENGTH`]; ordinary transactions get [`NORMAL_RATIO`] of it.
    pub RuntimeBlockLength: BlockLength = BlockLength::builder()
        .max_length(MAX_BLOCK_LENGTH)
        .modify_max_length_for_class(DispatchClass::Normal, |max| *max = NORMAL_RATIO * *max)
        .build();
}

/// Every call except two.
///
/// Session keys are given up by [`crate::authorities::Pallet::withdraw`], once nothing that they signed can be reported: an
/// authority without keys could not be convicted, and a chain whose last authority has none stands still. And a motion that could
/// not count must not be proposed: see [`council::may_be_proposed`].
pub struct AllowedCalls;

impl Contains<RuntimeCall> for AllowedCalls {
    fn contains(call: &RuntimeCall) -> bool {
        match call {
            RuntimeCall::Session(pallet_session::Call::purge_keys {}) => false,
            RuntimeCall::Council(pallet_collective::Call::propose {
                threshold,
                length_bound,
                ..
            }) => council::may_be_proposed(*threshold, *length_bound),
            _ => true,
        }
    }
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type BaseCallFilter = AllowedCalls;
    type SingleBlockMigrations = Migrations;
    type AccountId = AccountId;
    type AccountData = pallet_balances::AccountData<Balance>;
    type BlockHashCount = BlockHashCount;
    type BlockLength = RuntimeBlockLength;
    type BlockWeights = RuntimeBlockWeights;
    type DbWeight = ParityDbWeight;
    type SS58Prefix = SS58Prefix;
    type Version = Version;
    type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
    type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
}

impl timing::Config for Runtime {}

parameter_types! {
    /// Length of a slot in milliseconds.
    pub const SlotMillis: u64 = Pace::OWN.slot_millis;
    /// Length of an epoch in slots.
    pub const EpochSlots: u64 = Pace::OWN.epoch_slots;
    /// The number of blocks so far that were not full: the clock of tasks and disputes.
    pub CalmTime: BlockNumber = Timing::calm_time();
    /// Half a slot in milliseconds: Babe reads the slot length back as twice this period.
    pub const MinimumPeriod: u64 = Pace::OWN.slot_millis / 2;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Babe;
    type MinimumPeriod = MinimumPeriod;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Balance;
    type DustRemoval = ();
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

/// Gives fees and tips to the block's author. What the author's account cannot take, because it
/// does not exist and the fee would not bring it above the existential deposit, is burned.
pub struct FeesToAuthor;

impl OnUnbalanced<Credit<AccountId, Balances>> for FeesToAuthor {
    fn on_nonzero_unbalanced(fees: Credit<AccountId, Balances>) {
        if let Some(author) = Authorship::author() {
            let _ = Balances::resolve(&author, fees);
        }
    }
}

/// The fee per byte, in planck: 0.005 GTG per MiB, and 0.0003 GTG for a reveal of 64 KiB, which is about what executing a
/// transfer costs. Bytes are Gotong's trade, so they must be cheap.
const FEE_PER_BYTE: Balance = 5_000;

/// What bytes cost. The price rises with that of weight while blocks are full.
pub struct FeeOfLength;

impl WeightToFee for FeeOfLength {
    type Balance = Balance;

    fn weight_to_fee(length: &Weight) -> Balance {
        let fee = Balance::from(length.ref_time()).saturating_mul(FEE_PER_BYTE);
        NextFeeMultiplier::<Runtime>::get().saturating_mul_int(fee)
    }
}

/// Fees are constant as long as blocks are at most half full, so that participants can tell what a round will cost them. Above
/// that they rise by 5.5 % with every full block, and so double in thirteen blocks, so that nobody can keep blocks full for
/// long. They fall by as much with every empty block. Unlike [`pallet_transaction_payment::TargetedFeeAdjustment`], this also
/// counts blocks that are full of bytes.
///
/// At most, the most expensive call that has a deadline costs some 30 GTG, and so does keeping one more block full, or more.
pub struct FeesOfFullBlocks;

impl MultiplierUpdate for FeesOfFullBlocks {
    fn min() -> Multiplier {
        Multiplier::one()
    }

    fn max() -> Multiplier {
        Multiplier::from_u32(1_000)
    }

    fn target() -> Perquintill {
        Perquintill::from_percent(50)
    }

    fn variability() -> Multiplier {
        Multiplier::from_rational(11, 100)
    }
}

impl Convert<Multiplier, Multiplier> for FeesOfFullBlocks {
    fn convert(before: Multiplier) -> Multiplier {
        let full = Multiplier::from(Timing::fullness());
        let target = Multiplier::from(Self::target());
        let part =
            |share: Multiplier| before.saturating_mul(Self::variability().saturating_mul(share));
        let after = if full > target {
            before.saturating_add(part(full.saturating_sub(target)))
        } else {
            before.saturating_sub(part(target.saturating_sub(full)))
        };
        after.clamp(Self::min(), Self::max())
    }
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, FeesToAuthor>;
    type OperationalFeeMultiplier = ConstU8<5>;
    // A second of execution costs one GTG.
    type WeightToFee = IdentityFee<Balance>;
    type LengthToFee = FeeOfLength;
    type FeeMultiplierUpdate = FeesOfFullBlocks;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

/// The deposit for occupying storage.
const fn deposit(items: u32, bytes: u32) -> Balance {
    items as Balance * 20 * MILLI_UNIT + bytes as Balance * 100 * MICRO_UNIT
}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

impl pallet_multisig::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    // One item: 88 bytes of key and value, and 32 bytes for each signatory.
    type DepositBase = ConstU128<{ deposit(1, 88) }>;
    type DepositFactor = ConstU128<{ deposit(0, 32) }>;
    type MaxSignatories = ConstU32<100>;
    type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
    type BlockNumberProvider = System;
}

/// What a proxy may do on behalf of an account.
#[derive(
    Copy,
    Clone,
    Debug,
    Default,
    Eq,
    PartialEq,
    Ord,
    PartialOrd,
    codec::Encode,
    codec::Decode,
    codec::DecodeWithMemTracking,
    codec::MaxEncodedLen,
    scale_info::TypeInfo,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
    Any,
    /// Take part in tasks with the account's stake, but do not change the stake, fund or close tasks, fund disputes, or give up
    /// credits. So a worker can run with a key that moves only the money that taking part requires. A thief of that key can
    /// still get the stake slashed.
    Contribution,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            ProxyType::Any => true,
            // The calls inside a batch pass this filter one by one.
            ProxyType::Contribution => match call {
                RuntimeCall::Contribution(call) => matches!(
                    call,
                    pallet_contribution::Call::commit { .. }
                        | pallet_contribution::Call::reveal { .. }
                        | pallet_contribution::Call::publish_shard { .. }
                        | pallet_contribution::Call::offer { .. }
                        | pallet_contribution::Call::commit_attestation { .. }
                        | pallet_contribution::Call::reveal_attestation { .. }
                        | pallet_contribution::Call::answer_audits { .. }
                        | pallet_contribution::Call::claim { .. }
                        | pallet_contribution::Call::release { .. }
                        | pallet_contribution::Call::publish_credits { .. }
                ),
                // Opening a dispute puts a bond at risk; the moves in one do not.
                RuntimeCall::Referee(call) => matches!(
                    call,
                    pallet_referee::Call::answer { .. } | pallet_referee::Call::pick { .. }
                ),
                RuntimeCall::Utility(_) => true,
                _ => false,
            },
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        self == &ProxyType::Any || self == other
    }
}

impl pallet_proxy::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type ProxyType = ProxyType;
    // One item: 40 bytes of key and value; a proxy takes 32 bytes of account, one of type, four of
    // delay.
    type ProxyDepositBase = ConstU128<{ deposit(1, 40) }>;
    type ProxyDepositFactor = ConstU128<{ deposit(0, 37) }>;
    type MaxProxies = ConstU32<32>;
    type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
    type MaxPending = ConstU32<32>;
    type CallHasher = BlakeTwo256;
    // One item: 48 bytes; an announcement takes two hashes and a block number.
    type AnnouncementDepositBase = ConstU128<{ deposit(1, 48) }>;
    type AnnouncementDepositFactor = ConstU128<{ deposit(0, 68) }>;
    type BlockNumberProvider = System;
}

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = pallet_sudo::weights::SubstrateWeight<Runtime>;
}

/// An hour of six-second blocks.
const HOUR: BlockNumber = 600;

/// What a block adds to the draws of attesters, audits and samples: the randomness of the epoch before,
/// which no single author could bias, mixed with the VRF output of the block before, which nobody but
/// its author knew.
pub struct DrawRandomness;

impl Randomness<Hash, BlockNumber> for DrawRandomness {
    fn random(subject: &[u8]) -> (Hash, BlockNumber) {
        let (epoch, known_since) =
            pallet_babe::RandomnessFromOneEpochAgo::<Runtime>::random(subject);
        let (block, _) = pallet_babe::ParentBlockRandomness::<Runtime>::random(subject);
        (BlakeTwo256::hash_of(&(epoch, block)), known_since)
    }
}

impl pallet_contribution::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Randomness = DrawRandomness;
    type Clock = CalmTime;
    type WeightInfo = crate::weights::pallet_contribution::WeightInfo<Runtime>;
    type MinContributorStake = ConstU128<{ 10 * UNIT }>;
    type MinAttesterStake = ConstU128<{ 100 * UNIT }>;
    type UnbondingBlocks = ConstU32<{ 7 * 24 * HOUR }>;
    type TaskBond = ConstU128<{ 100 * UNIT }>;
    type CommitDeposit = ConstU128<UNIT>;
    type MissedAttestationSlash = ConstU128<{ 10 * UNIT }>;
    type MissedAuditSlash = ConstU128<{ 50 * UNIT }>;
    type MaxDisputeBlocks = ConstU32<{ 12 * HOUR }>;
    type WeightUnit = ConstU128<UNIT>;
    type MaxAttesters = ConstU32<256>;
    type MaxLiveTasks = MaxLiveTasks;
    type MaxAdvancesPerBlock = ConstU32<4>;
    type MinWindowBlocks = ConstU32<5>;
    type MaxWindowBlocks = ConstU32<HOUR>;
    // An author of a third of all blocks makes three in a row once in 27 times.
    type DrawBlocks = ConstU32<3>;
    // Eight weeks, to come back from a long absence.
    type ClaimBlocks = ConstU32<{ 8 * 7 * 24 * HOUR }>;
    // As long as stake takes to unbond.
    type IdleBlocks = ConstU32<{ 7 * 24 * HOUR }>;
}

parameter_types! {
    /// See [`Pace::move_blocks`].
    pub const MoveBlocks: u32 = Pace::OWN.move_blocks;
}

/// The most tasks with a round under way.
type MaxLiveTasks = ConstU32<64>;

impl pallet_referee::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Court = crate::Contribution;
    type Clock = CalmTime;
    type WeightInfo = crate::weights::pallet_referee::WeightInfo<Runtime>;
    type DisputeBond = ConstU128<{ 10 * UNIT }>;
    type MoveBlocks = MoveBlocks;
    // The longest honest dispute, about a word of a gradient, takes 25.
    type MaxMoves = ConstU32<40>;
    type MaxDisputesPerRound = ConstU32<16>;
    type MaxLiveRounds = MaxLiveTasks;
    type MaxTimeOutsPerBlock = ConstU32<4>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benches::RealRound;
}

#[cfg(test)]
mod tests;
