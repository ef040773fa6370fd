//! Text as tokens, each one byte of a record.

use crate::{Labelled, RecipeError};

/// Most tokens of a vocabulary, so that each is a byte.
pub(crate) const MAX_TOKENS: usize = 256;

/// A text has a character that the vocabulary lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vocabulary does not have `{}`; its characters are {}", .character.escape_debug(), .characters.escape_debug())]
pub struct UnknownCharacter {
    /// The first such character.
    pub character: char,
    /// All the characters that the vocabulary has.
    pub characters: String,
}

/// Turns text into tokens, and tokens into text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    /// The characters, or none if a token is a byte.
    alphabet: Option<Alphabet>,
    /// For each token, the numbers of its characters, or its bytes.
    tokens: Vec<Vec<u8>>,
    /// The pairs that make the last tokens, one each.
    pairs: Vec<(u8, u8)>,
    /// The number that stands for an unknown character.
    unknown: Option<u8>,
}

impl Tokenizer {
    /// A token for every one of the `characters`, in their order.
    ///
    /// # Errors
    /// No character, more than 256, or the same one twice.
    pub fn characters(characters: &str) -> Result<Self, RecipeError> {
        let alphabet = Alphabet::new(characters)?;
        Ok(Self {
            tokens: alphabet.numbers().map(|number| vec![number]).collect(),
            alphabet: Some(alphabet),
            pairs: Vec::new(),
            unknown: None,
        })
    }

    /// One token per byte.
    pub fn bytes() -> Self {
        Self {
            alphabet: None,
            tokens: (0..=u8::MAX).map(|byte| vec![byte]).collect(),
            pairs: Vec::new(),
            unknown: None,
        }
    }

    /// Byte-pair encoding (Sennrich, Haddow, Birch, arXiv:1508.07909) with these tokens: first single characters, and then pairs of
    /// earlier tokens. Among the pairs in a text, the one with the lowest number is joined first.
    ///
    /// # Errors
    /// No token, more than 256, the same one twice, or one that is not a pair of earlier ones.
    pub fn byte_pairs(tokens: &[String]) -> Result<Self, RecipeError> {
        if tokens.len() > MAX_TOKENS {
            return Err(RecipeError::Tokens(tokens.len()));
        }
        let is_single = |token: &&String| token.chars().count() == 1;
        let single: String = tokens.iter().take_while(is_single).cloned().collect();
        let mut tokenizer = Self::characters(&single)?;
        for token in &tokens[tokenizer.tokens.len()..] {
            let not_a_pair = || RecipeError::NotAPair(token.clone());
            match tokenizer.encode(token).map_err(|_| not_a_pair())?[..] {
                [left, right] => tokenizer.join(left, right),
                [_] => return Err(RecipeError::Twice(token.clone())),
                _ => return Err(not_a_pair()),
            }
        }
        Ok(tokenizer)
    }

    /// The same, but with `character` for every unknown one.
    ///
    /// # Errors
    /// A character that is itself unknown.
    pub fn with_unknown(mut self, character: char) -> Result<Self, RecipeError> {
        let alphabet = self.alphabet.as_ref();
        let number = alphabet.and_then(|alphabet| alphabet.number(character));
        self.unknown = Some(number.ok_or(RecipeError::Unknown(character))?);
        Ok(self)
    }

    /// Adds the token that is made of these two.
    fn join(&mut self, left: u8, right: u8) {
        let pair = [left, right].map(|token| &self.tokens[usize::from(token)][..]);
        self.tokens.push(pair.concat());
        self.pairs.push((left, right));
    }

    /// The number of different tokens.
    pub fn vocab(&self) -> u32 {
        // At most 256.
        self.tokens.len() as u32
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// A character that the vocabulary lacks.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, UnknownCharacter> {
        let mut tokens = Vec::with_capacity(text.len());
        self.encode_into(text, &mut tokens)?;
        Ok(tokens)
    }

    /// Appends the tokens of `text`.
    ///
    /// # Errors
    /// A character that the vocabulary lacks.
    pub fn encode_into(&self, text: &str, tokens: &mut Vec<u8>) -> Result<(), UnknownCharacter> {
        let Some(alphabet) = &self.alphabet else {
            tokens.extend_from_slice(text.as_bytes());
            return Ok(());
        };
        let start = tokens.len();
        for character in text.chars() {
            let number = alphabet.number(character).or(self.unknown);
            tokens.push(number.ok_or_else(|| UnknownCharacter {
                character,
                characters: alphabet.characters.iter().collect(),
            })?);
        }
        // A pair makes a token with a number above its own two, so joining each pair once, in their order, leaves none.
        let mut there = [false; MAX_TOKENS];
        for token in &tokens[start..] {
            there[usize::from(*token)] = true;
        }
        let first = self.tokens.len() - self.pairs.len();
        for ((left, right), joined) in self.pairs.iter().zip(first..) {
            if there[usize::from(*left)] && there[usize::from(*right)] {
                let before = tokens.len();
                join(tokens, start, (*left, *right), joined as u8);
                there[joined] = tokens.len() < before;
            }
        }
        Ok(())
    }

