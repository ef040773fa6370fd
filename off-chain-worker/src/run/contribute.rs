//! The daemon of `gotong contribute` and `gotong submit`.

use super::{
    claim_rounds,
    replica::ReplicaWorker,
    residuals::Residuals,
    round_span, submit_once,
    training_job::{Seed, Trained, TrainingJob},
    Daemon, Replica, ReplicaError, RunError, ScorerOptions, WorkerDirs,
};
use crate::{
    chain::{Account, Call, ChainError, Client, Keypair, Moment},
    engine::{Contributor, ContributorCommand, ContributorSnapshot, Submission},
    state::{Folder, Lock},
    training::{data::Labelled, TrainingOptions},
};
use burn::tensor::Device;
use codec::Encode;
use gotong_protocol::{
    view::{StakeView, TaskView},
    Hash, RoundId, TaskId,
};
use gotong_scoring::blake2_256;
use std::{
    ops::ControlFlow,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Where a contributor's changes come from.
#[derive(Clone)]
pub enum DeltaSource {
    /// Trained from the round's weights, round after round.
    Train(Training),
    /// Weights trained elsewhere, submitted in one round.
    Weights(Arc<OwnWeights>),
}

/// Weights that were trained elsewhere.
#[derive(Encode)]
pub struct OwnWeights {
    /// What was made of `base`: master weights, in the order of the parameters.
    pub trained: Vec<i16>,
    /// What they were trained from; if it is not given, the weights of the round that they are submitted in.
    pub base: Option<Vec<i16>>,
}

impl DeltaSource {
    pub(super) fn is_honest_training(&self) -> bool {
        matches!(self, Self::Train(training) if training.strategy == Strategy::Honest)
    }

    /// The file of the engine's state. Every file of weights has its own: what is committed and revealed is what
    /// was given, whatever the account submitted before.
    fn state_name(&self) -> String {
        match self {
            Self::Train(_) => "contributor".into(),
            Self::Weights(weights) => {
                let digest = blake2_256(&[&weights.encode()]);
                format!("submission-{}", hex::encode(&digest[..8]))
            }
        }
    }
}

/// How to train.
#[derive(Clone)]
pub struct Training {
    /// What to train on.
    pub data: Arc<Labelled>,
    /// Steps, batches and learning rate.
    pub options: TrainingOptions,
    /// What orders the samples.
    pub seed: Seed,
    /// Where to train.
    pub device: Device,
    /// What to submit.
    pub strategy: Strategy,
}

/// What a contributor makes of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategy {
    /// Submits what it learned.
    #[default]
    Honest,
    /// Submits the same values in random places: an adversary, for demonstrations.
    Noise,
}

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
    claims_resume_at: Instant,
    /// Whether this process has revealed a delta, or found its own revealed.
    has_revealed: bool,
    /// The round whose delta is another account's.
    lost: Option<RoundId>,
    /// The last round that could not be trained for, because the chain settled one before it on
    /// something else than is computed here.
    given_up: Option<RoundId>,
}

/// What the daemon has once it has seen the task.
struct Opened {
    folder: Folder,
    state_name: String,
    residuals: Residuals,
    engine: Contributor,
    worker: ReplicaWorker,
    _lock: Lock,
}

/// How far the task is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rebuilt {
    /// Not yet as far as the chain is.
    Partly,
    /// As far as the chain is.
    Wholly,
    /// As far as the chain agrees with what is computed here, and it will not go further.
    UpToADifference,
}

/// A training run in the background; it is told to stop when it is dropped.
struct RunningTraining {
    round: RoundId,
    base_root: Hash,
    stop: Arc<AtomicBool>,
    running: JoinHandle<Result<Trained, RunError>>,
}

