//! Why a weights file cannot be read or written.

use std::io;

use safetensors::SafeTensorError;

/// Why a weights file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsFileError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Not safetensors.
    #[error(transparent)]
    Format(#[from] SafeTensorError),
    /// A folder without weights.
    #[error(
        "the folder has neither {} nor {}",
        super::stored::FILE,
        super::stored::INDEX
    )]
    NoWeights,
    /// An index that does not say which tensor is in which file.
    #[error("not an index of shards, with `weight_map`: {0}")]
    Index(#[source] serde_json::Error),
    /// A shard that is not a file in the index's folder.
    #[error("the index names `{file}`, which is not a plain file name: shards must be beside their index")]
    ElsewhereShard {
        /// What the index names.
        file: String,
    },
    /// One of several files.
    #[error("{file}: {source}")]
    Shard {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Box<WeightsFileError>,
    },
    /// Tensors of the graph that the file does not have, and tensors that the graph has no place for.
    #[error("{}", wrong_names(.missing, .unknown))]
    WrongNames {
        /// Tensors that are not in the file.
        missing: Vec<String>,
        /// Tensors that are not in the graph, as the file names them.
        unknown: Vec<String>,
    },
    /// Numbered layers that match the graph's neither by name nor by order.
    #[error(
        "the file's layers match the task's architecture neither by name nor by order. The file has {}; the \
         task's architecture has {}",
        .file.join(", "),
        .graph.join(", ")
    )]
    OtherLayers {
        /// The file's tensors and their shapes, in order.
        file: Vec<String>,
        /// The graph's.
        graph: Vec<String>,
    },
    /// Two tensors of the file that stand for the same one of the graph.
    #[error("`{first}` and `{second}` both mean `{name}`: keep one of them")]
    SameName {
        /// The graph's tensor.
        name: String,
        /// A name in the file.
        first: String,
        /// Another.
        second: String,
    },
    /// A tensor with a different type or shape than the graph's.
    #[error("`{name}` must be F16, BF16, F32 or F64 of shape {expected:?}, not {found}")]
    WrongTensor {
        /// The tensor.
        name: String,
        /// The shape that the graph has for it.
        expected: Vec<usize>,
        /// Its type and shape.
        found: String,
    },
    /// A value that is not a number, or infinite.
    #[error("`{name}` has {value} at {index:?}, which no weight can be")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where in the tensor.
        index: Vec<usize>,
        /// The value.
        value: f64,
    },
    /// A head with other values than the tokens' embedding that it is tied to.
    #[error(
        "`{head}` differs from `wte.weight`, but the task's architecture is tied: it has one tensor for both"
    )]
    HeadDiffers {
        /// The head, as the file names it.
        head: String,
    },
    /// The number of weights differs from the number of the graph's parameters.
    #[error("the graph has {expected} parameters, not {found}")]
    WrongParameters {
        /// Parameters of the graph.
        expected: usize,
        /// Weights that were given.
        found: usize,
    },
}

/// What [`WeightsFileError::WrongNames`] says.
fn wrong_names(missing: &[String], unknown: &[String]) -> String {
    let list = |names: &[String]| format!("`{}`", names.join("`, `"));
    let of_file = format!("the file has no tensor {}", list(missing));
    let of_graph = format!("the task's architecture has no tensor {}", list(unknown));
    match (missing, unknown) {
        (_, []) => of_file,
        ([], _) => of_graph,
        _ => format!("{of_file}, and {of_graph}"),
    }
}
