//! Adjoints of the samples of a block: `gotong_scoring::gradient::Adjoint`, many at once.

use gotong_scoring::gradient::{bound, shift};

use super::{
    accumulator::Gradient,
    block::{Block, Kept},
    kernel::{Kernel, Panels, Rows},
    Shape,
};

/// The adjoint of a tensor of a block: a value for each of its values and an exponent for each sample.
#[derive(Default)]
pub(super) struct Adjoints {
    pub values: Vec<i16>,
    pub exponents: Vec<i32>,
    /// By sample, whether all of its values are 0.
    pub are_zero: Vec<bool>,
}

/// What an op gives backwards for a tensor of a block: sums that are not shifted yet.
#[derive(Default)]
pub(super) struct Pulled {
    pub values: Vec<i32>,
    pub exponents: Vec<i32>,
}

/// What an op works with in the backward pass.
pub(super) struct Backwards<'a, 'g> {
    /// What all ops gave.
    pub block: &'a Block,
    /// The shape of what this op gave.
    pub shape: Shape,
    /// What the op took from the one before it, and what it gave, as far as it was kept.
    pub before: &'a Kept,
    pub own: &'a Kept,
    /// The adjoint of what it gave, and how many bits it has.
    pub adjoints: &'a Adjoints,
    pub bits: u8,
    /// The adjoint of what it took from the op before it.
    pub previous: &'a mut Pulled,
    /// The adjoint of what it took from an earlier op.
    pub earlier: &'a mut Pulled,
    /// Whether `previous` is wanted.
    pub is_wanted: bool,
    /// Where the sums of the parameters that it reads go, and the first of these.
    pub gradient: &'a Gradient<'g>,
    pub first_parameter: usize,
    pub scratch: &'a mut Scratch,
}

/// Memory that the ops reuse.
#[derive(Default)]
pub(super) struct Scratch {
    pub left: Rows,
    pub right: Panels,
    pub sums: Vec<i32>,
    pub pulled: Pulled,
    pub adjoints: Adjoints,
}

impl Backwards<'_, '_> {
    /// Passes the adjoint as it is.
    #[inline(always)]
    pub fn pass(&mut self) {
        self.previous
            .start(self.adjoints.values.len(), self.adjoints, 0);
        let dy = self.previous.values.iter_mut().zip(&self.adjoints.values);
        dy.for_each(|(sum, dy)| *sum = (*dy).into());
    }
}

impl Pulled {
    /// Makes room for `values` values, which the op is to write. Their exponents are those of what it gave plus `more`.
    #[inline(always)]
    pub fn start(&mut self, values: usize, adjoints: &Adjoints, more: i32) {
        self.values.resize(values, 0);
        let exponents = adjoints.exponents.iter();
        self.exponents.clear();
        self.exponents
            .extend(exponents.map(|exponent| exponent.saturating_add(more)));
    }

    pub fn copy(&mut self, other: &Self) {
        self.values.clone_from(&other.values);
        self.exponents.clone_from(&other.exponents);
    }
}

impl Adjoints {
    /// The adjoint of the loss itself: 1 for each sample.
    pub fn of_loss(&mut self, samples: usize) {
        self.values.clear();
        self.values.resize(samples, 1 << 14);
        self.exponents.clear();
        self.exponents.resize(samples, -14);
        self.are_zero.clear();
        self.are_zero.resize(samples, false);
    }

    /// Shifts each sample's sums until they have at most `bits` bits.
    #[inline(always)]
    pub fn of<K: Kernel>(&mut self, sums: &Pulled, bits: u8) {
        let length = sums.values.len() / sums.exponents.len();
        let most = bound(bits);
        self.values.resize(sums.values.len(), 0);
        self.exponents.clear();
        self.are_zero.clear();
        let samples = sums.values.chunks_exact(length).zip(&sums.exponents);
        for (given, (sums, exponent)) in self.values.chunks_exact_mut(length).zip(samples) {
            let peak = peak(sums);
            let down = shift(peak, bits);
            let rounding = Rounding::by(down);
            for (given, sum) in given.iter_mut().zip(sums) {
                *given = rounding.apply(*sum).clamp(-most, most) as i16;
            }
            self.exponents.push(exponent.saturating_add(down as i32));
            self.are_zero.push(peak == 0);
        }
    }

