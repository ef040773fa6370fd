//! Parquet files: their flat columns of numbers and text. Other columns are not read.

use super::{number, Header, ReadRows};
use crate::{Cell, Cells, DataError, Format, Place, Row, Values};
use parquet::{
    basic::{ConvertedType, LogicalType, Type},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType},
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::{ColumnDescriptor, SchemaDescriptor},
};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    str,
    sync::Arc,
};

/// Rows that are read at once, column by column.
const BATCH: usize = 1024;
/// What a file begins and ends with.
const MARK: &[u8; 4] = b"PAR1";

/// What the file's footer says.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    let file = open(path)?;
    let metadata = file.metadata().file_metadata();
    let columns = columns(metadata.schema_descr());
    let rows = u64::try_from(metadata.num_rows());
    let (Some(first), false) = (columns.first(), rows == Ok(0)) else {
        return Err(DataError::Empty { path: path.into() });
    };
    if let (Err(found), true) = (&first.how, columns.iter().all(|column| column.how.is_err())) {
        return Err(DataError::UnsupportedType {
            at: Place {
                file: path.into(),
                row: 1,
            },
            column: first.name.clone(),
            found: found.clone(),
        });
    }
    let names = columns.into_iter().map(|column| column.name);
    Ok(Header {
        rows: rows.ok(),
        ..Header::table(path, names.collect())?
    })
}

/// A column of the table: a field of the schema's root.
struct Field {
    name: String,
    /// The index of its values; for a list or struct, of the first of them.
    leaf: usize,
    /// How its values are read, or their type if they are not read.
    how: Result<Stored, String>,
}

fn columns(schema: &SchemaDescriptor) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut last_root = None;
    for (leaf, column) in schema.columns().iter().enumerate() {
        let root = schema.get_column_root_idx(leaf);
        if last_root.replace(root) == Some(root) {
            continue;
        }
        fields.push(Field {
            name: schema.get_column_root(leaf).name().to_owned(),
            leaf,
            how: Stored::of(column),
        });
    }
    fields
}

/// A pass over the file's rows.
pub(crate) fn rows(path: &Arc<Path>, header: &Header) -> Result<Box<dyn ReadRows>, DataError> {
    Ok(Box::new(Rows {
        file: open(path)?,
        names: header.names.clone(),
        columns: Vec::new(),
        next_group: 0,
        batch: 0,
        at_in_batch: 0,
        at: Place {
            file: path.clone(),
            row: 0,
        },
    }))
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let reading = |error| DataError::reading(path, error);
    let mut file = File::open(path).map_err(reading)?;
    let bytes = file.metadata().map_err(reading)?.len();
    if bytes == 0 {
        return Err(DataError::Empty { path: path.into() });
    }
    let mut mark = [0; 4];
    if bytes >= 8 {
        file.read_exact(&mut mark).map_err(reading)?;
    }
    if &mark != MARK {
        return Err(DataError::Malformed {
            path: path.into(),
            format: Format::Parquet,
            reason: "it does not begin with PAR1".into(),
        });
    }
    file.seek(SeekFrom::End(-4)).map_err(reading)?;
    file.read_exact(&mut mark).map_err(reading)?;
    if &mark != MARK {
        return Err(DataError::Truncated {
            path: path.into(),
            reason: "it does not end with PAR1".into(),
        });
    }
    SerializedFileReader::new(file).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &ParquetError) -> DataError {
    let path = path.to_owned();
    match error {
        ParquetError::EOF(reason) => DataError::Truncated {
            path,
            reason: reason.clone(),
        },
        error => DataError::Malformed {
            path,
            format: Format::Parquet,
            reason: error.to_string(),
        },
    }
}

/// How the values of a column are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stored {
    Plain,
    /// The integers are unsigned.
    Unsigned,
    /// The integers are this many times the numbers.
    Decimal(f64),
}

