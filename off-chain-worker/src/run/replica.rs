mod desk;

pub use desk::Desk;

use super::pools::{Home, Pool, PoolError, Pools};
use crate::{
    chain::{
        body::{Body, Kind},
        ChainError, Client, Moment,
    },
    evaluation::{Difference, Halt, LieKind, Machine, Shared},
    state::{Folder, StateError},
};
use codec::{Decode, Encode};
use gotong_protocol::{
    view::{RevealedView, RoundView, ShardView, SubmissionView, TaskView},
    Delta, Graph, Hash, Outcome, Phase, RoundClaim, RoundId, Rules, TaskId,
};
use gotong_scoring::{
    blake2_256, score_round, shard_root,
    trial::{Case, Witness, WitnessError},
    DeltaError, MasterWeights, Reveal, RoundSamples, RoundScore, Samples, SamplesError, ScoreError,
    ScoreTable, WeightsError,
};
use std::{
    collections::{hash_map::Entry, HashMap},
    sync::Arc,
};

/// A task's weights, rebuilt from the chain: from its opening, round by round, every settled
/// claim computed again. Kept on disk, so that no round is computed twice.
pub struct Replica {
    task: TaskId,
    graph: Graph,
    rules: Rules,
    /// What samples are drawn from, if they are not sealed.
    pool: Option<Pool>,
    pools: Pools,
    /// Samples of a round.
    samples: u32,
    folder: Folder,
    position: Position,
    computer: Computer,
    /// Ends what is computed.
    halt: Halt,
    /// The last round that was computed.
    computed: Option<Arc<Computed>>,
    /// What is said of it instead, by a liar.
    lied: Option<Arc<Computed>>,
    /// What stands for it in disputes, with the digest of what it was made from.
    witness: Option<(Hash, Arc<Witness>)>,
}

/// How a worker computes rounds, and what it makes of them.
#[derive(Clone, Debug, Default)]
pub struct Computer {
    pub machine: Machine,
    /// What it lies about, in drills.
    pub lie: Option<LieKind>,
}

/// A round as it was computed, with all that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// Digest of what the score depends on.
    pub inputs: Hash,
    /// Master weights that the round starts from.
    pub base: Vec<i16>,
    /// The samples that score the round.
    pub samples: RoundSamples,
    /// The deltas, in the order of their commits.
    pub reveals: Vec<Reveal>,
    pub score: RoundScore,
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
    #[error("THE CHAIN IS WRONG about task {task}, round {round}: {difference}")]
    Differs {
        task: TaskId,
        round: RoundId,
        difference: Difference,
    },
    #[error("task {task}: {source}")]
    Pool { task: TaskId, source: PoolError },
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
    #[error("round {round} is not what the chain judges disputes by: {source}")]
    Witness {
        round: RoundId,
        source: WitnessError,
    },
    #[error("no temporary folder: {0}")]
    Temporary(std::io::Error),
    #[error("the evaluation was aborted: {0}")]
    Aborted(#[from] tokio::task::JoinError),
}

impl ReplicaError {
    /// Whether trying again cannot help. A disk that is full may have room again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Chain(ChainError::Incompatible(_)) => true,
            Self::Chain(_) | Self::NoRound { .. } | Self::Aborted(_) | Self::Temporary(_) => false,
            Self::State(error) => !matches!(error, StateError::Io { .. }),
            Self::Pool { source, .. } => !matches!(source, PoolError::Io { .. }),
            _ => true,
        }
    }
}

const POSITION: &str = "position";

impl Replica {
    /// The folder in which everything about `task` is kept. Shards have random keys and pools random
    /// salts, so that their root tells apart tasks of the same number on two runs of a development
    /// chain.
    pub fn folder(home: &Home, task: &TaskView) -> Result<Folder, StateError> {
        let seal = hex::encode(&task.terms.hold_out.root()[..8]);
        home.folder.sub(format!("task-{}-{seal}", task.id))
    }

