//! Authorities that come, go, and are thrown out.

use super::*;
use crate::{
    apis::owner_of_babe_key,
    configs::consensus::REPORT_SESSIONS,
    pace::Pace,
    test_chain::{call, digest, end_sessions, execute, genesis, motion, next, signed, slot},
    timing, Babe, Balances, Grandpa, Hash, Header, Historical, Runtime, Session, SessionKeys,
    System, Timing, UNIT,
};
use frame_support::{
    assert_err, assert_ok,
    traits::{
        fungible::{Inspect, InspectHold},
        KeyOwnerProofSystem,
    },
};
use sp_consensus_babe::{
    digests::CompatibleDigestItem, AuthoritySignature, EquivocationProof, KEY_TYPE as BABE_KEY,
};
use sp_consensus_grandpa::{localized_payload, KEY_TYPE as GRANDPA_KEY};
use sp_core::proof_of_possession::statement_of_ownership;
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::{
    Ed25519Keyring,
    Sr25519Keyring::{self, Alice, Bob, Charlie, Dave, Eve},
};
use sp_runtime::{traits::Header as _, DigestItem, DispatchError};
use sp_session::MembershipProof;

type Call = crate::authorities::Call<Runtime>;
type Errors = Error<Runtime>;

const BOND: u128 = 10_000 * UNIT;

fn keys(babe: Sr25519Keyring, grandpa: Ed25519Keyring) -> SessionKeys {
    SessionKeys {
        babe: babe.public().into(),
        grandpa: grandpa.public().into(),
    }
}

/// A proof that the holder of these keys wants `owner` to be their owner.
fn proof_of_possession(
    owner: Sr25519Keyring,
    babe: Sr25519Keyring,
    grandpa: Ed25519Keyring,
) -> Vec<u8> {
    let statement = statement_of_ownership(&account(owner).encode());
    (babe.sign(&statement), grandpa.sign(&statement)).encode()
}

fn set_keys(
    who: Sr25519Keyring,
    babe: Sr25519Keyring,
    grandpa: Ed25519Keyring,
) -> Result<(), DispatchError> {
    let proof = proof_of_possession(who, babe, grandpa);
    let keys = keys(babe, grandpa);
    call(
        signed(who),
        pallet_session::Call::<Runtime>::set_keys { keys, proof },
    )
}

fn account(who: Sr25519Keyring) -> crate::AccountId {
    who.to_account_id()
}

fn bond_of(who: Sr25519Keyring) -> Option<Bond> {
    Bonds::<Runtime>::get(account(who))
}

fn held(who: Sr25519Keyring) -> u128 {
    Balances::balance_on_hold(&HoldReason::AuthorityBond.into(), &account(who))
}

fn add(who: Sr25519Keyring) -> Call {
    Call::add { who: account(who) }
}

fn remove(who: Sr25519Keyring) -> Call {
    Call::remove { who: account(who) }
}

/// Makes Dave an account that the council may add.
fn candidate() {
    assert_ok!(set_keys(Dave, Dave, Ed25519Keyring::Dave));
    assert_ok!(call(signed(Dave), Call::bond {}));
}

/// Whether these are the authorities of BABE and of GRANDPA.
fn are_authorities(expected: &[(Sr25519Keyring, Ed25519Keyring)]) -> bool {
    let keys: Vec<_> = expected
        .iter()
        .map(|(babe, grandpa)| keys(*babe, *grandpa))
        .collect();
    let babe: Vec<_> = keys.iter().map(|keys| (keys.babe.clone(), 1)).collect();
    let grandpa: Vec<_> = keys.iter().map(|keys| (keys.grandpa.clone(), 1)).collect();
    Babe::authorities().into_inner() == babe && Grandpa::grandpa_authorities() == grandpa
}

const GENESIS: [(Sr25519Keyring, Ed25519Keyring); 3] = [
    (Alice, Ed25519Keyring::Alice),
    (Bob, Ed25519Keyring::Bob),
    (Charlie, Ed25519Keyring::Charlie),
];

/// Signs a block.
fn seal(header: &mut Header, signer: Sr25519Keyring) {
    let seal: AuthoritySignature = signer.sign(header.hash().as_bytes()).into();
    let seal = <DigestItem as CompatibleDigestItem>::babe_seal(seal);
    header.digest_mut().push(seal);
}

