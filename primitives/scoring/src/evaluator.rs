//! Evaluating whole shards: samples, the trait of an evaluator, and the reference.

use crate::graph::{Graph, GraphError, MAX_CLASSES};
use crate::machine::{run_views, Tensor};
use crate::weights::view;
use alloc::vec::Vec;
use thiserror::Error;

/// Why bytes are not samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SamplesError {
    /// The inputs are 0, or the classes are not 1..=256.
    #[error("samples need inputs, and 1 to 256 classes")]
    Shape,
    /// The bytes are not a whole number of records.
    #[error("the last sample is incomplete")]
    PartialSample,
    /// A label is not a class.
    #[error("the label of sample {sample} is not a class")]
    LabelOutOfRange {
        /// Index of the sample.
        sample: u32,
    },
}

/// Labelled samples, their pixels as they came: raw bytes. For a language model the pixels are
/// tokens, and the label is the last token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    inputs: usize,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Samples {
    /// Reads records of `inputs` bytes and a label byte, each label below `classes`.
    pub fn new(inputs: u32, classes: u32, bytes: &[u8]) -> Result<Self, SamplesError> {
        let inputs = inputs as usize;
        if inputs == 0 || !(1..=MAX_CLASSES).contains(&classes) {
            return Err(SamplesError::Shape);
        }
        let records = bytes.chunks_exact(inputs + 1);
        if !records.remainder().is_empty() {
            return Err(SamplesError::PartialSample);
        }
        let mut pixels = Vec::with_capacity(records.len() * inputs);
        let mut labels = Vec::with_capacity(records.len());
        for record in records {
            let (sample, label) = record.split_at(inputs);
            pixels.extend_from_slice(sample);
            labels.extend_from_slice(label);
        }
        match labels.iter().position(|label| u32::from(*label) >= classes) {
            Some(sample) => Err(SamplesError::LabelOutOfRange {
                sample: sample as u32,
            }),
            None => Ok(Self {
                inputs,
                pixels,
                labels,
            }),
        }
    }

    /// Bytes of a sample, without its label.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of all samples, sample-major: `len() * inputs()` bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Labels of all samples.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The samples with these numbers, in their order; a number past the last is skipped.
    pub fn select(&self, numbers: &[u32]) -> Self {
        let mut selected = Self {
            inputs: self.inputs,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        for number in numbers {
            let at = *number as usize;
            let pixels = self.pixels.get(at.saturating_mul(self.inputs)..);
            let pixels = pixels.and_then(|pixels| pixels.get(..self.inputs));
            if let (Some(pixels), Some(label)) = (pixels, self.labels.get(at)) {
                selected.pixels.extend_from_slice(pixels);
                selected.labels.push(*label);
            }
        }
        selected
    }

    /// Each sample's pixels and label.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u8)> {
        let pixels = self.pixels.chunks_exact(self.inputs);
        pixels.zip(self.labels.iter().copied())
    }
}

/// Why a model could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The graph's number of parameters differs from the number of weights.
    #[error("the graph has {expected} parameters, but there are {found} weights")]
    WrongParameters {
        /// Parameters of the graph.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// The samples and the graph have different numbers of inputs.
    #[error("the graph takes {expected} inputs, but the samples have {found}")]
    WrongInputs {
        /// Inputs of the graph.
        expected: usize,
        /// Inputs of the samples.
        found: usize,
    },
    /// An op was given a tensor, parameters or a label that it does not take.
    #[error("an op was given an input that it does not accept")]
    WrongOperand,
    /// An evaluator gave a number of losses that differs from the number of samples.
    #[error("there are {expected} samples, but {found} losses")]
    WrongCount {
        /// Samples given.
        expected: usize,
        /// Losses received.
        found: usize,
    },
    /// The device that evaluates failed.
    #[error("the device failed: {0}")]
    Device(alloc::string::String),
}

/// Something that evaluates models exactly.
pub trait Evaluator {
    /// Loss of every sample in Q16 bits. `weights` are all the master weights of `graph`.
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError>;
}

/// The evaluator that every other must equal: plain loops over [`crate::machine`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Reference {
    /// Logits of every sample, in 1/64 log2 units: those of all its tokens, one after another.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        let last_wide = |tensors: Vec<Tensor>| {
            let mut wide = tensors.into_iter().rev().filter_map(|tensor| match tensor {
                Tensor::Wide(logits) => Some(logits),
                _ => None,
            });
            wide.next()
        };
        self.each(graph, weights, samples, last_wide)
    }

    /// What `take` takes from what the ops give on every sample.
    fn each<T>(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
        take: impl Fn(Vec<Tensor>) -> Option<T>,
    ) -> Result<Vec<T>, EvalError> {
        check(graph, weights, samples)?;
        let views: Vec<i8> = weights.iter().copied().map(view).collect();
        let sample = |(pixels, label): (&[u8], u8)| {
            let record: Vec<u8> = pixels.iter().copied().chain([label]).collect();
            take(run_views(graph, weights, &views, &record)?).ok_or(EvalError::WrongOperand)
        };
        samples.iter().map(sample).collect()
    }
}

