//! Upgrades from the storage of an earlier release.

use super::{next::LeaveOutDispute, *};
use crate::{
    authorities::ChangesLeft,
    pace::Pace,
    test_chain::{end_sessions, start},
    Authorities as AuthoritiesPallet, Contribution, Executive, Referee, System, UNIT, VERSION,
};
use frame_support::{
    storage::unhashed,
    traits::{fungible::InspectHold, GetStorageVersion},
    weights::constants::WEIGHT_REF_TIME_PER_MILLIS,
};
use frame_system::{LastRuntimeUpgrade, LastRuntimeUpgradeInfo};
use gotong_protocol::{id::DisputeId, Outcome, Phase, RoundId, TaskId};
use pallet_contribution::migrations::v8_to_v9_weight;
use pallet_referee::NextDispute;
use pallet_session::historical;
use sp_core::{
    bytes::from_hex,
    storage::{StateVersion, Storage},
};
use sp_genesis_builder::LOCAL_TESTNET_RUNTIME_PRESET;
use sp_io::TestExternalities;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::BuildStorage;
use std::collections::BTreeMap;

/// The genesis of `local` as the node of spec 6 wrote it, without the code.
const SPEC_6: &str = include_str!("spec_6.json");

/// Block 119 of a demo on the development chain of spec 6, in its fourth round, without the code and the hashes of blocks. Its
/// storage is that of any chain; a development chain itself takes no upgrade to another name: see [`crate::pace`].
const SPEC_6_DEMO: &str = include_str!("spec_6_demo.json");

fn spec_6() -> TestExternalities {
    state(SPEC_6)
}

fn state(json: &str) -> TestExternalities {
    let entries: BTreeMap<String, String> = serde_json::from_str(json).expect("it is JSON");
    let bytes = |hex: &str| from_hex(hex).expect("it is hexadecimal");
    let top = entries
        .iter()
        .map(|(key, value)| (bytes(key), bytes(value)));
    Storage {
        top: top.collect(),
        ..Default::default()
    }
    .into()
}

fn authorities() -> Vec<(AccountId, SessionKeys)> {
    let all = [
        (Sr25519Keyring::Alice, Ed25519Keyring::Alice),
        (Sr25519Keyring::Bob, Ed25519Keyring::Bob),
        (Sr25519Keyring::Charlie, Ed25519Keyring::Charlie),
    ];
    let owned = all.map(|(babe, grandpa)| {
        let keys = SessionKeys {
            babe: babe.public().into(),
            grandpa: grandpa.public().into(),
        };
        (babe.to_account_id(), keys)
    });
    owned.into()
}

#[test]
fn fixed_authorities_of_spec_6_get_sessions() {
    spec_6().execute_with(|| {
        assert_eq!(
            LastRuntimeUpgrade::<Runtime>::get().map(|last| last.spec_version.0),
            Some(6)
        );
        pallet_babe::EpochIndex::<Runtime>::put(7);
        Executive::execute_on_runtime_upgrade();

        assert_eq!(Session::current_index(), 7);
        assert_eq!(Session::queued_keys(), authorities());
        let accounts: Vec<_> = authorities().into_iter().map(|(who, _)| who).collect();
        assert_eq!(Session::validators(), accounts);
        let mut council = accounts.clone();
        council.sort();
        assert_eq!(pallet_collective::Members::<Runtime>::get(), council);
        assert_eq!(pallet_grandpa::SetIdSession::<Runtime>::get(0), Some(7));
        assert_eq!(ChangesLeft::<Runtime>::get(), 1);
        for session in [7, 8] {
            let roots = historical::HistoricalSessions::<Runtime>::get(session);
            assert!(roots.is_some_and(|(_, count)| count == 3));
        }
        for who in &accounts {
            let reason = HoldReason::AuthorityBond.into();
            assert_eq!(Balances::balance_on_hold(&reason, who), 10_000 * UNIT);
        }
        AuthoritiesPallet::do_try_state().expect("the state is sound");
    });
}

#[test]
fn the_chain_of_before_goes_on_with_its_authorities() {
    spec_6().execute_with(|| {
        let babe = Babe::authorities();
        // The upgrade runs in the first block of the new runtime, whose version differs.
        LastRuntimeUpgrade::<Runtime>::kill();
        start(1_000, System::parent_hash());
        assert_eq!(
            LastRuntimeUpgrade::<Runtime>::get(),
            Some(LastRuntimeUpgradeInfo::from(VERSION))
        );
        end_sessions(3);
        assert_eq!(Session::current_index(), 3);
        assert_eq!(Babe::authorities(), babe);
        assert_eq!(Grandpa::current_set_id(), 0);
        AuthoritiesPallet::do_try_state().expect("the state is sound");
    });
}

