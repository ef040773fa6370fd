//! Data sets: read from the place that the system's package puts them, checked by hash.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// Environment variable that names another folder with the data files.
pub const DATA_VARIABLE: &str = "GOTONG_DATA";
/// Where Debian's package `dataset-fashion-mnist` puts its files.
pub const DEFAULT_DATA: &str = "/usr/share/datasets/fashion-mnist";

/// Labelled samples of equal size, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// Bytes of one sample.
    pub inputs: usize,
    /// `[samples, inputs]`, row-major.
    pub pixels: Vec<u8>,
    /// `[samples]`, one class each.
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

/// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747): 28 x 28 grey images of ten kinds of
/// clothes.
pub struct FashionMnist {
    /// 60,000 samples.
    pub train: Labelled,
    /// 10,000 samples.
    pub test: Labelled,
}

/// Why a data set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is not there.
    #[error(
        "{} is missing; install it with `sudo apt-get install dataset-fashion-mnist`, or set \
         {DATA_VARIABLE} to the folder that holds it",
        .0.display()
    )]
    Missing(PathBuf),
    /// A file cannot be read or unpacked.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file's content is not the published one.
    #[error(
        "{} is not the published file (sha256 {found}); reinstall it with `sudo apt-get install \
         --reinstall dataset-fashion-mnist`",
        .path.display()
    )]
    WrongHash { path: PathBuf, found: String },
}

/// One file of the set: its name without `.gz`, its header's length and the published sha256 of
/// what it unpacks to.
struct Source {
    name: &'static str,
    header_bytes: usize,
    sha256: &'static str,
}

const TRAIN_IMAGES: Source = Source {
    name: "train-images-idx3-ubyte",
    header_bytes: 16,
    sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
};
const TRAIN_LABELS: Source = Source {
    name: "train-labels-idx1-ubyte",
    header_bytes: 8,
    sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
};
const TEST_IMAGES: Source = Source {
    name: "t10k-images-idx3-ubyte",
    header_bytes: 16,
    sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
};
const TEST_LABELS: Source = Source {
    name: "t10k-labels-idx1-ubyte",
    header_bytes: 8,
    sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
};

impl Source {
    /// The file's items, without the idx header. The hash fixes the header too, so that it need
    /// not be read.
    fn items(&self, directory: &Path) -> Result<Vec<u8>, DataError> {
        let path = directory.join(format!("{}.gz", self.name));
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => DataError::Missing(path.clone()),
            _ => DataError::Unreadable {
                path: path.clone(),
                source,
            },
        };
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(&path).map_err(unreadable)?)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != self.sha256 {
            return Err(DataError::WrongHash { path, found });
        }
        Ok(bytes.split_off(self.header_bytes))
    }
}

impl FashionMnist {
    /// Bytes of one image.
    pub const INPUTS: usize = 28 * 28;
    /// Kinds of clothes.
    pub const CLASSES: usize = 10;

    /// The folder named by [`DATA_VARIABLE`], else [`DEFAULT_DATA`].
    pub fn directory() -> PathBuf {
        std::env::var_os(DATA_VARIABLE).map_or_else(|| DEFAULT_DATA.into(), PathBuf::from)
    }

    /// Reads and checks the four files.
    ///
    /// # Errors
    /// A file that is missing, unreadable, or not the published one; each error says what to do.
    pub fn load(directory: &Path) -> Result<Self, DataError> {
        let labelled = |images: &Source, labels: &Source| {
            Ok(Labelled {
                inputs: Self::INPUTS,
                pixels: images.items(directory)?,
                labels: labels.items(directory)?,
            })
        };
        Ok(Self {
            train: labelled(&TRAIN_IMAGES, &TRAIN_LABELS)?,
            test: labelled(&TEST_IMAGES, &TEST_LABELS)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_published_set_loads() {
        let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (60_000, 10_000));
        assert_eq!(set.train.pixels.len(), 60_000 * FashionMnist::INPUTS);
        assert!(set
            .test
            .labels
            .iter()
            .all(|&l| usize::from(l) < FashionMnist::CLASSES));
    }

    #[test]
    fn a_missing_file_names_the_command_and_a_wrong_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = FashionMnist::load(folder.path()).err().unwrap();
        assert!(error
            .to_string()
            .contains("apt-get install dataset-fashion-mnist"));

        let file = File::create(folder.path().join("train-images-idx3-ubyte.gz")).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        io::Write::write_all(&mut gz, b"other").unwrap();
        gz.finish().unwrap();
        let error = FashionMnist::load(folder.path()).err().unwrap();
        assert!(matches!(error, DataError::WrongHash { .. }));
    }
}
