//! Text as tokens, each a byte of a record.

use bpe::byte_pair_encoding::BytePairEncoding;
use std::sync::LazyLock;

use super::data::Labelled;

/// The characters of the plays, sorted: the number of a character is its place.
const CHARACTERS: &str = "\n !\"#$&'()*,-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]_\
                          abcdefghijklmnopqrstuvwxyz\u{2014}";

/// The tokens of the byte-pair encoding, a JSON list: first the characters, then what
/// [`learn`] makes of the training text.
const BYTE_PAIRS: &str = include_str!("data/shakespeare-bpe.json");

/// A text has a character that the vocabulary lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vocabulary has no `{0}`; its characters are {characters}", characters = CHARACTERS.escape_debug())]
pub struct UnknownCharacter(pub char);

/// Makes tokens of text, and text of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer(Vocabulary);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vocabulary {
    Characters,
    BytePairs,
}

/// The byte-pair encoding over the numbers of characters.
static ENCODING: LazyLock<BytePairEncoding> = LazyLock::new(|| {
    let tokens: Vec<String> =
        serde_json::from_str(BYTE_PAIRS).expect("a list of strings is shipped");
    let numbers = |token: &String| numbers(token).expect("tokens have known characters only");
    BytePairEncoding::from_dictionary(tokens.iter().map(numbers), None)
});

impl Tokenizer {
    /// A token for every one of the 84 characters, in their order.
    pub fn characters() -> Self {
        Self(Vocabulary::Characters)
    }

    /// Byte-pair encoding (Sennrich, Haddow, Birch, arXiv:1508.07909) in 256 tokens: the characters,
    /// and 172 pairs of earlier tokens. Of the pairs in a text, that with the lowest number is
    /// joined first.
    pub fn byte_pairs() -> Self {
        Self(Vocabulary::BytePairs)
    }

    /// The number of different tokens.
    pub fn vocab(&self) -> u32 {
        match self.0 {
            Vocabulary::Characters => CHARACTERS.chars().count() as u32,
            Vocabulary::BytePairs => ENCODING.num_tokens() as u32,
        }
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// A character that the vocabulary lacks.
    pub fn encode(&self, text: &str) -> Result<Vec<u8>, UnknownCharacter> {
        let numbers = numbers(text)?;
        Ok(match self.0 {
            Vocabulary::Characters => numbers,
            Vocabulary::BytePairs => {
                let tokens = ENCODING.encode_via_backtracking(&numbers);
                tokens.into_iter().map(|token| token as u8).collect()
            }
        })
    }

    /// The text of `tokens`. Bytes that are no token are left out.
    pub fn decode(&self, tokens: &[u8]) -> String {
        let known: Vec<char> = CHARACTERS.chars().collect();
        let numbers = tokens.iter().flat_map(|token| self.numbers_of(*token));
        numbers
            .filter_map(|number| known.get(usize::from(number)))
            .collect()
    }

    /// How many characters `tokens` stand for.
    pub fn length(&self, tokens: &[u8]) -> usize {
        tokens
            .iter()
            .map(|token| self.numbers_of(*token).len())
            .sum()
    }

    /// How many characters of `samples` are predicted: all but those of each sample's first token, and its label's.
    pub fn characters_of(&self, samples: &Labelled) -> usize {
        let texts = samples.pixels.chunks_exact(samples.inputs.max(1));
        let predicted = texts.zip(&samples.labels).map(|(tokens, label)| {
            self.length(tokens.get(1..).unwrap_or_default()) + self.length(&[*label])
        });
        predicted.sum()
    }

    /// What losses of `samples`, in Q16 bits, are in bits a character: a sample's loss is that of all
    /// its tokens but the first, and of its label.
    pub fn bits_per_character(&self, losses: &[u32], samples: &Labelled) -> f64 {
        let bits: f64 = losses.iter().map(|loss| f64::from(*loss) / 65_536.0).sum();
        bits / self.characters_of(samples).max(1) as f64
    }

    fn numbers_of(&self, token: u8) -> Vec<u8> {
        match self.0 {
            Vocabulary::BytePairs if u32::from(token) < self.vocab() => {
                ENCODING.token_bytes(token.into()).to_vec()
            }
            _ => vec![token],
        }
    }
}

/// The numbers of the characters of `text`.
fn numbers(text: &str) -> Result<Vec<u8>, UnknownCharacter> {
    let mut known: Vec<(char, u8)> = CHARACTERS.chars().zip(0..).collect();
    known.sort_unstable();
    let number = |character: char| {
        let found = known.binary_search_by_key(&character, |(known, _)| *known);
        found
            .map(|at| known[at].1)
            .map_err(|_| UnknownCharacter(character))
    };
    text.chars().map(number).collect()
}

/// The tokens that byte-pair encoding learns from `texts`, which are numbers of characters below
/// `first`: those, and then the most frequent pair of neighbours, joined to a token everywhere, again
/// and again until there are `count` tokens. Of equally frequent pairs the one with the lowest numbers
/// comes first; of three equal tokens in a row the first two are a pair.
#[cfg(test)]
fn learn(texts: &[Vec<u8>], first: u8, count: usize) -> Vec<Vec<u8>> {
    let mut texts = texts.to_vec();
    let mut tokens: Vec<Vec<u8>> = (0..first).map(|number| vec![number]).collect();
    while tokens.len() < count.min(256) {
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
        tokens.push(
            [
                &tokens[usize::from(left)][..],
                &tokens[usize::from(right)][..],
            ]
            .concat(),
        );
        for text in &mut texts {
            join(text, (left, right), joined);
        }
    }
    tokens
}

/// Replaces every pair in `text`, first to last, by one token.
#[cfg(test)]
fn join(text: &mut Vec<u8>, (left, right): (u8, u8), joined: u8) {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        let is_pair = text[from] == left && text.get(from + 1) == Some(&right);
        text[to] = if is_pair { joined } else { text[from] };
        from += if is_pair { 2 } else { 1 };
        to += 1;
    }
    text.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::super::data::{self, Shakespeare, Use};
    use super::*;

