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
		// Minimum execution time: 634_450_000 picoseconds.
		Weight::from_parts(669_222_000, 13775)
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
		// Minimum execution time: 644_476_000 picoseconds.
		Weight::from_parts(673_989_000, 13775)
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
		// Minimum execution time: 227_988_000 picoseconds.
		Weight::from_parts(237_302_000, 13775)
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
		// Minimum execution time: 513_461_000 picoseconds.
		Weight::from_parts(528_433_000, 3604)
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
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:0 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	fn open_task(w: u32, ) -> Weight {
		// Minimum execution time: 1_136_085_000 picoseconds.
		Weight::from_parts(2_025_826_480, 3604)
			// Standard Error: 112
			.saturating_add(Weight::from_parts(11_330, 0).saturating_mul(w.into()))
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
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	fn top_up() -> Weight {
		// Minimum execution time: 746_136_000 picoseconds.
		Weight::from_parts(793_997_000, 3855)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn close_task() -> Weight {
		// Minimum execution time: 897_731_000 picoseconds.
		Weight::from_parts(947_455_000, 9731)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 839_184_000 picoseconds.
		Weight::from_parts(873_335_000, 9731)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::RevealedDeltas` (r:1 w:1)
	/// Proof: `Contribution::RevealedDeltas` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 2_087_505_000 picoseconds.
		Weight::from_parts(2_130_279_555, 9731)
			// Standard Error: 719
			.saturating_add(Weight::from_parts(151_381, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn publish_shard(r: u32, ) -> Weight {
		// Minimum execution time: 9_019_760_000 picoseconds.
		Weight::from_parts(7_997_055_136, 9731)
			// Standard Error: 279
			.saturating_add(Weight::from_parts(8_937, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit_attestation() -> Weight {
		// Minimum execution time: 414_585_000 picoseconds.
		Weight::from_parts(464_499_000, 9731)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn reveal_attestation() -> Weight {
		// Minimum execution time: 443_398_000 picoseconds.
		Weight::from_parts(482_816_000, 9731)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:32 w:32)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:32 w:32)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:32 w:32)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:33 w:33)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn claim(n: u32, ) -> Weight {
		// Minimum execution time: 848_228_000 picoseconds.
		Weight::from_parts(860_962_130, 3593)
			// Standard Error: 18_950_800
			.saturating_add(Weight::from_parts(635_726_693, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 8741).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	fn answer_audits(b: u32, ) -> Weight {
		// Minimum execution time: 1_550_829_000 picoseconds.
		Weight::from_parts(1_456_894_564, 41982)
			// Standard Error: 1_773
			.saturating_add(Weight::from_parts(14_271, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(18_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:1)
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
		// Minimum execution time: 1_741_402_000 picoseconds.
		Weight::from_parts(1_853_377_000, 41982)
			.saturating_add(T::DbWeight::get().reads(23_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Schedule` (r:1 w:0)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Timing::SlotMillis` (r:1 w:0)
	/// Proof: `Timing::SlotMillis` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// Minimum execution time: 73_118_000 picoseconds.
		Weight::from_parts(75_692_000, 1999)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 983_198_000 picoseconds.
		Weight::from_parts(1_012_451_000, 296372)
			// Standard Error: 3_502_110
			.saturating_add(Weight::from_parts(377_634_975, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(22_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 5_544_589_000 picoseconds.
		Weight::from_parts(5_756_674_000, 42814)
			.saturating_add(T::DbWeight::get().reads(53_u64))
			.saturating_add(T::DbWeight::get().writes(53_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:17 w:17)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// Minimum execution time: 8_425_489_000 picoseconds.
		Weight::from_parts(8_633_989_000, 45241)
			.saturating_add(T::DbWeight::get().reads(38_u64))
			.saturating_add(T::DbWeight::get().writes(22_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6266), added: 8741, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 14_619_281_000 picoseconds.
		Weight::from_parts(15_235_535_000, 650967)
			.saturating_add(T::DbWeight::get().reads(294_u64))
			.saturating_add(T::DbWeight::get().writes(50_u64))
	}
}
