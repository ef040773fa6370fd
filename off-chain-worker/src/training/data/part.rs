//! A part of a data set, as `--part` takes it.

use super::Labelled;
use std::str::FromStr;

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

impl Part {
    /// This part of `data`: one of several that are equal and contiguous, share no sample and cover it.
    pub fn of(&self, data: &Labelled) -> Labelled {
        data.part(self.index - 1, self.of)
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
}