/// Two blocks for one slot, which the authority with this index made and `signer` signed.
fn two_blocks(
    index: u32,
    offender: Sr25519Keyring,
    signer: Sr25519Keyring,
) -> EquivocationProof<Header> {
    let header = |state: u8| {
        let mut header = Header::new(
            System::block_number(),
            Default::default(),
            Hash::repeat_byte(state),
            System::parent_hash(),
            digest(slot(), index),
        );
        seal(&mut header, signer);
        header
    };
    EquivocationProof {
        offender: offender.public().into(),
        slot: slot().into(),
        first_header: header(1),
        second_header: header(2),
    }
}

fn owner_of(babe: Sr25519Keyring) -> MembershipProof {
    let key = (
        BABE_KEY,
        sp_consensus_babe::AuthorityId::from(babe.public()),
    );
    Historical::prove(key).expect("there is a proof, of whatever")
}

fn report(
    equivocation: EquivocationProof<Header>,
    key_owner_proof: MembershipProof,
) -> Result<(), DispatchError> {
    let report = pallet_babe::Call::<Runtime>::report_equivocation {
        equivocation_proof: Box::new(equivocation),
        key_owner_proof,
    };
    call(signed(Eve), report)
}

#[test]
fn a_new_authority_signs_two_sessions_later() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        assert_err!(call(signed(Dave), Call::bond {}), Errors::NoKeys);
        assert_err!(motion(&[Alice, Bob], add(Dave)), Errors::NotBonded);
        candidate();
        assert_err!(call(signed(Dave), Call::bond {}), Errors::AlreadyBonded);
        assert_eq!((held(Dave), bond_of(Dave)), (BOND, Some(Bond::default())));
        assert_ok!(motion(&[Alice, Bob], add(Dave)));
        assert_err!(
            motion(&[Alice, Charlie], add(Dave)),
            Errors::AlreadyAuthority
        );

        end_sessions(1);
        assert!(are_authorities(&GENESIS));
        end_sessions(1);
        // GRANDPA's set changes when the block ends.
        next(slot() + 1);
        let [alice, bob, charlie] = GENESIS;
        let four = [alice, bob, charlie, (Dave, Ed25519Keyring::Dave)];
        assert!(are_authorities(&four));
        assert_eq!(Grandpa::current_set_id(), 1);
        assert_eq!(Session::validators().len(), 4);
    });
}

#[test]
fn a_session_is_as_long_as_the_chains_epoch_and_no_set_changes_for_nothing() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let epoch = Pace::OWN.epoch_slots;
        let first = slot();
        next(first + epoch - 1);
        assert_eq!(Session::current_index(), 0);
        next(first + epoch);
        assert_eq!(Session::current_index(), 1);
        assert_eq!(Babe::epoch_index(), 1);
        // The end of a session leaves room, so the block counts as time.
        assert!(
            Timing::fullness() < timing::FULL,
            "{:?}",
            Timing::fullness()
        );
        end_sessions(6);
        assert_eq!(Session::current_index(), 7);
        assert_eq!(Grandpa::current_set_id(), 0);
        assert!(historical::HistoricalSessions::<Runtime>::contains_key(7));
        assert!(are_authorities(&GENESIS));
    });
}

#[test]
fn who_leaves_gets_its_bond_back_once_nothing_can_be_reported() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        assert_err!(call(signed(Bob), Call::withdraw {}), Errors::TooEarly);
        assert_ok!(call(signed(Bob), Call::resign {}));
        assert_err!(call(signed(Bob), Call::resign {}), Errors::NotBonded);
        assert_err!(motion(&[Alice, Charlie], remove(Bob)), Errors::NotAuthority);
        end_sessions(1);
        assert!(are_authorities(&GENESIS), "it signs for this session, too");
        end_sessions(REPORT_SESSIONS);
        assert_err!(call(signed(Bob), Call::withdraw {}), Errors::TooEarly);
        let (before, _) = historical::StoredRange::<Runtime>::get().expect("roots are stored");
        assert!(
            before <= 1,
            "the root of its last session is there: {before}"
        );
        end_sessions(1);
        let (after, _) = historical::StoredRange::<Runtime>::get().expect("roots are stored");
        assert_eq!(after, 2);
        assert_err!(call(signed(Alice), Call::withdraw {}), Errors::TooEarly);
        assert_ok!(call(signed(Bob), Call::withdraw {}));
        assert_eq!((held(Bob), bond_of(Bob)), (0, None));
        assert_eq!(pallet_session::NextKeys::<Runtime>::get(account(Bob)), None);
        // It may come back.
        assert_ok!(set_keys(Bob, Bob, Ed25519Keyring::Bob));
        assert_ok!(call(signed(Bob), Call::bond {}));
        assert_ok!(motion(&[Alice, Charlie], add(Bob)));
    });
}

