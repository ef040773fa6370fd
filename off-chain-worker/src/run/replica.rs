//! A task, rebuilt from the chain for programs that need its weights, tables or scores.
//!
//! | part | what it does |
//! | --- | --- |
//! | `store` | keeps the position, checkpoints and the tables on disk |
//! | `kept` | keeps the last scores on disk |
//! | [`task_recipe`] | finds a task's recipe in its block, and keeps it on disk |
//! | `payloads` | fetches what a round is scored from: blocks, and the pool |
//! | `scorer` | computes a round's score and remembers it; `drill` wraps it to make it lie |
//! | `settled` | takes the weights of a settled round from its table, without scoring it |
//! | [`Replica`] | replays rounds with these, and scores the next one |
//! | [`ReplicaWorker`] | works on a replica in the background, for daemons |
//! | [`Recomputed`] | a replica in a temporary folder, for one round of any age |

mod drill;
mod error;
mod inputs;
mod kept;
mod payloads;
mod player;
mod recipe;
mod recomputed;
mod scorer;
mod settled;
mod store;
mod worker;

pub use error::ReplicaError;
pub use inputs::{in_commit_order, inputs_digest, RevealedDelta, RoundInputs};
pub use player::RoundPlayer;
pub use recipe::task_recipe;
pub use recomputed::Recomputed;
pub use scorer::{ScoredRound, ScorerOptions};
pub(super) use settled::revealed_table;
pub use worker::{Progress, ReplicaWorker};

#[cfg(test)]
pub(super) use scorer::tests::inputs as lab_inputs;

use super::{second_node::is_same_task, WorkerDirs};
use crate::{
    chain::{ChainError, Client, Moment},
    state::{Folder, StateError},
};
use gotong_evaluation::{Difference, Halt};
use gotong_protocol::{
    view::{RoundView, SeatView, SubmissionView, TaskView},
    Graph, Hash, Outcome, Phase, RoundFacts, RoundId, SeatState, ShareClaim, TaskId, TaskTerms,
};
use gotong_scoring::{MasterWeights, MergedGain, ShareTable};
use kept::KeptScores;
use payloads::{first_weights, PayloadFetcher};
use scorer::RoundScorer;
use settled::merged_weights;
use std::sync::Arc;
use store::{Position, ReplicaStore};

/// The folder of a replica that skips rounds, inside the folder of its task.
const SKIPPING: &str = "skipping";

/// A task's weights, rebuilt from the chain round by round since the task was opened. It recomputes every settled claim, unless it
/// may [skip](ReplicaWorker::skipping) that. It is kept on disk, so that no round is computed twice.
pub struct Replica {
    task: TaskId,
    graph: Graph,
    terms: TaskTerms,
    folder: Folder,
    store: ReplicaStore,
    payloads: PayloadFetcher,
    scorer: RoundScorer,
    /// Whether it takes a settled round's weights from the round's table, if it has not scored the round.
    skips: bool,
}

impl Replica {
    /// The folder in which everything about `task` is kept. Its name contains the root of the hold-out, which differs even
    /// between tasks of the same number on two runs of a development chain, because shards have random keys and pools have
    /// random salts.
    pub fn folder(dirs: &WorkerDirs, task: &TaskView) -> Result<Folder, StateError> {
        let seal = hex::encode(&task.terms.hold_out.root()[..8]);
        dirs.folder.sub(format!("task-{}-{seal}", task.id))
    }

    /// Continues from what is on disk, or starts with the task's opening. Fails early if the task has a pool that is not
    /// here, because no round can be computed without it. The task's recipe is not needed, because no score depends on it;
    /// [`task_recipe`] finds it.
    pub async fn open(
        client: &Client,
        now: &Moment,
        dirs: &WorkerDirs,
        task: &TaskView,
    ) -> Result<Self, ReplicaError> {
        Self::open_as(client, now, dirs, task, false).await
    }

