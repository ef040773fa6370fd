//! Lists that a table holds, all of them bounded.

use super::company::MAX_PASSES;
use super::table::PassSummary;
use super::GROUPS;
use crate::merge::MAX_REVEALS;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, Error, Input, MaxEncodedLen};
use core::ops::Deref;
use scale_info::TypeInfo;

/// Bytes of a set of members.
const MEMBER_BYTES: usize = MAX_REVEALS.div_ceil(8);

/// At most [`GROUPS`] parts of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, DecodeWithMemTracking, TypeInfo)]
pub struct Parts(Vec<i64>);

/// A set of entrants: entrant `i` is bit `i % 8` of byte `i / 8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, DecodeWithMemTracking, TypeInfo)]
pub struct Members(Vec<u8>);

/// At most [`MAX_PASSES`] passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, DecodeWithMemTracking, TypeInfo)]
pub struct PassSummaries(Vec<PassSummary>);

/// Bounded lists: a longer one does not decode, and one that is built from a longer list drops the rest.
macro_rules! bounded {
    ($list:ident, $item:ty, $most:expr) => {
        impl From<Vec<$item>> for $list {
            fn from(mut items: Vec<$item>) -> Self {
                items.truncate($most);
                Self(items)
            }
        }

        impl Deref for $list {
            type Target = [$item];
            fn deref(&self) -> &[$item] {
                &self.0
            }
        }

        impl Decode for $list {
            fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
                let items = Vec::<$item>::decode(input)?;
                if items.len() > $most {
                    return Err("a longer list than there can be".into());
                }
                Ok(Self(items))
            }
        }

        impl MaxEncodedLen for $list {
            fn max_encoded_len() -> usize {
                // The length takes two bytes at most.
                2 + $most * <$item>::max_encoded_len()
            }
        }
    };
}

bounded!(Parts, i64, GROUPS);
bounded!(Members, u8, MEMBER_BYTES);
bounded!(PassSummaries, PassSummary, MAX_PASSES);

impl Members {
    /// The entrants whose flag is set.
    pub fn of(flags: &[bool]) -> Self {
        let byte = |flags: &[bool]| {
            let bits = flags.iter().zip(0u32..8);
            bits.fold(0u8, |byte, (flag, bit)| byte | (u8::from(*flag) << bit))
        };
        flags.chunks(8).map(byte).collect::<Vec<u8>>().into()
    }

    /// All entrants, of which there are this many.
    pub fn all(entrants: u32) -> Self {
        Self::of(&alloc::vec![true; entrants as usize])
    }

    /// Whether an entrant is one of them.
    pub fn contains(&self, entrant: u32) -> bool {
        let byte = self.get(entrant as usize / 8).copied().unwrap_or(0);
        (byte >> (entrant % 8)) & 1 == 1
    }

    /// How many members there are.
    pub fn count(&self) -> u32 {
        self.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Whether all of them are in `others`, too.
    pub fn are_of(&self, others: &Self) -> bool {
        self.len() == others.len()
            && self
                .iter()
                .zip(others.iter())
                .all(|(own, all)| own & !all == 0)
    }
}
