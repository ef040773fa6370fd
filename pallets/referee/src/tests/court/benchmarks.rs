//! Benchmarks about rounds of the real court.

use super::chain::*;
use crate::benchmarking::BenchmarkHelper;
use gotong_protocol::{Opening, RoundId, TaskId};
use gotong_scoring::trial::Case;
use pallet_contribution::benchmarking::put_challenged_round;

/// Puts rounds into the contribution pallet.
pub struct RealRound;

impl BenchmarkHelper<AccountId> for RealRound {
    fn put_round(case: &Case, accused: &AccountId, opening: &Opening) -> (TaskId, RoundId) {
        let (task, round) = put_challenged_round::<Real>(case, accused, opening);
        assert_eq!(Contribution::case(task, round).as_ref(), Some(case));
        (task, round)
    }
}
