//! What has to be so before a bond is put at risk, by an accusation or by a pick.
//!
//! An accusation is proved. A pick is made in a dispute whose bond is on hold already, and has to be made in time: if other nodes
//! are named, one of them has to show the same dispute. Each party could gain by bending that:
//!
//! - **The own node lies**, so that a part is picked which is right. Another node contradicts it, and then what is final decides.
//! - **Another node lies**, or says nothing, so that no pick is made in time. What is final decides against it as well. Nobody
//!   waits for a proof, or for what another node says, for more than a quarter of the time that a move has.
//! - **Neither lies**, and one is a block behind. It shows the same a block later, and nothing that is final contradicts the other.
//!
//! An answer needs none of this: it is refused unless it is what the chain asks for. It only has to be made, so `cross_check` looks
//! whether other nodes ask for another one.

use super::{is_accusation, table_of, DisputeAgent};
use crate::{
    chain::{Call, ChainError, Client, Grounds, Moment},
    engine::DisputerCommand,
    run::second_node::{agrees, keeps_up, proof_wait, BlockViews, OtherNodes},
};
use gotong_protocol::{
    id::DisputeId,
    view::{DisputeView, RoundView, TaskView},
    Hash,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Longest wait for what all other nodes say of the disputes in which picks are due, with the connections; and then for what all of
/// them prove of one. The next answers wait as long.
const OPINION_TIMEOUT: Duration = Duration::from_secs(10);
/// Part of the time of a move for which others are waited for.
const PATIENCE: u32 = 4;
/// Longest patience, whatever nodes say that a move may take: half of what it may take where blocks take six seconds.
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
/// After so long it is forgotten since when a pick is due.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// What a call about a round stands on.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    /// The task that the table was computed for.
    pub task: &'a TaskView,
    pub round: &'a RoundView,
    /// Digest of what the table was computed from.
    pub inputs: &'a Hash,
}

impl<'a> Basis<'a> {
    fn grounds(self) -> Grounds<'a> {
        Grounds {
            task: self.round.task,
            terms: &self.task.terms,
            graph: &self.task.graph,
            round: self.round.round,
            inputs: self.inputs,
            accused: None,
            dispute: None,
        }
    }
}

/// Where a dispute is shown.
trait DisputeViews: BlockViews {
    /// A dispute, if it is open.
    async fn dispute(&self, id: DisputeId) -> Result<Option<DisputeView>, ChainError>;
    /// Whether everything else is the same that a pick follows from.
    async fn agrees(&self, basis: Basis<'_>) -> Result<bool, ChainError>;
}

impl DisputeViews for Moment {
    async fn dispute(&self, id: DisputeId) -> Result<Option<DisputeView>, ChainError> {
        self.dispute(id).await
    }

    async fn agrees(&self, basis: Basis<'_>) -> Result<bool, ChainError> {
        agrees(self, basis.task, basis.round, basis.inputs).await
    }
}

/// What another node says of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The same.
    Same,
    /// Something else, or that there is none.
    Other,
    /// Nothing that counts: it is behind.
    Nothing,
}

/// What the `other` node says of a dispute that the own one shows at block `own`.
async fn word(
    own: u32,
    other: &impl DisputeViews,
    dispute: &DisputeView,
    basis: Basis<'_>,
) -> Result<Word, ChainError> {
    let found = other.dispute(dispute.id).await?;
    let is_same = found.is_some_and(|found| found.position() == dispute.position());
    if is_same && other.agrees(basis).await? {
        return Ok(Word::Same);
    }
    Ok(match keeps_up(own, other).await? {
        true => Word::Other,
        false => Word::Nothing,
    })
}

/// What all other nodes say together.
enum Said {
    /// One says the same.
    Same,
    /// None says the same, and one something else.
    Other {
        by: String,
        /// How long that node says that a move may take.
        move_time: Duration,
    },
    /// Nothing that counts.
    Nothing,
}

/// What is done about a pick that another node contradicts, and that nobody proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It is looked at again in the next block.
    Wait,
    /// The other node is used from now on.
    Turn,
    /// It is made: whoever makes none loses.
    Make,
}

/// What to do after it has been contradicted for so long. If finality goes on, what an honest node shows is final soon: then the
/// other one is more likely to be honest. If finality stands still, one's word is against another's.
fn doubt(waited: Duration, patience: Duration, is_finality_alive: bool) -> Doubt {
    match (waited >= patience, waited >= patience / 2) {
        (true, _) => Doubt::Make,
        (_, true) if is_finality_alive => Doubt::Turn,
        _ => Doubt::Wait,
    }
}

