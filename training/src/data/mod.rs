//! Published data sets: read from one folder, checked by hash, and cut into parts that share nothing.
//!
//! Their samples are made by recipes like everybody's own data (`gotong_data`).

mod fashion;
mod order;
mod part;
mod text;

pub use fashion::FashionMnist;
pub use gotong_data::{split::Use, Labelled};
pub use order::shuffle;
pub use part::Part;
pub use text::Shakespeare;

use gotong_data::{built_in, Recipe, RecipeError};
use gotong_scoring::Graph;
use sha2::{Digest, Sha256};
use std::{fmt, fs, io, path::Path, path::PathBuf};

/// Environment variable that names another data folder.
pub const DATA_VARIABLE: &str = "GOTONG_DATA";

/// The data folder: the one that [`DATA_VARIABLE`] names, or else `gotong/data` in the user's
/// cache.
pub fn folder() -> PathBuf {
    let variable = |name| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    variable(DATA_VARIABLE).unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME");
        let home = || std::env::home_dir().unwrap_or_default().join(".cache");
        cache.unwrap_or_else(home).join("gotong/data")
    })
}

/// A data set, by the name that `--data` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DataSet {
    /// Images of ten kinds of clothes
    FashionMnist,
    /// Shakespeare's plays, a token a character
    Shakespeare,
    /// Shakespeare's plays, in 256 tokens of one or more characters
    ShakespeareBpe,
}

impl DataSet {
    /// All data sets.
    pub const ALL: [Self; 3] = [Self::FashionMnist, Self::Shakespeare, Self::ShakespeareBpe];

    /// The first data set that a model is made for, if there is one.
    pub fn of(graph: &Graph) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.check(graph).is_ok())
    }

    /// The chosen data set, else the one that `graph` is made for.
    ///
    /// # Errors
    /// [`DataError::Misfit`] of the chosen one, else [`DataError::NoneFits`].
    pub fn choose(chosen: Option<Self>, graph: &Graph) -> Result<Self, DataError> {
        match chosen {
            Some(set) => set.check(graph).map(|()| set),
            None => Self::of(graph).ok_or_else(|| {
                let misfits = Self::ALL.iter().filter_map(|set| set.check(graph).err());
                DataError::NoneFits(misfits.map(|misfit| misfit.to_string()).collect())
            }),
        }
    }

    /// The data set from whose files this recipe makes samples, if there is one.
    pub fn made_by(recipe: &Recipe) -> Option<Self> {
        let is_its_own = |set: &Self| set.recipe().is_ok_and(|own| own == *recipe);
        Self::ALL.into_iter().find(is_its_own)
    }

    /// How its files become samples.
    ///
    /// # Errors
    /// None: the recipes that are shipped are valid.
    pub fn recipe(self) -> Result<Recipe, RecipeError> {
        Recipe::parse(match self {
            Self::FashionMnist => built_in::FASHION_MNIST,
            Self::Shakespeare => built_in::SHAKESPEARE,
            Self::ShakespeareBpe => built_in::SHAKESPEARE_BPE,
        })
    }

    /// Whether `graph` takes samples of this data set.
    ///
    /// # Errors
    /// [`DataError::Misfit`] says what the data set needs.
    pub fn check(self, graph: &Graph) -> Result<(), DataError> {
        let misfit = |source| DataError::Misfit { set: self, source };
        self.recipe()?.check(graph).map_err(misfit)
    }

    /// Reads the part for one use from the data folder, as samples that `graph` takes.
    ///
    /// # Errors
    /// A model that does not fit; a file that is missing, unreadable, or not the published one.
    pub fn load(self, folder: &Path, part: Use, graph: &Graph) -> Result<Labelled, DataError> {
        self.check(graph)?;
        match self.recipe()?.tokenizer() {
            None => Ok(FashionMnist::load(&FashionMnist::within(folder))?.part(part)),
            Some(tokenizer) => {
                let text = Shakespeare::load(folder)?;
                Ok(text.samples(part, &tokenizer, graph.inputs as usize))
            }
        }
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::FashionMnist => "fashion-mnist",
            Self::Shakespeare => "shakespeare",
            Self::ShakespeareBpe => "shakespeare-bpe",
        })
    }
}

