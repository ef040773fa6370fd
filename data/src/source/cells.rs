//! The cells of a row of a table.

use crate::{read, DataError, Place};
use std::{fmt, ops::Range, sync::Arc};

/// A cell of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    /// A number, in formats that have numbers.
    Number(f64),
    /// Text. In a CSV file it may well be a number's.
    Text(&'a str),
    /// A value of this type, which is not read: a list, for example. It is an error where it is used.
    Unsupported(&'a str),
}

impl Cell<'_> {
    /// The number that the cell holds or whose text it holds. It may be infinite or NaN.
    #[inline]
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Missing | Self::Unsupported(_) => None,
            Self::Number(number) => Some(number),
            Self::Text(text) => read::number::parse(text),
        }
    }

    /// The cell, in the row at `at`, if recipes can use its value.
    ///
    /// # Errors
    /// [`DataError::UnsupportedType`].
    #[inline]
    pub(crate) fn usable(self, at: &Place, column: &str) -> Result<Self, DataError> {
        match self {
            Self::Unsupported(found) => Err(DataError::UnsupportedType {
                at: at.clone(),
                column: column.to_owned(),
                found: found.to_owned(),
            }),
            cell => Ok(cell),
        }
    }
}

/// The text, or the number in its shortest decimal form. Empty if the value is missing; the type's name for a value that is not
/// supported.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) | Self::Unsupported(text) => f.pad(text),
        }
    }
}

/// The cells of a row, in the order of the header. Their texts share one buffer, so that reading a row
/// into the cells of the one before allocates nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    names: Arc<[String]>,
    text: String,
    cells: Vec<Stored>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stored {
    Missing,
    Number(f64),
    Text { start: usize, end: usize },
    Unsupported { start: usize, end: usize },
}

impl Cells {
    /// No cell yet, of a table with these columns.
    pub fn new(names: Arc<[String]>) -> Self {
        Self {
            names,
            text: String::new(),
            cells: Vec::new(),
        }
    }

    /// The columns' names.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of column `index`, missing if there is none.
    #[inline]
    pub fn get(&self, index: usize) -> Cell<'_> {
        self.cells
            .get(index)
            .map_or(Cell::Missing, |cell| self.cell(*cell))
    }

    /// The cells in order.
    pub fn iter(&self) -> impl Iterator<Item = Cell<'_>> {
        self.cells.iter().map(|cell| self.cell(*cell))
    }

    /// Removes all cells and keeps their memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// Adds a cell.
    #[inline]
    pub fn push(&mut self, cell: Cell<'_>) {
        let stored = self.store(cell);
        self.cells.push(stored);
    }

    /// Removes all cells and adds one per column, all missing.
    pub(crate) fn reset(&mut self) {
        self.clear();
        self.cells.resize(self.names.len(), Stored::Missing);
    }

    /// Replaces the cell of column `index`, if there is one.
    #[inline]
    pub(crate) fn set(&mut self, index: usize, cell: Cell<'_>) {
        let stored = self.store(cell);
        if let Some(place) = self.cells.get_mut(index) {
            *place = stored;
        }
    }

    /// Adds cells that are pieces of `text`, missing where they are empty.
    #[inline]
    pub(crate) fn extend_from(&mut self, text: &str, pieces: impl Iterator<Item = Range<usize>>) {
        let before = self.text.len();
        self.text.push_str(text);
        self.cells
            .extend(pieces.map(|piece| match piece.is_empty() {
                true => Stored::Missing,
                false => Stored::Text {
                    start: before + piece.start,
                    end: before + piece.end,
                },
            }));
    }

    #[inline]
    fn store(&mut self, cell: Cell<'_>) -> Stored {
        match cell {
            Cell::Missing => Stored::Missing,
            Cell::Number(number) => Stored::Number(number),
            Cell::Text(text) => {
                let Range { start, end } = self.add(text);
                Stored::Text { start, end }
            }
            Cell::Unsupported(found) => {
                let Range { start, end } = self.add(found);
                Stored::Unsupported { start, end }
            }
        }
    }

    /// Adds to the buffer of all texts, and returns the place there.
    #[inline]
    fn add(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    #[inline]
    fn cell(&self, cell: Stored) -> Cell<'_> {
        match cell {
            Stored::Missing => Cell::Missing,
            Stored::Number(number) => Cell::Number(number),
            Stored::Text { start, end } => Cell::Text(&self.text[start..end]),
            Stored::Unsupported { start, end } => Cell::Unsupported(&self.text[start..end]),
        }
    }
}
