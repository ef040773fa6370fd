//! What makes a graph valid, and why others are not.

use super::*;
use crate::{Cnn, Convolution, Image, Pool, Transformer, Window};
use alloc::vec;
use proptest::prelude::*;

fn with(ops: impl IntoIterator<Item = Op>) -> Graph {
    Graph {
        inputs: 4,
        ops: ops.into_iter().collect(),
    }
}

fn linear(inputs: u32, outputs: u32) -> Op {
    Op::Linear {
        inputs,
        outputs,
        bias_shift: 0,
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

#[test]
fn mlp_is_what_the_protocol_says() {
    let expected = vec![
        Op::Linear {
            inputs: 784,
            outputs: 128,
            bias_shift: 2,
        },
        requant(11, 128, 7, Width::Narrow),
        Op::Relu,
        linear(128, 10),
        requant(6, 128, 7, Width::Wide),
        Op::CrossEntropy { classes: 10 },
    ];
    let graph = Graph::mlp(&[784, 128, 10]);
    assert_eq!(graph.ops, expected);
    assert_eq!(graph.validate(), Ok(()));
    assert_eq!((graph.parameters(), graph.classes()), (101_770, 10));
    assert_eq!(
        Graph::mlp(&[784, 64, 32, 10]).ops[4],
        requant(8, 128, 7, Width::Narrow)
    );
    assert_eq!(
        Graph::mlp(&[784, 10]).ops[1],
        requant(9, 128, 7, Width::Wide)
    );
    assert_eq!(Graph::mlp(&[784, 64, 32, 10]).validate(), Ok(()));
}

#[test]
fn bytes_and_hash_are_golden() {
    let graph = Graph::mlp(&[784, 128, 10]);
    let bytes = "100300001800100300008000000002010b8007000200800000000a000000000106800701030a0000\
        00";
    assert_eq!(hex::encode(graph.encode()), bytes);
    let hash = "5be320b05d01053dc1f02258af7d7082c45e8c0791c20f809000ad5c03f914f8";
    assert_eq!(hex::encode(graph.hash()), hash);
}

#[test]
fn faults_are_named() {
    let wide = requant(6, 128, 7, Width::Wide);
    let narrow = requant(8, 128, 7, Width::Narrow);
    let loss = Op::CrossEntropy { classes: 3 };
    let faults = [
        (with([]), GraphError::NoLoss),
        (Graph::mlp(&[4]), GraphError::NoLoss),
        (with([linear(4, 3), wide]), GraphError::NoLoss),
        (with([linear(5, 3)]), GraphError::WrongLength { op: 0 }),
        (
            with([linear(4, 2), wide, loss]),
            GraphError::WrongLength { op: 2 },
        ),
        (with([wide]), GraphError::WrongKind { op: 0 }),
        (
            with([linear(4, 3), Op::Relu]),
            GraphError::WrongKind { op: 1 },
        ),
        (
            with([linear(4, 3), wide, Op::Relu]),
            GraphError::WrongKind { op: 2 },
        ),
        (
            with([linear(4, 3), wide, loss, loss]),
            GraphError::WrongKind { op: 3 },
        ),
        (
            with([linear(4, 3), narrow, loss]),
            GraphError::WrongKind { op: 2 },
        ),
        (with([linear(4, 0)]), GraphError::FieldOutOfBounds { op: 0 }),
        (
            with([linear(4, 3), requant(32, 1, 0, Width::Wide)]),
            GraphError::FieldOutOfBounds { op: 1 },
        ),
        (
            with([linear(4, 3), requant(0, 0, 0, Width::Wide)]),
            GraphError::FieldOutOfBounds { op: 1 },
        ),
        (
            with([linear(4, 3), requant(0, 1, 32, Width::Wide)]),
            GraphError::FieldOutOfBounds { op: 1 },
        ),
        (Graph::mlp(&[4, 1]), GraphError::FieldOutOfBounds { op: 2 }),
        (
            Graph::mlp(&[4, 257]),
            GraphError::FieldOutOfBounds { op: 2 },
        ),
        (Graph::mlp(&[0, 2]), GraphError::FieldOutOfBounds { op: 0 }),
        (
            Graph::mlp(&[200, 1 << 20, 2]),
            GraphError::TooManyParameters { op: 0 },
        ),
        (
            Graph::mlp(&[u32::MAX, u32::MAX, 2]),
            GraphError::AccumulatorOverflow { op: 0 },
        ),
        (with([Op::Relu; MAX_OPS + 1]), GraphError::TooManyOps),
    ];
    for (graph, error) in faults {
        assert_eq!(graph.validate(), Err(error), "{graph:?}");
    }
}

#[test]
fn faults_of_a_transformer_are_named() {
    let shape = Transformer {
        vocab: 5,
        tokens: 4,
        width: 6,
        heads: 2,
        hidden: 7,
        layers: 1,
        tied: true,
    };
    let good = Graph::transformer(&shape);
    assert_eq!(good.validate(), Ok(()));
    let embed = good.ops[0];
    let replaced: Vec<(usize, Op, GraphError)> = vec![
        // An embedding is the first op, and takes all inputs.
        (1, embed, GraphError::WrongKind { op: 1 }),
        (
            0,
            Op::Embed {
                vocab: 5,
                tokens: 3,
                width: 6,
                shift: 6,
            },
            GraphError::WrongLength { op: 0 },
        ),
        (
            0,
            Op::Embed {
                vocab: 5,
                tokens: 4,
                width: 6,
                shift: 16,
            },
            GraphError::FieldOutOfBounds { op: 0 },
        ),
        (
            1,
            Op::RmsNorm {
                width: 6,
                unit_bits: 8,
            },
            GraphError::FieldOutOfBounds { op: 1 },
        ),
        (
            1,
            Op::RmsNorm {
                width: 5,
                unit_bits: 5,
            },
            GraphError::WrongLength { op: 1 },
        ),
        (
            4,
            Op::Scores {
                heads: 2,
                head_width: 2,
            },
            GraphError::WrongLength { op: 4 },
        ),
        (
            4,
            Op::Scores {
                heads: u32::MAX,
                head_width: 3,
            },
            GraphError::FieldOutOfBounds { op: 4 },
        ),
        (
            6,
            Op::Softmax {
                heads: 1,
                tokens: 4,
            },
            GraphError::WrongLength { op: 6 },
        ),
        (
            6,
            Op::Softmax {
                heads: 2,
                tokens: 3,
            },
            GraphError::WrongKind { op: 6 },
        ),
        // The values are in the rows that scores were made of, earlier.
        (
            7,
            Op::Mix {
                from: 2,
                heads: 2,
                head_width: 3,
            },
            GraphError::WrongReference { op: 7 },
        ),
        (
            7,
            Op::Mix {
                from: u32::MAX,
                heads: 2,
                head_width: 3,
            },
            GraphError::WrongReference { op: 7 },
        ),
        (
            7,
            Op::Mix {
                from: 3,
                heads: 3,
                head_width: 2,
            },
            GraphError::WrongReference { op: 7 },
        ),
        // What is added is earlier, wide and of the same shape.
        (
            11,
            Op::Residual { from: 11 },
            GraphError::WrongReference { op: 11 },
        ),
        (
            11,
            Op::Residual { from: 1 },
            GraphError::WrongReference { op: 11 },
        ),
        (
            11,
            Op::Residual { from: 5 },
            GraphError::WrongReference { op: 11 },
        ),
        (
            20,
            Op::Unembed { vocab: 5, width: 5 },
            GraphError::WrongReference { op: 20 },
        ),
        (
            23,
            Op::Total { tokens: 5 },
            GraphError::WrongKind { op: 23 },
        ),
    ];
    for (place, op, error) in replaced {
        let mut graph = good.clone();
        graph.ops[place] = op;
        assert_eq!(graph.validate(), Err(error), "{op:?}");
    }
    let mut graph = good.clone();
    graph.ops.pop();
    assert_eq!(graph.validate(), Err(GraphError::NoLoss));
    // A total of one loss, and a mix of what is not a softmax's shares.
    let mut graph = Graph::mlp(&[4, 3]);
    graph.ops.push(Op::Total { tokens: 1 });
    assert_eq!(graph.validate(), Err(GraphError::WrongKind { op: 3 }));
    let mut graph = good.clone();
    graph.ops.remove(4);
    assert_eq!(graph.validate(), Err(GraphError::WrongKind { op: 4 }));
    // Scores are for a softmax only: they cover later tokens, too.
    for (place, op) in [
        (5, requant(2, 128, 7, Width::Narrow)),
        (6, Op::Residual { from: 5 }),
    ] {
        let mut graph = good.clone();
        graph.ops[place] = op;
        assert_eq!(graph.validate(), Err(GraphError::WrongKind { op: 4 }));
    }
    let mut graph = Graph::transformer(&Transformer { width: 8, ..shape });
    assert_eq!(graph.validate(), Ok(()));
    // Two heads of four tokens are as long as a row of the stream.
    assert_eq!(graph.flows().unwrap()[5], graph.flows().unwrap()[0]);
    graph.ops[11] = Op::Residual { from: 5 };
    let error = GraphError::WrongReference { op: 11 };
    assert_eq!(graph.validate(), Err(error));
    // Labels are tokens: as many classes as there are.
    let mut graph = good.clone();
    graph.ops.truncate(20);
    graph.ops.extend([
        linear(6, 4),
        requant(7, 128, 7, Width::Wide),
        Op::CrossEntropy { classes: 4 },
        Op::Total { tokens: 4 },
    ]);
    assert_eq!(graph.validate(), Err(GraphError::WrongLength { op: 22 }));
    // More values than a trace can have.
    let graph = Graph {
        inputs: 1024,
        ops: vec![
            Op::Embed {
                vocab: 2,
                tokens: 1024,
                width: 1,
                shift: 0,
            },
            Op::RmsNorm {
                width: 1,
                unit_bits: 0,
            },
            linear(1, (1 << 15) + 1),
        ],
    };
    assert_eq!(graph.validate(), Err(GraphError::TooManyValues { op: 2 }));
}

fn small_cnn() -> Graph {
    Graph::cnn(&Cnn {
        image: Image {
            height: 8,
            width: 6,
            channels: 3,
        },
        convolutions: vec![Convolution {
            channels: 4,
            window: Window {
                size: 3,
                stride: 1,
                padding: 1,
            },
            pool: Pool::Max(2),
        }],
        hidden: vec![],
        classes: 5,
    })
}

#[test]
fn the_bytes_of_images_are_golden() {
    // Two bytes each for height and width, four for channels, then size, stride and padding.
    let bytes =
        "90000000240d0800060003000000030101001b0000000400000002010b800700020e08000600040000000202\
        00100030000000050000000001068007010305000000";
    assert_eq!(hex::encode(small_cnn().encode()), bytes);
    let image = Image {
        height: 0x0102,
        width: 0x0304,
        channels: 0x0506_0708,
    };
    let window = Window {
        size: 9,
        stride: 10,
        padding: 11,
    };
    let sum = Op::SumPool { image, window }.encode();
    assert_eq!(hex::encode(sum), "0f0201040308070605090a0b");
    assert_eq!(Op::Flatten.encode(), [0x10]);
}

#[test]
fn faults_of_a_cnn_are_named() {
    let good = small_cnn();
    assert_eq!(good.validate(), Ok(()));
    let image = |height, width, channels| Image {
        height,
        width,
        channels,
    };
    let window = |size, stride, padding| Window {
        size,
        stride,
        padding,
    };
    let im2col = |image, window| Op::Im2col { image, window };
    let max = |image, window| Op::MaxPool { image, window };
    let sum = |image, window| Op::SumPool { image, window };
    let sample = image(8, 6, 3);
    let out = |op| GraphError::FieldOutOfBounds { op };
    let length = |op| GraphError::WrongLength { op };
    let replaced: Vec<(usize, Op, GraphError)> = vec![
        (0, im2col(sample, window(0, 1, 0)), out(0)),
        (0, im2col(sample, window(3, 0, 1)), out(0)),
        (0, im2col(sample, window(3, 1, 3)), out(0)),
        (0, im2col(sample, window(7, 1, 0)), out(0)),
        (0, im2col(image(0, 6, 3), window(3, 1, 1)), out(0)),
        (0, im2col(image(8, 6, 0), window(3, 1, 1)), out(0)),
        (
            0,
            im2col(image(u16::MAX, u16::MAX, 1), window(1, 255, 0)),
            out(0),
        ),
        (0, im2col(image(8, 6, u32::MAX), window(1, 1, 0)), out(0)),
        (0, im2col(image(8, 6, 2), window(3, 1, 1)), length(0)),
        // Another image with the same number of values is fine for the sample; but rows from an op
        // are pixels.
        (0, im2col(image(6, 8, 3), window(3, 1, 0)), length(4)),
        (4, im2col(image(8, 24, 1), window(3, 1, 1)), length(4)),
        (4, im2col(image(8, 6, 3), window(3, 1, 1)), length(4)),
        (4, max(image(8, 6, 3), window(2, 2, 0)), length(4)),
        (4, max(image(8, 24, 1), window(2, 2, 0)), length(4)),
        (4, max(image(8, 6, 4), window(9, 1, 0)), out(4)),
        (4, sum(image(8, 6, 4), window(2, 2, 2)), out(4)),
        // A sum is no activation, and a pool takes no sums.
        (
            4,
            sum(image(8, 6, 4), window(2, 2, 0)),
            GraphError::WrongKind { op: 5 },
        ),
        (
            2,
            max(image(8, 6, 4), window(2, 2, 0)),
            GraphError::WrongKind { op: 2 },
        ),
        (2, Op::Flatten, GraphError::WrongKind { op: 2 }),
        // The sample is an image for a convolution only.
        (0, max(sample, window(2, 2, 0)), length(0)),
        (0, sum(image(1, 1, 144), window(1, 1, 0)), length(0)),
        // More pixels than a referee reads at once.
        (4, max(image(8, 6, 4), window(46, 1, 45)), out(4)),
    ];
    for (place, op, error) in replaced {
        let mut graph = good.clone();
        graph.ops[place] = op;
        assert_eq!(graph.validate(), Err(error), "{op:?} at {place}");
    }
    // One label has one row.
    let mut graph = good.clone();
    graph.ops.truncate(1);
    graph.ops.extend([
        linear(27, 5),
        requant(6, 128, 7, Width::Wide),
        Op::CrossEntropy { classes: 5 },
    ]);
    assert_eq!(graph.flows(), Err(GraphError::WrongKind { op: 3 }));
    // More values than a trace can have.
    let graph = Graph {
        inputs: 1 << 20,
        ops: vec![im2col(image(1 << 10, 1 << 10, 1), window(7, 1, 3))],
    };
    assert_eq!(graph.validate(), Err(GraphError::TooManyValues { op: 0 }));
    let graph = Graph {
        inputs: 1 << 25,
        ops: vec![im2col(image(1, 1, 1 << 25), window(255, 1, 254))],
    };
    assert_eq!(graph.validate(), Err(GraphError::TooManyValues { op: 0 }));
}

/// Otherwise a token could see a later one, which is its label. In images the number of rows
/// changes: what is mixed has a row for every share.
#[test]
fn values_of_other_rows_are_not_mixed() {
    let attention = |tokens, from| {
        let (heads, head_width) = (1, 2);
        [
            linear(2, 6),
            requant(6, 128, 7, Width::Narrow),
            Op::Scores { heads, head_width },
            requant(6, 128, 7, Width::Wide),
            Op::Softmax { heads, tokens },
            Op::Mix {
                from,
                heads,
                head_width,
            },
            requant(6, 128, 7, Width::Narrow),
        ]
    };
    let image = |side, channels| Image {
        height: side,
        width: side,
        channels,
    };
    let window = |size| Window {
        size,
        stride: size,
        padding: 0,
    };
    let pixels = Op::Im2col {
        image: image(4, 2),
        window: window(1),
    };
    let halved = Op::MaxPool {
        image: image(4, 2),
        window: window(2),
    };
    // Sixteen pixels, then four; op 2 gives the values of the first, op 10 of the second.
    let graph = |from| Graph {
        inputs: 32,
        ops: [pixels]
            .into_iter()
            .chain(attention(16, 2))
            .chain([halved])
            .chain(attention(4, from))
            .chain([Op::Flatten, linear(8, 3), requant(6, 128, 7, Width::Wide)])
            .chain([Op::CrossEntropy { classes: 3 }])
            .collect(),
    };
    assert_eq!(graph(10).validate(), Ok(()));
    assert_eq!(
        graph(2).validate(),
        Err(GraphError::WrongReference { op: 14 })
    );
}

#[test]
fn a_text_is_no_image() {
    let image = Image {
        height: 4,
        width: 1,
        channels: 6,
    };
    let window = Window {
        size: 1,
        stride: 1,
        padding: 0,
    };
    let ops = [
        Op::Im2col { image, window },
        Op::MaxPool { image, window },
        Op::SumPool { image, window },
        Op::Flatten,
    ];
    for op in ops {
        let embed = Op::Embed {
            vocab: 5,
            tokens: 4,
            width: 6,
            shift: 6,
        };
        let norm = Op::RmsNorm {
            width: 6,
            unit_bits: 5,
        };
        let graph = with([embed, norm, op]);
        assert_eq!(graph.flows(), Err(GraphError::WrongKind { op: 2 }));
        let of_an_image = Graph {
            inputs: 24,
            ops: vec![Op::Im2col { image, window }, op],
        };
        assert!(of_an_image.flows().is_ok());
    }
}

#[test]
fn products_are_counted_and_bounded() {
    assert_eq!(Graph::mlp(&[784, 128, 10]).products(), 784 * 128 + 128 * 10);
    assert_eq!(Graph::mlp(&[784]).products(), 0);
    // A linear op, a requant and a relu of 3 values, the first two of 2, a loss.
    let values = 3 * 3 + 2 * 2 + 1;
    let small = Graph::mlp(&[4, 3, 2]);
    assert_eq!(small.cost(), small.products() + 16 * values);
    // 48 places of 27 values for 4 channels, all of them pooled; then 4 * 3 pixels of them for 5 classes.
    assert_eq!(small_cnn().products(), 48 * 27 * 4 + 48 * 4 * 64 + 48 * 5);
    let shape = Transformer {
        vocab: 5,
        tokens: 4,
        width: 6,
        heads: 2,
        hidden: 7,
        layers: 1,
        tied: true,
    };
    let of_a_token = 6 * 18 + 2 * 4 * 6 + 6 * 6 + 6 * 7 + 7 * 6 + 6 * 5;
    assert_eq!(Graph::transformer(&shape).products(), 4 * of_a_token);
    let image = Image {
        height: 128,
        width: 64,
        channels: 4096,
    };
    let window = Window {
        size: 1,
        stride: 1,
        padding: 0,
    };
    let mut graph = Graph {
        inputs: 1 << 25,
        ops: vec![Op::Im2col { image, window }, linear(4096, 4096)],
    };
    assert_eq!(graph.products(), MAX_PRODUCTS);
    graph.ops.push(requant(0, 1, 0, Width::Narrow));
    graph.ops.push(linear(4096, 1));
    let error = GraphError::TooManyProducts { op: 3 };
    assert_eq!(graph.validate(), Err(error));
    assert_eq!(graph.products(), 0);
}

/// A pool with large places gives few values and takes many.
#[test]
fn what_pools_take_is_bounded_with_the_products() {
    let image = Image {
        height: 16_384,
        width: 32,
        channels: 64,
    };
    let window = Window {
        size: 32,
        stride: 1,
        padding: 0,
    };
    let same = |size| Window { size, ..window };
    let taken = |pool: Op| {
        let first = Op::Im2col {
            image,
            window: same(1),
        };
        let graph = Graph {
            inputs: 1 << 25,
            ops: vec![first, pool],
        };
        graph.flows().map(|_| graph.products())
    };
    let window = same(32);
    let values = 64 * 64 * (16_384 - 31) * 32 * 32;
    assert_eq!(taken(Op::MaxPool { image, window }), Ok(values));
    assert_eq!(taken(Op::SumPool { image, window }), Ok(values));
    // As many places as pixels.
    let window = Window {
        size: 33,
        stride: 1,
        padding: 16,
    };
    let image = Image {
        height: 11_500,
        width: 45,
        channels: 1,
    };
    let first = Op::Im2col {
        image,
        window: same(1),
    };
    let pools = |count| Graph {
        inputs: 11_500 * 45,
        ops: [vec![first], vec![Op::MaxPool { image, window }; count]].concat(),
    };
    assert!(pools(3).flows().is_ok());
    let error = GraphError::TooManyProducts { op: 4 };
    assert_eq!(pools(4).flows(), Err(error));
}

#[test]
fn values_of_all_ops_are_bounded() {
    let graph = |relus| Graph {
        inputs: 1 << 25,
        ops: vec![Op::Relu; relus],
    };
    assert!(graph(32).flows().is_ok());
    let error = GraphError::TooManyValues { op: 32 };
    assert_eq!(graph(33).flows(), Err(error));
}

#[test]
fn what_is_no_token_or_no_class_counts_as_the_last() {
    let graph = Graph::mlp(&[2, 3]);
    let records = [255, 7, 2, 0, 3, 3, 9, 9, 255];
    assert_eq!(graph.samples(&records), [255, 7, 2, 0, 3, 2, 9, 9, 2]);
    assert_eq!(graph.samples(&[]), []);
    let text = Graph::transformer(&Transformer {
        vocab: 3,
        tokens: 2,
        width: 1,
        heads: 1,
        hidden: 1,
        layers: 0,
        tied: true,
    });
    assert_eq!(text.samples(&[0, 1, 2, 3, 255, 9]), [0, 1, 2, 2, 2, 2]);
}

#[test]
fn accumulators_stay_in_32_bits() {
    // 133142 * 127^2 + 32512 <= i32::MAX, and one more is not.
    let wide = requant(6, 128, 7, Width::Wide);
    let graph = |inputs| Graph {
        inputs,
        ops: vec![linear(inputs, 2), wide, Op::CrossEntropy { classes: 2 }],
    };
    assert_eq!(graph(133_142).validate(), Ok(()));
    assert_eq!(
        graph(133_143).validate(),
        Err(GraphError::AccumulatorOverflow { op: 0 })
    );
}

#[test]
fn the_longest_graph_has_the_longest_encoding() {
    let embed = Op::Embed {
        vocab: 2,
        tokens: 4,
        width: 1,
        shift: 0,
    };
    let graph = with([embed; MAX_OPS]);
    assert_eq!(graph.encode().len(), Graph::max_encoded_len());
    assert!(Graph::max_encoded_len() <= 4096);
}

#[test]
fn bytes_after_a_graph_are_refused() {
    let mut bytes = Graph::mlp(&[4, 3]).encode();
    assert_eq!(Graph::from_bytes(&bytes), Ok(Graph::mlp(&[4, 3])));
    bytes.push(0);
    assert_eq!(Graph::from_bytes(&bytes), Err(GraphError::Malformed));
}

proptest! {
    #[test]
    fn from_bytes_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(graph) = Graph::from_bytes(&bytes) {
            prop_assert_eq!(graph.encode(), bytes);
        }
    }
}
