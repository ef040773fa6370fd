//! Asks another node, besides the one in use, what the attester has to do.
//!
//! Proofs keep an attester from acting on what a node makes up, but nothing proves that a node shows everything. A node that hides
//! a seat, or a move in a dispute, makes an honest attester lose by doing nothing. So if several nodes are named, each of the
//! others is asked from time to time. If one of them keeps showing a duty that the node in use does not show, the attester switches
//! to it. That node may lie, too. Then whatever it makes up is refused or disproved, and whatever it hides is noticed in the same
//! way.

use super::{Attest, Came};
use crate::{
    chain::{Account, ChainError, Client, Moment},
    run::{
        dispute_agent::takes_disputes,
        second_node::{keeps_up, BlockViews, OtherNodes, LAG_BLOCKS},
        tasks::TaskViews,
        under_way::{holding, Ended, Work},
    },
};
use gotong_protocol::{
    id::DisputeId,
    view::{DisputeView, Duty, DutyKind, RoundView},
    Phase, RoundId, SeatState, TaskId,
};
use gotong_scoring::share::trial::Statement;
use std::{
    fmt,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// The shortest time between two looks: about two blocks.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest that one look may take, including the connection.
const LOOK_TIMEOUT: Duration = Duration::from_secs(20);
/// A demand has to be hidden for this many blocks, so that natural forks have settled and calls on their way have arrived. This is
/// longer than a node may lag and still be heard.
const PATIENCE_BLOCKS: u32 = 3;
/// Each switch doubles the wait for the next one, at most this many times. If one of two nodes lies, or both lie in turns, each is
/// used long enough to send a call, and neither for as long as half of an ordinary window.
const MOST_DOUBLINGS: u32 = 2;
/// After this long without a switch, the wait for the next one is as short as for the first.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3600);
/// A block is assumed to take no longer than this, whatever a node says.
const LONGEST_BLOCK: Duration = Duration::from_secs(12);
/// The most demands that are taken from a node. Each of them costs questions to the node in use.
const MOST_DEMANDS: usize = 64;

/// Something that costs the account stake or a bond if it does not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// A duty of its seat.
    Seat {
        task: TaskId,
        round: RoundId,
        what: DutyKind,
    },
    /// A move in a dispute, after `moves` earlier ones.
    Move {
        task: TaskId,
        round: RoundId,
        dispute: DisputeId,
        moves: u32,
        /// What it has to answer for, if its own table is disputed. A node that shows another statement makes it give answers that
        /// the chain refuses, until it is too late. A challenger has none here: it need not have a seat, and other nodes are asked
        /// before it picks.
        statement: Option<Statement>,
    },
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seat { task, round, what } => {
                let what = match what {
                    DutyKind::CommitAttestation => "commit to a table",
                    DutyKind::RevealAttestation => "reveal its table",
                    _ => "answer its audits",
                };
                write!(f, "{what} in round {round} of task {task}")
            }
            Self::Move {
                task,
                dispute,
                moves,
                ..
            } => {
                let next = moves.saturating_add(1);
                write!(f, "make move {next} in dispute {dispute} about task {task}")
            }
        }
    }
}

/// What a node shows at one block.
trait DutyViews: TaskViews + BlockViews {
    /// A round, if there is one.
    async fn round(&self, task: TaskId, round: RoundId) -> Result<Option<RoundView>, ChainError>;
    /// What the account is expected to do in live tasks.
    async fn live_duties(&self, account: &Account) -> Result<Vec<Duty>, ChainError>;
    /// The moves that the account has to make in the disputes of one task, or of all tasks.
    async fn moves(
        &self,
        task: Option<TaskId>,
        account: &Account,
    ) -> Result<Vec<Demand>, ChainError>;
}

impl DutyViews for Moment {
    async fn round(&self, task: TaskId, round: RoundId) -> Result<Option<RoundView>, ChainError> {
        self.round(task, round).await
    }

    async fn live_duties(&self, account: &Account) -> Result<Vec<Duty>, ChainError> {
        self.live_duties(account).await
    }

    async fn moves(
        &self,
        task: Option<TaskId>,
        account: &Account,
    ) -> Result<Vec<Demand>, ChainError> {
        let disputes = self.disputes(task).await?;
        let moves = disputes.iter();
        Ok(moves
            .filter_map(|dispute| move_in(dispute, account))
            .collect())
    }
}

