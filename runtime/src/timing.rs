//! Which blocks count as time.
//!
//! Full blocks do not. An attacker who fills them can keep others from acting for a while, but cannot make them miss a deadline.
//!
//! Up to `spec_version` 6 the slot and the epoch length were stored here; now they are fixed in the code: see [`crate::pace`].

#![deny(missing_docs)]

use frame_support::{
    migrations::RemoveStorage, parameter_types, weights::constants::ParityDbWeight,
};

pub use pallet::*;

parameter_types! {
    /// The prefix of this pallet's storage.
    pub const Prefix: &'static str = "Timing";
    /// Where the slot length was.
    pub const SlotMillis: &'static str = "SlotMillis";
    /// Where the epoch length was.
    pub const EpochSlots: &'static str = "EpochSlots";
}

/// Removes the pace that was stored up to `spec_version` 6. Does nothing the second time.
pub type WithoutStoredPace = (
    RemoveStorage<Prefix, SlotMillis, ParityDbWeight>,
    RemoveStorage<Prefix, EpochSlots, ParityDbWeight>,
);

#[frame_support::pallet]
pub mod pallet {
    use frame_support::{dispatch::DispatchClass, pallet_prelude::*, traits::Get};
    use frame_system::pallet_prelude::*;
    use sp_runtime::{Perbill, SaturatedConversion};

