//! The pace of a chain: how long a slot lasts, and how many slots make an epoch.
//!
//! BABE takes both as constants of the runtime. Here they are constants of the *chain* instead,
//! written at genesis, so that one Wasm runs a development chain with a block every second and
//! any other chain with a block every six. Nothing can change them afterwards: BABE derives the
//! current slot and epoch from them, so a change would halt block production.

pub use pallet::*;

#[frame_support::pallet]
pub mod pallet {
    use frame_support::pallet_prelude::*;

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

    #[pallet::genesis_config]
    pub struct GenesisConfig<T> {
        /// Length of a slot, in milliseconds: even, and not zero.
        pub slot_millis: u64,
        /// Length of an epoch, in slots: not zero.
        pub epoch_slots: u64,
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
