//! What calls and hooks cost at their worst: a full registry and schedule, the call that completes
//! its phase, 1024 submissions, 16 seats, all of which stand if any can, the longest bytes. (A
//! round with the longest deltas has fewer submissions.)

#![allow(clippy::float_arithmetic)] // FRAME expands to it.

mod fixture;

pub use fixture::put_challenged_round;

use crate::{
    attestation::{Attestation, Seat},
    ledgers::{Account, Ledgers},
    offers::Offers,
    rounds::{Draw, Rounds, Shard},
    stakes::Stakes,
    submissions::Submissions,
    tasks::Tasks,
    *,
};
use alloc::{boxed::Box, vec, vec::Vec};
use codec::Encode;
use fixture::{
    challenge, fill_registry, fill_schedule, funded, model, open, open_with, opened, seats,
    settled, submission, table, terms, with_round, CAP, ENTRANTS, PASSES, POOL, ROUND, SALT,
    SAMPLES, SHARDS, STAKE, WORK_ROOT,
};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{fungible::Mutate, Get},
    BoundedVec,
};
use frame_system::RawOrigin;
use gotong_protocol::{
    attestation_commitment, bounds, submission_commitment, AuditAnswer, ClaimItem, Court, Delta,
    Outcome, Phase, Roles, RoundId, SeatState, TaskId, TaskState,
};
use gotong_scoring::{audits, shard_root, work_root, Audited, Entry, Tree};

