//! What becomes of a pick, depending on other nodes, on proofs and on time.

use super::*;
use crate::{
    chain::mock::{Answer, MockNode},
    run::views,
};
use gotong_scoring::share::{trial::Statement, Half};
use std::net::TcpListener;

const OWN_BLOCK: u32 = 50;
/// A hundred blocks of six seconds.
const USUAL_MOVE: Duration = Duration::from_secs(600);
/// Twenty blocks of one second, on a development chain.
const FAST_MOVE: Duration = Duration::from_secs(20);
const OTHER: Said<'static> = Said::Other("ws://other");

/// What another node shows.
struct Node {
    block: u32,
    /// Age of the block by the clock, measured in blocks.
    age: u32,
    dispute: Option<DisputeView>,
    agrees: bool,
}

impl Node {
    fn at(block: u32, age: u32, dispute: Option<DisputeView>) -> Self {
        Self {
            block,
            age,
            dispute,
            agrees: true,
        }
    }

    async fn opinion(&self, own: u32, url: &str) -> Opinion {
        let (task, round) = (views::task(), views::round());
        let basis = Basis {
            task: &task,
            round: &round,
            inputs: &[7; 32],
        };
        Opinion::of(own, url, self, basis).await.unwrap()
    }

    async fn says(&self) -> Word {
        self.opinion(OWN_BLOCK, "ws://other").await.word(&pick())
    }
}

impl BlockViews for Node {
    fn block(&self) -> u32 {
        self.block
    }

    async fn is_recent(&self, blocks: u32) -> Result<bool, ChainError> {
        Ok(self.age <= blocks)
    }
}

impl DisputeViews for Node {
    async fn open_disputes(&self, task: TaskId) -> Result<Vec<DisputeView>, ChainError> {
        let found = self.dispute.clone().into_iter();
        Ok(found.filter(|found| found.task == task).collect())
    }

    async fn agrees(&self, _: Basis<'_>) -> Result<bool, ChainError> {
        Ok(self.agrees)
    }

    fn move_time(&self) -> Result<Duration, ChainError> {
        Ok(USUAL_MOVE)
    }
}

/// A dispute in which the challenger has to pick, as the own node shows it.
fn pick() -> DisputeView {
    DisputeView {
        awaits_answer: false,
        answers: 1,
        ..views::dispute()
    }
}

/// Lies about it: a challenger that picks in one of these states loses in the true one.
fn lies() -> Vec<DisputeView> {
    let (mut other_statement, mut other_table) = (pick(), pick());
    other_statement.trial.statement = Statement::Losses(Half::A);
    other_table.table.merge = None;
    let more_moves = DisputeView {
        answers: 2,
        picks: 1,
        ..pick()
    };
    vec![other_statement, other_table, more_moves]
}

#[tokio::test]
async fn a_node_that_shows_the_same_dispute_confirms_it_also_if_it_is_behind() {
    // The remaining time differs if blocks were full.
    let later = DisputeView {
        deadline: 1,
        ..pick()
    };
    for node in [
        Node::at(OWN_BLOCK, 0, Some(pick())),
        Node::at(OWN_BLOCK, 0, Some(later)),
        Node::at(0, 9_000, Some(pick())),
    ] {
        assert_eq!(node.says().await, Word::Same);
    }
}

#[tokio::test]
async fn whatever_else_a_node_shows_is_no_confirmation() {
    let shown = lies().into_iter().map(Some).chain([None]);
    for dispute in shown {
        let node = Node::at(OWN_BLOCK, 0, dispute);
        assert_eq!(node.says().await, Word::Other, "{:?}", node.dispute);
    }
    // The dispute is the same, but the round is different.
    let other_round = Node {
        agrees: false,
        ..Node::at(OWN_BLOCK, 0, Some(pick()))
    };
    assert_eq!(other_round.says().await, Word::Other);
}

/// It has not seen the last move yet. The own node cannot make all others look like that, whatever it says about its own blocks.
#[tokio::test]
async fn a_node_that_is_behind_contradicts_nobody() {
    let before = || {
        Some(DisputeView {
            answers: 0,
            ..pick()
        })
    };
    let behind = Node::at(OWN_BLOCK - 3, 21, before());
    assert_eq!(behind.says().await, Word::Nothing);
    let near = Node::at(OWN_BLOCK - 2, 21, before());
    assert_eq!(near.says().await, Word::Other);
    let recent = Node::at(OWN_BLOCK - 3, 20, before());
    assert_eq!(recent.says().await, Word::Other);
}

