//! Weights of `pallet_contribution`, measured in the runtime's Wasm by `make weights`: do not edit.
//!
//! Date 2026-11-26, steps 10, repeat 5.

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
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn register() -> Weight {
		// Minimum execution time: 240_579_000 picoseconds.
		Weight::from_parts(448_146_000, 13775)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	fn offer() -> Weight {
		// By hand.
		Weight::from_parts(900_000_000, 39_172)
			.saturating_add(T::DbWeight::get().reads(2_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	fn add_stake() -> Weight {
		// Minimum execution time: 243_003_000 picoseconds.
		Weight::from_parts(402_521_000, 13775)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn unstake() -> Weight {
		// Minimum execution time: 93_534_000 picoseconds.
		Weight::from_parts(169_677_000, 13775)
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
		// Minimum execution time: 193_531_000 picoseconds.
		Weight::from_parts(319_466_000, 3604)
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
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:0 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	fn open_task(w: u32, ) -> Weight {
		// Minimum execution time: 436_144_000 picoseconds.
		Weight::from_parts(637_204_771, 3604)
			// Standard Error: 114
			.saturating_add(Weight::from_parts(13_880, 0).saturating_mul(w.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:0 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	fn top_up() -> Weight {
		// Minimum execution time: 279_111_000 picoseconds.
		Weight::from_parts(484_684_000, 3895)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	fn close_task() -> Weight {
		// Minimum execution time: 336_218_000 picoseconds.
		Weight::from_parts(592_496_000, 7378)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:2 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Ledgers` (r:1 w:0)
	/// Proof: `Contribution::Ledgers` (`max_values`: None, `max_size`: Some(138), added: 2613, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit() -> Weight {
		// Minimum execution time: 328_032_000 picoseconds.
		Weight::from_parts(625_727_000, 7378)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:2 w:2)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::DeltaAuthors` (r:1 w:1)
	/// Proof: `Contribution::DeltaAuthors` (`max_values`: None, `max_size`: Some(92), added: 2567, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Ledgers` (r:1 w:1)
	/// Proof: `Contribution::Ledgers` (`max_values`: None, `max_size`: Some(138), added: 2613, mode: `MaxEncodedLen`)
	fn reveal(d: u32, ) -> Weight {
		// Minimum execution time: 1_183_850_000 picoseconds.
		Weight::from_parts(3_573_813_877, 7378)
			// Standard Error: 28_715
			.saturating_add(Weight::from_parts(392_375, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn publish_shard(r: u32, ) -> Weight {
		// Minimum execution time: 10_918_475_000 picoseconds.
		Weight::from_parts(18_879_435_524, 7378)
			// Standard Error: 2_041
			.saturating_add(Weight::from_parts(17_987, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn commit_attestation() -> Weight {
		// Minimum execution time: 174_425_000 picoseconds.
		Weight::from_parts(293_017_000, 7378)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tables` (r:0 w:1)
	/// Proof: `Contribution::Tables` (`max_values`: None, `max_size`: Some(2680), added: 5155, mode: `MaxEncodedLen`)
	fn reveal_attestation() -> Weight {
		// Minimum execution time: 223_718_000 picoseconds.
		Weight::from_parts(376_492_000, 7378)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(3_u64))
	}
	/// Storage: `Contribution::Tasks` (r:32 w:32)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:32 w:64)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:32 w:32)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Ledgers` (r:32 w:32)
	/// Proof: `Contribution::Ledgers` (`max_values`: None, `max_size`: Some(138), added: 2613, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:33 w:33)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:32 w:32)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn claim(n: u32, ) -> Weight {
		// Minimum execution time: 712_229_000 picoseconds. By hand: a read and a write of `Credits` for each.
		Weight::from_parts(1_080_788_091, 3593)
			// Standard Error: 100_119_640
			.saturating_add(Weight::from_parts(1_020_067_617, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(3_u64))
			.saturating_add(T::DbWeight::get().reads((7_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(T::DbWeight::get().writes((8_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 6388).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn release() -> Weight {
		// Minimum execution time: 172_552_000 picoseconds.
		Weight::from_parts(290_141_000, 7378)
			.saturating_add(T::DbWeight::get().reads(4_u64))
			.saturating_add(T::DbWeight::get().writes(4_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1 w:1)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Ledgers` (r:1 w:1)
	/// Proof: `Contribution::Ledgers` (`max_values`: None, `max_size`: Some(138), added: 2613, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn forfeit() -> Weight {
		// Minimum execution time: 250_187_000 picoseconds. By hand: a write of `Credits`.
		Weight::from_parts(392_332_000, 7378)
			.saturating_add(T::DbWeight::get().reads(6_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Storage: `Contribution::DeltaAuthors` (r:32 w:0)
	/// Storage: `Contribution::Submissions` (r:32 w:0)
	/// Storage: `Contribution::Credits` (r:32 w:32)
	fn publish_credits(n: u32, ) -> Weight {
		// By hand.
		Weight::from_parts(250_000_000, 7378)
			.saturating_add(Weight::from_parts(350_000_000, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(1_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
			.saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
			.saturating_add(Weight::from_parts(0, 2720).saturating_mul(n.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tables` (r:1 w:0)
	/// Proof: `Contribution::Tables` (`max_values`: None, `max_size`: Some(2680), added: 5155, mode: `MaxEncodedLen`)
	fn answer_audits(b: u32, ) -> Weight {
		// Minimum execution time: 874_182_000 picoseconds.
		Weight::from_parts(484_922_270, 41982)
			// Standard Error: 29_171
			.saturating_add(Weight::from_parts(53_379, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(19_u64))
			.saturating_add(T::DbWeight::get().writes(1_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	fn convict() -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured.
		// Minimum execution time: 607_083_000 picoseconds.
		Weight::from_parts(2_000_000_000, 41982)
			.saturating_add(T::DbWeight::get().reads(23_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Contribution::Schedule` (r:1 w:0)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Timing::SlotMillis` (r:1 w:0)
	/// Proof: `Timing::SlotMillis` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// By hand: a task that may be idle is looked at since it was measured.
		// Minimum execution time: 25_177_000 picoseconds.
		Weight::from_parts(70_000_000, 5403)
			.saturating_add(T::DbWeight::get().reads(4_u64))
	}
	/// As `end_reveal`, and the task is closed.
	fn end_commit(s: u32, ) -> Weight {
		// By hand.
		Weight::from_parts(4_300_000_000, 701519)
			.saturating_add(Weight::from_parts(229_626_880, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(267_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2720).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:1281 w:1023)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1023 w:1023)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1023 w:1023)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:0)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Candidates` (r:0 w:1)
	/// Proof: `Contribution::Candidates` (`max_values`: None, `max_size`: Some(12302), added: 14777, mode: `MaxEncodedLen`)
	fn end_reveal(s: u32, ) -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured, and seats that are promised are counted.
		// Minimum execution time: 1_984_083_000 picoseconds.
		Weight::from_parts(3_000_000_000, 701519)
			// Standard Error: 9_321_986
			.saturating_add(Weight::from_parts(229_626_880, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(260_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(s.into())))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(s.into())))
			.saturating_add(Weight::from_parts(0, 2720).saturating_mul(s.into()))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Babe::NextRandomness` (r:1 w:0)
	/// Proof: `Babe::NextRandomness` (`max_values`: Some(1), `max_size`: Some(32), added: 527, mode: `MaxEncodedLen`)
	/// Storage: `Babe::EpochStart` (r:1 w:0)
	/// Proof: `Babe::EpochStart` (`max_values`: Some(1), `max_size`: Some(8), added: 503, mode: `MaxEncodedLen`)
	/// Storage: `Babe::AuthorVrfRandomness` (r:1 w:0)
	/// Proof: `Babe::AuthorVrfRandomness` (`max_values`: Some(1), `max_size`: Some(33), added: 528, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Candidates` (r:1 w:1)
	/// Proof: `Contribution::Candidates` (`max_values`: None, `max_size`: Some(12302), added: 14777, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:0)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn draw() -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured, and seats that are promised are counted.
		// Minimum execution time: 199_112_000 picoseconds.
		Weight::from_parts(3_300_000_000, 17256)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(5_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:16)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:16 w:16)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:16 w:16)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn end_phase() -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured.
		// Minimum execution time: 2_055_125_000 picoseconds.
		Weight::from_parts(6_000_000_000, 42814)
			.saturating_add(T::DbWeight::get().reads(53_u64))
			.saturating_add(T::DbWeight::get().writes(53_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:16 w:0)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tables` (r:16 w:16)
	/// Proof: `Contribution::Tables` (`max_values`: None, `max_size`: Some(2680), added: 5155, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:17 w:17)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn settle() -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured.
		// Minimum execution time: 3_044_532_000 picoseconds.
		Weight::from_parts(6_500_000_000, 83470)
			.saturating_add(T::DbWeight::get().reads(55_u64))
			.saturating_add(T::DbWeight::get().writes(39_u64))
	}
	/// Storage: `Contribution::Tasks` (r:1 w:1)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(430), added: 2905, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:2)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(3913), added: 6388, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:15 w:15)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:15 w:15)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:15 w:15)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(36610), added: 37105, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Submissions` (r:241 w:0)
	/// Proof: `Contribution::Submissions` (`max_values`: None, `max_size`: Some(245), added: 2720, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tables` (r:15 w:15)
	/// Proof: `Contribution::Tables` (`max_values`: None, `max_size`: Some(2680), added: 5155, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:0)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Schedule` (r:1 w:1)
	/// Proof: `Contribution::Schedule` (`max_values`: Some(1), `max_size`: Some(514), added: 1009, mode: `MaxEncodedLen`)
	fn redraw() -> Weight {
		// By hand: the registry of attesters is three times as long since it was measured.
		// Minimum execution time: 5_011_963_000 picoseconds.
		Weight::from_parts(13_000_000_000, 656510)
			.saturating_add(T::DbWeight::get().reads(306_u64))
			.saturating_add(T::DbWeight::get().writes(65_u64))
	}
}
