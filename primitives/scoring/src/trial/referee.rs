//! The referee: what comes of a move. Total: no input makes it panic.

use super::layout::{words, Layout, Span};
use super::word::{Inputs, Reads, Word, Words};
use super::{
    stretches, Accusation, Answer, Case, Exam, Pair, Part, Pick, ProvedChunk, ProvedRecord,
    ProvedReveal, Refusal, Ruling, Shown, Side, Statement, Step, Term, Tiles, Trial,
};
use crate::delta::{chunks, Delta, Entry};
use crate::hash::Hash;
use crate::merge::{clip, cosine_over_0_7, dot, moved_exactly};
use crate::merkle::{root_of_span, Branch, Node, SumNode};
use crate::reveals::RevealRecord;
use crate::round::{passes, Paired};
use crate::table::{losses_node, similar_tree, Opening, Row, Standing};
use crate::{CHUNK, WEIGHT_TILE};
use alloc::vec::Vec;
use codec::Encode;
use core::ops::Range;

/// "Similar to nothing" in a vector of similarities.
pub(super) const NOTHING: u32 = u32::MAX;

impl Case {
    fn parameters(&self) -> u32 {
        self.graph.parameters() as u32
    }

    /// Leaves of a tree of master weights.
    pub(super) fn weight_tiles(&self) -> u32 {
        self.parameters().div_ceil(WEIGHT_TILE as u32)
    }

    /// The record of `row`, which has to be the chain's.
    fn reveal(&self, row: u32, proved: &ProvedReveal) -> Result<RevealRecord, Refusal> {
        let leaf = Node::leaf(&[&proved.record.encode()], ());
        match root_of_span(self.reveals, row, alloc::vec![leaf], &proved.siblings) {
            Some(root) if root == self.reveals_root => Ok(proved.record.clone()),
            _ => Err(Refusal::ForeignInput),
        }
    }

    /// The bytes of a sample, which has to be the round's.
    fn record<'a>(&self, sample: u32, proved: &'a ProvedRecord) -> Result<&'a [u8], Refusal> {
        let ProvedRecord { bytes, siblings } = proved;
        match self.hold_out.holds(sample, self.samples, bytes, siblings) {
            true => Ok(bytes),
            false => Err(Refusal::ForeignInput),
        }
    }

    /// Weights `range` of a tree of master weights.
    fn weights(
        &self,
        root: &Hash,
        range: Range<u64>,
        tiles: &Option<Tiles>,
        else_refused: Refusal,
    ) -> Result<Vec<i16>, Refusal> {
        let tiles = tiles.as_ref().ok_or(Refusal::WrongShape)?;
        let span = Span::of(range, self.parameters().into(), WEIGHT_TILE as u32)?;
        span.verify(
            tiles,
            2,
            self.weight_tiles(),
            span.first,
            root,
            else_refused,
        )?;
        let values = words(2, &tiles.bytes).ok_or(Refusal::WrongShape)?;
        let within = values.get(span.within).ok_or(Refusal::WrongShape)?;
        Ok(within.iter().map(|value| *value as i16).collect())
    }
}

impl Trial {
    /// Opens a trial about the table of `opening`.
    pub fn open(opening: &Opening, case: &Case, accusation: Accusation) -> Self {
        Self::awaiting(match accusation {
            Accusation::Similar => Statement::Similar,
            Accusation::Rows => Statement::Rows(Branch::whole(opening.rows, case.reveals)),
            Accusation::Header => Statement::Header,
        })
    }

    /// The accused is to answer for `statement`.
    pub fn awaiting(statement: Statement) -> Self {
        Self {
            statement,
            shown: None,
        }
    }

    fn showing(statement: Statement, shown: Shown) -> Result<Ruling, Refusal> {
        Ok(Ruling::Continues(Self {
            statement,
            shown: Some(shown),
        }))
    }

