//! The pace of a chain: how long a slot lasts, how many slots make an epoch, and which blocks count
//! as time.
//!
//! BABE takes slot and epoch as constants of the runtime. Here they are constants of the *chain*
//! instead, written at genesis, so that one Wasm runs a development chain with a block every second
//! and any other chain with a block every six. Nothing can change them afterwards: BABE derives the
//! current slot and epoch from them, so a change would halt block production.
//!
//! Full blocks do not count as time: who fills them keeps others from acting, but not from acting in
//! time.

#![deny(missing_docs)]

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use frame_support::{dispatch::DispatchClass, pallet_prelude::*, traits::Get};
    use frame_system::pallet_prelude::*;
    use sp_runtime::{Perbill, SaturatedConversion};

    /// A block used up to this share has room for any call that has to come in time.
    pub const FULL: Perbill = Perbill::from_percent(85);

    /// Slot length of a genesis that does not say otherwise.
    #[pallet::type_value]
    pub fn DefaultSlotMillis() -> u64 {
        6_000
    }

    /// Epoch length of a genesis that does not say otherwise.
    #[pallet::type_value]
    pub fn DefaultEpochSlots() -> u64 {
        20
    }

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// Length of a slot, in milliseconds.
    #[pallet::storage]
    pub type SlotMillis<T> = StorageValue<_, u64, ValueQuery, DefaultSlotMillis>;

    /// Length of an epoch, in slots.
    #[pallet::storage]
    pub type EpochSlots<T> = StorageValue<_, u64, ValueQuery, DefaultEpochSlots>;

    /// How many of the blocks so far were full.
    #[pallet::storage]
    #[pallet::whitelist_storage]
    pub type FullBlocks<T> = StorageValue<_, u32, ValueQuery>;

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            // What the end of the block takes.
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
        /// The time: the number of the block, less the blocks before it that were full.
        pub fn calm_time() -> u32 {
            let number: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
            number.saturating_sub(FullBlocks::<T>::get())
        }

        /// The share that is used of what ordinary transactions may take of this block: of execution
        /// time or of length, whichever is more. What hooks and others take leaves them less.
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

    #[pallet::genesis_config]
    pub struct GenesisConfig<T> {
        /// Length of a slot, in milliseconds: even, and not zero.
        pub slot_millis: u64,
        /// Length of an epoch, in slots: not zero.
        pub epoch_slots: u64,
        /// Nothing; the type needs it.
        #[serde(skip)]
        pub _config: PhantomData<T>,
    }

    impl<T> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slot_millis: DefaultSlotMillis::get(),
                epoch_slots: DefaultEpochSlots::get(),
                _config: PhantomData,
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            // Timestamp is configured with half a slot, so the slot must be even.
            assert!(
                self.slot_millis > 0 && self.slot_millis.is_multiple_of(2),
                "the slot length must be even and not zero"
            );
            assert!(self.epoch_slots > 0, "the epoch length must not be zero");
            SlotMillis::<T>::put(self.slot_millis);
            EpochSlots::<T>::put(self.epoch_slots);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        configs::{RuntimeBlockLength, RuntimeBlockWeights},
        presets, BlockNumber, Runtime, System, Timing, TransactionPayment,
    };
    use frame_support::{dispatch::DispatchClass, traits::OnFinalize, weights::Weight};
    use frame_system::BlockSize;
    use pallet_transaction_payment::{Multiplier, MultiplierUpdate, NextFeeMultiplier};
    use sp_genesis_builder::DEV_RUNTIME_PRESET;
    use sp_runtime::{traits::One, BuildStorage, FixedPointNumber, Perbill};

    fn execute(test: impl FnOnce()) {
        let genesis = presets::genesis_config(DEV_RUNTIME_PRESET).expect("the preset exists");
        let storage = genesis.build_storage().expect("the genesis builds");
        sp_io::TestExternalities::from(storage).execute_with(test);
    }

    /// Starts the next block; gives back the time in it.
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

    /// Uses so much of what ordinary transactions may take, in weight.
    fn fill(percent: u32) {
        let weight = Perbill::from_percent(percent) * normal_weight();
        System::register_extra_weight_unchecked(weight, DispatchClass::Normal);
    }

    /// The same in length.
    fn lengthen(percent: u32) {
        let longest = *RuntimeBlockLength::get().max.get(DispatchClass::Normal);
        BlockSize::<Runtime>::put(Perbill::from_percent(percent) * longest);
    }

    /// Makes so many blocks, each filled like that.
    fn blocks(count: u32, fill: impl Fn()) {
        for _ in 0..count {
            start();
            fill();
            end();
        }
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
