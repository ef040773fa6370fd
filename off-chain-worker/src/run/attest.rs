//! The daemon of `gotong attest`.

use super::{
    drive, inputs_digest,
    replica::ReplicaWorker,
    round_span,
    second_node::agrees,
    sponsor::random_hash,
    submit_once,
    tasks::Tasks,
    volunteer::{Capacity, Volunteer},
    Daemon, DisputeAgent, Replica, RunError, ScoredRound, ScorerOptions, Stop, Suspects,
    WorkerDirs, NO_TIP, REFUSED_BLOCKS,
};
use crate::{
    chain::{Account, Call, ChainError, Client, Inclusion, Keypair, Moment, Nodes},
    engine::{Attester, AttesterCommand, AttesterSnapshot, Evaluated, Seat},
    evaluation::Backend,
    state::{Folder, Lock},
};
use futures::future::{join, join_all};
use gotong_protocol::{
    bounds::AUDITS,
    view::{RoundView, SeatView, TaskView},
    AuditAnswer, Hash, Phase, RoundId, SeatState, TaskId,
};
use gotong_scoring::{audits, work_root, Audited};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};
use tracing::Instrument;

/// The daemon of an attester: offers what it can do, evaluates every round in which it holds a seat, stands for its table
/// in disputes, and disputes the tables of others that differ.
pub struct Attest {
    signer: Keypair,
    account: Account,
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    /// Whether it leaves disputes alone, in drills.
    stalls: bool,
    volunteer: Volunteer,
    tasks: Tasks,
    seats: BTreeMap<TaskId, Opened>,
    was_checked: bool,
    /// Whether its offer is taken back, and no seat is held any more.
    has_left: bool,
}

/// A task in which the attester had a seat.
struct Opened {
    duty: Duty,
    worker: ReplicaWorker,
    agent: DisputeAgent,
    _lock: Lock,
}

/// What the attester owes for its seats in a task.
struct Duty {
    signer: Keypair,
    folder: Folder,
    engine: Attester,
    /// What evaluates.
    backend: Backend,
    /// The round of which a wrong table was told last.
    told: Option<RoundId>,
    /// What the chain refused, and the block from which to try it again.
    refused: Option<(AttesterCommand, u32)>,
}

const ENGINE: &str = "attester";
/// Longest wait for the last call, when the program ends: for a node that hangs, the next one, and a block.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(20);
const STILL_OFFERED: &str = "seats are still offered, and one can be missed";
/// Blocks to wait for a second node, which may only be behind.
const UNCONFIRMED_BLOCKS: u32 = 2;