/// A liar may claim to be at any block, and send its block while two slots in a row are empty.
#[tokio::test]
async fn empty_slots_and_a_high_block_number_do_not_silence_another_node() {
    let node = Node::at(OWN_BLOCK, 3, Some(lies().remove(0)));
    let opinion = node.opinion(OWN_BLOCK + 1_000, "ws://other").await;
    assert_eq!(opinion.word(&pick()), Word::Other);
}

/// Two of three nodes may belong to one liar.
#[tokio::test]
async fn one_node_that_contradicts_is_not_outvoted() {
    let same = Node::at(OWN_BLOCK, 0, Some(pick()));
    let other = Node::at(OWN_BLOCK, 0, None);
    let behind = Node::at(OWN_BLOCK - 30, 30, None);
    let liar = same.opinion(OWN_BLOCK, "ws://liar").await;
    let honest = other.opinion(OWN_BLOCK, "ws://honest").await;
    let behind = behind.opinion(OWN_BLOCK, "ws://behind").await;
    let contradicted = Said::Other("ws://honest");
    let mut opinions = vec![liar, honest];
    assert_eq!(said(&opinions, &pick()), contradicted);
    opinions.reverse();
    assert_eq!(said(&opinions, &pick()), contradicted);
    opinions[0] = behind;
    assert_eq!(said(&opinions, &pick()), Said::Same);
    opinions.truncate(1);
    assert_eq!(said(&opinions, &pick()), Said::Nothing);
    assert_eq!(said(&[], &pick()), Said::Nothing);
}

/// A silent node takes no time from another one, and neither does what the own node says about time.
#[tokio::test]
async fn all_other_nodes_are_asked_side_by_side() {
    let listen = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = [0, 1].map(listen);
    let url = |node: &TcpListener| format!("ws://{}", node.local_addr().unwrap());
    let [first, second] = silent.each_ref().map(url);
    let own = MockNode::new(|_, _| Answer::hash());
    let client = own.client(&["ws://own", &first, &second]).await;
    let (task, round) = (views::task(), views::round());
    let basis = Basis {
        task: &task,
        round: &round,
        inputs: &[7; 32],
    };
    let mut check = PickCheck::default();
    let asked = check.ask(&client, OWN_BLOCK, basis);
    let asked = timeout(Duration::from_secs(1), asked).await;
    assert!(asked.is_err(), "nobody answers");
    for node in silent {
        node.set_nonblocking(true).unwrap();
        node.accept().unwrap();
    }
}

/// A node that never answers costs a quarter of the time for a move, and nothing once that is over, for example after a restart.
#[test]
fn silence_does_not_cost_the_move() {
    let due = |block| is_late(&pick(), block, 100);
    let dispute = pick();
    assert_eq!(dispute.deadline, 101);
    assert!(!due(1) && !due(26) && due(27) && due(101) && due(u32::MAX));
    // On a development chain.
    assert!(!is_late(&dispute, 101 - 15, 20));
    assert!(is_late(&dispute, 101 - 14, 20));
}

/// A pick that has just become due, if a move may take `move_time`.
fn delay(move_time: Duration) -> Delay {
    Delay {
        waited: Duration::ZERO,
        patience: patience(move_time),
        is_late: false,
        is_finality_alive: true,
        may_turn: true,
    }
}

#[test]
fn a_contradiction_that_nobody_proves_turns_to_the_other_node_and_does_not_cost_the_move() {
    let delay = delay(USUAL_MOVE);
    let patience = USUAL_MOVE / 4;
    assert_eq!(delay.patience, patience);
    let doubt = |waited, is_finality_alive| {
        let delay = Delay {
            waited,
            is_finality_alive,
            ..delay
        };
        delay.doubt(OTHER)
    };
    let turn = Doubt::Turn("ws://other");
    for is_alive in [true, false] {
        assert_eq!(doubt(Duration::from_secs(6), is_alive), Doubt::Wait);
    }
    assert_eq!(doubt(patience / 2, true), turn);
    assert_eq!(doubt(patience / 2, false), Doubt::Wait);
    assert_eq!(doubt(patience, false), Doubt::Make);
}

