//! Reads a file of weights into the machine's.

use std::{collections::BTreeMap, fmt, path::Path};

use gotong_scoring::{arith::MASTER_BOUND, Graph};

use super::{
    layout::{tensors_of, Tensor, TOKENS},
    names::{named, Named},
    stored::{load, Stored},
    WeightsFileError,
};

/// Weights that were read, and what was not taken over from the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The master weights, in the machine's order.
    pub master: Vec<i16>,
    /// Tensors with values that no master weight can have.
    pub clamped: Vec<Clamped>,
    /// Buffers of a language model that the file has in addition to the weights, by their names in the file.
    pub ignored: Vec<String>,
    /// The layers' names in the graph, by their names in the file, if their numbers differ: they were taken in order.
    pub renamed: BTreeMap<String, String>,
}

/// A tensor with values beyond the machine's bounds, which were clamped to the bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Clamped {
    /// The tensor.
    pub name: String,
    /// Values that were clamped.
    pub count: usize,
    /// Values that the tensor has.
    pub values: usize,
    /// The largest magnitude of a value, in real units.
    pub bound: f64,
    /// By how much the largest of all was above that.
    pub excess: f64,
}

impl fmt::Display for Clamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            count,
            values,
            bound,
            excess,
        } = self;
        write!(
            f,
            "`{name}`: {count} of {values} values were beyond +-{bound:.4}, by at most {excess:.6}, and were clamped"
        )
    }
}

/// Reads master weights for `graph` from `path`, rounded to the nearest master and clamped to its bounds.
///
/// `path` is a safetensors file, an index of several (`.json`), or a folder with `model.safetensors` or
/// `model.safetensors.index.json`.
///
/// # Errors
/// Other tensors than the graph's, or a value that is not finite.
pub fn read(path: &Path, graph: &Graph) -> Result<Read, WeightsFileError> {
    let expected = tensors_of(graph);
    let Named {
        tensors,
        tied_head,
        ignored,
        renamed,
    } = named(graph, &expected, load(path)?)?;
    let mut read = Read {
        master: Vec::with_capacity(graph.parameters()),
        clamped: Vec::new(),
        ignored,
        renamed,
    };
    for (tensor, stored) in expected.iter().zip(&tensors) {
        read.add(tensor, stored)?;
    }
    if let Some((head, tied)) = tied_head {
        let mut all = expected.iter().zip(&tensors);
        let tokens = all.find(|(tensor, _)| tensor.name == TOKENS);
        let is_same = tokens.is_some_and(|(_, tokens)| {
            tokens.shape == tied.shape && tokens.values() == tied.values()
        });
        if !is_same {
            return Err(WeightsFileError::HeadDiffers { head });
        }
    }
    Ok(read)
}

impl Read {
    /// Appends the masters of a tensor.
    fn add(&mut self, tensor: &Tensor, stored: &Stored) -> Result<(), WeightsFileError> {
        let name = &tensor.name;
        let values = stored.values().filter(|_| stored.shape == tensor.shape);
        let values = values.ok_or_else(|| WeightsFileError::WrongTensor {
            name: name.clone(),
            expected: tensor.shape.clone(),
            found: format!("{:?} of shape {:?}", stored.dtype, stored.shape),
        })?;
        let (most, steps) = (f64::from(MASTER_BOUND), f64::from(tensor.steps));
        let bound = most / steps;
        let (mut count, mut excess) = (0, 0f64);
        let start = self.master.len();
        self.master.resize(start + values.len(), 0);
        for (at, value) in values.iter().copied().enumerate() {
            if !value.is_finite() {
                return Err(WeightsFileError::NotFinite {
                    name: name.clone(),
                    index: index_of(at, &tensor.shape),
                    value,
                });
            }
            let master = (value * steps).round();
            if master.abs() > most {
                count += 1;
                excess = excess.max(value.abs() - bound);
            }
            self.master[start + tensor.place(at)] = master.clamp(-most, most) as i16;
        }
        if count > 0 {
            self.clamped.push(Clamped {
                name: name.clone(),
                count,
                values: values.len(),
                bound,
                excess,
            });
        }
        Ok(())
    }
}

/// The index, in a tensor of this shape, of value number `at`.
fn index_of(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = Vec::with_capacity(shape.len());
    for side in shape.iter().rev() {
        index.push(at % side);
        at /= side;
    }
    index.reverse();
    index
}
