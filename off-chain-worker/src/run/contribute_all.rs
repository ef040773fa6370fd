//! The daemon of `gotong contribute --task auto`: one account that contributes to every task that it can, with one training run at
//! a time.

mod worth;

use super::{
    contribute::facts::{check_registration, objection},
    round_span, spare_memory, task_recipe,
    tasks::Tasks,
    time_shares::{weights, TimeShares},
    training_data::TrainingData,
    Contribute, Daemon, DeltaSource, RunError, TrainingDataError, TrainingPlan, WorkerDirs,
};
use crate::chain::{Account, ChainError, Client, Keypair, Moment};
use gotong_data::Recipe;
use gotong_protocol::{
    view::{LedgerView, Page, StakeView, TaskView},
    Phase, TaskId,
};
use gotong_scoring::blake2_256;
use gotong_training::{data::Labelled, TestedDevice};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::Instrument;
use worth::worth;

/// The daemon of a contributor to all tasks. It commits, reveals and claims in each as [`Contribute`] does, and trains for
/// one at a time: each gets time in proportion to what it pays ([`TimeShares`]).
pub struct ContributeAll {
    signer: Keypair,
    account: Account,
    dirs: WorkerDirs,
    plan: TrainingPlan,
    device: TestedDevice,
    tasks: Tasks,
    contributions: BTreeMap<TaskId, Contribute>,
    /// Tasks without data here.
    left_out: BTreeSet<TaskId>,
    /// Tasks in which nothing is left to do, if this connection's node tells the truth.
    finished: BTreeSet<TaskId>,
    /// Tasks that the account may not contribute to as things are. This is already logged.
    refused: BTreeSet<TaskId>,
    /// The training data of all tasks.
    data: TrainingData,
    shares: TimeShares,
    /// The training run under way.
    busy: Option<Busy>,
    /// Whether the account was found to be a contributor.
    was_checked: bool,
    owed: Owed,
}

/// Tasks in which the account had claims when the program began. They may be over. To find them, all tasks that ever existed are
/// searched once, some in each look, so that no look takes long.
struct Owed {
    known: BTreeSet<TaskId>,
    /// Where the next page begins; none once all tasks were searched.
    next: Option<TaskId>,
}

impl Owed {
    /// How many pages of 256 tasks each a look asks for: 100,000 tasks take 25 looks. A claim has weeks of time.
    const PAGES: usize = 16;

    /// The tasks that are known after another look. `page` gets the account's ledgers in the tasks of a page, given where the page
    /// begins.
    async fn tasks(
        &mut self,
        page: impl AsyncFn(TaskId) -> Result<Page<LedgerView, TaskId>, ChainError>,
    ) -> Result<&BTreeSet<TaskId>, ChainError> {
        for _ in 0..Self::PAGES {
            let Some(start) = self.next else {
                break;
            };
            let found = page(start).await?;
            let with_claims = found.items.iter().filter(|ledger| ledger.next.is_some());
            self.known.extend(with_claims.map(|ledger| ledger.task));
            // A node that leads back would never come to an end.
            self.next = found.next.filter(|next| *next > start);
        }
        Ok(&self.known)
    }

    /// Searches all tasks once more. What is known stays known.
    fn begin_again(&mut self) {
        self.next = Some(TaskId(0));
    }
}

impl Default for Owed {
    /// Nothing is known yet.
    fn default() -> Self {
        Self {
            known: BTreeSet::new(),
            next: Some(TaskId(0)),
        }
    }
}

/// A training run, and the time that it takes.
struct Busy {
    task: TaskId,
    began: Instant,
    /// The task's weight.
    weight: f64,
}

impl ContributeAll {
    /// Trains by `plan` on `device` for every task that it has data for.
    pub fn new(
        signer: Keypair,
        dirs: WorkerDirs,
        plan: TrainingPlan,
        device: TestedDevice,
    ) -> Self {
        Self {
            account: signer.public_key().0,
            signer,
            dirs,
            data: TrainingData::new(plan.samples.clone(), plan.part, spare_memory()),
            plan,
            device,
            tasks: Tasks::new(None),
            contributions: BTreeMap::new(),
            left_out: BTreeSet::new(),
            finished: BTreeSet::new(),
            refused: BTreeSet::new(),
            shares: TimeShares::default(),
            busy: None,
            was_checked: false,
            owed: Owed::default(),
        }
    }