    /// The sum of what several ops gave for a tensor: each shifted to 15 bits and then, sample by sample, to the largest exponent
    /// of those that are not zero. `sums` is scratch memory.
    #[inline(always)]
    pub fn of_all<K: Kernel>(&mut self, all: &[Pulled], bits: u8, sums: &mut Pulled) {
        let [first, rest @ ..] = all else {
            return;
        };
        if rest.is_empty() {
            return self.of::<K>(first, bits);
        }
        let (samples, most) = (first.exponents.len(), bound(15));
        let length = first.values.len() / samples;
        sums.values.resize(first.values.len(), 0);
        sums.exponents.clear();
        let mut parts = Vec::with_capacity(all.len());
        for (sample, given) in sums.values.chunks_exact_mut(length).enumerate() {
            parts.clear();
            for pulled in all {
                let values = &pulled.values[sample * length..][..length];
                let peak = peak(values);
                let down = shift(peak, 15);
                let exponent = pulled.exponents[sample].saturating_add(down as i32);
                if peak > 0 {
                    parts.push((values, down, exponent));
                }
            }
            let exponent = parts.iter().map(|(_, _, exponent)| *exponent).max();
            let exponent = exponent.unwrap_or(0);
            given.fill(0);
            for (values, down, own) in &parts {
                let shift = Rounding::by(*down);
                let align = Rounding::by(exponent.saturating_sub(*own).unsigned_abs());
                for (sum, value) in given.iter_mut().zip(*values) {
                    let value = shift.apply(*value).clamp(-most, most);
                    *sum = sum.wrapping_add(align.apply(value));
                }
            }
            sums.exponents.push(exponent);
        }
        self.of::<K>(sums, bits);
    }
}

/// The largest magnitude.
#[inline(always)]
fn peak(sums: &[i32]) -> u32 {
    sums.iter().map(|sum| sum.unsigned_abs()).fold(0, u32::max)
}

/// `gotong_scoring::arith::rs` with the same shift over and over, without a branch.
#[derive(Clone, Copy)]
pub(super) struct Rounding {
    down: u32,
    /// The shift that leaves the highest of the dropped bits at the bottom.
    before: u32,
    /// Masks for what remains of a value, and for that bit.
    whole: i32,
    half: i32,
}

impl Rounding {
    #[inline(always)]
    pub fn by(down: u32) -> Self {
        Self {
            down: down.min(31),
            before: down.saturating_sub(1).min(31),
            whole: if down > 31 { 0 } else { -1 },
            half: i32::from((1..=31).contains(&down)),
        }
    }

    #[inline(always)]
    pub fn apply(self, value: i32) -> i32 {
        let whole = value.wrapping_shr(self.down) & self.whole;
        let half = value.wrapping_shr(self.before) & self.half;
        whole.wrapping_add(half)
    }
}

/// `value` where it passes, else 0: without a branch, which the processor would mispredict half of the time.
#[inline(always)]
pub(super) fn if_passes(value: i16, passes: bool) -> i32 {
    i32::from(value) & i32::from(passes).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::arith::rs;

    #[test]
    fn every_shift_rounds_as_the_machine_does() {
        for down in 0..=40 {
            let rounding = Rounding::by(down);
            for value in [i32::MIN, -32_768, -3, -2, -1, 0, 1, 2, 3, 1 << 20, i32::MAX] {
                assert_eq!(rounding.apply(value), rs(value, down), "{value} by {down}");
            }
        }
    }
}
