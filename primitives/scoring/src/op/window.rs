//! Images, and the windows that convolutions and pools take over them.
//!
//! An image has a row for every pixel, its lines one after another, and each row has a value for every channel (height, width,
//! channel). A window stops at every `stride`-th place, line by line, as long as it is within the image and its padding; outside of
//! the image all values are 0.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::ops::Range;
use scale_info::TypeInfo;

/// Most [`Window::span`] of a pool: the number of values that a referee reads for one value of a pool.
pub const MAX_POOL_SPAN: u32 = 2048;

/// The shape of an image.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Image {
    /// Number of lines, at least 1.
    pub height: u16,
    /// Number of pixels in a line, at least 1.
    pub width: u16,
    /// Number of values of a pixel, at least 1.
    pub channels: u32,
}

/// A square that is moved over an image.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Window {
    /// Its side in pixels, at least 1.
    pub size: u8,
    /// Pixels from one place to the next, at least 1.
    pub stride: u8,
    /// The width of the zero padding around the image in pixels, less than `size`: so no window lies outside the image.
    pub padding: u8,
}

impl Image {
    /// Number of pixels: the rows of a tensor that is an image.
    pub fn pixels(&self) -> u32 {
        u32::from(self.height) * u32::from(self.width)
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        u64::from(self.pixels()) * u64::from(self.channels)
    }
}

impl Window {
    /// Height and width of the image that has a pixel for every place of the window; none if a field is out of its bounds, or the
    /// window is larger than the image with its padding.
    pub fn places(&self, image: &Image) -> Option<(u32, u32)> {
        if image.channels == 0 || self.padding >= self.size {
            return None;
        }
        let places = |side: u16| {
            let padded = u32::from(side.checked_sub(1)?) + 1 + 2 * u32::from(self.padding);
            let moves = padded.checked_sub(self.size.into())?;
            Some(moves.checked_div(self.stride.into())? + 1)
        };
        Some((places(image.height)?, places(image.width)?))
    }

    /// Pixels of a place.
    pub fn pixels(&self) -> u32 {
        u32::from(self.size) * u32::from(self.size)
    }

    /// At least as many as the pixels of a place, and as those from its first to its last in the image.
    pub fn span(&self, image: &Image) -> u32 {
        let (size, width) = (u32::from(self.size), u32::from(image.width));
        size.saturating_sub(1) * width.max(size) + size
    }

    /// The pixel that is number `nth` of a place, both counted line by line; none if it is padding.
    pub fn pixel(&self, image: &Image, place: u32, nth: u32) -> Option<u32> {
        let (_, across) = self.places(image)?;
        let (size, stride) = (u32::from(self.size), u32::from(self.stride));
        let along = |place: u32, nth: u32, side: u16| {
            let at = place.checked_mul(stride)?.checked_add(nth)?;
            let at = at.checked_sub(self.padding.into())?;
            (at < side.into()).then_some(at)
        };
        let line = along(place / across, nth.checked_div(size)?, image.height)?;
        let column = along(place % across, nth.checked_rem(size)?, image.width)?;
        line.checked_mul(image.width.into())?.checked_add(column)
    }

    /// Most places that a pixel is in; 0 if there are none.
    pub fn most_over(&self, image: &Image) -> u32 {
        let along = |places| self.most_along(places);
        let both = |(down, across)| along(down) * along(across);
        self.places(image).map_or(0, both)
    }

    /// The most places that a pixel can be in, out of this number of places in a line or a column.
    fn most_along(&self, places: u32) -> u32 {
        let most = u32::from(self.size).div_ceil(u32::from(self.stride).max(1));
        most.min(places)
    }

