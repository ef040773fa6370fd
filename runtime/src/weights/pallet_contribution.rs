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
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn register() -> Weight {
		// Minimum execution time: 633_859_000 picoseconds.
		Weight::from_parts(654_410_000, 13775)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	fn add_stake() -> Weight {
		// Minimum execution time: 651_295_000 picoseconds.
		Weight::from_parts(690_573_000, 13775)
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
		// Minimum execution time: 214_668_000 picoseconds.
		Weight::from_parts(239_495_000, 13775)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn withdraw() -> Weight {
		// Minimum execution time: 512_890_000 picoseconds.
		Weight::from_parts(546_820_000, 3604)
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::NextTask` (r:1 w:1)
	/// Proof: `Contribution::NextTask` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:0 w:1)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:0 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	fn open_task(w: u32, ) -> Weight {
		// Minimum execution time: 1_097_046_000 picoseconds.
		Weight::from_parts(1_337_501_151, 3604)
			// Standard Error: 35
			.saturating_add(Weight::from_parts(10_028, 0).saturating_mul(w.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	fn top_up() -> Weight {
		// Minimum execution time: 718_415_000 picoseconds.
		Weight::from_parts(776_662_000, 3855)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn close_task() -> Weight {
		// Minimum execution time: 896_669_000 picoseconds.
		Weight::from_parts(951_801_000, 9730)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:2 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit() -> Weight {
		// Minimum execution time: 832_234_000 picoseconds.
		Weight::from_parts(896_619_000, 9730)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::RevealedDeltas` (r:1 w:1)
	/// Proof: `Contribution::RevealedDeltas` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 1_945_544_000 picoseconds.
		Weight::from_parts(1_895_128_755, 9730)
			// Standard Error: 2_329
			.saturating_add(Weight::from_parts(163_501, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn publish_shard(r: u32, ) -> Weight {
		// Minimum execution time: 9_421_466_000 picoseconds.
		Weight::from_parts(9_181_158_056, 9730)
			// Standard Error: 699
			.saturating_add(Weight::from_parts(11_168, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit_attestation() -> Weight {
		// Minimum execution time: 451_129_000 picoseconds.
		Weight::from_parts(495_534_000, 9730)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn reveal_attestation() -> Weight {
		// Minimum execution time: 464_058_000 picoseconds.
		Weight::from_parts(514_883_000, 9730)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:32 w:32)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:32 w:32)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:32 w:32)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:33 w:33)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn claim(n: u32, ) -> Weight {
		// Minimum execution time: 885_402_000 picoseconds.
		Weight::from_parts(927_124_000, 3593)
			// Standard Error: 23_767_406
			.saturating_add(Weight::from_parts(997_438_099, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 8740).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	fn answer_audits(b: u32, ) -> Weight {
		// Minimum execution time: 838_953_000 picoseconds.
		Weight::from_parts(954_769_018, 9730)
			// Standard Error: 12_945
			.saturating_add(Weight::from_parts(14_997, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn convict() -> Weight {
		// Minimum execution time: 1_066_831_000 picoseconds.
		Weight::from_parts(1_141_412_000, 13775)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Schedule` (r:1 w:0)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Timing::SlotMillis` (r:1 w:0)
	/// Proof: `Timing::SlotMillis` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// Minimum execution time: 87_470_000 picoseconds.
		Weight::from_parts(91_886_000, 1999)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1041 w:1023)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1023 w:1023)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1023 w:1023)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Babe::NextRandomness` (r:1 w:0)
	/// Proof: `Babe::NextRandomness` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Babe::EpochStart` (r:1 w:0)
	/// Proof: `Babe::EpochStart` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:0)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::RevealedDeltas` (r:0 w:1)
	/// Proof: `Contribution::RevealedDeltas` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	fn end_reveal(s: u32, ) -> Weight {
		// Minimum execution time: 951_060_000 picoseconds.
		Weight::from_parts(954_775_000, 296372)
			// Standard Error: 4_203_792
			.saturating_add(Weight::from_parts(392_560_028, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(22_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:16)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:16 w:16)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:16 w:16)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn end_phase() -> Weight {
		// Minimum execution time: 5_459_683_000 picoseconds.
		Weight::from_parts(5_642_755_000, 42814)
			.saturating_add(T::DbWeight::get().reads(53_u64))
			.saturating_add(T::DbWeight::get().writes(53_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:17 w:17)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Minimum execution time: 7_403_294_000 picoseconds.
		Weight::from_parts(7_545_004_000, 45241)
			.saturating_add(T::DbWeight::get().reads(22_u64))
			.saturating_add(T::DbWeight::get().writes(22_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:15 w:15)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:15 w:15)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:15 w:15)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Babe::NextRandomness` (r:1 w:0)
	/// Proof: `Babe::NextRandomness` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Babe::EpochStart` (r:1 w:0)
	/// Proof: `Babe::EpochStart` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:241 w:0)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn redraw() -> Weight {
		// Minimum execution time: 14_516_118_000 picoseconds.
		Weight::from_parts(15_130_930_000, 650967)
			.saturating_add(T::DbWeight::get().reads(294_u64))
			.saturating_add(T::DbWeight::get().writes(50_u64))
	}
}
