//! Where a round's samples and deltas come from: the bodies of blocks, and the task's pool if it has one.

use super::{
    inputs::{inputs_digest, revealed_in_order, RevealedDelta, RoundInputs},
    ReplicaError,
};
use crate::{
    chain::{
        body::{Body, Kind},
        ChainError, Client, Moment,
    },
    run::{Pool, PoolError, Pools, WorkerDirs},
};
use codec::Encode;
use gotong_protocol::{
    view::{RevealedView, RoundView, ShardView, SubmissionView, TaskView},
    Delta, Hash, RoundId, TaskId,
};
use gotong_scoring::{shard_root, MasterWeights};
use std::{
    collections::{hash_map::Entry, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Held while the deltas of a round that is not scored are decoded in memory.
static DECODED: Mutex<()> = Mutex::new(());

/// Fetches what the rounds of a task are scored from.
pub(super) struct PayloadFetcher {
    task: TaskId,
    /// The pool that samples are drawn from, if they are not sealed.
    pool: Option<Pool>,
    pools: Pools,
    /// How many samples a round has.
    samples: u32,
    record_bytes: usize,
}

impl PayloadFetcher {
    /// Fails early if the task has a pool that is not here, because no round can be computed without it.
    pub async fn open(dirs: &WorkerDirs, task: &TaskView) -> Result<Self, ReplicaError> {
        let record_bytes = task.graph.inputs + 1;
        let pool = Pool::of(&task.terms.hold_out, record_bytes);
        if let Some(pool) = pool {
            let pools = dirs.pools.clone();
            let kept = tokio::task::spawn_blocking(move || pools.keep(&pool));
            kept.await?.map_err(no_pool(task.id))?;
        }
        Ok(Self {
            task: task.id,
            pool,
            pools: dirs.pools.clone(),
            samples: task.terms.hold_out.samples(),
            record_bytes: record_bytes as usize,
        })
    }

    /// Everything that `round` is scored from; it starts from the weights `base`.
    pub async fn fetch(
        &self,
        client: &Client,
        round: &RoundView,
        submissions: &[SubmissionView],
        base: &[i16],
    ) -> Result<RoundInputs, ReplicaError> {
        let source = self.source(round)?;
        let revealed: Vec<_> = revealed_in_order(submissions).cloned().collect();
        let half_seed = round.seed.ok_or_else(|| no_samples(round))?;
        let revealed_at = revealed.iter().map(|revealed| revealed.at);
        let blocks = revealed_at.chain(source.block()).collect();
        let payloads = self.payloads(client, round, blocks).await?;
        let digest = inputs_digest(round, submissions);
        let (record_bytes, sample_count) = (self.record_bytes, self.samples);
        let base = base.to_vec();
        tokio::task::spawn_blocking(move || {
            let samples = match source {
                SampleSource::Shard(shard) => payloads
                    .shard(&shard, record_bytes, sample_count as usize)?
                    .to_vec()
                    .into(),
                SampleSource::Pool(pool, seed, pools) => {
                    pools.draw(&pool, &seed).map_err(no_pool(payloads.task))?
                }
            };
            let entrants = payloads.deltas(&revealed, base.len() as u32)?;
            Ok(RoundInputs {
                task: payloads.task,
                round: payloads.round,
                digest,
                base,
                samples,
                sample_count,
                half_seed,
                entrants,
            })
        })
        .await?
    }

    /// Calls `take` with the deltas of `round`, in the order of their commits, decoded for a model with this many parameters. They
    /// may take gigabytes, so this process holds the deltas of only one round at a time for this purpose.
    pub async fn with_deltas<T: Send + 'static>(
        &self,
        client: &Client,
        round: &RoundView,
        submissions: &[SubmissionView],
        parameters: u32,
        take: impl FnOnce(&[RevealedDelta]) -> T + Send + 'static,
    ) -> Result<T, ReplicaError> {
        let revealed: Vec<_> = revealed_in_order(submissions).cloned().collect();
        let blocks = revealed.iter().map(|revealed| revealed.at).collect();
        let payloads = self.payloads(client, round, blocks).await?;
        tokio::task::spawn_blocking(move || {
            let _turn = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(take(&payloads.deltas(&revealed, parameters)?))
        })
        .await?
    }

    /// What these blocks contain about `round`.
    async fn payloads(
        &self,
        client: &Client,
        round: &RoundView,
        blocks: Vec<u32>,
    ) -> Result<Payloads, ChainError> {
        let mut bodies = HashMap::new();
        for block in blocks {
            if let Entry::Vacant(place) = bodies.entry(block) {
                place.insert(client.body(block).await?);
            }
        }
        Ok(Payloads {
            task: self.task,
            round: round.round,
            bodies,
        })
    }

    fn source(&self, round: &RoundView) -> Result<SampleSource, ChainError> {
        match (self.pool, round.seed, &round.shard) {
            (Some(pool), Some(seed), _) => Ok(SampleSource::Pool(pool, seed, self.pools.clone())),
            (None, _, Some(shard)) => Ok(SampleSource::Shard(shard.clone())),
            _ => Err(no_samples(round)),
        }
    }
}

fn no_samples(round: &RoundView) -> ChainError {
    ChainError::Missing {
        what: format!("the samples of round {}", round.round),
        block: round.phase_started_at,
    }
}

/// The weights that a task was opened with.
pub(super) async fn first_weights(
    client: &Client,
    now: &Moment,
    task: &TaskView,
) -> Result<Vec<i16>, ReplicaError> {
    let first = now.round(task.id, RoundId(0)).await?;
    let expected = first.map_or(task.master_root, |round| round.base_root);
    let body = client.body(task.opened_at).await?;
    let start = task.graph.encode();
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

/// Where the samples of a round are.
enum SampleSource {
    /// In a block.
    Shard(ShardView),
    /// In a file.
    Pool(Pool, Hash, Pools),
}

impl SampleSource {
    /// The block that contains them.
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

fn missing(what: &str, task: TaskId, round: RoundId, block: u32) -> ReplicaError {
    ReplicaError::Chain(ChainError::Missing {
        what: format!("{what} of task {task}, round {round}"),
        block,
    })
}

/// The blocks that contain a round's payloads.
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

    /// All of these deltas.
    fn deltas(
        &self,
        revealed: &[RevealedView],
        parameters: u32,
    ) -> Result<Vec<RevealedDelta>, ReplicaError> {
        let deltas = revealed
            .iter()
            .map(|revealed| self.delta(revealed, parameters));
        deltas.collect()
    }

    fn delta(
        &self,
        revealed: &RevealedView,
        parameters: u32,
    ) -> Result<RevealedDelta, ReplicaError> {
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
        Ok(RevealedDelta {
            delta: Arc::new(delta.shrunk()),
            hash,
            weight: revealed.record.weight,
            is_proven: revealed.record.is_proven,
        })
    }
}
