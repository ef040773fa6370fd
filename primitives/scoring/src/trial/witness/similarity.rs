//! Which deltas are too similar to an earlier one.

use super::super::referee::similarity::NOTHING;
use super::super::{stretches, Pair};
use super::Witness;
use crate::hash::Hash;
use crate::merge::dot;
use crate::table::{similar_tree, Row};
use crate::{Delta, CHUNK};
use alloc::vec::Vec;

impl Witness {
    pub(super) fn similar(&self) -> Vec<u32> {
        let rows = self.table().rows.iter();
        rows.map(|row| row.similar_to().unwrap_or(NOTHING))
            .collect()
    }

    pub(super) fn similar_siblings(&self, row: u32) -> Vec<Hash> {
        similar_tree(self.table().rows.iter().map(Row::similar_to)).prove_span(row, 1)
    }

    /// Products of two deltas by stretch.
    pub(super) fn dots(&self, pair: Pair, first: u32, count: u32) -> Option<Vec<i64>> {
        let (earlier, later) = (self.delta(pair.earlier)?, self.delta(pair.later)?);
        let within = |delta: &Delta, first: u32, count: u32| {
            let (start, end) = (first * CHUNK as u32, (first + count) * CHUNK as u32);
            let inside = |entry: &&crate::Entry| (start..end).contains(&entry.position);
            delta
                .entries()
                .iter()
                .filter(inside)
                .copied()
                .collect::<Vec<_>>()
        };
        let product =
            |(first, count)| dot(&within(earlier, first, count), &within(later, first, count));
        let mut dots: Vec<i64> = stretches(first, count).map(product).collect();
        self.overlay
            .dots(pair, [earlier, later], first, &mut dots)?;
        Some(dots)
    }
}
