//! Records files: samples, or documents as tokens, that a recipe made.
//!
//! A line of JSON says which recipe made them, how many bytes a sample has and how many records
//! there are; then the records follow. A record is a sample and its label's byte, or for text a
//! document: the number of its tokens in four bytes, little-endian, and the tokens.

use super::{Header, ReadRows};
use crate::{DataError, Format, Kind, Place, Recipe, Row, Values};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::NamedTempFile;

/// Most bytes of the first line.
const MAX_LINE_BYTES: u64 = 4096;
/// Most tokens that are read at once: longer documents come in pieces.
const PIECE_BYTES: u32 = 1 << 20;

/// The first line of a records file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsHeader {
    /// Always `records`.
    pub gotong: String,
    /// Always 1.
    pub version: u32,
    /// The hash of the recipe that made the records, in hex.
    pub recipe: String,
    /// Bytes of a sample without its label; null where records are documents.
    pub inputs: Option<usize>,
    /// Number of records.
    pub count: u64,
}

impl RecordsHeader {
    /// The header of `count` records that `recipe` made.
    ///
    /// # Errors
    /// A recipe whose text is too long.
    pub fn of(recipe: &Recipe, count: u64) -> Result<Self, DataError> {
        let hash = recipe.hash()?;
        Ok(Self {
            gotong: "records".into(),
            version: 1,
            recipe: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            inputs: recipe.inputs(),
            count,
        })
    }

    /// The recipe's hash; none if it is not 64 hexadecimal digits.
    fn hash(&self) -> Option<[u8; 32]> {
        let mut hash = [0; 32];
        if self.recipe.len() != 64 || !self.recipe.is_ascii() {
            return None;
        }
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&self.recipe[at..at + 2], 16).ok()?;
        }
        Some(hash)
    }

    /// Its line. Spaces after a short `count` leave room for any other, so that the line can be written
    /// before the records and corrected after them.
    fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.pop();
        let spaces = u64::MAX.to_string().len() - self.count.to_string().len();
        line.resize(line.len() + spaces, b' ');
        line.extend_from_slice(b"}\n");
        Ok(line)
    }
}

/// What the file's first line tells.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    let (_, header, records_bytes) = open(path)?;
    let hash = header.hash();
    let hash = hash.ok_or_else(|| malformed(path, "its recipe is not 64 hexadecimal digits"))?;
    if let Some(inputs) = header.inputs {
        let record = (inputs as u64).saturating_add(1);
        let expected = record.saturating_mul(header.count);
        if records_bytes < expected {
            return Err(truncated(path));
        }
        if records_bytes > expected {
            return Err(malformed(path, "bytes follow the last record"));
        }
    }
    if header.count == 0 {
        return Err(DataError::Empty { path: path.into() });
    }
    Ok(Header {
        rows: Some(header.count),
        recipe: Some(hash),
        inputs: header.inputs,
        ..Header::of(Kind::Records)
    })
}

/// A pass over the file's records.
pub(crate) fn rows(path: &Arc<Path>, _: &Header) -> Result<Box<dyn ReadRows>, DataError> {
    let (file, header, _) = open(path)?;
    Ok(Box::new(Records {
        file,
        inputs: header.inputs,
        left: header.count,
        tokens_left: 0,
        at: Place {
            file: path.clone(),
            row: 0,
        },
    }))
}

/// The file after its first line, that line, and the bytes that follow it.
fn open(path: &Path) -> Result<(BufReader<File>, RecordsHeader, u64), DataError> {
    let reading = |error| DataError::reading(path, error);
    let file = File::open(path).map_err(reading)?;
    let bytes = file.metadata().map_err(reading)?.len();
    if bytes == 0 {
        return Err(DataError::Empty { path: path.into() });
    }
    let mut file = BufReader::with_capacity(64 << 10, file);
    let mut line = Vec::new();
    let mut limited = (&mut file).take(MAX_LINE_BYTES);
    limited.read_until(b'\n', &mut line).map_err(reading)?;
    let header: RecordsHeader = serde_json::from_slice(&line)
        .map_err(|error| malformed(path, &format!("its first line: {error}")))?;
    if (&*header.gotong, header.version) != ("records", 1) || !line.ends_with(b"\n") {
        return Err(malformed(path, "its first line names another version"));
    }
    Ok((file, header, bytes - line.len() as u64))
}

fn malformed(path: &Path, reason: &str) -> DataError {
    DataError::Malformed {
        path: path.to_owned(),
        format: Format::Records,
        reason: reason.into(),
    }
}

fn truncated(path: &Path) -> DataError {
    DataError::Truncated {
        path: path.to_owned(),
        reason: "it has fewer records than its first line says".into(),
    }
}

struct Records {
    file: BufReader<File>,
    inputs: Option<usize>,
    /// Number of records that follow.
    left: u64,
    /// Number of tokens of this document that follow.
    tokens_left: u32,
    at: Place,
}

