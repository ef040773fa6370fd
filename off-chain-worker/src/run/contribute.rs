//! The daemon of `gotong contribute` and `gotong submit`, for one task.

mod claiming;
pub(super) mod facts;
mod setbacks;
mod turn;

use super::{
    checkpoints::Checkpoints,
    delta_source::DeltaSource,
    engine_files::load_contributor,
    inputs_digest,
    memories::Memories,
    pace::Pace,
    replica::ReplicaWorker,
    residuals::Residuals,
    round_span, submit_once,
    training_job::{RunningTraining, TrainingJob},
    Daemon, Replica, ReplicaError, RunError, ScorerOptions, StuckClaim, WorkerDirs,
};
use crate::{
    chain::{Account, Call, ChainError, Client, Keypair, Moment},
    engine::{Contributor, ContributorCommand, ContributorSnapshot, Submission},
    state::{Folder, Lock},
};
use facts::{check_registration, objection, span, takes_deltas};
use gotong_protocol::{
    view::{RoundView, SubmissionView, TaskView},
    Hash, Phase, RoundId, TaskId,
};
use gotong_training::Deadline;
use setbacks::{is_setback, Setbacks};
use std::{
    ops::ControlFlow,
    sync::{atomic::AtomicBool, Arc},
    time::Instant,
};
use tracing::Instrument;

/// The daemon of a contributor.
pub struct Contribute {
    signer: Keypair,
    account: Account,
    dirs: WorkerDirs,
    task: TaskId,
    source: DeltaSource,
    /// Parameters to keep in a delta, in thousandths.
    keep_permille: u32,
    /// The round before which to stop.
    until: Option<RoundId>,
    opened: Option<Opened>,
    training: Option<RunningTraining>,
    /// Whether a training run has to wait for its turn.
    is_held: bool,
    /// The root of the weights from which a training run that waits for its turn could begin now.
    ready: Option<Hash>,
    claims_resume_at: Instant,
    /// The last report about claims that cannot be made.
    stuck: Option<StuckClaim>,
    /// Whether this process has revealed a delta, or found its own revealed.
    has_revealed: bool,
    /// The round in which nothing is revealed any more, because its delta belongs to another account or it is too late.
    lost: Option<RoundId>,
    /// The last round that was logged as impossible to train for, because the chain settled an earlier one on something other than
    /// what is computed here.
    told: Option<RoundId>,
    /// When the phase of the task's round began.
    window: u32,
    /// What is sat out because the delta would do harm: a round, the root of its weights, and the window. A round to which nobody
    /// commits gets another window.
    sat_out: Option<(RoundId, Hash, u32)>,
    /// The recent failures of training.
    setbacks: Setbacks,
    /// The round that could not be computed in advance.
    not_ahead: Option<RoundId>,
    pace: Pace,
    /// When a training has to be over, if a Commit window is open and its end is known.
    deadline: Option<Instant>,
    /// If the process is meant to end by itself: why there is nothing left to wait for.
    hopeless: Option<ReplicaError>,
}

/// What the daemon has once it has seen the task.
struct Opened {
    folder: Folder,
    state_name: String,
    residuals: Residuals,
    memories: Memories,
    checkpoints: Checkpoints,
    engine: Contributor,
    /// The engine as it is on disk.
    saved: Option<Contributor>,
    worker: ReplicaWorker,
    _lock: Lock,
}

/// How far the task is rebuilt.
#[derive(Debug)]
enum Rebuilt {
    /// Not as far as the chain yet.
    Partly,
    /// As far as the chain.
    Wholly,
    /// As far as the chain's weights agree with those computed here. It will not get any further.
    UpTo(ReplicaError),
}

/// A training makes no more updates than usual once one in this many places of the round is taken.
const CROWDED: u32 = 4;
/// What the chain says about a delta whose author it records, but which it does not score.
const REVEALED_LATE: &str = "RevealedLate";

