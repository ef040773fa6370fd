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

/// The deadlines of its own disputes count, whoever's move it is, because the other party may move at once.
#[test]
fn every_deadline_of_its_own_disputes_counts() {
    let in_dispute = |accused: u8, challenger: u8, deadline| DisputeView {
        accused: [accused; 32],
        challenger: [challenger; 32],
        deadline,
        ..views::dispute()
    };
    let of_another_task = DisputeView {
        task: TaskId(9),
        ..in_dispute(1, 2, 14)
    };
    let disputes = [
        in_dispute(1, 2, 11),
        in_dispute(2, 1, 12),
        in_dispute(2, 3, 13),
        of_another_task,
    ];
    assert_eq!(deadlines(&disputes, TaskId(1), &[1; 32]), [11, 12]);
}

/// A node may have made up the question.
#[test]
fn a_move_that_the_chain_refused_is_made_at_once_for_what_another_node_shows() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let signer = crate::keys::development("alice").unwrap();
    let mut agent = DisputeAgent::open(signer, TaskId(1), &folder).unwrap();
    let dispute = DisputeId(5);
    let answer = DisputerCommand::Answer { dispute, moves: 2 };
    let accuse = DisputerCommand::Accuse { accused: [2; 32] };
    for command in [answer, accuse] {
        agent.pause(command, 10);
    }
    agent.disconnected();
    assert!(!agent.refused.contains_key(&answer));
    assert!(agent.refused.contains_key(&accuse));
}

/// A lying node may have made up the block, and another node may be asked after the restart.
#[test]
fn a_restart_forgets_which_blocks_took_moves() {
    let temporary = tempfile::tempdir().unwrap();
    let open = || {
        let folder = Folder::open(temporary.path()).unwrap();
        let signer = crate::keys::development("alice").unwrap();
        DisputeAgent::open(signer, TaskId(1), &folder).unwrap()
    };
    let mut agent = open();
    agent.moved_at(u32::MAX);
    assert!(agent.relies_on_its_node() && agent.save());
    drop(agent);
    assert!(!open().relies_on_its_node());
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