    /// Place number `nth`, below [`Self::most_over`], among those that a pixel may be in, the last first; and which of the place's
    /// pixels it is. None if the pixel is not in that place.
    pub fn over(&self, image: &Image, pixel: u32, nth: u32) -> Option<(u32, u32)> {
        let (down, across) = self.places(image)?;
        let (size, stride) = (u32::from(self.size), u32::from(self.stride));
        let each = self.most_along(across);
        let along = |at: u32, nth: u32, places: u32| {
            let at = at.checked_add(self.padding.into())?;
            let last = at.checked_div(stride)?.min(places.checked_sub(1)?);
            let place = last.checked_sub(nth)?;
            let within = at.checked_sub(place.checked_mul(stride)?)?;
            (within < size).then_some((place, within))
        };
        let width = u32::from(image.width);
        let (line, below) = along(pixel.checked_div(width)?, nth.checked_div(each)?, down)?;
        let (column, right) = along(pixel.checked_rem(width)?, nth.checked_rem(each)?, across)?;
        let place = line.checked_mul(across)?.checked_add(column)?;
        Some((place, below * size + right))
    }

    /// The pixels of all places, place by place; [`Image::pixels`] stands for padding. Empty if there are no places.
    pub fn table(&self, image: &Image) -> Vec<u32> {
        let (down, across) = self.places(image).unwrap_or((0, 0));
        let pixel = |place, nth| self.pixel(image, place, nth).unwrap_or(image.pixels());
        (0..down.saturating_mul(across))
            .flat_map(|place| (0..self.pixels()).map(move |nth| pixel(place, nth)))
            .collect()
    }

    /// The lines and columns of a place that are in the image; none if there is no such place.
    pub fn cut(&self, image: &Image, place: u32) -> Option<[Range<u32>; 2]> {
        let (down, across) = self.places(image)?;
        let along = |place: u32, side: u16| {
            let start = place.checked_mul(self.stride.into())?;
            let end = start.checked_add(self.size.into())?;
            let inside = |at: u32| at.saturating_sub(self.padding.into()).min(side.into());
            Some(inside(start)..inside(end))
        };
        let line = place / across;
        let lines = (line < down).then(|| along(line, image.height))??;
        Some([lines, along(place % across, image.width)?])
    }

    /// The pixels of a place that are in the image, line by line.
    pub fn inside(&self, image: &Image, place: u32) -> impl Iterator<Item = u32> {
        let width = u32::from(image.width);
        let [lines, columns] = self.cut(image, place).unwrap_or([0..0, 0..0]);
        // Less than 2^32 pixels.
        lines.flat_map(move |line| columns.clone().map(move |column| line * width + column))
    }

