//! The daemon of `gotong attest`.

mod cross_check;
mod duty;
mod fitness;
mod follower;
mod offering;
mod publisher;
mod registration;
mod salt;

pub use fitness::Conditions;

use super::{
    dispute_agent::deadlines,
    drive, inputs_digest,
    replica::{Progress, ReplicaWorker},
    round_span,
    tasks::Tasks,
    under_way::{holding, Ended, UnderWay, Work},
    until,
    volunteer::{Capacity, Volunteer},
    Daemon, DisputeAgent, Replica, ReplicaError, RunError, ScorerOptions, Stop, Suspects,
    WorkerDirs,
};
use crate::{
    chain::{Account, ChainError, Client, Inclusion, Keypair, Moment, Nodes},
    engine::AttesterSnapshot,
    state::{Lock, StateError},
};
use cross_check::CrossCheck;
use duty::{seat_of, Duty};
use fitness::Fitness;
use follower::{Followed, Follower, Following};
use futures::FutureExt;
use gotong_evaluation::Backend;
use gotong_protocol::{
    view::{RoundView, SeatView, TaskView},
    Phase, SeatState, TaskId,
};
use offering::new_worker;
use publisher::{Due, Publisher};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{Instrument, Span};

/// An attester's daemon. It follows tasks and offers to attest those that it can. It evaluates every round in which it holds a
/// seat, defends its table in disputes, and disputes tables that differ from its own. When a round is over, it publishes the
/// contributors' credits.
pub struct Attest {
    signer: Keypair,
    account: Account,
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    /// Whether it ignores disputes, in drills.
    stalls: bool,
    /// Whether it withdraws its offer, and only serves the seats that it holds.
    leaves: bool,
    volunteer: Arc<Mutex<Volunteer>>,
    /// The measured speed, in products a second, from which its capacity follows; `None` if the capacity is fixed.
    speed: Option<f64>,
    tasks: Tasks,
    /// Decides which of them suit it.
    fitness: Fitness,
    /// Catches up with tasks in which it has no seat.
    follower: Follower,
    /// Tasks that are not offered.
    left_out: BTreeSet<TaskId>,
    seats: BTreeMap<TaskId, Opened>,
    /// Asks other nodes what the account has to do.
    cross_check: Arc<Mutex<CrossCheck>>,
    under_way: UnderWay<Came>,
    was_checked: bool,
    /// Whether its offer is withdrawn and it holds no seat any more.
    has_left: bool,
}

/// A task in which the attester has or had a seat. Work under way locks the part that it uses. So no call is sent twice, and no
/// call waits for calls of another part or another task.
struct Opened {
    worker: Arc<Mutex<ReplicaWorker>>,
    /// How far the worker's replica has come.
    progress: Progress,
    duty: Arc<Mutex<Duty>>,
    agent: Arc<Mutex<DisputeAgent>>,
    publisher: Arc<Mutex<Publisher>>,
    /// Whether no new work may begin here.
    is_closed: bool,
    _lock: Lock,
}

/// A result of work that was under way.
enum Came {
    /// From work in a task. It breaks if the task has to be opened anew.
    Task(TaskId, Result<ControlFlow<()>, RunError>),
    /// The offer was brought up to date.
    Offer {
        /// Whether it is withdrawn and no seat is held any more.
        has_left: bool,
    },
    /// A task without a seat was followed, beginning at this block.
    Following(u32, Followed),
    /// The node hides something that the account has to do.
    Hidden(ChainError),
}

/// A task in which there may be something to do, at one block.
struct Seen {
    account: Account,
    client: Client,
    now: Moment,
    view: TaskView,
    round: RoundView,
    suspects: Option<Suspects>,
    backend: Backend,
    span: Span,
}

/// The longest wait for the last call when the program ends. It allows for a node that hangs, the next node, and a block.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(20);
const STILL_OFFERED: &str = "seats are still offered, so this account may miss one";

