//! The weights of every evaluation, and what every delta adds to one of them.

use super::super::{Part, Side, Term, Tiles};
use super::Witness;
use crate::hash::Hash;
use crate::merge::{Merge, Part as MergePart};
use crate::merkle::Tree;
use crate::round::Reveal;
use crate::table::{Row, Standing};
use crate::weights::tree as weights_tree;
use crate::{Delta, WEIGHT_TILE};
use alloc::vec::Vec;
use core::ops::Range;

impl Witness {
    /// Whether a row's delta is part of what `of` is a merge of.
    fn is_part(&self, of: Side, row: &Row) -> bool {
        match of {
            Side::Merged => row.standing == Standing::Admitted,
            _ => row.similar_to().is_none(),
        }
    }

    fn merge_parts(&self, of: Side) -> Vec<MergePart<'_>> {
        let rows = self.table().rows.iter().zip(&self.reveals);
        let parts = rows.filter(|(row, _)| self.is_part(of, row));
        parts.map(|(row, reveal)| merge_part(row, reveal)).collect()
    }

    /// The weights of an evaluation.
    pub(super) fn weights(&self, of: Side) -> Option<Vec<i16>> {
        let c = i16::from(self.case.rules.central_difference);
        let beside = |row: u32, c: i16| {
            let merge = Merge::new(&self.base, &self.merge_parts(of));
            let (row, reveal) = (
                self.table().rows.get(row as usize)?,
                self.reveals.get(row as usize)?,
            );
            Some(merge.beside_midpoint(&merge.midpoint(), &merge_part(row, reveal), c))
        };
        let mut weights = match of {
            Side::Base => self.base.clone(),
            Side::Merged => Merge::new(&self.base, &self.merge_parts(of)).merged(),
            Side::Minus(row) => beside(row, -c)?,
            Side::Plus(row) => beside(row, c)?,
        };
        self.overlay.weights(of, &mut weights);
        Some(weights)
    }

    pub(in crate::trial) fn weights_root(&self, of: Side) -> Option<Hash> {
        Some(tree(&self.weights(of)?).root().hash)
    }

    pub(super) fn weight_tile(&self, of: Side, tile: u32) -> Option<Vec<i16>> {
        let weights = self.weights(of)?;
        weights
            .chunks(WEIGHT_TILE)
            .nth(tile as usize)
            .map(<[i16]>::to_vec)
    }

    /// What every delta adds to a parameter.
    pub(super) fn terms(&self, of: Side, position: u32) -> Option<Vec<Term>> {
        let change = |delta: &Delta| {
            let at = delta
                .entries()
                .binary_search_by_key(&position, |entry| entry.position);
            at.ok()
                .and_then(|at| delta.entries().get(at))
                .map_or(0, |entry| entry.change)
        };
        let rows = self.table().rows.iter().zip(&self.reveals);
        let mut terms: Vec<Term> = rows
            .map(|(row, reveal)| {
                if !self.is_part(of, row) {
                    return Term::default();
                }
                let scale = i64::from(row.weight) * i64::from(row.clip_q16);
                Term {
                    value: scale * i64::from(change(&reveal.delta)),
                    weight: row.weight,
                }
            })
            .collect();
        let c = self.case.rules.central_difference;
        self.overlay.terms(of, position, c, &mut terms)?;
        Some(terms)
    }

    pub(super) fn part(&self, of: Side, row: u32) -> Option<Part> {
        Some(match of {
            Side::Merged => Part::Merge(
                self.table().rows.get(row as usize)?.clone(),
                self.rows_tree().prove(row)?,
            ),
            _ => Part::Midpoint(
                *self.similar().get(row as usize)?,
                self.similar_siblings(row),
            ),
        })
    }
}

fn merge_part<'a>(row: &Row, reveal: &'a Reveal) -> MergePart<'a> {
    MergePart {
        delta: &reveal.delta,
        weight: row.weight,
        clip_q16: row.clip_q16,
    }
}

/// The tree of master weights.
pub(super) fn tree(weights: &[i16]) -> Tree {
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|weight| weight.to_le_bytes())
        .collect();
    weights_tree(&bytes)
}

/// The tiles that hold a range of weights, and the first weight in them.
pub(super) fn weight_span(range: Range<u64>) -> Option<(Range<u32>, u64)> {
    let tile = WEIGHT_TILE as u64;
    let (first, end) = (range.start / tile, range.end.div_ceil(tile));
    Some((
        u32::try_from(first).ok()?..u32::try_from(end).ok()?,
        first * tile,
    ))
}

/// Tiles of weights with their proof.
pub(super) fn weight_tiles(weights: &[i16], tiles: Range<u32>) -> Option<Tiles> {
    let start = tiles.start as usize * WEIGHT_TILE;
    let end = (tiles.end as usize * WEIGHT_TILE).min(weights.len());
    let bytes = weights
        .get(start..end)?
        .iter()
        .flat_map(|weight| weight.to_le_bytes());
    Some(Tiles {
        bytes: bytes.collect(),
        siblings: tree(weights).prove_span(tiles.start, tiles.len() as u32),
    })
}
