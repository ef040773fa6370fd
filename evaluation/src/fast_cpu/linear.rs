//! `Linear` and `Unembed`: products with weights.

use gotong_scoring::{gradient::bound, weights::view};

use super::{
    accumulator::{is_linear, units},
    adjoint::Rounding,
    kernel::{self, run, Out, Panels, Part, Work, COLUMNS, ROWS},
    Backwards, Block, Kernel, Shape,
};

/// How far an activation of 7 bits is shifted left at most, so that it has 15.
const MOST_UP: i32 = 8;

/// Weights, packed as the right operand of a product; the sums start from the biases.
pub(super) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
    pub panels: Panels,
    /// None if there are no biases.
    pub bias_shift: Option<u8>,
    /// The weights as `[inputs, outputs]`, if the adjoint of what the op takes is wanted.
    pub transposed: Panels,
    /// The most rows that can be multiplied with adjoints and added up in 32 bits.
    pub most_rows: usize,
}

impl Linear {
    /// A `Linear`; after the weights, `[outputs, inputs]`, come the biases.
    pub fn new(inputs: u32, outputs: u32, bias_shift: u8, weights: &[i16]) -> Self {
        let (weights, biases) = weights.split_at((inputs * outputs) as usize);
        let biases = biases.iter().map(|bias| i32::from(*bias) << bias_shift);
        Self::packed(inputs, weights, biases.collect(), Some(bias_shift))
    }

    /// An `Unembed`, whose weights are the embedding's, `[vocab, width]`.
    pub fn unembed(vocab: u32, width: u32, weights: &[i16]) -> Self {
        Self::packed(width, weights, vec![0; vocab as usize], None)
    }