    /// What comes of an answer of the accused, who stands for `opening`.
    pub fn answer(
        &self,
        case: &Case,
        opening: &Opening,
        answer: &Answer,
    ) -> Result<Ruling, Refusal> {
        if self.shown.is_some() {
            return Err(Refusal::NotYourTurn);
        }
        match (self.statement, answer) {
            (Statement::Similar, Answer::Similar(rows)) => similar(case, opening, rows),
            (Statement::Pair(pair), Answer::Pair { records, dots }) => {
                products(case, pair, records, dots)
            }
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
                Self::showing(self.statement, Shown::Dots(dots.clone()))
            }
            (Statement::Rows(branch), Answer::SumNodes(nodes)) if !branch.is_leaf() => {
                if !branch.opens_to(nodes) {
                    return Err(Refusal::NotTheInside);
                }
                Self::showing(self.statement, Shown::SumNodes(nodes.clone()))
            }
            (
                Statement::Rows(branch),
                Answer::Row {
                    row,
                    record,
                    similar,
                    losses,
                    weights,
                },
            ) if branch.is_leaf() => {
                if Node::leaf(&[&row.encode()], u128::from(row.share)) != branch.node {
                    return Err(Refusal::NotTheInside);
                }
                let index = branch.index;
                if row.similar_to().is_some() && *weights != <[Hash; 2]>::default() {
                    return Err(Refusal::WrongShape);
                }
                let record = case.reveal(index, record)?;
                let to = row.similar_to().unwrap_or(NOTHING);
                check_similar(case, opening, index, to, similar)?;
                if !row_holds(case, row, &record, losses)? {
                    return Ok(Ruling::Refuted(Step::Row { row: index }));
                }
                if row.similar_to().is_some() {
                    // Nothing else of it can be doubted: that it is similar is another trial.
                    return Ok(Ruling::Upheld);
                }
                let shown = Shown::Row {
                    row: index,
                    weights: *weights,
                    losses: losses.clone(),
                };
                Self::showing(self.statement, shown)
            }
            (Statement::Header, Answer::Header { losses, weights }) => {
                let [base, merged] = losses;
                let header = &opening.header;
                check_losses(case, base, &header.base)?;
                check_losses(case, merged, &header.merged)?;
                let gain = Paired::fall(base, merged);
                let improved = passes(gain.sum, gain.standard_error, case.rules.gain_floor_q8);
                let paid = if improved { gain.sum.unsigned_abs() } else { 0 };
                let root = if improved { weights } else { &case.base_root };
                let holds = header.gain == gain.sum
                    && header.gain_se == gain.standard_error
                    && header.paid_gain == paid
                    && header.master_root == *root;
                if !holds {
                    return Ok(Ruling::Refuted(Step::Header));
                }
                let shown = Shown::Header {
                    weights: *weights,
                    losses: losses.clone(),
                };
                Self::showing(self.statement, shown)
            }
            (
                Statement::Weights { branch, .. } | Statement::Trace { branch, .. },
                Answer::Nodes(nodes),
            ) if !branch.is_leaf() => {
                if !branch.opens_to(nodes) {
                    return Err(Refusal::NotTheInside);
                }
                Self::showing(self.statement, Shown::Nodes(nodes.clone()))
            }
            (Statement::Weights { branch, .. }, Answer::Weights(tile)) if branch.is_leaf() => {
                let bytes: Vec<u8> = tile
                    .iter()
                    .flat_map(|weight| weight.to_le_bytes())
                    .collect();
                if Node::leaf(&[&bytes], ()) != branch.node {
                    return Err(Refusal::NotTheInside);
                }
                let start = u64::from(branch.index) * WEIGHT_TILE as u64;
                let expected = u64::from(case.parameters()).saturating_sub(start);
                if tile.len() as u64 != expected.min(WEIGHT_TILE as u64) {
                    return Err(Refusal::WrongShape);
                }
                let shown = Shown::Words(tile.iter().map(|weight| i32::from(*weight)).collect());
                Self::showing(self.statement, shown)
            }
            (
                Statement::Weight {
                    of,
                    position,
                    value,
                },
                Answer::Terms { base, terms },
            ) => {
                let found = merged_weight(case, of, position, base, terms)?;
                if found != value {
                    return Ok(Ruling::Refuted(Step::Weight {
                        of,
                        position,
                        claimed: value,
                        found,
                    }));
                }
                Self::showing(self.statement, Shown::Terms(terms.clone()))
            }
            (
                Statement::Term {
                    of,
                    position,
                    row,
                    term,
                },
                Answer::Term {
                    part,
                    record,
                    chunk,
                },
            ) => {
                let is_part = check_part(case, opening, of, row, part)?;
                let record = case.reveal(row, record)?;
                let change = change(case, &record, position, chunk)?;
                let found = if is_part {
                    let scale = i64::from(record.weight) * i64::from(clip_of(case, &record));
                    Term {
                        value: scale.saturating_mul(change.into()),
                        weight: record.weight,
                    }
                } else {
                    Term::default()
                };
                Ok(if found == term {
                    Ruling::Upheld
                } else {
                    Ruling::Refuted(Step::Term {
                        of,
                        position,
                        row,
                        claimed: term,
                        found,
                    })
                })
            }
            (Statement::Sample { exam, loss }, Answer::Sample { nodes, last }) => {
                let tiles = Layout::of(&case.graph).tiles();
                let branch = Branch::opened(nodes, tiles).ok_or(Refusal::WrongShape)?;
                let trace = branch.node.hash;
                let leaf = Node::leaf(&[&loss.to_le_bytes()], ());
                let place = tiles.saturating_sub(1);
                if root_of_span(tiles, place, alloc::vec![leaf], last) != Some(trace) {
                    return Err(Refusal::NotTheInside);
                }
                let statement = Statement::Trace {
                    exam,
                    trace,
                    branch,
                };
                Self::showing(statement, Shown::Nodes(nodes.clone()))
            }
            (Statement::Trace { branch, .. }, Answer::Tile(bytes)) if branch.is_leaf() => {
                if Node::leaf(&[bytes], ()) != branch.node {
                    return Err(Refusal::NotTheInside);
                }
                let place = Layout::of(&case.graph).place(branch.index);
                let place = place.ok_or(Refusal::NoSuchPlace)?;
                let shown = words(place.bytes, bytes).ok_or(Refusal::WrongShape)?;
                if shown.len() as u64 != u64::from(place.words) {
                    return Err(Refusal::WrongShape);
                }
                Self::showing(self.statement, Shown::Words(shown))
            }
            (
                Statement::Word {
                    exam,
                    trace,
                    op,
                    at,
                    value,
                },
                Answer::Word { .. },
            ) => {
                let found = word(case, &exam, &trace, op, at, answer)?;
                Ok(if found == value {
                    Ruling::Upheld
                } else {
                    Ruling::Refuted(Step::Word {
                        of: exam.of,
                        sample: exam.sample,
                        op,
                        at,
                        claimed: value,
                        found,
                    })
                })
            }
            _ => Err(Refusal::WrongMove),
        }
    }

    /// What the accused has to answer for after a pick of the challenger.
    pub fn pick(&self, case: &Case, pick: &Pick) -> Result<Self, Refusal> {
        let shown = self.shown.as_ref().ok_or(Refusal::NotYourTurn)?;
        let nothing = Refusal::NoSuchPlace;
        let statement = match (self.statement, shown, *pick) {
            (_, Shown::Similar(rows), Pick::Pair { earlier, later }) => {
                Statement::Pair(doubted(rows, earlier, later).ok_or(nothing)?)
            }
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
                Statement::Dots {
                    pair,
                    roots,
                    first,
                    chunks,
                    sum: *dots.get(nth as usize).ok_or(nothing)?,
                }
            }
            (Statement::Rows(branch), Shown::SumNodes(nodes), Pick::Nth(nth)) => {
                Statement::Rows(branch.child(nodes, nth).ok_or(nothing)?)
            }
            (Statement::Weights { of, branch }, Shown::Nodes(nodes), Pick::Nth(nth)) => {
                let branch = branch.child(nodes, nth).ok_or(nothing)?;
                Statement::Weights { of, branch }
            }
            (Statement::Weights { of, branch }, Shown::Words(words), Pick::Nth(nth)) => {
                let start = branch.index.checked_mul(WEIGHT_TILE as u32);
                Statement::Weight {
                    of,
                    position: start
                        .and_then(|start| start.checked_add(nth))
                        .ok_or(nothing)?,
                    value: *words.get(nth as usize).ok_or(nothing)? as i16,
                }
            }
            (Statement::Weight { of, position, .. }, Shown::Terms(terms), Pick::Nth(row)) => {
                Statement::Term {
                    of,
                    position,
                    row,
                    term: *terms.get(row as usize).ok_or(nothing)?,
                }
            }
            (
                Statement::Trace {
                    exam,
                    trace,
                    branch,
                },
                Shown::Nodes(nodes),
                Pick::Nth(nth),
            ) => Statement::Trace {
                exam,
                trace,
                branch: branch.child(nodes, nth).ok_or(nothing)?,
            },
            (
                Statement::Trace {
                    exam,
                    trace,
                    branch,
                },
                Shown::Words(words),
                Pick::Nth(nth),
            ) => {
                let place = Layout::of(&case.graph).place(branch.index).ok_or(nothing)?;
                Statement::Word {
                    exam,
                    trace,
                    op: place.op,
                    at: place.first.checked_add(nth).ok_or(nothing)?,
                    value: *words.get(nth as usize).ok_or(nothing)?,
                }
            }
            (_, Shown::Row { .. } | Shown::Header { .. }, Pick::Sample { of, sample }) => {
                let (weights, losses) = side(case, shown, of).ok_or(nothing)?;
                let exam = Exam {
                    of,
                    weights,
                    sample,
                };
                Statement::Sample {
                    exam,
                    loss: *losses.get(sample as usize).ok_or(nothing)?,
                }
            }
            (_, Shown::Row { .. } | Shown::Header { .. }, Pick::Weights { of }) => {
                let (hash, _) = side(case, shown, of).ok_or(nothing)?;
                if of == Side::Base {
                    return Err(nothing);
                }
                let branch = Branch::whole(Node { hash, sum: () }, case.weight_tiles());
                Statement::Weights { of, branch }
            }
            _ => return Err(Refusal::WrongMove),
        };
        Ok(Self::awaiting(statement))
    }
}

