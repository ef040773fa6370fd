//! The recipe of a table: which columns, and how each becomes bytes.

use super::classes::{distinct, ClassIndex, MAX_CLASSES};
use crate::{Cell, Cells, DataError, Place, RecipeError, Source};
use serde::{Deserialize, Serialize};

/// How a row of a table becomes a sample: the bytes of its columns, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecipe {
    /// The column with the class.
    pub label: Label,
    /// The columns that a sample is made of, in order.
    pub columns: Vec<Column>,
}

/// The column with the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its name.
    pub column: String,
    /// The classes, in the order of their numbers.
    pub classes: Vec<String>,
}

/// A column, and how it becomes bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ColumnText", into = "ColumnText")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How it becomes bytes.
    pub how: How,
}

/// How a cell becomes bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// A number from `low` to `high` becomes one byte from 0 to 255, rounded to the nearest, halves up; a number outside is
    /// clamped.
    Numeric {
        /// The number that becomes 0.
        low: f64,
        /// The number that becomes 255. If it equals `low`, every number becomes 0.
        high: f64,
        /// The byte of a missing number.
        missing: u8,
    },
    /// One of these texts becomes as many bytes as there are texts: its own is 255, all others are 0. A
    /// text that is not listed, and a missing one, become zeros.
    Categories(Vec<String>),
}

/// A column as it is written in TOML.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnText {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    categories: Option<Vec<String>>,
}

impl From<Column> for ColumnText {
    fn from(column: Column) -> Self {
        let name = column.name;
        match column.how {
            How::Numeric { low, high, missing } => Self {
                name,
                low: Some(low),
                high: Some(high),
                missing: Some(missing),
                categories: None,
            },
            How::Categories(categories) => Self {
                name,
                low: None,
                high: None,
                missing: None,
                categories: Some(categories),
            },
        }
    }
}

impl TryFrom<ColumnText> for Column {
    type Error = RecipeError;

    fn try_from(text: ColumnText) -> Result<Self, RecipeError> {
        let how = match (text.low, text.high, text.missing, text.categories) {
            (Some(low), Some(high), Some(missing), None) => How::Numeric { low, high, missing },
            (None, None, None, Some(categories)) => How::Categories(categories),
            _ => return Err(RecipeError::Column(text.name)),
        };
        let name = text.name;
        Ok(Self { name, how })
    }
}

impl Column {
    /// Bytes of a cell.
    pub fn bytes(&self) -> usize {
        match &self.how {
            How::Numeric { .. } => 1,
            How::Categories(categories) => categories.len(),
        }
    }
}

