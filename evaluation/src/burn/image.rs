//! `Im2col`, `MaxPool` and `SumPool`: windows over images.

use burn::tensor::{Int, Tensor};
use gotong_scoring::{Image, Window};

use super::{
    adjoint::{Backwards, Pulled},
    arith::{full, int},
    Context,
};

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

    /// Sums the adjoint of a pixel over all places that contain it.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (places, samples) = (&self.0, here.context.samples());
        let of_place = places.window.pixels();
        let laid = (places.count * of_place) as usize;
        let dy = places.with_padding(here.rows(), samples, laid, 0);
        let mut sums = places.zeros(samples, &dy);
        for uses in places.uses() {
            let at = uses.iter().map(|used| match used {
                Some(used) => (used.place * of_place + used.nth) as i32,
                None => laid as i32,
            });
            let at = int(at.collect(), &dy.device());
            sums = sums + dy.clone().select(1, at);
        }
        here.pull(sums, 0)
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

    /// Gives the adjoint of a place to the first of its pixels that is the largest. If padding is the largest, the adjoint is
    /// dropped.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (places, samples) = (&self.0, here.context.samples());
        // No largest value equals the value that stands for padding.
        let x = places.padded(here.before.clone(), samples, -128);
        let (count, device) = (places.count as usize, x.device());
        let y = here.own.clone();
        let y = y.reshape([samples, count, places.image.channels as usize]);
        // For each place and channel, which pixel it is.
        let mut first = y.zeros_like().sub_scalar(1);
        for nth in (0..places.window.pixels()).rev() {
            let is_largest = places.nth(&x, nth).equal(y.clone());
            first = first.mask_fill(is_largest, nth as i32);
        }
        let first = places.with_padding(first, samples, count, -1);
        let dy = places.with_padding(here.rows(), samples, count, 0);
        let mut sums = places.zeros(samples, &dy);
        for uses in places.uses() {
            let uses = uses.iter().map(|used| match used {
                Some(used) => (used.place as i32, used.nth as i32),
                None => (count as i32, 0),
            });
            let (place, nth): (Vec<i32>, Vec<i32>) = uses.unzip();
            let pixels = nth.len();
            let place = int(place, &device);
            let nth = int(nth, &device).reshape([1, pixels, 1]);
            let is_another = first.clone().select(1, place.clone());
            let is_another = is_another.not_equal(nth.expand(sums.dims()));
            sums = sums + dy.clone().select(1, place).mask_fill(is_another, 0);
        }
        here.pull(sums, 0)
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

    /// Gives the adjoint of a place to all of its pixels.
    pub fn backward(&self, here: &Backwards) -> Pulled {
        let (places, samples) = (&self.0, here.context.samples());
        let dy = places.with_padding(here.rows(), samples, places.count as usize, 0);
        let mut sums = places.zeros(samples, &dy);
        for uses in places.uses() {
            let place = uses.iter().map(|used| match used {
                Some(used) => used.place as i32,
                None => places.count as i32,
            });
            let place = int(place.collect(), &dy.device());
            sums = sums + dy.clone().select(1, place);
        }
        here.pull(sums, 0)
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

    /// The images, each with one more pixel, for padding, `[samples, pixels + 1, channels]`.
    fn padded(&self, values: Tensor<2, Int>, samples: usize, padding: i32) -> Tensor<3, Int> {
        self.with_padding(values, samples, self.image.pixels() as usize, padding)
    }

    /// `rows` rows of a sample's channels, and one more of `padding`.
    fn with_padding<const D: usize>(
        &self,
        values: Tensor<D, Int>,
        samples: usize,
        rows: usize,
        padding: i32,
    ) -> Tensor<3, Int> {
        let channels = self.image.channels as usize;
        let values = values.reshape([samples, rows, channels]);
        let padding = full([samples, 1, channels], padding, &values.device());
        Tensor::cat(vec![values, padding], 1)
    }

    /// The pixels of every place, one after another: `[samples, places * size * size, channels]`.
    fn take(&self, values: Tensor<2, Int>, samples: usize) -> Tensor<3, Int> {
        let padded = self.padded(values, samples, 0);
        let pixels = self.window.table(&self.image).into_iter();
        let pixels = int(pixels.map(|pixel| pixel as i32).collect(), &padded.device());
        padded.select(1, pixels)
    }

    /// Pixel number `nth` of every place, of [`Places::padded`] images: `[samples, places, channels]`.
    fn nth(&self, padded: &Tensor<3, Int>, nth: u32) -> Tensor<3, Int> {
        let pixel = |place| self.window.pixel(&self.image, place, nth);
        let or_padding = |place| pixel(place).unwrap_or(self.image.pixels()) as i32;
        let pixels = (0..self.count).map(or_padding).collect();
        padded.clone().select(1, int(pixels, &padded.device()))
    }

    /// Joins the pixels of every place, channel by channel: `[samples * places, channels]`. It takes one pixel of every place at a
    /// time: all at once could take two thousand times as much memory as a pool gives.
    fn fold(
        &self,
        values: Tensor<2, Int>,
        samples: usize,
        join: fn(Tensor<3, Int>, Tensor<3, Int>) -> Tensor<3, Int>,
    ) -> Tensor<2, Int> {
        let padded = self.padded(values, samples, 0);
        let first = self.nth(&padded, 0);
        let joined =
            (1..self.window.pixels()).fold(first, |all, nth| join(all, self.nth(&padded, nth)));
        joined.reshape([samples * self.count as usize, self.image.channels as usize])
    }

    /// Zeros for every pixel of the images, on the device of `like`.
    fn zeros(&self, samples: usize, like: &Tensor<3, Int>) -> Tensor<3, Int> {
        let (pixels, channels) = (self.image.pixels() as usize, self.image.channels as usize);
        full([samples, pixels, channels], 0, &like.device())
    }

    /// Where places contain every pixel: first one use of each, then another, until none has more. An adjoint is gathered through
    /// them, which gives the same result on all devices.
    fn uses(&self) -> Vec<Vec<Option<Use>>> {
        let mut all: Vec<Vec<Option<Use>>> = Vec::new();
        let pixels = self.image.pixels() as usize;
        let mut counts = vec![0; pixels];
        for place in 0..self.count {
            for nth in 0..self.window.pixels() {
                let Some(pixel) = self.window.pixel(&self.image, place, nth) else {
                    continue;
                };
                let (pixel, count) = (pixel as usize, &mut counts[pixel as usize]);
                if *count == all.len() {
                    all.push(vec![None; pixels]);
                }
                all[*count][pixel] = Some(Use { place, nth });
                *count += 1;
            }
        }
        all
    }
}

/// A pixel as number `nth` of a place.
#[derive(Clone, Copy)]
struct Use {
    place: u32,
    nth: u32,
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