    /// From the first to the last pixel of a place that is in the image; none if none is.
    pub fn range(&self, image: &Image, place: u32) -> Option<Range<u32>> {
        let width = u32::from(image.width);
        let [lines, columns] = self.cut(image, place)?;
        let last = lines.end.checked_sub(1)? * width + columns.end;
        let first = lines.start * width + columns.start;
        (first < last).then_some(first..last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn image(height: u16, width: u16) -> Image {
        Image {
            height,
            width,
            channels: 1,
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
    fn a_window_stops_where_it_fits() {
        let places = [
            (window(3, 1, 0), (5, 7), Some((3, 5))),
            (window(3, 1, 1), (5, 7), Some((5, 7))),
            (window(3, 2, 1), (5, 7), Some((3, 4))),
            (window(2, 2, 0), (5, 7), Some((2, 3))),
            (window(1, 1, 0), (1, 1), Some((1, 1))),
            (window(255, 1, 254), (1, 1), Some((255, 255))),
            (window(1, 255, 0), (u16::MAX, 1), Some((257, 1))),
            (window(6, 1, 0), (5, 7), None),
            (window(8, 1, 1), (7, 5), None),
            (window(0, 1, 0), (5, 7), None),
            (window(2, 0, 0), (5, 7), None),
            (window(2, 1, 2), (5, 7), None),
            (window(2, 1, 0), (0, 7), None),
            (window(2, 1, 1), (7, 0), None),
        ];
        for (window, (height, width), expected) in places {
            assert_eq!(window.places(&image(height, width)), expected, "{window:?}");
        }
        let nothing = Image {
            channels: 0,
            ..image(5, 5)
        };
        assert_eq!(window(1, 1, 0).places(&nothing), None);
    }

    #[test]
    fn a_place_has_its_pixels() {
        // 0 1 2 3
        // 4 5 6 7
        // 8 9 . .
        let (image, window) = (image(3, 4), window(3, 2, 1));
        assert_eq!(window.places(&image), Some((2, 2)));
        let inside = |place| window.inside(&image, place).collect::<Vec<_>>();
        assert_eq!(inside(0), [0, 1, 4, 5]);
        assert_eq!(inside(1), [1, 2, 3, 5, 6, 7]);
        assert_eq!(inside(2), [4, 5, 8, 9]);
        assert_eq!(inside(3), [5, 6, 7, 9, 10, 11]);
        let table = window.table(&image);
        assert_eq!(table[..9], [12, 12, 12, 12, 0, 1, 12, 4, 5]);
        assert_eq!(table.len(), 4 * 9);
        assert_eq!(window.range(&image, 3), Some(5..12));
        assert_eq!((inside(4), window.range(&image, 4)), (vec![], None));
        assert_eq!(window.pixel(&image, 0, 0), None);
        assert_eq!(window.pixel(&image, 0, 4), Some(0));
        assert_eq!(window.span(&image), 11);
    }

    #[test]
    fn a_pixel_has_its_places() {
        for (height, width) in [(1, 1), (1, 9), (9, 1), (5, 7)] {
            let image = image(height, width);
            for (size, stride) in (1..=5).flat_map(|size| (1..=4).map(move |s| (size, s))) {
                for padding in 0..size {
                    let window = window(size, stride, padding);
                    let mut laid: Vec<(u32, u32, u32)> = Vec::new();
                    for pixel in 0..image.pixels() {
                        let over = (0..window.most_over(&image))
                            .filter_map(|nth| window.over(&image, pixel, nth));
                        laid.extend(over.map(|(place, nth)| (place, nth, pixel)));
                    }
                    laid.sort_unstable();
                    let table = window.table(&image).into_iter().enumerate();
                    let pixels = window.pixels();
                    let table =
                        table.map(|(at, pixel)| (at as u32 / pixels, at as u32 % pixels, pixel));
                    let table: Vec<_> = table.filter(|laid| laid.2 < image.pixels()).collect();
                    assert_eq!(laid, table, "{window:?}");
                }
            }
        }
    }

    #[test]
    fn a_pixel_is_in_no_more_places_than_there_are() {
        assert_eq!(window(127, 1, 0).most_over(&image(127, 127)), 1);
        assert_eq!(window(127, 1, 0).most_over(&image(128, 200)), 2 * 74);
        assert_eq!(window(3, 2, 1).most_over(&image(9, 9)), 4);
        assert_eq!(window(3, 1, 0).most_over(&image(2, 2)), 0);
    }

    /// Bounds of a referee's step: every place has a pixel, and no place spans more than [`Window::span`] says.
    #[test]
    fn every_place_is_within_its_span() {
        for (height, width) in [(1, 1), (1, 9), (9, 1), (5, 7), (8, 8)] {
            let image = image(height, width);
            for size in 1..=9 {
                for (stride, padding) in (1..=3).flat_map(|s| (0..size).map(move |p| (s, p))) {
                    let window = window(size, stride, padding);
                    let Some((down, across)) = window.places(&image) else {
                        continue;
                    };
                    for place in 0..down * across {
                        let range = window.range(&image, place).unwrap();
                        let own = |nth| window.pixel(&image, place, nth);
                        let pixels: Vec<u32> = (0..window.pixels()).filter_map(own).collect();
                        assert!(window.inside(&image, place).eq(pixels.iter().copied()));
                        assert_eq!(range, pixels[0]..pixels[pixels.len() - 1] + 1);
                        assert!(range.end <= image.pixels());
                        assert!(range.end - range.start <= window.span(&image));
                        assert!(window.pixels() <= window.span(&image));
                    }
                }
            }
        }
    }
}
