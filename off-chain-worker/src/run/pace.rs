//! How fast the chain is, and so when a window is over.

use std::time::{Duration, Instant};

/// How fast the chain is, from the blocks that were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    first: Option<(u32, Instant)>,
}

/// Blocks after which the pace is known.
const SEEN: u32 = 3;
/// Blocks of a window that are kept for what comes after a training: making the delta, and sending a commitment.
const RESERVE: u32 = 4;

impl Pace {
    /// At `now` the best block is number `block`. Gives when a training has to be over so that a commitment still comes before
    /// `ends_at`; nothing while the pace is not known.
    pub fn deadline(&mut self, now: Instant, block: u32, ends_at: u32) -> Option<Instant> {
        let (first, seen_at) = match self.first {
            // After a fork the count begins anew.
            Some(first) if first.0 <= block => first,
            _ => *self.first.insert((block, now)),
        };
        let blocks = block - first;
        if blocks < SEEN {
            return None;
        }
        let each = now
            .saturating_duration_since(seen_at)
            .div_f64(blocks.into());
        let left = ends_at.saturating_sub(block.saturating_add(RESERVE));
        now.checked_add(each.checked_mul(left).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_of_the_chain_gives_the_deadline() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut pace = Pace::default();
        assert_eq!(pace.deadline(start, 100, 200), None);
        assert_eq!(pace.deadline(start + 4 * second, 102, 200), None);
        // Two seconds a block, of 90 that are left less the reserve.
        let now = start + 20 * second;
        assert_eq!(pace.deadline(now, 110, 200), Some(now + 172 * second));
        assert_eq!(pace.deadline(now, 110, 112), Some(now));
        assert_eq!(pace.deadline(now, 90, 200), None, "after a fork");
    }
}
