//! Arrays of numbers in files: where an array lies, how its numbers are stored, and its rows, streamed.
//!
//! NPZ, safetensors and IDX differ only in how they say where an array lies. Their readers find that out from the headers and fill
//! in an [`Array`]; this module reads it.

mod number;

pub(super) use number::Number;

use super::{idx, npz, safetensors, Header, ReadRows};
use crate::{DataError, Format, Kind, Place, Row, Source, SourceOptions, Values};
use flate2::{
    read::{DeflateDecoder, MultiGzDecoder},
    Crc,
};
use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Most numbers that one row may have, far above what a model on chain can take.
const MAX_ROW_NUMBERS: usize = 1 << 24;

/// Names that an array of inputs usually has.
const INPUTS: [&str; 6] = ["x", "X", "data", "images", "inputs", "x_train"];
/// Names that an array of labels usually has.
const LABELS: [&str; 6] = ["y", "labels", "label", "targets", "target", "y_train"];

/// Why arrays cannot be read, where the reason is one that only arrays have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// None of an archive's arrays has a usual name, or the one that was asked for.
    #[error("{} has no array named {wanted} for the {role}; it has {there}: name the right one with {}", .file.display(), .role.option())]
    NoArray {
        /// The file.
        file: PathBuf,
        /// What the array is for.
        role: Role,
        /// The names that were searched for.
        wanted: String,
        /// The names that are there.
        there: String,
    },
    /// Several of an archive's arrays have a usual name.
    #[error("{} has several arrays that could be the {role}: {found}; name the right one with {}", .file.display(), .role.option())]
    Ambiguous {
        /// The file.
        file: PathBuf,
        /// What the array is for.
        role: Role,
        /// The names that fit.
        found: String,
    },
    /// The labels' file of an IDX file is not next to it.
    #[error("the labels of {} are missing; put them beside it as {}", .file.display(), .labels.display())]
    NoLabels {
        /// The file of the inputs.
        file: PathBuf,
        /// Where its labels were expected.
        labels: PathBuf,
    },
    /// An array does not hold plain numbers.
    #[error("{}: {array} is of type {found}; save it as integers, floats or booleans", .file.display())]
    Type {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
        /// Its type, as the file has it.
        found: String,
    },
    /// An array is stored column by column.
    #[error("{}: {array} is in Fortran order; save `numpy.ascontiguousarray({array})`", .file.display())]
    FortranOrder {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
    },
    /// A member of an archive is packed with a method that NumPy never uses, or encrypted.
    #[error("{}: {array} is {found}; save it with `numpy.savez` or `numpy.savez_compressed`", .file.display())]
    Packing {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
        /// How it is packed.
        found: &'static str,
    },
    /// An array has an unsuitable shape.
    #[error("{}: {array} has the shape {}, but {needs}", .file.display(), shape_text(.shape))]
    Shape {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
        /// Its shape.
        shape: Vec<u64>,
        /// What is needed.
        needs: &'static str,
    },
    /// There are more inputs than labels, or fewer.
    #[error("{}: {inputs} has {inputs_rows} rows and {labels} has {labels_rows}; each row needs one label", .file.display())]
    Lengths {
        /// The file.
        file: PathBuf,
        /// The inputs' array.
        inputs: String,
        /// Its rows.
        inputs_rows: u64,
        /// The labels' array.
        labels: String,
        /// Its rows.
        labels_rows: u64,
    },
    /// A file's content is longer than its array, or fails its checksum.
    #[error("{}: {array} {problem}; write or download the file again", .file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
        /// What is wrong.
        problem: &'static str,
    },
}

/// What an array is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has the samples.
    Inputs,
    /// It has their labels.
    Labels,
}

impl Role {
    /// The option that names the array.
    fn option(self) -> &'static str {
        match self {
            Self::Inputs => "--inputs",
            Self::Labels => "--label",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inputs => "inputs",
            Self::Labels => "labels",
        })
    }
}

