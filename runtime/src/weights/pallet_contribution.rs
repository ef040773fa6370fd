//! Weights of `pallet_contribution`, measured in the runtime's Wasm by `make weights`: do not edit.
//!
//! Date 2026-11-23, steps 10, repeat 5.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured weights over the runtime's own cost of the database.
pub struct WeightInfo<T>(PhantomData<T>);
impl<T: frame_system::Config> pallet_contribution::WeightInfo for WeightInfo<T> {
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn register() -> Weight {
		// Minimum execution time: 508_125_000 picoseconds.
		Weight::from_parts(527_414_000, 13775)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	fn add_stake() -> Weight {
		// Minimum execution time: 515_690_000 picoseconds.
		Weight::from_parts(535_375_000, 13775)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn unstake() -> Weight {
		// Minimum execution time: 178_791_000 picoseconds.
		Weight::from_parts(192_316_000, 13775)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Minimum execution time: 411_566_000 picoseconds.
		Weight::from_parts(427_720_000, 3593)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::NextTask` (r:1 w:1)
	/// Proof: `Contribution::NextTask` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:0 w:1)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:0 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	fn open_task(w: u32, ) -> Weight {
		// Minimum execution time: 855_118_000 picoseconds.
		Weight::from_parts(976_577_273, 3593)
			// Standard Error: 4
			.saturating_add(Weight::from_parts(3_251, 0).saturating_mul(w.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	fn top_up() -> Weight {
		// Minimum execution time: 570_776_000 picoseconds.
		Weight::from_parts(592_418_000, 3855)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn close_task() -> Weight {
		// Minimum execution time: 702_930_000 picoseconds.
		Weight::from_parts(727_383_000, 7251)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:2 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit() -> Weight {
		// Minimum execution time: 653_705_000 picoseconds.
		Weight::from_parts(682_487_000, 7251)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::RevealedDeltas` (r:1 w:1)
	/// Proof: `Contribution::RevealedDeltas` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 660_842_000 picoseconds.
		Weight::from_parts(822_226_119, 7251)
			// Standard Error: 355
			.saturating_add(Weight::from_parts(74_203, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn publish_shard(r: u32, ) -> Weight {
		// Minimum execution time: 3_770_696_000 picoseconds.
		Weight::from_parts(3_574_574_567, 7251)
			// Standard Error: 57
			.saturating_add(Weight::from_parts(3_643, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit_attestation() -> Weight {
		// Minimum execution time: 251_387_000 picoseconds.
		Weight::from_parts(281_402_000, 7251)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn reveal_attestation() -> Weight {
		// Minimum execution time: 265_116_000 picoseconds.
		Weight::from_parts(293_634_000, 7251)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:32 w:32)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:32 w:32)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:32 w:32)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	fn claim(n: u32, ) -> Weight {
		// Minimum execution time: 701_026_000 picoseconds.
		Weight::from_parts(351_963_926, 6196)
			// Standard Error: 712_645
			.saturating_add(Weight::from_parts(431_691_628, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(3_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 6261).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Schedule` (r:1 w:0)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// Minimum execution time: 45_548_000 picoseconds.
		Weight::from_parts(48_332_000, 1999)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1025 w:1023)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(178), added: 2653, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1023 w:1023)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1023 w:1023)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Babe::NextRandomness` (r:1 w:0)
	/// Proof: `Babe::NextRandomness` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Babe::EpochStart` (r:1 w:0)
	/// Proof: `Babe::EpochStart` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:0)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn end_reveal(s: u32, ) -> Weight {
		// Minimum execution time: 372_559_000 picoseconds.
		Weight::from_parts(373_985_000, 295129)
			// Standard Error: 356_868
			.saturating_add(Weight::from_parts(280_987_693, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2653).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:16)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:16 w:16)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:16 w:16)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn end_phase() -> Weight {
		// Minimum execution time: 4_329_644_000 picoseconds.
		Weight::from_parts(4_440_969_000, 42638)
			.saturating_add(T::DbWeight::get().reads(53_u64))
			.saturating_add(T::DbWeight::get().writes(53_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3786), added: 6261, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:17 w:17)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(121), added: 2596, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Minimum execution time: 5_495_884_000 picoseconds.
		Weight::from_parts(5_638_694_000, 45241)
			.saturating_add(T::DbWeight::get().reads(22_u64))
			.saturating_add(T::DbWeight::get().writes(22_u64))
	}
}