/// The move that the account has to make in a dispute, if it is its turn.
fn move_in(dispute: &DisputeView, account: &Account) -> Option<Demand> {
    let awaited = match dispute.awaits_answer {
        true => dispute.accused,
        false => dispute.challenger,
    };
    (awaited == *account).then(|| Demand::Move {
        task: dispute.task,
        round: dispute.round,
        dispute: dispute.id,
        moves: dispute.moves(),
        statement: dispute.awaits_answer.then_some(dispute.trial.statement),
    })
}

/// What the account has to do for its seat in the round, as the daemon sees it. This is never less than what the chain counts
/// as due.
fn due_in(round: &RoundView, account: &Account) -> Option<DutyKind> {
    let seat = round.seats.iter().find(|seat| seat.account == *account)?;
    if seat.state != SeatState::Sitting || !round.has_samples() {
        return None;
    }
    match round.phase {
        Phase::AttestCommit if !seat.committed => Some(DutyKind::CommitAttestation),
        Phase::AttestReveal if seat.committed && seat.claim.is_none() => {
            Some(DutyKind::RevealAttestation)
        }
        Phase::Challenge if !seat.audited && round.audit_seed.is_some() => {
            Some(DutyKind::AnswerAudits)
        }
        _ => None,
    }
}

/// What the account has to do, as a node shows it. The demands that cost the most if missed come first.
async fn demands(node: &impl DutyViews, account: &Account) -> Result<Vec<Demand>, ChainError> {
    let moves = node.moves(None, account).await?;
    let duties = node.live_duties(account).await?;
    let of_seats = duties.into_iter().filter(|duty| {
        matches!(
            duty.what,
            DutyKind::CommitAttestation | DutyKind::RevealAttestation | DutyKind::AnswerAudits
        )
    });
    let of_seats = of_seats.map(|duty| Demand::Seat {
        task: duty.task,
        round: duty.round,
        what: duty.what,
    });
    Ok(moves
        .into_iter()
        .chain(of_seats)
        .take(MOST_DEMANDS)
        .collect())
}

/// The demands that the `other` node shows and the `own` node, the one in use, hides. The own node is asked the same questions
/// that the daemon asks, so it cannot tell the two apart. Empty if the other node is behind.
async fn hidden(
    own: &impl DutyViews,
    other: &impl DutyViews,
    account: &Account,
    demands: Vec<Demand>,
) -> Result<Vec<Demand>, ChainError> {
    if demands.is_empty() {
        return Ok(demands);
    }
    if !keeps_up(own.block(), other, LAG_BLOCKS).await? {
        return Ok(Vec::new());
    }
    let live = own.live_tasks().await?;
    let mut hidden = Vec::new();
    for demand in demands {
        if !shows(own, &live, account, demand).await? {
            hidden.push(demand);
        }
    }
    Ok(hidden)
}

/// Whether the node shows the demand to the daemon, which looks only at the current rounds of `live` tasks.
async fn shows(
    node: &impl DutyViews,
    live: &[TaskId],
    account: &Account,
    demand: Demand,
) -> Result<bool, ChainError> {
    let (Demand::Seat { task, round, .. } | Demand::Move { task, round, .. }) = demand;
    if !live.contains(&task) {
        return Ok(false);
    }
    let is_under_way = node
        .task(task)
        .await?
        .is_some_and(|view| view.round == round && view.state.is_live());
    if !is_under_way {
        return Ok(false);
    }
    let Some(view) = node.round(task, round).await? else {
        return Ok(false);
    };
    match demand {
        Demand::Seat { what, .. } => Ok(due_in(&view, account) == Some(what)),
        Demand::Move { statement, .. } => {
            let has_seat = view.seats.iter().any(|seat| seat.account == *account);
            let is_seen = takes_disputes(&view) && (has_seat || statement.is_none());
            Ok(is_seen && node.moves(Some(task), account).await?.contains(&demand))
        }
    }
}

/// The result of one look.
struct Told {
    /// The node that was asked.
    by: String,
    /// Its best block.
    block: u32,
    at: Instant,
    block_time: Duration,
    /// What it shows and the node in use does not.
    hidden: Vec<Demand>,
}

/// A demand that the node in use has not shown for some time.
struct Missing {
    demand: Demand,
    shown_by: String,
    /// The best block of the node that shows it, when it was first missed.
    block: u32,
    since: Instant,
}