/// `60000 x 28 x 28`.
fn shape_text(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "of a single number".into();
    }
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    sizes.join(" x ")
}

/// How the bytes of an array are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Stored,
    /// Raw deflate, as in zip.
    Deflate,
    /// gzip, which has its own checksum.
    Gzip,
}

/// An array in a file: where it lies, and how it is stored.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub(super) file: Arc<Path>,
    /// Its name in the file; "the array" if arrays have no names.
    pub(super) name: String,
    /// Where its packed bytes begin in the file.
    pub(super) offset: u64,
    /// How many packed bytes there are; if none, they go to the end of the file.
    pub(super) packed_bytes: Option<u64>,
    pub(super) packing: Packing,
    /// CRC-32 of the unpacked bytes, from the first one on.
    pub(super) crc: Option<u32>,
    /// Unpacked bytes before the first number.
    pub(super) header_bytes: u64,
    pub(super) number: Number,
    pub(super) big_endian: bool,
    /// Its first size is the number of rows.
    pub(super) shape: Vec<u64>,
}

impl Array {
    fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(0)
    }

    /// The shape of a row; `[1]` if it is a single number.
    fn row_shape(&self) -> Result<Vec<usize>, DataError> {
        let shape = |needs| {
            DataError::from(ArrayError::Shape {
                file: self.file.to_path_buf(),
                array: self.name.clone(),
                shape: self.shape.clone(),
                needs,
            })
        };
        let Some((&rows, of_row)) = self.shape.split_first() else {
            return Err(shape("its first size must be the number of rows"));
        };
        let too_large = "a row may have at most 16,777,216 numbers: make the rows smaller";
        let of_row: Result<Vec<usize>, _> = of_row.iter().map(|&size| size.try_into()).collect();
        let of_row = of_row.map_err(|_| shape(too_large))?;
        let numbers = of_row
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size));
        match numbers {
            Some(1..=MAX_ROW_NUMBERS) => {}
            Some(0) => return Err(shape("a row needs at least one number")),
            _ => return Err(shape(too_large)),
        }
        let of_row = if of_row.is_empty() { vec![1] } else { of_row };
        if rows == 0 {
            return Err(DataError::Empty {
                path: self.file.to_path_buf(),
            });
        }
        Ok(of_row)
    }

    /// The unpacked bytes, from the first one on.
    pub(super) fn unpacked(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let packed = BufReader::new(file.take(self.packed_bytes.unwrap_or(u64::MAX)));
        Ok(match self.packing {
            Packing::Stored => Box::new(packed),
            Packing::Deflate => Box::new(BufReader::new(DeflateDecoder::new(packed))),
            Packing::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(packed))),
        })
    }

    fn stream(&self) -> Result<Stream, DataError> {
        let unreadable = |source| DataError::reading(&self.file, source);
        let numbers: usize = self.row_shape()?.iter().product();
        let mut stream = Stream {
            bytes: Checked {
                bytes: self.unpacked().map_err(unreadable)?,
                crc: Crc::new(),
            },
            row: vec![0; numbers * self.number.bytes()],
            array: self.clone(),
            next: 0,
        };
        io::copy(
            &mut stream.bytes.by_ref().take(self.header_bytes),
            &mut io::sink(),
        )
        .map_err(unreadable)?;
        Ok(stream)
    }
}

/// Bytes, and the checksum of those that were read.
struct Checked {
    bytes: Box<dyn Read + Send>,
    crc: Crc,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.crc.update(&buffer[..count]);
        Ok(count)
    }
}

/// An array that is being read, a row at a time.
struct Stream {
    array: Array,
    bytes: Checked,
    /// The row that was read last.
    row: Vec<u8>,
    /// The row to read next, from 0.
    next: u64,
}

impl Stream {
    /// The place of the row that is read next.
    fn at(&self) -> Place {
        Place {
            file: self.array.file.clone(),
            row: self.next + 1,
        }
    }

