//! Equality is not quality, for the ops of images: a hand-made convolution has to find what it was
//! made for, and a network is compared with floating point.

#![allow(clippy::unwrap_used)]

use gotong_scoring::machine::{apply, Tensor};
use gotong_scoring::weights::view;
use gotong_scoring::{
    predict, Cnn, Convolution, Evaluator, Graph, Image, Op, Pool, Reference, Samples, Width, Window,
};

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
}

const SIDE: usize = 12;

/// Two crosses of five pixels, an upright and a leaning one.
const CROSSES: [[u8; 9]; 2] = [[0, 1, 0, 1, 1, 1, 0, 1, 0], [1, 0, 1, 0, 1, 0, 1, 0, 1]];

/// A white cross with its corner at these coordinates, on black.
fn picture(cross: usize, top: usize, left: usize) -> Vec<u8> {
    let mut pixels = vec![0; SIDE * SIDE];
    for (at, is_white) in CROSSES[cross].iter().enumerate() {
        pixels[(top + at / 3) * SIDE + left + at % 3] = 255 * is_white;
    }
    pixels
}

/// A network made to tell crosses apart: it has a channel for each, with the cross's picture as
/// weights and a bias that only a whole cross exceeds; the largest over all places says which.
fn finder() -> (Graph, Vec<i16>) {
    let graph = Graph::cnn(&Cnn {
        image: image(SIDE as u16, SIDE as u16, 1),
        convolutions: vec![Convolution {
            channels: 2,
            window: window(3, 1, 1),
            pool: Pool::Max(SIDE as u8),
        }],
        hidden: vec![],
        classes: 2,
    });
    let mut weights = Vec::new();
    for cross in CROSSES {
        // A quarter for each pixel of the cross.
        weights.extend(cross.map(|is_white| 16_384 * i16::from(is_white)));
    }
    // Four and a half pixels of the cross, in 1/8192.
    weights.extend([-9216; 2]);
    // Each class by its own channel.
    weights.extend([32_512, 0, 0, 32_512, 0, 0]);
    (graph, weights)
}

fn image(height: u16, width: u16, channels: u32) -> Image {
    Image {
        height,
        width,
        channels,
    }
}

fn window(size: u8, stride: u8, padding: u8) -> Window {
    Window {
        size,
        stride,
        padding,
    }
}

#[test]
fn a_convolution_made_to_find_a_cross_finds_it_anywhere() {
    let (graph, weights) = finder();
    assert_eq!(graph.validate(), Ok(()));
    assert_eq!(graph.parameters(), weights.len());
    let places = (0..SIDE - 2).flat_map(|top| (0..SIDE - 2).map(move |left| (top, left)));
    for cross in 0..2 {
        let records: Vec<u8> = places
            .clone()
            .flat_map(|(top, left)| [picture(cross, top, left), vec![cross as u8]].concat())
            .collect();
        let samples = Samples::new(graph.inputs, 2, &records).unwrap();
        let predicted = predict(&graph, &weights, &samples).unwrap();
        assert!(predicted.iter().all(|class| usize::from(*class) == cross));
        // Its position makes no difference, even at the border.
        let losses = Reference.losses(&graph, &weights, &samples).unwrap();
        assert!(losses
            .iter()
            .all(|loss| *loss == losses[0] && *loss < 1 << 16));
    }
    // Neither is a square of four, nor a cross that lacks a pixel.
    let mut square = vec![0; SIDE * SIDE];
    for at in [0, 1, SIDE, SIDE + 1] {
        square[3 * SIDE + 3 + at] = 255;
    }
    let mut broken = picture(0, 5, 5);
    broken[6 * SIDE + 6] = 0;
    for pixels in [square, broken] {
        let samples = Samples::new(graph.inputs, 2, &[pixels, vec![1]].concat()).unwrap();
        assert_eq!(
            Reference.losses(&graph, &weights, &samples),
            Ok(vec![1 << 16])
        );
    }
}