impl TableRecipe {
    /// Bytes of a sample.
    pub fn inputs(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    pub(crate) fn validate(&self) -> Result<(), RecipeError> {
        let names = self.columns.iter().map(|column| column.name.clone());
        let names: Vec<String> = names.chain([self.label.column.clone()]).collect();
        distinct(&names)?;
        for column in &self.columns {
            match &column.how {
                How::Numeric { low, high, .. } => check_range(&column.name, *low, *high)?,
                How::Categories(categories) => {
                    if !(1..=MAX_CLASSES).contains(&categories.len()) {
                        return Err(RecipeError::Categories(column.name.clone()));
                    }
                    distinct(categories)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether numbers from `low` to `high` can be turned into bytes.
pub(crate) fn check_range(what: &str, low: f64, high: f64) -> Result<(), RecipeError> {
    if low <= high && (high - low).is_finite() {
        return Ok(());
    }
    Err(RecipeError::Range {
        what: what.to_owned(),
        low: low.to_string(),
        high: high.to_string(),
    })
}

/// How numbers from `low` to `high` become bytes.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    factor: f64,
}

impl Scale {
    /// The scale with 0 at `low` and 255 at `high`; 0 everywhere if they are the same.
    pub fn new(low: f64, high: f64) -> Self {
        let factor = if low == high {
            0.0
        } else {
            255.0 / (high - low)
        };
        Self { low, factor }
    }

    /// The byte of a finite number: `(number - low) * (255 / (high - low))`, rounded to the nearest, halves up.
    #[inline]
    pub fn byte(self, number: f64) -> u8 {
        // The conversion clamps values outside.
        ((number - self.low) * self.factor + 0.5) as u8
    }
}

/// The byte of a finite `number` on the scale from `low` to `high`.
#[inline]
pub(crate) fn byte_of(number: f64, low: f64, high: f64) -> u8 {
    Scale::new(low, high).byte(number)
}

/// A table's recipe, bound to the columns of a source.
pub(crate) struct TablePlan {
    label_name: String,
    label: usize,
    steps: Vec<Step>,
}

/// How the cell at `index` becomes bytes.
struct Step {
    index: usize,
    name: String,
    how: StepHow,
}

enum StepHow {
    Numeric { scale: Scale, missing: u8 },
    Categories { names: ClassIndex, bytes: usize },
}

impl TablePlan {
    /// Finds the recipe's columns in `source`, and the label's if samples are to be `labelled`.
    pub fn new(recipe: &TableRecipe, source: &Source, labelled: bool) -> Result<Self, DataError> {
        let find = |name: &String| {
            let index = source.header().iter().position(|found| found == name);
            index.ok_or_else(|| DataError::NoColumn {
                path: source.first_path().into(),
                column: name.clone(),
                has: source.header().to_vec(),
            })
        };
        let label = match labelled {
            true => find(&recipe.label.column)?,
            false => find(&recipe.label.column).unwrap_or(usize::MAX),
        };
        let step = |column: &Column| {
            let how = match &column.how {
                How::Numeric { low, high, missing } => StepHow::Numeric {
                    scale: Scale::new(*low, *high),
                    missing: *missing,
                },
                How::Categories(categories) => StepHow::Categories {
                    names: ClassIndex::new(categories),
                    bytes: categories.len(),
                },
            };
            let index = find(&column.name)?;
            let name = column.name.clone();
            Ok(Step { index, name, how })
        };
        let steps: Result<Vec<Step>, DataError> = recipe.columns.iter().map(step).collect();
        Ok(Self {
            label_name: recipe.label.column.clone(),
            label,
            steps: steps?,
        })
    }

    /// The name of the label's column.
    pub fn label_name(&self) -> &str {
        &self.label_name
    }

    /// The label's cell, missing if the source has no such column.
    pub fn label<'a>(&self, cells: &'a Cells) -> Cell<'a> {
        cells.get(self.label)
    }

    /// Appends the sample that a row's cells become.
    pub fn encode(&self, at: &Place, cells: &Cells, sample: &mut Vec<u8>) -> Result<(), DataError> {
        for step in &self.steps {
            let cell = cells.get(step.index);
            match &step.how {
                StepHow::Numeric { scale, missing } => {
                    sample.push(match cell.number() {
                        Some(number) if number.is_finite() => scale.byte(number),
                        _ if is_missing(cell) => *missing,
                        // This is an error.
                        _ => return number_in(cell, at, &step.name).map(|_| ()),
                    });
                }
                StepHow::Categories { names, bytes } => {
                    let start = sample.len();
                    sample.resize(start + bytes, 0);
                    if let Some(found) = names.find(cell.usable(at, &step.name)?) {
                        sample[start + usize::from(found)] = u8::MAX;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The finite number in a cell, none if it is missing.
pub(crate) fn number_in(
    cell: Cell<'_>,
    at: &Place,
    column: &str,
) -> Result<Option<f64>, DataError> {
    match cell.usable(at, column)?.number() {
        Some(number) if number.is_finite() => Ok(Some(number)),
        Some(found) => Err(DataError::NotFinite {
            at: at.clone(),
            column: column.to_owned(),
            found,
        }),
        None if is_missing(cell) => Ok(None),
        None => Err(DataError::NotANumber {
            at: at.clone(),
            column: column.to_owned(),
            found: cell.to_string(),
        }),
    }
}

/// Whether a cell has no value, or only spaces.
#[inline]
pub(crate) fn is_missing(cell: Cell<'_>) -> bool {
    match cell {
        Cell::Missing => true,
        Cell::Number(_) | Cell::Unsupported(_) => false,
        Cell::Text(text) => text.trim().is_empty(),
    }
}

#[cfg(test)]
mod tests;
