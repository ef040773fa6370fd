//! The daemon of `gotong sponsor`, and the shards that it publishes.

use super::{round_span, submit_once, Daemon, ExamPlan, RunError};
use crate::{
    chain::{Call, Client, Keypair, Moment},
    engine::{Sponsor, SponsorCommand, SponsorSnapshot},
    state::{Folder, StateError},
};
use codec::{Decode, Encode};
use gotong_protocol::{shard_is_due, view::TaskView, Hash, HoldOutTerms, TaskId};
use gotong_scoring::{shard_root, shards_root, ShardError, Tree};
use rand::{rngs::OsRng, TryRngCore};
use std::ops::ControlFlow;
use tracing::Instrument;

/// A task's sealed shards on the sponsor's disk. Whoever reads them before their rounds knows
/// the exam.
pub struct Sealed {
    folder: Folder,
    roots: Vec<Hash>,
}

/// One shard: what unseals it, and its records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SealedShard {
    /// The random key in its root.
    pub key: Hash,
    /// Its records, one after another.
    pub records: Vec<u8>,
}

const ROOTS: &str = "roots";

impl Sealed {
    /// Seals `shards`, each a whole number of records of `record_bytes`, with random keys, and
    /// keeps them under the sponsor's folder.
    pub fn create(
        base: &Folder,
        record_bytes: usize,
        shards: Vec<Vec<u8>>,
    ) -> Result<Self, SealError> {
        let mut roots = Vec::new();
        let mut sealed = Vec::new();
        for records in shards {
            let key = random_hash()?;
            roots.push(shard_root(&key, record_bytes, &records)?);
            sealed.push(SealedShard { key, records });
        }
        let folder = Self::folder(base, &shards_root(&roots))?;
        for (index, shard) in sealed.iter().enumerate() {
            folder.save(&shard_name(index as u32), shard)?;
        }
        folder.save(ROOTS, &roots)?;
        Ok(Self { folder, roots })
    }

    /// The shards under `root`, if this sponsor has them.
    pub fn open(base: &Folder, root: &Hash) -> Result<Option<Self>, StateError> {
        let folder = Self::folder(base, root)?;
        let roots = folder.load(ROOTS)?;
        Ok(roots.map(|roots| Self { folder, roots }))
    }

    fn folder(base: &Folder, root: &Hash) -> Result<Folder, StateError> {
        base.sub("sponsor")?.sub(hex::encode(root))
    }

    /// Root over all shards, as the task's terms have it.
    pub fn root(&self) -> Hash {
        shards_root(&self.roots)
    }

    /// What the shards, of records of `record_bytes`, were sealed for; none if the first of them is missing or empty.
    ///
    /// # Errors
    /// A shard that cannot be read.
    pub fn plan(&self, record_bytes: usize) -> Result<Option<ExamPlan>, StateError> {
        let first: Option<SealedShard> = self.folder.load(&shard_name(0))?;
        let plan = |shard: SealedShard| {
            let samples = shard.records.len().checked_div(record_bytes)?;
            Some(ExamPlan::Sealed {
                shards: u32::try_from(self.roots.len()).ok()?,
                samples: u32::try_from(samples).ok()?,
            })
        };
        Ok(first.and_then(plan))
    }

    /// The call that publishes shard `index` for a round.
    fn publication(
        &self,
        task: TaskId,
        command: &SponsorCommand,
    ) -> Result<Option<Call>, StateError> {
        let SponsorCommand::Publish { round, index } = *command;
        let shard: Option<SealedShard> = self.folder.load(&shard_name(index))?;
        let proof = Tree::of(&self.roots).prove(index);
        Ok(shard.zip(proof).map(|(shard, proof)| {
            Call::publish_shard(task, round, shard.key, &shard.records, &proof)
        }))
    }
}

/// Why shards cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The shards cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A shard is no whole number of records.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The operating system's source failed.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] rand::rand_core::OsError),
}

fn shard_name(index: u32) -> String {
    format!("shard-{index}")
}

