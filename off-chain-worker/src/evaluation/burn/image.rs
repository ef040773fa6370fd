//! `Im2col`, `MaxPool` and `SumPool`: windows over images.

use burn::tensor::{DType, Int, Tensor};
use gotong_scoring::{Image, Window};

use super::{arith::int, Context};

pub(super) struct Im2col(pub Places);

pub(super) struct MaxPool(pub Places);

pub(super) struct SumPool(pub Places);

/// The places of a window over an image.
pub(super) struct Places {
    pub image: Image,
    pub window: Window,
    /// Their number.
    pub count: u32,
}

impl Im2col {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self(Places::of(image, window))
    }

    /// The pixels of every place, in a row; padding is 0.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let taken = self.0.take(values, context.samples());
        taken.reshape([context.samples() * context.tokens, context.width])
    }
}

impl MaxPool {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self(Places::of(image, window))
    }

    /// The largest pixel of every place, channel by channel.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        self.0.fold(values, context.samples(), Tensor::max_pair)
    }
}

impl SumPool {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self(Places::of(image, window))
    }

    /// The sum of the pixels of every place, channel by channel.
    pub fn forward(&self, values: Tensor<2, Int>, context: &Context) -> Tensor<2, Int> {
        let add = |sums, more| sums + more;
        self.0.fold(values, context.samples(), add)
    }
}

impl Places {
    fn of(image: &Image, window: &Window) -> Self {
        let (down, across) = window.places(image).unwrap_or((0, 0));
        Self {
            image: *image,
            window: *window,
            count: down * across,
        }
    }

    /// The images, each with a pixel of zeros after its last, `[samples, pixels + 1, channels]`.
    fn padded(&self, values: Tensor<2, Int>, samples: usize) -> Tensor<3, Int> {
        let channels = self.image.channels as usize;
        let images = values.reshape([samples, self.image.pixels() as usize, channels]);
        let padding = Tensor::zeros([samples, 1, channels], (&images.device(), DType::I32));
        Tensor::cat(vec![images, padding], 1)
    }

    /// The pixels of every place, one after another: `[samples, places * size * size, channels]`.
    fn take(&self, values: Tensor<2, Int>, samples: usize) -> Tensor<3, Int> {
        let padded = self.padded(values, samples);
        let pixels = self.window.table(&self.image).into_iter();
        let pixels = int(pixels.map(|pixel| pixel as i32).collect(), &padded.device());
        padded.select(1, pixels)
    }

    /// Joins the pixels of every place, channel by channel: `[samples * places, channels]`. It takes one
    /// pixel of every place at a time: all at once could be two thousand times what a pool gives.
    fn fold(
        &self,
        values: Tensor<2, Int>,
        samples: usize,
        join: fn(Tensor<3, Int>, Tensor<3, Int>) -> Tensor<3, Int>,
    ) -> Tensor<2, Int> {
        let padded = self.padded(values, samples);
        let take = |nth| {
            let pixel = |place| self.window.pixel(&self.image, place, nth);
            let or_padding = |place| pixel(place).unwrap_or(self.image.pixels()) as i32;
            let pixels = (0..self.count).map(or_padding).collect();
            padded.clone().select(1, int(pixels, &padded.device()))
        };
        let joined = (1..self.window.pixels()).fold(take(0), |all, nth| join(all, take(nth)));
        joined.reshape([samples * self.count as usize, self.image.channels as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::super::arith::read;
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_large_pool_is_right() {
        let image = Image {
            height: 3,
            width: 40,
            channels: 2,
        };
        let window = Window {
            size: 40,
            stride: 3,
            padding: 39,
        };
        let values: Vec<i32> = (0..2 * 240).map(|at| at * 37 % 255 - 127).collect();
        let places = Places::of(&image, &window);
        let found = int(values.clone(), &Device::flex()).reshape([240, 2]);
        let found = read(places.fold(found, 2, |sums, more| sums + more)).unwrap();
        let expected = values.chunks(240).flat_map(|values| {
            let sum = move |place, channel| {
                let inside = window.inside(&image, place);
                inside.map(|at| values[at as usize * 2 + channel]).sum()
            };
            (0..places.count).flat_map(move |place| [sum(place, 0), sum(place, 1)])
        });
        assert_eq!(found, expected.collect::<Vec<i32>>());
    }
}