    fn packed(inputs: u32, weights: &[i16], biases: Vec<i32>, bias_shift: Option<u8>) -> Self {
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
            bias_shift,
            transposed: Panels::default(),
            most_rows: 0,
        }
    }

    /// Prepares the backward pass: `weights` are those that the op reads, and `bits` those of the adjoint that it
    /// takes.
    pub fn prepare_backward(&mut self, weights: &[i16], bits: u8, is_wanted: bool) {
        let most = 127 * bound(bits).unsigned_abs().max(1);
        self.most_rows = (i32::MAX.unsigned_abs() / most) as usize;
        if is_wanted {
            let weights = &weights[..self.outputs * self.inputs];
            let views: Vec<i8> = weights.iter().copied().map(view).collect();
            let rows = views.chunks_exact(self.inputs);
            self.transposed.pack_columns(self.inputs, rows);
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

    /// `dx[t][i] = sum_o dy[t][o] * w[o][i]`, `dw[o][i] = sum_t dy[t][o] * x[t][i]` for 1/256 of a view, and
    /// `db[o] = sum_t dy[t][o]` for `2^bias_shift` of an accumulator.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        if here.is_wanted {
            self.activations_backward::<K>(here);
        }
        self.weights_backward::<K>(here);
        if let Some(shift) = self.bias_shift {
            self.biases_backward::<K>(here, shift);
        }
    }

    #[inline(always)]
    fn activations_backward<K: Kernel>(&self, here: &mut Backwards) {
        let (inputs, stride) = (self.inputs, self.transposed.columns());
        here.previous
            .start(here.shape.rows * inputs, here.adjoints, 0);
        let rows = here.adjoints.values.chunks_exact(self.outputs);
        here.scratch.left.pack_halves(self.outputs, rows);
        let out = |sums| Out { sums, stride };
        let (left, right) = (&here.scratch.left, &self.transposed);
        if stride == inputs {
            let out = out(&mut here.previous.values);
            return kernel::halves::<K>(left, right, Part::All, out);
        }
        let sums = &mut here.scratch.sums;
        sums.resize(here.shape.rows * stride, 0);
        kernel::halves::<K>(left, right, Part::All, out(sums));
        let given = here.previous.values.chunks_exact_mut(inputs);
        for (given, sums) in given.zip(sums.chunks_exact(stride)) {
            given.copy_from_slice(&sums[..inputs]);
        }
    }

    #[inline(always)]
    fn weights_backward<K: Kernel>(&self, here: &mut Backwards) {
        let tokens = here.shape.tokens;
        let adjoints = here.adjoints;
        // In units of a master weight, of which a view has 256.
        let exponent = |sample: usize| adjoints.exponents[sample].saturating_sub(8);
        let samples = 0..adjoints.exponents.len();
        let mut samples: Vec<usize> = samples.filter(|at| !adjoints.are_zero[*at]).collect();
        samples.sort_by_key(|sample| exponent(*sample));
        // Values that are rounded are rounded sample by sample.
        let is_rounded = |sample: &usize| tokens == 1 && units(exponent(*sample)) < 0;
        let rounded = samples.partition_point(is_rounded);
        let (rounded, mut samples) = samples.split_at(rounded);
        if !rounded.is_empty() {
            self.rounded_weights::<K>(here, rounded);
        }
        while let [first, ..] = samples {
            let first = exponent(*first);
            // Where nothing is rounded, samples are added up at once, and those with larger exponents are shifted.
            let mut rows = 0;
            let fits = samples.iter().take_while(|sample| {
                let up = exponent(**sample).saturating_sub(first);
                rows += tokens << up.min(MOST_UP);
                up <= MOST_UP && is_linear(exponent(**sample)) && rows <= self.most_rows
            });
            let (together, others) = samples.split_at(fits.count().max(1));
            self.weights_of::<K>(here, together, first);
            samples = others;
        }
    }

    /// The weights' sums over all rows of some samples, for the exponent of the first of them.
    #[inline(always)]
    fn weights_of<K: Kernel>(&self, here: &mut Backwards, samples: &[usize], exponent: i32) {
        let (inputs, outputs, tokens) = (self.inputs, self.outputs, here.shape.tokens);
        let (scratch, adjoints) = (&mut *here.scratch, here.adjoints);
        let dy = rows(&adjoints.values, outputs, tokens, samples);
        scratch.left.pack_transposed(outputs, dy.map(|(dy, _)| dy));
        let x = rows(&here.before.narrow, inputs, tokens, samples);
        let first = adjoints.exponents[samples[0]];
        let x = x.map(|(x, sample)| (x, adjoints.exponents[sample].wrapping_sub(first) as u32));
        scratch.right.pack_shifted_columns(inputs, x);
        let stride = inputs.next_multiple_of(COLUMNS);
        scratch.sums.resize(ROWS * stride, 0);
        for tile in staggered(scratch.left.count_tiles()) {
            let sums = &mut scratch.sums[..];
            let out = Out { sums, stride };
            kernel::halves_of_tile::<K>(&scratch.left, tile, &scratch.right, out);
            let first = tile * ROWS;
            let rows = (first..outputs).zip(scratch.sums.chunks_exact(stride));
            for (output, sums) in rows {
                let at = here.first_parameter + output * inputs;
                here.gradient.add(at, &sums[..inputs], exponent);
            }
        }
    }

    /// The weights' sums of samples that have one row each, rounded to units of the gradient.
    #[inline(always)]
    fn rounded_weights<K: Kernel>(&self, here: &mut Backwards, samples: &[usize]) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let sums = &mut here.scratch.sums;
        sums.resize(inputs, 0);
        for output in staggered(outputs) {
            sums.fill(0);
            for sample in samples {
                let dy = here.adjoints.values[sample * outputs + output];
                if dy == 0 {
                    continue;
                }
                let exponent = here.adjoints.exponents[*sample].saturating_sub(8);
                let rounding = Rounding::by(units(exponent).unsigned_abs());
                let x = &here.before.narrow[sample * inputs..][..inputs];
                // At most 2^21 for a sample: those of a block fit.
                for (sum, x) in sums.iter_mut().zip(x) {
                    let product = i32::from(dy).wrapping_mul((*x).into());
                    *sum = sum.wrapping_add(rounding.apply(product));
                }
            }
            let at = here.first_parameter + output * inputs;
            here.gradient.add_units(at, sums);
        }
    }

    #[inline(always)]
    fn biases_backward<K: Kernel>(&self, here: &mut Backwards, shift: u8) {
        let at = here.first_parameter + self.inputs * self.outputs;
        let length = here.shape.tokens * self.outputs;
        let samples = here.adjoints.values.chunks_exact(length);
        let sums = &mut here.scratch.sums;
        for (dy, exponent) in samples.zip(&here.adjoints.exponents) {
            sums.clear();
            sums.resize(self.outputs, 0);
            for dy in dy.chunks_exact(self.outputs) {
                for (sum, dy) in sums.iter_mut().zip(dy) {
                    *sum = sum.wrapping_add((*dy).into());
                }
            }
            let exponent = exponent.saturating_add(shift.into());
            here.gradient.add(at, sums, exponent);
        }
    }
}

/// All rows of some samples, each with its sample; a sample has `tokens` rows of `width` values.
#[inline(always)]
fn rows<'a, T>(
    values: &'a [T],
    width: usize,
    tokens: usize,
    samples: &'a [usize],
) -> impl ExactSizeIterator<Item = (&'a [T], usize)> {
    (0..samples.len() * tokens).map(move |row| {
        let sample = samples[row / tokens];
        let row = sample * tokens + row % tokens;
        (&values[row * width..][..width], sample)
    })
}

/// All numbers below `count`, beginning at one that depends on the thread, so that threads seldom add to the
/// same parameters at the same time.
fn staggered(count: usize) -> impl Iterator<Item = usize> {
    let threads = rayon::current_num_threads();
    let start = rayon::current_thread_index().unwrap_or(0) * count / threads;
    (start..count).chain(0..start)
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
