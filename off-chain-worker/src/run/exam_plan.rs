//! How an exam's records become the samples of rounds: sealed shards that only the sponsor has, or a public pool.

use super::sponsor::{random_hash, RecordsMadeBy, SealError, Sealed};
use crate::state::Folder;
use gotong_data::write_whole;
use gotong_protocol::{
    bounds::{
        MAX_POOL_RECORDS, MAX_SHARD_BYTES, MAX_SHARD_SAMPLES, MIN_RECORDS_PER_SAMPLE, MIN_SAMPLES,
    },
    Hash, HoldOutTerms,
};
use gotong_scoring::pool_tree;
use gotong_training::data::Labelled;
use rand::{rngs::StdRng, seq::index, SeedableRng};
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// How the samples of rounds are taken from an exam's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExamPlan {
    /// Disjoint shards, each sealed with its own key.
    Sealed {
        /// How many shards there are; each scores one round.
        shards: u32,
        /// How many samples each has.
        samples: u32,
    },
    /// A pool that everybody has, from which chance draws each round's samples.
    Drawn {
        /// The maximum number of rounds.
        rounds: u32,
        /// How many samples each round has.
        samples: u32,
        /// Where the pool is written.
        pool: PathBuf,
    },
}

/// Why an exam cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExamPlanError {
    /// Too few or too many samples a round, or an odd number.
    #[error(
        "half of a round's samples decide and half pay: choose an even number of samples from {MIN_SAMPLES} to \
         {MAX_SHARD_SAMPLES}, not {0}"
    )]
    Samples(u32),
    /// No round at all.
    #[error("an exam needs at least one round")]
    NoRounds,
    /// The shards together need more samples than there are.
    #[error(
        "{shards} shards of {samples} samples need {needed} samples, but there are only {records} for exams: choose fewer \
         shards or samples, or add more data"
    )]
    TooFew {
        /// How many shards there are.
        shards: u32,
        /// How many samples each has.
        samples: u32,
        /// How many samples all of them need.
        needed: u64,
        /// How many samples there are.
        records: usize,
    },
    /// A shard is too long to be published.
    #[error(
        "a shard of {samples} samples has {bytes} bytes, but the chain accepts at most {MAX_SHARD_BYTES}: choose fewer samples"
    )]
    TooLong {
        /// How many samples a shard has.
        samples: u32,
        /// How many bytes it has.
        bytes: u64,
    },
    /// A pool that is too small or too large.
    #[error(
        "a pool has at least {MIN_RECORDS_PER_SAMPLE} records for each sample of a round and at most {MAX_POOL_RECORDS}: \
         at least {least} for {samples} samples, and there are {records} for exams"
    )]
    Pool {
        /// How many samples a round has.
        samples: u32,
        /// The minimum number of records for them.
        least: u64,
        /// How many records there are.
        records: usize,
    },
    /// The shards cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Another file already has the pool's name.
    #[error("{} already exists and is not this pool: name another file, or move it away", .0.display())]
    OtherPool(PathBuf),
    /// The pool cannot be written.
    #[error("cannot write the pool {}: {source}", .path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ExamPlan {
    /// How many samples score a round.
    pub fn samples(&self) -> u32 {
        match *self {
            Self::Sealed { samples, .. } | Self::Drawn { samples, .. } => samples,
        }
    }

    /// How many rounds can be scored.
    pub fn rounds(&self) -> u32 {
        match *self {
            Self::Sealed { shards, .. } => shards,
            Self::Drawn { rounds, .. } => rounds,
        }
    }

    /// Checks that this many records, each of this many bytes, are enough and not too many.
    ///
    /// # Errors
    /// Says what is wrong, and what to change.
    pub fn check(&self, records: usize, record_bytes: usize) -> Result<(), ExamPlanError> {
        let samples = self.samples();
        if !samples.is_multiple_of(2) || !(MIN_SAMPLES..=MAX_SHARD_SAMPLES).contains(&samples) {
            return Err(ExamPlanError::Samples(samples));
        }
        if self.rounds() == 0 {
            return Err(ExamPlanError::NoRounds);
        }
        match *self {
            Self::Sealed { shards, samples } => {
                let bytes = u64::from(samples).saturating_mul(record_bytes as u64);
                if bytes > u64::from(MAX_SHARD_BYTES) {
                    return Err(ExamPlanError::TooLong { samples, bytes });
                }
                let needed = u64::from(shards) * u64::from(samples);
                if needed > records as u64 {
                    return Err(ExamPlanError::TooFew {
                        shards,
                        samples,
                        needed,
                        records,
                    });
                }
            }
            Self::Drawn { samples, .. } => {
                let least = u64::from(samples) * u64::from(MIN_RECORDS_PER_SAMPLE);
                if !(least..=u64::from(MAX_POOL_RECORDS)).contains(&(records as u64)) {
                    return Err(ExamPlanError::Pool {
                        samples,
                        least,
                        records,
                    });
                }
            }
        }
        Ok(())
    }

    /// The terms of a plan that is not carried out yet. Their roots are zero.
    pub fn outline(&self, records: usize) -> HoldOutTerms {
        self.terms(Hash::default(), Hash::default(), records)
    }

    /// Makes the exam from samples that the recipe with this hash made: seals shards and stores them in `base`, or writes the pool.
    /// If a failed attempt has already left the same pool, it stays as it is.
    ///
    /// # Errors
    /// Those of [`Self::check`]; and fails if files cannot be written, or are something else, or if there is no randomness.
    pub fn carry_out(
        &self,
        exam: &Labelled,
        recipe: &Hash,
        base: &Folder,
    ) -> Result<HoldOutTerms, ExamPlanError> {
        let record_bytes = exam.inputs + 1;
        self.check(exam.len(), record_bytes)?;
        match self {
            Self::Sealed { shards, samples } => {
                let (shards, samples) = (*shards as usize, *samples as usize);
                // Records may be sorted, and nobody must be able to tell which of them is in which shard.
                let mut random = StdRng::from_os_rng();
                let chosen = index::sample(&mut random, exam.len(), shards * samples).into_vec();
                let shard = |chosen: &[usize]| {
                    let records = chosen.iter().map(|&at| exam.slice(at..at + 1).records());
                    records.collect::<Vec<_>>().concat()
                };
                let shards = chosen.chunks(samples.max(1)).map(shard).collect();
                let made_by = RecordsMadeBy {
                    recipe: *recipe,
                    record_bytes: u32::try_from(record_bytes).unwrap_or(u32::MAX),
                };
                let sealed = Sealed::create(base, made_by, shards)?;
                Ok(self.terms(Hash::default(), sealed.root(), exam.len()))
            }
            Self::Drawn { pool, .. } => {
                let salt = random_hash().map_err(SealError::from)?;
                let records = exam.records();
                let root = pool_tree(&salt, records.chunks_exact(record_bytes)).root();
                let writing = |source| ExamPlanError::Write {
                    path: pool.clone(),
                    source,
                };
                match holds(pool, &records).map_err(writing)? {
                    Some(true) => {}
                    Some(false) => return Err(ExamPlanError::OtherPool(pool.clone())),
                    None => {
                        write_whole(pool, |file| file.write_all(&records)).map_err(writing)?;
                    }
                }
                Ok(self.terms(salt, root.hash, exam.len()))
            }
        }
    }

    fn terms(&self, salt: Hash, root: Hash, records: usize) -> HoldOutTerms {
        match *self {
            Self::Sealed { shards, samples } => HoldOutTerms::Sealed {
                root,
                shards,
                samples,
            },
            Self::Drawn {
                rounds, samples, ..
            } => HoldOutTerms::Drawn {
                salt,
                root,
                records: u32::try_from(records).unwrap_or(u32::MAX),
                samples,
                rounds,
            },
        }
    }
}

