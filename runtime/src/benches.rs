//! The pallets that `gotong-node benchmark pallet` can measure.

use crate::Runtime;
use gotong_protocol::{RoundFacts, RoundId, TableSummary, TaskId};
use pallet_contribution::benchmarking::put_challenged_round;

frame_benchmarking::define_benchmarks!(
    [frame_benchmarking, BaselineBench::<Runtime>]
    [frame_system, SystemBench::<Runtime>]
    [frame_system_extensions, SystemExtensionsBench::<Runtime>]
    [pallet_timestamp, Timestamp]
    [pallet_balances, Balances]
    [pallet_transaction_payment, TransactionPayment]
    [pallet_utility, Utility]
    [pallet_multisig, Multisig]
    [pallet_proxy, Proxy]
    [pallet_sudo, Sudo]
    [pallet_collective, Council]
    [authorities, Authorities]
    [governance, Governance]
    [pallet_contribution, Contribution]
    [pallet_referee, Referee]
);

/// Puts the rounds that the referee is measured on into the contribution pallet.
pub struct RealRound;

impl pallet_referee::benchmarking::BenchmarkHelper<crate::AccountId> for RealRound {
    fn put_round(
        facts: &RoundFacts,
        accused: &crate::AccountId,
        table: &TableSummary,
    ) -> (TaskId, RoundId) {
        put_challenged_round::<Runtime>(facts, accused, table)
    }
}