impl Evaluator for Reference {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        self.each(graph, weights, samples, |tensors| match tensors.last() {
            Some(Tensor::Loss(loss)) => Some(*loss),
            _ => None,
        })
    }
}

/// The class with the largest logit of every sample's last token; the lowest such class if several
/// are equal.
pub fn predict(graph: &Graph, weights: &[i16], samples: &Samples) -> Result<Vec<u8>, EvalError> {
    let logits = Reference.logits(graph, weights, samples)?;
    let classes = graph.classes() as usize;
    let last = |z: &Vec<i16>| largest(z.get(z.len().saturating_sub(classes)..).unwrap_or(&[]));
    Ok(logits.iter().map(last).collect())
}

/// Index of the largest logit; the lowest such index if several are equal.
pub fn largest(logits: &[i16]) -> u8 {
    let (mut at, mut most) = (0, i16::MIN);
    for (class, z) in (0..=u8::MAX).zip(logits) {
        if *z > most {
            (at, most) = (class, *z);
        }
    }
    at
}

/// What an evaluator checks before it starts: that the graph is valid, that the numbers of weights
/// and inputs are right, and that it knows every token.
pub fn check(graph: &Graph, weights: &[i16], samples: &Samples) -> Result<(), EvalError> {
    graph.validate()?;
    if graph.parameters() != weights.len() {
        return Err(EvalError::WrongParameters {
            expected: graph.parameters(),
            found: weights.len(),
        });
    }
    if graph.inputs as usize != samples.inputs() {
        return Err(EvalError::WrongInputs {
            expected: graph.inputs as usize,
            found: samples.inputs(),
        });
    }
    // Labels are already below the number of classes, which equals the number of tokens.
    let is_token = |byte: &u8| graph.vocab().is_none_or(|vocab| u32::from(*byte) < vocab);
    if !samples.pixels().iter().all(is_token) {
        return Err(EvalError::WrongOperand);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn samples_are_checked() {
        let samples = Samples::new(2, 3, &[1, 2, 0, 3, 4, 2]).unwrap();
        assert_eq!((samples.len(), samples.inputs()), (2, 2));
        assert_eq!(
            (samples.pixels(), samples.labels()),
            (&[1, 2, 3, 4][..], &[0, 2][..])
        );
        assert!(Samples::new(2, 3, &[]).unwrap().is_empty());
        let refused = [
            (2, 3, &[1, 2][..], SamplesError::PartialSample),
            (
                2,
                3,
                &[1, 2, 0, 1, 2, 3],
                SamplesError::LabelOutOfRange { sample: 1 },
            ),
            (0, 3, &[], SamplesError::Shape),
            (2, 0, &[], SamplesError::Shape),
            (2, 257, &[], SamplesError::Shape),
        ];
        for (inputs, classes, bytes, error) in refused {
            assert_eq!(Samples::new(inputs, classes, bytes), Err(error));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let graph = Graph::mlp(&[2, 2]);
        let samples = Samples::new(2, 2, &[0, 0, 0]).unwrap();
        let weights = vec![0; graph.parameters()];
        assert_eq!(
            Reference.losses(&graph, &weights, &samples),
            Ok(vec![1 << 16])
        );
        let error = EvalError::WrongParameters {
            expected: 6,
            found: 5,
        };
        assert_eq!(
            Reference.losses(&graph, &weights[1..], &samples),
            Err(error)
        );
        let others = Samples::new(3, 2, &[0, 0, 0, 0]).unwrap();
        let error = EvalError::WrongInputs {
            expected: 2,
            found: 3,
        };
        assert_eq!(Reference.losses(&graph, &weights, &others), Err(error));
        // More classes in the samples than in the graph.
        let others = Samples::new(2, 3, &[0, 0, 2]).unwrap();
        assert_eq!(
            Reference.losses(&graph, &weights, &others),
            Err(EvalError::WrongOperand)
        );
        let broken = Graph::mlp(&[2]);
        assert_eq!(
            Reference.losses(&broken, &[], &samples),
            Err(GraphError::NoLoss.into())
        );
    }

    #[test]
    fn the_lowest_of_equal_logits_is_predicted() {
        assert_eq!(largest(&[1, 3, 3, 2]), 1);
        assert_eq!(largest(&[i16::MIN; 3]), 0);
        let graph = Graph::mlp(&[1, 2]);
        let samples = Samples::new(1, 2, &[255, 0, 0, 0]).unwrap();
        // Weights to class 0 and 1, then their biases.
        assert_eq!(
            predict(&graph, &[0, 25_600, 0, -1], &samples),
            Ok(vec![1, 0])
        );
    }
}
