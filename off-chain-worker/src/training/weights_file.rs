//! Weights as safetensors, for every other framework: f32, `layers.{i}.weight` `[out, in]` and
//! `layers.{i}.bias` `[out]`, layer 0 first.
//!
//! A weight is in real units, `w16 / 65536`. A bias is in the units of its layer's sum, so that the
//! file computes `y = x W^T + b` with inputs in 0..1: `w16 / bias_steps`.

use std::{fs, io, path::Path};

use gotong_scoring::{arith::MASTER_BOUND, Graph};
use safetensors::{tensor::TensorView, Dtype, SafeTensorError, SafeTensors};

use super::units::{linears, Linear, MASTER_STEPS};

/// Why a weights file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Not safetensors, or a tensor is missing.
    #[error(transparent)]
    Format(#[from] SafeTensorError),
    /// A tensor of another type or shape than the graph's.
    #[error("`{name}` must be f32 of shape {expected:?}")]
    WrongTensor { name: String, expected: Vec<usize> },
    /// Tensors that the graph has no place for.
    #[error("the file has {found} tensors, the graph {expected}")]
    WrongCount { expected: usize, found: usize },
    /// A value that no master weight comes near.
    #[error("`{name}` holds {value}, which is out of the bounds of +-{bound}")]
    OutOfBounds {
        name: String,
        value: f32,
        bound: f32,
    },
    /// The weights are not as many as the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters { expected: usize, found: usize },
}

/// Writes `master`, in the machine's order, to `path`.
///
/// # Errors
/// As many weights as the graph has parameters are needed, and a place to write them.
pub fn write(path: &Path, graph: &Graph, master: &[i16]) -> Result<(), WeightsFileError> {
    if master.len() != graph.parameters() {
        return Err(WeightsFileError::WrongParameters {
            expected: graph.parameters(),
            found: master.len(),
        });
    }
    let mut rest = master;
    let mut tensors = Vec::new();
    for (index, layer) in linears(graph).enumerate() {
        for tensor in tensors_of(index, &layer) {
            let (own, others) = rest.split_at(tensor.count());
            rest = others;
            let real = own.iter().map(|&w| f32::from(w) / tensor.steps);
            let bytes: Vec<u8> = real.flat_map(f32::to_le_bytes).collect();
            tensors.push((tensor.name, tensor.shape, bytes));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    fs::write(path, safetensors::serialize(views, None)?)?;
    Ok(())
}

/// Reads master weights for `graph` from `path`, rounded to the nearest master.
///
/// # Errors
/// A file that is not safetensors with exactly the graph's tensors, or a value that is not finite
/// or rounds to no master weight.
pub fn read(path: &Path, graph: &Graph) -> Result<Vec<i16>, WeightsFileError> {
    let bytes = fs::read(path)?;
    let file = SafeTensors::deserialize(&bytes)?;
    let expected: Vec<_> = linears(graph)
        .enumerate()
        .flat_map(|(index, layer)| tensors_of(index, &layer))
        .collect();
    if file.len() != expected.len() {
        return Err(WeightsFileError::WrongCount {
            expected: expected.len(),
            found: file.len(),
        });
    }
    let mut master = Vec::with_capacity(graph.parameters());
    for tensor in expected {
        let found = file.tensor(&tensor.name)?;
        if found.dtype() != Dtype::F32 || found.shape() != tensor.shape {
            return Err(WeightsFileError::WrongTensor {
                name: tensor.name,
                expected: tensor.shape,
            });
        }
        let (values, _) = found.data().as_chunks::<4>();
        for value in values.iter().copied().map(f32::from_le_bytes) {
            master.push(tensor.master(value)?);
        }
    }
    Ok(master)
}

/// A tensor of the file.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    /// Steps of a master in 1.0.
    steps: f32,
}

impl Tensor {
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    fn master(&self, value: f32) -> Result<i16, WeightsFileError> {
        let bound = f32::from(MASTER_BOUND);
        let master = (value * self.steps).round();
        if master.abs() <= bound {
            Ok(master as i16)
        } else {
            Err(WeightsFileError::OutOfBounds {
                name: self.name.clone(),
                value,
                bound: bound / self.steps,
            })
        }
    }
}

fn tensors_of(index: usize, layer: &Linear) -> [Tensor; 2] {
    [
        Tensor {
            name: format!("layers.{index}.weight"),
            shape: vec![layer.outputs, layer.inputs],
            steps: MASTER_STEPS,
        },
        Tensor {
            name: format!("layers.{index}.bias"),
            shape: vec![layer.outputs],
            steps: layer.bias_steps,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let graph = Graph::mlp(&[5, 4, 3]);
        let master: Vec<i16> = (0..graph.parameters())
            .map(|i| (i as i32 * 1771 - 32_512).clamp(-32_512, 32_512) as i16)
            .collect();
        write(&path, &graph, &master).unwrap();
        assert_eq!(read(&path, &graph).unwrap(), master);

        let names = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&names).unwrap();
        assert_eq!(file.tensor("layers.0.weight").unwrap().shape(), [4, 5]);
    }

    #[test]
    fn another_shape_and_values_out_of_bounds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let graph = Graph::mlp(&[5, 4, 3]);
        write(&path, &graph, &vec![1; graph.parameters()]).unwrap();
        let error = read(&path, &Graph::mlp(&[4, 5, 3])).unwrap_err();
        assert!(matches!(error, WeightsFileError::WrongTensor { .. }));
        let error = read(&path, &Graph::mlp(&[5, 3])).unwrap_err();
        assert!(matches!(error, WeightsFileError::WrongCount { .. }));
        let error = write(&path, &graph, &[1]).unwrap_err();
        assert!(matches!(error, WeightsFileError::WrongParameters { .. }));

        let values = [f32::NAN, 0.6].map(f32::to_le_bytes).concat();
        let weight = TensorView::new(Dtype::F32, vec![2, 1], &values).unwrap();
        let bias = TensorView::new(Dtype::F32, vec![2], &values).unwrap();
        let tensors = [("layers.0.weight", weight), ("layers.0.bias", bias)];
        fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let error = read(&path, &Graph::mlp(&[1, 2])).unwrap_err();
        assert!(matches!(error, WeightsFileError::OutOfBounds { .. }));
        fs::write(&path, b"not safetensors").unwrap();
        assert!(read(&path, &graph).is_err());
    }
}
