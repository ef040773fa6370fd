//! The worst cases that a device must get right before its attestations are worth a stake.

use super::{compare, Traced};
use std::time::{Duration, Instant};

use gotong_scoring::{
    arith::MASTER_BOUND, Cnn, Convolution, EvalError, Graph, Image, Op, Pool, Reference, Samples,
    SamplesError, Transformer, Width, Window,
};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// What an evaluator that passed was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTestReport {
    /// Models evaluated.
    pub models: usize,
    /// Words that were compared with the reference, all equal.
    pub words: u64,
    /// Time that the tested evaluator took, with the comparison.
    pub took: Duration,
}

/// Why an evaluator must not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestFailure {
    /// It gave other words than the reference.
    #[error(
        "{case}: {wrong} of {words} words differ from the reference, the first in {place}; do not \
         attest from this device: evaluate without `--device`, on the processor"
    )]
    Mismatch {
        /// The model.
        case: String,
        /// Words that differ.
        wrong: u64,
        /// Words that were compared.
        words: u64,
        /// Op and sample.
        place: String,
    },
    /// It could not evaluate.
    #[error("{case}: {error}")]
    Failed {
        /// The model.
        case: String,
        /// Why not.
        error: EvalError,
    },
    /// The test's own samples were refused.
    #[error(transparent)]
    Samples(#[from] SamplesError),
}

/// Compares every word of `evaluator` with the reference's: sums of 1023, 1024 and 1025 products (one f32
/// chunk is 1024), all weights and inputs at their extremes, shapes that fill no tile, negative
/// activations, transformers, one of as many tokens as there can be, convolutions and pools, the widest
/// head and norm, all shifts, random models.
///
/// # Errors
/// The first model of which a word differs, or that could not be evaluated.
pub fn self_test(evaluator: &mut dyn Traced) -> Result<SelfTestReport, SelfTestFailure> {
    let mut report = SelfTestReport {
        models: 0,
        words: 0,
        took: Duration::ZERO,
    };
    for ((graph, fills), seed) in graphs().zip(0..) {
        let samples = samples(&graph, seed)?;
        for (name, fill) in fills {
            let case = || format!("{name} weights, {} inputs, graph {seed}", graph.inputs);
            let failed = |error| SelfTestFailure::Failed {
                case: case(),
                error,
            };
            let weights = weights(&graph, seed, *fill);
            let expected = Reference.tensors(&graph, &weights, &samples);
            let expected = expected.map_err(failed)?;
            let start = Instant::now();
            let found =
                compare(evaluator, &expected, &graph, &weights, &samples).map_err(failed)?;
            report.took += start.elapsed();
            if let Some((sample, op)) = found.first {
                let of_op = |op| format!("{op:?}");
                let op = graph.ops.get(op).map_or("the loss".to_owned(), of_op);
                return Err(SelfTestFailure::Mismatch {
                    case: case(),
                    wrong: found.wrong,
                    words: found.words,
                    place: format!("{op} of sample {sample}"),
                });
            }
            report.models += 1;
            report.words += found.words;
        }
    }
    Ok(report)
}

/// Models, and which weights each is tested with.
fn graphs() -> impl Iterator<Item = (Graph, &'static [(&'static str, Fill)])> {
    let mlps = SHAPES
        .iter()
        .flat_map(|layers| [Graph::mlp(layers), signed(layers)]);
    let transformers = TRANSFORMERS.iter().map(Graph::transformer);
    let others = [
        padded_pools(),
        attention_of_pixels(1, 1023, [8, 9]),
        attention_of_pixels(31, 33, [9, 1]),
        widest_norm(),
        all_shifts(),
    ];
    let all = mlps.chain(transformers).chain(networks()).chain(others);
    let all = all.map(|graph| (graph, &FILLS[..]));
    // The longest takes as long as all others.
    let longest = (Graph::transformer(&LONGEST), &FILLS[..2]);
    all.chain([longest, (widest_norm(), &STEEP[..])])
}