/// The float meaning of a [`Graph::cnn`]: logits in log2 units. Nothing is rounded; only the weights
/// are in their view, and activations stay below 8.
fn logits_f64(shape: &Cnn, weights: &[i16], pixels: &[u8]) -> Vec<f64> {
    let mut rest = weights;
    let mut take = |count: usize| {
        let (own, others) = rest.split_at(count);
        rest = others;
        own
    };
    let real = |w: &i16| f64::from(view(*w)) / 256.0;
    let (mut h, mut w) = (shape.image.height.into(), usize::from(shape.image.width));
    let mut channels = shape.image.channels as usize;
    let mut x: Vec<f64> = pixels.iter().map(|p| f64::from(p >> 1) / 128.0).collect();
    let mut bias_unit = 1.0 / 8192.0;
    for convolution in &shape.convolutions {
        let outputs = convolution.channels as usize;
        let size = usize::from(convolution.window.size);
        let [stride, padding] =
            [convolution.window.stride, convolution.window.padding].map(usize::from);
        let kernels = take(outputs * size * size * channels);
        let biases = take(outputs);
        let places = |side: usize| (side + 2 * padding - size) / stride + 1;
        let (down, across) = (places(h), places(w));
        let mut y = Vec::new();
        for (top, left) in (0..down).flat_map(|top| (0..across).map(move |left| (top, left))) {
            for (output, bias) in biases.iter().enumerate() {
                let mut sum = f64::from(*bias) * bias_unit;
                for (line, column) in (0..size).flat_map(|l| (0..size).map(move |c| (l, c))) {
                    let (line_, column_) = (top * stride + line, left * stride + column);
                    if (padding..h + padding).contains(&line_)
                        && (padding..w + padding).contains(&column_)
                    {
                        let pixel = (line_ - padding) * w + column_ - padding;
                        let kernel = (output * size + line) * size + column;
                        for channel in 0..channels {
                            sum += real(&kernels[kernel * channels + channel])
                                * x[pixel * channels + channel];
                        }
                    }
                }
                y.push(sum.clamp(0.0, 127.0 / 16.0));
            }
        }
        (h, w, channels, x, bias_unit) = (down, across, outputs, y, 1.0 / 4096.0);
        let (size, is_mean) = match convolution.pool {
            Pool::None => continue,
            Pool::Max(size) => (usize::from(size), false),
            Pool::Mean(size) => (usize::from(size), true),
        };
        let (down, across) = (h / size, w / size);
        let mut y = Vec::new();
        for (top, left) in (0..down).flat_map(|top| (0..across).map(move |left| (top, left))) {
            for channel in 0..channels {
                let values = (0..size).flat_map(|l| (0..size).map(move |c| (l, c)));
                let values = values.map(|(line, column)| {
                    x[((top * size + line) * w + left * size + column) * channels + channel]
                });
                y.push(if is_mean {
                    values.sum::<f64>() / (size * size) as f64
                } else {
                    values.fold(0.0, f64::max)
                });
            }
        }
        (h, w, x) = (down, across, y);
    }
    let widths = shape.hidden.iter().map(|width| (*width as usize, false));
    for (outputs, is_last) in widths.chain([(shape.classes as usize, true)]) {
        let (own, biases) = (take(outputs * x.len()), take(outputs));
        let rows = own.chunks(x.len()).zip(biases);
        let y = rows.map(|(row, bias)| {
            let dot: f64 = row.iter().zip(&x).map(|(w, x)| real(w) * x).sum();
            dot + f64::from(*bias) * bias_unit
        });
        x = y
            .map(|y| {
                if is_last {
                    y
                } else {
                    y.clamp(0.0, 127.0 / 16.0)
                }
            })
            .collect();
        bias_unit = 1.0 / 4096.0;
    }
    x
}

