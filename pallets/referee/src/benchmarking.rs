//! What calls and hooks cost at their worst: the longest answer of each kind, about the largest
//! round, with all disputes open and all verdicts remembered that there can be.

use crate::{
    disputes::{Disputes, MaxOpenDisputes},
    Balance, Call, Config, Deadlines, Disputes as DisputeMap, Pallet, Parties, Verdicts,
    MAX_VERDICTS,
};
use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{fungible::Mutate, Get},
    BoundedVec,
};
use frame_system::RawOrigin;
use gotong_protocol::{
    bounds,
    dispute::{ClosedDispute, Verdict},
    id::DisputeId,
    Opening, RoundId, TaskId,
};
use gotong_scoring::{
    merge::clip,
    merkle::{root_of_span, Branch},
    reveals_tree, seal_leaf,
    table::{losses_node, similar_tree},
    trial::{
        Accusation, Answer, Case, Exam, Pair, Part, Pick, ProvedChunk, ProvedRecord, ProvedReveal,
        Shown, Side, Statement, Term, Tiles, Trial, MAX_STRETCHES, TRACE_WIDTH,
    },
    Delta, Entry, Graph, Hash, Header, HoldOut, Node, RevealRecord, Row, Rules, Standing, SumNode,
    SumTree, Tree, CHUNK, WEIGHT_TILE,
};

/// What benchmarks need of a [`Court`](gotong_protocol::Court).
pub trait BenchmarkHelper<AccountId> {
    /// Makes a round that is being challenged, for many blocks more, and of which `case` is what the
    /// chain knows. `accused`, who has money, holds a seat of it and has revealed `opening`.
    fn put_round(case: &Case, accused: &AccountId, opening: &Opening) -> (TaskId, RoundId);
}

const FUNDS: Balance = 1 << 100;
const KEY: Hash = [7; 32];
const ROWS: u32 = bounds::MAX_SUBMISSIONS;
const LAST_ROW: u32 = ROWS - 1;
const SAMPLES: u32 = bounds::MAX_SHARD_SAMPLES;
const LAST_SAMPLE: u32 = SAMPLES - 1;
/// Most weights of a model.
const WEIGHTS: u32 = bounds::MAX_WEIGHT_BYTES / 2;
/// Outputs of the model that has so many, and the longest record.
const OUTPUTS: u32 = WEIGHTS / bounds::MAX_RECORD_BYTES;
const MOST_NODES: u32 = 256;

fn case(graph: Graph) -> Case {
    Case {
        graph,
        rules: Rules {
            admit_floor_q8: 0,
            gain_floor_q8: 0,
            central_difference: 1,
        },
        base_root: [1; 32],
        hold_out: HoldOut::Drawn {
            salt: KEY,
            root: [2; 32],
            records: bounds::MAX_POOL_RECORDS,
            seed: [6; 32],
        },
        samples: SAMPLES,
        reveals_root: reveals().root().hash,
        reveals: ROWS,
        median_norm: 1,
    }
}

/// Of the largest model.
fn largest() -> Case {
    case(Graph::mlp(&[bounds::MAX_RECORD_BYTES - 1, OUTPUTS]))
}

fn opening() -> Opening {
    Opening {
        header: Header {
            samples: SAMPLES,
            base: SumNode::default(),
            merged: SumNode::default(),
            gain: 0,
            gain_se: 0,
            paid_gain: 0,
            master_root: [1; 32],
            similar_root: similar_tree(vec![None; ROWS as usize]).root().hash,
        },
        rows: SumNode::default(),
    }
}

fn record(delta_root: Hash) -> RevealRecord {
    RevealRecord {
        delta_hash: [3; 32],
        delta_root,
        weight: 1,
        square_norm: 1,
    }
}

fn reveals() -> Tree {
    reveals_tree(&vec![record(full_delta().root()); ROWS as usize])
}

fn reveal(row: u32) -> ProvedReveal {
    ProvedReveal {
        record: record(full_delta().root()),
        siblings: reveals().prove_span(row, 1),
    }
}

/// A delta of the largest model, with a full first chunk.
fn full_delta() -> Delta {
    let entry = |position| Entry {
        position,
        // Two magnitudes, for they take more to say.
        change: if position % 2 == 0 { 1 } else { -2 },
    };
    Delta::new(WEIGHTS, (0..CHUNK as u32).map(entry).collect()).expect("a delta")
}