    /// Tasks that are looked at even if no round of theirs is under way. `page` is that of [`Owed::tasks`].
    async fn besides(
        &mut self,
        page: impl AsyncFn(TaskId) -> Result<Page<LedgerView, TaskId>, ChainError>,
    ) -> Result<BTreeSet<TaskId>, ChainError> {
        let owed = self.owed.tasks(page).await?;
        let under_way = self.contributions.keys();
        let besides = under_way.chain(owed).copied();
        Ok(besides
            .filter(|task| !self.left_out.contains(task) && !self.finished.contains(task))
            .collect())
    }

    /// Looks at one task, without beginning to train. An account that has left finishes what it has begun.
    async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        seen: Instant,
        stake: Option<&StakeView>,
        view: &TaskView,
    ) -> Result<(), RunError> {
        if !self.contributions.contains_key(&view.id) {
            let span = round_span(view.id, view.round, &self.account);
            if view.state.is_over() && !self.has_claims(now, view.id).await? {
                self.finished.insert(view.id);
                return Ok(());
            }
            let opened = match stake {
                Some(stake) => self.open(client, stake, view).instrument(span).await?,
                None => None,
            };
            match opened {
                Some(contribution) => self.contributions.insert(view.id, contribution),
                None => return Ok(()),
            };
        }
        let Some(contribution) = self.contributions.get_mut(&view.id) else {
            return Ok(());
        };
        // After an error, the pause must not outlast the window in which a committed delta has to be revealed.
        let round = now.round(view.id, view.round).await?;
        let reveals = round.filter(|round| round.phase == Phase::Reveal);
        let due: Vec<_> = reveals.iter().map(|round| round.ends_at).collect();
        let block_time = Duration::from_millis(now.block_millis()?);
        self.tasks.is_due_by(view.id, &due, now.block(), block_time);
        match contribution.look_at(client, now, seen, view).await {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => self.finish(view.id),
            Err(RunError::Refused(why)) if view.state.is_over() => {
                tracing::error!(task = %view.id, "{why}");
                self.finish(view.id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn has_claims(&self, now: &Moment, task: TaskId) -> Result<bool, ChainError> {
        let ledger = now.ledger(&self.account, task).await?;
        Ok(ledger.is_some_and(|ledger| ledger.next.is_some()))
    }

    fn finish(&mut self, task: TaskId) {
        self.contributions.remove(&task);
        self.finished.insert(task);
    }

    /// The contributor for the task, if this account may contribute and the data for it has been read.
    async fn open(
        &mut self,
        client: &Client,
        stake: &StakeView,
        view: &TaskView,
    ) -> Result<Option<Contribute>, RunError> {
        if let Some(why) = objection(stake, view, &self.account) {
            if self.refused.insert(view.id) {
                tracing::info!("not contributing to it: {why}");
            }
            return Ok(None);
        }
        let recipe = task_recipe(client, &self.dirs, view).await?;
        let data = match self.data_for(view, recipe.as_deref()) {
            Ok(Some(data)) => data,
            // The data is being read.
            Ok(None) => return Ok(None),
            Err(why) => {
                tracing::warn!("not contributing to it until the next start: {why}");
                self.left_out.insert(view.id);
                return Ok(None);
            }
        };
        tracing::info!("contributing to it");
        let contribution = Contribute::new(
            self.signer.clone(),
            self.dirs.clone(),
            view.id,
            DeltaSource::Train(self.plan.training(data, self.device.clone())),
            self.plan.keep_permille(&view.graph),
            None,
        );
        Ok(Some(contribution.held()))
    }

    /// The data for a task with this recipe, none while it is being read.
    fn data_for(
        &mut self,
        view: &TaskView,
        recipe: Option<&str>,
    ) -> Result<Option<Arc<Labelled>>, TrainingDataError> {
        let recipe = recipe.map(Recipe::parse).transpose()?;
        self.data.of(&view.graph, recipe.as_ref())
    }

    /// Counts the time of a training run that has ended.
    fn count_time(&mut self) {
        let is_at_work = |busy: &mut Busy| {
            let contribution = self.contributions.get(&busy.task);
            contribution.is_some_and(Contribute::is_training)
        };
        if let Some(ended) = self.busy.take_if(|busy| !is_at_work(busy)) {
            self.shares
                .spent(ended.task, ended.began.elapsed(), ended.weight);
        }
    }

    /// Whether only one of these tasks is there to train for, now or soon. Otherwise the time that a window leaves belongs to the
    /// other tasks.
    fn are_alone(&self, views: &[TaskView]) -> bool {
        let may_train = |view: &&TaskView| view.state.is_live() && !self.refused.contains(&view.id);
        views.iter().filter(may_train).count() <= 1
    }

    /// Begins the training run whose turn it is, for one of the tasks that were looked at.
    async fn train(&mut self, now: &Moment, views: &[TaskView]) -> Result<(), RunError> {
        let is_ready = |contribution: &Contribute| contribution.is_ready();
        if !self.contributions.values().any(is_ready) {
            return Ok(());
        }
        let (mut open, mut worths, mut ready) = (Vec::new(), Vec::new(), Vec::new());
        for view in views {
            let Some(contribution) = self.contributions.get(&view.id) else {
                continue;
            };
            if !view.state.is_live() {
                continue;
            }
            match worth(now, &self.account, view).await {
                Ok((worth, has_time)) => {
                    if is_ready(contribution) {
                        let resumes = contribution.would_resume(view.round);
                        if resumes || has_time {
                            ready.push((view.id, resumes));
                        }
                    }
                    open.push(view);
                    worths.push(worth);
                }
                Err(error) => {
                    self.tasks.survive(view.id, Err(error.into()))?;
                }
            }
        }
        let is_alone = self.are_alone(views);
        let ready = in_turn(ready, &self.account);
        let Some(next) = self.shares.next(&ready) else {
            return Ok(());
        };
        let mut weighed = open.into_iter().zip(weights(&worths));
        let (Some((view, weight)), Some(contribution)) = (
            weighed.find(|(view, _)| view.id == next),
            self.contributions.get_mut(&next),
        ) else {
            return Ok(());
        };
        let began = contribution.begin(view, is_alone);
        if contribution.is_training() {
            self.busy = Some(Busy {
                task: next,
                began: Instant::now(),
                weight,
            });
        }
        if self.tasks.survive(next, began)? {
            self.contributions.remove(&next);
        }
        Ok(())
    }
}

/// In which order to train for these tasks after a restart, when no task has had its turn yet: first where a training run was
/// interrupted, which would otherwise be lost. Not everybody begins with the same of the others.
fn in_turn(mut ready: Vec<(TaskId, bool)>, account: &Account) -> Vec<TaskId> {
    ready.sort_by_key(|(id, resumes)| (!resumes, blake2_256(&[account, &id.0.to_le_bytes()])));
    ready.into_iter().map(|(id, _)| id).collect()
}

/// How long the view at a block stays usable.
const STALE: Duration = Duration::from_secs(1);

impl Daemon for ContributeAll {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        let (mut now, mut seen) = (now.clone(), Instant::now());
        let stake = match check_registration(now.stake(&self.account).await?) {
            Err(error) if !self.was_checked => return Err(error),
            checked => checked.ok(),
        };
        self.was_checked = true;
        self.tasks.ask(client.url());
        let mut views = Vec::new();
        let account = self.account;
        let page = async |start: TaskId| now.ledgers_from(&account, start).await;
        let besides = self.besides(page).await?;
        for mut view in self.tasks.live(&now, &besides).await? {
            if self.left_out.contains(&view.id) || self.finished.contains(&view.id) {
                continue;
            }
            if seen.elapsed() > STALE {
                // The work on other tasks took some blocks, so a window may be over.
                (now, seen) = (client.best().await?, Instant::now());
                match now.task(view.id).await? {
                    Some(later) => view = later,
                    None => continue,
                }
            }
            let looked = self
                .look_at(client, &now, seen, stake.as_ref(), &view)
                .await;
            let is_well = looked.is_ok();
            if self.tasks.survive(view.id, looked)? {
                self.contributions.remove(&view.id);
            } else if is_well {
                views.push(view);
            }
        }
        self.data.tidy();
        self.count_time();
        if let Some(busy) = self.busy.as_ref().filter(|_| !self.are_alone(&views)) {
            if let Some(contribution) = self.contributions.get(&busy.task) {
                contribution.keep_to_usual();
            }
        }
        if self.busy.is_none() && stake.is_some() {
            self.train(&now, &views).await?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The next node may know of more. A node that had not caught up, or that lied, may have shown no claims, or shown a task as
    /// over.
    fn disconnected(&mut self) {
        self.owed.begin_again();
        self.finished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        run::{
            views::{ledger, OldChain},
            SampleSource, Seed, Strategy,
        },
        state::Folder,
    };
    use gotong_protocol::RoundId;
    use gotong_training::{data::Part, TrainingOptions};

    fn contribute_all() -> (tempfile::TempDir, ContributeAll) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let plan = TrainingPlan {
            samples: SampleSource::Published {
                folder: temporary.path().to_owned(),
                set: None,
            },
            part: Part::WHOLE,
            keep_permille: None,
            options: TrainingOptions::default(),
            seed: Seed::System,
            checkpoint_every: Duration::MAX,
            strategy: Strategy::Honest,
        };
        let signer = crate::keys::development("bob").unwrap();
        let dirs = WorkerDirs::open(folder, Vec::new()).unwrap();
        let device = TestedDevice::processor();
        (temporary, ContributeAll::new(signer, dirs, plan, device))
    }

    #[test]
    fn a_training_run_that_was_interrupted_has_the_first_turn() {
        let ids = [0, 1, 2, 3].map(TaskId);
        let of = |resumes: Option<TaskId>| {
            let ready = ids.map(|id| (id, resumes == Some(id)));
            in_turn(ready.to_vec(), &[7; 32])
        };
        let usual = of(None);
        for id in ids {
            let first = of(Some(id));
            assert_eq!(first[0], id);
            let others = |all: &[TaskId]| -> Vec<TaskId> {
                all.iter().copied().filter(|other| *other != id).collect()
            };
            assert_eq!(others(&first), others(&usual));
        }
    }

    /// From the start of the program on, everything that a look asks about tasks takes less time than the shortest block. After
    /// some looks, all tasks that are over have been searched for claims. From then on, only live tasks and those with claims are
    /// asked for.
    #[tokio::test]
    async fn no_look_takes_long_beside_100_000_tasks_that_are_over() {
        let (_folder, mut all) = contribute_all();
        let mut chain = OldChain::with(100_000..100_008);
        let owed = [TaskId(7), TaskId(50_007)];
        chain.claims = owed.into();
        let mut last = Vec::new();
        for look in 0..30 {
            let began = Instant::now();
            chain.forget_requests();
            let page = async |start: TaskId| chain.ledgers_from(start);
            let besides = all.besides(page).await.unwrap();
            let views = all.tasks.live(&chain, &besides).await.unwrap();
            last = views.iter().map(|view| view.id).collect();
            let pages = if look < 24 { Owed::PAGES } else { 7 };
            let asked = chain.requests() - besides.len() - 9;
            assert_eq!(asked, if look < 25 { pages } else { 0 }, "look {look}");
            assert!(began.elapsed() < Duration::from_secs(1), "look {look}");
        }
        let live = (100_000..100_008).map(TaskId);
        let expected: Vec<_> = owed.into_iter().chain(live).collect();
        assert_eq!(last, expected);
    }

    #[tokio::test]
    async fn ledgers_that_could_not_be_asked_for_are_asked_for_again() {
        async fn lost(_: TaskId) -> Result<Page<LedgerView, TaskId>, ChainError> {
            Err(ChainError::Disconnected("gone".into()))
        }
        async fn only(_: TaskId) -> Result<Page<LedgerView, TaskId>, ChainError> {
            Ok(Page {
                items: vec![ledger(TaskId(3), Some(RoundId(1)))],
                next: None,
            })
        }
        let mut owed = Owed::default();
        assert!(owed.tasks(lost).await.is_err());
        let tasks = owed.tasks(only).await.unwrap();
        assert_eq!(*tasks, BTreeSet::from([TaskId(3)]));
    }

    /// For example after a node that has not caught up.
    #[tokio::test]
    async fn the_next_node_is_asked_for_what_one_did_not_know() {
        let page = |items| Page { items, next: None };
        let mut owed = Owed::default();
        let knows_nothing = async |_: TaskId| Ok(page(Vec::new()));
        let knows_one = async |_: TaskId| Ok(page(vec![ledger(TaskId(3), Some(RoundId(1)))]));
        assert!(owed.tasks(knows_nothing).await.unwrap().is_empty());
        assert!(
            owed.tasks(knows_one).await.unwrap().is_empty(),
            "all were looked through"
        );
        owed.begin_again();
        let tasks = owed.tasks(knows_one).await.unwrap();
        assert_eq!(*tasks, BTreeSet::from([TaskId(3)]));
        owed.begin_again();
        let tasks = owed.tasks(knows_nothing).await.unwrap();
        assert_eq!(tasks.len(), 1, "what is known");
    }

    #[tokio::test]
    async fn a_node_that_leads_back_is_not_followed() {
        async fn back(start: TaskId) -> Result<Page<LedgerView, TaskId>, ChainError> {
            Ok(Page {
                items: Vec::new(),
                next: Some(start),
            })
        }
        let mut owed = Owed::default();
        assert!(owed.tasks(back).await.unwrap().is_empty());
        assert_eq!(owed.next, None);
    }
}