    /// Reads the next row's numbers, which are finite, into `values`.
    fn read(&mut self, values: &mut Vec<f64>) -> Result<(), DataError> {
        let at = self.at();
        if let Err(error) = self.bytes.read_exact(&mut self.row) {
            let (name, rows) = (&self.array.name, self.array.rows());
            return Err(match error.kind() {
                io::ErrorKind::UnexpectedEof => DataError::Truncated {
                    path: self.array.file.to_path_buf(),
                    reason: format!("{name} ends within row {} of {rows}", at.row),
                },
                _ => DataError::BadRow {
                    at,
                    reason: format!("{name}: {error}"),
                },
            });
        }
        let size = self.array.number.bytes();
        let value = |stored: &[u8]| {
            let mut bytes = [0; 8];
            bytes[..size].copy_from_slice(stored);
            if self.array.big_endian {
                bytes[..size].reverse();
            }
            self.array.number.value(bytes)
        };
        values.clear();
        values.extend(self.row.chunks_exact(size).map(value));
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::NotFinite {
                at,
                column: format!("{}[{index}]", self.array.name),
                found: values[index],
            });
        }
        self.next += 1;
        if self.next == self.array.rows() {
            self.check_end()?;
        }
        Ok(())
    }

    /// After the last row: checks that nothing follows and that the checksum is right.
    fn check_end(&mut self) -> Result<(), ArrayError> {
        let corrupt = |problem| ArrayError::Corrupt {
            file: self.array.file.to_path_buf(),
            array: self.array.name.clone(),
            problem,
        };
        match self.bytes.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Err(corrupt("is longer than its header says")),
            Err(_) => return Err(corrupt("fails its checksum")),
        }
        match self.array.crc {
            Some(crc) if crc != self.bytes.crc.sum() => Err(corrupt("fails its checksum")),
            _ => Ok(()),
        }
    }
}

/// Inputs and their labels, in one file or two.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) inputs: Array,
    /// The labels, or why there are none: data without labels can still be predicted.
    pub(super) labels: Result<Array, ArrayError>,
}

impl Pair {
    /// The arrays in the file at `path`, which has one of these formats.
    pub(super) fn open(
        path: &Path,
        format: Format,
        options: &SourceOptions,
    ) -> Result<Self, DataError> {
        match format {
            Format::Npz => npz::open(path, options),
            Format::Safetensors => safetensors::open(path, options),
            _ => idx::open(path),
        }
    }

    /// The arrays of a file that has arrays with these names, each of which `array` finds. Labels may be missing only if none were
    /// asked for.
    pub(super) fn choose(
        path: &Path,
        options: &SourceOptions,
        names: &[String],
        mut array: impl FnMut(String) -> Result<Array, DataError>,
    ) -> Result<Self, DataError> {
        let inputs = choose(path, Role::Inputs, options, names)?;
        let labels = match choose(path, Role::Labels, options, names) {
            Ok(name) => Ok(array(name)?),
            Err(error @ ArrayError::NoArray { .. }) if options.label.is_none() => Err(error),
            Err(error) => return Err(error.into()),
        };
        let inputs = array(inputs)?;
        Ok(Self { inputs, labels })
    }

    /// The shape of a row, if both arrays have suitable shapes.
    fn check(&self) -> Result<Vec<usize>, DataError> {
        let shape = self.inputs.row_shape()?;
        let Ok(labels) = &self.labels else {
            return Ok(shape);
        };
        if labels.row_shape()?.iter().product::<usize>() != 1 {
            let error = ArrayError::Shape {
                file: labels.file.to_path_buf(),
                array: labels.name.clone(),
                shape: labels.shape.clone(),
                needs: "each row needs one label: if labels are one-hot, save `argmax` over the last axis",
            };
            return Err(error.into());
        }
        let (inputs_rows, labels_rows) = (self.inputs.rows(), labels.rows());
        if inputs_rows != labels_rows {
            let error = ArrayError::Lengths {
                file: self.inputs.file.to_path_buf(),
                inputs: self.inputs.name.clone(),
                inputs_rows,
                labels: labels.name.clone(),
                labels_rows,
            };
            return Err(error.into());
        }
        Ok(shape)
    }

