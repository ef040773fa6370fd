//! Rows of cells, written one after another as CSV or as lines of JSON.

use crate::cli::output::{printable, printable_json};
use anyhow::{bail, Result};
use serde_json::{Map, Value};
use std::{
    io::{self, Write},
    path::Path,
};

/// How a sheet is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetFormat {
    /// A line of names, then one line per row.
    Csv,
    /// One JSON object per row.
    JsonLines,
}

impl SheetFormat {
    /// The format that the name of a file implies.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            _ => bail!("{}: name the file .csv or .jsonl", path.display()),
        }
    }
}

/// Rows of cells under one head.
pub struct Sheet<W: Write> {
    head: Vec<String>,
    lines: Lines<W>,
    /// Whether a terminal shows it; some characters in strangers' names would control the terminal.
    is_shown: bool,
}

enum Lines<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Json(W),
}

impl<W: Write> Sheet<W> {
    /// An empty sheet, which goes to `writer`.
    pub fn new(format: SheetFormat, writer: W) -> Self {
        let lines = match format {
            SheetFormat::Csv => Lines::Csv(Box::new(csv::Writer::from_writer(writer))),
            SheetFormat::JsonLines => Lines::Json(writer),
        };
        Self {
            head: Vec::new(),
            lines,
            is_shown: false,
        }
    }

    /// The same sheet; if `is_shown`, it goes to a terminal, and cells of CSV are escaped. In a file they are exact.
    pub fn shown(self, is_shown: bool) -> Self {
        Self { is_shown, ..self }
    }

    /// Writes the names of the cells, before the first row.
    pub fn head(&mut self, names: impl IntoIterator<Item = String>) -> Result<()> {
        self.head.extend(names);
        let is_shown = self.is_shown;
        if let Lines::Csv(writer) = &mut self.lines {
            let names = self.head.iter().map(|name| cell(name.clone(), is_shown));
            writer.write_record(names)?;
        }
        Ok(())
    }

    /// Writes a row, with a cell for every name; null is an empty one.
    pub fn row(&mut self, cells: Vec<Value>) -> Result<()> {
        let is_shown = self.is_shown;
        match &mut self.lines {
            Lines::Csv(writer) => {
                writer.write_record(cells.iter().map(|value| cell(text(value), is_shown)))?
            }
            Lines::Json(writer) => {
                let cells: Map<_, _> = self.head.iter().cloned().zip(cells).collect();
                let line = Value::Object(cells).to_string();
                writeln!(writer, "{}", printable_json(&line))?;
            }
        }
        Ok(())
    }

    /// Writes what is still in memory.
    pub fn finish(mut self) -> Result<()> {
        match &mut self.lines {
            Lines::Csv(writer) => writer.flush()?,
            Lines::Json(writer) => writer.flush()?,
        }
        Ok(())
    }
}

/// A cell of CSV as it is written.
fn cell(text: String, is_shown: bool) -> String {
    match is_shown {
        true => printable(&text).into_owned(),
        false => text,
    }
}

/// The text of a cell of CSV.
fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A writer whose reader may be gone, as in `gotong predict ... | head -1`: then it accepts everything.
pub struct Unread<W>(pub W);

impl<W: Write> Write for Unread<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(format: SheetFormat) -> String {
        let mut bytes = Vec::new();
        let mut sheet = Sheet::new(format, &mut bytes);
        sheet.head(["class", "p:a,b"].map(str::to_owned)).unwrap();
        sheet.row(vec![json!("x \"y\""), json!(0.5)]).unwrap();
        sheet.row(vec![Value::Null, json!(1)]).unwrap();
        sheet.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let expected = "class,\"p:a,b\"\n\"x \"\"y\"\"\",0.5\n,1\n";
        assert_eq!(written(SheetFormat::Csv), expected);
        let expected = "{\"class\":\"x \\\"y\\\"\",\"p:a,b\":0.5}\n{\"class\":null,\"p:a,b\":1}\n";
        assert_eq!(written(SheetFormat::JsonLines), expected);
    }

    #[test]
    fn a_terminal_is_shown_no_commands_and_files_are_exact() {
        let written = |format, is_shown| {
            let mut bytes = Vec::new();
            let mut sheet = Sheet::new(format, &mut bytes).shown(is_shown);
            sheet.head(["p:\u{1b}[2K".to_owned()]).unwrap();
            sheet.row(vec![json!("a\u{202e}")]).unwrap();
            sheet.finish().unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let exact = "p:\u{1b}[2K\na\u{202e}\n";
        assert_eq!(written(SheetFormat::Csv, false), exact);
        let escaped = "p:\\u{1b}[2K\na\\u{202e}\n";
        assert_eq!(written(SheetFormat::Csv, true), escaped);
        // JSON has escapes of its own.
        let json = written(SheetFormat::JsonLines, true);
        assert_eq!(json, "{\"p:\\u001b[2K\":\"a\\u202e\"}\n");
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let of = |name: &str| SheetFormat::of(Path::new(name)).ok();
        assert_eq!(of("a.CSV"), Some(SheetFormat::Csv));
        assert_eq!(of("b/a.jsonl"), Some(SheetFormat::JsonLines));
        assert_eq!(of("a.xlsx"), None);
        assert_eq!(of("csv"), None);
    }

    #[test]
    fn a_reader_that_has_gone_stops_nothing() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut writer = Unread(Gone);
        writer.write_all(b"row").unwrap();
        writer.flush().unwrap();
        assert!(Gone.write_all(b"row").is_err());
    }
}
