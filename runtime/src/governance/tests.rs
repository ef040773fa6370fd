//! What a council may do, and how many members that takes.

use super::*;
use crate::{
    configs::council,
    pace::Pace,
    test_chain::{call, execute, genesis, motion, motion_of, signed, start},
    AccountId, Runtime, RuntimeCall, RuntimeOrigin, System, VERSION,
};
use codec::Encode;
use frame_support::{assert_err, assert_ok, storage::unhashed};
use sp_core::{
    storage::well_known_keys::CODE,
    traits::{Externalities, ReadRuntimeVersion, ReadRuntimeVersionExt},
};
use sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET;
use sp_keyring::Sr25519Keyring::{Alice, Bob, Charlie, Dave, Eve};
use sp_runtime::{
    traits::{BlakeTwo256, Hash as _},
    DispatchError,
};

type SystemCall = frame_system::Call<Runtime>;

/// Reads any code as that of a runtime with this `spec_version`.
struct Reads(u32);

impl ReadRuntimeVersion for Reads {
    fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        let mut version = VERSION;
        version.spec_version = self.0;
        Ok(version.encode())
    }
}

fn authorize(code: &[u8]) -> SystemCall {
    SystemCall::authorize_upgrade {
        code_hash: BlakeTwo256::hash(code),
    }
}

fn is_authorized() -> bool {
    System::authorized_upgrade().is_some()
}

fn apply(code: &[u8]) -> Result<(), DispatchError> {
    let code = code.to_vec();
    call(signed(Eve), SystemCall::apply_authorized_upgrade { code })
}

#[test]
fn two_thirds_of_the_council_upgrade_the_runtime() {
    let mut chain = genesis(LOCAL_TESTNET_RUNTIME_PRESET);
    chain.register_extension(ReadRuntimeVersionExt::new(Reads(VERSION.spec_version + 1)));
    chain.execute_with(|| {
        start(1_000, System::parent_hash());
        assert_ok!(motion(&[Alice, Charlie], authorize(b"new code")));
        assert!(is_authorized());
        let other = frame_system::Error::<Runtime>::Unauthorized;
        assert_err!(apply(b"other code"), other);
        assert_ok!(apply(b"new code"));
        assert_eq!(unhashed::get_raw(CODE).as_deref(), Some(&b"new code"[..]));
        assert!(!is_authorized());
    });
}

#[test]
fn an_upgrade_goes_forward() {
    let mut chain = genesis(LOCAL_TESTNET_RUNTIME_PRESET);
    chain.register_extension(ReadRuntimeVersionExt::new(Reads(VERSION.spec_version)));
    chain.execute_with(|| {
        start(1_000, System::parent_hash());
        let before = unhashed::get_raw(CODE);
        assert_ok!(motion(&[Alice, Bob], authorize(b"the same version")));
        assert_ok!(apply(b"the same version"));
        assert_eq!(unhashed::get_raw(CODE), before);
        assert!(!is_authorized());
    });
}

/// Reads what a Wasm says about itself, as a node does: its version, in a section of this name.
struct OfWasm;

impl ReadRuntimeVersion for OfWasm {
    fn read_runtime_version(
        &self,
        wasm: &[u8],
        _: &mut dyn Externalities,
    ) -> Result<Vec<u8>, String> {
        // The length of a name comes before it.
        const SECTION: &[u8] = b"\x0fruntime_version";
        let mut places = wasm.windows(SECTION.len());
        let section = places.position(|bytes| bytes == SECTION);
        let section = section.and_then(|place| wasm.get(place + SECTION.len()..));
        Ok(section.ok_or("no version")?.to_vec())
    }
}

/// Slots of another length would stop the chain. The Wasm of its own pace is refused because its version is no higher.
#[test]
fn the_wasm_of_the_other_pace_is_refused() {
    assert_eq!(VERSION.spec_name, Pace::OWN.spec_name);
    type Errors = frame_system::Error<Runtime>;
    for (wasm, refused) in [
        (crate::fast::WASM_BINARY_BLOATY, Errors::InvalidSpecName),
        (
            crate::WASM_BINARY_BLOATY,
            Errors::SpecVersionNeedsToIncrease,
        ),
    ] {
        let wasm = wasm.expect("it was built");
        let mut chain = genesis(LOCAL_TESTNET_RUNTIME_PRESET);
        chain.register_extension(ReadRuntimeVersionExt::new(OfWasm));
        chain.execute_with(|| {
            start(1_000, System::parent_hash());
            let before = unhashed::get_raw(CODE);
            assert_ok!(motion(&[Alice, Bob], authorize(wasm)));
            assert_ok!(apply(wasm));
            assert_eq!(unhashed::get_raw(CODE), before);
            let rejected = frame_system::Event::<Runtime>::RejectedInvalidAuthorizedUpgrade {
                code_hash: BlakeTwo256::hash(wasm),
                error: refused.into(),
            };
            System::assert_has_event(rejected.into());
        });
    }
}

#[test]
fn less_than_two_thirds_do_nothing() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let code = b"new code";
        let too_few = pallet_collective::Error::<Runtime>::TooEarly;
        assert_err!(motion(&[Alice], authorize(code)), too_few);
        let stranger = pallet_collective::Error::<Runtime>::NotMember;
        assert_err!(motion(&[Dave, Eve], authorize(code)), stranger);
        let inner = Box::new(authorize(code).into());
        let as_root = Call::<Runtime>::as_root { call: inner };
        assert_err!(call(signed(Alice), as_root), DispatchError::BadOrigin);
        assert_err!(
            call(signed(Alice), authorize(code)),
            DispatchError::BadOrigin
        );
        assert!(!is_authorized());
    });
}

