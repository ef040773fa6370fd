use super::*;
use crate::engine::{
    AttesterCommand, AttesterSnapshot, ContributorCommand, ContributorSnapshot, Evaluated,
    PreparedDelta, Seat, Submission,
};
use codec::Encode;
use gotong_protocol::{Hash, Phase, RoundId, TableSummary, TaskId};
use std::fs;
use tempfile::TempDir;

const TASK: TaskId = TaskId(1);
const ACCOUNT: [u8; 32] = [9; 32];
const NAME: &str = "engine";

/// A folder with one file in it.
fn folder_with(version: u8, content: &[u8]) -> (TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    fs::write(folder.path().join(NAME), [&[version][..], content].concat()).unwrap();
    (temporary, folder)
}

/// A table that was computed for round 3, as version 5 encoded it.
fn table_of_version_5(inputs: u8, by_device: bool) -> Vec<u8> {
    [
        vec![3, 0, 0, 0],
        vec![inputs; 32],
        // Root of the weights; no passes, no merge; root of the work, and salt.
        vec![6; 32],
        vec![0, 0],
        vec![7; 32],
        vec![inputs + 1; 32],
        vec![u8::from(by_device)],
    ]
    .concat()
}

/// Two tables, and the block of a commitment.
fn attester_of_version_5() -> Vec<u8> {
    [
        vec![1, 0, 0, 0],
        ACCOUNT.to_vec(),
        vec![8],
        table_of_version_5(4, true),
        table_of_version_5(5, false),
        vec![1, 7, 0, 0, 0],
    ]
    .concat()
}

/// The same attester in today's encoding: all of it may have been sent.
fn attester() -> Attester {
    let mut engine = Attester::new(TASK, ACCOUNT);
    for (inputs, by_device) in [(4, true), (5, false)] {
        engine.on_evaluated(Evaluated {
            round: RoundId(3),
            inputs: [inputs; 32],
            base_root: [6; 32],
            table: table(),
            work_root: [7; 32],
            salt: [inputs + 1; 32],
            by_device,
            is_sent: true,
        });
    }
    engine.on_committed(7);
    engine
}

fn table() -> TableSummary {
    TableSummary {
        passes: Vec::new().into(),
        merge: None,
    }
}

#[test]
fn an_attester_of_version_5_reveals_what_it_has_committed() {
    let (_temporary, folder) = folder_with(5, &attester_of_version_5());
    let mut engine = load_attester(&folder, NAME).unwrap().unwrap();
    assert_eq!(engine, attester());
    // No node makes it forget what may have been sent.
    let inputs: Hash = [5; 32];
    engine.on_disproved(&inputs);
    assert_eq!(engine, attester());
    let now = AttesterSnapshot {
        block: 9,
        round: RoundId(3),
        phase: Phase::AttestReveal,
        inputs,
        seat: Some(Seat::Committed),
        are_audits_drawn: false,
        is_device_trusted: true,
    };
    let reveal = AttesterCommand::Reveal {
        round: RoundId(3),
        table: Box::new(table()),
        work_root: [7; 32],
        salt: [6; 32],
    };
    assert_eq!(engine.on_block(&now), Some(reveal));
    // It is saved in today's encoding.
    folder.save(NAME, &engine).unwrap();
    let written = fs::read(folder.path().join(NAME)).unwrap();
    assert_eq!(written, (6u8, &engine).encode());
    assert_eq!(load_attester(&folder, NAME).unwrap(), Some(engine));
}

/// A delta for round 2, or none; the block of a commitment; the round whose remainder is to be sent.
fn contributor_of_version_5(prepared: &[u8], committed_at: &[u8]) -> Vec<u8> {
    [
        &[1, 0, 0, 0][..],
        &ACCOUNT,
        prepared,
        committed_at,
        &[1, 1, 0, 0, 0],
    ]
    .concat()
}

#[test]
fn a_contributor_of_version_5_reveals_what_it_has_committed() {
    let prepared = [
        vec![1u8, 2, 0, 0, 0],
        vec![3; 32],
        vec![4; 32],
        // One byte of a delta.
        vec![4, 5],
    ]
    .concat();
    let content = contributor_of_version_5(&prepared, &[1, 6, 0, 0, 0]);
    let (_temporary, folder) = folder_with(5, &content);
    let mut engine = load_contributor(&folder, NAME).unwrap().unwrap();
    assert_eq!(engine.residual_of(), Some(RoundId(1)));
    let mut now = ContributorSnapshot {
        block: 6,
        round: RoundId(2),
        phase: Phase::Commit,
        takes_deltas: false,
        base_root: [3; 32],
        submission: None,
        unclaimed: None,
    };
    assert_eq!(engine.on_block(&now), [], "committed in block 6");
    now.block = 7;
    now.phase = Phase::Reveal;
    now.takes_deltas = true;
    now.submission = Some(Submission::Committed);
    let reveal = ContributorCommand::Reveal {
        round: RoundId(2),
        delta: vec![5],
        salt: [4; 32],
    };
    assert_eq!(engine.on_block(&now), [reveal]);
    folder.save(NAME, &engine).unwrap();
    let written = fs::read(folder.path().join(NAME)).unwrap();
    assert_eq!(written, (6u8, &engine).encode());
    assert_eq!(load_contributor(&folder, NAME).unwrap(), Some(engine));
}

#[test]
fn a_contributor_of_version_5_without_a_delta_trains() {
    let content = contributor_of_version_5(&[0], &[0]);
    let (_temporary, folder) = folder_with(5, &content);
    let mut engine = load_contributor(&folder, NAME).unwrap().unwrap();
    assert_eq!(engine.residual_of(), Some(RoundId(1)));
    assert!(engine.on_trained(PreparedDelta {
        round: RoundId(2),
        base_root: [3; 32],
        salt: [4; 32],
        delta: vec![5],
    }));
}

#[test]
fn neither_older_nor_newer_files_are_read() {
    for version in [4, 7] {
        let (_temporary, folder) = folder_with(version, &attester_of_version_5());
        let attester = load_attester(&folder, NAME).unwrap_err();
        let contributor = load_contributor(&folder, NAME).unwrap_err();
        for error in [attester, contributor] {
            assert!(
                matches!(error, StateError::OtherVersion { found, .. } if found == version),
                "{error}"
            );
        }
    }
}
