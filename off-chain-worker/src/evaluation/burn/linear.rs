//! `Linear` and `Unembed`: products with weights.

use burn::tensor::{DType, Device, Int, IntDType, Tensor, TensorData};
use gotong_scoring::weights::view;

use super::{arith::int, CHUNK};

pub(super) struct Linear {
    /// Int8 views, transposed and cut along the inputs: each `[at most CHUNK, outputs]`.
    pub chunks: Vec<Tensor<2>>,
    /// Shifted biases, `[1, outputs]`.
    pub biases: Tensor<2, Int>,
}

impl Linear {
    /// A `Linear`; after the weights, `[outputs, inputs]`, come the biases.
    pub fn new(
        inputs: u32,
        outputs: u32,
        bias_shift: u8,
        weights: &[i16],
        device: &Device,
    ) -> Self {
        let (weights, biases) = weights.split_at((inputs * outputs) as usize);
        let biases = biases.iter().map(|&b| i32::from(b) << bias_shift);
        Self::cut(inputs, weights, biases.collect(), device)
    }

    /// An `Unembed`, whose weights are the embedding's, `[vocab, width]`.
    pub fn unembed(vocab: u32, width: u32, weights: &[i16], device: &Device) -> Self {
        Self::cut(width, weights, vec![0; vocab as usize], device)
    }

    fn cut(inputs: u32, weights: &[i16], biases: Vec<i32>, device: &Device) -> Self {
        let views = weights.iter().map(|&w| f32::from(view(w))).collect();
        let views = TensorData::new::<f32, _>(views, [biases.len(), inputs as usize]);
        let views = Tensor::<2>::from_data(views, (device, DType::F32));
        Self {
            chunks: views.transpose().split(CHUNK, 0),
            biases: int(biases, device).unsqueeze(),
        }
    }

    /// Narrow activations to sums.
    pub fn forward(&self, values: Tensor<2, Int>) -> Tensor<2, Int> {
        let values = values.float().split(CHUNK, 1).into_iter();
        values
            .zip(&self.chunks)
            .fold(self.biases.clone(), |sums, (values, views)| {
                sums + values.matmul(views.clone()).cast(IntDType::I32)
            })
    }
}
