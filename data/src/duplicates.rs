//! Finds what is both in the training part and in an exam: equal samples, and nearly equal ones.
//!
//! Samples are compared as a recipe made them, so that equal inputs are found however they were spelled; labels are not compared. A
//! model that has seen an exam's samples knows the answers by heart, which proves nothing: an equal sample should be refused. Near
//! samples are a hint, found by one simple rule for each kind:
//!
//! - tables and arrays: equal after each byte is reduced to 16 levels;
//! - images: equal in a difference hash of 256 bits, which says where a 16 x 17 grey miniature becomes brighter from left to right;
//!   images of uniform brightness are skipped;
//! - text: the same 64 tokens in a row, wherever they are in the training part. The exam's runs that begin at a document's tokens
//!   0, 64, 128 and so on are looked up, so every shared run of 127 tokens is found.
//!
//! A text's samples are windows of its documents ([`crate::Recipe::load`]): with [`Duplicates::with_sample_tokens`] those of the
//! exam are looked up anywhere in the training part. Text repeats itself in short windows, and some sentences are quoted
//! everywhere, so not everything that is found is refused ([`Duplicates::are_too_many`]).
//!
//! Memory is bounded by the exam: 32 bytes per sample or run, and as many again for near ones. Training samples are streamed.

use crate::{inspect::short_hash, recipe::image::resize};
use serde::Serialize;
use std::collections::HashMap;

/// Number of tokens that two texts must share to be called near.
pub const RUN: usize = 64;
/// Number of tokens in a text's sample, including the one after it, from which on it is no coincidence that it occurs twice.
const TELLING: usize = 32;
/// One in this many samples of text may also be in the training part.
const FREE: u64 = 100;
/// Number of pairs that are kept as examples.
const EXAMPLES: usize = 10;

/// What samples are, which decides when two of them are near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// Rows of tables, or arrays.
    Levels,
    /// Images of this size.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels of a row.
        width: u32,
        /// 1 or 3.
        channels: u8,
    },
    /// Documents of tokens.
    Text,
}

impl Near {
    /// What the samples of `recipe` are.
    pub fn of(recipe: &crate::Recipe) -> Self {
        match recipe {
            crate::Recipe::Table(_) | crate::Recipe::Array(_) => Self::Levels,
            crate::Recipe::Text(_) => Self::Text,
            crate::Recipe::Image(recipe) => Self::Image {
                height: recipe.height,
                width: recipe.width,
                channels: recipe.channels,
            },
        }
    }
}

/// A training sample and the exam's sample that it resembles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The number of the training sample or document, from 1.
    pub training: u64,
    /// The number of the exam's, from 1.
    pub exam: u64,
}

/// Samples that are in both parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many training samples resemble one of the exam's; for text whose samples' length is known, how many of the exam's
    /// samples are in the training part.
    pub count: u64,
    /// The first ten, each with the first sample of the exam that it resembles.
    pub examples: Vec<Pair>,
}

impl Found {
    fn add(&mut self, training: u64, exam: u64, count: u64) {
        self.count += count;
        if self.examples.len() < EXAMPLES {
            self.examples.push(Pair { training, exam });
        }
    }
}

/// Looks training samples up among an exam's.
///
/// ```
/// use gotong_data::duplicates::{Duplicates, Near};
/// let mut duplicates = Duplicates::new(Near::Levels);
/// duplicates.add_exam(&[10, 200]);
/// duplicates.add_training(&[10, 200]);
/// duplicates.add_training(&[11, 200]);
/// duplicates.add_training(&[99, 200]);
/// assert_eq!((duplicates.exact().count, duplicates.near().count), (1, 1));
/// ```
#[derive(Clone, Debug)]
pub struct Duplicates {
    near_means: Near,
    exam: u64,
    training: u64,
    /// For each hash, the first of the exam's samples that has it.
    exact_hashes: HashMap<u128, u64>,
    near_hashes: HashMap<u128, u64>,
    /// For text, the number of tokens in a sample together with the one after it, if known.
    window: Option<usize>,
    /// The exam's samples of text, by their hashes.
    windows: HashMap<u128, Window>,
    exact: Found,
    near: Found,
}

