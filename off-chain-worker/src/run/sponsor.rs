//! The daemon of `gotong sponsor`, and the shards that it publishes.

use super::{
    opened_exams::{sample_hash, OpenedExams},
    round_span, submit_once, Daemon, ExamPlan, RunError,
};
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

/// A task's sealed shards on the sponsor's disk. Anybody who reads them before their rounds knows
/// the exam.
pub struct Sealed {
    folder: Folder,
    roots: Vec<Hash>,
    /// None for shards that another version of the program sealed.
    made_by: Option<RecordsMadeBy>,
}

/// What made the records of shards: they fit no other task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RecordsMadeBy {
    /// The hash of the recipe.
    pub recipe: Hash,
    /// Bytes of a record, its label included.
    pub record_bytes: u32,
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
const MADE_BY: &str = "made-by";

impl Sealed {
    /// Seals `shards`, each a whole number of records, with random keys, and stores them in the sponsor's folder.
    ///
    /// # Errors
    /// Fails if a shard is empty or ends within a record, if files cannot be written, or if there is no randomness.
    pub fn create(
        base: &Folder,
        made_by: RecordsMadeBy,
        shards: Vec<Vec<u8>>,
    ) -> Result<Self, SealError> {
        let mut roots = Vec::new();
        let mut sealed = Vec::new();
        for records in shards {
            let key = random_hash()?;
            roots.push(shard_root(&key, made_by.record_bytes as usize, &records)?);
            sealed.push(SealedShard { key, records });
        }
        let folder = Self::folder(base, &shards_root(&roots))?;
        for (index, shard) in sealed.iter().enumerate() {
            folder.save(&shard_name(index as u32), shard)?;
        }
        folder.save(MADE_BY, &made_by)?;
        folder.save(ROOTS, &roots)?;
        Ok(Self {
            folder,
            roots,
            made_by: Some(made_by),
        })
    }

    /// The shards under `root`, if this sponsor has them.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn open(base: &Folder, root: &Hash) -> Result<Option<Self>, StateError> {
        let folder = Self::folder(base, root)?;
        let Some(roots) = folder.load(ROOTS)? else {
            return Ok(None);
        };
        let made_by = folder.load(MADE_BY)?;
        Ok(Some(Self {
            folder,
            roots,
            made_by,
        }))
    }

    fn folder(base: &Folder, root: &Hash) -> Result<Folder, StateError> {
        base.sub("sponsor")?.sub(hex::encode(root))
    }

    /// Root over all shards, as the task's terms have it.
    pub fn root(&self) -> Hash {
        shards_root(&self.roots)
    }

    /// Reads all shards, and checks that they fit a task with this many classes, whose samples are made as `made_by` says.
    ///
    /// # Errors
    /// Shards of other records, or that are missing, damaged or of different lengths; a label that is no class.
    pub fn plan(&self, made_by: &RecordsMadeBy, classes: u32) -> Result<ExamPlan, UnfitShards> {
        let own = self.made_by.ok_or(UnfitShards::Unknown)?;
        if own.record_bytes != made_by.record_bytes {
            return Err(UnfitShards::RecordBytes {
                expected: made_by.record_bytes,
                found: own.record_bytes,
            });
        }
        if own.recipe != made_by.recipe {
            return Err(UnfitShards::Recipe);
        }
        let record_bytes = own.record_bytes as usize;
        let mut samples = None;
        for (index, root) in (0..).zip(&self.roots) {
            let SealedShard { key, records } =
                self.shard(index)?.ok_or(UnfitShards::Missing(index))?;
            if shard_root(&key, record_bytes, &records) != Ok(*root) {
                return Err(UnfitShards::Changed(index));
            }
            let records = records.chunks_exact(record_bytes);
            if *samples.get_or_insert(records.len()) != records.len() {
                return Err(UnfitShards::Uneven(index));
            }
            let mut labels = records.filter_map(|record| record.last());
            if let Some(&label) = labels.find(|label| u32::from(**label) >= classes) {
                return Err(UnfitShards::Label {
                    index,
                    label,
                    classes,
                });
            }
        }
        let samples = samples.and_then(|samples| u32::try_from(samples).ok());
        let shards = u32::try_from(self.roots.len()).ok();
        let plan = shards.zip(samples);
        plan.map(|(shards, samples)| ExamPlan::Sealed { shards, samples })
            .ok_or(UnfitShards::Missing(0))
    }

    /// Hashes of the samples of each existing shard, or why it cannot be read. None if the length of a sample is unknown. One shard
    /// is in memory at a time.
    pub fn samples(&self) -> impl Iterator<Item = Result<Vec<u64>, StateError>> + '_ {
        let record_bytes = self.made_by.map_or(0, |made_by| made_by.record_bytes) as usize;
        let inputs = record_bytes.saturating_sub(1);
        let shards = if inputs == 0 { 0 } else { self.roots.len() };
        let hashes = move |shard: SealedShard| -> Vec<u64> {
            let records = shard.records.chunks_exact(record_bytes);
            records
                .map(|record| sample_hash(&record[..inputs]))
                .collect()
        };
        (0..)
            .take(shards)
            .filter_map(move |index| Some(self.shard(index).transpose()?.map(hashes)))
    }

    /// Records that a task was opened with these shards ([`OpenedExams`]).
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn remember(&self, base: &Folder) -> Result<(), StateError> {
        let (opened, root) = (OpenedExams::within(base)?, self.root());
        match opened.has(&root) {
            true => Ok(()),
            false => opened.add(&root, self.samples()),
        }
    }

    fn shard(&self, index: u32) -> Result<Option<SealedShard>, StateError> {
        self.folder.load(&shard_name(index))
    }

    /// The call that publishes shard `index` for a round.
    fn publication(
        &self,
        task: TaskId,
        command: &SponsorCommand,
    ) -> Result<Option<Call>, StateError> {
        let SponsorCommand::Publish { round, index } = *command;
        let shard = self.shard(index)?;
        let proof = Tree::of(&self.roots).prove(index);
        Ok(shard.zip(proof).map(|(shard, proof)| {
            Call::publish_shard(task, round, shard.key, &shard.records, &proof)
        }))
    }
}