#[test]
fn keys_without_a_bond_are_given_up_for_their_deposit() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let before = Balances::balance(&account(Dave));
        assert_ok!(set_keys(Dave, Dave, Ed25519Keyring::Dave));
        assert!(Balances::balance(&account(Dave)) < before);
        assert_ok!(set_keys(Dave, Eve, Ed25519Keyring::Eve));
        assert_ok!(call(signed(Dave), Call::withdraw {}));
        assert_eq!(Balances::balance(&account(Dave)), before);
    });
}

#[test]
fn the_council_changes_no_more_than_a_third_a_session_and_the_last_stays() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        candidate();
        assert_ok!(motion(&[Alice, Bob], remove(Charlie)));
        assert_err!(motion(&[Alice, Bob], remove(Bob)), Errors::TooManyChanges);
        assert_err!(motion(&[Alice, Bob], add(Dave)), Errors::TooManyChanges);
        assert_err!(call(signed(Bob), Call::resign {}), Errors::TooManyChanges);
        end_sessions(1);
        assert_ok!(motion(&[Alice, Bob], remove(Bob)));
        end_sessions(1);
        assert_err!(motion(&[Alice, Bob], remove(Alice)), Errors::LastAuthority);
        assert_err!(call(signed(Alice), Call::resign {}), Errors::LastAuthority);
        end_sessions(2);
        next(slot() + 1);
        assert!(are_authorities(&GENESIS[..1]));
    });
}

#[test]
fn who_is_no_root_adds_and_removes_nobody() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        candidate();
        for call_of in [add(Dave), remove(Bob)] {
            assert_err!(call(signed(Alice), call_of), DispatchError::BadOrigin);
        }
    });
}

#[test]
fn who_makes_two_blocks_for_a_slot_loses_its_bond_and_its_place() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        end_sessions(1);
        let issued = Balances::total_issuance();
        let proof = two_blocks(1, Bob, Bob);
        assert_ok!(report(proof.clone(), owner_of(Bob)));
        assert_eq!(held(Bob), 0);
        assert_eq!(issued - Balances::total_issuance(), BOND);
        assert!(bond_of(Bob).is_some_and(|bond| bond.is_convicted));

        let known = pallet_babe::Error::<Runtime>::DuplicateOffenceReport;
        assert_err!(report(proof, owner_of(Bob)), known);
        assert_err!(motion(&[Alice, Charlie], add(Bob)), Errors::Convicted);
        assert_err!(call(signed(Bob), Call::bond {}), Errors::AlreadyBonded);
        end_sessions(2);
        next(slot() + 1);
        let [alice, _, charlie] = GENESIS;
        assert!(are_authorities(&[alice, charlie]));

        // Withdrawing gives nothing back, but lets the account come again with another bond.
        assert_err!(call(signed(Bob), Call::withdraw {}), Errors::TooEarly);
        end_sessions(REPORT_SESSIONS);
        let free = Balances::balance(&account(Bob));
        assert_ok!(call(signed(Bob), Call::withdraw {}));
        assert_eq!(Balances::balance(&account(Bob)), free);
        assert_eq!(bond_of(Bob), None);
        assert_ok!(set_keys(Bob, Bob, Ed25519Keyring::Bob));
        assert_ok!(call(signed(Bob), Call::bond {}));
        assert_eq!(held(Bob), BOND);
    });
}

#[test]
fn a_report_may_come_later_but_not_for_ever() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        end_sessions(1);
        let late = (two_blocks(1, Bob, Bob), owner_of(Bob));
        let too_late = (two_blocks(2, Charlie, Charlie), owner_of(Charlie));
        end_sessions(REPORT_SESSIONS);
        assert_ok!(report(late.0, late.1));
        assert_eq!(held(Bob), 0);
        end_sessions(1);
        let unknown = pallet_babe::Error::<Runtime>::InvalidKeyOwnershipProof;
        assert_err!(report(too_late.0, too_late.1), unknown);
        assert_eq!(held(Charlie), BOND);
    });
}

