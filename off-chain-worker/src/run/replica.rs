use crate::{
    chain::{
        body::{self, Revealed, Shard},
        ChainError, Client, Moment,
    },
    evaluation::FastCpu,
    state::{Folder, StateError},
};
use codec::{Decode, Encode};
use gotong_protocol::{
    view::{RevealedView, RoundView, ShardView, SubmissionView, TaskView},
    Delta, Graph, Hash, Outcome, Phase, RoundId, Rules, TaskId,
};
use gotong_scoring::{
    blake2_256, score_round, shard_root, DeltaError, MasterWeights, Reveal, RoundScore, Samples,
    SamplesError, ScoreError, ScoreTable, WeightsError,
};
use std::{collections::HashMap, sync::Arc};

/// A task's weights, rebuilt from the chain: from its opening, round by round, every settled
/// claim computed again. Kept on disk, so that no round is computed twice.
pub struct Replica {
    task: TaskId,
    graph: Graph,
    rules: Rules,
    folder: Folder,
    position: Position,
    /// The last round that was scored, with the digest of what its score depends on.
    scored: Option<(Hash, Arc<RoundScore>)>,
}

/// How far a replica has come.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Position {
    /// The round to look at next.
    next: RoundId,
    /// Master weights that it starts from.
    weights: Vec<i16>,
}

/// Why a task cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("there is no task {0}")]
    NoTask(TaskId),
    #[error("the chain knows nothing of round {round} of task {task}")]
    NoRound { task: TaskId, round: RoundId },
    #[error(
        "THE CHAIN IS WRONG about task {task}, round {round}: {what} is {chain} there, but {ours} \
         when it is computed again"
    )]
    Differs {
        task: TaskId,
        round: RoundId,
        what: &'static str,
        ours: String,
        chain: String,
    },
    #[error("the samples of round {round} cannot be read: {source}")]
    Samples {
        round: RoundId,
        source: SamplesError,
    },
    #[error("a delta of round {round} cannot be read: {source}")]
    Delta { round: RoundId, source: DeltaError },
    #[error("the first weights cannot be read: {0}")]
    Weights(#[from] WeightsError),
    #[error("round {round} cannot be scored: {source}")]
    Score { round: RoundId, source: ScoreError },
    #[error("the evaluation was aborted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl ReplicaError {
    /// Whether trying again cannot help.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Chain(ChainError::Incompatible(_)) => true,
            Self::Chain(_) | Self::NoRound { .. } | Self::Aborted(_) => false,
            _ => true,
        }
    }
}

const POSITION: &str = "position";

impl Replica {
    /// The folder in which everything about `task` is kept. Sealed shards have random keys, so
    /// that their root tells apart tasks of the same number on two runs of a development chain.
    pub fn folder(base: &Folder, task: &TaskView) -> Result<Folder, StateError> {
        let seal = hex::encode(&task.terms.shards_root[..8]);
        base.sub(format!("task-{}-{seal}", task.id))
    }