/// 32 bytes from the system's source of randomness.
pub(super) fn random_hash() -> Result<Hash, rand::rand_core::OsError> {
    let mut hash = [0; 32];
    OsRng.try_fill_bytes(&mut hash)?;
    Ok(hash)
}

/// The daemon of a sponsor: publishes each round's shard.
pub struct Sponsoring {
    signer: Keypair,
    base: Folder,
    task: TaskId,
    engine: Sponsor,
    sealed: Option<Sealed>,
}

impl Sponsoring {
    /// Publishes the shards that are kept in `base`.
    pub fn new(signer: Keypair, base: Folder, task: TaskId) -> Self {
        Self {
            signer,
            base,
            task,
            engine: Sponsor::default(),
            sealed: None,
        }
    }

    fn sealed(&mut self, root: &Hash) -> Result<&Sealed, RunError> {
        if self.sealed.is_none() {
            self.sealed = Sealed::open(&self.base, root)?;
        }
        self.sealed.as_ref().ok_or_else(|| {
            RunError::Refused(format!(
                "the sealed shards of task {} are not in {}: run on the machine that opened it",
                self.task,
                self.base.path().display()
            ))
        })
    }
}

impl Daemon for Sponsoring {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        let view = now.task(self.task).await?;
        let view = view.ok_or(RunError::NoTask(self.task))?;
        let span = round_span(self.task, view.round, &self.signer.public_key().0);
        self.look_at(client, now, &view).instrument(span).await
    }
}

impl Sponsoring {
    async fn look_at(
        &mut self,
        client: &Client,
        now: &Moment,
        view: &TaskView,
    ) -> Result<ControlFlow<()>, RunError> {
        if view.state.is_over() {
            tracing::info!("{:?}", view.state);
            return Ok(ControlFlow::Break(()));
        }
        let task = self.task;
        let HoldOutTerms::Sealed { root, .. } = view.terms.hold_out else {
            tracing::info!(
                "the samples are drawn from a public pool, so there is nothing to publish; keep the \
                 pool's file where everybody can get it"
            );
            return Ok(ControlFlow::Break(()));
        };
        self.sealed(&root)?;
        let Some(round) = now.round(task, view.round).await? else {
            return Ok(ControlFlow::Continue(()));
        };
        let snapshot = SponsorSnapshot {
            block: now.block(),
            round: view.round,
            phase: round.phase,
            is_due: shard_is_due(
                now.block(),
                round.phase_started_at,
                view.terms.windows.reveal_blocks,
                round.commits,
                round.reveals,
            ),
            published: round.shard.is_some(),
            next_shard: view.next_shard,
        };
        let Some(command) = self.engine.on_block(&snapshot) else {
            return Ok(ControlFlow::Continue(()));
        };
        let call = self
            .sealed(&root)?
            .publication(task, &command)?
            .ok_or_else(|| {
                RunError::Refused(format!("shard {} is not on disk", view.next_shard))
            })?;
        if let Some(receipt) = submit_once(client, &self.signer, &call).await? {
            self.engine.on_published(view.round, receipt.block);
        }
        tracing::info!("published shard {}", view.next_shard);
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let shard = SealedShard {
            key: [7; 32],
            records: vec![1, 2],
        };
        assert_eq!(shard.encode(), [&[7; 32][..], &[8, 1, 2]].concat());
    }

    #[test]
    fn sealed_shards_are_found_again_by_their_root() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        let shards = vec![vec![1, 2, 3, 4], vec![5, 6]];
        let sealed = Sealed::create(&base, 2, shards.clone()).unwrap();
        let found = Sealed::open(&base, &sealed.root()).unwrap().unwrap();
        assert_eq!(found.roots, sealed.roots);
        for (index, records) in shards.into_iter().enumerate() {
            let shard: SealedShard = found
                .folder
                .load(&shard_name(index as u32))
                .unwrap()
                .unwrap();
            assert_eq!(shard.records, records);
            assert_eq!(shard_root(&shard.key, 2, &records), Ok(found.roots[index]));
        }
        assert!(Sealed::open(&base, &[0; 32]).unwrap().is_none());
        assert!(Sealed::create(&base, 2, vec![vec![1]]).is_err());
    }
}
