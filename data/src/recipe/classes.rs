//! Names in which cells are looked up: classes and categories.

use crate::{Cell, RecipeError};

/// Most classes that a label's byte tells apart.
pub(crate) const MAX_CLASSES: usize = 256;

/// Finds the place of a cell in a list of at most 256 names: by its text, and if no name has the
/// same text, by its number. So the label `1.0` in one file is the class `1` learned from another.
#[derive(Clone, Debug)]
pub(crate) struct ClassIndex {
    /// Sorted by name.
    texts: Vec<(String, u8)>,
    /// Sorted by number.
    numbers: Vec<(f64, u8)>,
}

impl ClassIndex {
    /// The index of `names`.
    pub fn new(names: &[String]) -> Self {
        let mut texts: Vec<(String, u8)> = names.iter().cloned().zip(0..=u8::MAX).collect();
        let number = |(name, place): &(String, u8)| {
            let number = Cell::Text(name).number();
            Some((key(number?)?, *place))
        };
        let mut numbers: Vec<(f64, u8)> = texts.iter().filter_map(number).collect();
        texts.sort_unstable();
        numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
        numbers.dedup_by(|later, first| later.0 == first.0);
        Self { texts, numbers }
    }

    /// The place of the name that `cell` has.
    #[inline]
    pub fn find(&self, cell: Cell<'_>) -> Option<u8> {
        if let Cell::Text(text) = cell {
            if let Some(place) = self.find_text(text).or_else(|| self.find_text(text.trim())) {
                return Some(place);
            }
        }
        if self.numbers.is_empty() {
            return None;
        }
        let number = key(cell.number()?)?;
        let found = self
            .numbers
            .binary_search_by(|(name, _)| name.total_cmp(&number));
        found.ok().map(|found| self.numbers[found].1)
    }
}

impl ClassIndex {
    /// The place of the name that is `text`: found by looking at all of them if they are few.
    #[inline]
    fn find_text(&self, text: &str) -> Option<u8> {
        let found = match self.texts.len() {
            0..=8 => self.texts.iter().position(|(name, _)| name == text),
            _ => {
                let found = self.texts.binary_search_by(|(name, _)| (**name).cmp(text));
                found.ok()
            }
        };
        found.map(|found| self.texts[found].1)
    }
}

/// The number to look up, with one zero; none if it is not finite.
fn key(number: f64) -> Option<f64> {
    number.is_finite().then_some(number + 0.0)
}

/// Whether `classes` are between 2 and 256 different names.
pub(crate) fn validate(classes: &[String]) -> Result<(), RecipeError> {
    if !(2..=MAX_CLASSES).contains(&classes.len()) {
        return Err(RecipeError::Classes(classes.len()));
    }
    distinct(classes)
}

/// Whether no two of `names` are the same.
pub(crate) fn distinct(names: &[String]) -> Result<(), RecipeError> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(same) => Err(RecipeError::Twice(same[0].clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_its_text_and_else_by_its_number() {
        let names = ["b", "1", "a", "2.50", "-0"].map(String::from);
        let index = ClassIndex::new(&names);
        let text = |text| index.find(Cell::Text(text));
        assert_eq!(
            [text("a"), text(" b "), text("1")],
            [Some(2), Some(0), Some(1)]
        );
        assert_eq!(
            [text("1.0"), text("2.5"), text("0")],
            [Some(1), Some(3), Some(4)]
        );
        assert_eq!([text("c"), text(""), text("NaN")], [None; 3]);
        assert_eq!(index.find(Cell::Number(2.5)), Some(3));
        assert_eq!(index.find(Cell::Number(0.0)), Some(4));
        assert_eq!(index.find(Cell::Number(f64::INFINITY)), None);
        assert_eq!(index.find(Cell::Missing), None);
    }

    #[test]
    fn all_256_classes_are_found() {
        let names: Vec<String> = (0..256).map(|number| number.to_string()).collect();
        let index = ClassIndex::new(&names);
        let found = |number: &u8| index.find(Cell::Number((*number).into())) == Some(*number);
        assert!((0..=255).collect::<Vec<u8>>().iter().all(found));
        assert_eq!(validate(&names), Ok(()));
    }

    #[test]
    fn classes_are_two_to_256_different_names() {
        let one = ["a".to_owned()];
        assert_eq!(validate(&one), Err(RecipeError::Classes(1)));
        assert_eq!(
            validate(&vec![String::new(); 257]),
            Err(RecipeError::Classes(257))
        );
        let twice = ["a".to_owned(), "b".into(), "a".into()];
        assert_eq!(validate(&twice), Err(RecipeError::Twice("a".into())));
    }
}
