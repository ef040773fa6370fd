//! The daemon of `gotong watch`.

use super::{
    dispute_agent::deadlines,
    inputs_digest,
    replica::ReplicaWorker,
    round_span,
    tasks::Tasks,
    under_way::{holding, Ended, UnderWay, Work},
    until, Daemon, DisputeAgent, Replica, RunError, ScorerOptions, Suspects, WorkerDirs,
};
use crate::chain::{Client, Keypair, Moment};
use gotong_protocol::{view::TaskView, Phase, TaskId};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;
use tracing::Instrument;

/// The daemon of somebody without a role: computes every round, and disputes each table that
/// differs.
pub struct Watch {
    signer: Keypair,
    dirs: WorkerDirs,
    scoring: ScorerOptions,
    tasks: Tasks,
    watched: BTreeMap<TaskId, Arc<Mutex<Watched>>>,
    under_way: UnderWay<Looked>,
}

/// The result of a look at a task.
type Looked = (TaskId, Result<(), RunError>);

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
            under_way: UnderWay::default(),
        }
    }

    /// The look at a task that begins now, unless the previous one is still under way.
    fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        view: TaskView,
    ) -> Result<Option<Work<Looked>>, RunError> {
        let id = view.id;
        let span = round_span(id, view.round, &self.signer.public_key().0);
        let watched = match self.watched.get(&id) {
            Some(watched) => watched.clone(),
            None => {
                let opened = Arc::new(Mutex::new(span.in_scope(|| self.open(&view))?));
                self.watched.insert(id, opened.clone());
                opened
            }
        };
        let (client, now) = (client.clone(), now.clone());
        Ok(holding(&watched, |mut watched| {
            let look = async move {
                let looked = watched.look(&client, &now, &view).await;
                Ended::with((id, looked))
            };
            look.instrument(span)
        }))
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

impl Watched {
    async fn look(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<(), RunError> {
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
        if let Some(replica) = self.worker.ready(client, now, view, wanted).await? {
            self.agent
                .attend(client, now, replica, &round, Suspects::Everybody)
                .await?;
        }
        Ok(())
    }
}

impl Daemon for Watch {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        for (task, looked) in self.under_way.came() {
            if self.tasks.survive(task, looked)? {
                self.watched.remove(&task);
            }
        }
        self.tasks.ask(client.url());
        let all = BTreeSet::new();
        let live = self.tasks.live(now, &all);
        let views = self.under_way.beside(live).await?;
        self.watched.retain(|task, _| self.tasks.is_listed(*task));
        let is_done = self.tasks.is_done(&views);
        let disputes = self.under_way.beside(now.disputes(None)).await?;
        let block_time = Duration::from_millis(now.block_millis()?);
        let account = self.signer.public_key().0;
        for view in views {
            let id = view.id;
            let due = deadlines(&disputes, id, &account);
            self.tasks.is_due_by(id, &due, now.block(), block_time);
            if view.state.is_over() {
                self.watched.remove(&id);
                continue;
            }
            match self.look_at(client, now, view) {
                Ok(look) => self.under_way.begin(look),
                Err(error) => {
                    self.tasks.survive(id, Err(error))?;
                }
            }
        }
        Ok(until(is_done))
    }

    async fn beside<T>(&mut self, wait: impl Future<Output = T>) -> T {
        self.under_way.beside(wait).await
    }

    fn disconnected(&mut self) {
        // After this, nothing holds a lock any more.
        self.under_way.clear();
        for watched in self.watched.values() {
            if let Ok(mut watched) = watched.try_lock() {
                watched.agent.disconnected();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keys::development, run::views, state::Folder};

    /// A lying node may claim that a block far ahead took a pick, although no block did. If the program relied on that, it would
    /// not pick again, and would lose the bond.
    #[test]
    fn what_a_node_said_of_moves_is_forgotten_when_another_one_is_asked() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let dirs = WorkerDirs::open(folder, Vec::new()).unwrap();
        let signer = development("wanda").unwrap();
        let mut watch = Watch::new(signer, dirs, ScorerOptions::default(), None);
        let view = views::task();
        let watched = Arc::new(Mutex::new(watch.open(&view).unwrap()));
        watched.try_lock().unwrap().agent.moved_at(u32::MAX);
        watch.watched.insert(view.id, watched.clone());
        assert!(watched.try_lock().unwrap().agent.relies_on_its_node());
        watch.disconnected();
        assert!(!watched.try_lock().unwrap().agent.relies_on_its_node());
    }
}
