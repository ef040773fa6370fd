//! `Embed`: a row for every token.

use gotong_scoring::machine::embed;

use super::{Block, Kernel, Shape};

pub(super) struct Embed {
    /// Rows of the tokens, `[vocab, width]`, then those of the places, `[tokens, width]`.
    pub rows: Vec<i16>,
    pub width: usize,
    pub shift: u8,
}

impl Embed {
    pub fn new(width: u32, shift: u8, weights: &[i16]) -> Self {
        Self {
            rows: weights.to_vec(),
            width: width as usize,
            shift,
        }
    }

    /// Bytes of the samples to wide values.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        let places = &self.rows[self.rows.len() - shape.tokens * self.width..];
        block.wide.clear();
        for sample in block.pixels.chunks_exact(shape.tokens) {
            for (token, place) in sample.iter().zip(places.chunks_exact(self.width)) {
                let token = &self.rows[usize::from(*token) * self.width..][..self.width];
                let pairs = token.iter().zip(place);
                let sums = pairs.map(|(token, place)| embed(*token, *place, self.shift));
                block.wide.extend(sums);
            }
        }
    }
}
