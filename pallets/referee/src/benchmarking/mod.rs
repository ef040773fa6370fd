//! What calls and hooks cost at their worst: the longest answer of each kind, about the largest
//! round, with the maximum number of open disputes and remembered verdicts.

#![allow(clippy::float_arithmetic)] // FRAME expands to it.

mod fixture;

use crate::{disputes::Disputes, Call, Config, Deadlines, Disputes as DisputeMap, Pallet, Parties};
use alloc::{boxed::Box, vec, vec::Vec};
use fixture::*;
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, Get};
use frame_system::RawOrigin;
use gotong_protocol::{
    bounds, dispute::Verdict, id::DisputeId, RoundFacts, RoundId, TableSummary, TaskId,
};
use gotong_scoring::{
    losses::losses_node,
    merge::FACTOR_ONE,
    merkle::{root_of_span, Branch},
    seal_leaf,
    share::{
        table::{Fall, RowSums, GRADIENT_TILE},
        trial::{Accusation, Answer, Model, PartOf, Pick, Shown, Statement, Trial, MAX_STRETCHES},
        Half, GROUPS,
    },
    trial::{self as loss, backward, Exam, ProvedRecord, Side, Term, TRACE_TILE, TRACE_WIDTH},
    HoldOut, Node, Reference, RoundSamples, Tree, CHUNK,
};

/// What benchmarks need of a [`Court`](gotong_protocol::Court).
pub trait BenchmarkHelper<AccountId> {
    /// Makes a round that will be challenged for many more blocks. The chain knows `facts` about it. `accused`, who has money,
    /// holds a seat in it and has revealed `table`.
    fn put_round(
        facts: &RoundFacts,
        accused: &AccountId,
        table: &TableSummary,
    ) -> (TaskId, RoundId);
}

const MOST_NODES: u32 = 256;
/// Samples of a group.
const GROUP: u32 = SAMPLES / 2 / GROUPS as u32;

/// What the accused defends about a word of a group's gradient.
fn gradient(word: backward::Statement) -> Statement {
    Statement::Gradient {
        stage: STAGE,
        group: LAST_GROUP,
        word,
    }
}

