//! What a model says about the rows of a source, in batches.

use super::sheet::Sheet;
use anyhow::{Context, Result};
use gotong_data::{DataError, Place, Recipe, Row, Source};
use gotong_evaluation::{probabilities, FastCpu, Sampler};
use gotong_protocol::Graph;
use gotong_scoring::{evaluator::largest, machine::cross_entropy, Samples};
use indicatif::ProgressBar;
use serde_json::{json, Value};
use std::{io::Write, path::Path};

/// Approximate size of a batch in bytes, counting its records and its logits.
const BATCH_BYTES: usize = 1 << 23;

/// A model, and what it is asked about.
pub struct Predictor<'a> {
    /// The architecture.
    pub graph: &'a Graph,
    /// Master weights, in the machine's order.
    pub weights: &'a [i16],
    /// The recipe that makes samples from rows; it fits the graph.
    pub recipe: &'a Recipe,
    /// The rows.
    pub source: &'a Source,
    /// How to continue each document; none to leave documents as they are.
    pub continuation: Option<Continuation>,
    /// The bar that shows how many rows were read.
    pub bar: ProgressBar,
}

/// How a model continues a document.
pub struct Continuation {
    /// Tokens to add.
    pub length: usize,
    /// The sampler that chooses them, started anew for each document.
    pub sampler: Sampler,
}

/// A summary of everything that was predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Summary {
    /// For rows that have a class.
    Classes {
        /// Rows.
        rows: u64,
        /// Rows with a label that is one of the classes.
        labelled: u64,
        /// The rows of these that were classified correctly.
        right: u64,
        /// Their exact losses, in Q16 bits.
        loss: u64,
    },
    /// For text.
    Text {
        /// Tokens that were predicted.
        tokens: u64,
        /// Characters that they stand for.
        characters: u64,
        /// Their exact losses, in Q16 bits.
        loss: u64,
    },
}

/// Samples that are evaluated together.
struct Batch<T> {
    /// The maximum number of samples.
    size: usize,
    /// A sample and a label for each, as the machine takes them.
    records: Vec<u8>,
    /// What has to be remembered about each.
    of: Vec<T>,
}

/// The last tokens of a document, as many as the model sees.
#[derive(Default)]
struct Tail {
    tokens: Vec<u8>,
    /// Tokens of the whole document.
    length: u64,
}

/// Consecutive tokens of a document; all but the first are predicted. A record has room for more.
struct Window {
    document: Place,
    /// Place of the first token in the document.
    from: u64,
    tokens: Vec<u8>,
}

impl Tail {
    /// Takes the next tokens of the document, and keeps the last `most` of it.
    fn push(&mut self, tokens: &[u8], most: usize) {
        self.length += tokens.len() as u64;
        let seen = &tokens[tokens.len().saturating_sub(most)..];
        self.tokens.extend_from_slice(seen);
        let unseen = self.tokens.len().saturating_sub(most);
        self.tokens.drain(..unseen);
    }
}

impl<T> Batch<T> {
    fn new(graph: &Graph) -> Self {
        let (inputs, classes) = (graph.inputs as usize, graph.classes() as usize);
        let logits = graph.vocab().map_or(1, |_| inputs) * classes;
        Self {
            size: (BATCH_BYTES / (inputs + 1 + logits * size_of::<i16>())).max(1),
            records: Vec::new(),
            of: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.of.len() >= self.size
    }
}

impl Predictor<'_> {
    /// Writes what the model says of all rows, in order, while it reads them.
    ///
    /// # Errors
    /// A row that cannot be read, or that does not fit the recipe; a sheet that cannot be written.
    pub fn write<W: Write>(&self, mut sheet: Sheet<W>) -> Result<Summary> {
        let summary = match self.graph.vocab() {
            None => self.classes(&mut sheet)?,
            Some(_) => self.text(&mut sheet)?,
        };
        sheet.finish()?;
        Ok(summary)
    }

    fn classes<W: Write>(&self, sheet: &mut Sheet<W>) -> Result<Summary> {
        let own = ["file", "row", "class", "probability", "label"].map(str::to_owned);
        let names = self.recipe.class_names().iter();
        sheet.head(own.into_iter().chain(names.map(|name| format!("p:{name}"))))?;
        let encoder = self.recipe.encoder_of_inputs(self.source)?;
        let mut told = Told::default();
        let mut batch = Batch::new(self.graph);
        let mut rows = self.source.rows()?;
        let mut row = Row::new(self.source.first_path().into());
        while rows.read(&mut row)? {
            self.bar.inc(1);
            encoder.inputs_into(&row, &mut batch.records)?;
            // The machine takes a label, but logits do not depend on it.
            batch.records.push(0);
            let label = known(encoder.label_of(&row))?;
            batch.of.push((row.at.clone(), label));
            if batch.is_full() {
                self.classify(&mut batch, sheet, &mut told)?;
            }
        }
        self.classify(&mut batch, sheet, &mut told)?;
        Ok(Summary::Classes {
            rows: told.rows,
            labelled: told.labelled,
            right: told.right,
            loss: told.loss,
        })
    }