#[test]
fn who_is_silent_votes_against() {
    type Vote = <Runtime as pallet_collective::Config>::DefaultVote;
    for prime in [None, Some(true)] {
        let vote = <Vote as pallet_collective::DefaultVote>::default_vote(prime, 2, 0, 3);
        assert!(!vote);
    }
}

#[test]
fn the_council_makes_only_its_own_calls_as_root() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let all = [Alice, Bob, Charlie];
        let refused: DispatchError = Error::<Runtime>::CallNotAllowed.into();
        let stalled = |delay| pallet_grandpa::Call::<Runtime>::note_stalled {
            delay,
            best_finalized_block_number: 0,
        };
        let nonsense: [RuntimeCall; 5] = [
            SystemCall::set_code { code: vec![1] }.into(),
            SystemCall::kill_prefix {
                prefix: vec![],
                subkeys: 1,
            }
            .into(),
            pallet_utility::Call::<Runtime>::batch {
                calls: vec![authorize(b"code").into()],
            }
            .into(),
            // No set would ever change again.
            stalled(u32::MAX).into(),
            stalled(14_401).into(),
        ];
        for call in nonsense {
            assert_err!(motion(&all, call), refused);
        }
        assert_ok!(motion(&all, stalled(14_400)));
        assert_eq!(pallet_grandpa::Stalled::<Runtime>::get(), Some((14_400, 0)));
    });
}

#[test]
fn a_council_is_replaced_by_one_that_can_agree() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let account = |who: sp_keyring::Sr25519Keyring| who.to_account_id();
        let council = |new_members| pallet_collective::Call::<Runtime>::set_members {
            new_members,
            prime: None,
            old_count: 3,
        };
        let refused: DispatchError = Error::<Runtime>::CallNotAllowed.into();
        let many = (0..33u8).map(|seed| [seed; 32].into()).collect();
        for members in [vec![], vec![account(Dave), account(Dave)], many] {
            assert_err!(motion(&[Alice, Bob], council(members)), refused);
        }
        assert_ok!(motion(
            &[Alice, Bob],
            council(vec![account(Dave), account(Eve)])
        ));
        let stranger = pallet_collective::Error::<Runtime>::NotMember;
        assert_err!(motion(&[Alice, Bob], authorize(b"code")), stranger);
        let too_few = pallet_collective::Error::<Runtime>::TooEarly;
        assert_err!(motion(&[Dave], authorize(b"other code")), too_few);
        assert_ok!(motion(&[Dave, Eve], authorize(b"code")));
    });
}

#[test]
fn nobody_holds_up_a_motion_by_proposing_it_first() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let propose = |threshold, length_bound| {
            let inner = Box::new(authorize(b"code").into());
            let as_root = Call::<Runtime>::as_root { call: inner };
            let propose = pallet_collective::Call::<Runtime>::propose {
                threshold,
                proposal: Box::new(as_root.into()),
                length_bound,
            };
            call(signed(Charlie), propose)
        };
        let filtered: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
        // One that counts as decided too early, and one that waits for the vote of the member that proposed it.
        for threshold in [0, 1, 3, u32::MAX] {
            assert_err!(propose(threshold, 2_000), filtered);
        }
        assert_err!(propose(2, 4_097), filtered);
        assert_ok!(motion(&[Alice, Bob], authorize(b"code")));
        assert!(is_authorized());
        assert_ok!(propose(2, 4_096));
    });
}

/// The result if `who` proposes to authorize `code`. Nobody votes.
fn propose(who: &AccountId, code: &[u8]) -> Result<(), DispatchError> {
    let inner = Box::new(authorize(code).into());
    let as_root = Call::<Runtime>::as_root { call: inner };
    let propose = pallet_collective::Call::<Runtime>::propose {
        threshold: council::ayes(),
        proposal: Box::new(as_root.into()),
        length_bound: 2_000,
    };
    call(RuntimeOrigin::signed(who.clone()), propose)
}

/// However many motions all others have open.
#[test]
fn nobody_takes_the_last_place_for_an_urgent_upgrade() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let members: Vec<AccountId> = (0..32u8).map(|seed| [seed; 32].into()).collect();
        let full = pallet_collective::Call::<Runtime>::set_members {
            new_members: members.clone(),
            prime: None,
            old_count: 3,
        };
        assert_ok!(motion(&[Alice, Bob], full));
        let too_many = DispatchError::from(Error::<Runtime>::TooManyMotions);
        for (number, who) in (0u8..).zip(&members[1..]) {
            assert_ok!(propose(who, &[number, 0]));
            assert_ok!(propose(who, &[number, 1]));
            assert_err!(propose(who, &[number, 2]), too_many);
        }
        // The first member proposes, and two thirds of the council approve.
        assert_ok!(motion_of(&members[..22], authorize(b"urgent")));
        assert!(is_authorized());
        let stored = Proposers::<Runtime>::get();
        assert_eq!(stored.len(), 63);
    });
}

#[test]
fn a_motion_that_is_over_takes_no_place() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let [bob, charlie] = [Bob, Charlie].map(|who| who.to_account_id());
        let too_many = DispatchError::from(Error::<Runtime>::TooManyMotions);
        assert_ok!(motion(&[Charlie, Alice], authorize(b"0")));
        // The motion belongs to another member now.
        assert_ok!(propose(&bob, b"0"));
        assert_ok!(propose(&charlie, b"1"));
        assert_ok!(propose(&charlie, b"2"));
        assert_err!(propose(&charlie, b"3"), too_many);
        assert_ok!(propose(&bob, b"3"));
        assert_err!(propose(&bob, b"4"), too_many);
    });
}