    /// Like [`Self::open`], but it can open a replica that `skips` rounds. Such a replica serves somebody who needs the weights of
    /// future rounds, and tables only for the rounds that it scores. It takes the weights after a settled round from the round's
    /// table, and scores the round only if that fails. It is kept beside the ordinary replica, which has all tables, because
    /// contributors prove their credits with them. If there is none yet, it starts from the ordinary one's position.
    async fn open_as(
        client: &Client,
        now: &Moment,
        dirs: &WorkerDirs,
        task: &TaskView,
        skips: bool,
    ) -> Result<Self, ReplicaError> {
        let folder = Self::folder(dirs, task)?;
        let own = match skips {
            true => folder.sub(SKIPPING)?,
            false => folder.clone(),
        };
        let payloads = PayloadFetcher::open(dirs, task).await?;
        let store = match ReplicaStore::load(&own)? {
            Some(store) => store,
            None => {
                let start = match ReplicaStore::load(&folder)? {
                    Some(other) => other.position().clone(),
                    None => Position::first(first_weights(client, now, task).await?),
                };
                ReplicaStore::create(own, start)?
            }
        };
        let (graph, terms) = (task.graph.clone(), task.terms.clone());
        let options = ScorerOptions::default();
        let kept = KeptScores::new(folder.clone(), &graph, &terms.share);
        Ok(Self {
            task: task.id,
            scorer: RoundScorer::new(graph.clone(), terms.share, options, kept),
            graph,
            terms,
            folder,
            store,
            payloads,
            skips,
        })
    }

    /// How far a replica of `task` that [skips](ReplicaWorker::skipping) rounds would begin from what is on disk, if there is
    /// anything.
    pub fn reached_on_disk(
        dirs: &WorkerDirs,
        task: &TaskView,
    ) -> Result<Option<RoundId>, StateError> {
        let folder = Self::folder(dirs, task)?;
        let store = match ReplicaStore::load(&folder.sub(SKIPPING)?)? {
            None => ReplicaStore::load(&folder)?,
            found => found,
        };
        Ok(store.map(|store| store.next_round()))
    }

    /// Scores rounds in this way.
    pub fn scored_by(self, options: ScorerOptions) -> Self {
        let kept = KeptScores::new(self.folder.clone(), &self.graph, &self.terms.share);
        let scorer = RoundScorer::new(self.graph.clone(), self.terms.share, options, kept);
        Self { scorer, ..self }
    }

    /// From now on, `halt` stops computations.
    fn halted_by(&mut self, halt: Halt) {
        self.scorer.exact().halted_by(halt);
    }

    /// Whether it was opened for this task. If not, a node has made up one of the two.
    pub fn is_of(&self, task: &TaskView) -> bool {
        is_same_task(task, &self.terms, &self.graph)
    }

    /// The task's architecture.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Master weights that the round [`Self::next_round`] starts from.
    pub fn weights(&self) -> &[i16] {
        self.store.weights()
    }

    /// The first round that has not been replayed yet.
    pub fn next_round(&self) -> RoundId {
        self.store.next_round()
    }

    /// The share table of a replayed round that settled.
    pub fn table(&self, round: RoundId) -> Result<Option<ShareTable>, StateError> {
        self.store.table(round)
    }

    /// Replays every round that has ended at `now`. If a round settled on another table than is computed here but on the same
    /// weights, it continues: later rounds follow from the weights, and only that round's credits cannot be proved.
    pub async fn advance(&mut self, client: &Client, now: &Moment) -> Result<(), ReplicaError> {
        self.advance_to(client, now, RoundId(u32::MAX), |_| {})
            .await
    }

    /// Replays every round before `end` that has ended at `now`, and reports each.
    pub async fn advance_to(
        &mut self,
        client: &Client,
        now: &Moment,
        end: RoundId,
        mut report: impl FnMut(RoundId),
    ) -> Result<(), ReplicaError> {
        let task = now.existing_task(self.task).await?;
        if !self.is_on_chain(now, &task, self.store.position()).await? {
            self.go_back(client, now, &task).await?;
        }
        while self.next_round() <= task.round && self.next_round() < end {
            let next = self.next_round();
            if is_last_of_over(&task, next) && now.round(self.task, next).await?.is_none() {
                break;
            }
            let round = self.view(now, next).await?;
            // Stopping between two rounds loses nothing.
            if round.phase != Phase::Ended || self.scorer.exact().is_halted() {
                break;
            }
            self.replay(client, now, &round).await?;
            self.scorer.exact().forget();
            report(round.round);
        }
        Ok(())
    }

