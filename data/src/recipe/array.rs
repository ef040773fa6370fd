//! The recipe of arrays: one range that all numbers are scaled by.

use super::table::{byte_of, check_range};
use crate::{DataError, Place, RecipeError};
use serde::{Deserialize, Serialize};

/// How arrays become samples: each number is a byte, row-major. `low` is 0, `high` is 255, numbers between are rounded to the
/// nearest, halves up, and numbers outside are clamped. With a range from 0 to 255, bytes stay as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayRecipe {
    /// The sizes of an array, channels last.
    pub shape: Vec<usize>,
    /// The number that becomes 0.
    pub low: f64,
    /// The number that becomes 255. If it equals `low`, every number becomes 0.
    pub high: f64,
    /// The classes' names, in the order of the labels' bytes.
    pub classes: Vec<String>,
}

impl ArrayRecipe {
    /// Whether its values make sense.
    pub(crate) fn validate(&self) -> Result<(), RecipeError> {
        check_range("numbers", self.low, self.high)
    }

    /// Bytes of a sample.
    pub(crate) fn inputs(&self) -> usize {
        let sizes = self.shape.iter();
        sizes.fold(1, |product: usize, &size| product.saturating_mul(size))
    }

    /// Adds the bytes of the array at `at` to `sample`.
    pub(crate) fn encode(
        &self,
        at: &Place,
        values: &[f64],
        sample: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        if values.len() != self.inputs() {
            return Err(DataError::WrongShape {
                at: at.clone(),
                found: format!("{} numbers", values.len()),
                expected: format!("{} of the shape {:?}", self.inputs(), self.shape),
            });
        }
        sample.extend(
            values
                .iter()
                .map(|&value| byte_of(value, self.low, self.high)),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