impl Attest {
    /// Attests every task that it can, or `only` these if there are any, as far as `capacity` goes. With no seats it takes its
    /// offer back, fills the seats that it holds, in every task, and is done.
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
        Self {
            account: signer.public_key().0,
            signer,
            volunteer: Volunteer::new(capacity, only.clone(), dirs.pools.clone()),
            dirs,
            scoring,
            stalls: false,
            tasks: Tasks::new(only),
            seats: BTreeMap::new(),
            was_checked: false,
            has_left: false,
        }
    }

    /// Runs until it is done, cannot go on, or is told to stop. Then it offers no more seats, so that it is not drawn while it
    /// is away; those that it holds wait for it.
    pub async fn run(mut self, nodes: &Nodes, max_tip: u128, stop: &Stop) -> Result<(), RunError> {
        let done = drive(nodes, max_tip, &mut self, stop).await;
        if self.has_left {
            tracing::info!(
                "no seats are offered, and none are held any more: nothing is left to do"
            );
        }
        if self.has_left || !self.volunteer.has_offered() {
            return done;
        }
        // An offer that is still on its way is taken back as well: the chain takes the two in order.
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
                        "no more seats are offered; {held} are still held: `gotong attest --seats 0` fills them"
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

    /// Leaves disputes alone, its own too: for drills.
    pub fn stalling(self, stalls: bool) -> Self {
        Self { stalls, ..self }
    }

    /// An attester needs a registration with the role.
    async fn check_role(&mut self, now: &Moment) -> Result<(), RunError> {
        let stake = now.stake(&self.account).await?;
        if !stake.is_some_and(|stake| stake.roles.attester) {
            return Err(RunError::Refused(
                "not registered as an attester: run `gotong register --role attester --stake \
                 AMOUNT` first"
                    .into(),
            ));
        }
        self.was_checked = true;
        Ok(())
    }

    /// The round under way of a task in which the account has a seat, or had one since the daemon began.
    async fn round_of(
        &mut self,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Option<RoundView>, RunError> {
        let Some(round) = now.round(view.id, view.round).await? else {
            return Ok(None);
        };
        let is_seated = round.seats.iter().any(|seat| seat.account == self.account);
        // Seats are drawn with the samples, some blocks after the reveals; and again if too few do their part.
        if is_seated && round.has_samples() && !self.seats.contains_key(&view.id) {
            self.seats.insert(view.id, self.open(view)?);
        }
        Ok(self.seats.contains_key(&view.id).then_some(round))
    }

    /// What it does about the tables of others, given what became of its own.
    fn suspects(&self, round: &RoundView) -> Option<Suspects> {
        let own = round.seats.iter().find(|seat| seat.account == self.account);
        match own?.state {
            _ if self.stalls => None,
            // Its own table was found wrong: it has no business with those of others.
            SeatState::Convicted => Some(Suspects::Nobody),
            // A liar only stands for its lie.
            _ if self.scoring.lie.is_some() => Some(Suspects::Nobody),
            _ => Some(Suspects::Everybody),
        }
    }

    fn open(&self, view: &TaskView) -> Result<Opened, RunError> {
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let engine = folder
            .load(ENGINE)?
            .unwrap_or_else(|| Attester::new(view.id, self.account));
        let agent = DisputeAgent::open(self.signer.clone(), view.id, &folder)?;
        Ok(Opened {
            duty: Duty {
                signer: self.signer.clone(),
                folder,
                engine,
                backend: self.scoring.backend.clone(),
                told: None,
                refused: None,
            },
            worker: ReplicaWorker::new(self.dirs.clone(), self.scoring.clone()),
            agent,
            _lock: lock,
        })
    }
}

/// Offers on the chain what is not offered there, and tells whether it has left. That it fails keeps nobody from the seats that it
/// holds.
async fn offer(
    volunteer: &mut Volunteer,
    signer: &Keypair,
    client: &Client,
    now: &Moment,
    views: &[TaskView],
    tasks: &Tasks,
) -> bool {
    let serves = |task| tasks.is_listed(task) && !tasks.is_given_up(task);
    let is_sound = !tasks.has_given_up();
    let offered = async {
        let found = now.offer(&signer.public_key().0).await?;
        let due = volunteer.due(now.block(), found.as_ref(), views, serves, is_sound);
        let Some(call) = due.await else {
            return Ok(volunteer.has_left(found.as_ref()));
        };
        // No deadline waits for it.
        let client = client.clone().tipping(NO_TIP);
        let sent = client.submit(signer, &call, Inclusion::Best).await;
        if !matches!(&sent, Err(error) if error.is_gone()) {
            volunteer.sent(now.block(), views, serves, is_sound);
        }
        sent.map(|_| {
            tracing::info!("the offer to attest is up to date");
            false
        })
    };
    offered.await.unwrap_or_else(|error| {
        tracing::error!("not offered to attest: {error}");
        false
    })
}

impl Opened {
    /// Does what is due in a task: its seat first, then the disputes. Breaks if the task has to be opened anew.
    async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
        round: &RoundView,
        suspects: Option<Suspects>,
    ) -> Result<ControlFlow<()>, RunError> {
        let own = |seat: &&SeatView| seat.account == self.duty.account();
        let seat = round.seats.iter().find(own);
        let seat = seat.filter(|_| round.has_samples()).map(seat_of);
        let submissions = now.submissions(view.id, view.round).await?;
        let inputs = inputs_digest(round, &submissions);
        let snapshot = AttesterSnapshot {
            block: now.block(),
            round: view.round,
            phase: round.phase,
            inputs,
            seat,
            are_audits_drawn: round.audit_seed.is_some(),
            is_device_trusted: self.duty.backend.device().is_some(),
        };
        // In the rounds between seats it replays what ended, so that the next evaluation can start at once.
        let wanted = (seat.is_some() && round.phase != Phase::Ended).then_some((round, inputs));
        let ready = self.worker.ready(client, now, view, wanted).await;
        if matches!(&ready, Ok(Some(replica)) if !replica.is_of(view)) {
            tracing::error!(
                "a node says something else of the task than one did before, so it is rebuilt"
            );
            return Ok(ControlFlow::Break(()));
        }
        let own = match &ready {
            Ok(Some(replica)) => replica.known_score(&inputs),
            _ => None,
        };
        // What fails here may not keep it from its disputes, nor these from the rest.
        let duty = &mut self.duty;
        let done = duty.fulfil(client, view, round, &snapshot, own).await;
        if let (Some(replica), Some(suspects)) = (ready?, suspects) {
            let agent = &mut self.agent;
            agent.attend(client, now, replica, round, suspects).await?;
        }
        done.map(ControlFlow::Continue)
    }
}

