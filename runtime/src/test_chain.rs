//! A chain in a test: the genesis of a preset, and one block per session.

use codec::Encode;
use frame_support::{dispatch::GetDispatchInfo, traits::UnfilteredDispatchable};
use sp_consensus_babe::{
    digests::{PreDigest, SecondaryPlainPreDigest},
    Slot, BABE_ENGINE_ID,
};
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
    traits::{BlakeTwo256, Dispatchable, Hash as _, Header as _},
    BuildStorage, Digest, DigestItem, DispatchError,
};

use crate::{
    configs::council, pace::Pace, presets, AccountId, Authorities, Executive, Hash, Header,
    Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, System,
};

/// Slot of the first block of every chain.
const FIRST_SLOT: u64 = 1_000;

/// The genesis of a preset.
pub fn genesis(preset: &str) -> TestExternalities {
    let genesis = presets::genesis_config(preset).expect("the preset exists");
    let storage = genesis.build_storage().expect("the genesis builds");
    storage.into()
}

/// Runs `test` in the first block of the chain of `preset`, and checks in the end that the authorities' invariants hold.
pub fn execute(preset: &str, test: impl FnOnce()) {
    genesis(preset).execute_with(|| {
        start(FIRST_SLOT, System::parent_hash());
        test();
        Authorities::do_try_state().expect("the state is sound");
    });
}

/// The digest of a block that the authority of this index makes in `slot`.
pub fn digest(slot: u64, authority_index: u32) -> Digest {
    let slot = Slot::from(slot);
    let claim = PreDigest::SecondaryPlain(SecondaryPlainPreDigest {
        authority_index,
        slot,
    });
    Digest {
        logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, claim.encode())],
    }
}

/// The slot of the block that is being made.
pub fn slot() -> u64 {
    pallet_babe::CurrentSlot::<Runtime>::get().into()
}

/// Starts the block of `slot`, which the first authority makes.
pub fn start(slot: u64, parent: Hash) {
    let number = System::block_number() + 1;
    let header = Header::new(
        number,
        Default::default(),
        Default::default(),
        parent,
        digest(slot, 0),
    );
    Executive::initialize_block(&header);
    let now = slot * Pace::OWN.slot_millis;
    let set = pallet_timestamp::Call::<Runtime>::set { now };
    let set = set.dispatch_bypass_filter(RuntimeOrigin::none());
    set.expect("the time is right");
}

/// Ends the block, and starts the one after it in `slot`.
pub fn next(slot: u64) {
    let parent = Executive::finalize_block().hash();
    start(slot, parent);
}

/// Ends this block, and then `count` sessions of one block each.
pub fn end_sessions(count: u32) {
    let epoch = Pace::OWN.epoch_slots;
    for _ in 0..count {
        next(slot() + epoch);
    }
}

/// The origin of a transaction that `who` signs.
pub fn signed(who: Sr25519Keyring) -> RuntimeOrigin {
    RuntimeOrigin::signed(who.to_account_id())
}

/// Makes a call as a block would: calls that the runtime filters are refused.
pub fn call(origin: RuntimeOrigin, call: impl Into<RuntimeCall>) -> Result<(), DispatchError> {
    let call: RuntimeCall = call.into();
    let done = call.dispatch(origin);
    done.map(|_| ()).map_err(|failed| failed.error)
}

/// The result of `call`, made as root, if these members of the council approve it; the first one proposes.
pub fn motion(
    ayes: &[Sr25519Keyring],
    call_as_root: impl Into<RuntimeCall>,
) -> Result<(), DispatchError> {
    let ayes: Vec<_> = ayes.iter().map(|aye| aye.to_account_id()).collect();
    motion_of(&ayes, call_as_root)
}

/// The same for members that have no well-known keys.
pub fn motion_of(
    ayes: &[AccountId],
    call_as_root: impl Into<RuntimeCall>,
) -> Result<(), DispatchError> {
    let signed = |who: &AccountId| RuntimeOrigin::signed(who.clone());
    let proposal: RuntimeCall = crate::governance::Call::<Runtime>::as_root {
        call: Box::new(call_as_root.into()),
    }
    .into();
    let hash = BlakeTwo256::hash_of(&proposal);
    let length_bound = proposal.encoded_size() as u32 + 4;
    let proposal_weight_bound = proposal.get_dispatch_info().call_weight;
    let index = pallet_collective::ProposalCount::<Runtime>::get();
    let threshold = council::ayes();
    let propose = pallet_collective::Call::<Runtime>::propose {
        threshold,
        proposal: Box::new(proposal),
        length_bound,
    };
    System::reset_events();
    call(signed(&ayes[0]), propose)?;
    // A council of one votes by proposing.
    if threshold > 1 {
        for aye in ayes {
            let vote = pallet_collective::Call::<Runtime>::vote {
                proposal: hash,
                index,
                approve: true,
            };
            call(signed(aye), vote)?;
        }
        let close = pallet_collective::Call::<Runtime>::close {
            proposal_hash: hash,
            index,
            proposal_weight_bound,
            length_bound,
        };
        call(signed(&ayes[0]), close)?;
    }
    let mut results = System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Council(pallet_collective::Event::Executed { result, .. }) => {
                Some(result)
            }
            _ => None,
        });
    results.next_back().expect("the motion was carried out")
}
