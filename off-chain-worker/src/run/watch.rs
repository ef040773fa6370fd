//! The daemon of `gotong watch`.

use super::{
    inputs_digest, replica::ReplicaWorker, round_span, tasks::Tasks, Daemon, DisputeAgent, Replica,
    RunError, ScorerOptions, Suspects, WorkerDirs,
};
use crate::chain::{Client, Keypair, Moment};
use gotong_protocol::{view::TaskView, Phase, TaskId};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};
use tracing::Instrument;

/// The daemon of somebody without a role: computes every round, and disputes each table that
/// differs.
pub struct Watch {
    signer: Keypair,
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    tasks: Tasks,
    watched: BTreeMap<TaskId, Watched>,
}

struct Watched {
    worker: ReplicaWorker,
    agent: DisputeAgent,
}

impl Watch {
    /// Watches every task, or `only` one.
    pub fn new(
        signer: Keypair,
        dirs: WorkerDirs,
        scoring: ScorerOptions,
        only: Option<TaskId>,
    ) -> Self {
        Self {
            signer,
            dirs,
            scoring,
            tasks: Tasks::new(only),
            watched: BTreeMap::new(),
        }
    }

    async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<(), RunError> {
        let watched = match self.watched.remove(&view.id) {
            Some(watched) => watched,
            None => self.open(view)?,
        };
        let Watched { worker, agent } = self.watched.entry(view.id).or_insert(watched);
        let Some(round) = now.round(view.id, view.round).await? else {
            return Ok(());
        };
        // The challenge window is short: the computation is ready when it opens.
        let is_attested = matches!(
            round.phase,
            Phase::AttestCommit | Phase::AttestReveal | Phase::Challenge
        );
        let submissions = now.submissions(view.id, view.round).await?;
        let wanted = (is_attested && round.has_samples())
            .then(|| (&round, inputs_digest(&round, &submissions)));
        if let Some(replica) = worker.ready(client, now, view, wanted).await? {
            agent
                .attend(client, now, replica, &round, Suspects::Everybody)
                .await?;
        }
        Ok(())
    }

    fn open(&self, view: &TaskView) -> Result<Watched, RunError> {
        tracing::info!("watching");
        let account = self.signer.public_key().0;
        let folder = Replica::folder(&self.dirs, view)?.sub(hex::encode(&account[..8]))?;
        let agent = DisputeAgent::open(self.signer.clone(), view.id, &folder)?;
        let worker = ReplicaWorker::new(self.dirs.clone(), self.scoring.clone());
        Ok(Watched { worker, agent })
    }
}

impl Daemon for Watch {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        self.tasks.ask(client.url());
        let views = self.tasks.live(now, &BTreeSet::new()).await?;
        self.watched.retain(|task, _| self.tasks.is_listed(*task));
        for view in &views {
            if view.state.is_over() {
                self.watched.remove(&view.id);
                continue;
            }
            let span = round_span(view.id, view.round, &self.signer.public_key().0);
            let looked = self.look_at(client, now, view).instrument(span).await;
            if self.tasks.survive(view.id, looked)? {
                self.watched.remove(&view.id);
            }
        }
        Ok(match self.tasks.is_done(&views) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}