fn full_chunk() -> ProvedChunk {
    let delta = full_delta();
    ProvedChunk {
        bytes: delta.encode_chunk(0),
        siblings: delta.tree().prove_span(0, 1),
    }
}

/// The tree of weights of a model that are all zero.
fn weights(graph: &Graph) -> Tree {
    let bytes = vec![0; 2 * graph.parameters()];
    Tree::of(bytes.chunks(2 * WEIGHT_TILE))
}

/// Tiles of them that cover so many from `start` on.
fn weight_tiles(graph: &Graph, start: usize, count: usize) -> Tiles {
    let (first, end) = (start / WEIGHT_TILE, (start + count).div_ceil(WEIGHT_TILE));
    let last = graph.parameters().min(end * WEIGHT_TILE);
    Tiles {
        bytes: vec![0; 2 * (last - first * WEIGHT_TILE)],
        siblings: weights(graph).prove_span(first as u32, (end - first) as u32),
    }
}

/// The same losses on both sides, so that nothing was gained.
fn losses(samples: u32) -> [Vec<u32>; 2] {
    [
        vec![1 << 16; samples as usize],
        vec![1 << 16; samples as usize],
    ]
}

fn row(samples: u32) -> Row {
    let [minus, plus] = losses(samples).map(|losses| losses_node(&losses));
    let of = record([0; 32]);
    Row {
        delta_hash: of.delta_hash,
        weight: of.weight,
        clip_q16: clip(1, of.norm()),
        phi: 0,
        standard_error: 0,
        standing: Standing::BelowFloor,
        share: 0,
        minus,
        plus,
    }
}

/// What is doubted when nothing but a row is left.
fn last_row(row: &Row) -> Statement {
    Statement::Rows(Branch {
        leaves: ROWS,
        level: 0,
        index: LAST_ROW,
        node: Node::leaf(&[&row.encode()], row.share.into()),
    })
}

