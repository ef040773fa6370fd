//! Migrations of the storage, one for each storage version. The runtime runs them when it is upgraded.

use crate::{Config, Pallet};
use frame_support::{migrations::VersionedMigration, traits::Get, weights::Weight};

/// From version 8 to 9: the name of a task is text instead of 32 padded bytes.
///
/// It reads and writes every task once, all in one block, however much that takes: see [`v8_to_v9_weight`]. Nothing bounds how many
/// tasks there are, and each costs little more than the fee of `open_task`. The runtime's tests say how many fit into a block.
pub type V8ToV9<T> = VersionedMigration<
    8,
    9,
    names_as_text::NamesAsText<T>,
    Pallet<T>,
    <T as frame_system::Config>::DbWeight,
>;

/// The weight of [`V8ToV9`] for this number of tasks, not counting the check of the version.
///
/// By hand: the number of database accesses, and for everything else 10 µs per task, which is on the high side.
pub fn v8_to_v9_weight<T: Config>(tasks: u64) -> Weight {
    // First every key is found, and the end of the keys is reached; then every task is read and written.
    let reads = tasks.saturating_mul(2).saturating_add(1);
    Weight::from_parts(10_000_000, 0)
        .saturating_mul(tasks)
        .saturating_add(T::DbWeight::get().reads_writes(reads, tasks))
}

mod names_as_text {
    use super::v8_to_v9_weight;
    use crate::{Config, Tasks};
    use alloc::vec::Vec;
    use codec::{Decode, Encode};
    use core::marker::PhantomData;
    use frame_support::{storage::unhashed, traits::UncheckedOnRuntimeUpgrade, weights::Weight};
    use gotong_protocol::{TaskId, TaskName};
    #[cfg(feature = "try-runtime")]
    use sp_runtime::TryRuntimeError;

    /// Migrates without checking the version. Only [`super::V8ToV9`] may use it.
    pub struct NamesAsText<T>(PhantomData<T>);

    impl<T: Config> UncheckedOnRuntimeUpgrade for NamesAsText<T> {
        fn on_runtime_upgrade() -> Weight {
            let ids: Vec<TaskId> = Tasks::<T>::iter_keys().collect();
            for id in &ids {
                let key = Tasks::<T>::hashed_key_for(id);
                let stored = unhashed::get_raw(&key).unwrap_or_default();
                // Every stored task has a sponsor and a name. An entry without them would stay as it is.
                if let Some(bytes) = renamed::<T>(&stored) {
                    unhashed::put_raw(&key, &bytes);
                }
            }
            v8_to_v9_weight::<T>(ids.len() as u64)
        }

        #[cfg(feature = "try-runtime")]
        fn pre_upgrade() -> Result<Vec<u8>, TryRuntimeError> {
            Ok((Tasks::<T>::iter_keys().count() as u64).encode())
        }

        #[cfg(feature = "try-runtime")]
        fn post_upgrade(before: Vec<u8>) -> Result<(), TryRuntimeError> {
            let before = u64::decode(&mut &before[..]).map_err(|_| "no count of tasks")?;
            let named = Tasks::<T>::iter_values().filter(|task| task.terms.name.as_str().is_some());
            match named.count() as u64 == before {
                true => Ok(()),
                false => Err("a task has lost its name".into()),
            }
        }
    }

    /// A stored task begins with its sponsor and its name; what follows stays as it is.
    fn renamed<T: Config>(mut bytes: &[u8]) -> Option<Vec<u8>> {
        let sponsor = T::AccountId::decode(&mut bytes).ok()?;
        let name = TaskName::from_padded(Decode::decode(&mut bytes).ok()?);
        let mut renamed = (sponsor, name).encode();
        renamed.extend_from_slice(bytes);
        Some(renamed)
    }
}
