//! What calls and hooks cost.
//!
//! The figures of [`Estimate`] are by hand, on the high side: storage by count, and twice to three
//! times what was timed natively (a delta of 64 KiB decodes in 6 ms, a shard of 1 MiB hashes in
//! 7 ms, 2 MiB of weights in 3 ms). Figures from benchmarks are a runtime's own.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{RuntimeDbWeight, Weight},
};

/// Weights by call, and of the steps of the hook.
pub trait WeightInfo {
    /// `register`.
    fn register() -> Weight;
    /// `offer` in a full registry.
    fn offer() -> Weight;
    /// `add_stake`.
    fn add_stake() -> Weight;
    /// `unstake`.
    fn unstake() -> Weight;
    /// `withdraw`.
    fn withdraw() -> Weight;
    /// `open_task` with `w` bytes of weights and recipe: a byte of the recipe is only hashed, and costs no more than one of
    /// the weights.
    fn open_task(w: u32) -> Weight;
    /// `top_up`.
    fn top_up() -> Weight;
    /// `close_task`.
    fn close_task() -> Weight;
    /// `commit`.
    fn commit() -> Weight;
    /// `reveal` of a delta of `d` bytes.
    fn reveal(d: u32) -> Weight;
    /// `publish_shard` of `r` bytes.
    fn publish_shard(r: u32) -> Weight;
    /// `commit_attestation`.
    fn commit_attestation() -> Weight;
    /// `reveal_attestation`.
    fn reveal_attestation() -> Weight;
    /// `claim` of `n` rounds, each of a different task, whose next round it starts.
    fn claim(n: u32) -> Weight;
    /// `answer_audits` with `b` bytes of answers.
    fn answer_audits(b: u32) -> Weight;
    /// `release`.
    fn release() -> Weight;
    /// `forfeit`.
    fn forfeit() -> Weight;
    /// `publish_credits` of `n` credits, all of them new.
    fn publish_credits(n: u32) -> Weight;
    /// Looking for rounds that are due, and at one task that may be idle.
    fn look() -> Weight;
    /// Ending a Commit phase when attesters are looked for among those who all contribute; with `s` deposits that go back, if the
    /// task is given up.
    fn end_commit(s: u32) -> Weight;
    /// Ending a Reveal phase with `s` submissions, none of them revealed.
    fn end_reveal(s: u32) -> Weight;
    /// The last block of a draw: of all seats, among as many attesters as there can be.
    fn draw() -> Weight;
    /// Ending any other phase, with every seat slashed.
    fn end_phase() -> Weight;
    /// Settling a round and paying every seat.
    fn settle() -> Weight;
    /// Ending a challenge with every seat slashed, and looking for attesters among those who all contribute.
    fn redraw() -> Weight;
    /// Convicting an attester at the referee's request.
    fn convict() -> Weight;
}

/// Estimates over the database weights of a runtime.
pub type SubstrateWeight<T> = Estimate<<T as frame_system::Config>::DbWeight>;

/// Estimates over database weights.
pub struct Estimate<Db>(PhantomData<Db>);

impl<Db: Get<RuntimeDbWeight>> WeightInfo for Estimate<Db> {
    fn register() -> Weight {
        cost::<Db>(60, 4, 4)
    }
    fn offer() -> Weight {
        cost::<Db>(150, 2, 1)
    }
    fn add_stake() -> Weight {
        cost::<Db>(60, 4, 4)
    }
    fn unstake() -> Weight {
        cost::<Db>(50, 3, 3)
    }
    fn withdraw() -> Weight {
        cost::<Db>(60, 4, 4)
    }
    fn open_task(w: u32) -> Weight {
        cost::<Db>(150, 6, 7).saturating_add(each(w, 10_000))
    }
    fn top_up() -> Weight {
        cost::<Db>(90, 6, 5)
    }
    fn close_task() -> Weight {
        cost::<Db>(110, 5, 5)
    }
    fn commit() -> Weight {
        cost::<Db>(90, 11, 5)
    }
    fn reveal(d: u32) -> Weight {
        cost::<Db>(120, 9, 9).saturating_add(each(d, 250_000))
    }
    fn publish_shard(r: u32) -> Weight {
        cost::<Db>(4_000, 3, 3).saturating_add(each(r, 20_000))
    }
    fn commit_attestation() -> Weight {
        cost::<Db>(150, 3, 2)
    }
    fn reveal_attestation() -> Weight {
        cost::<Db>(260, 4, 3)
    }
    fn claim(n: u32) -> Weight {
        let round = cost::<Db>(250, 11, 10);
        round.saturating_mul(u64::from(n).max(1))
    }
    fn answer_audits(b: u32) -> Weight {
        cost::<Db>(500, 21, 3).saturating_add(each(b, 20_000))
    }
    fn release() -> Weight {
        cost::<Db>(150, 8, 7)
    }
    fn forfeit() -> Weight {
        cost::<Db>(150, 8, 8)
    }
    fn publish_credits(n: u32) -> Weight {
        let credit = cost::<Db>(120, 3, 1);
        cost::<Db>(60, 1, 0).saturating_add(credit.saturating_mul(n.into()))
    }
    fn look() -> Weight {
        cost::<Db>(15, 4, 0)
    }
    fn end_commit(s: u32) -> Weight {
        let submission = cost::<Db>(60, 3, 3);
        cost::<Db>(2_200, 272, 11).saturating_add(submission.saturating_mul(s.into()))
    }
    fn end_reveal(s: u32) -> Weight {
        let submission = cost::<Db>(60, 3, 3);
        cost::<Db>(1_000, 9, 6).saturating_add(submission.saturating_mul(s.into()))
    }
    fn draw() -> Weight {
        cost::<Db>(2_200, 272, 4)
    }
    fn end_phase() -> Weight {
        cost::<Db>(2_000, 78, 78)
    }
    fn settle() -> Weight {
        cost::<Db>(1_000, 58, 42)
    }
    fn redraw() -> Weight {
        cost::<Db>(6_000, 310, 60)
    }
    fn convict() -> Weight {
        cost::<Db>(250, 26, 9)
    }
}

/// `microseconds` of work and this many reads and writes.
fn cost<Db: Get<RuntimeDbWeight>>(microseconds: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(microseconds.saturating_mul(1_000_000), 0)
        .saturating_add(Db::get().reads_writes(reads, writes))
}

/// `picoseconds` for each of `count`.
fn each(count: u32, picoseconds: u64) -> Weight {
    Weight::from_parts(u64::from(count).saturating_mul(picoseconds), 0)
}