#[test]
fn a_forged_report_is_refused() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        end_sessions(1);
        type Errors = pallet_babe::Error<Runtime>;
        // Signed by somebody else.
        let forged = two_blocks(1, Bob, Eve);
        let refused = report(forged, owner_of(Bob));
        assert_err!(refused, Errors::InvalidEquivocationProof);
        // The same block twice.
        let mut forged = two_blocks(1, Bob, Bob);
        forged.second_header = forged.first_header.clone();
        let refused = report(forged, owner_of(Bob));
        assert_err!(refused, Errors::InvalidEquivocationProof);
        // Reported about an account that is not an authority, and with the proof of another.
        for owner in [Eve, Bob] {
            let refused = report(two_blocks(1, Eve, Eve), owner_of(owner));
            assert_err!(refused, Errors::InvalidKeyOwnershipProof);
        }
        // Reported with another session than that of the slot.
        let (proof, mut owner) = (two_blocks(1, Bob, Bob), owner_of(Bob));
        owner.session = 0;
        assert_err!(report(proof, owner), Errors::InvalidKeyOwnershipProof);
        assert_eq!(held(Bob), BOND);
    });
}

/// An account that saw it on another chain, or on this one, still cannot register the keys for anybody else.
#[test]
fn a_proof_of_possession_serves_one_account() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let set_keys = |owner| {
            let keys = keys(Dave, Ed25519Keyring::Dave);
            let proof = proof_of_possession(owner, Dave, Ed25519Keyring::Dave);
            pallet_session::Call::<Runtime>::set_keys { keys, proof }
        };
        let refused = pallet_session::Error::<Runtime>::InvalidProof;
        assert_err!(call(signed(Eve), set_keys(Dave)), refused);
        assert_ok!(call(signed(Eve), set_keys(Eve)));
    });
}

/// It could just as well be one that was withheld here, with all blocks before it. So a key must be used for one chain only.
#[test]
fn a_block_for_another_chain_counts_as_the_second_of_its_slot() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        end_sessions(1);
        let mut proof = two_blocks(1, Bob, Bob);
        let foreign = &mut proof.second_header;
        foreign.parent_hash = Hash::repeat_byte(7);
        foreign.digest_mut().pop();
        seal(foreign, Bob);
        assert_ok!(report(proof, owner_of(Bob)));
        assert_eq!(held(Bob), 0);
    });
}

#[test]
fn a_session_that_has_not_begun_proves_no_owner() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let epoch = Pace::OWN.epoch_slots;
        let bob = sp_consensus_babe::AuthorityId::from(Bob.public());
        let last = slot() + epoch - 1;
        let proof = |slot: u64| owner_of_babe_key(slot.into(), bob.clone());
        assert!(proof(last).is_some_and(|proof| proof.session == 0));
        assert_eq!(proof(last + 1), None);
        end_sessions(1);
        assert!(proof(last + 1).is_some_and(|proof| proof.session == 1));
    });
}

#[test]
fn an_equivocator_cannot_hide_behind_new_keys() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        end_sessions(1);
        let (proof, owner) = (two_blocks(1, Bob, Bob), owner_of(Bob));
        let bonded = pallet_session::Error::<Runtime>::NoAssociatedValidatorId;
        assert_err!(set_keys(Bob, Dave, Ed25519Keyring::Dave), bonded);
        let purge = pallet_session::Call::<Runtime>::purge_keys {};
        let filtered: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
        assert_err!(call(signed(Bob), purge.clone()), filtered);
        let calls = vec![purge.into()];
        let batch = pallet_utility::Call::<Runtime>::batch_all { calls };
        assert_err!(call(signed(Bob), batch), filtered);
        // Nor does leaving save the bond.
        assert_ok!(call(signed(Bob), Call::resign {}));
        assert_ok!(report(proof, owner));
        assert_eq!(held(Bob), 0);
    });
}

