//! `Linear` and `Unembed`: products with weights.

use gotong_scoring::weights::view;

use super::{
    kernel::{self, run, Out, Panels, Part, Work},
    Block, Kernel, Shape,
};

/// Weights, packed as the right operand of a product; the sums start from the biases.
pub(super) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
    pub panels: Panels,
}

impl Linear {
    /// A `Linear`; after the weights, `[outputs, inputs]`, come the biases.
    pub fn new(inputs: u32, outputs: u32, bias_shift: u8, weights: &[i16]) -> Self {
        let (weights, biases) = weights.split_at((inputs * outputs) as usize);
        let biases = biases.iter().map(|bias| i32::from(*bias) << bias_shift);
        Self::packed(inputs, weights, biases.collect())
    }

    /// An `Unembed`, whose weights are the embedding's, `[vocab, width]`.
    pub fn unembed(vocab: u32, width: u32, weights: &[i16]) -> Self {
        Self::packed(width, weights, vec![0; vocab as usize])
    }

    fn packed(inputs: u32, weights: &[i16], biases: Vec<i32>) -> Self {
        let views: Vec<i8> = weights.iter().copied().map(view).collect();
        let inputs = inputs as usize;
        Self {
            inputs,
            outputs: biases.len(),
            panels: run(PackColumns {
                inputs,
                views: &views,
                first: &biases,
            }),
        }
    }

    /// Narrow activations to sums.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let activations = block.narrow.chunks_exact(self.inputs);
        block.left.pack_activations::<K>(self.inputs, activations);
        let stride = self.panels.columns();
        block.sums.reset(shape.rows, self.outputs, stride);
        let sums = &mut block.sums.values;
        let out = Out { sums, stride };
        kernel::activations::<K>(&block.left, &self.panels, Part::All, out);
    }
}

/// Packs the weights of a linear op.
struct PackColumns<'a> {
    inputs: usize,
    /// `[outputs, inputs]`.
    views: &'a [i8],
    /// What the sum of every output starts from.
    first: &'a [i32],
}

impl Work for PackColumns<'_> {
    type Output = Panels;

    #[inline(always)]
    fn run<K: Kernel>(self) -> Panels {
        let mut panels = Panels::default();
        let rows = self.views.chunks_exact(self.inputs);
        panels.pack_activations::<K>(self.inputs, rows.zip(self.first.iter().copied()));
        panels
    }
}