    fn classify<W: Write>(
        &self,
        batch: &mut Batch<(Place, Option<u8>)>,
        sheet: &mut Sheet<W>,
        told: &mut Told,
    ) -> Result<()> {
        let logits = self.logits(&batch.records)?;
        let (names, classes) = (self.recipe.class_names(), self.graph.classes() as usize);
        let name = |class: u8| names.get(usize::from(class)).map(String::as_str);
        for ((at, label), logits) in batch.of.drain(..).zip(&logits) {
            let logits = &logits[logits.len().saturating_sub(classes)..];
            let (class, all) = (largest(logits), probabilities(logits));
            told.rows += 1;
            if let Some(label) = label {
                told.labelled += 1;
                told.right += u64::from(label == class);
                let loss = cross_entropy(logits, label).context("a label is a class")?;
                told.loss += u64::from(loss);
            }
            let own = [
                json!(at.file.display().to_string()),
                json!(at.row),
                json!(name(class)),
                json!(all.get(usize::from(class)).map(|most| rounded(*most))),
                json!(label.and_then(name)),
            ];
            let all = all.iter().map(|probability| json!(rounded(*probability)));
            sheet.row(own.into_iter().chain(all).collect())?;
        }
        batch.records.clear();
        Ok(())
    }

    fn text<W: Write>(&self, sheet: &mut Sheet<W>) -> Result<Summary> {
        let names = ["file", "row", "token", "text", "bits", "likeliest"];
        let more = self.continuation.as_ref().map(|_| "continuation");
        sheet.head(names.into_iter().chain(more).map(str::to_owned))?;
        let encoder = self.recipe.encoder_of_inputs(self.source)?;
        let mut told = Told::default();
        let mut batch = Batch::new(self.graph);
        let mut rows = self.source.rows()?;
        let mut row = Row::new(self.source.first_path().into());
        // The end of a document that is being read; its first token is already predicted.
        let mut open = Window {
            document: row.at.clone(),
            from: 0,
            tokens: Vec::new(),
        };
        let mut tail = Tail::default();
        let most = self.graph.inputs as usize + 1;
        loop {
            let is_row = rows.read(&mut row)?;
            if !is_row || row.at != open.document {
                let document = row.at.clone();
                let next = Window {
                    document,
                    from: 0,
                    tokens: Vec::new(),
                };
                let ended = std::mem::replace(&mut open, next);
                let document = ended.document.clone();
                self.predict(ended, &mut batch, sheet, &mut told)?;
                if let Some(continuation) = &self.continuation {
                    self.spell(&mut batch, sheet, &mut told)?;
                    self.go_on(&document, &std::mem::take(&mut tail), continuation, sheet)?;
                }
            }
            if !is_row {
                break;
            }
            self.bar.inc(1);
            let before = open.tokens.len();
            encoder.inputs_into(&row, &mut open.tokens)?;
            tail.push(&open.tokens[before..], most - 1);
            let mut start = 0;
            // The last token of a window is the first of the next.
            while open.tokens.len() - start >= most {
                let window = Window {
                    document: open.document.clone(),
                    from: open.from + start as u64,
                    tokens: open.tokens[start..start + most].to_vec(),
                };
                self.predict(window, &mut batch, sheet, &mut told)?;
                start += most - 1;
            }
            open.tokens.drain(..start);
            open.from += start as u64;
        }
        self.spell(&mut batch, sheet, &mut told)?;
        Ok(Summary::Text {
            tokens: told.rows,
            characters: told.characters,
            loss: told.loss,
        })
    }

    /// Adds a window to the batch, if there is a token to predict in it.
    fn predict<W: Write>(
        &self,
        window: Window,
        batch: &mut Batch<Window>,
        sheet: &mut Sheet<W>,
        told: &mut Told,
    ) -> Result<()> {
        if window.tokens.len() < 2 {
            return Ok(());
        }
        // Tokens that fill up a record come after everything that is predicted, and are not seen.
        let filling = self.graph.inputs as usize + 1 - window.tokens.len();
        batch.records.extend_from_slice(&window.tokens);
        batch.records.extend(std::iter::repeat_n(0, filling));
        batch.of.push(window);
        if batch.is_full() {
            self.spell(batch, sheet, told)?;
        }
        Ok(())
    }

