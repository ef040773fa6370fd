//! How samples are cut into blocks, so that the memory of all blocks stays within a budget.

/// Bytes that the blocks of all threads may take together while they have more than one sample.
const OF_BLOCKS: u64 = 64 << 20;
/// Bytes that the samples of all threads may take together, if that is more than one sample.
const OF_THREADS: u64 = 1 << 30;

/// How samples are cut into blocks. All blocks that are computed at once take at most 64 MiB; 1 GiB if one sample for every thread
/// takes more than that; and if a single sample takes even more, whatever it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Most samples of a block.
    pub size: usize,
    /// Most blocks at once.
    pub at_once: usize,
    /// Whether there are more threads than that.
    is_limited: bool,
}

impl Cut {
    /// Cuts samples that take `bytes` bytes each, for `threads` threads; a block has at most `most` of them.
    pub fn of(bytes: u64, most: usize, threads: usize) -> Self {
        let (bytes, threads) = (bytes.max(1), threads.max(1));
        let at_once = (OF_THREADS / bytes).clamp(1, threads as u64);
        let size = (OF_BLOCKS / at_once / bytes).clamp(1, most.max(1) as u64);
        Self {
            size: size as usize,
            at_once: at_once as usize,
            is_limited: at_once < threads as u64,
        }
    }

    /// Bytes of everything that is computed at once, if a sample takes `of_sample` bytes.
    pub fn bytes(&self, of_sample: u64) -> u64 {
        let samples = (self.size as u64).saturating_mul(self.at_once as u64);
        samples.saturating_mul(of_sample)
    }

    /// How many of `blocks` blocks a thread takes one after another, at least, while `sharers` do such work at once.
    pub fn in_a_row(&self, blocks: usize, sharers: usize) -> usize {
        if !self.is_limited {
            return 1;
        }
        let own = (self.at_once / sharers.max(1)).max(1);
        blocks.div_ceil(own).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::memory::MAX_SAMPLE_BYTES;
    use proptest::prelude::*;

    #[test]
    fn small_samples_fill_their_blocks() {
        let cut = Cut::of(10_000, 64, 16);
        assert_eq!((cut.size, cut.at_once), (64, 16));
        assert_eq!(cut.in_a_row(1000, 1), 1);
    }

    #[test]
    fn large_samples_are_computed_by_fewer_threads() {
        let cut = Cut::of(300 << 20, 64, 16);
        assert_eq!((cut.size, cut.at_once), (1, 3));
        assert_eq!(cut.in_a_row(100, 1), 34);
        assert_eq!(cut.in_a_row(100, 3), 100);
        assert_eq!(Cut::of(2 << 30, 64, 16).at_once, 1);
    }

    proptest! {
        #[test]
        fn the_budget_is_kept(
            bytes in 0..=MAX_SAMPLE_BYTES, most in 0..100usize, threads in 0..300usize, blocks in 0..10_000usize,
        ) {
            let cut = Cut::of(bytes, most, threads);
            prop_assert!(cut.bytes(bytes) <= OF_THREADS.max(bytes));
            prop_assert!(cut.size == 1 || cut.bytes(bytes) <= OF_BLOCKS);
            // Each piece has at least this many blocks, which limits the number of pieces.
            let row = cut.in_a_row(blocks, 1);
            prop_assert!(cut.at_once >= threads || blocks / row <= cut.at_once);
        }
    }
}