const SHAPES: [&[u32]; 6] = [
    &[1023, 9, 3],
    &[1024, 8, 4],
    &[1025, 33, 10],
    &[2049, 5, 2],
    &[1, 1, 2],
    &[37, 65, 31, 11],
];

const TRANSFORMERS: [Transformer; 2] = [
    Transformer {
        vocab: 11,
        tokens: 37,
        width: 36,
        heads: 3,
        hidden: 70,
        layers: 2,
        tied: true,
    },
    Transformer {
        vocab: 256,
        tokens: 7,
        width: 33,
        heads: 1,
        hidden: 65,
        layers: 1,
        tied: false,
    },
];

/// The longest sums of shares.
const LONGEST: Transformer = Transformer {
    vocab: 2,
    tokens: 1024,
    width: 2,
    heads: 1,
    hidden: 3,
    layers: 1,
    tied: true,
};

const fn image(height: u16, width: u16, channels: u32) -> Image {
    Image {
        height,
        width,
        channels,
    }
}

const fn window(size: u8, stride: u8, padding: u8) -> Window {
    Window {
        size,
        stride,
        padding,
    }
}

/// Convolutions: of rows longer than one f32 chunk, with padding, strides and both pools.
fn networks() -> [Graph; 2] {
    let convolution = |channels, window, pool| Convolution {
        channels,
        window,
        pool,
    };
    let padded = Cnn {
        image: image(9, 11, 3),
        convolutions: vec![
            convolution(7, window(3, 1, 1), Pool::Max(2)),
            convolution(5, window(2, 1, 1), Pool::Mean(3)),
        ],
        hidden: vec![6],
        classes: 4,
    };
    let long = Cnn {
        image: image(6, 5, 41),
        convolutions: vec![convolution(33, window(5, 2, 2), Pool::None)],
        hidden: vec![],
        classes: 3,
    };
    [Graph::cnn(&padded), Graph::cnn(&long)]
}

fn linear(inputs: u32, outputs: u32, bias_shift: u8) -> Op {
    Op::Linear {
        inputs,
        outputs,
        bias_shift,
    }
}

fn requant(shift_in: u8, multiplier: u8, shift_out: u8, width: Width) -> Op {
    Op::Requant {
        shift_in,
        multiplier,
        shift_out,
        width,
    }
}

/// Every pixel as it is, then what `ops` make of it, then two classes of all `values` that they give.
fn of_pixels(of: Image, ops: &[Op], values: u32) -> Graph {
    let first = Op::Im2col {
        image: of,
        window: window(1, 1, 0),
    };
    let last = [
        Op::Flatten,
        linear(values, 2, 0),
        requant(6, 255, 8, Width::Wide),
        Op::CrossEntropy { classes: 2 },
    ];
    Graph {
        inputs: of.values() as u32,
        ops: [&[first], ops, &last].concat(),
    }
}

/// Pools with padding, and negative activations of which 0 is the largest.
fn padded_pools() -> Graph {
    let largest = Op::MaxPool {
        image: image(5, 6, 3),
        window: window(3, 2, 2),
    };
    let sum = Op::SumPool {
        image: image(4, 4, 3),
        window: window(2, 1, 1),
    };
    let narrow = |shift| requant(shift, 128, 7, Width::Narrow);
    let ops = [linear(1, 3, 0), narrow(9), largest, sum, narrow(1)];
    of_pixels(image(5, 6, 1), &ops, 5 * 5 * 3)
}

/// As few tokens as give the largest shares. In a head so wide the largest scores are odd and above 2^23;
/// many heads have every share that there can be.
fn attention_of_pixels(heads: u32, head_width: u32, [narrow, wide]: [u8; 2]) -> Graph {
    let (tokens, width) = (8, heads * head_width);
    let ops = [
        linear(1, 3 * width, 0),
        requant(narrow, 128, 7, Width::Narrow),
        Op::Scores { heads, head_width },
        requant(wide, 128, 7, Width::Wide),
        Op::Softmax { heads, tokens },
        Op::Mix {
            from: 2,
            heads,
            head_width,
        },
        requant(4, 128, 7, Width::Narrow),
    ];
    of_pixels(image(2, 4, 1), &ops, tokens * width)
}