    fn plays() -> Shakespeare {
        Shakespeare::load(&data::folder()).unwrap()
    }

    fn whole(part: Use) -> String {
        plays().blocks(part).collect()
    }

    #[test]
    fn the_characters_are_those_of_the_plays() {
        let all: String = [Use::Training, Use::Exam, Use::Report].map(whole).concat();
        let mut found: Vec<char> = all.chars().collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.iter().collect::<String>(), CHARACTERS);
        assert_eq!(Tokenizer::characters().vocab(), 84);
    }

    #[test]
    fn the_shipped_pairs_are_what_the_training_text_teaches() {
        let texts: Vec<Vec<u8>> = plays()
            .blocks(Use::Training)
            .map(|text| numbers(text).unwrap())
            .collect();
        let characters = Tokenizer::characters();
        let learned: Vec<String> = learn(&texts, 84, 256)
            .iter()
            .map(|token| characters.decode(token))
            .collect();
        let shipped: Vec<String> = serde_json::from_str(BYTE_PAIRS).unwrap();
        assert!(
            learned == shipped,
            "{}",
            serde_json::to_string_pretty(&learned).unwrap()
        );
    }

    #[test]
    fn text_is_what_it_was() {
        let text = whole(Use::Report);
        for tokenizer in [Tokenizer::characters(), Tokenizer::byte_pairs()] {
            let tokens = tokenizer.encode(&text).unwrap();
            assert!(tokens
                .iter()
                .all(|token| u32::from(*token) < tokenizer.vocab()));
            assert!(tokenizer.decode(&tokens) == text);
            assert_eq!(tokenizer.length(&tokens), text.chars().count());
        }
    }

    #[test]
    fn pairs_shorten_the_text_and_the_lowest_is_joined_first() {
        let tokenizer = Tokenizer::byte_pairs();
        assert_eq!(tokenizer.vocab(), 256);
        let text = whole(Use::Exam);
        let tokens = tokenizer.encode(&text).unwrap();
        let ratio = text.chars().count() as f64 / tokens.len() as f64;
        assert!(ratio > 1.8, "{ratio} characters a token");
        let shipped: Vec<String> = serde_json::from_str(BYTE_PAIRS).unwrap();
        let mut slow: Vec<String> = text.chars().take(2_000).map(String::from).collect();
        for token in &shipped {
            let mut at = 0;
            while at + 1 < slow.len() {
                if slow[at].clone() + &slow[at + 1] == *token {
                    let right = slow.remove(at + 1);
                    slow[at] += &right;
                }
                at += 1;
            }
        }
        let piece: String = text.chars().take(2_000).collect();
        let fast = tokenizer.encode(&piece).unwrap();
        let fast: Vec<String> = fast
            .iter()
            .map(|token| tokenizer.decode(&[*token]))
            .collect();
        assert_eq!(fast, slow);
    }

    #[test]
    fn the_most_frequent_pair_is_learned_first() {
        // "abab", "cab": ab three times, then (ab)(ab) and c(ab) once each.
        let learned = learn(&[vec![0, 1, 0, 1], vec![2, 0, 1]], 3, 6);
        assert_eq!(learned[3..], [vec![0, 1], vec![2, 0, 1], vec![0, 1, 0, 1]]);
        let none_left = learn(&[vec![0]], 1, 9);
        assert_eq!(none_left, [[0]]);
        let mut row = vec![5, 5, 5];
        join(&mut row, (5, 5), 7);
        assert_eq!(row, [7, 5]);
    }

    #[test]
    fn unknown_characters_are_named() {
        for tokenizer in [Tokenizer::characters(), Tokenizer::byte_pairs()] {
            assert_eq!(
                tokenizer.encode("To \u{e9}"),
                Err(UnknownCharacter('\u{e9}'))
            );
            assert_eq!(tokenizer.encode(""), Ok(vec![]));
        }
        assert_eq!(Tokenizer::characters().decode(&[84, 255]), "");
    }

    #[test]
    fn bits_are_counted_by_characters() {
        let tokenizer = Tokenizer::byte_pairs();
        let long = (84..=255u8)
            .find(|token| tokenizer.length(&[*token]) == 3)
            .unwrap();
        let samples = Labelled {
            inputs: 2,
            pixels: vec![long, 1, long, long],
            labels: vec![2, 3],
        };
        // Of the first: tokens 1 and 2, two characters; of the second `long` and 3, four.
        let bits = tokenizer.bits_per_character(&[65_536, 65_536 * 5], &samples);
        assert_eq!(bits, 1.0);
    }
}