impl Duty {
    fn save(&self) -> Result<(), RunError> {
        Ok(self.folder.save(ENGINE, &self.engine)?)
    }

    /// Does what is due now, as far as it can be done with what was computed so far.
    async fn fulfil(
        &mut self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        now: &AttesterSnapshot,
        own: Option<Arc<ScoredRound>>,
    ) -> Result<(), RunError> {
        if let Some(own) = own.as_ref().filter(|own| !own.by_device) {
            self.engine.on_confirmed(&now.inputs, &own.summary);
            if self.has_committed_to_another(now, own) {
                return Ok(());
            }
        }
        let mut due = self.engine.on_block(now);
        if let (Some(AttesterCommand::Evaluate { round }), Some(own)) = (&due, &own) {
            self.engine.on_evaluated(Evaluated {
                round: *round,
                inputs: own.inputs.digest,
                base_root: of.base_root,
                table: own.summary.clone(),
                work_root: work_root(&self.account(), &own.table),
                salt: random_hash()?,
                by_device: own.by_device,
            });
            due = self.engine.on_block(now);
        }
        let Some(command) = due else {
            return Ok(());
        };
        let is_refused = |(refused, until): &(_, u32)| *refused == command && now.block < *until;
        if self.refused.as_ref().is_some_and(is_refused) {
            return Ok(());
        }
        self.save()?;
        let done = self.execute(client, view, of, own, command.clone()).await;
        let (error, wait) = match done {
            Err(RunError::Chain(error @ ChainError::Refused { .. })) => (error, REFUSED_BLOCKS),
            Err(RunError::Chain(error @ ChainError::Unconfirmed(_))) => (error, UNCONFIRMED_BLOCKS),
            done => return done,
        };
        tracing::error!("{error}");
        self.refused = Some((command, now.block.saturating_add(wait)));
        Ok(())
    }

    /// Whether it has committed to another table than the processor computes, as a device may have done that was found wrong
    /// later. That is not shown: to be silent costs less than to be convicted.
    fn has_committed_to_another(&mut self, now: &AttesterSnapshot, own: &ScoredRound) -> bool {
        let table = self.engine.table(&now.inputs);
        let has = now.seat == Some(Seat::Committed) && table.is_some_and(|had| *had != own.summary);
        if has && self.told != Some(now.round) {
            tracing::error!(
                "the table that was committed is wrong, so it is not revealed: that costs 50 GTG, and a wrong table the whole stake"
            );
            self.told = Some(now.round);
        }
        has
    }

