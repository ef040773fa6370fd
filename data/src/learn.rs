//! Learns a recipe from the rows for training.

pub(crate) mod array;
pub(crate) mod image;
pub(crate) mod table;
pub(crate) mod text;

use crate::recipe::classes::MAX_CLASSES;
use crate::{Cell, DataError, Kind, Place, Recipe, Source, TextRecipe, TokenKind};
use std::collections::HashMap;

pub use text::learn_text;

/// What to learn, where the data leaves a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnOptions {
    /// For text: what the tokens are. Byte pairs if none is named.
    pub tokens: Option<TokenKind>,
    /// For byte pairs: the number of tokens, at most 256.
    pub vocab: usize,
    /// For images: height and width. Those of the first image if none are named.
    pub size: Option<(u32, u32)>,
    /// For images: whether they are made grey.
    pub grey: bool,
    /// For tables: the columns that are left out.
    pub drop: Vec<String>,
    /// For tables: the columns of numbers that are categories, such as codes.
    pub categorical: Vec<String>,
    /// For tables: the columns that must be numbers; a text in one is an error.
    pub numeric: Vec<String>,
    /// For text: what stands for a character that the rows for training lack.
    pub unknown: Option<char>,
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            tokens: None,
            vocab: 256,
            size: None,
            grey: false,
            drop: Vec::new(),
            categorical: Vec::new(),
            numeric: Vec::new(),
            unknown: None,
        }
    }
}

/// Learns a recipe from the rows of `source` for which `training` says yes; it is asked with the number
/// of each row in the source, from 0. No other row leaves a trace in the recipe.
///
/// # Errors
/// A row that cannot be read; a label that is missing, or the only one of its class; too many classes or
/// categories; numbers that are infinite or NaN; no row for training.
pub fn learn(
    source: &Source,
    training: impl Fn(u64) -> bool,
    options: &LearnOptions,
) -> Result<Recipe, DataError> {
    let recipe = match source.kind() {
        Kind::Table => Recipe::Table(table::learn(source, &training, options)?),
        Kind::Text => Recipe::Text(learn_source_text(source, &training, options)?),
        Kind::Array => Recipe::Array(array::learn(source, &training, options)?),
        Kind::Image => Recipe::Image(image::learn(source, &training, options)?),
        Kind::Records => {
            return Err(DataError::AlreadyMade {
                path: source.first_path().into(),
            })
        }
    };
    recipe.validate()?;
    Ok(recipe)
}

fn learn_source_text(
    source: &Source,
    training: &dyn Fn(u64) -> bool,
    options: &LearnOptions,
) -> Result<TextRecipe, DataError> {
    let rows = source.rows()?.zip(0..);
    let rows = rows.filter(|(row, number)| row.is_err() || training(*number));
    learn_text(source.first_path(), rows.map(|(row, _)| row), options)
}

/// The classes of the rows for training.
#[derive(Debug, Default)]
pub(crate) struct ClassCounts {
    /// For each class, its first row, and how many rows have it.
    classes: HashMap<String, (Place, u64)>,
    /// The text of a label that is a number.
    number: String,
}

impl ClassCounts {
    /// Counts the label of the row at `at`, in the column or array `column`.
    pub fn add(&mut self, at: &Place, column: &str, label: Cell<'_>) -> Result<(), DataError> {
        use std::fmt::Write;
        let name = match label.usable(at, column)? {
            Cell::Missing | Cell::Unsupported(_) => "",
            Cell::Text(text) => text.trim(),
            Cell::Number(number) => {
                self.number.clear();
                // Writing to a string cannot fail.
                let _ = write!(self.number, "{number}");
                &self.number
            }
        };
        let (at, column) = (|| at.clone(), || column.to_owned());
        if let Some((_, count)) = self.classes.get_mut(name) {
            *count += 1;
            return Ok(());
        }
        if name.is_empty() {
            let (at, column) = (at(), column());
            return Err(DataError::NoLabel { at, column });
        }
        if let Some(found) = label.number().filter(|number| !number.is_finite()) {
            let (at, column) = (at(), column());
            return Err(DataError::NotFinite { at, column, found });
        }
        if self.classes.len() == MAX_CLASSES {
            return Err(DataError::TooManyClasses {
                at: at(),
                column: column(),
                class: name.to_owned(),
            });
        }
        self.classes.insert(name.to_owned(), (at(), 1));
        Ok(())
    }

    /// The classes in order: by value if all are numbers, otherwise as texts. There must be at
    /// least two, with at least two rows each.
    pub fn classes(self, source: &Source, column: &str) -> Result<Vec<String>, DataError> {
        let column = column.to_owned();
        let path = source.first_path().to_owned();
        let lonely = self.classes.iter().filter(|(_, (_, count))| *count == 1);
        // The first such row in the source's order, as far as the files are in order.
        if let Some((class, (at, _))) =
            lonely.min_by_key(|one| (one.1 .0.row, one.1 .0.file.clone()))
        {
            return Err(DataError::LonelyLabel {
                at: at.clone(),
                column,
                class: class.clone(),
            });
        }
        let mut classes: Vec<String> = self.classes.into_keys().collect();
        sort(&mut classes);
        match classes.pop() {
            None => Err(DataError::Empty { path }),
            Some(class) if classes.is_empty() => Err(DataError::OneClass {
                path,
                column,
                class,
            }),
            Some(last) => {
                classes.push(last);
                Ok(classes)
            }
        }
    }
}

/// Sorts names by value if all are numbers, else as text.
pub(crate) fn sort(names: &mut [String]) {
    let number = |name: &String| Cell::Text(name).number();
    names.sort_unstable();
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by(|one, other| {
            let pair = number(one).zip(number(other));
            pair.map_or(std::cmp::Ordering::Equal, |(one, other)| {
                one.total_cmp(&other)
            })
        });
    }
}

#[cfg(test)]
mod tests;
