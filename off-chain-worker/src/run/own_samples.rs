//! Turns a contributor's own files into samples: only those of its part, and no more than there is memory for.

use super::TrainingDataError;
use gotong_data::{DataError, Recipe, Source};
use gotong_training::data::{Labelled, Part};

/// Which samples to keep, and how many.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// The part to keep.
    pub part: Part,
    /// How many bytes they may take.
    pub most_bytes: u64,
}

/// The samples that `recipe` makes of `source`; if it is text, each has `tokens` tokens. The rest of the source is read in small
/// buffers and not kept: rows are [in a part by chance](Part::has_row), while a part of text is contiguous, because neighbours in a
/// text are alike.
///
/// # Errors
/// Fails if the source cannot be read or the recipe does not fit it, if the recipe does not fit a row of the part, if there is no
/// sample, or if there are more than may be kept.
pub(super) fn load(
    source: &Source,
    recipe: &Recipe,
    tokens: Option<usize>,
    kept: Kept,
) -> Result<Labelled, TrainingDataError> {
    let part = kept.part;
    let Some(inputs) = recipe.inputs() else {
        let tokens = tokens.ok_or(DataError::NoLength)?.max(1);
        // A part of a text is known only once the whole text is counted.
        let range = match part {
            Part::WHOLE => 0..u64::MAX,
            part => part.range(recipe.count_samples(source, Some(tokens))?),
        };
        return kept.load(source, recipe, tokens, |number| range.contains(&number));
    };
    if let Some(rows) = source.len_hint() {
        kept.check(rows / part.count() as u64, inputs)?;
    }
    kept.load(source, recipe, inputs, |number| part.has_row(number))
}

/// The same, or as large a part of it as fits. A smaller part is a sample of the larger one.
///
/// # Errors
/// The errors of a contributor's samples, except that they are too large.
pub fn load_what_fits(
    source: &Source,
    recipe: &Recipe,
    tokens: Option<usize>,
    most_bytes: u64,
) -> Result<Labelled, TrainingDataError> {
    let mut part = Part::WHOLE;
    loop {
        match load(source, recipe, tokens, Kept { part, most_bytes }) {
            Err(TrainingDataError::TooLarge { parts, .. }) if parts > part.count() as u64 => {
                part = Part::first_of(parts);
            }
            loaded => return loaded,
        }
    }
}

impl Kept {
    /// Checks that this many samples may be kept.
    ///
    /// # Errors
    /// [`TrainingDataError::TooLarge`].
    pub fn check(&self, samples: u64, inputs: usize) -> Result<(), TrainingDataError> {
        let needs = samples.saturating_mul(inputs as u64 + 1);
        if needs <= self.most_bytes {
            return Ok(());
        }
        let most = self.most_bytes;
        let smaller = needs.div_ceil(most.max(1)).max(2);
        let parts = smaller.saturating_mul(self.part.count() as u64);
        Err(TrainingDataError::TooLarge { needs, most, parts })
    }

