//! What an agent does beside its engine: whom it accuses, what it keeps, and when its moves are ready.

use super::*;
use crate::run::views;
use std::sync::mpsc::channel;

#[test]
fn a_table_that_only_stands_for_itself_accuses_nobody() {
    let all = Suspects::Everybody;
    assert_eq!(all.given(true, false), Suspects::Nobody);
    assert_eq!(all.given(true, true), all);
    // It is computed first.
    assert_eq!(all.given(false, false), all);
}

#[test]
fn whether_the_engine_is_on_disk_is_told() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let signer = crate::keys::development("alice").unwrap();
    let agent = DisputeAgent::open(signer, TaskId(1), &folder).unwrap();
    // Nothing can take the place of a folder that is not empty.
    let file = folder.path().join("disputes").join(ENGINE);
    std::fs::create_dir_all(file.join("full")).unwrap();
    assert!(!agent.save());
    std::fs::remove_dir_all(&file).unwrap();
    assert!(agent.save());
}

#[test]
fn disputes_wait_for_the_draw_of_audits() {
    let round = |phase, audit_seed| RoundView {
        phase,
        audit_seed,
        ..views::round()
    };
    let seed = Some([1; 32]);
    assert!(!takes_disputes(&round(Phase::Challenge, None)));
    assert!(takes_disputes(&round(Phase::Challenge, seed)));
    // Seats were drawn anew after a challenge.
    assert!(!takes_disputes(&round(Phase::AttestCommit, seed)));
}

#[tokio::test]
async fn an_answer_can_be_sent_before_the_next_is_computed() {
    let (go, gone) = channel();
    let (mut answers, computing) = in_turn(vec![1u8, 2, 3], move |command| {
        if command > 1 {
            gone.recv().unwrap();
        }
        10 * command
    });
    assert_eq!(answers.recv().await, Some((1, 10)));
    assert!(answers.try_recv().is_err());
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    let mut rest = Vec::new();
    while answers.recv_many(&mut rest, ALL).await > 0 {}
    assert_eq!(rest, [(2, 20), (3, 30)]);
    computing.await.unwrap();
}
