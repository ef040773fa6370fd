// The integers are compared with floats.
#![allow(clippy::float_arithmetic)]

use super::*;
use crate::{Evaluator, Reference, Transformer};

/// A multiplicative generator: enough for test data.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
    fn within(&mut self, most: i64) -> i64 {
        self.below(2 * most as u64 + 1) as i64 - most
    }
}

fn gradient(graph: &Graph, weights: &[i16], samples: &Samples) -> Vec<i64> {
    let mut all = Vec::new();
    Reference
        .gradients(
            graph,
            weights,
            samples,
            &[0..samples.len()],
            &mut |_, gradient| all = gradient.to_vec(),
        )
        .unwrap();
    all
}

/// Correlation, over random directions, between what the gradient says about the loss and central
/// differences.
fn correlation(
    graph: &Graph,
    weights: &[i16],
    samples: &Samples,
    random: &mut Random,
    step: i64,
    scale: impl Fn(usize) -> i64,
) -> (f64, f64) {
    let g = gradient(graph, weights, samples);
    let (mut x, mut y) = (vec![], vec![]);
    for _ in 0..24 {
        let d: Vec<i64> = (0..weights.len())
            .map(|at| random.within(step * scale(at)))
            .collect();
        let moved = |by: i64| -> Vec<i16> {
            weights
                .iter()
                .zip(&d)
                .map(|(w, d)| (i64::from(*w) + by * d).clamp(-32_512, 32_512) as i16)
                .collect()
        };
        let loss = |w: Vec<i16>| {
            Reference
                .losses(graph, &w, samples)
                .unwrap()
                .iter()
                .map(|l| f64::from(*l))
                .sum::<f64>()
                / 65_536.0
        };
        y.push((loss(moved(1)) - loss(moved(-1))) / 2.0);
        x.push(
            g.iter()
                .zip(&d)
                .map(|(g, d)| *g as f64 * *d as f64)
                .sum::<f64>()
                / (1u64 << 40) as f64,
        );
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(&x), mean(&y));
    let (mut sxx, mut syy, mut sxy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(&y) {
        sxx += (x - mx) * (x - mx);
        syy += (y - my) * (y - my);
        sxy += (x - mx) * (y - my);
    }
    (sxy / (sxx * syy).sqrt(), sxy / sxx)
}

#[test]
fn the_gradient_of_an_mlp_points_where_the_loss_falls() {
    let mut random = Random(7);
    let graph = Graph::mlp(&[64, 32, 10]);
    let weights: Vec<i16> = (0..graph.parameters())
        .map(|_| random.within(9000) as i16)
        .collect();
    let records: Vec<u8> = (0..64 * 65)
        .map(|at| {
            if at % 65 == 64 {
                random.below(10) as u8
            } else {
                random.below(256) as u8
            }
        })
        .collect();
    let samples = Samples::new(64, 10, &records).unwrap();
    let (r, slope) = correlation(&graph, &weights, &samples, &mut random, 600, |_| 1);
    assert!(r > 0.97 && (0.8..1.2).contains(&slope), "{r} {slope}");
}

#[test]
fn the_gradient_of_a_transformer_points_where_the_loss_falls() {
    let mut random = Random(7);
    let graph = Graph::transformer(&Transformer {
        vocab: 20,
        tokens: 16,
        width: 32,
        heads: 2,
        hidden: 64,
        layers: 2,
        tied: true,
    });
    let weights: Vec<i16> = (0..graph.parameters())
        .map(|_| random.within(12_000) as i16)
        .collect();
    let records: Vec<u8> = (0..48 * 17).map(|_| random.below(20) as u8).collect();
    let samples = Samples::new(16, 20, &records).unwrap();
    let (r, slope) = correlation(&graph, &weights, &samples, &mut random, 600, |_| 1);
    assert!(r > 0.97 && (0.8..1.2).contains(&slope), "{r} {slope}");
}

/// Graphs that have all ops between them, and some at their widest.
fn all_ops() -> Vec<Graph> {
    use crate::{Cnn, Image, Op, Width, Window};
    let _ = core::marker::PhantomData::<Cnn>;
    let shape = |vocab, tokens, width, heads, hidden, tied| Transformer {
        vocab,
        tokens,
        width,
        heads,
        hidden,
        layers: 1,
        tied,
    };
    let narrow = Op::Requant {
        shift_in: 5,
        multiplier: 255,
        shift_out: 6,
        width: Width::Narrow,
    };
    let wide = Op::Requant {
        shift_in: 2,
        multiplier: 200,
        shift_out: 7,
        width: Width::Wide,
    };
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
    let linear = |inputs, outputs| Op::Linear {
        inputs,
        outputs,
        bias_shift: 8,
    };
    vec![
        Graph::mlp(&[784, 128, 10]),
        Graph::mlp(&[3, 4097, 256]),
        Graph::transformer(&shape(7, 9, 8, 2, 16, false)),
        Graph::transformer(&shape(256, 64, 64, 1, 16, true)),
        Graph::transformer(&shape(2, 1024, 4, 2, 4, true)),
        Graph {
            inputs: 8 * 8 * 2,
            ops: vec![
                Op::Im2col {
                    image: image(8, 8, 2),
                    window: window(3, 1, 1),
                },
                linear(18, 6),
                narrow,
                Op::Relu,
                Op::MaxPool {
                    image: image(8, 8, 6),
                    window: window(3, 2, 1),
                },
                Op::Im2col {
                    image: image(4, 4, 6),
                    window: window(2, 1, 0),
                },
                linear(24, 5),
                narrow,
                Op::SquaredRelu,
                Op::SumPool {
                    image: image(3, 3, 5),
                    window: window(2, 1, 1),
                },
                narrow,
                Op::Flatten,
                linear(80, 7),
                wide,
                Op::CrossEntropy { classes: 7 },
            ],
        },
    ]
}

#[test]
fn no_sum_overflows_whatever_the_weights() {
    let mut random = Random(3);
    for (number, graph) in all_ops().iter().enumerate() {
        assert_eq!(graph.validate(), Ok(()), "graph {number}");
        for kind in 0..6 {
            let weight = |random: &mut Random| match kind {
                0 => 32_512,
                1 => -32_512,
                2 => {
                    if random.below(2) == 0 {
                        32_512
                    } else {
                        -32_512
                    }
                }
                3 => 0,
                4 => {
                    if random.below(50) == 0 {
                        32_512
                    } else {
                        0
                    }
                }
                _ => random.within(32_512) as i16,
            };
            let weights: Vec<i16> = (0..graph.parameters())
                .map(|_| weight(&mut random))
                .collect();
            let length = graph.inputs as usize + 1;
            let bytes: Vec<u8> = (0..2 * length)
                .map(|_| [0, 255, random.below(256) as u8][random.below(3) as usize])
                .collect();
            let samples =
                Samples::new(graph.inputs, graph.classes(), &graph.samples(&bytes)).unwrap();
            let g = gradient(graph, &weights, &samples);
            assert!(
                g.iter()
                    .all(|g| g.unsigned_abs() <= 2 * MOST_OF_A_SAMPLE as u64),
                "graph {number}, kind {kind}"
            );
        }
    }
}

#[test]
fn adjoints_are_shifted_all_by_as_much() {
    let sums = |values: &[i32], exponent| Sums {
        values: values.to_vec(),
        exponent,
    };
    let adjoint = |values: &[i16], exponent| Adjoint {
        values: values.to_vec(),
        exponent,
    };
    assert_eq!(Adjoint::of(&sums(&[5, -7], 3), 15), adjoint(&[5, -7], 3));
    assert_eq!(
        Adjoint::of(&sums(&[1 << 20, -3, 48], -4), 15),
        adjoint(&[1 << 14, 0, 1], 2)
    );
    // Rounded up to a bit more: clamped.
    assert_eq!(Adjoint::of(&sums(&[65_535], 0), 15), adjoint(&[32_767], 1));
    assert_eq!(
        Adjoint::of(&sums(&[i32::MIN, i32::MAX], 0), 4),
        adjoint(&[-8, 8], 28)
    );
    assert_eq!(Adjoint::of(&sums(&[], 0), 15), adjoint(&[], 0));
    // Among several, a part that is zero has no exponent.
    let all = [sums(&[4, 6], -3), sums(&[0, 0], 90), sums(&[1, 1], -1)];
    // 4/4 + 1 and 6/4 + 1, halves up.
    assert_eq!(Adjoint::of_all(&all, 15), Some(adjoint(&[2, 3], -1)));
    assert_eq!(Adjoint::of_all(&[], 15), None);
}

#[test]
fn what_a_sample_adds_is_limited() {
    assert_eq!(contribution(3, -40), 3);
    assert_eq!(contribution(3, -38), 12);
    assert_eq!(
        [
            contribution(3, -41),
            contribution(-3, -41),
            contribution(1 << 30, -72)
        ],
        [2, -1, 0]
    );
    assert_eq!(
        [
            contribution(1, 20),
            contribution(-1, 200),
            contribution(0, i32::MAX)
        ],
        [MOST_OF_A_SAMPLE, -MOST_OF_A_SAMPLE, 0]
    );
    assert_eq!(
        [
            contribution(i32::MAX, i32::MIN),
            contribution(i32::MIN, i32::MAX)
        ],
        [0, -MOST_OF_A_SAMPLE]
    );
}