/// Asks the other nodes in turn.
#[derive(Default)]
pub(super) struct CrossCheck {
    nodes: OtherNodes,
    turn: usize,
    looked_at: Option<Instant>,
    missing: Vec<Missing>,
    /// How many switches there were, unless the last one was long ago; and when that was.
    switches: u32,
    switched_at: Option<Instant>,
}

impl CrossCheck {
    /// Asks the next of the other nodes, if it is time to. A node that does not answer is not an error, and has no consequences.
    ///
    /// Returns [`ChainError::Hidden`] if `client` should switch to another node.
    async fn look(&mut self, client: &Client, account: &Account) -> Option<ChainError> {
        let is_due = self.looked_at.is_none_or(|last| last.elapsed() >= PAUSE);
        let others: Vec<&String> = client.others().collect();
        let place = self.turn.checked_rem(others.len())?;
        let url = others.get(place).copied().filter(|_| is_due)?;
        self.looked_at = Some(Instant::now());
        self.turn = self.turn.wrapping_add(1);
        let told = match timeout(LOOK_TIMEOUT, self.ask(client, url, account)).await {
            Ok(Ok(told)) => told,
            Ok(Err(error)) => {
                tracing::debug!(url, "the other node was not asked: {error}");
                self.nodes.give_up(url);
                return None;
            }
            Err(_) => {
                tracing::debug!(url, "the other node did not answer in time");
                self.nodes.give_up(url);
                return None;
            }
        };
        let demand = self.take_in(told)?;
        Some(ChainError::Hidden {
            url: client.url().to_owned(),
            shown_by: url.clone(),
            what: demand.to_string(),
        })
    }

    async fn ask(
        &mut self,
        client: &Client,
        url: &str,
        account: &Account,
    ) -> Result<Told, ChainError> {
        let other = self.nodes.connect(client, url).await?.best().await?;
        let demands = demands(&other, account).await?;
        // It is asked after the other one, so that it knows no less.
        let own = client.best().await?;
        let block_time = Duration::from_millis(own.block_millis()?).min(LONGEST_BLOCK);
        Ok(Told {
            by: url.to_owned(),
            block: other.block(),
            at: Instant::now(),
            block_time,
            hidden: hidden(&own, &other, account, demands).await?,
        })
    }

    /// Notes the result. If a demand has been hidden for too long, returns it: the node that shows it should be used instead.
    fn take_in(&mut self, told: Told) -> Option<Demand> {
        let Told {
            by,
            block,
            at,
            block_time,
            hidden,
        } = told;
        self.missing
            .retain(|one| one.shown_by != by || hidden.contains(&one.demand));
        for demand in hidden {
            let is_this = |one: &Missing| one.shown_by == by && one.demand == demand;
            if !self.missing.iter().any(is_this) {
                self.missing.push(Missing {
                    demand,
                    shown_by: by.clone(),
                    block,
                    since: at,
                });
            }
        }
        let patience = block_time.saturating_mul(self.patience_blocks(at));
        // Its block numbers alone are not enough, because it may lie about them. Time alone is not enough when blocks are slow.
        let is_sure = |one: &&Missing| {
            one.shown_by == by
                && block.saturating_sub(one.block) > LAG_BLOCKS
                && at.saturating_duration_since(one.since) >= patience
        };
        let demand = self.missing.iter().find(is_sure)?.demand;
        self.switches = self.recent_switches(at).saturating_add(1);
        self.switched_at = Some(at);
        Some(demand)
    }

    fn recent_switches(&self, now: Instant) -> u32 {
        let is_recent = |last: Instant| now.saturating_duration_since(last) < FORGIVEN_AFTER;
        match self.switched_at.is_some_and(is_recent) {
            true => self.switches,
            false => 0,
        }
    }

    fn patience_blocks(&self, now: Instant) -> u32 {
        PATIENCE_BLOCKS << self.recent_switches(now).min(MOST_DOUBLINGS)
    }

    /// From now on another node is used, which may show what the previous one did not.
    pub fn disconnected(&mut self) {
        self.missing.clear();
    }
}

impl Attest {
    /// Asks another node, unless that is under way already, no other node is named, or one node's word is enough.
    pub(super) fn cross_check(&self, client: &Client) -> Option<Work<Came>> {
        if !client.is_doubted() {
            return None;
        }
        let (client, account) = (client.clone(), self.account);
        holding(&self.cross_check, |mut check| async move {
            let hidden = check.look(&client, &account).await;
            Ended {
                came: hidden.map(Came::Hidden),
                next: Vec::new(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