    async fn execute(
        &mut self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        own: Option<Arc<ScoredRound>>,
        command: AttesterCommand,
    ) -> Result<(), RunError> {
        let task = of.task;
        match command {
            // Under way.
            AttesterCommand::Evaluate { .. } => {}
            AttesterCommand::Commit {
                round,
                commitment,
                inputs,
            } => {
                let call = Call::commit_attestation(task, round, commitment, inputs);
                let own = own.as_deref();
                if !self.is_confirmed(client, view, of, own, &call).await? {
                    return Ok(());
                }
                if let Some(receipt) = submit_once(client, &self.signer, &call).await? {
                    self.engine.on_committed(round, receipt.block);
                    self.save()?;
                }
                tracing::info!("committed to a share table");
            }
            AttesterCommand::Reveal {
                round,
                table,
                work_root,
                salt,
            } => {
                let call = Call::reveal_attestation(task, round, &table, work_root, salt);
                submit_once(client, &self.signer, &call).await?;
                let gain = table.pay().map(|pay| pay.on_b.gain());
                tracing::info!(
                    "attested table {}: {}",
                    hex::encode(&table.root()[..4]),
                    gain.map_or("nothing is merged".into(), |gain| format!(
                        "a gain of {gain} Q16 bits on half B"
                    )),
                );
            }
            AttesterCommand::AnswerAudits { round } => {
                let (Some(seed), Some(own)) = (of.audit_seed, own) else {
                    return Ok(());
                };
                let answers = answer_audits(self.account(), own, seed).await?;
                let call = Call::answer_audits(task, round, &answers);
                submit_once(client, &self.signer, &call).await?;
                tracing::info!("answered {AUDITS} audits");
            }
        }
        Ok(())
    }

    /// Whether the table may be committed to. Unless one node's word is enough, it has to be what this process has computed,
    /// since what is on disk may be of a task that a node made up; and a second node has to say the same of the task and of
    /// the round. What is revealed later is only what was committed, so that nobody need be asked again.
    async fn is_confirmed(
        &self,
        client: &Client,
        view: &TaskView,
        of: &RoundView,
        own: Option<&ScoredRound>,
        call: &Call,
    ) -> Result<bool, RunError> {
        let Some(own) = own else {
            return Ok(!client.is_doubted());
        };
        if self.engine.table(&own.inputs.digest) != Some(&own.summary) {
            tracing::error!(
                "not committed: the table on disk is not the one that was computed now"
            );
            return Ok(false);
        }
        if !client.is_doubted() {
            return Ok(true);
        }
        let inputs = &own.inputs.digest;
        let says_so = async |other: &Moment| agrees(other, view, of, inputs).await;
        client.confirm(call, says_so).await?;
        Ok(true)
    }

    fn account(&self) -> Account {
        self.signer.public_key().0
    }
}

/// What the audits that `seed` draws ask for.
async fn answer_audits(
    account: Account,
    own: Arc<ScoredRound>,
    seed: Hash,
) -> Result<Vec<AuditAnswer>, RunError> {
    let answers = tokio::task::spawn_blocking(move || {
        let audited = Audited {
            summary: &own.summary,
            samples: own.inputs.sample_count,
            entrants: own.inputs.entrants.len() as u32,
        };
        audits(&seed, &account, AUDITS, &audited)
            .iter()
            .filter_map(|audit| AuditAnswer::of(audit, &account, &own.table))
            .collect()
    });
    Ok(answers.await?)
}

/// How far the chain knows what the seat's account attests.
fn seat_of(seat: &SeatView) -> Seat {
    match (seat.state, &seat.claim) {
        (SeatState::Sitting, Some(_)) if seat.audited => Seat::Audited,
        (SeatState::Sitting, Some(_)) => Seat::Revealed,
        (SeatState::Sitting, None) if seat.committed => Seat::Committed,
        (SeatState::Sitting, None) => Seat::Drawn,
        _ => Seat::Out,
    }
}

