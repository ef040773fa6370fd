//! Weights of `pallet_contribution`, measured in the runtime's Wasm by `make weights`: do not edit.
//!
//! Date 2026-11-24, steps 10, repeat 5.

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
		// Minimum execution time: 664_906_000 picoseconds.
		Weight::from_parts(1_155_923_000, 13775)
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
		// Minimum execution time: 663_854_000 picoseconds.
		Weight::from_parts(725_345_000, 13775)
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
		// Minimum execution time: 234_537_000 picoseconds.
		Weight::from_parts(258_734_000, 13775)
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
		// Minimum execution time: 534_232_000 picoseconds.
		Weight::from_parts(584_216_000, 3604)
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
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(4110), added: 6585, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:0 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	fn open_task(w: u32, ) -> Weight {
		// Minimum execution time: 1_168_021_000 picoseconds.
		Weight::from_parts(1_813_008_204, 3604)
			// Standard Error: 84
			.saturating_add(Weight::from_parts(11_558, 0).saturating_mul(w.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	fn top_up() -> Weight {
		// Minimum execution time: 758_454_000 picoseconds.
		Weight::from_parts(833_656_000, 3892)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn close_task() -> Weight {
		// Minimum execution time: 910_369_000 picoseconds.
		Weight::from_parts(977_569_000, 9764)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 852_304_000 picoseconds.
		Weight::from_parts(936_378_000, 9764)
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::RevealedDeltas` (r:1 w:1)
	/// Proof: `Contribution::RevealedDeltas` (`max_values`: None, `max_size`: Some(64), added: 2539, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 2_116_788_000 picoseconds.
		Weight::from_parts(2_237_055_273, 9764)
			// Standard Error: 4_943
			.saturating_add(Weight::from_parts(177_907, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn publish_shard(r: u32, ) -> Weight {
		// Minimum execution time: 9_103_094_000 picoseconds.
		Weight::from_parts(8_031_093_965, 9764)
			// Standard Error: 315
			.saturating_add(Weight::from_parts(9_459, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit_attestation() -> Weight {
		// Minimum execution time: 436_948_000 picoseconds.
		Weight::from_parts(506_381_000, 9764)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn reveal_attestation() -> Weight {
		// Minimum execution time: 461_805_000 picoseconds.
		Weight::from_parts(517_237_000, 9764)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:32 w:32)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:32 w:32)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:32 w:32)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(222), added: 2697, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:33 w:33)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn claim(n: u32, ) -> Weight {
		// Minimum execution time: 895_587_000 picoseconds.
		Weight::from_parts(298_418_429, 3593)
			// Standard Error: 17_933_609
			.saturating_add(Weight::from_parts(714_866_546, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((5_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(1_u64))
			.saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 8774).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	fn answer_audits(b: u32, ) -> Weight {
		// Minimum execution time: 1_581_114_000 picoseconds.
		Weight::from_parts(1_627_076_057, 41982)
			// Standard Error: 1_382
			.saturating_add(Weight::from_parts(10_194, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(18_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 1_812_046_000 picoseconds.
		Weight::from_parts(1_944_763_000, 41982)
			.saturating_add(T::DbWeight::get().reads(23_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Schedule` (r:1 w:0)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Timing::SlotMillis` (r:1 w:0)
	/// Proof: `Timing::SlotMillis` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// Minimum execution time: 74_310_000 picoseconds.
		Weight::from_parts(90_654_000, 1999)
			.saturating_add(T::DbWeight::get().reads(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 1_041_994_000 picoseconds.
		Weight::from_parts(3_543_943_122, 296372)
			// Standard Error: 3_862_556
			.saturating_add(Weight::from_parts(374_766_276, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(22_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2697).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 5_637_316_000 picoseconds.
		Weight::from_parts(5_935_378_000, 42814)
			.saturating_add(T::DbWeight::get().reads(53_u64))
			.saturating_add(T::DbWeight::get().writes(53_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 8_628_190_000 picoseconds.
		Weight::from_parts(9_202_552_000, 45241)
			.saturating_add(T::DbWeight::get().reads(38_u64))
			.saturating_add(T::DbWeight::get().writes(22_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(427), added: 2902, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6299), added: 8774, mode: `MaxEncodedLen`)
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
		// Minimum execution time: 14_861_771_000 picoseconds.
		Weight::from_parts(16_105_304_000, 650967)
			.saturating_add(T::DbWeight::get().reads(294_u64))
			.saturating_add(T::DbWeight::get().writes(50_u64))
	}
}