impl Attest {
    /// Attests every task that it can, or `only` these if there are any, up to its `capacity`. With a capacity of no seats, it
    /// withdraws its offer, serves the seats that it holds in any task, and then ends.
    pub fn new(
        signer: Keypair,
        dirs: WorkerDirs,
        scoring: ScorerOptions,
        capacity: Capacity,
        mut only: BTreeSet<TaskId>,
    ) -> Self {
        if capacity.seats == 0 {
            only.clear();
        }
        let account = signer.public_key().0;
        let volunteer = Volunteer::new(account, capacity, only.clone(), dirs.pools.clone());
        Self {
            account,
            signer,
            volunteer: Arc::new(Mutex::new(volunteer)),
            speed: None,
            dirs,
            scoring,
            stalls: false,
            leaves: capacity.seats == 0,
            tasks: Tasks::new(only),
            fitness: Fitness::new(Conditions::default()),
            follower: Follower::default(),
            left_out: BTreeSet::new(),
            seats: BTreeMap::new(),
            cross_check: Arc::default(),
            under_way: UnderWay::default(),
            was_checked: false,
            has_left: false,
        }
    }

    /// Runs until it is done, cannot continue, or is told to stop. Then it withdraws its offer, so that it is not drawn while it
    /// is away. Seats that it still holds stay with it.
    pub async fn run(mut self, nodes: &Nodes, max_tip: u128, stop: &Stop) -> Result<(), RunError> {
        let done = drive(nodes, max_tip, &mut self, stop).await;
        if self.has_left {
            tracing::info!("no seats are offered or held any more: nothing is left to do");
        }
        self.under_way.clear();
        if self.has_left || !self.volunteer.lock().await.has_offered() {
            return done;
        }
        // This withdraws even an offer that is still on its way, because the chain executes the two calls in order.
        let left = async || {
            let client = nodes.connect().await?.tipping(max_tip);
            let call = Volunteer::leave();
            client.submit(&self.signer, &call, Inclusion::Best).await?;
            let offer = client.best().await?.offer(&self.account).await?;
            Ok::<_, ChainError>(offer.map_or(0, |offer| offer.seats_held))
        };
        for _ in 0..nodes.count().max(1) {
            match tokio::time::timeout(LEAVE_TIMEOUT, left()).await {
                Ok(Ok(0)) => {
                    tracing::info!("no more seats are offered");
                    return done;
                }
                Ok(Ok(held)) => {
                    tracing::warn!(
                        "no more seats are offered; {held} are still held: run `gotong attest --seats 0` to serve them"
                    );
                    return done;
                }
                Ok(Err(error)) => tracing::warn!("{STILL_OFFERED}: {error}"),
                Err(_) => tracing::warn!("{STILL_OFFERED}: the node does not answer"),
            }
            nodes.pass_over();
        }
        done
    }

    /// Offers only tasks that meet these conditions.
    pub fn on_conditions(self, conditions: Conditions) -> Self {
        Self {
            fitness: Fitness::new(conditions),
            ..self
        }
    }

    /// Ignores disputes, even those about its own table: for drills.
    pub fn stalling(self, stalls: bool) -> Self {
        Self { stalls, ..self }
    }

    /// An attester needs a registration with the role.
    async fn check_role(&mut self, client: &Client, now: &Moment) -> Result<(), RunError> {
        let shown = now.stake(&self.account).await?;
        registration::check(shown, client.check_caught_up(now)).await?;
        self.was_checked = true;
        Ok(())
    }

