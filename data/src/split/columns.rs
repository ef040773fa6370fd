//! What rows have in the column that they are divided by: groups and times.

use super::{Split, SplitError};
use crate::{
    recipe::table::{is_missing, number_in},
    Cell, DataError, Place, Row, Source, Values,
};
use gotong_scoring::blake2_256;

/// Longest date: with a time, a fraction and a zone it has 35 bytes.
const MAX_DATE_BYTES: usize = 64;

/// When a row is from: numbers, which have an order, or dates in the form of ISO 8601, whose texts are in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Time {
    /// A finite number.
    Number(f64),
    /// A date, perhaps with a time.
    Date(String),
}

impl Time {
    /// Numbers come before dates, though no column has both.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            (Self::Date(one), Self::Date(other)) => one.cmp(other),
            (Self::Number(_), Self::Date(_)) => std::cmp::Ordering::Less,
            (Self::Date(_), Self::Number(_)) => std::cmp::Ordering::Greater,
        }
    }
}

/// What `read` makes of the cells of one column, none of which may be missing; for text in a column, of another column.
fn column<T>(
    split: &Split,
    source: &Source,
    name: &str,
    mut read: impl FnMut(&Place, Cell<'_>) -> Result<T, DataError>,
) -> Result<Vec<T>, DataError> {
    let path = source.first_path().to_owned();
    let Some(source) = source.table() else {
        let kind = source.kind();
        return Err(SplitError::NoColumns { file: path, kind }.into());
    };
    let index = source.header().iter().position(|found| found == name);
    let index = index.ok_or_else(|| DataError::NoColumn {
        path,
        column: name.to_owned(),
        has: source.header().to_vec(),
    })?;
    let mut values = Vec::new();
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    while rows.read(&mut row)? {
        let Values::Cells(cells) = &row.values else {
            continue;
        };
        let cell = cells.get(index);
        if is_missing(cell) {
            let (at, column) = (row.at.clone(), name.to_owned());
            return Err(SplitError::Missing { at, column }.into());
        }
        values.push(read(&row.at, cell.usable(&row.at, name)?)?);
        split.check_rows(&source, values.len() as u64)?;
    }
    Ok(values)
}

/// A hash of each row's group.
pub(super) fn groups(split: &Split, source: &Source, name: &str) -> Result<Vec<u64>, DataError> {
    column(split, source, name, |_, cell| {
        let mut first = [0; 8];
        first.copy_from_slice(&blake2_256(&[cell.to_string().trim().as_bytes()])[..8]);
        Ok(u64::from_le_bytes(first))
    })
}

/// Each row's time: all are numbers, or all are dates.
pub(super) fn times(split: &Split, source: &Source, name: &str) -> Result<Vec<Time>, DataError> {
    let mut dates: Option<bool> = None;
    column(split, source, name, |at, cell| {
        let text = cell.to_string().trim().to_owned();
        let time = match cell.number() {
            Some(_) => number_in(cell, at, name)?.map(Time::Number),
            None => is_date(&text).then(|| Time::Date(text.clone())),
        };
        let date = matches!(time, Some(Time::Date(_)));
        match time {
            Some(time) if *dates.get_or_insert(date) == date => Ok(time),
            _ => Err(DataError::from(SplitError::NotATime {
                at: at.clone(),
                column: name.to_owned(),
                found: text,
            })),
        }
    })
}

/// Whether `text` begins with a date such as 2026-01-31.
fn is_date(text: &str) -> bool {
    let pattern = b"0000-00-00";
    (pattern.len()..=MAX_DATE_BYTES).contains(&text.len())
        && text
            .bytes()
            .zip(pattern)
            .all(|(found, wanted)| match wanted {
                b'0' => found.is_ascii_digit(),
                _ => found == *wanted,
            })
}