/// Why sealed shards cannot be the exam of a task.
#[derive(Debug, thiserror::Error)]
pub enum UnfitShards {
    /// They cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another version of the program sealed them.
    #[error("the recipe of these shards is not recorded: seal the samples again with `gotong data seal`")]
    Unknown,
    /// Samples of another length.
    #[error("a sample of these shards has {found} bytes with its label, but the task needs {expected}: seal samples for its model")]
    RecordBytes {
        /// Bytes of a record of the task.
        expected: u32,
        /// Bytes of a record of the shards.
        found: u32,
    },
    /// Another recipe.
    #[error("another recipe made the samples of these shards: open the task with that recipe, or seal samples that the task's \
        recipe made")]
    Recipe,
    /// A shard is not there.
    #[error("shard {0} is missing: seal the samples again with `gotong data seal`")]
    Missing(u32),
    /// A shard is not what was sealed.
    #[error("shard {0} is not what was sealed: seal the samples again with `gotong data seal`")]
    Changed(u32),
    /// A shard of another length than the first.
    #[error("shard {0} does not have as many samples as the first: seal the samples again with `gotong data seal`")]
    Uneven(u32),
    /// A label that the model has no class for.
    #[error(
        "shard {index} has a sample with the label {label}, but the model has only {classes} classes"
    )]
    Label {
        /// The shard.
        index: u32,
        /// The label.
        label: u8,
        /// Classes of the model.
        classes: u32,
    },
}

/// Why shards cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The shards cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A shard is not a whole number of records.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The operating system's source failed.
    #[error("the system provides no randomness: {0}")]
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
            // The program that opened the task may have been interrupted before it could do so.
            if let Some(sealed) = &self.sealed {
                sealed.remember(&self.base)?;
            }
        }
        self.sealed.as_ref().ok_or_else(|| {
            RunError::Refused(format!(
                "the sealed shards of task {} are not in {}: run this on the machine that opened the task",
                self.task,
                self.base.path().display()
            ))
        })
    }
}

