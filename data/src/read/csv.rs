//! CSV files.

use super::{packed, Header, ReadRows};
use crate::{DataError, Format, Place, Row, Values};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// Most bytes of a row. More mean that a quote is never closed, or that it is not a CSV file.
const MAX_ROW_BYTES: u64 = 64 << 20;
/// Most bytes of the header line: every comma in it is a column, which takes many times its bytes.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// Bytes that are read from the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes of the first line that the separator is looked for in.
const FIRST_LINE_BYTES: u64 = 64 << 10;

/// What the file's header line says.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    let mut reader = open(path)?;
    let names = headers(&mut reader, path)?;
    if names.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let names = names.iter().map(|name| name.trim().to_owned()).collect();
    Header::table(path, names)
}

/// A pass over the file's rows.
pub(crate) fn rows(path: &Arc<Path>, header: &Header) -> Result<Box<dyn ReadRows>, DataError> {
    let mut reader = open(path)?;
    headers(&mut reader, path)?;
    Ok(Box::new(Rows {
        reader,
        record: StringRecord::new(),
        names: header.names.clone(),
        at: Place {
            file: path.clone(),
            row: 0,
        },
    }))
}

fn open(path: &Path) -> Result<Reader<Limited>, DataError> {
    let reading = |error| DataError::reading(path, error);
    let mut first_line = Vec::new();
    let mut beginning = BufReader::new(packed::open(path)?.take(FIRST_LINE_BYTES));
    beginning
        .read_until(b'\n', &mut first_line)
        .map_err(reading)?;
    let input = Limited {
        file: packed::open(path)?,
        left: MAX_HEADER_BYTES,
    };
    Ok(ReaderBuilder::new()
        .delimiter(separator(&first_line))
        .flexible(true)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(input))
}

/// What separates the cells of the first line: whichever of comma, semicolon and tab occurs most
/// often outside of quotes.
fn separator(first_line: &[u8]) -> u8 {
    let count = |separator: u8| {
        let mut is_quoted = false;
        let outside = first_line.iter().filter(|byte| {
            is_quoted ^= **byte == b'"';
            !is_quoted && **byte == separator
        });
        outside.count()
    };
    // The last wins if several are equal, so the comma comes last.
    let all = [b'\t', b';', b','];
    all.into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',')
}

fn headers(reader: &mut Reader<Limited>, path: &Path) -> Result<StringRecord, DataError> {
    let at = Place {
        file: path.into(),
        row: 0,
    };
    let headers = reader.headers().cloned();
    headers.map_err(|error| refused(error.into_kind(), &at))
}

fn refused(kind: ErrorKind, at: &Place) -> DataError {
    match kind {
        ErrorKind::Utf8 { .. } => DataError::NotUtf8 { at: at.clone() },
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => DataError::BadRow {
            at: at.clone(),
            reason: match at.row {
                0 => "the header line has more than 4 MiB".into(),
                _ => "it has more than 64 MiB: is a quote left open?".into(),
            },
        },
        ErrorKind::Io(error) => DataError::reading(&at.file, error),
        kind => DataError::Malformed {
            path: at.file.to_path_buf(),
            format: Format::Csv,
            reason: format!("{kind:?}"),
        },
    }
}

/// A file from which only this many bytes may be read.
struct Limited {
    file: Box<dyn Read + Send>,
    left: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

struct Rows {
    reader: Reader<Limited>,
    record: StringRecord,
    names: Arc<[String]>,
    at: Place,
}

impl ReadRows for Rows {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        self.reader.get_mut().left = MAX_ROW_BYTES;
        self.at.row += 1;
        let read = self.reader.read_record(&mut self.record);
        if !read.map_err(|error| refused(error.into_kind(), &self.at))? {
            return Ok(false);
        }
        if self.record.len() != self.names.len() {
            return Err(DataError::RowLength {
                at: self.at.clone(),
                found: self.record.len(),
                expected: self.names.len(),
            });
        }
        let mut cells = row.take_cells(&self.names);
        let pieces = (0..self.record.len()).filter_map(|index| self.record.range(index));
        cells.extend_from(self.record.as_slice(), pieces);
        row.values = Values::Cells(cells);
        row.set_place(&self.at);
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