impl Contribute {
    /// Submits to every round of `task` before `until`. A delta keeps `keep_permille` thousandths of the parameters.
    pub fn new(
        signer: Keypair,
        dirs: WorkerDirs,
        task: TaskId,
        source: DeltaSource,
        keep_permille: u32,
        until: Option<RoundId>,
    ) -> Self {
        Self {
            account: signer.public_key().0,
            signer,
            dirs,
            task,
            source,
            keep_permille,
            until,
            opened: None,
            training: None,
            is_held: false,
            ready: None,
            claims_resume_at: Instant::now(),
            stuck: None,
            has_revealed: false,
            lost: None,
            told: None,
            window: 0,
            sat_out: None,
            setbacks: Setbacks::default(),
            not_ahead: None,
            pace: Pace::default(),
            deadline: None,
            hopeless: None,
        }
    }

    /// A daemon that begins training only when it is told to ([`Contribute::begin`]).
    pub(super) fn held(self) -> Self {
        Self {
            is_held: true,
            ..self
        }
    }

    async fn open(&mut self, now: &Moment, view: &TaskView) -> Result<(), RunError> {
        if self.opened.is_some() {
            return Ok(());
        }
        let stake = check_registration(now.stake(&self.account).await?)?;
        if let Some(why) = objection(&stake, view, &self.account) {
            return Err(RunError::Unregistered(why));
        }
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let state_name = self.source.state_name();
        let saved = load_contributor(&folder, &state_name)?;
        let engine = saved.clone();
        let engine = engine.unwrap_or_else(|| Contributor::new(self.task, self.account));
        self.opened = Some(Opened {
            residuals: Residuals::new(folder.clone()),
            memories: Memories::new(folder.clone()),
            checkpoints: Checkpoints::new(folder.clone()),
            folder,
            state_name,
            engine,
            saved,
            worker: ReplicaWorker::new(self.dirs.clone(), ScorerOptions::default())
                .without_disputes(),
            _lock: lock,
        });
        let rate = f64::from(view.terms.share.outer_rate_q8) / 256.0;
        tracing::info!(
            "the task takes deltas of up to {} KiB, and merges their mean, times {rate}",
            view.terms.delta_bytes >> 10
        );
        Ok(())
    }

    async fn snapshot(
        &mut self,
        now: &Moment,
        seen: Instant,
        task: &TaskView,
        view: &RoundView,
        submissions: &[SubmissionView],
    ) -> Result<ContributorSnapshot, RunError> {
        self.window = view.phase_started_at;
        let deadline = self.pace.deadline(seen, now.block(), view.ends_at);
        self.deadline = deadline.filter(|_| view.phase == Phase::Commit);
        if let (Some(training), Some(at)) = (&self.training, self.deadline) {
            training.deadline.set(at);
        }
        // Whoever comes too late finds no place.
        let is_crowded = view.commits >= (task.terms.places() / CROWDED).max(1);
        if let (true, Some(training)) = (is_crowded, &self.training) {
            training.deadline.keep_to_usual();
        }
        let own = submissions
            .iter()
            .find(|found| found.account == self.account);
        Ok(ContributorSnapshot {
            block: now.block(),
            round: view.round,
            phase: view.phase,
            takes_deltas: takes_deltas(view, &task.terms, now.block()),
            base_root: view.base_root,
            submission: own.map(|own| match own.revealed {
                Some(_) => Submission::Revealed,
                None => Submission::Committed,
            }),
            unclaimed: self.unclaimed(now).await?,
        })
    }

    /// Computes a round before it has ended, once its attesters have done so. Then the next training run can begin as soon as it
    /// ends.
    async fn score_ahead(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        task: &TaskView,
        round: &RoundView,
        submissions: &[SubmissionView],
    ) {
        let is_attested = matches!(round.phase, Phase::AttestReveal | Phase::Challenge);
        if !is_attested || !round.has_samples() || self.not_ahead == Some(round.round) {
            return;
        }
        let wanted = Some((round, inputs_digest(round, submissions)));
        if let Err(error) = opened.worker.ready(client, now, task, wanted).await {
            // Whatever needs the round meets the error again.
            tracing::debug!("nothing was computed in advance: {error}");
            self.not_ahead = Some(round.round);
        }
    }

