//! Fashion-MNIST.

use super::{check_hash, read, DataError, DataSet, Labelled, Use};
use flate2::read::GzDecoder;
use gotong_data::{Format, Source, SourceOptions};
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";
/// The folder of its files within the data folder, if they are not the system's.
const FOLDER: &str = "fashion-mnist";
const ADVICE: &str =
    "install it with `sudo apt-get install --reinstall dataset-fashion-mnist`, or put the published files into the folder \
                      `fashion-mnist` inside the data folder";
/// How many of the 10,000 test images are for exams; the others are for reports.
const EXAM: usize = 8_000;

/// Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv:1708.07747): 28 x 28 grey images of ten kinds of
/// clothes.
pub struct FashionMnist {
    /// 60,000 samples.
    pub train: Labelled,
    /// 10,000 samples.
    pub test: Labelled,
}

/// One file of the set: its name without `.gz`, and the published sha256 of what it unpacks to.
struct Published {
    name: &'static str,
    sha256: &'static str,
}

const TRAIN_IMAGES: Published = Published {
    name: "train-images-idx3-ubyte",
    sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
};
const TRAIN_LABELS: Published = Published {
    name: "train-labels-idx1-ubyte",
    sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
};
const TEST_IMAGES: Published = Published {
    name: "t10k-images-idx3-ubyte",
    sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
};
const TEST_LABELS: Published = Published {
    name: "t10k-labels-idx1-ubyte",
    sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
};

impl Published {
    /// Where the file is, if it is the published one.
    fn check(&self, directory: &Path) -> Result<PathBuf, DataError> {
        let path = directory.join(format!("{}.gz", self.name));
        let packed = read(&path, ADVICE)?;
        let mut bytes = Vec::new();
        let unpacked = GzDecoder::new(&packed[..]).read_to_end(&mut bytes);
        if let Err(source) = unpacked {
            let advice = ADVICE;
            return Err(DataError::Unreadable {
                path,
                source,
                advice,
            });
        }
        check_hash(&path, &bytes, self.sha256, ADVICE)?;
        Ok(path)
    }
}

impl FashionMnist {
    /// Bytes of one image.
    pub const INPUTS: usize = 28 * 28;
    /// Kinds of clothes.
    pub const CLASSES: usize = 10;

    /// The folder of its files: the one in the usual data folder, else the system's.
    pub fn directory() -> PathBuf {
        Self::within(&super::folder())
    }

    /// The folder of its files: `fashion-mnist` in the data folder, else the system's.
    pub fn within(data: &Path) -> PathBuf {
        let own = data.join(FOLDER);
        if own.is_dir() {
            own
        } else {
            DEBIAN.into()
        }
    }

    /// The images for one use: all training images; the first 8,000 test images for exams; the
    /// others for reports.
    pub fn part(self, part: Use) -> Labelled {
        match part {
            Use::Training => self.train,
            Use::Exam => self.test.slice(0..EXAM),
            Use::Report => self.test.slice(EXAM..self.test.len()),
        }
    }

    /// Reads and checks the four files.
    ///
    /// # Errors
    /// A file that is missing, unreadable, or not the published one; each error says what to do.
    pub fn load(directory: &Path) -> Result<Self, DataError> {
        let recipe = DataSet::FashionMnist.recipe()?;
        let labelled = |images: &Published, labels: &Published| {
            let images = images.check(directory)?;
            // The reader finds the labels next to the images.
            labels.check(directory)?;
            let options = SourceOptions {
                format: Some(Format::Idx),
                ..SourceOptions::default()
            };
            let source = Source::open(&[images], options)?;
            Ok::<Labelled, DataError>(recipe.load(&source, None)?)
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
    use std::{fs, fs::File, io::Write};

    #[test]
    fn the_published_set_loads() {
        let set = FashionMnist::load(&FashionMnist::directory()).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (60_000, 10_000));
        assert_eq!(set.train.pixels.len(), 60_000 * FashionMnist::INPUTS);
        let is_class = |&label: &u8| usize::from(label) < FashionMnist::CLASSES;
        assert!(set.test.labels.iter().all(is_class));
        let test = set.test.clone();
        let exam = FashionMnist {
            train: set.train.slice(0..0),
            test: test.clone(),
        };
        assert!(exam.part(Use::Exam) == test.slice(0..8_000));
        assert!(set.part(Use::Report) == test.slice(8_000..10_000));
    }

    #[test]
    fn a_missing_file_names_the_command_and_a_wrong_one_is_refused() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(FashionMnist::within(data.path()), Path::new(DEBIAN));
        let folder = data.path().join("fashion-mnist");
        fs::create_dir(&folder).unwrap();
        assert_eq!(FashionMnist::within(data.path()), folder);
        let error = FashionMnist::load(&folder).err().unwrap().to_string();
        assert!(error.contains("dataset-fashion-mnist"), "{error}");

        let path = folder.join("train-images-idx3-ubyte.gz");
        fs::write(&path, b"not packed").unwrap();
        let error = FashionMnist::load(&folder).err().unwrap();
        assert!(matches!(error, DataError::Unreadable { .. }));
        let file = File::create(&path).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gz.write_all(b"other").unwrap();
        gz.finish().unwrap();
        let error = FashionMnist::load(&folder).err().unwrap();
        assert!(matches!(error, DataError::WrongHash { .. }));
    }
}
