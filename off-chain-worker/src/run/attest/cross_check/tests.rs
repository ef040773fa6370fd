//! Nodes that hide what is due, nodes that make up duties, and nodes that are behind.

use super::*;
use crate::{
    run::{views, Capacity, RunError, ScorerOptions, WorkerDirs},
    state::Folder,
};
use futures::FutureExt;
use gotong_protocol::view::{SeatView, TaskView};
use gotong_scoring::share::{Half, Stage};
use std::{cell::Cell, collections::BTreeSet};

const ACCOUNT: Account = [1; 32];
const TASK: TaskId = TaskId(1);
const ROUND: RoundId = RoundId(2);
const BLOCK: Duration = Duration::from_secs(6);

/// What a node shows.
#[derive(Clone, Default)]
struct Node {
    block: u32,
    is_recent: bool,
    rounds: Vec<RoundView>,
    duties: Vec<Duty>,
    moves: Vec<Demand>,
    requests: Cell<usize>,
}

impl Node {
    /// A node that shows this round, and this duty in it.
    fn with(round: RoundView, what: Option<DutyKind>) -> Self {
        let duty = |what| Duty {
            task: round.task,
            round: round.round,
            phase: round.phase,
            ends_at: round.ends_at,
            what,
        };
        Self {
            block: 10,
            is_recent: true,
            duties: what.map(duty).into_iter().collect(),
            rounds: vec![round],
            ..Self::default()
        }
    }

    fn answer<T>(&self, answer: T) -> Result<T, ChainError> {
        self.requests.set(self.requests.get() + 1);
        Ok(answer)
    }
}

impl TaskViews for Node {
    async fn live_tasks(&self) -> Result<Vec<TaskId>, ChainError> {
        self.answer(self.rounds.iter().map(|round| round.task).collect())
    }

    async fn task(&self, id: TaskId) -> Result<Option<TaskView>, ChainError> {
        let found = self.rounds.iter().find(|round| round.task == id);
        self.answer(found.map(|found| views::task_at(id.0, found.round.0)))
    }
}

impl BlockViews for Node {
    fn block(&self) -> u32 {
        self.block
    }

    async fn is_recent(&self, _: u32) -> Result<bool, ChainError> {
        self.answer(self.is_recent)
    }
}

impl DutyViews for Node {
    async fn round(&self, task: TaskId, round: RoundId) -> Result<Option<RoundView>, ChainError> {
        let mut rounds = self.rounds.iter();
        let found = rounds.find(|found| (found.task, found.round) == (task, round));
        self.answer(found.cloned())
    }

    async fn live_duties(&self, _: &Account) -> Result<Vec<Duty>, ChainError> {
        self.answer(self.duties.clone())
    }

    async fn moves(&self, of: Option<TaskId>, _: &Account) -> Result<Vec<Demand>, ChainError> {
        let is_of = |found: &&Demand| match found {
            Demand::Move { task, .. } => of.is_none_or(|of| of == *task),
            Demand::Seat { .. } => false,
        };
        self.answer(self.moves.iter().filter(is_of).copied().collect())
    }
}

/// A round in which the account has a seat.
fn round(phase: Phase, committed: bool) -> RoundView {
    RoundView {
        phase,
        seed: Some([3; 32]),
        audit_seed: (phase == Phase::Challenge).then_some([4; 32]),
        seats: vec![SeatView {
            committed,
            audited: false,
            ..views::seat(1, SeatState::Sitting, None)
        }],
        ..views::round()
    }
}

fn answer_after(moves: u32) -> Demand {
    Demand::Move {
        task: TASK,
        round: ROUND,
        dispute: DisputeId(5),
        moves,
        statement: Some(Statement::Gradients(Stage::Pay)),
    }
}

fn commit() -> Demand {
    Demand::Seat {
        task: TASK,
        round: ROUND,
        what: DutyKind::CommitAttestation,
    }
}

async fn hidden_by(own: &Node, other: &Node) -> Vec<Demand> {
    let demands = demands(other, &ACCOUNT).await.unwrap();
    hidden(own, other, &ACCOUNT, demands).await.unwrap()
}

