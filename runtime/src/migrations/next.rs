//! The migration of a release to come, which stands for whatever that will change. It is in no Wasm that is shipped: tests
//! upgrade chains to one that has it, compiled with the feature `next` (tests/build.rs), and see that all goes on.
//!
//! With that feature `spec_version` is one higher, and nothing else differs.

use frame_support::{
    migrations::VersionedMigration, traits::UncheckedOnRuntimeUpgrade, weights::Weight,
};
use pallet_referee::NextDispute;

use crate::{Referee, Runtime};

type DbWeight = <Runtime as frame_system::Config>::DbWeight;

/// Leaves out the id of one dispute, once: nobody misses it, and everybody can see it.
pub type LeaveOutDispute = VersionedMigration<2, 3, Unversioned, Referee, DbWeight>;

/// Does it whatever the version; only [`LeaveOutDispute`] may.
pub struct Unversioned;

impl UncheckedOnRuntimeUpgrade for Unversioned {
    fn on_runtime_upgrade() -> Weight {
        let id = NextDispute::<Runtime>::get();
        NextDispute::<Runtime>::put(id.next().unwrap_or(id));
        DbWeight::get().reads_writes(1, 1)
    }
}
