//! Which deltas are too similar to an earlier one.

use super::super::{
    Answer, Case, Pair, Pick, ProvedChunk, ProvedReveal, Refusal, Ruling, Shown, Statement, Step,
    Trial,
};
use super::weights::entries;
use crate::delta::chunks;
use crate::hash::Hash;
use crate::merge::{cosine_over_0_7, dot};
use crate::merkle::{root_of_span, Node};
use crate::table::{similar_tree, Opening};

/// "Similar to nothing" in a vector of similarities.
pub(in crate::trial) const NOTHING: u32 = u32::MAX;

/// Most stretches that a product is shown in.
pub const MAX_STRETCHES: u32 = 256;

/// `chunks` from `first` on in at most [`MAX_STRETCHES`] stretches, as equal as they can be: first
/// chunk and number of each.
pub fn stretches(first: u32, chunks: u32) -> impl Iterator<Item = (u32, u32)> {
    let count = chunks.clamp(1, MAX_STRETCHES);
    let start = move |nth: u32| (u64::from(chunks) * u64::from(nth) / u64::from(count)) as u32;
    (0..count).map(move |nth| {
        (
            first.saturating_add(start(nth)),
            start(nth + 1) - start(nth),
        )
    })
}

/// [`Statement::Similar`].
pub(super) fn all(case: &Case, opening: &Opening, answer: &Answer) -> Result<Ruling, Refusal> {
    match answer {
        Answer::Similar(rows) => similar(case, opening, rows),
        _ => Err(Refusal::WrongMove),
    }
}

/// [`Statement::Pair`].
pub(super) fn pair(case: &Case, pair: Pair, answer: &Answer) -> Result<Ruling, Refusal> {
    match answer {
        Answer::Pair { records, dots } => products(case, pair, records, dots),
        _ => Err(Refusal::WrongMove),
    }
}

/// [`Statement::Dots`].
pub(super) fn dots(case: &Case, statement: Statement, answer: &Answer) -> Result<Ruling, Refusal> {
    match (statement, answer) {
        (
            Statement::Dots {
                pair,
                roots,
                first,
                chunks: 1,
                sum,
            },
            Answer::Dot(both),
        ) => product(case, pair, &roots, first, sum, both),
        (
            Statement::Dots {
                first, chunks, sum, ..
            },
            Answer::Dots(dots),
        ) if chunks > 1 => {
            if total(dots, first, chunks)? != sum {
                return Err(Refusal::NotTheInside);
            }
            Trial::showing(statement, Shown::Dots(dots.clone()))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Of shown similarities one pair.
pub(super) fn pick_pair(shown: &Shown, pick: Pick) -> Result<Statement, Refusal> {
    match (shown, pick) {
        (Shown::Similar(rows), Pick::Pair { earlier, later }) => {
            let pair = doubted(rows, earlier, later).ok_or(Refusal::NoSuchPlace)?;
            Ok(Statement::Pair(pair))
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Of shown products one stretch.
pub(super) fn pick_stretch(
    statement: Statement,
    shown: &Shown,
    pick: Pick,
) -> Result<Statement, Refusal> {
    let nothing = Refusal::NoSuchPlace;
    match (statement, shown, pick) {
        (
            Statement::Dots {
                pair,
                roots,
                first,
                chunks,
                ..
            },
            Shown::Dots(dots),
            Pick::Nth(nth),
        ) => {
            let stretch = stretches(first, chunks).nth(nth as usize);
            let (first, chunks) = stretch.ok_or(nothing)?;
            Ok(Statement::Dots {
                pair,
                roots,
                first,
                chunks,
                sum: *dots.get(nth as usize).ok_or(nothing)?,
            })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// What claimed similarities say of a pair of rows; none if they say nothing of it.
fn doubted(rows: &[u32], earlier: u32, later: u32) -> Option<Pair> {
    let to = *rows.get(later as usize)?;
    let is_kept = *rows.get(earlier as usize)? == NOTHING;
    // Of a row after the first that it is similar to nothing is said.
    let says = earlier < later && is_kept && (to == NOTHING || earlier <= to);
    says.then_some(Pair {
        earlier,
        later,
        similar: to == earlier,
    })
}

fn similar(case: &Case, opening: &Opening, rows: &[u32]) -> Result<Ruling, Refusal> {
    if rows.len() as u64 != u64::from(case.reveals) {
        return Err(Refusal::WrongShape);
    }
    let given = rows.iter().map(|to| (*to != NOTHING).then_some(*to));
    if similar_tree(given).root().hash != opening.header.similar_root {
        return Err(Refusal::NotTheInside);
    }
    for (row, to) in (0..).zip(rows) {
        let is_kept = rows.get(*to as usize) == Some(&NOTHING);
        if *to != NOTHING && !(*to < row && is_kept) {
            return Ok(Ruling::Refuted(Step::Similarities { row }));
        }
    }
    Trial::showing(Statement::Similar, Shown::Similar(rows.to_vec()))
}

/// Sum of products by stretch, of which there have to be as many as there are stretches.
fn total(dots: &[i64], first: u32, chunks: u32) -> Result<i64, Refusal> {
    if dots.len() != stretches(first, chunks).count() {
        return Err(Refusal::WrongShape);
    }
    let sum = dots.iter().try_fold(0i64, |sum, dot| sum.checked_add(*dot));
    sum.ok_or(Refusal::NotTheInside)
}

fn products(
    case: &Case,
    pair: Pair,
    records: &[ProvedReveal; 2],
    dots: &[i64],
) -> Result<Ruling, Refusal> {
    let earlier = case.reveal(pair.earlier, &records[0])?;
    let later = case.reveal(pair.later, &records[1])?;
    let chunks = chunks(case.parameters());
    let sum = total(dots, 0, chunks)?;
    if cosine_over_0_7(sum, earlier.square_norm, later.square_norm) != pair.similar {
        return Ok(Ruling::Refuted(Step::Similarity(pair)));
    }
    let statement = Statement::Dots {
        pair,
        roots: [earlier.delta_root, later.delta_root],
        first: 0,
        chunks,
        sum,
    };
    Trial::showing(statement, Shown::Dots(dots.to_vec()))
}

fn product(
    case: &Case,
    pair: Pair,
    roots: &[Hash; 2],
    chunk: u32,
    claimed: i64,
    both: &[ProvedChunk; 2],
) -> Result<Ruling, Refusal> {
    let entries = |of: usize| {
        let (root, proved) = (roots.get(of), both.get(of));
        let proved = proved.ok_or(Refusal::WrongShape)?;
        entries(case, root.ok_or(Refusal::WrongShape)?, chunk, proved)
    };
    let found = dot(&entries(0)?, &entries(1)?);
    Ok(if found == claimed {
        Ruling::Upheld
    } else {
        Ruling::Refuted(Step::Dot {
            pair,
            chunk,
            claimed,
            found,
        })
    })
}

/// Whether a row's similarity is under the header's root of them.
pub(super) fn check_similar(
    case: &Case,
    opening: &Opening,
    row: u32,
    to: u32,
    siblings: &[Hash],
) -> Result<(), Refusal> {
    let leaf = Node::leaf(&[&to.to_le_bytes()], ());
    match root_of_span(case.reveals, row, alloc::vec![leaf], siblings) {
        Some(root) if root == opening.header.similar_root => Ok(()),
        _ => Err(Refusal::NotTheInside),
    }
}
