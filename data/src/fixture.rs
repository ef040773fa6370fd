//! Files for tests.

use crate::{DataError, Row, Source, SourceOptions};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A folder that is deleted when the test ends.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a file and opens it with `label` as the label.
    pub fn labelled(&self, name: &str, bytes: impl AsRef<[u8]>, label: &str) -> Source {
        let options = SourceOptions {
            label: Some(label.into()),
            ..SourceOptions::default()
        };
        Source::open(&[self.write(name, bytes)], options).unwrap()
    }

    /// Writes a file and opens it.
    pub fn open(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<Source, DataError> {
        Source::open(&[self.write(name, bytes)], SourceOptions::default())
    }

    /// The names of all files there are.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let name = |entry: Result<fs::DirEntry, _>| entry.unwrap().file_name();
        let names = entries.map(name).map(|name| name.into_string().unwrap());
        names.collect()
    }
}

/// All rows, up to the first error.
pub(crate) fn rows(source: &Source) -> Result<Vec<Row>, DataError> {
    source.rows()?.collect()
}

/// The texts of all rows' cells.
pub(crate) fn cells(source: &Source) -> Result<Vec<Vec<String>>, DataError> {
    let texts = |row: Row| match row.values {
        crate::Values::Cells(cells) => cells.iter().map(|cell| cell.to_string()).collect(),
        other => panic!("{other:?}"),
    };
    Ok(rows(source)?.into_iter().map(texts).collect())
}
