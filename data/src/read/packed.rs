//! Files that are packed with gzip or Zstandard: unpacked as they are read, in small buffers, and never as a whole.

use crate::DataError;
use flate2::bufread::GzDecoder;
use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

/// Bytes that are read from the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// Unpacked bytes that show whether something other than a file of rows is inside.
const LOOKED_AT: u64 = 512;
/// Where archives of `tar` name their format.
const TAR: std::ops::Range<usize> = 257..262;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstandard,
}

impl Packing {
    const ALL: [Self; 2] = [Self::Gzip, Self::Zstandard];

    /// What the name of a file says, and the name without it.
    pub(crate) fn named(path: &Path) -> Option<(Self, &Path)> {
        let extension = path.extension()?.to_string_lossy().to_lowercase();
        let packing = match &*extension {
            "gz" => Self::Gzip,
            "zst" => Self::Zstandard,
            _ => return None,
        };
        Some((packing, Path::new(path.file_stem()?)))
    }

    /// What its files begin with.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => b"\x1f\x8b",
            Self::Zstandard => b"\x28\xb5\x2f\xfd",
        }
    }

    /// What a file with this beginning is packed with, if anything.
    fn of(beginning: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|packing| beginning.starts_with(packing.magic()))
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
        })
    }
}

/// The bytes of the file at `path`, unpacked if it is packed, whatever its name says.
///
/// # Errors
/// A file that cannot be read, that is not packed as its name says, or that has an archive or other binary data inside.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read + Send>, DataError> {
    let reading = |error| DataError::reading(path, error);
    let file = File::open(path).map_err(reading)?;
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let beginning = file.fill_buf().map_err(reading)?;
    let Some(packing) = Packing::of(beginning) else {
        return match Packing::named(path) {
            Some((packing, _)) if !beginning.is_empty() => Err(DataError::NotPacked {
                path: path.to_owned(),
                packing,
            }),
            _ => Ok(Box::new(file)),
        };
    };
    let mut unpacked: Box<dyn Read + Send> = match packing {
        Packing::Gzip => Box::new(Unpacked(Members(Some(GzDecoder::new(file))))),
        Packing::Zstandard => {
            let decoder = zstd::stream::read::Decoder::with_buffer(file);
            Box::new(Unpacked(decoder.map_err(reading)?))
        }
    };
    let mut beginning = Vec::new();
    let mut first = (&mut unpacked).take(LOOKED_AT);
    first.read_to_end(&mut beginning).map_err(reading)?;
    match other_content(&beginning) {
        Some(found) => Err(DataError::PackedContent {
            path: path.to_owned(),
            packing,
            found,
        }),
        None => Ok(Box::new(Cursor::new(beginning).chain(unpacked))),
    }
}

/// What a file that begins like this is, if not rows or text.
fn other_content(beginning: &[u8]) -> Option<&'static str> {
    if beginning.starts_with(b"PK\x03\x04") {
        return Some("a zip archive, as NPZ files are");
    }
    if beginning.starts_with(b"PAR1") {
        return Some("a Parquet file");
    }
    if Packing::of(beginning).is_some() {
        return Some("another compressed file");
    }
    if beginning.get(TAR) == Some(&b"ustar"[..]) {
        return Some("an archive of several files");
    }
    beginning.contains(&0).then_some("binary data")
}

/// Unpacks the members of a gzip file one after the other. Zeros after the last one are skipped, as gzip does: when files are
/// written in blocks, zeros fill the last block.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Some(mut rest) = self.0.take().map(GzDecoder::into_inner) {
                self.0 = has_more(&mut rest)?.then(|| GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Skips zeros; returns whether anything else follows.
fn has_more(file: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match file.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (length, zeros) = (
            bytes.len(),
            bytes.iter().take_while(|byte| **byte == 0).count(),
        );
        file.consume(zeros);
        if zeros < length || length == 0 {
            return Ok(zeros < length);
        }
    }
}

/// Unpacks, and tells damage apart from a failing disk.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => error,
            // The system's own errors have a number.
            _ if error.raw_os_error().is_some() => error,
            _ => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

#[cfg(test)]
mod tests;