/// Equal samples of an exam of text.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The number of the first.
    first: u64,
    /// How many there are.
    count: u64,
    /// Whether they are in the training part.
    is_found: bool,
}

impl Duplicates {
    /// An empty exam.
    pub fn new(near: Near) -> Self {
        Self {
            near_means: near,
            exam: 0,
            training: 0,
            exact_hashes: HashMap::new(),
            near_hashes: HashMap::new(),
            window: None,
            windows: HashMap::new(),
            exact: Found::default(),
            near: Found::default(),
        }
    }

    /// Compares texts by their samples, which have as many tokens as the model takes, instead of whole documents. Without a number,
    /// or for other kinds, it changes nothing.
    pub fn with_sample_tokens(mut self, tokens: Option<usize>) -> Self {
        let tokens = tokens.filter(|_| self.near_means == Near::Text);
        self.window = tokens.map(|tokens| tokens.max(1).saturating_add(1));
        self
    }

    /// Adds a sample of the exam, without its label; for text, a document.
    pub fn add_exam(&mut self, sample: &[u8]) {
        if self.near_means == Near::Text {
            return self.add_exam_text(sample);
        }
        self.exam += 1;
        let exam = self.exam;
        self.exact_hashes.entry(short_hash(sample)).or_insert(exam);
        if let Some(hash) = self.near_hash(sample) {
            self.near_hashes.entry(hash).or_insert(exam);
        }
    }

    fn add_exam_text(&mut self, document: &[u8]) {
        let first = self.exam + 1;
        match self.window {
            None => {
                self.exam += 1;
                self.exact_hashes
                    .entry(short_hash(document))
                    .or_insert(first);
            }
            Some(length) => {
                for sample in document.windows(length).step_by(length - 1) {
                    self.exam += 1;
                    let window = self.windows.entry(rolling(sample));
                    let window = window.or_insert(Window {
                        first: self.exam,
                        count: 0,
                        is_found: false,
                    });
                    window.count += 1;
                }
            }
        }
        for run in document.chunks_exact(RUN) {
            self.near_hashes.entry(rolling(run)).or_insert(first);
        }
    }

    /// Looks up a training sample, without its label; for text, a document. All of the exam's must have been added.
    pub fn add_training(&mut self, sample: &[u8]) {
        self.training += 1;
        let is_exact = match self.window {
            None => self.add_equal(sample),
            Some(length) => self.add_windows(sample, length),
        };
        if is_exact {
            return;
        }
        let hash = match self.near_means {
            Near::Text => Runs::of(sample, RUN).find(|hash| self.near_hashes.contains_key(hash)),
            _ => self.near_hash(sample),
        };
        if let Some(&exam) = hash.and_then(|hash| self.near_hashes.get(&hash)) {
            self.near.add(self.training, exam, 1);
        }
    }

    /// Whether the whole training sample is one of the exam's.
    fn add_equal(&mut self, sample: &[u8]) -> bool {
        let exam = self.exact_hashes.get(&short_hash(sample)).copied();
        if let Some(exam) = exam {
            self.exact.add(self.training, exam, 1);
        }
        exam.is_some()
    }

    /// Whether a sample of the exam, of `length` tokens with its label, is in a training document.
    fn add_windows(&mut self, document: &[u8], length: usize) -> bool {
        let mut is_any = false;
        for hash in Runs::of(document, length) {
            let Some(window) = self.windows.get_mut(&hash) else {
                continue;
            };
            is_any = true;
            if !window.is_found {
                window.is_found = true;
                self.exact.add(self.training, window.first, window.count);
            }
        }
        is_any
    }

    /// Number of samples in the exam; of documents, for text whose samples' length is not known.
    pub fn exam(&self) -> u64 {
        self.exam
    }

