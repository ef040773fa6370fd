//! `Im2col`, `MaxPool` and `SumPool`: windows over images.

use gotong_scoring::{Image, Window};

use super::{Backwards, Block, Kernel, Shape};

pub(super) struct Im2col {
    pub copies: Vec<Copied>,
    /// Values of the image.
    pub taken: usize,
}

/// Consecutive values of a sample's image, and where they go.
pub(super) struct Copied {
    pub from: u32,
    pub to: u32,
    pub length: u32,
}

pub(super) struct MaxPool(pub Places);

pub(super) struct SumPool(pub Places);

/// The places of a window over an image. Where each of them lies is computed anew for every sample: a table would be as long as
/// everything that the places take.
pub(super) struct Places {
    pub image: Image,
    pub window: Window,
    /// Their number.
    pub count: u32,
}

impl Im2col {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self {
            copies: Copied::all(image, window),
            taken: image.values() as usize,
        }
    }

    /// The pixels of every place, in a row; padding is 0.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        std::mem::swap(&mut block.narrow, &mut block.taken);
        block.narrow.clear();
        block.narrow.resize(shape.rows * shape.width, 0);
        let given = block.narrow.chunks_exact_mut(shape.tokens * shape.width);
        for (image, given) in block.taken.chunks_exact(self.taken).zip(given) {
            for copied in &self.copies {
                let (from, to) = (copied.from as usize, copied.to as usize);
                let length = copied.length as usize;
                given[to..to + length].copy_from_slice(&image[from..from + length]);
            }
        }
    }

    /// Sums the adjoint of a pixel over all places that it was copied to.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let samples = here.block.samples;
        here.previous.start(samples * self.taken, here.adjoints, 0);
        here.previous.values.fill(0);
        let laid = here.adjoints.values.len() / samples;
        let laid = here.adjoints.values.chunks_exact(laid);
        let images = here.previous.values.chunks_exact_mut(self.taken);
        for (image, dy) in images.zip(laid) {
            for copied in &self.copies {
                let (from, to) = (copied.from as usize, copied.to as usize);
                let length = copied.length as usize;
                let pixels = image[from..from + length].iter_mut();
                for (sum, dy) in pixels.zip(&dy[to..to + length]) {
                    *sum = sum.wrapping_add((*dy).into());
                }
            }
        }
    }
}

impl Copied {
    /// Everything that an im2col copies; the rest of what it gives is zeros.
    fn all(image: &Image, window: &Window) -> Vec<Self> {
        let mut copies: Vec<Self> = Vec::new();
        let (down, across) = window.places(image).unwrap_or((0, 0));
        for place in 0..down * across {
            for nth in 0..window.pixels() {
                let Some(pixel) = window.pixel(image, place, nth) else {
                    continue;
                };
                let from = pixel * image.channels;
                let to = (place * window.pixels() + nth) * image.channels;
                match copies.last_mut() {
                    Some(last)
                        if (last.from + last.length, last.to + last.length) == (from, to) =>
                    {
                        last.length += image.channels;
                    }
                    _ => copies.push(Self {
                        from,
                        to,
                        length: image.channels,
                    }),
                }
            }
        }
        copies
    }
}

impl MaxPool {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self(Places::of(image, window))
    }

    /// The largest pixel of every place, channel by channel.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        std::mem::swap(&mut block.narrow, &mut block.taken);
        block.narrow.resize(shape.rows * shape.width, 0);
        // Padding is 0.
        let start = |is_padded| if is_padded { 0 } else { i8::MIN };
        let most = |most: &mut i8, value: i8| *most = value.max(*most);
        self.0.fold(&block.taken, &mut block.narrow, start, most);
    }

    /// Gives the adjoint of a place to the first of its pixels that is the largest. If padding is the largest, the adjoint is
    /// dropped.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let Backwards { before, own, .. } = here;
        let (x, y) = (&before.narrow, &own.narrow);
        self.0.spread::<K>(here, |sum, rest, from, to| {
            let is_largest = x[from] == y[to];
            *sum = sum.wrapping_add(if is_largest { *rest } else { 0 });
            *rest = if is_largest { 0 } else { *rest };
        });
    }
}

impl SumPool {
    pub fn new(image: &Image, window: &Window) -> Self {
        Self(Places::of(image, window))
    }

    /// The sum of the pixels of every place, channel by channel.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        block.sums.reset(shape.rows, shape.width, shape.width);
        let add = |sum: &mut i32, value: i8| *sum += i32::from(value);
        let sums = &mut block.sums.values;
        self.0.fold(&block.narrow, sums, |_| 0, add);
    }

    /// Gives the adjoint of a place to all of its pixels.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let add = |sum: &mut i32, rest: &mut i32, _, _| *sum = sum.wrapping_add(*rest);
        self.0.spread::<K>(here, add);
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

    /// Folds the pixels of every place of all samples, channel by channel, into `given`. It begins with
    /// `start`, which is told whether the place has padding.
    #[inline(always)]
    fn fold<T: Clone>(
        &self,
        images: &[i8],
        given: &mut [T],
        start: impl Fn(bool) -> T,
        add: impl Fn(&mut T, i8),
    ) {
        let (image, window) = (&self.image, &self.window);
        let (channels, whole) = (image.channels as usize, window.pixels() as usize);
        let line_length = usize::from(image.width) * channels;
        let samples = images.chunks_exact(image.values() as usize);
        let given = given.chunks_exact_mut(self.count as usize * channels);
        for (values, given) in samples.zip(given) {
            for (place, given) in (0..self.count).zip(given.chunks_exact_mut(channels)) {
                // Every one of these places exists.
                let [lines, columns] = window.cut(image, place).unwrap_or([0..0, 0..0]);
                given.fill(start(lines.len() * columns.len() < whole));
                for line in lines {
                    let line = &values[line as usize * line_length..][..line_length];
                    let columns =
                        columns.start as usize * channels..columns.end as usize * channels;
                    for pixel in line[columns].chunks_exact(channels) {
                        for (given, value) in given.iter_mut().zip(pixel) {
                            add(given, *value);
                        }
                    }
                }
            }
        }
    }

    /// Calls `give` with every pixel of every place, channel by channel: the pixel's sum, what is left of the place's adjoint, and
    /// where both values are.
    #[inline(always)]
    fn spread<K: Kernel>(
        &self,
        here: &mut Backwards,
        give: impl Fn(&mut i32, &mut i32, usize, usize),
    ) {
        let (image, channels) = (&self.image, self.image.channels as usize);
        let (taken, line) = (image.values() as usize, usize::from(image.width) * channels);
        here.previous
            .start(here.block.samples * taken, here.adjoints, 0);
        here.previous.values.fill(0);
        let rest = &mut here.scratch.sums;
        let places = here.adjoints.values.chunks_exact(channels).enumerate();
        for (to, dy) in places {
            let (sample, place) = (to / self.count as usize, to % self.count as usize);
            rest.clear();
            rest.extend(dy.iter().map(|dy| i32::from(*dy)));
            let cut = self.window.cut(image, place as u32);
            // Every one of these places exists.
            let [lines, columns] = cut.unwrap_or([0..0, 0..0]);
            for at in lines {
                for column in columns.clone() {
                    let from = sample * taken + at as usize * line + column as usize * channels;
                    let sums = here.previous.values[from..from + channels].iter_mut();
                    for (channel, (sum, rest)) in sums.zip(rest.iter_mut()).enumerate() {
                        give(sum, rest, from + channel, to * channels + channel);
                    }
                }
            }
        }
    }
}
