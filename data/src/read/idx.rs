//! IDX: arrays as the MNIST sets have them, plain or packed with gzip; inputs and labels in two files.

use super::array::{open_file, Array, ArrayError, Number, Packing, Pair};
use crate::{DataError, Format};
use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The array in `path`, and that of its labels, which lies next to it.
pub(super) fn open(path: &Path) -> Result<Pair, DataError> {
    let inputs = array(path, "the array")?;
    let labels = labels_of(path);
    let labels = match labels.iter().find(|path| path.is_file()) {
        Some(path) => Ok(array(path, "the labels' array")?),
        None => Err(ArrayError::NoLabels {
            file: path.to_owned(),
            labels: labels.into_iter().next().unwrap_or_default(),
        }),
    };
    Ok(Pair { inputs, labels })
}

/// Where the labels of `path` may lie: the file with `labels` in place of `images` and `idx1` in place of `idx3`, packed as `path`
/// is, or otherwise.
fn labels_of(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut labels = name.replace("images", "labels");
    for dimensions in 2..=9 {
        labels = labels.replace(&format!("idx{dimensions}"), "idx1");
    }
    if labels == name {
        labels.insert_str(0, "labels-");
    }
    let other = match labels.strip_suffix(".gz") {
        Some(plain) => plain.to_owned(),
        None => format!("{labels}.gz"),
    };
    [labels, other]
        .map(|name| path.with_file_name(name))
        .to_vec()
}

/// Reads a file's header: two zero bytes, the numbers' type, how many sizes there are, and the sizes as big-endian
/// words of 32 bits.
fn array(path: &Path, name: &str) -> Result<Array, DataError> {
    let (mut file, _) = open_file(path)?;
    let mut magic = [0; 2];
    let packed = file.read_exact(&mut magic).is_ok() && magic == GZIP;
    let mut array = Array {
        file: Arc::from(path),
        name: name.into(),
        offset: 0,
        packed_bytes: None,
        packing: if packed {
            Packing::Gzip
        } else {
            Packing::Stored
        },
        crc: None,
        header_bytes: 0,
        number: Number::U8,
        big_endian: true,
        shape: Vec::new(),
    };
    let unreadable = |source| DataError::reading(path, source);
    let broken = |problem: String| DataError::Malformed {
        path: path.to_owned(),
        format: Format::Idx,
        reason: problem,
    };
    let mut bytes = array.unpacked().map_err(unreadable)?;
    let mut word = || -> Result<[u8; 4], DataError> {
        let mut word = [0; 4];
        let read = bytes.read_exact(&mut word);
        read.map_err(|error| broken(format!("its header cannot be read ({error})")))?;
        Ok(word)
    };
    let [0, 0, number, sizes] = word()? else {
        return Err(broken("it does not begin with two zero bytes".into()));
    };
    array.number = match number {
        0x08 => Number::U8,
        0x09 => Number::I8,
        0x0b => Number::I16,
        0x0c => Number::I32,
        0x0d => Number::F32,
        0x0e => Number::F64,
        _ => {
            return Err(broken(format!(
                "it has numbers of an unknown type ({number:#04x})"
            )))
        }
    };
    for _ in 0..sizes {
        array.shape.push(u32::from_be_bytes(word()?).into());
    }
    array.header_bytes = 4 * (1 + u64::from(sizes));
    Ok(array)
}

#[cfg(test)]
mod tests;
