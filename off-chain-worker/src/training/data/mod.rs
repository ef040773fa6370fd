//! Data sets: read from one folder, checked by hash, and cut into parts that share nothing.

mod fashion;
mod part;
mod text;

pub use fashion::FashionMnist;
pub use part::Part;
pub use text::Shakespeare;

use super::Tokenizer;
use gotong_scoring::Graph;
use sha2::{Digest, Sha256};
use std::{fmt, fs, io, ops::Range, path::Path, path::PathBuf};

/// Environment variable that names another data folder.
pub const DATA_VARIABLE: &str = "GOTONG_DATA";

/// The data folder: what [`DATA_VARIABLE`] names, else `gotong/data` in the user's cache.
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

/// What a part of a data set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Contributors train on it.
    Training,
    /// Sponsors score rounds on it.
    Exam,
    /// It never scores a round, and shows what a model is worth.
    Report,
}

impl DataSet {
    /// All there are.
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

    /// What makes tokens of text; none if the samples are not text.
    pub fn tokenizer(self) -> Option<Tokenizer> {
        match self {
            Self::FashionMnist => None,
            Self::Shakespeare => Some(Tokenizer::characters()),
            Self::ShakespeareBpe => Some(Tokenizer::byte_pairs()),
        }
    }

    /// Whether `graph` takes samples of this data set.
    ///
    /// # Errors
    /// [`DataError::Misfit`] says what the data set needs.
    pub fn check(self, graph: &Graph) -> Result<(), DataError> {
        let fits = match self.vocab() {
            Some(vocab) => graph.vocab() == Some(vocab),
            None => {
                let shape = (graph.inputs as usize, graph.classes() as usize);
                graph.vocab().is_none() && shape == (FashionMnist::INPUTS, FashionMnist::CLASSES)
            }
        };
        if fits {
            return Ok(());
        }
        Err(DataError::Misfit {
            set: self,
            needs: shape(self.vocab(), FashionMnist::INPUTS, FashionMnist::CLASSES),
            model: shape(
                graph.vocab(),
                graph.inputs as usize,
                graph.classes() as usize,
            ),
        })
    }

    fn vocab(self) -> Option<u32> {
        self.tokenizer().map(|tokenizer| tokenizer.vocab())
    }

    /// Reads the part for one use from the data folder, as samples that `graph` takes.
    ///
    /// # Errors
    /// A model that does not fit; a file that is missing, unreadable, or not the published one.
    pub fn load(self, folder: &Path, part: Use, graph: &Graph) -> Result<Labelled, DataError> {
        self.check(graph)?;
        match self.tokenizer() {
            None => Ok(FashionMnist::load(&FashionMnist::within(folder))?.part(part)),
            Some(tokenizer) => {
                let text = Shakespeare::load(folder)?;
                Ok(text.samples(part, &tokenizer, graph.inputs as usize))
            }
        }
    }
}

/// A model's samples in words.
fn shape(vocab: Option<u32>, inputs: usize, classes: usize) -> String {
    match vocab {
        Some(vocab) => format!("a vocabulary of {vocab} tokens"),
        None => format!("{inputs} inputs and {classes} classes"),
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

/// Labelled samples of equal size, one after the other. Of text, a sample is so many tokens, and its
/// label the token after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Bytes of one sample.
    pub inputs: usize,
    /// `[samples, inputs]`, row-major: pixels or tokens.
    pub pixels: Vec<u8>,
    /// `[samples]`, one class or token each.
    pub labels: Vec<u8>,
}

impl Labelled {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The samples of `range`, cut off at the end of the set.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            inputs: self.inputs,
            pixels: self.pixels[start * self.inputs..end * self.inputs].to_vec(),
            labels: self.labels[start..end].to_vec(),
        }
    }

    /// Part `index` (from 0) of `of` contiguous parts that share no sample and cover the set.
    /// Empty when `index >= of`.
    pub fn part(&self, index: usize, of: usize) -> Self {
        let parts = of.max(1);
        let bound = |part: usize| self.len() * part.min(parts) / parts;
        self.slice(bound(index)..bound(index.saturating_add(1)))
    }

    /// The format of a shard: each sample's bytes followed by its label byte.
    pub fn records(&self) -> Vec<u8> {
        let mut records = Vec::with_capacity(self.len() * (self.inputs + 1));
        for (sample, &label) in self.pixels.chunks_exact(self.inputs).zip(&self.labels) {
            records.extend_from_slice(sample);
            records.push(label);
        }
        records
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
    #[error("{} is not the published file (sha256 {found}); {advice}", .path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// Its hash, in hex.
        found: String,
        /// How to get the published one.
        advice: &'static str,
    },
    /// The model takes other samples.
    #[error("{set} needs a model of {needs}, and this one has {model}")]
    Misfit {
        /// The data set.
        set: DataSet,
        /// The models that take its samples.
        needs: String,
        /// What this model is instead.
        model: String,
    },
    /// The model takes samples of no data set, for these reasons.
    #[error("no data set that Gotong knows fits the model: {}", .0.join("; "))]
    NoneFits(Vec<String>),
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

    fn five() -> Labelled {
        Labelled {
            inputs: 2,
            pixels: (0..10).collect(),
            labels: vec![0, 1, 2, 3, 4],
        }
    }

    #[test]
    fn parts_are_disjoint_and_cover_the_set() {
        let parts: Vec<u8> = (0..3).flat_map(|i| five().part(i, 3).labels).collect();
        assert_eq!(parts, five().labels);
        assert!(five().part(3, 3).is_empty());
        assert!(five().part(0, 0) == five());
    }

    #[test]
    fn a_record_is_a_sample_and_its_label() {
        assert_eq!(five().slice(1..3).records(), [2, 3, 1, 4, 5, 2]);
        assert!(five().slice(7..9).is_empty());
    }

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
        assert_eq!(
            load(DataSet::Shakespeare, transformer(65)),
            "shakespeare needs a model of a vocabulary of 84 tokens, and this one has a vocabulary of 65 tokens"
        );
        assert_eq!(
            load(DataSet::FashionMnist, Graph::mlp(&[4, 2])),
            "fashion-mnist needs a model of 784 inputs and 10 classes, and this one has 4 inputs and 2 classes"
        );
        assert!(load(DataSet::ShakespeareBpe, Graph::mlp(&[784, 10])).contains("784 inputs"));
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for set in DataSet::ALL {
            let value = clap::ValueEnum::to_possible_value(&set).unwrap();
            assert_eq!(value.get_name(), set.to_string());
        }
    }
}
