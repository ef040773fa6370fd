//! What calls and hooks cost.
//!
//! The figures of [`Estimate`] are by hand, on the high side: storage by count, and three times or
//! more what was timed natively. Figures from benchmarks are a runtime's own.

use alloc::vec::Vec;
use codec::Encode;
use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{RuntimeDbWeight, Weight},
};
use gotong_scoring::{
    share::trial::Answer,
    trial::{self as loss, backward},
};

/// Weights by call, and of their parts. The cost of an answer of each kind includes the end of its own dispute only.
pub trait WeightInfo {
    /// `open`.
    fn open() -> Weight;
    /// `answer` with `n` nodes of the rows' tree.
    fn answer_row_nodes(n: u32) -> Weight;
    /// `answer` with a row, and the row of the last entrant that was dropped.
    fn answer_row() -> Weight;
    /// `answer` with what a part was made of, and its products over as many stretches as there may be.
    fn answer_part() -> Weight;
    /// `answer` with products over `s` stretches.
    fn answer_products(s: u32) -> Weight;
    /// `answer` with a tile of a gradient and the chunk of a delta.
    fn answer_product() -> Weight;
    /// `answer` with `n` nodes of a plain tree.
    fn answer_nodes(n: u32) -> Weight;
    /// `answer` with a tile of weights, of a gradient or of a trace.
    fn answer_tile() -> Weight;
    /// `answer` with what the samples of a group add to a gradient: a shuffle draws which samples these are.
    fn answer_samples() -> Weight;
    /// `answer` with the sum from which one op's part of a gradient follows: the stages of the model's backward pass are listed,
    /// too.
    fn answer_sums() -> Weight;
    /// `answer` with the inputs of a word of a sample's backward pass, of which `b` bytes are the sample.
    fn answer_backward_word(b: u32) -> Weight;
    /// `answer` with the terms of `t` deltas.
    fn answer_terms(t: u32) -> Weight;
    /// `answer` with what a term was made of.
    fn answer_term() -> Weight;
    /// `answer` with the losses of base and merge for `l` samples of a half.
    fn answer_losses(l: u32) -> Weight;
    /// `answer` with the inputs of a word of the widest op, of which `b` bytes are the sample.
    fn answer_word(b: u32) -> Weight;
    /// `pick`, without an end of the dispute.
    fn pick() -> Weight;
    /// Ending a dispute with a conviction, which ends `d` disputes in total.
    fn end(d: u32) -> Weight;
    /// Looking for disputes that are overdue.
    fn look() -> Weight;
}

/// Weight of `answer`: for what it shows, however much of it is refused, and for a verdict that ends `disputes` disputes. It is at
/// least that of an answer about a word with as many bytes, all of which are hashed: if there are too many bytes for the kind of
/// answer, they may be hashed before they are refused.
pub fn of_answer<W: WeightInfo>(answer: &Answer, disputes: u32) -> Weight {
    let of_two = |[one, other]: &[Vec<u32>; 2]| count(one).max(count(other));
    let bytes = answer.encoded_size() as u32;
    let of_bytes = W::answer_word(bytes);
    let of_kind = match answer {
        Answer::RowNodes(nodes) => W::answer_row_nodes(count(nodes)),
        Answer::Row { .. } => W::answer_row(),
        Answer::Part { .. } => W::answer_part(),
        Answer::Products(products) => W::answer_products(count(products)),
        Answer::Product { .. } => W::answer_product(),
        Answer::Roots(roots) => W::answer_nodes(count(roots)),
        Answer::Nodes(nodes) => W::answer_nodes(count(nodes)),
        Answer::GradientTile(_) | Answer::Weights(_) => W::answer_tile(),
        Answer::Gradient(answer) => of_gradient::<W>(answer, bytes),
        Answer::Terms { terms, .. } => W::answer_terms(count(terms)),
        Answer::Term { .. } => W::answer_term(),
        Answer::Losses(losses) => W::answer_losses(of_two(losses)),
        Answer::Loss(answer) => of_loss::<W>(answer, of_bytes),
    };
    of_kind.max(of_bytes).saturating_add(W::end(disputes))
}

/// The weight of what is shown about a word of a gradient, in `bytes` bytes. All of it requires the samples of the group, and
/// everything that is not nodes of a tree also requires the stages of the model.
fn of_gradient<W: WeightInfo>(answer: &backward::Answer, bytes: u32) -> Weight {
    let of_nodes = |nodes| W::answer_nodes(count(nodes));
    match answer {
        backward::Answer::Samples(_) => W::answer_samples(),
        backward::Answer::Nodes(nodes) => W::answer_samples().saturating_add(of_nodes(nodes)),
        backward::Answer::Readers(_) | backward::Answer::Tile(_) => W::answer_sums(),
        backward::Answer::Sums { nodes, .. } => W::answer_sums().saturating_add(of_nodes(nodes)),
        backward::Answer::Word { .. } => W::answer_backward_word(bytes),
    }
}