    /// What the headers say.
    pub(super) fn header(&self) -> Result<Header, DataError> {
        Ok(Header {
            shape: self.check()?,
            rows: Some(self.inputs.rows()),
            ..Header::of(Kind::Array)
        })
    }

    /// A pass over the rows.
    pub(super) fn rows(&self) -> Result<Box<dyn ReadRows>, DataError> {
        self.check()?;
        Ok(Box::new(PairRows {
            inputs: self.inputs.stream()?,
            labels: self.labels.as_ref().ok().map(Array::stream).transpose()?,
            label: Vec::new(),
        }))
    }
}

/// A pass over inputs and labels.
struct PairRows {
    inputs: Stream,
    labels: Option<Stream>,
    /// The label that was read last.
    label: Vec<f64>,
}

impl ReadRows for PairRows {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if self.inputs.next == self.inputs.array.rows() {
            return Ok(false);
        }
        if !matches!(row.values, Values::Array { .. }) {
            row.values = Values::Array {
                values: Vec::new(),
                label: String::new(),
            };
        }
        row.at = self.inputs.at();
        if let Values::Array { values, label } = &mut row.values {
            self.inputs.read(values)?;
            if let Some(labels) = &mut self.labels {
                labels.read(&mut self.label)?;
            }
            label.clear();
            for number in &self.label {
                // The sum turns -0 into 0.
                label.push_str(&(number + 0.0).to_string());
            }
        }
        Ok(true)
    }
}

/// Whether the files of `source`, which are arrays, have labels.
///
/// # Errors
/// [`ArrayError::NoArray`] or [`ArrayError::NoLabels`] says what was looked for.
pub(crate) fn check_labels(source: &Source) -> Result<(), DataError> {
    for path in source.paths() {
        Pair::open(path, source.format(), source.options())?.labels?;
    }
    Ok(())
}

/// Opens a file that is not empty, and returns its length in bytes.
pub(super) fn open_file(path: &Path) -> Result<(File, u64), DataError> {
    let file = File::open(path).map_err(|error| DataError::reading(path, error))?;
    let about = file
        .metadata()
        .map_err(|error| DataError::reading(path, error))?;
    let path = path.to_owned();
    match about.len() {
        _ if about.is_dir() => Err(DataError::Folder { path }),
        0 => Err(DataError::Empty { path }),
        bytes => Ok((file, bytes)),
    }
}

/// The array for `role`, among those named `there`: the one that is asked for, or else the only one with a usual name.
fn choose(
    file: &Path,
    role: Role,
    options: &SourceOptions,
    there: &[String],
) -> Result<String, ArrayError> {
    let (asked, usual) = match role {
        Role::Inputs => (&options.inputs, INPUTS),
        Role::Labels => (&options.label, LABELS),
    };
    let wanted: Vec<&str> = match asked {
        Some(name) => vec![name],
        None => usual.to_vec(),
    };
    let found: Vec<&String> = there
        .iter()
        .filter(|name| wanted.contains(&name.as_str()))
        .collect();
    match found[..] {
        [name] => Ok(name.clone()),
        [] => Err(ArrayError::NoArray {
            file: file.to_owned(),
            role,
            wanted: wanted.join(", "),
            there: if there.is_empty() {
                "none".into()
            } else {
                there.join(", ")
            },
        }),
        _ => Err(ArrayError::Ambiguous {
            file: file.to_owned(),
            role,
            found: found.into_iter().cloned().collect::<Vec<_>>().join(", "),
        }),
    }
}