impl Records {
    /// Reads exactly `length` bytes, and takes no memory for bytes that are not there.
    fn fill(&mut self, bytes: &mut Vec<u8>, length: usize) -> Result<(), DataError> {
        bytes.clear();
        let mut limited = (&mut self.file).take(length as u64);
        let read = limited.read_to_end(bytes);
        match read.map_err(|error| DataError::reading(&self.at.file, error))? {
            read if read == length => Ok(()),
            _ => Err(truncated(&self.at.file)),
        }
    }

    fn number(&mut self) -> Result<[u8; 4], DataError> {
        let mut bytes = [0; 4];
        let read = self.file.read_exact(&mut bytes);
        read.map(|()| bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => truncated(&self.at.file),
            _ => DataError::reading(&self.at.file, error),
        })
    }

    /// Begins the next record; false at the end.
    fn begin(&mut self) -> Result<bool, DataError> {
        if self.left > 0 {
            self.left -= 1;
            self.at.row += 1;
            return Ok(true);
        }
        let rest = self.file.fill_buf();
        let rest = rest.map_err(|error| DataError::reading(&self.at.file, error))?;
        match rest.is_empty() {
            true => Ok(false),
            false => Err(malformed(&self.at.file, "bytes follow the last record")),
        }
    }

    fn sample(&mut self, inputs: usize, row: &mut Row) -> Result<(), DataError> {
        if !matches!(row.values, Values::Record { .. }) {
            row.values = Values::Record {
                sample: Vec::new(),
                label: 0,
            };
        }
        if let Values::Record { sample, label } = &mut row.values {
            self.fill(sample, inputs.saturating_add(1))?;
            *label = sample.pop().unwrap_or_default();
        }
        Ok(())
    }

    fn piece(&mut self, row: &mut Row) -> Result<(), DataError> {
        let length = self.tokens_left.min(PIECE_BYTES);
        if !matches!(row.values, Values::Tokens(_)) {
            row.values = Values::Tokens(Vec::new());
        }
        if let Values::Tokens(tokens) = &mut row.values {
            self.fill(tokens, length as usize)?;
        }
        self.tokens_left -= length;
        Ok(())
    }
}

impl ReadRows for Records {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if self.tokens_left == 0 && !self.begin()? {
            return Ok(false);
        }
        match self.inputs {
            Some(inputs) => self.sample(inputs, row)?,
            None => {
                if self.tokens_left == 0 {
                    self.tokens_left = u32::from_le_bytes(self.number()?);
                }
                self.piece(row)?;
            }
        }
        row.set_place(&self.at);
        Ok(true)
    }
}

/// Writes a records file. Until it is finished it is a temporary file in the same folder, so that no
/// half-written one is ever seen under its name.
pub struct RecordsWriter {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    header: RecordsHeader,
}

impl RecordsWriter {
    /// Begins the file at `path`, of records that `recipe` makes.
    ///
    /// # Errors
    /// A folder in which no file can be written.
    pub fn create(path: &Path, recipe: &Recipe) -> Result<Self, DataError> {
        let writing = |error| DataError::writing(path, error);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let header = RecordsHeader::of(recipe, 0)?;
        let mut file = BufWriter::new(NamedTempFile::new_in(folder).map_err(writing)?);
        let line = header.line().map_err(writing)?;
        file.write_all(&line).map_err(writing)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
        })
    }

    /// Writes a sample and its class.
    ///
    /// # Errors
    /// A disk that is full, or a sample whose length differs from the recipe's.
    pub fn sample(&mut self, sample: &[u8], label: u8) -> Result<(), DataError> {
        if self.header.inputs != Some(sample.len()) {
            return Err(self.wrong_length());
        }
        self.write(&[sample, &[label]])
    }

    /// Writes a document's tokens.
    ///
    /// # Errors
    /// A disk that is full, a recipe that is not for text, or a document of 4 GiB.
    pub fn document(&mut self, tokens: &[u8]) -> Result<(), DataError> {
        let length = u32::try_from(tokens.len()).ok();
        match (length, self.header.inputs) {
            (Some(length), None) => self.write(&[&length.to_le_bytes(), tokens]),
            _ => Err(self.wrong_length()),
        }
    }

    /// Gives the file its name, and returns how many records it has.
    ///
    /// # Errors
    /// A disk that is full, or a name that cannot be given.
    pub fn finish(mut self) -> Result<u64, DataError> {
        let path = &self.path;
        let writing = |error| DataError::writing(path, error);
        self.file.rewind().map_err(writing)?;
        let line = self.header.line().map_err(writing)?;
        self.file.write_all(&line).map_err(writing)?;
        let file = self.file.into_inner();
        let file = file.map_err(|error| writing(error.into_error()))?;
        file.as_file().sync_all().map_err(writing)?;
        file.persist(path).map_err(|error| writing(error.error))?;
        Ok(self.header.count)
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), DataError> {
        for part in parts {
            let written = self.file.write_all(part);
            written.map_err(|error| DataError::writing(&self.path, error))?;
        }
        self.header.count += 1;
        Ok(())
    }

    fn wrong_length(&self) -> DataError {
        let reason = "the record does not have the recipe's length or kind";
        DataError::writing(&self.path, io::Error::other(reason))
    }
}

#[cfg(test)]
mod tests;
