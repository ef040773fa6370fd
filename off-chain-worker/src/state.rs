//! What a worker keeps on disk. A file is replaced as a whole or not at all, so that a worker
//! killed at any moment finds either the old or the new one.

use codec::{DecodeAll, Encode};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// First byte of every encoded file; another one means that another version wrote it. Version 1 kept score tables, 2
/// share tables without an outer rate, 3 positions of replicas without the claim that led to them, 4 scores without whether
/// a device had a part in them, 5 a contributor's delta of one round alone, and an attester's tables without whether they were sent.
const VERSION: u8 = 6;

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
    /// A file does not decode.
    #[error("{} is damaged; move it away to start anew", .0.display())]
    Damaged(PathBuf),
    /// Another version of the program wrote the file.
    #[error(
        "{} is of state version {found}, and this program reads version {VERSION}: choose another folder \
         (--base-path; --folder of gotong lab), or move the file away to start anew",
        path.display()
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

/// A folder of state, readable by its owner only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// Held as long as a worker uses a folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Folder {
    /// Creates the folder where it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&path).map_err(at(&path))?;
        Ok(Self(path))
    }

    /// The folder `name` inside this one; creates it where it is missing.
    pub fn sub(&self, name: impl AsRef<Path>) -> Result<Self, StateError> {
        Self::open(self.0.join(name))
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fails when another process holds the lock; it goes with the process, however that ends.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let path = self.0.join("lock");
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(self.0.clone())),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path, source }),
        }
    }

    /// Replaces the file `name`, and returns once it is on disk.
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

    /// Returns once what was renamed in the folder is on disk.
    #[cfg(not(windows))]
    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Windows opens no folder as a file, and NTFS writes a log of what is renamed.
    #[cfg(windows)]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// What was saved as `name`, if anything.
    pub fn load<T: DecodeAll>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.0.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        match bytes.split_first() {
            Some((&VERSION, value)) => T::decode_all(&mut &*value)
                .map(Some)
                .map_err(|_| StateError::Damaged(path)),
            Some((&found, _)) => Err(StateError::OtherVersion { path, found }),
            None => Err(StateError::Damaged(path)),
        }
    }

    /// Gives the file `from` the name `to`, in place of another one.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), StateError> {
        let path = self.0.join(from);
        fs::rename(&path, self.0.join(to)).map_err(at(&path))
    }

    /// Removes the file `name`; one that is not there is fine.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    move |source| StateError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn files_of_another_version_are_told_apart() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        fs::write(folder.path().join("number"), [1, 8, 0, 0, 0]).unwrap();
        let error = folder.load::<u32>("number").unwrap_err();
        assert!(matches!(error, StateError::OtherVersion { found: 1, .. }));
        let text = error.to_string();
        assert!(text.contains("state version 1") && text.contains("move the file away"));
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