    /// Whether the chain leads to this position of the replica. It does not if a fork, or a node that crashed, has undone a
    /// replayed round.
    async fn is_on_chain(
        &self,
        now: &Moment,
        task: &TaskView,
        position: &Position,
    ) -> Result<bool, ReplicaError> {
        let next = position.next;
        let base_root = match now.round(self.task, next).await? {
            Some(round) => round.base_root,
            None if Some(next) == task.round.next() || is_last_of_over(task, next) => {
                task.master_root
            }
            None => return Ok(false),
        };
        let last = match position.last {
            Some((last, _)) => now.round(self.task, last).await?,
            None => None,
        };
        let claim = last.and_then(|round| round.claim);
        Ok(position.is_led_to(&base_root, claim.as_ref()))
    }

    /// Goes back to the last checkpoint that the chain leads to, or to the task's opening.
    async fn go_back(
        &mut self,
        client: &Client,
        now: &Moment,
        task: &TaskView,
    ) -> Result<(), ReplicaError> {
        for known in self.store.checkpoints() {
            if self.is_on_chain(now, task, &known).await? {
                let (task, next) = (self.task, known.next);
                tracing::warn!(%task, "the chain undid rounds, so they are replayed from round {next} on");
                return Ok(self.store.go_to(known)?);
            }
        }
        tracing::warn!(task = %self.task, "the chain undid rounds, so all rounds are replayed");
        let weights = first_weights(client, now, task).await?;
        Ok(self.store.go_to(Position::first(weights))?)
    }

    async fn view(&self, now: &Moment, round: RoundId) -> Result<RoundView, ReplicaError> {
        let task = self.task;
        let view = now.round(task, round).await?;
        view.ok_or(ReplicaError::NoRound { task, round })
    }