/// Whether the file at `path` holds exactly these bytes; nothing if there is none.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<Option<bool>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(Some(false));
    }
    let mut file = BufReader::new(file);
    let mut piece = [0; 1 << 12];
    for expected in bytes.chunks(piece.len()) {
        let piece = &mut piece[..expected.len()];
        file.read_exact(piece)?;
        if *piece != *expected {
            return Ok(Some(false));
        }
    }
    Ok(Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn exam(samples: usize) -> Labelled {
        Labelled {
            inputs: 2,
            pixels: (0..2 * samples).map(|byte| byte as u8).collect(),
            labels: vec![1; samples],
        }
    }

    #[test]
    fn what_is_too_small_or_too_large_is_named() {
        let sealed = |shards, samples| ExamPlan::Sealed { shards, samples };
        assert!(sealed(3, 64).check(192, 3).is_ok());
        assert!(matches!(
            sealed(3, 64).check(191, 3),
            Err(ExamPlanError::TooFew { needed: 192, .. })
        ));
        for samples in [0, 62, 65, 4_098] {
            let refused = sealed(1, samples).check(9_999, 3);
            assert!(matches!(refused, Err(ExamPlanError::Samples(_))));
        }
        let refused = sealed(0, 64).check(64, 3);
        assert!(matches!(refused, Err(ExamPlanError::NoRounds)));
        let refused = sealed(1, 64).check(64, 16_385);
        assert!(matches!(refused, Err(ExamPlanError::TooLong { .. })));
        let drawn = ExamPlan::Drawn {
            rounds: 5,
            samples: 64,
            pool: PathBuf::new(),
        };
        assert!(drawn.check(1_024, 3).is_ok());
        let refused = drawn.check(1_023, 3);
        assert!(matches!(
            refused,
            Err(ExamPlanError::Pool { least: 1_024, .. })
        ));
    }

    #[test]
    fn shards_are_found_again_by_their_root() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        let plan = ExamPlan::Sealed {
            shards: 2,
            samples: 64,
        };
        let terms = plan.carry_out(&exam(128), &[7; 32], &base).unwrap();
        assert_eq!((terms.rounds(), terms.samples()), (2, 64));
        let sealed = Sealed::open(&base, terms.root()).unwrap().unwrap();
        assert_eq!(plan.outline(128).samples(), 64);
        let made_by = RecordsMadeBy {
            recipe: [7; 32],
            record_bytes: 3,
        };
        assert_eq!(sealed.plan(&made_by, 2).unwrap(), plan);
        // No sample is chosen twice.
        let samples: Vec<u64> = sealed.samples().flat_map(Result::unwrap).collect();
        let different: std::collections::HashSet<_> = samples.iter().collect();
        assert_eq!((samples.len(), different.len()), (128, 128));
    }

    #[test]
    fn a_pool_is_the_whole_exam() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        let plan = |pool: &str| ExamPlan::Drawn {
            rounds: 3,
            samples: 64,
            pool: temporary.path().join(pool),
        };
        let carry_out = |pool| plan(pool).carry_out(&exam(1_024), &[7; 32], &base);
        let terms = carry_out("pool").unwrap();
        let written = fs::read(temporary.path().join("pool")).unwrap();
        assert_eq!(written, exam(1_024).records());
        assert_eq!((terms.rounds(), terms.samples()), (3, 64));
        assert!(!terms.is_sealed());
        let refused = carry_out("no/pool");
        assert!(matches!(refused, Err(ExamPlanError::Write { .. })));
        // The same pool may be there, as an attempt that failed left it, but nothing else.
        carry_out("pool").unwrap();
        for other in [vec![0; written.len()], written[1..].to_vec()] {
            fs::write(temporary.path().join("pool"), &other).unwrap();
            let refused = carry_out("pool");
            assert!(matches!(refused, Err(ExamPlanError::OtherPool(_))));
            assert_eq!(fs::read(temporary.path().join("pool")).unwrap(), other);
        }
    }
}
