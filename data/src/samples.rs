//! The samples that a recipe makes from a source: one after the other, or all of them within the available memory.

use crate::{DataError, Encoder, Labelled, Recipe, Row, Source};

/// How much memory samples may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes that they may take together.
    pub most_bytes: u64,
    /// Bytes that a sample takes besides its own and its label's, for what is computed from it.
    pub bytes_besides: u64,
}

impl MemoryLimit {
    /// As much as there is.
    pub const NONE: Self = Self {
        most_bytes: u64::MAX,
        bytes_besides: 0,
    };

    /// Checks that `samples` samples of `source`, of `inputs` bytes each, may be kept.
    ///
    /// # Errors
    /// [`DataError::TooLarge`].
    pub fn check(&self, source: &Source, samples: u64, inputs: usize) -> Result<(), DataError> {
        let each = (inputs as u64 + 1).saturating_add(self.bytes_besides);
        let needs = samples.saturating_mul(each);
        if needs <= self.most_bytes {
            return Ok(());
        }
        Err(DataError::TooLarge {
            path: source.first_path().into(),
            samples,
            needs,
            most: self.most_bytes,
        })
    }
}

impl Recipe {
    /// All rows of `source` as samples, as [`Recipe::each_sample`] returns them.
    ///
    /// # Errors
    /// Those of [`Recipe::each_sample`].
    pub fn load(&self, source: &Source, tokens: Option<usize>) -> Result<Labelled, DataError> {
        self.load_within(source, tokens, MemoryLimit::NONE)
    }

    /// The same, if there is enough memory for them. They are counted before any is kept.
    ///
    /// # Errors
    /// Those of [`Recipe::each_sample`]; [`DataError::TooLarge`].
    pub fn load_within(
        &self,
        source: &Source,
        tokens: Option<usize>,
        limit: MemoryLimit,
    ) -> Result<Labelled, DataError> {
        let inputs = self.sample_inputs(tokens)?;
        let mut samples = Labelled {
            inputs,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        if limit != MemoryLimit::NONE {
            let count = self.count_samples(source, tokens)?;
            limit.check(source, count, inputs)?;
        }
        self.each_sample(
            source,
            tokens,
            |_| true,
            |sample, label| {
                // Files may state fewer rows than they hold.
                limit.check(source, samples.len() as u64 + 1, inputs)?;
                samples.pixels.extend_from_slice(sample);
                samples.labels.push(label);
                Ok::<(), DataError>(())
            },
        )?;
        Ok(samples)
    }

    /// How many samples it makes from `source`: as many as the files state; otherwise a pass over them counts.
    ///
    /// # Errors
    /// Those of [`Recipe::each_sample`].
    pub fn count_samples(&self, source: &Source, tokens: Option<usize>) -> Result<u64, DataError> {
        match (self.inputs(), source.len_hint()) {
            (Some(_), Some(rows)) => Ok(rows),
            _ => self.each_sample(source, tokens, |_| false, |_, _| Ok(())),
        }
    }

    /// Passes to `each` those samples of `source`, with their labels, whose numbers, counted from 0, `is_wanted` accepts; and
    /// returns how many samples there are in total. A row is a sample, and one that is not wanted need not fit the recipe. Each
    /// document of text is cut into consecutive windows of `tokens` tokens, each labelled with the token after it, which is the
    /// first of the next; the rest of a document is dropped. No more than one row is kept in memory.
    ///
    /// # Errors
    /// A row that the recipe does not fit, a file that cannot be read, or no sample at all; any error of `each`.
    pub fn each_sample<E: From<DataError>>(
        &self,
        source: &Source,
        tokens: Option<usize>,
        is_wanted: impl Fn(u64) -> bool,
        each: impl FnMut(&[u8], u8) -> Result<(), E>,
    ) -> Result<u64, E> {
        let encoder = self.encoder(source)?;
        let length = self.sample_inputs(tokens)?;
        let path = || source.first_path().to_owned();
        match self.inputs() {
            Some(_) => match each_row(source, &encoder, is_wanted, each)? {
                0 => Err(DataError::Empty { path: path() }.into()),
                count => Ok(count),
            },
            None => match each_window(source, &encoder, length, is_wanted, each)? {
                0 => Err(DataError::TooShort {
                    path: path(),
                    tokens: length,
                }
                .into()),
                count => Ok(count),
            },
        }
    }

    /// Bytes of a sample, without its label; for text, as many as the tokens that were asked for, at least one.
    fn sample_inputs(&self, tokens: Option<usize>) -> Result<usize, DataError> {
        let tokens = tokens.map(|tokens| tokens.max(1));
        self.inputs().or(tokens).ok_or(DataError::NoLength)
    }
}

fn each_row<E: From<DataError>>(
    source: &Source,
    encoder: &Encoder<'_>,
    is_wanted: impl Fn(u64) -> bool,
    mut each: impl FnMut(&[u8], u8) -> Result<(), E>,
) -> Result<u64, E> {
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let (mut sample, mut count) = (Vec::new(), 0u64);
    while rows.read(&mut row)? {
        if is_wanted(count) {
            sample.clear();
            encoder.inputs_into(&row, &mut sample)?;
            if let Some(label) = encoder.label_of(&row)? {
                each(&sample, label)?;
            }
        }
        count += 1;
    }
    Ok(count)
}

fn each_window<E: From<DataError>>(
    source: &Source,
    encoder: &Encoder<'_>,
    tokens: usize,
    is_wanted: impl Fn(u64) -> bool,
    mut each: impl FnMut(&[u8], u8) -> Result<(), E>,
) -> Result<u64, E> {
    let mut rows = source.rows()?;
    let mut row = Row::new(source.first_path().into());
    let mut document = row.at.clone();
    let (mut unread, mut count) = (Vec::new(), 0u64);
    while rows.read(&mut row)? {
        // A long document comes in pieces, which have the same place.
        if row.at != document {
            document = row.at.clone();
            unread.clear();
        }
        encoder.inputs_into(&row, &mut unread)?;
        let mut start = 0;
        while let Some(next) = unread.get(start + tokens) {
            if is_wanted(count) {
                each(&unread[start..start + tokens], *next)?;
            }
            count += 1;
            start += tokens;
        }
        unread.drain(..start);
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