    /// A block that is used up to this share has room for any call with a deadline.
    pub const FULL: Perbill = Perbill::from_percent(85);

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// The number of blocks so far that were full.
    #[pallet::storage]
    #[pallet::whitelist_storage]
    pub type FullBlocks<T> = StorageValue<_, u32, ValueQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            // The weight of what the end of the block does.
            T::DbWeight::get().reads_writes(1, 1)
        }

        // Nothing uses the block after this, and what it used is not yet forgotten.
        fn on_finalize(_now: BlockNumberFor<T>) {
            if Self::fullness() > FULL {
                FullBlocks::<T>::mutate(|full| *full = full.saturating_add(1));
            }
        }
    }

    impl<T: Config> Pallet<T> {
        /// The time: the number of the block, minus the number of full blocks before it.
        pub fn calm_time() -> u32 {
            let number: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
            number.saturating_sub(FullBlocks::<T>::get())
        }

        /// How much of the room for ordinary transactions in this block is used: of execution time or of length, whichever is more.
        /// Whatever hooks and others use leaves less room for them.
        pub fn fullness() -> Perbill {
            let used = frame_system::Pallet::<T>::block_weight();
            let limits = T::BlockWeights::get();
            let normal = limits.get(DispatchClass::Normal).max_total;
            let most = normal.unwrap_or(limits.max_block).ref_time();
            let free = most
                .saturating_sub(used.get(DispatchClass::Normal).ref_time())
                .min(limits.max_block.saturating_sub(used.total()).ref_time());
            let time = Perbill::from_rational(most.saturating_sub(free), most);

            let longest = *T::BlockLength::get().max.get(DispatchClass::Normal);
            let length = frame_system::Pallet::<T>::block_size();
            time.max(Perbill::from_rational(length, longest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FullBlocks, WithoutStoredPace};
    use crate::{
        configs::{RuntimeBlockLength, RuntimeBlockWeights},
        presets, BlockNumber, Runtime, System, Timing, TransactionPayment,
    };
    use frame_support::{
        dispatch::DispatchClass,
        storage::{storage_prefix, unhashed},
        traits::{OnFinalize, OnRuntimeUpgrade},
        weights::Weight,
    };
    use frame_system::BlockSize;
    use pallet_transaction_payment::{Multiplier, MultiplierUpdate, NextFeeMultiplier};
    use sp_genesis_builder::DEV_RUNTIME_PRESET;
    use sp_runtime::{traits::One, BuildStorage, FixedPointNumber, Perbill};

    fn execute(test: impl FnOnce()) {
        let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
        let storage = genesis.build_storage().expect("the genesis builds");
        sp_io::TestExternalities::from(storage).execute_with(test);
    }

    /// Starts the next block; returns the time in it.
    fn start() -> BlockNumber {
        let number = System::block_number() + 1;
        System::initialize(&number, &Default::default(), &Default::default());
        Timing::calm_time()
    }

    fn end() {
        let number = System::block_number();
        Timing::on_finalize(number);
        TransactionPayment::on_finalize(number);
    }

    fn normal_weight() -> Weight {
        let limits = RuntimeBlockWeights::get();
        let normal = limits.get(DispatchClass::Normal).max_total;
        normal.expect("normal transactions have a limit")
    }

    /// Uses `percent` of the weight that ordinary transactions may take.
    fn fill(percent: u32) {
        let weight = Perbill::from_percent(percent) * normal_weight();
        System::register_extra_weight_unchecked(weight, DispatchClass::Normal);
    }

    /// The same for the length.
    fn lengthen(percent: u32) {
        let longest = *RuntimeBlockLength::get().max.get(DispatchClass::Normal);
        BlockSize::<Runtime>::put(Perbill::from_percent(percent) * longest);
    }

    /// Makes `count` blocks, each filled by `fill`.
    fn blocks(count: u32, fill: impl Fn()) {
        for _ in 0..count {
            start();
            fill();
            end();
        }
    }

    #[test]
    fn the_stored_pace_goes() {
        execute(|| {
            FullBlocks::<Runtime>::put(7);
            for name in [&b"SlotMillis"[..], b"EpochSlots"] {
                unhashed::put(&storage_prefix(b"Timing", name), &6_000u64);
            }
            WithoutStoredPace::on_runtime_upgrade();
            for name in [&b"SlotMillis"[..], b"EpochSlots"] {
                assert!(!unhashed::exists(&storage_prefix(b"Timing", name)));
            }
            assert_eq!(FullBlocks::<Runtime>::get(), 7);
        });
    }

    #[test]
    fn time_stands_still_while_blocks_are_full() {
        execute(|| {
            assert_eq!(start(), 1);
            end();
            assert_eq!(start(), 2);
            fill(84);
            end();
            assert_eq!(start(), 3);
            fill(86);
            end();
            assert_eq!(start(), 3);
            lengthen(84);
            end();
            assert_eq!(start(), 4);
            lengthen(86);
            end();
            assert_eq!(start(), 4);
            end();
            assert_eq!((start(), System::block_number()), (5, 7));
        });
    }

    #[test]
    fn what_others_take_fills_a_block_too() {
        execute(|| {
            let limits = RuntimeBlockWeights::get();
            let take = |class, weight| System::register_extra_weight_unchecked(weight, class);
            start();
            take(DispatchClass::Mandatory, limits.max_block / 2);
            end();
            assert_eq!(start(), 2);
            take(DispatchClass::Mandatory, limits.max_block / 2);
            take(DispatchClass::Normal, limits.max_block / 5 * 2);
            end();
            assert_eq!(start(), 2);
            take(DispatchClass::Operational, limits.max_block);
            end();
            assert_eq!(start(), 2);
        });
    }

    #[test]
    fn fees_are_constant_until_blocks_are_full_and_fall_back() {
        execute(|| {
            type Fees = <Runtime as pallet_transaction_payment::Config>::FeeMultiplierUpdate;
            let multiplier = NextFeeMultiplier::<Runtime>::get;
            let fee_of_length = || TransactionPayment::length_to_fee(1_000);
            let calm = fee_of_length();
            for percent in [0, 30, 50] {
                blocks(50, || fill(percent));
                assert_eq!(multiplier(), One::one());
            }
            let fillings: [fn(); 2] = [|| fill(100), || lengthen(100)];
            for full in fillings {
                blocks(13, full);
                assert!(
                    multiplier() > Multiplier::from_rational(19, 10),
                    "{}",
                    multiplier()
                );
                assert!(
                    multiplier() < Multiplier::from_rational(22, 10),
                    "{}",
                    multiplier()
                );
                assert_eq!(fee_of_length(), multiplier().saturating_mul_int(calm));
                blocks(14, || {});
                assert_eq!(multiplier(), One::one());
                assert_eq!(fee_of_length(), calm);
            }
            blocks(500, || fill(100));
            assert_eq!(multiplier(), Fees::max());
        });
    }
}