/// The root of the weights and the losses of a side that was shown.
fn side<'a>(case: &Case, shown: &'a Shown, of: Side) -> Option<(Hash, &'a Vec<u32>)> {
    match (shown, of) {
        (
            Shown::Row {
                row,
                weights,
                losses,
            },
            Side::Minus(own),
        ) if own == *row => Some((weights[0], &losses[0])),
        (
            Shown::Row {
                row,
                weights,
                losses,
            },
            Side::Plus(own),
        ) if own == *row => Some((weights[1], &losses[1])),
        (Shown::Header { losses, .. }, Side::Base) => Some((case.base_root, &losses[0])),
        (Shown::Header { weights, losses }, Side::Merged) => Some((*weights, &losses[1])),
        _ => None,
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

/// The entries of a chunk of a delta by its root.
fn entries(
    case: &Case,
    root: &Hash,
    chunk: u32,
    proved: &ProvedChunk,
) -> Result<Vec<Entry>, Refusal> {
    let leaf = Node::leaf(&[&proved.bytes], ());
    let leaves = chunks(case.parameters());
    if root_of_span(leaves, chunk, alloc::vec![leaf], &proved.siblings) != Some(*root) {
        return Err(Refusal::ForeignInput);
    }
    Delta::decode_chunk(&proved.bytes, chunk, case.parameters()).map_err(|_| Refusal::ForeignInput)
}

/// What a delta changes of a parameter.
fn change(
    case: &Case,
    record: &RevealRecord,
    position: u32,
    chunk: &ProvedChunk,
) -> Result<i16, Refusal> {
    let entries = entries(case, &record.delta_root, position / CHUNK as u32, chunk)?;
    let own = entries.iter().find(|entry| entry.position == position);
    Ok(own.map_or(0, |entry| entry.change))
}

fn clip_of(case: &Case, record: &RevealRecord) -> u32 {
    clip(case.median_norm, record.norm())
}

/// Whether a row's similarity is under the header's root of them.
fn check_similar(
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

fn check_losses(case: &Case, losses: &[u32], root: &SumNode) -> Result<(), Refusal> {
    if losses.len() as u64 != u64::from(case.samples) {
        return Err(Refusal::WrongShape);
    }
    if losses_node(losses) == *root {
        Ok(())
    } else {
        Err(Refusal::NotTheInside)
    }
}

/// Whether a row is what its losses make of it.
fn row_holds(
    case: &Case,
    row: &Row,
    record: &RevealRecord,
    losses: &[Vec<u32>; 2],
) -> Result<bool, Refusal> {
    let inputs_hold = row.delta_hash == record.delta_hash
        && row.weight == record.weight
        && row.clip_q16 == clip_of(case, record);
    if row.similar_to().is_some() {
        if losses.iter().any(|losses| !losses.is_empty()) {
            return Err(Refusal::WrongShape);
        }
        let zero = SumNode::default();
        return Ok(inputs_hold
            && (row.phi, row.standard_error, row.share) == (0, 0, 0)
            && (row.minus, row.plus) == (zero, zero));
    }
    let [minus, plus] = losses;
    check_losses(case, minus, &row.minus)?;
    check_losses(case, plus, &row.plus)?;
    let phi = Paired::fall(minus, plus).over(case.rules.central_difference);
    let standing = if passes(phi.sum, phi.standard_error, case.rules.admit_floor_q8) {
        Standing::Admitted
    } else {
        Standing::BelowFloor
    };
    Ok(inputs_hold
        && row.phi == phi.sum
        && row.standard_error == phi.standard_error
        && row.standing == standing
        && row.share == row.admitted_phi())
}

/// What the terms make of a parameter.
fn merged_weight(
    case: &Case,
    of: Side,
    position: u32,
    base: &Tiles,
    terms: &[Term],
) -> Result<i16, Refusal> {
    if terms.len() as u64 != u64::from(case.reveals) {
        return Err(Refusal::WrongShape);
    }
    let (start, foreign) = (u64::from(position), Refusal::ForeignInput);
    // A copy of a tile: the only use of it, and small.
    let tile = Some(base.clone());
    let base = case.weights(&case.base_root, start..start + 1, &tile, foreign)?;
    let base = base.first().copied().ok_or(Refusal::WrongShape)?;
    let sum: i128 = terms.iter().map(|term| i128::from(term.value)).sum();
    let weight: i128 = terms.iter().map(|term| i128::from(term.weight)).sum();
    let own = |row: u32| {
        let term = terms.get(row as usize).ok_or(Refusal::NoSuchPlace)?;
        Ok(i128::from(term.value) * i128::from(case.rules.central_difference))
    };
    let (numerator, divisor) = match of {
        Side::Base => return Err(Refusal::WrongMove),
        Side::Merged => (sum, weight << 16),
        Side::Minus(row) => (sum - own(row)?, weight << 17),
        Side::Plus(row) => (sum + own(row)?, weight << 17),
    };
    Ok(moved_exactly(base, numerator, divisor))
}

/// Whether a row's delta is part of the merge that `of` is made from.
fn check_part(
    case: &Case,
    opening: &Opening,
    of: Side,
    row: u32,
    part: &Part,
) -> Result<bool, Refusal> {
    match (of, part) {
        (Side::Minus(_) | Side::Plus(_), Part::Midpoint(to, siblings)) => {
            check_similar(case, opening, row, *to, siblings)?;
            Ok(*to == NOTHING)
        }
        (Side::Merged, Part::Merge(claimed, proof)) => {
            let is_row = proof.index == row
                && proof.leaves == case.reveals
                && proof
                    .verify(&opening.rows, &claimed.encode(), claimed.share)
                    .is_some();
            if is_row {
                Ok(claimed.standing == Standing::Admitted)
            } else {
                Err(Refusal::NotTheInside)
            }
        }
        _ => Err(Refusal::WrongShape),
    }
}

/// Executes the op again that gives a word.
fn word(
    case: &Case,
    exam: &Exam,
    trace: &Hash,
    op: u32,
    at: u32,
    answer: &Answer,
) -> Result<i32, Refusal> {
    let Answer::Word {
        record,
        inputs,
        before,
        weights,
        bias,
    } = answer
    else {
        return Err(Refusal::WrongMove);
    };
    let layout = Layout::of(&case.graph);
    layout.op(op).ok_or(Refusal::NoSuchPlace)?;
    let sample = match record {
        Some(record) => case.graph.samples(case.record(exam.sample, record)?),
        None => Vec::new(),
    };
    let reads = Reads::of(&layout, op, at, &sample).ok_or(Refusal::WrongShape)?;
    let asked = [
        reads.record,
        reads.inputs.is_some(),
        reads.before.is_some(),
        reads.weights.is_some(),
        reads.bias.is_some(),
    ];
    let given = [
        record.is_some(),
        inputs.is_some(),
        before.is_some(),
        weights.is_some(),
        bias.is_some(),
    ];
    if given != asked {
        return Err(Refusal::WrongShape);
    }
    let open_words = |read: &Option<Words>, tiles: &Option<Tiles>| match (read, tiles) {
        (Some(read), Some(tiles)) => {
            let of = layout.op(read.op).ok_or(Refusal::NoSuchPlace)?;
            layout.open(trace, of, read.range.clone(), tiles)
        }
        _ => Ok(Vec::new()),
    };
    let open_weights = |read: &Option<Range<u64>>, tiles| match read {
        Some(range) => {
            let foreign = Refusal::NotTheInside;
            case.weights(&exam.weights, range.clone(), tiles, foreign)
        }
        None => Ok(Vec::new()),
    };
    let inputs = Inputs {
        columns: reads.columns,
        inputs: open_words(&reads.inputs, inputs)?,
        before: open_words(&reads.before, before)?,
        weights: open_weights(&reads.weights, weights)?,
        bias: open_weights(&reads.bias, bias)?,
    };
    let word = Word::of(&layout, op, at, &sample).ok_or(Refusal::NoSuchPlace)?;
    inputs.execute(&word)
}
