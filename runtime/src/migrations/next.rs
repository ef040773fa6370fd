//! The migration of a future release, which stands for whatever that will change. It is in no Wasm that is shipped: tests upgrade
//! chains to one that has it, compiled with the feature `next` (tests/build.rs), and check that everything continues.
//!
//! With that feature `spec_version` and `transaction_version` are one higher, because all signed transactions have other bytes: see
//! [`TxExtension`]. Nothing else differs.

use frame_support::{
    migrations::VersionedMigration, traits::UncheckedOnRuntimeUpgrade, weights::Weight,
};
use pallet_referee::NextDispute;

use crate::{Referee, Runtime};

/// What a transaction carries besides its call: everything that it carries today, except the byte of `CheckMetadataHash`. So each
/// call begins at another place, and a client that reads old blocks with the types of this runtime finds nothing in them.
#[cfg(feature = "next")]
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    crate::fees::ChargeWhoCanPay,
    frame_system::WeightReclaim<Runtime>,
);

type DbWeight = <Runtime as frame_system::Config>::DbWeight;

/// Leaves out the id of one dispute, once: nobody misses it, and everybody can see it.
pub type LeaveOutDispute = VersionedMigration<2, 3, Unversioned, Referee, DbWeight>;

/// Does it whatever the version is; only [`LeaveOutDispute`] may use it.
pub struct Unversioned;

impl UncheckedOnRuntimeUpgrade for Unversioned {
    fn on_runtime_upgrade() -> Weight {
        let id = NextDispute::<Runtime>::get();
        NextDispute::<Runtime>::put(id.next().unwrap_or(id));
        DbWeight::get().reads_writes(1, 1)
    }
}