/// The weight of what is shown about the loss of a sample.
fn of_loss<W: WeightInfo>(answer: &loss::Answer, of_word: Weight) -> Weight {
    match answer {
        loss::Answer::Nodes(nodes) => W::answer_nodes(count(nodes)),
        loss::Answer::Sample { nodes, last } => {
            W::answer_nodes(count(nodes).saturating_add(count(last)))
        }
        loss::Answer::Tile(_) => W::answer_tile(),
        loss::Answer::Word { .. } => of_word,
    }
}

fn count<V>(values: &[V]) -> u32 {
    values.len() as u32
}

/// Estimates over the database weights of a runtime.
pub type SubstrateWeight<T> = Estimate<<T as frame_system::Config>::DbWeight>;

/// Estimates over database weights.
pub struct Estimate<Db>(PhantomData<Db>);

impl<Db: Get<RuntimeDbWeight>> WeightInfo for Estimate<Db> {
    fn open() -> Weight {
        cost::<Db>(200, 9, 6)
    }
    fn answer_row_nodes(n: u32) -> Weight {
        answer::<Db>(300, n, 4_000)
    }
    fn answer_row() -> Weight {
        answer::<Db>(500, 0, 0)
    }
    fn answer_part() -> Weight {
        answer::<Db>(500, 0, 0)
    }
    fn answer_products(s: u32) -> Weight {
        answer::<Db>(300, s, 300)
    }
    fn answer_product() -> Weight {
        answer::<Db>(1_500, 0, 0)
    }
    fn answer_nodes(n: u32) -> Weight {
        answer::<Db>(300, n, 2_000)
    }
    fn answer_tile() -> Weight {
        answer::<Db>(500, 0, 0)
    }
    fn answer_samples() -> Weight {
        answer::<Db>(3_000, 0, 0)
    }
    fn answer_sums() -> Weight {
        answer::<Db>(6_000, 0, 0)
    }
    fn answer_backward_word(b: u32) -> Weight {
        answer::<Db>(6_000, b, 60)
    }
    fn answer_terms(t: u32) -> Weight {
        answer::<Db>(400, t, 600)
    }
    fn answer_term() -> Weight {
        answer::<Db>(1_500, 0, 0)
    }
    fn answer_losses(l: u32) -> Weight {
        answer::<Db>(400, l, 300)
    }
    fn answer_word(b: u32) -> Weight {
        answer::<Db>(600, b, 30)
    }
    fn pick() -> Weight {
        cost::<Db>(6_000, 6, 3)
    }
    fn end(d: u32) -> Weight {
        let dispute = cost::<Db>(150, 4, 4);
        cost::<Db>(300, 8, 8).saturating_add(dispute.saturating_mul(d.into()))
    }
    fn look() -> Weight {
        cost::<Db>(50, 1, 0)
    }
}

/// An answer: `microseconds`, and `nanoseconds` for each of `count`.
fn answer<Db: Get<RuntimeDbWeight>>(microseconds: u64, count: u32, nanoseconds: u64) -> Weight {
    let each = nanoseconds.saturating_mul(1_000);
    cost::<Db>(microseconds, 6, 3).saturating_add(Weight::from_parts(each, 0) * u64::from(count))
}

