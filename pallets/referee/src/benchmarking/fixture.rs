//! Rounds, tables and disputes to benchmark with, each as large as it can be.

use super::BenchmarkHelper as _;
use crate::{
    disputes::{Disputes, MaxOpenDisputes},
    Balance, Config, Deadlines, Disputes as DisputeMap, NextDispute, Verdicts, MAX_VERDICTS,
};
use alloc::{vec, vec::Vec};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{fungible::Mutate, Get},
    BoundedVec,
};
use gotong_protocol::{
    bounds,
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    EntrantRecord, RoundFacts, RoundId, ShareTerms, TableSummary, TaskId,
};
use gotong_scoring::{
    graph::MAX_OPS,
    share::{
        entrants_tree,
        table::{Row, Stage, TableMerge, TablePass, TablePay},
        trial::{Accusation, ProvedEntrant, ProvedRow, Trial},
        GROUPS,
    },
    trial::{ProvedChunk, Tiles},
    Delta, Entry, Graph, Hash, HoldOut, ShareTable, Transformer, Tree, CHUNK, WEIGHT_TILE,
};

pub(super) const KEY: Hash = [7; 32];
pub(super) const ENTRANTS: u32 = bounds::MAX_SUBMISSIONS;
pub(super) const LAST_ENTRANT: u32 = ENTRANTS - 1;
pub(super) const SAMPLES: u32 = bounds::MAX_SHARD_SAMPLES;
pub(super) const LAST_SAMPLE: u32 = SAMPLES - 1;
/// The pass that most benchmarks are about.
pub(super) const STAGE: Stage = Stage::Pass(0);
pub(super) const LAST_GROUP: u32 = GROUPS as u32 - 1;
/// Outputs of the first layer of the largest model. Without the layers after it, one more would fit.
pub(super) const OUTPUTS: u32 = bounds::MAX_WEIGHT_BYTES / 2 / bounds::MAX_RECORD_BYTES - 1;
/// Width of these layers, and of everything else that need not be wide.
const NARROW: u32 = 4;
const SEED: Hash = [6; 32];
const DELTA_HASH: Hash = [3; 32];
const FUNDS: Balance = 1 << 100;
const PASSES: u32 = 8;
/// What a good delta is worth in each group.
const GOOD: i64 = 1 << 10;

fn facts(graph: Graph) -> RoundFacts {
    RoundFacts {
        graph,
        terms: ShareTerms::default(),
        base_root: [1; 32],
        hold_out: HoldOut::Drawn {
            salt: KEY,
            root: [2; 32],
            records: bounds::MAX_POOL_RECORDS,
            seed: SEED,
        },
        samples: SAMPLES,
        half_seed: SEED,
        entrants_root: entrants().root().hash,
        entrants: ENTRANTS,
    }
}

/// The longest sample, and about as many weights and ops as a model may have.
fn largest_model() -> Graph {
    // Each layer in between adds three ops.
    let others = vec![NARROW; MAX_OPS / 3 - 1];
    Graph::mlp(&[vec![bounds::MAX_RECORD_BYTES - 1, OUTPUTS], others].concat())
}

/// Facts about a round of the largest model.
pub(super) fn largest() -> RoundFacts {
    facts(largest_model())
}

/// Facts about a round of the model whose stages take the most to list: a transformer with as many
/// ops as possible.
pub(super) fn deepest() -> RoundFacts {
    facts(Graph::transformer(&Transformer {
        vocab: NARROW,
        tokens: NARROW,
        width: NARROW,
        heads: 1,
        hidden: NARROW,
        layers: 13,
        tied: false,
    }))
}

fn record() -> EntrantRecord {
    EntrantRecord {
        delta_hash: DELTA_HASH,
        delta_root: full_delta().root(),
        weight: 1,
        square_norm: 1,
        is_proven: false,
    }
}

fn entrants() -> Tree {
    entrants_tree(&vec![record(); ENTRANTS as usize])
}

pub(super) fn entrant(entrant: u32) -> ProvedEntrant {
    ProvedEntrant {
        record: record(),
        siblings: entrants().prove_span(entrant, 1),
    }
}

/// A table of a full round. In all passes but the last, the last member is bad, and leaves.
pub(super) fn table() -> ShareTable {
    let rows = |members: u32, bad: u32| {
        let row = |index: u32| Row {
            delta_hash: DELTA_HASH,
            parts: match index {
                _ if index >= members => vec![],
                _ if index + bad >= members => vec![-GOOD; GROUPS],
                _ => vec![GOOD; GROUPS],
            }
            .into(),
        };
        (0..ENTRANTS).map(row).collect::<Vec<_>>()
    };
    let pass = |number: u32| {
        let (members, follows) = (ENTRANTS - number, number + 1 < PASSES);
        TablePass {
            members: (0..ENTRANTS).map(|index| index < members).collect(),
            median_norm: 1,
            last_dropped: follows.then(|| members - 1),
            midpoint: [3; 32],
            gradients: vec![[4; 32]; GROUPS],
            rows: rows(members, follows.into()),
        }
    };
    let half = SAMPLES as usize / 2;
    let losses = [vec![1 << 16; half], vec![0; half]];
    ShareTable {
        terms: ShareTerms::default(),
        records: vec![record(); ENTRANTS as usize],
        passes: (0..PASSES).map(pass).collect(),
        merge: Some(TableMerge {
            weights: [5; 32],
            on_a: losses.clone(),
            pay: Some(TablePay {
                on_b: losses,
                gradients: vec![[6; 32]; GROUPS],
                rows: rows(ENTRANTS + 1 - PASSES, 0),
            }),
        }),
    }
}