    /// Writes the continuation of a document, in a row of its own.
    fn go_on<W: Write>(
        &self,
        document: &Place,
        tail: &Tail,
        continuation: &Continuation,
        sheet: &mut Sheet<W>,
    ) -> Result<()> {
        if tail.tokens.is_empty() {
            return Ok(());
        }
        let tokenizer = self.recipe.tokenizer();
        let tokenizer = tokenizer.context("a model of tokens has a recipe of text")?;
        let tokens = gotong_evaluation::generate(
            self.graph,
            self.weights,
            &tail.tokens,
            continuation.length,
            &mut continuation.sampler.clone(),
            &mut |_: u8| {},
        )?;
        sheet.row(vec![
            json!(document.file.display().to_string()),
            json!(document.row),
            json!(tail.length),
            Value::Null,
            Value::Null,
            Value::Null,
            json!(tokenizer.decode(&tokens)),
        ])
    }

    fn spell<W: Write>(
        &self,
        batch: &mut Batch<Window>,
        sheet: &mut Sheet<W>,
        told: &mut Told,
    ) -> Result<()> {
        let tokenizer = self.recipe.tokenizer();
        let tokenizer = tokenizer.context("a model of tokens has a recipe of text")?;
        let logits = self.logits(&batch.records)?;
        let vocab = (self.graph.classes() as usize).max(1);
        for (window, logits) in batch.of.drain(..).zip(&logits) {
            let file = window.document.file.display().to_string();
            let predicted = window.tokens.iter().skip(1).zip(logits.chunks(vocab));
            for (place, (token, logits)) in (window.from + 1..).zip(predicted) {
                let loss = cross_entropy(logits, *token).context("a token is a class")?;
                told.rows += 1;
                told.characters += tokenizer.length(&[*token]) as u64;
                told.loss += u64::from(loss);
                let cells = [
                    json!(file),
                    json!(window.document.row),
                    json!(place),
                    json!(tokenizer.decode(&[*token])),
                    json!(rounded(in_bits(loss.into()))),
                    json!(tokenizer.decode(&[largest(logits)])),
                ];
                let no_continuation = self.continuation.as_ref().map(|_| Value::Null);
                sheet.row(cells.into_iter().chain(no_continuation).collect())?;
            }
        }
        batch.records.clear();
        Ok(())
    }

    /// Exact logits of every record.
    fn logits(&self, records: &[u8]) -> Result<Vec<Vec<i16>>> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let samples = Samples::new(self.graph.inputs, self.graph.classes(), records)?;
        Ok(FastCpu.logits(self.graph, self.weights, &samples)?)
    }
}

/// What has been written so far.
#[derive(Default)]
struct Told {
    /// Rows of the sheet.
    rows: u64,
    labelled: u64,
    right: u64,
    characters: u64,
    /// The loss in Q16 bits.
    loss: u64,
}

/// The class of a row; none if it has no label, or a label that is not a class.
fn known(label: Result<Option<u8>, DataError>) -> Result<Option<u8>, DataError> {
    match label {
        Err(DataError::NoLabel { .. } | DataError::UnlistedLabel { .. }) => Ok(None),
        label => label,
    }
}

/// A number rounded to six decimals.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// Q16 bits in bits.
fn in_bits(loss: u64) -> f64 {
    loss as f64 / 65_536.0
}

/// The mean over `count` items; none if there are none.
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

impl Summary {
    /// The summary, for programs; the rows are in this file.
    pub fn json(&self, file: &Path) -> Value {
        match *self {
            Self::Classes {
                rows,
                labelled,
                right,
                loss,
            } => json!({
                "file": file,
                "rows": rows,
                "labelled": labelled,
                "accuracy": mean(right as f64, labelled),
                "bits_per_row": mean(in_bits(loss), labelled),
            }),
            Self::Text {
                tokens,
                characters,
                loss,
            } => json!({
                "file": file,
                "tokens": tokens,
                "characters": characters,
                "bits_per_token": mean(in_bits(loss), tokens),
                "bits_per_character": mean(in_bits(loss), characters),
            }),
        }
    }

    /// The summary in words.
    pub fn text(&self) -> String {
        match *self {
            Self::Classes {
                rows,
                labelled,
                right,
                loss,
            } => match (mean(right as f64, labelled), mean(in_bits(loss), labelled)) {
                (Some(right), Some(loss)) => format!(
                    "{rows} rows; of the {labelled} with a label, {:.1} % are right, with a mean loss of {loss:.3} bits",
                    right * 100.0
                ),
                _ => format!("{rows} rows, none with a label"),
            },
            Self::Text {
                tokens,
                characters,
                loss,
            } => match (mean(in_bits(loss), tokens), mean(in_bits(loss), characters)) {
                (Some(of_token), Some(of_character)) => format!(
                    "{tokens} tokens, {of_token:.3} bits each; {characters} characters, {of_character:.3} bits each"
                ),
                _ => "no token to predict: a document needs at least two".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
