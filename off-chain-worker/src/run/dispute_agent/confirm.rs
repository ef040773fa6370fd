//! What has to hold before an accusation or a pick puts a bond at risk.
//!
//! An accusation is proved. A pick is different: the bond of its dispute is already on hold, and it has to be made in time. If
//! other nodes are named, one of them has to show the same dispute and none a different one; otherwise the pick is proved as well.
//! Each party could try to gain by bending this:
//!
//! - **The own node lies**, so that the agent picks a part that is right. Another node contradicts it, and then the final state
//!   decides. It cannot silence the others by what it says about time and block numbers: they are asked for just as long whatever
//!   it says, and this machine's clock decides whether they are behind.
//! - **Another node lies**, or says nothing, so that no pick is made in time. The final state decides against it as well. The agent
//!   waits for a proof, or for another node, for no more than a quarter of the time that a move has, or eight seconds.
//! - **Two of three lie**, and show the same. The third one contradicts them, so they have to prove it.
//! - **None lies**, and one is a block behind. It shows the same a block later, and the final state does not contradict the other.
//!
//! An answer needs none of this: the chain refuses it unless it is what the chain asks for. It only has to be made, so
//! `cross_check` looks whether other nodes ask for a different one.

use super::{is_accusation, table_of, DisputeAgent};
use crate::{
    chain::{Call, ChainError, Client, Grounds, Moment},
    engine::DisputerCommand,
    run::second_node::{agrees, keeps_up, proof_wait, BlockViews, OtherNodes},
};
use futures::future::join_all;
use gotong_protocol::{
    id::DisputeId,
    view::{DisputeView, RoundView, TaskView},
    Hash, TaskId,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Longest wait for what other nodes say about the disputes in which picks are due, including the time to connect. They are asked
/// in parallel, so none takes time from another.
const OPINION_TIMEOUT: Duration = Duration::from_secs(6);
/// A node whose newest block is older than this many blocks does not count. The limit is generous because the own node can choose
/// when the other one is asked, and two empty slots in a row are not rare.
const BEHIND_BLOCKS: u32 = 20;
/// The agent waits for other nodes for this part of a move's time.
const PATIENCE: u32 = 4;
/// Longest patience, however long nodes say a move may take: half of a move's time if blocks take six seconds.
const LONGEST_PATIENCE: Duration = Duration::from_secs(300);
/// Shortest patience, whatever nodes say: eight blocks if they take a second, out of a move's twenty.
const LEAST_PATIENCE: Duration = Duration::from_secs(8);
/// No node is abandoned for a missing proof before this: six blocks if they take a second. Finality is two or three blocks behind.
const LEAST_TURN: Duration = Duration::from_secs(6);
/// Each node gets this part of the patience for a proof: at least two blocks, so that votes can arrive.
const PROOF_PART: u32 = 8;
/// The minimum and the maximum of it: two blocks if they take a second, and two if they take six.
const PROOF_LIMITS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(12)];
/// After this long, the agent forgets since when a pick has been due.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// What a call about a round relies on.
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

/// A source of open disputes: a node, or a test's stand-in.
trait DisputeViews: BlockViews {
    /// The open disputes of a task.
    async fn open_disputes(&self, task: TaskId) -> Result<Vec<DisputeView>, ChainError>;
    /// Whether everything else that a pick depends on is the same.
    async fn agrees(&self, basis: Basis<'_>) -> Result<bool, ChainError>;
    /// How long a move may take.
    fn move_time(&self) -> Result<Duration, ChainError>;
}

impl DisputeViews for Moment {
    async fn open_disputes(&self, task: TaskId) -> Result<Vec<DisputeView>, ChainError> {
        self.disputes(Some(task)).await
    }

    async fn agrees(&self, basis: Basis<'_>) -> Result<bool, ChainError> {
        agrees(self, basis.task, basis.round, basis.inputs).await
    }