    /// Takes over the result of a training run that has ended. Its checkpoint stays until the whole result is stored: a program
    /// that is killed before continues from there.
    async fn finish_training(&mut self, opened: &mut Opened) -> Result<(), RunError> {
        let Some(mut ended) = self
            .training
            .take_if(|training| training.running.is_finished())
        else {
            return Ok(());
        };
        let joined = (&mut ended.running).await;
        let made = match joined.unwrap_or_else(|error| Err(error.into())) {
            Err(RunError::Harmful(harm)) => {
                tracing::warn!("{}", RunError::Harmful(harm));
                opened.checkpoints.remove();
                self.sat_out = Some((ended.round, ended.base_root, self.window));
                return Ok(());
            }
            Err(error) if is_setback(&error) => {
                self.set_back(&ended, &error);
                return Ok(());
            }
            // If one of many tasks cannot be trained for, that does not stop the others. In the next round there may also be more
            // time to learn something.
            Err(error) if self.sits_out_after(&error) => {
                tracing::error!("{error}: nothing is submitted in this round");
                self.sat_out = Some((ended.round, ended.base_root, self.window));
                return Ok(());
            }
            made => made?,
        };
        if let Some(memory) = made.memory {
            opened.memories.save(ended.round, memory);
        }
        let revealed = opened.engine.residual_of();
        if opened.engine.on_trained(made.prepared) {
            if let Some(residual) = &made.residual {
                opened.residuals.save(revealed, residual)?;
            }
        }
        opened.save()?;
        opened.checkpoints.remove();
        Ok(())
    }

    async fn execute(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
        command: ContributorCommand,
    ) -> Result<(), RunError> {
        let task = self.task;
        match command {
            ContributorCommand::Train { round, base_root }
                if self.sat_out == Some((round, base_root, self.window))
                    || self.setbacks.are_recent(Instant::now()) => {}
            ContributorCommand::Train { round, base_root } => {
                let is_running = |running: &RunningTraining| {
                    running.round == round && running.base_root == base_root
                };
                if self.training.as_ref().is_some_and(is_running) {
                    return Ok(());
                }
                match self.rebuild(opened, client, now, view).await? {
                    Rebuilt::Wholly if self.is_held => {
                        // A training run for another round or from other weights is useless.
                        self.training = None;
                        self.ready = Some(base_root);
                    }
                    Rebuilt::Wholly => {
                        self.training = self.start_training(opened, view, base_root, true)?;
                    }
                    Rebuilt::Partly => {}
                    Rebuilt::UpTo(error) if self.is_to_end() => self.hopeless = Some(error),
                    // This is logged once. A fork may mend it.
                    Rebuilt::UpTo(error) if self.told < Some(round) => {
                        tracing::error!("not training for this round: {error}");
                        self.told = Some(round);
                    }
                    Rebuilt::UpTo(_) => {}
                }
            }
            ContributorCommand::Commit { round, commitment } => {
                let call = Call::commit(task, round, commitment);
                if let Some(receipt) = submit_once(client, &self.signer, &call).await? {
                    opened.engine.on_committed(round, receipt.block);
                    opened.save()?;
                }
                tracing::info!("committed");
            }
            ContributorCommand::Reveal { round, .. } if self.lost == Some(round) => {}
            ContributorCommand::Reveal { round, delta, salt } => {
                let call = Call::reveal(task, round, &delta, salt);
                let receipt = match submit_once(client, &self.signer, &call).await {
                    Err(error) if error.is_refusal("DeltaOfAnother") => {
                        return self.lose(round, &error)
                    }
                    Err(error) if error.is_refusal("RevealTooLate") => {
                        self.lost = Some(round);
                        tracing::warn!("{error}");
                        return Ok(());
                    }
                    sent => sent?,
                };
                match receipt {
                    Some(receipt) if receipt.has_event(REVEALED_LATE) => {
                        self.lost = Some(round);
                        tracing::warn!(
                            "the reveal came too late: the delta is not scored, and its deposit is lost. The delta stays \
                             yours: nobody else can reveal it in this task"
                        );
                    }
                    Some(_) => {
                        self.has_revealed = true;
                        tracing::info!("revealed {} bytes", delta.len());
                    }
                    // An earlier transaction revealed it. If it came in time, the chain will show it soon.
                    None => {}
                }
            }
            ContributorCommand::Claim { .. } => {
                self.claim(opened, client, now, view).await?;
            }
        }
        Ok(())
    }