/// `facts` with a record of `bytes` zeros as the last sample, and that sample.
fn with_record(mut facts: RoundFacts, bytes: u32) -> (RoundFacts, ProvedRecord) {
    let record = vec![0; bytes as usize];
    // In the largest pool, which has deeper proofs than any shard.
    let siblings = vec![[3; 32]; bounds::MAX_POOL_RECORDS.ilog2() as usize];
    let place = facts.hold_out.place(LAST_SAMPLE, SAMPLES).unwrap_or(0);
    let leaf = Node {
        hash: seal_leaf(&KEY, place, &record),
        sum: (),
    };
    let pool = root_of_span(bounds::MAX_POOL_RECORDS, place, vec![leaf], &siblings);
    if let HoldOut::Drawn { root, .. } = &mut facts.hold_out {
        *root = pool.unwrap_or_default();
    }
    let bytes = record;
    (facts, ProvedRecord { bytes, siblings })
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn open() {
        let (task, round) = round::<T>(&largest(), &table().summary());
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
            Accusation::Rows(STAGE),
        );

        assert!(DisputeMap::<T>::contains_key(DisputeId(others)));
    }

    #[benchmark]
    fn answer_row_nodes(n: Linear<2, MOST_NODES>) {
        let leaf = |leaf: u32| Node::leaf(&[&leaf.to_le_bytes()], RowSums::default());
        let tree = Tree::from_leaves((0..n).map(leaf).collect());
        let statement = Statement::Rows {
            stage: STAGE,
            branch: Branch::whole(tree.root(), n),
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let answer = Box::new(Answer::RowNodes(tree.nodes(0, 0, n)));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_row() -> Result<(), BenchmarkError> {
        let table = table();
        let statement = Statement::Row {
            stage: STAGE,
            entrant: 0,
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table.summary(), trial);
        let answer = Box::new(Answer::Row {
            own: row(&table, 0).ok_or("a row")?,
            last: row(&table, LAST_ENTRANT),
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn answer_part() -> Result<(), BenchmarkError> {
        let table = table();
        let of = PartOf {
            stage: STAGE,
            entrant: LAST_ENTRANT,
            group: LAST_GROUP,
        };
        let trial = Trial::awaiting(Statement::Part { of, part: 0 });
        let id = dispute::<T>(&largest(), &table.summary(), trial);
        let roots = &table.passes.first().ok_or("a pass")?.gradients;
        let answer = Box::new(Answer::Part {
            entrant: entrant(of.entrant),
            gradient: *roots.last().ok_or("a gradient")?,
            siblings: Tree::of(roots).prove_span(of.group, 1),
            products: vec![0; MAX_STRETCHES as usize],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn answer_products(s: Linear<2, MAX_STRETCHES>) {
        let statement = Statement::Products {
            of: PartOf {
                stage: STAGE,
                entrant: LAST_ENTRANT,
                group: LAST_GROUP,
            },
            gradient: [4; 32],
            delta: [5; 32],
            first: 0,
            tiles: s,
            sum: 0,
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let answer = Box::new(Answer::Products(vec![0; s as usize]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_product() {
        let (facts, record) = (largest(), entrant(0).record);
        let words = vec![1i64; GRADIENT_TILE];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let tiles = facts.graph.parameters().div_ceil(GRADIENT_TILE);
        let tree = Tree::of(vec![bytes; tiles]);
        let changes = (0..GRADIENT_TILE as u32).map(change).map(i128::from);
        let statement = Statement::Products {
            of: PartOf {
                stage: STAGE,
                entrant: 0,
                group: 0,
            },
            gradient: tree.root().hash,
            delta: record.delta_root,
            first: 0,
            tiles: 1,
            sum: changes.sum(),
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&facts, &table().summary(), trial);
        let answer = Box::new(Answer::Product {
            chunk: full_chunk(),
            words,
            siblings: tree.prove_span(0, 1),
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn answer_nodes(n: Linear<2, MOST_NODES>) {
        let tree = Tree::of((0..n).map(u32::to_le_bytes));
        let statement = Statement::Weights {
            of: Model::Merged,
            branch: Branch::whole(tree.root(), n),
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let answer = Box::new(Answer::Nodes(tree.nodes(0, 0, n)));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_tile() {
        // The tree of a gradient is the longest.
        let statement = Statement::GradientTiles {
            stage: STAGE,
            group: LAST_GROUP,
            branch: Branch {
                leaves: 2,
                level: 0,
                index: 0,
                node: Node::leaf(&[&[0; 8 * GRADIENT_TILE]], ()),
            },
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let answer = Box::new(Answer::GradientTile(vec![0; GRADIENT_TILE]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_samples() {
        let trial = Trial::awaiting(gradient(backward::Statement::Gradient {
            group: LAST_GROUP,
            position: 0,
            value: 0,
        }));
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let added = backward::Answer::Samples(vec![0; GROUP as usize]);
        let answer = Box::new(Answer::Gradient(added));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_sums() -> Result<(), BenchmarkError> {
        let facts = deepest();
        // With weights of zero the embedding has no gradient.
        let statement = backward::Statement::Sample {
            sample: 0,
            position: 0,
            value: 0,
        };
        let (weights, members) = (vec![0; facts.graph.parameters()], [0]);
        let records = RoundSamples::from(vec![0; facts.graph.inputs as usize + 1]);
        let (graph, hold_out) = (&facts.graph, &facts.hold_out);
        let player = backward::Player::new(graph, &weights, hold_out, &records, &members);
        let shown = player.and_then(|player| {
            let trial = backward::Trial::awaiting(statement);
            player.answer(&mut Reference, &trial)
        });
        let trial = Trial::awaiting(gradient(statement));
        let id = dispute::<T>(&facts, &table().summary(), trial);
        let answer = Box::new(Answer::Gradient(shown.ok_or("sums")?));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn answer_backward_word(b: Linear<{ TRACE_WIDTH + 1 }, { bounds::MAX_RECORD_BYTES }>) {
        let (facts, record) = with_record(largest(), b);
        let (graph, inputs) = (&facts.graph, facts.graph.inputs as usize);
        let trial = Trial::awaiting(gradient(backward::Statement::Word {
            sample: LAST_SAMPLE,
            trace: [5; 32],
            stage: 0,
            // The first step of the second output, whose weights start within a tile.
            at: facts.graph.inputs.div_ceil(TRACE_WIDTH).into(),
            value: 0,
        }));
        let table = summary_at(weights_root(graph));
        let id = dispute::<T>(&facts, &table, trial);
        let bias = inputs * OUTPUTS as usize + 1;
        let answer = Box::new(Answer::Gradient(backward::Answer::Word {
            record: Some(record),
            inputs: vec![
                weight_tiles(graph, inputs, TRACE_WIDTH as usize),
                weight_tiles(graph, bias, 1),
            ],
        }));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn answer_terms(t: Linear<1, ENTRANTS>) {
        let mut facts = largest();
        facts.base_root = weights_root(&facts.graph);
        facts.entrants = t;
        let statement = Statement::Weight {
            of: Model::Midpoint(0),
            position: 0,
            value: 0,
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&facts, &table().summary(), trial);
        let term = Term {
            value: 0,
            weight: 1,
        };
        let answer = Box::new(Answer::Terms {
            base: weight_tiles(&facts.graph, 0, 1),
            terms: vec![term; t as usize],
        });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_term() {
        let (position, entrant) = (CHUNK as u32 - 1, entrant(LAST_ENTRANT));
        let weight = entrant.record.weight;
        let statement = Statement::Term {
            of: Model::Midpoint(0),
            position,
            entrant: LAST_ENTRANT,
            term: Term {
                value: i64::from(weight) * i64::from(FACTOR_ONE) * i64::from(change(position)),
                weight,
            },
        };
        let trial = Trial::awaiting(statement);
        let id = dispute::<T>(&largest(), &table().summary(), trial);
        let chunk = full_chunk();
        let answer = Box::new(Answer::Term { entrant, chunk });

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn answer_losses(l: Linear<2, { SAMPLES / 2 }>) {
        let (mut facts, mut table) = (largest(), table().summary());
        facts.samples = 2 * l;
        // Nothing was gained, and nothing is uncertain.
        let losses = vec![1 << 16; l as usize];
        if let Some(merge) = &mut table.merge {
            merge.on_a = Fall {
                before: losses_node(&losses),
                after: losses_node(&losses),
                standard_error: 0,
            };
        }
        let trial = Trial::awaiting(Statement::Losses(Half::A));
        let id = dispute::<T>(&facts, &table, trial);
        let answer = Box::new(Answer::Losses([losses.clone(), losses]));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(goes_on::<T>(id));
    }

    #[benchmark]
    fn answer_word(b: Linear<{ TRACE_WIDTH + 1 }, { bounds::MAX_RECORD_BYTES }>) {
        let (mut facts, record) = with_record(largest(), b);
        facts.base_root = weights_root(&facts.graph);
        let (graph, inputs) = (&facts.graph, facts.graph.inputs as usize);
        let trial = Trial::awaiting(Statement::Loss(loss::Statement::Word {
            exam: Exam {
                of: Side::Base,
                weights: facts.base_root,
                sample: LAST_SAMPLE,
            },
            trace: [5; 32],
            op: 0,
            // The first step of the second output, whose weights start within a tile.
            at: facts.graph.inputs.div_ceil(TRACE_WIDTH),
            value: 0,
        }));
        let id = dispute::<T>(&facts, &table().summary(), trial);
        let bias = inputs * OUTPUTS as usize + 1;
        let answer = Box::new(Answer::Loss(loss::Answer::Word {
            record: Some(record),
            inputs: None,
            before: None,
            weights: Some(weight_tiles(graph, inputs, TRACE_WIDTH as usize)),
            bias: Some(weight_tiles(graph, bias, 1)),
        }));

        #[extrinsic_call]
        answer(RawOrigin::Signed(accused::<T>()), id, answer);

        assert!(is_upheld::<T>(id));
    }

    #[benchmark]
    fn pick() -> Result<(), BenchmarkError> {
        // A tile of a gradient's trace takes the most work to find what it belongs to.
        let facts = deepest();
        let trial = Trial {
            statement: gradient(backward::Statement::Trace {
                sample: LAST_SAMPLE,
                trace: [5; 32],
                branch: Branch {
                    leaves: 2,
                    level: 0,
                    index: 0,
                    node: Node::default(),
                },
            }),
            shown: Some(Shown::Gradient(backward::Shown::Words(vec![
                0;
                TRACE_TILE
                    as usize
            ]))),
        };
        let id = dispute::<T>(&facts, &table().summary(), trial);
        let dispute = DisputeMap::<T>::get(id).ok_or("was opened")?;

        #[extrinsic_call]
        _(
            RawOrigin::Signed(dispute.challenger),
            id,
            Pick::Nth(TRACE_TILE - 1),
        );

        assert!(!goes_on::<T>(id));
        Ok(())
    }

    #[benchmark]
    fn end(d: Linear<1, { T::MaxDisputesPerRound::get() }>) -> Result<(), BenchmarkError> {
        let (task, round) = round::<T>(&largest(), &table().summary());
        let most = T::MaxDisputesPerRound::get();
        open_disputes::<T>((task, round), 0, most);
        fill::<T>(0);
        // The other disputes are about another table.
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