    fn move_time(&self) -> Result<Duration, ChainError> {
        self.move_time()
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

/// What another node shows of everything that picks depend on.
struct Opinion {
    /// Where the node is.
    url: String,
    /// The open disputes of the task.
    disputes: Vec<DisputeView>,
    /// Whether everything else is the same.
    agrees: bool,
    /// Whether it may contradict the own node.
    keeps_up: bool,
    /// How long it says that a move may take.
    move_time: Duration,
}

impl Opinion {
    /// What the `other` node at `url` shows, while the own node is at block `own`.
    async fn of(
        own: u32,
        url: &str,
        other: &impl DisputeViews,
        basis: Basis<'_>,
    ) -> Result<Self, ChainError> {
        Ok(Self {
            url: url.to_owned(),
            disputes: other.open_disputes(basis.round.task).await?,
            agrees: other.agrees(basis).await?,
            keeps_up: keeps_up(own, other, BEHIND_BLOCKS).await?,
            move_time: other.move_time()?,
        })
    }

    /// What it says about a dispute that the own node shows.
    fn word(&self, dispute: &DisputeView) -> Word {
        let mut disputes = self.disputes.iter();
        let found = disputes.find(|found| found.id == dispute.id);
        let is_same = found.is_some_and(|found| found.position() == dispute.position());
        match (is_same && self.agrees, self.keeps_up) {
            (true, _) => Word::Same,
            (false, true) => Word::Other,
            (false, false) => Word::Nothing,
        }
    }
}

/// Asks the node at `url`, connecting to it if it is not `connected`.
async fn opinion(
    client: &Client,
    url: &str,
    connected: Option<Client>,
    own: u32,
    basis: Basis<'_>,
) -> Result<(Client, Opinion), ChainError> {
    let node = match connected {
        Some(node) => node,
        None => client.open_other(url).await?,
    };
    let other = node.best().await?;
    let opinion = Opinion::of(own, url, &other, basis).await?;
    Ok((node, opinion))
}

/// What the other nodes say, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said<'a> {
    /// One says the same, and none something else.
    Same,
    /// The node at this URL says something else.
    Other(&'a str),
    /// Nothing that counts.
    Nothing,
}

/// What they say about a dispute. Nodes that agree do not outweigh one that does not: they may all belong to one liar.
fn said<'a>(opinions: &'a [Opinion], dispute: &DisputeView) -> Said<'a> {
    let mut said = Said::Nothing;
    for opinion in opinions {
        match opinion.word(dispute) {
            Word::Other => return Said::Other(&opinion.url),
            Word::Same => said = Said::Same,
            Word::Nothing => {}
        }
    }
    said
}

/// What is done about a pick that is neither confirmed nor proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt<'a> {
    /// Look at it again in the next block.
    Wait,
    /// Use the node at this URL from now on.
    Turn(&'a str),
    /// Make it, because a challenger that makes none loses.
    Make,
}

/// The state of a pick that is neither confirmed nor proved.
#[derive(Clone, Copy, Debug)]
struct Delay {
    /// For how long it has been due, by the clock of this machine.
    waited: Duration,
    /// How long others are waited for.
    patience: Duration,
    /// Whether more than a quarter of the time for it is over, according to the own node.
    is_late: bool,
    /// Whether some node proves that finality advances.
    is_finality_alive: bool,
    /// Whether the own node may be abandoned because of it. Each of the others gets one turn; otherwise two liars could send the
    /// agent back and forth.
    may_turn: bool,
}

impl Delay {
    /// What to do after what other nodes `said`. While finality advances, what an honest node shows is soon final. If the own
    /// node's view is not, the node that contradicts it is more likely to be honest. While finality stands still, it is one node's
    /// word against another's. What the own node says about the deadline counts only if nobody contradicts it.
    ///
    /// The own node is abandoned even if patience is over: it may have answered so slowly that this is the first look since then.
    fn doubt(self, said: Said<'_>) -> Doubt<'_> {
        let is_over = self.waited >= self.patience;
        match said {
            Said::Other(url)
                if self.may_turn && self.is_finality_alive && self.is_time_to_turn() =>
            {
                Doubt::Turn(url)
            }
            _ if is_over => Doubt::Make,
            Said::Nothing if self.is_late => Doubt::Make,
            _ => Doubt::Wait,
        }
    }

    /// Whether finality has had time to confirm the own node.
    fn is_time_to_turn(self) -> bool {
        self.waited >= LEAST_TURN.max(self.patience / 2)
    }
}

/// How long to wait for others, if a move may take `move_time`.
fn patience(move_time: Duration) -> Duration {
    (move_time / PATIENCE).clamp(LEAST_PATIENCE, LONGEST_PATIENCE)
}

/// How long each node may take for a proof.
fn proof_limit(patience: Duration) -> Duration {
    let [least, most] = PROOF_LIMITS;
    (patience / PROOF_PART).clamp(least, most)
}

/// Whether more than a quarter of the time for a move is over at `block`, according to the own node.
fn is_late(dispute: &DisputeView, block: u32, move_blocks: u32) -> bool {
    let left = dispute.deadline.saturating_sub(block);
    left < move_blocks.saturating_sub(move_blocks / PATIENCE)
}

/// A pick that is due.
struct DuePick {
    since: Instant,
    /// How often a node was left because of it.
    turns: usize,
}

/// Asks other nodes about the disputes in which a pick is due.
#[derive(Default)]
pub(super) struct PickCheck {
    nodes: OtherNodes,
    /// The picks that are due, by dispute and number of moves made.
    due: BTreeMap<(DisputeId, u32), DuePick>,
}

impl PickCheck {
    /// Whether others are to be asked about picks at all.
    pub fn is_needed(client: &Client) -> bool {
        client.is_doubted() && client.others().next().is_some()
    }

