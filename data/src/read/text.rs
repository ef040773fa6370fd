//! Text files: each is a document, read in pieces.

use super::{packed, Header, ReadRows};
use crate::{DataError, Kind, Place, Row, Values};
use std::{io::Read, path::Path, str, sync::Arc};

/// Most bytes of a piece. Every piece except a file's last ends at the end of a line, if it has
/// one.
const PIECE_BYTES: usize = 1 << 20;
/// What some editors put before UTF-8.
pub(super) const MARK: &[u8] = "\u{feff}".as_bytes();

/// A text file says nothing before it is read.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    let read = packed::open(path)?.read(&mut [0]);
    match read.map_err(|error| DataError::reading(path, error))? {
        0 => Err(DataError::Empty { path: path.into() }),
        _ => Ok(Header::of(Kind::Text)),
    }
}

/// A pass over the file's pieces, which all count as row 1.
pub(crate) fn rows(path: &Arc<Path>) -> Result<Box<dyn ReadRows>, DataError> {
    Ok(Box::new(Pieces {
        input: packed::open(path)?,
        buffer: Vec::with_capacity(PIECE_BYTES),
        lines: 0,
        is_first: true,
        piece_bytes: PIECE_BYTES,
        at: Place {
            file: path.clone(),
            row: 1,
        },
    }))
}

struct Pieces<R> {
    input: R,
    /// What was read but not returned yet.
    buffer: Vec<u8>,
    /// Lines before the buffer.
    lines: u64,
    is_first: bool,
    piece_bytes: usize,
    at: Place,
}

impl<R: Read + Send> ReadRows for Pieces<R> {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        let wanted = self.piece_bytes.saturating_sub(self.buffer.len());
        let mut limited = (&mut self.input).take(wanted as u64);
        let read = limited.read_to_end(&mut self.buffer);
        let read = read.map_err(|error| DataError::reading(&self.at.file, error))?;
        if self.is_first && self.buffer.starts_with(MARK) {
            self.buffer.drain(..MARK.len());
        }
        self.is_first = false;
        if self.buffer.is_empty() {
            return Ok(false);
        }
        let is_end = read < wanted;
        let length = self.piece(is_end)?;
        if !matches!(row.values, Values::Text(_)) {
            row.values = Values::Text(String::new());
        }
        if let Values::Text(text) = &mut row.values {
            text.clear();
            // `piece` has checked it.
            text.push_str(str::from_utf8(&self.buffer[..length]).unwrap_or_default());
        }
        self.lines += newlines(&self.buffer[..length]);
        self.buffer.drain(..length);
        row.set_place(&self.at);
        Ok(true)
    }
}

impl<R> Pieces<R> {
    /// The length of the next piece: what is in the buffer, without the last line if that is
    /// incomplete.
    fn piece(&self, is_end: bool) -> Result<usize, DataError> {
        let line = self.buffer.iter().rposition(|byte| *byte == b'\n');
        let length = match line {
            Some(newline) if !is_end => newline + 1,
            _ => self.buffer.len(),
        };
        let Err(error) = str::from_utf8(&self.buffer[..length]) else {
            return Ok(length);
        };
        let valid = error.valid_up_to();
        // A character that the end of the buffer cuts in two, in a line longer than the buffer.
        if error.error_len().is_none() && !is_end && valid > 0 {
            return Ok(valid);
        }
        Err(DataError::NotUtf8 {
            at: Place {
                file: self.at.file.clone(),
                row: self.lines + newlines(&self.buffer[..valid]) + 1,
            },
        })
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests;
