//! NPZ: NumPy's arrays in a zip archive, unpacked as they are read.
//!
//! The header of an array is parsed here and not by a crate: a stranger's file must be able neither to claim arbitrary memory nor
//! to cause an overflow.

use super::array::{open_file, Array, ArrayError, Number, Packing, Pair};
use crate::{DataError, Format, SourceOptions};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
    sync::Arc,
};
use zip::{CompressionMethod, ZipArchive};

/// Longest header of an array that is read.
const MAX_HEADER_BYTES: usize = 1 << 16;
const MAGIC: &[u8] = b"\x93NUMPY";

/// The arrays of inputs and labels in `path`.
pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Pair, DataError> {
    let (file, _) = open_file(path)?;
    let archive = ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|error| broken(path, error.to_string()))?;
    let mut names: Vec<String> = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(|error| broken(path, error.to_string()))?;
        names.extend(name.strip_suffix(".npy").map(str::to_owned));
    }
    names.sort();
    Pair::choose(path, options, &names, |name| {
        array(path, &mut archive, name)
    })
}

fn broken(path: &Path, problem: String) -> DataError {
    DataError::Malformed {
        path: path.to_owned(),
        format: Format::Npz,
        reason: problem,
    }
}

/// The archive's array called `name`.
fn array(
    path: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    name: String,
) -> Result<Array, DataError> {
    let zip = |error: zip::result::ZipError| broken(path, error.to_string());
    let index = archive.index_for_name(&format!("{name}.npy"));
    let index =
        index.ok_or_else(|| broken(path, format!("it lists {name} but does not contain it")))?;
    let member = archive.by_index_raw(index).map_err(zip)?;
    let packing = |found| {
        DataError::from(ArrayError::Packing {
            file: path.to_owned(),
            array: name.clone(),
            found,
        })
    };
    if member.encrypted() {
        return Err(packing("encrypted"));
    }
    let mut array = Array {
        file: Arc::from(path),
        offset: member
            .data_start()
            .ok_or_else(|| broken(path, format!("{name} cannot be found")))?,
        packed_bytes: Some(member.compressed_size()),
        packing: match member.compression() {
            CompressionMethod::Stored => Packing::Stored,
            method if method == CompressionMethod::DEFLATE => Packing::Deflate,
            _ => return Err(packing("compressed by a method other than deflate")),
        },
        crc: Some(member.crc32()),
        header_bytes: 0,
        number: Number::U8,
        big_endian: false,
        shape: Vec::new(),
        name,
    };
    let header = NpyHeader::read(&array)
        .map_err(|problem| broken(path, format!("{}: {problem}", array.name)))?;
    array.header_bytes = header.bytes;
    array.shape = header.shape;
    (array.number, array.big_endian) = number(&header.descr).ok_or_else(|| ArrayError::Type {
        file: path.to_owned(),
        array: array.name.clone(),
        found: header.descr.clone(),
    })?;
    if header.fortran_order && array.shape.len() > 1 {
        let (file, array) = (path.to_owned(), array.name);
        return Err(ArrayError::FortranOrder { file, array }.into());
    }
    Ok(array)
}

/// How numbers of NumPy's type `descr`, such as `<f4`, are stored, and whether they are big-endian.
fn number(descr: &str) -> Option<(Number, bool)> {
    let plain = descr.trim_matches(['\'', '"']);
    let mut letters = plain.chars();
    let big_endian = match letters.next()? {
        '<' | '|' | '=' => false,
        '>' => true,
        _ => return None,
    };
    let number = match letters.as_str() {
        "b1" => Number::Bool,
        "u1" => Number::U8,
        "u2" => Number::U16,
        "u4" => Number::U32,
        "u8" => Number::U64,
        "i1" => Number::I8,
        "i2" => Number::I16,
        "i4" => Number::I32,
        "i8" => Number::I64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        _ => return None,
    };
    Some((number, big_endian))
}

/// What comes before an array's numbers.
#[derive(Debug, PartialEq, Eq)]
struct NpyHeader {
    bytes: u64,
    /// The numbers' type, as it is written there.
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

impl NpyHeader {
    /// Reads the header of a member, or says what is wrong with it.
    fn read(array: &Array) -> Result<Self, String> {
        let mut bytes = array.unpacked().map_err(|error| error.to_string())?;
        let mut take = |count: usize| {
            let mut taken = vec![0; count];
            let read = bytes.read_exact(&mut taken);
            read.map(|()| taken)
                .map_err(|error| format!("its header cannot be read ({error})"))
        };
        let start = take(8)?;
        if !start.starts_with(MAGIC) {
            return Err("it is not a NumPy array".into());
        }
        let length_bytes = if start[6] == 1 { 2 } else { 4 };
        let length = take(length_bytes)?
            .iter()
            .rev()
            .fold(0, |length, &byte| (length << 8) | usize::from(byte));
        if length > MAX_HEADER_BYTES {
            return Err(format!("its header claims to have {length} bytes"));
        }
        let text = String::from_utf8_lossy(&take(length)?).into_owned();
        let parsed = Self::parse(&text, (8 + length_bytes + length) as u64);
        parsed.ok_or_else(|| {
            format!(
                "its header does not say type, order and shape: {}",
                text.trim()
            )
        })
    }

    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }`.
    fn parse(text: &str, bytes: u64) -> Option<Self> {
        let descr = value(text, "descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => descr.split(quote).nth(1)?,
            // A type of several fields, or something else that does not hold plain numbers.
            _ => descr
                .split_once("'fortran_order'")
                .map_or(descr, |(descr, _)| descr),
        };
        let fortran_order = match value(text, "fortran_order")? {
            order if order.starts_with("False") => false,
            order if order.starts_with("True") => true,
            _ => return None,
        };
        let (sizes, _) = value(text, "shape")?.strip_prefix('(')?.split_once(')')?;
        let sizes = sizes
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty());
        Some(Self {
            bytes,
            descr: descr.trim_end_matches([' ', ',']).to_owned(),
            fortran_order,
            shape: sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

/// What follows the last `'key':` in `text`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let after = ['\'', '"']
        .iter()
        .find_map(|quote| text.rsplit_once(&format!("{quote}{key}{quote}")));
    Some(after?.1.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests;