impl Drop for RunningTraining {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

const CLAIM_RETRY: Duration = Duration::from_secs(30);

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
            claims_resume_at: Instant::now(),
            has_revealed: false,
            lost: None,
            given_up: None,
        }
    }

    async fn open(&mut self, now: &Moment, view: &TaskView) -> Result<(), RunError> {
        if self.opened.is_some() {
            return Ok(());
        }
        check_role(now.stake(&self.account).await?, view, &self.account)?;
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&self.account[..8]))?;
        let lock = folder.lock()?;
        let state_name = self.source.state_name();
        let engine = folder
            .load(&state_name)?
            .unwrap_or_else(|| Contributor::new(self.task, self.account));
        self.opened = Some(Opened {
            residuals: Residuals::new(folder.clone()),
            folder,
            state_name,
            engine,
            worker: ReplicaWorker::new(self.dirs.clone(), ScorerOptions::default()),
            _lock: lock,
        });
        Ok(())
    }

    async fn snapshot(
        &self,
        now: &Moment,
        round: RoundId,
    ) -> Result<Option<ContributorSnapshot>, RunError> {
        let Some(view) = now.round(self.task, round).await? else {
            return Ok(None);
        };
        let submissions = now.submissions(self.task, round).await?;
        let own = submissions
            .iter()
            .find(|found| found.account == self.account);
        Ok(Some(ContributorSnapshot {
            block: now.block(),
            round,
            phase: view.phase,
            base_root: view.base_root,
            submission: own.map(|own| match own.revealed {
                Some(_) => Submission::Revealed,
                None => Submission::Committed,
            }),
            unclaimed: now
                .ledger(&self.account, self.task)
                .await?
                .and_then(|ledger| ledger.next),
        }))
    }

    /// Takes over the result of a training run that has ended.
    async fn finish_training(&mut self, opened: &mut Opened) -> Result<(), RunError> {
        let Some(mut ended) = self
            .training
            .take_if(|training| training.running.is_finished())
        else {
            return Ok(());
        };
        let trained = (&mut ended.running).await??;
        let revealed = opened.engine.residual_of();
        if opened.engine.on_trained(trained.prepared) {
            if let Some(residual) = &trained.residual {
                opened.residuals.save(revealed, residual)?;
            }
        }
        opened.save()
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
            ContributorCommand::Train { round, base_root } => {
                let is_running = |running: &RunningTraining| {
                    running.round == round && running.base_root == base_root
                };
                if !self.training.as_ref().is_some_and(is_running)
                    && self.rebuild(opened, client, now, view).await? == Rebuilt::Wholly
                {
                    self.training = self.start_training(opened, round, base_root)?;
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
                    sent => sent?,
                };
                if receipt.is_some_and(|receipt| receipt.has_event("RevealedLate")) {
                    self.lost = Some(round);
                    tracing::error!(
                        "the reveal of round {round} came too late: it is not scored, and its deposit is lost. The \
                         delta stays yours; nobody else can reveal it"
                    );
                    return Ok(());
                }
                self.has_revealed = true;
                tracing::info!("revealed {} bytes", delta.len());
            }
            ContributorCommand::Claim { .. } => {
                self.claim(opened, client, now, view).await?;
            }
        }
        Ok(())
    }

    /// Another account is the author of the delta: to reveal it again costs fees and is in vain.
    fn lose(&mut self, round: RoundId, error: &ChainError) -> Result<(), RunError> {
        self.lost = Some(round);
        let advice = "train with other data or another seed";
        match self.source {
            DeltaSource::Train(_) => {
                tracing::error!("{error} Nothing is submitted in this round: {advice}");
                Ok(())
            }
            DeltaSource::Weights(_) => Err(RunError::Refused(format!("{error} So {advice}"))),
        }
    }

    /// Goes on with rebuilding the task in the background, so that it holds up no commitment and no reveal. If the chain
    /// differs, which is told once a round, there is nothing to train from, but what was committed is still to be
    /// revealed.
    async fn rebuild(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<Rebuilt, RunError> {
        match opened.worker.ready(client, now, view, None).await {
            Err(error @ ReplicaError::Differs { .. }) => {
                if self.given_up < Some(view.round) {
                    tracing::error!("not training for this round: {error}");
                    self.given_up = Some(view.round);
                }
                Ok(Rebuilt::UpToADifference)
            }
            ready => Ok(match ready? {
                Some(_) => Rebuilt::Wholly,
                None => Rebuilt::Partly,
            }),
        }
    }

    /// Claims; a refusal waits, so that it holds up nothing else.
    async fn claim(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<(), RunError> {
        if Instant::now() < self.claims_resume_at {
            return Ok(());
        }
        if self.rebuild(opened, client, now, view).await? == Rebuilt::Partly {
            return Ok(());
        }
        // What was rebuilt can be claimed, whatever came after it.
        let Some(replica) = opened.worker.replica() else {
            return Ok(());
        };
        let claims = claim_rounds(client, now, &self.signer, replica, view).await?;
        if !claims.claimed.is_empty() {
            let (rounds, paid) = (claims.claimed.len(), claims.paid());
            tracing::info!("claimed {rounds} rounds, paid {paid} planck");
        }
        if let Some(stuck) = claims.stuck {
            tracing::warn!("cannot claim {stuck}; trying again in {CLAIM_RETRY:?}");
            self.claims_resume_at = Instant::now() + CLAIM_RETRY;
        }
        Ok(())
    }

    fn start_training(
        &self,
        opened: &Opened,
        round: RoundId,
        base_root: Hash,
    ) -> Result<Option<RunningTraining>, RunError> {
        let Some(replica) = opened.worker.replica() else {
            return Ok(None);
        };
        let residual = if self.source.is_honest_training() {
            opened.residuals.load(opened.engine.residual_of())?
        } else {
            None
        };
        let stop = Arc::new(AtomicBool::new(false));
        let job = TrainingJob {
            task: self.task,
            account: self.account,
            round,
            base_root,
            graph: replica.graph().clone(),
            master: replica.weights().to_vec(),
            residual,
            keep_permille: self.keep_permille,
            source: self.source.clone(),
            stop: stop.clone(),
        };
        tracing::info!("training");
        Ok(Some(RunningTraining {
            round,
            base_root,
            stop,
            running: tokio::task::spawn_blocking(move || job.run()),
        }))
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
        let view = now.task(self.task).await?;
        let view = view.ok_or(RunError::NoTask(self.task))?;
        self.open(now, &view).await?;
        let Some(mut opened) = self.opened.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        let span = round_span(self.task, view.round, &self.account);
        let acted = self.act(&mut opened, client, now, &view);
        let flow = acted.instrument(span).await;
        self.opened = Some(opened);
        flow
    }
}

impl Contribute {
    async fn act(
        &mut self,
        opened: &mut Opened,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<ControlFlow<()>, RunError> {
        self.finish_training(opened).await?;
        let Some(snapshot) = self.snapshot(now, view.round).await? else {
            return Ok(ControlFlow::Continue(()));
        };
        self.has_revealed |= opened.engine.has_revealed(&snapshot);
        let before = opened.engine.clone();
        let mut commands = opened.engine.on_block(&snapshot);
        if opened.engine != before {
            opened.save()?;
        }
        let is_over = self.is_over(view, &snapshot);
        if is_over {
            commands.retain(|command| matches!(command, ContributorCommand::Claim { .. }));
        }
        let trains =
            |command: &ContributorCommand| matches!(command, ContributorCommand::Train { .. });
        if !commands.iter().any(trains) {
            self.training = None;
        }
        if is_over && (commands.is_empty() || matches!(self.source, DeltaSource::Weights(_))) {
            return Ok(ControlFlow::Break(()));
        }
        for command in commands {
            self.execute(opened, client, now, view, command).await?;
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Opened {
    fn save(&self) -> Result<(), RunError> {
        Ok(self.folder.save(&self.state_name, &self.engine)?)
    }
}

/// A contributor needs stake and the role, and may not be the task's sponsor.
fn check_role(
    stake: Option<StakeView>,
    task: &TaskView,
    account: &Account,
) -> Result<(), RunError> {
    let minimum = task.terms.minimum_contributor_stake;
    let advice = match stake {
        _ if task.sponsor == *account => "the sponsor of a task may not contribute to it",
        None => "not registered: run `gotong register --role contributor --stake AMOUNT` first",
        Some(stake) if !stake.roles.contributor => "registered, but not as a contributor",
        Some(stake) if stake.stake < minimum => "the task asks for more stake",
        Some(stake) if !stake.active => "the registration is not active: its stake is leaving",
        Some(_) => return Ok(()),
    };
    Err(RunError::Refused(advice.into()))
}