#[tokio::test]
async fn a_seat_that_a_node_hides_is_noticed_however_it_does_so() {
    let due = round(Phase::AttestCommit, false);
    let honest = Node::with(due.clone(), Some(DutyKind::CommitAttestation));
    assert!(hidden_by(&honest, &honest).await.is_empty());
    let lies = [
        RoundView {
            seats: Vec::new(),
            ..due.clone()
        },
        RoundView {
            phase: Phase::Reveal,
            ..due.clone()
        },
        RoundView {
            seed: None,
            ..due.clone()
        },
        RoundView {
            round: RoundId(1),
            ..due.clone()
        },
        round(Phase::AttestCommit, true),
    ];
    for lie in lies {
        // The daemon does not ask its own node for duties, so that node's answer about them counts for nothing.
        let liar = Node::with(lie, Some(DutyKind::CommitAttestation));
        assert_eq!(hidden_by(&liar, &honest).await, [commit()]);
    }
    let no_task = Node {
        rounds: Vec::new(),
        ..honest.clone()
    };
    assert_eq!(hidden_by(&no_task, &honest).await, [commit()]);
    // Nothing follows from what the other node does not show, or from duties that are not an attester's.
    assert!(hidden_by(&honest, &Node::default()).await.is_empty());
    let nothing = Node::with(due, Some(DutyKind::Claim));
    assert!(hidden_by(&no_task, &nothing).await.is_empty());
}

#[tokio::test]
async fn reveals_and_audits_count_as_well() {
    for (phase, what) in [
        (Phase::AttestReveal, DutyKind::RevealAttestation),
        (Phase::Challenge, DutyKind::AnswerAudits),
    ] {
        let honest = Node::with(round(phase, true), Some(what));
        assert!(hidden_by(&honest, &honest).await.is_empty());
        let before = Node::with(round(Phase::AttestCommit, true), None);
        assert_eq!(hidden_by(&before, &honest).await.len(), 1);
    }
}

#[tokio::test]
async fn a_move_in_a_dispute_that_a_node_hides_is_noticed() {
    let honest = Node {
        moves: vec![answer_after(2)],
        ..Node::with(round(Phase::Challenge, true), None)
    };
    assert!(hidden_by(&honest, &honest).await.is_empty());
    let liars = [
        Node {
            moves: Vec::new(),
            ..honest.clone()
        },
        Node {
            moves: vec![answer_after(0)],
            ..honest.clone()
        },
        // The chain would refuse the answer to that.
        Node {
            moves: vec![Demand::Move {
                task: TASK,
                round: ROUND,
                dispute: DisputeId(5),
                moves: 2,
                statement: Some(Statement::Losses(Half::A)),
            }],
            ..honest.clone()
        },
        // The daemon looks for disputes only in the rounds of its seats, once their audits are drawn.
        Node {
            rounds: vec![round(Phase::AttestReveal, true)],
            ..honest.clone()
        },
        Node {
            rounds: vec![RoundView {
                seats: Vec::new(),
                ..round(Phase::Challenge, true)
            }],
            ..honest.clone()
        },
    ];
    for liar in liars {
        assert_eq!(hidden_by(&liar, &honest).await, [answer_after(2)]);
    }
}

/// Another program of the account plays it.
#[tokio::test]
async fn a_challenger_needs_no_seat() {
    let pick = Demand::Move {
        task: TASK,
        round: ROUND,
        dispute: DisputeId(5),
        moves: 1,
        statement: None,
    };
    let node = Node {
        moves: vec![pick],
        ..Node::with(
            RoundView {
                seats: Vec::new(),
                ..round(Phase::Challenge, true)
            },
            None,
        )
    };
    assert!(hidden_by(&node, &node).await.is_empty());
}

#[tokio::test]
async fn a_node_that_is_behind_speaks_against_nobody() {
    let due = round(Phase::AttestCommit, false);
    let done = Node::with(round(Phase::AttestCommit, true), None);
    let at = |block, is_recent| Node {
        block,
        is_recent,
        ..Node::with(due.clone(), Some(DutyKind::CommitAttestation))
    };
    assert!(hidden_by(&done, &at(7, false)).await.is_empty());
    // The other node is as new as the own one, or the own one makes up its blocks.
    assert_eq!(hidden_by(&done, &at(8, false)).await, [commit()]);
    assert_eq!(hidden_by(&done, &at(7, true)).await, [commit()]);
}

#[tokio::test]
async fn what_a_node_makes_up_costs_few_requests() {
    let liar = Node {
        moves: vec![answer_after(0); 100_000],
        ..Node::with(round(Phase::Challenge, true), None)
    };
    let honest = Node::with(round(Phase::Challenge, true), None);
    let hidden = hidden_by(&honest, &liar).await;
    assert_eq!(hidden.len(), MOST_DEMANDS);
    assert!(honest.requests.get() <= 1 + 3 * MOST_DEMANDS);
    // If the other node shows no duties, nothing is asked.
    let idle = Node::default();
    hidden_by(&idle, &Node::default()).await;
    assert_eq!(idle.requests.get(), 0);
}

/// What a node shows that many blocks later.
fn told(by: &str, start: Instant, blocks: u32, hidden: &[Demand]) -> Told {
    Told {
        by: by.into(),
        block: 100 + blocks,
        at: start + BLOCK * blocks,
        block_time: BLOCK,
        hidden: hidden.to_vec(),
    }
}

