//! Files for users, written completely or not at all: a program that opens one finds either the old content or the new.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// Replaces the file at `path` with what `write` writes: it goes to another file in the same folder, which is finally renamed. If
/// `write` fails, nothing is left of it.
///
/// # Errors
/// Any error of `write`, and a folder that cannot be written to.
pub fn write_whole<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, E>,
) -> Result<T, E> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut builder = tempfile::Builder::new();
    // The permissions are those of any other program's file: what the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let mut buffer = BufWriter::new(file.as_file());
    let written = write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_written_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = |text: &str, fails: bool| {
            write_whole(&path, |file| {
                file.write_all(text.as_bytes())?;
                match fails {
                    true => Err(io::Error::other("of a test")),
                    false => Ok(()),
                }
            })
        };
        write("old", false).unwrap();
        assert_eq!(write("new", true).unwrap_err().to_string(), "of a test");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write("new", false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