    /// Another account is the author of the delta: revealing it again would cost fees and fail.
    fn lose(&mut self, round: RoundId, error: &ChainError) -> Result<(), RunError> {
        self.lost = Some(round);
        let advice = "train with other data or another seed";
        match self.source {
            DeltaSource::Train(_) => {
                tracing::error!("{error} Nothing is submitted in this round: {advice}");
                Ok(())
            }
            DeltaSource::Weights(_) => {
                Err(RunError::Refused(format!("{error} To submit, {advice}")))
            }
        }
    }

    /// Continues to rebuild the task in the background, so that this delays no commitment and no reveal. If the chain's weights
    /// differ, there is nothing to train from, but committed deltas still have to be revealed.
    async fn rebuild(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Rebuilt, RunError> {
        match opened.worker.ready(client, now, view, None).await {
            Err(error @ ReplicaError::Differs { .. }) => Ok(Rebuilt::UpTo(error)),
            ready => Ok(match ready? {
                Some(_) => Rebuilt::Wholly,
                None => Rebuilt::Partly,
            }),
        }
    }

    fn start_training(
        &self,
        opened: &Opened,
        view: &TaskView,
        base_root: Hash,
        may_grow: bool,
    ) -> Result<Option<RunningTraining>, RunError> {
        let round = view.round;
        let Some(replica) = opened.worker.replica() else {
            return Ok(None);
        };
        let residual = if self.source.is_honest_training() {
            opened.residuals.load(opened.engine.residual_of())?
        } else {
            None
        };
        let stop = Arc::new(AtomicBool::new(false));
        let deadline = Arc::<Deadline>::default();
        if let Some(at) = self.deadline {
            deadline.set(at);
        }
        let job = TrainingJob {
            task: self.task,
            account: self.account,
            round,
            base_root,
            graph: replica.graph().clone(),
            master: replica.weights().to_vec(),
            residual,
            memory: match self.source {
                DeltaSource::Train(_) => opened.memories.before(round),
                DeltaSource::Weights(_) => None,
            },
            checkpoints: opened.checkpoints.clone(),
            span: span(view),
            keep_permille: self.keep_permille,
            delta_bytes: view.terms.delta_bytes,
            share: view.terms.share,
            source: self
                .source
                .clone()
                .with_batch(replica.graph(), |samples| self.setbacks.batch(samples)),
            stop: stop.clone(),
            deadline: deadline.clone(),
            may_grow,
        };
        tracing::info!("training");
        // The logs of the training run name account, task and round, too.
        let round_span = tracing::Span::current();
        Ok(Some(RunningTraining {
            round,
            base_root,
            stop,
            deadline,
            running: tokio::task::spawn_blocking(move || round_span.in_scope(|| job.run())),
        }))
    }

    /// Whether, after training failed with this error, nothing is submitted in the round and the next round is another try.
    fn sits_out_after(&self, error: &RunError) -> bool {
        let learned_nothing = matches!(error, RunError::NothingLearned);
        let is_trained = matches!(self.source, DeltaSource::Train(_));
        self.is_held && error.is_fatal() || learned_nothing && is_trained
    }

    /// Whether it is to end before the task does.
    fn is_to_end(&self) -> bool {
        self.until.is_some() || matches!(self.source, DeltaSource::Weights(_))
    }

    /// Whether no more rounds are to be contributed to.
    fn is_over(&self, view: &TaskView, now: &ContributorSnapshot) -> bool {
        let task_is_over = view.state.is_over();
        let submitted = matches!(self.source, DeltaSource::Weights(_)) && self.has_revealed;
        task_is_over || submitted || self.until.is_some_and(|until| now.round >= until)
    }
}

impl Daemon for Contribute {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        let view = now.existing_task(self.task).await?;
        self.look_at(client, now, Instant::now(), &view).await
    }
}