/// How long others are waited for, if a move may take `move_time`.
fn patience(move_time: Duration) -> Duration {
    (move_time / PATIENCE).min(LONGEST_PATIENCE)
}

/// Whether more than a quarter of the time for a move is over at `block`, by what the own node says of it.
fn is_late(dispute: &DisputeView, block: u32, move_blocks: u32) -> bool {
    let left = dispute.deadline.saturating_sub(block);
    left < move_blocks.saturating_sub(move_blocks / PATIENCE)
}

/// Asks other nodes about the disputes in which a pick is due.
#[derive(Default)]
pub(super) struct PickCheck {
    nodes: OtherNodes,
    /// Since when each pick is due: in which dispute, and after how many moves.
    since: BTreeMap<(DisputeId, u32), Instant>,
}

impl PickCheck {
    /// Whether others are to be asked about picks at all.
    pub fn is_needed(client: &Client) -> bool {
        client.is_doubted() && client.others().next().is_some()
    }

    /// Whether the pick that is due in a dispute, as seen at `now`, is to be made now. If not, it comes again with the next block.
    /// All other nodes together have up to `limit` to speak.
    ///
    /// # Errors
    /// Those of every question; and if this client's node lies, or may lie, [`ChainError::Disproved`], [`ChainError::BadProof`] or
    /// [`ChainError::Hidden`]: then another one is to be taken.
    async fn may_pick(
        &mut self,
        client: &Client,
        now: &Moment,
        dispute: &DisputeView,
        basis: Basis<'_>,
        limit: Duration,
    ) -> Result<bool, ChainError> {
        let (move_time, move_blocks) = (now.move_time()?, now.move_blocks()?);
        let waited = self.waited(dispute);
        let others = u32::try_from(client.others().count()).unwrap_or(u32::MAX);
        let each = limit / others.max(1);
        let (by, told) = match self.ask(client, now.block(), dispute, basis, each).await {
            Said::Same => return Ok(true),
            Said::Nothing => {
                let is_made =
                    is_late(dispute, now.block(), move_blocks) || waited >= patience(move_time);
                return Ok(is_made);
            }
            Said::Other { by, move_time } => (by, move_time),
        };
        // As where it is a block behind.
        tracing::info!(dispute = %dispute.id, by, "another node shows another state of the dispute");
        let grounds = Grounds {
            dispute: Some(dispute),
            ..basis.grounds()
        };
        let Err(failures) = client.proved(&grounds, false, each).await? else {
            return Ok(true);
        };
        let is_early = |failure: &ChainError| matches!(failure, ChainError::NotFinal { .. });
        let is_finality_alive = failures.iter().any(is_early);
        // The own node may say that a move may take no time.
        let patience = patience(move_time.max(told));
        match doubt(waited, patience, is_finality_alive) {
            Doubt::Wait => Ok(false),
            Doubt::Turn => Err(ChainError::Hidden {
                url: client.url().to_owned(),
                shown_by: by,
                what: format!("pick in another state of dispute {}", dispute.id),
            }),
            Doubt::Make => {
                let unproved = ChainError::Unproved(failures);
                tracing::error!(dispute = %dispute.id, "{unproved}. The pick is made on one node's word");
                Ok(true)
            }
        }
    }

    /// For how long the pick has been due, as far as this program has seen. It remembers that from one node to the next.
    fn waited(&mut self, dispute: &DisputeView) -> Duration {
        self.since
            .retain(|_, since| since.elapsed() < FORGOTTEN_AFTER);
        let pick = (dispute.id, dispute.moves());
        self.since
            .entry(pick)
            .or_insert_with(Instant::now)
            .elapsed()
    }

