//! Authorities, their sessions, and the blocks that they make and finalize.

use frame_support::{
    parameter_types,
    traits::{ConstU128, ConstU32, ConstU64},
};
use frame_system::{
    offchain::{CreateBare, CreateTransactionBase},
    pallet_prelude::BlockNumberFor,
};
use pallet_babe::EpochChangeTrigger;
use pallet_session::{historical::NoteHistoricalRoot, FindAccountFromAuthorIndex};
use sp_runtime::traits::OpaqueKeys;
use sp_session::MembershipProof;
use sp_staking::SessionIndex;

use super::{deposit, EpochSlots, SlotMillis};
use crate::{
    authorities, pace::Pace, AccountId, Authorities, Babe, Balances, BlockNumber, Historical,
    Runtime, RuntimeCall, RuntimeEvent, RuntimeHoldReason, SessionKeys, UncheckedExtrinsic, UNIT,
};

/// The maximum number of authorities.
type MaxAuthorities = ConstU32<32>;

/// For how many sessions an equivocation can be reported, and the bond of an authority that has left stays on hold: a day of
/// two-minute sessions. Nodes report at once what they see; the rest of the day is for people.
pub const REPORT_SESSIONS: SessionIndex = 720;

parameter_types! {
    /// How many blocks a report of an equivocation may wait in the pool.
    pub const ReportLongevity: u64 = Pace::OWN.epoch_slots * REPORT_SESSIONS as u64;
}

/// Ends a session with its epoch, where [`pallet_babe::SameAuthoritiesForever`] would end the epoch alone.
pub struct EndSession;

impl EpochChangeTrigger for EndSession {
    fn trigger<T: pallet_babe::Config>(now: BlockNumberFor<T>) {
        if pallet_babe::Pallet::<T>::should_epoch_change(now) {
            // While a forced change waits for its block, GRANDPA takes in no other set, and does not remember that there was
            // one: so the next session offers its set as a new one.
            let waits = pallet_grandpa::PendingChange::<Runtime>::exists();
            Authorities::end_session();
            if waits {
                pallet_session::QueuedChanged::<Runtime>::put(true);
            }
        }
    }
}

impl pallet_babe::Config for Runtime {
    type EpochDuration = EpochSlots;
    type ExpectedBlockTime = SlotMillis;
    type EpochChangeTrigger = EndSession;
    type DisabledValidators = ();
    type WeightInfo = ();
    type MaxAuthorities = MaxAuthorities;
    type MaxNominators = ConstU32<0>;
    type KeyOwnerProof = MembershipProof;
    type EquivocationReportSystem =
        pallet_babe::EquivocationReportSystem<Self, Authorities, Historical, ReportLongevity>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = MaxAuthorities;
    type MaxNominators = ConstU32<0>;
    // A session brings at most one set.
    type MaxSetIdSessionEntries = ConstU64<{ REPORT_SESSIONS as u64 }>;
    type KeyOwnerProof = MembershipProof;
    type EquivocationReportSystem =
        pallet_grandpa::EquivocationReportSystem<Self, Authorities, Historical, ReportLongevity>;
}

/// A node reports an equivocation in a transaction that nobody signs.
impl<Call> CreateTransactionBase<Call> for Runtime
where
    RuntimeCall: From<Call>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<Call> CreateBare<Call> for Runtime
where
    RuntimeCall: From<Call>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
    }
}

/// pallet-session ends no session on its own: see [`EndSession`].
pub struct EndedByBabe;

impl pallet_session::ShouldEndSession<BlockNumber> for EndedByBabe {
    fn should_end_session(_: BlockNumber) -> bool {
        false
    }
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = authorities::WithoutBond<Runtime>;
    type ShouldEndSession = EndedByBabe;
    type NextSessionRotation = Babe;
    type SessionManager = NoteHistoricalRoot<Runtime, Authorities>;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    // The keys of an account, and the owner of each of two keys.
    type KeyDeposit = ConstU128<{ deposit(3, 300) }>;
}

impl pallet_session::historical::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type FullIdentification = ();
    type FullIdentificationOf = authorities::NothingMore;
}

impl authorities::Config for Runtime {
    type Token = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type WeightInfo = crate::weights::authorities::WeightInfo<Runtime>;
    type MaxAuthorities = MaxAuthorities;
    type AuthorityBond = ConstU128<{ 10_000 * UNIT }>;
    type ReportSessions = ConstU32<REPORT_SESSIONS>;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = FindAccountFromAuthorIndex<Runtime, Babe>;
    type EventHandler = ();
}
