//! Weights as safetensors, for every other framework: f32 in real units, with the names and shapes
//! that users of PyTorch expect.
//!
//! A weight is `w16 / 65536`. A bias is in the units of its layer's sum, so that the file computes
//! `y = x W^T + b` with inputs in 0..1: `w16 / bias_steps`. Logits are in log2 units.
//!
//! An MLP has `layers.{i}.weight` `[out, in]` and `layers.{i}.bias` `[out]`, layer 0 first. So has a
//! convolutional network; the weight of a convolution is `[out, in, lines, columns]`, and the linear layer
//! after the last takes the image channel by channel, as PyTorch's `flatten` gives it. A transformer
//! ([`Graph::transformer`]) has
//!
//! | tensor | shape |
//! | --- | --- |
//! | `wte.weight` | `[vocab, width]` |
//! | `wpe.weight` | `[tokens, width]` |
//! | `layers.{i}.attn.qkv.weight`, `.bias` | `[3 * width, width]`, `[3 * width]` |
//! | `layers.{i}.attn.proj.weight`, `.bias` | `[width, width]`, `[width]` |
//! | `layers.{i}.mlp.up.weight`, `.bias` | `[hidden, width]`, `[hidden]` |
//! | `layers.{i}.mlp.down.weight`, `.bias` | `[width, hidden]`, `[width]` |
//! | `head.weight`, `.bias`, unless it is tied | `[vocab, width]`, `[vocab]` |

use std::{fs, io, path::Path};

use gotong_scoring::{arith::MASTER_BOUND, Graph, Op, Transformer};
use safetensors::{tensor::TensorView, Dtype, SafeTensorError, SafeTensors};

use super::units::{parameters, Parameter, Role};

/// Why a weights file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsFileError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Not safetensors.
    #[error(transparent)]
    Format(#[from] SafeTensorError),
    /// A tensor of another type or shape than the graph's.
    #[error("`{name}` must be F32 of shape {expected:?}, not {found}")]
    WrongTensor {
        /// The tensor.
        name: String,
        /// The shape that the graph has for it.
        expected: Vec<usize>,
        /// Its type and shape.
        found: String,
    },
    /// A tensor of the graph is not in the file.
    #[error("the file has no tensor `{name}`")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// A tensor that the graph has no place for.
    #[error("the task's architecture has no tensor `{name}`")]
    Unknown {
        /// The tensor.
        name: String,
    },
    /// A value that no master weight comes near.
    #[error("`{name}` holds {value}, which is out of the bounds of +-{bound}")]
    OutOfBounds {
        /// The tensor.
        name: String,
        /// The value.
        value: f32,
        /// The largest that is taken.
        bound: f32,
    },
    /// The weights are not as many as the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters {
        /// Parameters of the graph.
        expected: usize,
        /// Weights that were given.
        found: usize,
    },
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
    for tensor in tensors_of(graph) {
        let (own, others) = rest.split_at(tensor.count());
        rest = others;
        let real = tensor.in_file(own).map(|w| f32::from(w) / tensor.steps);
        let bytes: Vec<u8> = real.flat_map(f32::to_le_bytes).collect();
        tensors.push((tensor.name, tensor.shape, bytes));
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
    let expected = tensors_of(graph);
    let is_known = |name: &&str| expected.iter().any(|tensor| tensor.name == *name);
    if let Some(name) = file.names().into_iter().find(|name| !is_known(name)) {
        return Err(WeightsFileError::Unknown { name: name.into() });
    }
    let mut master = Vec::with_capacity(graph.parameters());
    for tensor in expected {
        let found = file.tensor(&tensor.name).map_err(|error| match error {
            SafeTensorError::TensorNotFound(name) => WeightsFileError::Missing { name },
            error => error.into(),
        })?;
        if found.dtype() != Dtype::F32 || found.shape() != tensor.shape {
            return Err(WeightsFileError::WrongTensor {
                name: tensor.name,
                expected: tensor.shape,
                found: format!("{:?} of shape {:?}", found.dtype(), found.shape()),
            });
        }
        let (values, _) = found.data().as_chunks::<4>();
        let start = master.len();
        master.resize(start + values.len(), 0);
        for (at, value) in values.iter().copied().map(f32::from_le_bytes).enumerate() {
            master[start + tensor.place(at)] = tensor.master(value)?;
        }
    }
    Ok(master)
}