    /// Asks one node after another, and none for longer than `each`. That a node cannot be asked is no error.
    async fn ask(
        &mut self,
        client: &Client,
        block: u32,
        dispute: &DisputeView,
        basis: Basis<'_>,
        each: Duration,
    ) -> Said {
        let mut said = Said::Nothing;
        if each.is_zero() {
            return said;
        }
        for url in client.others() {
            let nodes = &mut self.nodes;
            let asked = async {
                let other = nodes.connect(client, url).await?.best().await?;
                let word = word(block, &other, dispute, basis).await?;
                Ok::<_, ChainError>((word, other.move_time()?))
            };
            match timeout(each, asked).await {
                Ok(Ok((Word::Same, _))) => return Said::Same,
                Ok(Ok((Word::Other, move_time))) => {
                    let by = url.clone();
                    said = Said::Other { by, move_time };
                }
                Ok(Ok((Word::Nothing, _))) => {}
                Ok(Err(error)) => {
                    tracing::debug!(url, "the other node was not asked: {error}");
                    self.nodes.give_up(url);
                }
                Err(_) => {
                    tracing::debug!(url, "the other node did not answer in time");
                    self.nodes.give_up(url);
                }
            }
        }
        said
    }
}

impl DisputeAgent {
    /// Fails unless the round, and the table that is to be doubted, are proved by the state at a block that is final, or
    /// confirmed by a second node if finality stands still, or one node's word is enough. An accusation that is wrong costs
    /// its bond.
    pub(super) async fn confirm(
        &self,
        client: &Client,
        now: &Moment,
        basis: Option<Basis<'_>>,
        (command, call): (DisputerCommand, &Call),
    ) -> Result<(), ChainError> {
        let DisputerCommand::Accuse { accused } = command else {
            return Ok(());
        };
        if !client.is_doubted() {
            return Ok(());
        }
        let basis = basis.ok_or_else(|| no_task(now))?;
        let Basis {
            task,
            round,
            inputs,
        } = basis;
        let table = table_of(round, &accused);
        let grounds = Grounds {
            accused: table.map(|root| (accused, root)),
            ..basis.grounds()
        };
        let wait = proof_wait(round, now.block());
        let says_so = async |other: &Moment| {
            let found = other.round(self.task, round.round).await?;
            let is_same = found.is_some_and(|found| table_of(&found, &accused) == table);
            Ok::<_, ChainError>(is_same && agrees(other, task, round, inputs).await?)
        };
        client.confirm(call, &grounds, wait, says_so).await
    }

    /// Those of the picks that are made now. Other nodes are asked also where there is nothing to pick: what the own node shows is
    /// right then, and the table that it is of is wrong.
    pub(super) async fn confirmed(
        &mut self,
        client: &Client,
        now: &Moment,
        disputes: &[DisputeView],
        basis: Option<Basis<'_>>,
        picks: Vec<(DisputerCommand, Option<Call>)>,
    ) -> Result<Vec<(DisputerCommand, Option<Call>)>, ChainError> {
        let of = |command| match command {
            DisputerCommand::Pick { dispute, .. } => {
                disputes.iter().find(|found| found.id == dispute)
            }
            _ => None,
        };
        let due = picks.into_iter();
        let due = due.filter_map(|(command, call)| Some((of(command)?, command, call)));
        let due: Vec<_> = due.collect();
        // Nodes that never answer about one of them do not keep the others waiting for longer.
        for (dispute, ..) in &due {
            self.picks.waited(dispute);
        }
        let (begun, mut made) = (Instant::now(), Vec::new());
        for (dispute, command, call) in due {
            let basis = basis.ok_or_else(|| no_task(now))?;
            let budget = OPINION_TIMEOUT.min(patience(now.move_time()?));
            let limit = budget.saturating_sub(begun.elapsed());
            let may_pick = self.picks.may_pick(client, now, dispute, basis, limit);
            if may_pick.await? {
                made.push((command, call));
            }
        }
        Ok(made)
    }
}

fn no_task(now: &Moment) -> ChainError {
    ChainError::Missing {
        what: "the task that the table was computed for".into(),
        block: now.block(),
    }
}

/// Whether something has to be so before this is sent, if nodes may lie.
pub(super) fn is_confirmed(command: &DisputerCommand) -> bool {
    is_accusation(command) || is_pick(command)
}

