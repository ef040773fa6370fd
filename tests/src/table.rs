//! Tables of numbers with a label, written as Parquet.

use anyhow::{Context, Result};
use parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use std::{fs::File, path::Path, sync::Arc};

/// Writes columns of numbers, followed by one of text.
///
/// # Errors
/// Fails if the file cannot be written, or if a name is not valid in Parquet.
pub fn write_parquet(
    path: &Path,
    columns: &[(&str, Vec<f64>)],
    (label, labels): (&str, &[&str]),
) -> Result<()> {
    let numbers = columns
        .iter()
        .map(|(name, _)| format!("required double {name}; "));
    let numbers: String = numbers.collect();
    let schema = format!("message rows {{ {numbers}required binary {label} (UTF8); }}");
    let schema = Arc::new(parse_message_type(&schema)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema, properties)?;
    let mut group = writer.next_row_group()?;
    for (_, values) in columns {
        let mut column = group.next_column()?.context("a column of numbers")?;
        column
            .typed::<DoubleType>()
            .write_batch(values, None, None)?;
        column.close()?;
    }
    let labels: Vec<ByteArray> = labels.iter().map(|label| ByteArray::from(*label)).collect();
    let mut column = group.next_column()?.context("a column of text")?;
    column
        .typed::<ByteArrayType>()
        .write_batch(&labels, None, None)?;
    column.close()?;
    group.close()?;
    writer.close()?;
    Ok(())
}
