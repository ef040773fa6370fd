//! The gradient of a group, to which all threads add at once.

use std::sync::{Mutex, PoisonError};

use gotong_scoring::gradient::{contribution, GRADIENT_BITS};

use super::adjoint::Rounding;

/// Parameters that share one lock.
const STRIPE: usize = 1 << 13;

/// The gradient of a group. A thread locks a stripe of it only while it adds a row, so one accumulator is
/// enough for all threads, and they seldom wait for one another.
pub(super) struct Gradient<'a> {
    stripes: Vec<Mutex<&'a mut [i64]>>,
}

impl<'a> Gradient<'a> {
    pub fn of(values: &'a mut [i64]) -> Self {
        let stripes = values.chunks_mut(STRIPE);
        Self {
            stripes: stripes.map(Mutex::new).collect(),
        }
    }

    /// Adds sums that are in units of the gradient.
    #[inline(always)]
    pub fn add_units(&self, at: usize, sums: &[i32]) {
        self.add(at, sums, -i32::from(GRADIENT_BITS));
    }

    /// Adds what one sample's sums contribute to the parameters from `at` on. Sums of several samples may
    /// come together where [`is_linear`] says so.
    #[inline(always)]
    pub fn add(&self, at: usize, sums: &[i32], exponent: i32) {
        let (mut at, mut rest) = (at, sums);
        while !rest.is_empty() {
            let within = at % STRIPE;
            let (own, others) = rest.split_at(rest.len().min(STRIPE - within));
            let stripe = self.stripes[at / STRIPE].lock();
            let mut stripe = stripe.unwrap_or_else(PoisonError::into_inner);
            add_contributions(&mut stripe[within..][..own.len()], own, exponent);
            at += own.len();
            rest = others;
        }
    }
}

/// By how many bits sums of this exponent are shifted left to the units of a gradient.
#[inline(always)]
pub(super) fn units(exponent: i32) -> i32 {
    exponent.saturating_add(GRADIENT_BITS.into())
}

/// Whether sums of this exponent contribute multiples of themselves: nothing is rounded, and no sum of 32 bits hits the limit.
#[inline(always)]
pub(super) fn is_linear(exponent: i32) -> bool {
    (0..=15).contains(&units(exponent))
}

/// Adds `gotong_scoring::gradient::contribution` of every sum. No 64-bit sum overflows.
#[inline(always)]
pub(crate) fn add_contributions(all: &mut [i64], sums: &[i32], exponent: i32) {
    let up = units(exponent);
    let all = all.iter_mut().zip(sums);
    if is_linear(exponent) {
        for (all, sum) in all {
            *all = all.wrapping_add(i64::from(*sum) << up);
        }
    } else if up < 0 {
        let rounding = Rounding::by(up.unsigned_abs());
        for (all, sum) in all {
            *all = all.wrapping_add(rounding.apply(*sum).into());
        }
    } else {
        for (all, sum) in all {
            *all = all.wrapping_add(contribution(*sum, exponent));
        }
    }
}