    /// The task's current round, if the account has a seat in the task or has had one since the daemon started.
    async fn round_of(
        &mut self,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Option<RoundView>, RunError> {
        let Some(round) = now.round(view.id, view.round).await? else {
            return Ok(None);
        };
        let own = |seat: &&SeatView| seat.account == self.account;
        let seat = round.seats.iter().find(own);
        let is_seated = seat.is_some();
        let mut due = Vec::new();
        if seat.is_some_and(|seat| seat.state == SeatState::Sitting) {
            due.push(round.ends_at);
        }
        if is_seated && round.open_disputes > 0 {
            let disputes = now.disputes(Some(view.id)).await?;
            due.extend(deadlines(&disputes, view.id, &self.account));
        }
        let block_time = Duration::from_millis(now.block_millis()?);
        self.tasks.is_due_by(view.id, &due, now.block(), block_time);
        // Seats are drawn with the samples, some blocks after the reveals, and again if too few attesters do their part.
        let is_due = is_seated && round.has_samples() && view.state.is_live();
        if is_due && !self.seats.contains_key(&view.id) {
            let opened = self.open(view)?;
            self.seats.insert(view.id, opened);
        }
        Ok(self.seats.contains_key(&view.id).then_some(round))
    }

    /// Whose tables it may dispute, depending on its own seat.
    fn suspects(&self, round: &RoundView) -> Option<Suspects> {
        let own = round.seats.iter().find(|seat| seat.account == self.account);
        match own?.state {
            _ if self.stalls => None,
            // Its own table was found wrong, so it may not doubt others'.
            SeatState::Convicted => Some(Suspects::Nobody),
            // A liar only defends its lie.
            _ if self.scoring.lie.is_some() => Some(Suspects::Nobody),
            _ => Some(Suspects::Everybody),
        }
    }

    fn open(&mut self, view: &TaskView) -> Result<Opened, RunError> {
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let agent = DisputeAgent::open(self.signer.clone(), view.id, &folder)?;
        let duty = Duty::open(self.signer.clone(), view.id, folder)?;
        // The worker that has followed the task continues with it.
        let following = self.follower.let_go(view.id);
        let Following { worker, progress } =
            following.unwrap_or_else(|| Following::new(new_worker(&self.dirs, &self.scoring)));
        Ok(Opened {
            worker,
            progress,
            duty: Arc::new(Mutex::new(duty)),
            agent: Arc::new(Mutex::new(agent)),
            publisher: Arc::new(Mutex::new(Publisher::new(self.signer.clone()))),
            is_closed: false,
            _lock: lock,
        })
    }

    /// Begins nothing more in the task, and drops it as soon as nothing is under way in it.
    fn close(&mut self, task: TaskId) {
        if let Some(opened) = self.seats.get_mut(&task) {
            opened.is_closed = true;
        }
    }

    /// Takes in the results of work that was under way.
    fn settle(&mut self) -> Result<(), RunError> {
        let mut hidden = None;
        for came in self.under_way.came() {
            match came {
                Came::Hidden(error) => hidden = Some(error),
                Came::Offer { has_left } => self.has_left = has_left,
                Came::Following(block, followed) => {
                    if let Err(ReplicaError::State(StateError::Full(_))) = &followed.1 {
                        self.tasks.note_full();
                    }
                    self.follower.take_in(block, followed);
                }
                Came::Task(task, done) => {
                    let is_over = matches!(done, Ok(ControlFlow::Break(())));
                    if self.tasks.survive(task, done.map(drop))? || is_over {
                        self.close(task);
                    }
                }
            }
        }
        self.seats
            .retain(|_, opened| !opened.is_closed || opened.is_busy());
        hidden.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Looks at the chain. Returns the work that begins now, and whether all tasks that were named are over.
    async fn look(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> Result<(Vec<Work<Came>>, bool), RunError> {
        if !self.was_checked {
            self.check_role(client, now).await?;
        }
        self.tasks.ask(client.url());
        // This includes tasks whose last round is over, until its credits are published.
        let open = self.seats.iter().filter(|(_, opened)| !opened.is_closed);
        let open: BTreeSet<TaskId> = open.map(|(task, _)| *task).collect();
        let views = self.tasks.live(now, &open).await?;
        for (task, opened) in &mut self.seats {
            opened.is_closed |= !self.tasks.is_listed(*task);
        }
        let mut looks = Vec::new();
        for view in &views {
            if view.state.is_over() && !open.contains(&view.id) {
                continue;
            }
            let span = round_span(view.id, view.round, &self.account);
            match self.round_of(now, view).instrument(span.clone()).await {
                Ok(Some(round)) => {
                    let ends_at = round.ends_at;
                    let seen = Seen {
                        account: self.account,
                        client: client.clone(),
                        now: now.clone(),
                        view: view.clone(),
                        suspects: self.suspects(&round),
                        round,
                        backend: self.scoring.backend.clone(),
                        span,
                    };
                    let opened = self.seats.get(&view.id);
                    let look = opened.and_then(|opened| opened.look(seen));
                    looks.extend(look.map(|look| (ends_at, look)));
                }
                Ok(None) if view.state.is_over() => self.close(view.id),
                Ok(None) => {}
                Err(error) => {
                    if self.tasks.survive(view.id, Err(error))? {
                        self.close(view.id);
                    }
                }
            }
        }
        // The most urgent first.
        looks.sort_by_key(|(ends_at, _)| *ends_at);
        let mut begun: Vec<_> = looks.into_iter().map(|(_, look)| look).collect();
        let is_done = self.tasks.is_done(&views) && self.seats.values().all(|one| one.is_closed);
        begun.extend(self.follow(client, now, &views));
        begun.extend(self.offer(client, now, views));
        begun.extend(self.cross_check(client));
        Ok((begun, is_done))
    }
}

impl Opened {
    /// Whether something of it is under way.
    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.worker) > 1
            || Arc::strong_count(&self.duty) > 1
            || Arc::strong_count(&self.agent) > 1
            || Arc::strong_count(&self.publisher) > 1
    }

    /// Begins what is due in the task, unless its replica is at work already.
    fn look(&self, seen: Seen) -> Option<Work<Came>> {
        if self.is_closed {
            return None;
        }
        let (duty, agent, seen) = (self.duty.clone(), self.agent.clone(), Arc::new(seen));
        let publisher = self.publisher.clone();
        holding(&self.worker, |worker| {
            let span = seen.span.clone();
            let look = async move {
                let task = seen.view.id;
                match look_at(seen, worker, &duty, &agent, &publisher).await {
                    Ok(ended) => ended,
                    Err(error) => Ended::with(Came::Task(task, Err(error))),
                }
            };
            look.instrument(span)
        })
    }
}

/// Gets the replica ready. Then the duties of the seat, the disputes and the publishing begin in parallel, unless they are already
/// under way.
async fn look_at(
    seen: Arc<Seen>,
    mut worker: OwnedMutexGuard<ReplicaWorker>,
    duty: &Arc<Mutex<Duty>>,
    agent: &Arc<Mutex<DisputeAgent>>,
    publisher: &Arc<Mutex<Publisher>>,
) -> Result<Ended<Came>, RunError> {
    let Seen {
        client,
        now,
        view,
        round,
        ..
    } = &*seen;
    let task = view.id;
    let own = |seat: &&SeatView| seat.account == seen.account;
    let seat = round.seats.iter().find(own);
    let seat = seat.filter(|_| round.has_samples()).map(seat_of);
    let submissions = now.submissions(task, view.round).await?;
    let inputs = inputs_digest(round, &submissions);
    // Between its seats it replays the rounds that have ended, so that the next evaluation can start at once.
    let wanted = (seat.is_some() && round.phase != Phase::Ended).then_some((round, inputs));
    let (own, ready) = match worker.ready(client, now, view, wanted).await {
        Ok(Some(replica)) if !replica.is_of(view) => {
            tracing::error!(
                "a node contradicts what an earlier one said about the task, so the task is rebuilt"
            );
            return Ok(Ended::with(Came::Task(task, Ok(ControlFlow::Break(())))));
        }
        Ok(Some(replica)) => (replica.standing_score(round, &inputs), Ok(true)),
        Ok(None) => (None, Ok(false)),
        Err(error) => (None, Err(error)),
    };
    let snapshot = AttesterSnapshot {
        block: now.block(),
        round: view.round,
        phase: round.phase,
        inputs,
        seat,
        are_audits_drawn: round.audit_seed.is_some(),
        is_device_trusted: seen.backend.device().is_some(),
    };
    let is_over = || Ok(Ended::with(Came::Task(task, Ok(ControlFlow::Break(())))));
    if let (false, Err(error)) = (view.state.is_live(), &ready) {
        tracing::warn!("credits were not published: {error}");
        return is_over();
    }
    let mut next = Vec::new();
    if let (Ok(true), Ok(publisher)) = (&ready, publisher.clone().try_lock_owned()) {
        match publishing(&seen, &worker, publisher).await {
            Ok(ControlFlow::Continue(work)) => next.extend(work),
            Ok(ControlFlow::Break(())) => return is_over(),
            // A failure to publish must not keep the attester from its seat.
            Err(error) => tracing::warn!("credits were not published: {error}"),
        }
    }
    // A failure here must not keep the attester from its disputes, and neither may disputes keep it from anything else.
    next.extend(holding(duty, |mut duty| {
        let (seen, span) = (seen.clone(), seen.span.clone());
        let fulfilled = async move {
            let Seen {
                client,
                view,
                round,
                ..
            } = &*seen;
            let done = duty.fulfil(client, view, round, &snapshot, own).await;
            Ended::with(Came::Task(task, done.map(ControlFlow::Continue)))
        };
        fulfilled.instrument(span)
    }));
    let came = match (ready, seen.suspects) {
        (Ok(true), Some(suspects)) => {
            next.extend(holding(agent, |agent| {
                let (seen, span) = (seen.clone(), seen.span.clone());
                let attended = async move {
                    let done = attend(&seen, worker, agent, suspects).await;
                    Ended::with(Came::Task(task, done.map(ControlFlow::Continue)))
                };
                attended.instrument(span)
            }));
            None
        }
        (Ok(_), _) => None,
        (Err(error), _) => Some(Came::Task(task, Err(error.into()))),
    };
    Ok(Ended { came, next })
}

/// Work that publishes the last round's credits, if there is any. Breaks when the task is over and nothing is left to publish.
async fn publishing(
    seen: &Arc<Seen>,
    worker: &ReplicaWorker,
    mut publisher: OwnedMutexGuard<Publisher>,
) -> Result<ControlFlow<(), Option<Work<Came>>>, RunError> {
    let Seen {
        now, view, round, ..
    } = &**seen;
    let Some(replica) = worker.replica() else {
        return Ok(ControlFlow::Continue(None));
    };
    let due = match publisher.due(now, view, round, replica).await? {
        Due::Nothing if !view.state.is_live() => return Ok(ControlFlow::Break(())),
        Due::Nothing | Due::Later => return Ok(ControlFlow::Continue(None)),
        Due::Now(credits) => *credits,
    };
    let (seen, span) = (seen.clone(), seen.span.clone());
    let published = async move {
        let done = publisher.publish(&seen.client, due).await;
        Ended::with(Came::Task(seen.view.id, done.map(ControlFlow::Continue)))
    };
    let work = published.instrument(span).boxed_local();
    Ok(ControlFlow::Continue(Some(work)))
}

/// Takes part in the disputes. The replica is free while calls wait for their blocks.
async fn attend(
    seen: &Seen,
    mut worker: OwnedMutexGuard<ReplicaWorker>,
    mut agent: OwnedMutexGuard<DisputeAgent>,
    suspects: Suspects,
) -> Result<(), RunError> {
    let Some(replica) = worker.replica_mut() else {
        return Ok(());
    };
    let (client, now, round) = (&seen.client, &seen.now, &seen.round);
    let moves = agent.prepare(client, now, replica, round, suspects).await?;
    drop(worker);
    agent.make(client, now, round, moves).await?;
    Ok(())
}

impl Daemon for Attest {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        self.settle()?;
        // Work under way continues while the chain is read.
        let mut under_way = std::mem::take(&mut self.under_way);
        let looked = under_way.beside(self.look(client, now)).await;
        self.under_way = under_way;
        if looked.as_ref().is_err_and(RunError::is_lacking) {
            // The node may hide the whole task, and with it what is due. Another node shows it.
            self.under_way.begin(self.cross_check(client));
        }
        let (begun, is_done) = looked?;
        self.under_way.begin(begun);
        Ok(until(self.has_left || is_done))
    }

    async fn beside<T>(&mut self, wait: impl Future<Output = T>) -> T {
        self.under_way.beside(wait).await
    }

    fn disconnected(&mut self) {
        // Now nothing holds a lock any more.
        self.under_way.clear();
        if let Ok(mut check) = self.cross_check.try_lock() {
            check.disconnected();
        }
        for opened in self.seats.values() {
            if let Ok(mut duty) = opened.duty.try_lock() {
                duty.disconnected();
            }
            if let Ok(mut agent) = opened.agent.try_lock() {
                agent.disconnected();
            }
        }
        self.follower.disconnected();
        self.fitness.disconnected();
    }
}