/// Why a data set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is not there.
    #[error("{} is missing; {advice}", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// How to get it.
        advice: &'static str,
    },
    /// A file cannot be read or unpacked.
    #[error("cannot read {} ({source}); {advice}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
        /// How to get it.
        advice: &'static str,
    },
    /// A file's content is not the published one.
    #[error("{} differs from the published file (sha256 {found}); {advice}", .path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Its hash, in hex.
        found: String,
        /// How to get the published one.
        advice: &'static str,
    },
    /// The model takes other samples.
    #[error("{set}: {source}")]
    Misfit {
        /// The data set.
        set: DataSet,
        /// What its recipe needs, and what the model has.
        source: gotong_data::DataError,
    },
    /// The model takes samples of no data set, for these reasons.
    #[error("none of Gotong's data sets fits the model: {}", .0.join("; "))]
    NoneFits(Vec<String>),
    /// Its files cannot become samples.
    #[error(transparent)]
    Samples(#[from] gotong_data::DataError),
    /// Its recipe is not valid.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}

/// Reads a file of a data set; `advice` says how to get it.
fn read(path: &Path, advice: &'static str) -> Result<Vec<u8>, DataError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => DataError::Missing {
            path: path.to_owned(),
            advice,
        },
        _ => DataError::Unreadable {
            path: path.to_owned(),
            source,
            advice,
        },
    })
}

/// Whether `bytes`, from the file at `path`, have the published `sha256`.
fn check_hash(
    path: &Path,
    bytes: &[u8],
    sha256: &str,
    advice: &'static str,
) -> Result<(), DataError> {
    let found = hex::encode(Sha256::digest(bytes));
    if found == sha256 {
        return Ok(());
    }
    Err(DataError::WrongHash {
        path: path.to_owned(),
        found,
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::Transformer;

    fn transformer(vocab: u32) -> Graph {
        Graph::transformer(&Transformer {
            vocab,
            tokens: 16,
            width: 8,
            heads: 2,
            hidden: 16,
            layers: 1,
            tied: false,
        })
    }

    #[test]
    fn a_model_says_which_data_it_is_for() {
        let set = |graph: &Graph| DataSet::of(graph);
        assert_eq!(set(&Graph::mlp(&[784, 10])), Some(DataSet::FashionMnist));
        assert_eq!(set(&Graph::mlp(&[784, 11])), None);
        assert_eq!(set(&transformer(84)), Some(DataSet::Shakespeare));
        assert_eq!(set(&transformer(256)), Some(DataSet::ShakespeareBpe));
        assert_eq!(set(&transformer(65)), None);
    }

    #[test]
    fn a_misfit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let load = |set: DataSet, graph| {
            let part = set.load(folder.path(), Use::Exam, &graph);
            part.unwrap_err().to_string()
        };
        let error = load(DataSet::Shakespeare, transformer(65));
        let named = ["shakespeare", "84 tokens", "65 tokens"];
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
        let error = load(DataSet::FashionMnist, Graph::mlp(&[4, 2]));
        let named = ["fashion-mnist", "784 inputs", "4 inputs"];
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
        assert!(load(DataSet::ShakespeareBpe, Graph::mlp(&[784, 10])).contains("784 inputs"));
    }

    #[test]
    fn a_recipe_says_which_data_set_it_is_of() {
        for set in DataSet::ALL {
            let recipe = set.recipe().unwrap();
            assert_eq!(DataSet::made_by(&recipe), Some(set));
            // A task carries the same recipe.
            let text = recipe.to_text().unwrap();
            assert_eq!(Recipe::parse(&text).unwrap(), recipe);
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for set in DataSet::ALL {
            let value = clap::ValueEnum::to_possible_value(&set).unwrap();
            assert_eq!(value.get_name(), set.to_string());
        }
    }
}
