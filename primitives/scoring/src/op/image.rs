//! Ops of images: [`Op::Im2col`](super::Op::Im2col), which makes a linear op a convolution, the pools
//! [`Op::MaxPool`](super::Op::MaxPool) and [`Op::SumPool`](super::Op::SumPool), and
//! [`Op::Flatten`](super::Op::Flatten).

use super::definition::{rows, Definition, Incoming, Operands};
use super::window::{Image, Window, MAX_POOL_SPAN};
use crate::gradient::{log2_ceil, plus, sum_bits, Backwards, Pulled};
use crate::graph::{Flow, GraphError, Kind, MAX_VALUES};
use crate::machine::Tensor;
use crate::trial::backward::{first, row_and_column, Here, PulledStages, Read, Stages};
use crate::trial::word::{Inputs, Reads, Word};
use crate::trial::Refusal;
use alloc::vec::Vec;

/// Products that cost as much as one value that a pool takes: products are computed many at a time,
/// and values are loaded one by one.
pub const POOL_COST: u64 = 64;

/// The fields of [`Op::Im2col`](super::Op::Im2col).
pub(super) struct Im2col {
    pub image: Image,
    pub window: Window,
}

/// The fields of [`Op::MaxPool`](super::Op::MaxPool).
pub(super) struct MaxPool {
    pub image: Image,
    pub window: Window,
}

/// The fields of [`Op::SumPool`](super::Op::SumPool).
pub(super) struct SumPool {
    pub image: Image,
    pub window: Window,
}

/// [`Op::Flatten`](super::Op::Flatten).
pub(super) struct Flatten;

