//! How good a model is on samples that never score a round, evaluated exactly.

use anyhow::{bail, Result};
use gotong_data::{Kind, Recipe, Tokenizer};
use gotong_evaluation::{bits, generate, FastCpu, Sampler};
use gotong_protocol::Graph;
use gotong_scoring::{Evaluator, Samples};
use gotong_training::data::{DataSet, Labelled};
use serde_json::{json, Value};
use std::fmt;

/// What a piece of a play begins with.
pub const PLAY: &str = "**KING**  \n";
/// By default, a text of the model begins with this many tokens of the samples.
const PROMPT_TOKENS: usize = 12;
/// What samples that are images are called.
const IMAGES: &str = "images";
/// Tokens that the model adds to the beginning.
const LENGTH: usize = 200;
/// The sampling temperature, in thousandths.
const TEMPERATURE: u32 = 800;

/// The samples, and how they are marked.
pub struct Exam {
    graph: Graph,
    data: Labelled,
    samples: Samples,
    /// What a sample is called.
    noun: &'static str,
    /// The tokenizer, if the samples are text.
    tokenizer: Option<Tokenizer>,
    /// What a text of the model begins with.
    prompt: Option<&'static str>,
}

/// How good a model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// Mean loss in bits, and the fraction of samples that it classifies correctly.
    Classes { loss: f64, accuracy: f64 },
    /// Bits per character.
    Text(f64),
}

impl Exam {
    /// An exam for a model, on samples that a recipe made.
    pub fn new(graph: Graph, recipe: &Recipe, data: Labelled) -> Result<Self> {
        let is_image = recipe.kind() == Kind::Image || *recipe == DataSet::FashionMnist.recipe()?;
        let samples = Samples::new(graph.inputs, graph.classes(), &data.records())?;
        Ok(Self {
            graph,
            data,
            samples,
            noun: if is_image { IMAGES } else { "samples" },
            tokenizer: recipe.tokenizer(),
            prompt: None,
        })
    }

    /// The same exam, with texts of the model that begin with `prompt`.
    pub fn beginning_with(self, prompt: &'static str) -> Self {
        Self {
            prompt: Some(prompt),
            ..self
        }
    }

    pub fn mark(&self, weights: &[i16]) -> Result<Mark> {
        let losses = FastCpu.losses(&self.graph, weights, &self.samples)?;
        if let Some(tokenizer) = &self.tokenizer {
            return Ok(Mark::Text(
                tokenizer.bits_per_character(&losses, &self.data),
            ));
        }
        let predicted = FastCpu.predict(&self.graph, weights, &self.samples)?;
        let labels = self.samples.labels();
        let right = predicted.iter().zip(labels).filter(|(a, b)| a == b).count();
        let count = self.samples.len() as f64;
        Ok(Mark::Classes {
            loss: bits(&losses) / count,
            accuracy: right as f64 / count,
        })
    }

    /// What its losses are about, and their unit.
    pub fn caption(&self) -> (&'static str, &'static str) {
        match (&self.tokenizer, self.noun) {
            (None, IMAGES) => ("Loss on images that never scored a round", "bits per image"),
            (None, _) => (
                "Loss on samples that never scored a round",
                "bits per sample",
            ),
            (Some(_), _) => (
                "Loss on text that never scored a round",
                "bits per character",
            ),
        }
    }

    /// A text that a language model writes with these weights.
    pub fn text(&self, weights: &[i16]) -> Result<Option<String>> {
        let Some(tokenizer) = &self.tokenizer else {
            return Ok(None);
        };
        let prompt = match self.prompt {
            Some(prompt) => tokenizer.encode(prompt)?,
            None => self
                .data
                .pixels
                .iter()
                .copied()
                .take(PROMPT_TOKENS)
                .collect(),
        };
        let mut sampler = Sampler::new(TEMPERATURE, 1);
        let tokens = generate(
            &self.graph,
            weights,
            &prompt,
            LENGTH,
            &mut sampler,
            &mut |_| {},
        )?;
        let (prompt, text) = (tokenizer.decode(&prompt), tokenizer.decode(&tokens));
        Ok(Some(prompt + &text))
    }

    /// A description of the samples.
    pub fn samples(&self) -> String {
        match &self.tokenizer {
            Some(tokenizer) => {
                format!("{} unseen characters", tokenizer.characters_of(&self.data))
            }
            None => format!("{} unseen {}", self.samples.len(), self.noun),
        }
    }
}

impl Mark {
    /// The loss in bits.
    pub fn loss(self) -> f64 {
        match self {
            Self::Classes { loss, .. } | Self::Text(loss) => loss,
        }
    }

    /// The marks of the first weights and of the last.
    pub fn json(first: Self, last: Self) -> Result<Value> {
        Ok(match (first, last) {
            (
                Self::Classes { loss, accuracy },
                Self::Classes {
                    loss: last_loss,
                    accuracy: last_accuracy,
                },
            ) => json!({
                "accuracy_start": accuracy,
                "accuracy": last_accuracy,
                "loss_start": loss,
                "loss": last_loss,
            }),
            (Self::Text(first), Self::Text(last)) => json!({
                "lm_bits_per_char_start": first,
                "lm_bits_per_char": last,
            }),
            _ => bail!("marks of one exam are alike"),
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes { loss, accuracy } => {
                write!(f, "loss {loss:.3} bits, accuracy {:.1} %", accuracy * 100.0)
            }
            Self::Text(bits) => write!(f, "{bits:.3} bits a character"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_training::{
        data::{self, Use},
        initial_weights,
    };

    #[test]
    fn a_language_model_is_marked_by_characters_and_writes() {
        let graph = crate::model::parse(include_str!("../../../docs/models/transformer.toml"));
        let (graph, set) = (graph.unwrap(), DataSet::Shakespeare);
        let data = set.load(&data::folder(), Use::Report, &graph).unwrap();
        let exam = Exam::new(graph, &set.recipe().unwrap(), data.slice(0..2)).unwrap();
        let exam = exam.beginning_with(PLAY);
        assert_eq!(exam.samples(), "256 unseen characters");
        // All weights are zero, so every character is equally likely.
        let zeros = vec![0; exam.graph.parameters()];
        let mark = exam.mark(&zeros).unwrap();
        assert!((mark.loss() - 84f64.log2()).abs() < 0.01, "{mark}");
        let weights = initial_weights(&exam.graph, 1);
        let text = exam.text(&weights).unwrap().unwrap();
        assert_eq!(text.chars().count(), PLAY.len() + LENGTH);
        let json = Mark::json(Mark::Text(2.0), mark).unwrap();
        assert_eq!(json["lm_bits_per_char_start"], 2.0);
        assert!(Mark::json(
            mark,
            Mark::Classes {
                loss: 0.0,
                accuracy: 1.0
            }
        )
        .is_err());
    }
}
