//! The samples of exams that tasks were opened with. Once they are published, everybody can memorise their answers.

use crate::state::{Folder, StateError};
use gotong_protocol::Hash;
use gotong_scoring::blake2_256;
use std::{collections::HashSet, fs, io};

/// Hashes of the samples of all exams that tasks of this sponsor were opened with, in files named after the exam's root: one for
/// each part that was in memory at once, and one that exists once all parts are stored.
pub struct OpenedExams(Folder);

/// The first eight bytes of a sample's hash. The label is not hashed.
pub fn sample_hash(sample: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = blake2_256(&[sample]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl OpenedExams {
    /// The hashes that are kept in the sponsor's folder of `base`.
    ///
    /// # Errors
    /// Fails if a folder cannot be created.
    pub fn within(base: &Folder) -> Result<Self, StateError> {
        Ok(Self(base.sub("sponsor")?.sub("opened")?))
    }

    /// Whether the samples of the exam with this root are kept.
    pub fn has(&self, root: &Hash) -> bool {
        self.0.path().join(hex::encode(root)).exists()
    }

    /// Keeps the hashes of an exam's samples, part by part, now that a task was opened with it.
    ///
    /// # Errors
    /// Fails if a part is not available, or a file cannot be written.
    pub fn add(
        &self,
        root: &Hash,
        parts: impl IntoIterator<Item = Result<Vec<u64>, StateError>>,
    ) -> Result<(), StateError> {
        let name = hex::encode(root);
        for (number, samples) in (0u64..).zip(parts) {
            self.0.save(&format!("{name}-{number}"), &samples?)?;
        }
        self.0.save(&name, &Vec::<u64>::new())
    }

    /// How many different samples were in one of the exams.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn known(&self, samples: impl IntoIterator<Item = u64>) -> Result<usize, StateError> {
        let mut new: HashSet<u64> = samples.into_iter().collect();
        let all = new.len();
        let reading = |source: io::Error| StateError::Io {
            path: self.0.path().to_owned(),
            source,
        };
        for file in fs::read_dir(self.0.path()).map_err(reading)? {
            let name = file.map_err(reading)?.file_name();
            // It is named after its exam's root; anything else is what an interrupted write left.
            let root = |name: &str| name.split('-').next().map_or(0, str::len);
            let name = name.to_str();
            let Some(name) = name.filter(|name| root(name) == 2 * size_of::<Hash>()) else {
                continue;
            };
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
        opened.add(&[1; 32], [Ok(vec![1, 2]), Ok(vec![3])]).unwrap();
        // The format in which it was kept before.
        opened.0.save(&hex::encode([2; 32]), &vec![5u64]).unwrap();
        assert!(opened.has(&[1; 32]) && !opened.has(&[3; 32]));
        let again = OpenedExams::within(&base).unwrap();
        assert_eq!(again.known([4, 5, 3, 3]).unwrap(), 2);
        assert_ne!(sample_hash(&[1]), sample_hash(&[2]));
        // An exam that was kept only in part is known to that extent, and not taken for complete.
        let damaged = || Err(StateError::Damaged("shard".into()));
        assert!(opened.add(&[3; 32], [Ok(vec![7]), damaged()]).is_err());
        assert!(!opened.has(&[3; 32]));
        assert_eq!(opened.known([7, 8]).unwrap(), 1);
    }
}