    /// What this program remembers about the pick that is due in a dispute. It survives a switch to another node.
    fn due(&mut self, dispute: &DisputeView) -> &mut DuePick {
        self.due
            .retain(|_, pick| pick.since.elapsed() < FORGOTTEN_AFTER);
        let pick = (dispute.id, dispute.moves());
        self.due.entry(pick).or_insert_with(|| DuePick {
            since: Instant::now(),
            turns: 0,
        })
    }

    /// What all other nodes show, while the own node is at `block`. A node that does not answer is not an error.
    async fn ask(&mut self, client: &Client, block: u32, basis: Basis<'_>) -> Vec<Opinion> {
        let (mut urls, mut asked) = (Vec::new(), Vec::new());
        for url in client.others() {
            let connected = self.nodes.connected(url);
            let opinion = opinion(client, url, connected, block, basis);
            asked.push(timeout(OPINION_TIMEOUT, opinion));
            urls.push(url);
        }
        let mut opinions = Vec::new();
        for (url, answer) in urls.into_iter().zip(join_all(asked).await) {
            match answer {
                Ok(Ok((node, opinion))) => {
                    self.nodes.keep(url, node);
                    opinions.push(opinion);
                }
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
        opinions
    }
}

/// One look at the picks that are due, in one block.
struct Look<'a> {
    client: &'a Client,
    now: &'a Moment,
    basis: Basis<'a>,
    /// What other nodes show.
    opinions: &'a [Opinion],
    patience: Duration,
    /// When to stop asking for proofs. So nodes that never answer about one pick do not delay the other picks for long.
    proofs_end: Instant,
    /// Whether some node has proved that finality advances, for any of the picks.
    is_finality_alive: bool,
}

impl<'a> Look<'a> {
    /// Fails if the own node does not say how long a move may take.
    fn new(
        client: &'a Client,
        now: &'a Moment,
        basis: Basis<'a>,
        opinions: &'a [Opinion],
    ) -> Result<Self, ChainError> {
        // The own node may claim that a move takes no time.
        let told = opinions.iter().map(|opinion| opinion.move_time);
        let move_time = told.fold(now.move_time()?, Duration::max);
        let patience = patience(move_time);
        let nodes = client.others().count().saturating_add(1);
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        let proofs = proof_limit(patience).saturating_mul(nodes);
        Ok(Self {
            client,
            now,
            basis,
            opinions,
            patience,
            proofs_end: Instant::now() + proofs.min(LONGEST_PATIENCE),
            is_finality_alive: false,
        })
    }