impl Contribute {
    /// Does what is due in the task. The view is from a block that was the best one at `seen`.
    pub(super) async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        seen: Instant,
        view: &TaskView,
    ) -> Result<ControlFlow<()>, RunError> {
        self.open(now, view).await?;
        let Some(mut opened) = self.opened.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        let span = round_span(self.task, view.round, &self.account);
        let acted = self.act(&mut opened, client, now, seen, view);
        let flow = acted.instrument(span).await;
        self.opened = Some(opened);
        flow
    }

    async fn act(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        seen: Instant,
        view: &TaskView,
    ) -> Result<ControlFlow<()>, RunError> {
        self.ready = None;
        self.finish_training(opened).await?;
        let Some(round) = now.round(self.task, view.round).await? else {
            return self.act_without_round(opened, client, now, view).await;
        };
        let submissions = now.submissions(self.task, view.round).await?;
        let snapshot = self.snapshot(now, seen, view, &round, &submissions).await?;
        self.has_revealed |= opened.engine.has_revealed(&snapshot);
        if opened.engine.is_too_late(&snapshot) && self.lost != Some(snapshot.round) {
            self.lost = Some(snapshot.round);
            tracing::warn!(
                "the delta was not revealed in time: it is not scored, and its deposit is lost. Nobody has seen the delta"
            );
        }
        let mut commands = opened.engine.on_block(&snapshot);
        opened.save_for(&mut commands);
        let is_over = self.is_over(view, &snapshot);
        if is_over {
            commands.retain(|command| matches!(command, ContributorCommand::Claim { .. }));
        }
        let trains =
            |command: &ContributorCommand| matches!(command, ContributorCommand::Train { .. });
        if !commands.iter().any(trains) {
            self.training = None;
        }
        if is_over && matches!(self.source, DeltaSource::Weights(_)) {
            return self.end_of_submission();
        }
        if is_over && commands.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        let claims =
            |command: &ContributorCommand| matches!(command, ContributorCommand::Claim { .. });
        // A claim needs the replica for itself.
        let is_claiming = commands.iter().any(claims);
        for command in commands {
            self.execute(opened, client, now, view, command).await?;
        }
        if !is_over && !is_claiming {
            self.score_ahead(opened, client, now, view, &round, &submissions)
                .await;
        }
        if let Some(error) = self.hopeless.take() {
            return Err(error.into());
        }
        match is_over {
            true => self.wait_for_claims(snapshot.unclaimed),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

impl Opened {
    /// Returns once the engine is on disk. If it is there already, that needs no free space.
    fn save(&mut self) -> Result<(), RunError> {
        if self.saved.as_ref() != Some(&self.engine) {
            self.folder.save(&self.state_name, &self.engine)?;
            self.saved = Some(self.engine.clone());
        }
        Ok(())
    }

    /// Saves the engine. If that fails, nothing is committed to, because a restart could not reveal it. The other commands do not
    /// depend on the disk.
    fn save_for(&mut self, commands: &mut Vec<ContributorCommand>) {
        if let Err(error) = self.save() {
            tracing::error!("{error}");
            commands.retain(|command| !matches!(command, ContributorCommand::Commit { .. }));
        }
    }
}