impl Daemon for Sponsoring {
    async fn tick(&mut self, client: &Client, now: &Moment) -> Result<ControlFlow<()>, RunError> {
        let view = now.existing_task(self.task).await?;
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
            tracing::info!(state = ?view.state, "the task is over, so there is nothing left to publish");
            return Ok(ControlFlow::Break(()));
        }
        let task = self.task;
        let HoldOutTerms::Sealed { root, .. } = view.terms.hold_out else {
            tracing::info!(
                "the samples are drawn from a public pool, so there is nothing to publish; keep the pool file where everybody \
                 can get it"
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

    fn made_by(record_bytes: u32) -> RecordsMadeBy {
        RecordsMadeBy {
            recipe: [7; 32],
            record_bytes,
        }
    }

    #[test]
    fn golden_bytes() {
        let made_by = made_by(2).encode();
        assert_eq!(made_by, [&[7; 32][..], &[2, 0, 0, 0]].concat());
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
        let sealed = Sealed::create(&base, made_by(2), shards.clone()).unwrap();
        let found = Sealed::open(&base, &sealed.root()).unwrap().unwrap();
        assert_eq!(found.roots, sealed.roots);
        for (index, records) in (0..).zip(shards) {
            let shard = found.shard(index).unwrap().unwrap();
            assert_eq!(shard.records, records);
            let root = shard_root(&shard.key, 2, &records);
            assert_eq!(root, Ok(found.roots[index as usize]));
        }
        assert!(Sealed::open(&base, &[0; 32]).unwrap().is_none());
        assert!(Sealed::create(&base, made_by(2), vec![vec![1]]).is_err());
        let uneven = found.plan(&made_by(2), 9);
        assert!(matches!(uneven, Err(UnfitShards::Uneven(1))));
    }

    #[test]
    fn shards_that_do_not_fit_a_task_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        // Two samples of five bytes with a label of 1, and two with 2.
        let record = |label: u8| [3, 4, 5, 6, 7, label].repeat(2);
        let shards = vec![record(1), record(2)];
        let sealed = Sealed::create(&base, made_by(6), shards).unwrap();
        let plan = ExamPlan::Sealed {
            shards: 2,
            samples: 2,
        };
        assert_eq!(sealed.plan(&made_by(6), 3).unwrap(), plan);
        // Four records of three bytes, or three of four, have as many bytes.
        for record_bytes in [3, 4] {
            let refused = sealed.plan(&made_by(record_bytes), 9);
            assert!(matches!(refused, Err(UnfitShards::RecordBytes { .. })));
        }
        let mut other = made_by(6);
        other.recipe = [8; 32];
        let refused = sealed.plan(&other, 3);
        assert!(matches!(refused, Err(UnfitShards::Recipe)));
        let refused = sealed.plan(&made_by(6), 2);
        let label = matches!(
            refused,
            Err(UnfitShards::Label {
                index: 1,
                label: 2,
                ..
            })
        );
        assert!(label);
        let mut shard = sealed.shard(1).unwrap().unwrap();
        shard.records[0] ^= 1;
        sealed.folder.save(&shard_name(1), &shard).unwrap();
        let refused = sealed.plan(&made_by(6), 3);
        assert!(matches!(refused, Err(UnfitShards::Changed(1))));
        sealed.folder.remove(&shard_name(1)).unwrap();
        let refused = sealed.plan(&made_by(6), 3);
        assert!(matches!(refused, Err(UnfitShards::Missing(1))));
        sealed.folder.remove(MADE_BY).unwrap();
        let found = Sealed::open(&base, &sealed.root()).unwrap().unwrap();
        let refused = found.plan(&made_by(6), 3);
        assert!(matches!(refused, Err(UnfitShards::Unknown)));
    }

    #[test]
    fn what_a_task_was_opened_with_is_known_and_what_was_only_sealed_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        let seal = || Sealed::create(&base, made_by(2), vec![vec![1, 0, 2, 0]]).unwrap();
        let known = |sealed: &Sealed| {
            let opened = OpenedExams::within(&base).unwrap();
            let samples = sealed.samples().flat_map(Result::unwrap);
            opened.known(samples).unwrap()
        };
        let first = seal();
        assert_eq!(known(&first), 0);
        first.remember(&base).unwrap();
        // Sealed anew, they have other keys and another root, but are the same samples.
        let second = seal();
        assert_ne!(first.root(), second.root());
        assert_eq!(known(&second), 2);
    }
}
