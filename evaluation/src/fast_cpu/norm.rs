//! `RmsNorm`: rows divided by the root of their mean square.

use gotong_scoring::{arith::clamp_i16, machine::Norm};

use super::{
    adjoint::{if_passes, Rounding},
    Backwards, Block, Kernel, Shape,
};

pub(super) struct RmsNorm {
    pub width: usize,
    pub unit_bits: u8,
}

impl RmsNorm {
    pub fn new(width: u32, unit_bits: u8) -> Self {
        Self {
            width: width as usize,
            unit_bits,
        }
    }

    /// Wide values to narrow activations.
    #[inline(always)]
    pub fn forward<K: Kernel>(&self, block: &mut Block, shape: Shape) {
        block.narrow.resize(shape.rows * self.width, 0);
        let given = block.narrow.chunks_exact_mut(self.width);
        for (given, row) in given.zip(block.wide.chunks_exact(self.width)) {
            let norm = Norm::of(row, self.unit_bits);
            for (given, h) in given.iter_mut().zip(row) {
                *given = norm.apply(*h);
            }
        }
    }

    /// With `y = h * s`, `s = 2^unit_bits / rms(h)`: `dh[c] = s * (dy[c] - y[c] * mean(dy * y) / 2^(2 * unit_bits))`, where `dy` is
    /// 0 for values on the bound.
    #[inline(always)]
    pub fn backward<K: Kernel>(&self, here: &mut Backwards) {
        let Backwards {
            before,
            own,
            adjoints,
            ..
        } = here;
        let values = adjoints.values.len();
        let down = -i32::from(Norm::PULL_BITS);
        here.previous.start(values, adjoints, down);
        let rows = before.wide.chunks_exact(self.width);
        let rows = rows.zip(own.narrow.chunks_exact(self.width));
        let rows = rows.zip(adjoints.values.chunks_exact(self.width));
        let given = here.previous.values.chunks_exact_mut(self.width);
        let inside = |dy: i16, y: i8| if_passes(dy, y.unsigned_abs() < 127);
        let rounding = Rounding::by(2 * u32::from(self.unit_bits));
        for (given, ((h, y), dy)) in given.zip(rows) {
            let scale = Norm::of(h, self.unit_bits);
            let products = dy.iter().zip(y);
            let products = products.map(|(dy, y)| inside(*dy, *y).wrapping_mul((*y).into()));
            let mean = mean(products.fold(0, i32::wrapping_add), self.width);
            for (given, (dy, y)) in given.iter_mut().zip(dy.iter().zip(y)) {
                let along = rounding.apply(mean.wrapping_mul((*y).into()));
                let across = clamp_i16(inside(*dy, *y).wrapping_sub(along));
                *given = scale.pull(across);
            }
        }
    }
}

/// `sum / n` rounded to nearest, halves away from zero: `gotong_scoring::arith::round_div` in 64 bits.
#[inline(always)]
fn mean(sum: i32, n: usize) -> i32 {
    let n = n as u64;
    let magnitude = (2 * u64::from(sum.unsigned_abs()) + n) / (2 * n);
    sum.signum().wrapping_mul(magnitude as i32)
}
