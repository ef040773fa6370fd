//! `Embed`: a row for every token.

use gotong_scoring::machine::embed;

use super::{adjoint::if_passes, Backwards, Block, Kernel, Shape};

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

    /// Sums the adjoints of a token's rows over its places, in `2^-shift`, where the sum is inside
    /// its bounds.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let (tokens, width) = (here.shape.tokens, self.width);
        let of_places = self.rows.len() - tokens * width;
        let values = here.adjoints.values.iter().zip(&here.own.wide);
        let dy = &mut here.scratch.sums;
        dy.clear();
        dy.extend(values.map(|(dy, y)| if_passes(*dy, y.unsigned_abs() < 32_767)));
        let samples = dy.chunks_exact_mut(tokens * width);
        let samples = samples.zip(here.block.pixels.chunks_exact(tokens));
        let mut places: Vec<usize> = Vec::new();
        for ((dy, sample), exponent) in samples.zip(&here.adjoints.exponents) {
            let exponent = exponent.saturating_sub(self.shift.into());
            let first = here.first_parameter;
            here.gradient.add(first + of_places, dy, exponent);
            // The places of every token, one after another: the first one gets the sum.
            places.clear();
            places.extend(0..tokens);
            places.sort_by_key(|place| sample[*place]);
            for same in places.chunk_by(|a, b| sample[*a] == sample[*b]) {
                let [place, others @ ..] = same else {
                    continue;
                };
                for other in others {
                    // Its places are in order.
                    let (before, after) = dy.split_at_mut(other * width);
                    let own = &mut before[place * width..][..width];
                    for (sum, dy) in own.iter_mut().zip(&after[..width]) {
                        *sum = sum.wrapping_add(*dy);
                    }
                }
                let at = first + usize::from(sample[*place]) * width;
                let own = &dy[place * width..][..width];
                here.gradient.add(at, own, exponent);
            }
        }
    }
}