impl Definition for Im2col {
    fn is_in_bounds(&self) -> bool {
        fits(&self.image, &self.window)
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let Self { image, window } = self;
        let places = match incoming.op {
            // The sample as an image.
            0 => {
                take_activations(incoming)?;
                let places = places(incoming, image, window)?;
                incoming.check_width(image.values())?;
                places
            }
            _ => take_pixels(incoming, image, window)?,
        };
        let width = window.pixels().saturating_mul(image.channels);
        Ok(Flow::of(Kind::Narrow, places, width))
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        im2col(operands.narrow()?, &self.image, &self.window).map(Tensor::Narrow)
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let channels = self.image.channels;
        let nth = word.column.checked_div(channels)?;
        let channel = word.column.checked_rem(channels)?;
        let Some(pixel) = self.window.pixel(&self.image, word.row, nth) else {
            // Padding reads nothing.
            return Some(Reads::nothing(word));
        };
        let at = pixel.checked_mul(channels)?.checked_add(channel)?;
        let previous = word.previous();
        Some(Reads {
            columns: at..at.checked_add(1)?,
            record: previous.is_none(),
            inputs: match previous {
                Some(op) => Some(word.words(op, pixel, channel, 1)?),
                None => None,
            },
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let activations = inputs.activations(word)?;
        Ok(activations.first().copied().unwrap_or(0).into())
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        window_bits(&self.window)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        im2col_backward(here, &self.image, &self.window)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let (channels, dy) = (self.image.channels, here.adjoint.values);
        let width = here.words.flow.width;
        // The word that the place lays for this channel of its pixel number `nth`.
        let laid = move |place: u32, nth: u32, channel: u32| {
            let before = u64::from(place).checked_mul(width.into())?;
            let pixel = u64::from(nth).checked_mul(channels.into())?;
            let at = before.checked_add(pixel)?.checked_add(channel.into())?;
            Some(alloc::vec![Read::stage(dy, at, 1)])
        };
        let all = |_, inputs: &[&[i32]]| first(inputs, 0);
        pixel_stages(here, stages, (self.image, self.window), laid, all)
    }
}

impl Definition for MaxPool {
    fn is_in_bounds(&self) -> bool {
        fits(&self.image, &self.window) && self.window.span(&self.image) <= MAX_POOL_SPAN
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let places = take_pixels(incoming, &self.image, &self.window)?;
        Ok(Flow::of(Kind::Narrow, places, self.image.channels))
    }

    fn products_of_value(&self, _: &Flow) -> u64 {
        POOL_COST.saturating_mul(self.window.pixels().into())
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        let largest = |inside: &[i8]| max_of(inside, &self.window);
        pool(operands.narrow()?, &self.image, &self.window, largest).map(Tensor::Narrow)
    }

    /// A word reads one channel of a place.
    fn columns_in_rows(&self, _: u32) -> u32 {
        0
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        place_read(word, &self.image, &self.window)
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        let values = place_values(word, inputs, &self.image, &self.window)?;
        Ok(max_of(&values, &self.window).into())
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        window_bits(&self.window)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        max_pool_backward(here, &self.image, &self.window)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        max_pool_stages(here, stages, self.image, self.window)
    }
}

impl Definition for SumPool {
    fn is_in_bounds(&self) -> bool {
        fits(&self.image, &self.window) && self.window.span(&self.image) <= MAX_POOL_SPAN
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let places = take_pixels(incoming, &self.image, &self.window)?;
        Ok(Flow::of(Kind::Acc, places, self.image.channels))
    }

    fn products_of_value(&self, _: &Flow) -> u64 {
        POOL_COST.saturating_mul(self.window.pixels().into())
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        pool(operands.narrow()?, &self.image, &self.window, sum_of).map(Tensor::Acc)
    }

    /// A word reads one channel of a place.
    fn columns_in_rows(&self, _: u32) -> u32 {
        0
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        place_read(word, &self.image, &self.window)
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(sum_of(&place_values(
            word,
            inputs,
            &self.image,
            &self.window,
        )?))
    }

    fn adjoint_bits(&self, _: &Flow) -> u8 {
        window_bits(&self.window)
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        sum_pool_backward(here, &self.image, &self.window)
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let (channels, dy) = (self.image.channels, here.adjoint.values);
        let own = move |place, _, channel| {
            let at = place_word(place, channels, channel)?;
            Some(alloc::vec![Read::stage(dy, at, 1)])
        };
        let all = |_, inputs: &[&[i32]]| first(inputs, 0);
        pixel_stages(here, stages, (self.image, self.window), own, all)
    }
}

impl Definition for Flatten {
    fn is_in_bounds(&self) -> bool {
        true
    }

    fn flow(&self, incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
        let taken = take_activations(incoming)?;
        let width = u32::try_from(taken.values()).unwrap_or(u32::MAX);
        Ok(Flow::of(Kind::Narrow, 1, width))
    }

    fn forward(&self, operands: &Operands<'_>) -> Option<Tensor> {
        Some(Tensor::Narrow(operands.narrow()?.to_vec()))
    }

    fn reads(&self, word: &Word<'_>) -> Option<Reads> {
        let Some(op) = word.previous() else {
            return Some(Reads {
                record: true,
                ..Reads::nothing(word)
            });
        };
        let width = word.layout.op(op)?.flow.width;
        let row = word.column.checked_div(width)?;
        let column = word.column.checked_rem(width)?;
        Some(Reads {
            inputs: Some(word.words(op, row, column, 1)?),
            ..Reads::nothing(word)
        })
    }

    fn execute(&self, word: &Word<'_>, inputs: &Inputs) -> Result<i32, Refusal> {
        Ok(inputs.activation(word)?.into())
    }

    fn backward(&self, here: &Backwards<'_>) -> Option<Pulled> {
        Some(here.pass(|_| true))
    }

    fn backward_stages(&self, here: &Here, stages: &mut Stages) -> Option<PulledStages> {
        let (dy, exponent) = (here.adjoint.values, here.adjoint.exponent);
        let reads = move |at| Some(alloc::vec![Read::stage(dy, at, 1)]);
        let passes = |_, inputs: &[&[i32]]| first(inputs, 0);
        PulledStages::previous(stages.sums(here.values(), exponent, reads, passes))
    }
}

fn fits(image: &Image, window: &Window) -> bool {
    image.values() <= MAX_VALUES.into() && window.places(image).is_some()
}

/// Takes activations that are not of tokens: a token may only take in those before it.
fn take_activations(incoming: &Incoming<'_>) -> Result<Flow, GraphError> {
    let taken = incoming.take(Kind::Narrow)?;
    match incoming.graph.vocab() {
        None => Ok(taken),
        Some(_) => Err(incoming.wrong_kind()),
    }
}

/// Takes a row for every pixel of the image. Returns how many places the window has.
fn take_pixels(incoming: &Incoming<'_>, image: &Image, window: &Window) -> Result<u32, GraphError> {
    let taken = take_activations(incoming)?;
    if incoming.op == 0 || taken.tokens != image.pixels() {
        return Err(incoming.wrong_length());
    }
    let places = places(incoming, image, window)?;
    incoming.check_width(image.channels)?;
    Ok(places)
}

/// How many places the window has.
fn places(incoming: &Incoming<'_>, image: &Image, window: &Window) -> Result<u32, GraphError> {
    let op = incoming.op;
    let (down, across) = window
        .places(image)
        .ok_or(GraphError::FieldOutOfBounds { op })?;
    Ok(down.saturating_mul(across))
}

/// One channel of a place of the window, from its first pixel to its last.
fn place_read(word: &Word<'_>, image: &Image, window: &Window) -> Option<Reads> {
    let pixels = window.range(image, word.row)?;
    let count = pixels.end.checked_sub(pixels.start)?;
    let op = word.previous()?;
    Some(Reads {
        inputs: Some(word.words(op, pixels.start, word.column, count)?),
        ..Reads::nothing(word)
    })
}

/// The values of one channel of a place of the window: the inputs begin with the first of them.
fn place_values(
    word: &Word<'_>,
    inputs: &Inputs,
    image: &Image,
    window: &Window,
) -> Result<Vec<i8>, Refusal> {
    let first = window.inside(image, word.row).next().unwrap_or(0);
    let value = |pixel: u32| {
        let value = inputs.inputs.get(pixel.checked_sub(first)? as usize)?;
        Some(*value as i8)
    };
    let values: Option<Vec<i8>> = window.inside(image, word.row).map(value).collect();
    values.ok_or(Refusal::WrongShape)
}

/// The rows that are pixels; none if they are not those of the image.
fn pixels<'a>(x: &'a [i8], image: &Image) -> Option<core::slice::ChunksExact<'a, i8>> {
    let rows = rows(x, image.channels)?;
    (rows.len() as u64 == u64::from(image.pixels())).then_some(rows)
}

