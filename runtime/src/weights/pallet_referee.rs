//! Weights of `pallet_referee`, measured in the runtime's Wasm by `make weights`: do not edit.
//!
//! Date 2026-11-23, steps 10, repeat 5.

#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(clippy::unnecessary_cast)]

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Measured weights over the runtime's own cost of the database.
pub struct WeightInfo<T>(PhantomData<T>);
impl<T: frame_system::Config> pallet_referee::WeightInfo for WeightInfo<T> {
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::NextDispute` (r:1 w:1)
	/// Proof: `Referee::NextDispute` (`max_values`: Some(1), `max_size`: Some(4), added: 499, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Parties` (r:1 w:1)
	/// Proof: `Referee::Parties` (`max_values`: None, `max_size`: Some(1113), added: 3588, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:1 w:1)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Disputes` (r:0 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	fn open() -> Weight {
		// Minimum execution time: 1_068_404_000 picoseconds.
		Weight::from_parts(1_137_126_000, 9730)
			.saturating_add(T::DbWeight::get().reads(8_u64))
			.saturating_add(T::DbWeight::get().writes(7_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_similar(r: u32, ) -> Weight {
		// Minimum execution time: 404_489_000 picoseconds.
		Weight::from_parts(454_900_007, 36783)
			// Standard Error: 7_335
			.saturating_add(Weight::from_parts(2_170_756, 0).saturating_mul(r.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_pair(s: u32, ) -> Weight {
		// Minimum execution time: 478_340_000 picoseconds.
		Weight::from_parts(515_943_241, 36783)
			// Standard Error: 17_427
			.saturating_add(Weight::from_parts(51_120, 0).saturating_mul(s.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Parties` (r:1 w:1)
	/// Proof: `Referee::Parties` (`max_values`: None, `max_size`: Some(1113), added: 3588, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Verdicts` (r:1 w:1)
	/// Proof: `Referee::Verdicts` (`max_values`: Some(1), `max_size`: Some(9666), added: 10161, mode: `MaxEncodedLen`)
	fn answer_dot() -> Weight {
		// Minimum execution time: 1_674_853_000 picoseconds.
		Weight::from_parts(1_764_545_000, 36783)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_nodes(n: u32, ) -> Weight {
		// Minimum execution time: 363_749_000 picoseconds.
		Weight::from_parts(425_048_249, 36783)
			// Standard Error: 19_253
			.saturating_add(Weight::from_parts(1_371_434, 0).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_row(l: u32, ) -> Weight {
		// Minimum execution time: 510_527_000 picoseconds.
		Weight::from_parts(563_599_419, 36783)
			// Standard Error: 1_664
			.saturating_add(Weight::from_parts(566_228, 0).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_header(l: u32, ) -> Weight {
		// Minimum execution time: 395_927_000 picoseconds.
		Weight::from_parts(463_182_523, 36783)
			// Standard Error: 1_511
			.saturating_add(Weight::from_parts(566_027, 0).saturating_mul(l.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_tile() -> Weight {
		// Minimum execution time: 397_559_000 picoseconds.
		Weight::from_parts(428_836_000, 36783)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn answer_terms(t: u32, ) -> Weight {
		// Minimum execution time: 496_856_000 picoseconds.
		Weight::from_parts(532_950_505, 36783)
			// Standard Error: 5_427
			.saturating_add(Weight::from_parts(14_315, 0).saturating_mul(t.into()))
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Parties` (r:1 w:1)
	/// Proof: `Referee::Parties` (`max_values`: None, `max_size`: Some(1113), added: 3588, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Verdicts` (r:1 w:1)
	/// Proof: `Referee::Verdicts` (`max_values`: Some(1), `max_size`: Some(9666), added: 10161, mode: `MaxEncodedLen`)
	fn answer_term() -> Weight {
		// Minimum execution time: 1_605_110_000 picoseconds.
		Weight::from_parts(1_751_787_000, 36783)
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Parties` (r:1 w:1)
	/// Proof: `Referee::Parties` (`max_values`: None, `max_size`: Some(1113), added: 3588, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:2 w:2)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:1 w:1)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Verdicts` (r:1 w:1)
	/// Proof: `Referee::Verdicts` (`max_values`: Some(1), `max_size`: Some(9666), added: 10161, mode: `MaxEncodedLen`)
	fn answer_word(b: u32, ) -> Weight {
		// Minimum execution time: 1_680_842_000 picoseconds.
		Weight::from_parts(1_742_638_098, 36783)
			// Standard Error: 881
			.saturating_add(Weight::from_parts(6_521, 0).saturating_mul(b.into()))
			.saturating_add(T::DbWeight::get().reads(10_u64))
			.saturating_add(T::DbWeight::get().writes(8_u64))
	}
	/// Storage: `Referee::Disputes` (r:1 w:1)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:0)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Graphs` (r:1 w:0)
	/// Proof: `Contribution::Graphs` (`max_values`: None, `max_size`: Some(1038), added: 3513, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn pick() -> Weight {
		// Minimum execution time: 390_940_000 picoseconds.
		Weight::from_parts(422_546_000, 36783)
			.saturating_add(T::DbWeight::get().reads(5_u64))
			.saturating_add(T::DbWeight::get().writes(2_u64))
	}
	/// Storage: `Referee::Parties` (r:1 w:1)
	/// Proof: `Referee::Parties` (`max_values`: None, `max_size`: Some(1113), added: 3588, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Deadlines` (r:1 w:1)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	/// Storage: `System::Account` (r:17 w:17)
	/// Proof: `System::Account` (`max_values`: None, `max_size`: Some(128), added: 2603, mode: `MaxEncodedLen`)
	/// Storage: `Balances::Holds` (r:17 w:17)
	/// Proof: `Balances::Holds` (`max_values`: None, `max_size`: Some(139), added: 2614, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Tasks` (r:1 w:0)
	/// Proof: `Contribution::Tasks` (`max_values`: None, `max_size`: Some(390), added: 2865, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Rounds` (r:1 w:1)
	/// Proof: `Contribution::Rounds` (`max_values`: None, `max_size`: Some(6265), added: 8740, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Registrations` (r:1 w:1)
	/// Proof: `Contribution::Registrations` (`max_values`: None, `max_size`: Some(87), added: 2562, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Attesters` (r:1 w:1)
	/// Proof: `Contribution::Attesters` (`max_values`: Some(1), `max_size`: Some(12290), added: 12785, mode: `MaxEncodedLen`)
	/// Storage: `Contribution::Contributors` (r:1 w:1)
	/// Proof: `Contribution::Contributors` (`max_values`: Some(1), `max_size`: Some(12), added: 507, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Verdicts` (r:1 w:1)
	/// Proof: `Referee::Verdicts` (`max_values`: Some(1), `max_size`: Some(9666), added: 10161, mode: `MaxEncodedLen`)
	/// Storage: `Referee::Disputes` (r:15 w:16)
	/// Proof: `Referee::Disputes` (`max_values`: None, `max_size`: Some(33318), added: 35793, mode: `MaxEncodedLen`)
	fn end(d: u32, ) -> Weight {
		// Minimum execution time: 1_790_715_000 picoseconds.
		Weight::from_parts(1_258_478_566, 13775)
			// Standard Error: 1_050_257
			.saturating_add(Weight::from_parts(613_077_028, 0).saturating_mul(d.into()))
			.saturating_add(T::DbWeight::get().reads(9_u64))
			.saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(d.into())))
			.saturating_add(T::DbWeight::get().writes(9_u64))
			.saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(d.into())))
			.saturating_add(Weight::from_parts(0, 32635).saturating_mul(d.into()))
	}
	/// Storage: `Referee::Deadlines` (r:1 w:0)
	/// Proof: `Referee::Deadlines` (`max_values`: Some(1), `max_size`: Some(8194), added: 8689, mode: `MaxEncodedLen`)
	fn look() -> Weight {
		// Minimum execution time: 56_003_000 picoseconds.
		Weight::from_parts(59_528_000, 9679)
			.saturating_add(T::DbWeight::get().reads(1_u64))
	}
}
