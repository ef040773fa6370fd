//! Benchmarks about rounds of the real court.

use super::chain::*;
use crate::benchmarking::BenchmarkHelper;
use gotong_protocol::{RoundFacts, RoundId, TableSummary, TaskId};
use pallet_contribution::benchmarking::put_challenged_round;

/// Puts rounds into the contribution pallet.
pub struct RealRound;

impl BenchmarkHelper<AccountId> for RealRound {
    fn put_round(
        facts: &RoundFacts,
        accused: &AccountId,
        table: &TableSummary,
    ) -> (TaskId, RoundId) {
        let (task, round) = put_challenged_round::<Real>(facts, accused, table);
        assert_eq!(Contribution::facts(task, round).as_ref(), Some(facts));
        (task, round)
    }
}
