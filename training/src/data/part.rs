//! A part of a data set, as `--part` takes it.

use super::Labelled;
use gotong_scoring::blake2_256;
use std::{fmt, ops::Range, str::FromStr};

/// One of `of` equal parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one: 1 to `of`.
    index: usize,
    /// How many there are.
    of: usize,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(index, of)| {
                let (index, of) = (index.parse().ok()?, of.parse().ok()?);
                (1..=of).contains(&index).then_some(Self { index, of })
            })
            .ok_or_else(|| format!("`{text}` is not a part such as 2/4"))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl Part {
    /// All of a set, as its only part.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// The first of `parts` parts, or of as many as can be counted.
    pub fn first_of(parts: u64) -> Self {
        Self {
            index: 1,
            of: usize::try_from(parts).unwrap_or(usize::MAX).max(1),
        }
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.of
    }

    /// The samples of this part, out of `samples`: one of several contiguous ranges of equal length, give or take one sample, that
    /// share none and cover all.
    pub fn range(&self, samples: u64) -> Range<u64> {
        // It is at most `samples`, so nothing is lost.
        let bound = |part: usize| (u128::from(samples) * part as u128 / self.of as u128) as u64;
        bound(self.index - 1)..bound(self.index)
    }

    /// Whether a row, counted from 0, is in this part: out of as many consecutive rows as there are parts, every part gets one, by
    /// chance. So a part resembles the whole, however the rows are sorted, and nobody has to count them first.
    pub fn has_row(&self, row: u64) -> bool {
        let parts = self.of as u64;
        let group = row / parts;
        let digest = blake2_256(&[b"gotong:part", &group.to_le_bytes()]);
        let (words, _) = digest.as_chunks::<8>();
        let turn = words.first().map_or(0, |word| u64::from_le_bytes(*word));
        // Both are below the number of parts, which is a `usize`.
        let place = u128::from(row % parts) + u128::from(turn % parts);
        place % u128::from(parts) == (self.index - 1) as u128
    }

    /// Keeps only the samples of this part, [by range](Self::range), in place.
    pub fn keep(&self, data: &mut Labelled) {
        let range = self.range(data.len() as u64);
        let (start, end) = (range.start as usize, range.end as usize);
        data.pixels.truncate(end * data.inputs);
        data.pixels.drain(..start * data.inputs);
        data.labels.truncate(end);
        data.labels.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_one() {
        assert_eq!("2/4".parse(), Ok(Part { index: 2, of: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    fn parts(of: usize) -> Vec<Part> {
        (1..=of).map(|index| Part { index, of }).collect()
    }

    #[test]
    fn parts_are_equal_and_cover_all_rows_once() {
        for (rows, of) in [(0, 3), (2, 3), (100, 1), (101, 4)] {
            let (mut in_parts, mut in_ranges) = (0, 0);
            for part in parts(of) {
                let own = (0..rows).filter(|row| part.has_row(*row)).count() as u64;
                let range = part.range(rows);
                assert!(own.abs_diff(rows / of as u64) <= 1, "{part} of {rows}");
                assert_eq!(range.start, in_ranges);
                (in_parts, in_ranges) = (in_parts + own, range.end);
            }
            assert_eq!((in_parts, in_ranges), (rows, rows));
            for row in 0..rows {
                let owners = parts(of).iter().filter(|part| part.has_row(row)).count();
                assert_eq!(owners, 1, "row {row} of {rows}");
            }
        }
    }

    #[test]
    fn a_part_of_rows_that_alternate_has_all_of_them() {
        for part in parts(2) {
            let own: Vec<u64> = (0..100).filter(|row| part.has_row(*row)).collect();
            let even = own.iter().filter(|row| **row % 2 == 0).count();
            assert!((10..40).contains(&even), "{even} of {}", own.len());
        }
    }

    #[test]
    fn a_part_is_kept_in_place() {
        let five = Labelled {
            inputs: 2,
            pixels: (0..10).collect(),
            labels: vec![0, 1, 2, 3, 4],
        };
        let kept = parts(3).into_iter().flat_map(|part| {
            let mut data = five.clone();
            let memory = data.pixels.as_ptr();
            part.keep(&mut data);
            assert_eq!(data.pixels.as_ptr(), memory);
            assert!(data == five.part(part.index - 1, 3));
            data.labels
        });
        assert_eq!(kept.collect::<Vec<_>>(), five.labels);
    }
}
