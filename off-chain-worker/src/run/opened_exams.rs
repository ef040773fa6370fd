//! The samples of exams that tasks were opened with: once they are published, everybody can learn their answers by heart.

use crate::state::{Folder, StateError};
use gotong_protocol::Hash;
use gotong_scoring::blake2_256;
use std::{collections::HashSet, fs, io};

/// Hashes of the samples of all exams that tasks of this sponsor were opened with, in a file for each exam.
pub struct OpenedExams(Folder);

/// The first eight bytes of a sample's hash; its label is no part of it.
pub fn sample_hash(sample: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = blake2_256(&[sample]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl OpenedExams {
    /// Those that are kept in the sponsor's folder of `base`.
    ///
    /// # Errors
    /// A folder that cannot be created.
    pub fn within(base: &Folder) -> Result<Self, StateError> {
        Ok(Self(base.sub("sponsor")?.sub("opened")?))
    }

    /// Whether the samples of the exam with this root are kept.
    pub fn has(&self, root: &Hash) -> bool {
        self.0.path().join(hex::encode(root)).exists()
    }

    /// Keeps the hashes of an exam's samples, now that a task was opened with it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&self, root: &Hash, samples: &[u64]) -> Result<(), StateError> {
        self.0.save(&hex::encode(root), &samples)
    }

    /// How many different samples were in one of the exams.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn known(&self, samples: impl IntoIterator<Item = u64>) -> Result<usize, StateError> {
        let mut new: HashSet<u64> = samples.into_iter().collect();
        let all = new.len();
        let reading = |source: io::Error| StateError::Io {
            path: self.0.path().to_owned(),
            source,
        };
        for file in fs::read_dir(self.0.path()).map_err(reading)? {
            let name = file.map_err(reading)?.file_name();
            // Anything else is what an interrupted write left.
            let name = name.to_str().filter(|name| name.len() == 64);
            let Some(name) = name else { continue };
            for sample in self.0.load::<Vec<u64>>(name)?.unwrap_or_default() {
                new.remove(&sample);
            }
        }
        Ok(all - new.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_exams_that_were_opened_are_known() {
        let temporary = tempfile::tempdir().unwrap();
        let base = Folder::open(temporary.path()).unwrap();
        let opened = OpenedExams::within(&base).unwrap();
        assert_eq!(opened.known([1, 2]).unwrap(), 0);
        opened.add(&[1; 32], &[1, 2, 3]).unwrap();
        opened.add(&[2; 32], &[5]).unwrap();
        assert!(opened.has(&[1; 32]) && !opened.has(&[3; 32]));
        let again = OpenedExams::within(&base).unwrap();
        assert_eq!(again.known([4, 5, 3, 3]).unwrap(), 2);
        assert_ne!(sample_hash(&[1]), sample_hash(&[2]));
    }
}
