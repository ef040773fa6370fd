//! The daemons: each is an engine, driven by every new best block.
//!
//! A daemon saves its engine before it acts, so that it can be killed at any moment. It outlives its node: when the
//! connection is lost or something fails, it waits a little and connects again.

mod attest;
mod challenge;
mod checkpoints;
mod claims;
mod contribute;
mod contribute_all;
mod credits;
mod delta_source;
mod device_mark;
mod dirs;
mod dispute_agent;
mod dispute_evidence;
#[cfg(test)]
mod dispute_games;
mod end_signals;
mod engine_files;
mod exam_plan;
mod memories;
mod opened_exams;
mod own_exam;
mod own_samples;
mod pace;
mod pay;
mod pools;
mod replica;
mod residuals;
mod round_memory;
mod second_node;
mod spare_memory;
mod sponsor;
mod tasks;
mod time_shares;
mod training_data;
mod training_job;
mod under_way;
#[cfg(test)]
pub(crate) mod views;
mod volunteer;
mod watch;

pub use attest::{Attest, Conditions};
pub use challenge::Challenge;
pub use claims::{claim_rounds, due_claims, needs_replay, Claims, DueClaim, StuckClaim};
pub use contribute::Contribute;
pub use contribute_all::ContributeAll;
pub use credits::Unpublished;
pub use delta_source::{
    DeltaSource, OwnWeights, SampleSource, Strategy, Training, TrainingDataError, TrainingPlan,
};
pub use device_mark::DeviceMark;
pub use dirs::WorkerDirs;
pub use dispute_agent::{stage, turn, DisputeAgent, Hearing, Suspects};
pub use dispute_evidence::dispute_evidence;
pub use exam_plan::{ExamPlan, ExamPlanError};
pub use opened_exams::{sample_hash, OpenedExams};
pub use own_exam::{Harm, OwnExamError};
pub use own_samples::load_what_fits;
pub use pools::{Pool, PoolError, Pools};
pub use replica::{
    claim_difference, in_commit_order, inputs_digest, task_recipe, Recomputed, Replica,
    ReplicaError, RevealedDelta, RoundInputs, RoundPlayer, ScoredRound, ScorerOptions,
};
pub use round_memory::RoundMemory;
pub use spare_memory::{attesting_programs, free_memory, spare_memory};
pub use sponsor::{RecordsMadeBy, SealError, Sealed, Sponsoring, UnfitShards};
pub use training_job::Seed;
pub use volunteer::{Capacity, FEES_TO_KEEP};
pub use watch::Watch;

use crate::{
    chain::{Account, Call, ChainError, Client, Inclusion, Keypair, Moment, Nodes, Receipt},
    keys::address,
    state::StateError,
};
use gotong_evaluation::EvidenceError;
use gotong_protocol::{view::TaskView, RoundId, TaskId};
use gotong_training::TrainingError;
use std::{
    future::Future,
    ops::ControlFlow,
    time::{Duration, Instant},
};
use tokio::sync::watch::{channel, Receiver};
use tracing::Span;

