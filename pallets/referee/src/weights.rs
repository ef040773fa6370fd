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
use gotong_scoring::trial::Answer;

/// Weights by call, and of their parts. An answer costs by its kind, and includes an end of its
/// dispute alone.
pub trait WeightInfo {
    /// `open`.
    fn open() -> Weight;
    /// `answer` with what `r` rows are similar to.
    fn answer_similar(r: u32) -> Weight;
    /// `answer` with the records of two deltas and their products over `s` stretches.
    fn answer_pair(s: u32) -> Weight;
    /// `answer` with a full chunk of two deltas.
    fn answer_dot() -> Weight;
    /// `answer` with `n` nodes of a tree.
    fn answer_nodes(n: u32) -> Weight;
    /// `answer` with a row and the losses of `l` samples on two sides.
    fn answer_row(l: u32) -> Weight;
    /// `answer` with the header and the losses of `l` samples on two sides.
    fn answer_header(l: u32) -> Weight;
    /// `answer` with a tile of weights or of a trace.
    fn answer_tile() -> Weight;
    /// `answer` with the terms of `t` deltas.
    fn answer_terms(t: u32) -> Weight;
    /// `answer` with what a term was made of.
    fn answer_term() -> Weight;
    /// `answer` with the inputs of a word of the widest op, of which `b` bytes are the sample.
    fn answer_word(b: u32) -> Weight;
    /// `pick`, without an end of the dispute.
    fn pick() -> Weight;
    /// Ending a dispute with a conviction, and with it `d` disputes in all.
    fn end(d: u32) -> Weight;
    /// Looking for disputes that are overdue.
    fn look() -> Weight;
}

