//! Architectures as people write and read them: TOML as input, a line of words as output.
//!
//! `kind` names the form of a file: `mlp`, `transformer`, `cnn`, or `graph`, which lists the machine's
//! ops one by one. `docs/models` has an example of each.

mod architecture;
mod describe;
mod ops;
#[cfg(test)]
mod tests;

pub use describe::describe;

use architecture::{Convolutional, Decoder, Mlp};
use gotong_scoring::{Graph, GraphError};
use ops::Ops;
use serde::{
    de::{DeserializeOwned, Error},
    Deserialize, Deserializer,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};
use toml::{Table, Value};

/// Why text is not an architecture.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; a model is a TOML file, or `mlp:` followed by layer widths, such as mlp:784,128,10", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{0}")]
    NotToml(#[from] toml::de::Error),
    /// A key is missing, unknown, or has a value of the wrong type.
    #[error("{place}: {problem}")]
    WrongKey {
        /// Where it is, as a path of keys.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The value of a key is out of bounds.
    #[error("`{key}` is {value}, but must be {rule}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// What the file gives it.
        value: u32,
        /// What it must be.
        rule: String,
    },
    /// What the file describes is not a model.
    #[error("this model is not possible: {0}")]
    Invalid(#[from] GraphError),
}

/// An architecture as named on the command line: `mlp:` and layer widths, or a TOML file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model(pub Graph);

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let graph = match text.strip_prefix("mlp:") {
            Some(widths) => {
                let layers: Result<Vec<u32>, _> = widths.split(',').map(str::parse).collect();
                let layers = layers.map_err(|_| {
                    wrong(
                        text,
                        "write `mlp:` followed by layer widths, such as mlp:784,128,10",
                    )
                })?;
                Mlp { layers }.graph()?
            }
            None => read(Path::new(text))?,
        };
        Ok(Self(graph))
    }
}

/// Reads a model within another file: a table with the keys of a model's file.
impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        of_table(table).map(Self).map_err(D::Error::custom)
    }
}

/// The model in the TOML file at `path`.
///
/// # Errors
/// Fails if the file cannot be read, or is not a valid model.
pub fn read(path: &Path) -> Result<Graph, ModelError> {
    let text = fs::read_to_string(path).map_err(|source| ModelError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text)
}

/// The model in the TOML `text`.
///
/// # Errors
/// Fails if the text is not a valid model; the error names the key at fault.
pub fn parse(text: &str) -> Result<Graph, ModelError> {
    of_table(toml::from_str(text)?)
}

/// The model that a table from such a file describes.
fn of_table(mut table: Table) -> Result<Graph, ModelError> {
    let kind = table.remove("kind");
    let graph = match kind.as_ref().and_then(Value::as_str) {
        Some("mlp") => from_table::<Mlp>("mlp", table)?.graph()?,
        Some("transformer") => from_table::<Decoder>("transformer", table)?.graph()?,
        Some("cnn") => from_table::<Convolutional>("cnn", table)?.graph()?,
        Some("graph") => from_table::<Ops>("graph", table)?.graph()?,
        _ => {
            let problem = "must be \"mlp\", \"transformer\", \"cnn\" or \"graph\"";
            return Err(wrong("`kind`", problem));
        }
    };
    graph.validate()?;
    Ok(graph)
}

fn wrong(place: impl Into<String>, problem: impl Into<String>) -> ModelError {
    ModelError::WrongKey {
        place: place.into(),
        problem: problem.into(),
    }
}

fn from_table<T: DeserializeOwned>(place: &str, table: Table) -> Result<T, ModelError> {
    let made = table.try_into::<T>();
    made.map_err(|error| wrong(place, explain(&error)))
}

/// What is wrong, and with which key, on one line.
fn explain(error: &toml::de::Error) -> String {
    error.to_string().trim_end().replace('\n', " ")
}

fn check(key: &'static str, value: u32, is_right: bool, rule: &str) -> Result<(), ModelError> {
    if is_right {
        return Ok(());
    }
    Err(ModelError::OutOfBounds {
        key,
        value,
        rule: rule.to_owned(),
    })
}
