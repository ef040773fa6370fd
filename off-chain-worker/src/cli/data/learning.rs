//! The options of learning a recipe.

use gotong_data::{LearnOptions, TokenKind};
use std::str::FromStr;

/// Most tokens: each is a byte.
const VOCAB: u16 = 256;

/// How values become bytes, where the data leaves a choice.
#[derive(Clone, Debug, clap::Args)]
pub struct LearningArgs {
    /// Columns of a table to leave out, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    drop: Vec<String>,
    /// Columns whose numbers are categories, such as codes
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    categorical: Vec<String>,
    /// Columns that must hold numbers: text in one is an error
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    numeric: Vec<String>,
    /// What the tokens of text are [default: byte-pairs]
    #[arg(long, value_enum)]
    tokens: Option<Tokens>,
    /// Size of the byte-pair vocabulary, at most 256
    #[arg(long, default_value_t = VOCAB, value_parser = clap::value_parser!(u16).range(2..=256))]
    vocab: u16,
    /// The character, such as ?, that stands for any character that the training part of a text lacks
    #[arg(long, value_name = "CHARACTER")]
    unknown: Option<char>,
    /// Height and width to resize images to, such as 28x28 [default: those of the first image]
    #[arg(long, value_name = "HEIGHTxWIDTH")]
    size: Option<Size>,
    /// Convert images to greyscale
    #[arg(long)]
    grey: bool,
}

/// What the tokens of text are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tokens {
    /// A token for every character
    Characters,
    /// A token for every byte
    Bytes,
    /// Characters, and frequent sequences of them
    BytePairs,
}

/// Height and width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    height: u32,
    width: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=4096).contains(side));
        text.split_once('x')
            .and_then(|(height, width)| {
                let (height, width) = (side(height)?, side(width)?);
                Some(Self { height, width })
            })
            .ok_or_else(|| {
                format!("`{text}` is not a height and a width up to 4096, such as 28x28")
            })
    }
}

impl Default for LearningArgs {
    fn default() -> Self {
        Self {
            drop: Vec::new(),
            categorical: Vec::new(),
            numeric: Vec::new(),
            tokens: None,
            vocab: VOCAB,
            unknown: None,
            size: None,
            grey: false,
        }
    }
}

impl LearningArgs {
    /// The same, as learning takes it.
    pub fn options(&self) -> LearnOptions {
        LearnOptions {
            tokens: self.tokens.map(|tokens| match tokens {
                Tokens::Characters => TokenKind::Characters,
                Tokens::Bytes => TokenKind::Bytes,
                Tokens::BytePairs => TokenKind::BytePairs,
            }),
            vocab: self.vocab.into(),
            size: self.size.map(|size| (size.height, size.width)),
            grey: self.grey,
            drop: self.drop.clone(),
            categorical: self.categorical.clone(),
            numeric: self.numeric.clone(),
            unknown: self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_height_and_width() {
        assert_eq!(
            "28x32".parse(),
            Ok(Size {
                height: 28,
                width: 32
            })
        );
        for wrong in ["28", "0x3", "3x", "5000x1", "axb", "-1x2"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
