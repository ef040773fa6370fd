//! The models, weights and samples of the self-test.

use gotong_scoring::{
    arith::MASTER_BOUND, Cnn, Convolution, Graph, Image, Op, Pool, Samples, SamplesError,
    Transformer, Width, Window,
};
use rand::{rngs::StdRng, Rng, SeedableRng};

/// Models, and the weights that each is tested with.
pub(super) fn graphs() -> impl Iterator<Item = (Graph, &'static [(&'static str, Fill)])> {
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
    // The longest takes as long as all the others.
    let longest = (Graph::transformer(&LONGEST), &FILLS[..2]);
    all.chain([
        longest,
        (widest_norm(), &STEEP[..]),
        (largest_gradients(), &UNBIASED[..]),
    ])
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

/// Convolutions: with rows longer than one f32 chunk, padding, strides and both pools.
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

/// Gives `ops` every pixel as it is, and tells two classes apart by all `values` that they give.
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

/// Pools with padding, and negative activations, among which 0 is the largest.
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

/// So few tokens that shares are the largest. In a wide head the largest scores are odd and above 2^23; with many heads, every
/// possible share occurs.
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

/// The widest norm, over an embedding that is not shifted and over its double: either can be out of bounds.
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

/// Every shift from 16 on, for accumulators with as many bits as a bias gives and for the largest products.
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

/// Layers that multiply a gradient by up to 2^15 each, until it reaches its limit. A sample of zeros, without
/// biases, stays inside all bounds.
fn largest_gradients() -> Graph {
    let layer = [linear(1, 1, 8), requant(0, 255, 0, Width::Narrow)];
    let last = [
        linear(1, 2, 0),
        requant(6, 255, 8, Width::Wide),
        Op::CrossEntropy { classes: 2 },
    ];
    Graph {
        inputs: 1,
        ops: [&layer.repeat(6)[..], &last].concat(),
    }
}

/// How a weight is made from its index and a random master weight.
pub(super) type Fill = fn(usize, i16) -> i16;

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

/// A row of 2,048 with one large value and others whose squares count only if they are rounded up.
static STEEP: [(&str, Fill); 1] = [("steep", |index, _| match index % 2048 {
    0 => 4_191,
    _ => 12,
})];

/// For layers of one weight and one bias.
static UNBIASED: [(&str, Fill); 1] = [("unbiased", |index, _| match index % 2 {
    0 => MASTER_BOUND,
    _ => 0,
})];

pub(super) fn weights(graph: &Graph, seed: u64, fill: Fill) -> Vec<i16> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..graph.parameters())
        .map(|index| fill(index, random.random_range(-MASTER_BOUND..=MASTER_BOUND)))
        .map(|weight| weight.clamp(-MASTER_BOUND, MASTER_BOUND))
        .collect()
}

/// Nine samples, which fill no tile: in the first all bytes or tokens are the largest, in the second the smallest, in the rest
/// random. Only three samples if they are long.
pub(super) fn samples(graph: &Graph, seed: u64) -> Result<Samples, SamplesError> {
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

/// An MLP without ReLU, so that activations are negative too, with multipliers that are not powers of two and shifts at their
/// limits.
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