/// A tensor of the file.
pub(super) struct Tensor {
    /// What it is for.
    pub role: Role,
    pub name: String,
    pub shape: Vec<usize>,
    /// Steps of a master in 1.0.
    pub steps: f32,
    /// Pixels that a row is made of: the machine has them one after another, the file channel by channel.
    pixels: usize,
}

impl Tensor {
    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its masters, given in the machine's order, in the file's.
    pub fn in_file<'a>(&'a self, own: &'a [i16]) -> impl Iterator<Item = i16> + 'a {
        (0..own.len()).map(move |at| own[self.place(at)])
    }

    /// Where the machine has what the file has at `at`.
    fn place(&self, at: usize) -> usize {
        let columns: usize = self.shape[1..].iter().product();
        let (row, column) = (at / columns, at % columns);
        let channels = columns / self.pixels;
        row * columns + column % self.pixels * channels + column / self.pixels
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

/// The tensors of a graph in the machine's order.
pub(super) fn tensors_of(graph: &Graph) -> Vec<Tensor> {
    let is_transformer = Transformer::of(graph).is_some();
    let taken = taken(graph);
    // A weight comes before its bias.
    let mut weights = 0;
    let tensor = |parameter: Parameter| {
        let name = match parameter.role {
            Role::Tokens => "wte.weight".into(),
            Role::Places => "wpe.weight".into(),
            Role::Weight => {
                weights += 1;
                format!("{}.weight", layer(weights - 1, graph, is_transformer))
            }
            Role::Bias => format!("{}.bias", layer(weights - 1, graph, is_transformer)),
        };
        let taken = match parameter.role {
            Role::Weight => taken[weights - 1],
            _ => Taken::Row,
        };
        let (rows, columns) = (parameter.rows, parameter.columns);
        let (shape, pixels) = match (parameter.role, taken) {
            (Role::Bias, _) => (vec![columns], 1),
            (_, Taken::Row) => (vec![rows, columns], 1),
            (_, Taken::Pixels(pixels)) => (vec![rows, columns], pixels),
            (_, Taken::Square(side)) => {
                let pixels = side * side;
                (vec![rows, columns / pixels, side, side], pixels)
            }
        };
        Tensor {
            role: parameter.role,
            name,
            shape,
            steps: parameter.steps,
            pixels,
        }
    };
    parameters(graph).into_iter().map(tensor).collect()
}

/// What a linear op takes.
#[derive(Clone, Copy)]
enum Taken {
    Row,
    /// All pixels of an image.
    Pixels(usize),
    /// Those of a window with this side.
    Square(usize),
}

/// What every linear op takes.
fn taken(graph: &Graph) -> Vec<Taken> {
    let flows = graph.flows().unwrap_or_default();
    let taken = |at: usize| match graph.ops.get(at.checked_sub(1)?)? {
        Op::Im2col { window, .. } => Some(Taken::Square(window.size.into())),
        Op::Flatten => Some(Taken::Pixels(
            flows.get(at.checked_sub(2)?)?.tokens as usize,
        )),
        _ => None,
    };
    let ops = graph.ops.iter().enumerate();
    let linear = ops.filter(|(_, op)| matches!(op, Op::Linear { .. }));
    linear
        .map(|(at, _)| taken(at).unwrap_or(Taken::Row))
        .collect()
}

/// Name of the linear op number `index`.
fn layer(index: usize, graph: &Graph, is_transformer: bool) -> String {
    const OF_A_LAYER: [&str; 4] = ["attn.qkv", "attn.proj", "mlp.up", "mlp.down"];
    if !is_transformer {
        return format!("layers.{index}");
    }
    let is_attention = |op: &&Op| matches!(op, Op::Scores { .. });
    let layers = graph.ops.iter().filter(is_attention).count();
    match index / OF_A_LAYER.len() {
        layer if layer < layers => {
            format!("layers.{layer}.{}", OF_A_LAYER[index % OF_A_LAYER.len()])
        }
        _ => "head".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::initial_weights;
    use super::*;
    use gotong_scoring::{Cnn, Convolution, Image, Pool, Window};

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

    /// As PyTorch has them: of a convolution `[out, in, lines, columns]`, and after `flatten` channel by
    /// channel.
    #[test]
    fn a_convolutional_network_is_written_as_others_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let graph = Graph::cnn(&Cnn {
            image: Image {
                height: 2,
                width: 3,
                channels: 2,
            },
            convolutions: vec![Convolution {
                channels: 4,
                window: Window {
                    size: 2,
                    stride: 1,
                    padding: 0,
                },
                pool: Pool::None,
            }],
            hidden: vec![],
            classes: 3,
        });
        let master: Vec<i16> = (0..graph.parameters() as i16).collect();
        write(&path, &graph, &master).unwrap();
        assert_eq!(read(&path, &graph).unwrap(), master);
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let masters = |name: &str| -> Vec<f32> {
            let (values, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
            let values = values.iter().copied().map(f32::from_le_bytes);
            values.map(|value| value * 65_536.0).collect()
        };
        assert_eq!(
            file.tensor("layers.0.weight").unwrap().shape(),
            [4, 2, 2, 2]
        );
        // The machine has both channels of a pixel together.
        let kernel = masters("layers.0.weight");
        assert_eq!(kernel[..8], [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
        assert_eq!(kernel[8], 8.0);
        // Two pixels of four channels, after 32 weights and 4 biases.
        assert_eq!(file.tensor("layers.1.weight").unwrap().shape(), [3, 8]);
        let second = masters("layers.1.weight");
        let first = second[..8].iter().map(|w| w - 36.0);
        assert_eq!(
            first.collect::<Vec<_>>(),
            [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]
        );
    }

    fn transformer(tied: bool) -> Graph {
        Graph::transformer(&Transformer {
            vocab: 7,
            tokens: 5,
            width: 8,
            heads: 2,
            hidden: 12,
            layers: 2,
            tied,
        })
    }

    #[test]
    fn the_names_of_a_transformer_are_golden() {
        let golden = "wte.weight [7, 8] 65536
            wpe.weight [5, 8] 65536
            layers.0.attn.qkv.weight [24, 8] 65536
            layers.0.attn.qkv.bias [24] 8192
            layers.0.attn.proj.weight [8, 8] 65536
            layers.0.attn.proj.bias [8] 8192
            layers.0.mlp.up.weight [12, 8] 65536
            layers.0.mlp.up.bias [12] 8192
            layers.0.mlp.down.weight [8, 12] 65536
            layers.0.mlp.down.bias [8] 2048
            layers.1.attn.qkv.weight [24, 8] 65536
            layers.1.attn.qkv.bias [24] 8192
            layers.1.attn.proj.weight [8, 8] 65536
            layers.1.attn.proj.bias [8] 8192
            layers.1.mlp.up.weight [12, 8] 65536
            layers.1.mlp.up.bias [12] 8192
            layers.1.mlp.down.weight [8, 12] 65536
            layers.1.mlp.down.bias [8] 2048
            head.weight [7, 8] 65536
            head.bias [7] 8192";
        let golden: Vec<&str> = golden.lines().map(str::trim).collect();
        let line = |t: &Tensor| format!("{} {:?} {}", t.name, t.shape, t.steps);
        let untied: Vec<String> = tensors_of(&transformer(false)).iter().map(line).collect();
        assert_eq!(untied, golden);
        let tied: Vec<String> = tensors_of(&transformer(true)).iter().map(line).collect();
        assert_eq!(tied, golden[..18]);
    }

    #[test]
    fn a_transformer_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        for tied in [true, false] {
            let graph = transformer(tied);
            let master = initial_weights(&graph, 5);
            write(&path, &graph, &master).unwrap();
            assert_eq!(read(&path, &graph).unwrap(), master);
            // Token 3, column 1.
            let bytes = fs::read(&path).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let value = file.tensor("wte.weight").unwrap().data()[4 * 25..4 * 26].to_vec();
            let value = f32::from_le_bytes(value.try_into().unwrap());
            assert_eq!(value, f32::from(master[25]) / 65_536.0);
        }
        let error = read(&path, &transformer(true)).unwrap_err().to_string();
        assert!(error.contains("no tensor `head."), "{error}");
        write(
            &path,
            &transformer(true),
            &initial_weights(&transformer(true), 5),
        )
        .unwrap();
        let error = read(&path, &transformer(false)).unwrap_err().to_string();
        assert_eq!(error, "the file has no tensor `head.weight`");
    }

    #[test]
    fn another_graph_of_the_same_ops_has_plain_names() {
        let mut graph = transformer(false);
        graph.ops[1] = Op::RmsNorm {
            width: 8,
            unit_bits: 4,
        };
        let names: Vec<String> = tensors_of(&graph).into_iter().map(|t| t.name).collect();
        assert_eq!(names[2..4], ["layers.0.weight", "layers.0.bias"]);
        assert_eq!(names[19], "layers.8.bias");
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
        assert!(error.to_string().contains("`layers.1."), "{error}");
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