/// The table's summary, with these weights halfway to every merge.
pub(super) fn summary_at(midpoint: Hash) -> TableSummary {
    let mut table = table();
    table
        .passes
        .iter_mut()
        .for_each(|pass| pass.midpoint = midpoint);
    table.summary()
}

/// A row of [`STAGE`].
pub(super) fn row(table: &ShareTable, index: u32) -> Option<ProvedRow> {
    let rows = &table.passes.first()?.rows;
    Some(ProvedRow {
        row: rows.get(index as usize)?.clone(),
        proof: table.rows_tree(STAGE)?.prove(index)?,
        entrant: entrant(index),
    })
}

/// A delta of the largest model, with a full first chunk.
fn full_delta() -> Delta {
    let entry = |position| Entry {
        position,
        change: change(position),
    };
    let parameters = largest_model().parameters() as u32;
    Delta::new(parameters, (0..CHUNK as u32).map(entry).collect()).expect("a delta")
}

/// The change at a position, with two magnitudes, because they take more bytes.
pub(super) fn change(position: u32) -> i16 {
    if position.is_multiple_of(2) {
        1
    } else {
        -2
    }
}

pub(super) fn full_chunk() -> ProvedChunk {
    let delta = full_delta();
    ProvedChunk {
        bytes: delta.encode_chunk(0),
        siblings: delta.tree().prove_span(0, 1),
    }
}

/// The weights of a model, all zero.
fn weights(graph: &Graph) -> Tree {
    let bytes = vec![0; 2 * graph.parameters()];
    Tree::of(bytes.chunks(2 * WEIGHT_TILE))
}

/// The root of these weights.
pub(super) fn weights_root(graph: &Graph) -> Hash {
    weights(graph).root().hash
}

/// The tiles that cover this many of the weights, from `start` on.
pub(super) fn weight_tiles(graph: &Graph, start: usize, count: usize) -> Tiles {
    let (first, end) = (start / WEIGHT_TILE, (start + count).div_ceil(WEIGHT_TILE));
    let last = graph.parameters().min(end * WEIGHT_TILE);
    Tiles {
        bytes: vec![0; 2 * (last - first * WEIGHT_TILE)],
        siblings: weights(graph).prove_span(first as u32, (end - first) as u32),
    }
}

pub(super) fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
    T::Currency: Mutate<T::AccountId>,
{
    let who: T::AccountId = account(name, index, 0);
    T::Currency::set_balance(&who, FUNDS);
    who
}

/// A round with a table of [`accused`].
pub(super) fn round<T: Config>(facts: &RoundFacts, table: &TableSummary) -> (TaskId, RoundId)
where
    T::Currency: Mutate<T::AccountId>,
{
    T::BenchmarkHelper::put_round(facts, &funded::<T>("accused", 0), table)
}

pub(super) fn accused<T: Config>() -> T::AccountId {
    account("accused", 0, 0)
}

/// Opens disputes about the table, with the numbers `from` to `to` on the chain.
pub(super) fn open_disputes<T: Config>((task, round): (TaskId, RoundId), from: u32, to: u32)
where
    T::Currency: Mutate<T::AccountId>,
{
    for index in from..to {
        let challenger = funded::<T>("challenger", index);
        let (accused, accusation) = (accused::<T>(), Accusation::Rows(STAGE));
        Disputes::<T>::open(challenger, task, round, accused, accusation).expect("a free place");
    }
}

/// Fills what all disputes share; of the deadlines, it leaves `free` places empty.
pub(super) fn fill<T: Config>(free: u32) {
    Deadlines::<T>::mutate(|deadlines| {
        let room = MaxOpenDisputes::<T>::get() - free - deadlines.len() as u32;
        let others = (0..room).map(|index| (DisputeId(u32::MAX - index), u32::MAX));
        let all = deadlines.iter().copied().chain(others);
        *deadlines = BoundedVec::truncate_from(all.collect());
    });
    let closed = |index| ClosedDispute {
        id: DisputeId(u32::MAX - index),
        task: TaskId(0),
        round: RoundId(0),
        accused: accused::<T>(),
        challenger: accused::<T>(),
        verdict: Verdict::Moot,
        reward: 0,
        opened_at: 0,
        ended_at: 0,
        answers: 0,
        picks: 0,
        bytes: 0,
    };
    Verdicts::<T>::put(BoundedVec::truncate_from(
        (0..MAX_VERDICTS).map(closed).collect(),
    ));
}

/// The only dispute, which has reached `trial`.
pub(super) fn dispute<T: Config>(
    facts: &RoundFacts,
    table: &TableSummary,
    trial: Trial,
) -> DisputeId
where
    T::Currency: Mutate<T::AccountId>,
{
    let (round, id) = (round::<T>(facts, table), NextDispute::<T>::get());
    open_disputes::<T>(round, id.0, id.0 + 1);
    fill::<T>(0);
    DisputeMap::<T>::mutate(id, |dispute| {
        if let Some(dispute) = dispute {
            dispute.trial = trial;
        }
    });
    id
}

/// Whether the accused was right in a dispute that is over.
pub(super) fn is_upheld<T: Config>(id: DisputeId) -> bool {
    let last = Verdicts::<T>::get().into_iter().last();
    last.is_some_and(|closed| closed.id == id && closed.verdict == Verdict::Upheld)
}

/// Whether it is the challenger's turn.
pub(super) fn goes_on<T: Config>(id: DisputeId) -> bool {
    DisputeMap::<T>::get(id).is_some_and(|dispute| !dispute.trial.awaits_answer())
}