    /// Whether a `pick` in a dispute is to be made now. If not, it comes again with the next block.
    ///
    /// # Errors
    /// Those of every question; and if this client's node lies, or may lie, [`ChainError::Disproved`], [`ChainError::BadProof`] or
    /// [`ChainError::Hidden`]: then another one is to be taken.
    async fn may_pick(
        &mut self,
        dispute: &DisputeView,
        pick: &mut DuePick,
    ) -> Result<bool, ChainError> {
        let said = said(self.opinions, dispute);
        match said {
            Said::Same => return Ok(true),
            // For example because it is a block behind.
            Said::Other(by) => {
                tracing::info!(dispute = %dispute.id, by, "another node shows another state of the dispute");
            }
            Said::Nothing => {}
        }
        let Err(failures) = self.proved(dispute).await? else {
            return Ok(true);
        };
        let delay = Delay {
            waited: pick.since.elapsed(),
            patience: self.patience,
            is_late: is_late(dispute, self.now.block(), self.now.move_blocks()?),
            is_finality_alive: self.is_finality_alive,
            may_turn: pick.turns < self.client.others().count(),
        };
        match delay.doubt(said) {
            Doubt::Wait => Ok(false),
            Doubt::Turn(by) => {
                pick.turns = pick.turns.saturating_add(1);
                Err(ChainError::Hidden {
                    url: self.client.url().to_owned(),
                    shown_by: by.to_owned(),
                    what: format!("pick in another state of dispute {}", dispute.id),
                })
            }
            Doubt::Make => {
                let unproved = ChainError::Unproved(failures);
                tracing::error!(dispute = %dispute.id, "{unproved}. The pick is made on one node's word");
                Ok(true)
            }
        }
    }

    /// As [`Client::proved`], about a dispute.
    async fn proved(
        &mut self,
        dispute: &DisputeView,
    ) -> Result<Result<(), Vec<ChainError>>, ChainError> {
        let grounds = Grounds {
            dispute: Some(dispute),
            ..self.basis.grounds()
        };
        let left = self.proofs_end.saturating_duration_since(Instant::now());
        let limit = proof_limit(self.patience).min(left);
        let proved = self.client.proved(&grounds, false, limit).await?;
        if let Err(failures) = &proved {
            let is_early = |failure: &ChainError| matches!(failure, ChainError::NotFinal { .. });
            self.is_finality_alive |= failures.iter().any(is_early);
        }
        Ok(proved)
    }
}

impl DisputeAgent {
    /// Fails unless the round and the table to be doubted are proved by the state at a final block, or confirmed by a second node
    /// while finality stands still, or one node's word is enough. A wrong accusation costs its bond.
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

    /// The picks to make now. Other nodes are asked even if there is nothing to pick: then what the own node shows is correct,
    /// although the table that it belongs to is wrong.
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
        // Picks that are looked at later in this loop have been due for just as long.
        for (dispute, ..) in &due {
            self.picks.due(dispute);
        }
        let mut made = Vec::new();
        if due.is_empty() {
            return Ok(made);
        }
        let basis = basis.ok_or_else(|| no_task(now))?;
        let opinions = self.picks.ask(client, now.block(), basis).await;
        let mut look = Look::new(client, now, basis, &opinions)?;
        for (dispute, command, call) in due {
            if let Some(call) = &call {
                client.encoded(call, now)?;
            }
            if look.may_pick(dispute, self.picks.due(dispute)).await? {
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

/// Whether this has to be confirmed before it is sent, if nodes may lie.
pub(super) fn is_confirmed(command: &DisputerCommand) -> bool {
    is_accusation(command) || is_pick(command)
}

pub(super) fn is_pick(command: &DisputerCommand) -> bool {
    matches!(command, DisputerCommand::Pick { .. })
}

#[cfg(test)]
mod tests;
