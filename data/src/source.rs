//! Where data comes from: files of one format, and their rows.

mod cells;

pub use cells::{Cell, Cells};

use crate::{read, read::packed::Packing, read::Header, read::ReadRows, DataError};
use std::{
    fmt, fs,
    iter::FusedIterator,
    mem,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header line; semicolons and tabs separate too.
    Csv,
    /// Apache Parquet with flat columns of numbers and text.
    Parquet,
    /// One JSON object per line.
    Jsonl,
    /// Plain text, one document per file.
    Text,
    /// NumPy arrays.
    Npz,
    /// Arrays in the safetensors format.
    Safetensors,
    /// Images and labels in MNIST's format, gzipped or not.
    Idx,
    /// A folder with one folder of PNG and JPEG images per class; or of such images alone, which have no class.
    Images,
    /// Samples that a recipe has already made.
    Records,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 9] = [
        Self::Csv,
        Self::Parquet,
        Self::Jsonl,
        Self::Text,
        Self::Npz,
        Self::Safetensors,
        Self::Idx,
        Self::Images,
        Self::Records,
    ];

    /// The format that the name of a file implies, packed or not; images for a folder.
    ///
    /// # Errors
    /// A missing file, or a name that implies no format, or one that is not read packed.
    pub fn of(path: &Path) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(|error| DataError::reading(path, error))?;
        if metadata.is_dir() {
            return Ok(Self::Images);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains("idx3-ubyte") {
            return Ok(Self::Idx);
        }
        let packed = Packing::named(path);
        let inside = packed.map_or(path, |(_, inside)| inside);
        let extension = inside.extension().unwrap_or_default().to_string_lossy();
        let format = match &*extension.to_lowercase() {
            "csv" | "tsv" => Self::Csv,
            "parquet" | "pq" => Self::Parquet,
            "jsonl" | "ndjson" => Self::Jsonl,
            "txt" | "md" => Self::Text,
            "npz" => Self::Npz,
            "safetensors" => Self::Safetensors,
            "idx" => Self::Idx,
            "records" => Self::Records,
            _ => return Err(DataError::UnknownFormat { path: path.into() }),
        };
        match packed {
            Some((packing, _)) if !format.is_read_packed(packing) => Err(DataError::PackedFormat {
                path: path.into(),
                format,
                packing,
            }),
            _ => Ok(format),
        }
    }

    /// Whether files of the format can be read when they are packed like this.
    fn is_read_packed(self, packing: Packing) -> bool {
        match self {
            Self::Csv | Self::Jsonl | Self::Text => true,
            Self::Idx => packing == Packing::Gzip,
            _ => false,
        }
    }

    /// The names of all formats, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(|format| format.to_string()).join(", ")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Text => "text",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Idx => "idx",
            Self::Images => "images",
            Self::Records => "records",
        })
    }
}

/// A name that is not a format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format; the formats are {names}", names = Format::names())]
pub struct ParseFormatError(pub String);

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(name: &str) -> Result<Self, ParseFormatError> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.to_string() == name)
            .ok_or_else(|| ParseFormatError(name.into()))
    }
}

/// What the rows of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows of cells.
    Table,
    /// Documents.
    Text,
    /// Arrays of numbers, all of one shape.
    Array,
    /// Images.
    Image,
    /// Samples, or documents as tokens, that a recipe has already made.
    Records,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Table => "a table",
            Self::Text => "text",
            Self::Array => "arrays",
            Self::Image => "images",
            Self::Records => "records",
        })
    }
}

/// How to read a source, where its files do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// The format, if the file's name does not imply it.
    pub format: Option<Format>,
    /// The column that holds text: with it, a table is read as documents.
    pub field: Option<String>,
    /// The column of a table, or the array of a file of arrays, with the labels.
    pub label: Option<String>,
    /// The array with the inputs, in a file of arrays.
    pub inputs: Option<String>,
}

