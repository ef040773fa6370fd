//! `Linear` and `Unembed`: products with weights.

use burn::tensor::{DType, Device, Int, IntDType, Tensor, TensorData};
use gotong_scoring::weights::view;

use super::{
    adjoint::{product, Backwards, Pulled},
    arith::int,
    CHUNK,
};

pub(super) struct Linear {
    /// Int8 views, transposed and cut along the inputs: each `[at most CHUNK, outputs]`.
    pub chunks: Vec<Tensor<2>>,
    /// Shifted biases, `[1, outputs]`.
    pub biases: Tensor<2, Int>,
    /// None for an unembedding, which has no biases.
    pub bias_shift: Option<u8>,
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
        Self {
            bias_shift: Some(bias_shift),
            ..Self::cut(inputs, weights, biases.collect(), device)
        }
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
            bias_shift: None,
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

    /// `dx[t][i] = sum_o dy[t][o] * view(w[o][i])`, `dw[o][i] = sum_t dy[t][o] * x[t][i]` for 1/256 of a view, and
    /// `db[o] = sum_t dy[t][o]` for `2^bias_shift` of an accumulator.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (dy, bits) = (here.rows(), here.adjoint.bits);
        let ([rows, outputs], [_, inputs]) = (dy.dims(), here.before.dims());
        let samples = here.context.samples();
        let tokens = rows / samples;
        let of_sample = dy.clone().reshape([samples, tokens, outputs]);
        let x = here.before.clone().reshape([samples, tokens, inputs]);
        let dw = if tokens == 1 {
            of_sample.clone().swap_dims(1, 2) * x
        } else {
            product(of_sample.clone().swap_dims(1, 2), bits, x.float())
        };
        let mut parameters = vec![(0, here.sums(dw, -8))];
        if let Some(shift) = self.bias_shift {
            let db = here.sums(of_sample.sum_dim(1), shift.into());
            parameters.push((outputs * inputs, db));
        }
        let dx = || {
            let views = self.chunks.iter().map(|views| views.clone().transpose());
            let dx = views.map(|views| product(dy.clone(), bits, views));
            here.sums(Tensor::cat(dx.collect(), 1), 0)
        };
        Pulled {
            previous: here.is_wanted.then(dx),
            parameters,
            ..Pulled::default()
        }
    }
}