/// The own node may answer so slowly that the time between two looks is longer than the patience.
#[test]
fn a_slow_liar_is_left_also_if_patience_is_over() {
    let first = Delay {
        waited: 10 * USUAL_MOVE,
        ..delay(USUAL_MOVE)
    };
    assert_eq!(first.doubt(OTHER), Doubt::Turn("ws://other"));
    // The agent has switched away from it, and the other node proves nothing either.
    let next = Delay {
        may_turn: false,
        ..first
    };
    assert_eq!(next.doubt(OTHER), Doubt::Make);
    let early = Delay {
        waited: USUAL_MOVE / 8,
        ..next
    };
    assert_eq!(early.doubt(OTHER), Doubt::Wait);
}

/// The own node makes up how long a move takes, and when this one is due.
#[test]
fn a_move_that_is_said_to_take_no_time_is_not_made_at_once() {
    assert_eq!(patience(Duration::ZERO), LEAST_PATIENCE);
    let hurried = delay(Duration::ZERO);
    for said in [Said::Nothing, OTHER] {
        assert_eq!(hurried.doubt(said), Doubt::Wait);
    }
    let late = Delay {
        is_late: true,
        is_finality_alive: false,
        ..delay(USUAL_MOVE)
    };
    assert_eq!(late.doubt(OTHER), Doubt::Wait);
    // Nobody contradicts, for example after a restart while the other node is offline.
    assert_eq!(late.doubt(Said::Nothing), Doubt::Make);
}

/// Whatever a node says about blocks, it cannot make the agent wait longer than this.
#[test]
fn patience_ends_before_the_move_is_due() {
    assert!(patience(Duration::MAX) <= USUAL_MOVE / 2);
    // All others are silent, and finality stands still.
    let silent = OPINION_TIMEOUT + 4 * proof_limit(patience(FAST_MOVE));
    assert!(silent >= patience(FAST_MOVE) && silent < FAST_MOVE * 3 / 4);
}

/// Blocks take a second there, and finality is two or three of them behind. The node that the agent switches away from may be the
/// honest one.
#[test]
fn on_a_development_chain_finality_has_time_to_speak() {
    let block = Duration::from_secs(1);
    let doubt = |waited| {
        let delay = Delay {
            waited,
            ..delay(FAST_MOVE)
        };
        delay.doubt(OTHER)
    };
    assert_eq!(doubt(5 * block), Doubt::Wait);
    assert_eq!(doubt(6 * block), Doubt::Turn("ws://other"));
    assert!(patience(FAST_MOVE) >= 8 * block);
    // Votes come with each block.
    assert!(proof_limit(patience(FAST_MOVE)) >= 2 * block);
    assert!(proof_limit(patience(USUAL_MOVE)) >= 2 * Duration::from_secs(6));
}

/// Otherwise the wait could begin anew with each look, or with each switch to another node.
#[test]
fn it_is_remembered_since_when_a_pick_is_due() {
    let mut check = PickCheck::default();
    let minute = Duration::from_secs(60);
    check.due(&pick()).since = Instant::now().checked_sub(minute).unwrap();
    check.due(&pick()).turns += 1;
    assert!(check.due(&pick()).since.elapsed() >= minute);
    assert_eq!(check.due(&pick()).turns, 1);
    let next = DisputeView {
        answers: 2,
        picks: 1,
        ..pick()
    };
    assert!(check.due(&next).since.elapsed() < minute);
    assert!(check.due(&pick()).since.elapsed() >= minute);
}

#[test]
fn only_accusations_and_picks_put_a_bond_at_risk() {
    let dispute = DisputeId(5);
    let pick = DisputerCommand::Pick { dispute, moves: 1 };
    let answer = DisputerCommand::Answer { dispute, moves: 2 };
    let accuse = DisputerCommand::Accuse { accused: [2; 32] };
    assert!(is_confirmed(&pick) && is_confirmed(&accuse));
    assert!(!is_confirmed(&answer) && !is_confirmed(&DisputerCommand::Compute));
    assert!(is_pick(&pick) && !is_pick(&accuse));
}
