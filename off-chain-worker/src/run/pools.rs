//! Public pools that samples are drawn from.

use crate::state::Folder;
use gotong_protocol::{Hash, HoldOutTerms};
use gotong_scoring::{pool_tree, RoundSamples, Tree};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// The public pools that a worker has. A pool is a file that contains only records of equal length,
/// one after another. The task's sponsor gives it to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    kept: Folder,
    offered: Vec<PathBuf>,
}

/// A task's pool, as its terms describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    salt: Hash,
    root: Hash,
    records: u32,
    samples: u32,
    /// How many bytes a record has.
    record_bytes: u32,
}

/// Why samples cannot be drawn from a pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No file that was given is the pool.
    #[error(
        "the pool that the samples are drawn from is missing. It is a file of {} bytes, {} records with root {}: get it from \
         the task's sponsor, and give it with `--pool-file FILE`{}",
        .pool.length(), .pool.records, hex::encode(.pool.root), listed(.others)
    )]
    Missing {
        /// The pool.
        pool: Pool,
        /// What is wrong with the files that were looked at.
        others: Vec<String>,
    },
    /// A file cannot be read or copied.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn listed(others: &[String]) -> String {
    others.iter().map(|other| format!("; {other}")).collect()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PoolError + '_ {
    move |source| PoolError::Io {
        path: path.to_owned(),
        source,
    }
}

impl Pool {
    /// The pool of a task whose records have this many bytes. None if its samples are sealed.
    pub fn of(terms: &HoldOutTerms, record_bytes: u32) -> Option<Self> {
        match *terms {
            HoldOutTerms::Sealed { .. } => None,
            HoldOutTerms::Drawn {
                salt,
                root,
                records,
                samples,
                ..
            } => Some(Self {
                salt,
                root,
                records,
                samples,
                record_bytes,
            }),
        }
    }

    fn length(&self) -> u64 {
        u64::from(self.records) * u64::from(self.record_bytes)
    }

    fn name(&self) -> String {
        hex::encode(self.root)
    }

