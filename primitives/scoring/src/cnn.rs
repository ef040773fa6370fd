//! A convolutional network as a graph.

use crate::graph::{layer, Graph};
use crate::op::window::{Image, Window};
use crate::op::{Op, Width};
use alloc::vec::Vec;

/// The shape of a convolutional network: convolutions, each with a relu and perhaps a pool, then the
/// linear layers of an MLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cnn {
    /// A sample: its bytes are pixel by pixel, with all channels of one together.
    pub image: Image,
    /// The convolutions, first to last.
    pub convolutions: Vec<Convolution>,
    /// Widths of the linear layers between the convolutions and the classes; may be none.
    pub hidden: Vec<u32>,
    /// Number of classes.
    pub classes: u32,
}

/// One convolution of a [`Cnn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels that it gives.
    pub channels: u32,
    /// The pixels that each is made of. Size 3, stride 1 and padding 1 keep the image's size.
    pub window: Window,
    /// What comes after its relu.
    pub pool: Pool,
}

/// How an image is made smaller. Squares lie side by side; what does not fill one is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Not at all.
    None,
    /// The largest of every square with this side, at least 1.
    Max(u8),
    /// The mean of every square with this side, at least 1.
    Mean(u8),
}

impl Graph {
    /// A convolutional network of this shape. [`Graph::validate`] says whether it is valid.
    ///
    /// A convolution is an [`Op::Im2col`] and a linear op, whose weights are `[out][line][column][in]`.
    /// Units are those of [`Graph::mlp`]. A mean is a sum times `1/size^2` in 8 bits: exact for a
    /// size that is a power of two, else within 0.4 %.
    pub fn cnn(shape: &Cnn) -> Self {
        let mut ops = Vec::new();
        let mut image = shape.image;
        for (index, convolution) in shape.convolutions.iter().enumerate() {
            let window = convolution.window;
            ops.push(Op::Im2col { image, window });
            let inputs = window.pixels().saturating_mul(image.channels);
            ops.extend(layer(inputs, convolution.channels, index == 0, false));
            image = after(image, window, convolution.channels);
            let side_by_side = |size| Window {
                size,
                stride: size,
                padding: 0,
            };
            let window = match convolution.pool {
                Pool::None => continue,
                Pool::Max(size) => {
                    let window = side_by_side(size);
                    ops.push(Op::MaxPool { image, window });
                    window
                }
                Pool::Mean(size) => {
                    let window = side_by_side(size);
                    ops.extend([Op::SumPool { image, window }, reciprocal(window.pixels())]);
                    window
                }
            };
            image = after(image, window, image.channels);
        }
        if !shape.convolutions.is_empty() {
            ops.push(Op::Flatten);
        }
        let mut inputs = u32::try_from(image.values()).unwrap_or(u32::MAX);
        for (index, width) in shape.hidden.iter().chain([&shape.classes]).enumerate() {
            let (first, last) = (
                index == 0 && shape.convolutions.is_empty(),
                index == shape.hidden.len(),
            );
            ops.extend(layer(inputs, *width, first, last));
            inputs = *width;
        }
        Self {
            inputs: u32::try_from(shape.image.values()).unwrap_or(u32::MAX),
            ops,
        }
    }
}

/// The image that has a pixel for every place of a window; without pixels if there is none, which is
/// refused by `validate`.
fn after(image: Image, window: Window, channels: u32) -> Image {
    let (height, width) = window.places(&image).unwrap_or((0, 0));
    let side = |side: u32| u16::try_from(side).unwrap_or(0);
    Image {
        height: side(height),
        width: side(width),
        channels,
    }
}

