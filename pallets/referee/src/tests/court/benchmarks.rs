//! Benchmarks about rounds of the real court.

use super::chain::*;
use crate::benchmarking::BenchmarkHelper;
use codec::Encode;
use frame_support::{assert_ok, BoundedVec};
use gotong_protocol::{Opening, Phase, Roles, RoundId, SeatState, TaskId};
use gotong_scoring::trial::Case;
use pallet_contribution::{
    attestation::{RevealedTable, Seat},
    rounds::{Inputs, Shard},
    Graphs, NextTask, Rounds, Tasks,
};

/// Puts rounds into the contribution pallet.
pub struct RealRound;

impl BenchmarkHelper<AccountId> for RealRound {
    fn put_round(case: &Case, accused: &AccountId, opening: &Opening) -> (TaskId, RoundId) {
        let stake = MinAttesterStake::get();
        assert_ok!(Contribution::register(
            signed(accused),
            Roles::ATTESTER,
            stake
        ));
        let (task, round_id) = (NextTask::<Real>::get(), RoundId(0));
        // A small task, of which everything is replaced that the case is about.
        let weights = vec![0; 2 * super::graph().parameters()];
        assert_ok!(Contribution::open_task(
            signed(&super::sponsor()),
            super::terms(),
            super::graph().encode().try_into().unwrap(),
            weights.try_into().unwrap(),
            super::terms().cap_per_round,
        ));
        Graphs::<Real>::insert(task, BoundedVec::truncate_from(case.graph.encode()));
        Tasks::<Real>::mutate(task, |task| {
            let terms = &mut task.as_mut().unwrap().terms;
            terms.rules = case.rules;
            terms.shard_samples = case.samples;
        });
        Rounds::<Real>::mutate(task, round_id, |round| {
            let round = round.as_mut().unwrap();
            round.phase = Phase::Challenge;
            round.ends_at = u32::MAX;
            round.base_root = case.base_root;
            round.shard = Some(Shard {
                index: 0,
                published_at: 0,
                key: case.shard_key,
                root: case.shard_root,
            });
            round.reveals = case.reveals;
            round.inputs = Some(Inputs {
                reveals_root: case.reveals_root,
                median_norm: case.median_norm,
            });
            let seat = Seat {
                account: accused.clone(),
                stake,
                state: SeatState::Sitting,
                commitment: Some([1; 32]),
                revealed: Some(RevealedTable {
                    opening: opening.clone(),
                    work_root: [2; 32],
                }),
                audited: true,
                fee: 0,
            };
            round.seats = BoundedVec::truncate_from(vec![seat]);
        });
        assert_eq!(Contribution::case(task, round_id).as_ref(), Some(case));
        (task, round_id)
    }
}