/// `microseconds` of work and this many reads and writes.
fn cost<Db: Get<RuntimeDbWeight>>(microseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(microseconds.saturating_mul(1_000_000), 0)
        .saturating_add(Db::get().reads_writes(reads, writes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use gotong_scoring::{
        share::{
            table::Row,
            trial::{ProvedEntrant, ProvedRow},
        },
        trial::{ProvedChunk, Term, Tiles},
        EntrantRecord, Node, Proof,
    };

    /// Weights that say which they are: the kind in the time, the count in the proof size.
    struct Kinds;

    impl WeightInfo for Kinds {
        fn open() -> Weight {
            kind(1, 0)
        }
        fn answer_row_nodes(n: u32) -> Weight {
            kind(20, n)
        }
        fn answer_row() -> Weight {
            kind(30, 0)
        }
        fn answer_part() -> Weight {
            kind(35, 0)
        }
        fn answer_products(s: u32) -> Weight {
            kind(40, s)
        }
        fn answer_product() -> Weight {
            kind(50, 0)
        }
        fn answer_nodes(n: u32) -> Weight {
            kind(60, n)
        }
        fn answer_tile() -> Weight {
            kind(70, 0)
        }
        fn answer_samples() -> Weight {
            kind(80, 0)
        }
        fn answer_sums() -> Weight {
            kind(90, 0)
        }
        fn answer_backward_word(b: u32) -> Weight {
            kind(2_000, b)
        }
        fn answer_terms(t: u32) -> Weight {
            kind(100, t)
        }
        fn answer_term() -> Weight {
            kind(110, 0)
        }
        fn answer_losses(l: u32) -> Weight {
            kind(120, l)
        }
        fn answer_word(b: u32) -> Weight {
            kind(if b > 60_000 { 1_000 } else { 10 }, 0)
        }
        fn pick() -> Weight {
            kind(2, 0)
        }
        fn end(d: u32) -> Weight {
            kind(d, 0)
        }
        fn look() -> Weight {
            kind(3, 0)
        }
    }

    fn kind(kind: u32, count: u32) -> Weight {
        Weight::from_parts(kind.into(), count.into())
    }

    fn tiles(bytes: usize) -> Tiles {
        Tiles {
            bytes: vec![0; bytes],
            siblings: vec![],
        }
    }

    fn word(bytes: usize) -> Answer {
        Answer::Loss(loss::Answer::Word {
            record: None,
            inputs: Some(tiles(bytes)),
            before: None,
            weights: None,
            bias: None,
        })
    }

    fn gradient(answer: backward::Answer) -> Answer {
        Answer::Gradient(answer)
    }

    fn proved() -> ProvedEntrant {
        ProvedEntrant {
            record: EntrantRecord {
                delta_hash: [0; 32],
                delta_root: [0; 32],
                weight: 1,
                square_norm: 1,
                is_proven: false,
            },
            siblings: vec![],
        }
    }

    fn row() -> ProvedRow {
        ProvedRow {
            row: Row::default(),
            proof: Proof {
                index: 0,
                leaves: 1,
                siblings: vec![],
            },
            entrant: proved(),
        }
    }

    fn chunk() -> ProvedChunk {
        ProvedChunk {
            bytes: vec![1],
            siblings: vec![],
        }
    }

    #[test]
    fn an_answer_costs_what_its_kind_and_size_cost() {
        let losses = |one: usize, other: usize| Answer::Losses([vec![0; one], vec![0; other]]);
        let nodes = |count: usize| vec![Node::default(); count];
        let part = Answer::Part {
            entrant: proved(),
            gradient: [0; 32],
            siblings: vec![],
            products: vec![0; 8],
        };
        let product = Answer::Product {
            chunk: chunk(),
            words: vec![0; 512],
            siblings: vec![],
        };
        let terms = Answer::Terms {
            base: tiles(1),
            terms: vec![Term::default(); 7],
        };
        let term = Answer::Term {
            entrant: proved(),
            chunk: chunk(),
        };
        let rows = Answer::Row {
            own: row(),
            last: Some(row()),
        };
        let sample = Answer::Loss(loss::Answer::Sample {
            nodes: nodes(4),
            last: vec![[0; 32]; 5],
        });
        let sums = gradient(backward::Answer::Sums {
            nodes: nodes(3),
            sum: tiles(4),
            exponent: None,
        });
        let backward_word = gradient(backward::Answer::Word {
            record: None,
            inputs: vec![tiles(50)],
        });
        let word_bytes = backward_word.encoded_size() as u32;
        for (answer, expected) in [
            (Answer::RowNodes(vec![Node::default(); 9]), kind(20, 9)),
            (rows, kind(30, 0)),
            (part, kind(35, 0)),
            (Answer::Products(vec![0; 8]), kind(40, 8)),
            (product, kind(50, 0)),
            (Answer::Roots(vec![[0; 32]; 3]), kind(60, 3)),
            (Answer::Nodes(nodes(2)), kind(60, 2)),
            (Answer::Loss(loss::Answer::Nodes(nodes(6))), kind(60, 6)),
            (sample, kind(60, 9)),
            (losses(5, 6), kind(120, 6)),
            (losses(6, 5), kind(120, 6)),
            (Answer::Weights(vec![0; 512]), kind(70, 0)),
            (Answer::GradientTile(vec![0; 512]), kind(70, 0)),
            (Answer::Loss(loss::Answer::Tile(vec![0; 256])), kind(70, 0)),
            (gradient(backward::Answer::Samples(vec![0; 4])), kind(80, 0)),
            (gradient(backward::Answer::Readers(vec![0; 2])), kind(90, 0)),
            (gradient(backward::Answer::Tile(vec![0; 256])), kind(90, 0)),
            (
                gradient(backward::Answer::Nodes(nodes(3))),
                kind(80, 0) + kind(60, 3),
            ),
            (sums, kind(90, 0) + kind(60, 3)),
            (backward_word, kind(2_000, word_bytes)),
            (terms, kind(100, 7)),
            (term, kind(110, 0)),
            (word(5), kind(10, 0)),
        ] {
            // Too many bytes for a kind cost as much as those of a word.
            let expected = expected.max(kind(10, 0));
            assert_eq!(of_answer::<Kinds>(&answer, 4), expected + kind(4, 0));
        }
    }

    #[test]
    fn bytes_beyond_the_kind_are_paid_for() {
        let tile = Answer::Loss(loss::Answer::Tile(vec![0; 61_000]));
        assert_eq!(of_answer::<Kinds>(&tile, 0), kind(1_000, 0));
        assert_eq!(of_answer::<Kinds>(&word(61_000), 0), kind(1_000, 0));
    }

    #[test]
    fn estimates_grow_with_what_is_shown() {
        type Own = Estimate<frame_support::weights::constants::RocksDbWeight>;
        let products = |count| Answer::Products(vec![0; count]);
        let small = of_answer::<Own>(&products(2), 1);
        let large = of_answer::<Own>(&products(256), 1);
        assert!(large.ref_time() > small.ref_time());
        assert!(of_answer::<Own>(&products(0), 16).ref_time() > small.ref_time());
    }
}
