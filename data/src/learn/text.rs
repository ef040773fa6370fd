//! Learns the tokens of text.

use super::LearnOptions;
use crate::tokenizer::{join, MAX_TOKENS};
use crate::{DataError, Row, TextRecipe, TokenKind, Tokenizer, Values};
use std::{collections::BTreeSet, path::Path};

/// Most bytes of text that byte pairs are learned from, the first ones for training.
const LEARNED_BYTES: usize = 8 << 20;
/// Most characters for which byte pairs are the default: at least as many tokens are left.
const MAX_PAIRED: usize = MAX_TOKENS / 2;

/// Learns the tokens of the documents in `rows`, from the files of which `path` is the first. If no kind
/// of token is chosen, they are byte pairs, or bytes where the text has more than 128 different
/// characters.
///
/// # Errors
/// A row that cannot be read, no text, or more than 256 different characters.
pub fn learn_text(
    path: &Path,
    rows: impl Iterator<Item = Result<Row, DataError>>,
    options: &LearnOptions,
) -> Result<TextRecipe, DataError> {
    let mut characters: BTreeSet<char> = options.unknown.into_iter().collect();
    let mut texts: Vec<String> = Vec::new();
    let (mut kept, mut is_empty) = (0, true);
    for row in rows {
        let Values::Text(text) = row?.values else {
            continue;
        };
        is_empty &= text.is_empty();
        characters.extend(text.chars());
        if kept < LEARNED_BYTES {
            let text = beginning(text, LEARNED_BYTES - kept);
            kept += text.len();
            texts.push(text);
        }
    }
    if is_empty {
        return Err(DataError::Empty { path: path.into() });
    }
    let tokens = options.tokens.unwrap_or(match characters.len() {
        0..=MAX_PAIRED => TokenKind::BytePairs,
        _ => TokenKind::Bytes,
    });
    let mut recipe = TextRecipe {
        tokens,
        unknown: options.unknown,
        alphabet: String::new(),
        list: Vec::new(),
    };
    let is_alphabet = tokens != TokenKind::Bytes;
    if is_alphabet && characters.len() > MAX_TOKENS {
        return Err(DataError::TooManyCharacters { path: path.into() });
    }
    match tokens {
        TokenKind::Bytes => recipe.unknown = None,
        TokenKind::Characters => recipe.alphabet = characters.into_iter().collect(),
        TokenKind::BytePairs => {
            let alphabet: String = characters.into_iter().collect();
            recipe.list = pairs(path, &alphabet, &texts, options.vocab)?;
        }
    }
    Ok(recipe)
}

/// The first characters of `text`, in at most `bytes` bytes.
fn beginning(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// The tokens that byte-pair encoding learns from `texts`: the characters of the alphabet, and pairs.
fn pairs(
    path: &Path,
    alphabet: &str,
    texts: &[String],
    vocab: usize,
) -> Result<Vec<String>, DataError> {
    let tokenizer = Tokenizer::characters(alphabet)?;
    let numbers = texts.iter().map(|text| tokenizer.encode(text));
    let numbers: Result<Vec<Vec<u8>>, _> = numbers.collect();
    // The alphabet has the characters of all the texts.
    let numbers = numbers.map_err(|_| DataError::TooManyCharacters { path: path.into() })?;
    let characters = alphabet.chars().count();
    let vocab = vocab.clamp(characters, MAX_TOKENS);
    let tokens = learn_pairs(numbers, characters, vocab);
    Ok(tokens.iter().map(|token| tokenizer.decode(token)).collect())
}

/// The tokens that byte-pair encoding learns from `texts`, which are numbers of characters below `characters`: those, and then the
/// most frequent pair of neighbours, joined into a token everywhere, again and again until there are `count` tokens. Among equally
/// frequent pairs, the one with the lowest numbers comes first; in three equal tokens in a row, the first two are a pair.
fn learn_pairs(mut texts: Vec<Vec<u8>>, characters: usize, count: usize) -> Vec<Vec<u8>> {
    let all = (0..=u8::MAX).take(characters);
    let mut tokens: Vec<Vec<u8>> = all.map(|number| vec![number]).collect();
    while tokens.len() < count.min(MAX_TOKENS) {
        let mut counts = vec![0u32; 1 << 16];
        for pair in texts.iter().flat_map(|text| text.windows(2)) {
            counts[usize::from(pair[0]) << 8 | usize::from(pair[1])] += 1;
        }
        let most = (0..counts.len()).rev().max_by_key(|pair| counts[*pair]);
        let Some(pair) = most.filter(|pair| counts[*pair] > 0) else {
            break;
        };
        let (left, right) = ((pair >> 8) as u8, pair as u8);
        let joined = tokens.len() as u8;
        let parts = [left, right].map(|token| &tokens[usize::from(token)][..]);
        tokens.push(parts.concat());
        for text in &mut texts {
            join(text, 0, (left, right), joined);
        }
    }
    tokens
}

#[cfg(test)]
mod tests;