    async fn replay(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<(), ReplicaError> {
        let (Some(Outcome::Settled), Some(claim)) = (round.outcome, &round.claim) else {
            return Ok(self.store.passed(round.round)?);
        };
        // This includes rounds that merged nothing: that is a claim like any other.
        let (digest, submissions) = self.inputs_of(now, round).await?;
        if self.skips && !self.scorer.exact().has_score(&digest) {
            let left = self.left_by(client, round, claim, &submissions).await?;
            if let Some(weights) = left {
                let (task, round) = (self.task, round.round);
                tracing::debug!(%task, %round, "took the round's weights from the table that it settled on");
                return Ok(self.store.differed(round, *claim, weights)?);
            }
        }
        let weights = self.store.weights();
        let inputs = self.payloads.fetch(client, round, &submissions, weights);
        let scorer = self.scorer.exact();
        // The round is over, so no audits or moves wait for an answer.
        let mut scored = scorer.score(&digest, &[], inputs).await?;
        if scored.summary.claim(&round.base_root) != *claim {
            scored = scorer.confirmed(scored).await?;
        }
        let own = scored.summary.claim(&round.base_root);
        let (table, weights) = (&scored.table, scored.weights.clone());
        let Some(difference) = claim_difference(&own, claim) else {
            return Ok(self.store.settled(round.round, own, table, weights)?);
        };
        let error = self.differs(round.round, difference);
        if own.master_root != claim.master_root {
            return Err(error);
        }
        tracing::error!("{error}. The weights are right, so the replay continues");
        Ok(self.store.differed(round.round, *claim, weights)?)
    }

    /// The weights after a settled round, taken from the table that it settled on; none if they have to be computed.
    async fn left_by(
        &self,
        client: &Client,
        round: &RoundView,
        claim: &ShareClaim,
        submissions: &[SubmissionView],
    ) -> Result<Option<Vec<i16>>, ReplicaError> {
        let base = self.weights().to_vec();
        if claim.master_root == round.base_root {
            return Ok(Some(base));
        }
        let revealed = submissions.iter().filter_map(|own| own.revealed.as_ref());
        let first = revealed.map(|revealed| revealed.at).max();
        let blocks = first.unwrap_or(round.started_at)..=round.ends_at;
        let table = match revealed_table(client, round, &claim.table_root, blocks).await {
            Ok(Some(table)) => table,
            Ok(None) | Err(ChainError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let parameters = base.len() as u32;
        let (terms, root) = (self.terms.share, claim.master_root);
        let merge =
            move |deltas: &[RevealedDelta]| merged_weights(&table, &base, deltas, &terms, &root);
        self.payloads
            .with_deltas(client, round, submissions, parameters, merge)
            .await
    }

    /// The score of the inputs with this digest, as [`Self::score`] returned it, if it still counts.
    pub fn known_score(&self, inputs: &Hash) -> Option<Arc<ScoredRound>> {
        self.scorer.known(inputs)
    }

    /// The score with which to answer audits and disputes about `round`. It is [`Self::known_score`] or, if somebody stands for
    /// its table, a score that came from a device found wrong since. The latter is neither committed nor revealed nor used against
    /// others.
    pub fn standing_score(&self, round: &RoundView, inputs: &Hash) -> Option<Arc<ScoredRound>> {
        let known = self.known_score(inputs);
        known.or_else(|| self.scorer.shown(inputs, &shown_tables(round)))
    }

    /// Scores `round`, which is the next one: its samples are known and its deltas are revealed. If the result is a
    /// [`Self::known_score`], the worker attests it and compares others' tables with it. Otherwise it is a
    /// [`Self::standing_score`], and the processor recomputes the round in the background.
    pub async fn score(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<ScoredRound>, ReplicaError> {
        let (digest, submissions) = self.inputs_of(now, round).await?;
        let weights = self.store.weights();
        let inputs = self.payloads.fetch(client, round, &submissions, weights);
        let facts = facts(now, self.task, round.round);
        let shown = shown_tables(round);
        self.scorer.score(&digest, &shown, inputs, facts).await
    }

    /// The player that answers and picks in disputes about `round`, defending the result of [`Self::score`].
    pub async fn player(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<RoundPlayer>, ReplicaError> {
        let scored = self.score(client, now, round).await?;
        let facts = facts(now, self.task, round.round);
        self.scorer.player(&scored, facts).await
    }

    /// The digest of the round's inputs, and the submissions among them. Fails if the round does not start from the replica's
    /// weights.
    async fn inputs_of(
        &self,
        now: &Moment,
        round: &RoundView,
    ) -> Result<(Hash, Vec<SubmissionView>), ReplicaError> {
        let ours = hex::encode(self.root()?);
        let what = "the root of the weights that it starts from";
        let found = Difference::of(what, ours, hex::encode(round.base_root));
        self.check(round, found)?;
        let submissions = now.submissions(self.task, round.round).await?;
        Ok((inputs_digest(round, &submissions), submissions))
    }

    fn root(&self) -> Result<Hash, ReplicaError> {
        Ok(MasterWeights::new(self.weights().to_vec())?.root())
    }

    /// Fails if there is a difference between the chain and what is computed here.
    fn check(&self, round: &RoundView, found: Option<Difference>) -> Result<(), ReplicaError> {
        match found {
            None => Ok(()),
            Some(difference) => Err(self.differs(round.round, difference)),
        }
    }

    fn differs(&self, round: RoundId, difference: Difference) -> ReplicaError {
        ReplicaError::Differs {
            task: self.task,
            round,
            difference,
        }
    }
}

/// The roots of the tables that somebody stands for.
fn shown_tables(round: &RoundView) -> Vec<Hash> {
    let standing = |seat: &&SeatView| seat.state == SeatState::Sitting;
    let tables = round.seats.iter().filter(standing);
    tables
        .filter_map(|seat| Some(seat.table.as_ref()?.root()))
        .collect()
}

/// Whether `round` is the last one of a task that is over. If nobody committed to it, the chain has forgotten it.
fn is_last_of_over(task: &TaskView, round: RoundId) -> bool {
    task.state.is_over() && task.round == round
}

/// The facts by which disputes about a round are judged.
async fn facts(now: &Moment, task: TaskId, round: RoundId) -> Result<RoundFacts, ReplicaError> {
    let facts = now.facts(task, round).await?;
    let missing = || ChainError::Missing {
        what: format!("the facts that judge disputes about round {round}"),
        block: now.block(),
    };
    Ok(facts.ok_or_else(missing)?)
}

/// The first difference between two claims about a round, if there is one.
pub fn claim_difference(ours: &ShareClaim, theirs: &ShareClaim) -> Option<Difference> {
    let root = |what: &str, ours: &Hash, theirs: &Hash| {
        Difference::of(what, hex::encode(ours), hex::encode(theirs))
    };
    let gain = |claim: &ShareClaim| match claim.merged {
        Some(MergedGain { gain, .. }) => gain.to_string(),
        None => "nothing was merged".into(),
    };
    let most = |claim: &ShareClaim| claim.merged.map_or(0, |merged| merged.most_credits);
    root("the table's root", &ours.table_root, &theirs.table_root)
        .or_else(|| {
            let what = "the root of the new weights";
            root(what, &ours.master_root, &theirs.master_root)
        })
        .or_else(|| Difference::of("the gain on half B", gain(ours), gain(theirs)))
        .or_else(|| Difference::of("the most that credits can be", most(ours), most(theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;

    /// It leaves the ordinary replica's tables alone, and starts from its position.
    #[test]
    fn a_replica_that_skips_rounds_is_kept_beside_the_other_one() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let dirs = WorkerDirs::open(folder, Vec::new()).unwrap();
        let task = views::task();
        let reached = || Replica::reached_on_disk(&dirs, &task).unwrap();
        assert_eq!(reached(), None);
        let at = |next: u32| Position {
            next: RoundId(next),
            ..Position::first(vec![1, 2])
        };
        let folder = Replica::folder(&dirs, &task).unwrap();
        ReplicaStore::create(folder.clone(), at(5)).unwrap();
        assert_eq!(reached(), Some(RoundId(5)));
        let beside = folder.sub(SKIPPING).unwrap();
        let mut store = ReplicaStore::create(beside, at(5)).unwrap();
        store.passed(RoundId(5)).unwrap();
        assert_eq!(reached(), Some(RoundId(6)));
        let other = ReplicaStore::load(&folder).unwrap();
        assert_eq!(other.map(|other| other.next_round()), Some(RoundId(5)));
    }

    #[test]
    fn claims_differ_in_the_first_thing_that_does() {
        let ours = ShareClaim {
            table_root: [1; 32],
            master_root: [4; 32],
            merged: Some(MergedGain {
                gain: -2,
                most_credits: 3,
            }),
        };
        assert_eq!(claim_difference(&ours, &ours), None);
        let what = |theirs: ShareClaim| claim_difference(&ours, &theirs).map(|found| found.what);
        let mut theirs = ours;
        let merged = |gain, most_credits| Some(MergedGain { gain, most_credits });
        theirs.merged = merged(-2, 9);
        assert_eq!(
            what(theirs).as_deref(),
            Some("the most that credits can be")
        );
        theirs.merged = merged(9, 9);
        assert_eq!(what(theirs).as_deref(), Some("the gain on half B"));
        theirs.merged = None;
        assert_eq!(what(theirs).as_deref(), Some("the gain on half B"));
        theirs.master_root = [9; 32];
        assert_eq!(what(theirs).as_deref(), Some("the root of the new weights"));
        theirs.table_root = [9; 32];
        assert_eq!(what(theirs).as_deref(), Some("the table's root"));
    }
}