    /// Goes on from what is on disk, or starts from the task's opening.
    pub async fn open(
        client: &Client,
        now: &Moment,
        base: &Folder,
        task: &TaskView,
    ) -> Result<Self, ReplicaError> {
        let folder = Self::folder(base, task)?;
        let position = match folder.load(POSITION)? {
            Some(position) => position,
            None => {
                let weights = first_weights(client, now, task).await?;
                let next = RoundId(0);
                let position = Position { next, weights };
                folder.save(POSITION, &position)?;
                position
            }
        };
        Ok(Self {
            task: task.id,
            graph: task.graph.clone(),
            rules: task.terms.rules,
            folder,
            position,
            scored: None,
        })
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Master weights that the round [`Self::next_round`] starts from.
    pub fn weights(&self) -> &[i16] {
        &self.position.weights
    }

    /// The first round that was not replayed yet.
    pub fn next_round(&self) -> RoundId {
        self.position.next
    }

    /// The score table of a replayed round that settled.
    pub fn table(&self, round: RoundId) -> Result<Option<ScoreTable>, StateError> {
        self.folder.load(&table_name(round))
    }

    /// Replays every round that has ended at `now`.
    pub async fn advance(&mut self, client: &Client, now: &Moment) -> Result<(), ReplicaError> {
        let task = now.task(self.task).await?;
        let task = task.ok_or(ReplicaError::NoTask(self.task))?;
        if !self.is_on_chain(now, &task).await? {
            tracing::warn!(
                "task {}: the chain took rounds back, replaying all",
                self.task
            );
            self.position = Position {
                next: RoundId(0),
                weights: first_weights(client, now, &task).await?,
            };
        }
        while self.position.next <= task.round {
            let round = self.view(now, self.position.next).await?;
            if round.phase != Phase::Ended {
                break;
            }
            self.replay(client, now, &round).await?;
        }
        Ok(())
    }

    /// Whether the chain starts the next round from the replica's weights: not so when a fork, or
    /// a node that crashed, has undone a round that was replayed.
    async fn is_on_chain(&self, now: &Moment, task: &TaskView) -> Result<bool, ReplicaError> {
        let next = self.position.next;
        let expected = match now.round(self.task, next).await? {
            Some(round) => round.base_root,
            None if Some(next) == task.round.next() => task.master_root,
            None => return Ok(false),
        };
        Ok(root(self.weights())? == expected)
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
        if let (Some(Outcome::Settled), Some(claim)) = (round.outcome, &round.claim) {
            // Also when nothing was merged: that is a claim like any other.
            let score = self.score(client, now, round).await?;
            let ours = score.table.claim();
            let roots = [
                ("the score table's root", ours.table_root, claim.table_root),
                (
                    "the root of the new weights",
                    ours.master_root,
                    claim.master_root,
                ),
            ];
            for (what, ours, chain) in &roots {
                self.compare(round, what, ours, chain)?;
            }
            self.compare(round, "the improvement", &ours.paid_gain, &claim.paid_gain)?;
            self.compare(
                round,
                "the sum of shares",
                &ours.shares_sum,
                &claim.shares_sum,
            )?;
            self.folder.save(&table_name(round.round), &score.table)?;
            self.position.weights = score.merged.clone();
        }
        // Ids do not run out before blocks do.
        self.position.next = round.round.next().unwrap_or(round.round);
        self.folder.save(POSITION, &self.position)?;
        Ok(())
    }

    /// Scores `round`, which is the next one: its shard is published, its deltas are revealed.
    pub async fn score(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<RoundScore>, ReplicaError> {
        let ours = root(self.weights())?;
        self.compare(
            round,
            "the root of the weights that it starts from",
            &ours,
            &round.base_root,
        )?;
        let submissions = now.submissions(self.task, round.round).await?;
        let digest = inputs_digest(round, &submissions);
        if let Some((_, score)) = self.scored.as_ref().filter(|(of, _)| *of == digest) {
            return Ok(score.clone());
        }
        let (samples, reveals) = self.fetch(client, now, round, &submissions).await?;
        let (graph, rules) = (self.graph.clone(), self.rules);
        let base = self.position.weights.clone();
        let started = std::time::Instant::now();
        let score = tokio::task::spawn_blocking(move || {
            score_round(&mut FastCpu, &graph, &base, &samples, &reveals, &rules)
        })
        .await?
        .map_err(|source| ReplicaError::Score {
            round: round.round,
            source,
        })?;
        tracing::info!(task = %self.task, round = %round.round, "scored in {:.2?}", started.elapsed());
        let score = Arc::new(score);
        self.scored = Some((digest, score.clone()));
        Ok(score)
    }

    /// The samples and, in the order of commits, the deltas of a round, from block bodies.
    async fn fetch(
        &self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
        submissions: &[SubmissionView],
    ) -> Result<(Samples, Vec<Reveal>), ReplicaError> {
        let mut bodies = Bodies::new(client);
        let shard = round.shard.as_ref().ok_or_else(|| ChainError::Missing {
            what: format!("a shard for round {}", round.round),
            block: round.phase_started_at,
        })?;
        let records = self
            .find_shard(&mut bodies, now, round.round, shard)
            .await?;
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), &records);
        let samples = samples.map_err(|source| ReplicaError::Samples {
            round: round.round,
            source,
        })?;
        let mut reveals = Vec::new();
        for (weight, revealed) in in_commit_order(submissions) {
            let bytes = self
                .find_delta(&mut bodies, now, round.round, revealed)
                .await?;
            let parameters = self.position.weights.len() as u32;
            let delta =
                Delta::decode(&bytes, parameters).map_err(|source| ReplicaError::Delta {
                    round: round.round,
                    source,
                })?;
            reveals.push(Reveal {
                hash: revealed.delta_hash,
                weight,
                delta,
            });
        }
        Ok((samples, reveals))
    }