#[test]
fn a_fork_is_no_reason_to_switch_and_a_duty_that_stays_hidden_is() {
    let start = Instant::now();
    let mut check = CrossCheck::default();
    let due = [commit()];
    assert_eq!(check.take_in(told("b", start, 0, &due)), None);
    assert_eq!(check.take_in(told("b", start, 2, &due)), None);
    // The own node now shows it, or has taken the call, so the wait begins anew.
    assert_eq!(check.take_in(told("b", start, 4, &[])), None);
    assert_eq!(check.take_in(told("b", start, 6, &due)), None);
    // Nodes and demands are counted separately.
    assert_eq!(check.take_in(told("c", start, 9, &due)), None);
    assert_eq!(
        check.take_in(told("b", start, 8, &[commit(), answer_after(0)])),
        None
    );
    let both = [answer_after(0), commit()];
    assert_eq!(check.take_in(told("b", start, 9, &both)), Some(commit()));
}

#[test]
fn neither_made_up_blocks_nor_time_alone_make_it_switch() {
    let start = Instant::now();
    let due = [commit()];
    let mut check = CrossCheck::default();
    check.take_in(told("b", start, 0, &due));
    let jumps = Told {
        block: u32::MAX,
        ..told("b", start, 1, &due)
    };
    assert_eq!(check.take_in(jumps), None);
    // A node that is two blocks behind shows what was done in slow blocks.
    let mut check = CrossCheck::default();
    check.take_in(told("b", start, 0, &due));
    let slow = Told {
        block: 102,
        ..told("b", start, 20, &due)
    };
    assert_eq!(check.take_in(slow), None);
}

/// Two nodes, of which at least one lies, make it switch back and forth. It stays with each long enough for a call, and with neither
/// for long.
#[test]
fn switching_back_and_forth_slows_down_and_is_forgiven() {
    let start = Instant::now();
    let mut check = CrossCheck::default();
    let (mut block, mut stays) = (0, Vec::new());
    for switch in 0..6usize {
        let by = ["b", "a"][switch % 2];
        let begun = block;
        while check.take_in(told(by, start, block, &[commit()])).is_none() {
            block += 1;
        }
        check.disconnected();
        stays.push(block - begun);
    }
    assert_eq!(stays, [3, 6, 12, 12, 12, 12]);
    let later = start + BLOCK * block + FORGIVEN_AFTER;
    assert_eq!(check.patience_blocks(later), PATIENCE_BLOCKS);
}

#[test]
fn a_block_of_years_does_not_keep_it() {
    let limit = LONGEST_BLOCK * (PATIENCE_BLOCKS << MOST_DOUBLINGS);
    // The time that a move in a dispute has, in blocks of six seconds.
    assert!(limit < BLOCK * 100 / 2);
}

#[test]
fn whose_move_it_is_follows_from_the_dispute() {
    let dispute = DisputeView {
        answers: 1,
        picks: 1,
        ..views::dispute()
    };
    assert_eq!(move_in(&dispute, &ACCOUNT), Some(answer_after(2)));
    assert_eq!(move_in(&dispute, &[2; 32]), None);
    let picks = DisputeView {
        awaits_answer: false,
        ..dispute
    };
    assert_eq!(move_in(&picks, &ACCOUNT), None);
    assert!(matches!(
        move_in(&picks, &[2; 32]),
        Some(Demand::Move {
            statement: None,
            ..
        })
    ));
    assert_eq!(
        answer_after(2).to_string(),
        "make move 3 in dispute 5 about task 1"
    );
    assert_eq!(
        commit().to_string(),
        "commit to a table in round 2 of task 1"
    );
}

#[tokio::test]
async fn the_daemon_gives_up_a_node_that_hides_something() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let mut attest = Attest::new(
        crate::keys::development("judith").unwrap(),
        WorkerDirs::open(folder, Vec::new()).unwrap(),
        ScorerOptions::default(),
        Capacity::default(),
        BTreeSet::new(),
    );
    let hidden = ChainError::Hidden {
        url: "ws://own".into(),
        shown_by: "ws://other".into(),
        what: commit().to_string(),
    };
    let look = async move { Ended::with(Came::Hidden(hidden)) };
    attest.under_way.begin([look.boxed_local()]);
    attest
        .under_way
        .beside(tokio::time::sleep(Duration::from_millis(5)))
        .await;
    let error: RunError = attest.settle().unwrap_err();
    assert_eq!(error.shown_by(), Some("ws://other"));
    assert!(error.is_gone() && !error.is_fatal());
    assert!(attest.settle().is_ok(), "it is reported once");
}