/// Weight of `answer`: of what it shows, however much of it is refused, and of a verdict that ends
/// `disputes` disputes.
pub fn of_answer<W: WeightInfo>(answer: &Answer, disputes: u32) -> Weight {
    let of_two = |[one, other]: &[Vec<u32>; 2]| count(one).max(count(other));
    // Bytes that are too many for the kind are hashed before they are refused, as a sample's are.
    let of_bytes = W::answer_word(answer.encoded_size() as u32);
    let of_kind = match answer {
        Answer::Similar(rows) => W::answer_similar(count(rows)),
        Answer::Pair { dots, .. } | Answer::Dots(dots) => W::answer_pair(count(dots)),
        Answer::Dot(_) => W::answer_dot(),
        Answer::SumNodes(nodes) => W::answer_nodes(count(nodes)),
        Answer::Nodes(nodes) => W::answer_nodes(count(nodes)),
        Answer::Sample { nodes, last } => W::answer_nodes(count(nodes).saturating_add(count(last))),
        Answer::Row { losses, .. } => W::answer_row(of_two(losses)),
        Answer::Header { losses, .. } => W::answer_header(of_two(losses)),
        Answer::Weights(_) | Answer::Tile(_) => W::answer_tile(),
        Answer::Terms { terms, .. } => W::answer_terms(count(terms)),
        Answer::Term { .. } => W::answer_term(),
        Answer::Word { .. } => of_bytes,
    };
    of_kind.max(of_bytes).saturating_add(W::end(disputes))
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
    fn answer_similar(r: u32) -> Weight {
        answer::<Db>(300, r, 1_500)
    }
    fn answer_pair(s: u32) -> Weight {
        answer::<Db>(400, s, 200)
    }
    fn answer_dot() -> Weight {
        answer::<Db>(1_500, 0, 0)
    }
    fn answer_nodes(n: u32) -> Weight {
        answer::<Db>(300, n, 2_000)
    }
    fn answer_row(l: u32) -> Weight {
        answer::<Db>(400, l, 300)
    }
    fn answer_header(l: u32) -> Weight {
        answer::<Db>(400, l, 300)
    }
    fn answer_tile() -> Weight {
        answer::<Db>(400, 0, 0)
    }
    fn answer_terms(t: u32) -> Weight {
        answer::<Db>(400, t, 600)
    }
    fn answer_term() -> Weight {
        answer::<Db>(1_500, 0, 0)
    }
    fn answer_word(b: u32) -> Weight {
        answer::<Db>(600, b, 30)
    }
    fn pick() -> Weight {
        cost::<Db>(300, 6, 3)
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

/// `microseconds` of work and so many reads and writes.
fn cost<Db: Get<RuntimeDbWeight>>(microseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(microseconds.saturating_mul(1_000_000), 0)
        .saturating_add(Db::get().reads_writes(reads, writes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use gotong_scoring::{
        trial::{Term, Tiles},
        Node, SumNode,
    };

    /// Says of each weight which it is: the kind in its time, the count in its proof.
    struct Kinds;

    impl WeightInfo for Kinds {
        fn open() -> Weight {
            kind(1, 0)
        }
        fn answer_similar(r: u32) -> Weight {
            kind(20, r)
        }
        fn answer_pair(s: u32) -> Weight {
            kind(30, s)
        }
        fn answer_dot() -> Weight {
            kind(40, 0)
        }
        fn answer_nodes(n: u32) -> Weight {
            kind(50, n)
        }
        fn answer_row(l: u32) -> Weight {
            kind(60, l)
        }
        fn answer_header(l: u32) -> Weight {
            kind(70, l)
        }
        fn answer_tile() -> Weight {
            kind(80, 0)
        }
        fn answer_terms(t: u32) -> Weight {
            kind(90, t)
        }
        fn answer_term() -> Weight {
            kind(100, 0)
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
        Answer::Word {
            record: None,
            inputs: Some(tiles(bytes)),
            before: None,
            weights: None,
            bias: None,
        }
    }

    #[test]
    fn an_answer_costs_what_its_kind_and_size_cost() {
        let header = |one: usize, other: usize| Answer::Header {
            losses: [vec![0; one], vec![0; other]],
            weights: [0; 32],
        };
        let terms = Answer::Terms {
            base: tiles(1),
            terms: vec![Term::default(); 7],
        };
        let sample = Answer::Sample {
            nodes: vec![Node::default(); 4],
            last: vec![[0; 32]; 5],
        };
        for (answer, expected) in [
            (Answer::Similar(vec![0; 9]), kind(20, 9)),
            (Answer::Dots(vec![0; 8]), kind(30, 8)),
            (Answer::SumNodes(vec![SumNode::default(); 3]), kind(50, 3)),
            (Answer::Nodes(vec![Node::default(); 2]), kind(50, 2)),
            (sample, kind(50, 9)),
            (header(5, 6), kind(70, 6)),
            (header(6, 5), kind(70, 6)),
            (Answer::Weights(vec![0; 512]), kind(80, 0)),
            (Answer::Tile(vec![0; 256]), kind(80, 0)),
            (terms, kind(90, 7)),
            (word(5), kind(10, 0)),
        ] {
            assert_eq!(of_answer::<Kinds>(&answer, 4), expected + kind(4, 0));
        }
    }

    #[test]
    fn bytes_beyond_the_kind_are_paid_for() {
        let tile = Answer::Tile(vec![0; 61_000]);
        assert_eq!(of_answer::<Kinds>(&tile, 0), kind(1_000, 0));
        assert_eq!(of_answer::<Kinds>(&word(61_000), 0), kind(1_000, 0));
    }

    #[test]
    fn estimates_grow_with_what_is_shown() {
        type Own = Estimate<frame_support::weights::constants::RocksDbWeight>;
        let small = of_answer::<Own>(&Answer::Similar(vec![0; 2]), 1);
        let large = of_answer::<Own>(&Answer::Similar(vec![0; 1024]), 1);
        assert!(large.ref_time() > small.ref_time());
        assert!(of_answer::<Own>(&Answer::Similar(vec![]), 16).ref_time() > small.ref_time());
    }
}
