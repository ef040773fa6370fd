//! The pace of a chain: how long a slot and an epoch last, and how long a party in a dispute has for a move.
//!
//! Clients find these numbers among the constants of the runtime's metadata, and keep them for as long as the code has the same
//! hash. So a pace belongs to the code: the same sources are compiled to one Wasm for each, and nothing else differs. A chain keeps its
//! pace for ever, through upgrades too: BABE derives the current slot and epoch from it, so a change would halt block production.
//! That is why each pace has a `spec_name` of its own: a chain takes no upgrade to a runtime of another name.

#![deny(missing_docs)]

use crate::BlockNumber;

/// How fast a chain runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Name of the runtime that has this pace: the `spec_name` of its version.
    pub spec_name: &'static str,
    /// Length of a slot, in milliseconds. Even: Timestamp is configured with half of it.
    pub slot_millis: u64,
    /// Length of an epoch, in slots.
    pub epoch_slots: u64,
    /// Time that a party in a dispute has for a move, in blocks.
    pub move_blocks: BlockNumber,
}

impl Pace {
    /// A block every six seconds, new randomness every two minutes, and ten minutes for a move: enough to restart a program.
    pub const USUAL: Self = Self {
        spec_name: "gotong",
        slot_millis: 6_000,
        epoch_slots: 20,
        move_blocks: 100,
    };

    /// A block every second, new randomness every ten, and twenty seconds for a move: for development.
    pub const FAST: Self = Self {
        spec_name: "gotong-fast",
        slot_millis: 1_000,
        epoch_slots: 10,
        move_blocks: 20,
    };

    /// The pace of this code.
    pub const OWN: Self = if cfg!(feature = "fast") {
        Self::FAST
    } else {
        Self::USUAL
    };

    /// The most execution time a block may ask for: two seconds, and never more than three quarters of
    /// a slot, so that a block is made, sent and imported before the next one is due. A six-second slot
    /// therefore gives 2 s, a one-second slot 750 ms.
    pub const fn max_block_millis(&self) -> u64 {
        let most = self.slot_millis / 4 * 3;
        if most < 2_000 {
            most
        } else {
            2_000
        }
    }
}

const _: () = assert!(Pace::USUAL.slot_millis.is_multiple_of(2));
const _: () = assert!(Pace::FAST.slot_millis.is_multiple_of(2));
