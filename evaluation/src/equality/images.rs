//! Convolutions and pools.

use super::*;
use gotong_scoring::{Cnn, Convolution, Image, Pool, Window};

/// A chain of ops on images, in an order that no real network needs: inputs are often negative, and
/// pools have padding, too.
pub(super) fn graphs() -> impl Strategy<Value = Graph> {
    let image = (1u16..12, 1u16..12, 1u32..40);
    let window = (1u8..4, 1u8..4, 0u8..3);
    let requant = (0u8..12, 1u8..=255, 4u8..10);
    let step = (0u8..5, window, 1u32..40, requant);
    (image, vec(step, 1..4), 2u32..6)
        .prop_map(|((height, width, channels), steps, classes)| {
            let mut image = Image {
                height,
                width,
                channels,
            };
            let inputs = image.values() as u32;
            let mut ops = Vec::new();
            let linear = |inputs, outputs| Op::Linear {
                inputs,
                outputs,
                bias_shift: 0,
            };
            for (which, (size, stride, padding), outputs, requant) in steps {
                let mut window = Window {
                    size,
                    stride,
                    padding: padding.min(size - 1),
                };
                if window.places(&image).is_none() {
                    (window.size, window.padding) = (1, 0);
                }
                let (down, across) = window.places(&image).unwrap();
                let (shift_in, multiplier, shift_out) = requant;
                let narrow = Op::Requant {
                    shift_in,
                    multiplier,
                    shift_out,
                    width: Width::Narrow,
                };
                match which {
                    _ if ops.is_empty() => ops.push(Op::Im2col { image, window }),
                    0 => ops.push(Op::Im2col { image, window }),
                    1 => ops.push(Op::MaxPool { image, window }),
                    2 => ops.extend([Op::SumPool { image, window }, narrow]),
                    _ => {
                        ops.extend([linear(image.channels, outputs), narrow]);
                        image.channels = outputs;
                        continue;
                    }
                }
                if let Some(Op::Im2col { .. }) = ops.last() {
                    image.channels *= window.pixels();
                }
                (image.height, image.width) = (down as u16, across as u16);
            }
            ops.extend([
                Op::Flatten,
                linear(image.values() as u32, classes),
                Op::Requant {
                    shift_in: 6,
                    multiplier: 255,
                    shift_out: 8,
                    width: Width::Wide,
                },
                Op::CrossEntropy { classes },
            ]);
            Graph { inputs, ops }
        })
        .prop_filter("too large", |graph| {
            graph.parameters() < 20_000 && graph.validate().is_ok()
        })
}

/// A network of the size that people train, on more samples than a block has.
#[test]
fn a_network_is_evaluated() {
    let convolution = |channels, pool| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool,
    };
    let graph = Graph::cnn(&Cnn {
        image: Image {
            height: 28,
            width: 28,
            channels: 1,
        },
        convolutions: vec![convolution(8, Pool::Max(2)), convolution(16, Pool::Mean(2))],
        hidden: vec![32],
        classes: 10,
    });
    let weights: Vec<i16> = (0..graph.parameters())
        .map(|at| (at * 7919 % 24_001) as i16 - 12_000)
        .collect();
    let records: Vec<u8> = (0..5 * 785)
        .map(|at| match at % 785 {
            784 => (at % 10) as u8,
            _ => (at * at % 251) as u8,
        })
        .collect();
    let samples = Samples::new(graph.inputs, graph.classes(), &records).unwrap();
    all_equal(&graph, &weights, &samples).unwrap();
}