fn funded<T: Config>(name: &'static str, index: u32) -> T::AccountId
where
    T::Currency: Mutate<T::AccountId>,
{
    let who: T::AccountId = account(name, index, 0);
    T::Currency::set_balance(&who, FUNDS);
    who
}

/// A round with a table of [`accused`].
fn round<T: Config>(case: &Case, opening: &Opening) -> (TaskId, RoundId)
where
    T::Currency: Mutate<T::AccountId>,
{
    T::BenchmarkHelper::put_round(case, &funded::<T>("accused", 0), opening)
}

fn accused<T: Config>() -> T::AccountId {
    account("accused", 0, 0)
}

/// Opens disputes of the table, number `from` to `to` of the chain.
fn open_disputes<T: Config>((task, round): (TaskId, RoundId), from: u32, to: u32)
where
    T::Currency: Mutate<T::AccountId>,
{
    for index in from..to {
        let challenger = funded::<T>("challenger", index);
        let (accused, accusation) = (accused::<T>(), Accusation::Header);
        Disputes::<T>::open(challenger, task, round, accused, accusation).expect("a free place");
    }
}

/// Fills what all disputes share, but for the deadlines up to `free` places.
fn fill<T: Config>(free: u32) {
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

/// The only dispute, which has come to `trial`.
fn dispute<T: Config>(case: &Case, opening: &Opening, trial: Trial) -> DisputeId
where
    T::Currency: Mutate<T::AccountId>,
{
    let (round, id) = (round::<T>(case, opening), crate::NextDispute::<T>::get());
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
fn is_upheld<T: Config>(id: DisputeId) -> bool {
    let last = Verdicts::<T>::get().into_iter().last();
    last.is_some_and(|closed| closed.id == id && closed.verdict == Verdict::Upheld)
}

/// Whether it is the challenger's turn.
fn goes_on<T: Config>(id: DisputeId) -> bool {
    DisputeMap::<T>::get(id).is_some_and(|dispute| dispute.trial.shown.is_some())
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn open() {
        let (task, round) = round::<T>(&largest(), &opening());
        let others = T::MaxDisputesPerRound::get() - 1;
        open_disputes::<T>((task, round), 0, others);
        fill::<T>(1);
        let challenger = funded::<T>("challenger", others);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(challenger),
            task,
            round,
            accused::<T>(),
            Accusation::Rows,
        );

        assert!(DisputeMap::<T>::contains_key(DisputeId(others)));
    }

    #[benchmark]
    fn answer_similar(r: Linear<1, ROWS>) {
        let (mut case, mut opening) = (largest(), opening());
        case.reveals = r;
        opening.header.similar_root = similar_tree(vec![None; r as usize]).root().hash;
        let id = dispute::<T>(&case, &opening, Trial::awaiting(Statement::Similar));
        let answer = Box::new(Answer::Similar(vec![u32::MAX; r as usize]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_pair(s: Linear<1, MAX_STRETCHES>) {
        // A chunk for each.
        let case = case(Graph::mlp(&[s * CHUNK as u32 / 16 - 1, 16]));
        let pair = Pair {
            earlier: LAST_ROW - 1,
            later: LAST_ROW,
            similar: false,
        };
        let trial = Trial::awaiting(Statement::Pair(pair));
        let id = dispute::<T>(&case, &opening(), trial);
        let answer = Box::new(Answer::Pair {
            records: [reveal(pair.earlier), reveal(pair.later)],
            dots: vec![0; s as usize],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_dot() {
        let delta = full_delta();
        let statement = Statement::Dots {
            pair: Pair {
                earlier: 0,
                later: 1,
                similar: true,
            },
            roots: [delta.root(); 2],
            first: 0,
            chunks: 1,
            sum: delta.square_norm() as i64,
        };
        let id = dispute::<T>(&largest(), &opening(), Trial::awaiting(statement));
        let answer = Box::new(Answer::Dot([full_chunk(), full_chunk()]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn answer_nodes(n: Linear<2, MOST_NODES>) {
        let tree = SumTree::summing((0..n).map(|leaf| (leaf.to_le_bytes(), 1)));
        let statement = Statement::Rows(Branch::whole(tree.root(), n));
        let id = dispute::<T>(&largest(), &opening(), Trial::awaiting(statement));
        let answer = Box::new(Answer::SumNodes(tree.nodes(0, 0, n)));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_row(l: Linear<2, SAMPLES>) {
        let (mut case, row) = (largest(), row(l));
        case.samples = l;
        let id = dispute::<T>(&case, &opening(), Trial::awaiting(last_row(&row)));
        let similar = similar_tree(vec![None; ROWS as usize]);
        let answer = Box::new(Answer::Row {
            row,
            record: reveal(LAST_ROW),
            similar: similar.prove_span(LAST_ROW, 1),
            losses: losses(l),
            weights: [[4; 32]; 2],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_header(l: Linear<2, SAMPLES>) {
        let (mut case, mut opening) = (largest(), opening());
        case.samples = l;
        [opening.header.base, opening.header.merged] = losses(l).map(|losses| losses_node(&losses));
        let id = dispute::<T>(&case, &opening, Trial::awaiting(Statement::Header));
        let answer = Box::new(Answer::Header {
            losses: losses(l),
            weights: [4; 32],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_tile() {
        let statement = Statement::Weights {
            of: Side::Merged,
            branch: Branch {
                leaves: 2,
                level: 0,
                index: 0,
                node: Node::leaf(&[&[0; 2 * WEIGHT_TILE]], ()),
            },
        };
        let id = dispute::<T>(&largest(), &opening(), Trial::awaiting(statement));
        let answer = Box::new(Answer::Weights(vec![0; WEIGHT_TILE]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_terms(t: Linear<1, ROWS>) {
        let mut case = largest();
        case.base_root = weights(&case.graph).root().hash;
        case.reveals = t;
        let statement = Statement::Weight {
            of: Side::Plus(0),
            position: 0,
            value: 0,
        };
        let id = dispute::<T>(&case, &opening(), Trial::awaiting(statement));
        let term = Term {
            value: 0,
            weight: 1,
        };
        let answer = Box::new(Answer::Terms {
            base: weight_tiles(&case.graph, 0, 1),
            terms: vec![term; t as usize],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_term() -> Result<(), BenchmarkError> {
        let (row, mut opening) = (row(SAMPLES), opening());
        let rows = SumTree::summing(vec![(row.encode(), row.share); ROWS as usize]);
        opening.rows = rows.root();
        let statement = Statement::Term {
            of: Side::Merged,
            position: CHUNK as u32 - 1,
            row: LAST_ROW,
            // A row that is not admitted adds nothing.
            term: Term::default(),
        };
        let id = dispute::<T>(&largest(), &opening, Trial::awaiting(statement));
        let answer = Box::new(Answer::Term {
            part: Part::Merge(row, rows.prove(LAST_ROW).ok_or("a row")?),
            record: reveal(LAST_ROW),
            chunk: full_chunk(),
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn answer_word(b: Linear<{ TRACE_WIDTH + 1 }, { bounds::MAX_RECORD_BYTES }>) {
        let mut case = largest();
        let record = vec![0; b as usize];
        // In the largest pool, which has deeper proofs than any shard.
        let siblings = vec![[3; 32]; bounds::MAX_POOL_RECORDS.ilog2() as usize];
        let place = case.hold_out.place(LAST_SAMPLE, SAMPLES).unwrap_or(0);
        let leaf = Node {
            hash: seal_leaf(&KEY, place, &record),
            sum: (),
        };
        let pool = root_of_span(bounds::MAX_POOL_RECORDS, place, vec![leaf], &siblings);
        if let HoldOut::Drawn { root, .. } = &mut case.hold_out {
            *root = pool.unwrap_or_default();
        }
        case.base_root = weights(&case.graph).root().hash;
        let inputs = case.graph.inputs;
        let statement = Statement::Word {
            exam: Exam {
                of: Side::Base,
                weights: case.base_root,
                sample: LAST_SAMPLE,
            },
            trace: [5; 32],
            op: 0,
            // The first step of the second output, whose weights start within a tile.
            at: inputs.div_ceil(TRACE_WIDTH),
            value: 0,
        };
        let id = dispute::<T>(&case, &opening(), Trial::awaiting(statement));
        let (inputs, outputs) = (inputs as usize, OUTPUTS as usize);
        let answer = Box::new(Answer::Word {
            record: Some(ProvedRecord {
                bytes: record,
                siblings,
            }),
            inputs: None,
            before: None,
            weights: Some(weight_tiles(&case.graph, inputs, TRACE_WIDTH as usize)),
            bias: Some(weight_tiles(&case.graph, inputs * outputs + 1, 1)),
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn pick() -> Result<(), BenchmarkError> {
        let shown = Shown::Row {
            row: LAST_ROW,
            weights: [[4; 32]; 2],
            losses: losses(SAMPLES),
        };
        let trial = Trial {
            statement: last_row(&row(SAMPLES)),
            shown: Some(shown),
        };
        let id = dispute::<T>(&largest(), &opening(), trial);
        let dispute = DisputeMap::<T>::get(id).ok_or("was opened")?;
        let picked = Pick::Sample {
            of: Side::Plus(LAST_ROW),
            sample: LAST_SAMPLE,
        };

        #[extrinsic_call]
        _(RawOrigin::Signed(dispute.challenger), id, picked);

        assert!(!goes_on::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn end(d: Linear<1, { T::MaxDisputesPerRound::get() }>) -> Result<(), BenchmarkError> {
        let (task, round) = round::<T>(&largest(), &opening());
        let most = T::MaxDisputesPerRound::get();
        open_disputes::<T>((task, round), 0, most);
        fill::<T>(0);
        // The others are of another table.
        Parties::<T>::mutate(task, round, |parties| {
            for party in parties.iter_mut().skip(d as usize) {
                party.accused = account("other", 0, 0);
            }
        });
        let dispute = DisputeMap::<T>::get(DisputeId(0)).ok_or("was opened")?;
        let ended;

        #[block]
        {
            ended = Disputes::<T>::end(DisputeId(0), dispute, Verdict::Unanswered);
        }

        assert_eq!(ended, d);
        Ok(())
    }

    #[benchmark]
    fn look() {
        fill::<T>(0);

        #[block]
        {
            Disputes::<T>::time_out_overdue();
        }

        assert!(Deadlines::<T>::get().is_full());
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_chain(), crate::mock::Test);

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::tests::court::{new_chain, Real};
        use frame_support::assert_ok;

        #[test]
        fn every_benchmark_runs_in_the_real_court() {
            for benchmark in Pallet::<Real>::benchmarks(true) {
                new_chain().execute_with(|| {
                    assert_ok!(Pallet::<Real>::test_bench_by_name(&benchmark.name));
                });
            }
        }
    }
}
