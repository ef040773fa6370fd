//! Batches of samples for a network.

use burn::tensor::{Device, Int, Tensor, TensorData};
use gotong_scoring::Graph;
use rand::{rngs::StdRng, seq::SliceRandom, SeedableRng};

use super::{data::Labelled, TrainingConfig};

/// The samples of one update.
#[derive(Clone, Debug)]
pub struct Batch {
    pub inputs: Inputs,
    /// `[samples * tokens]`, the label of every row of the logits.
    pub labels: Tensor<1, Int>,
}

/// What the first op of a graph takes.
#[derive(Clone, Debug)]
pub enum Inputs {
    /// `[samples, inputs]`, each `byte >> 1`.
    Activations(Tensor<2>),
    /// `[samples, tokens]`, for an embedding.
    Tokens(Tensor<2, Int>),
}

impl Batch {
    /// The chosen samples as the first op of `graph` takes them. In a language model the label of every
    /// token is the next one, and that of the last token is the sample's label.
    pub fn of(graph: &Graph, data: &Labelled, chosen: &[usize], device: &Device) -> Self {
        let is_text = graph.vocab().is_some();
        let (mut inputs, mut labels) = (Vec::new(), Vec::new());
        for &sample in chosen {
            let bytes = &data.pixels[sample * data.inputs..][..data.inputs];
            inputs.extend(bytes.iter().map(|&byte| i32::from(byte)));
            if is_text {
                labels.extend(bytes.iter().skip(1).map(|&token| i32::from(token)));
            }
            labels.push(data.labels[sample].into());
        }
        let shape = [chosen.len(), data.inputs];
        let inputs = if is_text {
            Inputs::Tokens(Tensor::from_data(TensorData::new(inputs, shape), device))
        } else {
            let activations = inputs.iter().map(|byte| (byte >> 1) as f32).collect();
            let data = TensorData::new::<f32, _>(activations, shape);
            Inputs::Activations(Tensor::from_data(data, device))
        };
        let count = labels.len();
        Self {
            inputs,
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}

/// Endless shuffled batches of a data set.
pub struct Batches {
    /// Samples of a batch.
    pub size: usize,
    order: Vec<usize>,
    used: usize,
    random: StdRng,
}

impl Batches {
    pub fn new(data: &Labelled, config: &TrainingConfig) -> Self {
        Self {
            // The mean over all samples would be the same for everybody who has them.
            size: config.batch.min((3 * data.len()).div_ceil(4)),
            order: (0..data.len()).collect(),
            used: data.len(), // the first batch shuffles
            random: StdRng::seed_from_u64(config.seed),
        }
    }

    /// Indices of the next samples.
    pub fn next(&mut self) -> &[usize] {
        if self.used + self.size > self.order.len() {
            self.order.shuffle(&mut self.random);
            self.used = 0;
        }
        let chosen = &self.order[self.used..self.used + self.size];
        self.used += self.size;
        chosen
    }

    /// Skips this many batches, which were used before.
    pub fn skip(&mut self, batches: usize) {
        for _ in 0..batches {
            self.next();
        }
    }
}
