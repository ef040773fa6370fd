use crate::{
    learn, ArrayError, DataError, Format, LearnOptions, Recipe, Source, SourceOptions, Values,
};
use flate2::{read::GzDecoder, write::GzEncoder, Compression};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// An IDX file with these bytes.
fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes both files into `folder`, and opens the images'.
fn open(folder: &Path, images: &[u8], labels: &[u8]) -> Result<Source, DataError> {
    let path = folder.join("train-images-idx3-ubyte");
    fs::write(&path, images).unwrap();
    fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
    Source::open(&[path], SourceOptions::default())
}

fn first_error(images: &[u8], labels: &[u8]) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    match open(folder.path(), images, labels) {
        Ok(source) => source.rows().unwrap().find_map(Result::err).unwrap(),
        Err(error) => error,
    }
}

#[test]
fn images_and_labels_are_read_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[2, 1, 3], &[0, 1, 2, 253, 254, 255]);
    let source = open(folder.path(), &images, &idx(&[2], &[9, 4])).unwrap();
    assert_eq!((source.shape(), source.len_hint()), (&[1, 3][..], Some(2)));
    let rows: Vec<Values> = source
        .rows()
        .unwrap()
        .map(|row| row.unwrap().values)
        .collect();
    let last = Values::Array {
        values: vec![253.0, 254.0, 255.0],
        label: "4".into(),
    };
    assert!(rows[1] == last);
}

#[test]
fn packed_and_plain_files_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t10k-images-idx3-ubyte.gz");
    fs::write(&path, gzip(&idx(&[2, 2, 1], &[1, 2, 3, 4]))).unwrap();
    fs::write(
        folder.path().join("t10k-labels-idx1-ubyte"),
        idx(&[2], &[1, 0]),
    )
    .unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    assert_eq!(source.rows().unwrap().filter(|row| row.is_ok()).count(), 2);
}

#[test]
fn floats_are_big_endian() {
    let mut images = vec![0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    images.extend([0.5f32, -2.0].map(f32::to_be_bytes).concat());
    let folder = tempfile::tempdir().unwrap();
    let source = open(folder.path(), &images, &idx(&[1], &[1])).unwrap();
    let row = source.rows().unwrap().next().unwrap().unwrap();
    assert!(matches!(row.values, Values::Array { values, .. } if values == [0.5, -2.0]));
}

#[test]
fn missing_labels_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    fs::write(&path, idx(&[1, 1, 1], &[1])).unwrap();
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    assert_eq!(source.rows().unwrap().count(), 1);
    let error = learn(&source, |_| true, &LearnOptions::default()).unwrap_err();
    assert!(
        error.to_string().contains("train-labels-idx1-ubyte"),
        "{error}"
    );
    assert!(matches!(
        error,
        DataError::Array(ArrayError::NoLabels { .. })
    ));
}

#[test]
fn damaged_files_are_refused() {
    let labels = idx(&[2], &[1, 0]);
    let images = idx(&[2, 1, 2], &[1, 2, 3, 4]);
    assert!(matches!(first_error(&[], &labels), DataError::Empty { .. }));
    let no_type = [0, 0, 7, 1, 0, 0, 0, 0];
    let wrong: [&[u8]; 5] = [
        &images[..3],
        &images[..9],
        &[0, 1, 8, 1],
        &no_type,
        b"text, not idx",
    ];
    for wrong in wrong {
        let error = first_error(wrong, &labels);
        assert!(
            matches!(
                error,
                DataError::Malformed {
                    format: Format::Idx,
                    ..
                }
            ),
            "{error}"
        );
    }
    let error = first_error(&images[..images.len() - 1], &labels);
    assert!(error.to_string().contains("row 2 of 2"), "{error}");
    assert!(matches!(error, DataError::Truncated { .. }));
    let error = first_error(&images, &labels[..labels.len() - 1]);
    assert!(
        matches!(error, DataError::Truncated { path, .. } if path.ends_with("train-labels-idx1-ubyte"))
    );
    let longer = [&images[..], &[5]].concat();
    assert!(matches!(
        first_error(&longer, &labels),
        DataError::Array(ArrayError::Corrupt { .. })
    ));
    let error = first_error(&images, &idx(&[3], &[1, 0, 1]));
    assert!(matches!(
        error,
        DataError::Array(ArrayError::Lengths { .. })
    ));
    let none = first_error(&idx(&[0, 1, 2], &[]), &idx(&[0], &[]));
    assert!(matches!(none, DataError::Empty { .. }));

    let packed = gzip(&images);
    let cut = first_error(&packed[..packed.len() - 9], &labels);
    assert!(
        matches!(cut, DataError::Array(ArrayError::Corrupt { .. })),
        "{cut}"
    );
    let mut flipped = packed.clone();
    let checksum = flipped.len() - 8;
    flipped[checksum] ^= 1;
    let error = first_error(&flipped, &labels);
    assert!(
        matches!(error, DataError::Array(ArrayError::Corrupt { .. })),
        "{error}"
    );
}

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const FASHION_MNIST: &str = "/usr/share/datasets/fashion-mnist";

/// What a published file unpacks to, without its header.
fn published(name: &str, header: usize) -> (PathBuf, Vec<u8>) {
    let path = Path::new(FASHION_MNIST).join(name);
    let packed = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{} ({error}): install it with `sudo apt-get install --reinstall dataset-fashion-mnist`",
            path.display()
        )
    });
    let mut bytes = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    (path, bytes.split_off(header))
}

#[test]
fn fashion_mnist_keeps_its_bytes() {
    let (path, pixels) = published("t10k-images-idx3-ubyte.gz", 16);
    let (_, labels) = published("t10k-labels-idx1-ubyte.gz", 8);
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    let recipe = learn(&source, |_| true, &LearnOptions::default()).unwrap();
    let Recipe::Array(array) = &recipe else {
        panic!("{recipe:?}");
    };
    assert_eq!(
        (&array.shape[..], array.low, array.high),
        (&[28, 28][..], 0.0, 255.0)
    );
    assert_eq!(
        array.classes,
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    );
    let samples = recipe.load(&source, None).unwrap();
    assert!(samples.labels == labels);
    assert!(samples.pixels == pixels);

    let (path, pixels) = published("train-images-idx3-ubyte.gz", 16);
    let (_, labels) = published("train-labels-idx1-ubyte.gz", 8);
    let source = Source::open(&[path], SourceOptions::default()).unwrap();
    let samples = recipe.load(&source, None).unwrap();
    assert!(samples.labels == labels && samples.pixels == pixels);
}