impl Stored {
    /// How `column` is to be read, or its type if no recipe takes its values.
    fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        let (converted, logical) = (column.converted_type(), column.logical_type_ref());
        let is_decimal = converted == ConvertedType::DECIMAL;
        let is_text = matches!(
            logical,
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
        ) || matches!(
            converted,
            ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
        );
        let is_unsigned = matches!(logical, Some(LogicalType::Integer(kind)) if !kind.is_signed)
            || matches!(
                converted,
                ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            );
        let is_nested = column.max_rep_level() > 0 || column.path().parts().len() > 1;
        let scale = match logical {
            Some(LogicalType::Decimal(decimal)) => Some(decimal.scale),
            _ if is_decimal => Some(column.type_scale()),
            _ => None,
        };
        match (column.physical_type(), scale) {
            _ if is_nested => {}
            (Type::INT32 | Type::INT64, Some(scale)) => {
                return Ok(Self::Decimal(10f64.powi(scale)));
            }
            (Type::INT32 | Type::INT64, None) if is_unsigned => return Ok(Self::Unsigned),
            (Type::BOOLEAN | Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE, None) => {
                return Ok(Self::Plain);
            }
            (Type::BYTE_ARRAY, None) if is_text => return Ok(Self::Plain),
            _ => {}
        }
        Err(match (is_nested, scale) {
            (true, _) => "list or struct".to_owned(),
            (false, Some(_)) => format!("decimal in {}", column.physical_type()),
            (false, None) => column.physical_type().to_string(),
        })
    }
}

/// The values of a batch of one column, without the missing ones.
enum Batch {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
}

/// A column of a row group.
enum Column {
    Values(Box<ColumnValues>),
    /// Its values have this type and are not read.
    Unsupported(String),
}

/// The values of a column of a row group.
struct ColumnValues {
    reader: ColumnReader,
    stored: Stored,
    /// The level of a value that is present; lower ones are missing.
    full_level: i16,
    /// The levels of a batch. Empty if no value can be missing.
    levels: Vec<i16>,
    values: Batch,
    next_value: usize,
}

impl ColumnValues {
    fn new(descriptor: &ColumnDescriptor, stored: Stored, reader: ColumnReader) -> Self {
        let values = match &reader {
            ColumnReader::BoolColumnReader(_) => Batch::Bool(Vec::new()),
            ColumnReader::Int32ColumnReader(_) => Batch::Int32(Vec::new()),
            ColumnReader::Int64ColumnReader(_) => Batch::Int64(Vec::new()),
            ColumnReader::FloatColumnReader(_) => Batch::Float(Vec::new()),
            ColumnReader::DoubleColumnReader(_) => Batch::Double(Vec::new()),
            _ => Batch::Text(Vec::new()),
        };
        Self {
            reader,
            stored,
            full_level: descriptor.max_def_level(),
            levels: Vec::new(),
            values,
            next_value: 0,
        }
    }

    /// Reads the next batch, and returns its number of rows.
    fn read(&mut self) -> Result<usize, ParquetError> {
        self.next_value = 0;
        let levels = &mut self.levels;
        match (&mut self.reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(reader), Batch::Bool(values)) => {
                read_batch(reader, levels, values)
            }
            (ColumnReader::Int32ColumnReader(reader), Batch::Int32(values)) => {
                read_batch(reader, levels, values)
            }
            (ColumnReader::Int64ColumnReader(reader), Batch::Int64(values)) => {
                read_batch(reader, levels, values)
            }
            (ColumnReader::FloatColumnReader(reader), Batch::Float(values)) => {
                read_batch(reader, levels, values)
            }
            (ColumnReader::DoubleColumnReader(reader), Batch::Double(values)) => {
                read_batch(reader, levels, values)
            }
            (ColumnReader::ByteArrayColumnReader(reader), Batch::Text(values)) => {
                read_batch(reader, levels, values)
            }
            _ => Err(ParquetError::NYI("a column of another type".into())),
        }
    }

    /// Adds the value of row `index` of the batch to `cells`. False if it is not UTF-8.
    fn push(&mut self, index: usize, cells: &mut Cells) -> bool {
        let is_missing = self
            .levels
            .get(index)
            .is_some_and(|level| *level < self.full_level);
        if is_missing {
            cells.push(Cell::Missing);
            return true;
        }
        let at = self.next_value;
        self.next_value += 1;
        match &self.values {
            Batch::Bool(values) => {
                let text = values.get(at).map(|value| match value {
                    true => Cell::Text("true"),
                    false => Cell::Text("false"),
                });
                cells.push(text.unwrap_or(Cell::Missing));
            }
            Batch::Int32(values) => {
                let value = values.get(at).copied().unwrap_or_default();
                self.push_integer(i64::from(value), u64::from(value as u32), cells);
            }
            Batch::Int64(values) => {
                let value = values.get(at).copied().unwrap_or_default();
                self.push_integer(value, value as u64, cells);
            }
            Batch::Float(values) => push_number(values.get(at).copied().map(f64::from), cells),
            Batch::Double(values) => push_number(values.get(at).copied(), cells),
            Batch::Text(values) => {
                let bytes = values.get(at).map_or(&[][..], |value| value.data());
                match str::from_utf8(bytes) {
                    Ok("") => cells.push(Cell::Missing),
                    Ok(text) => cells.push(Cell::Text(text)),
                    Err(_) => return false,
                }
            }
        }
        true
    }

    fn push_integer(&self, signed: i64, unsigned: u64, cells: &mut Cells) {
        let integer = match self.stored {
            Stored::Plain => i128::from(signed),
            Stored::Unsigned => i128::from(unsigned),
            Stored::Decimal(times) => return cells.push(Cell::Number(signed as f64 / times)),
        };
        match number::exact(integer) {
            Some(number) => cells.push(Cell::Number(number)),
            None => cells.push(Cell::Text(&integer.to_string())),
        }
    }
}