/// The widest norm, of an embedding that is not shifted and of its double: either can be out of bounds.
fn widest_norm() -> Graph {
    let (vocab, tokens, width) = (3, 2, 2048);
    let embed = Op::Embed {
        vocab,
        tokens,
        width,
        shift: 0,
    };
    let norm = Op::RmsNorm {
        width,
        unit_bits: 7,
    };
    Graph {
        inputs: tokens,
        ops: vec![
            embed,
            Op::Residual { from: 0 },
            norm,
            linear(width, vocab, 0),
            requant(8, 255, 8, Width::Wide),
            Op::CrossEntropy { classes: vocab },
            Op::Total { tokens },
        ],
    }
}

/// Every shift from 16 on, of accumulators of as many bits as a bias gives and of the largest products.
fn all_shifts() -> Graph {
    let of_sums = (16..=31).map(|shift| requant(shift, 255, 0, Width::Narrow));
    let of_products = (16..=31).map(|shift| requant(0, 255, shift, Width::Narrow));
    let layers = of_sums.chain(of_products);
    let mut ops: Vec<Op> = layers.flat_map(|scale| [linear(3, 3, 8), scale]).collect();
    ops.extend([
        linear(3, 3, 8),
        requant(0, 255, 7, Width::Wide),
        Op::CrossEntropy { classes: 3 },
    ]);
    Graph { inputs: 3, ops }
}

/// How a weight comes from its index and a random master weight.
type Fill = fn(usize, i16) -> i16;

static FILLS: [(&str, Fill); 5] = [
    ("random", |_, random| random),
    ("largest", |_, _| MASTER_BOUND),
    ("smallest", |_, _| -MASTER_BOUND),
    ("alternating", |index, _| match index % 2 {
        0 => MASTER_BOUND,
        _ => -MASTER_BOUND,
    }),
    // Masters half-way between two views, where rounding decides.
    ("half-way", |_, random| random & !0xff | 0x80),
];

/// A row of 2,048 with one large value and others whose squares count only if they are rounded.
static STEEP: [(&str, Fill); 1] = [("steep", |index, _| match index % 2048 {
    0 => 4_191,
    _ => 12,
})];

fn weights(graph: &Graph, seed: u64, fill: Fill) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..graph.parameters())
        .map(|index| fill(index, random.random_range(-MASTER_BOUND..=MASTER_BOUND)))
        .map(|weight| weight.clamp(-MASTER_BOUND, MASTER_BOUND))
        .collect()
}

/// Nine samples, which fill no tile: all bytes or tokens greatest, all least, the rest random. Three of
/// long ones.
fn samples(graph: &Graph, seed: u64) -> Result<Samples, SamplesError> {
    let mut random = StdRng::seed_from_u64(!seed);
    let most = graph.vocab().map_or(u8::MAX, |vocab| (vocab - 1) as u8);
    let is_long = graph.vocab().is_some() && graph.inputs > 512;
    let mut records = Vec::new();
    for sample in 0..if is_long { 3 } else { 9 } {
        records.extend((0..graph.inputs).map(|_| match sample {
            0 => most,
            1 => 0,
            _ => random.random_range(0..=most),
        }));
        records.push(random.random_range(0..graph.classes()) as u8);
    }
    Samples::new(graph.inputs, graph.classes(), &records)
}

