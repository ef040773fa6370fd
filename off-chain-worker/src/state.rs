//! What a worker keeps on disk. A file is replaced as a whole or not at all, so that a worker that is killed at any moment finds
//! either the old or the new one.

use codec::{DecodeAll, Encode};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// First byte of every file that is written. It rises when the encoding of any of them changes. Version 1 kept score tables; 2,
/// share tables without an outer rate; 3, positions of replicas without the claim that led to them; 4, scores that did not say
/// whether a device had a part in them; 5, a contributor's delta of a single round, and an attester's tables that did not say
/// whether they were sent.
const VERSION: u8 = 6;

/// The oldest version that can be read. A program may be upgraded in the middle of a round, and a worker that can then no longer
/// read what it has committed to loses stake. Files that are written once, such as sealed shards, keep their version for as long as
/// their task runs.
const OLDEST: u8 = 5;

/// Why state could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no room for a file on the disk, or in the quota.
    #[error("no room on the disk for {}: free some, and the worker continues; until then it commits to nothing new", .0.display())]
    Full(PathBuf),
    /// A file does not decode.
    #[error("{} is damaged; move it away to start over", .0.display())]
    Damaged(PathBuf),
    /// The file was written by a version of the program that is too old or too new for this one.
    #[error(
        "{} has state version {found}, but this program reads versions {OLDEST} to {VERSION}: {}",
        path.display(),
        remedy(*found)
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// Another process holds the lock of the folder.
    #[error("another worker is using {}", .0.display())]
    InUse(PathBuf),
}

/// What to do about a file of version `found`, which cannot be read.
fn remedy(found: u8) -> &'static str {
    if found > VERSION {
        "a newer version of the program wrote it; install that one again, or choose another folder (--base-path; --folder of gotong lab)"
    } else {
        "choose another folder (--base-path; --folder of gotong lab), or move the file away to start over"
    }
}

/// A folder of state, readable by its owner only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// Held for as long as a worker uses a folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl StateError {
    /// Whether the error may pass by itself, or if somebody does something about the disk, so that it is worth trying again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Full(_))
    }
}

