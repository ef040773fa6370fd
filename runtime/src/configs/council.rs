//! The council, and what it may do as root.

use alloc::collections::BTreeSet;
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    parameter_types,
    traits::{Consideration, ConstU32, Contains, MaybeConsideration},
    weights::{constants::WEIGHT_REF_TIME_PER_MILLIS, Weight},
};
use frame_system::EnsureRoot;
use pallet_collective::EnsureProportionAtLeast;
use scale_info::TypeInfo;
use sp_runtime::DispatchError;

use super::HOUR;
use crate::{
    authorities, governance, AccountId, BlockNumber, Governance, Runtime, RuntimeCall,
    RuntimeEvent, RuntimeOrigin,
};

/// The maximum number of members of the council.
const MAX_COUNCIL: u32 = 32;

/// The most open motions of one member: a motion that waits for votes does not keep it from an urgent one. In a benchmark, one
/// member proposes all of them.
const MOTIONS_OF_MEMBER: u32 = if cfg!(feature = "runtime-benchmarks") {
    MAX_MOTIONS
} else {
    2
};

/// The most open motions: every member of the largest council has its own places, so all others together cannot fill them.
const MAX_MOTIONS: u32 = 2 * MAX_COUNCIL;

/// The maximum length of a motion, in bytes; one that replaces the council has 1.1 KiB. Nobody pays for storing it.
const MAX_MOTION_BYTES: u32 = 4_096;

/// The maximum number of blocks that a forced change of GRANDPA's set may wait: a day. pallet-grandpa would accept any number,
/// double it, and add it to the number of the block; past the last block number, no set would ever change again.
const MAX_STALL_BLOCKS: BlockNumber = 24 * HOUR;

parameter_types! {
    /// The most execution time that a call by the council can take.
    pub const MaxMotionWeight: Weight =
        Weight::from_parts(250 * WEIGHT_REF_TIME_PER_MILLIS, u64::MAX);
}

/// A member that does not vote in time votes against. With the SDK's own default votes, one member or half of them would decide for
/// the others, and two thirds would not be two thirds.
pub struct SilenceIsNo;

impl pallet_collective::DefaultVote for SilenceIsNo {
    fn default_vote(_prime: Option<bool>, _yes: u32, _no: u32, _len: u32) -> bool {
        false
    }
}

/// What a motion costs the member that proposes it: one of its own places, and no money. The SDK's weight of `propose` counts the
/// hold of a deposit, which takes more storage.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OwnPlace;

impl Consideration<AccountId, u32> for OwnPlace {
    fn new(who: &AccountId, _open: u32) -> Result<Self, DispatchError> {
        // The last of them is the one that is being proposed.
        let motions = pallet_collective::Proposals::<Runtime>::get();
        let (motion, others) = motions.split_last().ok_or(DispatchError::Corruption)?;
        Governance::note_motion(who, *motion, others)?;
        Ok(Self)
    }

    fn update(self, _: &AccountId, _: u32) -> Result<Self, DispatchError> {
        Ok(self)
    }

    fn drop(self, _: &AccountId) -> Result<(), DispatchError> {
        Ok(())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn ensure_successful(_: &AccountId, _: u32) {}
}

impl MaybeConsideration<AccountId, u32> for OwnPlace {
    fn is_none(&self) -> bool {
        // Nothing has to be given back.
        true
    }
}

/// The council: accounts that the genesis names, and then the council itself.
impl pallet_collective::Config for Runtime {
    type RuntimeOrigin = RuntimeOrigin;
    type Proposal = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type MotionDuration = ConstU32<{ 3 * 24 * HOUR }>;
    type MaxProposals = ConstU32<MAX_MOTIONS>;
    type MaxMembers = ConstU32<MAX_COUNCIL>;
    type DefaultVote = SilenceIsNo;
    type WeightInfo = pallet_collective::weights::SubstrateWeight<Runtime>;
    type SetMembersOrigin = EnsureRoot<AccountId>;
    type MaxProposalWeight = MaxMotionWeight;
    type DisapproveOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type Consideration = OwnPlace;
}

/// The number of ayes that a motion needs: two thirds of the council, rounded up.
pub fn ayes() -> u32 {
    let members = pallet_collective::Members::<Runtime>::decode_len().unwrap_or_default() as u32;
    members.saturating_mul(2).div_ceil(3)
}

/// Whether a motion with this threshold and this bound of its length may be proposed.
///
/// Only one of several equal motions can be open at a time. If its threshold were lower, it could be closed before it counts;
/// if it were higher, it might never pass. So the member that proposes first could hold up all others.
pub fn may_be_proposed(threshold: u32, length_bound: u32) -> bool {
    threshold == ayes() && length_bound <= MAX_MOTION_BYTES
}

/// What the council may do as root.
pub struct CouncilCalls;

impl Contains<RuntimeCall> for CouncilCalls {
    fn contains(call: &RuntimeCall) -> bool {
        match call {
            RuntimeCall::System(frame_system::Call::authorize_upgrade { .. })
            | RuntimeCall::Authorities(
                authorities::Call::add { .. } | authorities::Call::remove { .. },
            ) => true,
            RuntimeCall::Grandpa(pallet_grandpa::Call::note_stalled { delay, .. }) => {
                *delay <= MAX_STALL_BLOCKS
            }
            // pallet-collective accepts an empty council, or one in which a member counts twice: neither could agree on anything
            // again.
            RuntimeCall::Council(pallet_collective::Call::set_members { new_members, .. }) => {
                let distinct: BTreeSet<_> = new_members.iter().collect();
                distinct.len() == new_members.len()
                    && (1..=MAX_COUNCIL as usize).contains(&new_members.len())
            }
            _ => false,
        }
    }
}

impl governance::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type CouncilOrigin = EnsureProportionAtLeast<AccountId, (), 2, 3>;
    type CouncilCalls = CouncilCalls;
    type MaxMotions = ConstU32<MAX_MOTIONS>;
    type MotionsOfMember = ConstU32<MOTIONS_OF_MEMBER>;
    type WeightInfo = crate::weights::governance::WeightInfo<Runtime>;
}