    async fn find_shard(
        &self,
        bodies: &mut Bodies<'_>,
        now: &Moment,
        round: RoundId,
        shard: &ShardView,
    ) -> Result<Vec<u8>, ReplicaError> {
        let record_bytes = self.graph.inputs as usize + 1;
        let prefix = now.call_prefix("publish_shard")?;
        let extrinsics = bodies.get(shard.published_at).await?;
        body::find_in_round(extrinsics, prefix, self.task, round, |found: &Shard| {
            found.key == shard.key
                && shard_root(&found.key, record_bytes, &found.records) == Ok(shard.root)
        })
        .map(|found| found.records)
        .ok_or_else(|| missing("the shard", self.task, round, shard.published_at))
    }

    async fn find_delta(
        &self,
        bodies: &mut Bodies<'_>,
        now: &Moment,
        round: RoundId,
        revealed: &RevealedView,
    ) -> Result<Vec<u8>, ReplicaError> {
        let prefix = now.call_prefix("reveal")?;
        let extrinsics = bodies.get(revealed.at).await?;
        body::find_in_round(extrinsics, prefix, self.task, round, |found: &Revealed| {
            Delta::hash_of(&found.delta) == revealed.delta_hash
        })
        .map(|found| found.delta)
        .ok_or_else(|| missing("a delta", self.task, round, revealed.at))
    }

    fn compare<T: PartialEq + Encode>(
        &self,
        round: &RoundView,
        what: &'static str,
        ours: &T,
        chain: &T,
    ) -> Result<(), ReplicaError> {
        if ours == chain {
            return Ok(());
        }
        Err(ReplicaError::Differs {
            task: self.task,
            round: round.round,
            what,
            ours: hex::encode(ours.encode()),
            chain: hex::encode(chain.encode()),
        })
    }
}

/// Digest of everything that a round's score depends on.
pub fn inputs_digest(round: &RoundView, submissions: &[SubmissionView]) -> Hash {
    let reveals: Vec<_> = in_commit_order(submissions)
        .into_iter()
        .map(|(weight, revealed)| (weight, revealed.delta_hash))
        .collect();
    let shard = round.shard.as_ref().map(|shard| shard.root);
    blake2_256(&[&(round.task, round.round, round.base_root, shard, reveals).encode()])
}

/// Weight and delta of everyone who revealed, in the order of commits.
pub(super) fn in_commit_order(submissions: &[SubmissionView]) -> Vec<(u32, &RevealedView)> {
    let mut ordered: Vec<_> = submissions.iter().collect();
    ordered.sort_by_key(|submission| submission.index);
    ordered
        .into_iter()
        .filter_map(|submission| Some((submission.weight, submission.revealed.as_ref()?)))
        .collect()
}