fn push_number(number: Option<f64>, cells: &mut Cells) {
    cells.push(number.map_or(Cell::Missing, Cell::Number));
}

fn read_batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: &mut Vec<i16>,
    values: &mut Vec<T::T>,
) -> Result<usize, ParquetError> {
    levels.clear();
    values.clear();
    let (rows, _, _) = reader.read_records(BATCH, Some(levels), None, values)?;
    Ok(rows)
}

struct Rows {
    file: SerializedFileReader<File>,
    names: Arc<[String]>,
    /// The columns of the row group that is being read.
    columns: Vec<Column>,
    next_group: usize,
    /// Rows of the batch.
    batch: usize,
    /// The next row of the batch.
    at_in_batch: usize,
    at: Place,
}

impl Rows {
    /// Reads the next batch; false at the end.
    fn next_batch(&mut self) -> Result<bool, DataError> {
        self.at_in_batch = 0;
        loop {
            let path = &self.at.file;
            let mut rows = None;
            for column in &mut self.columns {
                let Column::Values(column) = column else {
                    continue;
                };
                let read = column.read().map_err(|error| refused(path, &error))?;
                if *rows.get_or_insert(read) != read {
                    return Err(DataError::Malformed {
                        path: path.to_path_buf(),
                        format: Format::Parquet,
                        reason: "its columns differ in length".into(),
                    });
                }
            }
            self.batch = rows.unwrap_or_default();
            if self.batch > 0 {
                return Ok(true);
            }
            if self.next_group >= self.file.num_row_groups() {
                return Ok(false);
            }
            self.open_group()?;
        }
    }

    fn open_group(&mut self) -> Result<(), DataError> {
        let path = &self.at.file;
        let refused = |error| refused(path, &error);
        let group = self.file.get_row_group(self.next_group).map_err(refused)?;
        self.next_group += 1;
        self.columns.clear();
        let schema = group.metadata().schema_descr();
        for field in columns(schema) {
            self.columns.push(match field.how {
                Ok(stored) => {
                    let reader = group.get_column_reader(field.leaf).map_err(refused)?;
                    let descriptor = schema.column(field.leaf);
                    Column::Values(ColumnValues::new(&descriptor, stored, reader).into())
                }
                Err(found) => Column::Unsupported(found),
            });
        }
        Ok(())
    }
}

impl ReadRows for Rows {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if self.at_in_batch >= self.batch && !self.next_batch()? {
            return Ok(false);
        }
        self.at.row += 1;
        let mut cells = row.take_cells(&self.names);
        for column in &mut self.columns {
            match column {
                Column::Unsupported(found) => cells.push(Cell::Unsupported(found)),
                Column::Values(column) => {
                    if !column.push(self.at_in_batch, &mut cells) {
                        let at = self.at.clone();
                        return Err(DataError::NotUtf8 { at });
                    }
                }
            }
        }
        self.at_in_batch += 1;
        row.values = Values::Cells(cells);
        row.set_place(&self.at);
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