    /// Whether the exam should be refused for what was found: for any equal sample; for text whose samples' length is known, if
    /// more than one sample in a hundred was found and samples have at least 32 tokens, including the label.
    pub fn are_too_many(&self) -> bool {
        match self.window {
            None => self.exact.count > 0,
            Some(length) => length >= TELLING && self.exact.count > self.exam / FREE,
        }
    }

    /// Training samples that are equal to one of the exam's; for text whose samples' length is known, samples of the exam that are
    /// in the training part.
    pub fn exact(&self) -> &Found {
        &self.exact
    }

    /// Training samples that are near one of the exam's and equal to none.
    pub fn near(&self) -> &Found {
        &self.near
    }

    /// The hash that near samples share, if there is one.
    fn near_hash(&self, sample: &[u8]) -> Option<u128> {
        match self.near_means {
            Near::Levels => {
                let levels: Vec<u8> = sample.iter().map(|byte| byte >> 4).collect();
                Some(short_hash(&levels))
            }
            Near::Image {
                height,
                width,
                channels,
            } => difference_hash(sample, (height, width), channels.into()),
            Near::Text => None,
        }
    }
}

/// Rows of the miniature from which the difference hash is made; it has one more column than rows.
const MINIATURE: u32 = 16;

/// A hash of where an image becomes brighter from left to right; none if it does so nowhere, or does not have this size.
fn difference_hash(sample: &[u8], size: (u32, u32), channels: usize) -> Option<u128> {
    let expected = u64::from(size.0) * u64::from(size.1) * channels as u64;
    if expected == 0 || sample.len() as u64 != expected {
        return None;
    }
    let grey: Vec<u8> = sample
        .chunks_exact(channels)
        .map(|pixel| (pixel.iter().map(|&byte| usize::from(byte)).sum::<usize>() / channels) as u8)
        .collect();
    let mut miniature = Vec::new();
    resize(&grey, 1, size, (MINIATURE, MINIATURE + 1), &mut miniature);
    let rows = miniature.chunks_exact(MINIATURE as usize + 1);
    let brighter: Vec<u8> = rows
        .flat_map(|row| row.windows(2).map(|pair| u8::from(pair[0] < pair[1])))
        .collect();
    brighter.contains(&1).then(|| short_hash(&brighter))
}

/// The multiplier of the rolling hash: odd, and its powers are far apart.
const FACTOR: u128 = 0x2d99_787f_79e8_8c2f_5851_f42d_4c95_7f2d;

/// The hash of a run of tokens, as [`Runs`] computes it.
fn rolling(run: &[u8]) -> u128 {
    run.iter().fold(0, |hash, &token| push(hash, token))
}

fn push(hash: u128, token: u8) -> u128 {
    hash.wrapping_mul(FACTOR)
        .wrapping_add(u128::from(token) + 1)
}

/// The hashes of all runs of `length` tokens in a document.
struct Runs<'a> {
    tokens: &'a [u8],
    /// At least 1.
    length: usize,
    /// The end of the next run.
    end: usize,
    /// The hash of the run before it, or the hash of the tokens before the first run ends.
    hash: u128,
    /// What a token contributes to the hash when it leaves.
    leaving: u128,
}

impl<'a> Runs<'a> {
    fn of(tokens: &'a [u8], length: usize) -> Self {
        let before = tokens.get(..length - 1).unwrap_or_default();
        Self {
            tokens,
            length,
            end: length,
            hash: rolling(before),
            leaving: (0..length).fold(1, |power: u128, _| power.wrapping_mul(FACTOR)),
        }
    }
}

impl Iterator for Runs<'_> {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        let token = *self.tokens.get(self.end - 1)?;
        self.hash = push(self.hash, token);
        if self.end > self.length {
            let left = self.tokens[self.end - 1 - self.length];
            self.hash = self
                .hash
                .wrapping_sub(self.leaving.wrapping_mul(u128::from(left) + 1));
        }
        self.end += 1;
        Some(self.hash)
    }
}

#[cfg(test)]
mod tests;