fn im2col(x: &[i8], image: &Image, window: &Window) -> Option<Vec<i8>> {
    let pixels = pixels(x, image)?;
    let (down, across) = window.places(image)?;
    let padding = alloc::vec![0; image.channels as usize];
    let mut columns = Vec::new();
    for place in 0..down.checked_mul(across)? {
        for nth in 0..window.pixels() {
            let pixel = window.pixel(image, place, nth);
            let pixel = pixel.and_then(|at| pixels.clone().nth(at as usize));
            columns.extend_from_slice(pixel.unwrap_or(&padding));
        }
    }
    Some(columns)
}

/// For every place and channel, what `of` makes of its values inside the image.
fn pool<T>(x: &[i8], image: &Image, window: &Window, of: impl Fn(&[i8]) -> T) -> Option<Vec<T>> {
    let pixels = pixels(x, image)?;
    let (down, across) = window.places(image)?;
    let mut all = Vec::new();
    for place in 0..down.checked_mul(across)? {
        let inside = window.inside(image, place);
        let inside: Vec<&[i8]> = inside
            .filter_map(|at| pixels.clone().nth(at as usize))
            .collect();
        for channel in 0..image.channels as usize {
            let values = inside.iter().filter_map(|row| row.get(channel).copied());
            let values: Vec<i8> = values.collect();
            all.push(of(&values));
        }
    }
    Some(all)
}

/// The largest value of a place; `inside` has its values in the image, and the others are 0.
pub fn max_of(inside: &[i8], window: &Window) -> i8 {
    let padding = ((inside.len() as u64) < u64::from(window.pixels())).then_some(0);
    let all = inside.iter().copied().chain(padding);
    all.max().unwrap_or(0)
}

/// The sum of a place, of at most [`crate::MAX_POOL_SPAN`] activations below 2^18. Wraps.
pub fn sum_of(inside: &[i8]) -> i32 {
    let values = inside.iter().map(|value| i32::from(*value));
    values.fold(0, i32::wrapping_add)
}

/// A pixel is in at most as many places as a window has pixels.
fn window_bits(window: &Window) -> u8 {
    sum_bits(log2_ceil(window.pixels()))
}

/// A pixel's adjoint is the sum over all places that contain it.
fn im2col_backward(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    if !here.is_wanted {
        return Some(Pulled::default());
    }
    let channels = image.channels as usize;
    let mut values = alloc::vec![0i32; usize::try_from(image.values()).ok()?];
    let laid = here.adjoint.values.chunks_exact(channels.max(1));
    for (pixel, dy) in window.table(image).into_iter().zip(laid) {
        if pixel < image.pixels() {
            let at = pixel as usize * channels;
            for (sum, dy) in values.get_mut(at..at + channels)?.iter_mut().zip(dy) {
                *sum = plus(*sum, (*dy).into());
            }
        }
    }
    Some(here.pull(values, here.adjoint.exponent))
}

/// The first pixel of a place that has its largest value gets the place's adjoint; if padding has it, the adjoint is dropped.
fn max_pool_backward(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    let (x, Tensor::Narrow(y)) = (here.narrow()?, here.own) else {
        return None;
    };
    pool_backward(here, image, window, |at, channel, places| {
        let most = y.get(at)?;
        places
            .into_iter()
            .find(|place| x.get(place + channel) == Some(most))
            .map(|place| alloc::vec![place])
    })
}

/// Every pixel of a place gets its adjoint.
fn sum_pool_backward(here: &Backwards, image: &Image, window: &Window) -> Option<Pulled> {
    pool_backward(here, image, window, |_, _, places| Some(places))
}

