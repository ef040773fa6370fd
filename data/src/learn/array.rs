//! Learns how arrays become bytes: scaled from the smallest to the largest number, or unchanged if they are bytes.

use super::{ClassCounts, LearnOptions};
use crate::{read::array::check_labels, ArrayRecipe, Cell, DataError, Row, Source, Values};

/// Numbers are taken for bytes, which stay as they are, if all are whole numbers from 0 to 255 and one is at least this.
const BYTE: f64 = 128.0;

/// Learns a recipe from the arrays for training.
pub(crate) fn learn(
    source: &Source,
    training: &dyn Fn(u64) -> bool,
    _: &LearnOptions,
) -> Result<ArrayRecipe, DataError> {
    check_labels(source)?;
    let mut classes = ClassCounts::default();
    let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let mut number = 0;
    while rows.read(&mut row)? {
        number += 1;
        let Values::Array { values, label } = &row.values else {
            continue;
        };
        if !training(number - 1) {
            continue;
        }
        classes.add(&row.at, "label", Cell::Text(label))?;
        for &value in values {
            (low, high) = (low.min(value), high.max(value));
            whole &= value.fract() == 0.0;
        }
    }
    let classes = classes.classes(source, "label")?;
    if whole && low >= 0.0 && (BYTE..=255.0).contains(&high) {
        (low, high) = (0.0, 255.0);
    }
    Ok(ArrayRecipe {
        shape: source.shape().to_vec(),
        low,
        high,
        classes,
    })
}

#[cfg(test)]
mod tests;