/// Why a daemon cannot continue, or has to try again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The chain could not be asked, or refused something.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The task cannot be rebuilt.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// The worker's own files cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Training failed.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The account is not registered for this work; the text says what is missing.
    #[error("{0}")]
    Unregistered(&'static str),
    /// What was asked for cannot be done now; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The delta would be empty.
    #[error("the weights are the same as the task's: there is nothing to submit")]
    NothingLearned,
    /// The delta would make the model worse.
    #[error("{0}: nothing is submitted in this round. Train for fewer steps, or with a lower learning rate")]
    Harmful(Harm),
    /// A delta cannot be tried before it is submitted.
    #[error(transparent)]
    OwnExam(#[from] OwnExamError),
    /// A step cannot be shown.
    #[error("no evidence: {0}")]
    Evidence(#[from] EvidenceError),
    /// The operating system's source of randomness failed.
    #[error("the system provides no randomness: {0}")]
    Randomness(#[from] rand::rand_core::OsError),
    /// A computing thread panicked, or the program is ending.
    #[error("a computation was aborted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl RunError {
    /// Whether the node is of no use now, so that another connection may help.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Chain(error) if error.is_gone())
    }

    /// The URL of the node to use next, if it showed what the previous one hid.
    fn shown_by(&self) -> Option<&str> {
        match self {
            Self::Chain(error) => error.shown_by(),
            _ => None,
        }
    }

    /// Whether the worker's disk is full.
    fn lacks_room(&self) -> bool {
        let (Self::State(error) | Self::Replica(ReplicaError::State(error))) = self else {
            return false;
        };
        matches!(error, StateError::Full(_))
    }

    /// Whether the chain did not have what was asked for, at the block in question. The node may know it once it has the next block
    /// or has switched to another fork.
    fn is_lacking(&self) -> bool {
        matches!(
            self,
            Self::Chain(ChainError::NoTask(_))
                | Self::Replica(ReplicaError::Chain(ChainError::NoTask(_)))
                | Self::Unregistered(_)
        )
    }

    /// Whether trying again cannot help. A full disk may get room again, and a device may work again.
    fn is_fatal(&self) -> bool {
        match self {
            Self::Replica(error) => error.is_fatal(),
            Self::Chain(
                ChainError::Incompatible(_) | ChainError::OtherChain { .. } | ChainError::NoTask(_),
            ) => true,
            Self::Chain(_) | Self::Aborted(_) | Self::Harmful(_) => false,
            Self::Training(error) => {
                !matches!(error, TrainingError::Stopped | TrainingError::Device(_))
            }
            Self::State(error) => !error.may_pass(),
            Self::Unregistered(_)
            | Self::Refused(_)
            | Self::NothingLearned
            | Self::OwnExam(_)
            | Self::Evidence(_)
            | Self::Randomness(_) => true,
        }
    }
}

/// A worker that acts on every new best block.
pub trait Daemon {
    /// Looks at the chain and does what is due now; breaks once everything is done.
    fn tick(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> impl Future<Output = Result<ControlFlow<()>, RunError>>;

    /// Awaits `wait`, and meanwhile continues the work under way.
    fn beside<T>(&mut self, wait: impl Future<Output = T>) -> impl Future<Output = T> {
        wait
    }

    /// Called when the connection is given up, together with everything that is under way on it.
    fn disconnected(&mut self) {}
}

/// How a look ends: it breaks once everything `is_done`.
fn until(is_done: bool) -> ControlFlow<()> {
    match is_done {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// A span for what an account does about a round of a task, so that every log line names all three.
fn round_span(task: TaskId, round: RoundId, account: &Account) -> Span {
    tracing::info_span!("round", %task, %round, account = %address(account))
}

/// The highest tip of daemons whose calls can wait.
pub const NO_TIP: u128 = 0;
/// How many blocks to wait after a refusal. Each refusal costs a fee.
const REFUSED_BLOCKS: u32 = 5;

/// Whether, at `block`, a refused call still has to wait until block `until`. If that is longer than any call waits, `until` was
/// counted from a block that a node made up, and the wait is over.
fn is_refused(until: u32, block: u32) -> bool {
    (1..=REFUSED_BLOCKS).contains(&until.saturating_sub(block))
}

/// Runs `daemon` until it is done, cannot continue, or is told to stop. If something fails with one of the nodes, the next node is
/// tried. Calls that blocks pass over get a tip of up to `max_tip` planck.
pub async fn drive(
    nodes: &Nodes,
    max_tip: u128,
    daemon: &mut impl Daemon,
    stop: &Stop,
) -> Result<(), RunError> {
    let mut backoff = Backoff::default();
    // The word of one node does not end the daemon, because that node may lie, or be on an old runtime.
    let mut fatal = 0;
    loop {
        let ended = tokio::select! {
            () = stop.told() => return Ok(()),
            ended = session(nodes, max_tip, daemon) => ended,
        };
        let error = match ended {
            Ok(()) => return Ok(()),
            Err(error) if error.is_fatal() => {
                fatal += 1;
                if fatal >= nodes.count() {
                    return Err(error);
                }
                error
            }
            Err(error) => {
                fatal = 0;
                error
            }
        };
        daemon.disconnected();
        match error.shown_by() {
            Some(url) => nodes.turn_to(url),
            None => nodes.pass_over(),
        }
        let delay = backoff.after(&error);
        tracing::warn!("{error}; trying again in {delay:?}");
        tokio::select! {
            () = stop.told() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

async fn session(nodes: &Nodes, max_tip: u128, daemon: &mut impl Daemon) -> Result<(), RunError> {
    let client = nodes.connect().await?.tipping(max_tip);
    tracing::info!("connected to {}", client.url());
    let mut blocks = client.best_blocks().await?;
    let mut patience = Patience::with(&client);
    while let Some(now) = daemon.beside(blocks.latest()).await {
        let now = now?;
        let looked = daemon.tick(&client, &now).await;
        if patience
            .after(now.block(), Instant::now(), looked)?
            .is_break()
        {
            return Ok(());
        }
    }
    Err(ChainError::Disconnected("it sends no more blocks".into()).into())
}

/// Waits some blocks for something that the chain does not have, such as a task. The task may have been opened in a block that the
/// node does not have yet, or in one that it has just dropped for another fork.
#[derive(Debug, Default)]
struct Patience {
    /// The first block without it, and when that was.
    since: Option<(u32, Instant)>,
    /// Whether another node can be asked: this one may lie.
    has_others: bool,
}

impl Patience {
    /// Longer than most forks.
    const BLOCKS: u32 = 10;
    /// Measured by this computer's clock, because a node decides when blocks arrive. It is half of five blocks of six seconds, the
    /// shortest window in which something may be due.
    const LONGEST: Duration = Duration::from_secs(15);

    /// Patience with the node of this client.
    fn with(client: &Client) -> Self {
        Self {
            since: None,
            has_others: client.others().next().is_some(),
        }
    }

    /// Takes the result of the look at `block`, at the time `now`. If something was missing, it continues anyway, unless something
    /// has been missing for too long.
    fn after(
        &mut self,
        block: u32,
        now: Instant,
        looked: Result<ControlFlow<()>, RunError>,
    ) -> Result<ControlFlow<()>, RunError> {
        let error = match looked {
            Err(error) if error.is_lacking() => error,
            looked => {
                self.since = None;
                return looked;
            }
        };
        let Some((first, at)) = self.since else {
            self.since = Some((block, now));
            tracing::warn!("{error}; looking again for {} blocks", Self::BLOCKS);
            return Ok(ControlFlow::Continue(()));
        };
        let is_late = self.has_others && now.saturating_duration_since(at) >= Self::LONGEST;
        match is_late || block >= first.saturating_add(Self::BLOCKS) {
            true => Err(error),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Finds a task that the node may not know yet.
///
/// # Errors
/// Fails like any other question to a node, and with [`ChainError::NoTask`] if no task has this id for ten blocks.
pub async fn awaited_task(client: &Client, task: TaskId) -> Result<TaskView, RunError> {
    let mut blocks = client.best_blocks().await?;
    let mut patience = Patience::with(client);
    while let Some(now) = blocks.latest().await {
        let now = now?;
        match now.existing_task(task).await {
            Ok(view) => return Ok(view),
            Err(error) => {
                let _ = patience.after(now.block(), Instant::now(), Err(error.into()))?;
            }
        }
    }
    Err(ChainError::Disconnected("it sends no more blocks".into()).into())
}

/// Sends a call that can succeed only once. Returns `None` if the chain says that it already has,
/// for example after a transaction that was believed lost.
async fn submit_once(
    client: &Client,
    signer: &Keypair,
    call: &Call,
) -> Result<Option<Receipt>, ChainError> {
    match client.submit(signer, call, Inclusion::Best).await {
        Err(error) if error.is_done_already(call) => {
            tracing::debug!("{error}");
            Ok(None)
        }
        sent => sent.map(Some),
    }
}

/// How long to wait before trying again. The two kinds of failures are counted separately: after a node was away for long, there is
/// no reason to wait long after the first refused call, which may only have been signed for a fork that was dropped.
#[derive(Debug, Default)]
struct Backoff {
    /// The node is away. Trying again is free.
    gone: Failures,
    /// The chain refused a call, or something else failed. Another try may cost a fee.
    other: Failures,
}

impl Backoff {
    const LONGEST_GONE: Duration = Duration::from_secs(4);
    /// Half of the shortest window in which something may be due: five blocks of six seconds.
    const LONGEST: Duration = Duration::from_secs(15);

    fn after(&mut self, error: &RunError) -> Duration {
        match error.is_gone() {
            true => self.gone.next(Self::LONGEST_GONE),
            false => self.other.next(Self::LONGEST),
        }
    }
}

/// Waits that double with every failure, and begin anew after some time without one.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    const FIRST: Duration = Duration::from_millis(500);
    const FORGIVEN_AFTER: Duration = Duration::from_secs(90);

    fn next(&mut self, longest: Duration) -> Duration {
        let is_new = self
            .last
            .is_none_or(|last| last.elapsed() > Self::FORGIVEN_AFTER);
        self.count = if is_new { 0 } else { self.count + 1 };
        self.last = Some(Instant::now());
        Self::FIRST
            .saturating_mul(1 << self.count.min(16))
            .min(longest)
    }
}

/// Tells daemons when the user wants the program to end.
#[derive(Clone, Debug)]
pub struct Stop(Receiver<bool>);

impl Stop {
    /// Listens for Ctrl-C, and for whatever else asks a program to end on this system.
    pub fn on_signals() -> std::io::Result<Self> {
        let asked = end_signals::end_signals()?;
        let (tell, told) = channel(false);
        tokio::spawn(async move {
            asked.await;
            tracing::info!("stopping");
            // An error means that nobody listens any more, so nobody has to be told.
            let _ = tell.send(true);
            // The channel stays open, so that `told` is never woken by its end.
            std::future::pending::<()>().await;
        });
        Ok(Self(told))
    }

    /// Waits until the program should end.
    pub async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|told| *told).await.is_err() {
            // The sender is gone, so nothing more can be told.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_outlasts_the_shortest_window() {
        let window = Duration::from_secs(5 * 6);
        let behind = RunError::from(ChainError::Behind {
            url: "ws://node".into(),
            seconds: 600,
        });
        assert!(!behind.is_fatal(), "a node catches up");
        for error in [behind, RunError::Refused("of a test".into())] {
            let mut backoff = Backoff::default();
            let waits = (0..20).map(|_| backoff.after(&error));
            assert!(waits.max() <= Some(window / 2));
        }
    }

    #[test]
    fn a_refusal_is_over_after_some_blocks_and_where_a_node_made_them_up() {
        let waits: Vec<_> = (9..16).filter(|block| is_refused(15, *block)).collect();
        assert_eq!(waits, [10, 11, 12, 13, 14]);
        assert!(!is_refused(u32::MAX, 9));
    }

    #[test]
    fn the_node_that_showed_what_another_hid_is_next() {
        let hidden = RunError::from(ChainError::Hidden {
            url: "ws://own".into(),
            shown_by: "ws://other".into(),
            what: "reveal its table".into(),
        });
        assert_eq!(hidden.shown_by(), Some("ws://other"));
        assert!(hidden.is_gone(), "there is no time to lose");
        assert!(!hidden.is_fatal());
        assert_eq!(RunError::NothingLearned.shown_by(), None);
    }

    fn lacks() -> Result<ControlFlow<()>, RunError> {
        Err(RunError::Chain(ChainError::NoTask(TaskId(0))))
    }

    #[test]
    fn what_a_fork_lacks_ends_nothing_before_ten_blocks() {
        let (look, now) = (ControlFlow::Continue(()), Instant::now());
        let mut patience = Patience::default();
        for block in 100..110 {
            assert_eq!(patience.after(block, now, lacks()).unwrap(), look);
        }
        // Another fork has it, and the one after lacks it again.
        assert_eq!(patience.after(103, now, Ok(look)).unwrap(), look);
        for block in [104, 113] {
            assert_eq!(patience.after(block, now, lacks()).unwrap(), look);
        }
        let ended = patience.after(114, now, lacks()).unwrap_err();
        assert!(ended.is_fatal(), "{ended}");
        let unregistered = Err(RunError::Unregistered("not registered"));
        let mut patience = Patience::default();
        assert_eq!(patience.after(7, now, unregistered).unwrap(), look);
        let other = Err(RunError::NothingLearned);
        assert!(patience.after(8, now, other).is_err());
    }

    /// A node that lies could repeat one block for ever.
    #[test]
    fn another_node_is_asked_before_the_shortest_window_ends() {
        let now = Instant::now();
        for has_others in [true, false] {
            let mut patience = Patience {
                since: None,
                has_others,
            };
            assert!(patience.after(100, now, lacks()).is_ok());
            let soon = now + Patience::LONGEST / 2;
            assert!(patience.after(100, soon, lacks()).is_ok());
            let late = now + Patience::LONGEST;
            let looked = patience.after(100, late, lacks());
            assert_eq!(looked.is_err(), has_others);
        }
    }

    #[test]
    fn waits_double_up_to_a_cap() {
        let mut failures = Failures::default();
        let longest = Duration::from_secs(30);
        let waits: Vec<_> = (0..8).map(|_| failures.next(longest).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        failures.last = Instant::now().checked_sub(Failures::FORGIVEN_AFTER * 2);
        assert_eq!(failures.next(longest), Failures::FIRST);
    }

    #[test]
    fn the_first_refusal_after_a_node_was_away_is_not_waited_for_long() {
        let mut backoff = Backoff::default();
        let away = ChainError::Disconnected("it restarts".into()).into();
        for _ in 0..30 {
            assert!(backoff.after(&away) <= Backoff::LONGEST_GONE);
        }
        let refused = ChainError::Dropped("of another fork".into()).into();
        assert_eq!(backoff.after(&refused), Failures::FIRST);
        assert_eq!(backoff.after(&refused), 2 * Failures::FIRST);
        assert_eq!(backoff.after(&away), Backoff::LONGEST_GONE);
    }
}