    /// The wanted samples, each of this many bytes.
    fn load(
        &self,
        source: &Source,
        recipe: &Recipe,
        inputs: usize,
        is_wanted: impl Fn(u64) -> bool,
    ) -> Result<Labelled, TrainingDataError> {
        let mut data = Labelled {
            inputs,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        let samples = recipe.each_sample(source, Some(inputs), is_wanted, |sample, label| {
            self.check(data.len() as u64 + 1, inputs)?;
            data.pixels.extend_from_slice(sample);
            data.labels.push(label);
            Ok::<(), TrainingDataError>(())
        })?;
        match data.is_empty() {
            true => Err(TrainingDataError::EmptyPart {
                part: self.part,
                samples,
            }),
            false => Ok(data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_data::SourceOptions;
    use std::{fs, path::PathBuf};

    const FLOWERS: &str = r#"
kind = "table"

[label]
column = "species"
classes = ["iris", "rose"]

[[columns]]
name = "petal"
low = 0.0
high = 255.0
missing = 0
"#;

    const LETTERS: &str = r#"
kind = "text"
tokens = "characters"
alphabet = "abcde"
"#;

    fn source(folder: &tempfile::TempDir, files: &[(&str, &str)]) -> Source {
        let write = |(name, content): &(&str, &str)| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let files: Vec<_> = files.iter().map(write).collect();
        Source::open(&files, SourceOptions::default()).unwrap()
    }

    fn kept(part: &str, most_bytes: u64) -> Kept {
        Kept {
            part: part.parse().unwrap(),
            most_bytes,
        }
    }

    /// A table of 100 rows, numbered, the second half of which are roses.
    fn flowers() -> String {
        let rows = (0..100).map(|row| format!("{row},{}\n", ["iris", "rose"][row / 50]));
        "petal,species\n".to_owned() + &rows.collect::<String>()
    }

    #[test]
    fn parts_of_a_sorted_table_are_alike_and_share_no_row() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(&folder, &[("flowers.csv", &flowers())]);
        let recipe = Recipe::parse(FLOWERS).unwrap();
        let mut rows = Vec::new();
        for part in ["1/4", "2/4", "3/4", "4/4"] {
            let data = load(&source, &recipe, None, kept(part, u64::MAX)).unwrap();
            assert_eq!(data.len(), 25);
            assert!(data.labels.contains(&0) && data.labels.contains(&1));
            rows.extend(data.pixels);
        }
        rows.sort_unstable();
        assert!(rows.into_iter().eq(0..100));
        let whole = load(&source, &recipe, None, kept("1/1", u64::MAX)).unwrap();
        assert!(whole == recipe.load(&source, None).unwrap());
    }

    #[test]
    fn what_does_not_fit_into_memory_is_refused_and_a_part_of_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(&folder, &[("flowers.csv", &flowers())]);
        let recipe = Recipe::parse(FLOWERS).unwrap();
        // A row takes two bytes.
        let load = |part, most| load(&source, &recipe, None, kept(part, most));
        assert_eq!(load("1/1", 200).unwrap().len(), 100);
        assert_eq!(load("1/4", 50).unwrap().len(), 25);
        let error = load("1/1", 199).unwrap_err();
        assert!(
            matches!(error, TrainingDataError::TooLarge { most: 199, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("--part 1/"), "{error}");
        // A smaller part than the one that was tried.
        assert!(matches!(
            load("1/4", 49),
            Err(TrainingDataError::TooLarge { parts: 8, .. })
        ));
    }

    #[test]
    fn of_what_does_not_fit_a_part_is_taken_that_does() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(&folder, &[("flowers.csv", &flowers())]);
        let recipe = Recipe::parse(FLOWERS).unwrap();
        let fits = |most| load_what_fits(&source, &recipe, None, most);
        assert_eq!(fits(200).unwrap().len(), 100);
        // How long the file is becomes known only once all of it is read.
        let part = fits(60).unwrap();
        assert!((10..=30).contains(&part.len()) && part.labels.contains(&1));
        assert!(matches!(
            fits(1),
            Err(TrainingDataError::TooLarge { .. } | TrainingDataError::EmptyPart { .. })
        ));
    }

    #[test]
    fn a_part_of_text_is_contiguous_and_the_same_windows() {
        let folder = tempfile::tempdir().unwrap();
        let long = "abcde".repeat(9);
        let files = [("a.txt", &*long), ("b.txt", "ab"), ("c.txt", "edcbaedcba")];
        let source = source(&folder, &files);
        let recipe = Recipe::parse(LETTERS).unwrap();
        let whole = recipe.load(&source, Some(4)).unwrap();
        let load = |part, most| load(&source, &recipe, Some(4), kept(part, most));
        assert!(load("1/1", u64::MAX).unwrap() == whole);
        for (index, part) in ["1/3", "2/3", "3/3"].into_iter().enumerate() {
            assert!(load(part, u64::MAX).unwrap() == whole.part(index, 3));
        }
        let bytes = whole.part(0, 3).len() as u64 * 5;
        load("1/3", bytes).unwrap();
        assert!(matches!(
            load("1/3", bytes - 1),
            Err(TrainingDataError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_part_without_a_sample_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(&folder, &[("a.txt", "abcdea")]);
        let recipe = Recipe::parse(LETTERS).unwrap();
        let error = load(&source, &recipe, Some(4), kept("1/2", u64::MAX)).unwrap_err();
        assert!(
            matches!(error, TrainingDataError::EmptyPart { samples: 1, .. }),
            "{error}"
        );
        let error = load(&source, &recipe, Some(9), kept("1/2", u64::MAX)).unwrap_err();
        assert!(matches!(
            error,
            TrainingDataError::Own(DataError::TooShort { .. })
        ));
    }
}
