//! Learns how the columns of a table become bytes.

use super::{sort, ClassCounts, LearnOptions};
use crate::recipe::table::{is_missing, Label, Scale};
use crate::{Cell, Column, DataError, How, Place, Row, Source, TableRecipe, Values};
use std::{collections::BTreeSet, fmt::Write};

/// Most distinct texts in a column.
const MAX_CATEGORIES: usize = 256;

/// Learns a recipe from the rows for training. A column whose cells are all numbers is numeric,
/// from its smallest to its largest number, with the mean's byte for a missing one. Any other has
/// its texts as categories.
pub(super) fn learn(
    source: &Source,
    training: &dyn Fn(u64) -> bool,
    options: &LearnOptions,
) -> Result<TableRecipe, DataError> {
    let names = source.header();
    let path = || source.first_path().to_owned();
    let no_column = |column: &String| DataError::NoColumn {
        path: path(),
        column: column.clone(),
        has: names.to_vec(),
    };
    let index_of = |column: &String| {
        let index = names.iter().position(|name| name == column);
        index.ok_or_else(|| no_column(column))
    };
    let label_name = source.options().label.as_ref();
    let label_name = label_name.ok_or_else(|| DataError::LabelNotNamed {
        path: path(),
        has: names.to_vec(),
    })?;
    let label = index_of(label_name)?;
    for column in [&options.drop, &options.categorical, &options.numeric]
        .into_iter()
        .flatten()
    {
        index_of(column)?;
    }
    let kept = names.iter().enumerate();
    let kept = kept.filter(|(index, name)| *index != label && !options.drop.contains(name));
    let mut columns: Vec<Facts> = kept.map(|(index, _)| Facts::of(index)).collect();
    if columns.is_empty() {
        return Err(DataError::NoColumnLeft { path: path() });
    }
    let mut classes = ClassCounts::default();
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let mut number = 0;
    while rows.read(&mut row)? {
        number += 1;
        let Values::Cells(cells) = &row.values else {
            continue;
        };
        if !training(number - 1) {
            continue;
        }
        classes.add(&row.at, label_name, cells.get(label))?;
        for column in &mut columns {
            let cell = cells.get(column.index);
            column.add(&row.at, cell.usable(&row.at, &names[column.index])?);
        }
    }
    let classes = classes.classes(source, label_name)?;
    let column = |facts: Facts| {
        let name = names[facts.index].clone();
        let how = facts.how(source, &name, options)?;
        Ok(Column { name, how })
    };
    let columns: Result<Vec<Column>, DataError> = columns.into_iter().map(column).collect();
    let column = label_name.clone();
    Ok(TableRecipe {
        label: Label { column, classes },
        columns: columns?,
    })
}

/// What the rows for training say about a column.
struct Facts {
    index: usize,
    /// Cells with a finite number.
    numbers: u64,
    low: f64,
    high: f64,
    sum: f64,
    /// Cells with a text that is not a number.
    texts: u64,
    first_text: Option<(Place, String)>,
    first_infinite: Option<(Place, f64)>,
    /// The distinct texts, until there are too many.
    categories: BTreeSet<String>,
    /// The first text beyond the limit.
    too_many: Option<(Place, String)>,
    /// The text of the cell.
    text: String,
}

impl Facts {
    fn of(index: usize) -> Self {
        Self {
            index,
            numbers: 0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            sum: 0.0,
            texts: 0,
            first_text: None,
            first_infinite: None,
            categories: BTreeSet::new(),
            too_many: None,
            text: String::new(),
        }
    }

    fn add(&mut self, at: &Place, cell: Cell<'_>) {
        if is_missing(cell) {
            return;
        }
        if self.too_many.is_none() {
            self.add_category(at, cell);
        }
        match cell.number() {
            Some(number) if number.is_finite() => {
                self.numbers += 1;
                self.low = self.low.min(number);
                self.high = self.high.max(number);
                self.sum += number;
            }
            Some(number) => {
                self.first_infinite
                    .get_or_insert_with(|| (at.clone(), number));
            }
            None => {
                self.texts += 1;
                self.first_text
                    .get_or_insert_with(|| (at.clone(), cell.to_string()));
            }
        }
    }

    fn add_category(&mut self, at: &Place, cell: Cell<'_>) {
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{cell}");
        let text = self.text.trim();
        if self.categories.contains(text) {
            return;
        }
        if self.categories.len() == MAX_CATEGORIES {
            self.too_many = Some((at.clone(), text.to_owned()));
        } else {
            self.categories.insert(text.to_owned());
        }
    }

    /// How the column becomes bytes.
    fn how(self, source: &Source, name: &String, options: &LearnOptions) -> Result<How, DataError> {
        let column = name.clone();
        let is_all_numbers = self.texts == 0 && !self.categories.is_empty();
        let is_categorical = options.categorical.contains(name);
        let is_numeric = options.numeric.contains(name) || is_all_numbers && !is_categorical;
        // Too many texts, but even more numbers: a column of numbers with some mistakes.
        let is_mistaken = self.too_many.is_some() && self.numbers > self.texts && !is_categorical;
        if is_numeric || is_mistaken {
            if let Some((at, found)) = self.first_text {
                return Err(DataError::NotANumber { at, column, found });
            }
        }
        if is_numeric {
            if let Some((at, found)) = self.first_infinite {
                return Err(DataError::NotFinite { at, column, found });
            }
        }
        if self.categories.is_empty() {
            let path = source.first_path().into();
            return Err(DataError::NoValues { path, column });
        }
        if is_numeric {
            let mean = self.sum / self.numbers as f64;
            return Ok(How::Numeric {
                low: self.low,
                high: self.high,
                missing: Scale::new(self.low, self.high).byte(mean),
            });
        }
        if let Some((at, found)) = self.too_many {
            return Err(DataError::TooManyCategories { at, column, found });
        }
        let mut categories: Vec<String> = self.categories.into_iter().collect();
        sort(&mut categories);
        Ok(How::Categories(categories))
    }
}

#[cfg(test)]
mod tests;
