//! A part of a value: the product of a gradient and a delta, down to one tile.

use super::super::{Answer, PartOf, RoundFacts, Shown, Statement, TableSummary, Trial};
use super::chunks::entries;
use super::{check_leaf, Ruling, Step};
use crate::delta::Entry;
use crate::share::company::worth;
use crate::share::table::{gradient_bytes, parts_of, GRADIENT_TILE};
use crate::trial::Refusal;
use crate::CHUNK;

/// Most stretches that a product is shown in.
pub const MAX_STRETCHES: u32 = 256;

/// `tiles` from `first` on in at most [`MAX_STRETCHES`] stretches, as equal as they can be: first tile and number of
/// tiles of each.
pub fn stretches(first: u32, tiles: u32) -> impl Iterator<Item = (u32, u32)> {
    let count = tiles.clamp(1, MAX_STRETCHES);
    let start = move |nth: u32| (u64::from(tiles) * u64::from(nth) / u64::from(count)) as u32;
    (0..count).map(move |nth| {
        (
            first.saturating_add(start(nth)),
            start(nth + 1) - start(nth),
        )
    })
}

/// Leaves of a gradient's tree.
pub(in super::super) fn gradient_tiles(parameters: u32) -> u32 {
    parameters.div_ceil(GRADIENT_TILE as u32)
}

/// [`Statement::Part`].
pub(super) fn part(
    facts: &RoundFacts,
    summary: &TableSummary,
    of: PartOf,
    part: i64,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Answer::Part {
        entrant,
        gradient,
        siblings,
        products,
    } = answer
    else {
        return Err(Refusal::WrongMove);
    };
    let record = facts.entrant(of.entrant, entrant)?;
    let (_, pass) = summary.pass_of(of.stage).ok_or(Refusal::NoSuchPlace)?;
    let (gradients, _) = summary.measured(of.stage).ok_or(Refusal::NoSuchPlace)?;
    let groups = parts_of(of.stage, facts.samples) as u32;
    check_leaf(gradients, groups, of.group, gradient, siblings)?;
    let tiles = gradient_tiles(facts.parameters());
    let sum = total(products, tiles)?;
    let factor = facts.factor(pass.median_norm, record);
    if worth(sum, record.weight, factor, pass.rows.sum.weight) != part {
        return Ok(Ruling::Refuted(Step::Part(of)));
    }
    let statement = Statement::Products {
        of,
        gradient: *gradient,
        delta: record.delta_root,
        first: 0,
        tiles,
        sum,
    };
    Trial::showing(statement, Shown::Products(products.clone()))
}

/// [`Statement::Products`].
pub(super) fn products(
    facts: &RoundFacts,
    statement: Statement,
    answer: &Answer,
) -> Result<Ruling, Refusal> {
    let Statement::Products {
        of,
        gradient,
        delta,
        first,
        tiles,
        sum,
    } = statement
    else {
        return Err(Refusal::WrongMove);
    };
    match answer {
        Answer::Products(products) if tiles > 1 => {
            if total(products, tiles)? != sum {
                return Err(Refusal::NotTheInside);
            }
            Trial::showing(statement, Shown::Products(products.clone()))
        }
        Answer::Product {
            chunk,
            words,
            siblings,
        } if tiles == 1 => {
            let parameters = facts.parameters();
            let start = first.saturating_mul(GRADIENT_TILE as u32);
            let expected = parameters.saturating_sub(start).min(GRADIENT_TILE as u32);
            if words.len() as u64 != u64::from(expected) {
                return Err(Refusal::WrongShape);
            }
            let leaves = gradient_tiles(parameters);
            check_leaf(&gradient, leaves, first, &gradient_bytes(words), siblings)?;
            let entries = entries(parameters, &delta, start / CHUNK as u32, chunk)?;
            let found = product(words, start, &entries);
            Ok(if found == sum {
                Ruling::Upheld
            } else {
                Ruling::Refuted(Step::Product {
                    of,
                    tile: first,
                    claimed: sum,
                    found,
                })
            })
        }
        _ => Err(Refusal::WrongMove),
    }
}

/// Picks the product of one stretch among those shown.
pub(super) fn pick(
    statement: Statement,
    products: &[i128],
    nth: u32,
) -> Result<Statement, Refusal> {
    let Statement::Products {
        of,
        gradient,
        delta,
        first,
        tiles,
        ..
    } = statement
    else {
        return Err(Refusal::WrongMove);
    };
    let mut stretches = stretches(first, tiles);
    let (first, tiles) = stretches.nth(nth as usize).ok_or(Refusal::NoSuchPlace)?;
    Ok(Statement::Products {
        of,
        gradient,
        delta,
        first,
        tiles,
        sum: *products.get(nth as usize).ok_or(Refusal::NoSuchPlace)?,
    })
}

/// The sum of the products over `tiles` tiles, of which there must be one for each stretch.
fn total(products: &[i128], tiles: u32) -> Result<i128, Refusal> {
    if products.len() != stretches(0, tiles).count() {
        return Err(Refusal::WrongShape);
    }
    let mut products = products.iter();
    let sum = products.try_fold(0i128, |sum, product| sum.checked_add(*product));
    sum.ok_or(Refusal::NotTheInside)
}

/// The product of gradient words from parameter `start` on and the entries of a delta there: less than 2^87, for 2^9 words below
/// 2^63 and changes below 2^15.
pub(in super::super) fn product(words: &[i64], start: u32, entries: &[Entry]) -> i128 {
    let terms = entries.iter().filter_map(|entry| {
        let word = words.get(entry.position.checked_sub(start)? as usize)?;
        Some(i128::from(*word).saturating_mul(entry.change.into()))
    });
    terms.fold(0, i128::saturating_add)
}