impl Folder {
    /// Opens the folder, and creates it if it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&path).map_err(at(&path))?;
        Ok(Self(path))
    }

    /// The folder `name` inside this one. It is created if it is missing.
    pub fn sub(&self, name: impl AsRef<Path>) -> Result<Self, StateError> {
        Self::open(self.0.join(name))
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fails if another process holds the lock. The lock ends with the process, however that ends.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let path = self.0.join("lock");
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(self.0.clone())),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path, source }),
        }
    }

    /// Replaces the file `name`, and returns once the new one is on disk.
    pub fn save(&self, name: &str, value: &impl Encode) -> Result<(), StateError> {
        let path = self.0.join(name);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            file.write_all(&(VERSION, value).encode())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            self.sync()
        };
        write().map_err(at(&path))
    }

    /// Returns once renames in the folder are on disk.
    #[cfg(not(windows))]
    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Does nothing: Windows does not open a folder as a file, and NTFS logs renames.
    #[cfg(windows)]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Checks that there is room for this many more bytes: writes as many, and removes them.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    pub fn try_room(&self, bytes: usize) -> Result<(), StateError> {
        // Some file systems compress, and then bytes that are all alike take hardly any room.
        let mut word = 1u64;
        let noise = std::iter::repeat_with(|| {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            word
        });
        let noise: Vec<u8> = noise
            .take(bytes.div_ceil(8))
            .flat_map(u64::to_be_bytes)
            .collect();
        let write = || {
            let mut file = tempfile::tempfile_in(&self.0)?;
            file.write_all(&noise)?;
            file.sync_all()
        };
        write().map_err(at(&self.0))
    }

    /// What was saved as `name`, if anything. Its encoding has to be the same in all versions that can be read.
    pub fn load<T: DecodeAll>(&self, name: &str) -> Result<Option<T>, StateError> {
        self.load_or_convert::<T, T>(0, name)
    }

    /// What was saved as `name`, if anything. Up to version `last_old`, it was encoded as an `Old`.
    pub fn load_or_convert<Old, T>(&self, last_old: u8, name: &str) -> Result<Option<T>, StateError>
    where
        Old: DecodeAll,
        T: DecodeAll + From<Old>,
    {
        let path = self.0.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let decoded = match bytes.split_first() {
            Some((found, _)) if !(OLDEST..=VERSION).contains(found) => {
                let found = *found;
                return Err(StateError::OtherVersion { path, found });
            }
            Some((found, mut value)) if *found <= last_old => {
                Old::decode_all(&mut value).map(T::from)
            }
            Some((_, mut value)) => T::decode_all(&mut value),
            None => return Err(StateError::Damaged(path)),
        };
        decoded.map(Some).map_err(|_| StateError::Damaged(path))
    }

    /// Renames the file `from` to `to`, which replaces any file of that name.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        let path = self.0.join(from);
        fs::rename(&path, self.0.join(to)).map_err(at(&path))
    }

    /// Removes the file `name`. It is fine if there is none.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    move |source| {
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded => StateError::Full(path),
            _ => StateError::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("state");
        for full in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = at(path)(full.into());
            assert!(matches!(error, StateError::Full(_)) && error.may_pass());
        }
        let error = at(path)(io::ErrorKind::PermissionDenied.into());
        assert!(matches!(error, StateError::Io { .. }) && error.may_pass());
        assert!(!StateError::Damaged(path.to_owned()).may_pass());
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap().sub("a/b").unwrap();
        assert_eq!(folder.load::<u32>("number").unwrap(), None);
        folder.save("number", &7u32).unwrap();
        folder.save("number", &8u32).unwrap();
        assert_eq!(folder.load::<u32>("number").unwrap(), Some(8));
        assert_eq!(
            fs::read(folder.path().join("number")).unwrap(),
            [VERSION, 8, 0, 0, 0]
        );
        folder.save("other", &9u32).unwrap();
        folder.rename("number", "other").unwrap();
        assert_eq!(folder.load::<u32>("number").unwrap(), None);
        assert_eq!(folder.load::<u32>("other").unwrap(), Some(8));
        folder.rename("other", "number").unwrap();
        assert!(matches!(
            folder.rename("other", "number"),
            Err(StateError::Io { .. })
        ));
        folder.remove("number").unwrap();
        folder.remove("number").unwrap();
        assert_eq!(folder.load::<u32>("number").unwrap(), None);
    }

    #[test]
    fn room_is_tried_by_writing_and_leaves_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        folder.try_room(1000).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(temporary);
        assert!(folder.try_room(1000).is_err());
    }

    #[test]
    fn damage_is_told() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        for bytes in [&[][..], &[VERSION, 8, 0], &[VERSION, 8, 0, 0, 0, 0]] {
            fs::write(folder.path().join("number"), bytes).unwrap();
            assert!(matches!(
                folder.load::<u32>("number"),
                Err(StateError::Damaged(_))
            ));
        }
    }

    #[test]
    fn what_the_last_version_wrote_is_read() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let file = folder.path().join("number");
        fs::write(&file, [5u8, 8, 0, 0, 0]).unwrap();
        assert_eq!(folder.load::<u32>("number").unwrap(), Some(8));
        folder.save("number", &8u32).unwrap();
        assert_eq!(fs::read(&file).unwrap(), [6, 8, 0, 0, 0]);
    }

    #[test]
    fn what_was_encoded_otherwise_is_converted() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let file = folder.path().join("number");
        let load = || folder.load_or_convert::<u8, u32>(5, "number");
        assert_eq!(load().unwrap(), None);
        for bytes in [&[5u8, 8][..], &[6, 8, 0, 0, 0]] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(load().unwrap(), Some(8));
        }
        // A file of one version in the encoding of the other.
        for bytes in [&[6u8, 8][..], &[5, 8, 0, 0, 0]] {
            fs::write(&file, bytes).unwrap();
            assert!(matches!(load(), Err(StateError::Damaged(_))));
        }
        fs::write(&file, [4u8, 8]).unwrap();
        let error = load().unwrap_err();
        assert!(matches!(error, StateError::OtherVersion { found: 4, .. }));
    }

    #[test]
    fn files_of_versions_that_are_not_read_are_told_apart() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let error = |version: u8| {
            fs::write(folder.path().join("number"), [version, 8, 0, 0, 0]).unwrap();
            let error = folder.load::<u32>("number").unwrap_err();
            assert!(
                matches!(error, StateError::OtherVersion { found, .. } if found == version),
                "{error}"
            );
            error.to_string()
        };
        for older in [1, 4] {
            let text = error(older);
            assert!(text.contains(&format!("state version {older}")), "{text}");
            assert!(text.contains("move the file away"), "{text}");
        }
        // The program was downgraded. Moving the file away might remove what has to be revealed.
        let text = error(7);
        assert!(text.contains("state version 7"), "{text}");
        assert!(text.contains("install that one again"), "{text}");
        assert!(!text.contains("move the file away"), "{text}");
    }

    #[test]
    fn a_folder_has_one_user() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let lock = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(StateError::InUse(_))));
        drop(lock);
        folder.lock().unwrap();
    }
}
