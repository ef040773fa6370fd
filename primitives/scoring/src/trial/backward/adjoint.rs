//! The stages that make an adjoint of sums: [`Adjoint::of`](crate::gradient::Adjoint::of) and
//! [`Adjoint::of_all`](crate::gradient::Adjoint::of_all), word by word.
//!
//! For the sums that one op gives, these are the *running peak*, a word for every tile of sums; the *exponent*; and the *adjoint*.
//! For what several ops give, they are each of their sums as an adjoint of 15 bits; the largest exponent so far, a word for each;
//! then the sums so far of the parts aligned to it, and the peak, exponent and adjoint of the last of these.

use super::rule::{first, Read};
use super::stages::Stages;
use crate::arith::rs;
use crate::gradient::{bound, shift, MOST_ADJOINT_BITS};
use alloc::vec;
use alloc::vec::Vec;

use super::super::TRACE_TILE;

/// Words of a tile.
const TILE: u64 = TRACE_TILE as u64;

/// Stands for the exponent when all parts are zero.
const NONE: i32 = i32::MIN;

/// An exponent: the one word of a stage, if there is one, plus a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exponent {
    /// The stage.
    pub stage: Option<u32>,
    /// Which of its words.
    pub at: u64,
    /// What is added to it.
    pub plus: i32,
}

impl Exponent {
    /// One that is the same for all samples.
    pub fn constant(exponent: i32) -> Self {
        Self {
            stage: None,
            at: 0,
            plus: exponent,
        }
    }

    fn of(stage: u32, at: u64) -> Self {
        Self {
            stage: Some(stage),
            at,
            plus: 0,
        }
    }

    /// This exponent plus `by`.
    pub fn plus(self, by: i32) -> Self {
        Self {
            plus: self.plus.saturating_add(by),
            ..self
        }
    }

    /// The word that has it.
    pub fn read(&self) -> Option<Read> {
        Some(Read::stage(self.stage?, self.at, 1))
    }

    /// The exponent, from the word that has it.
    pub fn value(&self, word: Option<i32>) -> i32 {
        word.unwrap_or(0).saturating_add(self.plus)
    }
}

/// Sums that an op gives: the last of `steps` words is the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SumsWords {
    /// The stage that has them.
    pub stage: u32,
    /// Words for each.
    pub steps: u64,
    /// How many.
    pub values: u64,
    /// The exponent of all.
    pub exponent: Exponent,
}

impl SumsWords {
    /// The word that is a value.
    pub fn read(&self, value: u64) -> Option<Read> {
        let at = value.checked_mul(self.steps)?;
        Some(Read::stage(
            self.stage,
            at.checked_add(self.steps.checked_sub(1)?)?,
            1,
        ))
    }
}

/// An adjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AdjointWords {
    /// The stage that has its values.
    pub values: u32,
    /// The exponent of all.
    pub exponent: Exponent,
}

/// A part of a sum of adjoints.
#[derive(Clone, Copy)]
struct PartWords {
    adjoint: AdjointWords,
    peak: Peak,
}

/// The largest magnitude of sums.
#[derive(Clone, Copy)]
struct Peak {
    stage: u32,
    last: u64,
}

impl Peak {
    fn read(&self) -> Read {
        Read::stage(self.stage, self.last, 1)
    }
}

impl Stages {
    /// The adjoint of the loss itself: 1.
    pub(super) fn adjoint_of_loss(&mut self) -> AdjointWords {
        AdjointWords {
            values: self.each(2, 1, |_| Some(Vec::new()), |_, _| Some(1 << 14)),
            exponent: Exponent::constant(-14),
        }
    }

    /// The adjoint of what these sums are for; none if there are no sums.
    pub(super) fn adjoint(&mut self, all: &[SumsWords], bits: u8) -> Option<AdjointWords> {
        let sums = match all {
            [] => return None,
            [sums] => *sums,
            _ => self.aligned(all)?,
        };
        Some(self.shifted(sums, bits).adjoint)
    }

    /// Shifts sums right, all by the same amount, until they have at most `bits` bits.
    pub fn adjoint_of(&mut self, sums: SumsWords, bits: u8) -> AdjointWords {
        self.shifted(sums, bits).adjoint
    }