/// Adds the adjoint of every place and channel to the pixels of the place that `to` picks.
fn pool_backward(
    here: &Backwards,
    image: &Image,
    window: &Window,
    to: impl Fn(usize, usize, Vec<usize>) -> Option<Vec<usize>>,
) -> Option<Pulled> {
    let channels = image.channels as usize;
    let mut values = alloc::vec![0i32; usize::try_from(image.values()).ok()?];
    for (place, dy) in here
        .adjoint
        .values
        .chunks_exact(channels.max(1))
        .enumerate()
    {
        let inside: Vec<usize> = window
            .inside(image, place as u32)
            .map(|pixel| pixel as usize * channels)
            .collect();
        for (channel, dy) in dy.iter().enumerate() {
            let picked = to(place * channels + channel, channel, inside.clone());
            for at in picked.unwrap_or_default() {
                let sum = values.get_mut(at + channel)?;
                *sum = plus(*sum, (*dy).into());
            }
        }
    }
    Some(here.pull(values, here.adjoint.exponent))
}

/// The word of a place and channel.
fn place_word(place: u32, channels: u32, channel: u32) -> Option<u64> {
    let before = u64::from(place).checked_mul(channels.into())?;
    before.checked_add(channel.into())
}

/// Every pixel's sum over the places that it is in, word by word: first what each of these places gives
/// it, one after another, then the sums. `reads` has the place, the pixel's number in it, and the channel;
/// `gives` has the pixel.
fn pixel_stages(
    here: &Here,
    stages: &mut Stages,
    (image, window): (Image, Window),
    reads: impl Fn(u32, u32, u32) -> Option<Vec<Read>> + Send + Sync + 'static,
    gives: impl Fn(u32, &[&[i32]]) -> Option<i32> + Send + Sync + 'static,
) -> Option<PulledStages> {
    let (channels, each) = (image.channels, window.most_over(&image));
    let value = move |at: u64| {
        let at = at.checked_div(each.into())?;
        row_and_column(at, channels)
    };
    let place = move |at: u64| {
        let (pixel, _) = value(at)?;
        window.over(&image, pixel, at.checked_rem(each.into())? as u32)
    };
    let laid_reads = move |at: u64| match place(at) {
        Some((place, nth)) => reads(place, nth, value(at)?.1),
        // Not every pixel is in as many places as others.
        None => Some(Vec::new()),
    };
    let laid = move |at: u64, inputs: &[&[i32]]| match place(at) {
        Some(_) => gives(value(at)?.0, inputs),
        None => Some(0),
    };
    let (values, each) = (image.values(), u64::from(each));
    let laid = stages.each(2, values.checked_mul(each)?, laid_reads, laid);
    PulledStages::previous(stages.row_sums(laid, values, each, here.adjoint.exponent))
}

/// [`max_pool_backward`] word by word: the pixel that every place and channel gives its adjoint, -1 if it is
/// padding; then as in a sum pool.
fn max_pool_stages(
    here: &Here,
    stages: &mut Stages,
    image: Image,
    window: Window,
) -> Option<PulledStages> {
    let (channels, taken, dy) = (image.channels, here.taken, here.adjoint.values);
    let pixel_reads = move |at: u64| {
        let (place, channel) = row_and_column(at, channels)?;
        Some(match window.range(&image, place) {
            Some(range) => {
                let count = range.end.checked_sub(range.start)?;
                alloc::vec![taken.row(range.start, channel, count)?]
            }
            None => Vec::new(),
        })
    };
    let pixel = move |at: u64, inputs: &[&[i32]]| {
        let (place, _) = row_and_column(at, channels)?;
        let values = inputs.first().copied().unwrap_or_default();
        let start = window.inside(&image, place).next().unwrap_or(0);
        let value = |pixel: u32| {
            let value = values.get(pixel.checked_sub(start)? as usize)?;
            Some((*value as i8, pixel))
        };
        let inside: Option<Vec<(i8, u32)>> = window.inside(&image, place).map(value).collect();
        let inside = inside?;
        let all: Vec<i8> = inside.iter().map(|(value, _)| *value).collect();
        let most = max_of(&all, &window);
        let found = inside.iter().find(|(value, _)| *value == most);
        Some(found.map_or(-1, |(_, pixel)| *pixel as i32))
    };
    let pixels = stages.each(4, here.values(), pixel_reads, pixel);
    let reads = move |place, _, channel| {
        let at = place_word(place, channels, channel)?;
        Some(alloc::vec![
            Read::stage(dy, at, 1),
            Read::stage(pixels, at, 1)
        ])
    };
    let gives = |pixel: u32, inputs: &[&[i32]]| {
        let is_it = first(inputs, 1)? == pixel as i32;
        Some(if is_it { first(inputs, 0)? } else { 0 })
    };
    pixel_stages(here, stages, (image, window), reads, gives)
}