/// The weights that a task was opened with.
async fn first_weights(
    client: &Client,
    now: &Moment,
    task: &TaskView,
) -> Result<Vec<i16>, ReplicaError> {
    let first = now.round(task.id, RoundId(0)).await?;
    let expected = first.map_or(task.master_root, |round| round.base_root);
    let prefix = now.call_prefix("open_task")?;
    let extrinsics = client.body(task.opened_at).await?;
    let graph = task.graph.encode();
    let opened = body::find_opening(&extrinsics, prefix, |opened| {
        opened.terms == task.terms
            && opened.graph == graph
            && MasterWeights::root_of_bytes(&opened.weights) == Ok(expected)
    });
    let opened =
        opened.ok_or_else(|| missing("the first weights", task.id, RoundId(0), task.opened_at))?;
    Ok(MasterWeights::from_bytes(&opened.weights)?.into_inner())
}

fn root(weights: &[i16]) -> Result<Hash, ReplicaError> {
    Ok(MasterWeights::new(weights.to_vec())?.root())
}

fn table_name(round: RoundId) -> String {
    format!("table-{round}")
}

fn missing(what: &str, task: TaskId, round: RoundId, block: u32) -> ReplicaError {
    ReplicaError::Chain(ChainError::Missing {
        what: format!("{what} of task {task}, round {round}"),
        block,
    })
}

/// Block bodies, each fetched once.
struct Bodies<'a> {
    client: &'a Client,
    fetched: HashMap<u32, Vec<Vec<u8>>>,
}

impl<'a> Bodies<'a> {
    fn new(client: &'a Client) -> Self {
        Self {
            client,
            fetched: HashMap::new(),
        }
    }

    async fn get(&mut self, block: u32) -> Result<&[Vec<u8>], ChainError> {
        if !self.fetched.contains_key(&block) {
            let body = self.client.body(block).await?;
            self.fetched.insert(block, body);
        }
        Ok(self.fetched.get(&block).map_or(&[], Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(index: u32, weight: u32, revealed: bool) -> SubmissionView {
        SubmissionView {
            account: [index as u8; 32],
            index,
            weight,
            revealed: revealed.then_some(RevealedView {
                delta_hash: [weight as u8; 32],
                bytes: 1,
                at: 9,
            }),
            claimed: None,
        }
    }

    fn round() -> RoundView {
        RoundView {
            task: TaskId(1),
            round: RoundId(2),
            phase: Phase::AttestCommit,
            phase_started_at: 3,
            started_at: 3,
            ends_at: 4,
            commits: 2,
            reveals: 2,
            base_root: [5; 32],
            shard: None,
            seats: Vec::new(),
            outcome: None,
            claim: None,
            owed: 0,
            fees: 0,
            claimed: 0,
        }
    }

    #[test]
    fn golden_bytes() {
        let position = Position {
            next: RoundId(2),
            weights: vec![-2, 3],
        };
        assert_eq!(position.encode(), [2, 0, 0, 0, 8, 254, 255, 3, 0]);
    }

    #[test]
    fn reveals_are_in_the_order_of_commits() {
        let submissions = [
            submission(2, 20, true),
            submission(0, 10, true),
            submission(1, 15, false),
        ];
        let weights: Vec<_> = in_commit_order(&submissions)
            .into_iter()
            .map(|(weight, _)| weight)
            .collect();
        assert_eq!(weights, [10, 20]);
    }

    #[test]
    fn the_digest_covers_what_the_score_depends_on_and_nothing_else() {
        let submissions = [submission(0, 10, true), submission(1, 15, true)];
        let digest = inputs_digest(&round(), &submissions);
        let later = RoundView {
            phase: Phase::AttestReveal,
            ends_at: 99,
            ..round()
        };
        assert_eq!(inputs_digest(&later, &submissions), digest);
        let other_base = RoundView {
            base_root: [6; 32],
            ..round()
        };
        assert_ne!(inputs_digest(&other_base, &submissions), digest);
        assert_ne!(inputs_digest(&round(), &submissions[..1]), digest);
        let other_weight = [submission(0, 10, true), submission(1, 16, true)];
        assert_ne!(inputs_digest(&round(), &other_weight), digest);
    }
}
