//! The recipe of images: one size, and grey or in colours.

use crate::{DataError, Place, RecipeError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How images become samples: `[height, width, channels]` bytes, row-major.
///
/// An image in colours becomes grey by 0.299 red + 0.587 green + 0.114 blue, rounded to nearest, and a grey one gets colours by
/// three equal channels. Transparency is ignored, and so is a note that the camera was turned.
///
/// An image of another size is resized by area: a pixel is the mean of the pixels that it covers, where those at its edges count by
/// the fraction that is covered, rounded to nearest. The image is stretched if its proportions differ. All of this is integer
/// arithmetic, which gives the same bytes for the same pixels everywhere. So does decoding PNG; JPEG decoders may round a pixel
/// differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    /// Rows of pixels.
    pub height: u32,
    /// Pixels of a row.
    pub width: u32,
    /// 1 for grey images, 3 for coloured ones.
    pub channels: u8,
    /// The classes' names, in the order of the labels' bytes.
    pub classes: Vec<String>,
}

impl ImageRecipe {
    /// Whether its values make sense.
    pub(crate) fn validate(&self) -> Result<(), RecipeError> {
        match self.channels {
            1 | 3 => Ok(()),
            other => Err(RecipeError::Channels(other)),
        }
    }

    /// Bytes of a sample.
    pub(crate) fn inputs(&self) -> usize {
        let sizes = [
            self.height as usize,
            self.width as usize,
            self.channels.into(),
        ];
        sizes.into_iter().fold(1, usize::saturating_mul)
    }

    /// Adds the bytes of the image at `at`, of `size` (height and width) and `channels` (1 or 3), to `sample`.
    pub(crate) fn encode(
        &self,
        at: &Place,
        size: (u32, u32),
        channels: u8,
        bytes: &[u8],
        sample: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let expected = u64::from(size.0) * u64::from(size.1) * u64::from(channels);
        if expected == 0 || bytes.len() as u64 != expected || !matches!(channels, 1 | 3) {
            return Err(DataError::WrongShape {
                at: at.clone(),
                found: format!("{} bytes of {channels} channels", bytes.len()),
                expected: format!("{} x {} pixels of 1 or 3 channels", size.0, size.1),
            });
        }
        let bytes = match (channels, self.channels) {
            (3, 1) => Cow::Owned(bytes.chunks_exact(3).map(grey).collect()),
            (1, 3) => Cow::Owned(bytes.iter().flat_map(|&byte| [byte; 3]).collect()),
            _ => Cow::Borrowed(bytes),
        };
        let to = (self.height, self.width);
        match size == to {
            true => sample.extend_from_slice(&bytes),
            false => resize(&bytes, self.channels.into(), size, to, sample),
        }
        Ok(())
    }
}

/// The brightness of a pixel, as ITU-R BT.601 weighs colours.
fn grey(pixel: &[u8]) -> u8 {
    let weights = [299u32, 587, 114];
    let sum: u32 = pixel
        .iter()
        .zip(weights)
        .map(|(&byte, weight)| u32::from(byte) * weight)
        .sum();
    ((sum + 500) / 1000) as u8
}

/// Adds `bytes`, an image of `from` (height and width, not 0), resized by area to `to`.
pub(crate) fn resize(
    bytes: &[u8],
    channels: usize,
    from: (u32, u32),
    to: (u32, u32),
    resized: &mut Vec<u8>,
) {
    let from_stride = from.1 as usize * channels;
    let area = u64::from(from.0) * u64::from(from.1);
    // For one new row: the sums over the pixels that its pixels cover, weighted by rows and columns.
    let mut sums = vec![0; to.1 as usize * channels];
    for new_row in 0..to.0 {
        sums.fill(0);
        for (row, row_weight) in covered(new_row, from.0, to.0) {
            let row = &bytes[row * from_stride..][..from_stride];
            for (new_column, pixel) in (0..).zip(sums.chunks_exact_mut(channels.max(1))) {
                for (column, weight) in covered(new_column, from.1, to.1) {
                    for (sum, &byte) in pixel.iter_mut().zip(&row[column * channels..]) {
                        *sum += u64::from(byte) * weight * row_weight;
                    }
                }
            }
        }
        resized.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
}

/// The pixels of `from` that pixel `new` of `to` covers, and how much of each; these weights add up to `from`.
fn covered(new: u32, from: u32, to: u32) -> impl Iterator<Item = (usize, u64)> {
    let (new, from, to) = (u64::from(new), u64::from(from), u64::from(to));
    // On a line of `from * to` steps, a new pixel takes `from` of them and an old one `to`.
    let (start, end) = (new * from, (new + 1) * from);
    (start / to..end.div_ceil(to)).map(move |old| {
        let weight = end.min((old + 1) * to) - start.max(old * to);
        (old as usize, weight)
    })
}

#[cfg(test)]
mod tests;