#[test]
fn who_votes_twice_in_a_round_loses_its_bond() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        let (set, round) = (0u64, 7u64);
        let vote = |hash: u8, signer: Ed25519Keyring| {
            let target = (Hash::repeat_byte(hash), 1u32);
            // A prevote is the first kind of message, and the first kind of equivocation.
            let signature = signer.sign(&localized_payload(round, set, &(0u8, target)));
            (target, signature)
        };
        let two_votes = |signer: Ed25519Keyring| {
            let bob = Ed25519Keyring::Bob.public();
            let bytes = (set, 0u8, round, bob, vote(1, signer), vote(2, signer)).encode();
            let proof = Decode::decode(&mut &*bytes).expect("the bytes are of two votes");
            let bob = sp_consensus_grandpa::AuthorityId::from(bob);
            let owner = Historical::prove((GRANDPA_KEY, bob)).expect("Bob is an authority");
            let report = pallet_grandpa::Call::<Runtime>::report_equivocation {
                equivocation_proof: Box::new(proof),
                key_owner_proof: owner,
            };
            call(signed(Eve), report)
        };
        let forged = pallet_grandpa::Error::<Runtime>::InvalidEquivocationProof;
        assert_err!(two_votes(Ed25519Keyring::Eve), forged);
        assert_eq!(held(Bob), BOND);
        assert_ok!(two_votes(Ed25519Keyring::Bob));
        assert_eq!(held(Bob), 0);
    });
}

/// If BABE had a set that GRANDPA does not have, an authority that was thrown out would still be among those that finalize.
#[test]
fn finality_takes_in_a_set_that_came_during_a_forced_change() {
    execute(LOCAL_TESTNET_RUNTIME_PRESET, || {
        candidate();
        assert_ok!(motion(&[Alice, Bob], add(Dave)));
        let stalled = pallet_grandpa::Call::<Runtime>::note_stalled {
            delay: 3,
            best_finalized_block_number: 0,
        };
        assert_ok!(motion(&[Alice, Bob], stalled));
        // The forced change concerns the set that begins now. Dave is in the next one, which comes while the change waits.
        end_sessions(1);
        assert!(pallet_grandpa::PendingChange::<Runtime>::exists());
        end_sessions(5);
        next(slot() + 1);
        let [alice, bob, charlie] = GENESIS;
        let four = [alice, bob, charlie, (Dave, Ed25519Keyring::Dave)];
        assert!(are_authorities(&four));
        // And after that, no set changes without reason.
        let set = Grandpa::current_set_id();
        end_sessions(3);
        assert_eq!(Grandpa::current_set_id(), set);
    });
}

#[test]
fn the_last_authority_stays_even_if_it_equivocates() {
    execute(DEV_RUNTIME_PRESET, || {
        end_sessions(1);
        assert_ok!(report(two_blocks(0, Alice, Alice), owner_of(Alice)));
        assert_eq!(held(Alice), 0);
        end_sessions(2);
        next(slot() + 1);
        assert!(are_authorities(&GENESIS[..1]));
        // Once there is another, it can go.
        candidate();
        assert_ok!(motion(&[Alice], add(Dave)));
        end_sessions(1);
        assert_ok!(motion(&[Alice], remove(Alice)));
        end_sessions(2);
        next(slot() + 1);
        assert!(are_authorities(&[(Dave, Ed25519Keyring::Dave)]));
    });
}

#[test]
fn unsound_states_are_found() {
    let unsound: [(&str, fn()); 5] = [
        ("1", || {
            assert_ok!(Authorities::<Runtime>::try_append(account(Alice)));
        }),
        ("2", || Bonds::<Runtime>::remove(account(Bob))),
        ("3", || {
            pallet_session::NextKeys::<Runtime>::remove(account(Bob));
        }),
        ("4", || {
            let convicted = Bond {
                ends: None,
                is_convicted: true,
            };
            Bonds::<Runtime>::insert(account(Bob), convicted);
        }),
        ("5", || {
            let reason = HoldReason::AuthorityBond.into();
            assert_ok!(Balances::hold(&reason, &account(Eve), UNIT));
        }),
    ];
    for (number, corrupt) in unsound {
        genesis(LOCAL_TESTNET_RUNTIME_PRESET).execute_with(|| {
            assert_ok!(Pallet::<Runtime>::do_try_state());
            corrupt();
            let found = Pallet::<Runtime>::do_try_state();
            assert!(
                matches!(found, Err(DispatchError::Other(told)) if told.starts_with(number)),
                "{number}: {found:?}"
            );
        });
    }
}
