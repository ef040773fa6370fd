//! Divides rows at random: every class has its share in each part, and rows with equal inputs stay together.

use super::{Split, Use};
use crate::recipe::classes::MAX_CLASSES;
use std::{cmp::Reverse, collections::HashMap, collections::TryReserveError};

/// Rows of a class that stay for training: a recipe is not learned from fewer.
const KEPT: u64 = 2;

/// What is known about each row before lots are drawn. It takes 19 bytes of memory per row, and 29 while its vectors grow.
#[derive(Debug, Default)]
pub(super) struct Draw {
    /// The places of the rows in a random order. Rows with equal inputs have the same place.
    places: Vec<u64>,
    /// The number of each row's class; 0 without a label.
    classes: Vec<u16>,
    numbers: HashMap<String, u16>,
}

impl Draw {
    /// Adds a row.
    pub fn push(&mut self, place: u64, label: Option<&str>) -> Result<(), TryReserveError> {
        self.places.try_reserve(1)?;
        self.classes.try_reserve(1)?;
        self.places.push(place);
        let class = label.map_or(0, |label| self.number(label));
        self.classes.push(class);
        Ok(())
    }

    /// Number of rows that were added.
    pub fn len(&self) -> u64 {
        self.places.len() as u64
    }

    /// The number of a class, from 1. All classes beyond those that a label's byte can tell apart share one number: learning
    /// refuses them.
    fn number(&mut self, label: &str) -> u16 {
        if let Some(number) = self.numbers.get(label) {
            return *number;
        }
        let number = self.numbers.len() as u16 + 1;
        if self.numbers.len() < MAX_CLASSES {
            self.numbers.insert(label.to_owned(), number);
        }
        number
    }

    /// What each row is for.
    pub fn uses(mut self, split: &Split) -> Result<Vec<Use>, TryReserveError> {
        let rows = self.places.len();
        let (mut order, mut uses) = (Vec::new(), Vec::new());
        order.try_reserve_exact(rows)?;
        uses.try_reserve_exact(rows)?;
        order.extend(0..rows);
        uses.resize(rows, Use::Training);

        let places = &self.places;
        order.sort_unstable_by_key(|&row| (places[row], row));
        // Rows with equal inputs count for the class of the first of them.
        for pair in order.windows(2) {
            if places[pair[0]] == places[pair[1]] {
                self.classes[pair[1]] = self.classes[pair[0]];
            }
        }
        let classes = &self.classes;
        order.sort_unstable_by_key(|&row| (classes[row], places[row], row));
        let by_class: Vec<&[usize]> = order
            .chunk_by(|&one, &next| classes[one] == classes[next])
            .collect();

        let kept = if self.numbers.is_empty() { 0 } else { KEPT };
        let sizes: Vec<u64> = by_class.iter().map(|class| class.len() as u64).collect();
        let mut room: Vec<u64> = sizes.iter().map(|size| size.saturating_sub(kept)).collect();
        let (exam, report) = split.counts(rows as u64);
        let exams = quotas(&sizes, &room, split.exam_permille, exam);
        for (room, exams) in room.iter_mut().zip(&exams) {
            *room -= exams;
        }
        let reports = quotas(&sizes, &room, split.report_permille, report);

        let mut parts = [(Use::Exam, 0), (Use::Report, 0)];
        for ((class, exam), report) in by_class.iter().zip(exams).zip(reports) {
            // If a class gave too few or too many rows, the next one makes up for it.
            parts[0].1 += exam as i64;
            parts[1].1 += report as i64;
            let mut left = class.len() as u64;
            for equal in class.chunk_by(|&one, &next| places[one] == places[next]) {
                let rows = equal.len() as u64;
                // With them the part comes closer to its quota than without; with a single row, it meets it exactly.
                let part = parts
                    .iter_mut()
                    .find(|(_, missing)| 2 * *missing > rows as i64);
                let Some((part, missing)) = part.filter(|_| left >= rows + kept) else {
                    continue;
                };
                *missing -= rows as i64;
                left -= rows;
                for &row in equal {
                    uses[row] = *part;
                }
            }
        }
        Ok(uses)
    }
}

/// How many rows of each class are for a part of `total` rows, by largest remainder. No class gives more than it has `room` for;
/// other classes make up for it.
fn quotas(sizes: &[u64], room: &[u64], permille: u32, total: u64) -> Vec<u64> {
    let exact = |class: usize| u128::from(sizes[class]) * u128::from(permille);
    let whole = |class: usize| ((exact(class) / 1000) as u64).min(room[class]);
    let mut quotas: Vec<u64> = (0..sizes.len()).map(whole).collect();
    let mut missing = total.saturating_sub(quotas.iter().sum());
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&class| Reverse(exact(class) % 1000));
    loop {
        let before = missing;
        for &class in &order {
            if missing > 0 && quotas[class] < room[class] {
                quotas[class] += 1;
                missing -= 1;
            }
        }
        if missing == before {
            return quotas;
        }
    }
}