#[test]
fn a_cnn_means_what_its_units_say() {
    for pool in [Pool::Max(2), Pool::Mean(2), Pool::Mean(3), Pool::None] {
        let convolution = |channels, window| Convolution {
            channels,
            window,
            pool,
        };
        let shape = Cnn {
            image: image(14, 13, 2),
            convolutions: vec![
                convolution(8, window(3, 1, 1)),
                convolution(12, window(2, 1, 0)),
            ],
            hidden: vec![20],
            classes: 5,
        };
        let graph = Graph::cnn(&shape);
        assert_eq!(graph.validate(), Ok(()));
        let mut random = Random(3);
        let (mut worst, mut error) = (0f64, 0.0);
        // Several networks, because the rounding in one of them is the same for every sample.
        for _ in 0..10 {
            // About as large as at the start of training.
            let mut weights = Vec::new();
            for op in &graph.ops {
                let Op::Linear {
                    inputs, outputs, ..
                } = *op
                else {
                    continue;
                };
                let most = (65_536.0 * (6.0 / f64::from(inputs)).sqrt()).min(32_512.0) as u64;
                let mut weight = || (random.below(2 * most) as i64 - most as i64) as i16;
                weights.extend((0..inputs * outputs).map(|_| weight()));
                weights.extend((0..outputs).map(|_| weight() / 16));
            }
            let records: Vec<u8> = (0..6)
                .flat_map(|_| {
                    let pixels = (0..graph.inputs).map(|_| random.below(256) as u8);
                    pixels.chain([3]).collect::<Vec<u8>>()
                })
                .collect();
            let samples = Samples::new(graph.inputs, 5, &records).unwrap();
            let logits = Reference.logits(&graph, &weights, &samples).unwrap();
            let losses = Reference.losses(&graph, &weights, &samples).unwrap();
            for ((pixels, label), (own, loss)) in samples.iter().zip(logits.iter().zip(losses)) {
                let exact = logits_f64(&shape, &weights, pixels);
                for (z, exact) in own.iter().zip(&exact) {
                    worst = worst.max((f64::from(*z) / 64.0 - exact).abs());
                }
                let sum: f64 = exact.iter().map(|z| z.exp2()).sum();
                error += f64::from(loss) / 65_536.0 - (sum.log2() - exact[usize::from(label)]);
            }
        }
        let mean = error / 60.0;
        assert!(worst < 0.2, "{pool:?}: a logit is off by {worst}");
        assert!(
            mean.abs() < 0.005,
            "{pool:?}: the mean loss is off by {mean}"
        );
    }
}

#[test]
fn a_maximum_is_kept_and_a_sum_is_a_mean() {
    // Three channels of an image of 4 x 4, each counting up.
    let pixels: Vec<i8> = (0..48)
        .map(|at| (at / 3) as i8 - 8 * (at % 3) as i8)
        .collect();
    let before = [Tensor::Narrow(pixels)];
    let (image, half) = (image(4, 4, 3), window(2, 2, 0));
    let max = Op::MaxPool {
        image,
        window: half,
    };
    let expected: Vec<i8> = [5, 7, 13, 15]
        .iter()
        .flat_map(|m| [*m, m - 8, m - 16])
        .collect();
    assert_eq!(
        apply(&max, &[], &[0], &before),
        Ok(Tensor::Narrow(expected))
    );
    let sum = Op::SumPool {
        image,
        window: half,
    };
    let means = [10, 18, 42, 50]
        .iter()
        .flat_map(|s| [*s, s - 32, s - 64])
        .collect();
    let sum = apply(&sum, &[], &[0], &before).unwrap();
    assert_eq!(sum, Tensor::Acc(means));
    let quarter = Op::Requant {
        shift_in: 0,
        multiplier: 128,
        shift_out: 9,
        width: Width::Narrow,
    };
    let mean = apply(&quarter, &[], &[0], &[sum]);
    let expected: Vec<i8> = [3, 5, 11, 13]
        .iter()
        .flat_map(|m| [*m, m - 8, m - 16])
        .collect();
    assert_eq!(mean, Ok(Tensor::Narrow(expected)));
}
