//! How fast the chain is, and therefore when a window ends.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How fast the chain is, from the blocks that were seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Numbers of best blocks, and when each was first seen, in rising order.
    seen: VecDeque<(u32, Instant)>,
}

/// How many past blocks count. Older ones may have come while the node caught up, or stood still.
const LOOK_BACK: usize = 32;
/// How many blocks it takes until the pace is known.
const LEAST: u32 = 3;
/// Blocks of a window that are kept for what comes after a training run: making the delta, and sending a commitment.
const RESERVE: u32 = 4;

impl Pace {
    /// Notes that the best block at `now` has the number `block`. Returns when training has to end so that a commitment still
    /// arrives before `ends_at`. None while the pace is not known.
    pub fn deadline(&mut self, now: Instant, block: u32, ends_at: u32) -> Option<Instant> {
        if self.seen.back().is_some_and(|(last, _)| *last > block) {
            // After a fork the count begins anew.
            self.seen.clear();
        }
        if self.seen.back().is_none_or(|(last, _)| *last < block) {
            self.seen.push_back((block, now));
        }
        while self.seen.len() > LOOK_BACK {
            self.seen.pop_front();
        }
        let (first, seen_at) = *self.seen.front()?;
        let blocks = block.saturating_sub(first);
        if blocks < LEAST {
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
        // Two seconds a block: of the 90 that are left, the reserve is subtracted.
        let now = start + 20 * second;
        assert_eq!(pace.deadline(now, 110, 200), Some(now + 172 * second));
        assert_eq!(pace.deadline(now, 110, 112), Some(now));
        assert_eq!(pace.deadline(now, 90, 200), None, "after a fork");
    }

    #[test]
    fn what_came_while_the_node_caught_up_is_forgotten() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for block in 0..1_000 {
            pace.deadline(start, block, 2_000);
        }
        let mut now = start;
        for block in 1_000..1_040 {
            now += Duration::from_secs(6);
            let deadline = pace.deadline(now, block, block + 14);
            if block == 1_039 {
                assert_eq!(deadline, Some(now + Duration::from_secs(60)));
            }
        }
    }
}