/// Where a row is. Pieces of one document are at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The row in the file, from 1; a header does not count.
    pub row: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}", self.file.display(), self.row)
    }
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A row of a table.
    Cells(Cells),
    /// A document or a piece of one.
    Text(String),
    /// An array, row-major, of the source's [shape](Source::shape).
    Array {
        /// Its numbers.
        values: Vec<f64>,
        /// Its label as text or as a decimal number; empty if it has none.
        label: String,
    },
    /// An image, row-major, channels last.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels of a row.
        width: u32,
        /// 1 for a grey image, 3 for a coloured one.
        channels: u8,
        /// `[height, width, channels]`.
        bytes: Vec<u8>,
        /// Its folder's name; empty if it has no class.
        label: String,
    },
    /// A sample that a recipe made.
    Record {
        /// The sample's bytes.
        sample: Vec<u8>,
        /// Its class.
        label: u8,
    },
    /// A document as tokens that a recipe made.
    Tokens(Vec<u8>),
}

impl Values {
    /// Appends bytes that are equal exactly if all values are equal, apart from the label, which for a table is the cell of column
    /// `label`.
    pub(crate) fn inputs_into(&self, label: Option<usize>, bytes: &mut Vec<u8>) {
        match self {
            Self::Cells(cells) => {
                let inputs = cells.iter().enumerate();
                for (_, cell) in inputs.filter(|(index, _)| Some(*index) != label) {
                    let text = cell.to_string();
                    bytes.extend((text.len() as u64).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
            Self::Text(text) => bytes.extend(text.as_bytes()),
            Self::Array { values, .. } => {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::Image {
                height,
                width,
                bytes: pixels,
                ..
            } => {
                bytes.extend(height.to_le_bytes());
                bytes.extend(width.to_le_bytes());
                bytes.extend(pixels);
            }
            Self::Record { sample: inputs, .. } | Self::Tokens(inputs) => bytes.extend(inputs),
        }
    }
}

/// A row of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where it is.
    pub at: Place,
    /// What it holds.
    pub values: Values,
}

impl Row {
    /// A row without values at row 0 of `file`: a pass reads its first row into it.
    pub fn new(file: Arc<Path>) -> Self {
        Self {
            at: Place { file, row: 0 },
            values: Values::Text(String::new()),
        }
    }

    /// Sets the row's place.
    #[inline]
    pub(crate) fn set_place(&mut self, at: &Place) {
        // Counting references at every row takes time.
        if !Arc::ptr_eq(&self.at.file, &at.file) {
            self.at.file = at.file.clone();
        }
        self.at.row = at.row;
    }

    /// Takes the row's cells, to be filled and put back, or else new ones for a table with these columns.
    pub(crate) fn take_cells(&mut self, names: &Arc<[String]>) -> Cells {
        match mem::replace(&mut self.values, Values::Text(String::new())) {
            Values::Cells(mut cells) => {
                cells.clear();
                cells
            }
            _ => Cells::new(names.clone()),
        }
    }
}

/// One or more files of one format, read as one.
#[derive(Clone, Debug)]
pub struct Source {
    paths: Vec<Arc<Path>>,
    format: Format,
    options: SourceOptions,
    header: Header,
    bytes: u64,
}

impl Source {
    /// Opens files of one format. Only their headers are checked; their rows may still be wrong.
    ///
    /// # Errors
    /// No file; a file that is missing, empty, unreadable or of no known format; files that differ in format or columns; a label or
    /// field that is not a column.
    pub fn open(paths: &[PathBuf], options: SourceOptions) -> Result<Self, DataError> {
        let first = paths.first().ok_or(DataError::NoFile)?;
        let format = match options.format {
            Some(format) => format,
            None => Format::of(first)?,
        };
        let mut header: Option<Header> = None;
        let mut bytes = 0u64;
        for path in paths {
            if options.format.is_none() {
                let found = Format::of(path)?;
                if found != format {
                    let path = path.clone();
                    let first = format;
                    return Err(DataError::MixedFormats { path, found, first });
                }
            }
            check_type(path, format)?;
            bytes = bytes.saturating_add(read::bytes(path, format)?);
            let next = read::header(path, format, &options)?;
            header = Some(match header {
                None => next,
                Some(first) => first.join(next, path)?,
            });
        }
        let header = header.ok_or(DataError::NoFile)?;
        if header.kind == Kind::Table || options.field.is_some() {
            let columns = [&options.label, &options.field];
            for column in columns.into_iter().flatten() {
                header.column(first, column)?;
            }
        }
        Ok(Self {
            paths: paths.iter().map(|path| Arc::from(path.as_path())).collect(),
            format,
            options,
            header,
            bytes,
        })
    }

    /// What its rows are.
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// Its files' format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How it was opened.
    pub fn options(&self) -> &SourceOptions {
        &self.options
    }

    /// Its files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(|path| &**path)
    }

    /// Its first file, which stands for it in messages.
    pub fn first_path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), |path| &**path)
    }

    /// The column names of a table, else empty.
    pub fn header(&self) -> &[String] {
        &self.header.names
    }

    /// The index of a table's label, if one was named.
    pub(crate) fn label_index(&self) -> Option<usize> {
        let label = self.options.label.as_ref()?;
        self.header.names.iter().position(|name| name == label)
    }

    /// The shape of every row of arrays, else empty.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The number of rows, if the files state it.
    pub fn len_hint(&self) -> Option<u64> {
        self.header.rows
    }

    /// The hash of the recipe that made its records, if it has records.
    pub fn made_by(&self) -> Option<[u8; 32]> {
        self.header.recipe
    }

    /// Bytes of a sample, if it has records that are not text.
    pub fn sample_bytes(&self) -> Option<usize> {
        self.header.inputs
    }

    /// Its size on disk, for progress.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The table that its text is a column of: the same rows with all of their cells. None if it has no columns.
    pub(crate) fn table(&self) -> Option<Self> {
        (!self.header.names.is_empty()).then(|| {
            let mut table = self.clone();
            table.options.field = None;
            table.header.kind = Kind::Table;
            table
        })
    }

    /// A new pass over its rows, from the first.
    ///
    /// # Errors
    /// A file that cannot be opened any more.
    pub fn rows(&self) -> Result<Rows, DataError> {
        let mut rows = Rows {
            source: self.clone(),
            next_file: 0,
            reader: None,
            failed: false,
        };
        rows.open_next()?;
        Ok(rows)
    }
}