    /// Goes on from what is on disk, or starts from the task's opening. Fails early if the task has a
    /// pool that is not here: without it no round can be computed.
    pub async fn open(
        client: &Client,
        now: &Moment,
        home: &Home,
        task: &TaskView,
    ) -> Result<Self, ReplicaError> {
        let pool = Pool::of(&task.terms.hold_out, task.graph.inputs + 1);
        if let Some(pool) = pool {
            let pools = home.pools.clone();
            let kept = tokio::task::spawn_blocking(move || pools.keep(&pool));
            kept.await?.map_err(no_pool(task.id))?;
        }
        let folder = Self::folder(home, task)?;
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
            pool,
            pools: home.pools.clone(),
            samples: task.terms.hold_out.samples(),
            folder,
            position,
            computer: Computer::default(),
            halt: Halt::default(),
            computed: None,
            lied: None,
            witness: None,
        })
    }

    /// Computes rounds on `computer`.
    pub fn on(self, computer: Computer) -> Self {
        Self { computer, ..self }
    }

    /// What evaluates models, in turn with all else that this process evaluates.
    fn machine(&self) -> Shared<Machine> {
        Shared::new(self.computer.machine.clone(), self.halt.clone())
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
        while self.position.next <= task.round && self.position.next < end {
            let round = self.view(now, self.position.next).await?;
            if round.phase != Phase::Ended {
                break;
            }
            self.replay(client, now, &round).await?;
            report(round.round);
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
            let computed = self.compute(client, now, round).await?;
            let score = &computed.score;
            self.check(round, claim_difference(&score.table.claim(), claim))?;
            self.folder.save(&table_name(round.round), &score.table)?;
            self.position.weights = score.merged.clone();
        }
        // Ids do not run out before blocks do.
        self.position.next = round.round.next().unwrap_or(round.round);
        self.folder.save(POSITION, &self.position)?;
        Ok(())
    }

    /// What this worker stands for, if it was computed from these inputs: what [`Self::own`] gave.
    pub fn stands_for(&self, inputs: &Hash) -> Option<Arc<Computed>> {
        let own = match self.computer.lie {
            None => &self.computed,
            Some(_) => &self.lied,
        };
        own.clone().filter(|own| own.inputs == *inputs)
    }

    /// Computes `round`, which is the next one: its samples are known, its deltas are revealed.
    pub async fn compute(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<Computed>, ReplicaError> {
        let ours = hex::encode(root(self.weights())?);
        let what = "the root of the weights that it starts from";
        let found = Difference::of(what, ours, hex::encode(round.base_root));
        self.check(round, found)?;
        let submissions = now.submissions(self.task, round.round).await?;
        let inputs = inputs_digest(round, &submissions);
        if let Some(known) = self
            .computed
            .as_ref()
            .filter(|known| known.inputs == inputs)
        {
            return Ok(known.clone());
        }
        let (samples, reveals) = self.fetch(client, round, &submissions).await?;
        let records = self.graph.samples(samples.records());
        let labelled = Samples::new(self.graph.inputs, self.graph.classes(), &records);
        let labelled = labelled.map_err(|source| ReplicaError::Samples {
            round: round.round,
            source,
        })?;
        let (graph, rules, mut machine) = (self.graph.clone(), self.rules, self.machine());
        let base = self.position.weights.clone();
        let started = std::time::Instant::now();
        let computed = tokio::task::spawn_blocking(move || {
            let score = score_round(&mut machine, &graph, &base, &labelled, &reveals, &rules)?;
            Ok(Computed {
                inputs,
                base,
                samples,
                reveals,
                score,
            })
        })
        .await?
        .map_err(|source| ReplicaError::Score {
            round: round.round,
            source,
        })?;
        tracing::info!(task = %self.task, round = %round.round, "scored in {:.2?}", started.elapsed());
        let computed = Arc::new(computed);
        self.computed = Some(computed.clone());
        Ok(computed)
    }

    /// What this worker stands for of `round`, the next one: what it attests, and what it holds
    /// against the tables of others.
    pub async fn own(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<Computed>, ReplicaError> {
        let honest = self.compute(client, now, round).await?;
        let Some(lie) = self.computer.lie else {
            return Ok(honest);
        };
        if let Some(lied) = self.stands_for(&honest.inputs) {
            return Ok(lied);
        }
        let case = self.case(now, round.round).await?;
        let mut machine = self.machine();
        let (inputs, of) = (honest.inputs, honest.clone());
        let liar = tokio::task::spawn_blocking(move || {
            let Computed {
                base,
                samples,
                reveals,
                score,
                ..
            } = &*of;
            lie.witness(&case, base, samples, reveals, score, &mut machine)
        })
        .await?
        .map_err(not_of(round.round))?;
        let lied = match liar {
            None => {
                tracing::warn!("round {} has no lie about {lie:?}", round.round);
                honest
            }
            Some(liar) => {
                let lied = Computed {
                    score: liar.score().clone(),
                    ..Computed::clone(&honest)
                };
                self.witness = Some((inputs, Arc::new(liar)));
                Arc::new(lied)
            }
        };
        self.lied = Some(lied.clone());
        Ok(lied)
    }

    /// What disputes about a round are judged by.
    async fn case(&self, now: &Moment, round: RoundId) -> Result<Case, ReplicaError> {
        let case = now.case(self.task, round).await?;
        let missing = || ChainError::Missing {
            what: format!("what disputes about round {round} are judged by"),
            block: now.block(),
        };
        Ok(case.ok_or_else(missing)?)
    }

    /// What answers and picks in disputes about `round`, for [`Self::own`] computation.
    pub async fn witness(
        &mut self,
        client: &Client,
        now: &Moment,
        round: &RoundView,
    ) -> Result<Arc<Witness>, ReplicaError> {
        let own = self.own(client, now, round).await?;
        if let Some((_, known)) = self.witness.as_ref().filter(|(of, _)| *of == own.inputs) {
            return Ok(known.clone());
        }
        let case = self.case(now, round.round).await?;
        let inputs = own.inputs;
        let witness = tokio::task::spawn_blocking(move || {
            let own = Computed::clone(&own);
            Witness::new(case, own.base, own.samples, own.reveals, own.score)
        });
        let witness = Arc::new(witness.await?.map_err(not_of(round.round))?);
        self.witness = Some((inputs, witness.clone()));
        Ok(witness)
    }

    /// The samples and, in the order of commits, the deltas of a round: from block bodies and, if
    /// samples are drawn, from the task's pool.
    async fn fetch(
        &self,
        client: &Client,
        round: &RoundView,
        submissions: &[SubmissionView],
    ) -> Result<(RoundSamples, Vec<Reveal>), ReplicaError> {
        let unknown = ChainError::Missing {
            what: format!("what are the samples of round {}", round.round),
            block: round.phase_started_at,
        };
        let source = match (self.pool, round.sample_seed, &round.shard) {
            (Some(pool), Some(seed), _) => Source::Pool(pool, seed, self.pools.clone()),
            (None, _, Some(shard)) => Source::Shard(shard.clone()),
            _ => return Err(unknown.into()),
        };
        let revealed: Vec<_> = in_commit_order(submissions)
            .into_iter()
            .map(|(weight, revealed)| (weight, revealed.clone()))
            .collect();
        let revealed_at = revealed.iter().map(|(_, revealed)| revealed.at);
        let mut bodies = HashMap::new();
        for block in revealed_at.chain(source.block()) {
            if let Entry::Vacant(place) = bodies.entry(block) {
                place.insert(client.body(block).await?);
            }
        }
        let payloads = Payloads {
            task: self.task,
            round: round.round,
            bodies,
        };
        let record_bytes = self.graph.inputs as usize + 1;
        let samples = self.samples as usize;
        let parameters = self.position.weights.len() as u32;
        tokio::task::spawn_blocking(move || {
            let samples = match source {
                Source::Shard(shard) => payloads
                    .shard(&shard, record_bytes, samples)?
                    .to_vec()
                    .into(),
                Source::Pool(pool, seed, pools) => {
                    pools.draw(&pool, &seed).map_err(no_pool(payloads.task))?
                }
            };
            let reveals = revealed
                .iter()
                .map(|(weight, revealed)| payloads.reveal(*weight, revealed, parameters))
                .collect::<Result<_, _>>()?;
            Ok((samples, reveals))
        })
        .await?
    }

    /// Fails if the chain says something else of `round` than is computed here.
    fn check(&self, round: &RoundView, found: Option<Difference>) -> Result<(), ReplicaError> {
        match found {
            None => Ok(()),
            Some(difference) => Err(ReplicaError::Differs {
                task: self.task,
                round: round.round,
                difference,
            }),
        }
    }
}

/// Where the samples of a round are.
enum Source {
    /// In a block.
    Shard(ShardView),
    /// In a file.
    Pool(Pool, Hash, Pools),
}

impl Source {
    /// The block that has them.
    fn block(&self) -> Option<u32> {
        match self {
            Self::Shard(shard) => Some(shard.published_at),
            Self::Pool(..) => None,
        }
    }
}

fn no_pool(task: TaskId) -> impl FnOnce(PoolError) -> ReplicaError {
    move |source| ReplicaError::Pool { task, source }
}

/// The first thing in which two claims about a round differ.
pub fn claim_difference(ours: &RoundClaim, theirs: &RoundClaim) -> Option<Difference> {
    let root = |what, ours: &Hash, theirs: &Hash| {
        Difference::of(what, hex::encode(ours), hex::encode(theirs))
    };
    root(
        "the score table's root",
        &ours.table_root,
        &theirs.table_root,
    )
    .or_else(|| {
        let what = "the root of the new weights";
        root(what, &ours.master_root, &theirs.master_root)
    })
    .or_else(|| Difference::of("the paid gain", ours.paid_gain, theirs.paid_gain))
    .or_else(|| Difference::of("the sum of shares", ours.shares_sum, theirs.shares_sum))
}

fn not_of(round: RoundId) -> impl FnOnce(WitnessError) -> ReplicaError {
    move |source| ReplicaError::Witness { round, source }
}

/// A round of any age, computed again from nothing but the chain, and the pool if there is one.
pub struct Recomputed {
    pub round: RoundView,
    replica: Replica,
    /// Where the replica is kept meanwhile.
    _folder: tempfile::TempDir,
}

impl Recomputed {
    /// Rebuilds `task` from its opening up to `round`, and reports each round that was replayed.
    pub async fn open(
        client: &Client,
        now: &Moment,
        pools: &Pools,
        task: &TaskView,
        round: RoundId,
        computer: Computer,
        report: impl FnMut(RoundId),
    ) -> Result<Self, ReplicaError> {
        let folder = tempfile::tempdir().map_err(ReplicaError::Temporary)?;
        let home = Home {
            folder: Folder::open(folder.path())?,
            pools: pools.clone(),
        };
        let replica = Replica::open(client, now, &home, task).await?;
        let mut replica = replica.on(computer);
        replica.advance_to(client, now, round, report).await?;
        let view = replica.view(now, round).await?;
        Ok(Self {
            round: view,
            replica,
            _folder: folder,
        })
    }

    /// What is computed of the round.
    pub async fn own(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> Result<Arc<Computed>, ReplicaError> {
        self.replica.own(client, now, &self.round).await
    }

    /// What answers for it.
    pub async fn witness(
        &mut self,
        client: &Client,
        now: &Moment,
    ) -> Result<Arc<Witness>, ReplicaError> {
        self.replica.witness(client, now, &self.round).await
    }
}

/// Digest of everything that a round's score depends on.
pub fn inputs_digest(round: &RoundView, submissions: &[SubmissionView]) -> Hash {
    let reveals: Vec<_> = in_commit_order(submissions)
        .into_iter()
        .map(|(weight, revealed)| (weight, revealed.record.delta_hash))
        .collect();
    let samples = (
        round.shard.as_ref().map(|shard| shard.root),
        round.sample_seed,
    );
    blake2_256(&[&(round.task, round.round, round.base_root, samples, reveals).encode()])
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
    let body = client.body(task.opened_at).await?;
    let start = (task.terms.clone(), task.graph.encode());
    let length = (task.parameters as usize).saturating_mul(size_of::<i16>());
    let weights = tokio::task::spawn_blocking(move || {
        let found = body.find(Kind::OpenTask, &start, length, |weights| {
            MasterWeights::root_of_bytes(weights) == Ok(expected)
        });
        found.map(MasterWeights::from_bytes).transpose()
    });
    let weights = weights.await??;
    let missing = || missing("the first weights", task.id, RoundId(0), task.opened_at);
    Ok(weights.ok_or_else(missing)?.into_inner())
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

/// The blocks that a round's payloads are in.
struct Payloads {
    task: TaskId,
    round: RoundId,
    bodies: HashMap<u32, Body>,
}

impl Payloads {
    /// The records of the shard: `samples` of them, `record_bytes` each.
    fn shard(
        &self,
        shard: &ShardView,
        record_bytes: usize,
        samples: usize,
    ) -> Result<&[u8], ReplicaError> {
        let start = (self.task, self.round, shard.key);
        let length = record_bytes.saturating_mul(samples);
        self.bodies
            .get(&shard.published_at)
            .and_then(|body| {
                body.find(Kind::PublishShard, &start, length, |records| {
                    shard_root(&shard.key, record_bytes, records) == Ok(shard.root)
                })
            })
            .ok_or_else(|| missing("the shard", self.task, self.round, shard.published_at))
    }

    fn reveal(
        &self,
        weight: u32,
        revealed: &RevealedView,
        parameters: u32,
    ) -> Result<Reveal, ReplicaError> {
        let (start, hash) = ((self.task, self.round), revealed.record.delta_hash);
        let bytes = self
            .bodies
            .get(&revealed.at)
            .and_then(|body| {
                body.find(Kind::Reveal, &start, revealed.bytes as usize, |bytes| {
                    Delta::hash_of(bytes) == hash
                })
            })
            .ok_or_else(|| missing("a delta", self.task, self.round, revealed.at))?;
        let delta = Delta::decode(bytes, parameters);
        let delta = delta.map_err(|source| ReplicaError::Delta {
            round: self.round,
            source,
        })?;
        Ok(Reveal {
            hash,
            weight,
            delta,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_protocol::RevealRecord;

    fn submission(index: u32, weight: u32, revealed: bool) -> SubmissionView {
        SubmissionView {
            account: [index as u8; 32],
            index,
            weight,
            revealed: revealed.then_some(RevealedView {
                record: RevealRecord {
                    delta_hash: [weight as u8; 32],
                    delta_root: [0; 32],
                    weight,
                    square_norm: 1,
                },
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
            sample_seed: None,
            seats: Vec::new(),
            redraws: 0,
            audit_seed: None,
            open_disputes: 0,
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
    fn claims_differ_in_the_first_thing_that_does() {
        let ours = RoundClaim {
            table_root: [1; 32],
            paid_gain: 2,
            shares_sum: 3,
            master_root: [4; 32],
        };
        assert_eq!(claim_difference(&ours, &ours), None);
        let what = |theirs: RoundClaim| claim_difference(&ours, &theirs).map(|found| found.what);
        let mut theirs = ours.clone();
        theirs.shares_sum = 9;
        assert_eq!(what(theirs.clone()), Some("the sum of shares"));
        theirs.paid_gain = 9;
        assert_eq!(what(theirs.clone()), Some("the paid gain"));
        theirs.master_root = [9; 32];
        assert_eq!(what(theirs.clone()), Some("the root of the new weights"));
        theirs.table_root = [9; 32];
        assert_eq!(what(theirs), Some("the score table's root"));
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
        let drawn = RoundView {
            sample_seed: Some([7; 32]),
            ..round()
        };
        assert_ne!(inputs_digest(&drawn, &submissions), digest);
        assert_ne!(inputs_digest(&round(), &submissions[..1]), digest);
        let other_weight = [submission(0, 10, true), submission(1, 16, true)];
        assert_ne!(inputs_digest(&round(), &other_weight), digest);
    }
}
