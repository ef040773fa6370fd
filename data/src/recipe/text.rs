//! The recipe of text: which tokens it is made of.

use crate::{DataError, Place, RecipeError, Tokenizer, UnknownCharacter};
use serde::{Deserialize, Serialize};

/// How text becomes tokens, each of one byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRecipe {
    /// What the tokens are.
    pub tokens: TokenKind,
    /// What stands for a character that is not in the vocabulary. Without it such a character is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<char>,
    /// The characters, if each is a token: a token's number is its place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alphabet: String,
    /// The tokens of byte pairs in the order of their numbers: first the characters, and then pairs of
    /// earlier tokens, in the order in which they are joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

/// What tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// One token per character of the alphabet.
    Characters,
    /// One token per byte of the text in UTF-8: 256 tokens, and no character is unknown.
    Bytes,
    /// Characters, and frequent sequences of them: byte-pair encoding (Sennrich, Haddow, Birch,
    /// arXiv:1508.07909).
    BytePairs,
}

impl TextRecipe {
    /// Number of tokens.
    pub fn vocab(&self) -> usize {
        match self.tokens {
            TokenKind::Characters => self.alphabet.chars().count(),
            TokenKind::Bytes => 256,
            TokenKind::BytePairs => self.list.len(),
        }
    }

    /// The tokenizer of this recipe.
    ///
    /// # Errors
    /// A vocabulary that is not valid.
    pub fn tokenizer(&self) -> Result<Tokenizer, RecipeError> {
        let tokenizer = match self.tokens {
            TokenKind::Characters => Tokenizer::characters(&self.alphabet)?,
            TokenKind::Bytes => Tokenizer::bytes(),
            TokenKind::BytePairs => Tokenizer::byte_pairs(&self.list)?,
        };
        match self.unknown {
            Some(unknown) => tokenizer.with_unknown(unknown),
            None => Ok(tokenizer),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), RecipeError> {
        let needless = match self.tokens {
            TokenKind::Characters => !self.list.is_empty(),
            TokenKind::Bytes => {
                !self.list.is_empty() || !self.alphabet.is_empty() || self.unknown.is_some()
            }
            TokenKind::BytePairs => !self.alphabet.is_empty(),
        };
        if needless {
            let reason = "characters need an `alphabet`, byte pairs a `list`, and bytes neither";
            return Err(RecipeError::Syntax(reason.into()));
        }
        self.tokenizer().map(|_| ())
    }
}

/// Appends the tokens of `text`, which is at `at`.
pub(crate) fn encode(
    tokenizer: &Tokenizer,
    at: &Place,
    text: &str,
    tokens: &mut Vec<u8>,
) -> Result<(), DataError> {
    tokenizer
        .encode_into(text, tokens)
        .map_err(
            |UnknownCharacter { character, .. }| DataError::UnknownCharacter {
                at: at.clone(),
                character,
                around: around(text, character),
            },
        )
}

/// The text around the first `character`, up to 20 characters before and after.
fn around(text: &str, character: char) -> String {
    let (before, after) = text.split_at(text.find(character).unwrap_or(0));
    let start = before.char_indices().rev().nth(19).map_or(0, |(at, _)| at);
    let after = after.chars().take(21);
    before[start..].chars().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_character_is_short_and_whole() {
        assert_eq!(around("x", 'x'), "x");
        let long = format!("{}x{}", "\u{2014}".repeat(30), "\u{e9}".repeat(30));
        let short = format!("{}x{}", "\u{2014}".repeat(20), "\u{e9}".repeat(20));
        assert_eq!(around(&long, 'x'), short);
    }
}
