//! Whether the disk has room for the database.

use sc_service::Error;
use std::{
    fs,
    io::ErrorKind::{QuotaExceeded, StorageFull},
    path::Path,
};

/// Bytes that have to be free: a large block, and everything else that is stored for it.
const ROOM: usize = 16 << 20;
/// The file that is written and removed again.
const FILE: &str = "room";

/// Tests whether the disk of `folder` has room. The database maps its files into memory, so on a full disk a signal (SIGBUS) would
/// end the node without any message.
///
/// # Errors
/// Fails if the disk is full, or if the folder cannot be written to.
pub fn check(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)?;
    let file = folder.join(FILE);
    let written = fs::write(&file, vec![1u8; ROOM]);
    // Part of the file may exist. If it does not, the error of the write says why.
    let removed = fs::remove_file(&file);
    match written {
        Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => {
            Err(Error::Other(format!(
                "no room on the disk for {}, which needs {} MiB: free some space, then start the node again",
                folder.display(),
                ROOM >> 20
            )))
        }
        written => Ok(written.and(removed)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_of_the_attempt() {
        let folder = std::env::temp_dir().join(format!("gotong-room-{}", std::process::id()));
        check(&folder.join("new")).unwrap();
        let left = fs::read_dir(folder.join("new")).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn what_cannot_be_written_to_is_an_error() {
        let file = std::env::temp_dir().join(format!("gotong-room-file-{}", std::process::id()));
        fs::write(&file, "no folder").unwrap();
        let checked = check(&file);
        fs::remove_file(&file).unwrap();
        assert!(matches!(checked, Err(Error::Io(_))));
    }
}
