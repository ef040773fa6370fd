//! Storage of earlier releases, upgraded.

use super::{
    golden::{fingerprint, stored_task},
    lab::*,
};
use crate::{migrations::V8ToV9, mock::*, tasks::Task, Tasks};
use codec::Encode;
use frame_support::{
    assert_ok,
    storage::unhashed,
    traits::{GetStorageVersion, OnRuntimeUpgrade, StorageVersion},
};
use gotong_protocol::{RoundId, TaskId, TaskName};

/// A task as version 8 stored it: its name took 32 bytes.
fn in_version_8(task: &Task<AccountId>) -> Vec<u8> {
    let name = task.terms.name.as_str().unwrap().as_bytes();
    let mut padded = [0; 32];
    padded[..name.len()].copy_from_slice(name);
    let bytes = task.encode();
    let rest = &bytes[32 + task.terms.name.encoded_size()..];
    [&task.sponsor.encode()[..], &padded, rest].concat()
}

fn store_as_version_8() {
    for (id, task) in Tasks::<Test>::iter().collect::<Vec<_>>() {
        unhashed::put_raw(&Tasks::<Test>::hashed_key_for(id), &in_version_8(&task));
    }
    StorageVersion::new(8).put::<Contribution>();
}

#[test]
fn names_become_text() {
    ExtBuilder::default().build_and_execute(|| {
        let mut lab = Lab::default();
        register(2, 4);
        let task = lab.open();
        let table = lab.play(task, 2);
        assert_ok!(claim(&contributor(0), task, RoundId(0), &table, 0));
        assert_ok!(commit(&contributor(0), task, &lab.delta(5)));
        let mut longest = lab.terms();
        longest.name = TaskName::new(&"ä".repeat(16)).unwrap();
        assert_ok!(lab.open_with(longest, POOL));
        let state = || Tasks::<Test>::iter().collect::<Vec<_>>();
        let before = state();
        assert_eq!(before.len(), 2);

        store_as_version_8();
        V8ToV9::<Test>::on_runtime_upgrade();
        assert_eq!(state(), before);
        assert_eq!(Contribution::on_chain_storage_version(), 9);
        assert_ok!(Contribution::do_try_state());

        // It runs only once.
        V8ToV9::<Test>::on_runtime_upgrade();
        assert_eq!(state(), before);
    });
}

/// These are the bytes of the golden test of the release with version 8.
#[test]
fn what_is_upgraded_is_what_was_stored() {
    assert_eq!(fingerprint(in_version_8(&stored_task())), "7757a338");
    sp_io::TestExternalities::default().execute_with(|| {
        let key = Tasks::<Test>::hashed_key_for(TaskId(7));
        unhashed::put_raw(&key, &in_version_8(&stored_task()));
        StorageVersion::new(8).put::<Contribution>();
        V8ToV9::<Test>::on_runtime_upgrade();
        assert_eq!(Tasks::<Test>::get(TaskId(7)), Some(stored_task()));
    });
}
