//! `Im2col`, `MaxPool` and `SumPool`: windows over images.

use gotong_scoring::{Image, Window};

use super::{Block, Kernel, Shape};

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

/// The places of a window over an image. Where each of them lies is worked out anew for every sample: a
/// table would be as long as all that the places take.
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
}