/// Checks that `path` is a file or a folder, as `format` requires.
fn check_type(path: &Path, format: Format) -> Result<(), DataError> {
    let metadata = fs::metadata(path).map_err(|error| DataError::reading(path, error))?;
    let path = || path.to_owned();
    match (metadata.is_dir(), format == Format::Images) {
        (true, false) => Err(DataError::Folder { path: path() }),
        (false, true) => Err(DataError::NotAFolder { path: path() }),
        _ => Ok(()),
    }
}

/// A pass over the rows of a source, in small buffers. It ends after the first error.
pub struct Rows {
    source: Source,
    next_file: usize,
    reader: Option<Box<dyn ReadRows>>,
    failed: bool,
}

impl Rows {
    /// Reads the next row into `row`, reusing its memory. Returns false at the end.
    ///
    /// # Errors
    /// A file or a row that cannot be read.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        let read = self.try_read(row);
        if read.is_err() {
            self.failed = true;
        }
        read
    }

    fn try_read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        while let Some(reader) = self.reader.as_mut().filter(|_| !self.failed) {
            if reader.read(row)? {
                return Ok(true);
            }
            self.open_next()?;
        }
        Ok(false)
    }

    fn open_next(&mut self) -> Result<(), DataError> {
        let source = &self.source;
        self.reader = match source.paths.get(self.next_file) {
            None => None,
            Some(path) => Some(read::rows(
                path,
                source.format,
                &source.header,
                &source.options,
            )?),
        };
        self.next_file += 1;
        Ok(())
    }
}

impl Iterator for Rows {
    type Item = Result<Row, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = Row::new(self.source.paths.first()?.clone());
        match self.read(&mut row) {
            Ok(true) => Some(Ok(row)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl FusedIterator for Rows {}

#[cfg(test)]
mod tests;
