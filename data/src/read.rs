//! Readers: one module per format. Each returns what its file's header says, and reads the rows one
//! by one through a small buffer, so that a file may be larger than memory.

pub(crate) mod array;
pub(crate) mod csv;
mod idx;
pub(crate) mod images;
pub(crate) mod jsonl;
mod npz;
pub(crate) mod number;
pub(crate) mod packed;
pub(crate) mod parquet;
pub(crate) mod records;
mod safetensors;
pub(crate) mod text;

use crate::{Cell, DataError, Format, Kind, Row, SourceOptions, Values};
use array::Pair;
use std::{fs, path::Path, sync::Arc};

/// A pass over the rows of one file.
pub(crate) trait ReadRows: Send {
    /// Reads the next row, with its place, into `row`, reusing the memory of its values. Returns
    /// false at the end.
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError>;
}

/// What a file says before its rows are read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Header {
    /// What its rows are.
    pub kind: Kind,
    /// The columns of a table, else none.
    pub names: Arc<[String]>,
    /// The shape of every row of arrays, else empty.
    pub shape: Vec<usize>,
    /// The number of rows, if the file states it.
    pub rows: Option<u64>,
    /// For records: the hash of the recipe that made them.
    pub recipe: Option<[u8; 32]>,
    /// For records that are not text: bytes of a sample.
    pub inputs: Option<usize>,
}

impl Header {
    /// A header that says nothing but the kind.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            names: Arc::from([]),
            shape: Vec::new(),
            rows: None,
            recipe: None,
            inputs: None,
        }
    }

    /// The header of a table in the file at `path`, whose column names must differ.
    pub fn table(path: &Path, names: Vec<String>) -> Result<Self, DataError> {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(same) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(DataError::SameColumn {
                path: path.to_owned(),
                column: same[0].clone(),
            });
        }
        Ok(Self {
            names: names.into(),
            ..Self::of(Kind::Table)
        })
    }

    /// The header of this file and that of the next one, at `path`, as one.
    pub fn join(mut self, next: Self, path: &Path) -> Result<Self, DataError> {
        self.rows = self
            .rows
            .zip(next.rows)
            .map(|(rows, more)| rows.saturating_add(more));
        let alike = Self {
            rows: self.rows,
            ..next.clone()
        };
        if self == alike {
            return Ok(self);
        }
        Err(DataError::FilesDiffer {
            path: path.to_owned(),
            found: next.words(),
            first: self.words(),
        })
    }

    /// The index of a column, in the file at `path`.
    pub fn column(&self, path: &Path, name: &str) -> Result<usize, DataError> {
        let index = self.names.iter().position(|found| found == name);
        index.ok_or_else(|| DataError::NoColumn {
            path: path.to_owned(),
            column: name.to_owned(),
            has: self.names.to_vec(),
        })
    }

    fn words(&self) -> String {
        if let Some(recipe) = &self.recipe {
            let hex: String = recipe.iter().map(|byte| format!("{byte:02x}")).collect();
            return format!("records of the recipe {hex}");
        }
        if !self.shape.is_empty() {
            return format!("arrays of shape {:?}", self.shape);
        }
        match self.kind {
            Kind::Table => format!("the columns {}", self.names.join(", ")),
            kind => kind.to_string(),
        }
    }
}

/// The header of the file at `path`.
pub(crate) fn header(
    path: &Path,
    format: Format,
    options: &SourceOptions,
) -> Result<Header, DataError> {
    let mut header = match format {
        Format::Csv => csv::header(path)?,
        Format::Parquet => parquet::header(path)?,
        Format::Jsonl => jsonl::header(path)?,
        Format::Text => text::header(path)?,
        Format::Npz | Format::Safetensors | Format::Idx => {
            Pair::open(path, format, options)?.header()?
        }
        Format::Images => images::header(path)?,
        Format::Records => records::header(path)?,
    };
    if header.kind == Kind::Table && options.field.is_some() {
        header.kind = Kind::Text;
    }
    Ok(header)
}

/// A pass over the rows of the file at `path`, whose format and header are known.
pub(crate) fn rows(
    path: &Arc<Path>,
    format: Format,
    header: &Header,
    options: &SourceOptions,
) -> Result<Box<dyn ReadRows>, DataError> {
    let reader = match format {
        Format::Csv => csv::rows(path, header)?,
        Format::Parquet => parquet::rows(path, header)?,
        Format::Jsonl => jsonl::rows(path, header)?,
        Format::Text => text::rows(path)?,
        Format::Npz | Format::Safetensors | Format::Idx => {
            Pair::open(path, format, options)?.rows()?
        }
        Format::Images => images::rows(path)?,
        Format::Records => records::rows(path, header)?,
    };
    match &options.field {
        Some(field) if !header.names.is_empty() => Ok(Box::new(Field {
            reader,
            column: header.column(path, field)?,
            cells: Row::new(path.clone()),
        })),
        _ => Ok(reader),
    }
}

/// Bytes on disk of what `path` names.
pub(crate) fn bytes(path: &Path, format: Format) -> Result<u64, DataError> {
    if format == Format::Images {
        return images::bytes(path);
    }
    let metadata = fs::metadata(path).map_err(|error| DataError::reading(path, error))?;
    Ok(metadata.len())
}

/// The documents in one column of a table. A missing one is empty.
struct Field {
    reader: Box<dyn ReadRows>,
    column: usize,
    cells: Row,
}

impl ReadRows for Field {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if !self.reader.read(&mut self.cells)? {
            return Ok(false);
        }
        if !matches!(row.values, Values::Text(_)) {
            row.values = Values::Text(String::new());
        }
        row.set_place(&self.cells.at);
        if let (Values::Text(text), Values::Cells(cells)) = (&mut row.values, &self.cells.values) {
            text.clear();
            let name = cells.names().get(self.column);
            let name = name.map_or("", String::as_str);
            match cells.get(self.column).usable(&self.cells.at, name)? {
                Cell::Text(found) => text.push_str(found),
                other => *text = other.to_string(),
            }
        }
        Ok(true)
    }
}