    fn shifted(&mut self, sums: SumsWords, bits: u8) -> PartWords {
        let peak = self.peak(&sums);
        let exponent = self.each(
            4,
            1,
            move |_| {
                Some(
                    vec![peak.read()]
                        .into_iter()
                        .chain(sums.exponent.read())
                        .collect(),
                )
            },
            move |_, inputs| {
                let down = shift(first(inputs, 0)? as u32, bits);
                let exponent = sums.exponent.value(first(inputs, 1));
                Some(exponent.saturating_add(down as i32))
            },
        );
        let values = self.each(
            2,
            sums.values,
            move |at| Some(vec![sums.read(at)?, peak.read()]),
            move |_, inputs| {
                let down = shift(first(inputs, 1)? as u32, bits);
                let most = bound(bits);
                Some(rs(first(inputs, 0)?, down).clamp(-most, most))
            },
        );
        PartWords {
            adjoint: AdjointWords {
                values,
                exponent: Exponent::of(exponent, 0),
            },
            peak,
        }
    }

    /// The largest magnitude so far, after every tile of the sums.
    fn peak(&mut self, sums: &SumsWords) -> Peak {
        let (own, of, steps) = (self.next(), sums.stage, sums.steps);
        let words = sums.values.saturating_mul(steps);
        let tiles = words.div_ceil(TILE);
        let reads = move |at: u64| {
            let start = at.checked_mul(TILE)?;
            let count = words.checked_sub(start)?.min(TILE);
            let before = at.checked_sub(1).map(|before| Read::stage(own, before, 1));
            let mut reads = vec![Read::stage(of, start, count)];
            reads.extend(before);
            Some(reads)
        };
        let execute = move |at: u64, inputs: &[&[i32]]| {
            let start = at.checked_mul(TILE)?;
            let before = first(inputs, 1).unwrap_or(0) as u32;
            // Among running sums only the last is the value.
            let is_value = |at: u64| at.saturating_add(1).checked_rem(steps) == Some(0);
            let values = (start..).zip(inputs.first()?.iter());
            let values = values.filter(|(at, _)| is_value(*at));
            let peak = values.map(|(_, sum)| sum.unsigned_abs()).max();
            Some(peak.unwrap_or(0).max(before) as i32)
        };
        Peak {
            stage: self.each(4, tiles, reads, execute),
            last: tiles.saturating_sub(1),
        }
    }

    /// What several ops give for one value, aligned to the largest exponent and added.
    fn aligned(&mut self, all: &[SumsWords]) -> Option<SumsWords> {
        let parts: Vec<PartWords> = all
            .iter()
            .map(|sums| self.shifted(*sums, MOST_ADJOINT_BITS))
            .collect();
        let last = (parts.len() as u64).checked_sub(1)?;
        let common = self.largest(&parts);
        let exponent = Exponent::of(common, last);
        let mut so_far: Option<u32> = None;
        let values = all.first()?.values;
        for part in &parts {
            let (of, before) = (part.adjoint, so_far);
            let reads = move |at| {
                let mut reads = vec![Read::stage(of.values, at, 1), exponent.read()?];
                reads.push(of.exponent.read()?);
                reads.extend(before.map(|before| Read::stage(before, at, 1)));
                Some(reads)
            };
            let execute = move |_, inputs: &[&[i32]]| {
                let common = largest_or_zero(first(inputs, 1)?);
                let down = common.saturating_sub(of.exponent.value(first(inputs, 2)));
                // What is zero has no exponent, and stays zero however it is shifted.
                let value = rs(first(inputs, 0)?, down.unsigned_abs());
                Some(first(inputs, 3).unwrap_or(0).wrapping_add(value))
            };
            so_far = Some(self.each(4, values, reads, execute));
        }
        // Its one word is the exponent that the last word of `common` stands for.
        let exponent = self.each(
            4,
            1,
            move |_| Some(vec![exponent.read()?]),
            |_, inputs| first(inputs, 0).map(largest_or_zero),
        );
        Some(SumsWords {
            stage: so_far?,
            steps: 1,
            values,
            exponent: Exponent::of(exponent, 0),
        })
    }

    /// The largest exponent so far among the parts that are not zero: a part is zero if its peak is.
    fn largest(&mut self, parts: &[PartWords]) -> u32 {
        let own = self.next();
        let parts = parts.to_vec();
        let count = parts.len() as u64;
        let reads = move |at: u64| {
            let part = parts.get(usize::try_from(at).ok()?)?;
            let before = at.checked_sub(1).map(|before| Read::stage(own, before, 1));
            let mut reads = vec![part.peak.read(), part.adjoint.exponent.read()?];
            reads.extend(before);
            Some(reads)
        };
        self.each(4, count, reads, |_, inputs| {
            let before = first(inputs, 2).unwrap_or(NONE);
            let exponent = first(inputs, 1)?;
            Some(if first(inputs, 0)? == 0 {
                before
            } else {
                before.max(exponent)
            })
        })
    }
}

/// What the largest exponent stands for: 0 if all parts are zero.
fn largest_or_zero(exponent: i32) -> i32 {
    if exponent == NONE {
        0
    } else {
        exponent
    }
}
