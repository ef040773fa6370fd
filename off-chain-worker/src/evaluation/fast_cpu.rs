//! The exact machine on a CPU: blocks of samples in parallel, integer vectors within a block.

use gotong_scoring::{
    evaluator, machine::cross_entropy, weights::view, EvalError, Evaluator, Graph, Op, Reference,
    Samples, Width,
};
use rayon::prelude::*;

use super::kernel::{padded_length, padded_rows, products};

/// Samples evaluated together: their activations stay in the first cache beside a weight row.
const BLOCK: usize = 16;

/// Evaluates on all cores, as fast as integer vectors go.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastCpu;

impl FastCpu {
    /// Logits of every sample in 1/64 log2 units, `[samples, classes]`.
    ///
    /// # Errors
    /// A graph that is not valid; weights or samples that do not fit it.
    pub fn logits(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<Vec<i16>>, EvalError> {
        let classes = graph.classes() as usize;
        let rows = |block: Block| -> Vec<Vec<i16>> {
            let rows = block.values.chunks_exact(block.length);
            rows.take(block.samples)
                .map(|row| row[..classes].to_vec())
                .collect()
        };
        let blocks = evaluate(graph, weights, samples, |block, _| Ok(rows(block)))?;
        Ok(blocks.concat())
    }

    /// The class with the largest logit of every sample, the lowest of equal ones: as
    /// `gotong_scoring::predict`.
    ///
    /// # Errors
    /// As [`FastCpu::logits`].
    pub fn predict(
        &self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u8>, EvalError> {
        let logits = self.logits(graph, weights, samples)?;
        Ok(logits.iter().map(|row| evaluator::largest(row)).collect())
    }
}

impl Evaluator for FastCpu {
    fn losses(
        &mut self,
        graph: &Graph,
        weights: &[i16],
        samples: &Samples,
    ) -> Result<Vec<u32>, EvalError> {
        // The ops of transformers are the reference's for now, exact and slow.
        if !graph.is_mlp() {
            return Reference.losses(graph, weights, samples);
        }
        let classes = graph.classes() as usize;
        let losses = |block: Block, labels: &[u8]| -> Result<Vec<u32>, EvalError> {
            let logits = block.values.chunks_exact(block.length);
            let loss = |(logits, &label): (&[i16], &u8)| {
                cross_entropy(&logits[..classes], label).ok_or(EvalError::WrongOperand)
            };
            logits.zip(labels).map(loss).collect()
        };
        Ok(evaluate(graph, weights, samples, losses)?.concat())
    }
}

/// Runs all ops up to the logits on every block of samples, then `finish` on the logits and the
/// labels; gives what `finish` gave, in order.
fn evaluate<T: Send>(
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
    finish: impl Fn(Block, &[u8]) -> Result<T, EvalError> + Sync,
) -> Result<Vec<T>, EvalError> {
    evaluator::check(graph, weights, samples)?;
    let steps = steps(graph, weights);
    samples
        .pixels()
        .par_chunks(BLOCK * samples.inputs())
        .zip(samples.labels().par_chunks(BLOCK))
        .map(|(pixels, labels)| {
            let mut block = Block::new(pixels, samples.inputs());
            steps.iter().for_each(|step| step.run(&mut block));
            finish(block, labels)
        })
        .collect()
}

/// Values of some samples, `[padded_rows(samples), length]`. Padding within a row is zero; a row
/// of padding is computed like any other and never read.
struct Block {
    samples: usize,
    length: usize,
    values: Vec<i16>,
    sums: Vec<i32>,
}

impl Block {
    fn new(pixels: &[u8], inputs: usize) -> Self {
        let (samples, length) = (pixels.len() / inputs, padded_length(inputs));
        let mut values = vec![0; padded_rows(samples) * length];
        for (row, sample) in values
            .chunks_exact_mut(length)
            .zip(pixels.chunks_exact(inputs))
        {
            for (value, &pixel) in row.iter_mut().zip(sample) {
                *value = i16::from(pixel >> 1);
            }
        }
        Self {
            samples,
            length,
            values,
            sums: Vec::new(),
        }
    }
}

/// An op, prepared once for all blocks.
enum Step {
    Linear {
        /// Int8 views, `[padded_rows(outputs), padded_length(inputs)]`.
        views: Vec<i16>,
        /// Shifted biases, `[padded_rows(outputs)]`.
        biases: Vec<i32>,
        length: usize,
    },
    Requant {
        shift_in: u32,
        multiplier: i32,
        shift_out: u32,
        bound: i32,
    },
    Relu,
}

fn steps(graph: &Graph, weights: &[i16]) -> Vec<Step> {
    let mut rest = weights;
    let step = |op: &Op| match *op {
        Op::Linear {
            inputs,
            outputs,
            bias_shift,
        } => {
            let (inputs, outputs) = (inputs as usize, outputs as usize);
            let (own, others) = rest.split_at(outputs * (inputs + 1));
            rest = others;
            let (rows, biases) = own.split_at(outputs * inputs);
            let length = padded_length(inputs);
            let mut views = vec![0; padded_rows(outputs) * length];
            for (to, from) in views
                .chunks_exact_mut(length)
                .zip(rows.chunks_exact(inputs))
            {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = view(from).into();
                }
            }
            let shifted = biases.iter().map(|&bias| i32::from(bias) << bias_shift);
            let mut biases: Vec<i32> = shifted.collect();
            biases.resize(padded_rows(outputs), 0);
            Some(Step::Linear {
                views,
                biases,
                length,
            })
        }
        Op::Requant {
            shift_in,
            multiplier,
            shift_out,
            width,
        } => Some(Step::Requant {
            shift_in: shift_in.into(),
            multiplier: multiplier.into(),
            shift_out: shift_out.into(),
            bound: match width {
                Width::Narrow => 127,
                Width::Wide => 32_767,
            },
        }),
        Op::Relu => Some(Step::Relu),
        // The loss; and what is left to the reference.
        _ => None,
    };
    graph.ops.iter().filter_map(step).collect()
}

impl Step {
    fn run(&self, block: &mut Block) {
        match self {
            Self::Linear {
                views,
                biases,
                length,
            } => {
                block
                    .sums
                    .resize(padded_rows(block.samples) * biases.len(), 0);
                products(&block.values, views, *length, &mut block.sums);
                for sums in block.sums.chunks_exact_mut(biases.len()) {
                    for (sum, bias) in sums.iter_mut().zip(biases) {
                        *sum = sum.wrapping_add(*bias);
                    }
                }
                block.length = biases.len();
            }
            &Self::Requant {
                shift_in,
                multiplier,
                shift_out,
                bound,
            } => {
                let requant = |sum: i32| {
                    let t = rs(sum, shift_in).clamp(-32_767, 32_767);
                    rs(t * multiplier, shift_out).clamp(-bound, bound) as i16
                };
                let (outputs, length) = (block.length, padded_length(block.length));
                block.values.clear();
                block.values.resize(padded_rows(block.samples) * length, 0);
                let rows = block.values.chunks_exact_mut(length);
                for (row, sums) in rows.zip(block.sums.chunks_exact(outputs)) {
                    for (value, &sum) in row.iter_mut().zip(sums) {
                        *value = requant(sum);
                    }
                }
                block.length = length;
            }
            Self::Relu => block.values.iter_mut().for_each(|x| *x = (*x).max(0)),
        }
    }
}

/// `gotong_scoring::arith::rs` in 32 bits, for shifts up to 31: half of the dropped bits' range is
/// the highest of them, so adding that bit after the shift rounds without overflow.
fn rs(a: i32, shift: u32) -> i32 {
    match shift {
        0 => a,
        _ => (a >> shift) + ((a >> (shift - 1)) & 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_equals_the_machine() {
        let edges = [i32::MIN, -32_768, -3, -2, -1, 0, 1, 2, 3, 1 << 20, i32::MAX];
        for a in edges {
            for shift in 0..=31 {
                assert_eq!(rs(a, shift), gotong_scoring::arith::rs(a, shift));
            }
        }
    }
}