impl Daemon for Attest {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        if !self.was_checked {
            self.check_role(now).await?;
        }
        self.tasks.ask(client.url());
        let views = self.tasks.live(now, &BTreeSet::new()).await?;
        self.seats.retain(|task, _| self.tasks.is_listed(*task));
        let mut rounds = BTreeMap::new();
        for view in &views {
            if view.state.is_over() {
                self.seats.remove(&view.id);
                continue;
            }
            let span = round_span(view.id, view.round, &self.account);
            match self.round_of(now, view).instrument(span.clone()).await {
                Ok(Some(round)) => {
                    let suspects = self.suspects(&round);
                    rounds.insert(view.id, (view, round, suspects, span));
                }
                Ok(None) => {}
                Err(error) => {
                    if self.tasks.survive(view.id, Err(error))? {
                        self.seats.remove(&view.id);
                    }
                }
            }
        }
        // Side by side, so that no call waits for the block of another one; the most urgent first.
        let seats = self.seats.iter_mut();
        let mut seats: Vec<_> = seats
            .filter_map(|(task, opened)| Some((opened, rounds.get(task)?)))
            .collect();
        seats.sort_by_key(|(_, (_, round, ..))| round.ends_at);
        let looks = seats
            .into_iter()
            .map(|(opened, (view, round, suspects, span))| async move {
                let look = opened.look_at(client, now, view, round, *suspects);
                (view.id, look.instrument(span.clone()).await)
            });
        let offer = offer(
            &mut self.volunteer,
            &self.signer,
            client,
            now,
            &views,
            &self.tasks,
        );
        let (looked, has_left) = join(join_all(looks), offer).await;
        for (task, looked) in looked {
            let is_over = matches!(looked, Ok(ControlFlow::Break(())));
            if self.tasks.survive(task, looked.map(drop))? || is_over {
                self.seats.remove(&task);
            }
        }
        self.has_left = has_left;
        Ok(match has_left || self.tasks.is_done(&views) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evaluation::lab::Lab, run::views};

    #[test]
    fn a_seat_is_read_from_the_chain() {
        let table = Lab::small().summary();
        let seat = |state, committed, is_shown: bool, audited| {
            let table = is_shown.then(|| table.clone());
            seat_of(&SeatView {
                committed,
                audited,
                ..views::seat(1, state, table)
            })
        };
        let sitting = SeatState::Sitting;
        assert_eq!(seat(sitting, false, false, false), Seat::Drawn);
        assert_eq!(seat(sitting, true, false, false), Seat::Committed);
        assert_eq!(seat(sitting, true, true, false), Seat::Revealed);
        assert_eq!(seat(sitting, true, true, true), Seat::Audited);
        for lost in [
            SeatState::Missed,
            SeatState::Convicted,
            SeatState::Unaudited,
        ] {
            assert_eq!(seat(lost, true, true, true), Seat::Out);
        }
    }

    #[tokio::test]
    async fn audits_are_answered_as_the_chain_verifies_them() {
        let lab = Lab::small();
        let (account, seed) = ([4; 32], [8; 32]);
        let (round, table) = lab.score();
        let own = Arc::new(ScoredRound {
            inputs: Arc::new(crate::run::replica::lab_inputs(&lab)),
            weights: round.weights,
            summary: table.summary(),
            table,
            by_device: false,
        });
        let audited = Audited {
            summary: &own.summary,
            samples: lab.facts.samples,
            entrants: lab.facts.entrants,
        };
        let answers = answer_audits(account, own.clone(), seed).await.unwrap();
        assert_eq!(answers.len(), AUDITS as usize);
        let root = work_root(&account, &own.table);
        for (audit, answer) in audits(&seed, &account, AUDITS, &audited)
            .iter()
            .zip(answers)
        {
            assert_eq!(answer.verify(audit, &account, &audited, &root), Ok(()));
        }
    }
}
