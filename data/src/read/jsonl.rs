//! JSONL files: one object per line.

use super::{number, packed, text, Header, ReadRows};
use crate::{Cell, Cells, DataError, Place, Row, Values};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer as _, Error, IgnoredAny, MapAccess, Visitor,
};
use serde_json::{value::RawValue, Deserializer};
use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

/// Most bytes of a line.
const MAX_LINE_BYTES: u64 = 64 << 20;
/// Most keys of the first object: each takes many times its bytes.
const MAX_KEYS: usize = 1 << 20;

/// The keys of the file's first object.
pub(crate) fn header(path: &Path) -> Result<Header, DataError> {
    let mut lines = Lines::open(&path.into())?;
    if !lines.next()? {
        return Err(DataError::Empty { path: path.into() });
    }
    let mut names = Vec::new();
    let mut object = Deserializer::from_str(lines.text()?);
    let keys = object.deserialize_map(Keys(&mut names));
    keys.and_then(|()| object.end())
        .map_err(|error| lines.refused(&error))?;
    Header::table(path, names)
}

/// A pass over the file's rows.
pub(crate) fn rows(path: &Arc<Path>, header: &Header) -> Result<Box<dyn ReadRows>, DataError> {
    Ok(Box::new(Rows {
        lines: Lines::open(path)?,
        names: header.names.clone(),
    }))
}

/// The lines that are not blank.
struct Lines {
    file: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    at: Place,
}

impl Lines {
    fn open(path: &Arc<Path>) -> Result<Self, DataError> {
        Ok(Self {
            file: BufReader::with_capacity(64 << 10, packed::open(path)?),
            line: Vec::new(),
            at: Place {
                file: path.clone(),
                row: 0,
            },
        })
    }

    /// Reads the next line; false at the end.
    fn next(&mut self) -> Result<bool, DataError> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.file).take(MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| DataError::reading(&self.at.file, error))?;
            if read == 0 {
                return Ok(false);
            }
            if self.at.row == 0 && self.line.starts_with(text::MARK) {
                self.line.drain(..text::MARK.len());
            }
            if self.line.iter().all(u8::is_ascii_whitespace) && read < MAX_LINE_BYTES as usize {
                continue;
            }
            self.at.row += 1;
            if self.line.len() == MAX_LINE_BYTES as usize {
                return Err(DataError::BadRow {
                    at: self.at.clone(),
                    reason: "a line is 64 MiB or longer; write one object per line".into(),
                });
            }
            return Ok(true);
        }
    }

    /// The line as text. Checking it as a whole is faster than checking every key and value on its own.
    fn text(&self) -> Result<&str, DataError> {
        std::str::from_utf8(&self.line).map_err(|_| DataError::NotUtf8 {
            at: self.at.clone(),
        })
    }

    /// Why the line is not a row.
    fn refused(&self, error: &serde_json::Error) -> DataError {
        DataError::BadRow {
            at: self.at.clone(),
            reason: error.to_string(),
        }
    }
}

/// Collects the keys of an object.
struct Keys<'a>(&'a mut Vec<String>);

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            if self.0.len() == MAX_KEYS {
                return Err(A::Error::custom("more than 1,048,576 keys"));
            }
            self.0.push(name);
        }
        Ok(())
    }
}

struct Rows {
    lines: Lines,
    names: Arc<[String]>,
}

impl ReadRows for Rows {
    fn read(&mut self, row: &mut Row) -> Result<bool, DataError> {
        if !self.lines.next()? {
            return Ok(false);
        }
        let mut cells = row.take_cells(&self.names);
        cells.reset();
        let mut object = Deserializer::from_str(self.lines.text()?);
        let read = object.deserialize_map(Object {
            names: &self.names,
            cells: &mut cells,
        });
        read.and_then(|()| object.end())
            .map_err(|error| self.lines.refused(&error))?;
        row.values = Values::Cells(cells);
        row.set_place(&self.lines.at);
        Ok(true)
    }
}

/// Puts the values of an object straight into cells. Keys that the first object lacks are not columns, and are skipped.
struct Object<'a> {
    names: &'a [String],
    cells: &'a mut Cells,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Most objects have their keys in the order of the first one's.
        let mut next = 0;
        let names = self.names;
        while let Some(column) = map.next_key_seed(Key { names, next })? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            next = column + 1;
            map.next_value_seed(Value {
                column,
                cells: self.cells,
            })?;
        }
        Ok(())
    }
}

/// Finds the column of a key, if it has one: at `next` if it is there.
struct Key<'a> {
    names: &'a [String],
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if self.names.get(self.next).is_some_and(|name| name == key) {
            return Ok(Some(self.next));
        }
        Ok(self.names.iter().position(|name| name == key))
    }
}

/// Puts a value into the cell of a column.
struct Value<'a> {
    column: usize,
    cells: &'a mut Cells,
}

impl Value<'_> {
    fn set<E>(self, cell: Cell<'_>) -> Result<(), E> {
        self.cells.set(self.column, cell);
        Ok(())
    }

    fn set_text<E>(self, text: &str) -> Result<(), E> {
        match text {
            "" => self.set(Cell::Missing),
            text => self.set(Cell::Text(text)),
        }
    }

    /// A whole number that no `f64` can hold exactly stays text.
    fn set_number<E: Error>(self, text: &str) -> Result<(), E> {
        let is_whole = text.bytes().all(|byte| !matches!(byte, b'.' | b'e' | b'E'));
        if let (true, Ok(whole)) = (is_whole, text.parse::<i128>()) {
            return match number::exact(whole) {
                Some(number) => self.set(Cell::Number(number)),
                None => self.set(Cell::Text(text)),
            };
        }
        match number::parse(text) {
            Some(number) if number.is_finite() => self.set(Cell::Number(number)),
            _ => Err(E::custom(format!(
                "{text} is not a number that can be kept"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    /// Takes the value's own text: how serde represents a number depends on features that other crates choose.
    fn deserialize<D: serde::Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        let raw = <&RawValue>::deserialize(value)?.get();
        match raw.as_bytes().first() {
            Some(b'n') => self.set(Cell::Missing),
            Some(b't' | b'f') => self.set(Cell::Text(raw)),
            Some(b'[') => self.set(Cell::Unsupported("list")),
            Some(b'{') => self.set(Cell::Unsupported("object")),
            Some(b'"') if raw.contains('\\') => {
                let text: String = serde_json::from_str(raw).map_err(D::Error::custom)?;
                self.set_text(&text)
            }
            Some(b'"') => self.set_text(raw.trim_matches('"')),
            _ => self.set_number(raw),
        }
    }
}

#[cfg(test)]
mod tests;