/// Most bytes of the answer to an audit, besides the rows of its entrant.
const ANSWER_BYTES: u32 = 2_614;
/// A row with all of its parts.
const ROW_BYTES: u32 = 161;
/// An answer may be shorter by this many bytes, because proofs of the last leaves are shorter.
const SHORTER: u32 = 700;

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register() {
        fill_registry::<T>(1);
        let who = funded::<T>("who", 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), Roles::BOTH, STAKE);

        assert!(Registrations::<T>::contains_key(who));
    }

    #[benchmark]
    fn offer() -> Result<(), BenchmarkError> {
        fill_registry::<T>(0);
        let who = funded::<T>("who", 0);
        Stakes::<T>::register(who.clone(), Roles::BOTH, 2 * STAKE)?;
        let most = fixture::offer();

        #[extrinsic_call]
        _(
            RawOrigin::Signed(who.clone()),
            most.seats,
            most.capacity,
            most.sealed,
            most.tasks,
        );

        assert!(Offers::<T>::of(&who).is_some());
        Ok(())
    }

    #[benchmark]
    fn add_stake() {
        let who = fixture::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), STAKE);

        let stake = Registrations::<T>::get(who).map(|one| one.stake);
        assert_eq!(stake, Some(2 * STAKE));
    }

    #[benchmark]
    fn unstake() {
        let who = fixture::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), STAKE);

        assert_eq!(Registrations::<T>::get(who).map(|one| one.stake), Some(0));
    }

    #[benchmark]
    fn withdraw() -> Result<(), BenchmarkError> {
        let who = fixture::register::<T>("who", 1).remove(0);
        fill_registry::<T>(0);
        Stakes::<T>::unstake(who.clone(), STAKE)?;
        frame_system::Pallet::<T>::set_block_number((T::UnbondingBlocks::get() + 1).into());

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(!Registrations::<T>::contains_key(who));
        Ok(())
    }

    /// Without a recipe, because its bytes count as bytes of weights.
    #[benchmark]
    fn open_task(w: Linear<256, { bounds::MAX_WEIGHT_BYTES }>) {
        fill_schedule::<T>(1);
        let sponsor = funded::<T>("sponsor", 0);
        // 128 bytes of weights for each input, and as many for the biases.
        let (graph, weights) = model(w / 128 - 1);
        let graph = BoundedVec::truncate_from(graph.encode());
        let weights = BoundedVec::truncate_from(weights);
        let terms = terms::<T>([1; 32], SAMPLES);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(sponsor),
            Box::new(terms),
            graph,
            weights,
            BoundedVec::default(),
            POOL,
        );

        assert_eq!(NextTask::<T>::get(), TaskId(1));
    }

    #[benchmark]
    fn top_up() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let mut task = opened::<T>(id)?;
        task.state = TaskState::Paused;
        task.purse.pool = 0;
        Tasks::<T>::put(id, &task);
        Rounds::<T>::delist(id);

        #[extrinsic_call]
        _(RawOrigin::Signed(task.sponsor.clone()), id, POOL);

        assert_eq!(opened::<T>(id)?.round, RoundId(1));
        Ok(())
    }

    #[benchmark]
    fn close_task() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let sponsor = opened::<T>(id)?.sponsor;

        #[extrinsic_call]
        _(RawOrigin::Signed(sponsor), id);

        assert_eq!(opened::<T>(id)?.state, TaskState::Closed);
        Ok(())
    }

    #[benchmark]
    fn commit() {
        let id = open::<T>();
        let who = fixture::register::<T>("who", 1).remove(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), id, ROUND, [1; 32]);

        assert!(Submissions::<T>::get(id, ROUND, &who).is_some());
    }

    #[benchmark]
    fn reveal(d: Linear<256, { bounds::MAX_DELTA_BYTES }>) -> Result<(), BenchmarkError> {
        let id = open_with::<T>(bounds::MAX_RECORD_BYTES - 1, [1; 32], SAMPLES);
        crate::Tasks::<T>::mutate_extant(id, |task| {
            task.terms.delta_bytes = bounds::MAX_DELTA_BYTES;
        });
        let who = fixture::register::<T>("who", 1).remove(0);
        // Four entries per byte, the most that there can be, less what chunks take for themselves.
        let entry = |position| Entry {
            position,
            change: 1,
        };
        let entries = (0..(d - d / 300 - 140) * 4).map(entry).collect();
        let delta = Delta::new(1 << 20, entries)
            .map_err(|_| "a delta")?
            .encode();
        assert!(delta.len() <= d as usize && delta.len() + 300 >= d as usize);
        let hash = Delta::hash_of(&delta);
        let commitment = submission_commitment(id, ROUND, &who.clone().into(), &hash, &SALT);
        Submissions::<T>::commit(who.clone(), id, ROUND, commitment)?;
        with_round::<T>(id, |round| round.phase = Phase::Reveal);
        let delta = BoundedVec::truncate_from(delta);
        // An earlier round, in which it revealed and which it has not claimed, names this one.
        let before = RoundId(u32::MAX);
        Submissions::<T>::put(id, before, &who, &submission(0, 0, true));
        let account = Account {
            next: Some(before),
            last: before,
            ..Account::default()
        };
        Ledgers::<T>::put(id, &who, &account);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), id, ROUND, delta, SALT);

        let named = Submissions::<T>::get(id, before, &who).and_then(|one| one.next);
        assert_eq!(named, Some(ROUND));
        Ok(())
    }

    #[benchmark]
    fn publish_shard(r: Linear<8_192, { bounds::MAX_SHARD_BYTES }>) -> Result<(), BenchmarkError> {
        let record_bytes = r / bounds::MAX_SHARD_SAMPLES;
        let records = vec![0; (record_bytes * bounds::MAX_SHARD_SAMPLES) as usize];
        let root = shard_root(&SALT, record_bytes as usize, &records).map_err(|_| "a shard")?;
        let tree = Tree::of(vec![root; SHARDS as usize]);
        let proof = tree.prove(0).ok_or("a leaf")?;
        let id = open_with::<T>(
            record_bytes - 1,
            tree.root().hash,
            bounds::MAX_SHARD_SAMPLES,
        );
        with_round::<T>(id, |round| {
            round.phase = Phase::Reveal;
            (round.commits, round.reveals) = (1, 1);
        });
        let sponsor = opened::<T>(id)?.sponsor;
        let records = BoundedVec::truncate_from(records);

        #[extrinsic_call]
        _(RawOrigin::Signed(sponsor), id, ROUND, SALT, records, proof);

        assert_eq!(opened::<T>(id)?.next_shard, 1);
        Ok(())
    }

    #[benchmark]
    fn commit_attestation() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestCommit;
            round.seed = Some(SALT);
            let claimed = table(1, SAMPLES).summary().claim(&round.base_root);
            round.seats = seats::<T>(&attesters, [1; 32], Some(claimed));
            if let Some(seat) = round.seats.last_mut() {
                (seat.commitment, seat.revealed) = (None, None);
            }
        });
        let who = attesters.last().ok_or("a seat")?.clone();
        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        let inputs = round.inputs(id, ROUND);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, [2; 32], inputs);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.commitment.is_some()));
        Ok(())
    }

    #[benchmark]
    fn reveal_attestation() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let who = attesters.last().ok_or("a seat")?.clone();
        let table = table(PASSES, SAMPLES).summary();
        let claimed = table.claim(&opened::<T>(id)?.master_root);
        let account = who.clone().into();
        let commitment = attestation_commitment(id, ROUND, &account, &claimed, &WORK_ROOT, &SALT);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestReveal;
            round.reveals = ENTRANTS;
            round.seats = seats::<T>(&attesters, commitment, Some(claimed));
            if let Some(seat) = round.seats.last_mut() {
                seat.revealed = None;
            }
        });
        let table = Box::new(table);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, table, WORK_ROOT, SALT);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.revealed.is_some()));
        Ok(())
    }

    /// Each belongs to a different task, which resumes because of it while there are places.
    #[benchmark]
    fn claim(n: Linear<1, { bounds::MAX_CLAIMS }>) -> Result<(), BenchmarkError> {
        let table = table(1, SAMPLES);
        let (summary, proof) = (table.summary(), table.prove_credit(ENTRANTS - 1));
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let who = funded::<T>("who", 0);
        let items = (0..n).map(|index| ClaimItem {
            task: settled::<T>(index, &who, &attesters, &summary),
            round: ROUND,
            proof: proof.clone(),
        });
        let items = BoundedVec::truncate_from(items.collect());
        fill_schedule::<T>(n);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), items);

        for index in 0..n {
            let submission = Submissions::<T>::get(TaskId(index), ROUND, &who);
            let claimed = submission.and_then(|one| one.claimed);
            assert!(claimed.is_some_and(|one| one.paid > 0));
        }
        assert_eq!(opened::<T>(TaskId(0))?.round, RoundId(1));
        Ok(())
    }

    /// A paused task resumes because of it.
    #[benchmark]
    fn release() -> Result<(), BenchmarkError> {
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let who = funded::<T>("who", 0);
        let id = settled::<T>(0, &who, &attesters, &table(1, SAMPLES).summary());
        fill_schedule::<T>(1);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND);

        assert_eq!(opened::<T>(id)?.round, RoundId(1));
        Ok(())
    }

    /// A paused task resumes because of it.
    #[benchmark]
    fn forfeit() -> Result<(), BenchmarkError> {
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let who = funded::<T>("who", 0);
        let id = settled::<T>(0, &who, &attesters, &table(1, SAMPLES).summary());
        fill_schedule::<T>(1);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND);

        assert_eq!(opened::<T>(id)?.round, RoundId(1));
        Ok(())
    }

    #[benchmark]
    fn publish_credits(n: Linear<1, { bounds::MAX_PUBLISHED }>) {
        let (who, id, proofs) = fixture::unpublished::<T>(n);

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, proofs);

        assert_eq!(Credits::<T>::iter_keys().count(), n as usize);
    }

    /// Audits of entrants with as many rows as this many bytes can hold, in the deepest trees.
    #[benchmark]
    fn answer_audits(
        b: Linear<
            { bounds::AUDITS * (ANSWER_BYTES + 2 * ROW_BYTES) },
            { bounds::AUDITS * (ANSWER_BYTES + (PASSES + 1) * ROW_BYTES) },
        >,
    ) -> Result<(), BenchmarkError> {
        let samples = bounds::MAX_SHARD_SAMPLES;
        let stages = (b / bounds::AUDITS - ANSWER_BYTES) / ROW_BYTES;
        let id = open_with::<T>(1, [1; 32], samples);
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let who = attesters.last().ok_or("a seat")?.clone();
        let table = table(stages - 1, samples);
        let (account, summary) = (who.clone().into(), table.summary());
        let of = Audited {
            summary: &summary,
            samples,
            entrants: ENTRANTS,
        };
        let answers: Option<Vec<AuditAnswer>> = audits(&SALT, &account, bounds::AUDITS, &of)
            .iter()
            .map(|audit| AuditAnswer::of(audit, &account, &table))
            .collect();
        let answers: AuditAnswers = BoundedVec::truncate_from(answers.ok_or("answers")?);
        challenge::<T>(id, &attesters, &summary);
        with_round::<T>(id, |round| {
            if let Some(seat) = round.seats.last_mut() {
                seat.audited = false;
                if let Some(revealed) = seat.revealed.as_mut() {
                    revealed.work_root = work_root(&account, &table);
                }
            }
        });
        let bytes = answers.encoded_size() as u32;
        assert!(
            bytes <= b && bytes + bounds::AUDITS * SHORTER >= b,
            "{bytes} of {b}"
        );

        #[extrinsic_call]
        _(RawOrigin::Signed(who), id, ROUND, answers);

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(Seat::stands));
        Ok(())
    }

    #[benchmark]
    fn convict() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        let (accused, winner) = (attesters.first().ok_or("a seat")?, funded::<T>("winner", 0));
        fill_registry::<T>(0);
        Stakes::<T>::unstake(accused.clone(), STAKE / 2)?;
        challenge::<T>(id, &attesters, &table(PASSES, SAMPLES).summary());

        let rewarded;
        #[block]
        {
            rewarded = <Pallet<T> as Court<_>>::convict(id, ROUND, accused, &winner);
        }

        assert_eq!(rewarded, STAKE / 2);
        assert!(!Registrations::<T>::contains_key(accused));
        Ok(())
    }

    #[benchmark]
    fn look() {
        open::<T>();

        #[block]
        {
            Rounds::<T>::advance_due();
            Tasks::<T>::close_idle_in_turn();
        }
    }

    #[benchmark]
    fn end_commit(s: Linear<1, { bounds::MAX_SUBMISSIONS }>) -> Result<(), BenchmarkError> {
        let id = open::<T>();
        fill_registry::<T>(0);
        for listed in Attesters::<T>::get() {
            Submissions::<T>::put(id, ROUND, &listed.account, &submission(0, 0, false));
        }
        for index in 0..s {
            let who = funded::<T>("contributor", index);
            asset::Asset::<T>::hold(HoldReason::CommitDeposit, &who, CAP)?;
            Submissions::<T>::put(id, ROUND, &who, &submission(index, CAP, false));
        }
        with_round::<T>(id, |round| round.commits = s);
        let mut task = opened::<T>(id)?;
        task.state = TaskState::Closing;
        Tasks::<T>::put(id, &task);

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        assert_eq!(opened::<T>(id)?.state, TaskState::Closed);
        Ok(())
    }

    #[benchmark]
    fn end_reveal(s: Linear<1, { bounds::MAX_SUBMISSIONS }>) -> Result<(), BenchmarkError> {
        let id = open::<T>();
        fill_registry::<T>(0);
        for index in 0..s {
            let who = funded::<T>("contributor", index);
            asset::Asset::<T>::hold(HoldReason::CommitDeposit, &who, CAP)?;
            // Burning a deposit costs more than a hash of what was revealed.
            let submission = submission(index, CAP, index == 0);
            Submissions::<T>::put(id, ROUND, &who, &submission);
        }
        with_round::<T>(id, |round| {
            round.phase = Phase::Reveal;
            round.commits = s;
            round.reveals = 1;
            round.shard = Some(Shard {
                index: 0,
                published_at: 1,
                key: SALT,
                root: [1; 32],
            });
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert_eq!(round.phase, Phase::AttestCommit);
        Ok(())
    }

    #[benchmark]
    fn draw() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        fill_registry::<T>(0);
        with_round::<T>(id, |round| {
            let task = Tasks::<T>::get(id).expect("it is open");
            let candidates = Attestation::<T>::candidates(id, &task, round);
            Attestation::<T>::begin_draw(id, candidates);
            round.phase = Phase::AttestCommit;
            round.draw = Some(Draw {
                blocks: T::DrawBlocks::get() - 1,
                entropy: SALT,
            });
        });

        #[block]
        {
            Rounds::<T>::advance(id, 1);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.draw.is_none() && round.seed.is_some());
        assert_eq!(round.seats.len() as u32, bounds::MAX_SEATS);
        Ok(())
    }

    #[benchmark]
    fn end_phase() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        fill_registry::<T>(0);
        with_round::<T>(id, |round| {
            round.phase = Phase::AttestReveal;
            round.seats = seats::<T>(&attesters, [1; 32], None);
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        Ok(())
    }

    #[benchmark]
    fn settle() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS);
        challenge::<T>(id, &attesters, &table(PASSES, SAMPLES).summary());

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        assert!(round.seats.iter().all(|seat| seat.fee > 0));
        assert_eq!(Tables::<T>::iter().count(), 0);
        Ok(())
    }

    #[benchmark]
    fn redraw() -> Result<(), BenchmarkError> {
        let id = open::<T>();
        // One seat is free, for which nobody is found.
        let attesters = fixture::register::<T>("attester", bounds::MAX_SEATS - 1);
        fill_registry::<T>(0);
        for listed in Attesters::<T>::get() {
            Submissions::<T>::put(id, ROUND, &listed.account, &submission(0, 0, false));
        }
        challenge::<T>(id, &attesters, &table(PASSES, SAMPLES).summary());
        with_round::<T>(id, |round| {
            round.seats.iter_mut().for_each(|seat| seat.audited = false);
        });

        #[block]
        {
            Rounds::<T>::advance(id, u32::MAX / 2);
        }

        let round = Rounds::<T>::get(id, ROUND).ok_or("a round")?;
        let unaudited = |seat: &Seat<_>| seat.state == SeatState::Unaudited;
        assert!(round.seats.iter().all(unaudited));
        assert_eq!(round.redraws, bounds::MAX_REDRAWS);
        assert_eq!(round.outcome, Some(Outcome::Unattested));
        Ok(())
    }

    impl_benchmark_test_suite!(
        Pallet,
        crate::mock::ExtBuilder::default().build(),
        crate::mock::Test
    );
}
