//! safetensors: arrays one after another after a JSON header. Only the header is read into memory.

use super::array::{open_file, Array, ArrayError, Number, Packing, Pair};
use crate::{DataError, Format, SourceOptions};
use safetensors::{tensor::Metadata, Dtype};
use std::{io::Read, path::Path, sync::Arc};

/// Longest header that is read.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// The arrays of inputs and labels in `path`.
pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Pair, DataError> {
    let (header_bytes, header) = metadata(path)?;
    let mut names = header.offset_keys();
    names.sort();
    let array = |name| array(path, header_bytes, &header, name);
    Pair::choose(path, options, &names, array)
}

/// The header, and how many bytes there are before the arrays.
fn metadata(path: &Path) -> Result<(u64, Metadata), DataError> {
    let broken = |problem: String| DataError::Malformed {
        path: path.to_owned(),
        format: Format::Safetensors,
        reason: problem,
    };
    let (mut file, file_bytes) = open_file(path)?;
    let mut length = [0; 8];
    let read = file.read_exact(&mut length);
    read.map_err(|_| broken("it ends within its header".into()))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(broken(format!("its header claims to have {length} bytes")));
    }
    let mut json = Vec::new();
    let read = file.take(length).read_to_end(&mut json);
    read.map_err(|error| broken(error.to_string()))?;
    if json.len() as u64 != length {
        return Err(broken("it ends within its header".into()));
    }
    let header: Metadata =
        serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))?;
    let (arrays, rest) = (header.data_len() as u64, file_bytes - 8 - length);
    if arrays != rest {
        return Err(broken(format!(
            "its header promises {arrays} bytes of arrays, but it has {rest}"
        )));
    }
    Ok((8 + length, header))
}

fn array(path: &Path, before: u64, header: &Metadata, name: String) -> Result<Array, DataError> {
    // The name is one of the header's.
    let Some(info) = header.info(&name) else {
        return Err(DataError::Malformed {
            path: path.to_owned(),
            format: Format::Safetensors,
            reason: format!("it lists {name} but does not contain it"),
        });
    };
    let number = match info.dtype {
        Dtype::BOOL => Number::Bool,
        Dtype::U8 => Number::U8,
        Dtype::U16 => Number::U16,
        Dtype::U32 => Number::U32,
        Dtype::U64 => Number::U64,
        Dtype::I8 => Number::I8,
        Dtype::I16 => Number::I16,
        Dtype::I32 => Number::I32,
        Dtype::I64 => Number::I64,
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        Dtype::F32 => Number::F32,
        Dtype::F64 => Number::F64,
        other => {
            let error = ArrayError::Type {
                file: path.to_owned(),
                array: name,
                found: format!("{other:?}"),
            };
            return Err(error.into());
        }
    };
    let (start, end) = info.data_offsets;
    Ok(Array {
        file: Arc::from(path),
        name,
        offset: before + start as u64,
        packed_bytes: Some((end - start) as u64),
        packing: Packing::Stored,
        crc: None,
        header_bytes: 0,
        number,
        big_endian: false,
        shape: info.shape.iter().map(|&size| size as u64).collect(),
    })
}

#[cfg(test)]
mod tests;
