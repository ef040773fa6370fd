//! The tensors that are stored in a safetensors file, or in several with an index.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use super::WeightsFileError;

/// The file in a folder that holds all weights, if one file does.
pub(super) const FILE: &str = "model.safetensors";
/// The index in a folder, if several files hold the weights.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// A tensor as it is stored.
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Tensors by their names in the file.
pub(super) type Tensors = BTreeMap<String, Stored>;

impl Stored {
    /// Its values, row-major. None if they are not floats of 16, 32 or 64 bits.
    pub(super) fn values(&self) -> Option<Vec<f64>> {
        Some(match self.dtype {
            Dtype::F16 => self.each(|bytes| f16::from_le_bytes(bytes).to_f64()),
            Dtype::BF16 => self.each(|bytes| bf16::from_le_bytes(bytes).to_f64()),
            Dtype::F32 => self.each(|bytes| f32::from_le_bytes(bytes).into()),
            Dtype::F64 => self.each(f64::from_le_bytes),
            _ => return None,
        })
    }

    fn each<const BYTES: usize>(&self, value: impl Fn([u8; BYTES]) -> f64) -> Vec<f64> {
        let (values, _) = self.bytes.as_chunks::<BYTES>();
        values.iter().copied().map(value).collect()
    }
}

/// Reads a safetensors file, an index (`.json`) and the files that it names, or a folder that has either.
///
/// # Errors
/// No such file or folder, or not of these formats.
pub(super) fn load(path: &Path) -> Result<Tensors, WeightsFileError> {
    let path = match path.is_dir() {
        true => in_folder(path)?,
        false => path.to_owned(),
    };
    match path.extension() {
        Some(extension) if extension == "json" => load_shards(&path),
        _ => load_file(&path),
    }
}

fn in_folder(folder: &Path) -> Result<PathBuf, WeightsFileError> {
    let paths = [FILE, INDEX].map(|name| folder.join(name));
    let found = paths.into_iter().find(|path| path.is_file());
    found.ok_or(WeightsFileError::NoWeights)
}

fn load_file(path: &Path) -> Result<Tensors, WeightsFileError> {
    let bytes = fs::read(path)?;
    let tensors = SafeTensors::deserialize(&bytes)?.tensors().into_iter();
    let stored = tensors.map(|(name, view)| {
        let stored = Stored {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        };
        (name, stored)
    });
    Ok(stored.collect())
}

/// Which file has which tensor, as Hugging Face's libraries write it.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Tensors that the index does not name are not read.
fn load_shards(path: &Path) -> Result<Tensors, WeightsFileError> {
    let index = serde_json::from_slice(&fs::read(path)?);
    let Index { weight_map } = index.map_err(WeightsFileError::Index)?;
    let mut shards = BTreeMap::<String, Vec<String>>::new();
    for (name, file) in weight_map {
        shards.entry(file).or_default().push(name);
    }
    let mut tensors = Tensors::new();
    for (file, names) in shards {
        // An index from elsewhere must not choose files on this machine.
        if Path::new(&file).file_name() != Some(OsStr::new(&file)) {
            return Err(WeightsFileError::ElsewhereShard { file });
        }
        match load_shard(&path.with_file_name(&file), names) {
            Ok(found) => tensors.extend(found),
            Err(error) => {
                let source = Box::new(error);
                return Err(WeightsFileError::Shard { file, source });
            }
        }
    }
    Ok(tensors)
}

/// The tensors of these names, all of them.
fn load_shard(path: &Path, names: Vec<String>) -> Result<Tensors, WeightsFileError> {
    let mut all = load_file(path)?;
    let (mut found, mut missing) = (Tensors::new(), Vec::new());
    for name in names {
        match all.remove(&name) {
            Some(tensor) => {
                found.insert(name, tensor);
            }
            None => missing.push(name),
        }
    }
    match missing.is_empty() {
        true => Ok(found),
        false => Err(WeightsFileError::WrongNames {
            missing,
            unknown: Vec::new(),
        }),
    }
}
