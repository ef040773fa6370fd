//! A contributor's own files become samples: those of its part, and no more of them than there is memory for.

use super::TrainingDataError;
use crate::training::data::{Labelled, Part};
use gotong_data::{DataError, Encoder, Recipe, Row, Source};

/// Which samples to keep, and how many.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// The part to keep.
    pub part: Part,
    /// Bytes that it may take.
    pub most_bytes: u64,
}

/// The samples that `recipe` makes of `source`, of `tokens` tokens each if it is text. The rest of the source is read in small
/// buffers and not kept: rows are [in a part by chance](Part::has_row), while a part of text is contiguous, because neighbours
/// in a text are alike.
///
/// # Errors
/// A source that the recipe does not fit or that cannot be read; a row of the part that it does not fit; no sample, or more of
/// them than may be kept.
pub(super) fn load(
    source: &Source,
    recipe: &Recipe,
    tokens: Option<usize>,
    kept: Kept,
) -> Result<Labelled, TrainingDataError> {
    let encoder = recipe.encoder(source)?;
    match (recipe.inputs(), tokens) {
        (Some(inputs), _) => rows(source, &encoder, inputs, kept),
        (None, Some(tokens)) => windows(source, &encoder, tokens.max(1), kept),
        (None, None) => Err(DataError::NoLength.into()),
    }
}

impl Kept {
    /// Whether so many samples may be kept.
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

    /// Whether there is a sample in the part, of `all` that there are.
    fn check_any(&self, data: &Labelled, all: u64) -> Result<(), TrainingDataError> {
        match data.is_empty() {
            true => Err(TrainingDataError::EmptyPart {
                part: self.part,
                samples: all,
            }),
            false => Ok(()),
        }
    }
}

fn rows(
    source: &Source,
    encoder: &Encoder<'_>,
    inputs: usize,
    kept: Kept,
) -> Result<Labelled, TrainingDataError> {
    if let Some(rows) = source.len_hint() {
        kept.check(rows / kept.part.count() as u64, inputs)?;
    }
    let mut data = empty(inputs);
    let mut all = 0u64;
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    while rows.read(&mut row)? {
        if kept.part.has_row(all) {
            kept.check(data.len() as u64 + 1, inputs)?;
            encoder.inputs_into(&row, &mut data.pixels)?;
            data.labels.extend(encoder.label_of(&row)?);
        }
        all += 1;
    }
    if all == 0 {
        let path = source.first_path().into();
        return Err(DataError::Empty { path }.into());
    }
    kept.check_any(&data, all)?;
    Ok(data)
}

fn windows(
    source: &Source,
    encoder: &Encoder<'_>,
    tokens: usize,
    kept: Kept,
) -> Result<Labelled, TrainingDataError> {
    // A part of text is known once all of it is counted.
    let mut all = 0u64;
    if kept.part != Part::WHOLE {
        each_window(source, encoder, tokens, |_, _| {
            all += 1;
            Ok(())
        })?;
    }
    let range = match kept.part {
        Part::WHOLE => 0..u64::MAX,
        part => part.range(all),
    };
    let mut data = empty(tokens);
    let mut at = 0u64;
    each_window(source, encoder, tokens, |window, next| {
        if range.contains(&at) {
            kept.check(data.len() as u64 + 1, tokens)?;
            data.pixels.extend_from_slice(window);
            data.labels.push(next);
        }
        at += 1;
        Ok(())
    })?;
    if at == 0 {
        let path = source.first_path().into();
        return Err(DataError::TooShort { path, tokens }.into());
    }
    kept.check_any(&data, at)?;
    Ok(data)
}

/// Gives `each` window of every document with the token after it, which is the first of the next; what is left of a document
/// is dropped, as [`Recipe::load`] does.
fn each_window(
    source: &Source,
    encoder: &Encoder<'_>,
    tokens: usize,
    mut each: impl FnMut(&[u8], u8) -> Result<(), TrainingDataError>,
) -> Result<(), TrainingDataError> {
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let mut document = row.at.clone();
    let mut unread = Vec::new();
    while rows.read(&mut row)? {
        if row.at != document {
            document = row.at.clone();
            unread.clear();
        }
        encoder.inputs_into(&row, &mut unread)?;
        let mut start = 0;
        while let Some(next) = unread.get(start + tokens) {
            each(&unread[start..start + tokens], *next)?;
            start += tokens;
        }
        unread.drain(..start);
    }
    Ok(())
}

fn empty(inputs: usize) -> Labelled {
    Labelled {
        inputs,
        pixels: Vec::new(),
        labels: Vec::new(),
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
