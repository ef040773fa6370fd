//! What the rows of a table add up to.

use super::credit::Sums;
use crate::merkle::Carry;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Largest sum of values, in magnitude: 2^10 values of 2^44, and two bits more.
const MOST_OF_VALUES: u64 = 1 << 56;

/// Sums over rows. In the pay, only the last two differ from 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct RowSums {
    /// Sum of the members' weights.
    pub weight: u64,
    /// Sum of the weights of members with a norm below the median.
    pub below: u64,
    /// Sum of the weights of members with a norm not above the median.
    pub upto: u64,
    /// Number of bad members.
    pub bad: u32,
    /// Sum of the values.
    pub value: i64,
    /// Sum of `max(|value|, 1)` over the values.
    pub magnitude: u64,
}

impl RowSums {
    /// What a sum that left its bounds becomes, and remains.
    const UNSOUND: Self = Self {
        weight: u64::MAX,
        below: u64::MAX,
        upto: u64::MAX,
        bad: u32::MAX,
        value: i64::MAX,
        magnitude: u64::MAX,
    };

    /// The sums that a credit is made of.
    pub fn of_values(&self) -> Sums {
        Sums {
            values: self.value,
            magnitudes: self.magnitude,
        }
    }

    /// Whether the norm that `below` and `upto` are about is the weighted lower median.
    pub(super) fn are_of_the_median(&self) -> bool {
        self.below.saturating_mul(2) < self.weight && self.weight <= self.upto.saturating_mul(2)
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            weight: self.weight.checked_add(other.weight)?,
            below: self.below.checked_add(other.below)?,
            upto: self.upto.checked_add(other.upto)?,
            bad: self.bad.checked_add(other.bad)?,
            value: self.value.checked_add(other.value)?,
            magnitude: self.magnitude.checked_add(other.magnitude)?,
        })
    }
}

impl Carry for RowSums {
    fn join(self, other: Self) -> Self {
        let both_are_sound = self.is_sound() && other.is_sound();
        let sum = self.plus(other).filter(|sum| sum.is_sound());
        sum.filter(|_| both_are_sound).unwrap_or(Self::UNSOUND)
    }

    /// Within its bounds, and with magnitudes that can be those of its values: so no row of a table proves more than
    /// [`super::credit::most_credits`] counts.
    fn is_sound(self) -> bool {
        self.value.unsigned_abs() <= self.magnitude && self.magnitude <= MOST_OF_VALUES
    }

    fn bytes(&self) -> impl AsRef<[u8]> {
        self.encode()
    }
}