    /// The tree over the records of a file of the right length.
    fn tree(&self, file: &File) -> io::Result<Tree> {
        let mut reader = BufReader::new(file);
        let mut record = vec![0; self.record_bytes as usize];
        let mut failed = None;
        let records = (0..self.records).map_while(|_| match reader.read_exact(&mut record) {
            Ok(()) => Some(record.clone()),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let tree = pool_tree(&self.salt, records);
        failed.map_or(Ok(tree), Err)
    }

    /// The pool, if the file is the pool; otherwise why it is not.
    fn open(&self, path: &Path) -> Result<(File, Tree), String> {
        let unreadable = |error: io::Error| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length != self.length() {
            return Err(format!("{} has {length} bytes", path.display()));
        }
        let tree = self.tree(&file).map_err(unreadable)?;
        let root = tree.root().hash;
        if root != self.root {
            let root = hex::encode(root);
            return Err(format!("{} has the root {root}", path.display()));
        }
        Ok((file, tree))
    }
}

impl Pools {
    /// Pools that are kept in one folder, and files that may be more of them.
    pub(super) fn new(kept: Folder, offered: Vec<PathBuf>) -> Self {
        Self { kept, offered }
    }

    /// Finds the pool among the kept and the offered files, and keeps it.
    pub fn keep(&self, pool: &Pool) -> Result<(), PoolError> {
        self.find(pool).map(|_| ())
    }

    /// The samples that `seed` draws, with their proofs. All of the pool is read and hashed again:
    /// what is on a disk may have changed.
    pub fn draw(&self, pool: &Pool, seed: &Hash) -> Result<RoundSamples, PoolError> {
        let (path, mut file, tree) = self.find(pool)?;
        let length = pool.record_bytes as usize;
        RoundSamples::drawn(&tree, seed, pool.samples, |place| {
            let start = u64::from(place) * length as u64;
            let mut record = vec![0; length];
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut record)?;
            Ok(record)
        })
        .map_err(at(&path))
    }

    fn find(&self, pool: &Pool) -> Result<(PathBuf, File, Tree), PoolError> {
        let kept = self.kept.path().join(pool.name());
        let mut others = Vec::new();
        let is_kept = kept.try_exists().map_err(at(&kept))?;
        for path in is_kept.then_some(&kept).into_iter().chain(&self.offered) {
            match pool.open(path) {
                Ok((mut file, tree)) => {
                    if *path != kept {
                        file.rewind().map_err(at(path))?;
                        self.copy(&mut file, &kept).map_err(at(&kept))?;
                        tracing::info!("{}: a pool, kept as {}", path.display(), kept.display());
                    }
                    return Ok((path.clone(), file, tree));
                }
                Err(wrong) => others.push(wrong),
            }
        }
        Err(PoolError::Missing {
            pool: *pool,
            others,
        })
    }

    /// Either the whole file is there, or none of it.
    fn copy(&self, from: &mut File, to: &Path) -> io::Result<()> {
        let mut copy = tempfile::NamedTempFile::new_in(self.kept.path())?;
        io::copy(from, &mut copy)?;
        copy.flush()?;
        copy.as_file().sync_all()?;
        copy.persist(to)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::WorkerDirs;
    use super::*;
    use gotong_scoring::draw;
    use std::fs;

    const SALT: Hash = [3; 32];
    const RECORDS: u32 = 50;
    const SEED: Hash = [4; 32];

    fn bytes() -> Vec<u8> {
        (0..RECORDS as u8).flat_map(|n| [n, n + 1, n + 2]).collect()
    }

    fn pool() -> Pool {
        let terms = HoldOutTerms::Drawn {
            salt: SALT,
            root: pool_tree(&SALT, bytes().chunks(3)).root().hash,
            records: RECORDS,
            samples: 3,
            rounds: 2,
        };
        Pool::of(&terms, 3).unwrap()
    }

    /// Folders of a worker with these files offered.
    fn dirs(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, WorkerDirs) {
        let temporary = tempfile::tempdir().unwrap();
        let offered = files.iter().map(|(name, bytes)| {
            let path = temporary.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        });
        let offered = offered.collect();
        let folder = Folder::open(temporary.path().join("home")).unwrap();
        (temporary, WorkerDirs::open(folder, offered).unwrap())
    }

    #[test]
    fn the_records_that_are_drawn_are_read() {
        let (_temporary, dirs) = dirs(&[("pool", bytes())]);
        let drawn = dirs.pools.draw(&pool(), &SEED).unwrap();
        let expected = (0..3).flat_map(|sample| {
            let place = 3 * draw(&SEED, sample, 3, RECORDS).unwrap() as usize;
            bytes()[place..place + 3].to_vec()
        });
        assert_eq!(drawn.records(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_pool_is_offered_once_and_kept() {
        let (temporary, mut dirs) = dirs(&[("other", vec![1; 150]), ("pool", bytes())]);
        dirs.pools.offered.insert(0, "no such file".into());
        dirs.pools.keep(&pool()).unwrap();
        fs::remove_file(temporary.path().join("pool")).unwrap();
        let again = WorkerDirs::open(dirs.folder, Vec::new()).unwrap();
        assert!(again.pools.draw(&pool(), &SEED).is_ok());
    }

    #[test]
    fn a_missing_pool_is_told_with_what_to_do() {
        let mut changed = bytes();
        changed[7] ^= 1;
        let (_temporary, dirs) = dirs(&[("short", vec![1; 149]), ("changed", changed)]);
        let error = dirs.pools.keep(&pool()).unwrap_err().to_string();
        let root = hex::encode(pool().root);
        for said in [
            "150 bytes, 50 records",
            &root,
            "--pool-file FILE",
            "short has 149 bytes",
            "changed has the root",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn a_kept_pool_that_was_damaged_is_replaced() {
        let (_temporary, dirs) = dirs(&[("pool", bytes())]);
        dirs.pools.keep(&pool()).unwrap();
        let kept = dirs.pools.kept.path().join(pool().name());
        fs::write(&kept, vec![0; 150]).unwrap();
        assert!(dirs.pools.draw(&pool(), &SEED).is_ok());
        assert_eq!(fs::read(kept).unwrap(), bytes());
    }

    #[test]
    fn sealed_samples_come_from_no_pool() {
        let sealed = HoldOutTerms::Sealed {
            root: [1; 32],
            shards: 1,
            samples: 2,
        };
        assert_eq!(Pool::of(&sealed, 3), None);
    }
}