pub(super) fn is_pick(command: &DisputerCommand) -> bool {
    matches!(command, DisputerCommand::Pick { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;
    use gotong_scoring::share::{trial::Statement, Half};

    const OWN_BLOCK: u32 = 50;

    /// What another node shows.
    struct Node {
        block: u32,
        is_recent: bool,
        dispute: Option<DisputeView>,
        agrees: bool,
    }

    impl Node {
        fn at(block: u32, is_recent: bool, dispute: Option<DisputeView>) -> Self {
            Self {
                block,
                is_recent,
                dispute,
                agrees: true,
            }
        }

        async fn says(&self) -> Word {
            let (task, round) = (views::task(), views::round());
            let basis = Basis {
                task: &task,
                round: &round,
                inputs: &[7; 32],
            };
            word(OWN_BLOCK, self, &pick(), basis).await.unwrap()
        }
    }

    impl BlockViews for Node {
        fn block(&self) -> u32 {
            self.block
        }

        async fn is_recent(&self, _: u32) -> Result<bool, ChainError> {
            Ok(self.is_recent)
        }
    }

    impl DisputeViews for Node {
        async fn dispute(&self, id: DisputeId) -> Result<Option<DisputeView>, ChainError> {
            let found = self.dispute.clone();
            Ok(found.filter(|found| found.id == id))
        }

        async fn agrees(&self, _: Basis<'_>) -> Result<bool, ChainError> {
            Ok(self.agrees)
        }
    }

    /// A dispute in which the challenger is to pick, as the own node shows it.
    fn pick() -> DisputeView {
        DisputeView {
            awaits_answer: false,
            answers: 1,
            ..views::dispute()
        }
    }

    /// Lies about it: whoever picks in one of these states loses in the true one.
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
        // The time that is left differs where blocks were full.
        let later = DisputeView {
            deadline: 1,
            ..pick()
        };
        for node in [
            Node::at(OWN_BLOCK, true, Some(pick())),
            Node::at(OWN_BLOCK, true, Some(later)),
            Node::at(0, false, Some(pick())),
        ] {
            assert_eq!(node.says().await, Word::Same);
        }
    }

    #[tokio::test]
    async fn whatever_else_a_node_shows_is_no_confirmation() {
        let shown = lies().into_iter().map(Some).chain([None]);
        for dispute in shown {
            let node = Node::at(OWN_BLOCK, true, dispute);
            assert_eq!(node.says().await, Word::Other, "{:?}", node.dispute);
        }
        // The dispute is the same, and the round is another one.
        let other_round = Node {
            agrees: false,
            ..Node::at(OWN_BLOCK, true, Some(pick()))
        };
        assert_eq!(other_round.says().await, Word::Other);
    }

    /// It has yet to see the last move. The own node cannot make all others look so: it may say of its blocks what it likes.
    #[tokio::test]
    async fn a_node_that_is_behind_contradicts_nobody() {
        let before = || {
            Some(DisputeView {
                answers: 0,
                ..pick()
            })
        };
        let behind = Node::at(OWN_BLOCK - 3, false, before());
        assert_eq!(behind.says().await, Word::Nothing);
        let near = Node::at(OWN_BLOCK - 2, false, before());
        assert_eq!(near.says().await, Word::Other);
        let recent = Node::at(OWN_BLOCK - 3, true, before());
        assert_eq!(recent.says().await, Word::Other);
    }

    /// A node that never answers costs a quarter of the time for a move, and nothing once that is over, as after a restart.
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

    #[test]
    fn a_contradiction_that_nobody_proves_turns_to_the_other_node_and_does_not_cost_the_move() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let patience = patience(minutes(10));
        assert_eq!(patience, minutes(10) / 4);
        let first = Duration::from_secs(6);
        for is_alive in [true, false] {
            assert_eq!(doubt(first, patience, is_alive), Doubt::Wait);
            assert_eq!(doubt(patience, patience, is_alive), Doubt::Make);
        }
        let half = patience / 2;
        assert_eq!(doubt(half, patience, true), Doubt::Turn);
        assert_eq!(doubt(half, patience, false), Doubt::Wait);
    }

    /// Another node cannot have it wait for longer by what it says of blocks.
    #[test]
    fn patience_ends_before_the_move_is_due() {
        assert!(patience(Duration::MAX) <= Duration::from_secs(6) * 100 / 2);
        assert_eq!(patience(Duration::from_secs(20)), Duration::from_secs(5));
    }

    /// The own node could begin anew with each look, or with each switch to another one.
    #[test]
    fn it_is_remembered_since_when_a_pick_is_due() {
        let mut check = PickCheck::default();
        let before = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        check.since.insert((pick().id, 1), before);
        assert!(check.waited(&pick()) >= Duration::from_secs(60));
        let next = DisputeView {
            answers: 2,
            picks: 1,
            ..pick()
        };
        assert!(check.waited(&next) < Duration::from_secs(60));
        assert!(check.waited(&pick()) >= Duration::from_secs(60));
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
}