#[test]
fn a_migration_does_nothing_twice() {
    let root = || sp_io::storage::root(StateVersion::V1);
    spec_6().execute_with(|| {
        let before = root();
        Executive::execute_on_runtime_upgrade();
        let after = root();
        assert_ne!(before, after);
        Executive::execute_on_runtime_upgrade();
        assert_eq!(root(), after);
    });

    let genesis = crate::presets::genesis_config(LOCAL_TESTNET_RUNTIME_PRESET);
    let storage = genesis.expect("the preset exists").build_storage();
    let mut new = TestExternalities::from(storage.expect("the genesis builds"));
    new.execute_with(|| {
        StartSessions::on_runtime_upgrade();
        assert_eq!(Session::queued_keys(), authorities());
    });
}

#[test]
fn a_round_under_way_in_spec_6_goes_on() {
    let task = TaskId(0);
    state(SPEC_6_DEMO).execute_with(|| {
        let issued = Balances::total_issuance();
        let number = System::block_number();
        let reason = pallet_contribution::HoldReason::Pool.into();
        let on_hold = |who: &AccountId| Balances::balance_on_hold(&reason, who);
        let slot = u64::from(pallet_babe::CurrentSlot::<Runtime>::get());
        start(slot + 1, System::parent_hash());
        assert_eq!(System::block_number(), number + 1);

        let view = Contribution::task(task).expect("the task is there");
        assert_eq!(view.terms.name.as_str(), Some("fashion-mnist"));
        assert!(on_hold(&view.sponsor) > 0);
        let round = Contribution::round(task, view.round).expect("its round is under way");
        assert_eq!((view.round, round.phase), (RoundId(3), Phase::Challenge));
        let earlier = Contribution::round(task, RoundId(0)).expect("the first is kept");
        assert_eq!(earlier.outcome, Some(Outcome::Settled));
        let stored = pallet_contribution::Submissions::<Runtime>::iter().count();
        assert!(stored > 0);
        // Two blocks of the new runtime later nothing has gone wrong, and the authority gets sessions.
        end_sessions(2);
        assert!(Contribution::round(task, view.round).is_some());
        assert_eq!(Balances::total_issuance(), issued);
        assert_eq!(Session::validators().len(), 1);
        AuthoritiesPallet::do_try_state().expect("the state is sound");
    });
}

/// The last release did not bound what it stored. docs/nodes.md says up to how many tasks an upgrade works, and how to see how many
/// there are. Only chains of the usual pace can be upgraded from spec 6.
#[test]
fn ten_thousand_tasks_of_spec_6_are_upgraded_in_half_a_block() {
    const TASKS: u32 = 10_000;
    type Stored = pallet_contribution::Tasks<Runtime>;
    state(SPEC_6_DEMO).execute_with(|| {
        let key = |id| Stored::hashed_key_for(TaskId(id));
        let stored = unhashed::get_raw(&key(0)).expect("the task of the demo");
        for id in 1..TASKS {
            unhashed::put_raw(&key(id), &stored);
        }
        let took = Executive::execute_on_runtime_upgrade();
        assert!(took.all_gte(v8_to_v9_weight::<Runtime>(TASKS.into())));
        // The hooks of the same block may take the other half.
        let half = Pace::USUAL.max_block_millis() * WEIGHT_REF_TIME_PER_MILLIS / 2;
        assert!(took.ref_time() <= half, "{took} of {half}");
        let tasks = Stored::iter_values();
        let named = tasks.filter(|task| task.terms.name.as_str() == Some("fashion-mnist"));
        assert_eq!(named.count(), TASKS as usize);
    });
}

/// If it does nothing the first time, the referee's storage already has another version, and `next` has to be updated.
#[test]
fn the_next_release_migrates_a_chain_of_this_one_once() {
    TestExternalities::default().execute_with(|| {
        Referee::in_code_storage_version().put::<Referee>();
        for _ in 0..2 {
            LeaveOutDispute::on_runtime_upgrade();
            assert_eq!(NextDispute::<Runtime>::get(), DisputeId(1));
        }
    });
}