/// Turns a sum of `count` activations into their mean, in the same unit.
fn reciprocal(count: u32) -> Op {
    let count = count.max(1);
    // Sums of more than 258 activations need more than 15 bits.
    let shift_in = count.div_ceil(258).next_power_of_two().ilog2() as u8;
    let multiplier = |shift: u8| ((1u32 << shift) + count / 2) / count;
    // At 7 bits it is at most 128, and 255 * 255 is below 2^16.
    let shift = (7..=23).rev().find(|shift| multiplier(*shift) <= 255);
    let shift = shift.unwrap_or(7);
    Op::Requant {
        shift_in,
        multiplier: multiplier(shift) as u8,
        shift_out: shift - shift_in,
        width: Width::Narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::GraphError;
    use alloc::vec;

    const SAME: Window = Window {
        size: 3,
        stride: 1,
        padding: 1,
    };

    fn small() -> Cnn {
        let convolution = |channels, pool| Convolution {
            channels,
            window: SAME,
            pool,
        };
        Cnn {
            image: image(28, 28, 1),
            convolutions: vec![
                convolution(8, Pool::Max(2)),
                convolution(16, Pool::Mean(2)),
                convolution(16, Pool::None),
            ],
            hidden: vec![32],
            classes: 10,
        }
    }

    fn image(height: u16, width: u16, channels: u32) -> Image {
        Image {
            height,
            width,
            channels,
        }
    }

    #[test]
    fn the_layers_are_in_order() {
        let graph = Graph::cnn(&small());
        assert_eq!(graph.validate(), Ok(()));
        let parameters = (9 + 1) * 8 + (72 + 1) * 16 + (144 + 1) * 16;
        let parameters = parameters + (49 * 16 + 1) * 32 + (32 + 1) * 10;
        assert_eq!((graph.parameters(), graph.classes()), (parameters, 10));
        let half = Window {
            size: 2,
            stride: 2,
            padding: 0,
        };
        let im2col = |image| Op::Im2col {
            image,
            window: SAME,
        };
        let linear = |inputs, outputs, bias_shift| Op::Linear {
            inputs,
            outputs,
            bias_shift,
        };
        let scale = |shift_in, shift_out, width| Op::Requant {
            shift_in,
            multiplier: 128,
            shift_out,
            width,
        };
        let narrow = |shift_in| scale(shift_in, 7, Width::Narrow);
        let expected = vec![
            im2col(image(28, 28, 1)),
            linear(9, 8, 2),
            narrow(11),
            Op::Relu,
            Op::MaxPool {
                image: image(28, 28, 8),
                window: half,
            },
            im2col(image(14, 14, 8)),
            linear(72, 16, 0),
            narrow(8),
            Op::Relu,
            Op::SumPool {
                image: image(14, 14, 16),
                window: half,
            },
            scale(0, 9, Width::Narrow),
            im2col(image(7, 7, 16)),
            linear(144, 16, 0),
            narrow(8),
            Op::Relu,
            Op::Flatten,
            linear(784, 32, 0),
            narrow(8),
            Op::Relu,
            linear(32, 10, 0),
            scale(6, 7, Width::Wide),
            Op::CrossEntropy { classes: 10 },
        ];
        assert_eq!(graph.ops, expected);
        assert_eq!(Graph::from_bytes(&codec::Encode::encode(&graph)), Ok(graph));
    }

    #[test]
    fn without_convolutions_it_is_an_mlp() {
        let shape = Cnn {
            convolutions: vec![],
            ..small()
        };
        assert_eq!(Graph::cnn(&shape), Graph::mlp(&[784, 32, 10]));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let with = |window, pool| {
            let mut shape = small();
            shape.convolutions.truncate(1);
            shape.convolutions[0].window = window;
            shape.convolutions[0].pool = pool;
            Graph::cnn(&shape).validate()
        };
        let out = |op| Err(GraphError::FieldOutOfBounds { op });
        assert_eq!(with(SAME, Pool::Max(28)), Ok(()));
        assert_eq!(with(SAME, Pool::Max(29)), out(4));
        assert_eq!(with(SAME, Pool::Mean(0)), out(4));
        let wide = Window { size: 31, ..SAME };
        assert_eq!(with(wide, Pool::None), out(0));
        let nothing = Cnn {
            image: image(0, 28, 1),
            ..small()
        };
        assert_eq!(Graph::cnn(&nothing).validate(), out(0));
        let huge = Cnn {
            image: image(u16::MAX, u16::MAX, u32::MAX),
            ..small()
        };
        assert_eq!(Graph::cnn(&huge).validate(), out(0));
    }
}