    /// The text of `tokens`. Bytes that are not tokens are left out; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u8]) -> String {
        match &self.alphabet {
            None => String::from_utf8_lossy(tokens).into_owned(),
            Some(alphabet) => {
                let numbers = tokens.iter().flat_map(|token| self.numbers_of(*token));
                let character = |number: &u8| alphabet.characters.get(usize::from(*number));
                numbers.filter_map(character).collect()
            }
        }
    }

    /// How many characters `tokens` stand for.
    pub fn length(&self, tokens: &[u8]) -> usize {
        match self.alphabet {
            // All bytes but the second and later ones of a character.
            None => tokens.iter().filter(|byte| **byte >> 6 != 0b10).count(),
            Some(_) => tokens
                .iter()
                .map(|token| self.numbers_of(*token).len())
                .sum(),
        }
    }

    /// How many characters of `samples` are predicted: those of each sample's tokens except the first, and those of its label.
    pub fn characters_of(&self, samples: &Labelled) -> usize {
        let texts = samples.pixels.chunks_exact(samples.inputs.max(1));
        let predicted = texts.zip(&samples.labels).map(|(tokens, label)| {
            self.length(tokens.get(1..).unwrap_or_default()) + self.length(&[*label])
        });
        predicted.sum()
    }

    /// Losses of `samples`, given in Q16 bits, in bits per character: a sample's loss covers all its tokens except the first, and
    /// its label.
    pub fn bits_per_character(&self, losses: &[u32], samples: &Labelled) -> f64 {
        let bits: f64 = losses.iter().map(|loss| f64::from(*loss) / 65_536.0).sum();
        bits / self.characters_of(samples).max(1) as f64
    }

    /// The numbers of a token's characters; empty for a byte that is not a token.
    fn numbers_of(&self, token: u8) -> &[u8] {
        let numbers = self.tokens.get(usize::from(token));
        numbers.map(Vec::as_slice).unwrap_or_default()
    }
}

/// At most 256 characters, by number and back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alphabet {
    characters: Vec<char>,
    /// Sorted by character.
    numbers: Vec<(char, u8)>,
    /// The numbers of ASCII characters, which are the most frequent in most texts.
    ascii: [Option<u8>; 128],
}

impl Alphabet {
    fn new(text: &str) -> Result<Self, RecipeError> {
        let characters: Vec<char> = text.chars().collect();
        if characters.is_empty() || characters.len() > MAX_TOKENS {
            return Err(RecipeError::Tokens(characters.len()));
        }
        let mut numbers: Vec<(char, u8)> = text.chars().zip(0..=u8::MAX).collect();
        numbers.sort_unstable();
        if let Some(same) = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(RecipeError::Twice(same[0].0.into()));
        }
        let mut ascii = [None; 128];
        for (character, number) in &numbers {
            if let Some(place) = ascii.get_mut(*character as usize) {
                *place = Some(*number);
            }
        }
        Ok(Self {
            characters,
            numbers,
            ascii,
        })
    }

    fn number(&self, character: char) -> Option<u8> {
        if let Some(number) = self.ascii.get(character as usize) {
            return *number;
        }
        let found = self
            .numbers
            .binary_search_by_key(&character, |(known, _)| *known);
        found.ok().map(|at| self.numbers[at].1)
    }

    /// The numbers of all characters.
    fn numbers(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).take(self.characters.len())
    }
}

/// Replaces every pair in `text` from `start`, first to last, by one token: in three equal tokens in a row, the first two are a
/// pair.
pub(crate) fn join(text: &mut Vec<u8>, start: usize, (left, right): (u8, u8), joined: u8) {
    let (mut from, mut to, mut next) = (start, start, start);
    // What lies between pairs is moved at once.
    while let Some(found) = text[next..].iter().position(|token| *token == left) {
        let at = next + found;
        next = at + 1;
        if text.get(next) == Some(&right) {
            text.copy_within(from..at, to);
            to += at - from;
            text[to] = joined;
            to += 1;
            next += 1;
            from = next;
        }
    }
    text.copy_within(from.., to);
    text.truncate(to + text.len() - from);
}

#[cfg(test)]
mod tests;