/// An MLP without ReLU, so that activations are negative too, with multipliers that are no powers
/// of two and shifts at their ends.
fn signed(layers: &[u32]) -> Graph {
    let mut graph = Graph::mlp(layers);
    graph.ops.retain(|op| !matches!(op, Op::Relu));
    for op in &mut graph.ops {
        match op {
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: Width::Narrow,
            } => (*shift_in, *multiplier, *shift_out) = (9, 77, 8),
            Op::Requant {
                shift_in,
                multiplier,
                shift_out,
                width: Width::Wide,
            } => (*shift_in, *multiplier, *shift_out) = (0, 255, 10),
            Op::Linear { bias_shift, .. } => *bias_shift = 8,
            _ => {}
        }
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{BurnEvaluator, FastCpu};
    use gotong_scoring::{
        arith::rs,
        lut::RSQRT,
        machine::{apply, Tensor},
        Evaluator,
    };

    #[test]
    fn both_evaluators_pass() {
        let fast = self_test(&mut FastCpu).unwrap();
        let device = burn::tensor::Device::flex();
        let burn = self_test(&mut BurnEvaluator::new(&device)).unwrap();
        println!("fast CPU: {fast:?}\nflex: {burn:?}");
        assert_eq!(fast.models, 108);
        assert_eq!((burn.models, burn.words), (fast.models, fast.words));
    }

    /// What an op gives on a broken device, instead of what it gave: `None` if that is right.
    type Skew = fn(&Op, &[i16], before: &[Tensor], given: &Tensor) -> Option<Tensor>;

    /// The reference, but for one mistake.
    struct Skewed(Skew);

    impl Traced for Skewed {
        fn tensors(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &Samples,
        ) -> Result<Vec<Vec<Tensor>>, EvalError> {
            let of_sample = |(pixels, label): (&[u8], u8)| {
                let record = [pixels, &[label]].concat();
                let mut before = Vec::new();
                for (op, read) in graph.ops.iter().zip(graph.parameters_read()) {
                    let params = &weights[read];
                    let given = apply(op, params, &record, &before)?;
                    before.push((self.0)(op, params, &before, &given).unwrap_or(given));
                }
                Ok(before)
            };
            samples.iter().map(of_sample).collect()
        }
    }

    impl Evaluator for Skewed {
        fn losses(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &Samples,
        ) -> Result<Vec<u32>, EvalError> {
            Reference.losses(graph, weights, samples)
        }
    }

    /// To 23 bits.
    fn rounded(sum: i32) -> i32 {
        match sum.unsigned_abs().leading_zeros() {
            ..9 => (sum + 1) & !1,
            _ => sum,
        }
    }

    fn rounded_linear(op: &Op, params: &[i16], _: &[Tensor], given: &Tensor) -> Option<Tensor> {
        let (
            Op::Linear {
                inputs: ..1025,
                outputs,
                bias_shift,
                ..
            },
            Tensor::Acc(sums),
        ) = (op, given)
        else {
            return None;
        };
        let biases = &params[params.len() - *outputs as usize..];
        let biases = biases.iter().map(|bias| i32::from(*bias) << bias_shift);
        let sums = sums.iter().zip(biases.cycle());
        Some(Tensor::Acc(
            sums.map(|(sum, bias)| rounded(sum - bias) + bias).collect(),
        ))
    }

    fn rounded_scores(op: &Op, _: &[i16], _: &[Tensor], given: &Tensor) -> Option<Tensor> {
        match (op, given) {
            (Op::Scores { .. }, Tensor::Acc(sums)) => {
                Some(Tensor::Acc(sums.iter().copied().map(rounded).collect()))
            }
            _ => None,
        }
    }

    fn max_without_padding(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
        let (Op::MaxPool { image, window }, Some(Tensor::Narrow(x))) = (op, before.last()) else {
            return None;
        };
        let (down, across) = window.places(image)?;
        let channels = image.channels as usize;
        let largest = |(place, channel)| {
            let inside = window.inside(image, place);
            let values = inside.map(|at| x[at as usize * channels + channel]);
            values.max().unwrap_or(0)
        };
        let all = (0..down * across).flat_map(|place| (0..channels).map(move |c| (place, c)));
        Some(Tensor::Narrow(all.map(largest).collect()))
    }

    fn residual_to_the_last(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
        let Op::Residual { from } = op else {
            return None;
        };
        match (before.last(), &before[*from as usize]) {
            (Some(Tensor::Wide(h)), Tensor::Wide(other)) => {
                let pairs = h.iter().zip(other);
                Some(Tensor::Wide(
                    pairs.map(|(a, b)| a.saturating_add(*b)).collect(),
                ))
            }
            _ => None,
        }
    }

    /// Rounds down, where the shift is large.
    fn floored_requant(op: &Op, _: &[i16], before: &[Tensor], given: &Tensor) -> Option<Tensor> {
        match (op, before.last(), given) {
            (
                Op::Requant {
                    shift_in: shift @ 16..,
                    ..
                },
                Some(Tensor::Acc(sums)),
                Tensor::Narrow(_),
            ) => {
                let floor = sums.iter().map(|sum| (sum >> shift) * 255);
                Some(Tensor::Narrow(
                    floor.map(|y| y.clamp(-127, 127) as i8).collect(),
                ))
            }
            _ => None,
        }
    }

    /// A norm whose squares are rounded down before they are added up.
    fn floored_norm(op: &Op, _: &[i16], before: &[Tensor], _: &Tensor) -> Option<Tensor> {
        let (Op::RmsNorm { width, unit_bits }, Some(Tensor::Wide(h))) = (op, before.last()) else {
            return None;
        };
        let normed = |row: &[i16]| -> Vec<i8> {
            let most = row.iter().map(|h| h.unsigned_abs()).max().unwrap_or(0);
            let up = u32::from(most).leading_zeros().saturating_sub(17);
            let g = row
                .iter()
                .map(|h| if most == 0 { 0 } else { i32::from(*h) << up });
            let log_width = width.next_power_of_two().ilog2();
            let s = log_width + log_width % 2;
            let sum = g.clone().map(|g| (g * g) >> s).sum::<i32>().max(1);
            let e = sum.ilog2() / 2;
            let at = (sum >> (2 * e).saturating_sub(6)).clamp(64, 255) as usize - 64;
            let t = g.map(|g| rs(g * i32::from(RSQRT[at]), 15));
            let root = (u64::from(*width) << 16).isqrt() as i32;
            let y = t.map(|t| rs(t * root, 8 + e + s / 2 - u32::from(*unit_bits)));
            y.map(|y| y.clamp(-127, 127) as i8).collect()
        };
        Some(Tensor::Narrow(
            h.chunks(*width as usize).flat_map(normed).collect(),
        ))
    }

    #[test]
    fn a_device_with_one_mistake_is_refused() {
        let skews: [(&str, Skew); 6] = [
            ("Linear", rounded_linear),
            ("Scores", rounded_scores),
            ("MaxPool", max_without_padding),
            ("Residual", residual_to_the_last),
            ("Requant", floored_requant),
            ("RmsNorm", floored_norm),
        ];
        for (op, skew) in skews {
            let failure = self_test(&mut Skewed(skew)).expect_err(op).to_string();
            let place = format!("the first in {op} ");
            assert!(failure.contains(&place), "{failure}");
        }
    }

    /// Right as long as it shows what every op gives.
    struct OneBitOff;

    impl Traced for OneBitOff {
        fn tensors(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &Samples,
        ) -> Result<Vec<Vec<Tensor>>, EvalError> {
            Reference.tensors(graph, weights, samples)
        }
    }

    impl Evaluator for OneBitOff {
        fn losses(
            &mut self,
            graph: &Graph,
            weights: &[i16],
            samples: &Samples,
        ) -> Result<Vec<u32>, EvalError> {
            let mut losses = Reference.losses(graph, weights, samples)?;
            losses[7] ^= 1;
            Ok(losses)
        }
    }

    #[test]
    fn a_device_that_is_one_bit_off_is_refused() {
        let failure = self_test(&mut OneBitOff).unwrap_err();
        assert!(failure.to_string().contains("the loss of sample 7"));
        assert!(matches!(
            failure,
            SelfTestFailure::Mismatch { wrong: 1, .. }
        ));
    }
}
