//! What is counted for a column, in bounded memory.

use super::{hash_of, Column, Distinct, Holds, Range, Remark};
use crate::{
    recipe::{classes::MAX_CLASSES, table::is_missing},
    Cell, Place,
};
use std::collections::HashSet;

/// Distinct values are counted up to this.
const MAX_DISTINCT: usize = 1_000;

/// The sum of numbers, and the least and greatest of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    sum: f64,
    min: f64,
    max: f64,
}

impl Sum {
    pub(super) fn add(&mut self, number: f64) {
        let first = self.count == 0;
        self.min = if first { number } else { self.min.min(number) };
        self.max = if first { number } else { self.max.max(number) };
        self.count += 1;
        self.sum += number;
    }

    pub(super) fn range(&self) -> Option<Range> {
        (self.count > 0).then(|| Range {
            min: self.min,
            mean: self.sum / self.count as f64,
            max: self.max,
        })
    }
}

/// What was seen of a column.
pub(super) struct Tally {
    name: String,
    missing: u64,
    numbers: Sum,
    texts: u64,
    first_text: Option<Place>,
    unsupported: u64,
    /// Where the first of them is, and its type.
    first_unsupported: Option<(Place, String)>,
    not_finite: u64,
    first_not_finite: Option<Place>,
    /// Hashes of values.
    distinct: HashSet<u64>,
    more: bool,
    /// The hash that was added last: values often repeat.
    last: Option<u64>,
}

impl Tally {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            missing: 0,
            numbers: Sum::default(),
            texts: 0,
            first_text: None,
            unsupported: 0,
            first_unsupported: None,
            not_finite: 0,
            first_not_finite: None,
            distinct: HashSet::new(),
            more: false,
            last: None,
        }
    }

    pub(super) fn add(&mut self, at: &Place, cell: Cell<'_>) {
        if is_missing(cell) {
            self.missing += 1;
            return;
        }
        if let Cell::Unsupported(found) = cell {
            self.unsupported += 1;
            self.first_unsupported
                .get_or_insert_with(|| (at.clone(), found.to_owned()));
            return;
        }
        match cell.number() {
            Some(number) if number.is_finite() => {
                self.numbers.add(number);
                self.distinguish((number + 0.0).to_bits());
            }
            Some(_) => {
                self.not_finite += 1;
                self.first_not_finite.get_or_insert_with(|| at.clone());
            }
            None => {
                self.texts += 1;
                self.first_text.get_or_insert_with(|| at.clone());
                self.distinguish(hash_of(&cell.to_string().trim()));
            }
        }
    }

    fn distinguish(&mut self, value: u64) {
        if self.more || self.last == Some(value) {
            return;
        }
        self.last = Some(value);
        if self.distinct.len() < MAX_DISTINCT {
            self.distinct.insert(value);
        } else {
            self.more = !self.distinct.contains(&value);
        }
    }

    fn distinct(&self) -> Distinct {
        Distinct {
            count: self.distinct.len() as u64,
            more: self.more,
        }
    }

    pub(super) fn column(&self) -> Column {
        Column {
            name: self.name.clone(),
            holds: match (self.numbers.count + self.not_finite, self.texts) {
                _ if self.unsupported > 0 => Holds::Unsupported,
                (0, 0) => Holds::Nothing,
                (_, 0) => Holds::Numbers,
                (0, _) => Holds::Text,
                _ => Holds::Both,
            },
            missing: self.missing,
            range: self.numbers.range(),
            distinct: self.distinct(),
        }
    }

    /// What needs attention in a column of `rows` rows.
    pub(super) fn remarks(&self, rows: u64) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let column = || self.name.clone();
        if let Some((first, found)) = &self.first_unsupported {
            remarks.push(Remark::Unsupported {
                column: column(),
                rows: self.unsupported,
                found: found.clone(),
                first: first.to_string(),
            });
            return remarks;
        }
        if let Some(first) = &self.first_not_finite {
            remarks.push(Remark::NotFinite {
                column: column(),
                rows: self.not_finite,
                first: first.to_string(),
            });
        }
        if let (Some(first), true) = (&self.first_text, self.numbers.count > 0) {
            remarks.push(Remark::NumbersAndText {
                column: column(),
                numbers: self.numbers.count,
                texts: self.texts,
                first: first.to_string(),
            });
        }
        if self.texts > 0 && self.distinct.len() > MAX_CLASSES {
            remarks.push(Remark::TooManyTexts {
                column: column(),
                distinct: self.distinct(),
            });
        }
        if self.distinct.len() <= 1 && self.not_finite == 0 && rows > 1 {
            remarks.push(Remark::Constant { column: column() });
        }
        remarks
    }
}
